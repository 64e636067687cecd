/**
 * The slowest requests of the last minute with the times of their stages. A bucket of ten seconds keeps the slowest TRACES_KEPT of what
 * was answered in it; once it has so many, a reply that is faster than all of them costs one compare. Buckets are a ring: the oldest
 * is written over.
 */
import { TRACE_BUCKET_MS, TRACES_KEPT } from '../limits.js';
import { commitUs, turnUs } from '../ring/turn-times.js';
import type { SlowRequest } from '../slow-request.js';

const BUCKETS = Math.ceil(60_000 / TRACE_BUCKET_MS) + 1;
const COLUMNS = 7;
const RECEIVED = 0;
const ROUTED = 1;
const RELEASED = 2;
const TURN = 3;
const SHARD = 4;
const SEQUENCE = 5;
const ENDED = 6;

export class SlowTraces {
  /** A reply that took longer, us, is one of the slowest so far: `take` it. */
  thresholdUs = 0;
  readonly #rows = new Float64Array(BUCKETS * TRACES_KEPT * COLUMNS);
  readonly #counts = new Uint16Array(BUCKETS);
  /** Rows of the current bucket whose reply has not been handed over. */
  readonly #open: number[] = [];
  #bucket = 0;
  #bucketUntilUs = 0;

  /** True while `finish` has something to note. */
  get waiting(): boolean {
    return this.#open.length > 0;
  }

  /**
   * Keeps a request whose reply is about to be handed over. Times are of the monotonic clock, us.
   * @param turn word of turn-times.ts
   */
  take(
    nowUs: number,
    receivedUs: number,
    routedUs: number,
    releasedUs: number,
    turn: number,
    shard: number,
    sequence: number,
  ): void {
    const row = this.#place(nowUs - receivedUs);
    if (row < 0) return;
    const rows = this.#rows;
    const at = row * COLUMNS;
    rows[at + RECEIVED] = receivedUs;
    rows[at + ROUTED] = routedUs;
    // A turn that was being released when the message came to the ring took it in.
    rows[at + RELEASED] = Math.max(routedUs, releasedUs);
    rows[at + TURN] = turn;
    rows[at + SHARD] = shard;
    rows[at + SEQUENCE] = sequence;
    rows[at + ENDED] = Math.max(rows[at + RELEASED]!, nowUs);
    if (!this.#open.includes(row)) this.#open.push(row);
    this.#raise();
  }

  /** The replies that were taken since the last call have been handed to their sockets. */
  finish(nowUs: number): void {
    const rows = this.#rows;
    // The time of a round is taken at its begin, and a reply may have been released since.
    for (const row of this.#open) rows[row * COLUMNS + ENDED] = Math.max(rows[row * COLUMNS + RELEASED]!, nowUs);
    this.#open.length = 0;
  }

  /**
   * The slowest of the last minute, slowest first, at most TRACES_KEPT.
   * @param nowUs monotonic clock @param nowMs wall clock of the same moment
   */
  slowest(nowUs: number, nowMs: number): SlowRequest[] {
    const found: SlowRequest[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let i = 0; i < this.#counts[bucket]!; i++) {
        const row = bucket * TRACES_KEPT + i;
        if (nowUs - this.#rows[row * COLUMNS + ENDED]! <= 60_000_000)
          found.push(this.#request(row, nowMs - nowUs / 1000));
      }
    }
    return found.sort((a, b) => b.totalUs - a.totalUs).slice(0, TRACES_KEPT);
  }

  /** Begins a new bucket when it is time; called now and then. */
  tick(nowUs: number): void {
    if (nowUs < this.#bucketUntilUs) return;
    this.finish(nowUs);
    this.#bucket = (this.#bucket + 1) % BUCKETS;
    this.#counts[this.#bucket] = 0;
    this.#bucketUntilUs = nowUs + TRACE_BUCKET_MS * 1000;
    this.thresholdUs = 0;
  }

  /** A free row of the bucket, or that of its fastest request when this one was slower; else -1. */
  #place(totalUs: number): number {
    const first = this.#bucket * TRACES_KEPT;
    const count = this.#counts[this.#bucket]!;
    if (count < TRACES_KEPT) {
      this.#counts[this.#bucket] = count + 1;
      return first + count;
    }
    const fastest = this.#fastest();
    return this.#totalUs(fastest) < totalUs ? fastest : -1;
  }

  #fastest(): number {
    const first = this.#bucket * TRACES_KEPT;
    let fastest = first;
    for (let row = first + 1; row < first + TRACES_KEPT; row++)
      if (this.#totalUs(row) < this.#totalUs(fastest)) fastest = row;
    return fastest;
  }

  #raise(): void {
    this.thresholdUs = this.#counts[this.#bucket] === TRACES_KEPT ? this.#totalUs(this.#fastest()) : 0;
  }

  #totalUs(row: number): number {
    return this.#rows[row * COLUMNS + ENDED]! - this.#rows[row * COLUMNS + RECEIVED]!;
  }

  /** @param offsetMs wall clock minus monotonic clock */
  #request(row: number, offsetMs: number): SlowRequest {
    const rows = this.#rows;
    const at = row * COLUMNS;
    const [received, routed, released] = [rows[at + RECEIVED]!, rows[at + ROUTED]!, rows[at + RELEASED]!];
    const turn = rows[at + TURN]!;
    // Its turn cannot have begun before it was in the ring: one that was already running took it in.
    const began = Math.max(routed, released - turnUs(turn));
    const journal = Math.min(commitUs(turn), released - began);
    return {
      receivedMs: received / 1000 + offsetMs,
      totalUs: rows[at + ENDED]! - received,
      stages: {
        ingress: routed - received,
        wait: began - routed,
        decide: released - began - journal,
        journal,
        reply: rows[at + ENDED]! - released,
      },
      shard: rows[at + SHARD]!,
      sequence: rows[at + SEQUENCE]!,
    };
  }
}
