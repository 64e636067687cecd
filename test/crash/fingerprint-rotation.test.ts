/**
 * Rotations of the fingerprint key of a real server under load, killed at any moment: every message is approved, every card is found and
 * readable, no number gets a second card, the rotation goes on by itself, and in the end the vault and the shards know the new
 * fingerprints alone.
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { keyFileFacts, loadKeys } from '#src/vault/keys.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { type IsoClient, purchase } from '../support/iso-client.js';
import { long } from '../support/long.js';
import { type Json, run, Server, temporaryFolder, until } from '../support/server.js';
import { Random } from './random.js';
import { importCards, load, pans } from './rotation-support.js';

const KILLS = 3 * long;
const ROTATIONS = 2;

async function rotation(server: Server): Promise<Json> {
  return (await server.get('/v1/keys')).body.fingerprint_rotation as Json;
}

const rotate = (server: Server) => server.api('POST', '/v1/keys/rotations', { usage: 'fingerprint' });

/** Every number by some key of the file; with `alone` by the active key, and nothing else is in the vault. */
async function readAll(dataDir: string, alone = false): Promise<void> {
  const keys = loadKeys(`${dataDir}.keys`, { create: false });
  const store = openLmdbStore(`${dataDir}/vault`, { readOnly: true });
  try {
    const vault = new PanVault(store, keys);
    const prints = (alone ? [keys.fingerprintKey] : keys.fingerprintKeys).map(
      ({ bytes }) => new PanFingerprinter(bytes),
    );
    for (const pan of pans) expect(prints.some((print) => vault.reveal(print.of(pan)) === pan)).toBe(true);
    if (!alone) return;
    expect(vault.rowsAfter('', pans.length + 1).rows).toHaveLength(pans.length);
    expect(vault.fingerprintKey).toBe(keys.fingerprintKey.id);
  } finally {
    await store.close();
  }
}

/** The number of a card that there is, and one that nobody has. */
async function assertNoSecondCard(server: Server, pan: string): Promise<void> {
  const id = 'again';
  await server.api('POST', '/v1/accounts', { id, credit_limit: 100 });
  const second = await server.api('POST', '/v1/cards', { account: id, pan, expiry: '3012' });
  expect([second.status, second.body.code]).toEqual([409, 'card_exists']);
}

test('rotations under load and kills: nothing is lost, nothing twice, and they come to their end', async () => {
  const random = new Random(Number(process.env.HOLDFAST_TEST_SEED ?? 11));
  let server = await Server.start();
  const { dataDir } = server;
  await importCards(server);
  expect(await rotation(server)).toBeNull();
  let interrupted = 0;
  for (let round = 0; round < ROTATIONS; round++) {
    const before = keyFileFacts(`${dataDir}.keys`).keys.length;
    const begun = rotate(server).catch(() => undefined);
    if (round > 0) {
      // The kill comes while the key file is changed, before anything is noted, or in the first steps.
      await sleep(random.int(0, 20));
      await server.kill();
      await begun;
      await readAll(dataDir);
      server = await Server.start({ dataDir });
      if (keyFileFacts(`${dataDir}.keys`).keys.length === before) expect((await rotate(server)).status).toBe(202);
    } else expect((await begun)!.status).toBe(202);
    const wanted = keyFileFacts(`${dataDir}.keys`).keys.find(
      ({ usage, state }) => usage === 'fingerprint' && state === 'active',
    )!;
    let traffic = load(server);
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(random.int(0, 1500));
      await assertNoSecondCard(server, pans[random.int(0, pans.length - 1)]!);
      if ((await rotation(server)).status === 'running') interrupted++;
      await server.kill();
      await traffic.stop();
      await readAll(dataDir);
      server = await Server.start({ dataDir });
      expect((await server.get('/readyz')).status).toBe(200);
      traffic = load(server);
    }
    await until('the end of the rotation', async () => (await rotation(server)).status === 'done', 120_000);
    expect(await traffic.stop()).toBeGreaterThan(10);
    expect(await rotation(server)).toMatchObject({ usage: 'fingerprint', key: wanted.id, progress: 1, failure: null });
    await readAll(dataDir, true);
    await assertNoSecondCard(server, pans[0]!);
  }
  expect(interrupted).toBeGreaterThan(0);
  expect((await server.stop()).status).toBe(0);
  const verified = await run(['verify', '--data-dir', dataDir]);
  expect(verified.status, verified.err).toBe(0);
  const { out } = await run(['keys', 'status', '--data-dir', dataDir]);
  expect(out).toMatch(/rotation usage=fingerprint key=[0-9a-f]{16} rows=\d+ started=\S+ done finished=/);
  expect(out.match(/^fingerprint .* retired/gm)).toHaveLength(ROTATIONS);

  // From the journal alone, without checkpoint and segments: the same books, and every card under its newest fingerprint.
  for (const folder of ['state', 'segments']) rmSync(`${dataDir}/${folder}`, { recursive: true, force: true });
  server = await Server.start({ dataDir });
  expect((await (await server.connect()).request(purchase({ amount: 10 })))[39]).toBe('00');
  expect((await server.stop()).status).toBe(0);
});

test('the command rotates and waits; one rotation of any key at a time', async () => {
  const server = await Server.start();
  const { dataDir } = server;
  const at = ['--admin', `http://${server.ready.admin}`, '--token-file', `${dataDir}/admin.token`];
  const rotated = run(['keys', 'rotate', '--usage', 'fingerprint', '--wait', ...at]);
  await until('a rotation', async () => (await rotation(server))?.status === 'running');
  for (const usage of ['pan', 'fingerprint']) {
    const other = await server.api('POST', '/v1/keys/rotations', { usage });
    expect([other.status, other.body.code]).toEqual([409, 'rotation_running']);
  }
  // A verification beside it meets cards that are given another name behind its back.
  const verified = await run(['verify', '--data-dir', dataDir]);
  expect(verified.status, verified.err).toBe(0);
  const { status, out, err } = await rotated;
  expect([status, err]).toEqual([0, '']);
  expect(out).toMatch(/^rotation usage=fingerprint key=[0-9a-f]{16} status=done progress=1 rows=1000\n$/);
  expect((await (await server.connect()).request(purchase({ amount: 10 })))[39]).toBe('00');
  expect((await server.stop()).status).toBe(0);
});

test('a backup of the middle of a rotation goes on with it where it is restored, by both keys and by none of them alone', async () => {
  const backups = temporaryFolder('backups');
  const server = await Server.start({ flags: ['--backup-dir', backups] });
  const { dataDir } = server;
  const client = await server.connect();
  await importCards(server);
  const before = readFileSync(`${dataDir}.keys`);
  expect((await rotate(server)).status).toBe(202);
  await until('some way', async () => Number((await rotation(server)).progress) > 0.1, 60_000);
  const numbers = await createBeside(server);
  const name = 'middle';
  const made = await server.api('POST', '/v1/backups', { name });
  expect(made.status).toBe(202);
  const done = async (): Promise<Json> => (await server.get(`/v1/backups/${name}`)).body;
  await until('the backup', async () => (await done()).status === 'done', 60_000);
  const pay = async (to: IsoClient, pan: string): Promise<string | undefined> =>
    (await to.request(purchase({ amount: 10, fields: { 2: pan } })))[39];
  for (const pan of numbers) expect(await pay(client, pan)).toBe('00');
  await until('the end of the rotation', async () => (await rotation(server)).status === 'done', 60_000);
  for (const pan of numbers) expect(await pay(client, pan)).toBe('00');
  expect((await server.stop()).status).toBe(0);

  const restored = join(backups, 'restored');
  const source = join(backups, name);
  expect(await run(['restore', source, '--data-dir', restored])).toMatchObject({ status: 0 });
  expect((await run(['keys', 'status', '--data-dir', restored, '--key-file', `${dataDir}.keys`])).out).toMatch(
    /rotation usage=fingerprint .* running at=[0-9a-f]{24}/,
  );
  const keyFile = join(backups, 'keys');
  const { keys, ...document } = JSON.parse(readFileSync(`${dataDir}.keys`, 'utf8')) as { keys: { state: string }[] };
  const alone = JSON.stringify({ ...document, keys: keys.filter(({ state }) => state === 'active') });
  for (const content of [before, alone]) {
    writeFileSync(keyFile, content, { mode: 0o600 });
    const { status, err } = await run(['serve', '--data-dir', restored, '--key-file', keyFile, '--admin-port', '0']);
    expect([status, err]).toEqual([73, expect.stringMatching(/key_file_mismatch|was made with other keys/)]);
  }
  copyFileSync(join(dataDir, 'admin.token'), join(restored, 'admin.token'));
  const flags = ['--key-file', `${dataDir}.keys`];
  const next = await Server.start({ dataDir: restored, flags });
  expect((await rotation(next)).status).toBe('running');
  const other = await next.connect();
  for (const pan of [...numbers, pans[0]!, pans[999]!]) expect(await pay(other, pan)).toBe('00');
  await until('the end of the rotation', async () => (await rotation(next)).status === 'done', 60_000);
  for (const pan of [...numbers, pans[0]!, pans[999]!]) expect(await pay(other, pan)).toBe('00');
  expect((await next.stop()).status).toBe(0);
  expect(await run(['verify', '--data-dir', restored])).toMatchObject({ status: 0 });
});

/** A card, one that takes its place and a network token, each in the middle of a rotation. Gives the numbers that are approved. */
async function createBeside(server: Server): Promise<string[]> {
  await server.api('POST', '/v1/accounts', { id: 'beside', currency: 'BRL', credit_limit: 100_000 });
  const first = await server.api('POST', '/v1/cards', { account: 'beside', expiry: '3512' });
  const next = await server.api('POST', '/v1/cards', { account: 'beside', expiry: '3512', replaces: first.body.id });
  const token = await server.api('POST', `/v1/cards/${next.body.id}/aliases`, { expiry: '3512' });
  expect([first.status, next.status, token.status]).toEqual([201, 201, 201]);
  return [next.body.pan as string, token.body.pan as string];
}
