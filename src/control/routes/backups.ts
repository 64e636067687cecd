/** Backups of the running server into the folder of its setting `backup-dir`. */
import { z } from 'zod';
import type { BackupRow } from '../backups.js';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { listOf } from '../schemas.js';
import * as schemas from '../schemas-backups.js';
import { time } from '../views.js';

const params = z.object({ id: z.string().max(64) });

export function backupRoutes({ backups }: Pick<ControlContext, 'backups'>): Route[] {
  return [
    route({
      id: 'createBackup',
      method: 'POST',
      path: '/v1/backups',
      tag: 'operations',
      summary: 'Copy the data of the server, as of one moment, while it serves',
      description:
        'Goes on in the background, in a process of its own, at a bounded rate, one at a time. The folder appears under its name when the backup is complete and on the disk. Keys are not in it: keep the key file, and a token with the scope admin, apart.',
      access: 'admin',
      idempotency: 'answer',
      body: schemas.backupCreate,
      errors: ['not_supported', 'backup_running', 'backup_exists'],
      answers: { 202: { description: 'The backup, which goes on now', schema: schemas.backup } },
      handle: ({ body: { name } }) => ({ status: 202, body: backupObject(backups.start(name)) }),
    }),
    route({
      id: 'listBackups',
      method: 'GET',
      path: '/v1/backups',
      tag: 'operations',
      summary: 'List backups, newest first',
      description: 'Those of this process, and the whole ones in the folder.',
      access: 'read',
      idempotency: 'none',
      query: listQuery({}),
      answers: { 200: { description: 'A page of backups', schema: listOf(schemas.backup, 'BackupList') } },
      handle({ query }) {
        const rows = backups.rows.map((row) => ({ ...row, id: row.name }));
        const page = pageOf(rows, query);
        return listAnswer(page.items.map(backupObject), page.hasMore);
      },
    }),
    route({
      id: 'getBackup',
      method: 'GET',
      path: '/v1/backups/{id}',
      tag: 'operations',
      summary: 'How far a backup is, or what it has',
      access: 'read',
      idempotency: 'none',
      params,
      answers: { 200: { description: 'The backup', schema: schemas.backup } },
      handle({ params: { id } }) {
        const row = backups.row(id);
        if (row === undefined) throw new ApiError('not_found', 'There is no such backup.');
        return { status: 200, body: backupObject(row) };
      },
    }),
  ];
}

function backupObject({
  name,
  status,
  startedMs,
  bytes,
  failure,
  manifest,
}: BackupRow): z.input<typeof schemas.backup> {
  return {
    object: 'backup',
    ...{ id: name, status, bytes },
    created_at: time(startedMs),
    as_of: manifest?.created ?? null,
    records: manifest?.records ?? null,
    head: manifest?.head ?? null,
    key_file: manifest?.keyFile || null,
    failure: failure || null,
  };
}
