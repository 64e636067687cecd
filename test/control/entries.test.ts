/** Ledger entries on command, over real shards: what is answered, what is refused where, and what the books say afterwards. */
import { beforeEach, describe, expect, it } from 'vitest';
import { dropUpTo } from './engine.js';
import { type AnswerBody, type Harness, makeHarness } from './harness.js';

let h: Harness;
beforeEach(async () => {
  h = makeHarness();
  const account = { id: 'acc', currency: 'BRL', credit_limit: 500_000, type: 'credit' };
  expect((await h.call('POST', '/v1/accounts', account)).status).toBe(201);
});

const post = (url: string, body: object, headers: Record<string, string> = {}) => h.call('POST', url, body, headers);
const brl = (amount: number, reference: string) => ({ amount, currency: 'BRL', reference });
const payment = (amount: number, reference: string) =>
  post('/v1/payments', { account: 'acc', ...brl(amount, reference) }, { 'Idempotency-Key': `pay ${reference}` });
const posted = async (): Promise<number> => (await h.call('GET', '/v1/accounts/acc')).body.balances.posted;
const refusal = ({ status, body }: { status: number; body: AnswerBody }) => [status, body.code, body.param];

/** `D 1100 5 · C 2100 5`, a sub-account as `@network/date/cycle`, a currency other than reais by its code. */
function legs({ postings }: AnswerBody): string {
  return postings
    .map((leg) => {
      const { settlement, currency } = leg;
      const at =
        settlement === undefined ? '' : ` @${settlement.network}/${settlement.settlement_date}/${settlement.cycle}`;
      const side = leg.debit > 0 ? `D ${leg.account} ${leg.debit}` : `C ${leg.account} ${leg.credit}`;
      return `${side}${currency === 'BRL' || currency === undefined ? '' : ` ${currency}`}${at}`;
    })
    .join(' · ');
}

async function balances(): Promise<Record<string, Record<string, number>>> {
  const { body } = await h.call('GET', '/v1/ledger/trial-balance');
  expect(body.balanced).toBe(true);
  return Object.fromEntries(
    body.currencies.map(({ currency, accounts }) => [
      currency,
      Object.fromEntries(
        accounts.map((one) => [one.account, one.balance] as const).filter(([, balance]) => balance !== 0),
      ),
    ]),
  );
}

describe('fees', () => {
  it('are charged and waived, and stand in the list of entries', async () => {
    const fee = await post('/v1/accounts/acc/fees', { ...brl(2500, 'late-1'), note: 'late' });
    expect(fee.status).toBe(201);
    expect(fee.body).toMatchObject({
      object: 'entry',
      account: 'acc',
      type: 'fee',
      amount: 2500,
      currency: 'BRL',
      balance_after: 2500,
      reference: 'late-1',
      date: '2026-11-23',
      note: 'late',
      related: null,
      source: null,
    });
    expect(legs(fee.body)).toBe('D 1120 2500 · C 4300 2500');
    const waived = await post(`/v1/fees/${fee.body.id}/waive`, {});
    expect(waived.body).toMatchObject({ type: 'fee_waived', amount: -2500, balance_after: 0, related: fee.body.id });
    const { body } = await h.call('GET', '/v1/accounts/acc/entries');
    expect(body.data).toEqual([waived.body, fee.body]);
    const read = await h.call('GET', `/v1/entries/${fee.body.id}`);
    expect(read.body).toEqual({ ...fee.body, balance_after: null });
    expect(refusal(await post(`/v1/fees/${fee.body.id}/waive`, {}))).toEqual([409, 'already_reversed', undefined]);
    for (const id of [waived.body.id, 'entry_x', fee.body.id.replace('entry', 'pay')])
      expect((await post(`/v1/fees/${id}/waive`, {})).status).toBe(404);
    expect((await h.call('GET', '/v1/entries/entry_x')).status).toBe(404);
  });

  it('are charged once, by key and by reference', async () => {
    const key = { 'Idempotency-Key': 'fee-1' };
    const first = await post('/v1/accounts/acc/fees', brl(10, 'f'), key);
    await payment(4, 'p');
    const again = await post('/v1/accounts/acc/fees', brl(10, 'f'), key);
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([201, 'true', first.body]);
    expect(refusal(await post('/v1/accounts/acc/fees', brl(11, 'f'), key))).toEqual([
      422,
      'idempotency_mismatch',
      'Idempotency-Key',
    ]);
    expect(refusal(await post('/v1/accounts/acc/fees', brl(10, 'f')))).toEqual([409, 'reference_exists', '/reference']);
    expect(await posted()).toBe(6);
  });

  it('are refused with the place of what is wrong', async () => {
    const refused = async (body: object, account = 'acc') => refusal(await post(`/v1/accounts/${account}/fees`, body));
    expect(await refused({ ...brl(1, 'f'), currency: 'USD' })).toEqual([422, 'currency_mismatch', '/currency']);
    expect(await refused(brl(0, 'f'))).toEqual([422, 'validation_failed', '/amount']);
    expect(await refused({ ...brl(1, 'f'), note: '9999990000000000123' })).toEqual([422, 'validation_failed', '/note']);
    expect(await refused(brl(1, 'f'), 'nobody')).toEqual([404, 'not_found', undefined]);
  });
});

describe('a payment', () => {
  it('is returned once, with a fee for it', async () => {
    await post('/v1/accounts/acc/fees', brl(300, 'f'));
    const paid = await payment(1000, 'p');
    const url = `/v1/payments/${paid.body.id}/return`;
    const answer = await post(url, { fee: 50, note: 'no funds' }, { 'Idempotency-Key': 'r' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ object: 'payment_return', payment: paid.body.id });
    const { entry, fee } = answer.body;
    expect([entry.type, entry.amount, entry.balance_after, entry.note]).toEqual([
      'payment_returned',
      1000,
      300,
      'no funds',
    ]);
    expect(legs(entry)).toBe('C 1310 1000 · D 2300 1000 · C 2300 1000 · D 1120 300 · D 2200 700');
    expect([fee.type, fee.amount, fee.balance_after]).toEqual(['fee', 50, 350]);
    expect((await post(url, { fee: 50, note: 'no funds' }, { 'Idempotency-Key': 'r' })).body).toEqual(answer.body);
    expect(refusal(await post(url, {}))).toEqual([409, 'already_reversed', undefined]);
    expect((await post(`/v1/payments/${entry.id}/return`, {})).status).toBe(404);
    expect((await h.call('GET', '/v1/accounts/acc/entries')).body.data.slice(0, 2)).toEqual([fee, entry]);
    const bare = await payment(5, 'q');
    expect((await post(`/v1/payments/${bare.body.id}/return`, {})).body.fee).toBeNull();
  });
});

describe('an account', () => {
  it('gets back what it has in credit', async () => {
    await payment(1000, 'p');
    expect(refusal(await post('/v1/accounts/acc/credit-balance-refunds', brl(1001, 'r')))).toEqual([
      ...[422, 'balance_too_low', '/amount'],
    ]);
    const { body } = await post('/v1/accounts/acc/credit-balance-refunds', brl(1000, 'r'));
    expect([body.type, legs(body), body.balance_after]).toEqual([
      'credit_balance_refunded',
      'D 2200 1000 · C 1310 1000',
      0,
    ]);
    expect(await balances()).toEqual({ BRL: {} });
  });

  it('is charged off and closed, and what comes later is a recovery', async () => {
    expect(refusal(await post('/v1/accounts/acc/charge-off', { reference: 'c' }))).toEqual([
      409,
      'nothing_owed',
      undefined,
    ]);
    await post('/v1/accounts/acc/fees', brl(900, 'f'));
    const { body } = await post('/v1/accounts/acc/charge-off', { reference: 'c', note: '180 days' });
    expect([body.type, legs(body), body.balance_after]).toEqual(['charge_off', 'D 5300 900 · C 1120 900', 0]);
    expect((await h.call('GET', '/v1/accounts/acc')).body).toMatchObject({ status: 'closed', balances: { posted: 0 } });
    expect(refusal(await post('/v1/accounts/acc/fees', brl(1, 'g')))).toEqual([409, 'account_charged_off', undefined]);
    const recovered = await post('/v1/accounts/acc/recoveries', brl(400, 'r'));
    expect([recovered.body.type, recovered.body.amount]).toEqual(['recovery', 0]);
    await payment(500, 'p');
    expect(refusal(await post('/v1/accounts/acc/recoveries', brl(1, 's')))).toEqual([
      422,
      'balance_too_low',
      '/amount',
    ]);
    expect(await balances()).toEqual({ BRL: { 1310: 900, 4300: -900 } });
  });
});

describe('a network', () => {
  const to = { network: 7, settlement_date: '2026-11-25', cycle: 3 };
  const usd = (amount: number, reference: string) => ({ ...to, currency: 'USD', amount, reference });

  it('takes and gives fees, and is settled with over all shards', async () => {
    const fee = await post('/v1/network-fees', { ...usd(900, 'n-1'), note: 'monthly' });
    expect([fee.status, fee.body.account, fee.body.type, fee.body.note]).toEqual([201, null, 'network_fee', 'monthly']);
    expect(legs(fee.body)).toBe('D 5100 900 USD · C 2100 900 USD @7/2026-11-25/3');
    for (let n = 2; n <= 9; n++) await post('/v1/network-fees', usd(100, `n-${n}`));
    await post('/v1/network-fees', usd(-300, 'n-10'));
    // Other settlements of the network stay apart.
    await post('/v1/network-fees', { ...usd(5, 'n-11'), cycle: 4 });
    await post('/v1/network-fees', { ...usd(6, 'n-12'), currency: 'BRL' });
    const key = { 'Idempotency-Key': 's' };
    const paid = await post('/v1/settlements', { ...usd(1390, 's-1'), rounding_limit: 10 }, key);
    expect([paid.status, paid.body.remaining]).toEqual([201, 0]);
    expect(legs(paid.body.entry)).toBe('D 2100 1400 USD @7/2026-11-25/3 · C 1300 1390 USD · C 5900 10 USD');
    const again = await post('/v1/settlements', { ...usd(1390, 's-1'), rounding_limit: 10 }, key);
    expect([again.headers['idempotent-replayed'], again.body]).toEqual(['true', paid.body]);
    expect(refusal(await post('/v1/settlements', usd(1, 's-1')))).toEqual([409, 'reference_exists', '/reference']);
    expect((await balances()).USD).toEqual({ 1300: -1390, 2100: -5, 5100: 1405, 5900: -10 });
  });

  it('leaves what is not settled as a break', async () => {
    await post('/v1/network-fees', usd(-100, 'n'));
    const got = await post('/v1/settlements', usd(-97, 's'));
    expect([got.body.remaining, legs(got.body.entry)]).toEqual([-3, 'C 2100 97 USD @7/2026-11-25/3 · D 1300 97 USD']);
    const rest = await post('/v1/settlements', usd(-3, 't'));
    expect(rest.body.remaining).toBe(0);
  });

  it('is named in full', async () => {
    const refused = async (more: object) => refusal(await post('/v1/settlements', { ...usd(1, 's'), ...more }));
    expect(await refused({ amount: 0 })).toEqual([422, 'validation_failed', '/amount']);
    expect(await refused({ network: 256 })).toEqual([422, 'validation_failed', '/network']);
    expect(await refused({ settlement_date: '2026-02-30' })).toEqual([422, 'validation_failed', '/settlement_date']);
    expect(await refused({ settlement_date: '1970-01-01' })).toEqual([422, 'validation_failed', '/settlement_date']);
    expect(await refused({ cycle: 16 })).toEqual([422, 'validation_failed', '/cycle']);
    expect(await refused({ rounding_limit: 1001 })).toEqual([422, 'validation_failed', '/rounding_limit']);
  });
});

describe('a dispute', () => {
  const settlement = { network: 1, settlement_date: '2026-11-25', currency: 'BRL', amount: 300, interchange: 6 };

  const reason = { reason_code: '4853' };

  async function authorization(): Promise<{ id: string; card: string }> {
    const card = await post('/v1/cards', { account: 'acc', expiry: '2912' });
    const { body } = await post('/v1/simulate/authorization', { card: card.body.id, amount: 300, currency: 'BRL' });
    const { id } = body.authorization;
    expect((await post('/v1/simulate/clearing', { authorization: id, amount: 300 })).status).toBe(201);
    return { id, card: card.body.id };
  }
  const open = (of: object, reference = 'd') =>
    post('/v1/disputes', { ...of, ...brl(300, reference), reason: 'not received' });

  it('goes its way in entries', async () => {
    const { id: auth, card } = await authorization();
    const opened = await open({ authorization: auth });
    expect(opened.status).toBe(201);
    expect(opened.body).toMatchObject({
      object: 'dispute',
      ...{ account: 'acc', card, authorization: auth, entry: null, status: 'open', amount: 300, currency: 'BRL' },
      ...{ reason: 'not received', reference: 'd' },
    });
    expect(opened.body.entries.map(legs)).toEqual(['D 1200 300 · C 1100 300']);
    const url = `/v1/disputes/${opened.body.id}`;
    const key = { 'Idempotency-Key': 'cb' };
    const charged = await post(`${url}/steps`, { step: 'chargeback', settlement, ...reason }, key);
    expect([charged.status, charged.body.status]).toEqual([201, 'charged_back']);
    expect(legs(charged.body.entries[1])).toBe(
      'D 2100 300 @1/2026-11-25/0 · C 1200 300 · D 4100 6 · C 2100 6 @1/2026-11-25/0',
    );
    expect(refusal(await post(`${url}/steps`, { step: 'lose' }))).toEqual([409, 'dispute_step_refused', undefined]);
    await post(`${url}/steps`, { step: 'second_presentment', settlement: { ...settlement, cycle: 2 } });
    const lost = await post(`${url}/steps`, { step: 'lose', note: 'signed slip' });
    expect(lost.body.entries.map((one) => one.type)).toEqual([
      ...['provisional_credit', 'chargeback', 'chargeback_reversed', 'dispute_lost_by_cardholder'],
    ]);
    expect(lost.body.status).toBe('lost');
    expect((await h.call('GET', url)).body).toEqual(lost.body);
    const again = await post(`${url}/steps`, { step: 'chargeback', settlement, ...reason }, key);
    expect([again.headers['idempotent-replayed'], again.body]).toEqual(['true', charged.body]);
    const { BRL } = await balances();
    // The purchase is owed as before, and its settlement with it.
    expect(BRL).toEqual({ 1100: 300, 2100: -300 });
    // Nothing else is left of it but where the two settlements stand.
    const trial = (await h.call('GET', '/v1/ledger/trial-balance')).body.currencies[0].accounts;
    const payable = trial.find((one) => one.account === '2100')!;
    expect(payable.sub_accounts.map((one) => one.balance)).toEqual([294, -294]);
  });

  it('goes on and is read when what it is about was dropped', async () => {
    const { id } = await authorization();
    const behind = [0, 1, 2, 3].map((shard) => h.engine.durable(shard));
    const { body } = await open({ authorization: id });
    dropUpTo(h.engine, behind);
    const url = `/v1/disputes/${body.id}`;
    const stepped = await post(`${url}/steps`, { step: 'write_off' });
    expect([stepped.status, stepped.body.status]).toEqual([201, 'written_off']);
    expect(stepped.body).toMatchObject({ authorization: null, entry: null });
    expect((await h.call('GET', url)).body).toEqual(stepped.body);
    expect((await h.call('GET', '/v1/disputes?account=acc')).body.data).toMatchObject([{ id: body.id }]);
    expect(refusal(await open({ authorization: id }, 'e'))).toEqual([410, 'dropped', undefined]);
  });

  it('is won after a chargeback, without an entry of money', async () => {
    const { id } = await authorization();
    const { body } = await open({ authorization: id });
    await post(`/v1/disputes/${body.id}/steps`, { step: 'chargeback', settlement, ...reason });
    const won = await post(`/v1/disputes/${body.id}/steps`, { step: 'win' });
    expect([won.body.status, won.body.entries.at(-1)!.postings]).toEqual(['won', []]);
  });

  it('may be about an entry, and is listed by its account', async () => {
    const fee = await post('/v1/accounts/acc/fees', brl(600, 'f'));
    const first = await open({ entry: fee.body.id }, 'd1');
    expect(first.body).toMatchObject({ entry: fee.body.id, authorization: null, card: null });
    const second = await open({ entry: fee.body.id }, 'd2');
    await post(`/v1/disputes/${first.body.id}/steps`, { step: 'withdraw' });
    const { body } = await h.call('GET', '/v1/disputes?account=acc&limit=1');
    expect([body.data.map((one: AnswerBody) => one.id), body.has_more]).toEqual([[second.body.id], true]);
    const rest = await h.call('GET', `/v1/disputes?account=acc&starting_after=${second.body.id}`);
    expect(rest.body.data).toEqual([expect.objectContaining({ id: first.body.id, status: 'withdrawn' })]);
    const newer = await h.call('GET', `/v1/disputes?account=acc&ending_before=${first.body.id}`);
    expect(newer.body.data.map((one: AnswerBody) => one.id)).toEqual([second.body.id]);
    expect((await h.call('GET', '/v1/disputes?account=nobody')).status).toBe(404);
    expect((await h.call('GET', '/v1/disputes')).status).toBe(400);
  });

  it('names what is there, once, and its steps say what they need', async () => {
    const fee = (await post('/v1/accounts/acc/fees', brl(300, 'f'))).body.id;
    expect(refusal(await open({}))).toEqual([422, 'validation_failed', '/authorization']);
    expect(refusal(await open({ entry: 'entry_x' }))).toEqual([422, 'authorization_not_found', '/entry']);
    expect(refusal(await open({ authorization: 'auth_x' }))).toEqual([
      422,
      'authorization_not_found',
      '/authorization',
    ]);
    const { body } = await open({ entry: fee });
    expect(refusal(await open({ entry: fee }))).toEqual([409, 'reference_exists', '/reference']);
    const step = async (more: object) => refusal(await post(`/v1/disputes/${body.id}/steps`, more));
    expect(await step({ step: 'chargeback', ...reason })).toEqual([422, 'validation_failed', '/settlement']);
    expect(await step({ step: 'chargeback', settlement })).toEqual([422, 'validation_failed', '/reason_code']);
    expect(await step({ step: 'win', ...reason })).toEqual([422, 'validation_failed', '/reason_code']);
    expect(await step({ step: 'win', amount: 1 })).toEqual([422, 'validation_failed', '/amount']);
    expect(refusal(await post('/v1/disputes', { entry: fee, ...brl(1, 'more'), reason: 'x' }))).toEqual([
      ...[422, 'amount_out_of_range', '/amount'],
    ]);
    expect(await step({ step: 'lose', settlement })).toEqual([422, 'validation_failed', '/settlement']);
    expect(await step({ step: 'chargeback', ...reason, settlement: { ...settlement, amount: 299 } })).toEqual([
      ...[422, 'amount_out_of_range', '/settlement/amount'],
    ]);
    expect((await post('/v1/disputes/disp_x/steps', { step: 'lose' })).status).toBe(404);
    expect((await h.call('GET', `/v1/disputes/${fee.replace('entry', 'disp')}`)).status).toBe(404);
  });
});

it('what was posted on command is events of the feed', async () => {
  const fee = await post('/v1/accounts/acc/fees', brl(300, 'f'));
  const { body } = await h.call('GET', '/v1/events?limit=10');
  const event = body.data.find((one: AnswerBody) => one.type === 'entry.posted');
  expect(event).toMatchObject({ account: 'acc', data: { id: fee.body.id, type: 'fee', amount: 300 } });
});

describe('refusals of amounts', () => {
  it('name the value, the bound, and what to do', async () => {
    const told = async (path: string, body: object) => {
      const { status, body: problem } = await post(path, body);
      return [status, problem.code, problem.detail];
    };
    const { body: fee } = await post('/v1/accounts/acc/fees', brl(300, 'f'));
    expect(await told('/v1/disputes', { entry: fee.id, ...brl(301, 'd'), reason: 'x' })).toEqual([
      ...[422, 'amount_out_of_range'],
      'The amount is 301; of that charge 1 to 300 minor units are left to be disputed.',
    ]);
  });
});

describe('the daily accrual', () => {
  it('is not begun so long ago that it could never catch up', async () => {
    const run = (date: string) => post('/v1/jobs/accrual', { date });
    const old = await run('1996-11-23');
    expect([refusal(old), old.body.detail]).toEqual([
      [422, 'day_out_of_range', '/date'],
      '1996-11-23 is more than 31 days before today: the first accrual is for 2026-10-23 or later.',
    ]);
    // The job is not blocked by it.
    expect((await run('2026-10-23')).body).toMatchObject({ done: true });
    expect((await run('2026-11-23')).body).toMatchObject({ done: true });
  });

  const patch = (tables: object) => h.call('PATCH', '/v1/programs/prog_sandbox', { tables });

  it('accrues once a day, closes statements, and shows what led to them', async () => {
    const table = { day: 23, due_days: 20, minimum_basis_points: 1000, minimum_amount: 500, monthly_fee: 90 };
    expect((await patch({ interest: { fees: 3650 }, statement: table })).status).toBe(200);
    await post('/v1/accounts/acc/fees', brl(10_000, 'f'));
    const run = (date: string) => post('/v1/jobs/accrual', { date });
    const first = await run('2026-11-23');
    expect([first.status, first.body]).toEqual([
      200,
      { object: 'accrual', date: '2026-11-23', done: true, accounts: 1, entries: 3, statements: 1 },
    ]);
    expect((await run('2026-11-23')).body).toMatchObject({ done: true, accounts: 0, entries: 0, statements: 0 });
    const over = await run('2026-11-22');
    expect([refusal(over), over.body.detail]).toEqual([
      [422, 'day_out_of_range', '/date'],
      '2026-11-22 is over: the accrual has done 2026-11-23, ask for that or a later day.',
    ]);
    const early = await run('2026-11-24');
    expect([refusal(early), early.body.detail]).toEqual([
      [422, 'day_out_of_range', '/date'],
      '2026-11-24 has not begun: today is 2026-11-23 by UTC, ask for that or an earlier day.',
    ]);
    h.engine.nowMs += 86_400_000;
    await payment(600, 'p');
    await post('/v1/accounts/acc/credit-balance-refunds', brl(1, 'x'));
    h.engine.nowMs += 29 * 86_400_000;
    expect((await run('2026-12-23')).body).toMatchObject({ done: true, accounts: 30, statements: 1 });
    const { body } = await h.call('GET', '/v1/accounts/acc/statements');
    expect(body.has_more).toBe(false);
    expect(body.data).toEqual([
      expect.objectContaining({
        date: '2026-12-23',
        previous_balance: 10_100,
        payments: -600,
        fees: 90,
        transactions: 0,
      }),
      {
        object: 'statement',
        id: expect.stringMatching(/^stmt_/),
        account: 'acc',
        currency: 'BRL',
        date: '2026-11-23',
        balance: 10_100,
        minimum_due: 1010,
        due_date: '2026-12-13',
        previous_balance: 0,
        payments: 0,
        transactions: 0,
        fees: 10_090,
        interest: 10,
        adjustments: 0,
        created_at: expect.any(String),
      },
    ]);
    for (const one of body.data) {
      const { previous_balance, payments, transactions, fees, interest, adjustments, balance } = one;
      expect(previous_balance + payments + transactions + fees + interest + adjustments).toBe(balance);
    }
    const page = await h.call('GET', '/v1/accounts/acc/statements?limit=1');
    expect([page.body.data, page.body.has_more]).toEqual([[body.data[0]], true]);
    const next = await h.call('GET', `/v1/accounts/acc/statements?limit=1&starting_after=${body.data[0].id}`);
    expect([next.body.data, next.body.has_more]).toEqual([[body.data[1]], false]);
    const newer = await h.call('GET', `/v1/accounts/acc/statements?ending_before=${body.data[1].id}`);
    expect([newer.body.data, newer.body.has_more]).toEqual([[body.data[0]], false]);
    expect((await h.call('GET', '/v1/accounts/acc/statements?starting_after=stmt_x')).status).toBe(400);
    const feed = await h.call('GET', '/v1/events?limit=100');
    expect(feed.body.data.filter((one: AnswerBody) => one.type === 'statement.closed')).toHaveLength(2);
    expect(await balances()).toMatchObject({ BRL: { 4300: -10_180 } });
  });

  it('refuses a program with what no interest can be', async () => {
    expect(refusal(await patch({ interest: { cash: 100_001 } }))).toEqual([
      422,
      'validation_failed',
      '/tables/interest/cash',
    ]);
    expect(refusal(await patch({ statement: { day: 29 } }))).toEqual([
      422,
      'validation_failed',
      '/tables/statement/day',
    ]);
  });
});
