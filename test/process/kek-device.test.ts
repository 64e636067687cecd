/** A key-encrypting key that a device seals and opens: by the commands, at the start of a server, and when the device does not do it. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run, Server, serveArguments, temporaryFolder } from '../support/server.js';
import { deviceKeyEntries, FakeHsm } from '../vault/payshield/fake-hsm.js';

const KEK = 'a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff00';
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
  const offline = await run(['keys', 'status', '--data-dir', dataDir, '--kek-file', sealed]);
  expect([offline.status, offline.err]).toEqual([73, expect.stringContaining('sealed by a device')]);

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
