/**
 * The warm-up of a shard thread: before the thread is ready it decides some thousand messages on a scratch shard, and ends the
 * holds that they place, so that the engine (V8) has compiled the code of a turn before the first request pays for it.
 *
 * The code is the real one (host, shard, codec, decision, seal); everything it touches is made for this and forgotten: rings,
 * state, card directory, board, instruments, control block, and a journal that keeps nothing. No file is opened, and nothing
 * is counted or logged.
 */
import { pack as packCommand } from 'msgpackr';
import { AccountType, CardStatus } from '../domain/codes.js';
import type { Command } from '../domain/commands.js';
import { IndexKeys } from '../domain/index-keys.js';
import { dialectNames } from '../iso8583/dialects.js';
import { type Fields, pack } from '../iso8583/message.js';
import { scratchJournal } from '../journal/scratch.js';
import { createSegmentBoard, SegmentBoard } from '../journal/segment-board.js';
import { WARM_UP_MESSAGES, WARM_UP_MS } from '../limits.js';
import { ControlBlock, createControlBlock, ShardState } from '../ring/control-block.js';
import { CardDirectory, createDirectory } from '../ring/directory.js';
import { RequestKind } from '../ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '../ring/ring.js';
import { createWake, Waker } from '../ring/wake.js';
import { WIRE_HEADER_BYTES } from '../ring/wire-entry.js';
import { createShardInstruments, ShardInstruments } from '../shard-instruments.js';
import { ExpirySweep } from './expiry-sweep.js';
import { Faults, noFaults } from './faults.js';
import { LogicalShard } from './logical-shard.js';
import { ShardClock } from './shard-clock.js';
import { ShardHost } from './shard-host.js';
import { ThreadContext } from './thread-context.js';

const SHARD = 0;
const RING_BYTES = 256 * 1024;
/** Messages of one turn: some of each kind, as under load. */
const BATCH = 32;
const DEADLINE_US = 60_000_000;
/** Turns from one sweep of holds to the next: some fifty are open then. */
const TURNS_PER_SWEEP = 4;
const NOW_MS = Date.UTC(2026, 5, 15, 12);
/** When every hold has come to its end. */
const FAR_MS = NOW_MS + 366 * 86_400_000;
/** Accounts with a card each: the work of a decision grows with the open holds of its card. */
const CARDS = 64;

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

/** A host with one scratch shard, its accounts and cards, and both ends of its rings. */
class Bench {
  readonly #clocks: WarmUpClocks;
  readonly #requests: RingProducer;
  readonly #replies: RingConsumer;
  readonly #host: ShardHost;
  readonly #shard: LogicalShard;
  readonly #sweep: ExpirySweep;
  readonly instruments = new ShardInstruments(createShardInstruments());
  readonly #payload = new Uint8Array(WIRE_HEADER_BYTES + 1024);

  constructor(clocks: WarmUpClocks) {
    this.#clocks = clocks;
    const { lane, reader, segments } = scratchJournal();
    const control = new ControlBlock(createControlBlock());
    control.setShardState(SHARD, ShardState.up);
    const context = new ThreadContext({
      reader,
      segments,
      board: new SegmentBoard(createSegmentBoard()),
      keys: new IndexKeys(1, 2),
      keyCheck: 0,
      duplicateWindowMs: 86_400_000,
      approvalKey: [1, 2, 3, 4],
      directory: new CardDirectory(createDirectory({ expected: CARDS, maximum: CARDS })),
      faults: new Faults(noFaults),
      instruments: this.instruments,
      monotonicUs: clocks.monotonicUs,
      log: () => undefined,
    });
    context.nowMs = NOW_MS;
    this.#shard = new LogicalShard(context, reader.head(SHARD));
    this.#sweep = new ExpirySweep(clocks.monotonicUs);
    const requests = createRing(RING_BYTES);
    const replies = createRing(RING_BYTES);
    this.#requests = new RingProducer(requests);
    this.#replies = new RingConsumer(replies);
    this.#host = new ShardHost({
      context,
      clients: [
        { requests: new RingConsumer(requests), replies: new RingProducer(replies), waker: new Waker(createWake()) },
      ],
      shards: [this.#shard],
      lane,
      reader,
      control,
      clock: new ShardClock(NOW_MS, NOW_MS, clocks.monotonicUs()),
      wallMs: () => NOW_MS,
      checkpoint: undefined,
      feed: undefined,
      onProfile: () => undefined,
    });
    for (let card = 0; card < CARDS; card++) this.#open(card);
  }

  /** Opens an account and its card in slot `card`. */
  #open(card: number): void {
    const account = `warm-up-${card}`;
    this.#command({
      op: 'create_account',
      id: account,
      program: 0,
      currency: 986,
      creditLimit: 100_000,
      type: AccountType.credit,
    });
    this.#command({
      op: 'create_card',
      account,
      fingerprint: [card, 2, 3],
      bin: 999999,
      last4: 18,
      panLength: 16,
      expiry: 2912,
      cardSequence: 1,
      serviceCode: 201,
      status: CardStatus.active,
      replacesSlot: -1,
    });
    this.turn();
  }

  #command(command: Command): void {
    this.#requests.push(RequestKind.command, 0, SHARD, 0, 0, this.#clocks.monotonicUs(), 0, packCommand(command));
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
    this.#requests.push(
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
    this.#sweep.step([this.#shard], FAR_MS, (_shard, error) => {
      throw error;
    });
  }

  /** One turn; its replies are thrown away. */
  turn(): void {
    this.#host.turn();
    while (this.#replies.next()) this.#replies.consume();
    this.#replies.release();
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
  const stan = String(number % 1_000_000).padStart(6, '0');
  return {
    0: '0100',
    2: '9999990000000018',
    3: '000000',
    4: number % 8 === 0 ? '000000200000' : '000000000100',
    7: '0615120000',
    11: stan,
    12: '120000',
    13: '0615',
    14: '2912',
    18: '5411',
    22: '051',
    25: '00',
    32: '999901',
    37: `000000${stan}`,
    41: 'TERM0001',
    42: 'MERCHANT0000001',
    43: 'CORNER SHOP            SAO PAULO     BR ',
    49: '986',
    63: `N${stan}`,
  };
}
