/** What is no proper request, byte by byte over a socket: every answer is a problem, and nothing is logged as a defect. */
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_BODY_DEPTH_MAX, API_CONNECTIONS_MAX } from '#src/limits.js';
import { panOfNumber } from '#src/vault/pan.js';
import { type Harness, makeHarness } from './harness.js';

const PROBLEM = 'application/problem+json; charset=utf-8';

let h: Harness;
let port: number;
beforeAll(async () => {
  h = makeHarness();
  await h.app.listen({ host: '127.0.0.1', port: 0 });
  const address = h.app.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  port = address.port;
});
afterAll(() => h.app.close());

interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Sends the bytes and reads until the server ends the connection, or has answered in full. */
function send(bytes: string | Buffer, end = false): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', ...rest] = text.split('\r\n\r\n');
      const [line = '', ...lines] = head.split('\r\n');
      const headers = Object.fromEntries(
        lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()]),
      );
      resolve({ status: Number(line.split(' ')[1] ?? 0), headers, body: rest.join('\r\n\r\n') });
    });
    socket.write(bytes);
    if (end) socket.end();
  });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const token = (): string => `Authorization: Bearer ${h.token('read', 'write', 'admin')}\r\n`;
const JSON_TYPE = 'Content-Type: application/json\r\n';
const NDJSON = 'Content-Type: application/x-ndjson\r\n';

function request(method: string, path: string, headers = '', body: string | Buffer = ''): Buffer {
  const length = /content-length|transfer-encoding/i.test(headers)
    ? ''
    : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: test\r\n${headers}${length}Connection: close\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

function deep(levels: number): string {
  return `{"currency":"BRL","bins":["999998"],"tables":{"a":${'['.repeat(levels)}${']'.repeat(levels)}}}`;
}

// name, bytes, status, code
const cases: [name: string, bytes: () => string | Buffer, status: number, code: string][] = [
  ['no HTTP', () => 'HELLO\r\n\r\n', 400, 'bad_request'],
  ['a TLS greeting', () => Buffer.from('160301020001000', 'hex'), 400, 'bad_request'],
  ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'bad_request'],
  ['an unknown method', () => request('FOO', '/v1/accounts', token()), 400, 'bad_request'],
  [
    'headers that are too large',
    () => request('GET', '/livez', `X: ${'a'.repeat(20_000)}\r\n`),
    431,
    'headers_too_large',
  ],
  ['no Host', () => 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'bad_request'],
  ['a URL that cannot be decoded', () => request('GET', '/v1/accounts/%zz', token()), 400, 'bad_request'],
  ['a path that is too long', () => request('GET', `/v1/accounts/${'a'.repeat(9000)}`, token()), 404, 'not_found'],
  [
    'two lengths',
    () =>
      request(
        'POST',
        '/v1/accounts',
        `${token()}${JSON_TYPE}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n`,
        '0\r\n\r\n',
      ),
    400,
    'bad_request',
  ],
  [
    'a broken chunk',
    () => request('POST', '/v1/accounts', `${token()}${JSON_TYPE}Transfer-Encoding: chunked\r\n`, 'zz\r\n'),
    400,
    'bad_request',
  ],
  [
    'a body that says it is too large',
    () => request('POST', '/v1/accounts', `${token()}${JSON_TYPE}Content-Length: 2000000\r\n`, '{'),
    413,
    'payload_too_large',
  ],
  [
    'a body that becomes too large',
    () =>
      request(
        'POST',
        '/v1/accounts',
        `${token()}${JSON_TYPE}Transfer-Encoding: chunked\r\n`,
        `180000\r\n${'a'.repeat(0x180000)}\r\n0\r\n\r\n`,
      ),
    413,
    'payload_too_large',
  ],
  ['a body without a type', () => request('POST', '/v1/accounts', token(), '{}'), 415, 'unsupported_media_type'],
  [
    'a body with an empty type',
    () => request('POST', '/v1/accounts', `${token()}Content-Type: \r\n`, '{}'),
    415,
    'unsupported_media_type',
  ],
  [
    'a body of another type',
    () => request('POST', '/v1/accounts', `${token()}Content-Type: text/xml\r\n`, '<a/>'),
    415,
    'unsupported_media_type',
  ],
  [
    'an import where an object belongs',
    () => request('POST', '/v1/accounts', `${token()}${NDJSON}`, '{}'),
    415,
    'unsupported_media_type',
  ],
  [
    'an object where an import belongs',
    () => request('POST', '/v1/bulk/accounts', `${token()}${JSON_TYPE}`, '{}'),
    415,
    'unsupported_media_type',
  ],
  ['an import without a body', () => request('POST', '/v1/bulk/accounts', token()), 415, 'unsupported_media_type'],
  [
    'a compressed body',
    () => request('POST', '/v1/accounts', `${token()}${JSON_TYPE}Content-Encoding: gzip\r\n`, gzipSync('{}')),
    415,
    'unsupported_media_type',
  ],
  [
    'a compressed import',
    () => request('POST', '/v1/bulk/accounts', `${token()}${NDJSON}Content-Encoding: gzip\r\n`, gzipSync('{}')),
    415,
    'unsupported_media_type',
  ],
  [
    'a body that is no UTF-8',
    () => request('POST', '/v1/accounts', `${token()}${JSON_TYPE}`, Buffer.from('{"id":"\xff"}', 'latin1')),
    400,
    'invalid_json',
  ],
  [
    'a body that never ends to nest',
    () => request('POST', '/v1/programs', `${token()}${JSON_TYPE}`, '['.repeat(500_000)),
    400,
    'invalid_json',
  ],
  [
    'a body nested one too deep',
    () => request('POST', '/v1/programs', `${token()}${JSON_TYPE}`, deep(API_BODY_DEPTH_MAX - 1)),
    400,
    'invalid_json',
  ],
  [
    'a prototype',
    () => request('POST', '/v1/accounts', `${token()}${JSON_TYPE}`, '{"__proto__":{"credit_limit":5}}'),
    422,
    'validation_failed',
  ],
  ['null', () => request('POST', '/v1/accounts', `${token()}${JSON_TYPE}`, 'null'), 422, 'validation_failed'],
  ['no body', () => request('POST', '/v1/accounts', token()), 422, 'validation_failed'],
  [
    'no token, before a byte of the body is read',
    () => request('POST', '/v1/accounts', `${JSON_TYPE}Content-Length: 2000000\r\n`, '{'),
    401,
    'unauthorized',
  ],
  [
    'no token for an import',
    () => request('POST', '/v1/bulk/accounts', `${NDJSON}Content-Length: 2000000\r\n`, '{'),
    401,
    'unauthorized',
  ],
  [
    'a wrong token',
    () => request('GET', '/v1/accounts', 'Authorization: Bearer hf_000000000000_x\r\n'),
    401,
    'unauthorized',
  ],
  ['no token where nothing is', () => request('GET', '/v1/nothing'), 401, 'unauthorized'],
  [
    'the wrong scope',
    () => request('POST', '/v1/simulate/authorization', `${token()}${JSON_TYPE}`, '{}'),
    403,
    'forbidden',
  ],
  [
    'a method that the endpoint does not have',
    () => request('PUT', '/v1/accounts/x', `${token()}Content-Type: text/xml\r\n`, '<a/>'),
    405,
    'method_not_allowed',
  ],
  ['OPTIONS', () => request('OPTIONS', '/livez'), 405, 'method_not_allowed'],
  ['a path in other letters', () => request('GET', '/V1/accounts', token()), 404, 'route_not_found'],
  ['an empty id', () => request('GET', '/v1/accounts/', token()), 404, 'not_found'],
  ['a parameter twice', () => request('GET', '/v1/accounts?limit=1&limit=2', token()), 400, 'invalid_query'],
  ['a number that is none', () => request('GET', '/v1/accounts?limit=0x10', token()), 400, 'invalid_query'],
  [
    'a time without a zone',
    () => request('GET', '/v1/authorizations?since=2026-01-01T00:00:00', token()),
    400,
    'invalid_query',
  ],
  [
    'a day that no month has',
    () => request('GET', '/v1/authorizations?until=2026-02-30T00:00:00Z', token()),
    400,
    'invalid_query',
  ],
];

describe('a request with', () => {
  it.each(cases)('%s is answered with a problem', async (_, bytes, status, code) => {
    const answer = await send(bytes());
    expect([answer.status, answer.headers['content-type']]).toEqual([status, PROBLEM]);
    const problem = JSON.parse(answer.body);
    expect(problem).toMatchObject({ status, code, type: `/docs/errors#${code}` });
    expect(problem.request_id).toBe(answer.headers['x-request-id']);
    expect('allow' in answer.headers).toBe(status === 405);
    expect('www-authenticate' in answer.headers).toBe(status === 401);
    expect(h.logged()).not.toContain('request failed');
  });

  it.each([
    ['/v1/clearing-files', 'Content-Type: text/plain\r\n', 'application/octet-stream'],
    ['/v1/clearing-files', 'Content-Type: application/x-www-form-urlencoded\r\n', 'application/octet-stream'],
    ['/v1/clearing-files', '', 'application/octet-stream'],
    ['/v1/accounts', 'Content-Type: text/xml\r\n', 'application/json'],
    ['/v1/bulk/accounts', JSON_TYPE, 'application/x-ndjson or application/ndjson or application/jsonl'],
  ])('a type that %s does not take is told which it takes, however large the body is', async (path, type, wanted) => {
    const large = request('POST', path, `${token()}${type}Content-Length: 3000000\r\n`, 'x');
    for (const bytes of [request('POST', path, `${token()}${type}`, 'x'), large]) {
      const { status, body } = await send(bytes);
      expect([status, JSON.parse(body).code]).toEqual([415, 'unsupported_media_type']);
      expect(JSON.parse(body).detail).toBe(`Send Content-Type: ${wanted}.`);
    }
  });

  it('an unusual but proper form is served', async () => {
    const fine = [
      request('GET', '/livez', 'Expect: something\r\n'),
      'GET /livez HTTP/1.0\r\n\r\n',
      request('POST', '/v1/accounts', `${token()}Content-Type: Application/JSON; charset=utf-8\r\n`, '{}'),
      request('POST', '/v1/accounts', `${token()}${JSON_TYPE}Content-Encoding: identity\r\n`, '{}'),
      request('GET', `/v1/authorizations?since=${encodeURIComponent('2026-01-01T00:00:00.123456+05:30')}`, token()),
      request('POST', '/v1/bulk/accounts', `${token()}${NDJSON}`, '{"account":{}}'),
    ];
    for (const bytes of fine) {
      const { status, body } = await send(bytes);
      expect([status, body]).toEqual([expect.toSatisfy((one: number) => one < 300), body]);
    }
  });

  it('very many or very long unknown names is answered with little', async () => {
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`property ${n}`, 1]));
    for (const body of [many, { ['x'.repeat(900_000)]: 1 }]) {
      const answer = await h.call('POST', '/v1/accounts', body);
      expect([answer.status, answer.body.errors.length <= 20]).toEqual([422, true]);
      expect(answer.text.length).toBeLessThan(10_000);
    }
  });

  it('one connection more than the bound is closed, and served when there is room again', async () => {
    const sockets = await Promise.all(
      Array.from(
        { length: API_CONNECTIONS_MAX },
        () =>
          new Promise<Socket>((done, fail) => {
            const socket: Socket = connect(port, '127.0.0.1', () => done(socket)).on('error', fail);
          }),
      ),
    );
    const connections = (): Promise<number> =>
      new Promise((done) => h.app.server.getConnections((_error, count) => done(count)));
    while ((await connections()) < API_CONNECTIONS_MAX) await turn();
    const refused = connect(port, '127.0.0.1').on('error', () => undefined);
    await new Promise((closed) => refused.on('close', closed));
    for (const socket of sockets) socket.destroy();
    while ((await connections()) > 0) await turn();
    expect((await send(request('GET', '/v1/programs', token()))).status).toBe(200);
  });

  it('a body as deep as may be, or with brackets in a text, is read and judged', async () => {
    for (const body of [deep(API_BODY_DEPTH_MAX - 2), deep(1).replace('[]', `"${'[\\"'.repeat(100)}"`)]) {
      const answer = await send(request('POST', '/v1/programs', `${token()}${JSON_TYPE}`, body));
      expect([answer.status, JSON.parse(answer.body).param]).toEqual([422, '/tables/a']);
    }
  });

  it('a body that the sender gives up is no failure of ours, and keeps nothing waiting', async () => {
    const key = 'Idempotency-Key: given-up\r\n';
    const row = '{"account":{"id":"cut"}}\n';
    const cut = [
      request('POST', '/v1/accounts', `${token()}${JSON_TYPE}Content-Length: 200\r\n`, '{"id":'),
      request('POST', '/v1/bulk/accounts', `${token()}${NDJSON}${key}Content-Length: 200\r\n`, row),
    ];
    for (const bytes of cut) {
      const socket = connect(port, '127.0.0.1');
      socket.write(bytes);
      while (bytes === cut[1] && h.engine.commands.at(-1)?.op !== 'claim_key') await turn();
      await turn();
      socket.destroy();
    }
    let again: RawAnswer;
    do again = await send(request('POST', '/v1/bulk/accounts', `${token()}${NDJSON}${key}`, row));
    while (again.status === 409);
    expect(JSON.parse(again.body)).toMatchObject({ object: 'import', accounts: 1 });
    expect(h.logged()).not.toContain('request failed');
  });
});

describe('a card number', () => {
  const pan = panOfNumber('999999', 4_711);
  const encoded = [...pan].map((digit) => `%3${digit}`).join('');
  const grouped = pan.replace(/(\d{4})(?=\d)/g, '$1 ');
  const dashed = grouped.replaceAll(' ', '-');
  const forms = [pan, encoded, grouped, encodeURIComponent(grouped), dashed];
  const text = (answer: { body: string }): string =>
    answer.body
      .replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/[ +_-]/g, '');

  it('is not repeated, however it is written', async () => {
    const sent = forms.flatMap((form) => {
      const inPath = encodeURI(form).replaceAll('%253', '%3').replaceAll('%2520', '%20');
      const inJson = decodeURIComponent(form);
      return [
        ...['/v1/accounts/', '/v1/cards/', '/v1/payments/', '/v1/tokens/', '/v1/', '/'].map((path) =>
          request('GET', `${path}${inPath}`, token()),
        ),
        request('GET', `/v1/accounts?${inPath}=1`, token()),
        request('GET', `/v1/authorizations?card=${inPath}&status=${inPath}&rrn=${inPath}`, token()),
        request('GET', `/v1/accounts/${inPath}/%zz`, token()),
        request('POST', '/v1/accounts', `${token()}${JSON_TYPE}`, JSON.stringify({ id: inJson, [inJson]: inJson })),
        request('POST', '/v1/accounts', `${token()}${JSON_TYPE}`, `{"id":"${inJson}"`),
        request(
          'POST',
          '/v1/programs',
          `${token()}${JSON_TYPE}`,
          JSON.stringify({ name: inJson, tables: { [inJson]: 1 } }),
        ),
        request('POST', '/v1/tokens', `${token()}${JSON_TYPE}`, JSON.stringify({ name: inJson, scopes: [inJson] })),
        request(
          'POST',
          '/v1/cards',
          `${token()}${JSON_TYPE}`,
          JSON.stringify({ account: inJson, pan: inJson, expiry: inJson }),
        ),
        request(
          'POST',
          '/v1/bulk/accounts',
          `${token()}${NDJSON}`,
          JSON.stringify({ account: { id: inJson }, [inJson]: 1 }),
        ),
        request(
          'PATCH',
          `/v1/accounts/${inPath}`,
          `${token()}${JSON_TYPE}Idempotency-Key: ${inJson}\r\n`,
          '{"status":"frozen"}',
        ),
      ];
    });
    for (const bytes of sent) {
      const answer = await send(bytes);
      expect([bytes.toString().split('\r\n')[0], text(answer).includes(pan)]).toEqual([expect.anything(), false]);
    }
    const logged = h.logged();
    for (const form of [pan, encoded, grouped, dashed]) expect(logged).not.toContain(form);
  });

  it('is no name of an object, nor part of a table', async () => {
    for (const form of [pan, grouped, dashed]) {
      const wrong: [string, object, string][] = [
        ['/v1/accounts', { id: form.replaceAll(' ', '-') }, '/id'],
        ['/v1/tokens', { name: `card ${form}`, scopes: ['read'] }, '/name'],
        ['/v1/programs', { name: `card ${form}`, currency: 'BRL', bins: ['999998'] }, '/name'],
        ['/v1/programs', { currency: 'BRL', bins: ['999998'], tables: { a: [{ b: form }] } }, '/tables'],
        ['/v1/programs', { currency: 'BRL', bins: ['999998'], controls: { [form]: 1 } }, '/controls'],
      ];
      for (const [url, body, param] of wrong) {
        const answer = await h.call('POST', url, body);
        expect([answer.status, answer.body.param]).toEqual([422, param]);
      }
    }
    expect((await h.call('POST', '/v1/accounts', { id: 'acc-2026-01-31-0000001' })).status).toBe(201);
  });
});

describe('a server that stops', () => {
  it('says so on connections that are still open', async () => {
    const own = makeHarness();
    await own.app.listen({ host: '127.0.0.1', port: 0 });
    const { port: ownPort } = own.app.server.address() as { port: number };
    const authorization = `Bearer ${own.token('read', 'write')}`;
    let go: () => void = () => undefined;
    own.engine.before = () => new Promise((resolve) => (go = resolve));
    const socket = connect(ownPort, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const head = (method: string): string =>
      `${method} /v1/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n`;
    socket.write(`${head('POST')}${JSON_TYPE}Content-Length: 2\r\n\r\n{}`);
    while (own.engine.commands.length === 0) await turn();
    const closed = own.app.close();
    for (let i = 0; i < 20; i++) await turn();
    socket.write(`${head('GET')}\r\n`);
    go();
    await closed;
    while (!socket.closed) await turn();
    const [first, second] = text.split('HTTP/1.1 ').slice(1);
    expect(first).toMatch(/^201 /);
    expect(second).toMatch(/^503 /);
    expect(second!.toLowerCase()).toContain(`content-type: ${PROBLEM}`);
    expect(second!.toLowerCase()).toContain('retry-after: 5');
    expect(second).toContain('"code":"stopping"');
    socket.destroy();
  });
});
