/** Bulk import of accounts and cards. */
import type { Readable } from 'node:stream';
import { BulkImport, type ImportCounts } from '../bulk-import.js';
import type { ControlContext } from '../context.js';
import { type KeyedUpload, uploadOnce } from '../once.js';
import { type Answer, type Route, route } from '../route.js';
import { shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';

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
        if (idempotencyKey === undefined) return run(context, stream);
        return uploadOnce(context, PATH, stream, idempotencyKey, (upload) => run(context, stream, upload));
      },
    }),
  ];
}

async function run(context: ControlContext, body: Readable, upload?: KeyedUpload): Promise<Answer> {
  const counts = await new BulkImport(context, upload?.keyHash).run(body, upload?.onChunk);
  return { status: 200, body: importObject(counts) };
}

function importObject(counts: ImportCounts): Record<string, unknown> {
  return { object: 'import', ...counts, rejects_truncated: counts.rejected > counts.rejects.length };
}
