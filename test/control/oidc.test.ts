/** Sign-in by an identity provider, with an issuer of the test on this machine. JWTs are made by hand: node:crypto alone. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isSafe, Oidc } from '#src/control/oidc.js';
import { OIDC_CLOCK_TOLERANCE_S } from '#src/limits.js';
import { makeHarness } from './harness.js';

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const rsa: Key = { kid: 'rsa', alg: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
const ec: Key = { kid: 'ec', alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
const stranger: Key = { kid: 'rsa', alg: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };

let served: Key[] = [];
let named = '';
let asked = 0;
const server = createServer((request, response) => {
  asked++;
  const jwks = {
    keys: served.map(({ kid, alg, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, alg })),
  };
  const document = { issuer: named, jwks_uri: `${issuer}/keys` };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(request.url === '/keys' ? jwks : document));
});
let issuer = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  served = [rsa, ec];
  named = issuer;
});
afterAll(() => void server.close());

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function jwt(key: Key, claims: object, header: object = {}): string {
  const input = `${part({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })}.${part(claims)}`;
  const of = key.alg === 'ES256' ? { key: key.privateKey, dsaEncoding: 'ieee-p1363' as const } : key.privateKey;
  return `${input}.${sign('sha256', Buffer.from(input), of).toString('base64url')}`;
}

async function desk() {
  const warnings: string[] = [];
  const settings = { issuer, audience: 'holdfast', roleClaim: 'roles' };
  const oidc = await Oidc.load(settings, { warn: (_fields, text) => void warnings.push(text) });
  const h = makeHarness({ oidc });
  const now = Math.floor(h.engine.nowMs / 1000);
  const claims = { iss: issuer, aud: 'holdfast', sub: 'ana@example', roles: ['auditor'], iat: now, exp: now + 300 };
  const ask = (token: string, url = '/v1/tokens') =>
    h.call('GET', url, undefined, { authorization: `Bearer ${token}` });
  return { h, now, claims, ask, warnings };
}

describe('a JWT of the identity provider', () => {
  it.each([rsa, ec])(
    'lets its subject in with the role that it names, and the audit log names the subject ($alg)',
    async (key) => {
      const { h, claims, ask } = await desk();
      const token = jwt(key, claims);
      expect((await ask(token)).status).toBe(200);
      expect((await ask(token, '/v1/audit')).status).toBe(200);
      const rows = (await h.call('GET', '/v1/audit')).body.data as Record<string, unknown>[];
      expect(rows).toContainEqual(
        expect.objectContaining({ operation: 'readAudit', name: 'ana@example', role: 'auditor' }),
      );
      const post = { authorization: `Bearer ${token}` };
      expect((await h.call('POST', '/v1/tokens', { name: 'x', role: 'admin' }, post)).status).toBe(403);
      expect((await ask(jwt(key, { ...claims, roles: 'risk' }))).status).toBe(403);
      expect((await ask(h.token('read'), '/v1/accounts')).status).toBe(200);
    },
  );

  it('is refused when anything about it is wrong', async () => {
    const { now, claims, ask } = await desk();
    const past = OIDC_CLOCK_TOLERANCE_S;
    const [head, body, signature] = jwt(rsa, claims).split('.') as [string, string, string];
    const unsigned = `${part({ alg: 'none' })}.${body}.`;
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
    const input = `${part({ alg: 'HS256', kid: 'rsa' })}.${body}`;
    const { sub: _sub, ...nobody } = claims;
    const { exp: _exp, ...endless } = claims;
    const wrong = {
      expired: jwt(rsa, { ...claims, exp: now - past }),
      'not yet valid': jwt(rsa, { ...claims, nbf: now + past + 1 }),
      'another issuer': jwt(rsa, { ...claims, iss: 'https://elsewhere.example' }),
      'another audience': jwt(rsa, { ...claims, aud: 'shop' }),
      'another key of the same name': jwt(stranger, claims),
      'an unknown key': jwt({ ...stranger, kid: 'new' }, claims),
      'no subject': jwt(rsa, nobody),
      'no end': jwt(rsa, endless),
      'no role': jwt(rsa, { ...claims, roles: [] }),
      'a role that is none': jwt(rsa, { ...claims, roles: ['root'] }),
      'two roles': jwt(rsa, { ...claims, roles: ['ledger', 'risk'] }),
      'no signature': unsigned,
      'algorithm none with one': `${part({ alg: 'none' })}.${body}.${signature}`,
      'a secret made of the public key': `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`,
      'other claims': `${head}.${part({ ...claims, roles: ['admin'] })}.${signature}`,
      'a critical header': jwt(rsa, claims, { crit: ['x'], x: 1 }),
      'too long': jwt(rsa, { ...claims, more: 'x'.repeat(9000) }),
    };
    const answers = await Promise.all(
      Object.entries(wrong).map(async ([what, token]) => [what, (await ask(token)).status] as const),
    );
    expect(answers).toEqual(Object.keys(wrong).map((what) => [what, 401]));
    // Clocks may differ a little.
    expect((await ask(jwt(rsa, { ...claims, exp: now - past + 1 }))).status).toBe(200);
  });

  it('counts as a wrong token when it is one, and keys are asked for once', async () => {
    const { claims, ask } = await desk();
    expect((await ask(jwt(rsa, claims))).status).toBe(200);
    const before = asked;
    const statuses: number[] = [];
    for (let n = 0; n < 25; n++) statuses.push((await ask(jwt(stranger, claims))).status);
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
    expect((await ask(jwt(ec, claims))).status).toBe(200);
    expect(asked).toBe(before);
  });

  it('is worth nothing while its keys cannot be had, or another issuer answers; later it is, and nobody has guessed', async () => {
    const { h, claims, ask, warnings } = await desk();
    named = 'https://elsewhere.example';
    const refused = await ask(jwt(rsa, claims));
    expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([
      503,
      'identity_provider_unavailable',
      '5',
    ]);
    expect(warnings).toEqual(['the keys of the identity provider cannot be had']);
    // Those who ask at the same time ask the provider once.
    const before = asked;
    const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await ask(jwt(rsa, claims))).status));
    expect([new Set(statuses), asked - before]).toEqual([new Set([503]), 1]);
    expect((await ask(h.token('read'), '/v1/accounts')).status).toBe(200);
    named = issuer;
    expect((await ask(jwt(rsa, claims))).status).toBe(200);
    // None of them counts against the address.
    expect((await ask(jwt(stranger, claims))).status).toBe(401);
  });

  it('needs the package, and says how to get it', async () => {
    const settings = { issuer, audience: 'holdfast', roleClaim: 'roles' };
    const failure = await Oidc.load(settings, { warn: () => undefined }, 'jose-that-is-not-there').catch(
      (one: unknown) => one,
    );
    expect(failure).toMatchObject({ code: 'config_invalid', next: 'npm install jose@6' });
  });

  it('comes from an issuer by TLS, or from this machine', () => {
    for (const url of ['https://id.example', 'http://127.0.0.1:9', 'http://localhost:9'])
      expect(isSafe(url)).toBe(true);
    for (const url of ['http://id.example', 'file:///etc', 'id.example', '']) expect(isSafe(url)).toBe(false);
  });
});
