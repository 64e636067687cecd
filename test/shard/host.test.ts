import { describe, expect, it } from 'vitest';
import type { Fields } from '#src/iso8583/message.js';
import { commitUs, turnUs } from '#src/ring/turn-times.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { Harness, purchase } from './harness.js';

describe('shard host: one message', () => {
  it('approves, holds and echoes', () => {
    const h = new Harness();
    const card = h.open(1, 1);
    const reply = h.ask(card, purchase(1, 1234));
    expect(reply[39]).toBe('00');
    expect(reply[0]).toBe('0110');
    expect(reply[38]).toMatch(/^\d{6}$/);
    for (const field of [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 63])
      expect(reply[field], `DE${field}`).toBe(purchase(1, 1234)[field]);
    for (const field of [2, 14, 18, 22, 25, 43]) expect(reply[field], `DE${field}`).toBeUndefined();
    expect(h.balances(1, card.account)).toEqual({ posted: 0, held: 1234 });
  });

  it('says with each reply how long its turn took, and its commit', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.stepUs = 160;
    const times = (token: number): [turn: number, commit: number] => {
      h.turn();
      const word = h.answers.get(token)!.turn;
      return [turnUs(word), commitUs(word)];
    };
    const [turn, commit] = times(h.send(card, purchase(1, 100)));
    expect(commit).toBe(160);
    expect(turn).toBeGreaterThan(commit);
    expect(turn % 160).toBe(0);
    // A repeat is not recorded: nothing to commit, and nothing of the commit before.
    const again = times(h.send(card, purchase(1, 100, { 0: '0101' })));
    expect(again[1]).toBe(0);
    expect(again[0]).toBeLessThan(turn);
  });

  it('answers a repeat from the record, without a second effect', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const first = h.ask(card, purchase(1, 1234));
    const again = h.ask(card, purchase(1, 1234, { 0: '0101' }));
    expect(again[38]).toBe(first[38]);
    expect(again[0]).toBe('0110');
    expect(h.balances(0, card.account).held).toBe(1234);
    const other = h.ask(card, purchase(1, 9999));
    expect(other[39]).toBe('94');
  });

  it('gives codes by its key, and needs none to replay them', () => {
    const codes = (h: Harness, card: { shard: number; slot: number }, from: number): (string | undefined)[] =>
      Array.from({ length: 20 }, (_, n) => h.ask(card, purchase(from + n, 1))[38]);
    const [one, other] = [new Harness({ approvalKey: [1, 2, 3, 4] }), new Harness({ approvalKey: [1, 2, 3, 5] })];
    const given = codes(one, one.open(0, 1), 1);
    const card = other.open(0, 1);
    expect(codes(other, card, 1).filter((code, n) => code === given[n]).length).toBeLessThan(3);
    const next = new Harness({ journal: one.journal, approvalKey: [9, 9, 9, 9] });
    expect(next.shard(0).digest).toEqual(one.shard(0).digest);
    expect(codes(next, card, 1)).toEqual(given);
    expect(codes(next, card, 100)).not.toEqual(given);
  });

  it('answers a repeat that arrives in the same turn as its original', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const one = h.send(card, purchase(1, 100));
    const two = h.send(card, purchase(1, 100, { 0: '0101' }));
    h.turn();
    expect(h.answers.get(two)?.fields[38]).toBe(h.answers.get(one)?.fields[38]);
    expect(h.balances(0, card.account).held).toBe(100);
  });

  it('reverses by DE90 and answers the repeated approval 68', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(7, 500));
    const reversal = purchase(8, 500, {
      0: '0400',
      37: '000000000800',
      90: `0100000007061512000000000123456${'0'.repeat(11)}`,
    });
    delete reversal[63];
    expect(h.ask(card, reversal)[39]).toBe('00');
    expect(h.ask(card, { ...reversal, 0: '0401' })[0]).toBe('0410');
    expect(h.balances(0, card.account).held).toBe(0);
    expect(h.ask(card, purchase(7, 500, { 0: '0101' }))[39]).toBe('68');
  });

  it('answers 14 for an unknown card and 30 naming nothing it does not know', () => {
    const h = new Harness();
    expect(h.ask(undefined, purchase(1, 100))[39]).toBe('14');
    const card = h.open(0, 1);
    const missing = purchase(2, 100);
    delete missing[49];
    expect(h.ask(card, missing)[39]).toBe('30');
  });

  it('answers a balance inquiry with ledger and available in DE54', () => {
    const h = new Harness();
    const card = h.open(0, 1, 10_000);
    h.ask(card, purchase(1, 2500));
    const reply = h.ask(card, purchase(2, 0, { 3: '310000' }));
    expect(reply[39]).toBe('00');
    expect(reply[54]).toBe('0001986C0000000000000002986C000000007500');
  });

  it('leaves a balance of more than twelve digits out of DE54', () => {
    const h = new Harness();
    const inquiry = (card: Parameters<typeof h.ask>[0], stan: number): Fields =>
      h.ask(card, purchase(stan, 0, { 3: '310000' }));
    const most = h.open(0, 1, 999_999_999_999);
    expect(inquiry(most, 1)[54]).toBe('0001986C0000000000000002986C999999999999');
    h.command(0, { op: 'payment', account: most.account, amount: 1, currency: 986, reference: 'one more' });
    const available = inquiry(most, 2);
    expect([available[39], available[54]]).toEqual(['00', '0001986C000000000001']);
    h.command(0, { op: 'payment', account: most.account, amount: 999_999_999_999, currency: 986, reference: 'more' });
    const nothing = inquiry(most, 3);
    expect([nothing[39], nothing[54]]).toEqual(['00', undefined]);
    expect(h.logs).toEqual([]);
  });

  it('gives the approved amount in DE6 of a partial approval only where DE6 is in the account currency', () => {
    const h = new Harness();
    const partial = (stan: number, over: Fields): Fields =>
      h.ask(h.open(0, stan, 700), purchase(stan, 1000, { 48: '61011', 6: '000000005000', ...over }));
    const replies = [
      partial(1, { 51: '986' }),
      partial(2, { 51: '840' }),
      partial(3, {}),
      partial(4, { 49: '840', 51: '986', 6: '000000001400' }),
    ];
    expect(replies.map((reply) => [reply[39], reply[4], reply[6], reply[51]])).toEqual([
      ['10', '000000000700', '000000000700', '986'],
      ['10', '000000000700', undefined, '840'],
      ['10', '000000000700', undefined, undefined],
      ['10', '000000000500', '000000000700', '986'],
    ]);
    expect(h.logs).toEqual([]);
  });

  it('refuses what is past its deadline without deciding it', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 100), 'iso87-bcd', 1);
    h.advance(5);
    h.turn();
    expect(h.answers.get(token)?.fields[39]).toBe('91');
    expect(h.balances(0, card.account).held).toBe(0);
  });

  it('takes what tells of something that has happened, however late it comes to it', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 100));
    h.ask(card, purchase(2, 30));
    const late = (fields: Fields): number => h.send(card, fields, 'iso87-bcd', 1);
    const tokens = [
      late(purchase(3, 100, { 0: '0400', 90: `0100000001${purchase(1, 1)[7]}${'0'.repeat(22)}` })),
      late(purchase(4, 500, { 0: '0120', 39: '00', 38: '000123' })),
      late(purchase(2, 30, { 0: '0101' })),
    ];
    h.advance(5);
    h.turn();
    // Nobody waits for the answer to a repeat any more; its decision stands as it was.
    expect(tokens.map((token) => h.answers.get(token)?.fields[39])).toEqual(['00', '00', '91']);
    expect(h.balances(0, card.account).held).toBe(530);
  });

  it('rolls back an approval that was not delivered, and answers its repeat 68', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 100));
    h.turn();
    const answer = h.answers.get(token)!;
    expect(answer.flag).toBe(1);
    h.notDelivered(card.shard, answer.sequence);
    h.turn();
    expect(h.balances(0, card.account).held).toBe(0);
    expect(h.ask(card, purchase(1, 100, { 0: '0101' }))[39]).toBe('68');
  });
});

describe('shard host: restart', () => {
  it('has the same balances and the same answers after a recovery from the journal', () => {
    const journal = new MemoryStore();
    const before = new Harness({ journal });
    const card = before.open(1, 1);
    const first = before.ask(card, purchase(1, 700));
    before.ask(card, purchase(2, 300));
    const after = new Harness({ journal });
    expect(after.recovered).toBe(4);
    expect(after.balances(1, card.account)).toEqual({ posted: 0, held: 1000 });
    expect(after.ask(card, purchase(1, 700, { 0: '0101' }))[38]).toBe(first[38]);
    expect(after.directory.find(1001, 2, 3)).toBe((1 << 24) | card.slot);
  });
});

describe('shard host: profile', () => {
  it('hands a CPU profile of its own thread over while it goes on working, one at a time', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.profile(1);
    h.turn();
    h.profile(1);
    expect(h.ask(card, purchase(1, 100))[39]).toBe('00');
    expect(h.profiles).toEqual(['']);
    h.advance(1001);
    h.turn();
    const profile = JSON.parse(h.profiles[1]!) as { nodes: unknown[]; samples: number[] };
    expect(profile.nodes.length).toBeGreaterThan(1);
    expect(profile.samples.length).toBeGreaterThan(0);
  });
});

describe('shard host: stage times', () => {
  it('are taken of the first message: queue, decode, decide and encode', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const { queue, decode, decide, encode } = h.context.ports.instruments;
    h.ask(card, purchase(1, 100));
    expect([queue, decode, decide, encode].map((histogram) => histogram.count)).toEqual([1, 1, 1, 1]);
  });
});
