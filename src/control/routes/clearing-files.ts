/** Clearing files: upload, state, list. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { WantedOptions } from '../../clearing/reader.js';
import { clearingFileObject } from '../clearing/file-object.js';
import { isUnfinished } from '../clearing/registry.js';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { uploadOnce } from '../once.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { chosenId, listOf } from '../schemas.js';
import * as schemas from '../schemas-clearing.js';

const PATH = '/v1/clearing-files';

export function clearingFileRoutes(context: ControlContext): Route[] {
  const { system, clearing } = context;
  const show = (id: string): object | undefined => clearingFileObject(system, clearing, id);
  return [
    route({
      id: 'uploadClearingFile',
      method: 'POST',
      path: PATH,
      tag: 'clearing',
      summary: 'Send a clearing file to be posted',
      description:
        'The answer comes when the file is durable; it is then read as a whole, and posted or quarantined as a whole. A repeat needs no Idempotency-Key: the content of an unfinished file joins that file, that of a posted one is answered as a duplicate with its outcome.',
      access: 'write',
      idempotency: 'own',
      query: schemas.clearingFileUpload,
      streamTypes: ['application/octet-stream'],
      errors: ['payload_too_large', 'disk_full'],
      answers: { 202: { description: 'The file, which is processed now', schema: schemas.clearingFile } },
      handle({ stream, query: { format, encoding, blocked }, idempotencyKey }) {
        if (format === 'ctf' && ((encoding !== 'auto' && encoding !== 'ascii') || blocked === 'true'))
          throw new ApiError('invalid_query', 'A CTF file is ASCII without blocks.', { param: 'format' });
        const wanted = { format, encoding, blocked: blocked === 'auto' ? blocked : blocked === 'true' } as const;
        if (idempotencyKey === undefined) return receive(context, stream, wanted);
        return uploadOnce(context, PATH, stream, idempotencyKey, ({ onChunk }) =>
          receive(context, stream, wanted, onChunk),
        );
      },
    }),
    route({
      id: 'listClearingFiles',
      method: 'GET',
      path: PATH,
      tag: 'clearing',
      summary: 'List clearing files, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({ status: z.enum(schemas.clearingFileStatuses).optional() }),
      answers: { 200: { description: 'A page of files', schema: listOf(schemas.clearingFileRow, 'ClearingFileList') } },
      handle({ query }) {
        const { status } = query;
        const rows = system.clearingFiles.rows.filter(
          ({ state }) => status === undefined || status === (isUnfinished(state) ? 'processing' : state),
        );
        const page = pageOf(rows, query);
        return listAnswer(
          page.items.map(({ id }) => {
            const { totals: _totals, findings: _findings, ...row } = clearingFileObject(system, clearing, id)!;
            return row;
          }),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'getClearingFile',
      method: 'GET',
      path: `${PATH}/{id}`,
      tag: 'clearing',
      summary: 'Read the state of a clearing file, with its progress',
      access: 'read',
      idempotency: 'none',
      params: z.object({ id: chosenId }),
      answers: { 200: { description: 'The file', schema: schemas.clearingFile } },
      handle({ params: { id } }) {
        const body = show(id);
        if (body === undefined) throw new ApiError('not_found', 'There is no such clearing file.');
        return { status: 200, body };
      },
    }),
  ];
}

type Wanted = Omit<WantedOptions, 'mode'>;

async function receive(
  { system, clearing }: ControlContext,
  stream: Readable,
  wanted: Wanted,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<Answer> {
  const id = await clearing.receive(stream, wanted, onChunk);
  return { status: 202, body: clearingFileObject(system, clearing, id) };
}
