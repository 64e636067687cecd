/**
 * Instruments of one shard thread in shared memory: stage histograms, counters by outcome. Written by the thread with
 * plain stores, read by the control plane at scrape time.
 */
import { SharedHistogram } from './instruments.js';

/** Histograms of a shard thread, in this order. */
export const SHARD_HISTOGRAMS = ['decode', 'queue', 'decide', 'journal', 'encode', 'batch'] as const;

/** Decisions are counted in a small open table of (MTI, DE39, reason): 9 MTIs x about 40 pairs fit with room. */
const OUTCOME_SLOTS = 512;
/** 32-bit words of a slot: MTI and DE39, reason, and a count of 64 bits. */
const OUTCOME_WORDS = 4;
const COUNTERS = 32;

export const ShardCounter = {
  commits: 1,
  records: 2,
  shedDeadline: 3,
  shedFull: 4,
  repeats: 5,
  poisoned: 6,
  rebuilds: 7,
  outcomesLost: 8,
  shedIncomplete: 9,
  shedDown: 10,
  holdsExpired: 11,
  shedAdvice: 12,
  /** Levels, not counts: JavaScript heap in use and memory outside of it, bytes, as last looked at. */
  heapBytes: 13,
  externalBytes: 14,
  /** Messages that were parked for a device, and those of them whose time ran out. */
  parked: 15,
  parkTimeouts: 16,
  /** A level: messages that are parked. */
  parkedNow: 17,
  /** Answered 91 at once because no more may be parked. */
  shedParked: 18,
} as const;

const HISTOGRAM_BYTES = SHARD_HISTOGRAMS.length * SharedHistogram.bytes;

export function createShardInstruments(): SharedArrayBuffer {
  return new SharedArrayBuffer(HISTOGRAM_BYTES + COUNTERS * 8 + OUTCOME_SLOTS * OUTCOME_WORDS * 4);
}

export class ShardInstruments {
  readonly decode: SharedHistogram;
  readonly queue: SharedHistogram;
  readonly decide: SharedHistogram;
  readonly journal: SharedHistogram;
  readonly encode: SharedHistogram;
  /** Records per commit, not microseconds. */
  readonly batch: SharedHistogram;
  readonly #counters: Float64Array;
  readonly #outcomes: Uint32Array;
  /** The same slots as 64-bit cells: the second of each is its count. */
  readonly #outcomeCells: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    const histogram = (index: number): SharedHistogram => new SharedHistogram(buffer, index * SharedHistogram.bytes);
    this.decode = histogram(0);
    this.queue = histogram(1);
    this.decide = histogram(2);
    this.journal = histogram(3);
    this.encode = histogram(4);
    this.batch = histogram(5);
    this.#counters = new Float64Array(buffer, HISTOGRAM_BYTES, COUNTERS);
    const outcomesAt = HISTOGRAM_BYTES + COUNTERS * 8;
    this.#outcomes = new Uint32Array(buffer, outcomesAt, OUTCOME_SLOTS * OUTCOME_WORDS);
    this.#outcomeCells = new Float64Array(buffer, outcomesAt, (OUTCOME_SLOTS * OUTCOME_WORDS) / 2);
  }

  count(counter: number, by = 1): void {
    this.#counters[counter]! += by;
  }

  /** Sets a level. */
  set(counter: number, value: number): void {
    this.#counters[counter] = value;
  }

  counter(counter: number): number {
    return this.#counters[counter]!;
  }

  /** Counts a decision by MTI, DE39 (two ASCII bytes) and reason. */
  outcome(mti: number, response: number, reason: number): void {
    const table = this.#outcomes;
    const cells = this.#outcomeCells;
    const high = ((mti << 16) | response) >>> 0;
    let slot = Math.imul(high ^ (reason << 7), 0x9e3779b1) >>> 23;
    for (let probe = 0; probe < OUTCOME_SLOTS; probe++) {
      const at = slot * OUTCOME_WORDS;
      if (table[at] === high && table[at + 1] === reason) {
        cells[at / 2 + 1]! += 1;
        return;
      }
      if (table[at] === 0) {
        table[at + 1] = reason;
        cells[at / 2 + 1] = 1;
        table[at] = high;
        return;
      }
      slot = (slot + 1) % OUTCOME_SLOTS;
    }
    this.count(ShardCounter.outcomesLost);
  }

  /** Visits every outcome counted so far. */
  eachOutcome(visit: (mti: number, response: number, reason: number, count: number) => void): void {
    for (let at = 0; at < this.#outcomes.length; at += OUTCOME_WORDS) {
      const high = this.#outcomes[at]!;
      if (high !== 0) visit(high >>> 16, high & 0xffff, this.#outcomes[at + 1]!, this.#outcomeCells[at / 2 + 1]!);
    }
  }
}
