/**
 * Memory of the row tables (accounts, cards, open holds): rows of 64 bytes behind each other, in chunks of 256 KiB.
 *
 *   chunk 0            chunk 1                 one row: 8 words of 8 bytes, or 16 words of 4
 *   [row|row|row|...]  [row|row|row|...]       +--------+--------+-----+----+----+----+
 *                                              |  f64   |  f64   | ... |u32 |u32 | .. |
 *                                              +--------+--------+-----+----+----+----+
 *
 * Why rows and not a column per value: a decision touches one card, one account and one hold, and with columns each value
 * of them is a page and a cache line of its own. At batches of fifty messages over sixteen shards nothing of that is still
 * in the caches, and waiting for memory was half of a decision's time. A row is one line or two.
 *
 * Why chunks: a table grows by one more chunk, so nothing is copied and no message waits for a growth. A chunk is taken
 * from the system zeroed and untouched; its pages become memory when rows are written.
 *
 * Numbers in rows are stored as the processor has them (little-endian on every platform that Node supports).
 */

export const ROW_BYTES = 64;
/** Shift from a slot in its chunk to the index of its first 8-byte word, and of its first 4-byte word. */
const WORD_8 = 3;
const WORD_4 = 4;
const CHUNK_BITS = 12;
const CHUNK_ROWS = 2 ** CHUNK_BITS;
const CHUNK_MASK = CHUNK_ROWS - 1;

/** Rows that a checkpoint writes together: 4 KiB of them. */
export const BLOCK_BITS = 6;
export const BLOCK_ROWS = 2 ** BLOCK_BITS;

export class Rows {
  /** Bytes given to chunks. */
  bytes = 0;
  /** Rows that fit the chunks there are. */
  capacity = 0;
  readonly #f64: Float64Array[] = [];
  readonly #u32: Uint32Array[] = [];
  readonly #u8: Uint8Array[] = [];

  /** Makes room for a slot. */
  reserve(slot: number): void {
    while (slot >= this.capacity) {
      const chunk = new ArrayBuffer(CHUNK_ROWS * ROW_BYTES);
      this.#f64.push(new Float64Array(chunk));
      this.#u32.push(new Uint32Array(chunk));
      this.#u8.push(new Uint8Array(chunk));
      this.capacity += CHUNK_ROWS;
      this.bytes += chunk.byteLength;
    }
  }

  /** 8-byte word `word` (0-7) of a row that is reserved. */
  f64(slot: number, word: number): number {
    return this.#f64[slot >> CHUNK_BITS]![((slot & CHUNK_MASK) << WORD_8) + word]!;
  }

  setF64(slot: number, word: number, value: number): void {
    this.#f64[slot >> CHUNK_BITS]![((slot & CHUNK_MASK) << WORD_8) + word] = value;
  }

  /** 4-byte word `word` (0-15) of a row that is reserved, unsigned. */
  u32(slot: number, word: number): number {
    return this.#u32[slot >> CHUNK_BITS]![((slot & CHUNK_MASK) << WORD_4) + word]!;
  }

  setU32(slot: number, word: number, value: number): void {
    this.#u32[slot >> CHUNK_BITS]![((slot & CHUNK_MASK) << WORD_4) + word] = value;
  }

  /** Copies `count` rows from `slot` on, which lie in one chunk (a block does), to `target`. */
  copyOut(slot: number, count: number, target: Uint8Array, at: number): void {
    const from = (slot & CHUNK_MASK) * ROW_BYTES;
    target.set(this.#u8[slot >> CHUNK_BITS]!.subarray(from, from + count * ROW_BYTES), at);
  }

  /** Fills one row from `source`. */
  copyIn(slot: number, source: Uint8Array, at: number): void {
    this.#u8[slot >> CHUNK_BITS]!.set(source.subarray(at, at + ROW_BYTES), (slot & CHUNK_MASK) * ROW_BYTES);
  }
}
