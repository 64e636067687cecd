/**
 * What one generator thread counts, in one block of shared memory: the thread writes with plain stores, the main thread
 * reads whenever it likes (live line, summary). Two sets of everything that is counted per message: set 0 for the warm-up,
 * set 1 for the measured time; a message belongs to the set of its *scheduled* send.
 *
 *   Float64  numbers[2][Counter]   sent[2][kind]   answered[2][kind]
 *   Uint32   codes[2][1296]  (DE39 as two base-36 digits)   latency[2][kind + shed][cells]   service[2][cells]   lag[2][cells]   chip[2][cells]
 */
import { HISTOGRAM_CELLS, LatencyHistogram } from './histogram.js';
import { kinds } from './kinds.js';

export const Counter = {
  /** Sends that were due. */
  offered: 0,
  /** Due but not sendable: every connection at its in-flight bound or its socket full. */
  dropped: 1,
  /** Answers with a decision (not 91, not 96) that arrived inside the set's window, whatever set their request belongs to. */
  inWindow: 2,
  /** Answers 91 or 96: the server would not decide. */
  shed: 3,
  approved: 4,
  declined: 5,
  timeouts: 6,
  /** Answers to requests that had already timed out. */
  late: 7,
  /** Answers that fit no request, or fit its DE11 but not its DE37. */
  unmatched: 8,
  /** Second answers to one request. */
  duplicates: 9,
  /** Frames that are no ISO 8583 reply. */
  malformed: 10,
  /** Codes a healthy engine has no reason to give to these messages: 12, 14, 30, 68, 94. */
  unexpected: 11,
  /** Repeats that were answered with another code than their original. */
  repeatMismatch: 12,
  connectionErrors: 13,
  reconnects: 14,
  /** Requests lost with their connection. */
  lost: 15,
  /** Reversals, repeats or increments that found no original and were sent as auth. */
  substituted: 16,
  /** Approved auths with chip data whose answer has the issuer's (ARPC): the engine has verified the cryptogram. */
  chip: 17,
  /** Approved auths with chip data whose answer has none. */
  chipUnanswered: 18,
} as const;
export type Counter = (typeof Counter)[keyof typeof Counter];
const COUNTERS = 19;

/** Histogram number of shed answers, behind those of the kinds. */
export const SHED = kinds.length;
const HISTOGRAMS = kinds.length + 1;
const CODES = 36 * 36;

const FLOATS_PER_SET = COUNTERS + 2 * kinds.length;
const WORDS_PER_SET = CODES + (HISTOGRAMS + 3) * HISTOGRAM_CELLS;
/** Whole-run state behind the sets: requests in flight, connections open, busy and elapsed microseconds of the loop. */
export const State = { inFlight: 0, connected: 1, busyUs: 2, elapsedUs: 3 } as const;
const STATES = 4;
const FLOATS = 2 * FLOATS_PER_SET + STATES;

/** Bytes of a block: about 1.6 MB. */
export const BLOCK_BYTES = FLOATS * 8 + 2 * WORDS_PER_SET * 4;

/** Index of a DE39 from its two character codes; -1 when they are not letters or digits. */
export function codeIndex(first: number, second: number): number {
  const high = base36(first);
  const low = base36(second);
  return high < 0 || low < 0 ? -1 : high * 36 + low;
}

function base36(character: number): number {
  if (character >= 48 && character <= 57) return character - 48;
  if (character >= 65 && character <= 90) return character - 55;
  if (character >= 97 && character <= 122) return character - 87;
  return -1;
}

/** The DE39 of an index. */
export function codeText(index: number): string {
  const digit = (value: number) => value.toString(36).toUpperCase();
  return digit(Math.floor(index / 36)) + digit(index % 36);
}

/** The counters of one set. */
export class CounterSet {
  readonly numbers: Float64Array;
  readonly sent: Float64Array;
  readonly answered: Float64Array;
  readonly codes: Uint32Array;
  readonly latency: readonly LatencyHistogram[];
  readonly service: LatencyHistogram;
  readonly lag: LatencyHistogram;
  /** Of `latency`, those of messages with chip data. */
  readonly chip: LatencyHistogram;

  constructor(buffer: SharedArrayBuffer, set: 0 | 1) {
    const floatsAt = set * FLOATS_PER_SET * 8;
    this.numbers = new Float64Array(buffer, floatsAt, COUNTERS);
    this.sent = new Float64Array(buffer, floatsAt + COUNTERS * 8, kinds.length);
    this.answered = new Float64Array(buffer, floatsAt + (COUNTERS + kinds.length) * 8, kinds.length);
    const wordsAt = FLOATS * 8 + set * WORDS_PER_SET * 4;
    this.codes = new Uint32Array(buffer, wordsAt, CODES);
    const histogram = (number: number) =>
      new LatencyHistogram(new Uint32Array(buffer, wordsAt + (CODES + number * HISTOGRAM_CELLS) * 4, HISTOGRAM_CELLS));
    this.latency = Array.from({ length: HISTOGRAMS }, (_, number) => histogram(number));
    this.service = histogram(HISTOGRAMS);
    this.lag = histogram(HISTOGRAMS + 1);
    this.chip = histogram(HISTOGRAMS + 2);
  }
}

/** A block with its two sets. */
export class Block {
  readonly warm: CounterSet;
  readonly measured: CounterSet;
  readonly state: Float64Array;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(BLOCK_BYTES)) {
    this.warm = new CounterSet(buffer, 0);
    this.measured = new CounterSet(buffer, 1);
    this.state = new Float64Array(buffer, 2 * FLOATS_PER_SET * 8, STATES);
  }
}
