import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLoopback } from '#src/control/app.js';
import { SystemState } from '#src/control/system-state.js';
import { type Scope, scopes, Tokens } from '#src/control/tokens.js';
import { WrongTokens } from '#src/control/wrong-tokens.js';
import { WRONG_TOKEN_ADDRESSES_MAX, WRONG_TOKENS_PER_ADDRESS } from '#src/limits.js';
import { MemoryLog, makeHarness } from './harness.js';

const h = makeHarness();
const sample = (path: string): string => path.replace(/\{\w+\}/g, 'sample');

describe('scope x endpoint', () => {
  for (const route of h.routes) {
    const name = `${route.method} ${route.path}`;
    const ask = (authorization: string | undefined, remoteAddress = '127.0.0.1') =>
      h.app.inject({
        method: route.method,
        url: sample(route.path),
        remoteAddress,
        headers: authorization === undefined ? {} : { authorization },
        query: route.id === 'profile' ? { thread: 'shard-0' } : {},
      });

    if (route.access === 'open') {
      it(`${name} is open`, async () => {
        expect((await ask(undefined, '10.0.0.9')).statusCode).toBe(200);
      });
      continue;
    }
    const needed: Scope = route.access === 'loopback' ? 'read' : route.access;
    it(`${name} needs ${needed}${route.access === 'loopback' ? ' from elsewhere' : ''}`, async () => {
      for (const scope of scopes) {
        const { statusCode } = await ask(`Bearer ${h.token(scope)}`, '10.0.0.9');
        if (scope === needed) expect([401, 403]).not.toContain(statusCode);
        else expect(statusCode).toBe(403);
      }
      const without = await ask(undefined, '10.0.0.9');
      expect(without.statusCode).toBe(401);
      expect(without.headers['www-authenticate']).toMatch(/^Bearer/);
      expect(without.json().code).toBe('unauthorized');
      const local = await ask(undefined, '127.0.0.1');
      expect(local.statusCode === 401).toBe(route.access !== 'loopback');
    });
  }

  it('denies what has no route to everybody without a token', async () => {
    const { statusCode } = await h.app.inject({ method: 'GET', url: '/v1/secrets' });
    expect(statusCode).toBe(401);
  });
});

describe('tokens', () => {
  it('are refused when altered, revoked, or malformed', async () => {
    const good = h.token('read');
    const status = async (authorization: string) =>
      (await h.app.inject({ method: 'GET', url: '/v1/programs', headers: { authorization } })).statusCode;
    expect(await status(`Bearer ${good}`)).toBe(200);
    expect(await status(`bearer ${good}`)).toBe(200);
    const flipped = good.slice(0, -2) + (good.at(-2) === 'A' ? 'B' : 'A') + good.at(-1);
    for (const wrong of [`Bearer ${flipped}`, `Basic ${good}`, good, 'Bearer', `Bearer ${good} x`, 'Bearer hf_x_y'])
      expect(await status(wrong)).toBe(401);
    const id = `tok_${good.split('_')[1]!}`;
    expect((await h.call('DELETE', `/v1/tokens/${id}`)).status).toBe(204);
    expect(await status(`Bearer ${good}`)).toBe(401);
  });

  it('are created with a secret that is shown once and kept nowhere', async () => {
    const key = { 'idempotency-key': 'token-1' };
    const created = await h.call('POST', '/v1/tokens', { name: 'ci', scopes: ['read'] }, key);
    expect(created.status).toBe(201);
    const secret: string = created.body.token;
    const again = await h.call('POST', '/v1/tokens', { name: 'ci', scopes: ['read'] }, key);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.body).not.toHaveProperty('token');
    expect((await h.call('GET', '/v1/tokens')).text).not.toContain(secret);
    expect(JSON.stringify(h.log.records)).not.toContain(secret);
    expect(h.logged()).not.toContain(secret);
  });

  it('are nothing but themselves: no other text of a header is taken for one, and none fails the server', async () => {
    const one = makeHarness();
    const good = one.token('read');
    const other = one.token('read');
    const { tokens } = one.context;
    const accepted = (header: string): boolean => tokens.authenticate(header, one.engine.nowMs) !== undefined;
    expect(accepted(`Bearer ${good}`)).toBe(true);
    const place = fc.nat(good.length - 1);
    const changed = fc.oneof(
      fc
        .tuple(place, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }))
        .map(([at, to]) => good.slice(0, at) + to + good.slice(at + 1)),
      place.map((at) => good.slice(0, at)),
      place.map((at) => good.slice(at)),
      place.map((at) => good.slice(0, at) + other.slice(at)),
      fc.tuple(place, place).map(([a, b]) => good.slice(0, Math.min(a, b)) + good.slice(Math.max(a, b))),
      fc.string({ unit: 'binary', minLength: 1 }).map((more) => good + more),
      fc.constantFrom(
        good.toUpperCase(),
        `${good}=`,
        `${good},${good}`,
        `${good} ${other}`,
        `%20${good}`,
        [...good].reverse().join(''),
      ),
    );
    const headers = fc.oneof(
      {
        weight: 4,
        arbitrary: changed.filter((text) => text.trim() !== good && text !== other).map((text) => `Bearer ${text}`),
      },
      fc.constantFrom(`Basic ${good}`, `Bearer${good}`, good, `Token ${good}`, 'Bearer', 'Bearer ', ''),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(headers, (header) => {
        expect(accepted(header)).toBe(false);
      }),
      { numRuns: 3000 },
    );
    await fc.assert(
      fc.asyncProperty(headers, async (header) => {
        // What no client can send in a header never gets this far.
        const authorization = header.replace(/[^\x20-\x7e]/g, '?');
        if (accepted(authorization)) return;
        const { statusCode } = await one.app.inject({ url: '/v1/accounts', headers: { authorization } });
        expect([401, 429]).toContain(statusCode);
      }),
    );
  });

  it('of a browser are worth nothing to another page: no answer allows another origin, no cookie is set or read', async () => {
    const one = makeHarness();
    const token = one.token('read');
    const origin = 'https://elsewhere.example';
    for (const route of one.routes) {
      const url = sample(route.path);
      const preflight = {
        origin,
        'access-control-request-method': route.method,
        'access-control-request-headers': 'authorization',
      };
      const asked = await one.app.inject({ method: 'OPTIONS', url, headers: preflight });
      expect(asked.statusCode).toBeGreaterThanOrEqual(400);
      const called = await one.app.inject({
        method: route.method,
        url,
        headers: { origin, cookie: `token=${token}; authorization=Bearer ${token}` },
        remoteAddress: '10.0.0.9',
        query: route.id === 'profile' ? { thread: 'shard-0' } : {},
      });
      if (route.access !== 'open') expect(called.statusCode).toBe(401);
      for (const { headers } of [asked, called])
        for (const name of Object.keys(headers)) expect(name).not.toMatch(/^(access-control-|set-cookie$)/);
    }
  });

  it('leave at least one admin', async () => {
    const fresh = makeHarness();
    const { data } = (await fresh.call('GET', '/v1/tokens')).body;
    expect(data).toHaveLength(1);
    const answer = await fresh.call('DELETE', `/v1/tokens/${data[0].id}`);
    expect([answer.status, answer.body.code]).toEqual([409, 'last_admin_token']);
  });

  it('begin with a file that only its owner reads, once', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-token-'));
    try {
      const log = new MemoryLog();
      const state = new SystemState(log);
      const tokens = new Tokens(state, Buffer.alloc(32, 7));
      tokens.ensureAdminToken(folder, 0);
      const path = join(folder, 'admin.token');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const token = readFileSync(path, 'utf8').trim();
      expect(tokens.authenticate(`Bearer ${token}`, 0)?.scopes).toEqual(scopes);
      rmSync(path);
      new Tokens(new SystemState(log), Buffer.alloc(32, 7)).ensureAdminToken(folder, 0);
      expect(existsSync(path)).toBe(false);
      expect(new Tokens(new SystemState(log), Buffer.alloc(32, 8)).authenticate(`Bearer ${token}`, 0)).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are answered 429 after too many wrong ones of an address; a right one never is', async () => {
    const fresh = makeHarness();
    const good = `Bearer ${fresh.token('read')}`;
    const wrong = `Bearer hf_000000000000_${'A'.repeat(43)}`;
    const ask = (authorization: string | undefined, remoteAddress = '10.0.0.9', url = '/v1/programs') =>
      fresh.app.inject({
        method: 'GET',
        url,
        remoteAddress,
        headers: authorization === undefined ? {} : { authorization },
      });
    for (let i = 0; i < 30; i++) expect((await ask(undefined)).statusCode).toBe(401);
    for (let i = 0; i < WRONG_TOKENS_PER_ADDRESS; i++) {
      // Whatever is wrong with it, and wherever it is sent.
      const url = ['/v1/programs', '/v1/nothing', '/metrics'][i % 3]!;
      expect((await ask([wrong, 'Basic x', 'Bearer'][i % 3]!, '10.0.0.9', url)).statusCode).toBe(401);
      expect((await ask(good)).statusCode).toBe(200);
    }
    fresh.engine.nowMs += 15_500;
    const limited = await ask(wrong);
    expect([limited.statusCode, limited.headers['retry-after']]).toEqual([429, '45']);
    expect(limited.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(limited.headers['www-authenticate']).toBeUndefined();
    expect(limited.json()).toMatchObject({ status: 429, code: 'too_many_wrong_tokens' });
    expect(limited.body).not.toContain('AAAA');
    expect((await ask(wrong, '10.0.0.9', '/v1/nothing')).statusCode).toBe(429);
    expect((await ask(good)).statusCode).toBe(200);
    expect((await ask(undefined)).statusCode).toBe(401);
    expect((await ask(wrong, '10.0.0.8')).statusCode).toBe(401);
    expect(fresh.context.wrongTokens.counts).toEqual({ denied: WRONG_TOKENS_PER_ADDRESS + 1, limited: 2 });
    fresh.engine.nowMs += 44_500;
    expect((await ask(wrong)).statusCode).toBe(401);
  });

  it('that are wrong are counted for a bounded number of addresses, the oldest minute is forgotten', () => {
    const wrongTokens = new WrongTokens();
    const answers = (address: string, nowMs: number): number[] =>
      Array.from({ length: WRONG_TOKENS_PER_ADDRESS + 1 }, () => wrongTokens.count(address, nowMs)).slice(-2);
    expect(answers('first', 0)).toEqual([0, 60]);
    expect(answers('second', 1)).toEqual([0, 60]);
    for (let i = 2; i < WRONG_TOKEN_ADDRESSES_MAX; i++) expect(wrongTokens.count(`other ${i}`, 2)).toBe(0);
    expect(wrongTokens.count('first', 59_999)).toBe(1);
    expect(wrongTokens.count('one more', 3)).toBe(0);
    expect(wrongTokens.count('second', 4)).toBe(60);
    expect(wrongTokens.count('first', 4)).toBe(0);
    // A clock that was set back does not lock anybody out for longer than a minute.
    expect(answers('third', 1_000_000)).toEqual([0, 60]);
    expect(wrongTokens.count('third', 999_999)).toBe(0);
  });

  it('know what this machine is', () => {
    const table: [string | undefined, boolean][] = [
      ['127.0.0.1', true],
      ['127.9.9.9', true],
      ['::1', true],
      ['::ffff:127.0.0.1', true],
      ['10.0.0.1', false],
      ['::ffff:10.0.0.1', false],
      ['127.0.0.1.example', false],
      [undefined, false],
    ];
    for (const [address, local] of table) expect(isLoopback(address)).toBe(local);
  });
});

describe('health', () => {
  it('says why it is not ready', async () => {
    const fresh = makeHarness();
    expect((await fresh.call('GET', '/readyz')).body).toEqual({ status: 'ready', reasons: [], warnings: [] });
    fresh.warnings.push({ check: 'clock', detail: 'paused' });
    const warned = await fresh.call('GET', '/readyz');
    expect([warned.status, warned.body]).toEqual([
      200,
      { status: 'ready', reasons: [], warnings: [{ check: 'clock', detail: 'paused' }] },
    ]);
    fresh.warnings.pop();
    fresh.notReady.push({ check: 'shard-3', detail: 'rebuilding' });
    const answer = await fresh.call('GET', '/readyz');
    expect(answer.status).toBe(503);
    expect(answer.body).toEqual({
      status: 'not_ready',
      reasons: [{ check: 'shard-3', detail: 'rebuilding' }],
      warnings: [],
    });
    expect((await fresh.call('GET', '/livez')).status).toBe(200);
    expect((await fresh.call('GET', '/version')).body).toMatchObject({ name: 'holdfast' });
  });

  it('gives profiles where it can', async () => {
    const control = await h.call('POST', '/v1/profile?thread=control&seconds=0.01');
    expect([control.status, control.headers['content-disposition']]).toEqual([
      200,
      'attachment; filename="control.cpuprofile"',
    ]);
    expect((await h.call('POST', '/v1/profile?thread=shard-0')).status).toBe(501);
    expect((await h.call('POST', '/v1/profile?thread=nobody')).status).toBe(400);
  });
});
