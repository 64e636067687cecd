/** Reconciliation through the control plane in one process: runs, their reports, what people say of breaks, and restarts. */
import { describe, expect, it, vi } from 'vitest';
import type { IpmData } from '#src/clearing/ipm/writer.js';
import { ReconRuns } from '#src/control/recon/runs.js';
import { CLEARING_POSITIONS_MAX } from '#src/limits.js';
import { ReconTooLarge } from '#src/recon/break-list.js';
import { panOfNumber } from '#src/vault/pan.js';
import { feeCollection } from '../clearing/files.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { type AnswerBody, type Harness, makeHarness, restart, START_MS } from './harness.js';
import { posted, WITHIN } from './upload.js';

const PAN = panOfNumber('999999', 1);
const DAY = Math.floor(START_MS / 86_400_000);
const DATE = new Date(START_MS).toISOString().slice(0, 10);
const LATER = new Date(START_MS + 20 * 86_400_000).toISOString().slice(0, 10);
const settlement = {
  ...{ transferAgent: '99999', account: 'ACCOUNT9', level: '1', serviceId: 'BR00000009', fxClass: 'N' },
  ...{ reconciliationDay: DAY, reconciliationCycle: 1, settlementDay: DAY + 1, settlementCycle: 1 },
};

async function harness(): Promise<Harness> {
  const h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'a', currency: 'BRL', credit_limit: 100_000 });
  await h.call('POST', '/v1/cards', { account: 'a', pan: PAN, expiry: '3512' });
  return h;
}

const cardOf = async (h: Harness): Promise<string> => (await h.call('GET', '/v1/cards?account=a')).body.data[0].id;

/** A file with one authorized purchase, a forced one, one of an unknown card, a duplicate, and a fee that no card is posted by. */
async function dayPosted(h: Harness): Promise<void> {
  const place = { localDay: DAY, settlement, businessDay: DAY };
  const { body } = await h.call('POST', '/v1/simulate/authorization', {
    card: await cardOf(h),
    amount: 500,
    mcc: '5411',
  });
  const { approval_code: approvalCode } = body.authorization;
  const own = (n: number, amount: number, more = {}) =>
    presentment(n, undefined, amount, { pan: PAN, ...place, ...more });
  const authorized = own(1, 500, { approvalCode });
  const records = [
    authorized,
    own(2, 70),
    presentment(3, undefined, 90, place),
    authorized,
    { ...feeCollection, settlement },
  ];
  const type = { 'content-type': 'application/octet-stream' };
  const { id } = (await h.call('POST', '/v1/clearing-files', fileOf(records), type)).body;
  await vi.waitFor(async () => {
    const file = (await h.call('GET', `/v1/clearing-files/${id}`)).body;
    expect(file).toMatchObject({ status: 'posted', posted: 4, duplicates: 1, not_posted: {} });
  }, WITHIN);
}

/** A report, as far as it is read here. */
interface Report {
  breaks: {
    id: string;
    type: string;
    reason: string;
    record: number;
    amount: number;
    currency: string;
    since: string;
    settlement: { network: number; settlement_date: string; cycle: number } | null;
  }[];
  records: number;
  inputs: { files: unknown[]; unfinished_files: string[] };
  books: { balance: boolean; currencies: unknown[] };
}
const DAY_MS = 86_400_000;
const dateAfter = (days: number): string => new Date(START_MS + days * DAY_MS).toISOString().slice(0, 10);
const reasons = ({ breaks }: Report): string[] =>
  breaks.map(({ type, reason, amount, currency }) => `${type} ${reason} ${amount} ${currency}`);
const reportOf = (run: AnswerBody): Report => run.report as unknown as Report;

async function done(h: Harness, id: string): Promise<AnswerBody> {
  let body: AnswerBody | undefined;
  await vi.waitFor(
    async () => {
      ({ body } = await h.call('GET', `/v1/recon/runs/${id}`));
      expect(body.status).not.toBe('running');
    },
    { timeout: 10_000, interval: 5 },
  );
  return body!;
}

async function run(h: Harness, request: object): Promise<AnswerBody> {
  const { status, body } = await h.call('POST', '/v1/recon/runs', request);
  expect(status).toBe(202);
  return done(h, body.id);
}

const found = ({ breaks }: Report): unknown[] =>
  breaks.map(({ type, record, amount, currency }) => [type, record, amount, currency]);
const planted = [
  ['cleared_without_authorization', 3, 70, 'BRL'],
  ['card_mismatch', 4, 90, 'BRL'],
  ['duplicate_presentment', 5, 500, 'BRL'],
];

describe('a run', () => {
  it('finds the breaks of a posted file, and nothing else', async () => {
    const h = await harness();
    await dayPosted(h);
    const body = await run(h, { date: DATE });
    expect(body).toMatchObject({ status: 'done', date: DATE, progress: { percent: 100 } });
    expect(found(reportOf(body))).toEqual(planted);
    expect(reportOf(body).inputs.files).toMatchObject([{ state: 'posted' }]);
    expect(reportOf(body).books).toMatchObject({
      balance: false,
      // The fee collection is settled in dollars.
      currencies: [
        { currency: 'USD', difference: 0 },
        { currency: 'BRL', difference: 0 },
      ],
    });
    expect(JSON.stringify(body)).not.toContain(PAN);
    expect(h.logged()).not.toContain(PAN);
  });

  it('tells of a payment that is presented with another card, and of what a shard refuses for good', async () => {
    const h = await harness();
    const pan = panOfNumber('999999', 2);
    await h.call('POST', '/v1/cards', { account: 'a', pan, expiry: '3512' });
    const networkId = 'MCC999000111';
    const body = { card: await cardOf(h), amount: 500, mcc: '5411', network_id: networkId };
    expect((await h.call('POST', '/v1/simulate/authorization', body)).status).toBe(201);
    const place = { localDay: DAY, settlement, businessDay: DAY };
    const ask = h.engine.command.bind(h.engine);
    vi.spyOn(h.engine, 'command').mockImplementation(async (shard, command) => {
      if (command.op === 'network_fee') return { ok: false, code: 'amount_out_of_range' };
      if (command.op === 'clear' && command.records.some(({ input }) => input.record === 3))
        return { ok: false, code: 'set_aside' };
      return ask(shard, command);
    });
    const cards = (await h.call('GET', '/v1/cards?account=a')).body.data;
    const other = cards[0].last4 === pan.slice(-4) ? PAN : pan;
    const file = fileOf([
      presentment(1, undefined, 500, { pan: other, networkId, ...place }),
      presentment(2, undefined, 70, { pan, ...place }),
      { ...feeCollection, settlement },
    ]);
    const type = { 'content-type': 'application/octet-stream' };
    const { id } = (await h.call('POST', '/v1/clearing-files', file, type)).body;
    await vi.waitFor(async () => {
      expect((await h.call('GET', `/v1/clearing-files/${id}`)).body).toMatchObject({ status: 'posted', rejected: 2 });
    }, WITHIN);
    expect((await h.call('GET', '/v1/accounts/a')).body.balances).toMatchObject({ posted: 500, held: 0 });
    const { breaks } = reportOf(await run(h, { date: DATE }));
    expect([...breaks].sort((a, b) => (a.record ?? 0) - (b.record ?? 0))).toMatchObject([
      { type: 'card_mismatch', reason: 'other_card', record: 2, amount: 500 },
      { type: 'record_not_posted', reason: 'refused', record: 3, amount: 70 },
      { type: 'record_not_posted', reason: 'refused', record: 4, amount: 2500, currency: 'USD' },
    ]);
  });

  it.each([
    ['a refund', 20, -300, []],
    ['cash', 1, 300, ['cleared_without_authorization force_post 300 BRL']],
  ] as const)(
    'finds the sums right where %s is presented again, posted or not: it goes the way of the first',
    async (_what, transactionType, balance, forced) => {
      const h = await harness();
      const type = { processingCode: `${String(transactionType).padStart(2, '0')}0000`, transactionType };
      const first = presentment(1, undefined, 300, { localDay: DAY, settlement, businessDay: DAY, pan: PAN, ...type });
      const again = { ...first, kind: 'second_presentment_full' } as const;
      await posted(h, fileOf([first, again, again]));
      expect((await h.call('GET', '/v1/accounts/a')).body.balances).toMatchObject({ posted: balance });
      const report = reportOf(await run(h, { date: DATE }));
      expect(reasons(report)).toEqual([
        ...forced,
        'duplicate_presentment same 300 BRL',
        'reversal_without_original dispute_unknown 300 BRL',
      ]);
    },
  );

  it('adds up every row of the network, beyond those that are shown, and says of what it does not', async () => {
    const h = await harness();
    const place = { localDay: DAY, settlement, businessDay: DAY, pan: PAN, fees: [] };
    const row = (n: number, netAmount: number, name = ''): IpmData => {
      const names = { fileId: name, messages: '1240200', processingCode: '00', reversalFlag: 'O' };
      const totals = { ...names, netAmount, netFee: 0, netTotal: netAmount, count: n };
      return { kind: 'financial_position', settlementCurrency: 986, settlement, totals };
    };
    const rows = Array.from({ length: CLEARING_POSITIONS_MAX + 5 }, (_, n) =>
      row(n, n < CLEARING_POSITIONS_MAX ? 1 : -600),
    );
    const owed = 5 * 600 - CLEARING_POSITIONS_MAX;
    const file = await posted(h, fileOf([presentment(1, undefined, owed, place), ...rows]));
    expect(file.totals).toMatchObject({ positions_left_out: 5 });
    expect(file).toHaveProperty('totals.positions.length', CLEARING_POSITIONS_MAX);
    const trailers = (report: Report): string[] => reasons(report).filter((one) => one.startsWith('trailer'));
    expect(trailers(reportOf(await run(h, { date: DATE })))).toEqual([]);
    // Each of another file.
    const many = rows.slice(2).map((_, n) => row(n, 0, `0012611260000099999${String(n).padStart(6, '0')}`));
    await posted(h, fileOf([presentment(2, undefined, 70, place), row(0, -70), ...many], { sequence: 2 }));
    const told = trailers(reportOf(await run(h, { date: DATE })));
    expect(told.map((one) => one.split(' ').slice(0, 2).join(' '))).toEqual(['trailer_mismatch totals_left_out']);
  });

  it('gives its breaks as CSV', async () => {
    const h = await harness();
    await dayPosted(h);
    const { id } = await run(h, { date: DATE });
    const { status, text, headers } = await h.call('GET', `/v1/recon/runs/${id}.csv`);
    expect([status, headers['content-type']]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(text.trimEnd().split('\r\n').length).toBe(1 + planted.length);
    expect((await h.call('GET', '/v1/recon/runs/recon_none.csv')).status).toBe(404);
    expect((await h.call('GET', '/v1/recon/runs/recon_none')).status).toBe(404);
  });

  it('on a day without anything proves that the books balance', async () => {
    const h = await harness();
    const report = reportOf(await run(h, { date: DATE }));
    expect(report.breaks).toEqual([]);
    expect(report.books.balance).toBe(true);
  });

  it('over nothing says nothing of the books', async () => {
    const report = reportOf(await run(makeHarness(), { date: DATE }));
    expect([report.breaks, report.records, report.books]).toEqual([[], 0, { balance: false, currencies: [] }]);
  });

  it('as of a day to come loses nothing from sight that can be seen today', async () => {
    const h = await harness();
    await dayPosted(h);
    const types = new Set(reportOf(await run(h, { date: '2036-01-01' })).breaks.map(({ type }) => type));
    expect(types).toEqual(new Set([...planted.map(([type]) => type), 'settlement_not_file']));
  });

  it('takes either a date or a run to repeat', async () => {
    const h = await harness();
    const dates = ['today', '2026-02-30', '1969-12-31', '0001-01-01', '1970-03-01', '2149-06-07'].map((date) => ({
      date,
    }));
    for (const body of [{}, ...dates, { date: DATE, repeat: 'recon_x' }])
      expect((await h.call('POST', '/v1/recon/runs', body)).status).toBe(422);
    expect((await h.call('POST', '/v1/recon/runs', { repeat: 'recon_x' })).status).toBe(404);
  });

  it('that fails says why, where people can do something about it, and the next one may begin', async () => {
    const h = await harness();
    const told: unknown[] = [];
    const runs = new ReconRuns((error) => told.push(error));
    const read = vi.spyOn(h.context.journal, 'run');
    const failing = async (error: Error): Promise<string> => {
      read.mockImplementation(() => {
        throw error;
      });
      const failed = await runs.start(h.context, DAY);
      await vi.waitFor(() => expect(failed.status).toBe('failed'), WITHIN);
      expect(told.pop()).toBe(error);
      return failed.failure;
    };
    expect(await failing(new ReconTooLarge(3, 7))).toMatch(/^shard 3 has more than 7 authorizations in the days/);
    expect(await failing(new Error('damaged'))).toBe("see the server's log");
    read.mockRestore();
    const good = await runs.start(h.context, DAY);
    await vi.waitFor(() => expect(good.status).toBe('done'), WITHIN);
    expect([good.failure, runs.breaks]).toEqual(['', []]);
    expect(runs.stats()).toMatchObject({ failed: 2, newestMs: good.finishedMs });
    expect(await run(h, { date: DATE })).toMatchObject({ status: 'done', failure: null });
  });

  it('beside a file that is being posted finds no difference of sums, and is repeated as it was', async () => {
    const h = await harness();
    await dayPosted(h);
    const { system, recon } = h.context;
    const [row] = system.clearingFiles.rows;
    const posted = system.clearingFiles.file(row!.id)!;
    system.write([{ ...posted, state: 'posting', outcome: null }]);
    const beside = await run(h, { date: DATE });
    expect(reportOf(beside).inputs).toMatchObject({ files: [], unfinished_files: [row!.fileId] });
    expect(reportOf(beside).books.balance).toBe(false);
    // The duplicate is told by the outcome of the file, which is not there yet.
    expect(reportOf(beside).breaks.map(({ type }) => type)).toEqual(['cleared_without_authorization', 'card_mismatch']);
    system.write([posted]);
    const after = await run(h, { date: DATE });
    expect([reportOf(after).breaks.length, reportOf(after).inputs.files.length]).toEqual([3, 1]);
    // Out of memory, and done again.
    for (let n = 0; n < 4; n++) await run(h, { date: LATER });
    expect(recon.run(beside.id)).toBeUndefined();
    expect(await run(h, { repeat: beside.id })).toMatchObject({ status: 'done', report_sha256: beside.report_sha256 });
  });

  it('tells of a file that came before its date and is not finished, read or not, until it is', async () => {
    const h = await harness();
    await dayPosted(h);
    const { system } = h.context;
    const [row] = system.clearingFiles.rows;
    const posted = system.clearingFiles.file(row!.id)!;
    const waits = async (state: 'posting' | 'received', days: number): Promise<AnswerBody> => {
      const unread = state === 'received' ? { fileId: '', checked: null } : {};
      system.write([{ ...posted, state, outcome: null, ...unread }]);
      return run(h, { date: dateAfter(days) });
    };
    const missing = (body: AnswerBody): string[] =>
      reasons(reportOf(body)).filter((one) => one.startsWith('missing_file'));
    expect(missing(await waits('posting', 0))).toEqual([]);
    const told = await waits('posting', 1);
    expect(missing(told)).toEqual(['missing_file unfinished 0 null']);
    expect(reportOf(told).inputs).toMatchObject({ waiting_files: [{ name: row!.fileId, since: DATE }] });
    const unread = await waits('received', 300);
    expect(missing(unread)).toEqual(['missing_file unfinished 0 null']);
    const name = `sha256-${row!.sha256.slice(0, 40)}`;
    expect(reportOf(unread).inputs).toMatchObject({ unfinished_files: [name], waiting_files: [{ name }] });
    system.write([posted]);
    expect(missing(await run(h, { date: dateAfter(1) }))).toEqual([]);
    for (let n = 0; n < 4; n++) await run(h, { date: LATER });
    expect(await run(h, { repeat: told.id })).toMatchObject({ status: 'done', report_sha256: told.report_sha256 });
  });

  it('of an earlier form is repeated in the form of today; of the same form it must be the same', async () => {
    const h = await harness();
    await dayPosted(h);
    const before = await run(h, { date: DATE });
    const told: unknown[] = [];
    const runs = new ReconRuns((error) => told.push(error));
    const record = h.context.system.recon.run(before.id)!;
    const again = runs.repeat(h.context, { ...record, reportVersion: 1, sha256: 'another' });
    await vi.waitFor(() => expect(again.status).toBe('done'), WITHIN);
    expect(again.sha256).toBe(before.report_sha256);
    const other = new ReconRuns((error) => told.push(error));
    const damaged = other.repeat(h.context, { ...record, sha256: 'another' });
    await vi.waitFor(() => expect(damaged.status).toBe('failed'), WITHIN);
    expect(String(told[0])).toContain('gave another report than on the same inputs before');
  });

  it('that is repeated does not take the place of the newest', async () => {
    const h = await harness();
    const old: AnswerBody[] = [];
    for (let n = 0; n < 5; n++) old.push(await run(h, { date: DATE }));
    await dayPosted(h);
    h.engine.nowMs += 1000;
    const newest = await run(h, { date: DATE });
    for (const { id } of old) {
      expect(await run(h, { repeat: id })).toMatchObject({ id, status: 'done', report: { breaks: [] } });
      expect((await h.call('GET', '/v1/recon/breaks')).body.data.length).toBe(3);
    }
    expect((await h.call('GET', `/v1/recon/runs/${newest.id}`)).body).toEqual(newest);
  });

  it('goes alone', async () => {
    const h = await harness();
    const ask = () => h.call('POST', '/v1/recon/runs', { date: DATE });
    // In one commit of the audit log, so the second is asked while the first runs.
    const [first, second] = await Promise.all([ask(), ask()]);
    expect([first.status, second.status, second.body.code]).toEqual([202, 409, 'recon_running']);
    await done(h, first.body.id);
  });
});

it('what the simulator clears is in no file, and held against none', async () => {
  const h = await harness();
  const card = await cardOf(h);
  const { authorization } = (await h.call('POST', '/v1/simulate/authorization', { card, amount: 400, mcc: '5411' }))
    .body;
  const cleared = await h.call('POST', '/v1/simulate/clearing', { authorization: authorization.id, amount: 400 });
  expect(cleared.status).toBe(201);
  const { breaks, books } = reportOf(await run(h, { date: DATE }));
  expect(breaks).toEqual([]);
  expect(books).toMatchObject({ balance: true, currencies: [{ debits: 400, credits: 400 }] });
});

describe('what names no settlement', () => {
  it('is due from the day after it, as one balance, until it is paid', async () => {
    const h = await harness();
    const buy = async (amount: number): Promise<void> => {
      const body = { card: await cardOf(h), amount, mcc: '5411', single_message: true };
      expect((await h.call('POST', '/v1/simulate/authorization', body)).status).toBe(201);
    };
    await buy(500);
    const today = reportOf(await run(h, { date: DATE }));
    expect([today.breaks, today.books.balance]).toEqual([[], true]);
    expect(today.books.currencies).toMatchObject([{ currency: 'BRL', debits: 500, credits: 500 }]);

    h.engine.nowMs += DAY_MS;
    await buy(30);
    const due = reportOf(await run(h, { date: dateAfter(1) }));
    expect(reasons(due)).toEqual(['settlement_not_file not_settled 500 BRL']);
    expect(due.breaks).toMatchObject([{ since: DATE, age: '0-1', settlement: { network: 0, settlement_date: null } }]);

    const pay = (amount: number, reference: string) =>
      h.call('POST', '/v1/settlements', { amount, currency: 'BRL', reference });
    expect((await pay(490, 's-1')).body).toMatchObject({ remaining: 40 });
    h.engine.nowMs += DAY_MS;
    // What is paid first is what came first.
    const rest = reportOf(await run(h, { date: dateAfter(2) }));
    expect(reasons(rest)).toEqual(['settlement_not_file not_settled 40 BRL']);
    expect(rest.breaks[0]!.since).toBe(DATE);
    expect((await pay(40, 's-2')).body).toMatchObject({ remaining: 0 });
    const settled = await run(h, { date: dateAfter(2) });
    expect(reportOf(settled)).toMatchObject({ breaks: [], books: { balance: true } });
    expect(await run(h, { repeat: settled.id })).toEqual(settled);
  });

  it('is due on no day on which it was not, whatever was paid since', async () => {
    const h = await harness();
    const buy = async (amount: number): Promise<void> => {
      const body = { card: await cardOf(h), amount, mcc: '5411', single_message: true };
      expect((await h.call('POST', '/v1/simulate/authorization', body)).status).toBe(201);
    };
    const pay = (amount: number, reference: string) =>
      h.call('POST', '/v1/settlements', { amount, currency: 'BRL', reference });
    const found = async (days: number): Promise<string[]> => reasons(reportOf(await run(h, { date: dateAfter(days) })));
    await buy(500);
    await pay(500, 'at-once');
    expect(await found(0)).toEqual([]);
    h.engine.nowMs += DAY_MS;
    await buy(30);
    h.engine.nowMs += DAY_MS;
    await pay(30, 'next-day');
    for (const days of [0, 1, 2]) expect(await found(days)).toEqual([]);
    await pay(7, 'too-much');
    for (const days of [1, 2]) expect(await found(days)).toEqual(['settlement_not_file not_settled 7 BRL']);
  });

  it('stays when nobody pays it, and gets old', async () => {
    const h = await harness();
    const body = { card: await cardOf(h), amount: 500, mcc: '5411', single_message: true };
    expect((await h.call('POST', '/v1/simulate/authorization', body)).status).toBe(201);
    for (const days of [1, 60, 61, 100, 101, 300]) {
      h.engine.nowMs = START_MS + days * DAY_MS;
      const { breaks } = reportOf(await run(h, { date: dateAfter(days) }));
      const age = days === 1 ? '0-1' : '30+';
      expect(breaks, String(days)).toMatchObject([{ reason: 'not_settled', amount: 500, age }]);
    }
  });

  it('is named by network and date together, or by neither', async () => {
    const h = await harness();
    const money = { amount: 1, currency: 'BRL', reference: 'x' };
    for (const path of ['/v1/settlements', '/v1/network-fees'])
      for (const half of [{ network: 1 }, { settlement_date: DATE }, { cycle: 3 }])
        expect((await h.call('POST', path, { ...money, ...half })).body).toMatchObject({
          code: 'validation_failed',
          errors: [{ pointer: '/settlement_date' }],
        });
  });
});

describe('what stands in the books', () => {
  it('does not leave the reports because it is old', async () => {
    const h = await harness();
    await dayPosted(h);
    const soon = reportOf(await run(h, { date: LATER }));
    const unpaid = soon.breaks.filter(({ type }) => type === 'settlement_not_file');
    expect(unpaid.length).toBe(2);

    h.engine.nowMs += 100 * DAY_MS;
    const old = await run(h, { date: dateAfter(100) });
    expect(reasons(reportOf(old)).sort()).toEqual([
      'card_mismatch suspense_before 90 BRL',
      ...reasons({ ...soon, breaks: unpaid }).sort(),
    ]);
    const ids = reportOf(old).breaks.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(unpaid.map(({ id }) => id)));
    expect(reportOf(old)).toMatchObject({ books: { balance: false } });
    expect(await run(h, { repeat: old.id })).toEqual(old);

    // What came since, and is in the report by itself, is not in that sum.
    const again = restart(h);
    again.engine.nowMs = h.engine.nowMs;
    const place = {
      localDay: DAY + 100,
      settlement: { ...settlement, settlementDay: DAY + 101 },
      businessDay: DAY + 100,
    };
    const stranger = panOfNumber('999999', 987_654_321);
    await posted(again, fileOf([presentment(1, undefined, 1234, { pan: stranger, ...place })], { sequence: 2 }));
    const both = reportOf(await run(again, { date: dateAfter(100) }));
    expect(reasons(both)).toEqual(
      expect.arrayContaining(['card_mismatch suspense_before 90 BRL', 'card_mismatch unknown_card 1234 BRL']),
    );

    for (const { amount, currency, settlement: named } of unpaid) {
      const { network, settlement_date, cycle } = named!;
      const paid = { network, settlement_date, cycle, amount, currency, reference: `late-${currency}` };
      expect((await again.call('POST', '/v1/settlements', paid)).body).toMatchObject({ remaining: 0 });
    }
    const { data } = (await again.call('GET', `/v1/suspense?since=${DATE}`)).body;
    const earlier = data.find(({ amount }: AnswerBody) => amount === 90)!;
    expect((await again.call('POST', `/v1/suspense/${earlier.id}/resolve`, { to: 'loss' })).status).toBe(200);
    expect(reasons(reportOf(await run(again, { date: dateAfter(100) })))).toEqual([
      'card_mismatch unknown_card 1234 BRL',
    ]);
  });
});

describe('after a restart', () => {
  it('the newest run is there again: the same report, from its inputs, whatever was posted meanwhile', async () => {
    const h = await harness();
    await dayPosted(h);
    const before = await run(h, { date: DATE });
    const next = restart(h);
    await next.call('POST', '/v1/simulate/force_post', { card: await cardOf(next), amount: 333, mcc: '5411' });
    expect((await next.call('GET', `/v1/recon/runs/${before.id}`)).body).toMatchObject({
      ...{ status: 'done', report: null, report_sha256: before.report_sha256 },
    });
    next.context.recon.begin(next.context);
    expect(await done(next, before.id)).toEqual(before);
    // A repeat of what is there asks for nothing; the report is read by GET.
    const repeated = await next.call('POST', '/v1/recon/runs', { repeat: before.id });
    expect(repeated.body).toEqual({ ...before, report: null });
    await next.context.recon.stop();
  });
});

describe('breaks', () => {
  it('are listed by type and status, and keep what is said of them in later runs', async () => {
    const h = await harness();
    await dayPosted(h);
    expect((await h.call('GET', '/v1/recon/breaks')).body.data).toEqual([]);
    await run(h, { date: DATE });
    const list = async (query: string): Promise<AnswerBody[]> =>
      (await h.call('GET', `/v1/recon/breaks${query}`)).body.data;
    expect((await list('')).length).toBe(3);
    const [forced] = await list('?type=cleared_without_authorization');
    expect(forced).toMatchObject({ status: 'open', owner: null, note: null, age: '0-1', updated_at: null });
    const path = `/v1/recon/breaks/${forced!.id}`;
    const assigned = await h.call('PATCH', path, { status: 'assigned', owner: 'ana' });
    expect(assigned.body).toMatchObject({ status: 'assigned', owner: 'ana', amount: 70 });
    expect(h.context.recon.stats().breaks.length).toBe(3);
    const resolved = await h.call('PATCH', path, { status: 'resolved', note: 'offline sale, slip seen' });
    expect(resolved.body).toMatchObject({ status: 'resolved', owner: 'ana', note: 'offline sale, slip seen' });
    expect((await list('?status=open')).length).toBe(2);
    expect(h.context.recon.stats().breaks.map(({ type, age, count }) => [type, age, count])).toEqual([
      ['card_mismatch', '0-1', 1],
      ['duplicate_presentment', '0-1', 1],
    ]);
    await run(h, { date: LATER });
    const [later] = await list('?status=resolved');
    expect(later).toMatchObject({ id: forced!.id, age: '11-30', note: 'offline sale, slip seen' });
    // Nobody has paid the settlements by then, of the presentments and of the fee.
    const unpaid = await list('?type=settlement_not_file');
    expect(unpaid.map(({ reason, currency }) => `${String(reason)} ${currency}`).sort()).toEqual([
      'not_settled BRL',
      'not_settled USD',
    ]);
  });

  it('that were resolved are open again when they have another amount', async () => {
    const h = await harness();
    const buy = async (amount: number): Promise<void> => {
      const body = { card: await cardOf(h), amount, mcc: '5411', single_message: true };
      expect((await h.call('POST', '/v1/simulate/authorization', body)).status).toBe(201);
    };
    const open = async (): Promise<AnswerBody[]> => (await h.call('GET', '/v1/recon/breaks?status=open')).body.data;
    await buy(70);
    h.engine.nowMs += DAY_MS;
    await run(h, { date: dateAfter(1) });
    const [one] = await open();
    await h.call('PATCH', `/v1/recon/breaks/${one!.id}`, { status: 'resolved', note: 'the bank is asked' });
    await run(h, { date: dateAfter(1) });
    expect([await open(), h.context.recon.stats().breaks]).toEqual([[], []]);
    await buy(9000);
    h.engine.nowMs += DAY_MS;
    await run(h, { date: dateAfter(2) });
    expect(await open()).toMatchObject([{ id: one!.id, amount: 9070, status: 'open', note: 'the bank is asked' }]);
    expect(h.context.recon.stats().breaks).toMatchObject([{ type: 'settlement_not_file', count: 1 }]);
  });

  it('of a file that is settled long before it comes are those of the day on which it came', async () => {
    const h = await harness();
    const early = { ...settlement, settlementDay: DAY - 70, reconciliationDay: DAY - 70 };
    const place = { localDay: DAY, settlement: early, businessDay: DAY };
    const stranger = panOfNumber('999999', 987_654_321);
    await posted(h, fileOf([presentment(1, undefined, 90, { pan: stranger, ...place })]));
    const report = reportOf(await run(h, { date: DATE }));
    expect(reasons(report)).toEqual(['card_mismatch unknown_card 90 BRL', expect.stringContaining('not_settled')]);
  });

  it('of an item in suspense are gone when it is taken back in suspense', async () => {
    const h = await harness();
    const stranger = panOfNumber('999999', 987_654_321);
    const place = { pan: stranger, localDay: DAY, settlement, businessDay: DAY };
    await posted(
      h,
      fileOf([presentment(1, undefined, 90, place), presentment(1, undefined, 90, { ...place, reversal: true })]),
    );
    expect(reasons(reportOf(await run(h, { date: DATE })))).toEqual([]);
  });

  it('and runs answer an Idempotency-Key as they did', async () => {
    const h = await harness();
    await dayPosted(h);
    const key = { 'Idempotency-Key': 'day' };
    const first = await h.call('POST', '/v1/recon/runs', { date: DATE }, key);
    const again = await h.call('POST', '/v1/recon/runs', { date: DATE }, key);
    expect([first.status, again.status, again.text]).toEqual([202, 202, first.text]);
    await done(h, first.body.id);
    const [one] = (await h.call('GET', '/v1/recon/breaks')).body.data;
    const said = { status: 'assigned', owner: 'ana' };
    const path = `/v1/recon/breaks/${one.id}`;
    const assigned = await h.call('PATCH', path, said, { 'Idempotency-Key': 'said' });
    const repeated = await h.call('PATCH', path, said, { 'Idempotency-Key': 'said' });
    expect([assigned.status, repeated.status, repeated.text]).toEqual([200, 200, assigned.text]);
    expect(repeated.headers['idempotent-replayed']).toBe('true');
    expect((await h.call('PATCH', path, { status: 'open' }, { 'Idempotency-Key': 'said' })).status).toBe(422);
  });

  it('are assigned to somebody and resolved with a note', async () => {
    const h = await harness();
    await dayPosted(h);
    await run(h, { date: DATE });
    const [one] = (await h.call('GET', '/v1/recon/breaks')).body.data;
    const path = `/v1/recon/breaks/${one.id}`;
    for (const body of [{ status: 'assigned' }, { status: 'resolved' }, { status: 'gone' }, { note: 'x' }])
      expect((await h.call('PATCH', path, body)).status).toBe(422);
    const unknown = await h.call('PATCH', '/v1/recon/breaks/brk_0', { status: 'open' });
    expect(unknown.status).toBe(404);
    const card = await h.call('PATCH', path, { status: 'resolved', note: `card ${PAN}` });
    expect(card.status).toBe(422);
  });
});
