/**
 * kill -9 at every kind of moment, on the real server. After each restart every acknowledged answer must still be there,
 * once, and the balances must be what the answers add up to; clearing files post once, imports are whole, backups are whole.
 * Two data directories live and die side by side.
 *
 * HOLDFAST_CRASH_ROUNDS (50): kills. HOLDFAST_CRASH_SEED: repeats the choices of a run; timing stays the machine's.
 * HOLDFAST_CRASH_MINUTES: no new life after so many. HOLDFAST_CRASH_REPORT: a file for what the run did, as JSON. HOLDFAST_CRASH_MOMENTS: only these, with commas between.
 */
import { cpSync, existsSync, lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, getPriority, loadavg } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Book } from './book.js';
import { Client } from './client.js';
import { findings } from './questions.js';
import { Random } from './random.js';
import { Scene, type Server, ServerGone, sleep, verify } from './server.js';
import { SideWork } from './side-work.js';

const ROUNDS = Number(process.env.HOLDFAST_CRASH_ROUNDS ?? 50);
const SEED = Number(process.env.HOLDFAST_CRASH_SEED ?? Date.now() % 1_000_000_007);
const REPORT = process.env.HOLDFAST_CRASH_REPORT ?? '';
const ONLY = process.env.HOLDFAST_CRASH_MOMENTS?.split(',');
/** A long run tells how far it is. */
const TOLD_EACH = 50;
const UNTIL_MS = Date.now() + Number(process.env.HOLDFAST_CRASH_MINUTES ?? Number.POSITIVE_INFINITY) * 60_000;
const isLong = ROUNDS > 50;
/** Directories side by side: as many as the machines that run these tests have cores. */
const LANES = 2;
/** A planted kill that the load does not reach in this time is replaced by one from outside. */
const LOAD_MAX_MS = 20_000;
/** The questions take longer than the life: of a short run every so many lives are verified offline, and recovered twice. */
const VERIFY_EACH = isLong ? 1 : 6;
const RECOVER_TWICE_EACH = isLong ? 20 : 16;

/** The kills of a run, per fifty: by what goes on, and the moment of it. */
const PHASES = {
  commit: { 'append-release': 14, 'before-append': 4, 'after-release': 3, load: 3 },
  checkpoint: { checkpoint: 2, segments: 2 },
  recovery: { start: 3, replay: 2 },
  import: { bulk: 2, import: 1 },
  clearing: { upload: 2, check: 2, post: 3, recon: 1 },
  'key rotation': { rotation: 2 },
  backup: { backup: 1 },
  shutdown: { stop: 3 },
} as const;
const PLAN = Object.assign({}, ...Object.values(PHASES)) as Record<Moment, number>;
type Phases = typeof PHASES;
type Moment = { [P in keyof Phases]: keyof Phases[P] }[keyof Phases];
const planted: readonly Moment[] = ['append-release', 'before-append', 'after-release'];

function plan(random: Random, rounds: number): Moment[] {
  const names = (Object.keys(PLAN) as Moment[]).filter((name) => ONLY?.includes(name) ?? true);
  const moments: Moment[] = [];
  while (moments.length < rounds) {
    const fifty = names.flatMap((moment) => Array.from({ length: PLAN[moment] }, () => moment));
    moments.push(...random.shuffle(fifty));
  }
  return moments.slice(0, rounds);
}

interface Tally {
  /** Kills by moment. */
  readonly planned: Record<string, number>;
  /** Planted ones of which the server told that it had reached their place. */
  readonly reached: Record<string, number>;
  checked: number;
  settled: number;
  duringChecks: number;
  verified: number;
  recoveredTwice: number;
}

/** One data directory, from its creation to its last words. */
class Directory {
  readonly tally: Tally = {
    ...{ planned: {}, reached: {}, checked: 0, settled: 0, duringChecks: 0, verified: 0, recoveredTwice: 0 },
  };
  readonly book: Book;
  readonly side: SideWork;
  readonly #random: Random;
  readonly #seed: number;
  readonly #scene = new Scene();

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.book = new Book(this.#random, 24);
    this.side = new SideWork(this.#scene.folder, this.#scene.dataDir);
  }

  async run(rounds: number): Promise<void> {
    try {
      let owed = false;
      for (const [round, moment] of plan(this.#random, rounds).entries()) {
        if (Date.now() > UNTIL_MS) break;
        await this.#killOnce(moment, round);
        if ((round + 1) % TOLD_EACH === 0) console.log(`seed ${this.#seed}: ${round + 1} of ${rounds} kills`);
        const what = `after round ${round}, ${moment} (seed ${this.#seed})`;
        if (round % VERIFY_EACH === 0 && this.#isMade(what)) await this.#verify(what);
        owed ||= round % RECOVER_TWICE_EACH === RECOVER_TWICE_EACH - 1;
        if (!owed || this.side.rotating) continue;
        owed = false;
        await this.#recoverTwice(what);
      }
      await this.#lastWords();
      if (owed) await this.#recoverTwice('after the last words');
    } finally {
      await this.#scene.close();
    }
  }

  /** A death may come before the directory is made: nobody was answered then. */
  #isMade(what: string): boolean {
    if (existsSync(join(this.#scene.dataDir, 'holdfast.json'))) return true;
    expect(this.book.acknowledged, what).toEqual([]);
    return false;
  }

  async #verify(what: string): Promise<string> {
    const { code, text } = await verify(this.#scene.dataDir);
    expect(code, `${what}: ${text}`).toBe(0);
    this.tally.verified++;
    return text;
  }

  /** One life of the server: start, questions about the lives before, work, death. */
  async #killOnce(moment: Moment, round: number): Promise<void> {
    const { tally, book } = this;
    const random = this.#random;
    tally.planned[moment] = (tally.planned[moment] ?? 0) + 1;
    // Now and then among the first commits, which are those of the creation or of the questions.
    const commit = random.chance(0.1) ? random.int(1, 4) : random.int(10, 70);
    if (moment === 'replay') this.#remove('state');
    if (moment === 'segments') this.#remove('segments');
    const server = this.#scene.start({
      threads: random.int(1, 2),
      environment: planted.includes(moment) ? { HOLDFAST_FAULT_KILL: `${moment}:${commit}` } : {},
    });
    let checked = false;
    try {
      if (moment === 'start' || moment === 'replay') {
        await Promise.race([server.ready, sleep(random.int(50, 1500))]);
        return;
      }
      const client = await Client.connect(book, server, random);
      try {
        if (moment === 'checkpoint' || moment === 'segments') {
          // The first round of the checkpoint runs right after the start, and so do the segments that are not there.
          await client.load(sleep(random.int(0, moment === 'segments' ? 400 : 120)).then(() => server.kill()));
          return;
        }
        await this.#ask(client, `round ${round}, ${moment}`);
        checked = true;
        await this.#work(server, client, moment);
      } finally {
        client.close();
      }
    } catch (error) {
      if (!(error instanceof ServerGone))
        throw new Error(`round ${round}, ${moment} (seed ${this.#seed})`, { cause: error });
      if (!checked) tally.duringChecks++;
    } finally {
      await this.#bury(server, moment);
    }
  }

  /** The questions about the lives before. */
  async #ask(client: Client, what: string): Promise<void> {
    const { tally, book, side } = this;
    tally.settled += book.open().length;
    expect(await side.settle(client), what).toEqual([]);
    expect(await findings(book, client, this.#random, isLong ? 150 : 80), what).toEqual([]);
    expect(await side.differences(client, false), what).toEqual([]);
    tally.checked++;
  }

  #remove(folder: string): void {
    const path = join(this.#scene.dataDir, folder);
    try {
      for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
    } catch (error) {
      // The first life has nothing to be removed.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** Load, what the moment is about, and death. */
  async #work(server: Server, client: Client, moment: Moment): Promise<void> {
    const beside = this.#beside(server, client, moment);
    // The end of what goes on beside is that of the server: its connection is cut.
    beside?.catch(() => undefined);
    await client.load(this.#deathOf(server, moment, beside));
    if (moment === 'stop') {
      server.signal('SIGTERM');
      await sleep(this.#random.int(0, 400));
    }
  }

  #beside(server: Server, client: Client, moment: Moment): Promise<void> | undefined {
    switch (moment) {
      case 'upload':
        return this.side.clear(client, 'received');
      case 'check':
      case 'post':
        return this.side.clear(client, 'posted');
      case 'recon':
        return this.side.reconcile(client);
      case 'rotation':
        return this.side.rotate(client);
      case 'bulk':
        return this.side.bulk(client);
      case 'import':
        return this.side.importFile(server);
      case 'backup':
        this.side.backup();
        return undefined;
      default:
        return undefined;
    }
  }

  /** Ends the load: by the death that is planted, or by one from outside. */
  async #deathOf(server: Server, moment: Moment, beside: Promise<void> | undefined): Promise<void> {
    const random = this.#random;
    if (moment === 'stop') return void (await sleep(random.int(100, 500)));
    const [least, most] = moment in LATEST ? LATEST[moment as keyof typeof LATEST] : [LOAD_MAX_MS, LOAD_MAX_MS];
    const over = beside === undefined ? [] : [beside.then(() => sleep(20)).catch(() => undefined)];
    await Promise.race([server.ended, sleep(random.int(least, most)), ...over]);
    await server.kill();
  }

  async #bury(server: Server, moment: Moment): Promise<void> {
    const { code, signal } = await server.kill();
    // A stop may be quicker than its kill.
    const clean = moment === 'stop' && code === 0;
    expect(clean || signal === 'SIGKILL', `ended with ${code}: ${server.stderr.slice(-4000)}`).toBe(true);
    this.book.disconnected();
    const { reached } = this.tally;
    expect(await this.side.lostCards()).toEqual([]);
    if (server.logLines('fault: kill point').length === 1) reached[moment] = (reached[moment] ?? 0) + 1;
    expect(this.book.contradictions).toEqual([]);
  }

  /**
   * Recoveries of copies, one with its checkpoint and one without, come to the same end, and add nothing to the journal: not while a
   * rotation was cut off, with which a start goes on.
   */
  async #recoverTwice(what: string): Promise<void> {
    const head = headOf(await this.#verify(what));
    for (const without of [[], ['state', 'segments']]) {
      const dataDir = join(this.#scene.folder, 'twice', 'data');
      cpSync(this.#scene.dataDir, dataDir, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
      cpSync(`${this.#scene.dataDir}.keys`, `${dataDir}.keys`);
      for (const name of without) rmSync(join(dataDir, name), { recursive: true });
      const server = this.#scene.start({ dataDir, threads: without.length === 0 ? 1 : 2 });
      await server.ready;
      await server.kill();
      const { code, text } = await verify(dataDir);
      expect([code, headOf(text)], what).toEqual([0, head]);
      rmSync(join(dataDir, '..'), { recursive: true });
    }
    this.tally.recoveredTwice++;
  }

  /** After the last kill: everything once more, a clean stop, and the same again. */
  async #lastWords(): Promise<void> {
    const { book, side } = this;
    for (const threads of [2, 1]) {
      const server = this.#scene.start({ threads });
      const client = await Client.connect(book, server, this.#random);
      expect(await side.settle(client)).toEqual([]);
      expect(await findings(book, client, this.#random, isLong ? 2000 : 500)).toEqual([]);
      expect(await side.differences(client, true)).toEqual([]);
      const differences = await client.trialBalanceDifference();
      expect(differences.length).toBeGreaterThan(0);
      expect(differences.every((difference) => difference === 0)).toBe(true);
      client.close();
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      await this.#verify('after the last stop');
    }
  }
}

/** When the kill from outside comes, ms after the work has begun. */
const LATEST = {
  load: [50, 700],
  upload: [0, 60],
  check: [0, 150],
  post: [20, 900],
  recon: [0, 600],
  rotation: [0, 900],
  bulk: [0, 300],
  import: [200, 900],
  backup: [100, 900],
} as const satisfies Partial<Record<Moment, readonly [number, number]>>;

const headOf = (text: string): string => /head=([0-9a-f]{64})/.exec(text)![1]!;

describe('kill -9', () => {
  test(
    `${ROUNDS} kills lose nothing and repeat nothing (seed ${SEED})`,
    async () => {
      const began = Date.now();
      const share = Math.ceil(ROUNDS / LANES);
      const directories = Array.from({ length: LANES }, (_, lane) => new Directory(SEED + lane));
      // The first that fails is told; the other comes to its end meanwhile.
      const ends = await Promise.allSettled(directories.map((directory) => directory.run(share)));
      report(directories, ends, Date.now() - began);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      for (const { tally, book } of directories) {
        if (ONLY !== undefined) continue;
        const reached = planted.reduce((sum, moment) => sum + (tally.reached[moment] ?? 0), 0);
        const wanted = planted.reduce((sum, moment) => sum + (tally.planned[moment] ?? 0), 0);
        expect(reached).toBeGreaterThanOrEqual(Math.floor(wanted * 0.8));
        const lives = Object.values(tally.planned).reduce((sum, count) => sum + count, 0);
        expect(tally.checked).toBeGreaterThanOrEqual(Math.floor(lives * 0.6));
        expect(book.answers.get('00')).toBeGreaterThan(lives * 10);
      }
    },
    180_000 + ROUNDS * 30_000,
  );
});

/** What was done, for people, and as JSON for who asked for it. */
function report(directories: readonly Directory[], ends: readonly PromiseSettledResult<void>[], ms: number): void {
  const sum = (pick: (directory: Directory) => Record<string, number>): Record<string, number> => {
    const all: Record<string, number> = {};
    for (const one of directories)
      for (const [name, count] of Object.entries(pick(one))) all[name] = (all[name] ?? 0) + count;
    return all;
  };
  const kills = sum(({ tally }) => tally.planned);
  const load = loadavg().map(Math.round);
  const done = {
    measured: new Date().toISOString().slice(0, 10),
    conditions: `${cpus().length} cores, load ${Math.min(...load)} to ${Math.max(...load)} in the last quarter of an hour, niceness ${getPriority()}, Node ${process.version}`,
    seed: SEED,
    kills: Object.values(kills).reduce((total, count) => total + count, 0),
    by_phase: Object.fromEntries(
      Object.entries(PHASES).map(([phase, moments]) => [
        phase,
        Object.keys(moments).reduce((total, moment) => total + (kills[moment] ?? 0), 0),
      ]),
    ),
    by_moment: kills,
    reached: sum(({ tally }) => tally.reached),
    counts: sum(({ tally: { planned: _planned, reached: _reached, ...counts } }) => counts),
    answers: sum(({ book }) => Object.fromEntries(book.answers)),
    repeats_compared: directories.reduce((total, { book }) => total + book.repeats, 0),
    beside: directories.map(({ side }) => side.told),
    findings: ends.flatMap((end) => (end.status === 'rejected' ? [String(end.reason.cause ?? end.reason)] : [])),
    minutes: Math.round(ms / 6000) / 10,
  };
  console.log(`${done.kills} kills: ${JSON.stringify(done)}`);
  if (REPORT !== '') writeFileSync(REPORT, `${JSON.stringify(done, null, 2)}\n`);
}
