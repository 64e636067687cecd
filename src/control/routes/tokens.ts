/** API tokens: made, listed without their secrets, given a new secret, revoked. */
import { z } from 'zod';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { outcomeRecord } from '../once.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import { rotatedRow, type TokenRow, tokenRowOf } from '../system-state.js';
import { isAdmin, isValid, publicTokenId } from '../tokens.js';
import { time } from '../views.js';

const params = z.object({ id: schemas.chosenId });

export function tokenRoutes(context: ControlContext): Route[] {
  const { system, tokens } = context;
  const valid = (): TokenRow[] => system.tokens.filter((row) => isValid(row, context.nowMs()));

  function required(id: string): TokenRow {
    const row = valid().find((one) => publicTokenId(one.id) === id);
    if (row === undefined) throw new ApiError('not_found', 'There is no token with this id.');
    return row;
  }

  /** Before a token goes, now or when it expires: somebody must be able to make others. */
  function keepAnAdmin(row: TokenRow): void {
    const others = valid().filter((one) => one.id !== row.id && isAdmin(one) && one.untilMs === undefined);
    if (isAdmin(row) && others.length === 0)
      throw new ApiError('last_admin_token', 'Create another admin token that does not expire first.');
  }

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
        const nowMs = context.nowMs();
        const { name, role, scopes = [], ttl_seconds: ttl } = body;
        // Those that have expired make room.
        const expired = system.tokens.filter((row) => !isValid(row, nowMs));
        system.assertTokenRoom(expired.length);
        const { token, record } = tokens.mint(name, role === undefined ? { scopes } : { role }, nowMs, ttl);
        const object = tokenObject(tokenRowOf(record), nowMs);
        const gone = expired.map(({ id }) => ({ type: 'token_revoked', id, atMs: nowMs }) as const);
        system.write([...gone, record, ...outcomeRecord(idempotency, 201, object, nowMs)]);
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
          valid().map((row) => ({ id: publicTokenId(row.id), row })),
          query,
        );
        return listAnswer(
          page.items.map(({ row }) => tokenObject(row, context.nowMs())),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'rotateToken',
      method: 'POST',
      path: '/v1/tokens/{id}/rotate',
      tag: 'tokens',
      summary: 'Give a token a new secret',
      description:
        'The new secret is shown once, in this answer, and counts at once; the one before is taken for `grace_seconds` more. Name and rights stay; `ttl_seconds` counts anew, and without it the token does not expire.',
      access: 'admin',
      idempotency: 'system',
      params,
      body: schemas.tokenRotate,
      errors: ['last_admin_token'],
      answers: { 200: { description: 'The token', schema: schemas.token } },
      handle({ params: { id }, body, idempotency }) {
        const nowMs = context.nowMs();
        const row = required(id);
        if (body.ttl_seconds !== undefined) keepAnAdmin(row);
        const { token, record } = tokens.rotate(row, nowMs, body.grace_seconds, body.ttl_seconds);
        const object = tokenObject(rotatedRow(row, record), nowMs);
        system.write([record, ...outcomeRecord(idempotency, 200, object, nowMs)]);
        return { status: 200, body: { ...object, token } };
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
      params,
      errors: ['last_admin_token'],
      answers: { 204: { description: 'Revoked' } },
      handle({ params: { id } }) {
        const row = required(id);
        keepAnAdmin(row);
        system.write([{ type: 'token_revoked', id: row.id, atMs: context.nowMs() }]);
        return { status: 204 };
      },
    }),
  ];
}

function tokenObject({ id, name, role, scopes, createdMs, untilMs, earlier }: TokenRow, nowMs: number): object {
  return {
    object: 'token',
    id: publicTokenId(id),
    name,
    role: role ?? null,
    scopes,
    created_at: time(createdMs),
    expires_at: untilMs === undefined ? null : time(untilMs),
    earlier_secret_until: earlier === undefined || earlier.untilMs <= nowMs ? null : time(earlier.untilMs),
  };
}
