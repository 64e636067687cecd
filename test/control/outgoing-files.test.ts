/** Files for the network through the control plane in one process: each chargeback in one file, read back by our own rules. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openClearing } from '#src/clearing/reader.js';
import { type ClearingRecord, copyRecord } from '#src/clearing/record.js';
import { panOfNumber } from '#src/vault/pan.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { dropUpTo } from './engine.js';
import { type AnswerBody, type Harness, type HarnessOptions, makeHarness } from './harness.js';
import { posted } from './upload.js';

const PATH = '/v1/outgoing-files';
const PAN = panOfNumber('999999', 1);
const ASCII = { encoding: 'ascii', blocked: false } as const;

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-outgoing-'));
});
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = (): string => mkdtempSync(join(root, 'o-'));

/** With purchases of 100.00 and 30.00 of one card that a file has cleared. */
async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const h = makeHarness(options);
  await h.call('POST', '/v1/accounts', { id: 'a', currency: 'BRL', credit_limit: 100_000 });
  await h.call('POST', '/v1/cards', { account: 'a', pan: PAN, expiry: '3512' });
  const own = (n: number, amount: number) => presentment(n, undefined, amount, { pan: PAN });
  expect((await posted(h, fileOf([own(1, 10_000), own(2, 3000)]))).posted).toBe(2);
  return h;
}

async function entryOf(h: Harness, amount: number): Promise<string> {
  const { body } = await h.call('GET', '/v1/accounts/a/entries');
  return body.data.find((one: AnswerBody) => one.amount === amount)!.id;
}

const settlement = (amount: number) => ({
  ...{ network: 1, settlement_date: '2026-11-25', cycle: 2, currency: 'BRL', amount },
});

/** Opens a dispute of a purchase and charges back so much of it. */
async function chargeBack(h: Harness, purchase: number, amount: number, reference: string): Promise<string> {
  const entry = await entryOf(h, purchase);
  const dispute = { entry, amount, currency: 'BRL', reference, reason: 'not received' };
  const { body: opened } = await h.call('POST', '/v1/disputes', dispute);
  const step = { step: 'chargeback', settlement: settlement(amount), reason_code: '4853' };
  expect((await h.call('POST', `/v1/disputes/${opened.id}/steps`, step)).status).toBe(201);
  return opened.id;
}

async function content(h: Harness, id: string): Promise<Buffer> {
  const answer = await h.app.inject({
    ...{ method: 'GET', url: `${PATH}/${id}/content` },
    headers: { authorization: `Bearer ${h.token('admin')}` },
  });
  expect(answer.statusCode).toBe(200);
  return answer.rawPayload;
}

/** The records of a file that breaks no rule. */
function read(bytes: Buffer, encoding: 'ascii' | 'cp500', blocked: boolean): ClearingRecord[] {
  const reader = openClearing({ format: 'ipm', encoding, blocked, mode: 'any' });
  const records: ClearingRecord[] = [];
  reader.push(bytes);
  while (reader.next()) records.push(copyRecord(reader.record));
  const report = reader.finish();
  expect(report.findings).toEqual([]);
  expect(report.accepted).toBe(true);
  return records;
}

describe('a file for the network', () => {
  it('has each chargeback once, in full and of a part, and breaks no rule of ours', async () => {
    const folder = newFolder();
    const h = await harness({ outgoingFolder: folder });
    expect((await h.call('POST', PATH, {})).body.code).toBe('nothing_to_send');
    await chargeBack(h, 10_000, 10_000, 'd1');
    const partly = await chargeBack(h, 3000, 1000, 'd2');
    const made = await h.call('POST', PATH, ASCII);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      ...{ object: 'outgoing_file', number: 1, file_id: '0022611230000000000000001', mode: 'T' },
      ...{ chargebacks: 2, reversals: 0, left_out: [], downloads: 0, downloaded_at: null },
    });
    const bytes = await content(h, made.body.id);
    const [header, first, second, trailer, ...rest] = read(bytes, 'ascii', false);
    expect(rest).toEqual([]);
    expect([header?.kind, trailer?.kind, trailer?.fileId]).toEqual(['header', 'trailer', made.body.file_id]);
    const said = { pan: PAN, reasonCode: '4853', currency: 986, reversal: false, merchant: 'MERCHANT0000001' };
    expect(first).toMatchObject({
      ...{ ...said, kind: 'chargeback_full', messageType: 1442, functionCode: 450 },
      ...{ amount: 10_000, settlementAmount: 10_000, originalAmount: 10_000 },
      arn: presentment(1, undefined, 1).arn,
    });
    expect(second).toMatchObject({
      ...{ ...said, kind: 'chargeback_partial', functionCode: 453, arn: presentment(2, undefined, 1).arn },
      ...{ amount: 1000, settlementAmount: 1000, originalAmount: 3000 },
    });
    expect((await h.call('POST', PATH, {})).body.code).toBe('nothing_to_send');

    // What takes a chargeback back is in the next file, with the day of the chargeback.
    const back = { step: 'chargeback_reversal', settlement: settlement(1000) };
    expect((await h.call('POST', `/v1/disputes/${partly}/steps`, back)).body.status).toBe('chargeback_reversed');
    const next = await h.call('POST', PATH, {});
    expect(next.body).toMatchObject({ number: 2, chargebacks: 0, reversals: 1, file_id: '0022611230000000000000002' });
    const [, taken] = read(await content(h, next.body.id), 'cp500', true);
    expect(taken).toMatchObject({
      ...{ kind: 'chargeback_partial', amount: 1000, reasonCode: '4853', reversal: true, originalDay: 20_780 },
    });

    // The same bytes every time; who gets them is recorded, and no number lies anywhere in clear.
    expect(await content(h, made.body.id)).toEqual(bytes);
    expect((await h.call('GET', `${PATH}/${made.body.id}`)).body).toMatchObject({ downloads: 2 });
    const list = await h.call('GET', PATH);
    expect(list.body.data.map((one: AnswerBody) => one.number)).toEqual([2, 1]);
    for (const name of readdirSync(folder)) expect(readFileSync(join(folder, name)).includes(PAN)).toBe(false);
    expect(JSON.stringify(h.log.records)).not.toContain(PAN);
    expect(h.logged()).not.toContain(PAN);
  });

  it('is handed out to administrators only', async () => {
    const h = await harness();
    await chargeBack(h, 10_000, 10_000, 'd1');
    const { body } = await h.call('POST', PATH, ASCII);
    const answer = await h.app.inject({
      ...{ method: 'GET', url: `${PATH}/${body.id}/content` },
      headers: { authorization: `Bearer ${h.token('read', 'write')}` },
    });
    expect(answer.statusCode).toBe(403);
    expect((await h.call('GET', `${PATH}/out_x/content`)).status).toBe(404);
  });

  it('that was not recorded never was: the next start makes it again under the same number', async () => {
    const folder = newFolder();
    const h = await harness({ outgoingFolder: folder });
    await chargeBack(h, 10_000, 10_000, 'd1');
    const write = vi.spyOn(h.context.system, 'write').mockImplementation(() => {
      throw new Error('killed');
    });
    expect((await h.call('POST', PATH, ASCII)).status).toBe(500);
    write.mockRestore();
    expect(readdirSync(folder)).toHaveLength(1);
    const next = makeHarness({ log: h.log, vault: h.vault, engine: h.engine.restarted(), outgoingFolder: folder });
    next.context.outgoing.start(next.context);
    expect(readdirSync(folder)).toEqual([]);
    const made = await next.call('POST', PATH, ASCII);
    expect(made.body).toMatchObject({ number: 1, chargebacks: 1 });
    expect((await next.call('POST', PATH, ASCII)).body.code).toBe('nothing_to_send');

    // Killed behind it: it is there, and has its content, even without the folder.
    const bytes = await content(next, made.body.id);
    const last = makeHarness({
      log: h.log,
      vault: h.vault,
      engine: next.engine.restarted(),
      outgoingFolder: newFolder(),
    });
    last.context.outgoing.start(last.context);
    expect((await last.call('POST', PATH, ASCII)).body.code).toBe('nothing_to_send');
    expect(await content(last, made.body.id)).toEqual(bytes);
    last.vault.pans.clear();
    expect((await last.call('GET', `${PATH}/${made.body.id}/content`)).body.code).toBe('content_lost');
  });

  it('is made once for a key', async () => {
    const h = await harness();
    await chargeBack(h, 10_000, 10_000, 'd1');
    const key = { 'Idempotency-Key': 'monday' };
    const first = await h.call('POST', PATH, ASCII, key);
    await chargeBack(h, 3000, 3000, 'd2');
    const again = await h.call('POST', PATH, ASCII, key);
    expect([again.headers['idempotent-replayed'], again.body]).toEqual(['true', first.body]);
    expect((await h.call('POST', PATH, ASCII)).body).toMatchObject({ number: 2, chargebacks: 1 });
  });

  it('leaves out a chargeback of what was dropped', async () => {
    const h = await harness();
    const presented = [0, 1, 2, 3].map((shard) => h.engine.durable(shard));
    await chargeBack(h, 3000, 3000, 'd1');
    dropUpTo(h.engine, presented);
    const { body } = await h.call('POST', PATH, ASCII);
    expect([body.code, body.left_out]).toEqual([
      'nothing_to_send',
      [{ entry: expect.stringMatching(/^entry_/), reason: 'dropped' }],
    ]);
  });

  it('leaves out what a network cannot be told, and says so', async () => {
    const h = await harness();
    const fee = await h.call('POST', '/v1/accounts/a/fees', { amount: 500, currency: 'BRL', reference: 'f' });
    expect(fee.status).toBe(201);
    await chargeBack(h, 500, 500, 'd1');
    const none = await h.call('POST', PATH, ASCII);
    expect([none.body.code, none.body.detail]).toEqual([
      'nothing_to_send',
      expect.stringContaining('Another 1 can be in no file'),
    ]);
    expect(none.body.left_out).toEqual([{ entry: expect.stringMatching(/^entry_/), reason: 'no_reference' }]);
    const [{ entry }] = none.body.left_out as [{ entry: string }];
    expect((await h.call('GET', `/v1/entries/${entry}`)).body).toMatchObject({ type: 'chargeback' });
    await chargeBack(h, 3000, 3000, 'd2');
    const made = await h.call('POST', PATH, ASCII);
    expect(made.body).toMatchObject({ chargebacks: 1, left_out: [{ reason: 'no_reference' }] });
  });
});
