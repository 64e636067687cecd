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

/** Watches the ends of blocks while a file passes by in chunks of any size. */
export class BlockWatch {
  /** Bytes seen. */
  bytes = 0;
  /** Offset of the first end of a block that is none; -1 while there is none. */
  firstBad = -1;

  push(chunk: Uint8Array): void {
    const base = this.bytes;
    this.bytes += chunk.length;
    if (this.firstBad >= 0) return;
    // The first filler position at or behind the chunk's first byte; positions are 1012 and 1013 of each block.
    const inBlock = base % BLOCK_BYTES;
    if (inBlock === BLOCK_BYTES - 1 && chunk.length > 0 && chunk[0] !== FILLER) this.firstBad = base;
    let at = BLOCK_PAYLOAD_BYTES - inBlock;
    if (at < 0) at += BLOCK_BYTES;
    for (; at < chunk.length && this.firstBad < 0; at += BLOCK_BYTES) {
      if (chunk[at] !== FILLER) this.firstBad = base + at;
      else if (at + 1 < chunk.length && chunk[at + 1] !== FILLER) this.firstBad = base + at + 1;
    }
  }

  /** True when all that was seen is whole blocks, each with its end. */
  get blocked(): boolean {
    return this.bytes > 0 && this.bytes % BLOCK_BYTES === 0 && this.firstBad < 0;
  }
}
