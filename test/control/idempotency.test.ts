import { beforeEach, describe, expect, it } from 'vitest';
import { ShardError } from '../../src/control/ports.js';
import { type Harness, makeHarness } from './harness.js';

let h: Harness;
const key = { 'idempotency-key': 'k-1' };
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 1000 });
});

describe('a key', () => {
  const writes: [string, 'POST' | 'PATCH', string, object][] = [
    ['an account', 'POST', '/v1/accounts', { credit_limit: 5 }],
    ['a change of an account', 'PATCH', '/v1/accounts/acc', { credit_limit: 5 }],
    ['a payment', 'POST', '/v1/payments', { account: 'acc', amount: 5, currency: 'BRL', reference: 'r' }],
    ['a program', 'POST', '/v1/programs', { currency: 'BRL', bins: ['400000'] }],
    ['a change of a program', 'PATCH', '/v1/programs/prog_sandbox', { name: 'x' }],
  ];
  it.each(writes)('makes %s once, over restarts, and answers the same bytes', async (_, method, url, body) => {
    const first = await h.call(method, url, body, key);
    expect(first.status).toBeLessThan(300);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    const restarted = makeHarness({ log: h.log, engine: h.engine, vault: h.vault });
    for (const harness of [h, restarted]) {
      const again = await harness.call(method, url, body, key);
      expect(again.status).toBe(first.status);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.text).toBe(first.text);
      const other = await harness.call(method, url, { ...body, name: 'other', amount: 6, credit_limit: 6 }, key);
      expect(other.status).toBe(422);
    }
  });

  it('never shows a card number again', async () => {
    const body = { account: 'acc', expiry: '2912' };
    const first = await h.call('POST', '/v1/cards', body, key);
    expect(first.body.pan_available).toBe(true);
    const restarted = makeHarness({ log: h.log, engine: h.engine, vault: h.vault });
    for (const harness of [h, restarted]) {
      const again = await harness.call('POST', '/v1/cards', body, key);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.body).toMatchObject({ id: first.body.id, pan_available: false });
      expect(again.text).not.toContain(first.body.pan);
    }
    expect((await h.call('GET', '/v1/cards')).body.data).toHaveLength(1);
    expect(h.vault.pans.size).toBe(1);
  });

  it('makes a registered card once', async () => {
    const body = { account: 'acc', expiry: '2912', pan: '4000000000000002' };
    const first = await h.call('POST', '/v1/cards', body, key);
    const again = await h.call('POST', '/v1/cards', body, key);
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect((await h.call('POST', '/v1/cards', body, { 'idempotency-key': 'k-2' })).status).toBe(409);
  });

  it('is refused with another body, also at another shard', async () => {
    const other = ['b1', 'b2', 'b3', 'b4', 'b5'].find((id) => h.engine.placement(id) !== h.engine.placement('acc'))!;
    await h.call('POST', '/v1/accounts', { id: other });
    const body = { account: 'acc', amount: 5, currency: 'BRL', reference: 'r' };
    expect((await h.call('POST', '/v1/payments', body, key)).status).toBe(201);
    const answer = await h.call('POST', '/v1/payments', { ...body, account: other }, key);
    expect([answer.status, answer.body.code]).toEqual([422, 'idempotency_mismatch']);
  });

  it('is busy while its first request is under way', async () => {
    let go: () => void = () => undefined;
    h.engine.before = () => new Promise((resolve) => (go = resolve));
    const body = { account: 'acc', amount: 5, currency: 'BRL', reference: 'r' };
    const first = h.call('POST', '/v1/payments', body, key);
    while (h.engine.commands.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const second = await h.call('POST', '/v1/payments', body, key);
    expect([second.status, second.body.code]).toEqual([409, 'idempotency_in_progress']);
    go();
    expect((await first).status).toBe(201);
  });

  it('is free again after a refusal, and bound after an unknown outcome', async () => {
    const body = { account: 'nobody', amount: 5, currency: 'BRL', reference: 'r' };
    expect((await h.call('POST', '/v1/payments', body, key)).status).toBe(422);
    expect((await h.call('POST', '/v1/payments', { ...body, account: 'acc' }, key)).status).toBe(201);
    const next = { 'idempotency-key': 'k-2' };
    h.engine.before = (command) => {
      throw new ShardError('timeout', command.op.length);
    };
    const lost = await h.call('POST', '/v1/payments', { ...body, account: 'acc', reference: 's' }, next);
    expect([lost.status, lost.body.code]).toEqual([504, 'outcome_unknown']);
    h.engine.before = () => undefined;
    expect((await h.call('POST', '/v1/payments', { ...body, account: 'acc', reference: 't' }, next)).status).toBe(422);
    expect((await h.call('POST', '/v1/payments', { ...body, account: 'acc', reference: 's' }, next)).status).toBe(201);
  });

  it.each(['', 'x'.repeat(256), 'tab\there'])('must be 1 to 255 printable characters: %j', async (wrong) => {
    const answer = await h.call('POST', '/v1/accounts', {}, { 'idempotency-key': wrong });
    expect([answer.status, answer.body.code]).toEqual([400, 'idempotency_key_invalid']);
  });
});
