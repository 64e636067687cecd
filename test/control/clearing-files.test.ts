/** Clearing files through the control plane in one process: states, joins, spools that are lost, shards that do not answer. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CtfData, CtfFileWriter } from '#src/clearing/ctf/writer.js';
import { SpoolFolder } from '#src/control/clearing/spool-folder.js';
import { ShardError } from '#src/control/ports.js';
import type { Command } from '#src/domain/commands.js';
import { CLEARING_BATCH_RECORDS, CLEARING_BUSY_RECORDS } from '#src/limits.js';
import { panOfNumber } from '#src/vault/pan.js';
import { chargeback, feeCollection, position } from '../clearing/files.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { type AnswerBody, type Harness, type HarnessOptions, makeHarness, START_MS } from './harness.js';
import { WITHIN } from './upload.js';

const type = { 'content-type': 'application/octet-stream' };
const PATH = '/v1/clearing-files';
const DAY = Math.floor(START_MS / 86_400_000);
const PAN = panOfNumber('999999', 1);

let root = '';
let folders = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-clearing-'));
});
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = (): string => mkdtempSync(join(root, `${++folders}-`));

/** With an account and a card of the sandbox. */
async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const h = makeHarness(options);
  await h.call('POST', '/v1/accounts', { id: 'a', currency: 'BRL', credit_limit: 100_000 });
  await h.call('POST', '/v1/cards', { account: 'a', pan: PAN, expiry: '3512' });
  return h;
}

const own = (n: number, amount = 100) => presentment(n, undefined, amount, { pan: PAN });
const records = (count: number, from = 0) => Array.from({ length: count }, (_, n) => own(from + n));
const send = (h: Harness, file: Buffer, query = '') => h.call('POST', PATH + query, file, type);

async function ended(h: Harness, id: string): Promise<AnswerBody> {
  let body: AnswerBody | undefined;
  await vi.waitFor(
    async () => {
      ({ body } = await h.call('GET', `${PATH}/${id}`));
      expect(body.status).not.toBe('processing');
    },
    { timeout: 20_000, interval: 5 },
  );
  return body!;
}

const posted = async (h: Harness, file: Buffer): Promise<AnswerBody> => ended(h, (await send(h, file)).body.id);
const balance = async (h: Harness): Promise<number> => (await h.call('GET', '/v1/accounts/a')).body.balances.posted;

/** What the shards are asked while `h` posts. */
function clears(h: Harness, answer: (command: Command, shard: number) => unknown = () => undefined) {
  const ask = h.engine.command.bind(h.engine);
  return vi.spyOn(h.engine, 'command').mockImplementation(async (shard, command) => {
    if (command.op === 'clear') await answer(command, shard);
    return ask(shard, command);
  });
}

describe('states', () => {
  it('a file posts, with the fees of the network; chargebacks are counted, totals of the network kept', async () => {
    const h = await harness();
    const second = presentment(5, undefined, 70, { pan: PAN, kind: 'second_presentment_full' });
    const given = { ...feeCollection, processingCode: '290000', transactionType: 29, settlementAmount: 700 };
    const noted = { ...feeCollection, text: `BILLING ${PAN}` };
    const file = fileOf([own(1), own(2), second, chargeback, noted, given, position]);
    const { status, body: taken } = await send(h, file);
    expect([status, taken.status, taken.progress]).toMatchObject([202, 'processing', { percent: 0 }]);
    const body = await ended(h, taken.id);
    expect(body).toMatchObject({
      ...{ status: 'posted', records: 6, posted: 5, duplicates: 0, rejected: 0, force_posted: 2, network_fees: 2 },
      not_posted: { chargeback_full: 1 },
      totals: { positions: [{ record: 8, currency: 'USD', net_amount: position.totals!.netAmount }] },
    });
    const { currencies } = (await h.call('GET', '/v1/ledger/trial-balance')).body;
    const dollars = currencies.find(({ currency }) => currency === 'USD')!;
    const fees = dollars.accounts.find((row) => String(row.account ?? row.code).includes('5100'));
    expect(fees).toMatchObject({ debit: 2500, credit: 700 });
    expect(h.logged()).not.toContain(PAN);
    expect(JSON.stringify(h.log.records)).not.toContain(PAN);
  });

  it('a quarantined file counts neither by its content nor by its id', async () => {
    const h = await harness();
    const file = fileOf(records(3));
    const broken = Buffer.from(file);
    broken.fill(0x40, 1012, 1014);
    broken[200] = 0xff;
    for (let n = 0; n < 2; n++) {
      const refused = await posted(h, broken);
      expect(refused).toMatchObject({ status: 'quarantined', posted: 0, conflicts_with: null, duplicate_of: null });
      expect(Number(refused.errors)).toBeGreaterThan(0);
      expect(await balance(h)).toBe(0);
    }
    expect(await posted(h, file)).toMatchObject({ status: 'posted', posted: 3 });
    // Its id is taken now.
    expect(await posted(h, broken)).toMatchObject({ status: 'quarantined' });
    expect(await balance(h)).toBe(300);
  });

  it('a test file is refused as soon as there is a live program', async () => {
    const h = await harness();
    expect(await posted(h, fileOf(records(1), { mode: 'T' }))).toMatchObject({ status: 'posted' });
    const live = { id: 'live', name: 'Live', currency: 'BRL', bins: ['999998'], sandbox: false };
    expect((await h.call('POST', '/v1/programs', live)).status).toBe(201);
    const test = await posted(h, fileOf(records(1, 10), { mode: 'T', sequence: 2 }));
    expect(test).toMatchObject({ status: 'quarantined', findings: [{ code: 'mode_mismatch' }] });
    expect(await posted(h, fileOf(records(1, 20), { mode: 'P', sequence: 3 }))).toMatchObject({ status: 'posted' });
  });

  it('an empty file is quarantined; a bad query and another content type are refused', async () => {
    const h = await harness();
    expect(await posted(h, Buffer.alloc(0))).toMatchObject({
      status: 'quarantined',
      findings: [{ code: 'empty_file' }],
    });
    const file = fileOf(records(1));
    expect((await send(h, file, '?blocked=perhaps')).body.code).toBe('invalid_query');
    expect((await send(h, file, '?format=ctf&blocked=true')).body.code).toBe('invalid_query');
    expect((await h.call('POST', PATH, '{}', { 'content-type': 'application/json' })).status).toBe(415);
    expect((await h.call('GET', `${PATH}/file_none`)).status).toBe(404);
  });

  it('lists by status, newest first', async () => {
    const h = await harness();
    const first = await posted(h, fileOf(records(1)));
    const second = await posted(h, Buffer.from('nothing'));
    const third = (await send(h, fileOf(records(1)))).body;
    const ids = async (query: string) => (await h.call('GET', PATH + query)).body.data.map(({ id }) => id);
    expect(await ids('')).toEqual([third.id, second.id, first.id]);
    expect(await ids('?status=posted')).toEqual([first.id]);
    expect(await ids('?status=quarantined')).toEqual([second.id]);
    expect(await ids('?status=duplicate')).toEqual([third.id]);
    expect(await ids(`?limit=1&starting_after=${third.id}`)).toEqual([second.id]);
  });
});

describe('a CTF file', () => {
  const ctf = (records: readonly CtfData[], number: number): Buffer => {
    const lines: Uint8Array[] = [];
    const options = { bin: '999999', day: DAY, number, mode: 'P' } as const;
    const writer = new CtfFileWriter(options, (bytes) => lines.push(bytes));
    for (const record of records) writer.write(record);
    writer.finish();
    return Buffer.concat(lines);
  };
  const draft = (n: number, amount: number, more: Partial<CtfData> = {}): CtfData => ({
    ...{ kind: 'first_presentment', pan: PAN, transactionType: 0, merchantCountry: 'BR' },
    ...{ amount, currency: 986, settlementAmount: amount, settlementCurrency: 986 },
    ...{ arn: `2999999${String(n).padStart(16, '0')}`, localDay: DAY, businessDay: DAY, ...more },
  });

  it('posts; its reversals take back what they name, and what is presented again is disputed', async () => {
    const h = await harness();
    const sales = [draft(1, 500), draft(2, 300, { transactionType: 1 }), draft(3, 40, { transactionType: 20 })];
    const first = await posted(h, ctf(sales, 1));
    expect(first).toMatchObject({
      status: 'posted',
      format: 'ctf',
      posted: 3,
      force_posted: 2,
      matched_by: { none: 3 },
    });
    expect(await balance(h)).toBe(760);
    const taken = sales.map((sale): CtfData => ({ ...sale, reversal: true }));
    const second = await posted(h, ctf(taken, 2));
    expect(second).toMatchObject({ status: 'posted', posted: 3, duplicates: 0, matched_by: { arn: 3, none: 0 } });
    expect(await balance(h)).toBe(0);
    expect(await posted(h, ctf(taken.slice(1), 3))).toMatchObject({ posted: 0, duplicates: 2 });
    const again = draft(1, 500, { kind: 'second_presentment_full' });
    expect(await posted(h, ctf([again], 4))).toMatchObject({ posted: 1, force_posted: 0, matched_by: { arn: 1 } });
    expect(await balance(h)).toBe(0);
    expect(await posted(h, ctf([draft(9, 1)], 4))).toMatchObject({
      ...{ status: 'quarantined', findings: [{ code: 'file_id_posted' }] },
    });
  });
});

describe('the same content again', () => {
  it('joins the file that is under way, whatever it is called meanwhile', async () => {
    const h = await harness();
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    clears(h, () => gate);
    const file = fileOf(records(4));
    const { body } = await send(h, file);
    await vi.waitFor(async () => {
      const { progress } = (await h.call('GET', `${PATH}/${body.id}`)).body;
      expect(progress).toMatchObject({ phase: 'posting', done: 0, total: 4 });
    }, WITHIN);
    expect((await send(h, file)).body.id).toBe(body.id);
    // Another one waits for its turn.
    const other = (await send(h, fileOf(records(2, 10), { sequence: 2 }))).body;
    expect(other.progress).toMatchObject({ phase: 'queued' });
    go();
    expect(await ended(h, body.id)).toMatchObject({ status: 'posted', posted: 4 });
    expect(await ended(h, other.id)).toMatchObject({ status: 'posted', posted: 2 });
    expect(await balance(h)).toBe(600);
    expect((await h.call('GET', PATH)).body.data).toHaveLength(2);
  });
});

describe('an Idempotency-Key', () => {
  it('gets the first answer again, and belongs to one content', async () => {
    const h = await harness();
    const file = fileOf(records(2));
    const headers = { ...type, 'idempotency-key': 'day-1' };
    const first = await h.call('POST', PATH, file, headers);
    expect([first.status, first.body.status]).toEqual([202, 'processing']);
    await ended(h, first.body.id);
    const again = await h.call('POST', PATH, file, headers);
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([202, 'true', first.body]);
    const other = await h.call('POST', PATH, fileOf(records(1, 9), { sequence: 2 }), headers);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
    expect((await h.call('GET', PATH)).body.data).toHaveLength(1);
  });
});

describe('the next start', () => {
  /** A process that ends while it posts: the records of the first batches are in the books, the file is unfinished. */
  async function cutOff(spoolFolder: string): Promise<{ h: Harness; id: string; file: Buffer }> {
    const h = await harness({ shards: 1, spoolFolder });
    const file = fileOf([feeCollection, ...records(3 * CLEARING_BATCH_RECORDS)]);
    let commands = 0;
    clears(h, (_, shard) => {
      if (++commands > 1) throw new ShardError('stopped', shard);
    });
    const { id } = (await send(h, file)).body;
    await vi.waitFor(() => expect(commands).toBeGreaterThan(1), WITHIN);
    await h.context.clearing.stop();
    return { h, id, file };
  }

  function next({ h }: { h: Harness }, spoolFolder: string): Harness {
    vi.restoreAllMocks();
    return makeHarness({ log: h.log, vault: h.vault, engine: h.engine.restarted(), spoolFolder });
  }

  it('goes on by itself, and the outcome is that of a run without an end', async () => {
    const folder = newFolder();
    const before = await cutOff(folder);
    expect(await balance(before.h)).toBe(100 * CLEARING_BATCH_RECORDS);
    const h = next(before, folder);
    expect((await h.call('GET', `${PATH}/${before.id}`)).body.status).toBe('processing');
    h.context.clearing.start();
    const total = 3 * CLEARING_BATCH_RECORDS;
    const body = await ended(h, before.id);
    const outcome = { posted: total + 1, duplicates: 0, rejected: 0, force_posted: total, network_fees: 1 };
    expect(body).toMatchObject({ status: 'posted', ...outcome });
    expect(h.context.clearing.counted).toMatchObject({ already: CLEARING_BATCH_RECORDS + 1 });
    expect(await balance(h)).toBe(100 * total);
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]), WITHIN);
    expect((await send(h, before.file)).body).toMatchObject({ status: 'duplicate', duplicate_of: before.id });
  });

  it('leaves in suspense what it had posted there, though its number is a card by now', async () => {
    const folder = newFolder();
    const before = await harness({ shards: 4, spoolFolder: folder });
    const late = panOfNumber('999999', 4711);
    const unknown = (n: number, more: Parameters<typeof presentment>[3] = {}) =>
      presentment(n, undefined, 100, { pan: late, ...more });
    // The number's records fill batches: the first is answered, then the process ends.
    const file = fileOf(Array.from({ length: 2 * CLEARING_BATCH_RECORDS }, (_, n) => unknown(n)));
    let commands = 0;
    clears(before, (_, shard) => {
      if (++commands > 1) throw new ShardError('stopped', shard);
    });
    const { id } = (await send(before, file)).body;
    await vi.waitFor(() => expect(commands).toBeGreaterThan(1), WITHIN);
    await before.context.clearing.stop();
    const h = next({ h: before }, folder);
    await h.call('POST', '/v1/cards', { account: 'a', pan: late, expiry: '3512' });
    h.context.clearing.start();
    const first = await ended(h, id);
    // What was posted to suspense stays there; what is new finds its card.
    const half = CLEARING_BATCH_RECORDS;
    expect(first).toMatchObject({ status: 'posted', posted: 2 * half, suspense: half, force_posted: half });
    expect(await balance(h)).toBe(100 * half);
    // The same records under another id, and what takes one of each half back.
    const again = [0, 2 * half - 1].map((n) => unknown(n));
    const originalDay = again[0]!.localDay!;
    const taken = again.map((record) => ({ ...record, reversal: true, originalDay }));
    expect(await posted(h, fileOf([...again, ...taken], { sequence: 2 }))).toMatchObject({
      ...{ status: 'posted', posted: 2, duplicates: 2, suspense: 1, matched_by: { arn: 2 } },
    });
    expect(await balance(h)).toBe(100 * (half - 1));
    // A card that every file knew is asked of nobody else.
    const asked: boolean[] = [];
    clears(h, (command) => {
      if (command.op === 'clear') asked.push(command.asUnknown === true);
    });
    await posted(h, fileOf(records(1, 9000), { sequence: 3 }));
    expect(asked).toEqual([false]);
  });

  it('without its spool a file waits until it is sent again', async () => {
    const folder = newFolder();
    const before = await cutOff(folder);
    rmSync(join(folder, before.id));
    const h = next(before, folder);
    h.context.clearing.start();
    await vi.waitFor(async () => {
      const { body } = await h.call('GET', `${PATH}/${before.id}`);
      expect(body.progress).toMatchObject({ phase: 'stalled', reason: 'spool_unreadable' });
    }, WITHIN);
    const stats = () => h.context.clearing.stats();
    const stood = stats().waitingSeconds;
    expect([stats().stalled, stats().files.posting]).toEqual([1, 1]);
    h.engine.nowMs += 3_600_000;
    expect(stats().waitingSeconds - stood).toBe(3600);
    // It does not hold up others.
    expect(await posted(h, fileOf(records(1, 5000), { sequence: 2 }))).toMatchObject({ status: 'posted', posted: 1 });
    expect((await send(h, before.file)).body.id).toBe(before.id);
    expect(await ended(h, before.id)).toMatchObject({
      ...{ status: 'posted', posted: 3 * CLEARING_BATCH_RECORDS + 1 },
    });
    expect(stats()).toMatchObject({ stalled: 0, waitingSeconds: 0, files: { posting: 0 } });
    expect(await balance(h)).toBe(100 * (3 * CLEARING_BATCH_RECORDS + 1));
  });
});

describe('the shards', () => {
  it('get the records in order, one command at a time each, again until they answer', async () => {
    const h = await harness({ shards: 4 });
    const seen: { shard: number; records: number[] }[] = [];
    const busy = new Set<number>();
    let most = 0;
    let lost = 0;
    const ask = h.engine.command.bind(h.engine);
    vi.spyOn(h.engine, 'command').mockImplementation(async (shard, command) => {
      if (command.op !== 'clear') return ask(shard, command);
      expect(busy.has(shard)).toBe(false);
      busy.add(shard);
      most = Math.max(most, busy.size);
      try {
        const result = await ask(shard, command);
        // The answer is lost once: it is asked again, and nothing is posted twice.
        if (lost++ === 0) throw new ShardError('timeout', shard);
        if (lost === 3) return { ok: false, code: 'shard_unavailable' };
        seen.push({ shard, records: command.records.map(({ input }) => input.record) });
        return result;
      } finally {
        busy.delete(shard);
      }
    });
    const pans = Array.from({ length: 40 }, (_, n) => panOfNumber('999999', 100 + n));
    const all = Array.from({ length: 700 }, (_, n) => presentment(n, undefined, 10, { pan: pans[n % 40]! }));
    const body = await posted(h, fileOf(all));
    expect(body).toMatchObject({ status: 'posted', posted: 700, duplicates: 0, suspense: 700, force_posted: 0 });
    expect(most).toBeLessThanOrEqual(2);
    for (let shard = 0; shard < 4; shard++) {
      const order = seen.filter((one) => one.shard === shard).flatMap((one) => one.records);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
    expect(seen.flatMap((one) => one.records)).toHaveLength(700);
  });

  it('that refuse a record for good do not hold up its file: it is put aside and told', async () => {
    const h = await harness({ shards: 1 });
    const ask = h.engine.command.bind(h.engine);
    const sizes: number[] = [];
    vi.spyOn(h.engine, 'command').mockImplementation(async (shard, command) => {
      if (command.op === 'network_fee') return { ok: false, code: 'amount_out_of_range' };
      if (command.op !== 'clear') return ask(shard, command);
      sizes.push(command.records.length);
      if (command.records.some(({ input }) => input.record === 4)) return { ok: false, code: 'set_aside' };
      return ask(shard, command);
    });
    const body = await posted(h, fileOf([...records(4), feeCollection]));
    expect(body).toMatchObject({ status: 'posted', records: 5, posted: 3, rejected: 2, network_fees: 0 });
    expect(sizes).toEqual([4, 1, 1, 1, 1]);
    expect(h.context.clearing.counted).toMatchObject({ posted: 3, refused: 2 });
    expect(await balance(h)).toBe(300);
    const { outcome } = h.context.system.clearingFiles.file(String(body.id))!;
    expect(outcome?.unposted).toMatchObject([
      { record: 6, why: 'refused', reason: 'amount_out_of_range', amount: 2500, settled: 0 },
      { record: 4, why: 'refused', reason: 'set_aside', amount: 100, settled: 100 },
    ]);
  });

  it.each([
    ['large commands while there is nothing else', 0, CLEARING_BATCH_RECORDS],
    ['small ones while authorizations come', 1, CLEARING_BUSY_RECORDS],
  ])('get %s', async (_, step, size) => {
    let handed = 0;
    const handedNow = (): number => {
      handed += step;
      return handed;
    };
    const traffic = { threads: 1, threadOf: () => 0, handed: handedNow };
    const h = await harness({ shards: 1, clearing: { traffic } });
    const sizes: number[] = [];
    clears(h, (command) => {
      if (command.op === 'clear') sizes.push(command.records.length);
    });
    await posted(h, fileOf(records(CLEARING_BATCH_RECORDS)));
    expect(Math.max(...sizes)).toBe(size);
  });

  it('are sent again without what a shard has answered when it answers a part', async () => {
    const h = await harness({ shards: 1 });
    const seen: number[][] = [];
    const ask = h.engine.command.bind(h.engine);
    vi.spyOn(h.engine, 'command').mockImplementation((shard, command) => {
      if (command.op !== 'clear') return ask(shard, command);
      seen.push(command.records.map(({ input }) => input.record));
      return ask(shard, { ...command, records: command.records.slice(0, 30) });
    });
    const { posted: count, matched_by: matchedBy } = await posted(h, fileOf(records(CLEARING_BATCH_RECORDS)));
    expect([count, matchedBy]).toMatchObject([CLEARING_BATCH_RECORDS, { none: CLEARING_BATCH_RECORDS }]);
    expect(seen.map((one) => one.length)).toEqual([128, 98, 68, 38, 8]);
    expect(seen.map((one) => one[0])).toEqual([2, 32, 62, 92, 122]);
  });
});

describe('an upload', () => {
  const left = (h: Harness) => h.log.records.filter((record) => record.type === 'clearing_file');

  it('is refused while the disk is nearly full, from the beginning and half-way', async () => {
    const folder = newFolder();
    let full = true;
    const h = await harness({ spoolFolder: folder, clearing: { refuses: () => full, bytesMax: 2 ** 26 } });
    const answer = await send(h, fileOf(records(1)));
    expect([answer.status, answer.body.code]).toEqual([503, 'disk_full']);
    full = false;
    async function* growing() {
      yield Buffer.alloc(2 ** 20);
      full = true;
      yield Buffer.alloc(2 ** 20);
    }
    const wanted = { format: 'auto', encoding: 'auto', blocked: 'auto' } as const;
    await expect(h.context.clearing.receive(Readable.from(growing()), wanted)).rejects.toMatchObject({
      code: 'disk_full',
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(left(h)).toEqual([]);
  });

  it('that does not fit on the disk, or ends early, leaves nothing', async () => {
    const folder = newFolder();
    class Full extends SpoolFolder {
      override async take(): Promise<never> {
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      }
    }
    const spool = new Full(folder, { all: [] });
    const full = await harness({ clearing: { spool } });
    expect((await send(full, fileOf(records(1)))).body.code).toBe('disk_full');
    const h = await harness({ spoolFolder: folder });
    async function* cut() {
      yield fileOf(records(1)).subarray(0, 500);
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    }
    const wanted = { format: 'auto', encoding: 'auto', blocked: 'auto' } as const;
    await expect(h.context.clearing.receive(Readable.from(cut()), wanted)).rejects.toMatchObject({
      code: 'bad_request',
    });
    const large = await send(h, Buffer.alloc(2 ** 20 + 1));
    expect([large.status, large.body.code]).toEqual([413, 'payload_too_large']);
    expect(readdirSync(folder)).toEqual([]);
    expect(left(h)).toEqual([]);
  });
});
