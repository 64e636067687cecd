/**
 * The keys of the software adapter, in the memory of this process: under a handle each, with usage, mode of use and check value,
 * which are compared before a key does anything. Keys come in as key blocks; the first one, which opens the others, as bytes.
 */
import { AesKey, type BlockKey, TdesKey } from '../card/block-key.js';
import { wipe } from '../card/bytes.js';
import { type KeyBlockVersion, openKeyBlock, wrapKeyBlock } from '../card/key-block.js';
import { keyCheckValue } from '../card/mac.js';
import { type KeyAlgorithm, type KeyInfo, type KeyRole, materialFault, roleFault } from './key-policy.js';
import { failed, type HsmVerdict, type KeyHandle } from './port.js';

/** What a key is for, when it does not come in a key block that says it. */
export interface KeyPurpose {
  readonly usage: string;
  readonly algorithm: KeyAlgorithm;
  readonly mode: string;
  /** N (never) by default. */
  readonly exportability?: string;
  /** Check value that the key must have: its first characters, at least 4. */
  readonly kcv?: string;
}

interface Entry {
  readonly info: KeyInfo;
  readonly key: BlockKey;
}

/** A TDES or AES key, or the verdict that says why there is none. */
export type Found<K extends BlockKey = BlockKey> = K | HsmVerdict;
export const isKey = <K extends BlockKey>(found: Found<K>): found is K => !('outcome' in found);

const KCV_CHARS_MIN = 4;

export class SoftKeys {
  readonly #entries = new Map<KeyHandle, Entry>();

  /** Takes in a key; whoever gives the bytes overwrites them. */
  add(id: KeyHandle, purpose: KeyPurpose, bytes: Uint8Array): HsmVerdict {
    const exportability = purpose.exportability ?? 'N';
    const { usage, algorithm, mode, kcv } = purpose;
    if (id === '') return failed('bad_request', 'a key needs a name');
    if (this.#entries.has(id)) return failed('not_allowed', `there is a key ${id}: keys are not replaced`);
    const fault = materialFault({ usage, algorithm, mode, exportability }, bytes);
    if (fault !== undefined) return failed('key_not_usable', fault);
    const key = algorithm === 'A' ? new AesKey(bytes) : new TdesKey(bytes);
    const info = { id, usage, algorithm, mode, exportability, bits: key.bits, kcv: keyCheckValue(key) };
    if (kcv !== undefined && (kcv.length < KCV_CHARS_MIN || !info.kcv.startsWith(kcv.toUpperCase()))) {
      key.destroy();
      return failed('key_not_usable', `key ${id} does not have the check value that is told with it`);
    }
    this.#entries.set(id, { info, key });
    return { outcome: 'ok', key: info };
  }

  /** Takes in a key block under a name; versions other than B and D for migrations only. */
  open(protection: KeyHandle, block: string, id: KeyHandle, versions?: readonly KeyBlockVersion[]): HsmVerdict {
    const wrapping = this.find(protection, 'unwrap_key');
    if (!isKey(wrapping)) return wrapping;
    const opened = openKeyBlock(wrapping, block, versions);
    switch (opened) {
      case 'malformed':
        return failed('bad_request', 'the key block is malformed, or of a version that is not accepted');
      case 'authentication':
        return failed('key_not_usable', 'the key block is not authentic under this key');
      case 'weak_protection':
        return failed('not_allowed', 'the key block holds a key that is stronger than the one that protects it');
      default: {
        const { usage, algorithm, mode, exportability, key } = opened;
        const verdict = this.add(id, { usage, algorithm: algorithm as KeyAlgorithm, mode, exportability }, key);
        wipe(key);
        return verdict;
      }
    }
  }

  /** The key as a block of version D under another one. */
  wrap(protection: KeyHandle, id: KeyHandle): HsmVerdict {
    const wrapping = this.find<AesKey>(protection, 'wrap_key');
    if (!isKey(wrapping)) return wrapping;
    const entry = this.#entries.get(id);
    if (entry === undefined) return unknownKey(id);
    const { usage, algorithm, mode, exportability } = entry.info;
    if (exportability === 'N') return failed('not_allowed', `key ${id} is not exportable`);
    const attributes = { usage, algorithm, mode, version: '00', exportability };
    const block = wrapKeyBlock(wrapping, attributes, entry.key.bytes);
    if (block === 'weak_protection') return failed('not_allowed', `key ${id} is stronger than key ${protection}`);
    return { outcome: 'ok', block };
  }

  /** The key, when it may play the role. */
  find<K extends BlockKey = BlockKey>(id: KeyHandle, role: KeyRole): Found<K> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return unknownKey(id);
    const fault = roleFault(entry.info, role);
    // The roles of TDES alone and of AES alone are told apart by roleFault; a role of both is asked for as a BlockKey.
    return fault === undefined ? (entry.key as K) : failed('key_not_usable', fault);
  }

  /** All keys, as far as they are no secret. */
  get infos(): readonly KeyInfo[] {
    return Array.from(this.#entries.values(), ({ info }) => info);
  }

  info(id: KeyHandle): KeyInfo | undefined {
    return this.#entries.get(id)?.info;
  }

  /** Overwrites a key; nothing when there is none. */
  remove(id: KeyHandle): void {
    this.#entries.get(id)?.key.destroy();
    this.#entries.delete(id);
  }

  /** Overwrites every key. */
  clear(): void {
    for (const { key } of this.#entries.values()) key.destroy();
    this.#entries.clear();
  }
}

export const unknownKey = (id: KeyHandle): HsmVerdict => failed('key_not_usable', `there is no key ${id}`);
