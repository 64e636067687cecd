/** Every call while a shard, the journal or the disk cannot serve it: a documented problem, and no defect in the log. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ShardError, type ShardErrorKind } from '#src/control/ports.js';
import { type Harness, makeHarness } from './harness.js';

let h: Harness;
let ids: { card: string; authorization: string; payment: string };
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 1000 });
  const card = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body.id;
  const made = await h.call('POST', '/v1/simulate/authorization', { card, amount: 1 });
  const paid = await h.call('POST', '/v1/payments', payment('r'), { 'idempotency-key': 'p' });
  ids = { card, authorization: made.body.authorization.id, payment: paid.body.id };
});

const payment = (reference: string): object => ({ account: 'acc', amount: 1, currency: 'BRL', reference });

type Call = ['GET' | 'POST' | 'PATCH', string, unknown?, Record<string, string>?];

/** Calls that ask a shard. */
function calls(): Call[] {
  const { card, authorization } = ids;
  const ndjson = { 'content-type': 'application/x-ndjson' };
  return [
    ['POST', '/v1/accounts', {}],
    ['GET', '/v1/accounts'],
    ['GET', '/v1/accounts/acc'],
    ['PATCH', '/v1/accounts/acc', { credit_limit: 5 }],
    ['POST', '/v1/bulk/accounts', '{"account":{}}', ndjson],
    ['POST', '/v1/bulk/accounts', '{"account":{}}', { ...ndjson, 'idempotency-key': 'b' }],
    ['POST', '/v1/cards', { account: 'acc', expiry: '2912' }],
    ['GET', '/v1/cards'],
    ['GET', '/v1/cards?account=acc'],
    ['GET', `/v1/cards/${card}`],
    ['PATCH', `/v1/cards/${card}`, { status: 'paused' }],
    ['GET', `/v1/authorizations?card=${card}`],
    ['GET', '/v1/authorizations?account=acc'],
    ['GET', '/v1/authorizations?stan=1'],
    ['GET', '/v1/authorizations?status=pending'],
    ['GET', `/v1/authorizations/${authorization}`],
    ['GET', `/v1/authorizations/${authorization}/explain`],
    ['POST', '/v1/payments', payment('s'), { 'idempotency-key': 'q' }],
    ['GET', '/v1/accounts/acc/entries'],
    ['GET', '/v1/ledger/trial-balance'],
    ['POST', '/v1/simulate/authorization', { card, amount: 1 }],
    ['POST', '/v1/simulate/reversal', { authorization }],
    ['POST', '/v1/programs', { currency: 'BRL', bins: ['999998'] }, { 'idempotency-key': 'a' }],
    ['POST', '/v1/tokens', { name: 'x', scopes: ['read'] }, { 'idempotency-key': 't' }],
  ];
}

async function expectAll(status: number, code: string): Promise<void> {
  for (const call of calls()) {
    const answer = await h.call(...call);
    expect([call[0], call[1], answer.status, answer.body.code]).toEqual([call[0], call[1], status, code]);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  }
  expect(h.logged()).not.toContain('request failed');
}

describe('every call', () => {
  const kinds: [ShardErrorKind, number, string][] = [
    ['busy', 503, 'shard_unavailable'],
    ['refused', 503, 'disk_full'],
    ['stopped', 503, 'stopping'],
    ['timeout', 504, 'outcome_unknown'],
  ];
  it.each(kinds)('says so when the shards are %s', async (kind, status, code) => {
    const fail = async (shard: number): Promise<never> => {
      throw new ShardError(kind, shard);
    };
    h.engine.command = fail;
    h.engine.wire = fail;
    // A read is never refused for want of disk, and one that takes too long did nothing.
    if (kind === 'busy' || kind === 'stopped') h.engine.read = fail;
    const writes = calls().filter(([method]) => method !== 'GET');
    if (h.engine.read === fail) await expectAll(status, code);
    for (const call of writes) {
      const answer = await h.call(...call);
      expect([call[0], call[1], answer.status, answer.body.code]).toEqual([call[0], call[1], status, code]);
    }
    expect(h.logged()).not.toContain('request failed');
  });

  it('says so while a shard is rebuilt', async () => {
    h.engine.command = async () => ({ ok: false, code: 'shard_unavailable' });
    h.engine.read = async () => ({ ok: false, code: 'shard_unavailable' });
    for (const call of calls()) {
      const answer = await h.call(...call);
      // An import refuses its rows one by one.
      const row = call[1] === '/v1/bulk/accounts' && answer.status === 200 ? answer.body.rejects[0] : answer.body;
      expect([call[0], call[1], row.code]).toEqual([call[0], call[1], 'shard_unavailable']);
    }
    expect(h.logged()).not.toContain('request failed');
  });

  it('that looks into the journal says so when it has not caught up', async () => {
    // A control plane that has seen nothing yet.
    h = makeHarness({ log: h.log, engine: h.engine, vault: h.vault });
    h.engine.lag = Number.POSITIVE_INFINITY;
    const { authorization, card, payment: paid } = ids;
    const urls = [
      `/v1/authorizations?card=${card}`,
      `/v1/authorizations/${authorization}`,
      `/v1/authorizations/${authorization}/explain`,
      `/v1/authorizations?starting_after=${authorization}`,
      `/v1/payments/${paid}`,
      '/v1/accounts/acc/entries',
    ];
    const answers = await Promise.all(urls.map((url) => h.call('GET', url)));
    expect(answers.map(({ body }) => body.code)).toEqual(urls.map(() => 'index_behind'));
    for (const { headers } of answers) expect(headers['retry-after']).toBe('1');
  });

  it('with an id of another kind finds nothing', async () => {
    const { card, authorization, payment: paid } = ids;
    const table: Call[] = [
      ['GET', `/v1/cards/${authorization}`],
      ['PATCH', `/v1/cards/${paid}`, { status: 'paused' }],
      ['GET', `/v1/authorizations/${card}`],
      ['GET', `/v1/authorizations/${paid}/explain`],
      ['GET', `/v1/payments/${authorization.replace('auth', 'pay')}`],
      ['GET', `/v1/payments/${paid.replace('pay', 'entry')}`],
      ['GET', `/v1/accounts/${card}`],
      ['GET', `/v1/accounts/${card}/entries`],
    ];
    for (const call of table) expect([call, (await h.call(...call)).body.code]).toEqual([call, 'not_found']);
    const wrong = await h.call('POST', '/v1/simulate/authorization', { card: authorization, amount: 1 });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'card_not_found']);
    const other = await h.call('POST', '/v1/simulate/reversal', { authorization: card });
    expect([other.status, other.body.code]).toEqual([422, 'authorization_not_found']);
  });
});
