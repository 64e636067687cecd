/**
 * The clearing of a day under kill -9, ten times: while its file is uploaded, checked, posted and reconciled. What the books, the
 * accounts and the reconciliation are in the end is what they are after a run that nobody disturbed.
 *
 * HOLDFAST_CRASH_SEED repeats the choices of a run; timing stays the machine's. HOLDFAST_LONG=10: twenty times, with the file of the whole day.
 */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { Random } from '../crash/random.js';
import { long } from '../support/long.js';
import { type Json, run, Server, temporaryFolder, until } from '../support/server.js';
import { atNoon, dateAfter, load, networkDay } from '../support/whole-day.js';

const SEED = Number(process.env.HOLDFAST_CRASH_SEED ?? Date.now() % 1_000_000_007);
const MESSAGES = long > 1 ? 22_400 * long : 2400;
/** For what a server does by itself; generous, because the machine may be busy. */
const LIMIT_MS = 60_000 * long;
/** Five kills each. The clearing files of test/crash/kill.test.ts are killed as well, beside authorizations. */
const ROUNDS = long > 1 ? 4 : 2;
const SHARES =
  'missing=0.01,late=0.01,unknownCard=0.01,alteredAmount=0.01,alteredCurrency=0.01,duplicates=0.01,forced=0.01,splits=0.02,refunds=0.02';
/** Of a thread, in which the kill of a posting falls. */
const POINTS = ['before-append', 'append-release', 'after-release'];

const folder = temporaryFolder('kills');
const random = new Random(SEED);
/** What each kill hit. */
const hits: string[] = [];
afterAll(() => console.log(`seed ${SEED}, kills: ${hits.join(', ')}`));

const start = (name: string, environment: Record<string, string> = {}): Promise<Server> =>
  Server.start({ dataDir: join(folder, name), demo: false, environment: { ...atNoon(), ...environment } });

/** A copy of the data of a stopped server, with its keys. */
function copy(from: string, to: string): void {
  for (const end of ['', '.keys']) cpSync(join(folder, from + end), join(folder, to + end), { recursive: true });
}

/** Sends the file, or its first bytes, after which the connection stays open. */
async function upload(server: Server, file: Buffer, bytes = file.length): Promise<Json> {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(file.subarray(0, bytes));
      if (bytes === file.length) controller.close();
    },
  });
  const answer = await fetch(`http://${server.ready.admin}/v1/clearing-files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' },
    ...{ body, duplex: 'half' },
  } as RequestInit);
  const received = (await answer.json()) as Json;
  expect([answer.status, received]).toEqual([202, received]);
  return received;
}

const rows = (list: unknown): Json[] => list as Json[];
const files = async (server: Server): Promise<Json[]> => rows((await server.get('/v1/clearing-files')).body.data);

async function finished(server: Server, id: string): Promise<Json> {
  let body: Json | undefined;
  const isFinished = async (): Promise<boolean> => {
    ({ body } = await server.get(`/v1/clearing-files/${id}`));
    return body.status !== 'processing';
  };
  await until('the end of the file', isFinished, LIMIT_MS);
  return body!;
}

/** A run of its own; one that repeats what was recorded before a kill ends first. */
async function startRecon(server: Server): Promise<string> {
  let id = '';
  const isBegun = async (): Promise<boolean> => {
    const { status, body } = await server.api('POST', '/v1/recon/runs', { date: dateAfter(0) });
    if (status === 202) ({ id } = body);
    return status === 202;
  };
  await until('a reconciliation', isBegun, LIMIT_MS);
  return id;
}

/** The report as text, whatever ids its file has. */
async function reconciled(server: Server, file: string): Promise<string> {
  const id = await startRecon(server);
  let body: Json | undefined;
  const isDone = async (): Promise<boolean> => {
    ({ body } = await server.get(`/v1/recon/runs/${id}`));
    return body.status !== 'running';
  };
  await until('the end of the reconciliation', isDone, LIMIT_MS);
  expect(body!.status).toBe('done');
  return JSON.stringify(body!.report, undefined, 1).replaceAll(file, 'FILE');
}

/** The trial balance with its sub-accounts, and every account with its balances. */
async function books(server: Server): Promise<object> {
  const { body: trial } = await server.get('/v1/ledger/trial-balance');
  const accounts: Json[] = [];
  for (let after = ''; ; ) {
    const { body } = await server.get(`/v1/accounts?limit=100${after}`);
    const page = rows(body.data);
    accounts.push(...page);
    if (!body.has_more) break;
    after = `&starting_after=${page.at(-1)!.id}`;
  }
  return { trial, accounts };
}

/** By a verification of the journal alone: records of every shard, and sums. */
async function verified(name: string): Promise<object> {
  const ran = await run(['verify', '--json', '--data-dir', join(folder, name)]);
  expect(ran.status).toBe(0);
  const { ok, records, debits, credits, accounts, cards, holds_open, shards } = JSON.parse(ran.out) as Json;
  const sequences = rows(shards).map(({ sequence }) => sequence);
  return { ok, records, debits, credits, accounts, cards, holds_open, sequences };
}

/** Commits of the shards' threads since the start. */
async function commits(server: Server): Promise<number> {
  const { text } = await server.get('/metrics');
  const counts = [...text.matchAll(/^holdfast_journal_commit_duration_seconds_count\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

interface Calm {
  readonly books: object;
  readonly report: string;
  readonly verified: object;
  readonly outcome: Json;
  /** How long it took, ms, and how many commits the posting. */
  readonly checkMs: number;
  readonly postMs: number;
  readonly reconMs: number;
  readonly commits: number;
}

/** What does not tell one run of a file from another. */
function outcomeOf({ id: _id, created_at: _created, finished_at: _finished, ...outcome }: Json): Json {
  return outcome as Json;
}

async function calmRun(file: Buffer): Promise<Calm> {
  copy('base', 'calm');
  const server = await start('calm');
  const before = await commits(server);
  const receivedMs = performance.now();
  const { id } = await upload(server, file);
  const isPosting = async (): Promise<boolean> => {
    const { status, progress } = (await server.get(`/v1/clearing-files/${id}`)).body;
    return status !== 'processing' || progress?.phase === 'posting';
  };
  await until('the posting', isPosting, LIMIT_MS);
  const checkedMs = performance.now();
  const outcome = await finished(server, id);
  expect(outcome).toMatchObject({ status: 'posted', rejected: 0 });
  const postedMs = performance.now();
  const posting = (await commits(server)) - before;
  const reconFromMs = performance.now();
  const report = await reconciled(server, id);
  const reconMs = performance.now() - reconFromMs;
  const found = await books(server);
  await server.stop();
  return {
    ...{ books: found, report, verified: await verified('calm'), outcome: outcomeOf(outcome) },
    ...{ checkMs: checkedMs - receivedMs, postMs: postedMs - checkedMs, reconMs, commits: posting },
  };
}

/** Kills it, and notes what that hit. */
async function killed(server: Server, what: string): Promise<void> {
  hits.push(what);
  await server.kill();
}

/** The state of a file and how far it is. */
async function stateOf(server: Server, id: string): Promise<string> {
  const { status, progress } = (await server.get(`/v1/clearing-files/${id}`)).body;
  return status === 'processing' ? `${String(progress.phase)} ${String(progress.done)}` : status;
}

/** Starts it to be killed at a point of the posting, or afterwards when that does not come. @returns what that hit */
async function plantedKill(name: string, id: string, point: string): Promise<string> {
  const server = await start(name, { HOLDFAST_FAULT_KILL: point }).catch((error: Error) => error);
  if (server instanceof Error) {
    expect(server.message).toContain('the server ended before it was ready');
    return `${point} while starting`;
  }
  while (server.running) {
    // The connection ends with the process.
    const state = await stateOf(server, id).catch(() => '');
    if (state !== 'posted') continue;
    await server.kill();
    return `${point} too late`;
  }
  return point;
}

/** One run with five kills. */
async function killedRun(name: string, file: Buffer, calm: Calm): Promise<void> {
  copy('base', name);
  const cut = random.int(1, file.length - 1);
  let server = await start(name);
  const sending = upload(server, file, cut).catch((error: unknown) => error);
  await until('its spool', () => readdirSync(join(server.dataDir, 'spool')).length > 0);
  await sleep(random.int(0, 20));
  await killed(server, `uploaded ${cut}`);
  expect(await sending).toBeInstanceOf(Error);

  server = await start(name);
  expect([await files(server), readdirSync(join(server.dataDir, 'spool'))]).toEqual([[], []]);
  const { id } = await upload(server, file);
  await sleep(random.next() * calm.checkMs);
  await killed(server, `checking: ${await stateOf(server, id)}`);

  hits.push(await plantedKill(name, id, `${random.pick(POINTS)}:${random.int(1, calm.commits)}`));

  server = await start(name);
  await sleep(random.next() * calm.postMs);
  await killed(server, `posting: ${await stateOf(server, id)}`);

  server = await start(name);
  expect(outcomeOf(await finished(server, id))).toEqual(calm.outcome);
  await startRecon(server);
  await sleep(random.next() * calm.reconMs);
  await killed(server, 'reconciling');

  server = await start(name);
  const again = await upload(server, file);
  expect([again.status, again.duplicate_of]).toEqual(['duplicate', id]);
  const report = await reconciled(server, id);
  expect(report === calm.report, 'the report is that of the run without a kill').toBe(true);
  expect(await books(server)).toEqual(calm.books);
  await server.stop();
  expect(await verified(name)).toEqual(calm.verified);
}

describe('kill -9', () => {
  test(`at ${5 * ROUNDS} points of a day leaves the books of a day without (seed ${SEED})`, {
    timeout: 10 * LIMIT_MS,
  }, async () => {
    const server = await Server.start({
      ...{ dataDir: join(folder, 'base'), demo: false, flags: ['--shards', '4'] },
      environment: atNoon(),
    });
    await load(server, MESSAGES, 300);
    const path = join(folder, 'day.ipm');
    const plan = await networkDay(server, dateAfter(0), path, ['--shares', SHARES]);
    expect(plan.breaks.length).toBeGreaterThan(MESSAGES / 40);
    await server.stop();
    const file = readFileSync(path);
    const calm = await calmRun(file);
    for (let round = 0; round < ROUNDS; round++) {
      await killedRun(`killed-${round}`, file, calm);
      console.log(`${hits.length} kills, last: ${hits.slice(-5).join(', ')}`);
    }
    expect(hits.length).toBe(5 * ROUNDS);
  });
});
