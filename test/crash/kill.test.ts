/**
 * kill -9 at every kind of moment, on the real server. After each restart every acknowledged answer must still be there,
 * once, and the balances must be what the answers add up to.
 *
 * HOLDFAST_CRASH_ROUNDS (50): kills. HOLDFAST_CRASH_SEED: repeats the choices of a run; timing stays the machine's.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { Book } from './book.js';
import { Client } from './client.js';
import { findings } from './questions.js';
import { Random } from './random.js';
import { Scene, type Server, ServerGone, verify } from './server.js';

const ROUNDS = Number(process.env.HOLDFAST_CRASH_ROUNDS ?? 50);
const SEED = Number(process.env.HOLDFAST_CRASH_SEED ?? Date.now() % 1_000_000_007);
/** A planted kill that the load does not reach in this time is replaced by one from outside. */
const LOAD_MAX_MS = 3_000;

type Moment = 'append-release' | 'before-append' | 'after-release' | 'load' | 'start' | 'stop' | 'checkpoint';

/** The kills of a run, per fifty: more than half between the commit and the release of its replies. */
const PLAN: readonly (readonly [Moment, number])[] = [
  ['append-release', 30],
  ['before-append', 5],
  ['after-release', 4],
  ['load', 4],
  ['start', 3],
  ['checkpoint', 2],
  ['stop', 2],
];

function plan(random: Random): Moment[] {
  const moments: Moment[] = [];
  while (moments.length < ROUNDS) {
    const fifty = PLAN.flatMap(([moment, count]) => Array.from({ length: count }, () => moment));
    moments.push(...random.shuffle(fifty));
  }
  return moments.slice(0, ROUNDS);
}

const scene = new Scene();
afterAll(() => scene.close());

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Tally {
  planned: Record<string, number>;
  reached: Record<string, number>;
  checked: number;
  settled: number;
  duringChecks: number;
}

describe('kill -9', () => {
  test(
    `${ROUNDS} kills lose nothing and repeat nothing (seed ${SEED})`,
    async () => {
      const random = new Random(SEED);
      const book = new Book(random, 24);
      const tally: Tally = { planned: {}, reached: {}, checked: 0, settled: 0, duringChecks: 0 };
      const moments = plan(random);
      for (const [round, moment] of moments.entries()) {
        await killOnce(book, random, moment, tally, round);
        expect(await verify(scene.dataDir), `after round ${round}, ${moment}`).toMatchObject({ code: 0 });
      }
      await lastWords(book, random);
      const effects = [...book.answers].map(([code, count]) => `${code}:${count}`).join(' ');
      console.log(
        `${ROUNDS} kills: ${JSON.stringify(tally)}, answers ${effects}, ${book.repeats} repeats compared, ${book.shed} shed`,
      );
      expect(tally.reached['append-release'] ?? 0).toBeGreaterThanOrEqual(
        Math.floor(moments.filter((moment) => moment === 'append-release').length * 0.85),
      );
      expect(tally.checked).toBeGreaterThanOrEqual(Math.floor(ROUNDS * 0.6));
      expect(book.answers.get('00')).toBeGreaterThan(ROUNDS * 10);
    },
    120_000 + ROUNDS * 30_000,
  );
});

/** One life of the server: start, questions about the lives before, load, death. */
async function killOnce(book: Book, random: Random, moment: Moment, tally: Tally, round: number): Promise<void> {
  tally.planned[moment] = (tally.planned[moment] ?? 0) + 1;
  const planted = moment === 'append-release' || moment === 'before-append' || moment === 'after-release';
  // Now and then among the first commits, which are those of the creation or of the questions.
  const commit = random.chance(0.1) ? random.int(1, 4) : random.int(10, 70);
  const server = scene.start({
    threads: random.int(1, 2),
    environment: planted ? { HOLDFAST_FAULT_KILL: `${moment}:${commit}` } : {},
  });
  let checked = false;
  try {
    if (moment === 'start') {
      await Promise.race([server.ready, sleep(random.int(50, 1500))]);
      return;
    }
    const client = await Client.connect(book, server, random);
    try {
      if (moment === 'checkpoint') {
        // The first round of the checkpoint runs right after the start.
        await client.load(sleep(random.int(0, 120)).then(() => server.kill()));
        return;
      }
      tally.settled += book.open().length;
      expect(await findings(book, client, random)).toEqual([]);
      checked = true;
      tally.checked++;
      await client.load(deathOf(server, moment, random));
      if (moment === 'stop') {
        server.signal('SIGTERM');
        await sleep(random.int(0, 400));
      }
    } finally {
      client.close();
    }
  } catch (error) {
    if (!(error instanceof ServerGone)) throw new Error(`round ${round}, ${moment} (seed ${SEED})`, { cause: error });
    if (!checked) tally.duringChecks++;
  } finally {
    const { code, signal } = await server.kill();
    // A stop may be quicker than its kill.
    const clean = moment === 'stop' && code === 0;
    expect(clean || signal === 'SIGKILL', `ended with ${code}: ${server.stderr.slice(-4000)}`).toBe(true);
    book.disconnected();
    if (server.logLines('fault: kill point').length === 1) tally.reached[moment] = (tally.reached[moment] ?? 0) + 1;
    expect(book.contradictions).toEqual([]);
  }
}

/** Ends the load: by the death that is planted, or by one from outside. */
async function deathOf(server: Server, moment: Moment, random: Random): Promise<void> {
  if (moment === 'stop') return void (await sleep(random.int(100, 500)));
  const limit = moment === 'load' ? random.int(50, 700) : LOAD_MAX_MS;
  await Promise.race([server.ended, sleep(limit)]);
  await server.kill();
}

/** After the last kill: everything once more, a clean stop, and the same again. */
async function lastWords(book: Book, random: Random): Promise<void> {
  for (const threads of [2, 1]) {
    const server = scene.start({ threads });
    const client = await Client.connect(book, server, random);
    expect(await findings(book, client, random, 2000)).toEqual([]);
    expect(await client.trialBalanceDifference()).toEqual([0]);
    client.close();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(await verify(scene.dataDir)).toMatchObject({ code: 0 });
  }
}
