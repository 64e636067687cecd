/**
 * Backups of a server under load, and the way back: what was acknowledged before the backup began is in it, once, and a server on
 * the restored directory answers its repeats as before. Killed, full, damaged: no backup that looks like one, no directory that
 * starts with less.
 *
 * HOLDFAST_CRASH_ROUNDS (50): a tenth of it are the kills here. HOLDFAST_CRASH_SEED: see kill.test.ts.
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { built } from '../support/built.js';
import { Book } from './book.js';
import { Client } from './client.js';
import { MemoryDisk, whyNoMount } from './memory-disk.js';
import { findings } from './questions.js';
import { Random } from './random.js';
import { cleanEnvironment, Scene, type Server, sleep, verify } from './server.js';

const ROUNDS = Math.max(3, Math.ceil(Number(process.env.HOLDFAST_CRASH_ROUNDS ?? 50) / 10));
const SEED = Number(process.env.HOLDFAST_CRASH_SEED ?? Date.now() % 1_000_000_007);
const main = fileURLToPath(built('cli/main.js'));
const noMount = whyNoMount();

const scene = new Scene();
afterAll(() => scene.close());
const path = (name: string): string => join(scene.folder, name);

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** A command, and its end. */
function begin(args: readonly string[]): { readonly child: ChildProcess; readonly end: Promise<Ended> } {
  const child = spawn(process.execPath, [main, ...args], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const end = new Promise<Ended>((resolve) => {
    child.once('close', (status, signal) => resolve({ status, signal, out, err }));
  });
  return { child, end };
}

const run = (...args: string[]): Promise<Ended> => begin(args).end;
const backup = (name: string, ...more: string[]): Promise<Ended> =>
  run('backup', path(name), '--data-dir', scene.dataDir, ...more);

/** A restore into a folder of its own, with the keys beside it. */
function restore(from: string, name: string): Promise<Ended> {
  mkdirSync(path(name), { recursive: true });
  cpSync(`${scene.dataDir}.keys`, join(path(name), 'data.keys'));
  return run('restore', path(from), '--data-dir', join(path(name), 'data'));
}

const headOf = (line: string): string => /head=([0-9a-f]{64})/.exec(line)![1]!;
const parts = (): string[] => readdirSync(scene.folder).filter((name) => name.includes('.part-'));

/** Answers of before the first backup, and of while they were made. */
const before = new Book(new Random(SEED), 12);
const during = new Book(new Random(SEED + 1), 12, 3);
let server: Server;
/** The first line that a backup printed. */
let line = '';

beforeAll(async () => {
  server = scene.start({ threads: 2, flags: ['--backup-dir', path('by-api')] });
  const client = await Client.connect(before, server, new Random(SEED + 2));
  await client.load(sleep(800));
  await client.settle();
  client.close();
  before.disconnected();
  expect(before.acknowledged.length).toBeGreaterThan(50);
}, 120_000);

/** What a server on the restored directory says about the answers of before the backup. */
async function assertRestored(dataDir: string): Promise<void> {
  // A token is a credential: it is in no backup, and a server starts without.
  const without = scene.start({ dataDir });
  await without.ready;
  expect(await without.stop()).toEqual({ code: 0, signal: null });
  cpSync(join(scene.dataDir, 'admin.token'), join(dataDir, 'admin.token'));
  const restored = scene.start({ dataDir, threads: 1 });
  const client = await Client.connect(before, restored, new Random(SEED + 3));
  expect(await findings(before, client, new Random(SEED + 4))).toEqual([]);
  expect(await client.trialBalanceDifference()).toEqual([0]);
  client.close();
  expect(await restored.stop()).toEqual({ code: 0, signal: null });
  expect(await verify(dataDir)).toMatchObject({ code: 0 });
}

describe('a backup of a server under load', () => {
  test('has every answer of before it, verifies, and starts; the server does not notice', async () => {
    const client = await Client.connect(during, server, new Random(SEED + 5));
    let stop = (): void => undefined;
    const load = client.load(
      new Promise<void>((resolve) => {
        stop = resolve;
      }),
    );
    const first = await backup('first');
    const api = await client.post('/v1/backups', { name: 'one' });
    expect(api.status).toBe(202);
    const answers = during.acknowledged.length;
    stop();
    await load;
    expect([first.status, first.out]).toEqual([0, expect.stringMatching(/^backup ok dir=\S+ records=\d+ head=/)]);
    expect(first.err).toMatch(/keep apart from it: the key file kf_[0-9a-f]+ of directory/);
    line = first.out;
    // It went on being answered, and rightly.
    expect(answers).toBeGreaterThan(10);
    expect(await findings(during, client, new Random(SEED + 6))).toEqual([]);

    const made = await untilDone(client, 'one');
    expect(made).toMatchObject({ status: 'done', failure: null, head: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const again = await client.post('/v1/backups', { name: 'one' });
    expect([again.status, JSON.parse(again.text).code]).toEqual([409, 'backup_exists']);
    expect((await client.get<{ data: unknown[] }>('/v1/backups')).data).toEqual([made]);
    client.close();

    for (const [from, head] of [
      ['first', headOf(first.out)],
      ['by-api/one', String(made.head)],
    ] as const) {
      const name = `restored-${from.replace('/', '-')}`;
      const { status, out, err } = await restore(from, name);
      expect([status, out], err).toEqual([0, expect.stringMatching(/^restore ok data=/)]);
      expect(headOf(out)).toBe(head);
      const dataDir = join(path(name), 'data');
      const verified = await verify(dataDir);
      expect(verified.code).toBe(0);
      // The digest of every shard at the positions of the backup is part of this head.
      expect(headOf(verified.text)).toBe(head);
      if (from === 'first') await assertRestored(dataDir);
    }
  }, 240_000);

  test('has no key, no token and no card number in clear', () => {
    const secrets = [
      server.token(),
      ...keysOf(`${scene.dataDir}.keys`),
      ...before.operations.map((one) => one.fields[2]!),
    ];
    for (const name of readdirSync(path('first'), { recursive: true, encoding: 'utf8' })) {
      const file = join(path('first'), name);
      expect(name).not.toMatch(/keys|token/);
      if (!statSync(file).isFile()) continue;
      const bytes = readFileSync(file);
      expect(secrets.filter((secret) => bytes.includes(secret))).toEqual([]);
    }
  });

  test(
    `killed at ${ROUNDS} moments it leaves nothing that looks complete, and the next one is whole (seed ${SEED})`,
    async () => {
      const random = new Random(SEED + 7);
      for (let n = 0; n < ROUNDS; n++) {
        const { child, end } = begin(['backup', path('killed'), '--data-dir', scene.dataDir, '--rate', '256KiB']);
        await sleep(random.int(100, 3000));
        // The command and the process that copies: the second ends when it has lost the first.
        child.kill('SIGKILL');
        await end;
        if (existsSync(path('killed'))) {
          expect(await restore('killed', `from-killed-${n}`)).toMatchObject({ status: 0 });
          rmSync(path('killed'), { recursive: true });
        }
        for (const part of parts())
          if (!existsSync(join(path(part), 'backup.json')))
            expect(await restore(part, `from-part-${n}`)).toMatchObject({
              status: 65,
              err: expect.stringMatching(/no backup/),
            });
      }
      await expect.poll(copying, { timeout: 30_000 }).toBe(0);
      expect(await backup('killed')).toMatchObject({ status: 0 });
      expect(parts()).toEqual([]);
    },
    60_000 + ROUNDS * 30_000,
  );

  test('a copying process whose command has gone before it could know does not go on by itself', async () => {
    // At this rate it would take hours.
    const child = fork(fileURLToPath(built('cli/backup-task.js')), [scene.dataDir, path('orphan'), '1024'], {
      execArgv: [],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    await ended;
    expect(existsSync(path('orphan'))).toBe(false);
    for (const part of parts()) rmSync(path(part), { recursive: true });
  });

  test(
    `a restore that is killed at ${ROUNDS} moments never lets a server start with less (seed ${SEED})`,
    async () => {
      const random = new Random(SEED + 8);
      mkdirSync(path('again'), { recursive: true });
      const dataDir = join(path('again'), 'data');
      cpSync(`${scene.dataDir}.keys`, `${dataDir}.keys`);
      let refused = 0;
      for (let n = 0; n < ROUNDS; n++) {
        const { child, end } = begin(['restore', path('first'), '--data-dir', dataDir]);
        // From the moment at which it has begun to the one at which it is done.
        await until(() => existsSync(join(dataDir, '.restore')) || child.exitCode !== null);
        await sleep(random.int(0, 1200));
        child.kill('SIGKILL');
        await end;
        if (existsSync(join(dataDir, 'holdfast.json'))) {
          const verified = await verify(dataDir);
          expect(headOf(verified.text)).toBe(headOf(line));
          rmSync(dataDir, { recursive: true });
        } else if (existsSync(join(dataDir, '.restore'))) {
          const started = scene.start({ dataDir });
          expect(await started.exit()).toEqual({ code: 73, signal: null });
          expect(started.stderr).toMatch(/a restore into \S+ was not finished. Next: run `holdfast restore` again/);
          refused++;
        }
      }
      expect(await run('restore', path('first'), '--data-dir', dataDir)).toMatchObject({ status: 0 });
      expect(headOf((await verify(dataDir)).text)).toBe(headOf(line));
      console.log(`${ROUNDS} restores killed, a start refused after ${refused}`);
    },
    60_000 + ROUNDS * 60_000,
  );
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

/** Processes that make a backup in the folder of this scene. */
function copying(): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.includes('backup-task') && command.includes(scene.folder);
      } catch {
        return false;
      }
    }).length;
}

async function untilDone(client: Client, name: string): Promise<Record<string, unknown>> {
  let row: Record<string, unknown> = {};
  await expect
    .poll(
      async () => {
        row = await client.get<Record<string, unknown>>(`/v1/backups/${name}`);
        return row.status;
      },
      { timeout: 60_000 },
    )
    .not.toBe('running');
  return row;
}

function keysOf(file: string): Buffer[] {
  const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: { key: string }[] };
  return keys.flatMap(({ key }) => [Buffer.from(key), Buffer.from(key, 'base64')]);
}

describe('a backup that cannot be made', () => {
  test('a target that is there is not touched', async () => {
    mkdirSync(path('taken'));
    writeFileSync(join(path('taken'), 'mine'), 'x');
    expect(await backup('taken')).toMatchObject({
      status: 73,
      err: expect.stringMatching(/is there already\. Next: /),
    });
    expect(readdirSync(path('taken'))).toEqual(['mine']);
  }, 60_000);

  test.skipIf(noMount !== undefined)(
    `a full target: 73, and nothing is left${noMount ? ` (skipped: ${noMount})` : ''}`,
    async () => {
      const disk = MemoryDisk.mount(path('full'), 2 ** 16);
      try {
        // Full before it begins is said before it begins.
        const early = await run('backup', join(disk.path, 'b'), '--data-dir', scene.dataDir);
        expect(early).toMatchObject({ status: 73, err: expect.stringMatching(/bytes free, the backup needs/) });
        // Full while it is made, which takes some 15 s at this rate.
        const needed = Number(/the backup needs (\d+)/.exec(early.err)![1]);
        disk.resize(needed + 4 * 2 ** 20);
        const rate = String(Math.max(2 ** 16, Math.ceil(needed / 15)));
        const { child, end } = begin(['backup', join(disk.path, 'b'), '--data-dir', scene.dataDir, '--rate', rate]);
        // Begun: its folder alone is made before it looks whether there is room.
        const copies = (): boolean =>
          readdirSync(disk.path, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('data.mdb'));
        await until(() => copies() || child.exitCode !== null);
        expect(child.exitCode, child.exitCode === null ? '' : (await end).err).toBe(null);
        // To the last byte, whoever else takes some of them meanwhile.
        spawnSync('dd', ['if=/dev/zero', `of=${join(disk.path, 'hog')}`, 'bs=4k'], { stdio: 'ignore' });
        const late = await end;
        expect(child.exitCode).toBe(73);
        expect(late.err).toMatch(/could not be written: ENOSPC.*Next: make room there; nothing is left of it/);
        expect(readdirSync(disk.path)).toEqual(['hog']);
      } finally {
        disk.unmount();
      }
      // The server does not care.
      expect((await fetch(`http://${(await server.ready).admin}/readyz`)).status).toBe(200);
    },
    120_000,
  );
});

describe('a backup that is refused', () => {
  /** A copy of the first backup with something wrong. */
  function damaged(name: string, harm: (folder: string) => void): string {
    cpSync(path('first'), path(name), { recursive: true });
    harm(path(name));
    return name;
  }
  const lane = (folder: string): string => {
    const journal = join(folder, 'data', 'journal');
    return join(journal, readdirSync(journal)[0]!, 'data.mdb');
  };
  const change = (file: string): void => {
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
  };
  const rewrite = (folder: string, edit: (manifest: Record<string, unknown>) => void): void => {
    const file = join(folder, 'backup.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8').split('\n')[0]!) as Record<string, unknown>;
    edit(manifest);
    const text = JSON.stringify(manifest);
    writeFileSync(file, `${text}\n${createHash('sha256').update(text).digest('hex')}\n`);
  };

  test.each<[string, (folder: string) => void, number, RegExp]>([
    ['a bit of the journal', (f) => change(lane(f)), 65, /journal\/lane-\S+ of the backup is damaged: its checksum/],
    [
      'a journal that is cut short',
      (f) => truncateSync(lane(f), 8192),
      65,
      /journal\/lane-\S+ of the backup is damaged/,
    ],
    [
      'a vault that is missing',
      (f) => rmSync(join(f, 'data', 'vault'), { recursive: true }),
      65,
      /has no readable vault\/data\.mdb: ENOENT/,
    ],
    ['a bit of the manifest', (f) => change(join(f, 'backup.json')), 65, /backup\.json is damaged: its checksum/],
    ['no manifest', (f) => rmSync(join(f, 'backup.json')), 65, /is no backup: it has no backup\.json/],
    [
      'a newer form',
      (f) => rewrite(f, (m) => Object.assign(m, { format: 2, engine: '9.9.9' })),
      73,
      /has format 2.*at least as new as 9\.9\.9/,
    ],
    [
      'another end than it says',
      (f) => rewrite(f, (m) => Object.assign(m, { records: 1 })),
      65,
      /its manifest says records=1/,
    ],
    [
      'a newer data directory',
      (f) => {
        const file = join(f, 'data', 'holdfast.json');
        writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), format: 99 }));
        const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
        rewrite(f, ({ files }) =>
          Object.assign((files as { path: string }[]).find((one) => one.path === 'holdfast.json')!, {
            sha256,
            bytes: statSync(file).size,
          }),
        );
      },
      73,
      /has format 99/,
    ],
  ])(
    '%s',
    async (what, harm, status, expected) => {
      const name = damaged(`bad ${what}`, harm);
      const ended = await restore(name, `from ${what}`);
      expect([ended.status, ended.err]).toEqual([status, expect.stringMatching(expected)]);
      expect(ended.err.trimEnd().split('\n')).toHaveLength(1);
      // Nothing was put into place, and nothing is in the way of a good one.
      expect(readdirSync(join(path(`from ${what}`)))).not.toContain('data/holdfast.json');
      expect(await restore('first', `from ${what}`)).toMatchObject({ status: 0 });
    },
    120_000,
  );

  test('of another engine of the same form: restored', async () => {
    const name = damaged('other release', (f) => rewrite(f, (m) => Object.assign(m, { engine: '0.0.1' })));
    expect(await restore(name, 'from other release')).toMatchObject({ status: 0 });
  }, 60_000);

  test('over data, into a folder with something else, beside a server, with other keys', async () => {
    const used = join(path('restored-first'), 'data');
    const into = (dataDir: string, ...more: string[]): Promise<Ended> =>
      run('restore', path('first'), '--data-dir', dataDir, ...more);
    expect(await into(used)).toMatchObject({ status: 73, err: expect.stringMatching(/is a data directory already/) });
    expect(await into(path('taken'))).toMatchObject({
      status: 73,
      err: expect.stringMatching(/in use for something else \(it holds mine\)/),
    });
    expect(await into(scene.dataDir)).toMatchObject({ status: 73, err: expect.stringMatching(/process \d+/) });
    const keys = JSON.parse(readFileSync(`${scene.dataDir}.keys`, 'utf8')) as Record<string, unknown>;
    writeFileSync(path('other.keys'), JSON.stringify({ ...keys, id: 'kf_0000000000000000' }), { mode: 0o600 });
    expect(await into(path('other keys'), '--key-file', path('other.keys'))).toMatchObject({
      status: 73,
      err: expect.stringMatching(/is kf_0{16}, the data needs kf_/),
    });
    expect(existsSync(join(path('other keys'), 'holdfast.json'))).toBe(false);
  }, 60_000);
});
