/** Clearing files of the real server: from the upload to posted books, again, broken, and through kills at any moment. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { clearedPurchases, fileIdOf, fileOf, presentment } from '../support/clearing-day.js';
import { type ApiAnswer, type Json, run, Server, temporaryFolder, until } from '../support/server.js';
import { sharedPath } from '../support/shared.js';

async function send(server: Server, file: Uint8Array, query = ''): Promise<ApiAnswer> {
  const answer = await fetch(`http://${server.ready.admin}/v1/clearing-files${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' },
    body: Buffer.from(file),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text) as Json };
}

/** The file when it is finished. */
async function finished(server: Server, id: string): Promise<Json> {
  let body: Json | undefined;
  await until(
    'the end of the file',
    async () => {
      ({ body } = await server.get(`/v1/clearing-files/${id}`));
      return body.status !== 'processing';
    },
    120_000,
  );
  return body!;
}

async function posted(server: Server, file: Uint8Array, query = ''): Promise<Json> {
  const { status, body } = await send(server, file, query);
  expect([status, body.status]).toEqual([202, 'processing']);
  return finished(server, body.id);
}

/** What must be the same after a file, however often the server was killed while it was posted. */
async function books(server: Server, cards: number): Promise<object> {
  const { body: trial } = await server.get('/v1/ledger/trial-balance');
  const accounts: unknown[] = [];
  for (let n = 1; n <= cards; n++) {
    const { body } = await server.get(`/v1/accounts/demo-${String(n).padStart(4, '0')}`);
    const { body: entries } = await server.get(`/v1/accounts/${body.id}/entries?limit=100`);
    accounts.push([body.balances, entries.data.length]);
  }
  return { balanced: trial.balanced, currencies: trial.currencies, accounts };
}

const spooled = (server: Server): string[] => readdirSync(join(server.dataDir, 'spool'));

describe('a clearing file', () => {
  test('is posted, known again, and refused whole where it is broken or another one has its id', async () => {
    const server = await Server.start({ flags: ['--shards', '4'] });
    const known = await clearedPurchases(server, 60);
    const forced = [presentment(900, 7, 555), presentment(901, 8, 556)];
    const records = [
      ...known,
      ...forced,
      presentment(902, undefined, 557),
      { ...presentment(903, 9, 558), arn: known[0]!.arn! },
    ];
    const file = fileOf(records);
    const before = await books(server, 10);

    const broken = Buffer.from(file);
    const refused = await posted(server, broken.subarray(0, broken.length - 1014), '?blocked=true');
    expect(refused).toMatchObject({ status: 'quarantined', posted: 0, duplicates: 0, rejected: 0, progress: null });
    expect(refused.errors).not.toBe(0);
    expect(await books(server, 10)).toEqual(before);

    const body = await posted(server, file);
    expect(body).toMatchObject({
      object: 'clearing_file',
      ...{ status: 'posted', format: 'ipm', encoding: 'cp500', blocked: true, mode: 'P', file_id: fileIdOf(1) },
      ...{ records: 64, posted: 64, duplicates: 0, rejected: 0, force_posted: 3, suspense: 1, errors: 0 },
      matched_by: { approval_code: 60, none: 4, network_id: 0, rrn: 0 },
      not_posted: {},
      totals: { messages: { '1240/200': 64, '1644/695': 1, '1644/697': 1 } },
      ...{ findings: [], progress: null, duplicate_of: null },
    });
    const after = await books(server, 10);
    expect(after).toMatchObject({ balanced: true });
    expect(after).not.toEqual(before);
    expect(spooled(server)).toEqual([]);

    const again = await send(server, file);
    expect([again.status, again.body.status]).toEqual([202, 'duplicate']);
    expect(again.body).toMatchObject({
      duplicate_of: body.id,
      posted: 64,
      force_posted: 3,
      matched_by: body.matched_by,
    });
    const other = await posted(server, fileOf(records.slice(1)));
    expect(other).toMatchObject({ status: 'quarantined', conflicts_with: body.id, posted: 0 });
    expect((other.findings as { code: string }[])[0]!.code).toBe('file_id_posted');
    // The same records under another id: known by their references.
    const copied = await posted(
      server,
      fileOf(records.slice(0, 20), { sequence: 2, encoding: 'ascii', blocked: false }),
    );
    expect(copied).toMatchObject({ status: 'posted', records: 20, posted: 0, duplicates: 20 });
    expect(await books(server, 10)).toEqual(after);

    const list = (await server.get('/v1/clearing-files?limit=2')).body;
    expect(list).toMatchObject({ has_more: true, data: [{ id: copied.id }, { id: other.id }] });
    const metrics = await fetch(`http://${server.ready.admin}/metrics`).then((answer) => answer.text());
    expect(metrics).toMatch(/^holdfast_clearing_records_total\{outcome="posted"\} 64$/m);
    expect(metrics).toMatch(/^holdfast_clearing_records_total\{outcome="duplicate"\} 20$/m);
    expect(metrics).toMatch(/^holdfast_clearing_files\{state="quarantined"\} 2$/m);

    const { dataDir } = server;
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    expect((await run(['verify', '--data-dir', dataDir])).status).toBe(0);
    const next = await Server.start({ dataDir, demo: false });
    expect((await next.get(`/v1/clearing-files/${body.id}`)).body).toEqual(body);
    expect((await send(next, file)).body.status).toBe('duplicate');
    await next.stop();
  });
});

describe('kills', () => {
  const COUNT = 12_000;

  test('at any moment of a file leave the books of a run without one', async () => {
    const folder = temporaryFolder();
    const start = (name: string): Promise<Server> =>
      Server.start({ dataDir: join(folder, name), flags: ['--shards', '4'] });
    const calm = await start('calm');
    const records = Array.from({ length: COUNT }, (_, n) => presentment(n, 1 + (n % 300), 100 + (n % 13)));
    const file = fileOf(records);
    const wanted = await posted(calm, file);
    expect(wanted).toMatchObject({ status: 'posted', posted: COUNT, duplicates: 0, rejected: 0, force_posted: COUNT });
    const calmBooks = await books(calm, 40);
    await calm.stop();

    let server = await start('killed');
    const { body } = await send(server, file);
    let resumed = 0;
    let half = 0;
    for (let round = 0; round < 6; round++) {
      // Kills at once would never let it begin: the first ones wait for the posting.
      const after = round < 3 ? 1 + Math.random() * (COUNT / 2) : -1;
      let now: Json | undefined;
      const isDue = async (): Promise<boolean> => {
        ({ body: now } = await server.get(`/v1/clearing-files/${body.id}`));
        return now.status !== 'processing' || (now.progress.phase === 'posting' && Number(now.progress.done) >= after);
      };
      if (after > 0) await until('its records', isDue);
      else {
        await sleep(Math.random() * 250);
        await isDue();
      }
      if (now!.status === 'processing' && Number(now!.progress.done) > 0) half++;
      // One that is asked to stop leaves the file as unfinished as one that is killed.
      if (round === 1) expect(await server.stop()).toEqual({ status: 0, signal: null });
      else await server.kill();
      server = await start('killed');
      if (now!.status !== 'processing') break;
      resumed++;
      expect(server.stderr).toContain('going on with unfinished clearing files');
      // The same file again joins the one that is under way, or finds it posted.
      if (round === 1) {
        const joined = (await send(server, file)).body;
        expect([joined.id, joined.duplicate_of]).toContain(body.id);
      }
    }
    expect([resumed > 0, half > 0]).toEqual([true, true]);
    const { id: _id, created_at: _created, finished_at: _finished, ...outcome } = await finished(server, body.id);
    const { id: _wanted, created_at: _wantedCreated, finished_at: _wantedFinished, ...same } = wanted;
    expect(outcome).toEqual(same);
    expect(await books(server, 40)).toEqual(calmBooks);
    expect(spooled(server)).toEqual([]);
    const { dataDir } = server;
    await server.stop();
    expect((await run(['verify', '--data-dir', dataDir])).status).toBe(0);
  });
});

describe('the spool', () => {
  test('holds no card number in clear, and keeps nothing of an upload that was cut off', async () => {
    const server = await Server.start({ flags: ['--shards', '4', '--clearing-file-bytes-max', '2000000'] });
    const file = fileOf([presentment(1, 1, 100)], { encoding: 'ascii', blocked: false });
    const cut = new AbortController();
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(file);
        await until('the spool', () => spooled(server).length > 0);
        const [name] = spooled(server);
        expect(statSync(join(server.dataDir, 'spool', name!)).mode & 0o777).toBe(0o600);
        cut.abort();
      },
    });
    const upload = fetch(`http://${server.ready.admin}/v1/clearing-files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' },
      ...{ body, duplex: 'half', signal: cut.signal },
    } as RequestInit);
    await expect(upload).rejects.toThrow();
    await until('an empty spool', () => spooled(server).length === 0);
    expect((await server.get('/v1/clearing-files')).body.data).toEqual([]);

    const large = await send(server, Buffer.alloc(2_000_001));
    expect([large.status, large.body.code]).toEqual([413, 'payload_too_large']);
    expect(large.body.detail).toBe(
      'A clearing file may have 2000000 bytes: raise clearing-file-bytes-max, or send it as several files.',
    );
    expect(spooled(server)).toEqual([]);

    // What a kill leaves of an upload goes with the next start.
    const { dataDir } = server;
    await server.stop();
    writeFileSync(join(dataDir, 'spool', 'file_left.part'), 'x');
    const next = await Server.start({ dataDir, demo: false });
    expect(spooled(next)).toEqual([]);
    await next.stop();
  });
});

describe('samples', () => {
  for (const name of ['issuer_1000_1_ascii_vbs.ipm', 'issuer_1000_1_ebcdic_1014.ipm']) {
    const path = sharedPath('samples', 'ipm', name);
    test.skipIf(path === undefined)(`${name} posts, every record of it`, async () => {
      const server = await Server.start();
      const body = await posted(server, readFileSync(path!));
      expect(body).toMatchObject({ status: 'posted', records: 1000, posted: 1000, duplicates: 0, rejected: 0 });
      expect((await server.get('/v1/ledger/trial-balance')).body.balanced).toBe(true);
      await server.stop();
    });
  }
});
