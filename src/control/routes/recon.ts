/** Reconciliation: runs, their reports as JSON and CSV, and what people say of breaks. */

import { z } from 'zod';
import { type Break, breakTypes } from '../../recon/breaks.js';
import { jsonPieces, LongObject } from '../../recon/json-pieces.js';
import { breakJson, csvPieces, reportMembers } from '../../recon/report.js';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { outcomeRecord } from '../once.js';
import { ApiError } from '../problem.js';
import type { ReconRun } from '../recon/runs.js';
import { type Route, route } from '../route.js';
import { journalRead } from '../route-errors.js';
import { listOf } from '../schemas.js';
import * as schemas from '../schemas-recon.js';
import { breakStatuses, type ReconBreakRecord, type ReconRunRecord } from '../system-log.js';
import { time } from '../views.js';

const DAY_MS = 86_400_000;
const params = z.object({ id: z.string().max(64) });
const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

export function reconRoutes(context: ControlContext): Route[] {
  const { system, recon } = context;

  function required(id: string): object {
    const run = recon.run(id);
    if (run?.report !== undefined)
      return recon.download(run, jsonPieces(runObject(run, new LongObject(reportMembers(run.report))), 0));
    if (run !== undefined) return runObject(run);
    const record = system.recon.run(id);
    if (record === undefined) throw new ApiError('not_found', 'There is no such reconciliation.');
    return recordObject(record);
  }

  const shown = (one: Break): object => breakObject(one, system.recon.said(one));

  return [
    route({
      id: 'createReconRun',
      method: 'POST',
      path: '/v1/recon/runs',
      tag: 'reconciliation',
      summary: 'Reconcile authorizations, clearing files, ledger and settlements as of a date',
      description:
        'Reads what the journal and the registry of clearing files have now, in the background. One run at a time; a finished run is recorded with its inputs.',
      access: 'write',
      idempotency: 'answer',
      body: schemas.reconStart,
      errors: ['recon_running', 'not_found', ...journalRead],
      answers: { 202: { description: 'The run, which goes on now, without its report', schema: schemas.reconRun } },
      async handle({ body: { date, repeat } }) {
        if (repeat === undefined) {
          const day = Date.parse(`${date}T00:00:00Z`) / DAY_MS;
          return { status: 202, body: runObject(await recon.start(context, day)) };
        }
        const record = system.recon.run(repeat);
        if (record === undefined)
          throw new ApiError('not_found', 'There is no such reconciliation.', { param: '/repeat' });
        return { status: 202, body: runObject(recon.repeat(context, record)) };
      },
    }),
    route({
      id: 'getReconRun',
      method: 'GET',
      path: '/v1/recon/runs/{id}',
      tag: 'reconciliation',
      summary: 'Read a reconciliation with its report; with .csv behind the id, its breaks as CSV',
      access: 'read',
      idempotency: 'none',
      params,
      answers: {
        200: { description: 'The run', schema: schemas.reconRun, otherTypes: ['text/csv'] },
      },
      handle({ params: { id } }) {
        if (!id.endsWith('.csv')) return { status: 200, body: required(id) };
        const run = recon.run(id.slice(0, -4));
        if (run?.report === undefined)
          throw new ApiError('not_found', 'There is no report of such a reconciliation, or not any more: repeat it.');
        return {
          status: 200,
          contentType: 'text/csv; charset=utf-8',
          body: recon.download(run, csvPieces(run.report)),
        };
      },
    }),
    route({
      id: 'listReconBreaks',
      method: 'GET',
      path: '/v1/recon/breaks',
      tag: 'reconciliation',
      summary: 'List the breaks of the newest run, the last of its report first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({ type: z.enum(breakTypes).optional(), status: z.enum(breakStatuses).optional() }),
      answers: { 200: { description: 'A page of breaks', schema: listOf(schemas.reconBreak, 'ReconBreakList') } },
      handle({ query }) {
        const { type, status } = query;
        const page = pageOf(
          recon.breaks,
          query,
          (one) =>
            (type === undefined || one.type === type) &&
            (status === undefined || (system.recon.said(one)?.status ?? 'open') === status),
        );
        return listAnswer(page.items.map(shown), page.hasMore);
      },
    }),
    route({
      id: 'updateReconBreak',
      method: 'PATCH',
      path: '/v1/recon/breaks/{id}',
      tag: 'reconciliation',
      summary: 'Assign a break, resolve it with a note, or open it again',
      description:
        'What is said of a break stays with its id, in every later run. Without an owner it keeps the one it has.',
      access: 'write',
      idempotency: 'system',
      params,
      body: schemas.reconBreakUpdate,
      answers: { 200: { description: 'The break', schema: schemas.reconBreak } },
      handle({ params: { id }, body: { status, owner, note }, idempotency }) {
        const one = recon.breaks.find((row) => row.id === id);
        if (one === undefined) throw new ApiError('not_found', 'The newest reconciliation has no such break.');
        const known = system.recon.said(one);
        const atMs = context.nowMs();
        const said: ReconBreakRecord = {
          ...{ type: 'recon_break', id, status, amount: String(one.amount), atMs },
          owner: owner ?? (status === 'open' ? '' : (known?.owner ?? '')),
          note: note ?? '',
        };
        const body = breakObject(one, said);
        system.write([said, ...outcomeRecord(idempotency, 200, body, atMs)]);
        return { status: 200, body };
      },
    }),
  ];
}

function breakObject(one: Break, said: ReconBreakRecord | undefined): object {
  return {
    object: 'recon_break',
    ...breakJson(one),
    status: said?.status ?? 'open',
    owner: said?.owner ? said.owner : null,
    note: said?.note ? said.note : null,
    updated_at: said === undefined ? null : time(said.atMs),
  };
}

/** Without its report, if there is one to be read, when none is given. */
function runObject(run: ReconRun, report: LongObject | null = null): object {
  const { id, inputs, status, failure, records, read, sha256, startedMs, finishedMs } = run;
  return {
    ...{ object: 'recon_run', id, date: dateOf(inputs.day), status },
    failure: failure === '' ? null : failure,
    progress: { records, read, percent: records === 0 ? 100 : Math.floor((read * 100) / records) },
    report_sha256: sha256 === '' ? null : sha256,
    report,
    created_at: time(startedMs),
    finished_at: status === 'running' ? null : time(finishedMs),
  };
}

/** A run of which only the record is left. */
function recordObject({ id, day, spans, sha256, startedMs, atMs }: ReconRunRecord): object {
  const records = spans.reduce((sum, { from, to }) => sum + Math.max(0, to - from + 1), 0);
  return {
    ...{ object: 'recon_run', id, date: dateOf(day), status: 'done', failure: null },
    progress: { records, read: records, percent: 100 },
    ...{ report_sha256: sha256, report: null, created_at: time(startedMs), finished_at: time(atMs) },
  };
}
