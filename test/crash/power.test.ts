/**
 * Power cuts: the server is killed and everything it had not synced is taken back (undo.ts), on each of its files. What was
 * acknowledged must be there all the same. Canary: with the journal's flush left out the same questions must find losses,
 * or they would prove nothing.
 *
 * HOLDFAST_CRASH_ROUNDS (50): a tenth of it are the power cuts here. HOLDFAST_CRASH_SEED: see kill.test.ts.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { Book } from './book.js';
import { Client } from './client.js';
import { Disk, whyNoShim } from './disk.js';
import { findings } from './questions.js';
import { Random } from './random.js';
import { Scene, ServerGone, verify } from './server.js';
import { cutPower, type Undone } from './undo.js';

const ROUNDS = Math.max(2, Math.ceil(Number(process.env.HOLDFAST_CRASH_ROUNDS ?? 50) / 10));
const SEED = Number(process.env.HOLDFAST_CRASH_SEED ?? Date.now() % 1_000_000_007);
const skipped = whyNoShim();
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let scene: Scene;
afterEach(() => scene.close());

/** One life on the logged disk, ended by a kill and a power cut. */
async function life(
  book: Book,
  random: Random,
  name: string,
  options: { loadMs: number; some: boolean; environment?: Record<string, string> },
): Promise<Undone> {
  const disk = new Disk(scene.folder, name, scene.folder, true);
  const server = scene.start({
    threads: random.int(1, 2),
    environment: { ...disk.environment, ...options.environment },
  });
  try {
    const client = await Client.connect(book, server, random);
    await client.load(sleep(options.loadMs).then(() => server.kill()));
    client.close();
  } catch (error) {
    if (!(error instanceof ServerGone)) throw error;
  }
  expect(await server.kill()).toEqual({ code: null, signal: 'SIGKILL' });
  book.disconnected();
  return cutPower(disk.undoPath, options.some ? random : undefined);
}

/**
 * A first start with the demo program, killed before operation `killAt` and completed by a second one; without `killAt` it
 * is not killed, and the number of its operations is returned.
 */
async function firstStart(killAt = 0, some?: Random, power = true): Promise<number> {
  // The scene of the part before is not needed any more.
  await scene.close();
  scene = new Scene();
  const disk = new Disk(scene.folder, 'first', scene.folder, true);
  disk.set('killAt', killAt);
  const first = scene.start({ threads: 2, environment: { ...disk.environment } });
  const what = `killed before operation ${killAt} (seed ${SEED})`;
  if (killAt === 0) {
    await first.ready;
    await first.kill();
    return disk.get('operations');
  }
  await Promise.race([first.ready.catch(() => undefined), first.ended]);
  expect(await first.kill(), what).toEqual({ code: null, signal: 'SIGKILL' });
  if (power) cutPower(disk.undoPath, some);
  const random = new Random(killAt);
  const book = new Book(random, 40);
  const server = scene.start();
  const client = await Client.connect(book, server, random);
  expect(await client.differences(), what).toEqual([]);
  await client.load(sleep(100));
  expect(await findings(book, client, random), what).toEqual([]);
  // Nobody's card is missing: an unknown one would be answered 14.
  expect(
    [...book.answers.keys()].filter((code) => !['00', '10', '51'].includes(code)),
    what,
  ).toEqual([]);
  client.close();
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  expect(await verify(scene.dataDir), what).toMatchObject({ code: 0 });
  return 0;
}

describe.skipIf(skipped !== undefined)(`power cut${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  test(
    `${ROUNDS} power cuts lose nothing that was acknowledged (seed ${SEED})`,
    async () => {
      scene = new Scene();
      const random = new Random(SEED);
      const book = new Book(random, 16);
      const total: Undone = { entries: 0, unsynced: 0, undone: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const cut = await life(book, random, `power-${round}`, {
          loadMs: random.int(100, 800),
          some: round % 2 === 1,
          environment: round === 2 ? { HOLDFAST_FAULT_KILL: `append-release:${random.int(5, 40)}` } : {},
        });
        for (const key of ['entries', 'unsynced', 'undone'] as const) total[key] += cut[key];
        expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
        const server = scene.start({ threads: random.int(1, 2) });
        const client = await Client.connect(book, server, random);
        expect(await findings(book, client, random), `round ${round} (seed ${SEED})`).toEqual([]);
        client.close();
        await (round % 2 === 0 ? server.kill() : server.stop());
      }
      expect(total.undone).toBeGreaterThan(0);
      expect(book.answers.get('00')).toBeGreaterThan(ROUNDS * 10);
      console.log(`${ROUNDS} power cuts: ${JSON.stringify(total)}, ${book.acknowledged.length} answers`);
    },
    60_000 + ROUNDS * 60_000,
  );

  test(
    `a kill, with or without a power cut, at any write or sync of the first start leaves what the next one completes (seed ${SEED})`,
    async () => {
      const random = new Random(SEED + 1);
      scene = new Scene();
      // How many operations a first start has, and a kill in every part of them.
      const operations = await firstStart();
      const parts = Math.max(4, Math.ceil(ROUNDS * 0.8));
      for (let part = 0; part < parts; part++) {
        const killAt = Math.ceil(((part + random.next()) * operations) / parts);
        await firstStart(killAt, part % 3 === 0 ? undefined : random, part % 2 === 0);
      }
    },
    60_000 + ROUNDS * 60_000,
  );

  test('canary: without the flush of the journal the same questions find what is lost', async () => {
    scene = new Scene();
    const random = new Random(SEED + 2);
    const book = new Book(random, 8);
    await life(book, random, 'canary', {
      loadMs: 500,
      some: false,
      environment: { HOLDFAST_FAULT_NO_SYNC: '1' },
    });
    expect(book.acknowledged.length).toBeGreaterThan(20);
    const server = scene.start();
    let found: string[];
    try {
      const client = await Client.connect(book, server, random);
      found = await findings(book, client, random);
      client.close();
    } catch (error) {
      // Refusing to start on a directory that lost its journal is a way to notice, too.
      if (!(error instanceof ServerGone)) throw error;
      found = [error.message];
      expect((await server.exit()).code).toBe(76);
    }
    expect(found.length).toBeGreaterThan(0);
    console.log(`canary: ${found.length} findings, the first: ${found[0]!.slice(0, 300)}`);
  }, 180_000);
});
