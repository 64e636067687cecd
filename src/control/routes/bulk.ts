/** Bulk import of accounts and cards. */
import type { Readable } from 'node:stream';
import { BulkImport, type ImportCounts } from '../bulk-import.js';
import type { ControlContext } from '../context.js';
import { mismatch } from '../idempotency.js';
import { claimKey } from '../once.js';
import { type Answer, type Route, route } from '../route.js';
import { shardWrite } from '../route-errors.js';
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
        'Each line is `{"account":{...},"card":{...}}`; `card` may be absent. Rows are decided one by one: a refused row is listed with its line and reason and stops nothing. With an Idempotency-Key, a finished import is answered again; one that was cut off runs again, and rows that exist are refused as `card_exists`, or as `account_exists` where the row brings no card number.',
      access: 'write',
      idempotency: 'own',
      body: schemas.importRow,
      streamTypes: ['application/x-ndjson', 'application/ndjson', 'application/jsonl'],
      errors: [...shardWrite],
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

/**
 * The body's hash is known only behind the stream: the key is claimed for this call, and the body is compared with that of a
 * finished import, which is read for it.
 */
async function importOnce(context: ControlContext, stream: Readable, header: string): Promise<Answer> {
  const hasher = context.idempotency.bodyHasher('POST', PATH);
  const call = context.idempotency.of(header, 'POST', PATH, new Uint8Array(0));
  return context.idempotency.exclusively(call, async () => {
    await claimKey(context.shards, call);
    const known = context.system.outcome(call.key);
    if (known !== undefined) {
      for await (const chunk of stream) hasher.update(chunk as Uint8Array);
      if (known.body !== Buffer.from(hasher.digest()).toString('hex')) throw mismatch();
      return { status: known.status, body: JSON.parse(known.answer), replayed: true };
    }
    const counts = await new BulkImport(context, call.tag.keyHash).run(stream, (chunk) => hasher.update(chunk));
    const idempotency = context.idempotency.ofHashes(header, hasher.digest());
    const object = importObject(counts);
    context.system.write(outcomeRecord(idempotency, 200, object, context.nowMs()));
    return { status: 200, body: object };
  });
}

function importObject(counts: ImportCounts): Record<string, unknown> {
  return { object: 'import', ...counts, rejects_truncated: counts.rejected > counts.rejects.length };
}
