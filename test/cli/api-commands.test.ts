import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lines } from '#src/cli/explain.js';
import { rowFault } from '#src/cli/import.js';
import { parseSample } from '#src/cli/metrics.js';
import { say } from './fake-terminal.js';

let folder = '';
let server: Server | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-api-'));
  writeFileSync(join(folder, 'token'), 'secret-token\n');
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A server with one behaviour; the flags that reach it. */
async function api(handler: Handler): Promise<string[]> {
  server = createServer((request, response) => void handler(request, response));
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return ['--admin', `http://127.0.0.1:${port}`, '--token-file', join(folder, 'token')];
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const row = (n: number) => JSON.stringify({ account: { id: `a${n}` }, card: { pan: '9999990000000014' } });

describe('what is masked', () => {
  const pan = '9999990000000014';
  // A count that satisfies the check of a card number, a text with a card number, an id that holds a long run of digits.
  const id = 'auth_99999900000000140000000000';
  const object = {
    id,
    held: Number(pan),
    name: `SHOP ${pan}`,
    list: [{ rrn: pan.slice(0, 12), posted: -Number(pan) }],
  };
  const shown = { ...object, name: 'SHOP 999999******0014' };

  test('stays JSON, and numbers and ids stay as they are: inspect, explain, import', async () => {
    const flags = await api(async (request, response) => {
      await readText(request);
      if (request.url!.includes('/entries')) json(response, 200, { data: [object] });
      else json(response, 200, object);
    });
    const account = await say(['inspect', 'account', 'a1', ...flags]);
    expect(
      account.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([shown, shown]);
    const explained = await say(['explain', id, '--json', ...flags]);
    expect(JSON.parse(explained.out)).toEqual({ authorization: shown, explanation: shown });
    const told = await say(['explain', id, ...flags]);
    expect(told.out).toContain('name: SHOP 999999******0014\n');
    expect(told.out).toContain(`held: ${pan}\n`);
    const imported = await say(['import', file('masked.ndjson', row(1)), '--json', ...flags]);
    expect(JSON.parse(imported.out)).toEqual(shown);
  });
});

describe('import', () => {
  test('streams the rows with the token and tells the counts', async () => {
    let got = { path: '', token: '', type: '', body: '' };
    const flags = await api(async (request, response) => {
      const body = await readText(request);
      got = { path: request.url!, token: request.headers.authorization!, type: request.headers['content-type']!, body };
      json(response, 200, { object: 'bulk_result', accounts: 3, cards: 3, rejected: 0, rejects: [] });
    });
    const text = `${row(1)}\n\n${row(2)}\r\n${row(3)}`;
    expect(await say(['import', file('good.ndjson', text), ...flags])).toEqual({
      status: 0,
      out: 'imported accounts=3 cards=3 rejected=0\n',
      err: '',
    });
    expect(got).toEqual({
      path: '/v1/bulk/accounts',
      token: 'Bearer secret-token',
      type: 'application/x-ndjson',
      body: text,
    });
  });

  test('rejected rows: 65, each told, no card number', async () => {
    const flags = await api(async (request, response) => {
      await readText(request);
      const rejects = [{ row: 2, code: 'card_exists', detail: 'card 9999990000000014 exists' }];
      json(response, 200, { accounts: 1, cards: 1, rejected: 1, rejects });
    });
    const path = file('rejected.ndjson', `${row(1)}\n${row(2)}\n`);
    const { status, out, err } = await say(['import', path, ...flags]);
    expect(status).toBe(65);
    expect(out).toBe('imported accounts=1 cards=1 rejected=1\n');
    expect(err).toBe('row 2: card_exists: card 999999******0014 exists\n');
    const asJson = await say(['import', path, ...flags, '--json']);
    expect(JSON.parse(asJson.out)).toMatchObject({ accounts: 1, rejected: 1 });
    expect(asJson.out).not.toContain('9999990000000014');
  });

  test('a malformed line stops everything before anything is sent, without its content', async () => {
    let requests = 0;
    const flags = await api((_request, response) => {
      requests++;
      json(response, 200, {});
    });
    const path = file('bad.ndjson', `${row(1)}\n{"account":9999990000000014\n${row(3)}\n[]\n{}\n`);
    const { status, out, err } = await say(['import', path, ...flags]);
    expect(status).toBe(65);
    expect(out).toBe('');
    expect(err.trimEnd().split('\n')).toEqual([
      `holdfast: ${path}:2: not JSON`,
      `holdfast: ${path}:4: not an object`,
      `holdfast: ${path}:5: no "account" object. Next: nothing was sent; correct the lines and repeat`,
    ]);
    expect(requests).toBe(0);
  });

  test('many malformed lines are counted, an empty, a missing file and a folder are refused', async () => {
    const many = await say(['import', file('many.ndjson', 'x\n'.repeat(500))]);
    expect(many.status).toBe(65);
    expect(many.err.trimEnd().split('\n')).toHaveLength(21);
    expect(many.err).toContain('500 malformed lines in all');
    for (const path of [file('empty.ndjson', '\n'), join(folder, 'missing.ndjson'), folder]) {
      expect((await say(['import', path])).status).toBe(65);
    }
  });

  test('a server that refuses before it has read the body', async () => {
    const flags = await api((_request, response) =>
      json(response, 401, { title: 'A valid bearer token is required', code: 'unauthorized', request_id: 'req_1' }),
    );
    const path = file('large.ndjson', `${row(1)}\n`.repeat(200_000));
    const { status, err } = await say(['import', path, ...flags]);
    expect(status).toBe(64);
    expect(err).toContain('A valid bearer token is required (401 unauthorized, request req_1)');
    expect(err).toContain('Next: give --token-file');
  });

  test('nobody there: 69', async () => {
    const flags = await api(() => undefined);
    server!.closeAllConnections();
    server!.close();
    const { status, err } = await say(['import', file('one.ndjson', row(1)), ...flags]);
    expect(status).toBe(69);
    expect(err).toContain('ECONNREFUSED');
  });

  test.each([
    ['{"account":{}}', undefined],
    ['{"account":{},"card":{}}', undefined],
    ['{"account":{},"card":1}', '"card" is not an object'],
    ['null', 'not an object'],
    ['{"card":{}}', 'no "account" object'],
    ['{', 'not JSON'],
  ])('row %s: %s', (text, fault) => {
    expect(rowFault(text)).toBe(fault);
  });
});

describe('explain', () => {
  const authorization = {
    object: 'authorization',
    id: 'auth_x',
    status: 'pending',
    response_code: '00',
    amount: 1234,
    currency: 'BRL',
  };
  const explanation = {
    object: 'explanation',
    verdicts: [
      { step: 'format', verdict: 'pass' },
      { step: 'funds', verdict: 'pass' },
    ],
    balances: { before: { posted: 0, held: 0 }, after: { posted: 0, held: 1234 } },
    journal: { shard: 3, sequence: 17 },
  };

  test('finds by RRN and shows everything the server tells', async () => {
    const asked: string[] = [];
    const flags = await api((request, response) => {
      asked.push(request.url!);
      if (request.url!.includes('?')) json(response, 200, { object: 'list', data: [authorization], has_more: false });
      else json(response, 200, request.url!.endsWith('/explain') ? explanation : authorization);
    });
    const { status, out } = await say(['explain', '632600000042', ...flags]);
    expect(status).toBe(0);
    expect(asked.sort()).toEqual([
      '/v1/authorizations/auth_x',
      '/v1/authorizations/auth_x/explain',
      '/v1/authorizations?rrn=632600000042',
    ]);
    expect(out).toBe(`id=auth_x status=pending response_code=00 amount=1234 currency=BRL
  verdicts:
    step=format verdict=pass
    step=funds verdict=pass
  balances:
    before: posted=0 held=0
    after: posted=0 held=1234
  journal: shard=3 sequence=17
`);
    const asJson = await say(['explain', 'auth_x', '--json', ...flags]);
    expect(JSON.parse(asJson.out)).toEqual({ authorization, explanation });
  });

  test('the id of an element explains that message; legs are one line', async () => {
    const asked: string[] = [];
    const postings = [
      { account: '1100', name: 'receivable purchases', debit: 50, credit: 0 },
      { account: '2100', name: 'network settlement payable', debit: 0, credit: 50 },
    ];
    const linked = [{ object: 'authorization_element', id: 'elem_a', type: 'completion', postings, undoes: null }];
    const flags = await api((request, response) => {
      asked.push(request.url!);
      json(
        response,
        200,
        request.url!.endsWith('/explain') ? { element: 'elem_b', postings: [], linked } : authorization,
      );
    });
    const { out } = await say(['explain', 'elem_b', ...flags]);
    expect(asked.sort()).toEqual(['/v1/authorizations/elem_b', '/v1/authorizations/elem_b/explain']);
    expect(out.split('\n').slice(1)).toEqual([
      '  element: elem_b',
      '  linked:',
      '    id=elem_a type=completion postings=1100 D 50, 2100 C 50',
      '',
    ]);
  });

  test('unknown: 65; no RRN at all: 64', async () => {
    const flags = await api((request, response) => {
      if (request.url!.includes('?')) json(response, 200, { object: 'list', data: [], has_more: false });
      else json(response, 404, { detail: 'There is no such authorization.', code: 'not_found' });
    });
    expect((await say(['explain', '000000000000', ...flags])).status).toBe(65);
    expect((await say(['explain', 'auth_unknown', ...flags])).status).toBe(65);
    expect((await say(['explain', 'far too long for an RRN', ...flags])).status).toBe(64);
  });

  test('lists of nested objects stay readable', () => {
    expect(lines('a', [], 1)).toEqual(['  a: none']);
    expect(lines('a', [{ b: { c: 1 } }], 0)).toEqual(['a:', '  -:\n    b: c=1']);
  });
});

describe('inspect expiry', () => {
  const shards = [
    { shard: 0, currency: 'BRL', holds: 2, amount: 3200 },
    { shard: 3, currency: 'JPY', holds: 1, amount: 300 },
  ];
  const totals = [{ currency: 'BRL', holds: 2, amount: 3200 }];

  test('prints a line per shard and currency, then the totals', async () => {
    const asked: string[] = [];
    const until = '2026-12-24T00:00:00.000Z';
    const flags = await api((request, response) => {
      asked.push(request.url!);
      json(response, 200, { object: 'holds_due', until, paused: false, totals, shards });
    });
    const { status, out } = await say(['inspect', 'expiry', '--until', '2026-12-24T01:00:00+01:00', ...flags]);
    expect(status).toBe(0);
    const printed = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(printed).toEqual([...shards, { until, paused: false, totals }]);
    await say(['inspect', 'expiry', ...flags]);
    expect(asked).toEqual(['/v1/holds/due?until=2026-12-24T01%3A00%3A00%2B01%3A00', '/v1/holds/due']);
    expect(await say(['sweep', '--dry-run', '--until', '2026-12-24', ...flags])).toEqual({ status: 0, out, err: '' });
    expect(asked[2]).toBe('/v1/holds/due?until=2026-12-24');
  });

  test('a sweep that is none of a dry run is not offered', async () => {
    const asked: string[] = [];
    const flags = await api((request, response) => {
      asked.push(request.url!);
      json(response, 200, {});
    });
    const { status, err } = await say(['sweep', ...flags]);
    expect(status).toBe(64);
    expect(err).toContain('--dry-run');
    expect(asked).toEqual([]);
  });
});

describe('accrue', () => {
  test('asks until the day is done, and prints the sums', async () => {
    const got: string[] = [];
    const flags = await api(async (request, response) => {
      got.push(`${request.method} ${request.url} ${await readText(request)}`);
      json(response, 200, { done: got.length % 3 === 0, accounts: 100, entries: 7, statements: 2 });
    });
    expect(await say(['accrue', '--date', '2026-11-26', ...flags])).toEqual({
      status: 0,
      out: 'accrued date=2026-11-26 accounts=300 entries=21 statements=6\n',
      err: '',
    });
    expect(got).toEqual(Array(3).fill('POST /v1/jobs/accrual {"date":"2026-11-26"}'));
    const { out } = await say(['accrue', '--date', '2026-11-26', '--json', ...flags]);
    expect(JSON.parse(out)).toEqual({ date: '2026-11-26', accounts: 300, entries: 21, statements: 6 });
  });
});

describe('clock', () => {
  const wall = '2026-11-26T13:00:00.000Z';

  test('show tells whether the clocks agree, and who accepted them last', async () => {
    let answer: object = { paused: false, difference_seconds: 0, wall_time: wall, last_acceptance: null };
    const flags = await api((_request, response) => json(response, 200, answer));
    expect((await say(['clock', 'show', ...flags])).out).toBe(`clock agrees wall_time=${wall} difference_s=0\n`);
    const last = { accepted_at: wall, token: 'tok_1', name: 'admin', difference_seconds: 7 };
    answer = { paused: true, difference_seconds: -3600, wall_time: wall, last_acceptance: last };
    expect((await say(['clock', 'show', ...flags])).out).toBe(
      `clock paused wall_time=${wall} difference_s=-3600 accepted_at=${wall} accepted_by=admin (tok_1)\n`,
    );
    expect(JSON.parse((await say(['clock', 'show', '--json', ...flags])).out)).toEqual(answer);
  });

  test('accept sends the word once, and says when there was nothing to accept', async () => {
    const got: string[] = [];
    let accepted = true;
    const flags = await api(async (request, response) => {
      got.push(`${request.method} ${request.url} ${await readText(request)} ${request.headers['content-type']}`);
      json(response, 200, { accepted, difference_seconds: accepted ? 12 : 0, wall_time: wall });
    });
    expect(await say(['clock', 'accept', ...flags])).toEqual({
      status: 0,
      out: `clock accepted wall_time=${wall} difference_s=12\n`,
      err: '',
    });
    expect(got).toEqual(['POST /v1/clock/accept {} application/json']);
    accepted = false;
    expect((await say(['clock', 'accept', ...flags])).out).toBe(`clock agrees wall_time=${wall}: nothing to accept\n`);
  });

  test('accept without the scope: 64, and what to do', async () => {
    const flags = await api((_request, response) => json(response, 403, { detail: 'no scope', code: 'forbidden' }));
    const { status, err } = await say(['clock', 'accept', ...flags]);
    expect(status).toBe(64);
    expect(err).toContain('403 forbidden');
  });
});

describe('approvals', () => {
  const wall = '2026-11-26T13:00:00.000Z';
  const open = {
    ...{ object: 'approval', id: 'apr_1', status: 'open', operation: 'chargeFee', path: '/v1/accounts/acc-1/fees' },
    ...{ body: { amount: 500 }, reason: 'by hand', proposed_at: wall, expires_at: wall },
    proposed_by: { token: 'tok_a', name: 'Ana', role: 'ledger' },
    ...{ decided_by: null, decided_at: null, decision_reason: null, answer: null },
  };
  const done = {
    ...{ ...open, status: 'done', decided_at: wall, decision_reason: 'seen' },
    decided_by: { token: 'tok_b', name: 'Ben "the \n second"', role: 'ledger' },
    answer: { status: 201, body: { object: 'entry', id: 'ent_1' } },
  };
  const line = `apr_1 open chargeFee /v1/accounts/acc-1/fees by="Ana" at=${wall} expires=${wall}\n`;

  test('list shows what is open, page by page, or of another status', async () => {
    const got: string[] = [];
    const flags = await api((request, response) => {
      got.push(request.url!);
      const isFirst = !request.url!.includes('starting_after');
      json(response, 200, { data: [isFirst ? open : { ...open, id: 'apr_2' }], has_more: isFirst });
    });
    expect((await say(['approvals', 'list', ...flags])).out).toBe(line + line.replace('apr_1', 'apr_2'));
    expect(got).toEqual([
      '/v1/approvals?limit=100&status=open',
      '/v1/approvals?limit=100&status=open&starting_after=apr_1',
    ]);
    const { out } = await say(['approvals', 'list', '--status', 'any', '--json', ...flags]);
    expect(JSON.parse(out.split('\n')[0]!)).toEqual(open);
    expect(got[2]).toContain('status=any');
  });

  test('show has the body of the call, both people, and the answer, a line each', async () => {
    const flags = await api((request, response) => json(response, 200, request.url!.endsWith('apr_1') ? open : done));
    expect((await say(['approvals', 'show', 'apr_1', ...flags])).out).toBe(
      `${line}  body {"amount":500}\n  reason "by hand"\n`,
    );
    expect((await say(['approvals', 'show', 'apr_2', ...flags])).out.split('\n').slice(3)).toEqual([
      `  decided by="Ben \\"the \\n second\\"" at=${wall} reason="seen"`,
      '  answer 201 {"object":"entry","id":"ent_1"}',
      '',
    ]);
  });

  test('confirm and reject send the reason, and end as the call did', async () => {
    const got: unknown[] = [];
    let answer: object = done;
    const flags = await api((request, response) => {
      got.push([request.method, request.url, request.headers['x-reason']]);
      json(response, 200, answer);
    });
    expect((await say(['approvals', 'confirm', 'apr_1', '--reason', 'seen', ...flags])).status).toBe(0);
    expect((await say(['approvals', 'reject', 'apr_1', ...flags])).status).toBe(0);
    expect(got).toEqual([
      ['POST', '/v1/approvals/apr_1/confirm', 'seen'],
      ['POST', '/v1/approvals/apr_1/reject', undefined],
    ]);
    answer = { ...done, answer: { status: 404, body: { code: 'not_found' } } };
    const refused = await say(['approvals', 'confirm', 'apr_1', ...flags]);
    expect(refused.status).toBe(65);
    expect(refused.out).toContain('answer 404 {"code":"not_found"}');
  });

  test('a reason that no header can carry, or that would be cut: 64', async () => {
    for (const reason of ['', 'gesehen ✓', 'x'.repeat(201)])
      expect((await say(['approvals', 'confirm', 'apr_1', '--reason', reason])).status).toBe(64);
  });
});

describe('simulate', () => {
  const zeros = { incremented: 0, reversed: 0, expired: 0, cleared: 0, refunded: 0 };
  const answer = {
    object: 'simulation',
    authorization: {
      id: 'auth_x',
      status: 'pending',
      totals: { authorized: 1200, ...zeros, held: 1200 },
      elements: [
        { id: 'elem_a', type: 'authorization', amount: 1000, hold_change: 1000, response_code: '00' },
        { id: 'elem_b', type: 'increment', amount: 200, hold_change: 200, response_code: '00', decline_reason: null },
      ],
    },
    element: 'elem_b',
    iso: {
      request: { decoded: { mti: '0100', fields: [] } },
      reply: {
        decoded: {
          mti: '0110',
          fields: [
            { field: 38, value: '123456' },
            { field: 39, value: '00' },
          ],
        },
      },
    },
  };

  /** Runs the command against a server that answers like the API; what it was asked. */
  async function simulate(...args: string[]) {
    const asked: { path: string; body: unknown; key: string | undefined }[] = [];
    const flags = await api(async (request, response) => {
      const body = request.method === 'POST' ? JSON.parse(await readText(request)) : undefined;
      const key = request.headers['idempotency-key'] as string | undefined;
      asked.push({ path: request.url!, body, key });
      if (request.method === 'GET') json(response, 200, { data: [{ id: 'card_1' }] });
      else json(response, 201, answer);
    });
    return { ...(await say(['simulate', ...args, ...flags])), asked };
  }

  test('tells the reply, the authorization and the new element; --json is the answer', async () => {
    const increment = ['increment', '--authorization', 'auth_x', '--amount', '200'];
    const { status, out, asked } = await simulate(...increment, '--replace');
    expect(status).toBe(0);
    expect(asked).toEqual([
      { path: '/v1/simulate/increment', body: { authorization: 'auth_x', amount: 200, replace: true }, key: undefined },
    ]);
    expect(out).toBe(`0110 approved 00 code 123456
authorization auth_x status=pending authorized=1200 incremented=0 reversed=0 expired=0 cleared=0 refunded=0 held=1200
element elem_b type=increment amount=200 hold_change=200 response_code=00
`);
    expect(JSON.parse((await simulate(...increment, '--json')).out)).toEqual(answer);
  });

  test('an expiry is no message: no reply to tell of', async () => {
    const flags = await api((_request, response) => json(response, 201, { ...answer, iso: null }));
    const { out } = await say(['simulate', 'expire', '--authorization', 'auth_x', ...flags]);
    expect(out).toMatch(/^authorization auth_x .*\nelement elem_b .*\n$/);
  });

  test('a clearing record is told with its match; a duplicate posted nothing', async () => {
    const clearing = { id: 'elem_b', type: 'clearing', amount: 200, matched_by: 'network_id', flags: ['after_expiry'] };
    const told = async (body: object): Promise<string> => {
      const flags = await api((_request, response) => json(response, 201, { ...answer, iso: null, ...body }));
      return (await say(['simulate', 'clearing', '--authorization', 'auth_x', '--amount', '200', ...flags])).out;
    };
    expect(await told({ outcome: 'posted', clearing })).toMatch(
      /^clearing elem_b amount=200 matched_by=network_id flags=after_expiry\nauthorization auth_x /,
    );
    expect(await told({ outcome: 'duplicate', clearing: null })).toMatch(
      /^duplicate of elem_b: nothing was posted\nauthorization auth_x /,
    );
  });

  test('every option is a member of the body', async () => {
    const { asked } = await simulate(
      ...['advice', '--card', 'card_9', '--amount', '7', '--reason', 'completion', '--financial'],
      ...['--billing-amount', '9', '--currency', 'USD', '--merchant-name', 'ACME', '--merchant-id', 'M1'],
      ...['--approval-code', '000123', '--mcc', '7011', '--idempotency-key', 'k1'],
    );
    expect(asked).toEqual([
      {
        path: '/v1/simulate/advice',
        body: {
          ...{ card: 'card_9', amount: 7, reason: 'completion', financial: true, billing_amount: 9, currency: 'USD' },
          ...{ merchant: { id: 'M1', name: 'ACME' }, approval_code: '000123', mcc: '7011' },
        },
        key: 'k1',
      },
    ]);
  });

  test('an account stands for its newest card', async () => {
    const fields = ['--field', '0=0302', '--field', '091=1', '--field', '127=41'];
    const { asked } = await simulate('network-message', '--account', 'acc 1', ...fields);
    expect(asked).toMatchObject([
      { path: '/v1/cards?limit=1&account=acc%201' },
      { path: '/v1/simulate/network_message', body: { card: 'card_1', fields: { 0: '0302', 91: '1', 127: '41' } } },
    ]);
    const both = await simulate('force-post', '--account', 'a', '--card', 'card_1', '--amount', '1');
    expect([both.status, both.asked]).toEqual([64, []]);
  });

  test('a live program: refused, and not for want of a token', async () => {
    const flags = await api((_request, response) =>
      json(response, 403, { detail: 'The program of this card is live.', code: 'not_sandbox' }),
    );
    const { status, err } = await say(['simulate', 'refund', '--card', 'card_1', '--amount', '1', ...flags]);
    expect(status).toBe(64);
    expect(err).toContain('The program of this card is live. (403 not_sandbox)');
    expect(err).not.toContain('--token-file');
  });

  test('every kind has examples', async () => {
    const { out } = await say(['simulate', '--help']);
    for (const kind of 'authorization increment advice refund force-post clearing reversal expire network-message'.split(
      ' ',
    )) {
      expect(out).toContain(`\n  ${kind} `);
      expect((await say(['simulate', kind, '--help'])).out).toContain(`$ holdfast simulate ${kind} --`);
    }
  });
});

describe('inspect hold', () => {
  test('the hold with its totals, then every element', async () => {
    const hold = { remaining: 700, expires_at: '2026-12-01T00:00:00.000Z' };
    const elements = [
      { id: 'elem_a', type: 'authorization' },
      { id: 'elem_b', type: 'increment' },
    ];
    const totals = { authorized: 500, incremented: 200, held: 700 };
    const flags = await api((_request, response) =>
      json(response, 200, { id: 'auth_x', status: 'pending', hold, totals, elements, account: 'a' }),
    );
    const { out } = await say(['inspect', 'hold', 'auth_x', ...flags]);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([{ authorization: 'auth_x', status: 'pending', hold, totals }, ...elements]);
  });
});

describe('metrics', () => {
  const text = `# HELP holdfast_holds_open Open holds.
# TYPE holdfast_holds_open gauge
holdfast_holds_open 12
# HELP holdfast_declines_total Declines.
# TYPE holdfast_declines_total counter
holdfast_declines_total{reason="insufficient_funds"} 3
`;

  test('prints, filters and converts', async () => {
    const flags = await api((_request, response) => void response.end(text));
    expect((await say(['metrics', ...flags])).out).toBe(text);
    expect((await say(['metrics', '--filter', 'holdfast_decl', ...flags])).out).toBe(
      `${text.split('\n').slice(3).join('\n')}`,
    );
    const { out } = await say(['metrics', '--json', ...flags]);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { name: 'holdfast_holds_open', labels: {}, value: 12 },
      { name: 'holdfast_declines_total', labels: { reason: 'insufficient_funds' }, value: 3 },
    ]);
  });

  test('samples', () => {
    expect(parseSample('a_b{x="1\\"2",y="\\n"} +Inf')).toEqual({
      name: 'a_b',
      labels: { x: '1"2', y: '\n' },
      value: '+Inf',
    });
    expect(parseSample('# comment')).toBeUndefined();
  });
});

describe('token and address', () => {
  test('from the environment', async () => {
    let token: string | undefined;
    const flags = await api((request, response) => {
      token = request.headers.authorization;
      response.end('');
    });
    await say(['metrics'], { HOLDFAST_ADMIN: flags[1]!, HOLDFAST_TOKEN: 'from-environment' });
    expect(token).toBe('Bearer from-environment');
  });

  test('wrong ones', async () => {
    expect((await say(['metrics', '--admin', 'ftp://x'])).status).toBe(64);
    expect((await say(['metrics', '--token-file', join(folder, 'none')])).status).toBe(64);
  });
});

describe('an answer of the server that is none of the wished', () => {
  test.each([
    [400, 65, 'correct the request'],
    [401, 64, 'admin.token'],
    [403, 64, 'correct the request'],
    [404, 65, 'check the id'],
    [408, 69, 'try again later'],
    [409, 65, 'correct the request'],
    [415, 65, 'correct the request'],
    [422, 65, 'correct the request'],
    [429, 69, 'try again later'],
    [500, 69, 'try again later'],
    [503, 69, 'try again later'],
  ])('%i ends with %i', async (answered, expected, next) => {
    const flags = await api((_request, response) => json(response, answered, { detail: 'So it is.', code: 'some' }));
    const { status, err } = await say(['accrue', '--date', '2026-11-26', ...flags]);
    expect([status, err]).toEqual([expected, expect.stringContaining(`So it is. (${answered} some)`)]);
    expect(err).toContain(next);
  });
});

describe('chargebacks', () => {
  const made = {
    ...{ object: 'outgoing_file', id: 'out_a', file_id: 'ID', chargebacks: 2, reversals: 1 },
    left_out: [{ entry: 'entry_a', reason: 'no_card' }],
  };

  test('makes a file and fetches it, or fetches one that was made before; a file that is there stays', async () => {
    const asked: string[] = [];
    const flags = await api(async (request, response) => {
      asked.push(`${request.method} ${request.url} ${await readText(request)}`);
      if (request.url?.endsWith('/content') === true) response.writeHead(200).end(Buffer.from([0, 1, 0xf1]));
      else json(response, request.method === 'POST' ? 201 : 200, made);
    });
    const path = join(folder, 'out.ipm');
    const { status, out, err } = await say([
      'chargebacks',
      '--out',
      path,
      '--ascii',
      '--processor',
      '00000000123',
      ...flags,
    ]);
    expect([status, out]).toEqual([0, 'out_a: file id ID, chargebacks=2 reversals=1 left_out=1\n']);
    expect(err).toBe('left out entry_a: no_card\n');
    expect([...readFileSync(path)]).toEqual([0, 1, 0xf1]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(asked.splice(0)).toEqual([
      'POST /v1/outgoing-files {"encoding":"ascii","blocked":false,"processor":"00000000123"}',
      'GET /v1/outgoing-files/out_a/content ',
    ]);
    expect((await say(['chargebacks', '--out', path, ...flags])).status).toBe(64);
    expect(asked).toEqual([]);
    const again = await say(['chargebacks', '--out', `${path}.2`, '--file', 'out_a', '--json', ...flags]);
    expect([again.status, JSON.parse(again.out)]).toEqual([0, made]);
    expect(asked[0]).toBe('GET /v1/outgoing-files/out_a ');
  });

  test('without a chargeback that is in no file it says that nothing is wrong, and makes no file', async () => {
    const left = Array.from({ length: 102 }, (_, n) => ({ entry: `entry_${n}`, reason: 'no_reference' }));
    const flags = await api((_request, response) =>
      json(response, 409, { code: 'nothing_to_send', detail: 'None.', left_out: left }),
    );
    const path = join(folder, 'none.ipm');
    const { status, err } = await say(['chargebacks', '--out', path, ...flags]);
    expect([status, existsSync(path)]).toEqual([65, false]);
    expect(err.split('\n').slice(98, 101)).toEqual([
      ...['left out entry_98: no_reference', 'left out entry_99: no_reference', 'and 2 more'],
    ]);
    expect(err).toContain('409 nothing_to_send). Next: nothing is wrong: run it again after the next chargeback');
  });
});

describe('clear', () => {
  const done = {
    ...{ object: 'clearing_file', id: 'file_a', status: 'posted', file_id: 'ID', records: 3, posted: 2, duplicates: 1 },
    ...{ rejected: 0, force_posted: 1, suspense: 0, matched_by: { none: 1, rrn: 1 }, not_posted: {} },
    ...{ errors: 0, warnings: 0, findings: [], progress: null, duplicate_of: null, conflicts_with: null },
  };
  const finding = {
    ...{ code: 'count_mismatch', rule: 'sums', severity: 'error', record: 4, offset: 812, field: 'PDS0306' },
    text: 'a count of the trailer is not that of the messages',
  };
  const progress = { phase: 'posting', reason: null, done: 1, total: 3, percent: 33, per_second: 9, eta_seconds: 1 };

  /** Answers an upload, then questions with one answer after the other. */
  async function answering(...answers: object[]): Promise<{ flags: string[]; asked: string[] }> {
    const asked: string[] = [];
    const flags = await api(async (request, response) => {
      const body = await readText(request);
      asked.push(`${request.method} ${request.url} ${body}`);
      json(response, request.method === 'POST' ? 202 : 200, answers.shift());
    });
    return { flags, asked };
  }

  test('sends the file and tells that it is under way', async () => {
    const { flags, asked } = await answering({ ...done, status: 'processing', file_id: null, progress });
    const path = file('day.ipm', 'content of a file');
    const { status, out } = await say(['clear', path, '--encoding', 'ebcdic', '--blocked', 'true', ...flags]);
    expect([status, out]).toEqual([0, 'processing: file_a, file id (not read yet)\n']);
    expect(asked).toEqual(['POST /v1/clearing-files?encoding=ebcdic&blocked=true content of a file']);
  });

  test('waits for the end', async () => {
    const { flags, asked } = await answering({ ...done, status: 'processing', progress }, done);
    const { status, out } = await say(['clear', file('day.ipm', 'x'), '--wait', ...flags]);
    expect(status).toBe(0);
    expect(asked[1]).toBe('GET /v1/clearing-files/file_a ');
    expect(out.split('\n')).toEqual([
      'posted: file_a, file id ID',
      'records=3 posted=2 duplicates=1 rejected=0',
      'force_posted=1 suspense=0',
      'matched_by: none=1 rrn=1',
      '',
    ]);
  });

  test('ends with 65 for a quarantined file, and says what is wrong with it', async () => {
    const refused = { ...done, status: 'quarantined', errors: 1, findings: [finding], conflicts_with: 'file_b' };
    const { flags } = await answering(refused, refused);
    const { status, out, err } = await say(['clear', file('day.ipm', 'x'), '--wait', ...flags]);
    expect(status).toBe(65);
    expect(out).toBe('quarantined: file_a, file id ID\nother content than file_b\n');
    expect(err).toBe(`error count_mismatch: record 4, byte 812, PDS0306: ${finding.text}\n`);
    const printed = await say(['clear', file('day.ipm', 'x'), '--json', ...flags]);
    expect([printed.status, JSON.parse(printed.out)]).toEqual([65, refused]);
  });

  test('is told a duplicate with the outcome of the first, and no server at all', async () => {
    const { flags } = await answering({ ...done, status: 'duplicate', duplicate_of: 'file_0' });
    const { status, out } = await say(['clear', file('day.ipm', 'x'), '--wait', ...flags]);
    expect([status, out.split('\n').at(-2)]).toEqual([0, 'the same content as file_0']);
    expect((await say(['clear', join(folder, 'missing.ipm'), ...flags])).status).toBe(65);
  });
});

describe('recon', () => {
  test('waits while another reconciliation runs, and for nothing else', async () => {
    let asked = 0;
    const flags = await api((_request, response) => {
      const books = { balance: true, currencies: [] };
      const report = { date: '2026-11-26', records: 7, books, counts: [], breaks: [], breaks_left_out: 0 };
      if (++asked <= 2) json(response, 409, { code: 'recon_running', title: 'Another reconciliation is running' });
      else json(response, 202, { id: 'recon_a', status: 'done', report_sha256: 'ab', failure: null, report });
    });
    const done = await say(['recon', '--date', '2026-11-26', ...flags]);
    expect([done.status, asked]).toEqual([0, 3]);
    expect(done.out).toContain('books balance: recon_a, report sha256 ab');
  });

  test('ends with 76 on wish when there are breaks, or nothing that could balance', async () => {
    let balance = true;
    const flags = await api((_request, response) => {
      const books = { balance, currencies: [] };
      const report = { date: '2026-11-26', records: 0, books, counts: [], breaks: [], breaks_left_out: 0 };
      json(response, 202, { id: 'recon_a', status: 'done', report_sha256: 'ab', failure: null, report });
    });
    const recon = (...more: string[]) => say(['recon', '--date', '2026-11-26', ...flags, ...more]);
    expect((await recon('--fail-on-breaks')).status).toBe(0);
    balance = false;
    expect((await recon('--fail-on-breaks')).status).toBe(76);
    expect((await recon('--fail-on-breaks', '--json')).status).toBe(76);
    expect(await recon()).toMatchObject({ status: 0, out: expect.stringContaining('nothing was read: recon_a') });
  });

  test('says why one failed, and what the server refuses', async () => {
    let answer: [number, object] = [202, { id: 'recon_a', status: 'failed', report: null, failure: 'too many' }];
    const flags = await api((_request, response) => json(response, ...answer));
    const failed = await say(['recon', '--date', '2026-11-26', ...flags]);
    expect([failed.status, failed.err]).toEqual([expect.any(Number), expect.stringContaining('too many')]);
    answer = [409, { code: 'stopping' }];
    expect((await say(['recon', '--date', '2026-11-26', ...flags])).status).not.toBe(0);
  });
});
