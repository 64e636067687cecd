/**
 * Requests that wait for a shard: a preallocated table in columns, addressed by a token that travels through the ring.
 *
 *   token = generation (16 bits) << 16 | slot (16 bits)
 *
 * The generation of a slot changes whenever it is freed, so an answer that comes after its entry was given up finds nothing
 * instead of somebody else's connection. Free slots form a queue: a slot rests as long as possible before it is used again.
 */
import { assert } from '../errors.js';
import type { Connection } from './connection.js';

export const InFlightState = {
  free: 0,
  /** The shard has the request. */
  waiting: 1,
  /** As waiting, and the deadline has passed. */
  overdue: 2,
  /** The reply was an approval that could not be sent; its roll-back is under way. */
  rollingBack: 3,
} as const;
export type InFlightState = (typeof InFlightState)[keyof typeof InFlightState];

/** Matches no entry: for roll-backs that nobody waits for. */
export const NO_TOKEN = 0xffffffff;

const GENERATIONS = 0xffff; // 0xffff itself is left out, so that no token equals NO_TOKEN

export class InFlightTable {
  readonly capacity: number;
  readonly state: Uint8Array;
  readonly receivedUs: Float64Array;
  /** When the request was in its ring. */
  readonly routedUs: Float64Array;
  readonly deadlineUs: Float64Array;
  readonly connection: (Connection | undefined)[];
  /** 1: it was admitted as urgent (admission.ts). */
  readonly urgent: Uint8Array;
  readonly #generation: Uint16Array;
  readonly #queue: Uint16Array;
  readonly #headerBytes: number;
  readonly #headers: Uint8Array;
  /** Header views by slot, made on first use: a view per reply would be an allocation. */
  readonly #headerViews: (Uint8Array | undefined)[] = [];
  #head = 0;
  #used = 0;

  /**
   * @param capacity a power of two up to 65 536.
   * @param headerBytes bytes of the frame header kept per request (0 when no link has one).
   */
  constructor(capacity: number, headerBytes: number) {
    assert(capacity > 0 && capacity <= 65_536 && (capacity & (capacity - 1)) === 0, 'in-flight capacity');
    this.capacity = capacity;
    this.state = new Uint8Array(capacity);
    this.receivedUs = new Float64Array(capacity);
    this.routedUs = new Float64Array(capacity);
    this.deadlineUs = new Float64Array(capacity);
    this.urgent = new Uint8Array(capacity);
    this.connection = new Array<Connection | undefined>(capacity).fill(undefined);
    this.#generation = new Uint16Array(capacity);
    this.#queue = Uint16Array.from({ length: capacity }, (_, slot) => slot);
    this.#headerBytes = headerBytes;
    this.#headers = new Uint8Array(capacity * headerBytes);
  }

  get used(): number {
    return this.#used;
  }

  /** Takes a slot, or -1 when all are in use; the request begins to count for its connection. */
  take(
    connection: Connection,
    urgent: boolean,
    receivedUs: number,
    deadlineUs: number,
    header: Uint8Array | undefined,
  ): number {
    if (this.#used === this.capacity) return -1;
    const slot = this.#queue[this.#head]!;
    this.#head = (this.#head + 1) & (this.capacity - 1);
    this.#used++;
    assert(this.state[slot] === InFlightState.free, 'a free in-flight slot is free');
    this.state[slot] = InFlightState.waiting;
    this.connection[slot] = connection;
    this.urgent[slot] = urgent ? 1 : 0;
    connection.began(urgent);
    this.receivedUs[slot] = receivedUs;
    this.deadlineUs[slot] = deadlineUs;
    if (header !== undefined) {
      const at = slot * this.#headerBytes;
      for (let i = 0; i < header.length; i++) this.#headers[at + i] = header[i]!;
    }
    return slot;
  }

  tokenOf(slot: number): number {
    return ((this.#generation[slot]! << 16) | slot) >>> 0;
  }

  /** Slot of a token, or -1 when its entry is gone. */
  slotOf(token: number): number {
    const slot = token & 0xffff;
    if (slot >= this.capacity || this.#generation[slot] !== token >>> 16) return -1;
    return this.state[slot] === InFlightState.free ? -1 : slot;
  }

  /** The request's frame header; undefined when the connection's link has none. */
  headerOf(slot: number, headerBytes: number): Uint8Array | undefined {
    if (headerBytes === 0) return undefined;
    let view = this.#headerViews[slot];
    if (view === undefined || view.length !== headerBytes) {
      const at = slot * this.#headerBytes;
      view = this.#headers.subarray(at, at + headerBytes);
      this.#headerViews[slot] = view;
    }
    return view;
  }

  free(slot: number): void {
    assert(this.state[slot] !== InFlightState.free, 'an in-flight slot is freed once');
    this.state[slot] = InFlightState.free;
    this.connection[slot]!.ended(this.urgent[slot] === 1);
    this.connection[slot] = undefined;
    this.#generation[slot] = (this.#generation[slot]! + 1) % GENERATIONS;
    this.#queue[(this.#head - this.#used + this.capacity) & (this.capacity - 1)] = slot;
    this.#used--;
  }
}
