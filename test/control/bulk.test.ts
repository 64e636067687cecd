import { describe, expect, it } from 'vitest';
import { BulkImport } from '#src/control/bulk-import.js';
import { ShardError } from '#src/control/ports.js';
import { COMMAND_BYTES_MAX } from '#src/limits.js';
import { panOfNumber } from '#src/vault/pan.js';
import { makeHarness } from './harness.js';

const type = { 'content-type': 'application/x-ndjson' };
const row = (i: number): object => ({
  account: { id: `acc-${i}`, currency: 'BRL', credit_limit: 1000, type: 'credit' },
  card: { pan: panOfNumber('999999', i), expiry: '2912', status: 'active' },
});
const lines = (rows: unknown[]): string => rows.map((one) => `${JSON.stringify(one)}\n`).join('');

describe('bulk import', () => {
  it('creates 10 000 accounts and cards in one request, spread over the shards', async () => {
    const h = makeHarness({ shards: 16 });
    const rows = Array.from({ length: 10_000 }, (_, i) => row(i));
    const answer = await h.call('POST', '/v1/bulk/accounts', lines(rows), type);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      object: 'import',
      rows: 10_000,
      accounts: 10_000,
      cards: 10_000,
      rejected: 0,
      rejects: [],
      rejects_truncated: false,
    });
    expect(h.vault.pans.size).toBe(10_000);
    expect(h.vault.commits).toBeLessThanOrEqual(10);
    expect((await h.call('GET', '/v1/accounts/acc-9999')).body.credit_limit).toBe(1000);
    const page = await h.call('GET', '/v1/cards?account=acc-9999');
    expect(page.body.data).toMatchObject([{ last4: panOfNumber('999999', 9999).slice(-4), status: 'active' }]);
    expect(h.logged()).not.toContain('999999000');
  });

  it('refuses rows one by one, with line and reason', async () => {
    const h = makeHarness();
    await h.call('POST', '/v1/accounts', { id: 'taken' });
    const body = [
      JSON.stringify(row(1)),
      '{"account":',
      '',
      JSON.stringify({ account: { id: 'taken' } }),
      JSON.stringify({ account: { id: 'x', currency: 'XYZ' } }),
      JSON.stringify({ account: { id: 'y' }, extra: 1 }),
      JSON.stringify({ ...row(2), card: { pan: panOfNumber('999999', 1), expiry: '2912' } }),
      JSON.stringify({ account: { id: 'z', program: 'none' } }),
      JSON.stringify({ account: { id: 'w' }, card: { expiry: '2912', controls: { mcc: [] } } }),
      `{"account":{"id":"${'q'.repeat(9000)}"}}`,
      JSON.stringify({ account: {}, card: { expiry: '3001' } }),
    ].join('\n');
    const { body: result, text } = await h.call('POST', '/v1/bulk/accounts', body, type);
    expect(result).toMatchObject({ rows: 10, accounts: 2, cards: 2, rejected: 8 });
    expect(result.rejects.map((one: { line: number; code: string }) => [one.line, one.code])).toEqual([
      [2, 'invalid_json'],
      [4, 'account_exists'],
      [5, 'validation_failed'],
      [6, 'validation_failed'],
      [7, 'card_exists'],
      [8, 'program_not_found'],
      [9, 'validation_failed'],
      [10, 'line_too_long'],
    ]);
    expect(text).not.toContain(panOfNumber('999999', 1));
  });

  it('takes controls of accounts and cards, and refuses a row with its line and every pointer', async () => {
    const h = makeHarness();
    const day = { window: 'day', amount: 1000 };
    const [good, badAccount, badCard, again] = [row(1), row(2), row(3), row(3)] as {
      account: Record<string, unknown>;
      card: Record<string, unknown>;
    }[];
    good!.account.controls = { velocity: [day] };
    good!.card.controls = { mcc: { deny: ['gambling'] }, velocity: [{ ...day, count: 3 }] };
    badAccount!.account.controls = { velocity: [{ window: 'day' }] };
    badCard!.card.controls = { velocity: [{ ...day, amount: -1 }], mcc: { deny: ['petrol'] } };
    const body = lines([good, badAccount, badCard, again]);
    const { body: result } = await h.call('POST', '/v1/bulk/accounts', body, type);
    expect(result).toMatchObject({ accounts: 2, cards: 2, rejected: 2 });
    const limit = 'must be an integer from 0 to 100000000000000';
    expect(result.rejects).toMatchObject([
      {
        row: 2,
        code: 'validation_failed',
        detail: '/account/controls/velocity/0: limits nothing: give amount, count or both',
      },
      {
        row: 3,
        code: 'validation_failed',
        detail: `/card/controls/mcc/deny/0: there is no category group of this name; /card/controls/velocity/0/amount: ${limit}`,
      },
    ]);
    const account = await h.call('GET', '/v1/accounts/acc-1');
    expect(account.body.controls).toEqual(good!.account.controls);
    const [{ id }] = (await h.call('GET', '/v1/cards?account=acc-1')).body.data;
    expect((await h.call('GET', `/v1/cards/${id}`)).body.controls).toEqual(good!.card.controls);
    expect((await h.call('GET', '/v1/accounts/acc-2')).status).toBe(404);
  });

  it('refuses a row with a member that would be a prototype', async () => {
    const h = makeHarness();
    const text = JSON.stringify(row(1)).replace(
      '"account":{',
      '"account":{"controls":{"__proto__":{"per_transaction":5}},',
    );
    const { body: result } = await h.call('POST', '/v1/bulk/accounts', text, type);
    expect(result.rejects).toMatchObject([
      {
        row: 1,
        code: 'validation_failed',
        detail: expect.stringContaining('/account/controls/__proto__: unknown property'),
      },
    ]);
  });

  it('takes rows whose controls together are larger than a command', async () => {
    const h = makeHarness({ shards: 1 });
    const merchants = Array.from({ length: 250 }, (_, i) => `MERCHANT ${String(i).padStart(6, '0')}`);
    const rows = Array.from({ length: 256 }, (_, i) => ({
      account: { id: `acc-${i}`, controls: { merchants: { deny: merchants }, per_transaction: i + 1 } },
      card: { expiry: '2912' },
    }));
    expect(JSON.stringify(rows).length).toBeGreaterThan(COMMAND_BYTES_MAX);
    const { body } = await h.call('POST', '/v1/bulk/accounts', lines(rows), type);
    expect(body).toMatchObject({ accounts: 256, cards: 256, rejected: 0 });
    const last = await h.call('GET', '/v1/accounts/acc-255');
    expect(last.body.controls).toEqual({ merchants: { deny: merchants }, per_transaction: 256 });
  });

  it('refuses what a file has brought before: by the card number where a row names one, else by the account', async () => {
    const h = makeHarness();
    const body = [
      JSON.stringify(row(1)),
      JSON.stringify({ account: { id: 'issued' }, card: { expiry: '3001' } }),
      JSON.stringify({ account: { id: 'alone' } }),
    ].join('\n');
    const first = await h.call('POST', '/v1/bulk/accounts', body, type);
    expect(first.body).toMatchObject({ accounts: 3, cards: 2, rejected: 0 });
    const again = await h.call('POST', '/v1/bulk/accounts', body, type);
    expect(again.body.rejects.map((one: { line: number; code: string }) => [one.line, one.code])).toEqual([
      [1, 'card_exists'],
      [2, 'account_exists'],
      [3, 'account_exists'],
    ]);
    expect(again.body).toMatchObject({ accounts: 0, cards: 0 });
  });

  it('counts more rejects than it lists', async () => {
    const h = makeHarness();
    const { body } = await h.call('POST', '/v1/bulk/accounts', 'x\n'.repeat(1500), type);
    expect(body).toMatchObject({ rows: 1500, rejected: 1500, rejects_truncated: true });
    expect(body.rejects).toHaveLength(1000);
  });

  it('takes a stream in any pieces', async () => {
    const h = makeHarness();
    const bytes = Buffer.from(lines(Array.from({ length: 50 }, (_, i) => row(i))).trimEnd());
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    }
    expect(await new BulkImport(h.context).run(pieces())).toMatchObject({ rows: 50, accounts: 50, cards: 50 });
  });

  it('answers a finished import again and refuses another one under its key', async () => {
    const h = makeHarness();
    const headers = { ...type, 'idempotency-key': 'bulk-1' };
    const body = lines([row(1), { account: {}, card: { expiry: '2912' } }]);
    const first = await h.call('POST', '/v1/bulk/accounts', body, headers);
    const restarted = makeHarness({ log: h.log, engine: h.engine, vault: h.vault });
    for (const harness of [h, restarted]) {
      const again = await harness.call('POST', '/v1/bulk/accounts', body, headers);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.text).toBe(first.text);
      const other = await harness.call('POST', '/v1/bulk/accounts', lines([row(2)]), headers);
      expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
    }
    expect((await h.call('GET', '/v1/accounts?limit=100')).body.data).toHaveLength(2);
  });

  it('stops when a shard fails, says so, and can be sent again', async () => {
    const h = makeHarness();
    const body = lines(Array.from({ length: 600 }, (_, i) => row(i)));
    h.engine.before = (command) => {
      if (command.op === 'import') throw new ShardError('busy', 0);
    };
    const failed = await h.call('POST', '/v1/bulk/accounts', body, type);
    expect([failed.status, failed.body.code]).toEqual([503, 'shard_unavailable']);
    h.engine.before = () => undefined;
    expect((await h.call('POST', '/v1/bulk/accounts', body, type)).body).toMatchObject({ accounts: 600, rejected: 0 });
  });

  it('wants NDJSON', async () => {
    const h = makeHarness();
    const answer = await h.call('POST', '/v1/bulk/accounts', '{}', { 'content-type': 'application/json' });
    expect(answer.status).toBe(415);
  });
});
