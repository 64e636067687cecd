/**
 * Records behind lengths of four bytes (RDW, big-endian, the record only), in blocks or not, out of a file that comes in
 * chunks of any size. A cursor: `push` a chunk, then `next` until it says false; the record is `bytes[start, end)`, valid
 * until then. A record that lies whole in a chunk (and block) is read where it lies; others are put together in one buffer
 * of the longest record. Memory does not depend on the file.
 *
 *   push(chunk) -> next() ... next() -> push(chunk) -> ... -> finish()
 *
 * The first fault ends the reading, because nobody knows where the next record begins: `fault` says what and where.
 */
import { CLEARING_RECORD_BYTES_MAX } from '../limits.js';
import { BLOCK_BYTES, BLOCK_PAYLOAD_BYTES, BlockWatch, FILLER } from './blocks.js';
import type { FindingCode } from './findings.js';

const LENGTH_BYTES = 4;
/** Message type and bitmap. */
const RECORD_BYTES_MIN = 20;
const FILLER_LENGTH = 0x4040_4040;
const NOTHING = new Uint8Array(0);

export interface RdwFault {
  readonly code: FindingCode;
  /** Number of the record; 0 when it is about the file. */
  readonly record: number;
  /** Offset in the file. */
  readonly offset: number;
}

export class RdwReader {
  readonly blocked: boolean;
  /** The record, without its length. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  /** Offset in the file of the length of the record. */
  offset = 0;
  /** Number of the record, from 1. */
  record = 0;
  fault: RdwFault | undefined;
  /** Of a file that is read to its end: whether the length of zero is there, and only filling behind it. */
  endSeen = false;
  /** Offset of the first byte behind the end that is no filling; -1 when there is none. */
  afterEnd = -1;
  readonly watch = new BlockWatch();

  readonly #carry = new Uint8Array(LENGTH_BYTES + CLEARING_RECORD_BYTES_MAX);
  #carried = 0;
  /** Offset in the file of the first carried byte. */
  #carryOffset = 0;
  #length = 0;
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** Offset in the file of the chunk's first byte. */
  #base = 0;
  /** A length of filling was met: what follows must be filling to the end. Its offset; -1 while there is none. */
  #fillFrom = -1;

  /** @param blocked in 1014-byte blocks */
  constructor(blocked: boolean) {
    this.blocked = blocked;
  }

  /** Takes the next chunk. The one before must have been read to its end (`next` said false). It must not change until then. */
  push(chunk: Uint8Array): void {
    this.#base += this.#chunk.length;
    this.#chunk = chunk;
    this.#at = 0;
    this.watch.push(chunk);
  }

  /** Goes to the next record of the chunk. False: the chunk is read, or there was a fault. */
  next(): boolean {
    while (this.fault === undefined && this.#at < this.#chunk.length) {
      const stop = this.#pieceEnd();
      if (stop === this.#at) {
        if (!this.#passFiller()) return false;
      } else if (this.endSeen || this.#fillFrom >= 0) this.#passTail(stop);
      else if (this.#carried > 0 ? this.#gather(stop) : this.#inPlace(stop)) return true;
    }
    return false;
  }

  /** The file is at its end, all of it was pushed. Sets `fault` when it must not end here, or is of another container. */
  finish(): void {
    const size = this.#base + this.#chunk.length;
    // Whatever went wrong with such a file, this is why; and of one block all records can be read although it is wrong.
    if (!this.blocked && this.watch.blocked) this.#fail('blocked_as_unblocked', 0, BLOCK_PAYLOAD_BYTES);
    else if (this.blocked && this.watch.looksUnblocked) this.#fail('unblocked_as_blocked', 0, BLOCK_PAYLOAD_BYTES);
    else if (this.fault !== undefined) return;
    else if (size === 0) this.#fail('empty_file', 0, 0);
    else if (this.blocked && size % BLOCK_BYTES !== 0) {
      const whole = this.#carried === 0 && size < BLOCK_BYTES;
      this.#fail(whole ? 'unblocked_as_blocked' : 'block_truncated', 0, size);
    } else if (this.#carried > 0) this.#fail('record_truncated', this.record + 1, this.#carryOffset);
  }

  /** Offset in the file of the `at`th byte of the record (its length not counted): edges of blocks lie between. */
  fileOffset(at: number): number {
    if (!this.blocked) return this.offset + LENGTH_BYTES + at;
    const inStream = this.offset - 2 * Math.floor(this.offset / BLOCK_BYTES) + LENGTH_BYTES + at;
    return inStream + 2 * Math.floor(inStream / BLOCK_PAYLOAD_BYTES);
  }

  /** Where the records of the chunk stop: its end, or the end of the block. */
  #pieceEnd(): number {
    if (!this.blocked) return this.#chunk.length;
    const left = BLOCK_PAYLOAD_BYTES - ((this.#base + this.#at) % BLOCK_BYTES);
    return left <= 0 ? this.#at : Math.min(this.#chunk.length, this.#at + left);
  }

  /** One byte of a block's end. */
  #passFiller(): boolean {
    if (this.#chunk[this.#at] !== FILLER) return this.#fail('block_filler', 0, this.#base + this.#at);
    this.#at++;
    return true;
  }

  /** Bytes behind the end. */
  #passTail(stop: number): void {
    for (let i = this.#at; i < stop; i++) {
      const byte = this.#chunk[i];
      if (byte === FILLER) continue;
      if (this.#fillFrom >= 0) {
        this.#fail('length_is_filler', this.record + 1, this.#fillFrom);
        return;
      }
      if (byte !== 0 && this.afterEnd < 0) this.afterEnd = this.#base + i;
    }
    this.#at = stop;
  }

  /** A record that lies whole in the piece; else its beginning is carried over. */
  #inPlace(stop: number): boolean {
    const at = this.#at;
    const chunk = this.#chunk;
    if (stop - at < LENGTH_BYTES) return this.#gather(stop);
    const length = ((chunk[at]! << 24) | (chunk[at + 1]! << 16) | (chunk[at + 2]! << 8) | chunk[at + 3]!) >>> 0;
    if (length > stop - at - LENGTH_BYTES || length < RECORD_BYTES_MIN || length > CLEARING_RECORD_BYTES_MAX) {
      return this.#gather(stop);
    }
    this.#emit(chunk, at + LENGTH_BYTES, length, this.#base + at);
    this.#at = at + LENGTH_BYTES + length;
    return true;
  }

  /** Takes what the piece has of the record that is being put together; true when it is whole. */
  #gather(stop: number): boolean {
    if (this.#carried === 0) this.#carryOffset = this.#base + this.#at;
    if (this.#carried < LENGTH_BYTES) {
      this.#take(LENGTH_BYTES, stop);
      if (this.#carried < LENGTH_BYTES || !this.#readLength()) return false;
    }
    this.#take(LENGTH_BYTES + this.#length, stop);
    if (this.#carried < LENGTH_BYTES + this.#length) return false;
    this.#carried = 0;
    this.#emit(this.#carry, LENGTH_BYTES, this.#length, this.#carryOffset);
    return true;
  }

  #take(wanted: number, stop: number): void {
    const count = Math.min(wanted - this.#carried, stop - this.#at);
    if (count <= 0) return;
    this.#carry.set(this.#chunk.subarray(this.#at, this.#at + count), this.#carried);
    this.#carried += count;
    this.#at += count;
  }

  /** The carried length: false when no record follows. */
  #readLength(): boolean {
    const carry = this.#carry;
    const length = ((carry[0]! << 24) | (carry[1]! << 16) | (carry[2]! << 8) | carry[3]!) >>> 0;
    this.#length = length;
    if (length >= RECORD_BYTES_MIN && length <= CLEARING_RECORD_BYTES_MAX) return true;
    this.#carried = 0;
    if (length === 0) this.endSeen = true;
    // In blocks, filling in place of a length may be a file whose length of zero was left out.
    else if (length === FILLER_LENGTH && this.blocked) this.#fillFrom = this.#carryOffset;
    else {
      const code =
        length === FILLER_LENGTH
          ? 'length_is_filler'
          : length < RECORD_BYTES_MIN
            ? 'record_too_short'
            : 'record_too_long';
      this.#fail(code, this.record + 1, this.#carryOffset);
    }
    return false;
  }

  #emit(bytes: Uint8Array, start: number, length: number, offset: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = start + length;
    this.offset = offset;
    this.record++;
  }

  #fail(code: FindingCode, record: number, offset: number): false {
    this.fault = { code, record, offset };
    return false;
  }
}
