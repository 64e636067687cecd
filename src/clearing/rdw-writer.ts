/**
 * The other direction of rdw-reader.ts: records to lengths and blocks, as the public tools write them. Behind the last record
 * stands a length of zero; the last block is filled with 0x40. A stream that ends exactly with a block has one more block of
 * filling behind it, because those tools write it.
 */
import { CLEARING_RECORD_BYTES_MAX } from '../limits.js';
import { BLOCK_BYTES, BLOCK_PAYLOAD_BYTES, FILLER } from './blocks.js';

const LENGTH_BYTES = 4;
/** Bytes handed on at once: 64 blocks. */
const OUT_BYTES = 64 * BLOCK_BYTES;

export class RdwWriter {
  readonly #blocked: boolean;
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #length = new Uint8Array(LENGTH_BYTES);
  #out = new Uint8Array(OUT_BYTES);
  #filled = 0;
  /** Bytes in the open block. */
  #inBlock = 0;

  /** @param sink gets the file piece by piece, each an array of its own */
  constructor(blocked: boolean, sink: (bytes: Uint8Array) => void) {
    this.#blocked = blocked;
    this.#sink = sink;
  }

  /** @throws RangeError when the record is empty or too long */
  record(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const length = end - start;
    if (length < 1 || length > CLEARING_RECORD_BYTES_MAX) throw new RangeError(`a record of ${length} bytes`);
    this.#putLength(length);
    this.#put(bytes, start, end);
  }

  /** Ends the file and hands on what is left. */
  finish(): void {
    this.#putLength(0);
    if (this.#blocked) {
      const fill = new Uint8Array(BLOCK_PAYLOAD_BYTES - this.#inBlock).fill(FILLER);
      this.#put(fill, 0, fill.length);
    }
    this.#flush();
  }

  #putLength(length: number): void {
    this.#length[0] = length >>> 24;
    this.#length[1] = length >>> 16;
    this.#length[2] = length >>> 8;
    this.#length[3] = length;
    this.#put(this.#length, 0, LENGTH_BYTES);
  }

  #put(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const room = Math.min(OUT_BYTES - this.#filled, this.#blocked ? BLOCK_PAYLOAD_BYTES - this.#inBlock : end - at);
      const count = Math.min(room, end - at);
      this.#out.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      this.#inBlock += count;
      at += count;
      if (this.#blocked && this.#inBlock === BLOCK_PAYLOAD_BYTES) this.#closeBlock();
      if (this.#filled === OUT_BYTES) this.#flush();
    }
  }

  #closeBlock(): void {
    this.#out[this.#filled++] = FILLER;
    this.#out[this.#filled++] = FILLER;
    this.#inBlock = 0;
    if (this.#filled === OUT_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#filled === 0) return;
    this.#sink(this.#out.subarray(0, this.#filled));
    this.#out = new Uint8Array(OUT_BYTES);
    this.#filled = 0;
  }
}
