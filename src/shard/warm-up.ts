/**
 * The warm-up of a shard thread: before the thread is ready it decides some thousand messages on a scratch shard, and ends the
 * holds that they place, so that the engine (V8) has compiled the code of a turn before the first request pays for it.
 *
 * The code is the real one (host, shard, codec, decision, seal); everything it touches is made for this and forgotten: rings,
 * state, card directory, board, instruments, control block, and a journal that keeps nothing. No file is opened, and nothing
 * is counted or logged.
 */
import { dialectNames } from '../iso8583/dialects.js';
import { type Fields, pack } from '../iso8583/message.js';
import { WARM_UP_MESSAGES, WARM_UP_MS } from '../limits.js';
import { RequestKind } from '../ring/kinds.js';
import { WIRE_HEADER_BYTES } from '../ring/wire-entry.js';
import type { ShardInstruments } from '../shard-instruments.js';
import { ExpirySweep } from './expiry-sweep.js';
import { SCRATCH_NOW_MS, ScratchHost, scratchPurchase } from './scratch-host.js';

const SHARD = 0;
const RING_BYTES = 256 * 1024;
/** Messages of one turn: some of each kind, as under load. */
const BATCH = 32;
const DEADLINE_US = 60_000_000;
/** Turns from one sweep of holds to the next: some fifty are open then. */
const TURNS_PER_SWEEP = 4;
/** When every hold has come to its end. */
const FAR_MS = SCRATCH_NOW_MS + 366 * 86_400_000;
/** Accounts with a card each: the work of a decision grows with the open holds of its card. */
const CARDS = 64;
/** Minor units: a purchase of 2 000.00 is declined for want of funds, those of 1.00 are not. */
const CREDIT_LIMIT = 100_000;

export interface WarmUpClocks {
  /** Microseconds of the monotonic clock. */
  readonly monotonicUs: () => number;
}

/**
 * Runs the warm-up, `WARM_UP_MS` and one turn at most; returns how many messages it decided, and the
 * instruments of its own that counted them.
 */
export function warmUp(clocks: WarmUpClocks): { messages: number; instruments: ShardInstruments } {
  const until = clocks.monotonicUs() + WARM_UP_MS * 1000;
  const bench = new Bench(clocks);
  let count = 0;
  while (count < WARM_UP_MESSAGES && clocks.monotonicUs() < until) {
    for (let i = 0; i < BATCH; i++) bench.send(count++);
    bench.turn();
    if (count % (BATCH * TURNS_PER_SWEEP) === 0) bench.sweep();
  }
  return { messages: count, instruments: bench.instruments };
}

/** Messages for a host with one scratch shard. */
class Bench {
  readonly #clocks: WarmUpClocks;
  readonly #host: ScratchHost;
  readonly #sweep: ExpirySweep;
  readonly #payload = new Uint8Array(WIRE_HEADER_BYTES + 1024);

  constructor(clocks: WarmUpClocks) {
    this.#clocks = clocks;
    this.#host = new ScratchHost({ ...clocks, shards: 1, cards: CARDS, ringBytes: RING_BYTES });
    this.#sweep = new ExpirySweep(clocks.monotonicUs);
    this.#host.openCards(SHARD, CARDS, CREDIT_LIMIT);
  }

  get instruments(): ShardInstruments {
    return this.#host.instruments;
  }

  /** Queues message `number` of the mix. */
  send(number: number): void {
    const message = pack(dialectNames[number % dialectNames.length]!, fieldsOf(number));
    const payload = this.#payload;
    payload.fill(0, 0, WIRE_HEADER_BYTES);
    // Eight messages belong together (`fieldsOf`); one in 64 is of an unknown card.
    payload[4] = 1;
    if (number % 64 === 59) payload.fill(0xff, 0, 4);
    else payload[0] = Math.floor(number / 8) % CARDS;
    payload[16] = number % dialectNames.length;
    payload[17] = 1;
    payload.set(message, WIRE_HEADER_BYTES);
    const nowUs = this.#clocks.monotonicUs();
    this.#host.requests.push(
      RequestKind.wire,
      0,
      SHARD,
      number,
      0,
      nowUs,
      nowUs + DEADLINE_US,
      payload.subarray(0, WIRE_HEADER_BYTES + message.length),
    );
  }

  /** Ends the holds that are open, as if they were due; their records are in the next turn's commit. */
  sweep(): void {
    this.#sweep.step(this.#host.shards, FAR_MS, (_shard, error) => {
      throw error;
    });
  }

  /** One turn; its replies are thrown away. */
  turn(): void {
    this.#host.turn();
  }
}

/** Of eight messages five are purchases, one of them declined for want of funds; then a repeat and a reversal of earlier ones. */
function fieldsOf(number: number): Fields {
  const kind = number % 8;
  if (kind === 5) return { ...purchase(number - 1), 0: '0101' };
  if (kind >= 6) return { ...purchase(number - 4), 0: '0400' };
  return purchase(number);
}

function purchase(number: number): Fields {
  return scratchPurchase(number % 1_000_000, number % 8 === 0 ? 200_000 : 100);
}
