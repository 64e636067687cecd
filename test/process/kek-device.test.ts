/** A key-encrypting key that a device seals and opens: by the commands, at the start of a server, and when the device does not do it. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run, Server, serveArguments, temporaryFolder } from '../support/server.js';
import { deviceKeyEntries, FakeHsm } from '../vault/payshield/fake-hsm.js';

const KEK = 'a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff00';
const OTHER_KEK = KEK.split('').reverse().join('');
const folder = temporaryFolder('kek-device');
const hsmKeys = join(folder, 'hsm-keys.json');
writeFileSync(hsmKeys, JSON.stringify({ format: 1, keys: deviceKeyEntries() }), { mode: 0o600 });
const fake = new FakeHsm();
afterAll(() => fake.close());

test('is sealed by a command, opened at each start, and of no use without the device', async () => {
  const hsm = ['--hsm', `127.0.0.1:${await fake.listen()}`, '--hsm-keys', hsmKeys];
  const sealed = join(folder, 'kek.sealed');
  const seal = (key: string, to: string) =>
    run(['keys', 'seal', ...hsm, '--hsm-key', key, '--to', to], { HOLDFAST_KEK: KEK });
  const made = await seal('dek', sealed);
  expect([made.status, made.out]).toEqual([0, expect.stringMatching(/^sealed \S+ kek=[0-9a-f]{10} by key dek\n$/i)]);
  expect(readFileSync(sealed, 'latin1')).not.toContain(KEK);
  expect((await seal('dek', sealed)).status).toBe(64);
  // A key of another usage seals nothing, and no file is made.
  const refused = await seal('cvk', join(folder, 'other'));
  expect([refused.status, refused.err]).toEqual([73, expect.stringContaining('key_not_usable')]);

  const dataDir = join(folder, 'data');
  const flags = ['--kek-file', sealed, ...hsm];
  const server = await Server.start({ dataDir, demo: false, flags });
  expect((await server.get('/readyz')).status).toBe(200);
  expect((await server.stop()).status).toBe(0);
  const stored = JSON.parse(readFileSync(`${dataDir}.keys`, 'utf8')) as { format: number };
  expect(stored.format).toBe(2);
  // It is the key that was sealed: by itself it opens the key file as well.
  const status = await run(['keys', 'status', '--data-dir', dataDir], { HOLDFAST_KEK: KEK });
  expect(status.out).toContain('opened=yes');

  const fails = async (why: RegExp, ...more: string[]): Promise<void> => {
    const { status: code, err } = await run(serveArguments({ dataDir, demo: false, flags: more }));
    expect([code, err]).toEqual([73, expect.stringMatching(why)]);
  };
  await fails(/sealed by a device, and no device is named/, '--kek-file', sealed);
  fake.behaviour.error = (_n, command) => (command === 'M2' ? 'A6' : undefined);
  await fails(/is not opened by key dek of the device \(key_not_usable/, ...flags);
  delete fake.behaviour.error;
  const document = JSON.parse(readFileSync(sealed, 'utf8')) as { sealed: string };
  const altered = join(folder, 'altered');
  const wrong = `${document.sealed.slice(0, -2)}${document.sealed.endsWith('00') ? '01' : '00'}`;
  writeFileSync(altered, JSON.stringify({ ...document, sealed: wrong }));
  await fails(/does not have its check value/, '--kek-file', altered, ...hsm);
  chmodSync(altered, 0o666);
  await fails(/can be written by others/, '--kek-file', altered, ...hsm);
  writeFileSync(altered, '{"format":1}');
  chmodSync(altered, 0o600);
  await fails(/is no sealed key/, '--kek-file', altered, ...hsm);
  await fake.close();
  await fails(/device_down/, ...flags);
});

test('is opened by every command that opens a key file, and by none without the device', async () => {
  const device = new FakeHsm();
  const hsm = ['--hsm', `127.0.0.1:${await device.listen()}`, '--hsm-keys', hsmKeys];
  const sealed = async (name: string, kek: string): Promise<string> => {
    const to = join(folder, name);
    const { status, err } = await run(['keys', 'seal', ...hsm, '--hsm-key', 'dek', '--to', to], { HOLDFAST_KEK: kek });
    expect([status, err]).toEqual([0, expect.any(String)]);
    return to;
  };
  const [first, second] = [await sealed('first', KEK), await sealed('second', OTHER_KEK)];
  const dataDir = join(folder, 'commands');
  const server = await Server.start({ dataDir, demo: false });
  await server.api('POST', '/v1/accounts', { id: 'acc', currency: 'BRL', credit_limit: 10_000 });
  const card = (await server.api('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body.id;
  expect((await server.stop()).status).toBe(0);

  const place = ['--data-dir', dataDir];
  const kek = ['--kek-file', first];
  const wrapped = await run(['keys', 'wrap', ...place, ...kek, ...hsm]);
  expect([wrapped.status, wrapped.out]).toEqual([0, expect.stringMatching(/^wrapped /)]);
  const day = ['network-day', '--date', '2020-01-01', '--out', join(folder, 'day.ipm')];
  const commands: readonly (readonly [string[], number, RegExp])[] = [
    [['keys', 'status'], 0, /opened=yes/],
    [['keys', 'wrap'], 0, /is wrapped already/],
    [['keys', 'seal', '--hsm-key', 'dek', '--to', join(folder, 'again')], 0, /^sealed /],
    [['replay', '--until', '2100-01-01', '--card', card], 0, /account=acc/],
    // It reads the journal, which has nothing of that date.
    [day, 65, /there is none on 2020-01-01/],
    [['keys', 'rewrap', '--new-kek-file', second], 0, /^wrapped .* before=/],
  ];
  const keyFile = readFileSync(`${dataDir}.keys`);
  await device.close();
  for (const [command] of commands) {
    const unnamed = await run([...command, ...place, ...kek]);
    expect([command, unnamed.status, unnamed.err]).toEqual([command, 73, expect.stringMatching(/no device is named/)]);
    // In this process, and in one that reads the data.
    if (command[0] === 'network-day' || (command[0] === 'keys' && command[1] !== 'rewrap')) continue;
    const { status, err } = await run([...command, ...place, ...kek, ...hsm]);
    expect([command, status]).toEqual([command, 73]);
    expect(err).toMatch(/is not opened by key dek of the device \(device_down.*holdfast doctor --hsm.*HOLDFAST_KEK/s);
  }
  expect(readFileSync(`${dataDir}.keys`)).toEqual(keyFile);

  const back = new FakeHsm();
  afterAll(() => back.close());
  await back.listen(Number(hsm[1]!.split(':')[1]));
  for (const [command, wanted, says] of commands) {
    const { status, out, err } = await run([...command, ...place, ...kek, ...hsm]);
    expect([command, status, out + err]).toEqual([command, wanted, expect.stringMatching(says)]);
  }
  // From here on the second one is the right one.
  expect((await run(['keys', 'status', ...place, ...kek, ...hsm])).err).toContain('not by the one with');
  const last = await run(['keys', 'status', ...place, '--kek-file', second, ...hsm]);
  expect([last.status, last.out]).toEqual([0, expect.stringContaining('opened=yes')]);
});
