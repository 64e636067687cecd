/**
 * Sends the batches of a clearing file to the shards: in order within a shard, one command under way per shard and a few per
 * thread, again and again until it is answered. What was posted before is answered as such, so nothing is posted twice.
 *
 * It gives way: while authorizations come, commands are small, the shard does of each what its turn has time for and the rest is
 * sent again, and a thread rests as long as its last command took.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ClearingFlag, ClearingSort, IN_SUSPENSE, MatchRung } from '../../domain/clearing/codes.js';
import { type ClearingEntry, type ClearingInput, clearingSort, isCreditRecord } from '../../domain/clearing/input.js';
import type { Command, CommandResult } from '../../domain/commands.js';
import type { NetworkFee } from '../../domain/entry-commands.js';
import {
  CLEARING_BUSY_RECORDS,
  CLEARING_IN_FLIGHT_PER_THREAD,
  CLEARING_REST_MS_MAX,
  CLEARING_RETRY_MS,
  CLEARING_RETRY_MS_MAX,
  CLEARING_UNPOSTED_MAX,
} from '../../limits.js';
import { ShardError, type ShardPort } from '../ports.js';
import type { ClearingOutcome, UnpostedEntry } from '../system-log.js';
import { codeName } from '../views.js';
import type { ClearingBatch } from './passes.js';
import { type RecordAnswer, RecordSender } from './record-sender.js';

/** What the ingress brings to the threads of the shards. */
export interface TrafficPort {
  /** Thread of a shard, from 0, and how many there are. */
  threadOf(shard: number): number;
  readonly threads: number;
  /** Bytes that the ingress has ever handed to a thread, modulo 2^32: it changes while messages come. */
  handed(thread: number): number;
}

export const noOutcome = (): ClearingOutcome => ({
  posted: 0,
  duplicates: 0,
  rejected: 0,
  forcePosted: 0,
  suspense: 0,
  networkFees: 0,
  matchedBy: Object.fromEntries(Object.values(MatchRung).map((rung) => [codeName(MatchRung, rung), 0])),
});

/** What the outcome of a record counts as, in metrics. */
export const recordOutcomes = ['posted', 'already', 'duplicate', 'invalid', 'refused'] as const;

export class Stopping extends Error {}

interface Lane {
  readonly waiting: ClearingBatch[];
  busy: boolean;
}

export class ClearingPoster {
  readonly outcome = noOutcome();
  /** Why commands are not taken at the moment; '' when they are. */
  stalled = '';
  readonly #shards: ShardPort;
  readonly #traffic: TrafficPort;
  readonly #records: RecordSender;
  readonly #counted: Record<(typeof recordOutcomes)[number], number>;
  readonly #tell: (what: 'done' | 'stop') => void;
  readonly #lanes: Lane[];
  readonly #inFlight: number[];
  readonly #seen: number[];
  readonly #stop = new AbortController();
  #open = 0;
  #failure: unknown;
  #settled: (() => void) | undefined;

  /**
   * @param file names the file to the shards
   * @param counted counters of outcomes, since the start of the process
   * @param tell is told of every batch that is posted, and that no more is wanted when one fails
   */
  constructor(
    shards: ShardPort,
    traffic: TrafficPort,
    file: string,
    counted: Record<(typeof recordOutcomes)[number], number>,
    tell: (what: 'done' | 'stop') => void,
  ) {
    this.#shards = shards;
    this.#traffic = traffic;
    this.#records = new RecordSender(file, shards.shards, (shard, command) => this.#command(shard, command));
    this.#counted = counted;
    this.#tell = tell;
    this.#lanes = Array.from({ length: shards.shards }, () => ({ waiting: [], busy: false }));
    this.#inFlight = Array.from({ length: traffic.threads }, () => 0);
    this.#seen = Array.from({ length: traffic.threads }, (_, thread) => traffic.handed(thread));
  }

  /** Records that have an answer. */
  get answered(): number {
    const { posted, duplicates, rejected } = this.outcome;
    return posted + duplicates + rejected;
  }

  add(batch: ClearingBatch): void {
    if (this.#failure !== undefined) return;
    this.#open++;
    this.#lanes[batch.shard]!.waiting.push(batch);
    this.#next(this.#traffic.threadOf(batch.shard));
  }

  /** Ends what waits; commands under way are awaited by `settled`. */
  stop(): void {
    this.#fail(new Stopping());
  }

  /** Resolves when every batch is posted. @throws Stopping, and what a shard answers that no second try mends */
  async settled(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#settled = resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Starts commands on a thread as far as it may have more. */
  #next(thread: number): void {
    for (const [shard, lane] of this.#lanes.entries()) {
      if (this.#failure !== undefined || this.#inFlight[thread]! >= CLEARING_IN_FLIGHT_PER_THREAD) return;
      if (lane.busy || lane.waiting.length === 0 || this.#traffic.threadOf(shard) !== thread) continue;
      lane.busy = true;
      this.#inFlight[thread]!++;
      void this.#post(lane, lane.waiting.shift()!, thread);
    }
  }

  async #post(lane: Lane, { shard, records, fee }: ClearingBatch, thread: number): Promise<void> {
    try {
      if (fee !== undefined) this.#countFee(fee, await this.#command(shard, fee));
      for (let at = 0; at < records.length; ) {
        const isBusy = this.#sawTraffic(thread);
        const part = records.slice(at, isBusy ? at + CLEARING_BUSY_RECORDS : records.length);
        const startMs = performance.now();
        const answers = await this.#records.clear(shard, part);
        this.#count(part, answers);
        at += answers.length;
        if (isBusy) await this.#rest(Math.min(performance.now() - startMs, CLEARING_REST_MS_MAX));
      }
      this.#tell('done');
    } catch (error) {
      this.#fail(error);
    }
    lane.busy = false;
    this.#inFlight[thread]!--;
    this.#open--;
    this.#next(thread);
    if (this.#open === 0) this.#settled?.();
  }

  #fail(error: unknown): void {
    if (this.#failure === undefined) this.#tell('stop');
    this.#failure ??= error;
    this.#stop.abort();
    for (const lane of this.#lanes) this.#open -= lane.waiting.splice(0).length;
    if (this.#open === 0) this.#settled?.();
  }

  #sawTraffic(thread: number): boolean {
    const handed = this.#traffic.handed(thread);
    const changed = handed !== this.#seen[thread];
    this.#seen[thread] = handed;
    return changed;
  }

  /** Sends until it is done or refused for good. Sent again, what was posted is told as such. */
  async #command(shard: number, command: Command): Promise<CommandResult> {
    for (let pauseMs = CLEARING_RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, CLEARING_RETRY_MS_MAX)) {
      if (this.#failure !== undefined) throw new Stopping();
      try {
        const result = await this.#shards.command(shard, command);
        if (result.ok || result.code !== 'shard_unavailable') {
          this.stalled = '';
          return result;
        }
        this.stalled = result.code;
      } catch (error) {
        if (!(error instanceof ShardError)) throw error;
        if (error.kind === 'stopped') throw new Stopping();
        this.stalled = error.kind;
      }
      await this.#rest(pauseMs);
    }
  }

  /** Pauses; a stop ends the pause. */
  async #rest(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.#stop.signal });
    } catch {
      throw new Stopping();
    }
  }

  /** A fee that is sent again is refused by its reference. */
  #countFee({ reference, amount, currency, sub }: NetworkFee, result: CommandResult): void {
    const { outcome } = this;
    if (result.ok || result.code === 'reference_exists') {
      this.#counted[result.ok ? 'posted' : 'already']++;
      outcome.posted++;
      outcome.networkFees++;
      return;
    }
    this.#counted.refused++;
    outcome.rejected++;
    const record = Number(reference.slice(reference.lastIndexOf('/') + 1));
    // What it adds to what we owe is among the sums of the file that no record of a shard stands for, as of every fee.
    const owed = { sub, settled: 0, settledCurrency: currency };
    this.#keep({ record, why: 'refused', reason: result.code, otherAmount: false, amount, currency, ...owed });
  }

  #keepRecord(why: UnpostedEntry['why'], { flags, field }: RecordAnswer, { input }: ClearingEntry): void {
    const isBilled = input.billingCurrency >= 0;
    this.#keep({
      ...{ record: input.record, why, otherAmount: (flags & ClearingFlag.otherAmount) !== 0 },
      ...(field === undefined ? {} : { reason: field }),
      amount: isBilled ? input.billingAmount : input.amount,
      currency: isBilled ? input.billingCurrency : input.currency,
      ...{ sub: input.sub, settled: settledOf(input), settledCurrency: input.settlementCurrency },
    });
  }

  /** For reconciliation. */
  #keep(entry: UnpostedEntry): void {
    this.outcome.unposted ??= [];
    if (this.outcome.unposted.length < CLEARING_UNPOSTED_MAX) this.outcome.unposted.push(entry);
  }

  #count(records: readonly ClearingEntry[], answers: readonly RecordAnswer[]): void {
    const { outcome } = this;
    for (const [index, answer] of answers.entries()) {
      const { outcome: what, rung, flags } = answer;
      this.#counted[what]++;
      if (what !== 'posted' && what !== 'already') this.#keepRecord(what, answer, records[index]!);
      if (what === 'invalid' || what === 'refused') outcome.rejected++;
      else if (what === 'duplicate') outcome.duplicates++;
      else {
        outcome.posted++;
        outcome.matchedBy[codeName(MatchRung, rung)]!++;
        const { input } = records[index]!;
        if ((flags & IN_SUSPENSE) !== 0) outcome.suspense++;
        else if (rung === MatchRung.none && input.reversal === 0 && charges(clearingSort(input))) outcome.forcePosted++;
      }
    }
  }
}

/** What the record adds to what we owe the network. */
function settledOf(input: ClearingInput): number {
  return (isCreditRecord(input) !== (input.reversal === 1) ? -1 : 1) * Math.max(0, input.settlementAmount);
}

const charges = (sort: ClearingSort): boolean => sort === ClearingSort.purchase || sort === ClearingSort.cash;
