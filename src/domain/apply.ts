/**
 * The fold: what an event does to the state, live and in every replay. An event carries its results, so nothing here
 * decides anything. Each row is changed only if it does not include the event yet (see shard-state.ts).
 */
import { assert } from '../errors.js';
import { postedComponent } from './account-table.js';
import { ElementKind, EventKind } from './codes.js';
import type { CardCreated, MessageEvent, NotDelivered, PaymentPosted, PlainEvent } from './events.js';
import { hash64, keyHash64 } from './key-hash.js';
import type { ShardState } from './shard-state.js';

/** Applies the decision about one wire message. */
export function applyMessage(state: ShardState, event: MessageEvent): void {
  const { sequence, accountSlot, cardSlot, holdDelta } = event;
  if (event.tombstone === 1) state.countTombstone(sequence);
  if (cardSlot >= 0 && state.cards.advance(cardSlot, sequence)) {
    if (event.approvalCode >= 0) state.cards.countApproval(cardSlot);
    if (event.tombstone === 1) state.cards.setTombstone(cardSlot, event.timeMs);
  }
  if (accountSlot < 0) return;
  if (state.accounts.advance(accountSlot, sequence) && holdDelta !== 0) state.accounts.addHeld(accountSlot, holdDelta);
  if (event.element === ElementKind.reversal) {
    if (event.originalSequence > 0) {
      changeHold(state, event.originalSequence, event.approvedAmount, holdDelta, sequence);
    }
  } else if (holdDelta > 0) {
    placeHold(state, event);
  }
  if (holdDelta !== 0) state.ledger.moveHolds(state.accounts.currency(accountSlot), holdDelta, sequence);
}

/** Applies any other event. */
export function applyEvent(state: ShardState, event: PlainEvent): void {
  switch (event.kind) {
    case EventKind.accountCreated:
      if (!state.accounts.exists(event.accountSlot)) {
        state.accounts.create({ ...event, slot: event.accountSlot, createdMs: event.timeMs }, event.sequence);
      }
      return;
    case EventKind.accountUpdated:
      if (state.accounts.advance(event.accountSlot, event.sequence)) {
        state.accounts.update(event.accountSlot, event.creditLimit, event.status);
      }
      return;
    case EventKind.cardCreated:
      createCard(state, event);
      return;
    case EventKind.cardUpdated:
      if (state.cards.advance(event.cardSlot, event.sequence)) state.cards.setStatus(event.cardSlot, event.status);
      state.accounts.advance(event.accountSlot, event.sequence);
      return;
    case EventKind.notDelivered:
      rollBack(state, event);
      return;
    case EventKind.payment:
      postPayment(state, event);
      return;
    case EventKind.idempotency: {
      const hash = keyHash64(event.keyHash);
      state.idempotency.add(hash.high, hash.low, event.sequence);
      return;
    }
    case EventKind.poison:
      state.poisons.add(event.hashHigh, event.hashLow, event.sequence);
      return;
    case EventKind.unknownCardCount:
      return;
  }
}

function createCard(state: ShardState, event: CardCreated): void {
  if (!state.cards.exists(event.cardSlot)) {
    state.cards.create(event, event.timeMs, event.sequence);
    state.linkCard(event.cardSlot);
  }
  state.accounts.advance(event.accountSlot, event.sequence);
}

function placeHold(state: ShardState, event: MessageEvent): void {
  if (state.holds.mayHave(event.sequence) && state.holds.find(event.sequence) >= 0) return;
  state.holds.place(event.sequence, event.accountSlot, event.cardSlot, event.holdDelta, event.holdExpiresMs);
}

/** Sets what an element of an authorization left of its hold. No hold: it ended before, or its end is replayed later. */
function changeHold(state: ShardState, original: number, authorized: number, delta: number, sequence: number): void {
  if (delta === 0) return;
  const slot = state.holds.find(original);
  if (slot >= 0 && sequence > state.holds.newest(slot)) state.holds.change(slot, authorized, delta, sequence);
}

function rollBack(state: ShardState, event: NotDelivered): void {
  state.cards.advance(event.cardSlot, event.sequence);
  if (state.accounts.advance(event.accountSlot, event.sequence) && event.holdDelta !== 0) {
    state.accounts.addHeld(event.accountSlot, event.holdDelta);
  }
  changeHold(state, event.originalSequence, 0, event.holdDelta, event.sequence);
  if (event.holdDelta !== 0) {
    state.ledger.moveHolds(state.accounts.currency(event.accountSlot), event.holdDelta, event.sequence);
  }
}

function postPayment(state: ShardState, event: PaymentPosted): void {
  const { sequence, accountSlot, postings } = event;
  const fresh = state.accounts.advance(accountSlot, sequence);
  let sum = 0;
  for (const { glAccount, amount } of postings) {
    sum += amount;
    const component = postedComponent(glAccount);
    if (fresh && component >= 0) state.accounts.addPosted(accountSlot, component, amount);
    state.ledger.postLeg(state.ledger.row(event.currency, glAccount), amount, sequence);
  }
  assert(sum === 0, `ledger entry at sequence ${sequence} is out of balance by ${sum}`);
  for (const { glAccount } of postings) state.ledger.advance(state.ledger.row(event.currency, glAccount), sequence);
  const hash = hash64(accountSlot, event.reference);
  state.references.add(hash.high, hash.low, sequence);
}
