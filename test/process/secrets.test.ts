/**
 * No card number in clear, anywhere: traffic with marker numbers through every path (approvals, declines, malformed fields,
 * unknown cards, tracks, a shard that throws, a kill), then a look into every file of the data directory, the log and the
 * answers of the API, for the digits as text, as BCD in both alignments, as UTF-16 and as base64.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { luhnCheckDigit } from '#src/vault/pan.js';
import { purchase, repeat, reversal } from '../support/iso-client.js';
import { run, Server, until } from '../support/server.js';

const digits = (body: string): string => `${body}${luhnCheckDigit(body)}`;
/** A card that exists, one that does not, and one with an odd number of digits. */
const KNOWN = digits('999999707172737');
const UNKNOWN = digits('999999818283848');
const ODD = digits('999999919293949596');
const PIN_BLOCK = 'C0FFEE12D15EA5E5';
const BOOM = 'BOOM00000077';

/** Every form in which the number could lie in a file, by its name. The first and the last four digits may be shown. */
function forms(pan: string): [string, Buffer][] {
  const bcd = Buffer.from(pan.length % 2 === 0 ? pan : `${pan}0`, 'hex');
  const shifted = Buffer.from(`0${pan}${pan.length % 2 === 0 ? '0' : ''}`, 'hex');
  const base64: [string, Buffer][] = [0, 1, 2].map((offset) => {
    // What is the same whatever stands before and after: whole groups of the middle.
    const text = Buffer.concat([Buffer.alloc(offset), Buffer.from(pan)]).toString('base64');
    return [
      `base64 at ${offset}`,
      Buffer.from(text.slice(offset === 0 ? 0 : 4, Math.floor((offset + pan.length) / 3) * 4)),
    ];
  });
  return [
    ['text', Buffer.from(pan)],
    // Without the last digits: a number that was cut is still most of one.
    ['most of it', Buffer.from(pan.slice(0, 13))],
    ['UTF-16', Buffer.from(pan, 'utf16le')],
    ['BCD', bcd.subarray(0, pan.length >> 1)],
    ['BCD, shifted', shifted.subarray(1, pan.length >> 1)],
    ['hex of text', Buffer.from(Buffer.from(pan).toString('hex'))],
    ...base64,
    ['base64 of BCD', Buffer.from(bcd.toString('base64').slice(0, 8))],
  ];
}

const secrets: [string, Buffer][] = [
  ...[KNOWN, UNKNOWN, ODD].flatMap((pan) =>
    forms(pan).map(([form, bytes]): [string, Buffer] => [`${pan} as ${form}`, bytes]),
  ),
  ['PIN block', Buffer.from(PIN_BLOCK, 'hex')],
  ['PIN block as text', Buffer.from(PIN_BLOCK)],
];

function hits(where: string, bytes: Buffer): string[] {
  return secrets.flatMap(([what, secret]) => (bytes.includes(secret) ? [`${where}: ${what}`] : []));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

test('the search finds what it looks for', () => {
  for (const [what, bytes] of secrets) {
    expect(hits('here', Buffer.concat([Buffer.alloc(100, 7), bytes, Buffer.alloc(100, 9)]))).toContain(`here: ${what}`);
  }
  expect(hits('text', Buffer.from(`{"pan":"${KNOWN}"}`)).length).toBeGreaterThan(0);
  expect(hits('wire', Buffer.from(`02${KNOWN}`, 'hex')).length).toBeGreaterThan(0);
});

test('no card number is in a file, the log or an answer of the API', async () => {
  const environment = { HOLDFAST_FAULT_THROW_RRN: BOOM };
  // Everything the engine can say.
  const server = await Server.start({ environment, flags: ['--log-level', 'trace'] });
  const answers: string[] = [];
  const api = async (method: string, path: string, body?: unknown): Promise<Record<string, string>> => {
    const answer = await server.api(method, path, body, { 'idempotency-key': `k${answers.length}` });
    answers.push(answer.text);
    return (answer.body ?? {}) as Record<string, string>;
  };
  await api('POST', '/v1/accounts', { id: 'marked', currency: 'BRL', credit_limit: 100_000, type: 'credit' });
  const card = await api('POST', '/v1/cards', { account: 'marked', pan: KNOWN, expiry: '3012', status: 'active' });
  expect(card.id).toBeDefined();
  // A second card of the same number, a number that is none, and requests that quote it where it does not belong.
  await api('POST', '/v1/cards', { account: 'marked', pan: KNOWN, expiry: '3012', status: 'active' });
  await api('POST', '/v1/cards', { account: 'marked', pan: `${UNKNOWN}1`, expiry: '3012', status: 'active' });
  await api('POST', '/v1/cards', { account: UNKNOWN, pan: ODD, expiry: 'x', status: ODD });
  await api('POST', '/v1/payments', { account: 'marked', amount: 1, currency: 'BRL', reference: 'fine' });
  await api('GET', `/v1/cards/${KNOWN}`);
  await api('GET', `/v1/authorizations?rrn=${UNKNOWN.slice(0, 12)}&card=${KNOWN}`);
  await api('GET', `/nothing/${KNOWN}?pan=${UNKNOWN}`);
  await server.api('POST', '/v1/cards', `{"pan":"${KNOWN}"`, {
    'content-type': 'application/json',
    'idempotency-key': 'x',
  });

  const client = await server.connect();
  const mine = { 2: KNOWN, 14: '3012' };
  const tracked = { 35: `${KNOWN}=30121010000012345`, 52: `hex:${PIN_BLOCK}` };
  const approved = purchase({ amount: 1000, fields: mine });
  const codes: string[] = [];
  for (const request of [
    approved,
    repeat(approved),
    reversal(approved),
    purchase({ amount: 99_999_999, fields: mine }),
    purchase({ amount: 10, fields: { ...mine, ...tracked } }),
    purchase({ amount: 10, fields: { 2: '', ...tracked } }),
    purchase({ amount: 10, fields: { ...mine, 14: '2001' } }),
    purchase({ amount: 10, fields: { ...mine, 3: '770000' } }),
    purchase({ amount: 10, fields: { 2: UNKNOWN, 35: `${UNKNOWN}=30121010000012345` } }),
    purchase({ amount: 10, fields: { 2: ODD } }),
    reversal(purchase({ fields: { 2: UNKNOWN } })),
    // The number where nobody expects it.
    purchase({ amount: 10, fields: { ...mine, 48: '0' } }),
    purchase({ amount: 10, fields: { ...mine, 43: `SHOP ${KNOWN}`.padEnd(40), 42: KNOWN.slice(0, 15) } }),
    purchase({
      amount: 10,
      fields: { ...mine, 43: `${UNKNOWN} ${ODD}`.padEnd(40), 63: KNOWN.slice(1), 48: `8016${KNOWN}` },
    }),
    purchase({ amount: 10, fields: { ...tracked, 2: '', 43: `SHOP ${KNOWN}`.padEnd(40) } }),
    purchase({ amount: 10, fields: { 2: UNKNOWN, 43: `SHOP ${UNKNOWN.replace(/(....)/g, '$1 ')}`.padEnd(40) } }),
    { ...purchase({ fields: mine }), 0: '0190' },
    purchase({ amount: 10, fields: { ...mine, 37: BOOM } }),
  ]) {
    const reply = client.expect(request);
    client.raw(client.frame(request));
    const answered = await Promise.race([
      reply,
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 1500)),
    ]);
    codes.push(answered?.[39] ?? '-');
  }
  expect(codes.slice(0, 4)).toEqual(['00', '00', '00', '51']);
  expect(codes.at(-1)).toBe('96');
  await until('the shard is back', async () => (await server.get('/readyz')).status === 200);
  // A message with a broken field, and one that is cut in the middle of the number, then nothing.
  const broken = client.frame(purchase({ fields: mine }));
  broken[broken.indexOf(Buffer.from('000000001000', 'hex'))] = 0xff;
  client.raw(broken);
  const cut = await server.connect();
  const whole = cut.frame(purchase({ fields: mine }));
  cut.raw(whole.subarray(0, 20));
  const foreign = await server.connect({ dialect: 'iso87-ascii' });
  foreign.raw(foreign.frame(purchase({ fields: mine })));
  await foreign.ended;

  for (const path of [
    `/v1/cards/${card.id}`,
    '/v1/accounts/marked',
    '/v1/authorizations?account=marked',
    '/v1/accounts/marked/entries',
    '/metrics',
    '/readyz',
  ]) {
    await api('GET', path);
  }
  const list = (await server.get('/v1/authorizations?account=marked')).body as { data: { id: string }[] };
  expect(list.data.length).toBeGreaterThan(2);
  for (const { id } of list.data) {
    await api('GET', `/v1/authorizations/${id}`);
    await api('GET', `/v1/authorizations/${id}/explain`);
  }
  const inspected = await run(['inspect', 'journal', '--data-dir', server.dataDir]);

  await server.kill();
  const afterKill = filesBelow(server.dataDir);
  const found = afterKill.flatMap((path) => hits(path, readFileSync(path)));
  const next = await Server.start({ dataDir: server.dataDir, environment, flags: ['--log-level', 'trace'] });
  const link = await next.connect();
  expect((await link.request(purchase({ amount: 10, fields: mine })))[39]).toBe('00');
  expect(await next.stop()).toEqual({ status: 0, signal: null });
  const files = filesBelow(server.dataDir);
  expect(files.some((path) => path.endsWith('data.mdb'))).toBe(true);
  found.push(...files.flatMap((path) => hits(path, readFileSync(path))));
  for (const [name, text] of [
    ['stderr', server.stderr + next.stderr],
    ['stdout', server.stdout + next.stdout],
    ['inspect', inspected.out + inspected.err],
  ] as const) {
    found.push(...hits(name, Buffer.from(text)));
  }
  for (const text of answers) found.push(...hits(`answer ${text.slice(0, 120)}`, Buffer.from(text)));
  expect(server.stderr).toContain('a shard stopped; it is rebuilt from the journal');
  expect(found).toEqual([]);
});
