/**
 * One shard thread's work per message without its disk: ring entry in, decode, normalize, duplicate check, decide, apply,
 * journal record, seal, reply, release. The lane takes the frames and does nothing, so this is the CPU that the shard adds
 * to the commit.
 *
 * The full pipeline is the same with ten velocity windows on each card and a program with 20 active and 5 shadow rules, which
 * read them; plain, with windows and full are measured in turns, so that the ratios are of one machine in one minute. A ratio
 * is the median of those of the turns. Every message is approved.
 *
 * Once time stands still, so that every message falls into the buckets of the one before; once each message of a card comes
 * ten minutes after the one before, so that the trailing windows of 10 minutes and of an hour have moved to new buckets, and at
 * every tenth that of a day: rows of counters are written anew.
 */

import { monotonicUs } from '#src/clock.js';
import { Response } from '#src/domain/codes.js';
import { makeSnapshot, type SnapshotRule } from '#src/domain/program/snapshot.js';
import type { LogicalShard } from '#src/shard/logical-shard.js';
import { SCRATCH_NOW_MS, ScratchHost } from '#src/shard/scratch-host.js';
import { LeapingClock } from './leaping-clock.js';
import { Purchases } from './purchases.js';
import { type BenchRow, FULL_PIPELINE } from './row.js';
import { ACTIVE_RULES, conditions, TOO_OFTEN } from './rules.bench.js';
import { tenWindows } from './velocity.bench.js';

const CARDS = 1000;
const CREDIT_LIMIT = 1e12;
const BATCH = CARDS;
const WARM_BATCHES = 60;
const BATCHES = 200;
/** Times that plain, windows and the full pipeline are measured in turns. */
const TURNS = 40;
/** Batches that are looked at for the allocation of a message. */
const HEAP_BATCHES = 20;
/** Time from one batch, which has each card once, to the next, where time passes. Holds live six days: none ends here. */
const STEP_MS = 600_000;
/** Index of the accounts' program, and the revision of its snapshot where it has one. */
const PROGRAM = 0;
const REVISION = 1;

class ShardBench {
  readonly #host: ScratchHost;
  readonly #shard: LogicalShard;
  readonly #purchases = new Purchases();
  readonly #clock = new LeapingClock();
  readonly #stepMs: number;
  #messages = 0;

  /**
   * @param controls of each card as JSON, '' for none @param program snapshot of the accounts' program, '' for none
   * @param stepMs time from one batch to the next
   */
  constructor(controls: string, program: string, stepMs: number) {
    this.#stepMs = stepMs;
    const clock = this.#clock;
    this.#host = new ScratchHost({
      ...{ monotonicUs, shards: 1, cards: CARDS, ringBytes: 1 << 20, clock, wallMs: clock.wallMs },
    });
    const shard = this.#host.shards[0]!;
    this.#shard = shard;
    const head = { sequence: 0, timeMs: SCRATCH_NOW_MS };
    if (program !== '') shard.record({ kind: 11, ...head, program: PROGRAM, revision: REVISION, text: program });
    this.#host.openCards(0, CARDS, CREDIT_LIMIT);
    for (let slot = 0; slot < CARDS && controls !== ''; slot++) {
      const place = { accountSlot: slot, cardSlot: slot, previousOfAccount: 0, previousOfCard: 0 };
      shard.record({ kind: 12, ...head, ...place, text: controls });
    }
    this.#host.turn();
  }

  batch(): void {
    this.#clock.leapMs += this.#stepMs;
    const us = monotonicUs();
    for (let i = 0; i < BATCH; i++) {
      const number = ++this.#messages;
      this.#purchases.push(this.#host.requests, 0, (number * 7919) % CARDS, number, i, us);
    }
    const replies = this.#host.turn();
    if (replies !== BATCH) throw new Error(`${replies} replies for ${BATCH} messages`);
  }

  /** @throws Error when a message was declined, or the rules were not asked about each */
  check(rules: number): void {
    const { ruleStats } = this.#shard.state;
    this.#host.instruments.eachOutcome((mti, response, reason, count) => {
      if (response !== Response.approved || count !== this.#messages) {
        throw new Error(`${count} of ${this.#messages} messages ${mti} were answered ${response}, reason ${reason}`);
      }
    });
    const [stats] = ruleStats.of(PROGRAM, 0, 1);
    const asked = rules === 0 ? 0 : this.#messages;
    if ((stats?.asked ?? 0) !== asked || (stats?.matched.length ?? 0) !== rules) {
      throw new Error(
        `${stats?.matched.length ?? 0} rules were asked ${stats?.asked ?? 0} times, not ${rules} ${asked}`,
      );
    }
  }
}

/** Wall and CPU time of some batches, ns per message. */
function spend(bench: ShardBench, batches: number): { wallNs: number; cpuNs: number } {
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < batches; i++) bench.batch();
  const messages = batches * BATCH;
  const wallNs = ((performance.now() - start) * 1e6) / messages;
  const used = process.cpuUsage(cpu);
  return { wallNs, cpuNs: ((used.user + used.system) * 1000) / messages };
}

/** Heap bytes per message: the median batch of those in which no collection got in between. */
function allocation(bench: ShardBench, batches = HEAP_BATCHES): number {
  const grown: number[] = [];
  for (let i = 0; i < batches; i++) {
    const before = process.memoryUsage().heapUsed;
    bench.batch();
    const bytes = process.memoryUsage().heapUsed - before;
    if (bytes >= 0) grown.push(bytes / BATCH);
  }
  return median(grown);
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Snapshot of a program with the rules of the rules' benchmark; none of the active ones matches the messages. */
function programWithRules(): string {
  const rules = conditions.map(
    (condition, i): SnapshotRule => ({
      id: `rule_${i}`,
      version: 1,
      state: i < ACTIVE_RULES ? 'active' : 'shadow',
      text: `when ${condition === TOO_OFTEN ? 'count("1h") >= 1000000' : condition} then decline 59 reason "suspected_fraud"`,
    }),
  );
  const head = { id: 'bench', currency: 'BRL', product: 'credit', sandbox: false, tables: {}, controls: {} };
  const made = makeSnapshot({ ...head, rules }, REVISION, { dialects: ['iso87-bcd'], knowsZone: () => true });
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.text;
}

/** CPU (ns) and heap bytes of a message without windows and rules: the first figure of the room, for a look at whether it has changed. */
export function plainShard(): { cpuNs: number; bytes: number } {
  const bench = new ShardBench('', '', 0);
  for (let i = 0; i < WARM_BATCHES; i++) bench.batch();
  const cpuNs = median(Array.from({ length: TURNS }, () => spend(bench, BATCHES / TURNS).cpuNs));
  bench.check(0);
  return { cpuNs, bytes: allocation(bench, 5 * HEAP_BATCHES) };
}

export async function benchShard(): Promise<BenchRow[]> {
  const windows = JSON.stringify({ velocity: tenWindows });
  const rules = programWithRules();
  const cases = [0, STEP_MS].flatMap((stepMs) => [
    { name: 'whole turn per authorization, no disk, CPU', rules: 0, bench: new ShardBench('', '', stepMs), stepMs },
    { name: 'the same with 10 velocity windows', rules: 0, bench: new ShardBench(windows, '', stepMs), stepMs },
    { name: FULL_PIPELINE, rules: conditions.length, bench: new ShardBench(windows, rules, stepMs), stepMs },
  ]);
  for (let i = 0; i < WARM_BATCHES; i++) for (const { bench } of cases) bench.batch();
  const turns = Array.from({ length: TURNS }, () => cases.map(({ bench }) => spend(bench, BATCHES / TURNS)));
  for (const one of cases) one.bench.check(one.rules);
  const of = (which: number, what: 'wallNs' | 'cpuNs'): number => median(turns.map((turn) => turn[which]![what]));
  const row = (name: string, nsPerOp: number): BenchRow => ({ room: 'shard', name, nsPerOp, opsPerSec: 1e9 / nsPerOp });
  const rows = [row('whole turn per authorization, no disk, wall', of(0, 'wallNs'))];
  for (const [which, { name, bench, stepMs }] of cases.entries()) {
    const plain = which - (which % 3);
    const timesPlain = median(turns.map((turn) => turn[which]!.cpuNs / turn[plain]!.cpuNs));
    rows.push({
      ...row(stepMs === 0 ? name : `${name}, each card ten minutes later`, of(which, 'cpuNs')),
      bytesPerOp: allocation(bench),
      ...(which === plain ? {} : { timesPlain }),
    });
  }
  return rows;
}
