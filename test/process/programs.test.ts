/** Programs of a real server: from a file, changed while it runs, and whole after kills between its journals. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { purchase } from '../support/iso-client.js';
import { type Ran, run, Server, serveArguments, temporaryFolder, until } from '../support/server.js';

const root = temporaryFolder('programs');
const SANDBOX = '/v1/programs/prog_sandbox';
const SHARDS = 16;

function programFile(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

const file = programFile(
  'programs.yaml',
  `programs:
  - id: prog_sandbox
    name: Sandbox
    currency: BRL
    bins: ['999999']
    sandbox: true
    tables:
      forbidden: ['01']
  - { id: gold, currency: USD, bins: ['99999812'] }
`,
);

/** Revisions of the sandbox program that each shard journaled, in order. */
async function journaled(dataDir: string): Promise<Record<number, number[]>> {
  const more = ['--kind', 'program_applied', '--limit', '100000', '--data-dir', dataDir];
  const { out } = await run(['inspect', 'journal', ...more]);
  const found: Record<number, number[]> = {};
  for (const line of out.trim().split('\n')) {
    const { shard, program, revision } = JSON.parse(line) as { shard: number; program: number; revision: number };
    if (program === 0) found[shard] = [...(found[shard] ?? []), revision];
  }
  return found;
}

const eachShard = (revisions: number[]): Record<number, number[]> =>
  Object.fromEntries(Array.from({ length: SHARDS }, (_, shard) => [shard, revisions]));

const cash = (card: number) => purchase({ card, amount: 100, fields: { 3: '010000' } });

describe('a file of programs', () => {
  test('is applied at a start; changes through the API stay across a start without it, and verify passes', async () => {
    let server = await Server.start({ flags: ['--programs', file] });
    const { dataDir } = server;
    expect((await server.get('/v1/programs/gold')).body).toMatchObject({ revision: 1, currency: 'USD' });
    // The first start made revision 1 of the sandbox, and the file differs.
    expect((await server.get(SANDBOX)).body).toMatchObject({ revision: 2, tables: { forbidden: ['01'] } });
    let client = await server.connect();
    expect((await client.request(cash(1)))[39]).toBe('57');
    expect((await client.request(purchase({ card: 1, amount: 100 })))[39]).toBe('00');
    const changed = await server.api('PATCH', SANDBOX, {
      tables: { forbidden: null },
      controls: { per_transaction: 99 },
    });
    expect([changed.status, changed.body.revision]).toEqual([200, 3]);
    expect((await client.request(cash(1)))[39]).toBe('61');
    expect(await server.stop()).toEqual({ status: 0, signal: null });

    server = await Server.start({ dataDir, demo: false });
    expect((await server.get(SANDBOX)).body.revision).toBe(3);
    expect((await server.get(`${SANDBOX}?revision=2`)).body.tables).toEqual({ forbidden: ['01'] });
    client = await server.connect();
    expect((await client.request(cash(2)))[39]).toBe('61');
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    expect(await run(['verify', '--data-dir', dataDir])).toMatchObject({ status: 0, err: '' });

    // The file says how the program is: a start with it takes the change back.
    server = await Server.start({ dataDir, demo: false, flags: ['--programs', file] });
    expect((await server.get(SANDBOX)).body).toMatchObject({ revision: 4, controls: {} });
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    server = await Server.start({ dataDir, demo: false, flags: ['--programs', file] });
    expect((await server.get(SANDBOX)).body.revision).toBe(4);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });

  function serve(dataDir: string, path: string): Promise<Ran> {
    return run(serveArguments({ dataDir, demo: false, flags: ['--programs', path] }));
  }

  test('that is wrong is refused with the place in it, before anything is created', async () => {
    const dataDir = join(root, 'never');
    const wrong = programFile(
      'wrong.yaml',
      "- id: gold\n  currency: BRL\n  bins: ['999998']\n  tables:\n    hold_life:\n      - name: all\n        days: 99\n",
    );
    const expected = `program /0/tables/hold_life/0/days: must be an integer from 1 to 31 [${wrong}:7]`;
    for (const ran of [await serve(dataDir, wrong), await run(['config', 'check', '--programs', wrong])]) {
      expect(ran).toMatchObject({ status: 64, out: '', err: expect.stringContaining(expected) });
    }
    expect(existsSync(dataDir)).toBe(false);
    const fine = await run(['config', 'check', '--programs', file]);
    expect(fine).toMatchObject({ status: 0, out: 'config ok links=2 programs=2\n' });
  });

  test('that contradicts what exists is refused with 65 and changes nothing', async () => {
    const dataDir = join(root, 'contradicted');
    const first = await Server.start({ dataDir, demo: false, flags: ['--programs', file] });
    expect(await first.stop()).toEqual({ status: 0, signal: null });
    const other = programFile(
      'other.json',
      JSON.stringify([
        { id: 'new', currency: 'BRL', bins: ['999997'] },
        { id: 'gold', currency: 'BRL', bins: ['999998'] },
      ]),
    );
    const ran = await serve(dataDir, other);
    expect(ran).toMatchObject({ status: 65, out: '' });
    expect(ran.err).toContain('program gold: /currency: is fixed, and was USD');
    const next = await Server.start({ dataDir, demo: false });
    expect((await next.get('/v1/programs/new')).status).toBe(404);
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });
});

describe.each([
  // Which of the two journals have the revision when the process dies.
  ['before any shard has it', 'before-append:1'],
  ['when the first shards have it and nobody knows', 'append-release:1'],
])('killed %s', (_when, kill) => {
  test('every shard has it at the next start', async () => {
    let server = await Server.start({ demo: false });
    const { dataDir } = server;
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    server = await Server.start({ dataDir, demo: false, environment: { HOLDFAST_FAULT_KILL: kill } });
    const lost = await server.api('PATCH', SANDBOX, { name: 'Killed' }).catch(() => 'no answer');
    expect(lost).toBe('no answer');
    expect(await server.end()).toEqual({ status: null, signal: 'SIGKILL' });
    const before = Object.values(await journaled(dataDir)).flat();
    expect(before.includes(2)).toBe(kill.startsWith('append-release'));
    server = await Server.start({ dataDir, demo: false });
    expect((await server.get(SANDBOX)).body).toMatchObject({ revision: 2, name: 'Killed' });
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    expect(await journaled(dataDir)).toEqual(eachShard([1, 2]));
    expect(await run(['verify', '--data-dir', dataDir])).toMatchObject({ status: 0, err: '' });
  });
});

test('killed as soon as the system journal has a revision, every shard has it once after the next start', async () => {
  let server = await Server.start();
  const { dataDir } = server;
  const KILLS = 4;
  for (let kill = 1; kill <= KILLS; kill++) {
    const revision = kill + 1;
    const lost = server.api('PATCH', SANDBOX, { controls: { per_transaction: revision } }).catch(() => undefined);
    const running = server;
    await until('the revision is visible', async () => (await running.get(SANDBOX)).body.revision === revision);
    expect(await server.kill()).toEqual({ status: null, signal: 'SIGKILL' });
    await lost;
    server = await Server.start({ dataDir, demo: false });
    expect((await server.get(SANDBOX)).body).toMatchObject({ revision, controls: { per_transaction: revision } });
    const client = await server.connect();
    expect((await client.request(purchase({ card: 1, amount: revision + 1 })))[39]).toBe('61');
    expect((await client.request(purchase({ card: 1, amount: revision })))[39]).toBe('00');
  }
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  const revisions = Array.from({ length: KILLS + 1 }, (_, i) => i + 1);
  expect(await journaled(dataDir)).toEqual(eachShard(revisions));
  expect(await run(['verify', '--data-dir', dataDir])).toMatchObject({ status: 0, err: '' });
});
