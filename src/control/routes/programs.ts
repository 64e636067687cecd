/** Programs and API tokens: kept in the system journal. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ControlContext } from '../context.js';
import { base32of, derive, type Idempotency } from '../idempotency.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import type { ProgramDefinition, SystemRecord } from '../system-log.js';
import { publicTokenId } from '../tokens.js';
import { programObject, time } from '../views.js';

const idParams = z.object({ id: schemas.chosenId });

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
      errors: ['program_exists', 'capacity_exceeded'],
      answers: { 201: { description: 'The program', schema: schemas.program } },
      handle({ body, idempotency }) {
        const id = body.id ?? newProgramId(context, idempotency);
        if (context.system.program(id) !== undefined)
          throw new ApiError('program_exists', 'A program with this id exists.', { param: '/id' });
        const definition: ProgramDefinition = { ...body, id, name: body.name ?? id };
        return writeProgram(context, definition, 201, idempotency);
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
      summary: 'Read a program',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      answers: { 200: { description: 'The program', schema: schemas.program } },
      handle({ params }) {
        const row = context.system.program(params.id);
        if (row === undefined) throw new ApiError('not_found', 'There is no program with this id.');
        return { status: 200, body: programObject(row) };
      },
    }),
    route({
      id: 'updateProgram',
      method: 'PATCH',
      path: '/v1/programs/{id}',
      tag: 'programs',
      summary: 'Write the next version of a program',
      description: 'Properties that are present replace the old ones whole. Currency, product and sandbox are fixed.',
      access: 'admin',
      idempotency: 'system',
      params: idParams,
      body: schemas.programUpdate,
      answers: { 200: { description: 'The new version', schema: schemas.program } },
      handle({ params, body, idempotency }) {
        const row = context.system.program(params.id);
        if (row === undefined) throw new ApiError('not_found', 'There is no program with this id.');
        const next: ProgramDefinition = { ...row.program };
        if (body.name !== undefined) next.name = body.name;
        if (body.bins !== undefined) next.bins = body.bins;
        if (body.tables !== undefined) next.tables = body.tables;
        if (body.controls !== undefined) next.controls = body.controls;
        return writeProgram(context, next, 200, idempotency);
      },
    }),
  ];
}

function newProgramId(context: ControlContext, idempotency: Idempotency | undefined): string {
  const bytes =
    idempotency === undefined ? randomBytes(17) : derive(context.keys.id, 'program', idempotency.tag.keyHash);
  return `prog_${base32of(bytes)}`;
}

function writeProgram(
  context: ControlContext,
  program: ProgramDefinition,
  status: number,
  idempotency: Idempotency | undefined,
): { status: number; body: unknown } {
  const nowMs = context.nowMs();
  const record = context.system.programRecord(program, nowMs);
  if (record.type !== 'program') throw new TypeError('not a program record');
  const { index, version, createdMs } = record;
  const body = programObject({ index, version, createdMs, updatedMs: nowMs, program });
  context.system.write([record, ...outcomeRecord(idempotency, status, body, nowMs)]);
  return { status, body };
}

/** The outcome that stands beside a system-level effect; nothing without a key. */
export function outcomeRecord(
  idempotency: Idempotency | undefined,
  status: number,
  body: unknown,
  nowMs: number,
): SystemRecord[] {
  if (idempotency === undefined) return [];
  const { key, body: bodyHash } = idempotency;
  return [{ type: 'outcome', key, body: bodyHash, status, answer: JSON.stringify(body), atMs: nowMs }];
}

export function tokenRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createToken',
      method: 'POST',
      path: '/v1/tokens',
      tag: 'tokens',
      summary: 'Create an API token',
      description: 'The secret is shown once, in this answer. A repeat with the same Idempotency-Key does not show it.',
      access: 'admin',
      idempotency: 'system',
      body: schemas.tokenCreate,
      errors: ['capacity_exceeded'],
      answers: { 201: { description: 'The token', schema: schemas.token } },
      handle({ body, idempotency }) {
        context.system.assertTokenRoom();
        const nowMs = context.nowMs();
        const { token, id, record } = context.tokens.mint(body.name, body.scopes, nowMs);
        const object = tokenObject({ id, name: body.name, scopes: body.scopes, createdMs: nowMs });
        context.system.write([record, ...outcomeRecord(idempotency, 201, object, nowMs)]);
        return { status: 201, body: { ...object, token } };
      },
    }),
    route({
      id: 'listTokens',
      method: 'GET',
      path: '/v1/tokens',
      tag: 'tokens',
      summary: 'List the valid tokens, newest first',
      access: 'admin',
      idempotency: 'none',
      query: listQuery({}),
      answers: { 200: { description: 'A page of tokens', schema: schemas.listOf(schemas.token, 'TokenList') } },
      handle({ query }) {
        const page = pageOf(
          context.system.tokens.map((row) => ({ id: publicTokenId(row.id), row })),
          query,
        );
        return listAnswer(
          page.items.map(({ row }) => tokenObject(row)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'revokeToken',
      method: 'DELETE',
      path: '/v1/tokens/{id}',
      tag: 'tokens',
      summary: 'Revoke a token',
      access: 'admin',
      idempotency: 'none',
      params: idParams,
      errors: ['last_admin_token'],
      answers: { 204: { description: 'Revoked' } },
      handle({ params }) {
        const row = context.system.tokens.find(({ id }) => publicTokenId(id) === params.id);
        if (row === undefined) throw new ApiError('not_found', 'There is no token with this id.');
        const admins = context.system.tokens.filter((other) => other.scopes.includes('admin'));
        if (row.scopes.includes('admin') && admins.length === 1)
          throw new ApiError('last_admin_token', 'Create another token with the scope admin first.');
        context.system.write([{ type: 'token_revoked', id: row.id, atMs: context.nowMs() }]);
        return { status: 204 };
      },
    }),
  ];
}

function tokenObject(row: { id: string; name: string; scopes: readonly string[]; createdMs: number }): object {
  return {
    object: 'token',
    id: publicTokenId(row.id),
    name: row.name,
    scopes: row.scopes,
    created_at: time(row.createdMs),
  };
}
