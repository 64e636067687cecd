/** What a verification says about holds of which nothing remains: they wait for their end as long as something stays authorized. */
import { describe, expect, it } from 'vitest';
import { DomainFold } from '#src/cli/verify-fold.js';
import { AccountType, CardStatus, ElementKind, EventKind } from '#src/domain/codes.js';
import { MessageEvent, type PlainEvent } from '#src/domain/events.js';
import { HoldFlag } from '#src/domain/hold-table.js';

const NOW = 1_790_000_000_000;

function opened(): DomainFold {
  const fold = new DomainFold(() => undefined);
  const head = { timeMs: NOW, accountSlot: 0 };
  const account = { id: 'a', program: 0, currency: 986, creditLimit: 100_000, type: AccountType.credit };
  fold.applyEvent(0, { ...head, kind: EventKind.accountCreated, sequence: 1, ...account });
  const number = { bin: 999999, last4: 1234, panLength: 16, expiry: 2912, cardSequence: 1, serviceCode: 201 };
  const place = { cardSlot: 0, replacesSlot: -1, aliasOfSlot: -1, previousOfAccount: 1 };
  const card = { ...place, ...number, fingerprint: [1, 2, 3] as const, status: CardStatus.active };
  fold.applyEvent(0, { ...head, kind: EventKind.cardCreated, sequence: 2, ...card });
  return fold;
}

function message(sequence: number, over: Partial<MessageEvent>): MessageEvent {
  const event = new MessageEvent();
  const place = { sequence, timeMs: NOW, accountSlot: 0, cardSlot: 0, element: ElementKind.authorization };
  return Object.assign(event, place, { approvedAmount: 700, authorizedAfter: 700 }, over);
}

const ended: PlainEvent = {
  kind: EventKind.holdExpired,
  sequence: 5,
  timeMs: NOW + 1000,
  accountSlot: 0,
  cardSlot: 0,
  originalSequence: 3,
  authorizedAfter: 0,
  holdDelta: 0,
  changes: new Uint8Array(0),
  previousOfAccount: 3,
  previousOfCard: 3,
};

describe('a hold of which nothing remains', () => {
  it('is in order before its end and after it: an announced refund', () => {
    for (const last of [4, 5]) {
      const fold = opened();
      fold.applyMessage(0, message(3, { holdExpiresMs: NOW + 1000, holdFlags: HoldFlag.refund }));
      if (last === 5) fold.applyEvent(0, ended);
      expect(() => fold.finish(0, last)).not.toThrow();
      expect(fold.holdsOpen).toBe(5 - last);
    }
  });

  it('is in order when all of it was cleared', () => {
    const fold = opened();
    fold.applyMessage(0, message(3, { holdDelta: 700, holdExpiresMs: NOW + 1000 }));
    fold.applyMessage(0, message(4, { holdDelta: -700, originalSequence: 3, element: ElementKind.reversal }));
    fold.finish(0, 4);
    expect(fold.holdsOpen).toBe(1);
  });

  it('is found when nothing stays authorized of it', () => {
    const fold = opened();
    fold.applyMessage(0, message(3, { holdDelta: 700, holdExpiresMs: NOW + 1000 }));
    fold.applyMessage(0, message(4, { originalSequence: 3, authorizedAfter: 0, element: ElementKind.reversal }));
    expect(() => fold.finish(0, 4)).toThrow(/nothing stays authorized of the open hold of sequence 3/);
  });
});
