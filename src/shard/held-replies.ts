/**
 * Replies that wait for their sequence to become durable: a FIFO per logical shard. Sequences of a shard only rise, so
 * the first entry that must still wait stops the release.
 *
 *   meta (8 float64 each): sequence, client, kind, flag, token, b, offset, length     bytes: the payloads, end to end
 *
 * Both arrays grow by doubling and start again at 0 whenever the queue runs empty, which under the embedded lane is after
 * every turn. Bounded by what clients may have in flight (limits.ts).
 */
import { REPLY_BYTES_MAX } from '../limits.js';

const META = 8;

export class HeldReplies {
  #meta = new Float64Array(META * 256);
  #bytes = new Uint8Array(64 * 1024);
  #first = 0;
  #count = 0;
  #end = 0;

  /** Entries waiting. */
  get size(): number {
    return this.#count - this.#first;
  }

  /** Buffer for the next payload; write from `offset` on, at most `max` bytes, then `push`. Invalid after the next call. */
  buffer(max = REPLY_BYTES_MAX): Uint8Array {
    if (this.#bytes.length < this.#end + max) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + max));
      larger.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = larger;
    }
    return this.#bytes;
  }

  get offset(): number {
    return this.#end;
  }

  /** Queues the payload of `length` bytes written at `offset`. */
  push(sequence: number, client: number, kind: number, flag: number, token: number, b: number, length: number): void {
    if ((this.#count + 1) * META > this.#meta.length) {
      const larger = new Float64Array(this.#meta.length * 2);
      larger.set(this.#meta);
      this.#meta = larger;
    }
    const meta = this.#meta;
    const at = this.#count * META;
    meta[at] = sequence;
    meta[at + 1] = client;
    meta[at + 2] = kind;
    meta[at + 3] = flag;
    meta[at + 4] = token;
    meta[at + 5] = b;
    meta[at + 6] = this.#end;
    meta[at + 7] = length;
    this.#count++;
    this.#end += length;
  }

  /**
   * Hands every entry with sequence <= `durable` to `deliver`, in order, and forgets it. Stops when `deliver` returns
   * false (the client's ring is full); what is left goes out in a later turn.
   */
  release(
    durable: number,
    deliver: (
      client: number,
      kind: number,
      flag: number,
      token: number,
      b: number,
      bytes: Uint8Array,
      at: number,
      length: number,
    ) => boolean,
  ): number {
    const meta = this.#meta;
    let released = 0;
    while (this.#first < this.#count) {
      const at = this.#first * META;
      if (meta[at]! > durable) break;
      if (
        !deliver(
          meta[at + 1]!,
          meta[at + 2]!,
          meta[at + 3]!,
          meta[at + 4]!,
          meta[at + 5]!,
          this.#bytes,
          meta[at + 6]!,
          meta[at + 7]!,
        )
      )
        break;
      this.#first++;
      released++;
    }
    if (released > 0) this.#compact();
    return released;
  }

  #compact(): void {
    if (this.#first === this.#count) {
      this.#first = 0;
      this.#count = 0;
      this.#end = 0;
    } else if (this.#first >= 1024 && this.#first * 2 > this.#count) {
      // A lane that acknowledges late never lets the queue run empty under load: move the rest to the front.
      const shift = this.#meta[this.#first * META + 6]!;
      this.#bytes.copyWithin(0, shift, this.#end);
      this.#meta.copyWithin(0, this.#first * META, this.#count * META);
      this.#count -= this.#first;
      this.#first = 0;
      this.#end -= shift;
      for (let i = 0; i < this.#count; i++) this.#meta[i * META + 6]! -= shift;
    }
  }
}
