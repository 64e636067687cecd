import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventKind, Response, responseCode } from '#src/domain/codes.js';
import type { MessageEvent } from '#src/domain/events.js';
import { isRequest } from '#src/domain/originals.js';
import { ShardState } from '#src/domain/shard-state.js';
import { long } from '../support/long.js';
import { applyRecorded, heldTotal } from './book.js';
import { Player } from './histories.js';
import { anyOperation, operation, operationOf, type Weights } from './operations.js';
import { RULES } from './reference/rules.js';
import { start } from './velocity-arbitraries.js';

/** HOLDFAST_LONG=10 runs ten times as many histories. */
const times = (runs: number): number => runs * long;

/** Thousands of histories take seconds; a busy machine must not fail them. */
const PATIENCE_MS = times(300_000);

const history = fc.array(operation, { maxLength: 60, size: 'max' });

/**
 * Histories that are mostly about one subject, and the cases of the model (`ReferenceModel.seen`) that they must reach; a
 * property that never gets there would say nothing.
 */
interface Subject {
  focus: Weights;
  /** Times at which histories begin; otherwise all begin at the same. */
  start?: fc.Arbitrary<number>;
  cases: readonly string[];
}

const SUBJECTS: Record<string, Subject> = {
  rules: {
    focus: {
      ...{ purchase: 40, request: 12, program: 5, pause: 2, advise: 2, wait: 1 },
      ...{ account: 0, card: 0, list: 0, token: 0, replace: 0, limit: 0, sweep: 0, change: 8, limits: 6, controls: 1 },
    },
    cases: RULES.flatMap((_, rule) => [`active rule ${rule}`, `shadow rule ${rule}`]),
  },
  'changes of the program': {
    focus: {
      purchase: 12,
      request: 15,
      program: 8,
      advise: 8,
      change: 8,
      retry: 0,
      sweep: 3,
      account: 0,
      card: 2,
      list: 0,
      limits: 0,
    },
    cases: [
      'a type that is served nowhere, forbidden',
      'transaction_type_forbidden',
      'another DE39 for a reason',
      'an increment under another program than its authorization',
      'a fuel pump that is declined when short',
      'a fuel pump that is granted 0',
      'a fuel pump that is granted 90000',
      'no partial approval',
      'account funding',
      'a payment to the card',
      'a fee of another program',
      'a refusal by the defaults of the program',
    ],
  },
  'what cannot be understood': {
    focus: {
      ...{ request: 30, purchase: 10, change: 15, reverse: 12, wait: 1, sweep: 0, undelivered: 1 },
      ...{ account: 0, card: 0, list: 0, limits: 0, limit: 0, token: 0, replace: 0 },
    },
    cases: [
      ...['DE7', 'DE12', 'DE13', 'DE14'].map((field) => `${field} that cannot be, class 1`),
      ...['DE7', 'DE12', 'DE13'].map((field) => `${field} that cannot be, class 4`),
      'an increment of nothing that does not tell its cash back',
    ],
  },
  'PIN tries': {
    focus: { 'with pin': 20, tries: 10, program: 3, token: 4, account: 0, card: 1, list: 0, limits: 1, sweep: 0 },
    cases: [
      'a PIN that may be tried',
      'a PIN that may be tried by a token',
      'a PIN too many',
      'a PIN too many by a token',
      'a card is unblocked',
      'pin_tries_exceeded',
    ],
  },
  'totals of acquirers': {
    focus: {
      ...{ purchase: 20, request: 15, reverse: 10, advise: 4, ask: 4, undelivered: 3, sweep: 0, wait: 5, refund: 8 },
      ...{ account: 0, card: 0, list: 0, limits: 0, limit: 0, token: 0, replace: 0 },
    },
    cases: [
      'a fee that falls with its cash',
      'reversal on another date',
      ...[74, 75, 76, 77, 80, 81, 86, 87, 88, 89, 97].map((field) => `DE${field}`),
    ],
  },
  'shipments and lost messages': {
    focus: {
      ...{
        purchase: 15,
        request: 4,
        ship: 15,
        unship: 8,
        advise: 15,
        reverse: 15,
        change: 4,
        ask: 3,
        tell: 22,
        undelivered: 3,
        sweep: 1,
        wait: 1,
      },
      ...{ account: 0, card: 0, list: 0, limits: 3, limit: 0, token: 0, replace: 0 },
    },
    cases: [
      'a part on top of others',
      'a part that leaves a hold',
      'reversal of a part',
      'a part that is brought down to DE95',
      'a reversal of another message of a purchase',
      'a reversal of the change that came first',
      'a reversal of what only others have posted',
      'a rest that is held beside what is posted',
      'another cash part in stand-in',
      'what began before a part of it, posted',
      'a fee that falls with its cash',
    ],
  },
  'tokens, replacements and statuses': {
    focus: {
      purchase: 25,
      request: 4,
      token: 4,
      replace: 3,
      card: 4,
      list: 4,
      account: 2,
      limits: 3,
      limit: 0,
      sweep: 1,
    },
    cases: [
      'token_inactive',
      'token_paused',
      'token_closed',
      'token_expired',
      'card_inactive',
      'card_paused',
      'card_lost',
      'card_stolen',
      'card_closed',
      'card_expired',
      'expiry_mismatch',
      'account_frozen',
      'account_closed',
      'repeat by another number',
      'reversal by another number',
      'listing of a token',
      'a second replacement of one card',
      'a status beside a listing',
      'a limit that a replaced card used up',
    ],
  },
  'stand-in, second attempts and replaced cards': {
    focus: {
      ...{ purchase: 15, request: 2, advise: 15, change: 15, reverse: 10, retry: 10, 'late original': 10, replace: 2 },
      ...{ tell: 20, undelivered: 10 },
      ...{ account: 0, card: 0, list: 0, limits: 2, limit: 0, sweep: 1, wait: 1 },
    },
    cases: [
      'a posting that is told in stand-in',
      'another amount in stand-in',
      'a change that is told',
      'a change that is told otherwise',
      'a roll-back of what the network has told',
      'a reversal that may mean a second attempt',
      'a second attempt behind its reversal',
      'reversal by a replacement',
      'increment by a replacement',
      'advice by a replacement',
      'two attempts in stand-in',
      'a declined change that is told',
      'what began before a change of it',
      'a roll-back of a replacement that had lowered',
      'an increment behind the reversal of its authorization',
    ],
  },
  'the end of holds': {
    focus: { purchase: 20, request: 4, sweep: 8, reverse: 8, wait: 1, list: 0, account: 0, card: 0, limit: 0 },
    cases: [
      'expiry',
      'expiry of a refund',
      'expiry of a rest',
      'roll-back after expiry',
      'full reversal after expiry',
      'partial reversal after expiry',
      'increment after expiry',
      'completion after expiry',
      'posting after expiry',
    ],
  },
  'controls and windows': {
    focus: {
      purchase: 20,
      request: 6,
      retry: 0,
      program: 5,
      controls: 6,
      limits: 0,
      pause: 5,
      clocks: 2,
      wait: 1,
      list: 0,
      account: 0,
      card: 0,
      limit: 0,
    },
    start,
    cases: [
      'refused by controls of the card',
      'refused by controls of the account',
      'a refusal while the clocks differ',
      '57 /channels/deny',
      '62 /countries/deny',
      '62 /countries/allow',
      '57 /mcc/deny',
      '57 /mcc/allow',
      'a category by groups of the program',
      '58 /merchants/deny',
      '58 /merchants/allow',
      '61 /per_transaction',
      '61 /velocity/n',
      '65 /velocity/n',
      '65 /velocity/declines',
      '61 /cash/per_transaction',
      '61 /cash/velocity/n',
      '65 /cash/velocity/n',
    ],
  },
};

/** A case is reached when a sample of histories comes to it so many times. */
const OFTEN = 3;

/** What must hold of every history, whatever the model says. */
function checkInvariants({ book }: Player): void {
  const codes = new Set<string>();
  const replayed = new ShardState(0);
  for (const event of book.history.events) {
    applyRecorded(replayed, event);
    if (event.kind !== EventKind.message) continue;
    const decided = event as MessageEvent;
    const { creditLimitBefore, postedBefore, heldBefore, holdDelta, cardSlot, approvalCode } = decided;
    // What the network decided may be above the limit, and its codes are its own.
    if (!isRequest(decided.element)) continue;
    if (holdDelta > 0) expect(creditLimitBefore - postedBefore - heldBefore).toBeGreaterThanOrEqual(holdDelta);
    if (approvalCode < 0) continue;
    expect(codes.has(`${cardSlot} ${approvalCode}`), `approval code ${approvalCode} given twice`).toBe(false);
    codes.add(`${cardSlot} ${approvalCode}`);
  }
  const { state } = book;
  const { high, low } = state.digest;
  expect([replayed.digest.high, replayed.digest.low]).toEqual([high, low]);
  expect([heldTotal(replayed), replayed.holdsOpen, replayed.tombstones]).toEqual([
    heldTotal(state),
    state.holdsOpen,
    state.tombstones,
  ]);
  const memo = new Map<number, bigint>();
  let difference = 0n;
  state.ledger.forEach((currency, glAccount, debit, credit) => {
    difference += debit - credit;
    if (glAccount === 9100) memo.set(currency, debit - credit);
  });
  expect(difference).toBe(0n);
  for (let slot = 0; slot < state.accounts.count; slot++) {
    expect(memo.get(state.accounts.currency(slot)) ?? 0n).toBe(BigInt(state.accounts.held(slot)));
  }
}

describe('engine and reference model', () => {
  test('answer alike and keep the same balances over random histories; the records alone give the state again', {
    timeout: PATIENCE_MS,
  }, () => {
    fc.assert(
      fc.property(history, (ops) => {
        const player = new Player();
        player.play(ops);
        checkInvariants(player);
      }),
      { numRuns: times(500) },
    );
  });

  test('so they do over long histories, with restarts in the middle', { timeout: PATIENCE_MS }, () => {
    // Without a least length, so that a failing history shrinks to a short one.
    const long = fc.array(anyOperation, { maxLength: 1000, size: 'max' });
    fc.assert(
      fc.property(long, (ops) => {
        const player = new Player();
        player.play(ops);
        checkInvariants(player);
      }),
      { numRuns: times(6) },
    );
  });

  test('a use that went back with a roll-back does not go back again when the network takes its advice back', () => {
    const limits = { op: 'limits', card: 0, amount: 60_000, count: 0 } as const;
    const request = { op: 'request', card: 0, mti: 100, pc: 0, amount: 1, currency: 0, flags: 0, merchant: 0 } as const;
    const advice = { op: 'advise', mti: 120, why: 'S', way: 'de90 without acquirer', flags: 0 } as const;
    const player = new Player();
    player.play([
      limits,
      request,
      { op: 'undelivered', back: 0 },
      { ...advice, back: 0, percent: 100 },
      { ...advice, back: 1, percent: 0 },
    ]);
    checkInvariants(player);
  });

  test('what a posted advice of nothing gave back does not go back again with a reversal', () => {
    const request = { op: 'request', card: 0, mti: 200, pc: 0, amount: 2, currency: 0, flags: 0, merchant: 0 } as const;
    const player = new Player();
    player.play([
      { op: 'limits', card: 0, amount: 0, count: 2 },
      request,
      { op: 'advise', back: 0, mti: 220, why: 'S', percent: 0, way: 'de90', flags: 0 },
      { op: 'reverse', back: 1, mti: 400, way: 'de90 without acquirer', stays: 0 },
    ]);
    checkInvariants(player);
  });

  test('what was told of a declined request and has ended since is held anew when it is told again after a month', () => {
    const advice = { op: 'advise', by: 'same', mti: 120, why: 'S' } as const;
    const player = new Player();
    player.play([
      { op: 'request', card: 2, mti: 200, pc: 0, amount: 5001, currency: 0, flags: 0, merchant: 0 },
      { ...advice, back: 0, percent: 1, way: 'de90 without acquirer', flags: 189 },
      { op: 'sweep', days: 30 },
      { ...advice, back: 0, percent: 0, way: 'hold', flags: 0 },
      { op: 'again', by: 'same', back: 1, marked: false, change: 'no' },
    ]);
    checkInvariants(player);
  });

  test('of a refund that is told in stand-in twice the second word counts, whatever function it has', () => {
    const advice = { op: 'advise', by: 'same', back: 0, why: 'S', way: 'hold' } as const;
    for (const tellsChange of [76, 120]) {
      const player = new Player();
      player.play([
        { op: 'sweep', days: 122 },
        { op: 'reverse early', card: 0, amount: 1, way: 'hold', stays: 0 },
        { op: 'refund', card: 1, amount: 1 },
        { ...advice, mti: 120, percent: 1000, flags: tellsChange },
        { ...advice, mti: 220, percent: 120, flags: 0 },
      ]);
      checkInvariants(player);
    }
  });

  test('what is told of a declined increment that has the number of a posted purchase is held', () => {
    const advice = { op: 'advise', by: 'same', back: 0, mti: 120, why: 'S' } as const;
    const rules = [0, 7].map((rule) => ({ rule, state: 'active' as const }));
    const player = new Player();
    player.play([
      { op: 'request', card: 0, mti: 200, pc: 0, amount: 10, currency: 0, flags: 0, merchant: 0 },
      { ...advice, percent: 0, way: 'hold', flags: 0 },
      { op: 'program', tables: {}, controls: {}, rules },
      { ...advice, percent: 0, way: 'hold', flags: 0 },
      { op: 'change', by: 'same', back: 2, fn: 'I', percent: 20, way: 'own', flags: 76 },
      { ...advice, percent: 50, way: 'de90 without acquirer', flags: 215 },
    ]);
    checkInvariants(player);
  });

  for (const [subject, { focus, start: begin, cases }] of Object.entries(SUBJECTS)) {
    const ops = fc.array(operationOf(focus), { maxLength: 60, size: 'max' });
    const focused = fc.tuple(begin ?? fc.constant(undefined), ops);
    // Long ones alone: what they reach in a few hundred, the property reaches as well.
    const full = fc.array(operationOf(focus), { minLength: 50, maxLength: 60, size: 'max' });
    const dense = fc.tuple(begin ?? fc.constant(undefined), full);

    test(`so they do over histories about ${subject}`, { timeout: PATIENCE_MS }, () => {
      fc.assert(
        fc.property(focused, ([startMs, played]) => {
          const player = new Player(startMs);
          player.play(played);
          checkInvariants(player);
        }),
        { numRuns: times(200) },
      );
    });

    test(`histories about ${subject} reach every case`, { timeout: PATIENCE_MS }, () => {
      const seen = new Map<string, number>();
      for (const [startMs, played] of fc.sample(dense, { numRuns: 300, seed: 7 })) {
        const player = new Player(startMs);
        player.play(played);
        for (const [what, times] of player.model.seen) seen.set(what, (seen.get(what) ?? 0) + times);
      }
      const rare = cases.filter((what) => (seen.get(what) ?? 0) < OFTEN);
      expect(rare, JSON.stringify(Object.fromEntries(seen))).toEqual([]);
    });
  }

  test('histories reach what they are meant to reach', { timeout: PATIENCE_MS }, () => {
    const seen = new Map<string, number>();
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    for (const ops of fc.sample(history, { numRuns: 800, seed: 7 })) {
      const player = new Player();
      player.play(ops);
      for (const entry of player.book.history.events) {
        if (entry.kind !== EventKind.message) {
          count(`event ${entry.kind}`);
          continue;
        }
        const event = entry as MessageEvent;
        count(`code ${event.response}`);
        if (event.tombstone === 1) count('tombstone');
        if (event.holdDelta < 0) count(event.approvedAmount > 0 ? 'partial reversal' : 'full reversal');
      }
    }
    for (const response of Object.values(Response)) {
      // 57, 75, 91 and 96 are given elsewhere, and what cryptography answers at the wire (test/shard/card-checks.test.ts).
      const { notPermitted, pinTriesExceeded, unavailable, systemError } = Response;
      const { wrongPin, pinUnreadable, wrongCvv, wrongCryptogram } = Response;
      const ofCards = [wrongPin, pinUnreadable, wrongCvv, wrongCryptogram];
      if ([notPermitted, pinTriesExceeded, unavailable, systemError, ...ofCards].includes(response as never)) continue;
      expect(seen.get(`code ${response}`) ?? 0, `response ${response.toString(16)}`).toBeGreaterThan(5);
    }
    for (const code of ['61', '65']) expect(seen.get(`code ${responseCode(code)}`) ?? 0, code).toBeGreaterThan(5);
    for (const what of ['tombstone', 'partial reversal', 'full reversal', `event ${EventKind.notDelivered}`]) {
      expect(seen.get(what) ?? 0, what).toBeGreaterThan(20);
    }
  });
});
