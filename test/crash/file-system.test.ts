/**
 * Real file systems that fail under a server with load: full to the last byte, and read-only after an error. Nothing that was
 * acknowledged is lost, nothing is answered that is not on the disk, and the end is 74 with a line that says so.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Book } from './book.js';
import { Client } from './client.js';
import { ImageDisk, whyNoImage } from './memory-disk.js';
import { findings } from './questions.js';
import { Random } from './random.js';
import { Scene, type Server, ServerGone, sleep, verify } from './server.js';

const SEED = Number(process.env.HOLDFAST_CRASH_SEED ?? Date.now() % 1_000_000_007);
const skipped = whyNoImage();
const EX_JOURNAL = 74;
const flags = ['--disk-reserve-bytes', '16MiB'];

let scene: Scene;
let disk: ImageDisk;
afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
  disk.unmount();
  await scene.close();
});
const servers: Server[] = [];

function start(): Server {
  const server = scene.start({ dataDir: join(disk.path, 'data'), threads: 2, flags });
  servers.push(server);
  return server;
}

/** A server on a disk of its own, with some answers in it, and load that goes on until the server is gone or `stop` is called. */
async function begin() {
  scene = new Scene();
  mkdirSync(join(scene.folder, 'disk'));
  disk = new ImageDisk(join(scene.folder, 'disk'), 160 * 2 ** 20);
  const random = new Random(SEED);
  const book = new Book(random, 12);
  const server = start();
  const client = await Client.connect(book, server, random);
  await client.load(sleep(300));
  expect(book.acknowledged.length).toBeGreaterThan(20);
  return { random, book, server, client };
}

/** Everything that was acknowledged is there on the disk as it is now. */
async function assertKept(book: Book, random: Random): Promise<void> {
  book.disconnected();
  expect(await verify(join(disk.path, 'data'))).toMatchObject({ code: 0 });
  const again = start();
  const client = await Client.connect(book, again, random);
  expect(await findings(book, client, random)).toEqual([]);
  expect(await client.trialBalanceDifference()).toEqual([0]);
  client.close();
  expect(await again.stop()).toEqual({ code: 0, signal: null });
}

describe.skipIf(skipped !== undefined)(`a real file system${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  test('full to the last byte: 91 or the end with 74, and nothing acknowledged is lost', async () => {
    const { random, book, server, client } = await begin();
    const hog = join(disk.path, 'hog');
    let full = false;
    book.mayShed = true;
    // Answers 91 come as fast as the wire takes them: some are enough.
    const enough = async (): Promise<void> => {
      while (server.end === undefined && book.shed < 50) await sleep(5);
    };
    const load = client.load(enough());
    // The engine gives its ballast up when nothing else is left: that is taken as well.
    for (let n = 0; n < 20 && server.end === undefined && book.shed < 50; n++) {
      spawnSync('dd', ['if=/dev/zero', `of=${hog}-${n}`, 'bs=64k'], { stdio: 'ignore' });
      full ||= disk.freeBytes() === 0;
      await sleep(50);
    }
    await enough();
    expect(full).toBe(true);
    // Answers 91 come from a server that has turned work away in time and says so, and from one that is about to end.
    const saysSo = (): boolean => server.logLines('disk space below the reserve').length > 0;
    await expect.poll(() => saysSo() || server.end !== undefined, { timeout: 20_000 }).toBe(true);
    if (server.logLines('fatal stop').length > 0) await server.exit();
    if (server.end === undefined) {
      expect(book.shed).toBeGreaterThan(0);
      await server.kill();
    } else {
      expect(server.end).toEqual({ code: EX_JOURNAL, signal: null });
      expect(server.logLines('fatal stop')).toHaveLength(1);
    }
    await load.catch((error: unknown) => {
      if (!(error instanceof ServerGone)) throw error;
    });
    client.close();
    book.mayShed = false;
    for (let n = 0; n < 20; n++) rmSync(`${hog}-${n}`, { force: true });
    await assertKept(book, random);
  }, 180_000);

  test('read-only after an error: no answer more, the end with 74, and the next start knows what is true', async () => {
    const { random, book, server, client } = await begin();
    book.mayShed = true;
    const load = client.load(server.ended);
    await sleep(200);
    disk.fail();
    expect(await server.exit()).toEqual({ code: EX_JOURNAL, signal: null });
    await load.catch((error: unknown) => {
      if (!(error instanceof ServerGone)) throw error;
    });
    // LMDB has its own word to say on stderr, and ends no line.
    const fatal = server
      .logLines('fatal stop')
      .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>);
    expect(fatal, server.stderr).toHaveLength(1);
    expect(fatal[0]).toMatchObject({ exit_status: EX_JOURNAL, error: expect.stringContaining('commit to ') });
    client.close();
    book.mayShed = false;
    // As long as nothing can be written no server starts, and it says why.
    const refused = start();
    const end = await refused.exit();
    expect(end.signal).toBeNull();
    expect([73, 74]).toContain(end.code);
    expect(refused.stderr).toMatch(/Next: /);
    disk.unmount();
    disk.mount();
    await assertKept(book, random);
  }, 180_000);
});
