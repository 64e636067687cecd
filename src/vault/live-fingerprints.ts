/**
 * The fingerprints of a number under the keys that are live: one key, or the new and the former one while the fingerprint key is
 * rotated (docs/decisions/0054-fingerprint-key-rotation.md). For cold paths; the ingress has `Router`.
 */
import { type Fingerprint, PanFingerprinter } from './fingerprint.js';

/** A number by its fingerprints, all under the keys of one moment. */
export interface NumberNames {
  /** That a new card of this number gets. */
  readonly fingerprint: Fingerprint;
  /** By which a card of this number may still be known, the newest first. */
  readonly formers: readonly Fingerprint[];
}

/** Shard << 24 | slot of the card with one of these names, -1 when there is none. */
export function findNamed(
  directory: { find(f0: number, f1: number, f2: number): number },
  { fingerprint, formers }: NumberNames,
): number {
  let place = directory.find(fingerprint.f0, fingerprint.f1, fingerprint.f2);
  for (let i = 0; place < 0 && i < formers.length; i++) {
    const { f0, f1, f2 } = formers[i]!;
    place = directory.find(f0, f1, f2);
  }
  return place;
}

export class LiveFingerprints {
  #printers: readonly PanFingerprinter[] = [];
  #generation = 0;

  /** @param keys the newest first, at least one, 32 secret bytes each */
  constructor(keys: readonly Uint8Array[]) {
    this.use(keys);
  }

  /** From here on numbers have fingerprints under these keys. */
  use(keys: readonly Uint8Array[]): void {
    if (keys.length === 0) throw new RangeError('there is no fingerprint key');
    this.#printers = keys.map((key) => new PanFingerprinter(key));
    this.#generation++;
  }

  /** How often the keys have been set: what was made under an earlier one is of another key. */
  get generation(): number {
    return this.#generation;
  }

  /** The one that new cards get. @throws RangeError when the text has no or more than 19 digits */
  of(pan: string): Fingerprint {
    return this.#printers[0]!.of(pan);
  }

  /** @throws RangeError as `of` */
  namesOf(pan: string): NumberNames {
    const [fingerprint, ...formers] = this.#printers.map((printer) => printer.of(pan));
    return { fingerprint: fingerprint!, formers };
  }
}
