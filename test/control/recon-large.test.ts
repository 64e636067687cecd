/** A long report: nobody else waits for its text, and what is sent of it is bounded. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { ReconRun } from '#src/control/recon/runs.js';
import { RECON_REPORTS_KEPT_MAX } from '#src/limits.js';
import { csvPieces, Reconciliation, type ReconReport, reportPieces } from '#src/recon/report.js';
import { largeReport } from '../recon/large-report.js';
import { type Harness, makeHarness, START_MS } from './harness.js';

const DATE = new Date(START_MS).toISOString().slice(0, 10);
/** Some 80 pieces, 3.6 MB. */
const BREAKS = 10_000;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const large = largeReport(BREAKS);
const closing: Harness[] = [];

afterEach(async () => {
  for (const { app } of closing.splice(0)) await app.close();
});

/** A finished run with that report. */
async function ran(report: ReconReport): Promise<{ h: Harness; run: ReconRun; answered: number }> {
  const h = makeHarness();
  closing.push(h);
  const run = await ranAgain(h, report);
  return { h, ...run };
}

/** Another one; and how many other requests were answered between the comparison and its end. */
async function ranAgain(h: Harness, report: ReconReport): Promise<{ run: ReconRun; answered: number }> {
  vi.spyOn(Reconciliation.prototype, 'finish').mockReturnValue(report);
  const { id } = (await h.call('POST', '/v1/recon/runs', { date: DATE })).body;
  const run = h.context.recon.run(id)!;
  let answered = 0;
  while (run.status === 'running') {
    expect((await h.call('GET', '/v1/programs')).status).toBe(200);
    answered++;
    // A request without a socket is answered within one turn of the event loop.
    await nextTurn();
  }
  vi.restoreAllMocks();
  expect(run.status).toBe('done');
  return { run, answered };
}

/** Answers to other requests while a call is under way. */
async function answeredBeside(h: Harness, call: Promise<unknown>): Promise<number> {
  let isUnderWay = true;
  const end = call.finally(() => {
    isUnderWay = false;
  });
  let answered = 0;
  while (isUnderWay) {
    expect((await h.call('GET', '/v1/programs')).status).toBe(200);
    answered++;
    // A request without a socket is answered within one turn of the event loop.
    await nextTurn();
  }
  await end;
  return answered;
}

test('others are answered while the text of a report is hashed, sent as JSON, and as CSV', async () => {
  const { h, run, answered } = await ran(large);
  expect(answered).toBeGreaterThan(20);
  expect(run.sha256).toBe(sha256([...reportPieces(large)].join('')));

  const ask = (path: string) =>
    h.app.inject({ url: path, headers: { authorization: `Bearer ${h.token('read')}` } }).then((one) => one.body);
  const json = ask(`/v1/recon/runs/${run.id}`);
  expect(await answeredBeside(h, json)).toBeGreaterThan(20);
  const { report, ...others } = JSON.parse(await json);
  expect(sha256(`${JSON.stringify(report, null, 2)}\n`)).toBe(run.sha256);
  expect(others).toMatchObject({ object: 'recon_run', status: 'done', report_sha256: run.sha256 });
  expect(sha256(await json)).toBe(sha256(JSON.stringify(JSON.parse(await json))));
  const csv = ask(`/v1/recon/runs/${run.id}.csv`);
  expect(await answeredBeside(h, csv)).toBeGreaterThan(20);
  expect(sha256(await csv)).toBe(sha256([...csvPieces(large)].join('')));
}, 60_000);

/** The server on a port, and a call of it. */
async function listening(h: Harness): Promise<(path: string, method?: string) => ClientRequest> {
  await h.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = h.app.server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${h.token('read')}` };
  return (path, method = 'GET') => request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end();
}

async function answerOf(call: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  return answer;
}

test('a client that takes nothing has little made for it, and one that goes leaves nothing', async () => {
  const { h, run } = await ran(largeReport(1));
  // More than the buffers of two sockets hold: 36 MB as JSON, 15 MB as CSV.
  run.report = { ...large, breaks: Array.from({ length: 10 }, () => large.breaks).flat() };
  const call = await listening(h);
  for (const path of [`/v1/recon/runs/${run.id}`, `/v1/recon/runs/${run.id}.csv`]) {
    const answer = await answerOf(call(path));
    expect(answer.headers['content-length']).toBeUndefined();
    const [download] = run.downloads;
    // It stands still when the buffers on the way are full.
    let read = -1;
    let made = 0;
    download!.on('data', (chunk: Uint8Array) => {
      made += chunk.length;
    });
    await vi.waitFor(
      () => {
        const before = read;
        read = made;
        expect([made, download!.isPaused()]).toEqual([before, true]);
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(download!.readableEnded).toBe(false);
    answer.destroy();
    await vi.waitFor(() => expect([run.downloads.size, download!.destroyed]).toEqual([0, true]), 20_000);
  }
  expect((await answerOf(call(`/v1/recon/runs/${run.id}`, 'HEAD'))).statusCode).toBe(405);
  expect(run.downloads.size).toBe(0);
}, 60_000);

test('a download is cut off when its report leaves the memory', async () => {
  const { h, run } = await ran(large);
  const call = await listening(h);
  const answer = await answerOf(call(`/v1/recon/runs/${run.id}`));
  const cut = once(answer, 'error');
  for (let more = 0; more < RECON_REPORTS_KEPT_MAX; more++) await ranAgain(h, largeReport(1));
  expect(run.downloads.size).toBe(0);
  answer.resume();
  expect(await cut).toMatchObject([{ code: 'ECONNRESET' }]);
}, 60_000);

test('breaks are counted once, until what is said of one changes', async () => {
  const { h } = await ran(largeReport(300));
  const { recon } = h.context;
  const counts = recon.stats().breaks;
  expect(recon.stats().breaks).toBe(counts);
  const one = recon.breaks.find(({ type, ageDays }) => type === counts[0]!.type && ageDays <= 1);
  const path = `/v1/recon/breaks/${one!.id}`;
  expect((await h.call('PATCH', path, { status: 'resolved', note: 'paid' })).status).toBe(200);
  const total = (all: readonly { readonly count: number }[]): number => all.reduce((sum, { count }) => sum + count, 0);
  expect(total(recon.stats().breaks)).toBe(total(counts) - 1);
  await ranAgain(h, largeReport(10));
  // One of the breaks has the id of that one.
  expect(total(recon.stats().breaks)).toBe(12);
});

test('a page of breaks looks at no more of them than it needs', async () => {
  const { h } = await ran(largeReport(300));
  const said = vi.spyOn(h.context.system.recon, 'said');
  const page = async (query: string): Promise<string[]> => {
    said.mockClear();
    const { status, body } = await h.call('GET', `/v1/recon/breaks?status=open&limit=5&${query}`);
    expect([status, body.has_more]).toEqual([200, true]);
    expect(said.mock.calls.length).toBeLessThan(20);
    return body.data.map(({ id }: { id: string }) => id);
  };
  const ids = h.context.recon.breaks.map(({ id }) => id).reverse();
  expect(await page('')).toEqual(ids.slice(0, 5));
  expect(await page(`starting_after=${ids[99]}`)).toEqual(ids.slice(100, 105));
  expect(await page(`ending_before=${ids[99]}`)).toEqual(ids.slice(94, 99));
});
