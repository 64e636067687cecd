/**
 * Chip data of DE55: BER-TLV in place (EMV Book 3, annex B). One walk remembers where the known tags lie; nothing is copied or
 * allocated. Bounded by the field, which has at most 255 bytes; constructed tags are not opened.
 *
 * Malformed is a field that is not made of tags, a known tag of another length than EMV gives it, and one that comes twice: whoever
 * reads the first and whoever reads the last would see two different cards.
 */

/** Known tags with the least and the most bytes of their values. */
const tags = {
  '9F26': [8, 8],
  '9F27': [1, 1],
  '9F10': [1, 32],
  '9F37': [4, 4],
  '9F36': [2, 2],
  '95': [5, 5],
  '9A': [3, 3],
  '9C': [1, 1],
  '9F02': [6, 6],
  '5F2A': [2, 2],
  '82': [2, 2],
  '9F1A': [2, 2],
  '9F33': [3, 3],
  '9F34': [3, 3],
  '9F03': [6, 6],
  '84': [5, 16],
  '5F34': [1, 1],
} as const satisfies Record<string, readonly [least: number, most: number]>;
export type ChipTag = keyof typeof tags;

const names = Object.keys(tags) as ChipTag[];
const bounds = names.map((name) => tags[name]);
/** Place of a tag in `names`, by its number. */
const places = new Map(names.map((name, place) => [Number.parseInt(name, 16), place]));
const placeOf = Object.fromEntries(names.map((name, place) => [name, place])) as Record<ChipTag, number>;

/** Tags have at most three bytes here, lengths two behind the byte that announces them. */
const TAG_BYTES_MAX = 3;
const LENGTH_BYTES_MAX = 2;

export class ChipData {
  #bytes: Uint8Array = new Uint8Array(0);
  readonly #at = new Int32Array(names.length);
  /** -1 without the tag. */
  readonly #length = new Int32Array(names.length).fill(-1);

  /** Walks the field; false when it is malformed, and then it has no tag. The bytes must stay as they are while tags are read. */
  read(bytes: Uint8Array, start: number, length: number): boolean {
    this.#bytes = bytes;
    this.#length.fill(-1);
    const end = start + length;
    let at = start;
    while (at < end) {
      // Zeros between tags are filling.
      at = bytes[at] === 0 ? at + 1 : this.#readTag(at, end);
      if (at < 0) {
        this.#length.fill(-1);
        return false;
      }
    }
    return true;
  }

  has(tag: ChipTag): boolean {
    return this.#length[placeOf[tag]]! >= 0;
  }

  /** The value where it lies; undefined without the tag. */
  value(tag: ChipTag): Uint8Array | undefined {
    const place = placeOf[tag];
    const length = this.#length[place]!;
    return length < 0 ? undefined : this.#bytes.subarray(this.#at[place], this.#at[place]! + length);
  }

  /** Index behind the tag that begins at `at`, -1 when it is none. */
  #readTag(start: number, end: number): number {
    const bytes = this.#bytes;
    let at = start;
    let tag = bytes[at++]!;
    if ((tag & 0x1f) === 0x1f) {
      let more = true;
      for (let i = 1; more; i++) {
        if (i === TAG_BYTES_MAX || at >= end) return -1;
        more = (bytes[at]! & 0x80) !== 0;
        tag = (tag << 8) | bytes[at++]!;
      }
    }
    if (at >= end) return -1;
    let length = bytes[at++]!;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > LENGTH_BYTES_MAX || at + count > end) return -1;
      length = 0;
      for (let i = 0; i < count; i++) length = (length << 8) | bytes[at++]!;
    }
    if (at + length > end) return -1;
    return this.#keep(tag, at, length) ? at + length : -1;
  }

  #keep(tag: number, at: number, length: number): boolean {
    const place = places.get(tag);
    if (place === undefined) return true;
    const [least, most] = bounds[place]!;
    if (this.#length[place]! >= 0 || length < least || length > most) return false;
    this.#at[place] = at;
    this.#length[place] = length;
    return true;
  }
}
