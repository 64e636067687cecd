/**
 * Reconciliations of this process: one at a time, in the control thread, resting four times as long as it works, so that
 * authorizations and other requests do not feel it. A finished run is recorded with its inputs; the reports of the newest stay
 * in memory, and any run can be repeated on the inputs that it was made of.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import {
  RECON_DAYS,
  RECON_LEAD_DAYS,
  RECON_REPORTS_KEPT_MAX,
  RECON_REST_FACTOR,
  RECON_REST_MS_MAX,
  RECON_SLICE_RECORDS,
} from '../../limits.js';
import { type BreakCount, ReconTooLarge, without } from '../../recon/break-list.js';
import type { Break } from '../../recon/breaks.js';
import type { FileFacts } from '../../recon/files.js';
import { REPORT_VERSION, Reconciliation, type ReconReport, type RunInputs, reportPieces } from '../../recon/report.js';
import { shardNameOf } from '../clearing/files.js';
import { isUnfinished } from '../clearing/registry.js';
import type { ControlContext } from '../context.js';
import { shardLedgers } from '../entry-object.js';
import { assertKeptSince, catchUp, firstFrom } from '../history.js';
import { base32of } from '../idempotency.js';
import { ApiError } from '../problem.js';
import type { ReconRunRecord } from '../system-log.js';
import { factsOf } from './file-facts.js';
import { notedOf, standingOf, standingOfNoted } from './standing-books.js';

const DAY_MS = 86_400_000;

export interface ReconRun {
  readonly id: string;
  readonly inputs: RunInputs;
  readonly startedMs: number;
  status: 'running' | 'done' | 'failed';
  /** Why it failed, for people; '' when it did not. */
  failure: string;
  finishedMs: number;
  /** Records to be read, and how many have been. */
  readonly records: number;
  read: number;
  report: ReconReport | undefined;
  sha256: string;
  /** Answers that are being sent of the report. */
  readonly downloads: Set<Readable>;
}

export interface ReconStats {
  /** Breaks of the newest report that are not resolved. */
  readonly breaks: readonly BreakCount[];
  /** When the newest reconciliation was done, ms since 1970; 0 when there has been none. */
  readonly newestMs: number;
  /** Runs that failed since the start of the process. */
  readonly failed: number;
}

const isFinished = ({ state }: { readonly state: string }): boolean => state === 'posted' || state === 'quarantined';

export class ReconRuns {
  readonly #warn: (error: unknown) => void;
  /** Runs of this process, in the order in which they were begun. */
  #kept: ReconRun[] = [];
  #running: { readonly run: ReconRun; readonly end: Promise<void> } | undefined;
  #isStarting = false;
  #stopped = false;
  #context: ControlContext | undefined;
  /** Counts of the newest report, as of so many changes of what people say of breaks. */
  #counted: { readonly changes: number; readonly counts: BreakCount[] } | undefined;
  #failed = 0;

  /** @param warn told why a run failed */
  constructor(warn: (error: unknown) => void) {
    this.#warn = warn;
  }

  /** After a start: repeats the newest run, so that its breaks are known again. */
  begin(context: ControlContext): void {
    this.#context = context;
    const newest = context.system.recon.runs.at(-1);
    if (newest !== undefined) this.repeat(context, newest);
  }

  /**
   * Starts a run as of a day, up to the records that the shards have now.
   * @throws ApiError `recon_running`, `dropped`: it would read records from before the journal begins; `stopping`; of a shard that does not answer
   */
  async start(context: ControlContext, day: number): Promise<ReconRun> {
    this.#assertIdle();
    this.#isStarting = true;
    const inputs = await this.#inputs(context, day).finally(() => {
      this.#isStarting = false;
    });
    // The journal is closed behind the end of what runs: nothing may begin then.
    if (this.#stopped) throw new ApiError('stopping', 'The engine is stopping.');
    return this.#begin(context, `recon_${base32of(randomBytes(17))}`, inputs, undefined);
  }

  async #inputs(context: ControlContext, day: number): Promise<RunInputs> {
    // A date to come puts nothing out of sight that can be seen today.
    const since = Math.min(day, Math.floor(context.nowMs() / DAY_MS)) - RECON_DAYS;
    const fromMs = (since - RECON_LEAD_DAYS) * DAY_MS;
    assertKeptSince(context, fromMs);
    const { clearingFiles } = context.system;
    const finished = new Set(clearingFiles.rows.filter(isFinished).map(({ id }) => id));
    const ledgers = await shardLedgers(context);
    // A shard tells of records that are not durable yet.
    for (const [shard, { sequence }] of ledgers.entries()) await catchUp(context, shard, sequence);
    const spans = ledgers.map(({ sequence: to }, shard) => ({
      shard,
      from: firstFrom(context, shard, to, fromMs),
      to,
    }));
    const standing = standingOf(ledgers.flatMap(({ totals }) => totals));
    const files = clearingFiles.rows.flatMap(({ id }) => {
      const file = finished.has(id) ? clearingFiles.file(id) : undefined;
      const facts = file === undefined || file.receivedMs < fromMs ? undefined : factsOf(file);
      return facts === undefined ? [] : [facts];
    });
    // What has finished since the shards told their ledgers is not whole in them.
    const unfinished = clearingFiles.rows.filter(
      ({ id, state }) => isUnfinished(state) || (state === 'posted' && !finished.has(id)),
    );
    const waiting = unfinished.flatMap(({ id, state }) => {
      const file = isUnfinished(state) ? clearingFiles.file(id)! : undefined;
      const came = file === undefined ? day : Math.floor(file.receivedMs / DAY_MS);
      return file === undefined || came >= day ? [] : [{ name: shardNameOf(file), day: came }];
    });
    return { day, since, spans, files, unfinished: unfinished.map(shardNameOf), waiting, standing };
  }

  /**
   * Does a recorded run again on the inputs that it was made of.
   * @throws ApiError `recon_running`
   */
  repeat(context: ControlContext, record: ReconRunRecord): ReconRun {
    const known = this.#kept.find(({ id, status }) => id === record.id && status === 'done');
    if (known !== undefined) return known;
    const files = record.files.map((id): FileFacts => {
      const file = context.system.clearingFiles.file(id);
      const facts = file === undefined ? undefined : factsOf(file);
      if (facts === undefined) throw new TypeError(`clearing file ${id} of run ${record.id} is not what it was`);
      return facts;
    });
    const { day, since, spans, unfinished = [], waiting = [], standing } = record;
    const inputs = { day, since, spans, files, unfinished, waiting, standing: standing?.map(standingOfNoted) };
    return this.#begin(context, record.id, inputs, record);
  }

  run(id: string): ReconRun | undefined {
    return this.#kept.find((run) => run.id === id);
  }

  /** Breaks of the newest report, in its order; empty before there is one. */
  get breaks(): readonly Break[] {
    return this.#newest?.report?.breaks ?? [];
  }

  /** For metrics. */
  stats(): ReconStats {
    const newest = this.#context?.system.recon.runs.at(-1);
    return { breaks: this.#counts(), newestMs: newest?.atMs ?? 0, failed: this.#failed };
  }

  /** Of the breaks, the ones that are not resolved, by type and age: counted once, until a report or a status changes. */
  #counts(): BreakCount[] {
    const book = this.#context?.system.recon;
    const changes = book?.changes ?? 0;
    if (this.#counted?.changes !== changes) {
      const resolved = this.breaks.filter((one) => book?.said(one)?.status === 'resolved');
      this.#counted = { changes, counts: without(this.#newest?.report?.counts ?? [], resolved) };
    }
    return this.#counted.counts;
  }

  /**
   * A text of the run's report as an answer: each piece is made when the client has taken those before it, in a turn of the event loop of
   * its own. It is cut off when the report leaves the memory, so that a client that takes nothing does not keep it there.
   */
  download({ downloads }: ReconRun, pieces: Iterable<string>): Readable {
    const answer = Readable.from(byTurns(pieces), { objectMode: false });
    downloads.add(answer);
    answer.once('close', () => downloads.delete(answer));
    return answer;
  }

  /** Ends the one that runs, without a result; resolves when it reads nothing any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.end;
  }

  /** Of those with a report, the one that was started last: a repeat of an older one does not take its place. */
  get #newest(): ReconRun | undefined {
    return this.#kept
      .filter(({ report }) => report !== undefined)
      .reduce<ReconRun | undefined>((a, b) => (a === undefined || b.startedMs >= a.startedMs ? b : a), undefined);
  }

  /** Takes the run in, in place of what has been there longest; never of the newest. */
  #keep(run: ReconRun): void {
    const kept = this.#kept.filter(({ id }) => id !== run.id);
    if (kept.length >= RECON_REPORTS_KEPT_MAX) {
      const newest = this.#newest;
      const [dropped] = kept.splice(
        kept.findIndex((one) => one !== newest),
        1,
      );
      for (const download of dropped!.downloads) download.destroy();
    }
    this.#kept = [...kept, run];
    this.#counted = undefined;
  }

  /** @throws ApiError `recon_running` */
  #assertIdle(): void {
    if (this.#running !== undefined || this.#isStarting)
      throw new ApiError('recon_running', 'One reconciliation runs at a time.');
  }

  #begin(context: ControlContext, id: string, inputs: RunInputs, repeated: ReconRunRecord | undefined): ReconRun {
    this.#assertIdle();
    this.#context = context;
    const run: ReconRun = {
      ...{ id, inputs, status: 'running', failure: '', finishedMs: 0, read: 0, report: undefined, sha256: '' },
      downloads: new Set(),
      startedMs: repeated?.startedMs ?? context.nowMs(),
      records: inputs.spans.reduce((sum, { from, to }) => sum + Math.max(0, to - from + 1), 0),
    };
    this.#keep(run);
    this.#running = { run, end: this.#run(context, run, repeated) };
    return run;
  }

  /** Never rejects. */
  async #run(context: ControlContext, run: ReconRun, repeated: ReconRunRecord | undefined): Promise<void> {
    try {
      const report = await this.#compare(context, run);
      const sha256 = report === undefined ? undefined : await this.#hash(report);
      if (report !== undefined && sha256 !== undefined) this.#finish(context, run, report, sha256, repeated);
    } catch (error) {
      run.status = 'failed';
      this.#failed++;
      run.failure = error instanceof ReconTooLarge ? error.message : "see the server's log";
      run.finishedMs = context.nowMs();
      this.#warn(error);
    }
    this.#running = undefined;
  }

  /** Of the text of the report; undefined when it was stopped. */
  async #hash(report: ReconReport): Promise<string | undefined> {
    const hash = createHash('sha256');
    const pace = new Pace();
    for (const piece of reportPieces(report)) {
      hash.update(piece);
      await pace.rest();
      if (this.#stopped) return undefined;
    }
    return hash.digest('hex');
  }

  #finish(
    context: ControlContext,
    run: ReconRun,
    report: ReconReport,
    sha256: string,
    repeated: ReconRunRecord | undefined,
  ): void {
    run.sha256 = sha256;
    // A report of an earlier form had other bytes.
    const isSameForm = (repeated?.reportVersion ?? 1) === REPORT_VERSION;
    if (repeated !== undefined && isSameForm && repeated.sha256 !== run.sha256)
      throw new Error(`run ${run.id} gave another report than on the same inputs before`);
    run.finishedMs = repeated?.atMs ?? context.nowMs();
    if (repeated === undefined) context.system.write([recordOf(run, report)]);
    run.report = report;
    run.status = 'done';
    this.#counted = undefined;
  }

  /** Undefined when it was stopped. */
  async #compare(context: ControlContext, run: ReconRun): Promise<ReconReport | undefined> {
    const comparison = new Reconciliation(run.inputs);
    const pace = new Pace();
    for (const { shard, from, to } of run.inputs.spans) {
      const records = comparison.shard(shard);
      for (let next = from; next <= to; ) {
        const until = Math.min(to, next + RECON_SLICE_RECORDS - 1);
        context.journal.run(shard, next, (sequence, message, event) => {
          if (message !== undefined) records.message(message);
          else if (event !== undefined) records.event(event);
          next = sequence + 1;
          run.read++;
          return next <= until;
        });
        if (next <= until) continue;
        await pace.rest();
        if (this.#stopped) return undefined;
      }
      comparison.finishShard(records);
    }
    return comparison.finish();
  }
}

/** Rests four times as long as there was work since the last rest. */
class Pace {
  #startedMs = performance.now();

  async rest(): Promise<void> {
    await sleep(Math.min(RECON_REST_MS_MAX, (performance.now() - this.#startedMs) * RECON_REST_FACTOR));
    this.#startedMs = performance.now();
  }
}

async function* byTurns(pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await nextTurn();
  }
}

function recordOf({ id, inputs, sha256, startedMs, finishedMs }: ReconRun, report: ReconReport): ReconRunRecord {
  const { day, since, spans, files, unfinished, waiting, standing = [] } = inputs;
  return {
    ...{ type: 'recon_run', id, day, since, sha256, startedMs },
    spans: spans.map((span) => ({ ...span })),
    files: files.map((file) => file.id),
    unfinished: [...unfinished],
    waiting: [...waiting],
    standing: standing.map(notedOf),
    reportVersion: REPORT_VERSION,
    breaks: report.breaks.length + report.leftOut,
    atMs: finishedMs,
  };
}
