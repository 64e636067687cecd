/**
 * Rotations of the fingerprint key of a real server under load, killed at any moment: every message is approved, every card is found and
 * readable, no number gets a second card, the rotation goes on by itself, and in the end the vault and the shards know the new
 * fingerprints alone.
 */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { keyFileFacts, loadKeys } from '#src/vault/keys.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { purchase } from '../support/iso-client.js';
import { long } from '../support/long.js';
import { type Json, run, Server, until } from '../support/server.js';
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
