/**
 * A server whose keys are wrapped: from a file of another user and from the environment. What was stolen with the data directory and
 * the key file opens nothing. Backup and restore.
 */
import { chmodSync, chownSync, cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keyFileFacts } from '#src/vault/keys.js';
import { purchase } from '../support/iso-client.js';
import { run, Server, temporaryFolder } from '../support/server.js';

const KEK = '5a'.repeat(32);
const OTHER = '5b'.repeat(32);
const PAN = '9999997071727370';
const MINE = { 2: PAN, 14: '3012' };

async function makeCard(server: Server): Promise<string> {
  await server.api('POST', '/v1/accounts', { id: 'one', currency: 'BRL', credit_limit: 100_000, type: 'credit' });
  const { status, body } = await server.api('POST', '/v1/cards', {
    ...{ account: 'one', pan: PAN, expiry: '3012', status: 'active' },
  });
  expect(status).toBe(201);
  return (body as { id: string }).id;
}

async function approves(server: Server): Promise<void> {
  expect((await (await server.connect()).request(purchase({ amount: 10, fields: MINE })))[39]).toBe('00');
}

async function reveals(server: Server, card: string): Promise<string> {
  const { body } = await server.api('GET', `/v1/cards/${card}/pan`, undefined, { 'x-reason': 'test of the vault' });
  return (body as { pan: string }).pan;
}

test('made wrapped by a key of the environment; the data with the key file opens nothing without it', async () => {
  const first = await Server.start({ demo: false, environment: { HOLDFAST_KEK: KEK } });
  const card = await makeCard(first);
  await approves(first);
  expect(first.stderr).not.toContain('holds its keys as they are');
  expect(await reveals(first, card)).toBe(PAN);
  expect((await first.stop()).status).toBe(0);
  const keyFile = `${first.dataDir}.keys`;
  expect(keyFileFacts(keyFile).kek).toBeDefined();

  const folder = temporaryFolder('stolen');
  cpSync(first.dataDir, join(folder, 'data'), { recursive: true, filter: (path) => !path.endsWith('/lock') });
  cpSync(keyFile, join(folder, 'data.keys'));
  const stolen = [
    'serve',
    '--data-dir',
    join(folder, 'data'),
    '--tcp-port',
    '0',
    '--ws-port',
    '0',
    '--admin-port',
    '0',
  ];
  const without = await run(stolen);
  expect(without.status).toBe(73);
  expect(without.err).toContain('is wrapped by the key-encrypting key');
  const wrong = await run(stolen, { HOLDFAST_KEK: OTHER });
  expect(wrong.status).toBe(73);
  expect(wrong.err).toContain('check value');
  const day = ['network-day', '--data-dir', join(folder, 'data'), '--date', '2026-01-01', '--out', join(folder, 'day')];
  expect((await run(day)).status).toBe(73);
  // With the key it reads the journal, which has nothing of that date.
  expect((await run([...day, '--json'], { HOLDFAST_KEK: KEK })).status).toBe(65);

  const again = await Server.start({ dataDir: first.dataDir, demo: false, environment: { HOLDFAST_KEK: KEK } });
  await approves(again);
  expect(await reveals(again, card)).toBe(PAN);
  expect((await again.stop()).status).toBe(0);
});

test.skipIf(process.geteuid!() !== 0)(
  'with keys as they are, then wrapped by a file of another user, then restored elsewhere',
  async () => {
    const plain = await Server.start({ demo: false });
    const card = await makeCard(plain);
    expect(plain.stderr).toContain('holds its keys as they are');
    await plain.stop();
    const keyFile = `${plain.dataDir}.keys`;
    const kekFile = join(temporaryFolder('kek'), 'kek');
    writeFileSync(kekFile, `${KEK}\n`);
    chmodSync(kekFile, 0o440);
    chownSync(kekFile, 65_534, 0);
    const flags = ['--kek-file', kekFile];

    const early = await run(['serve', '--data-dir', plain.dataDir, ...flags]);
    expect(early.status).toBe(73);
    expect(early.err).toContain('holdfast keys wrap');
    const wrapped = await run(['keys', 'wrap', '--data-dir', plain.dataDir, ...flags]);
    expect(wrapped.err).toContain('destroy them');
    expect(wrapped.status).toBe(0);

    const server = await Server.start({ dataDir: plain.dataDir, demo: false, flags });
    await approves(server);
    expect(await reveals(server, card)).toBe(PAN);
    const backup = join(temporaryFolder('backup'), 'b');
    const made = await run(['backup', backup, '--data-dir', server.dataDir]);
    expect(made.status).toBe(0);
    await server.kill();

    const target = join(temporaryFolder('restored'), 'data');
    cpSync(keyFile, `${target}.keys`);
    // The key file is compared by its id: the key-encrypting key is not needed, and nothing is opened.
    const restored = await run(['restore', backup, '--data-dir', target]);
    expect(restored.err).not.toContain('before the start');
    expect(restored.status).toBe(0);
    // Tokens are known by their hashes only: that of the first directory goes on.
    cpSync(join(server.dataDir, 'admin.token'), join(target, 'admin.token'));
    const next = await Server.start({ dataDir: target, demo: false, flags });
    expect(await reveals(next, card)).toBe(PAN);
    await approves(next);
    expect((await next.stop()).status).toBe(0);
  },
);
