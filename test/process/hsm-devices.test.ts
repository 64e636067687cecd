/** A running server that asks devices: a fake one over real sockets, which is slow, silent, gone and back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { chipData, cvv2, everyRule, PAN, track2 } from '../support/chip-cards.js';
import type { IsoClient } from '../support/iso-client.js';
import { purchase, reversal } from '../support/iso-client.js';
import { run, Server, temporaryFolder, until } from '../support/server.js';
import { golden } from '../vault/card/golden.js';
import { deviceKeyEntries, FakeHsm } from '../vault/payshield/fake-hsm.js';

const keyFile = join(temporaryFolder('hsm-devices'), 'hsm.json');
writeFileSync(keyFile, JSON.stringify({ format: 1, keys: deviceKeyEntries() }), { mode: 0o600 });
const PLAIN = '9999990000000025';
const PIN = `hex:${golden.pinBlocks[0]![3]}`;

const fakes: FakeHsm[] = [];
afterAll(() => Promise.all(fakes.map((fake) => fake.close())));

async function device(port = 0): Promise<{ fake: FakeHsm; port: number }> {
  const fake = new FakeHsm();
  fakes.push(fake);
  return { fake, port: await fake.listen(port) };
}

async function start(port: number, dataDir?: string): Promise<Server> {
  const flags = ['--hsm', `127.0.0.1:${port}`, '--hsm-keys', keyFile, '--deadline-ms', '1500'];
  const server = await Server.start({ demo: false, flags, ...(dataDir === undefined ? {} : { dataDir }) });
  await until('the device is connected', async () => (await metric(server, 'holdfast_hsm_connections')) > 0);
  return server;
}

async function create(server: Server): Promise<void> {
  const program = { id: 'chip', currency: 'BRL', product: 'credit', bins: ['999999'], sandbox: true };
  const made = await server.api('POST', '/v1/programs', { ...program, tables: { cryptography: everyRule } });
  expect(made.status, made.text).toBe(201);
  for (const [id, pan] of [
    ['pin', PAN],
    ['plain', PLAIN],
  ] as const) {
    await server.api('POST', '/v1/accounts', { id, program: 'chip', credit_limit: 100_000 });
    const pin = id === 'pin' ? { pin: { pvv: '4232', key_index: 1 } } : {};
    const card = await server.api('POST', '/v1/cards', { account: id, pan, expiry: '2912', sequence: 1, ...pin });
    expect(card.status, card.text).toBe(201);
  }
}

async function metric(server: Server, name: string, labels = ''): Promise<number> {
  const { text } = await server.get('/metrics');
  const line = text.split('\n').find((one) => one.startsWith(name) && !one.startsWith('#') && one.includes(labels));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

let number = 0;
const withPin = (fields: Record<number, string> = {}): Record<number, string> => ({
  ...purchase({
    amount: 1000,
    fields: { 2: PAN, 14: '2912', 37: `DEVICE${String(++number).padStart(6, '0')}`, 52: PIN, ...fields },
  }),
});
const plain = (): Record<number, string> => ({
  ...purchase({ amount: 10, fields: { 2: PLAIN, 14: '2912', 37: `PLAIN0${String(++number).padStart(6, '0')}` } }),
});
const held = async (server: Server): Promise<unknown> => (await server.get('/v1/accounts/pin')).body.balances.held;
const code = async (client: IsoClient, fields: Record<number, string>): Promise<string | undefined> =>
  (await client.request(fields))[39];

test('a device decides, its silence is 91 and holds nobody up, and it is asked again when it is back', async () => {
  const { fake, port } = await device();
  const server = await start(port);
  await create(server);
  const client = await server.connect();

  const all = withPin({ 22: '051', 35: track2('121'), 48: cvv2('191'), 55: chipData('visa_cvn10') });
  const first = await client.request(all);
  expect([first[39], first[44], first[55]]).toEqual(['00', 'M', `hex:910A${golden.emv[0]![4]}3030`]);
  const explained = async (rrn: string): Promise<Record<string, unknown>> => {
    const [found] = (await server.get(`/v1/authorizations?rrn=${rrn}`)).body.data as { id: string }[];
    return (await server.get(`/v1/authorizations/${found!.id}/explain`)).body.cryptography as Record<string, unknown>;
  };
  const asked = await explained(all[37]!);
  expect(asked).toMatchObject({ cryptogram: 'passed', pin: 'passed', device_failure: null });
  expect(asked.device_wait_us).toBeGreaterThan(0);
  const commands = fake.commands;
  expect(await client.request({ ...all, 0: '0101' })).toEqual(first);
  expect(fake.commands).toBe(commands);

  fake.behaviour.silent = () => true;
  const silent = withPin();
  const waiting = client.request(silent);
  await until('it is asked', () => fake.commands > commands);
  expect(await code(client, plain())).toBe('00');
  expect((await waiting)[39]).toBe('91');
  const timedOut = await explained(silent[37]!);
  expect(timedOut).toMatchObject({ pin: 'unavailable', device_failure: 'timeout' });
  expect(timedOut.device_wait_us).toBeGreaterThan(100_000);
  const text = await run([
    'explain',
    silent[37]!,
    '--admin',
    `http://${server.ready.admin}`,
    '--token-file',
    `${server.dataDir}/admin.token`,
  ]);
  expect(text.out).toMatch(/cryptography: .* device_wait_us=\d+ device_failure=timeout/);
  expect(await metric(server, 'holdfast_parked_total')).toBe(2);

  // Enough of them open the breaker: then nobody waits for the device any more.
  await until(
    'the breaker opens',
    async () => {
      expect(await code(client, withPin())).toBe('91');
      return (await metric(server, 'holdfast_hsm_breaker_open')) === 1;
    },
    60_000,
  );
  expect(await metric(server, 'holdfast_hsm_commands_total', 'timeout')).toBeGreaterThanOrEqual(5);
  const timeouts = await metric(server, 'holdfast_hsm_commands_total', 'timeout');
  expect(await code(client, withPin({ 55: chipData('visa_cvn10') }))).toBe('91');
  expect(await metric(server, 'holdfast_hsm_commands_total', 'timeout')).toBe(timeouts);

  fake.behaviour.silent = () => false;
  await until('the device is asked again', async () => (await metric(server, 'holdfast_hsm_breaker_open')) === 0);
  expect(await code(client, withPin())).toBe('00');
  expect(await metric(server, 'holdfast_parked_messages')).toBe(0);
  expect(await held(server)).toBe(2000);
  await server.stop();
});

test('killed while a message waits: nothing has happened, and its repeat is decided once', async () => {
  const { fake, port } = await device();
  let server = await start(port);
  const { dataDir } = server;
  await create(server);
  // The message waits for as long as the device has not answered.
  fake.behaviour.silent = () => server.child.kill('SIGKILL');
  let client = await server.connect();
  const fields = withPin();
  client.request(fields).catch(() => undefined);
  await server.exited;

  fake.behaviour.silent = () => false;
  server = await start(port, dataDir);
  expect(await held(server)).toBe(0);
  client = await server.connect();
  const answer = await client.request({ ...fields, 0: '0101' });
  expect(answer[39]).toBe('00');
  expect(await client.request({ ...fields, 0: '0101' })).toEqual(answer);
  expect(await held(server)).toBe(1000);
  await server.stop();
});

test('a repeat gets the answer of its first, a reversal is not lost, and a stop waits for the device', async () => {
  const { fake, port } = await device();
  const server = await start(port);
  await create(server);
  const client = await server.connect();
  fake.behaviour.delayMs = () => 300;
  const fields = withPin();
  const twin = await server.connect();
  const [a, b] = await Promise.all([client.request(fields), twin.request({ ...fields, 0: '0101' })]);
  expect([a[39], b]).toEqual(['00', { ...a }]);
  expect(fake.commands).toBe(1);

  const undone = withPin();
  const late = client.request(undone);
  await until('it is asked', () => fake.commands > 1);
  expect(await code(twin, reversal(undone))).toBe('00');
  await late;
  expect(await held(server)).toBe(1000);

  const last = client.request(withPin());
  await until('it is asked', () => fake.commands > 2);
  await server.stop();
  expect((await last)[39]).toBe('00');
});
