/**
 * No secret of a message anywhere: thousands of messages, each with marks of its own in card number, tracks, CVV2, PIN block and chip
 * data, through every path: approvals, declines, errors of form, unknown cards, repeats, reversals, advices, time-outs, a shard
 * that throws, kills, devices that are waited for, key exchanges, clearing files, backtests, backups, profiles, metrics. Then every file, log, answer and the memory
 * of the process are searched for every mark in every encoding (marks.ts; that the search finds them: search.test.ts).
 */
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { LinkMac } from '#src/ingress/link-mac.js';
import { dialect } from '#src/iso8583/dialects.js';
import { type Fields, pack } from '#src/iso8583/message.js';
import { privateData } from '#src/iso8583/private-data.js';
import { hasOpenssl, makeCertificate } from '../support/certificates.js';
import { everyRule, tlvOf } from '../support/chip-cards.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { IsoClient, purchase, repeat, reversal } from '../support/iso-client.js';
import { type Json, run, Server, temporaryFolder, until } from '../support/server.js';
import { golden } from '../vault/card/golden.js';
import { keyring, newHsm, newKeys } from '../vault/hsm/support.js';
import { deviceKeyEntries, FakeHsm } from '../vault/payshield/fake-hsm.js';
import { FORM_BYTES_MAX, type Hit, marksOf, memoryForms, search } from './marks.js';
import { readMemory } from './memory.js';

/** Messages with marks of their own. */
const MESSAGES = 5000;
/** Of them those of cards that exist. */
const CARDS = 2500;
/** Where a part of them begins. */
const [KILLED, LATE] = [4000, 4500];
const BATCH = 100;
const BOOM = 'BOOM00000077';
/** Cards of a program that checks everything, with PINs. */
const parkedCards = Array.from({ length: 40 }, (_, i) => 3 * i);

const folder = temporaryFolder('leak');
const hsmKeys = join(folder, 'hsm.json');
writeFileSync(
  hsmKeys,
  JSON.stringify({ format: 1, keys: keyring.map(([id, purpose, key]) => ({ id, ...purpose, key })) }),
  { mode: 0o600 },
);
const links = join(folder, 'links.yaml');
const encrypted = hasOpenssl;
if (encrypted) makeCertificate(folder, 'server');
writeFileSync(
  links,
  `- { name: text, port: 0, dialect: iso87-ascii }\n- { name: network, port: 0, dialect: iso87-ascii, mac: { key: cmac, algorithm: cmac, exchange-key: kbpk } }\n${
    encrypted
      ? `- { name: encrypted, port: 0, tls: { cert-file: ${join(folder, 'server.pem')}, key-file: ${join(folder, 'server.key')} } }\n`
      : ''
  }`,
);
const backupDir = join(folder, 'backups');
const flags = [
  ...['--log-level', 'trace', '--cards-max', '100000', '--links', links, '--backup-dir', backupDir],
  ...['--hsm-keys', hsmKeys, '--allow-software-pin'],
];

/** Keys of the devices, and links without MACs, which are made in software. */
const deviceKeys = join(folder, 'device-keys.json');
writeFileSync(deviceKeys, JSON.stringify({ format: 1, keys: deviceKeyEntries() }), { mode: 0o600 });

/** What the n-th message carries: everything that is secret in it is a mark. */
function secretsOf(n: number): Fields {
  const { pan, track1, track2, cvv2, pinBlock, cryptogram } = marksOf(n);
  const chip = { ...golden.tags, '9F26': cryptogram, '57': `${track2.replace('=', 'D')}`.padEnd(38, 'F'), '5A': pan };
  return {
    2: pan,
    14: '3012',
    22: '051',
    35: track2,
    45: track1,
    48: privateData([[92, cvv2]]),
    52: `hex:${pinBlock}`,
    55: tlvOf(chip),
  };
}

/** The n-th message. */
function message(n: number): Fields {
  const { pan, cvv2 } = marksOf(n);
  const all = secretsOf(n);
  const request = (fields: Fields, amount = 100 + n): Fields => purchase({ amount, fields });
  switch (n % 12) {
    case 0:
      return request({ ...all, 48: privateData([[92, '123']]) });
    case 1:
      return request({ ...all, 45: '', 52: '', 55: '' });
    case 2:
      return request(all, 99_999_999);
    case 3:
      return request({ ...all, 2: '' });
    case 4:
      return request({ ...all, 2: '', 45: '' });
    case 5:
      return request({ ...all, 14: '2001' });
    case 6:
      return request({ ...all, 3: '770000' });
    case 7:
      return request({ ...all, 48: cvv2, 43: `SHOP ${pan}`.padEnd(40) });
    case 8:
      return { ...request(all), 0: '0120' };
    case 9:
      return { ...request(all), 0: '0190' };
    case 10:
      return { ...request(all), 0: '0200' };
    default:
      return reversal(request(all));
  }
}

/** The address of a link by its name. */
function addressOf(server: Server, name: string): [host: string, port: number] {
  const pair = server.ready.links!.split(',').find((one) => one.startsWith(`${name}:`))!;
  const [host, port] = pair.slice(name.length + 1).split(':');
  return [host!, Number(port)];
}

/** Sends frames over TLS, and waits for an answer to each. */
async function exchangeTls(server: Server, frames: readonly Buffer[]): Promise<void> {
  const [host, port] = addressOf(server, 'encrypted');
  const socket = connectTls({
    host,
    port,
    ca: readFileSync(join(folder, 'server.pem')),
    checkServerIdentity: () => undefined,
  });
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  await once(socket, 'secureConnect');
  // One by one, and some cut in the middle.
  for (const frame of frames) {
    const answered = bytes.length;
    socket.write(frame.subarray(0, 40));
    await sleep(2);
    socket.write(frame.subarray(40));
    await until('an answer over TLS', () => bytes.length > answered);
  }
  socket.destroy();
}

/** Sends messages over WebSocket, and waits for an answer to each. */
async function exchangeWs(server: Server, messages: readonly Fields[]): Promise<void> {
  const socket = new WebSocket(`ws://${server.ready.ws}/iso8583`);
  let replies = 0;
  socket.on('message', () => replies++);
  await once(socket, 'open');
  for (const one of messages) socket.send(pack('iso87-bcd', one));
  await until('the replies over WebSocket', () => replies === messages.length);
  socket.close();
}

/** Sends a key exchange with its MAC, or without; gives the code of the answer. */
async function exchangeKey(client: IsoClient, content: string, isSealed = true): Promise<string | undefined> {
  const fields = { '0': '0800', '7': '1123024500', '11': String(nextStan++), '70': '161', '110': content };
  const message = pack('iso87-ascii', fields);
  const profile = { key: 'cmac', algorithm: 'cmac', padding: 1, length: 8 } as const;
  const mac = new LinkMac('network', profile, newHsm(), () => 0);
  const length = mac.seal(dialect('iso87-ascii'), message, 0, message.length);
  const bytes = isSealed ? mac.bytes.subarray(0, length) : message;
  const answer = client.expect(fields);
  client.raw(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]));
  return (await answer)[39];
}
let nextStan = 700_001;

/** A key of a link as the network sends it: a key block under the key for exchanges. */
function keyBlock(hex: string): string {
  const keys = newKeys();
  const purpose = { usage: 'M6', algorithm: 'A', mode: 'C', exportability: 'E' } as const;
  expect(keys.add('next', purpose, Buffer.from(hex, 'hex')).outcome).toBe('ok');
  return (keys.wrap('kbpk', 'next') as { block: string }).block;
}

/** Sends what has an answer and waits for it, or a while for those that have none. */
async function exchange(client: IsoClient, requests: readonly Fields[]): Promise<Fields[]> {
  const waited = requests.filter((fields) => fields[0] !== '0190').map((fields) => client.expect(fields));
  client.raw(Buffer.concat(requests.map((fields) => client.frame(fields))));
  return Promise.all(waited);
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());
}

function searchFiles(path: string): Hit[] {
  return filesBelow(path).flatMap((file) => search(file, readFileSync(file)));
}

/** A list that a failure can show: each place, kind and encoding once, with how often it was met. */
function told(hits: readonly Hit[]): string[] {
  const groups = new Map<string, Hit[]>();
  for (const hit of hits) {
    const name = `${hit.where}: ${hit.kind} in ${hit.encoding}`;
    groups.set(name, [...(groups.get(name) ?? []), hit]);
  }
  return Array.from(groups, ([name, all]) => `${name}, ${all.length} times: ${all[0]!.around}`).slice(0, 60);
}

function searchMemory(pid: number, what: string): Hit[] {
  const hits: Hit[] = [];
  const bytes = readMemory(pid, FORM_BYTES_MAX, (piece, where) =>
    hits.push(...search(`${what} ${where}`, piece, memoryForms)),
  );
  expect(bytes).toBeGreaterThan(50_000_000);
  return hits;
}

test('no mark of a message is in a file, a log, an answer or in memory', { timeout: 600_000 }, async () => {
  const found: Hit[] = [];
  const logs: [string, string][] = [];
  const ended = (server: Server): void => void logs.push(['stderr', server.stderr], ['stdout', server.stdout]);

  // Cards, by a process of its own: what the API was given may stay in its memory for a while, what messages bring may not.
  const first = await Server.start({ demo: false, flags });
  const { dataDir } = first;
  const tables = { cryptography: everyRule };
  const program = { id: 'chip', currency: 'BRL', product: 'credit', bins: ['999999'], sandbox: true, tables };
  expect((await first.api('POST', '/v1/programs', program)).status).toBe(201);
  const rows = Array.from({ length: CARDS }, (_, n) => {
    const id = `acc-${n}`;
    const checked = n % 3 === 0 ? { program: 'chip' } : { currency: 'BRL', type: 'credit' };
    const card = { pan: marksOf(n).pan, expiry: '3012', status: 'active' };
    return `${JSON.stringify({ account: { id, credit_limit: 10_000_000, ...checked }, card })}\n`;
  }).join('');
  const imported = await first.api('POST', '/v1/bulk/accounts', rows, { 'content-type': 'application/x-ndjson' });
  expect(imported.status, imported.text).toBe(200);
  expect(imported.body).toMatchObject({ cards: CARDS });
  found.push(...search('answer of the import', Buffer.from(imported.text)));
  for (const n of parkedCards) {
    const [card] = (await first.get(`/v1/cards?account=acc-${n}`)).body.data;
    const pin = { pvv: '4232', key_index: 1 };
    expect((await first.api('PATCH', `/v1/cards/${card.id}`, { pin })).status).toBe(200);
  }
  expect((await first.stop()).status).toBe(0);
  ended(first);
  found.push(...searchFiles(dataDir));

  const server = await Server.start({ dataDir, demo: false, flags, environment: { HOLDFAST_FAULT_THROW_RRN: BOOM } });
  const codes = new Map<string, number>();
  const tcp = await server.connect();
  const text = await IsoClient.connect(...addressOf(server, 'text'), { dialect: 'iso87-ascii' });
  for (let from = 0; from < KILLED; from += BATCH) {
    const requests = Array.from({ length: BATCH }, (_, i) => message(from + i));
    const client = (from / BATCH) % 4 === 3 ? text : tcp;
    for (const { 39: code = '' } of await exchange(client, requests)) codes.set(code, (codes.get(code) ?? 0) + 1);
    const again = requests.filter(({ 0: mti }) => mti === '0100').map(repeat);
    await exchange(client, again.slice(0, 10));
    const others = requests
      .filter(({ 0: mti }) => mti !== '0190')
      .map((fields) => ({ ...fields, 11: String(900_000 + from) }));
    await exchangeWs(server, others.slice(0, 10));
  }
  // Approved, declined, malformed, unknown: the traffic is what it says.
  for (const code of ['00', '51', '54', '12', '30', '14'])
    expect(codes.get(code) ?? 0, `code ${code}`).toBeGreaterThan(20);
  // Frames that are cut off, that are no message, and a message that stops its shard.
  const broken = await server.connect();
  broken.raw(broken.frame(message(1)).subarray(0, 60));
  const foreign = await server.connect();
  foreign.raw(text.frame(message(2)));
  await foreign.ended;
  const poisoned = { ...message(1), 37: BOOM };
  await tcp.request(poisoned);
  await until('the shard is back', async () => (await server.get('/readyz')).status === 200);
  broken.close();
  tcp.close();
  text.close();

  const answers: string[] = [];
  const get = async (path: string): Promise<Json> => {
    const answer = await server.get(path);
    answers.push(answer.text);
    return answer.body;
  };
  await sleep(1500);
  found.push(...searchMemory(server.pid, 'memory after messages'));

  for (const path of ['/metrics', '/readyz', '/v1/events?limit=100', '/v1/cards?limit=100', '/v1/audit?limit=100'])
    await get(path);
  const { data } = await get('/v1/authorizations?limit=100');
  for (const { id } of data) {
    await get(`/v1/authorizations/${id}`);
    await get(`/v1/authorizations/${id}/explain`);
  }
  for (const thread of ['shard-0', 'control', 'main'])
    answers.push((await server.api('POST', `/v1/profile?thread=${thread}&seconds=1`)).text);
  const rule = await server.api('POST', '/v1/rules', {
    program: 'chip',
    text: 'when amount > 10_00 then decline 59 reason "x"',
  });
  expect(rule.status, rule.text).toBe(201);
  const hour = 3_600_000;
  const period = { since: new Date(Date.now() - hour).toISOString(), until: new Date(Date.now() + hour).toISOString() };
  const tests = `/v1/rules/${rule.body.id}/backtests`;
  expect((await server.api('POST', tests, period)).status).toBe(202);
  await until('the backtest', async () => (await get(`${tests}/1`)).status === 'done');
  await get(`${tests}/1/decisions?limit=100`);

  const records = Array.from({ length: 200 }, (_, i) =>
    presentment(i, undefined, 500 + i, { pan: marksOf(i * 20).pan }),
  );
  for (const [sequence, encoding] of [
    [1, 'cp500'],
    [2, 'ascii'],
  ] as const) {
    const upload = await fetch(`http://${server.ready.admin}/v1/clearing-files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' },
      body: fileOf(
        records.map((one, i) => ({ ...one, arn: `${one.arn!.slice(0, 12)}${sequence}${String(i).padStart(9, '0')}0` })),
        {
          ...{ sequence, encoding, mode: 'T' },
        },
      ),
    });
    const { id } = (await upload.json()) as { id: string };
    await until(
      'the clearing file',
      async () => (await get(`/v1/clearing-files/${id}`)).status !== 'processing',
      60_000,
    );
  }
  // One that ends in the middle is quarantined.
  const cut = fileOf(records, { sequence: 3 }).subarray(0, 20_000);
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' };
  answers.push(
    await (
      await fetch(`http://${server.ready.admin}/v1/clearing-files`, { method: 'POST', headers, body: cut })
    ).text(),
  );
  await get('/v1/clearing-files?limit=100');
  await get('/v1/suspense?limit=100');
  expect((await server.api('POST', '/v1/backups', { name: 'one' })).status).toBe(202);
  await until('the backup', async () => (await get('/v1/backups/one')).status === 'done', 60_000);

  // Records of files are objects with card numbers as texts, which nobody can overwrite (threat model); nothing else of a message stays.
  found.push(...searchMemory(server.pid, 'memory after files').filter(({ kind }) => kind !== 'pan'));

  // Keys of a link that the network sends, one that is none, and what has no business in DE110.
  const network = await IsoClient.connect(...addressOf(server, 'network'), { dialect: 'iso87-ascii' });
  const block = keyBlock(marksOf(1).linkKey);
  expect(await exchangeKey(network, block)).toBe('00');
  expect(await exchangeKey(network, `${block.slice(0, -8)}00000000`)).toBe('63');
  const { pan, track2, cvv2, pinBlock } = marksOf(2);
  expect(await exchangeKey(network, `${pan} ${track2} ${cvv2} ${pinBlock}`)).toBe('63');
  expect(await exchangeKey(network, `${pan} ${pinBlock}`, false)).toBe('63');
  // The key block itself is kept, enciphered; whatever was none must be gone.
  found.push(...searchMemory(server.pid, 'memory after key exchanges').filter(({ kind }) => kind !== 'pan'));

  // Killed with messages under way.
  const under = await server.connect();
  for (let from = KILLED; from < LATE; from += BATCH)
    under.raw(Buffer.concat(Array.from({ length: BATCH }, (_, i) => under.frame(message(from + i)))));
  await sleep(20);
  await server.kill();
  ended(server);
  found.push(...searchFiles(dataDir), ...searchFiles(backupDir));

  // Answers that come too late, and their roll-backs.
  const late = await Server.start({
    ...{ dataDir, demo: false, flags: [...flags, '--deadline-ms', '50', '--ws-adapter', 'ws'] },
    environment: { HOLDFAST_FAULT_LANE_DELAY_MS: '200' },
  });
  const slow = await late.connect();
  for (let from = LATE; from < MESSAGES; from += BATCH)
    await exchange(
      slow,
      Array.from({ length: BATCH }, (_, i) => message(from + i)),
    );
  await exchangeWs(
    late,
    Array.from({ length: 40 }, (_, i) => message(LATE + i)).filter(({ 0: mti }) => mti !== '0190'),
  );
  for (const args of [['journal'], ['stats']])
    answers.push((await run(['inspect', ...args, '--data-dir', dataDir])).out);
  answers.push((await late.get('/metrics')).text);
  slow.close();
  await sleep(1500);
  found.push(...searchMemory(late.pid, 'memory after time-outs'));
  // After the last look at the memory: OpenSSL frees what it has decrypted without overwriting it (threat model).
  const overTls = Array.from({ length: 100 }, (_, n) => message(n)).filter(({ 0: mti }) => mti !== '0190');
  if (encrypted)
    await exchangeTls(
      late,
      overTls.map((fields) => tcp.frame({ ...fields, 11: String(800_000 + Number(fields[11])) })),
    );
  expect((await late.stop()).status).toBe(0);
  ended(late);

  // Messages that wait for a device: answered, not answered in time, and killed while they wait.
  const device = new FakeHsm();
  const hsm = `127.0.0.1:${await device.listen()}`;
  const parked = await Server.start({
    ...{ dataDir, demo: false },
    flags: ['--log-level', 'trace', '--cards-max', '100000', '--hsm', hsm, '--hsm-keys', deviceKeys],
  });
  const scraped = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name}\\S* (\\d+)$`, 'm').exec((await parked.get('/metrics')).text)?.[1] ?? 0);
  await until('the device', async () => (await scraped('holdfast_hsm_connections')) > 0);
  const client = await parked.connect();
  const asking = (): Fields[] => parkedCards.map((n) => purchase({ amount: 100, fields: secretsOf(n) }));
  const asked = new Map<string, number>();
  for (let round = 0; round < 4; round++) {
    // The last of them waits in vain for some.
    device.behaviour.silent = (n) => round === 3 && n % 8 === 7;
    for (const { 39: code = '' } of await exchange(client, asking())) asked.set(code, (asked.get(code) ?? 0) + 1);
  }
  expect(await scraped('holdfast_parked_total')).toBe(4 * parkedCards.length);
  expect([...asked.keys()].sort()).toEqual(['82', '91']);
  const { data: declined } = (await parked.get('/v1/authorizations?limit=20')).body;
  for (const { id } of declined) answers.push((await parked.get(`/v1/authorizations/${id}/explain`)).text);
  await sleep(1500);
  found.push(...searchMemory(parked.pid, 'memory after devices'));
  device.behaviour.silent = () => true;
  client.raw(Buffer.concat(asking().map((fields) => client.frame(fields))));
  await until('messages that wait', async () => (await scraped('holdfast_parked_messages')) > 0);
  await parked.kill();
  await device.close();
  ended(parked);
  found.push(...searchFiles(dataDir));
  for (const [what, said] of logs) found.push(...search(what, Buffer.from(said)));
  for (const answer of answers) found.push(...search('answer', Buffer.from(answer)));
  expect(told(found)).toEqual([]);
});
