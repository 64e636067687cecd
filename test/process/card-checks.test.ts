/**
 * Card cryptography in a running server: keys from a file, rules over the API, messages over TCP, a kill, and a look for what must
 * not be kept. Values are known ones (test/vault/card/golden.ts).
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { chipData, cvv2, everyRule, PAN, track2 } from '../support/chip-cards.js';
import { purchase } from '../support/iso-client.js';
import { run, Server } from '../support/server.js';
import { golden } from '../vault/card/golden.js';
import { keyring } from '../vault/hsm/support.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-hsm-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keyFile = join(folder, 'hsm.json');
const keys = keyring.map(([id, purpose, key]) => ({ id, ...purpose, key }));
writeFileSync(keyFile, JSON.stringify({ format: 1, keys }), { mode: 0o600 });

const flags = ['--hsm-keys', keyFile, '--allow-software-pin', '--log-level', 'trace'];
const PIN = golden.pinBlocks[0]![3];

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());
}

test('are checked, answered, explained, and remembered over a kill; nothing of them is kept', async () => {
  let server = await Server.start({ demo: false, flags });
  const { dataDir } = server;
  const program = { id: 'chip', currency: 'BRL', product: 'credit', bins: ['999999'], sandbox: true };
  const made = await server.api('POST', '/v1/programs', { ...program, tables: { cryptography: everyRule } });
  expect(made.status, made.text).toBe(201);
  await server.api('POST', '/v1/accounts', { id: 'acc', program: 'chip', credit_limit: 100_000 });
  const pin = { pvv: '4232', key_index: 1 };
  const card = await server.api('POST', '/v1/cards', { account: 'acc', pan: PAN, expiry: '2912', sequence: 1, pin });
  expect([card.status, card.body.pin.set]).toEqual([201, true]);

  const fields = {
    2: PAN,
    14: '2912',
    22: '051',
    35: track2('121'),
    48: cvv2('191'),
    52: `hex:${PIN}`,
    37: 'CHIP00000001',
  };
  const first = purchase({ amount: 1000, fields: { ...fields, 55: chipData('visa_cvn10') } });
  let client = await server.connect();
  const reply = await client.request(first);
  expect([reply[39], reply[44], reply[48], reply[55]]).toEqual([
    '00',
    'M',
    '8701M',
    `hex:910A${golden.emv[0]![4]}3030`,
  ]);
  const wrong = purchase({
    amount: 1000,
    fields: { ...fields, 37: 'CHIP00000009', 52: `hex:${golden.pinBlocks[4]![3]}` },
  });
  expect((await client.request(wrong))[39]).toBe('81');

  const [authorization] = (await server.get(`/v1/authorizations?rrn=CHIP00000001`)).body.data.slice(-1);
  const { body } = await server.get(`/v1/authorizations/${authorization!.id}/explain`);
  expect(body.cryptography).toEqual({
    ...{ stripe: 'passed', cvv2: 'passed', pin: 'passed', cryptogram: 'passed', counter: 'passed' },
    ...{ three_d_secure: 'not_present', pin_tries_after: null, counter_read: 0x123, highest_counter_before: null },
    ...{ device_wait_us: null, device_failure: null },
  });

  const wrongKey = await server.api('PATCH', '/v1/programs/chip', {
    tables: { cryptography: { cvv: { key: 'zpk' } } },
  });
  expect([wrongKey.status, wrongKey.body.param]).toEqual([422, '/tables/cryptography/cvv/key']);

  await server.kill();
  // Without its keys the program is told, and goes on; as one of a file it ends the start.
  const bare = await Server.start({ dataDir, demo: false });
  const told = bare.logged('a program names a key that cannot be used: messages that need it are answered 96');
  expect(told[0]).toMatchObject({ program: 'chip', pointer: '/tables/cryptography/cvv/key' });
  expect((await bare.stop()).status).toBe(0);
  const file = join(folder, 'programs.json');
  writeFileSync(file, JSON.stringify([{ ...program, tables: { cryptography: everyRule } }]));
  const { status, err } = await run(['serve', '--data-dir', dataDir, '--admin-port', '0', '--programs', file]);
  expect([status, err]).toEqual([65, expect.stringMatching(/program chip: \/tables\/cryptography\/cvv\/key: /)]);
  server = await Server.start({ dataDir, demo: false, flags });
  client = await server.connect();
  expect(await client.request({ ...first, 0: '0101' })).toEqual(reply);
  // The cryptogram is right, and was there before.
  const again = purchase({ amount: 1000, fields: { ...fields, 37: 'CHIP00000002', 55: chipData('visa_cvn10') } });
  expect((await client.request(again))[39]).toBe('88');
  await server.stop();
  expect(await run(['verify', '--data-dir', dataDir])).toMatchObject({ status: 0, err: '' });

  const hidden = [PIN, golden.emv[0]![3], '4232', ...keys.map(({ key }) => key)].map((hex) => Buffer.from(hex, 'hex'));
  const secrets = [...hidden.filter(({ length }) => length > 4), Buffer.from(track2('121')), Buffer.from(PIN)];
  for (const path of filesBelow(dataDir)) {
    const bytes = readFileSync(path);
    for (const secret of secrets) expect(bytes.includes(secret), path).toBe(false);
  }
  for (const secret of [PIN, golden.emv[0]![3], ...keys.map(({ key }) => key)])
    expect(server.stderr).not.toContain(secret);
});

test('a file of keys that others can read ends the start', async () => {
  const open = join(folder, 'open.json');
  writeFileSync(open, JSON.stringify({ format: 1, keys }));
  chmodSync(open, 0o644);
  const serve = ['serve', '--data-dir', join(folder, 'data'), '--tcp-port', '0', '--ws-port', '0', '--admin-port', '0'];
  const { status, err } = await run([...serve, '--hsm-keys', open]);
  expect(status).toBe(73);
  expect(err).toContain('has mode 0644');
});
