import { expect, it } from 'vitest';
import { combineComponents, componentCheckValue, newComponent } from '#src/vault/components.js';

const filled = (byte: number): Buffer => Buffer.alloc(32, byte);

it('the key is the XOR of two or three components, in any order', () => {
  expect(combineComponents([filled(0xf0), filled(0x0b)])).toEqual(filled(0xfb));
  expect(combineComponents([filled(0xf0), filled(0x0b), filled(0xf0 ^ 0x01)])).toEqual(filled(0x0a));
  const [a, b, c] = [newComponent(), newComponent(), newComponent()];
  expect(combineComponents([a, b, c])).toEqual(combineComponents([c, a, b]));
  expect(a.equals(b)).toBe(false);
});

it('all components but one say nothing: any key can still come out', () => {
  const [a, b] = [newComponent(), newComponent()];
  const wanted = newComponent();
  const last = Buffer.from(wanted.map((byte, i) => byte ^ a[i]! ^ b[i]!));
  expect(combineComponents([a, b, last])).toEqual(wanted);
});

it('check values are those of AES keys (value from `openssl mac`, key 0b..0b)', () => {
  expect(componentCheckValue(filled(0x0b))).toBe('9746846456');
});

it.each([
  ['one', [filled(1)]],
  ['four', [filled(1), filled(2), filled(4), filled(8)]],
  ['zeros', [filled(1), filled(0)]],
  ['the same twice', [filled(1), filled(2), filled(1)]],
  ['that cancel out', [filled(1), filled(2), filled(3)]],
  ['a short one', [filled(1), Buffer.alloc(16, 2)]],
])('refuses components: %s', (_name, components) => {
  expect(() => combineComponents(components)).toThrow(expect.objectContaining({ code: 'bad_input_file' }));
});
