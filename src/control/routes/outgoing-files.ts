/** Files for a network: chargebacks that it has not been told of, made on command and handed out to administrators. */
import { z } from 'zod';
import type { ControlContext } from '../context.js';
import { inTurn } from '../in-turn.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { outcomeRecord } from '../once.js';
import { leftOutObjects } from '../outgoing/files.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { journalRead } from '../route-errors.js';
import { listOf } from '../schemas.js';
import * as shapes from '../schemas-outgoing.js';
import type { OutgoingFileRecord } from '../system-log.js';
import { time } from '../views.js';

const PATH = '/v1/outgoing-files';
const params = z.object({ id: z.string().max(64) });

export function outgoingFileRoutes(context: ControlContext): Route[] {
  const { system, outgoing } = context;

  function required(id: string): OutgoingFileRecord {
    const file = system.outgoing.file(id);
    if (file === undefined) throw new ApiError('not_found', 'There is no such file.');
    return file;
  }

  return [
    route({
      id: 'createOutgoingFile',
      method: 'POST',
      path: PATH,
      tag: 'disputes',
      summary: 'Make the file of the chargebacks that are in none yet',
      description:
        'Every chargeback, and what takes one back, is in one file, in the order of their steps. A file has at most 10 000: what is more is left to the next.',
      access: 'write',
      idempotency: 'system',
      body: shapes.outgoingFileCreate,
      errors: ['nothing_to_send', 'capacity_exceeded', ...journalRead],
      answers: { 201: { description: 'The file', schema: shapes.outgoingFile } },
      async handle({ body, idempotency }) {
        const file = await inTurn(context, PATH, () =>
          outgoing.make(context, body, (made) =>
            outcomeRecord(idempotency, 201, fileObject(context, made), context.nowMs()),
          ),
        );
        return { status: 201, body: fileObject(context, file) };
      },
    }),
    route({
      id: 'listOutgoingFiles',
      method: 'GET',
      path: PATH,
      tag: 'disputes',
      summary: 'List files for the network, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({}),
      answers: { 200: { description: 'A page of files', schema: listOf(shapes.outgoingFile, 'OutgoingFileList') } },
      handle({ query }) {
        const page = pageOf(system.outgoing.files, query);
        return listAnswer(
          page.items.map((file) => fileObject(context, file)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'getOutgoingFile',
      method: 'GET',
      path: `${PATH}/{id}`,
      tag: 'disputes',
      summary: 'Read what a file for the network has',
      access: 'read',
      idempotency: 'none',
      params,
      answers: { 200: { description: 'The file', schema: shapes.outgoingFile } },
      handle: ({ params: { id } }) => ({ status: 200, body: fileObject(context, required(id)) }),
    }),
    route({
      id: 'getOutgoingFileContent',
      method: 'GET',
      path: `${PATH}/{id}/content`,
      tag: 'disputes',
      summary: 'Get the content of a file for the network',
      description: 'It has card numbers in clear. Each time is recorded with the token. It is the same every time.',
      access: 'admin',
      reveals: 'card_numbers',
      idempotency: 'none',
      params,
      errors: ['content_lost', ...journalRead],
      answers: { 200: { description: 'The file', contentType: 'application/octet-stream' } },
      async handle({ params: { id }, tokenId = '' }) {
        const body = await outgoing.content(context, required(id), tokenId);
        return { status: 200, contentType: 'application/octet-stream', body };
      },
    }),
  ];
}

function fileObject(context: ControlContext, file: OutgoingFileRecord): object {
  const { id, number, options, chargebacks, reversals, leftOut, bytes, sha256, atMs } = file;
  const sent = context.system.outgoing.sent(id);
  return {
    object: 'outgoing_file',
    ...{ id, number, file_id: options.fileId, mode: options.mode },
    ...{ encoding: options.encoding, blocked: options.blocked, chargebacks, reversals },
    left_out: leftOutObjects(context, leftOut),
    ...{ bytes, sha256, downloads: sent?.times ?? 0 },
    downloaded_at: sent === undefined ? null : time(sent.first),
    created_at: time(atMs),
  };
}
