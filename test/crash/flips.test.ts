/**
 * Bits that change on the disk, in the data file of every environment: meta pages, branches, leaves, free pages, values. Whatever
 * flips, a verification tells it or finds exactly what was there before, and a start tells it (73, 74, 76) or serves the same books.
 * Never a wrong balance, never less than there was without a word, never a process that dies of a signal.
 *
 * HOLDFAST_CRASH_ROUNDS (50): half as many flips are verified, a tenth are started on. HOLDFAST_CRASH_SEED: see kill.test.ts.
 */
import { type ChildProcess, fork } from 'node:child_process';
import {
  closeSync,
  cpSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { built } from '../support/built.js';
import { Book } from './book.js';
import { Client } from './client.js';
import { Random } from './random.js';
import { Scene, type Server, ServerGone, sleep } from './server.js';

const ROUNDS = Number(process.env.HOLDFAST_CRASH_ROUNDS ?? 50);
const SEED = Number(process.env.HOLDFAST_CRASH_SEED ?? Date.now() % 1_000_000_007);
const PAGE = 4096;
/** Bytes of a meta page that mean something: head and body. */
const META_BYTES = 176;

const scene = new Scene();
const book = new Book(new Random(SEED), 16);
afterAll(() => scene.close());

/** A directory with everything in it, of a server that was killed under load after a clean stop before. */
beforeAll(async () => {
  for (const end of ['stop', 'kill'] as const) {
    const random = new Random(SEED + 1);
    const server = scene.start({ threads: 2 });
    const client = await Client.connect(book, server, random);
    if (end === 'kill') await client.settle();
    else {
      const webhook = { url: 'https://receiver.example/hook', events: ['*'] };
      expect((await client.post('/v1/webhooks', webhook)).status).toBe(201);
    }
    await client.load(sleep(500));
    if (end === 'kill') await client.settle();
    client.close();
    await server[end]();
    book.disconnected();
  }
  expect(book.acknowledged.length).toBeGreaterThan(50);
}, 180_000);

interface Flip {
  readonly file: string;
  readonly at: number;
  readonly bit: number;
}

function dataFiles(dataDir: string): string[] {
  return readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
    .filter((name) => basename(name) === 'data.mdb')
    .sort()
    .map((name) => join(dataDir, name));
}

/** A bit of a meta page, of the head of any page, or of anything: a third each. */
function chooseFlip(random: Random, files: readonly string[]): Flip {
  // Each kind of environment as often as another, however many files it has.
  const kinds = [...new Set(files.map(kindOf))];
  const kind = random.pick(kinds);
  const file = random.pick(files.filter((one) => kindOf(one) === kind));
  const { size } = statSync(file);
  const at = random.pick([
    random.int(0, 1) * PAGE + random.int(0, META_BYTES - 1),
    random.int(0, Math.floor(size / PAGE) - 1) * PAGE + random.int(0, 79),
    random.int(0, size - 1),
  ]);
  return { file, at, bit: random.int(0, 7) };
}

const kindOf = (file: string): string => /data\/([a-z]+)/.exec(file)![1]!;

/** Flips a bit; done twice, nothing has happened. */
function flip({ file, at, bit }: Flip): void {
  const handle = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(handle, byte, 0, 1, at);
  byte[0]! ^= 1 << bit;
  writeSync(handle, byte, 0, 1, at);
  closeSync(handle);
}

const told = ({ file, at, bit }: Flip): string =>
  `${file.slice(scene.folder.length)} byte ${at} (page ${Math.floor(at / PAGE)}, ${at % PAGE}) bit ${bit}, seed ${SEED}`;

interface Verified {
  /** What was found to be whole; undefined when something was found to be wrong. */
  readonly report?: { readonly records: number; readonly head: string; readonly system: { readonly hash: string } };
  readonly code?: string;
  readonly message?: string;
  /** What ended the process, when nothing had been told of damage before. */
  readonly signal?: string;
  readonly suspicion?: string;
}

/** Verifications in one process of their own after the other: starting one each time would take longer than verifying. */
class Verifier {
  readonly #task = join(scene.folder, 'verify.mjs');
  #child: ChildProcess | undefined;

  constructor() {
    writeFileSync(
      this.#task,
      `import { verifyData } from ${JSON.stringify(built('cli/verify-data.js'))};
       process.on('message', async (dataDir) => {
         try {
           // Told before it is read: reading it may be the end of the process.
           const suspect = (suspicion) => new Promise((resolve) => process.send({ suspicion }, resolve));
           process.send({ report: await verifyData(dataDir, () => undefined, suspect) });
         } catch (error) {
           process.send({ code: error.code ?? 'none', message: error.stack });
         }
       });`,
    );
  }

  async verify(dataDir: string): Promise<Verified> {
    const child = this.#child ?? fork(this.#task, [], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    this.#child = child;
    return new Promise((resolve) => {
      let suspicion: string | undefined;
      const onMessage = (answer: Verified): void => {
        if (answer.suspicion === undefined) settle(answer);
        else suspicion = answer.suspicion;
      };
      // As the command does: reading what is known to be damaged may be the end of the process that reads.
      const onExit = (code: number | null, signal: string | null): void => {
        this.#child = undefined;
        settle(
          suspicion === undefined ? { signal: signal ?? String(code) } : { code: 'store_damaged', message: suspicion },
        );
      };
      const settle = (answer: Verified): void => {
        child.off('message', onMessage);
        child.off('exit', onExit);
        resolve(answer);
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(dataDir);
    });
  }

  close(): void {
    this.#child?.kill();
  }
}

const TELLING = [
  'frame_corrupt',
  'chain_broken',
  'record_unreadable',
  'digest_mismatch',
  'invariant_violated',
  'store_damaged',
  'store_truncated',
];

describe('a bit that flips', () => {
  const flips = Math.ceil(ROUNDS / 2);
  test(
    `${flips} times: a verification tells it, or finds what was there before (seed ${SEED})`,
    async () => {
      const random = new Random(SEED + 2);
      const verifier = new Verifier();
      const lasting = dataFiles(scene.dataDir).filter((file) => !['state', 'segments'].includes(kindOf(file)));
      const { report: whole } = await verifier.verify(scene.dataDir);
      expect(whole).toBeDefined();
      const found: Record<string, number> = {};
      for (let n = 0; n < flips; n++) {
        const one = chooseFlip(random, lasting);
        flip(one);
        const { report, code, message, signal } = await verifier.verify(scene.dataDir);
        flip(one);
        expect(signal, told(one)).toBeUndefined();
        if (report === undefined) {
          expect(TELLING, `${told(one)}: ${message}`).toContain(code);
          expect(message, told(one)).toMatch(/shard|sequence|data\.mdb|system journal/);
        } else {
          expect(report, told(one)).toEqual(whole);
        }
        const what = `${kindOf(one.file)} ${code ?? 'nothing'}`;
        found[what] = (found[what] ?? 0) + 1;
      }
      verifier.close();
      expect((await verifierOnce()).report).toEqual(whole);
      // Half of the flips hit what is in use: a check that finds none is blind.
      expect(Object.entries(found).some(([what]) => !what.endsWith('nothing'))).toBe(true);
      console.log(`${flips} flips verified: ${JSON.stringify(found)}`);
    },
    60_000 + flips * 5_000,
  );

  const starts = Math.max(4, Math.ceil(ROUNDS / 10));
  test(
    `${starts} times: a start tells it, or serves the books that were acknowledged (seed ${SEED})`,
    async () => {
      const random = new Random(SEED + 3);
      const found: Record<string, number> = {};
      const dataDir = join(scene.folder, 'flipped', 'data');
      for (let n = 0; n < starts; n++) {
        rmSync(join(dataDir, '..'), { recursive: true, force: true });
        cpSync(scene.dataDir, dataDir, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
        cpSync(`${scene.dataDir}.keys`, `${dataDir}.keys`);
        const one = chooseFlip(random, dataFiles(dataDir));
        flip(one);
        const server = scene.start({ dataDir, threads: random.int(1, 2) });
        const outcome = await startOn(server, one);
        const what = `${kindOf(one.file)} ${outcome}`;
        found[what] = (found[what] ?? 0) + 1;
      }
      console.log(`${starts} starts on flipped bits: ${JSON.stringify(found)}`);
    },
    60_000 + starts * 60_000,
  );
});

async function verifierOnce(): Promise<Verified> {
  const verifier = new Verifier();
  const answer = await verifier.verify(scene.dataDir);
  verifier.close();
  return answer;
}

/** `serves`, or the status with which the server ended. */
async function startOn(server: Server, one: Flip): Promise<string> {
  try {
    const client = await Client.connect(book, server, new Random(SEED + 4));
    // Old frames are read when somebody asks for them: what is served of them is right, or refused.
    expect(await client.differences(), told(one)).toEqual([]);
    expect(await client.trialBalanceDifference(), told(one)).toEqual([0]);
    client.close();
    await server.kill();
    return 'serves';
  } catch (error) {
    if (!(error instanceof ServerGone)) throw new Error(told(one), { cause: error });
    const { code, signal } = await server.exit();
    expect(signal, `${told(one)}: ${server.stderr.slice(-2000)}`).toBeNull();
    expect([73, 74, 76], `${told(one)}: ${server.stderr.slice(-2000)}`).toContain(code);
    expect(server.stderr, told(one)).toMatch(/Next: /);
    return String(code);
  }
}
