/**
 * A key-encrypting key by split knowledge (PCI DSS 3.7.6): two or three people each make a component alone, and the key is the XOR
 * of all. Whoever has all components but one knows nothing about the key. Check values tell people apart from typing errors.
 */
import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../errors.js';
import { aesCheckValue } from './check-value.js';
import { KEY_BYTES } from './kek.js';

export const COMPONENTS_MIN = 2;
export const COMPONENTS_MAX = 3;

/** 32 bytes of the system's CSPRNG. */
export function newComponent(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** Check value of a component, made as that of a key: 10 hexadecimal digits. */
export const componentCheckValue = aesCheckValue;

/**
 * The key of two or three components of 32 bytes: new memory, which the caller overwrites.
 * @throws HoldfastError `bad_input_file` when there are too few or too many, a component is all zeros (it would leave the key to
 * the others), two are the same (they would cancel out), or the key is all zeros
 */
export function combineComponents(components: readonly Uint8Array[]): Buffer {
  const refused = (what: string): HoldfastError =>
    new HoldfastError(
      'bad_input_file',
      what,
      'each of two or three people makes a component: holdfast keys components generate',
    );
  if (components.length < COMPONENTS_MIN || components.length > COMPONENTS_MAX)
    throw refused(`a key has ${COMPONENTS_MIN} or ${COMPONENTS_MAX} components, not ${components.length}`);
  const key = Buffer.alloc(KEY_BYTES);
  components.forEach((component, index) => {
    if (component.length !== KEY_BYTES) throw refused(`component ${index + 1} has not ${KEY_BYTES} bytes`);
    if (component.every((byte) => byte === 0)) throw refused(`component ${index + 1} is all zeros`);
    if (components.slice(0, index).some((other) => Buffer.compare(other, component) === 0))
      throw refused(`component ${index + 1} is the same as an earlier one`);
    for (let i = 0; i < KEY_BYTES; i++) key[i]! ^= component[i]!;
  });
  if (key.every((byte) => byte === 0)) throw refused('the components cancel each other out');
  return key;
}
