import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ElementRecord, foldElements } from '#src/control/authorization-totals.js';
import { ElementKind, EventKind, Response } from '#src/domain/codes.js';
import { type HoldExpired, MessageEvent } from '#src/domain/events.js';
import { HoldFlag } from '#src/domain/hold-table.js';
import { makeHarness } from './harness.js';

type Message = ElementRecord & { message: MessageEvent };

function message(sequence: number, fields: Partial<MessageEvent>): Message {
  const event = new MessageEvent();
  Object.assign(event, { sequence, response: Response.approved, ...fields });
  return { sequence, message: event };
}

function expiry(sequence: number, holdDelta: number, authorizedAfter = 0): ElementRecord {
  const event: HoldExpired = {
    ...{ kind: EventKind.holdExpired, sequence, timeMs: 0, accountSlot: 0, cardSlot: 0, originalSequence: 1 },
    ...{ authorizedAfter, holdDelta, changes: new Uint8Array(0), previousOfAccount: 0, previousOfCard: 0 },
  };
  return { sequence, event };
}

const held = message(1, { approvedAmount: 100, authorizedAfter: 100, holdDelta: 100, holdExpiresMs: 1 });
const none = { authorized: 0, incremented: 0, reversed: 0, expired: 0, cleared: 0, refunded: 0, held: 0 };

describe('the end of a hold', () => {
  it('releases what remains', () => {
    const { totals, status, effects } = foldElements(held, [expiry(2, -100)]);
    expect(totals).toEqual({ ...none, authorized: 100, expired: 100 });
    expect(status).toBe('expired');
    expect(effects.get(2)).toEqual({ standingBefore: 100, standingAfter: 0, heldBefore: 100, heldAfter: 0 });
  });

  it('behind a partial reversal releases the rest', () => {
    const part = message(2, {
      element: ElementKind.reversal,
      originalSequence: 1,
      authorizedAfter: 60,
      holdDelta: -40,
    });
    const { totals, status } = foldElements(held, [part, expiry(3, -60)]);
    expect(totals).toEqual({ ...none, authorized: 100, reversed: 40, expired: 60 });
    expect(status).toBe('expired');
  });

  it('of what was posted releases nothing and changes no status', () => {
    const posted = message(2, { element: ElementKind.completion, originalSequence: 1, holdDelta: -100 });
    posted.message.postings.setAll([
      { glAccount: 1100, amount: 100 },
      { glAccount: 2100, amount: -100 },
    ]);
    const { totals, status } = foldElements(held, [posted, expiry(3, 0, 100)]);
    expect(totals).toEqual({ ...none, authorized: 100, cleared: 100 });
    expect(status).toBe('cleared');
  });

  it('a posting that comes later still counts as cleared', () => {
    const posted = message(3, { element: ElementKind.completion, originalSequence: 1, approvedAmount: 90 });
    posted.message.postings.setAll([
      { glAccount: 1100, amount: 90 },
      { glAccount: 2100, amount: -90 },
    ]);
    const { totals, status } = foldElements(held, [expiry(2, -100), posted]);
    expect(totals).toEqual({ ...none, authorized: 100, incremented: 90, expired: 100, cleared: 90 });
    expect(status).toBe('cleared');
  });

  it('of an announced refund expires what was announced', () => {
    const refund = message(1, {
      ...{ element: ElementKind.refundAuthorization, approvedAmount: 30, authorizedAfter: 30 },
      ...{ holdFlags: HoldFlag.refund, holdExpiresMs: 1 },
    });
    expect(foldElements(refund, [])).toMatchObject({ totals: { ...none, authorized: 30 }, status: 'pending' });
    const { totals, status } = foldElements(refund, [expiry(2, 0)]);
    expect(totals).toEqual({ ...none, authorized: 30, expired: 30 });
    expect(status).toBe('expired');
  });
});

/** One thing that happens to a card: which call, how much, and to which of the authorizations so far. */
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(
      ...['authorization', 'single', 'increment', 'replace', 'completion', 'post', 'reversal', 'partial'],
      ...['announce', 'refund', 'post_refund', 'stand_in', 'force_post', 'roll_back', 'undo_last', 'expire'],
      ...['clear', 'clear_part', 'clear_refund', 'take_back'],
    ),
    amount: fc.integer({ min: 1, max: 40_000 }),
    at: fc.nat(),
  }),
  { minLength: 5, maxLength: 25 },
);

describe('totals', () => {
  it('add up over whatever happens, and agree with the account', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const h = makeHarness({ shards: 1 });
        await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000 });
        const { id: card } = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body;
        const ids: string[] = [];
        let forced = 0;
        for (const { kind, amount, at } of list) {
          const authorization = ids[at % Math.max(1, ids.length)];
          const calls: Record<string, [string, object]> = {
            authorization: ['authorization', { card, amount }],
            single: ['authorization', { card, amount, single_message: true }],
            increment: ['increment', { authorization, amount }],
            replace: ['increment', { authorization, amount, replace: true }],
            completion: ['advice', { authorization, amount, reason: 'completion' }],
            post: ['advice', { authorization, amount, reason: 'completion', financial: true }],
            stand_in: ['advice', { card, amount, reason: 'stand_in_approved' }],
            reversal: ['reversal', { authorization }],
            partial: ['reversal', { authorization, remaining: amount }],
            announce: ['refund', { card, amount, announce: true }],
            refund: ['refund', { card, amount }],
            post_refund: ['refund', { authorization, amount }],
            force_post: ['force_post', { card, amount }],
            expire: ['expire', { authorization }],
            clear: ['clearing', { authorization, amount }],
            clear_part: ['clearing', { authorization, amount, partial: true }],
            clear_refund: ['refund', { authorization, amount, clearing: true }],
            take_back: ['clearing', { authorization, reversal: true }],
          };
          const last =
            authorization === undefined
              ? undefined
              : (await h.call('GET', `/v1/authorizations/${authorization}`)).body.elements.at(-1)!.id;
          calls.undo_last = ['reversal', { authorization: last }];
          if (kind === 'roll_back') {
            const place = last === undefined ? undefined : h.context.ids.decode('evt', `evt${last.slice(4)}`);
            if (place !== undefined) await h.engine.notDelivered(place.shard, place.number);
            continue;
          }
          const [call, body] = calls[kind]!;
          const answer = await h.call('POST', `/v1/simulate/${call}`, body);
          // Without an authorization to speak of, or an open hold, or a refund that is none.
          if (answer.status !== 201) expect(answer.status).toBe(422);
          // A clearing of what was declined is a force post: it belongs to no authorization.
          else if (answer.body.authorization === null) forced += answer.body.clearing.amount;
          else if (!ids.includes(answer.body.authorization.id)) ids.push(answer.body.authorization.id);
        }
        const account = (await h.call('GET', '/v1/accounts/acc')).body.balances;
        let [heldSum, postedSum] = [0, forced];
        for (const id of ids) {
          const { totals, type, status, hold } = (await h.call('GET', `/v1/authorizations/${id}`)).body;
          for (const value of Object.values(totals)) expect(value).toBeGreaterThanOrEqual(0);
          const { authorized, incremented, reversed, expired, cleared, refunded } = totals;
          const announced = authorized + incremented - reversed - expired - totals.held - cleared - refunded;
          if (type === 'refund_authorization') expect(announced).toBeGreaterThanOrEqual(0);
          else expect(announced, `${id} ${JSON.stringify(totals)}`).toBe(0);
          expect(hold?.remaining ?? 0).toBe(totals.held);
          if (status === 'reversed') expect(totals.held + cleared + refunded).toBe(0);
          heldSum += totals.held;
          postedSum += cleared - refunded;
        }
        expect([heldSum, postedSum]).toEqual([account.held, account.posted]);
        const { data } = (await h.call('GET', '/v1/accounts/acc/entries?limit=100')).body;
        const entries = data as { amount: number; balance_after: number }[];
        expect(entries.reduce((sum, { amount }) => sum + amount, 0)).toBe(account.posted);
        let balance = account.posted;
        for (const { amount, balance_after: after } of entries) {
          expect(after).toBe(balance);
          balance -= amount;
        }
        h.engine.close();
      }),
      { numRuns: 15 },
    );
  });
});
