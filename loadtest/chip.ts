/**
 * Chip data of a run's cards: DE55 with a cryptogram (ARQC, Visa's version 10) that each card makes with its own key, derived from the
 * issuer's, which client and engine have from the same file (`--chip-keys`, the engine's `--hsm-keys`). Keys of tests only.
 *
 * A chip counts its transactions, and an issuer declines a counter that goes back. So all chip messages of a card go over one connection,
 * in order, and a card that another run has used is not fit: the engine knows its counter.
 */
import { TdesKey } from '#src/vault/card/block-key.js';
import { applicationCryptogram } from '#src/vault/card/emv-cryptogram.js';
import { iccMasterKey } from '#src/vault/card/emv-keys.js';
import { cryptogramInput } from '#src/vault/card/emv-profiles.js';
import { loadHsmKeys } from '#src/vault/hsm/key-file.js';
import { isKey } from '#src/vault/hsm/soft-keys.js';

/** Highest counter of a chip: 16 bits. A card that has come there sends no chip data any more. */
export const COUNTER_MAX = 0xffff;
/** Cards whose keys are kept, about a kilobyte each; beyond them a key is derived for each message. */
const CARD_KEYS_MAX = 100_000;
const PSN = Buffer.from('00', 'latin1');
/** Tags of the card's data in the order in which it signs them, each with what it has in every message. */
const tags = {
  ...{ '9F02': '000000000000', '9F03': '000000000000', '9F1A': '0076', '95': '0000008000', '5F2A': '0986' },
  ...{ '9A': '260101', '9C': '00', '9F37': '00000000', '82': '3C00', '9F36': '0000' },
} as const;
const APPLICATION_DATA = '06010A03A00000';
/** What is not signed: the cryptogram, which comes last, and that the card asks the issuer. */
const rest = { '9F27': '80', '9F10': APPLICATION_DATA, '9F26': '0000000000000000' } as const;

/** DE55 with holes, and where they are. */
const layout = layoutOf({ ...tags, ...rest });
export const chipTemplate = `hex:${layout.hex}`;

function layoutOf(all: Readonly<Record<string, string>>): { hex: string; at: Readonly<Record<string, number>> } {
  let hex = '';
  const at: Record<string, number> = {};
  for (const [tag, value] of Object.entries(all)) {
    hex += tag + (value.length / 2).toString(16).padStart(2, '0').toUpperCase();
    at[tag] = hex.length / 2;
    hex += value;
  }
  return { hex, at };
}

const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex');
const signed = cryptogramInput(
  'visa_cvn10',
  Object.fromEntries(Object.entries(tags).map(([tag, value]) => [tag, bytesOf(value)])),
  bytesOf(APPLICATION_DATA),
)!;
/** Places in what is signed, whose parts have no tags. */
const signedAt = { amount: 0, number: 25, counter: 31 } as const;

/** Name of the first key for cryptograms of the file. @throws HoldfastError `key_file_unreadable` */
export function chipKeyOf(keyFile: string): string | undefined {
  const keys = loadHsmKeys(keyFile);
  const found = keys.infos.find(({ usage }) => usage === 'E0')?.id;
  keys.clear();
  return found;
}

export class ChipCards {
  readonly #issuer: TdesKey;
  readonly #pans: Uint8Array;
  readonly #cards = new Map<number, TdesKey>();
  readonly #data = Buffer.from(signed);

  /**
   * @param pans 16 ASCII digits per card
   * @throws HoldfastError `key_file_unreadable`; TypeError when the key is none for cryptograms
   */
  constructor(keyFile: string, key: string, pans: Uint8Array) {
    const found = loadHsmKeys(keyFile).find<TdesKey>(key, 'cryptogram');
    if (!isKey(found)) throw new TypeError(`key ${key} of ${keyFile} makes no cryptograms`);
    this.#issuer = found;
    this.#pans = pans;
  }

  /** Fills in DE55 at `at`: amount in minor units, number of the message, counter of the chip. */
  sign(out: Uint8Array, at: number, card: number, amount: number, number: number, counter: number): void {
    const data = this.#data;
    for (let i = 5, left = amount; i >= 0; i--, left = Math.floor(left / 100)) {
      const pair = left % 100;
      data[signedAt.amount + i] = (Math.floor(pair / 10) << 4) | (pair % 10);
    }
    data.writeUInt32BE(number >>> 0, signedAt.number);
    data.writeUInt16BE(counter, signedAt.counter);
    out.set(data.subarray(signedAt.amount, signedAt.amount + 6), at + layout.at['9F02']!);
    out.set(data.subarray(signedAt.number, signedAt.number + 4), at + layout.at['9F37']!);
    out.set(data.subarray(signedAt.counter, signedAt.counter + 2), at + layout.at['9F36']!);
    out.set(applicationCryptogram(this.#keyOf(card), data, 1), at + layout.at['9F26']!);
  }

  #keyOf(card: number): TdesKey {
    const known = this.#cards.get(card);
    if (known !== undefined) return known;
    const pan = this.#pans.slice(card * 16, card * 16 + 16);
    const key = new TdesKey(iccMasterKey(this.#issuer, pan, PSN, 'A'));
    if (this.#cards.size < CARD_KEYS_MAX) this.#cards.set(card, key);
    return key;
  }
}
