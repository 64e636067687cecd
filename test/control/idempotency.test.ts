import { beforeEach, describe, expect, it } from 'vitest';
import { ShardError } from '#src/control/ports.js';
import type { Command } from '#src/domain/commands.js';
import { panOfNumber } from '#src/vault/pan.js';
import { type Harness, makeHarness, restart } from './harness.js';

let h: Harness;
let card: string;
const key = { 'idempotency-key': 'k-1' };
const payment = { account: 'acc', amount: 5, currency: 'BRL', reference: 'r' };
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 1000 });
  card = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body.id;
});

type Call = ['POST' | 'PATCH', string, object];

/** Every write that takes a JSON body, with its first status. */
const writes = (): [name: string, ...Call][] => [
  ['an account', 'POST', '/v1/accounts', { credit_limit: 5 }],
  ['a change of an account', 'PATCH', '/v1/accounts/acc', { credit_limit: 5 }],
  ['a payment', 'POST', '/v1/payments', payment],
  ['a registered card', 'POST', '/v1/cards', { account: 'acc', expiry: '2912', pan: panOfNumber('999999', 7) }],
  ['a change of a card', 'PATCH', `/v1/cards/${card}`, { status: 'paused' }],
  ['a change of a card to what it is', 'PATCH', `/v1/cards/${card}`, { controls: {} }],
  ['a program', 'POST', '/v1/programs', { currency: 'BRL', bins: ['999998'] }],
  ['a change of a program', 'PATCH', '/v1/programs/prog_sandbox', { name: 'x' }],
  ['a simulated authorization', 'POST', '/v1/simulate/authorization', { card, amount: 100 }],
  ['a simulated advice', 'POST', '/v1/simulate/advice', { card, amount: 100, reason: 'stand_in_approved' }],
  ['a simulated refund', 'POST', '/v1/simulate/refund', { card, amount: 100 }],
  ['a simulated posting', 'POST', '/v1/simulate/force_post', { card, amount: 100 }],
  ['a simulated clearing', 'POST', '/v1/simulate/clearing', { card, amount: 100 }],
  ['a fee', 'POST', '/v1/accounts/acc/fees', { amount: 5, currency: 'BRL', reference: 'f' }],
  ['a settlement', 'POST', '/v1/settlements', settled],
  ['a fee of a network', 'POST', '/v1/network-fees', settled],
  ['an accrual', 'POST', '/v1/jobs/accrual', { date: '2026-11-23' }],
  ['a network message', 'POST', '/v1/simulate/network_message', { card, fields: listing }],
];
const settled = { network: 1, settlement_date: '2026-11-20', currency: 'BRL', amount: 5, reference: 's' };
const listing = { 0: '0302', 7: '1123120000', 11: '000001', 91: '1' };
const names = ['an account', 'a change of an account', 'a payment', 'a registered card', 'a change of a card'];
names.push('a change of a card to what it is', 'a program', 'a change of a program', 'a simulated authorization');
names.push('a simulated advice', 'a simulated refund', 'a simulated posting', 'a simulated clearing');
names.push('a fee', 'a settlement', 'a fee of a network', 'an accrual', 'a network message');
const write = (name: string): Call =>
  writes()
    .find(([one]) => one === name)!
    .slice(1) as Call;

/** The harnesses of this process and of the next ones, each made when the one before has been looked at. */
function* lives(first: Harness, count: number): Generator<Harness> {
  let harness = first;
  yield harness;
  for (let i = 1; i < count; i++) {
    harness = restart(harness);
    yield harness;
  }
}

/** The process dies at this command: nothing of it happens, and nothing is answered. */
function dieAt(op: Command['op']): void {
  h.engine.before = (command) => {
    if (command.op === op) throw new Error('the process died');
  };
}

describe('a key', () => {
  it('is tried with every write', () => {
    expect(names).toEqual(writes().map(([name]) => name));
    const tried = new Set(
      writes().map(([, method, url]) => `${method} ${url.replace(/\/(acc|prog_\w+|card_\w+)(?=$|\/fees$)/, '/{id}')}`),
    );
    const others = ['POST /v1/bulk/accounts', 'POST /v1/tokens', 'POST /v1/profile'];
    // These need an authorization to speak of.
    others.push('POST /v1/simulate/increment', 'POST /v1/simulate/reversal');
    // In expiry.test.ts.
    others.push('POST /v1/simulate/expire', 'POST /v1/clock/accept');
    // In roles.test.ts.
    others.push('POST /v1/tokens/{id}/rotate');
    // In webhooks.test.ts.
    others.push('POST /v1/webhooks', 'PATCH /v1/webhooks/{id}');
    others.push('POST /v1/webhooks/{id}/rotate-secret', 'POST /v1/webhooks/{id}/replay');
    // In aliases.test.ts, rules.test.ts and backtests.test.ts.
    others.push('POST /v1/cards/{id}/aliases', 'PATCH /v1/aliases/{id}', 'POST /v1/cards/{id}/pin/unblock');
    others.push('POST /v1/rules', 'PATCH /v1/rules/{id}', 'POST /v1/rules/{id}/backtests');
    // In entries.test.ts.
    others.push('POST /v1/fees/{id}/waive', 'POST /v1/payments/{id}/return', 'POST /v1/accounts/{id}/charge-off');
    others.push('POST /v1/accounts/{id}/recoveries', 'POST /v1/accounts/{id}/credit-balance-refunds');
    others.push('POST /v1/disputes', 'POST /v1/disputes/{id}/steps');
    // In outgoing-files.test.ts, and in suspense.test.ts, where what is resolved is resolved once without a key.
    others.push('POST /v1/outgoing-files', 'POST /v1/suspense/{id}/resolve');
    // In clearing-files.test.ts and recon.test.ts.
    others.push('POST /v1/clearing-files', 'POST /v1/recon/runs', 'PATCH /v1/recon/breaks/{id}');
    // In backups.test.ts and process/retention.test.ts: done again they find that it is done.
    others.push('POST /v1/backups', 'POST /v1/journal/exports', 'POST /v1/journal/drops');
    // In approvals.test.ts, and in key-rotation.test.ts, where one runs at a time.
    others.push('POST /v1/approvals/{id}/confirm', 'POST /v1/approvals/{id}/reject', 'POST /v1/keys/rotations');
    const all = h.routes.filter(({ method }) => method === 'POST' || method === 'PATCH');
    expect([...tried, ...others].sort()).toEqual(all.map(({ method, path }) => `${method} ${path}`).sort());
  });

  it.each(names)('makes %s once, over restarts, and answers the same bytes', async (name) => {
    const [method, url, body] = write(name);
    const first = await h.call(method, url, body, key);
    expect(first.status).toBeLessThan(300);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    for (const harness of lives(h, 3)) {
      const again = await harness.call(method, url, body, key);
      expect(again.status).toBe(first.status);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(again.text).toBe(first.text);
      const other = await harness.call(method, url, { ...body, name: 'other', amount: 6, credit_limit: 6 }, key);
      expect(other.status).toBe(422);
    }
  });

  it.each(names)('belongs to %s alone, whatever else it is sent with, also after a restart', async (name) => {
    const [method, url, body] = write(name);
    expect((await h.call(method, url, body, key)).status).toBeLessThan(300);
    const others: Call[] = writes()
      .filter(([one]) => one !== name)
      .map(([, ...call]) => call);
    // Accounts of every shard: where the effect would be makes no difference.
    for (let i = 0; i < 12; i++) others.push(['POST', '/v1/accounts', { id: `other-${i}` }]);
    others.push(['POST', '/v1/tokens', { name: 'x', scopes: ['read'] }], ['POST', '/v1/profile?seconds=1', {}]);
    for (const harness of lives(restart(h), 2)) {
      for (const call of others) {
        const answer = await harness.call(...call, key);
        expect([call, answer.status, answer.body.code]).toEqual([call, 422, 'idempotency_mismatch']);
      }
      const line = JSON.stringify({ account: { id: 'imported' } });
      const type = { 'content-type': 'application/x-ndjson' };
      const imported = await harness.call('POST', '/v1/bulk/accounts', line, { ...type, ...key });
      expect(imported.body.code).toBe('idempotency_mismatch');
      expect((await harness.call('GET', '/v1/accounts/imported')).status).toBe(404);
      expect((await harness.call('GET', '/v1/accounts/other-3')).status).toBe(404);
    }
  });

  it('of an import belongs to the import', async () => {
    const type = { 'content-type': 'application/x-ndjson' };
    const line = JSON.stringify({ account: { id: 'imported' } });
    expect((await h.call('POST', '/v1/bulk/accounts', line, { ...type, ...key })).status).toBe(200);
    expect((await restart(h).call('POST', '/v1/payments', payment, key)).body.code).toBe('idempotency_mismatch');
  });

  it('never shows a card number again', async () => {
    const body = { account: 'acc', expiry: '2912' };
    const first = await h.call('POST', '/v1/cards', body, key);
    expect(first.body.pan_available).toBe(true);
    for (const harness of lives(h, 2)) {
      const again = await harness.call('POST', '/v1/cards', body, key);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.body).toMatchObject({ id: first.body.id, pan_available: false });
      expect(again.text).not.toContain(first.body.pan);
      expect((await harness.call('GET', '/v1/cards')).body.data).toHaveLength(2);
    }
    expect(h.vault.pans.size).toBe(2);
  });

  it('makes a registered card once, whatever the program says about numbers by then', async () => {
    await h.call('POST', '/v1/programs', { id: 'live', currency: 'BRL', bins: ['999998'] });
    await h.call('POST', '/v1/accounts', { id: 'real', program: 'live' });
    const body = { account: 'real', expiry: '2912', pan: panOfNumber('999998', 1) };
    const first = await h.call('POST', '/v1/cards', body, key);
    expect(first.status).toBe(201);
    await h.call('PATCH', '/v1/programs/live', { bins: ['999997'] });
    const again = await h.call('POST', '/v1/cards', body, key);
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect((await h.call('POST', '/v1/cards', body, { 'idempotency-key': 'k-2' })).status).toBe(422);
  });

  it('is busy while its first request is under way', async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    h.engine.before = (command) => (command.op === 'payment' ? gate : undefined);
    const first = h.call('POST', '/v1/payments', payment, key);
    while (h.engine.commands.at(-1)?.op !== 'payment') await new Promise((resolve) => setImmediate(resolve));
    const second = await h.call('POST', '/v1/payments', payment, key);
    expect([second.status, second.body.code]).toEqual([409, 'idempotency_in_progress']);
    go();
    expect((await first).status).toBe(201);
  });

  it('of two requests at the same moment carries one', async () => {
    for (let i = 0; i < 8; i++) {
      const race = { 'idempotency-key': `race-${i}` };
      const bodies = [
        { id: `one-${i}`, credit_limit: 1 },
        { id: i % 2 === 0 ? `one-${i}` : `two-${i}`, credit_limit: 1 },
      ];
      const answers = await Promise.all(bodies.map((body) => h.call('POST', '/v1/accounts', body, race)));
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      const lost = answers.findIndex(({ status }) => status === 409);
      expect(answers[lost]!.body.code).toBe('idempotency_in_progress');
      const later = await h.call('POST', '/v1/accounts', bodies[lost]!, race);
      expect(later.status).toBe(i % 2 === 0 ? 201 : 422);
    }
    expect((await h.call('GET', '/v1/accounts?limit=100')).body.data).toHaveLength(9);
  });

  it.each(['', 'x'.repeat(256), 'tab\there'])('must be 1 to 255 printable characters: %j', async (wrong) => {
    const answer = await h.call('POST', '/v1/accounts', {}, { 'idempotency-key': wrong });
    expect([answer.status, answer.body.code]).toEqual([400, 'idempotency_key_invalid']);
  });

  it('is not used up by what is no request', async () => {
    const json = { 'content-type': 'application/json', ...key };
    expect((await h.call('POST', '/v1/payments', '{', json)).status).toBe(400);
    expect((await h.call('POST', '/v1/payments', { ...payment, amount: -1 }, key)).status).toBe(422);
    expect((await h.call('POST', '/v1/payments', 'x', { ...key, 'content-type': 'text/plain' })).status).toBe(415);
    expect((await h.call('POST', '/v1/payments', payment, key)).status).toBe(201);
  });
});

describe('a refusal', () => {
  /** A request that is refused, and what would make it succeed. */
  const refusals: [name: string, code: string, refused: () => Call, cure: () => Call][] = [
    [
      'of the shard',
      'account_not_found',
      () => ['POST', '/v1/payments', { ...payment, account: 'later' }],
      () => ['POST', '/v1/accounts', { id: 'later' }],
    ],
    [
      'of the control plane',
      'account_not_found',
      () => ['POST', '/v1/cards', { account: 'later', expiry: '2912' }],
      () => ['POST', '/v1/accounts', { id: 'later' }],
    ],
    [
      'of the system journal',
      'program_not_found',
      () => ['POST', '/v1/accounts', { program: 'later' }],
      () => ['POST', '/v1/programs', { id: 'later', currency: 'BRL', bins: ['999998'] }],
    ],
    [
      'of a change',
      'not_found',
      () => ['PATCH', '/v1/programs/later', { name: 'x' }],
      () => ['POST', '/v1/programs', { id: 'later', currency: 'BRL', bins: ['999998'] }],
    ],
  ];

  it.each(refusals)('%s is the first answer and stays it', async (_, code, refused, cure) => {
    const first = await h.call(...refused(), key);
    expect(first.body.code).toBe(code);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect((await h.call(...cure())).status).toBe(201);
    for (const harness of lives(h, 3)) {
      const again = await harness.call(...refused(), key);
      expect([again.status, again.text]).toEqual([first.status, first.text]);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect((await harness.call('POST', '/v1/payments', payment, key)).body.code).toBe('idempotency_mismatch');
    }
  });

  it.each(refusals)('%s that was not kept before the process died is decided anew', async (_, code, refused, cure) => {
    dieAt('keep_answer');
    expect((await h.call(...refused(), key)).status).toBe(500);
    const next = restart(h);
    expect((await next.call(...refused(), key)).body.code).toBe(code);
    h = restart(next);
    dieAt('keep_answer');
    const other = { 'idempotency-key': 'k-2' };
    expect((await h.call(...refused(), other)).status).toBe(500);
    h = restart(h);
    expect((await h.call(...cure())).status).toBe(201);
    expect((await h.call(...refused(), other)).status).toBeLessThan(300);
  });

  it('for want of something (5xx) is none: the key stays with its request', async () => {
    h.engine.full = true;
    const body = { account: 'acc', expiry: '2912' };
    const refused = await h.call('POST', '/v1/cards', body, key);
    expect([refused.status, refused.body.code]).toEqual([503, 'capacity_exceeded']);
    h.engine.full = false;
    expect((await h.call('POST', '/v1/payments', payment, key)).body.code).toBe('idempotency_mismatch');
    expect((await h.call('POST', '/v1/cards', body, key)).status).toBe(201);
  });
});

describe('a process that dies', () => {
  const effects: [name: string, op: Command['op']][] = [
    ['an account', 'create_account'],
    ['a change of an account', 'update_account'],
    ['a payment', 'payment'],
    ['a registered card', 'create_card'],
    ['a change of a card', 'update_card'],
  ];

  it.each(effects)('before the claim of %s leaves the key free', async (name) => {
    dieAt('claim_key');
    expect((await h.call(...write(name), key)).status).toBe(500);
    expect((await restart(h).call('POST', '/v1/accounts', { id: 'other' }, key)).status).toBe(201);
  });

  it.each(effects)('between claim and effect of %s leaves the key to the same request alone', async (name, op) => {
    dieAt(op);
    expect((await h.call(...write(name), key)).status).toBe(500);
    const next = restart(h);
    expect((await next.call('POST', '/v1/accounts', { id: 'other' }, key)).body.code).toBe('idempotency_mismatch');
    const again = await next.call(...write(name), key);
    expect(again.status).toBeLessThan(300);
    expect(again.headers['idempotent-replayed']).toBeUndefined();
  });

  it.each(effects)('after the effect of %s has done it once', async (name, op) => {
    const real = h.engine.command.bind(h.engine);
    h.engine.command = async (shard, command) => {
      const result = await real(shard, command);
      if (command.op === op) throw new Error('the process died');
      return result;
    };
    expect((await h.call(...write(name), key)).status).toBe(500);
    const next = restart(h);
    const before = next.engine.head(next.engine.placement('acc')).sequence;
    const again = await next.call(...write(name), key);
    expect(again.status).toBeLessThan(300);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(next.engine.head(next.engine.placement('acc')).sequence).toBe(before);
  });

  it('in the middle of an import leaves a key that the import can take up again', async () => {
    const headers = { 'content-type': 'application/x-ndjson', ...key };
    const lines = ['a', 'b'].map((id) => JSON.stringify({ account: { id } })).join('\n');
    dieAt('import');
    expect((await h.call('POST', '/v1/bulk/accounts', lines, headers)).status).toBe(500);
    const next = restart(h);
    expect((await next.call('POST', '/v1/bulk/accounts', lines, headers)).body).toMatchObject({ accounts: 2 });
  });
});

describe('an unknown outcome', () => {
  it('binds the key, and the same request learns what happened', async () => {
    const real = h.engine.command.bind(h.engine);
    h.engine.command = async (shard, command) => {
      const result = await real(shard, command);
      if (command.op === 'payment') throw new ShardError('timeout', shard);
      return result;
    };
    const lost = await h.call('POST', '/v1/payments', payment, key);
    expect([lost.status, lost.body.code, lost.headers['retry-after']]).toEqual([504, 'outcome_unknown', '1']);
    h.engine.command = real;
    expect((await h.call('POST', '/v1/payments', { ...payment, reference: 't' }, key)).status).toBe(422);
    const again = await h.call('POST', '/v1/payments', payment, key);
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([201, 'true']);
    expect((await h.call('GET', '/v1/accounts/acc')).body.balances.posted).toBe(-5);
  });

  it('of a registered card is found again, and its number is free for nobody else', async () => {
    const body = { account: 'acc', expiry: '2912', pan: panOfNumber('999999', 7) };
    const real = h.engine.command.bind(h.engine);
    h.engine.command = async (shard, command) => {
      const result = await real(shard, command);
      if (command.op === 'create_card') throw new ShardError('timeout', shard);
      return result;
    };
    expect((await h.call('POST', '/v1/cards', body, key)).status).toBe(504);
    h.engine.command = real;
    const again = await h.call('POST', '/v1/cards', body, key);
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([201, 'true']);
    expect((await h.call('POST', '/v1/cards', body, { 'idempotency-key': 'k-2' })).body.code).toBe('card_exists');
  });

  it('of a claim did nothing', async () => {
    h.engine.before = (command) => {
      if (command.op === 'claim_key') throw new ShardError('busy', 0);
    };
    const answer = await h.call('POST', '/v1/payments', payment, key);
    expect([answer.status, answer.body.code]).toEqual([503, 'shard_unavailable']);
    expect((await h.call('GET', '/v1/accounts/acc')).body.balances.posted).toBe(0);
  });
});

describe('a profile', () => {
  it('is repeated while it is the last one, and its key belongs to what was asked for', async () => {
    const first = await h.call('POST', '/v1/profile?thread=control&seconds=0.01', undefined, key);
    expect(first.status).toBe(200);
    const again = await h.call('POST', '/v1/profile?thread=control&seconds=0.01', undefined, key);
    expect([again.status, again.text, again.headers['idempotent-replayed']]).toEqual([200, first.text, 'true']);
    const other = await h.call('POST', '/v1/profile?thread=control&seconds=0.02', undefined, key);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
  });
});
