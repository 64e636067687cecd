/** The PAN keys that a running server knows: one for what is written, and those that older rows and files still need. */
import type { VaultKey } from './keys.js';
import type { SpoolKey } from './spool.js';

export class PanKeyRing {
  #keys: readonly VaultKey[] = [];
  readonly #byId = new Map<string, VaultKey>();

  /** @param keys the active one first, at least one */
  constructor(keys: readonly VaultKey[]) {
    this.replace(keys);
  }

  /** Of everything that is written from now on. */
  get active(): VaultKey {
    return this.#keys[0]!;
  }

  /** The active one first; plain data, so that it can go to another thread. */
  get all(): readonly SpoolKey[] {
    return this.#keys.map(({ id, bytes }) => ({ id, bytes }));
  }

  find(id: string): VaultKey | undefined {
    return this.#byId.get(id);
  }

  /** After a rotation. Whoever asks next gets these. */
  replace(keys: readonly VaultKey[]): void {
    this.#keys = keys;
    this.#byId.clear();
    for (const key of keys) this.#byId.set(key.id, key);
  }
}
