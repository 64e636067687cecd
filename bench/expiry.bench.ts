/**
 * What the sweep of holds costs, and what it takes from authorizations: a million holds over 16 shards of one thread, all due
 * at once, while messages keep coming. Without a disk, so the difference between the turns is the sweep's alone. Reports, and
 * never fails.
 *
 * A message waits for the turn that is under way and for its own, so the longest turn is about half of the longest delay.
 */
import { monotonicUs } from '#src/clock.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import { pack } from '#src/iso8583/message.js';
import { scratchJournal } from '#src/journal/scratch.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import { ControlBlock, createControlBlock, ShardState } from '#src/ring/control-block.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { RequestKind } from '#src/ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';
import { WIRE_HEADER_BYTES } from '#src/ring/wire-entry.js';
import { Faults, noFaults } from '#src/shard/faults.js';
import { LogicalShard } from '#src/shard/logical-shard.js';
import { ShardClock } from '#src/shard/shard-clock.js';
import { ShardHost } from '#src/shard/shard-host.js';
import { ThreadContext } from '#src/shard/thread-context.js';
import { createShardInstruments, ShardCounter, ShardInstruments } from '#src/shard-instruments.js';
import type { BenchRow } from './row.js';

const HOLDS = 1_000_000;
const SHARDS = 16;
const CARDS = 1000;
/** Messages per turn while holds are placed, and under load: 8 per turn are some 20 000 per second. */
const FILL_BATCH = 1024;
const LOAD_BATCH = 8;
const QUIET_TURNS = 5000;
const NOW_MS = Date.UTC(2026, 5, 15, 12);
const SIX_DAYS_MS = 6 * 86_400_000;

/** Both clocks leap together, and shard time with them. */
class LeapingClock extends ShardClock {
  leapMs = 0;
  override now(): number {
    return NOW_MS + this.leapMs;
  }
  override get dueMs(): number {
    return NOW_MS + this.leapMs;
  }
}

class ExpiryBench {
  readonly instruments = new ShardInstruments(createShardInstruments());
  readonly clock = new LeapingClock(0, NOW_MS, 0);
  readonly shards: readonly LogicalShard[];
  readonly #requests: RingProducer;
  readonly #replies: RingConsumer;
  readonly #host: ShardHost;
  readonly #payload: Uint8Array;
  readonly #stanAt: number;
  readonly #rrnAt: number;
  #sent = 0;

  constructor() {
    const { lane, reader, segments } = scratchJournal();
    const context = new ThreadContext({
      reader,
      segments,
      board: new SegmentBoard(createSegmentBoard()),
      keys: new IndexKeys(1, 2),
      keyCheck: 3,
      duplicateWindowMs: 86_400_000,
      approvalKey: [1, 2, 3, 4],
      directory: new CardDirectory(createDirectory({ expected: CARDS * SHARDS, maximum: CARDS * SHARDS * 2 })),
      faults: new Faults(noFaults),
      instruments: this.instruments,
      monotonicUs,
      log: () => undefined,
    });
    context.nowMs = NOW_MS;
    const control = new ControlBlock(createControlBlock());
    this.shards = Array.from({ length: SHARDS }, (_, shard) => new LogicalShard(context, reader.head(shard)));
    for (const shard of this.shards) {
      control.setShardState(shard.number, ShardState.up);
      openCards(shard);
    }
    const [requests, replies] = [createRing(1 << 20), createRing(1 << 20)];
    this.#requests = new RingProducer(requests);
    this.#replies = new RingConsumer(replies);
    const waker = new Waker(createWake());
    this.#host = new ShardHost({
      context,
      clients: [{ requests: new RingConsumer(requests), replies: new RingProducer(replies), waker }],
      shards: this.shards,
      lane,
      reader,
      control,
      clock: this.clock,
      wallMs: () => NOW_MS,
      checkpoint: undefined,
      feed: undefined,
      onProfile: () => undefined,
    });
    this.#host.turn();
    const message = pack('iso87-bcd', purchase());
    this.#payload = new Uint8Array(WIRE_HEADER_BYTES + message.length);
    this.#payload.set(message, WIRE_HEADER_BYTES);
    this.#payload[17] = 1;
    // DE11 stands behind MTI 2, bitmap 8, DE2 1 + 8, DE3 3, DE4 6, DE7 5.
    this.#stanAt = WIRE_HEADER_BYTES + 2 + 8 + 9 + 3 + 6 + 5;
    this.#rrnAt = Buffer.from(this.#payload).indexOf('326514000000', 0, 'latin1');
  }

  get open(): number {
    return this.shards.reduce((sum, { state }) => sum + state.holdsOpen, 0);
  }

  get expired(): number {
    return this.instruments.counter(ShardCounter.holdsExpired);
  }

  /** One turn with `count` messages; returns how long it took, us. */
  turn(count: number): number {
    const us = monotonicUs();
    for (let i = 0; i < count; i++) {
      const stan = this.#sent++;
      const shard = stan % SHARDS;
      const slot = ((stan >> 4) * 7919) % CARDS;
      this.#payload[0] = slot & 0xff;
      this.#payload[1] = slot >> 8;
      this.#payload[3] = shard;
      putBcd(this.#payload, this.#stanAt, stan % 1_000_000);
      Buffer.from(this.#payload.buffer).write(String(stan).padStart(8, '0'), this.#rrnAt + 4, 'latin1');
      this.#requests.push(RequestKind.wire, 0, shard, i, 0, us, us + 1e9, this.#payload);
    }
    const start = monotonicUs();
    this.#host.turn();
    const took = monotonicUs() - start;
    while (this.#replies.next()) this.#replies.consume();
    this.#replies.release();
    return took;
  }
}

function purchase(): Record<string, string> {
  return {
    0: '0100',
    2: '9999990000000018',
    3: '000000',
    4: '000000000001',
    7: '0615120000',
    11: '000000',
    12: '120000',
    13: '0615',
    14: '3512',
    18: '5411',
    22: '051',
    25: '00',
    32: '123456',
    37: '326514000000',
    41: 'TERM0001',
    42: 'ACCEPTOR0000001',
    43: 'CORNER SHOP            SAO PAULO     BRA',
    49: '986',
  };
}

function openCards(shard: LogicalShard): void {
  const head = { sequence: 0, timeMs: NOW_MS };
  for (let slot = 0; slot < CARDS; slot++) {
    const account = { id: `acct-${shard.number}-${slot}`, program: 0, currency: 986, creditLimit: 1e12 };
    shard.record({ ...head, kind: 1, accountSlot: slot, ...account, type: 1 });
    const number = { bin: 999_999, last4: 18, panLength: 16, expiry: 3512, cardSequence: 1, serviceCode: 201 };
    const fingerprint = [shard.number * CARDS + slot + 1, 2, 3] as const;
    const place = { cardSlot: slot, accountSlot: slot, replacesSlot: -1, aliasOfSlot: -1, previousOfAccount: 0 };
    shard.record({ ...head, kind: 3, ...place, fingerprint, ...number, status: 2 });
  }
}

function putBcd(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 2; i >= 0; i--) {
    bytes[at + i] = (rest % 10) | ((Math.floor(rest / 10) % 10) << 4);
    rest = Math.floor(rest / 100);
  }
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export async function benchExpiry(): Promise<BenchRow[]> {
  const bench = new ExpiryBench();
  while (bench.open < HOLDS) bench.turn(FILL_BATCH);
  const quiet = Float64Array.from({ length: QUIET_TURNS }, () => bench.turn(LOAD_BATCH)).sort();
  bench.clock.leapMs = SIX_DAYS_MS;
  const due = bench.open;
  const took: number[] = [];
  // Holds that are placed meanwhile are due six days later.
  while (bench.expired < due) took.push(bench.turn(LOAD_BATCH));
  const busy = Float64Array.from(took).sort();
  const row = (name: string, ns: number): BenchRow => ({ room: 'expiry', name, nsPerOp: ns, opsPerSec: 1e9 / ns });
  const sweepNs = (took.reduce((sum, us) => sum + us, 0) - took.length * percentile(quiet, 0.5)) * 1000;
  const rows = [row('one hold of a million that are due', sweepNs / due)];
  for (const [name, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
    ['p99.9', 0.999],
    ['max', 1],
  ] as const) {
    rows.push(row(`turn of ${LOAD_BATCH} messages, nothing due, ${name}`, percentile(quiet, share) * 1000));
    rows.push(row(`turn of ${LOAD_BATCH} messages, a million due, ${name}`, percentile(busy, share) * 1000));
  }
  return rows;
}
