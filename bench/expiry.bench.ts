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
import { createWake, Waker } from '#src/ring/wake.js';
import { ScratchHost } from '#src/shard/scratch-host.js';
import { warmUp } from '#src/shard/warm-up.js';
import { ShardCounter } from '#src/shard-instruments.js';
import { LeapingClock } from './leaping-clock.js';
import { Purchases } from './purchases.js';
import type { BenchRow } from './row.js';

const HOLDS = 1_000_000;
const SHARDS = 16;
const CARDS = 1000;
const CREDIT_LIMIT = 1e12;
/** Messages per turn while holds are placed, and under load: 8 per turn are some 20 000 per second. */
const FILL_BATCH = 1024;
const LOAD_BATCH = 8;
const QUIET_TURNS = 5000;
const SIX_DAYS_MS = 6 * 86_400_000;

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
  readonly clock = new LeapingClock();
  readonly #release = new ReleaseWatch(createWake());
  readonly #purchases = new Purchases();
  readonly #host: ScratchHost;
  #sent = 0;

  constructor() {
    this.#host = new ScratchHost({
      ...{ monotonicUs, shards: SHARDS, cards: CARDS * SHARDS, ringBytes: 1 << 20 },
      clock: this.clock,
      wallMs: this.clock.wallMs,
      waker: this.#release,
    });
    for (let shard = 0; shard < SHARDS; shard++) this.#host.openCards(shard, CARDS, CREDIT_LIMIT);
  }

  get open(): number {
    return this.#host.shards.reduce((sum, { state }) => sum + state.holdsOpen, 0);
  }

  get expired(): number {
    return this.#host.instruments.counter(ShardCounter.holdsExpired);
  }

  /** One turn with `count` messages. */
  turn(count: number): Turn {
    const us = monotonicUs();
    for (let i = 0; i < count; i++) {
      const number = this.#sent++;
      this.#purchases.push(this.#host.requests, number % SHARDS, ((number >> 4) * 7919) % CARDS, number, i, us);
    }
    const start = monotonicUs();
    this.#host.runTurn();
    const end = monotonicUs();
    const endCpu = cpuUs();
    const release = this.#release;
    const collected = getHeapStatistics().used_heap_size < release.heapBytes;
    this.#host.takeReplies();
    return { us: end - start, sweepUs: end - release.us, sweepCpuUs: endCpu - release.cpuUs, collected };
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
