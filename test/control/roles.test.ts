/** Roles: every call of the OpenAPI document x every role, what holds for all, and the life of a token with a role. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertRoles, type Role, roles, rolesOf } from '#src/control/roles.js';
import { TOKENS_MAX } from '#src/limits.js';
import { makeHarness, restart } from './harness.js';

interface Operation {
  readonly operationId: string;
  readonly 'x-roles': readonly Role[];
}

const h = makeHarness();
const { body: document } = await h.call('GET', '/openapi.json');
const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, one]) => ({ method: method.toUpperCase(), path, ...one })),
);
const needsToken = operations.filter((one) => one['x-roles'].length > 0);

describe('role x endpoint', () => {
  const tokens = new Map(roles.map((role) => [role, `Bearer ${h.roleToken(role)}`]));
  for (const { method, path, operationId, 'x-roles': allowed } of needsToken) {
    it(`${method} ${path}: ${allowed.join(', ')}`, async () => {
      const codes: Record<string, boolean> = {};
      for (const role of roles) {
        const answer = await h.app.inject({
          method: method as 'GET',
          url: path.replace(/\{\w+\}/g, 'sample'),
          remoteAddress: '10.0.0.9',
          headers: { authorization: tokens.get(role)! },
          query: operationId === 'profile' ? { thread: 'shard-0' } : {},
        });
        expect(answer.statusCode).not.toBe(401);
        codes[role] = answer.statusCode !== 403;
        if (answer.statusCode === 403) expect(answer.json()).toMatchObject({ code: 'forbidden', status: 403 });
      }
      expect(codes).toEqual(Object.fromEntries(roles.map((role) => [role, allowed.includes(role)])));
    });
  }
});

describe('the table of roles', () => {
  it('names every call but the open ones, which need no token', () => {
    const open = operations.filter((one) => one['x-roles'].length === 0).map(({ operationId }) => operationId);
    expect(open.sort()).toEqual(
      h.routes
        .filter(({ access }) => access === 'open')
        .map(({ id }) => id)
        .sort(),
    );
    expect(needsToken).toHaveLength(h.routes.length - open.length);
    for (const one of needsToken) expect(one['x-roles']).toContain('admin');
  });

  it('lets no server start with a call that it does not name, or names in vain', () => {
    const routes = h.routes.map(({ id, access }) => ({ id, access }));
    assertRoles(routes);
    expect(() => assertRoles([...routes, { id: 'somethingNew', access: 'read' }])).toThrow(/who may call somethingNew/);
    expect(() => assertRoles(routes.filter(({ id }) => id !== 'getCard'))).toThrow(/do not exist: getCard/);
    expect(rolesOf({ id: 'somethingNew', access: 'read' })).toEqual([]);
  });

  it('keeps duties apart', () => {
    const may = (role: Role): string[] =>
      needsToken.filter((one) => one['x-roles'].includes(role)).map(({ operationId }) => operationId);
    const health = ['livez', 'readyz', 'version', 'metrics'];
    const approvals = ['listApprovals', 'getApproval', 'confirmApproval', 'rejectApproval'];
    for (const role of ['key-custodian-a', 'key-custodian-b'] as const)
      expect(may(role)).toEqual(['getKeys', 'rotateKeys', ...approvals, ...health]);
    const changes = new Set(h.routes.filter(({ method }) => method !== 'GET').map(({ id }) => id));
    for (const role of ['viewer', 'auditor'] as const) expect(may(role).filter((id) => changes.has(id))).toEqual([]);
    const readsAudit = roles.filter((role) => may(role).includes('readAudit'));
    expect(readsAudit).toEqual(['auditor', 'admin']);
    for (const id of ['createToken', 'rotateToken', 'revokeToken'])
      expect(needsToken.find((one) => one.operationId === id)!['x-roles']).toEqual(['admin']);
  });

  it('is on the page about access', () => {
    const page = readFileSync(new URL('../../docs/reference/access.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `((?:GET|POST|PATCH|DELETE) [^`]+)` \| ([^|]+) \|$/gm)];
    expect(rows.map(([, call, who]) => `${call} ${who}`).sort()).toEqual(
      needsToken.map((one) => `${one.method} ${one.path} ${one['x-roles'].join(', ')}`).sort(),
    );
  });
});

describe('a token with a role', () => {
  const create = (one: ReturnType<typeof makeHarness>, body: object) => one.call('POST', '/v1/tokens', body);
  const asks = async (one: ReturnType<typeof makeHarness>, secret: string, url = '/v1/accounts'): Promise<number> =>
    (await one.call('GET', url, undefined, { authorization: `Bearer ${secret}` })).status;

  it('is made with a role or with scopes, and never both', async () => {
    const one = makeHarness();
    const made = await create(one, { name: 'Ana', role: 'auditor' });
    expect(made.body).toMatchObject({ role: 'auditor', scopes: [], expires_at: null, earlier_secret_until: null });
    expect(await asks(one, made.body.token, '/v1/audit')).toBe(200);
    for (const body of [{ name: 'x' }, { name: 'x', role: 'root' }, { name: 'x', role: 'risk', scopes: ['read'] }])
      expect((await create(one, body)).status).toBe(422);
    expect((await one.call('GET', '/v1/audit')).text).toContain('"role":"auditor"');
  });

  it('expires at its second, also over a restart', async () => {
    const one = makeHarness();
    const { body } = await create(one, { name: 'Ben', role: 'viewer', ttl_seconds: 60 });
    expect(body.expires_at).toBe(new Date(one.engine.nowMs + 60_000).toISOString());
    one.engine.nowMs += 59_999;
    expect(await asks(one, body.token)).toBe(200);
    const later = restart(one);
    later.engine.nowMs = one.engine.nowMs;
    expect(await asks(later, body.token)).toBe(200);
    later.engine.nowMs += 1;
    expect(await asks(later, body.token)).toBe(401);
    const listed = await later.call('GET', '/v1/tokens?limit=100');
    expect(listed.text).not.toContain(body.id);
    expect((await later.call('POST', `/v1/tokens/${body.id}/rotate`, {})).status).toBe(404);
  });

  it('has a new secret after a rotation, and the old one for the grace alone', async () => {
    const one = makeHarness();
    const first = await create(one, { name: 'Cai', role: 'viewer' });
    const { id, token: old } = first.body;
    const rotated = await one.call('POST', `/v1/tokens/${id}/rotate`, { grace_seconds: 10, ttl_seconds: 600 });
    expect(rotated.body).toMatchObject({ id, name: 'Cai', role: 'viewer' });
    expect(rotated.body.earlier_secret_until).toBe(new Date(one.engine.nowMs + 10_000).toISOString());
    const fresh: string = rotated.body.token;
    expect([await asks(one, old), await asks(one, fresh)]).toEqual([200, 200]);
    const later = restart(one);
    later.engine.nowMs = one.engine.nowMs + 9_999;
    expect([await asks(later, old), await asks(later, fresh)]).toEqual([200, 200]);
    later.engine.nowMs += 1;
    expect([await asks(later, old), await asks(later, fresh)]).toEqual([401, 200]);
    // Two rotations later the first secret is gone, whatever its grace was.
    await later.call('POST', `/v1/tokens/${id}/rotate`, { grace_seconds: 3600 });
    const last = await later.call('POST', `/v1/tokens/${id}/rotate`, { grace_seconds: 0 });
    expect([await asks(later, old), await asks(later, fresh), await asks(later, last.body.token)]).toEqual([
      ...[401, 401, 200],
    ]);
    expect((await later.call('DELETE', `/v1/tokens/${id}`)).status).toBe(204);
    expect(await asks(later, last.body.token)).toBe(401);
    expect(JSON.stringify(later.log.records)).not.toContain(fresh.split('_').slice(2).join('_'));
  });

  it('does not show its new secret to a repeat of the rotation', async () => {
    const one = makeHarness();
    const { body } = await create(one, { name: 'Dan', role: 'viewer' });
    const key = { 'idempotency-key': 'rotate-1' };
    const first = await one.call('POST', `/v1/tokens/${body.id}/rotate`, {}, key);
    const again = await one.call('POST', `/v1/tokens/${body.id}/rotate`, {}, key);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.body.token).toBeUndefined();
    expect(await asks(one, first.body.token)).toBe(200);
  });

  it('makes room when it has expired', async () => {
    const one = makeHarness();
    for (let n = one.context.system.tokens.length; n < TOKENS_MAX; n++)
      one.context.system.write([one.context.tokens.mint('many', { role: 'viewer' }, one.engine.nowMs, 60).record]);
    expect((await create(one, { name: 'full', role: 'viewer' })).status).toBe(503);
    one.engine.nowMs += 60_000;
    expect((await create(one, { name: 'room', role: 'viewer' })).status).toBe(201);
    expect(one.context.system.tokens.length).toBeLessThan(10);
  });

  it('of the last admin that does not expire stays', async () => {
    const one = makeHarness();
    const listed = await one.call('GET', '/v1/tokens');
    const [{ id }] = listed.body.data;
    await create(one, { name: 'for a while', role: 'admin', ttl_seconds: 60 });
    expect((await one.call('DELETE', `/v1/tokens/${id}`)).body.code).toBe('last_admin_token');
    const expiring = await one.call('POST', `/v1/tokens/${id}/rotate`, { ttl_seconds: 60 });
    expect(expiring.body.code).toBe('last_admin_token');
    await create(one, { name: 'for good', role: 'admin' });
    expect((await one.call('DELETE', `/v1/tokens/${id}`)).status).toBe(204);
  });

  it('is not guessed by changing it', async () => {
    const one = makeHarness();
    const secret = one.roleToken('admin');
    const nowMs = one.engine.nowMs;
    const authenticate = (text: string) => one.context.tokens.authenticate(text, nowMs);
    expect(authenticate(`Bearer ${secret}`)?.role).toBe('admin');
    const changed = fc
      .tuple(fc.nat(secret.length - 1), fc.string({ unit: 'binary-ascii', maxLength: 3 }), fc.nat(3))
      .map(([at, put, cut]) => secret.slice(0, at) + put + secret.slice(at + cut));
    fc.assert(
      fc.property(
        fc.oneof(
          changed,
          fc.string(),
          fc.string().map((text) => `${secret}${text}`),
        ),
        (text) => {
          if (text.trim() === secret) return;
          expect(authenticate(`Bearer ${text}`)).toBeUndefined();
          expect(authenticate(text)).toBeUndefined();
        },
      ),
      { numRuns: 2000 },
    );
  });
});
