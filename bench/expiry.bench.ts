/**
 * What the sweep of holds costs, and what it takes from authorizations: a million holds over 16 shards of one thread, all due
 * at once, while messages keep coming. Without a disk. Reports, and never fails.
 *
 * The sweep's part of a turn is what follows when the replies are out: a message that arrives meanwhile waits so much longer.
 * In wall time other work on the machine and pauses of the collector are in it, wherever they fall; CPU time of the process
 * (with what the collector and the compiler do on other threads) tells them apart. The code is as warm as a shard thread's.
 */
import { getHeapStatistics } from 'node:v8';
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
import { warmUp } from '#src/shard/warm-up.js';
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
  override now(wallMs: number, monotonicUs: number): number {
    return super.now(wallMs + this.leapMs, monotonicUs + this.leapMs * 1000);
  }
}

/** The last thing that a turn does with replies: it takes the time. */
class ReleaseWatch extends Waker {
  us = 0;
  cpuUs = 0;
  heapBytes = 0;
  override signal(): void {
    this.heapBytes = getHeapStatistics().used_heap_size;
    this.us = monotonicUs();
    this.cpuUs = cpuUs();
    super.signal();
  }
}

/** A turn, and what of it came after its replies, us. */
interface Turn {
  readonly us: number;
  readonly sweepUs: number;
  readonly sweepCpuUs: number;
  /** The collector ran after the replies: its pause is due to all that the process allocates, the journal in memory first. */
  readonly collected: boolean;
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

class ExpiryBench {
  readonly instruments = new ShardInstruments(createShardInstruments());
  readonly #startUs = monotonicUs();
  readonly clock = new LeapingClock(0, NOW_MS, this.#startUs);
  readonly shards: readonly LogicalShard[];
  readonly #requests: RingProducer;
  readonly #replies: RingConsumer;
  readonly #host: ShardHost;
  readonly #payload: Uint8Array;
  readonly #stanAt: number;
  readonly #rrnAt: number;
  readonly #release = new ReleaseWatch(createWake());
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
    const waker = this.#release;
    this.#host = new ShardHost({
      context,
      clients: [{ requests: new RingConsumer(requests), replies: new RingProducer(replies), waker }],
      shards: this.shards,
      lane,
      reader,
      control,
      clock: this.clock,
      wallMs: () => NOW_MS + (monotonicUs() - this.#startUs) / 1000,
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

  /** One turn with `count` messages. */
  turn(count: number): Turn {
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
    const end = monotonicUs();
    const endCpu = cpuUs();
    const collected = getHeapStatistics().used_heap_size < this.#release.heapBytes;
    while (this.#replies.next()) this.#replies.consume();
    this.#replies.release();
    const release = this.#release;
    return { us: end - start, sweepUs: end - release.us, sweepCpuUs: endCpu - release.cpuUs, collected };
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

function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const shares = [
  ['p50', 0.5],
  ['p99', 0.99],
  ['p99.9', 0.999],
  ['max', 1],
] as const;

export async function benchExpiry(): Promise<BenchRow[]> {
  warmUp({ monotonicUs });
  const bench = new ExpiryBench();
  for (let open = -1; bench.open < HOLDS; bench.turn(FILL_BATCH)) {
    if (bench.open === open) throw new Error(`no more than ${open} holds can be placed`);
    open = bench.open;
  }
  const quiet = Array.from({ length: QUIET_TURNS }, () => bench.turn(LOAD_BATCH));
  bench.clock.leapMs = SIX_DAYS_MS;
  const due = bench.open;
  const busy: Turn[] = [];
  // Holds that are placed meanwhile are due six days later.
  while (bench.expired < due) busy.push(bench.turn(LOAD_BATCH));
  const row = (name: string, us: number): BenchRow => ({
    room: 'expiry',
    name,
    nsPerOp: us * 1000,
    opsPerSec: 1e6 / us,
  });
  const sweepUs = busy.reduce((sum, turn) => sum + turn.sweepUs, 0);
  const rows = [row('one hold of a million that are due', sweepUs / due)];
  const add = (name: string, turns: readonly Turn[], of: (turn: Turn) => number): void => {
    for (const [label, share] of shares) rows.push(row(`${name}, ${label}`, percentile(turns.map(of), share)));
  };
  const turn = `turn of ${LOAD_BATCH} messages`;
  add(`${turn}, nothing due`, quiet, ({ us }) => us);
  add(`${turn}, a million due`, busy, ({ us }) => us);
  add('what of it came after the replies, nothing due', quiet, (one) => one.sweepUs);
  add('what of it came after the replies, a million due', busy, (one) => one.sweepUs);
  const own = busy.filter((one) => !one.collected);
  add('the same without the turns in which the collector ran', own, (one) => one.sweepUs);
  add('what came after the replies in CPU time, nothing due', quiet, (one) => one.sweepCpuUs);
  add('what came after the replies in CPU time, a million due', busy, (one) => one.sweepCpuUs);
  return rows;
}
