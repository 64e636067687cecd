/**
 * The newest records of one shard in memory, as the bytes that were sealed: repeats and reversals mostly name a message of
 * the last seconds, and reading it back from the store means copying and checking the whole frame around it.
 *
 *   bytes    [ body of frame n+2 ][ free ][ body of frame n ][ body of frame n+1 ]     a ring; a body is never split
 *   frames   first sequence, last sequence, place: in order; the oldest go when their room is needed
 *
 * The bytes come from this process's own buffer a moment before they were committed, so they need no check. What is not here
 * any more is read from the store.
 */
import { JOURNAL_TAIL_BYTES, JOURNAL_TAIL_FRAMES } from '../limits.js';
import { RECORD_PREFIX_BYTES } from './frame.js';

const NONE = new Uint8Array(0);

export class FrameTail {
  /** Bytes of the record that `locate` found last: valid until the next `add`. */
  bytes: Uint8Array = NONE;
  start = 0;
  end = 0;
  readonly #capacity: number;
  #view: DataView = new DataView(NONE.buffer);
  /** By place in the ring of frames. */
  readonly #first = new Float64Array(JOURNAL_TAIL_FRAMES);
  readonly #last = new Float64Array(JOURNAL_TAIL_FRAMES);
  readonly #at = new Uint32Array(JOURNAL_TAIL_FRAMES);
  /** Oldest frame and number of frames; numbers grow for ever, places are taken modulo. */
  #oldest = 0;
  #count = 0;
  /** Where the next body goes. */
  #next = 0;

  /** The memory is taken at the first `add`, and touched as it fills. */
  constructor(capacity = JOURNAL_TAIL_BYTES) {
    this.#capacity = capacity;
  }

  /** Keeps the body of a sealed frame: its records with their length prefixes, `bytes[from, to)`. */
  add(firstSequence: number, lastSequence: number, bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (length > this.#capacity) {
      // Only imports seal frames of this size. What is older would leave a gap in the sequences: it goes too.
      this.#count = 0;
      return;
    }
    if (this.bytes.length === 0) {
      this.bytes = new Uint8Array(this.#capacity);
      this.#view = new DataView(this.bytes.buffer);
    }
    let at = this.#next;
    if (at + length > this.#capacity) at = 0;
    // A wrap leaves the end of the ring to the frames that lie there; they are older than those at its beginning.
    if (at !== this.#next) this.#dropFrom(this.#next);
    this.#dropOverlapping(at, at + length);
    if (this.#count === JOURNAL_TAIL_FRAMES) this.#dropOldest();
    const place = (this.#oldest + this.#count) % JOURNAL_TAIL_FRAMES;
    this.#first[place] = firstSequence;
    this.#last[place] = lastSequence;
    this.#at[place] = at;
    this.#count++;
    this.bytes.set(bytes.subarray(from, to), at);
    this.#next = at + length;
  }

  /** Points `start` and `end` at the record (without its prefix); false when it is not here. */
  locate(sequence: number): boolean {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const place = (this.#oldest + middle) % JOURNAL_TAIL_FRAMES;
      if (sequence < this.#first[place]!) high = middle - 1;
      else if (sequence > this.#last[place]!) low = middle + 1;
      else {
        let at = this.#at[place]!;
        for (let one = this.#first[place]!; one < sequence; one++) at += RECORD_PREFIX_BYTES + this.#view.getUint32(at);
        this.start = at + RECORD_PREFIX_BYTES;
        this.end = this.start + this.#view.getUint32(at);
        return true;
      }
    }
    return false;
  }

  #dropOldest(): void {
    this.#oldest = (this.#oldest + 1) % JOURNAL_TAIL_FRAMES;
    this.#count--;
  }

  /** The oldest frames that begin at or behind `from`. */
  #dropFrom(from: number): void {
    while (this.#count > 0 && this.#at[this.#oldest]! >= from) this.#dropOldest();
  }

  /** The oldest frames that begin within the bytes. */
  #dropOverlapping(from: number, to: number): void {
    while (this.#count > 0 && this.#at[this.#oldest]! >= from && this.#at[this.#oldest]! < to) this.#dropOldest();
  }
}
