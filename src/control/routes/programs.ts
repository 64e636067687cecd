/** Programs and API tokens: kept in the system journal. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { assertKeys } from '../card-keys.js';
import type { ControlContext } from '../context.js';
import { mergedControls } from '../controls.js';
import { base32of, derive, type Idempotency } from '../idempotency.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { outcomeRecord } from '../once.js';
import { ApiError } from '../problem.js';
import { assertBins, mergedTables } from '../program-check.js';
import { programDefinition } from '../program-file.js';
import { type Answer, type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import type { ProgramDefinition } from '../system-log.js';
import { type ProgramRow, rowOf } from '../system-state.js';
import { programObject } from '../views.js';

const idParams = z.object({ id: schemas.chosenId });
const revisionQuery = z.strictObject({
  revision: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'a whole number from 1')
    .transform(Number)
    .optional()
    .describe('An earlier revision; without it the newest.')
    .meta({ type: 'integer', minimum: 1, pattern: undefined }),
});

export function programRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createProgram',
      method: 'POST',
      path: '/v1/programs',
      tag: 'programs',
      summary: 'Create a program',
      access: 'admin',
      idempotency: 'system',
      body: schemas.programCreate,
      errors: ['program_exists', 'capacity_exceeded', 'outcome_unknown'],
      answers: { 201: { description: 'The program', schema: schemas.program } },
      handle({ body, idempotency }) {
        const id = body.id ?? newProgramId(context, idempotency);
        if (context.system.program(id) !== undefined)
          throw new ApiError('program_exists', 'A program with this id exists.', { param: '/id' });
        return writeProgram(context, programDefinition(body, id), 201, idempotency, body.tables);
      },
    }),
    route({
      id: 'listPrograms',
      method: 'GET',
      path: '/v1/programs',
      tag: 'programs',
      summary: 'List programs, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({}),
      answers: { 200: { description: 'A page of programs', schema: schemas.listOf(schemas.program, 'ProgramList') } },
      handle({ query }) {
        const rows = context.system.programs.map((row) => ({ id: row.program.id, row }));
        const page = pageOf(rows, query);
        return listAnswer(
          page.items.map(({ row }) => programObject(row)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'getProgram',
      method: 'GET',
      path: '/v1/programs/{id}',
      tag: 'programs',
      summary: 'Read a program, or an earlier revision of it',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      query: revisionQuery,
      answers: { 200: { description: 'The program', schema: schemas.program } },
      handle({ params, query }) {
        const row = requireProgram(context, params.id);
        const { revision = row.revision } = query;
        return { status: 200, body: programObject(requireRevision(context, row, revision)) };
      },
    }),
    route({
      id: 'listProgramRevisions',
      method: 'GET',
      path: '/v1/programs/{id}/revisions',
      tag: 'programs',
      summary: 'List all revisions of a program, newest first',
      description: 'The cursors are numbers of revisions.',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      query: listQuery({}),
      answers: {
        200: { description: 'A page of revisions', schema: schemas.listOf(schemas.program, 'ProgramRevisionList') },
      },
      handle({ params, query }) {
        const row = requireProgram(context, params.id);
        const revisions = Array.from({ length: row.revision }, (_, i) => ({ id: String(i + 1), revision: i + 1 }));
        const page = pageOf(revisions, query);
        return listAnswer(
          page.items.map(({ revision }) => programObject(requireRevision(context, row, revision))),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'updateProgram',
      method: 'PATCH',
      path: '/v1/programs/{id}',
      tag: 'programs',
      summary: 'Write the next revision of a program',
      description:
        'A property that is present replaces the old one whole; of `tables` each table that is named; `controls` are merged (RFC 7396). Currency and sandbox are fixed. The answer comes when every shard in service decides with the revision.',
      access: 'admin',
      idempotency: 'system',
      params: idParams,
      body: schemas.programUpdate,
      errors: ['outcome_unknown'],
      answers: { 200: { description: 'The new revision', schema: schemas.program } },
      handle({ params, body, idempotency }) {
        const { program } = requireProgram(context, params.id);
        const next: ProgramDefinition = {
          ...program,
          name: body.name ?? program.name,
          product: body.product ?? program.product,
          bins: body.bins ?? program.bins,
          tables: body.tables === undefined ? program.tables : mergedTables(program.tables, body.tables),
          controls: body.controls === undefined ? program.controls : mergedControls(program.controls, body.controls),
        };
        return writeProgram(context, next, 200, idempotency, body.tables ?? {});
      },
    }),
  ];
}

function requireProgram(context: ControlContext, id: string): ProgramRow {
  const row = context.system.program(id);
  if (row === undefined) throw new ApiError('not_found', 'There is no program with this id.');
  return row;
}

function requireRevision(context: ControlContext, row: ProgramRow, revision: number): ProgramRow {
  const found = revision === row.revision ? row : context.system.programRevision(row.program.id, revision);
  if (found === undefined) throw new ApiError('not_found', 'The program has no such revision.');
  return found;
}

function newProgramId(context: ControlContext, idempotency: Idempotency | undefined): string {
  const bytes =
    idempotency === undefined ? randomBytes(17) : derive(context.keys.id, 'program', idempotency.tag.keyHash);
  return `prog_${base32of(bytes)}`;
}

/**
 * Durable in the system journal first, then in every shard.
 * @param changed tables that the request names: keys are looked for when it says something of them
 */
async function writeProgram(
  context: ControlContext,
  program: ProgramDefinition,
  status: number,
  idempotency: Idempotency | undefined,
  changed: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const nowMs = context.nowMs();
  const { system } = context;
  assertBins(
    program,
    system.programs.map((row) => row.program),
    system.program(program.id)?.program.bins,
  );
  const record = system.programRecord(program, nowMs);
  const row = rowOf(record);
  if (changed.cryptography !== undefined) assertKeys(row, context.cardKeys);
  const body = programObject(row);
  system.write([record, ...outcomeRecord(idempotency, status, body, nowMs)]);
  await context.programs.send();
  return { status, body };
}
