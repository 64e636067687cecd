/**
 * What the control plane sees of the engine: the words and cells in shared memory that the other threads keep, as the ports
 * of health and metrics. Looking stops nobody.
 */
import type { ShardStats } from '../domain/reads.js';
import { SharedHistogram } from '../instruments.js';
import { IndexState, type SegmentBoard } from '../journal/segment-board.js';
import { BackgroundTask, type ControlBlock, ShardState } from '../ring/control-block.js';
import { ShardInstruments } from '../shard-instruments.js';
import { ThreadVitals } from '../thread-vitals.js';
import type { TrafficPort } from './clearing/poster.js';
import type { ClearingStats, EventStats, IngressSnapshot, MetricsSources } from './metrics.js';
import type { ClockPort, HealthPort, ShardPort } from './ports.js';
import { shardThreadName } from './profiles.js';
import type { WrongTokens } from './wrong-tokens.js';

const tasks = Object.entries(BackgroundTask);
const shardStates = new Map<number, string>(Object.entries(ShardState).map(([name, state]) => [state, name]));

/** Details of the reasons for which a shard refuses new work although it is up. */
const indexReasons: Readonly<Record<number, string>> = {
  [IndexState.full]: 'full: its segments are too far behind; new work is answered 91',
  [IndexState.incomplete]: 'its segments are being built anew; new work is answered 91',
};

export function clockPort(control: ControlBlock, shards: number): ClockPort {
  return {
    difference() {
      let worst = 0;
      for (let shard = 0; shard < shards; shard++) {
        const seconds = control.clockDifference(shard);
        if (Math.abs(seconds) > Math.abs(worst)) worst = seconds;
      }
      return worst;
    },
    accept: () => control.acceptClock(),
  };
}

export function healthPort(
  control: ControlBlock,
  board: SegmentBoard,
  shards: number,
  auditFailed: () => boolean,
): HealthPort {
  return {
    notReady() {
      const reasons: { check: string; detail: string }[] = [];
      if (control.stop !== 0) reasons.push({ check: 'process', detail: `stopping with status ${control.stop}` });
      if (control.refuse) reasons.push({ check: 'disk', detail: 'free space is below the reserve' });
      for (const [name, task] of tasks)
        if (!control.taskRuns(task))
          reasons.push({ check: `task-${name}`, detail: 'it has ended, the log says why; restart the server' });
      for (let shard = 0; shard < shards; shard++) {
        const state = control.shardState(shard);
        if (state !== ShardState.up)
          reasons.push({ check: `shard-${shard}`, detail: shardStates.get(state) ?? 'unknown' });
        const detail = indexReasons[board.indexState(shard)];
        if (detail !== undefined) reasons.push({ check: `index-${shard}`, detail });
      }
      return reasons;
    },
    warnings() {
      const warnings: { check: string; detail: string }[] = [];
      if (auditFailed())
        warnings.push({
          check: 'audit',
          detail: 'the audit log cannot be written: calls that must be recorded are refused; look at the disk, restart',
        });
      const seconds = clockPort(control, shards).difference();
      if (seconds === 0) return warnings;
      const ahead = `the wall clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the monotonic clock`;
      const next = 'set it right, or run `holdfast clock accept`';
      const detail = `${ahead}; hold expiry and window roll-over are paused; ${next}`;
      return [...warnings, { check: 'clock', detail }];
    },
  };
}

/** Shared memory of the engine's threads, as the composition hands it over. */
export interface SharedCells {
  /** Instruments of the shard threads, by thread index. */
  readonly threadInstruments: readonly SharedArrayBuffer[];
  /** Vital signs of the threads. */
  readonly vitals: {
    readonly main: SharedArrayBuffer;
    readonly control: SharedArrayBuffer;
    readonly shards: readonly SharedArrayBuffer[];
  };
  /** Three histograms of the ingress: route, write, authorization. */
  readonly ingressInstruments?: SharedArrayBuffer;
  /** Request rings of every client by thread index. */
  readonly requestRings: readonly (readonly SharedArrayBuffer[])[];
  readonly build: { readonly version: string; readonly node: string };
}

export interface Asked {
  readonly shards: ShardPort;
  readonly control: ControlBlock;
  readonly board: SegmentBoard;
  readonly wrongTokens: WrongTokens;
  ingressSnapshot(): Promise<IngressSnapshot | undefined>;
  tls: MetricsSources['tls'];
  events(): EventStats;
  clearing(): ClearingStats;
  recon: MetricsSources['recon'];
  rotations: MetricsSources['rotations'];
}

export function metricsSources(cells: SharedCells, asked: Asked): MetricsSources {
  const { ingressInstruments: block } = cells;
  const { shards, control, board, wrongTokens } = asked;
  const queues = cells.requestRings.map((rings) => rings.map((ring) => new Int32Array(ring, 0, 17)));
  const all = Array.from({ length: shards.shards }, (_, shard) => shard);
  return {
    threads: cells.threadInstruments.map((buffer) => new ShardInstruments(buffer)),
    vitals: [
      ['main', new ThreadVitals(cells.vitals.main)],
      ['control', new ThreadVitals(cells.vitals.control)],
      ...cells.vitals.shards.map((buffer, thread) => [shardThreadName(thread), new ThreadVitals(buffer)] as const),
    ],
    ingress:
      block === undefined
        ? undefined
        : {
            route: new SharedHistogram(block, 0),
            write: new SharedHistogram(block, SharedHistogram.bytes),
            authorization: new SharedHistogram(block, 2 * SharedHistogram.bytes),
          },
    shards: shards.shards,
    ingressSnapshot: () => asked.ingressSnapshot(),
    async shardStats(): Promise<ShardStats[]> {
      const results = await Promise.allSettled(all.map((shard) => shards.read(shard, { op: 'stats' })));
      return results.flatMap((result) =>
        result.status === 'fulfilled' && result.value.ok && 'stats' in result.value ? [result.value.stats] : [],
      );
    },
    queueBytes(thread: number): number {
      // Words 16 and 0 of a ring: bytes published and consumed, modulo 2^32.
      return (queues[thread] ?? []).reduce(
        (sum, words) => sum + ((Atomics.load(words, 16) - Atomics.load(words, 0)) >>> 0),
        0,
      );
    },
    async ledgerImbalance(): Promise<number> {
      const difference = new Map<number, bigint>();
      const results = await Promise.allSettled(all.map((shard) => shards.read(shard, { op: 'totals' })));
      for (const result of results) {
        if (result.status !== 'fulfilled' || !result.value.ok || !('totals' in result.value)) continue;
        for (const { currency, debit, credit } of result.value.totals)
          difference.set(currency, (difference.get(currency) ?? 0n) + BigInt(debit) - BigInt(credit));
      }
      return Number([...difference.values()].reduce((sum, one) => sum + (one < 0n ? -one : one), 0n));
    },
    indexes() {
      const count = (state: IndexState): number => all.filter((shard) => board.indexState(shard) === state).length;
      return {
        full: count(IndexState.full),
        rebuilding: count(IndexState.incomplete),
        discarded: board.discarded,
      };
    },
    clockDifference: () => clockPort(control, shards.shards).difference(),
    tasks: () =>
      tasks.map(([name, task]) => ({ name, runs: control.taskRuns(task), restarts: control.taskRestarts(task) })),
    wrongTokens: () => wrongTokens.counts,
    tls: () => asked.tls(),
    events: () => asked.events(),
    clearing: () => asked.clearing(),
    recon: () => asked.recon(),
    rotations: () => asked.rotations(),
    build: cells.build,
  };
}

/** Place of the ingress among the clients of a shard thread. */
const INGRESS = 0;

/** @param requestRings request rings of every client by thread index */
export function trafficPort(
  requestRings: readonly (readonly SharedArrayBuffer[])[],
  threadOfShard: readonly number[],
): TrafficPort {
  // Word 16 of a ring: bytes published, modulo 2^32.
  const words = requestRings.map((rings) => new Int32Array(rings[INGRESS]!, 0, 17));
  return {
    threads: words.length,
    threadOf: (shard) => threadOfShard[shard]!,
    handed: (thread) => Atomics.load(words[thread]!, 16) >>> 0,
  };
}
