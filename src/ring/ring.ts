/**
 * Single-producer single-consumer byte ring over shared memory, one per direction and (client, thread) pair.
 *
 *   control words (Int32, each on its own 64-byte line)          data (capacity bytes, a power of two)
 *   [0]  head: bytes consumed, wraps at 2^32                     +--------------------------------------------+
 *   [16] tail: bytes published, wraps at 2^32                    | entry | entry | pad | entry ...            |
 *                                                                +--------------------------------------------+
 *
 * Entry (8-byte aligned, contiguous; a pad entry fills the end when the next one does not fit):
 *   0  u32 length of the whole entry in bytes, a multiple of 8
 *   4  u8 kind (0 = pad) · u8 flag · u16 shard
 *   8  u32 token · 12 u32 a
 *   16 f64 time (us, see clock.ts) · 24 f64 b
 *   32 payload length u32 · 36 payload
 *
 * Memory order: the producer writes the entry with plain stores, then publishes by Atomics.store(tail) (a sequentially
 * consistent store: everything before it is visible to whoever reads the new tail). The consumer reads tail by
 * Atomics.load, reads the entry, zeroes the payload when asked, and frees it by Atomics.store(head). Neither side ever
 * writes the other's word, so no compare-exchange is needed. Wake-ups are a separate word per *thread* (wake.ts), because
 * one thread waits for several rings at once. What each access publishes or needs is said where it stands; test/stress runs
 * all of it on real threads, and with defects put in.
 *
 * An entry may take half of the capacity: a longer one might need a pad before it that leaves no room, even in an empty ring.
 */

export const RING_HEADER_BYTES = 128;
export const ENTRY_HEADER_BYTES = 36;

const HEAD = 0;
const TAIL = 16;

export function createRing(capacity: number): SharedArrayBuffer {
  if (capacity < 4096 || (capacity & (capacity - 1)) !== 0)
    throw new RangeError(`ring capacity ${capacity} is not a power of two >= 4096`);
  return new SharedArrayBuffer(RING_HEADER_BYTES + capacity);
}

/** Bytes of an entry with this payload. */
export function entryBytes(payload: number): number {
  return (ENTRY_HEADER_BYTES + payload + 7) & ~7;
}

export class RingProducer {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #view: DataView;
  /** Bytes of the ring. */
  readonly capacity: number;
  #tail: number;
  #cachedHead: number;
  #payloadAt = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, RING_HEADER_BYTES / 4);
    this.capacity = buffer.byteLength - RING_HEADER_BYTES;
    this.bytes = new Uint8Array(buffer, RING_HEADER_BYTES);
    this.#view = new DataView(buffer, RING_HEADER_BYTES);
    // Our own word, as the producer before us left it: it ended before this one began, so any load would do.
    this.#tail = Atomics.load(this.#words, TAIL) >>> 0;
    // As in `#fits`: what lies before this head is read and may be written over.
    this.#cachedHead = Atomics.load(this.#words, HEAD) >>> 0;
  }

  /**
   * Reserves room for an entry with up to `payloadMax` bytes and returns the offset of its payload in `bytes`, or -1 when
   * the ring is full, or has less than `keepFree` bytes left behind it. Nothing is visible to the consumer until `commit`; a
   * reservation that is not committed is forgotten.
   */
  reserve(payloadMax: number, keepFree = 0): number {
    const need = entryBytes(payloadMax);
    let at = this.#tail & (this.capacity - 1);
    const toEnd = this.capacity - at;
    const total = need <= toEnd ? need : toEnd + need;
    if (!this.#fits(total + keepFree)) return -1;
    if (need > toEnd) {
      // Plain stores: nobody reads beyond the tail, and the store of the tail in `commit` publishes the pad with its entry.
      this.#view.setUint32(at, toEnd, true);
      this.bytes[at + 4] = 0;
      this.#tail = (this.#tail + toEnd) >>> 0;
      at = 0;
    }
    this.#payloadAt = at + ENTRY_HEADER_BYTES;
    return this.#payloadAt;
  }

  /** Publishes the reserved entry with its real payload length. */
  commit(
    kind: number,
    flag: number,
    shard: number,
    token: number,
    a: number,
    timeUs: number,
    b: number,
    payload: number,
  ): void {
    const at = this.#payloadAt - ENTRY_HEADER_BYTES;
    const length = entryBytes(payload);
    const view = this.#view;
    // Plain stores, as those of the payload: these bytes are the producer's alone until the tail says otherwise.
    view.setUint32(at, length, true);
    this.bytes[at + 4] = kind;
    this.bytes[at + 5] = flag;
    view.setUint16(at + 6, shard, true);
    view.setUint32(at + 8, token, true);
    view.setUint32(at + 12, a, true);
    view.setFloat64(at + 16, timeUs, true);
    view.setFloat64(at + 24, b, true);
    view.setUint32(at + 32, payload, true);
    this.#tail = (this.#tail + length) >>> 0;
    // Publishes the entry (and a pad before it): the consumer that loads this tail sees every byte stored above. It must also come
    // before the load of SLEEPING in `signal` (wake.ts): a plain store could be overtaken by that load, and a wake-up be lost.
    Atomics.store(this.#words, TAIL, this.#tail | 0);
  }

  /** Copies `payload` in one step; false when the ring is full. */
  push(
    kind: number,
    flag: number,
    shard: number,
    token: number,
    a: number,
    timeUs: number,
    b: number,
    payload: Uint8Array,
  ): boolean {
    const at = this.reserve(payload.length);
    if (at < 0) return false;
    this.bytes.set(payload, at);
    this.commit(kind, flag, shard, token, a, timeUs, b, payload.length);
    return true;
  }

  #fits(total: number): boolean {
    if (this.capacity - ((this.#tail - this.#cachedHead) >>> 0) >= total) return true;
    // The consumer's word is read only when the cached copy says full: it saves a shared cache line per message. The load pairs with
    // the store in `release`: what the consumer read, and wiped, before it lies behind us, so our plain stores cannot overtake it.
    // An old value only makes the ring look fuller than it is.
    this.#cachedHead = Atomics.load(this.#words, HEAD) >>> 0;
    return this.capacity - ((this.#tail - this.#cachedHead) >>> 0) >= total;
  }
}

/** Reads entries one after the other; the getters speak of the current one, whose bytes stay valid until `release`. */
export class RingConsumer {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #capacity: number;
  #head: number;
  #cachedTail: number;
  #at = 0;
  #scout = 0;
  /** What the producer knows as consumed. */
  #released: number;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, RING_HEADER_BYTES / 4);
    this.#capacity = buffer.byteLength - RING_HEADER_BYTES;
    this.bytes = new Uint8Array(buffer, RING_HEADER_BYTES);
    this.#view = new DataView(buffer, RING_HEADER_BYTES);
    // Our own word, as the consumer before us left it.
    this.#head = Atomics.load(this.#words, HEAD) >>> 0;
    this.#released = this.#head;
    // As in `next`.
    this.#cachedTail = Atomics.load(this.#words, TAIL) >>> 0;
  }

  /** Moves to the next entry; false when there is none. The entry before it must have been consumed. */
  next(): boolean {
    for (;;) {
      if (this.#head === this.#cachedTail) {
        // Pairs with the store in `commit`: every byte before this tail is seen, so all reads of entries may be plain, here, in the
        // getters and by whoever reads the payload. An old value only hides entries for a while.
        this.#cachedTail = Atomics.load(this.#words, TAIL) >>> 0;
        if (this.#head === this.#cachedTail) return false;
      }
      this.#at = this.#head & (this.#capacity - 1);
      if (this.bytes[this.#at + 4] !== 0) return true;
      this.#head = (this.#head + this.#view.getUint32(this.#at, true)) >>> 0;
    }
  }

  get kind(): number {
    return this.bytes[this.#at + 4]!;
  }
  get flag(): number {
    return this.bytes[this.#at + 5]!;
  }
  get shard(): number {
    return this.#view.getUint16(this.#at + 6, true);
  }
  get token(): number {
    return this.#view.getUint32(this.#at + 8, true);
  }
  get a(): number {
    return this.#view.getUint32(this.#at + 12, true);
  }
  get timeUs(): number {
    return this.#view.getFloat64(this.#at + 16, true);
  }
  get b(): number {
    return this.#view.getFloat64(this.#at + 24, true);
  }
  get payloadAt(): number {
    return this.#at + ENTRY_HEADER_BYTES;
  }
  get payloadLength(): number {
    return this.#view.getUint32(this.#at + 32, true);
  }

  /** Begins a look at the entries behind the current place, which changes nothing; see `scout`. */
  beginScouting(): void {
    this.#scout = this.#head;
  }

  /** Offset of the payload of the next entry of the look; -1 when no more is known to be there. */
  scout(): number {
    while (this.#scout !== this.#cachedTail) {
      const at = this.#scout & (this.#capacity - 1);
      this.#scout = (this.#scout + this.#view.getUint32(at, true)) >>> 0;
      if (this.bytes[at + 4] !== 0) return at + ENTRY_HEADER_BYTES;
    }
    return -1;
  }

  /** Kind of the entry whose payload is at this offset. */
  kindAt(payloadAt: number): number {
    return this.bytes[payloadAt - ENTRY_HEADER_BYTES + 4]!;
  }

  /** Overwrites everything consumed since the last release with zeros: sensitive bytes do not stay in shared memory. */
  wipeConsumed(): void {
    // Plain stores: the bytes are ours until `release`, whose store publishes the zeros with them.
    const from = this.#released & (this.#capacity - 1);
    const count = (this.#head - this.#released) >>> 0;
    this.bytes.fill(0, from, Math.min(from + count, this.#capacity));
    if (from + count > this.#capacity) this.bytes.fill(0, 0, from + count - this.#capacity);
  }

  /** Steps over the current entry. Its bytes stay the consumer's until `release`. */
  consume(): void {
    this.#head = (this.#head + this.#view.getUint32(this.#at, true)) >>> 0;
  }

  /** Gives everything consumed so far back to the producer. */
  release(): void {
    // Gives the bytes away after the last plain read (and wiping) of them: the producer that loads this head may write over them.
    Atomics.store(this.#words, HEAD, this.#head | 0);
    this.#released = this.#head;
  }

  /** Bytes published and not yet consumed: the queue's depth. */
  get pendingBytes(): number {
    // The last look before a sleep (wake.ts): it must come after the store of SLEEPING, so it is in the one order of all Atomics.
    return ((Atomics.load(this.#words, TAIL) >>> 0) - this.#head) >>> 0;
  }
}
