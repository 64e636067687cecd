/**
 * 1014-byte blocks: a stream of records cut every 1012 bytes, with 0x40 0x40 behind each piece.
 *
 *   | 1012 bytes of records | 40 40 | 1012 bytes of records | 40 40 | ... | rest, filled with 40 | 40 40 |
 *
 * Lengths and records cross the edges. Whether a file is so cannot be told from its beginning: `BlockWatch` looks at the end
 * of every block.
 */

export const BLOCK_BYTES = 1014;
export const BLOCK_PAYLOAD_BYTES = 1012;
export const FILLER = 0x40;

/** Whole blocks after which a file whose last block is cut is still taken for one of blocks: 0x4040 are blanks in EBCDIC. */
const CONVINCING_BLOCKS = 8;

/** Watches the ends of blocks while a file passes by in chunks of any size. */
export class BlockWatch {
  /** Bytes seen. */
  bytes = 0;
  /** Ends of blocks among them, and how many of those are none. A byte of an end counts half. */
  ends = 0;
  bad = 0;

  push(chunk: Uint8Array): void {
    const inBlock = this.bytes % BLOCK_BYTES;
    this.bytes += chunk.length;
    let at = BLOCK_PAYLOAD_BYTES - inBlock;
    // The chunk begins with the second byte of an end.
    if (at < 0) {
      this.#see(chunk, 0);
      at += BLOCK_BYTES;
    }
    for (; at < chunk.length; at += BLOCK_BYTES) {
      this.#see(chunk, at);
      this.#see(chunk, at + 1);
    }
  }

  /** True when all that was seen is whole blocks, each with its end. */
  get blocked(): boolean {
    return this.bytes > 0 && this.bytes % BLOCK_BYTES === 0 && this.bad === 0;
  }

  /** The same, and also for what was cut off behind many such blocks. */
  get looksBlocked(): boolean {
    return this.blocked || (this.bad === 0 && this.bytes >= CONVINCING_BLOCKS * BLOCK_BYTES);
  }

  /** True when most ends are none. */
  get looksUnblocked(): boolean {
    return this.bad > this.ends / 2;
  }

  #see(chunk: Uint8Array, at: number): void {
    if (at >= chunk.length) return;
    this.ends += 0.5;
    if (chunk[at] !== FILLER) this.bad += 0.5;
  }
}
