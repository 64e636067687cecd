/** The audit log: before the deed, once, without secrets; and what happens when it cannot be written. */
import { describe, expect, it } from 'vitest';
import type { Role } from '#src/control/roles.js';
import { isRecorded } from '#src/control/route.js';
import { SystemJournal } from '#src/journal/system-journal.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { type Harness, makeHarness } from './harness.js';

/** Rows of the log without the read itself, and without times. */
const rows = (h: Harness) => h.context.audit.rows(0, 1000).map(({ record: { atMs: _atMs, ...record } }) => record);
const actions = (h: Harness, operation: string) =>
  rows(h).filter((row) => row.type === 'action' && row.operation === operation);

describe('the audit log', () => {
  it('has who, what, where and why, then the outcome with what was made', async () => {
    const h = makeHarness();
    const why = { 'x-reason': 'ticket 12, card 9999990000000014' };
    const answer = await h.call('POST', '/v1/accounts', { id: 'acc', currency: 'BRL' }, why);
    expect(answer.status).toBe(201);
    expect(rows(h)).toEqual([
      {
        ...{ type: 'action', token: expect.stringMatching(/^tok_/), name: 'test' },
        ...{ role: 'read,write,simulate,admin', operation: 'createAccount', method: 'POST', route: '/v1/accounts' },
        ...{ target: '', reason: 'ticket 12, card 999999******0014', reveals: '', address: '127.0.0.1' },
        request: answer.headers['x-request-id'],
      },
      { type: 'outcome', of: 1, status: 201, target: 'acc' },
    ]);
  });

  it('is durable before the deed: nothing is done when the process ends in between', async () => {
    const h = makeHarness();
    let atBegin: number | undefined;
    const append = h.log.append.bind(h.log);
    h.log.append = (records) => {
      atBegin ??= h.context.audit.head().sequence;
      return append(records);
    };
    expect((await h.call('POST', '/v1/programs', { id: 'p', currency: 'BRL', bins: ['999998'] })).status).toBe(201);
    expect(atBegin).toBe(1);
  });

  it('has every call that changes or shows something exactly once, and no other', async () => {
    const h = makeHarness();
    for (const route of h.routes) {
      const before = actions(h, route.id).length;
      const url = route.path.replace('{number}', '1').replace(/\{\w+\}/g, 'sample');
      const { status } = await h.call(route.method, url, route.method === 'GET' ? undefined : {}, {
        'x-reason': 'why',
      });
      // A body that is not valid never becomes an action.
      const expected = isRecorded(route) && ![400, 415, 422].includes(status) ? 1 : 0;
      const found = actions(h, route.id).length - before;
      if ([400, 415, 422].includes(status)) expect(found).toBeLessThanOrEqual(1);
      else expect([route.id, status, found]).toEqual([route.id, status, expected]);
    }
    const of = rows(h).flatMap((row) => (row.type === 'outcome' ? [row.of] : []));
    expect(new Set(of).size).toBe(of.length);
  });

  it('has what a token was not allowed to do', async () => {
    const h = makeHarness();
    const authorization = `Bearer ${h.token('read')}`;
    const { status } = await h.call('POST', '/v1/accounts', { id: 'acc' }, { authorization });
    expect(status).toBe(403);
    expect(rows(h)).toEqual([expect.objectContaining({ type: 'denied', role: 'read', operation: 'createAccount' })]);
  });

  it('has no card number and no secret', async () => {
    const h = makeHarness();
    await h.call('POST', '/v1/accounts', { id: 'acc', currency: 'BRL' });
    const card = await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' });
    const token = await h.call('POST', '/v1/tokens', { name: 'ci', scopes: ['read'] });
    await h.call('PATCH', `/v1/cards/${card.body.pan}`, { status: 'paused' }, { 'x-reason': `for ${card.body.pan}` });
    expect(actions(h, 'createCard')).toEqual([expect.objectContaining({ reveals: 'card_numbers' })]);
    const text = JSON.stringify(rows(h));
    expect(text).toContain(token.body.id);
    expect(text).not.toContain(card.body.pan);
    expect(text).not.toContain(token.body.token.split('_').slice(2).join('_'));
  });

  it('has every look at a whole card number, which needs a role and a reason', async () => {
    const h = makeHarness();
    await h.call('POST', '/v1/accounts', { id: 'acc', currency: 'BRL' });
    const { body: card } = await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' });
    const url = `/v1/cards/${card.id}/pan`;
    const ask = (role: Role, reason?: string) =>
      h.call('GET', url, undefined, {
        authorization: `Bearer ${h.roleToken(role)}`,
        ...(reason === undefined ? {} : { 'x-reason': reason }),
      });
    for (const role of ['viewer', 'operator', 'auditor', 'key-custodian-a'] as const)
      expect((await ask(role, 'case 7')).body.code).toBe('forbidden');
    for (const reason of [undefined, '', '  ']) expect((await ask('risk', reason)).body.code).toBe('reason_missing');
    expect(actions(h, 'revealCardNumber')).toEqual([]);
    const shown = await ask('risk', 'case 7');
    expect([shown.status, shown.body]).toEqual([200, { object: 'card_number', card: card.id, pan: card.pan }]);
    expect(actions(h, 'revealCardNumber')).toEqual([
      expect.objectContaining({ role: 'risk', target: card.id, reason: 'case 7', reveals: 'card_numbers' }),
    ]);
    expect((await h.call('GET', '/v1/cards/card_x/pan', undefined, { 'x-reason': 'y' })).status).toBe(404);
    expect(JSON.stringify(rows(h))).not.toContain(card.pan);
    expect(h.logged()).not.toContain(card.pan);
  });

  it('is read on from where one was, and reading is recorded', async () => {
    const h = makeHarness();
    for (let i = 0; i < 5; i++) await h.call('POST', '/v1/accounts', { id: `a${i}`, currency: 'BRL' });
    const first = await h.call('GET', '/v1/audit?limit=4');
    expect(first.body.data.map((one) => one.sequence)).toEqual([1, 2, 3, 4]);
    expect(first.body).toMatchObject({ has_more: true, next_cursor: 4 });
    const rest = await h.call('GET', `/v1/audit?after=${first.body.next_cursor}`);
    expect(rest.body.data[0].sequence).toBe(5);
    expect(rest.body.data.filter((one) => one.reveals === 'audit_log')).toHaveLength(2);
    expect(rest.body.has_more).toBe(false);
    expect(rest.body.head).toEqual({ sequence: rest.body.next_cursor, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const after = await h.call('GET', '/v1/audit?after=999');
    expect(after.body).toMatchObject({ data: [], has_more: false, next_cursor: 999 });
    for (const wrong of ['limit=0', 'limit=1001', 'after=-1', 'after=x', 'before=1'])
      expect((await h.call('GET', `/v1/audit?${wrong}`)).status).toBe(400);
  });

  it('shares a commit among calls of one moment', async () => {
    const store = new MemoryStore();
    const h = makeHarness({ audit: SystemJournal.over(store) });
    await Promise.all(Array.from({ length: 20 }, (_, i) => h.call('POST', '/v1/accounts', { id: `a${i}` })));
    expect(rows(h)).toHaveLength(40);
    expect(store.commits).toBeLessThan(20);
  });
});

describe('an audit log that cannot be written', () => {
  it('stops what must be recorded, for good, and nothing else', async () => {
    const store = new MemoryStore();
    const h = makeHarness({ audit: SystemJournal.over(store) });
    await h.call('POST', '/v1/accounts', { id: 'acc', currency: 'BRL' });
    h.context.audit.flush();
    store.faults.failCommit = store.commits + 1;
    const commands = h.engine.commands.length;
    for (const [method, url, body] of [
      ['POST', '/v1/accounts', { id: 'other', currency: 'BRL' }],
      ['POST', '/v1/cards', { account: 'acc', expiry: '2912' }],
      ['DELETE', '/v1/tokens/tok_000000000000', undefined],
      ['GET', '/v1/outgoing-files/out_x/content', undefined],
      ['GET', '/v1/cards/card_x/pan', undefined],
      ['GET', '/v1/audit', undefined],
    ] as const) {
      const answer = await h.call(method, url, body, { 'x-reason': 'case 7' });
      expect([url, answer.status, answer.body.code]).toEqual([url, 503, 'audit_unavailable']);
    }
    expect(h.engine.commands).toHaveLength(commands);
    expect(h.context.audit.failed).toBe(true);
    expect((await h.call('GET', '/v1/accounts/acc')).status).toBe(200);
    expect((await h.call('GET', '/v1/accounts/other')).status).toBe(404);
    expect((await h.call('GET', '/livez')).status).toBe(200);
  });
});
