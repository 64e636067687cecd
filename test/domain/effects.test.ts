/** The fold of the records that carry more than a hold: programs, controls, expiries, roll-backs of what was posted. */
import { describe, expect, it } from 'vitest';
import { applyEvent, applyMessage } from '#src/domain/apply.js';
import { AccountType, CardStatus, ElementKind, EventKind } from '#src/domain/codes.js';
import { RowCursor } from '#src/domain/columns.js';
import { decideExpiry, firstDue, newExpiry } from '#src/domain/decide-expiry.js';
import { MessageEvent, type PlainEvent } from '#src/domain/events.js';
import type { History } from '#src/domain/history.js';
import { HoldFlag } from '#src/domain/hold-table.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import { ShardState } from '#src/domain/shard-state.js';
import { Table } from '#src/domain/tables.js';
import { accountOwner, CounterChanges, cardOwner } from '#src/domain/velocity/counter-changes.js';
import { trailingShape, windowKey } from '#src/domain/velocity/windows.js';

const NOW = 1_790_000_000_000;
const key = windowKey(trailingShape(3600), 'approvals');

function opened(): ShardState {
  const state = new ShardState(0);
  const head = { timeMs: NOW, accountSlot: 0 };
  applyEvent(state, {
    ...head,
    kind: EventKind.accountCreated,
    sequence: 1,
    id: 'a',
    program: 0,
    currency: 986,
    creditLimit: 100_000,
    type: AccountType.credit,
  });
  applyEvent(state, {
    ...head,
    kind: EventKind.cardCreated,
    sequence: 2,
    cardSlot: 0,
    fingerprint: [1, 2, 3],
    bin: 999999,
    last4: 1234,
    panLength: 16,
    expiry: 2912,
    cardSequence: 1,
    serviceCode: 201,
    status: CardStatus.active,
    replacesSlot: -1,
    aliasOfSlot: -1,
    previousOfAccount: 1,
  });
  return state;
}

/** An approval of 700 that holds, counts and, with `posted`, posts instead of holding. */
function approval(sequence: number, posted = false): MessageEvent {
  const event = new MessageEvent();
  event.sequence = sequence;
  event.timeMs = NOW;
  event.element = ElementKind.authorization;
  event.accountSlot = 0;
  event.cardSlot = 0;
  event.approvedAmount = 700;
  event.authorizedAfter = 700;
  if (posted) {
    event.postings.add(1100, 700);
    event.postings.add(2100, -700);
  } else {
    event.holdDelta = 700;
    event.holdExpiresMs = NOW + 1000;
  }
  event.changes.add(cardOwner(0), key, Math.floor(NOW / 225_000), 700, 1);
  return event;
}

/** What the approval counted, given back. */
function givenBack(): Uint8Array {
  const changes = new CounterChanges();
  changes.add(cardOwner(0), key, Math.floor(NOW / 225_000), -700, -1);
  const bytes = new Uint8Array(changes.packedMax);
  return bytes.slice(0, changes.pack(bytes, 0));
}

function counted(state: ShardState): [amount: number, count: number] {
  const amounts = new Float64Array(1);
  const counts = new Float64Array(1);
  state.velocity.read(cardOwner(0), Float64Array.of(key), Float64Array.of(Math.floor(NOW / 225_000)), amounts, counts);
  return [amounts[0]!, counts[0]!];
}

const balances = ({ accounts }: ShardState): number[] => [accounts.posted(0), accounts.held(0)];

/** Every entry that a checkpoint of the state would write, read into an empty one. */
function recovered(state: ShardState): ShardState {
  const copy = new ShardState(0);
  state.takeDirty(Number.MAX_SAFE_INTEGER, (table, entry) => {
    const bytes = new Uint8Array(state.entryBytes(table, entry));
    const length = state.writeEntry(table, entry, bytes, 0);
    copy.readEntry(table, entry, bytes, 0, length);
  });
  return copy;
}

const digestOf = ({ digest }: ShardState): number[] => [digest.high, digest.low];

describe('a record that the state includes already', () => {
  it('changes no hold again', () => {
    const state = opened();
    applyMessage(state, approval(3));
    const increment = approval(4);
    increment.element = ElementKind.increment;
    increment.originalSequence = 3;
    increment.approvedAmount = 100;
    increment.holdDelta = 100;
    increment.authorizedAfter = 800;
    const before: unknown[] = [];
    for (let times = 0; times < 2; times++) {
      applyMessage(state, increment);
      const slot = state.holds.find(3);
      before.push([state.holds.remaining(slot), state.holds.authorized(slot), balances(state), digestOf(state)]);
    }
    expect(before[0]).toEqual([800, 800, [0, 800], digestOf(state)]);
    expect(before[1]).toEqual(before[0]);
  });

  it('is no second tombstone', () => {
    const state = opened();
    const reversal = approval(3);
    reversal.element = ElementKind.reversal;
    reversal.tombstone = 1;
    reversal.holdDelta = 0;
    reversal.holdExpiresMs = 0;
    reversal.authorizedAfter = 0;
    reversal.changes.clear();
    for (let times = 0; times < 2; times++) {
      applyMessage(state, reversal);
      expect(state.tombstones).toBe(1);
    }
  });
});

describe('the end of a hold', () => {
  const expired = (sequence: number): PlainEvent => ({
    kind: EventKind.holdExpired,
    sequence,
    timeMs: NOW,
    accountSlot: 0,
    cardSlot: 0,
    originalSequence: 3,
    authorizedAfter: 0,
    holdDelta: -700,
    changes: givenBack(),
    previousOfAccount: 3,
    previousOfCard: 3,
  });

  it('releases what remains and gives back what it counted, once', () => {
    const state = opened();
    applyMessage(state, approval(3));
    expect(balances(state)).toEqual([0, 700]);
    expect(counted(state)).toEqual([700, 1]);
    applyEvent(state, expired(4));
    expect(balances(state)).toEqual([0, 0]);
    expect(state.holdsOpen).toBe(0);
    expect(counted(state)).toEqual([0, 0]);
    const before = digestOf(state);
    applyEvent(state, expired(4));
    expect([balances(state), digestOf(state)]).toEqual([[0, 0], before]);
  });

  it('is in no state twice, whatever a checkpoint had already', () => {
    const state = opened();
    applyMessage(state, approval(3));
    applyEvent(state, expired(4));
    const copy = recovered(state);
    applyMessage(copy, approval(3));
    applyEvent(copy, expired(4));
    expect(balances(copy)).toEqual([0, 0]);
    expect(digestOf(copy)).toEqual(digestOf(state));
  });
});

/** Nothing that these tests decide needs the past. */
const unasked = (): never => {
  throw new Error('the past was asked');
};
const noHistory: History = { floor: 0, find: unasked, read: unasked, readEvent: unasked, isMessage: unasked };

describe('what the end of a hold is decided to be', () => {
  const decided = (state: ShardState) => {
    const event = newExpiry();
    const slot = firstDue(state, NOW + 1000);
    expect(slot).toBeGreaterThanOrEqual(0);
    decideExpiry({ state, history: noHistory, keys: new IndexKeys(1, 2) }, slot, event);
    return event;
  };

  it('releases what remains and keeps authorized what was cleared', () => {
    const state = opened();
    applyMessage(state, approval(3));
    const slot = state.holds.find(3);
    // Cleared in part: the authorized total stays, what is held goes down.
    state.holds.change(slot, 700, -200, 0, 0, 4);
    expect(firstDue(state, NOW + 999)).toBe(-1);
    expect(decided(state)).toEqual({
      kind: EventKind.holdExpired,
      sequence: 0,
      timeMs: 0,
      accountSlot: 0,
      cardSlot: 0,
      originalSequence: 3,
      authorizedAfter: 200,
      holdDelta: -500,
      changes: new Uint8Array(0),
      previousOfAccount: 3,
      previousOfCard: 3,
    });
  });

  it('changes no amount of a refund, which leaves the table then and not before', () => {
    const state = opened();
    const refund = approval(3);
    refund.holdDelta = 0;
    refund.holdFlags = HoldFlag.refund;
    applyMessage(state, refund);
    state.holds.change(state.holds.find(3), 700, 0, 0, 0, 4);
    expect(state.holdsOpen).toBe(1);
    const event = { ...decided(state), sequence: 5, timeMs: NOW + 1000 };
    expect(event.holdDelta).toBe(0);
    applyEvent(state, event);
    expect([state.holdsOpen, balances(state)]).toEqual([0, [0, 0]]);
    const copy = recovered(state);
    applyMessage(copy, refund);
    applyEvent(copy, event);
    expect([copy.holdsOpen, digestOf(copy)]).toEqual([0, digestOf(state)]);
  });

  it('is the end of a refund that was not delivered, too', () => {
    const state = opened();
    const refund = approval(3);
    refund.holdDelta = 0;
    refund.holdFlags = HoldFlag.refund;
    applyMessage(state, refund);
    const undone = { originalSequence: 3, authorizationSequence: 3, authorizedAfter: 0, holdDelta: 0 };
    const links = { accountSlot: 0, cardSlot: 0, previousOfAccount: 3, previousOfCard: 3 };
    const more = { counted: undefined, postings: [], changes: givenBack() };
    applyEvent(state, { kind: EventKind.notDelivered, sequence: 4, timeMs: NOW, ...links, ...undone, ...more });
    expect(state.holdsOpen).toBe(0);
  });
});

describe('a single message', () => {
  it('posts, and its roll-back posts the mirror', () => {
    const state = opened();
    applyMessage(state, approval(3, true));
    expect(balances(state)).toEqual([700, 0]);
    applyEvent(state, {
      kind: EventKind.notDelivered,
      sequence: 4,
      timeMs: NOW,
      accountSlot: 0,
      cardSlot: 0,
      originalSequence: 3,
      authorizationSequence: 3,
      authorizedAfter: 0,
      holdDelta: 0,
      counted: undefined,
      postings: [
        { glAccount: 1100, amount: -700 },
        { glAccount: 2100, amount: 700 },
      ],
      changes: givenBack(),
      previousOfAccount: 3,
      previousOfCard: 3,
    });
    expect(balances(state)).toEqual([0, 0]);
    expect(counted(state)).toEqual([0, 0]);
  });

  it('that is out of balance stops the shard', () => {
    const event = approval(3, true);
    event.postings.add(2100, 1);
    expect(() => applyMessage(opened(), event)).toThrow(/out of balance by 1/);
  });
});

describe('an element of an earlier authorization', () => {
  it('changes amount and end of its hold; a flag stays', () => {
    const state = opened();
    applyMessage(state, approval(3));
    const more = approval(4);
    more.originalSequence = 3;
    more.holdDelta = 300;
    more.authorizedAfter = 1000;
    more.holdExpiresMs = NOW + 9000;
    applyMessage(state, more);
    const slot = state.holds.find(3);
    expect([state.holds.authorized(slot), state.holds.remaining(slot), state.holds.expiresMs(slot)]).toEqual([
      1000,
      1000,
      NOW + 9000,
    ]);
    expect(balances(state)).toEqual([0, 1000]);
    expect(digestOf(recovered(state))).toEqual(digestOf(state));
  });

  it('may place the hold anew under the number of its authorization', () => {
    const state = opened();
    const late = approval(9);
    late.originalSequence = 3;
    late.holdPlaced = 1;
    applyMessage(state, late);
    expect(state.holds.find(3)).toBeGreaterThanOrEqual(0);
    expect(balances(state)).toEqual([0, 700]);
  });

  it('a hold of nothing is only that of a refund', () => {
    const empty = approval(3);
    empty.holdDelta = 0;
    expect(() => applyMessage(opened(), empty)).toThrow(/would hold 0/);
    empty.holdFlags = HoldFlag.refund;
    const state = opened();
    applyMessage(state, empty);
    expect(state.holdsOpen).toBe(1);
    expect(digestOf(recovered(state))).toEqual(digestOf(state));
  });
});

describe('snapshots of programs and controls', () => {
  const programApplied = (sequence: number, revision: number, text: string): PlainEvent => ({
    kind: EventKind.programApplied,
    sequence,
    timeMs: NOW,
    program: 2,
    revision,
    text,
  });

  it('the newest counts, across a checkpoint and a replay of what it has', () => {
    const state = opened();
    applyEvent(state, programApplied(3, 1, '{"revision":1}'));
    applyEvent(state, programApplied(4, 2, '{"revision":2,"name":"Crédito"}'));
    applyEvent(state, {
      kind: EventKind.controlsSet,
      sequence: 5,
      timeMs: NOW,
      accountSlot: 0,
      cardSlot: 0,
      text: '{"per_transaction":5000}',
      previousOfAccount: 2,
      previousOfCard: 2,
    });
    const copy = recovered(state);
    expect(digestOf(copy)).toEqual(digestOf(state));
    applyEvent(copy, programApplied(3, 1, '{"revision":1}'));
    expect(copy.programs.text(2)).toBe('{"revision":2,"name":"Crédito"}');
    expect(copy.programs.revision(2)).toBe(2);
    expect(copy.controls.text(cardOwner(0))).toBe('{"per_transaction":5000}');
    expect(copy.controls.text(accountOwner(0))).toBe('');
    expect(digestOf(copy)).toEqual(digestOf(state));
  });

  it('another text is another digest', () => {
    const [one, other] = ['{"a":1}', '{"a":2}'].map((text) => {
      const state = opened();
      applyEvent(state, programApplied(3, 1, text));
      return digestOf(state);
    });
    expect(one).not.toEqual(other);
  });

  it('a row of another version is refused', () => {
    const state = opened();
    applyEvent(state, programApplied(3, 1, 'x'));
    const bytes = new Uint8Array(state.entryBytes(Table.program, 2));
    const length = state.writeEntry(Table.program, 2, bytes, 0);
    bytes[0] = 9;
    expect(() => new ShardState(0).programs.readRow(2, new RowCursor().attach(bytes, 0), length)).toThrow(/version/);
  });
});
