/** The journal's folders: what is there, and how old ones are exported and dropped (decision 0039). */
import { z } from 'zod';
import type { FolderState, JournalJob, Retention } from '../journal/retention.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { shardRead } from '../route-errors.js';
import * as schemas from '../schemas-journal.js';
import { time } from '../views.js';

const params = z.object({ id: z.string().max(64) });

export function journalRoutes(retention: Retention | undefined): Route[] {
  const required = (): Retention => {
    if (retention === undefined) throw new ApiError('not_supported', 'This journal has no folders.');
    return retention;
  };
  return [
    route({
      id: 'getJournal',
      method: 'GET',
      path: '/v1/journal',
      tag: 'operations',
      summary: 'The folders of the journal, and where it begins',
      access: 'admin',
      idempotency: 'none',
      errors: ['not_supported'],
      answers: { 200: { description: 'The journal', schema: schemas.journal } },
      handle: () => ({ status: 200, body: journalObject(required()) }),
    }),
    route({
      id: 'exportJournal',
      method: 'POST',
      path: '/v1/journal/exports',
      tag: 'operations',
      summary: 'Copy folders of the journal that grow no more',
      description:
        'In the background, one job at a time. A copy is checked frame by frame before it counts. A folder that lies there already is checked again.',
      access: 'admin',
      idempotency: 'answer',
      body: schemas.journalExport,
      errors: ['journal_busy', 'not_found', 'not_supported'],
      answers: { 202: { description: 'The job, which goes on now', schema: schemas.journalJob } },
      handle: ({ body: { to, folder } }) => ({ status: 202, body: jobObject(required().export(to, folder)) }),
    }),
    route({
      id: 'dropJournal',
      method: 'POST',
      path: '/v1/journal/drops',
      tag: 'operations',
      summary: 'Drop what is old, exported, and not needed',
      description:
        'In the background, one job at a time. `kept` of the finished job says of each folder that stays why. Nothing that an authorization, a webhook or a start still needs is dropped.',
      access: 'admin',
      idempotency: 'answer',
      body: schemas.journalDrop,
      errors: ['journal_busy', 'not_supported', ...shardRead],
      answers: { 202: { description: 'The job, which goes on now', schema: schemas.journalJob } },
      handle: ({ body: { older_than_days, unexported } }) => ({
        status: 202,
        body: jobObject(required().drop(older_than_days, unexported)),
      }),
    }),
    route({
      id: 'getJournalJob',
      method: 'GET',
      path: '/v1/journal/jobs/{id}',
      tag: 'operations',
      summary: 'Read an export or a drop of the journal',
      access: 'admin',
      idempotency: 'none',
      params,
      errors: ['not_supported'],
      answers: { 200: { description: 'The job', schema: schemas.journalJob } },
      handle({ params: { id } }) {
        const job = required().job(id);
        if (job === undefined) throw new ApiError('not_found', 'There is no such job, or not any more.');
        return { status: 200, body: jobObject(job) };
      },
    }),
  ];
}

const orNull = (text: string): string | null => (text === '' ? null : text);
const timeOrNull = (ms: number): string | null => (ms === 0 ? null : time(ms));

function journalObject(retention: Retention): object {
  const document = retention.anchor?.document;
  return {
    object: 'journal',
    folders: retention.folders().map(folderObject),
    anchor:
      document === undefined
        ? null
        : {
            number: document.number,
            sha256: retention.anchor!.sha256,
            created_at: time(document.createdMs),
            folders: document.dropped.map(({ name, exported }) => ({ name, exported_to: orNull(exported) })),
            first: document.shards.map(({ shard, sequence, timeMs }) => ({
              ...{ shard, sequence: sequence + 1 },
              after: timeOrNull(timeMs),
            })),
          },
    jobs: retention.jobs.map(jobObject),
  };
}

function folderObject({ name, closed, toMs, shards, exported }: FolderState): object {
  const ascending = [...shards].sort((a, b) => a.shard - b.shard);
  return { name, closed, newest_at: timeOrNull(toMs), shards: ascending, exported_to: orNull(exported) };
}

function jobObject(job: JournalJob): object {
  const { id, kind, status, folders, kept, records, failure, startedMs, finishedMs } = job;
  return {
    ...{ object: 'journal_job', id, kind, status, folders, records, failure: orNull(failure) },
    kept: kept.map(({ name, why }) => ({ folder: name, why })),
    ...{ started_at: time(startedMs), finished_at: timeOrNull(finishedMs) },
  };
}
