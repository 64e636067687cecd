/**
 * The old part of the journal of a real server: exported and dropped while it runs, killed between any two steps of it, and what verify,
 * a start, and every read say of it afterwards. Days pass by the wall clock of the shard threads (faults.ts).
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { dropSteps } from '#src/control/journal/retention.js';
import { purchase } from '../support/iso-client.js';
import { long } from '../support/long.js';
import { type Ran, run, Server, temporaryFolder, until } from '../support/server.js';

/** A job of the API. */
interface Job {
  readonly folders: readonly string[];
  readonly kept: readonly { readonly folder: string; readonly why: string }[];
}

interface Report {
  readonly dropped: number;
  readonly system: unknown;
  readonly [member: string]: unknown;
}

interface ListAnswer {
  readonly data: readonly { readonly id: string }[];
  readonly has_more: boolean;
  readonly next_cursor?: string | null;
  readonly dropped_before?: string;
}

interface JournalAnswer {
  readonly anchor: { readonly number: number; readonly folders: readonly { readonly name: string }[] };
}

const jobOf = ({ out }: Ran): Job => JSON.parse(out) as Job;
const formatOf = (dataDir: string): number =>
  (JSON.parse(readFileSync(join(dataDir, 'holdfast.json'), 'utf8')) as { format: number }).format;

const DAY = 86_400_000;
/** Days after which everything of the first start may go. */
const LATER = 130;
const CARDS = 40;
const flags = ['--journal-folder-bytes', '1MiB', '--stop-limit-ms', '60000', '--threads', '1'];

const start = (dataDir: string, days: number, environment: Record<string, string> = {}): Promise<Server> =>
  Server.start({ dataDir, flags, environment: { HOLDFAST_FAULT_WALL: String(days * DAY), ...environment } });

const apiOf = (server: Server): string[] => [
  ...['--admin', `http://${server.ready.admin}`],
  ...['--token-file', `${server.dataDir}/admin.token`],
];

const folders = (dataDir: string): string[] =>
  readdirSync(join(dataDir, 'journal'))
    .filter((name) => name.startsWith('lane-'))
    .sort();

const anchors = (dataDir: string): string[] =>
  readdirSync(join(dataDir, 'journal')).filter((name) => name.startsWith('anchor-'));

/** So many approvals. */
async function approvals(server: Server, count: number): Promise<void> {
  const client = await server.connect();
  for (let sent = 0; sent < count; sent += 500) {
    const batch = Array.from({ length: 500 }, (_, i) => purchase({ card: 1 + (i % CARDS), amount: 1 }));
    for (const reply of await client.batch(batch)) expect(reply[39]).toBe('00');
  }
}

const verify = (dataDir: string, more: readonly string[] = []): Promise<Ran> =>
  run(['verify', '--data-dir', dataDir, '--json', ...more]);

/** The report of a verification, which must be in order, without what depends on where it began. */
async function books(
  dataDir: string,
  more: readonly string[] = [],
): Promise<{ dropped: number; books: Omit<Report, 'dropped' | 'system' | 'audit'> }> {
  const { status, out, err } = await verify(dataDir, more);
  expect([status, err]).toEqual([0, '']);
  // A drop is a record of the system journal.
  const { dropped, system: _, audit: _audit, ...rest } = JSON.parse(out) as Report;
  return { dropped, books: rest };
}

const drop = (server: Server, more: readonly string[] = []): Promise<Ran> =>
  run(['journal', 'drop', '--older-than-days', '122', '--json', ...more, ...apiOf(server)]);

/** Drops until something went: the segments may be a few seconds behind. */
async function dropAll(server: Server, more: readonly string[] = []): Promise<Job> {
  let job: Job = { folders: [], kept: [] };
  await until(
    'folders were dropped',
    async () => {
      const ran = await drop(server, more);
      expect([ran.status, ran.err]).toEqual([0, '']);
      job = jobOf(ran);
      return job.folders.length > 0;
    },
    60_000,
  );
  return job;
}

/** Files that the process has open although they are gone. */
function openButGone(server: Server): string[] {
  const open = readdirSync(`/proc/${server.pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${server.pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
  return open.filter((path) => path.includes('/journal/') && path.endsWith('(deleted)'));
}

/** A directory with closed folders of long ago and a young one, stopped; and an authorization of each time. */
let old = '';
let early = '';
let late = '';
beforeAll(async () => {
  old = join(temporaryFolder('old'), 'data');
  const first = await start(old, 0);
  await approvals(first, 500);
  early = (await first.get('/v1/authorizations?limit=1')).body.data[0].id as string;
  await approvals(first, 11_500);
  expect((await first.stop()).status).toBe(0);
  const second = await start(old, LATER);
  await until('every hold has ended', async () => {
    const { text } = await second.get('/metrics');
    return /^holdfast_holds_open 0$/m.test(text);
  });
  await approvals(second, 1000);
  late = (await second.get('/v1/authorizations?limit=1')).body.data[0].id as string;
  expect((await second.stop()).status).toBe(0);
  expect(folders(old).length).toBeGreaterThan(3);
});

function copyOf(source: string): string {
  const dataDir = join(temporaryFolder('copy'), 'data');
  cpSync(source, dataDir, { recursive: true, filter: (path) => !/\/lock(\.\d+.*)?$/.test(path) });
  copyFileSync(`${source}.keys`, `${dataDir}.keys`);
  return dataDir;
}

describe('the old part of the journal', () => {
  test('is exported and dropped while the server runs, and everything says so', async () => {
    const dataDir = copyOf(old);
    const to = temporaryFolder('export');
    const before = await books(dataDir);
    expect(before.dropped).toBe(0);
    expect(formatOf(dataDir)).toBe(2);
    const server = await start(dataDir, LATER);

    const kept = jobOf(await drop(server));
    expect(kept.folders).toEqual([]);
    expect(kept.kept.map(({ why }) => why)).toContain('it was not exported');
    const exported = await run(['journal', 'export', '--to', to, '--json', ...apiOf(server)]);
    expect([exported.status, exported.err]).toEqual([0, '']);
    const copies = jobOf(exported).folders;
    expect(copies.length).toBeGreaterThan(2);
    // Again: nothing is left to do, and what lies there is what it was.
    expect(jobOf(await run(['journal', 'export', '--to', to, '--json', ...apiOf(server)])).folders).toEqual([]);
    const again = ['journal', 'export', '--to', to, '--folder', copies[0]!, '--json', ...apiOf(server)];
    expect(jobOf(await run(again)).folders).toEqual([copies[0]]);

    const { folders: went } = await dropAll(server);
    expect(folders(dataDir).filter((name) => went.includes(name))).toEqual([]);
    expect(anchors(dataDir)).toEqual(['anchor-000001']);
    expect(formatOf(dataDir)).toBe(3);
    await until('nothing holds what was dropped', () => openButGone(server).length === 0);
    expect(jobOf(await drop(server)).folders).toEqual([]);

    const gone = await server.get(`/v1/authorizations/${early}`);
    expect([gone.status, gone.body.code]).toEqual([410, 'dropped']);
    expect(gone.body.detail).toContain(`it was exported to ${to}`);
    expect(gone.body.detail).toMatch(/the first one there is \d+$/);
    expect((await server.get(`/v1/authorizations/${early}/explain`)).status).toBe(410);
    expect((await server.get(`/v1/authorizations/${late}/explain`)).status).toBe(200);
    await expectListsThatSaySo(server);
    const feed = await server.get('/v1/events?limit=1');
    expect([feed.status, feed.body.data.length]).toEqual([200, 1]);
    await approvals(server, 500);
    expect((await server.stop()).status).toBe(0);

    const part = await books(dataDir);
    const whole = await books(dataDir, ['--with', to]);
    expect(part.dropped).toBeGreaterThan(8000);
    expect(whole).toEqual({ dropped: 0, books: part.books });
    rmSync(join(to, copies[0]!), { recursive: true });
    const missing = await verify(dataDir, ['--with', to]);
    expect([missing.status, missing.err]).toEqual([
      65,
      expect.stringContaining(`${copies[0]} is in none of the folders`),
    ]);
  });

  test('leaves a directory that starts without checkpoint and segments, with the same balances', async () => {
    const dataDir = copyOf(old);
    const server = await start(dataDir, LATER);
    await dropAll(server, ['--unexported']);
    const account = await server.get(`/v1/accounts/${demoAccount(3)}`);
    const balance = await server.get('/v1/ledger/trial-balance');
    expect((await server.stop()).status).toBe(0);
    const before = await books(dataDir);
    await expectBackupsThatKeepTheAnchor(dataDir, before);
    for (const rebuildable of ['state', 'segments']) rmSync(join(dataDir, rebuildable), { recursive: true });

    const next = await start(dataDir, LATER);
    expect((await next.get(`/v1/accounts/${demoAccount(3)}`)).body).toEqual(account.body);
    expect((await next.get('/v1/ledger/trial-balance')).body).toEqual(balance.body);
    await approvals(next, 500);
    await until('the segments are whole', async () => (await next.get('/readyz')).status === 200);
    expect((await next.stop()).status).toBe(0);
    const after = await books(dataDir);
    expect(after.dropped).toBe(before.dropped);

    const replayed = await run([
      'replay',
      '--data-dir',
      dataDir,
      '--until',
      '2026-01-01T00:00:00Z',
      '--account',
      demoAccount(3),
    ]);
    expect([replayed.status, replayed.err]).toEqual([65, expect.stringContaining('are not in the journal any more')]);
    const now = new Date(Date.now() + (LATER + 1) * DAY).toISOString();
    const shown = await run(['replay', '--data-dir', dataDir, '--until', now, '--account', demoAccount(3), '--json']);
    const { account: then } = JSON.parse(shown.out) as { account: { balances: { posted: number } } };
    expect(then.balances.posted).toBe(account.body.balances.posted);
  });

  test('is verified: a state that was changed is found', async () => {
    const dataDir = copyOf(old);
    const server = await start(dataDir, LATER);
    await dropAll(server, ['--unexported']);
    expect((await server.stop()).status).toBe(0);
    const anchor = join(dataDir, 'journal', anchors(dataDir)[0]!);
    const state = readdirSync(anchor).find((name) => name.endsWith('.state'))!;
    const bytes = readFileSync(join(anchor, state));
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(join(anchor, state), bytes);
    expect((await verify(dataDir)).status).toBe(76);
  });
});

async function expectBackupsThatKeepTheAnchor(dataDir: string, expected: unknown): Promise<void> {
  const target = join(temporaryFolder('backup'), 'one');
  const made = await run(['backup', target, '--data-dir', dataDir]);
  expect(made.status, made.err).toBe(0);
  const restored = join(temporaryFolder('restored'), 'data');
  copyFileSync(`${dataDir}.keys`, `${restored}.keys`);
  const put = await run(['restore', target, '--data-dir', restored]);
  expect(put.status, put.err).toBe(0);
  expect(await books(restored)).toEqual(expected);
}

/** Lists that come to the beginning of the journal say that there was more. */
async function expectListsThatSaySo(server: Server): Promise<void> {
  const account = demoAccount(3);
  for (const path of [`/v1/authorizations?account=${account}`, `/v1/accounts/${account}/entries?`]) {
    let answer: ListAnswer = { data: [], has_more: true };
    for (let cursor = ''; ; cursor = `&starting_after=${answer.next_cursor ?? answer.data.at(-1)!.id}`) {
      const { status, text } = await server.get(`${path}&limit=100${cursor}`);
      expect(status).toBe(200);
      answer = JSON.parse(text) as ListAnswer;
      if (!answer.has_more) break;
      expect(answer.dropped_before).toBeUndefined();
    }
    expect(Date.parse(answer.dropped_before!)).toBeGreaterThan(Date.now() - DAY);
  }
}

describe('a drop that is killed', () => {
  // The one before the commit and the one behind it; all of them take minutes.
  test.each(long > 1 ? dropSteps : (['drafted', 'anchored'] as const))(
    'behind the step %s is finished or repeated, and nothing is lost',
    async (step) => {
      const dataDir = copyOf(old);
      const before = await books(dataDir);
      const server = await start(dataDir, LATER, { HOLDFAST_FAULT_DROP: step });
      await until(
        'the drop was killed',
        async () => {
          if (server.running) await drop(server, ['--unexported']);
          return !server.running;
        },
        60_000,
      );
      expect((await server.end()).signal).toBe('SIGKILL');
      const killed = await books(dataDir);
      const isCommitted = step !== 'drafted' && step !== 'raised';
      expect(killed.dropped > 0).toBe(isCommitted);
      expect(killed.books).toEqual(before.books);

      const next = await start(dataDir, LATER);
      if (isCommitted) expect(jobOf(await drop(next, ['--unexported'])).folders).toEqual([]);
      else await dropAll(next, ['--unexported']);
      const { anchor } = JSON.parse((await next.get('/v1/journal')).text) as JournalAnswer;
      expect(anchor.number).toBe(1);
      const names = anchor.folders.map(({ name }) => name);
      expect(folders(dataDir).filter((name) => names.includes(name))).toEqual([]);
      expect(anchors(dataDir)).toEqual(['anchor-000001']);
      expect((await next.stop()).status).toBe(0);
      const after = await books(dataDir);
      expect(after.dropped).toBeGreaterThan(8000);
      expect(existsSync(join(dataDir, 'journal', 'anchor-000001.new'))).toBe(false);
    },
  );
});
