/** Bulk import of accounts and cards. */
import type { Readable } from 'node:stream';
import { BulkImport, type ImportCounts } from '../bulk-import.js';
import type { ControlContext } from '../context.js';
import { type Idempotency, mismatch } from '../idempotency.js';
import { type Answer, type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import { outcomeRecord } from './programs.js';

const PATH = '/v1/bulk/accounts';

export function bulkRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'importAccounts',
      method: 'POST',
      path: PATH,
      tag: 'accounts',
      summary: 'Import accounts and cards, one JSON object per line',
      description:
        'Each line is `{"account":{...},"card":{...}}`; `card` may be absent. Rows are decided one by one: a refused row is listed with its line and reason and stops nothing. With an Idempotency-Key, a finished import is answered again; one that was cut off runs again, and rows that exist are refused as `account_exists`.',
      access: 'write',
      idempotency: 'own',
      body: schemas.importRow,
      streamTypes: ['application/x-ndjson', 'application/ndjson', 'application/jsonl'],
      answers: { 200: { description: 'Counts and refused rows', schema: schemas.importResult } },
      handle({ stream, idempotencyKey }) {
        return idempotencyKey === undefined ? importAll(context, stream) : importOnce(context, stream, idempotencyKey);
      },
    }),
  ];
}

async function importAll(context: ControlContext, stream: Readable): Promise<Answer> {
  return { status: 200, body: importObject(await new BulkImport(context).run(stream)) };
}

/** The body's hash is known only behind the stream, so a key that has an outcome reads the stream and compares. */
async function importOnce(context: ControlContext, stream: Readable, header: string): Promise<Answer> {
  const hasher = context.idempotency.bodyHasher('POST', PATH);
  const { key, tag } = context.idempotency.ofHashes(header, new Uint8Array(32));
  context.idempotency.begin(key, undefined);
  let body: string | undefined;
  try {
    const known = context.system.outcome(key);
    if (known !== undefined) {
      for await (const chunk of stream) hasher.update(chunk as Uint8Array);
      if (known.body !== Buffer.from(hasher.digest()).toString('hex')) throw mismatch();
      return { status: known.status ?? 200, body: JSON.parse(known.answer ?? '{}'), replayed: true };
    }
    const counts = await new BulkImport(context, tag.keyHash).run(stream, (chunk) => hasher.update(chunk));
    const idempotency: Idempotency = context.idempotency.ofHashes(header, hasher.digest());
    context.idempotency.check(key, idempotency.body);
    const object = importObject(counts);
    context.system.write(outcomeRecord(idempotency, 200, object, context.nowMs()));
    body = idempotency.body;
    return { status: 200, body: object };
  } finally {
    context.idempotency.end(key, body);
  }
}

function importObject(counts: ImportCounts): Record<string, unknown> {
  return { object: 'import', ...counts, rejects_truncated: counts.rejected > counts.rejects.length };
}
