/**
 * No answer before the disk has said yes. A preloaded disk (shim.c) delays and fails the two calls of a commit, the data
 * flush and the synchronous write of LMDB's meta page, in the real server.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Book, type Operation } from './book.js';
import { Client } from './client.js';
import { Disk, DSYNC_LOST, DSYNC_WRITTEN, whyNoShim } from './disk.js';
import { findings } from './questions.js';
import { Random } from './random.js';
import { Scene, verify } from './server.js';

const skipped = whyNoShim();
const DELAY_MS = 200;
const EX_JOURNAL = 74;
const ENOSPC = 28;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let scene: Scene;
afterEach(() => scene.close());

interface Sent {
  readonly sentNs: bigint;
  arrivedNs: bigint;
}

/** A server whose journal is on a controlled disk, with the demo program and a few answers in it. */
async function begin(name: string, folder = '/journal/', environment: Record<string, string> = {}) {
  scene = new Scene();
  const random = new Random(7);
  const book = new Book(random, 16);
  const disk = new Disk(scene.folder, name, folder);
  const server = scene.start({ threads: 1, environment: { ...disk.environment, ...environment } });
  const client = await Client.connect(book, server, random);
  await client.load(sleep(300));
  expect(book.acknowledged.length).toBeGreaterThan(20);
  return { random, book, disk, server, client };
}

describe.skipIf(skipped !== undefined)(`the flush of the journal${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  test.each(['syncDelayMs', 'dsyncDelayMs'] as const)(
    `no reply leaves before a commit that takes ${DELAY_MS} ms longer (%s)`,
    async (word) => {
      const { book, disk, server, client } = await begin('delay');
      disk.set(word, DELAY_MS);
      // A commit that is under way keeps its old delay.
      await sleep(100);
      const times = new Map<Operation, Sent>();
      client.onArrival = (operation) => {
        const time = times.get(operation);
        if (time !== undefined) time.arrivedNs = process.hrtime.bigint();
      };
      for (let round = 0; round < 8; round++) {
        const batch = book.cards.slice(0, 4).map((card) => book.purchase(card, 10 + round));
        for (const [i, operation] of batch.entries()) {
          times.set(operation, { sentNs: process.hrtime.bigint(), arrivedNs: 0n });
          client.send(operation, i % 3);
        }
        await expect.poll(() => book.open().length, { timeout: 30_000, interval: 5 }).toBe(0);
      }
      expect(times.size).toBe(32);
      const trace = disk.trace();
      const commits = commitsOf(trace);
      for (const [operation, { sentNs, arrivedNs }] of times) {
        // A decline waits as long as an approval.
        expect(operation.answer?.code).toMatch(/^(00|51)$/);
        expect(Number(arrivedNs - sentNs) / 1e6).toBeGreaterThanOrEqual(DELAY_MS);
        // A commit that began after the message was sent, and had ended when its reply came.
        const own = commits.find(({ began, ended }) => began > sentNs && ended < arrivedNs);
        expect(own, `operation ${operation.id} was answered without a commit of its own`).toBeDefined();
      }
      client.close();
      disk.set(word, 0);
      expect(await server.stop()).toEqual({ code: 0, signal: null });
    },
    180_000,
  );

  test.each([
    ['fdatasync fails', 'syncFail', 1],
    ['the meta page is not written', 'dsyncFail', DSYNC_LOST],
    ['the meta page is written and reported as failed', 'dsyncFail', DSYNC_WRITTEN],
  ] as const)(
    '%s: no reply of that batch, exit 74, and the next start knows what is true',
    async (_, word, value) => {
      const { random, book, disk, server, client } = await begin('fail');
      disk.set(word, value);
      const batch = book.cards.map((card) => book.purchase(card, 4_321));
      for (const [i, operation] of batch.entries()) client.send(operation, i % 3);
      expect(await server.exit()).toEqual({ code: EX_JOURNAL, signal: null });
      await sleep(50);
      expect(disk.get(word === 'syncFail' ? 'syncsFailed' : 'dsyncsFailed')).toBeGreaterThanOrEqual(1);
      // What came after the failure is turned away with 91 and reached no shard: the balances below would show it.
      const unanswered = batch.filter((operation) => operation.answer === undefined);
      expect(unanswered.length).toBeGreaterThan(0);
      for (const operation of batch) expect(operation.answer?.code ?? '91').toBe('91');
      const fatal = server.logLines('fatal stop').map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(fatal).toHaveLength(1);
      expect(fatal[0]).toMatchObject({ exit_status: EX_JOURNAL, error: expect.stringContaining('commit to ') });
      client.close();
      book.disconnected();

      expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
      const again = scene.start({ threads: 2 });
      const after = await Client.connect(book, again, random);
      expect(await after.settle()).toBe(unanswered.length);
      expect(await after.differences()).toEqual([]);
      await after.repeat(book.acknowledged);
      expect(book.contradictions).toEqual([]);
      expect(await after.differences()).toEqual([]);
      after.close();
      expect(await again.stop()).toEqual({ code: 0, signal: null });
      expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
    },
    180_000,
  );

  test('canary: without the flush the same comparison finds replies that no commit came before', async () => {
    const { book, disk, client } = await begin('canary', '/journal/', { HOLDFAST_FAULT_NO_SYNC: '1' });
    const sentNs = process.hrtime.bigint();
    const operation = book.purchase(book.cards[0]!, 10);
    client.send(operation);
    await expect.poll(() => operation.answer, { timeout: 30_000, interval: 5 }).toBeDefined();
    const arrivedNs = process.hrtime.bigint();
    const own = commitsOf(disk.trace()).find(({ began, ended }) => began > sentNs && ended < arrivedNs);
    expect(own).toBeUndefined();
    client.close();
  }, 180_000);

  test.each([
    ['vault', '/v1/cards', { account: 'demo-0001', expiry: '2912', status: 'active' }],
    [
      'system',
      '/v1/programs',
      { id: 'prog_crash', currency: 'BRL', product: 'credit', bins: ['99999912'], sandbox: true },
    ],
  ] as const)(
    'a failed flush of the %s folder: no success is told, exit 74',
    async (folder, path, body) => {
      const { random, book, disk, server, client } = await begin(folder, `/${folder}/`);
      disk.set('syncFail', 1);
      const { status } = await client.post(path, body);
      expect(status).not.toBe(200);
      expect(status).not.toBe(201);
      expect(await server.exit()).toEqual({ code: EX_JOURNAL, signal: null });
      expect(disk.get('syncsFailed')).toBeGreaterThanOrEqual(1);
      client.close();
      book.disconnected();
      const again = scene.start();
      const after = await Client.connect(book, again, random);
      expect(await findings(book, after, random)).toEqual([]);
      const retried = await after.post(path, body);
      expect(retried.status).toBe(201);
      after.close();
      expect(await again.stop()).toEqual({ code: 0, signal: null });
      expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
    },
    180_000,
  );

  test('a failed flush of the checkpoint costs no answer: it is rebuildable, and the next start does without', async () => {
    const { random, book, server, client } = await begin('before', '/state/');
    client.close();
    await server.kill();
    book.disconnected();
    // A start has rows to write at once: those it has just replayed.
    const disk = new Disk(scene.folder, 'during', '/state/');
    disk.set('syncFail', 1);
    const crippled = scene.start({ threads: 2, environment: { ...disk.environment } });
    const during = await Client.connect(book, crippled, random);
    await during.load(sleep(1000));
    const lost = (): number => crippled.logLines('a background task ended').length;
    await expect.poll(lost, { timeout: 60_000 }).toBe(1);
    expect(await findings(book, during, random)).toEqual([]);
    during.close();
    await crippled.kill();
    book.disconnected();
    const again = scene.start();
    const after = await Client.connect(book, again, random);
    expect(await findings(book, after, random)).toEqual([]);
    after.close();
    expect(await again.stop()).toEqual({ code: 0, signal: null });
    expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
  }, 180_000);

  test('pages that cannot be written (ENOSPC): no reply of that batch, exit 74, nothing acknowledged is lost', async () => {
    const { random, book, disk, server, client } = await begin('pages');
    disk.set('writeFail', ENOSPC);
    const batch = book.cards.map((card) => book.purchase(card, 4_321));
    for (const [i, operation] of batch.entries()) client.send(operation, i % 3);
    expect(await server.exit()).toEqual({ code: EX_JOURNAL, signal: null });
    expect(disk.get('writesFailed')).toBeGreaterThanOrEqual(1);
    for (const operation of batch) expect(operation.answer?.code ?? '91').toBe('91');
    client.close();
    book.disconnected();
    await assertKept(book, random);
  }, 180_000);

  test('a failed flush of the deliveries of webhooks: exit 74, nothing acknowledged is lost', async () => {
    const { random, book, disk, server, client } = await begin('deliveries', '/webhooks/');
    disk.set('syncFail', 1);
    await client.post('/v1/webhooks', { url: 'https://receiver.example/hook', events: ['*'] });
    await client.load(sleep(100));
    expect(await server.exit()).toEqual({ code: EX_JOURNAL, signal: null });
    expect(disk.get('syncsFailed')).toBeGreaterThanOrEqual(1);
    client.close();
    book.disconnected();
    await assertKept(book, random);
  }, 180_000);

  test('a failed flush of the spool: the upload is refused and leaves nothing, the server goes on', async () => {
    const { random, book, disk, server, client } = await begin('spool', '/spool/');
    const folder = join(scene.dataDir, 'spool');
    const upload = async (): Promise<number> => {
      const headers = { authorization: `Bearer ${server.token()}`, 'content-type': 'application/octet-stream' };
      const { admin } = await server.ready;
      const body = Buffer.alloc(100_000, 1);
      return (await fetch(`http://${admin}/v1/clearing-files`, { method: 'POST', headers, body })).status;
    };
    disk.set('syncFail', 1);
    expect(await upload()).toBe(500);
    expect(disk.get('syncsFailed')).toBeGreaterThanOrEqual(1);
    expect(readdirSync(folder)).toEqual([]);
    disk.set('syncFail', 0);
    expect(await upload()).toBe(202);
    expect(await findings(book, client, random)).toEqual([]);
    client.close();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
  }, 180_000);

  test('segments that cannot be flushed cost no answer: the stop is told of it, and they are built anew', async () => {
    const { random, book, disk, server, client } = await begin('segments', '/segments/');
    client.close();
    disk.set('syncFail', 1);
    // The last segments are built at the stop.
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(disk.get('syncsFailed')).toBeGreaterThanOrEqual(1);
    expect(server.logLines('a background task ended')).toHaveLength(1);
    book.disconnected();
    await assertKept(book, random);
  }, 180_000);
});

/** Everything that was acknowledged is there, once. */
async function assertKept(book: Book, random: Random): Promise<void> {
  const again = scene.start();
  const after = await Client.connect(book, again, random);
  expect(await findings(book, after, random)).toEqual([]);
  after.close();
  expect(await again.stop()).toEqual({ code: 0, signal: null });
  expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
}

/** Data flush and the meta page behind it, of the journal's only lane. */
function commitsOf(trace: ReturnType<Disk['trace']>): { began: bigint; ended: bigint }[] {
  const commits: { began: bigint; ended: bigint }[] = [];
  for (const [i, line] of trace.entries()) {
    const next = trace[i + 1];
    if (line.kind === 'sync' && line.path.endsWith('/data.mdb') && line.result === 0 && next?.kind === 'dsync')
      commits.push({ began: line.began, ended: next.ended });
  }
  return commits;
}
