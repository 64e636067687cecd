/**
 * Rotations of the PAN key of a real server under load, killed at any moment: no card is lost or unreadable, the rotation goes on by
 * itself, and in the end no row needs the key before.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { Kek } from '#src/vault/kek.js';
import { keyFileFacts, loadKeys } from '#src/vault/keys.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { purchase } from '../support/iso-client.js';
import { long } from '../support/long.js';
import { type Json, run, Server, until } from '../support/server.js';
import { Random } from './random.js';
import { importCards, load, pans } from './rotation-support.js';

const KEK = '5a'.repeat(32);
const kek = new Kek(Buffer.from(KEK, 'hex'));
const environment = { HOLDFAST_KEK: KEK };
const KILLS = 6 * long;
const ROTATIONS = 3;

async function rotation(server: Server): Promise<Json> {
  return (await server.get('/v1/keys')).body.rotation as Json;
}

/** Every card by the keys of the file, and which keys their rows name. */
async function readAll(dataDir: string, only?: string): Promise<void> {
  const keys = loadKeys(`${dataDir}.keys`, { create: false, kek });
  const store = openLmdbStore(`${dataDir}/vault`, { readOnly: true });
  try {
    const known = only === undefined ? keys : { ...keys, panKeys: keys.panKeys.filter(({ id }) => id === only) };
    const vault = new PanVault(store, known);
    const print = new PanFingerprinter(keys.fingerprintKey.bytes);
    for (const pan of pans) expect(vault.reveal(print.of(pan))).toBe(pan);
  } finally {
    await store.close();
  }
}

test('rotations under load and kills: every card stays readable, and the rotation comes to its end', async () => {
  const random = new Random(Number(process.env.HOLDFAST_TEST_SEED ?? 7));
  let server = await Server.start({ environment });
  const { dataDir } = server;
  await importCards(server);
  expect(await rotation(server)).toBeNull();

  let kills = 0;
  let interrupted = 0;
  for (let round = 0; round < ROTATIONS; round++) {
    const before = keyFileFacts(`${dataDir}.keys`).keys.length;
    // Sometimes the kill comes while the key file is changed or before the first row is noted.
    const begun = server.api('POST', '/v1/keys/rotations', {}).catch(() => undefined);
    if (round > 0) {
      await sleep(random.int(0, 20));
      await server.kill();
      kills++;
      await begun;
      await readAll(dataDir);
      server = await Server.start({ dataDir, environment });
      // Killed before the new key was durable: nothing has begun.
      if (keyFileFacts(`${dataDir}.keys`).keys.length === before)
        expect((await server.api('POST', '/v1/keys/rotations', {})).status).toBe(202);
    } else expect((await begun)!.status).toBe(202);
    const wanted = keyFileFacts(`${dataDir}.keys`).keys.find(
      ({ usage, state }) => usage === 'pan' && state === 'active',
    )!;
    expect(await rotation(server)).toMatchObject({ key: wanted.id });
    let traffic = load(server);
    for (let kill = 0; kill < KILLS / ROTATIONS; kill++) {
      await sleep(random.int(0, 900));
      if ((await rotation(server)).status === 'running') interrupted++;
      await server.kill();
      kills++;
      await traffic.stop();
      await readAll(dataDir);
      server = await Server.start({ dataDir, environment });
      traffic = load(server);
    }
    // A card of the time in between is under the new key at once.
    await until('the end of the rotation', async () => (await rotation(server)).status === 'done', 120_000);
    expect(await traffic.stop()).toBeGreaterThan(10);
    expect(await rotation(server)).toMatchObject({ key: wanted.id, progress: 1, failure: null });
    await readAll(dataDir, wanted.id);
  }
  expect([kills > ROTATIONS, interrupted > 0]).toEqual([true, true]);
  expect((await server.stop()).status).toBe(0);
  const verified = await run(['verify', '--data-dir', dataDir]);
  expect(verified.status, verified.err).toBe(0);
  const status = await run(['keys', 'status', '--data-dir', dataDir], environment);
  expect(status.out).toMatch(/opened=yes/);
  expect(status.out).toMatch(/rotation usage=pan key=[0-9a-f]{16} rows=\d+ started=\S+ done finished=/);
  expect(status.out.match(/^pan .* retired/gm)).toHaveLength(ROTATIONS);
});

test('the command rotates and waits; one at a time; a key file that was wrapped anew is refused', async () => {
  const server = await Server.start({ environment });
  const at = ['--admin', `http://${server.ready.admin}`, '--token-file', `${server.dataDir}/admin.token`];
  const rotated = run(['keys', 'rotate', '--wait', ...at]);
  await until('a rotation', async () => (await rotation(server))?.status === 'running');
  const second = await server.api('POST', '/v1/keys/rotations', {});
  expect([second.status, second.body.code]).toEqual([409, 'rotation_running']);
  const { status, out, err } = await rotated;
  expect([status, err]).toEqual([0, '']);
  expect(out).toMatch(/^rotation usage=pan key=[0-9a-f]{16} status=done progress=1 rows=1000\n$/);
  const other = { HOLDFAST_KEK: KEK, HOLDFAST_NEW_KEK: '5b'.repeat(32) };
  expect((await run(['keys', 'rewrap', '--data-dir', server.dataDir], other)).status).toBe(0);
  const refused = await server.api('POST', '/v1/keys/rotations', {});
  expect([refused.status, refused.body.code]).toEqual([409, 'rotation_refused']);
  expect(refused.text).toContain('kek_mismatch');
  // What it has in memory still serves.
  expect((await (await server.connect()).request(purchase({ amount: 10 })))[39]).toBe('00');
  expect((await server.stop()).status).toBe(0);
});

test('with the approval of keys one custodian proposes and another confirms; then it is rotated once', async () => {
  const server = await Server.start({ environment, flags: ['--approvals', 'keys'] });
  const at = ['--admin', `http://${server.ready.admin}`];
  const custodian = async (role: string, name: string): Promise<string> => {
    const { status, body } = await server.api('POST', '/v1/tokens', { role, name });
    expect(status).toBe(201);
    return String(body.token);
  };
  const [ana, ben] = [await custodian('key-custodian-a', 'Ana'), await custodian('key-custodian-b', 'Ben')];
  const viewer = await custodian('viewer', 'Vic');
  const proposed = await run(['keys', 'rotate', '--wait', ...at], { HOLDFAST_TOKEN: ana });
  expect([proposed.status, proposed.err]).toEqual([0, '']);
  const [, id] = /^approval id=(apr_[0-9a-f]+) status=open\n$/.exec(proposed.out)!;
  expect(await rotation(server)).toBeNull();
  const confirm = async (token: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const url = `http://${server.ready.admin}/v1/approvals/${id}/confirm`;
    return (await fetch(url, { method: 'POST', headers, body: '{}' })).status;
  };
  expect(await confirm(ana)).toBe(403);
  expect(await confirm(viewer)).toBe(403);
  expect(await rotation(server)).toBeNull();
  expect(await confirm(ben)).toBe(200);
  await until('the end of the rotation', async () => (await rotation(server))?.status === 'done', 60_000);
  expect(await confirm(ben)).toBe(200);
  expect(keyFileFacts(`${server.dataDir}.keys`).keys.filter(({ usage }) => usage === 'pan')).toHaveLength(2);
  // No custodian sees a card.
  const headers = { authorization: `Bearer ${ana}` };
  expect((await fetch(`http://${server.ready.admin}/v1/cards?limit=1`, { headers })).status).toBe(403);
  expect((await server.stop()).status).toBe(0);
});
