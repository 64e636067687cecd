/**
 * The fold: what an event does to the state, live and in every replay. An event carries its results, so nothing here
 * decides anything. Each row is changed only if it does not include the event yet (see shard-state.ts).
 */
import { assert } from '../errors.js';
import { highestCounter } from './chip-counter.js';
import { CardStatus, EventKind, isFinalStatus } from './codes.js';
import type {
  CardCreated,
  ClearingPosted,
  ControlsSet,
  EntryLeg,
  EntryPosted,
  HoldExpired,
  MessageEvent,
  NotDelivered,
  PaymentPosted,
  PlainEvent,
} from './events.js';
import { entryHash, hash64, keyHash64 } from './key-hash.js';
import { component } from './ledger/chart.js';
import { disputeSteps } from './ledger/dispute-steps.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { Postings } from './ledger/postings.js';
import { isAdvice } from './message.js';
import { addMoney } from './money.js';
import type { ShardState } from './shard-state.js';
import { Contribution, isKept } from './totals.js';
import { accountOwner, CounterChanges, cardOwner } from './velocity/counter-changes.js';

const changes = new CounterChanges();
const legs = new Postings();
const contribution = new Contribution();

/** Applies the decision about one wire message. */
export function applyMessage(state: ShardState, event: MessageEvent): void {
  const { sequence, accountSlot, cardSlot, holdDelta } = event;
  if (event.tombstone === 1) state.countTombstone(sequence);
  // A file update of a network token changes the token's row, which then includes the event as well.
  const listed = event.cardStatusAfter > 0 && event.tokenSlot >= 0 ? event.tokenSlot : cardSlot;
  if (listed !== cardSlot && state.cards.advance(listed, sequence)) {
    listCard(state, listed, event.cardStatusAfter as CardStatus);
  }
  // A token has a chip, or what stands for one, of its own.
  if (event.counter >= 0 && event.tokenSlot >= 0 && state.cards.advance(event.tokenSlot, sequence)) {
    raiseCounter(state, event.tokenSlot, event);
  }
  if (cardSlot >= 0 && state.cards.advance(cardSlot, sequence)) {
    if (event.approvalCode >= 0) {
      state.cards.countApproval(cardSlot);
      if (isAdvice(event.input.mti)) state.cards.setNetworkCode(cardSlot);
    }
    if (event.tombstone === 1) state.cards.setTombstone(cardSlot, event.timeMs);
    if (event.pinTriesAfter >= 0) state.cards.setPinTries(cardSlot, event.pinTriesAfter);
    if (event.counter >= 0 && event.tokenSlot < 0) raiseCounter(state, cardSlot, event);
    if (event.cardStatusAfter > 0 && listed === cardSlot)
      listCard(state, cardSlot, event.cardStatusAfter as CardStatus);
  }
  if (accountSlot < 0) return;
  const fresh = state.accounts.advance(accountSlot, sequence);
  if (fresh && holdDelta !== 0) state.accounts.addHeld(accountSlot, holdDelta);
  applyToHold(state, event);
  const currency = state.accounts.currency(accountSlot);
  if (holdDelta !== 0) state.ledger.moveHolds(currency, holdDelta, sequence);
  if (event.postings.count > 0) postLegs(state, event, currency, event.postings, fresh);
  if (event.rulesAsked > 0) state.ruleStats.count(state.accounts.program(accountSlot), event);
  if (event.changes.count > 0) state.velocity.apply(event.changes, event.windowMs, sequence);
  const { total } = contribution.read(event, currency);
  if (total !== -1 && isKept(contribution.day, event.timeMs)) state.totals.add(contribution, total, 1, event);
}

/** The highest counter of a chip never goes back. */
function raiseCounter({ cards }: ShardState, slot: number, { counter }: MessageEvent): void {
  cards.setCounter(slot, highestCounter(counter, cards.counter(slot)));
}

/** What the network says of a card: lost, stolen and closed end it, anything else is a listing that can be taken off. */
function listCard({ cards }: ShardState, slot: number, status: CardStatus): void {
  if (isFinalStatus(status)) cards.setStatus(slot, status);
  else cards.setListing(slot, status === CardStatus.active ? 0 : status);
}

/** Places the hold of a new authorization, or one anew, or changes the one that the element belongs to. */
function applyToHold(state: ShardState, event: MessageEvent): void {
  const { sequence, originalSequence, authorizedAfter, holdDelta, holdExpiresMs, holdFlags } = event;
  const authorization = originalSequence > 0 ? originalSequence : sequence;
  if (holdExpiresMs > 0 && (originalSequence === 0 || event.holdPlaced === 1)) {
    const { holds } = state;
    if (holds.mayHave(authorization) && holds.find(authorization) >= 0) return;
    const { accountSlot, cardSlot } = event;
    holds.place(authorization, accountSlot, cardSlot, authorizedAfter, holdDelta, holdExpiresMs, holdFlags, sequence);
  } else if (originalSequence > 0) {
    changeHold(state, authorization, authorizedAfter, holdDelta, holdExpiresMs, holdFlags, sequence);
  }
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
      if (state.cards.advance(event.cardSlot, event.sequence)) {
        state.cards.setStatus(event.cardSlot, event.status);
        if (event.pinTries >= 0) state.cards.setPinTries(event.cardSlot, event.pinTries);
      }
      state.accounts.advance(event.accountSlot, event.sequence);
      return;
    case EventKind.notDelivered:
      rollBack(state, event);
      return;
    case EventKind.holdExpired:
      releaseHold(state, event.originalSequence, event);
      return;
    case EventKind.payment:
      postPayment(state, event);
      return;
    case EventKind.entryPosted:
      postEntry(state, event);
      return;
    case EventKind.clearingPosted:
      postClearing(state, event);
      return;
    case EventKind.idempotency: {
      const hash = keyHash64(event.keyHash);
      state.idempotency.add(hash.high, hash.low, event.sequence);
      return;
    }
    case EventKind.poison:
      state.poisons.add(event.hashHigh, event.hashLow, event.sequence);
      return;
    case EventKind.programApplied:
      state.programs.set(event.program, event.text, event.revision, event.sequence);
      return;
    case EventKind.controlsSet:
      setControls(state, event);
      return;
    case EventKind.pinReferenceSet:
      state.accounts.advance(event.accountSlot, event.sequence);
      state.cards.advance(event.cardSlot, event.sequence);
      state.pins.set(event.cardSlot, event.sealed, event.sequence);
      return;
    case EventKind.fingerprintChanged:
      if (state.cards.advance(event.cardSlot, event.sequence)) {
        state.cards.setFingerprint(event.cardSlot, event.fingerprint);
      }
      if (event.sealed.length > 0) state.pins.set(event.cardSlot, event.sealed, event.sequence);
      return;
    case EventKind.accrualMarked:
      state.markAccrual(event);
      return;
    case EventKind.statementClosed:
      state.accounts.advance(event.accountSlot, event.sequence);
      return;
    case EventKind.unknownCardCount:
    case EventKind.totalsCompared:
      return;
  }
}

function setControls(state: ShardState, event: ControlsSet): void {
  const { accountSlot, cardSlot, sequence, text } = event;
  state.accounts.advance(accountSlot, sequence);
  if (cardSlot >= 0) state.cards.advance(cardSlot, sequence);
  state.controls.set(cardSlot >= 0 ? cardOwner(cardSlot) : accountOwner(accountSlot), text, 0, sequence);
}

function createCard(state: ShardState, event: CardCreated): void {
  if (!state.cards.exists(event.cardSlot)) {
    state.cards.create(event, event.timeMs, event.sequence);
    state.linkCard(event.cardSlot);
  }
  state.accounts.advance(event.accountSlot, event.sequence);
}

/** Sets what an element of an authorization left of its hold. No hold: it ended before, or its end is replayed later. */
function changeHold(
  state: ShardState,
  authorization: number,
  authorized: number,
  delta: number,
  expiresMs: number,
  flags: number,
  sequence: number,
): void {
  const slot = state.holds.find(authorization);
  if (slot < 0 || sequence <= state.holds.newest(slot)) return;
  state.holds.change(slot, authorized, delta, expiresMs, flags, sequence);
}

/** The hold has come to its end, whatever was cleared of it. */
function closeHold(state: ShardState, authorization: number, sequence: number): void {
  const slot = state.holds.find(authorization);
  if (slot >= 0 && sequence > state.holds.newest(slot)) state.holds.close(slot);
}

function rollBack(state: ShardState, event: NotDelivered): void {
  const fresh = releaseHold(state, event.authorizationSequence, event);
  const { counted, postings } = event;
  if (counted !== undefined) state.totals.add(counted, counted.total, -1, event);
  if (postings.length === 0) return;
  postLegs(state, event, state.accounts.currency(event.accountSlot), legs.setAll(postings), fresh);
}

/** What remains of a hold goes back, and what it counted. True when the account's row did not include the event. */
function releaseHold(state: ShardState, authorization: number, event: NotDelivered | HoldExpired): boolean {
  const { accountSlot, cardSlot, holdDelta, sequence } = event;
  state.cards.advance(cardSlot, sequence);
  const fresh = state.accounts.advance(accountSlot, sequence);
  if (fresh && holdDelta !== 0) state.accounts.addHeld(accountSlot, holdDelta);
  if (event.kind === EventKind.holdExpired) closeHold(state, authorization, sequence);
  else changeHold(state, authorization, event.authorizedAfter, holdDelta, 0, 0, sequence);
  if (holdDelta !== 0) state.ledger.moveHolds(state.accounts.currency(accountSlot), holdDelta, sequence);
  if (event.changes.length > 0) {
    changes.unpack(event.changes, 0, event.changes.length);
    // Nothing is past at 0: these records do not say by which time windows counted, and the next addition tidies up.
    state.velocity.apply(changes, 0, sequence);
  }
  return fresh;
}

function postPayment(state: ShardState, event: PaymentPosted): void {
  const fresh = state.accounts.advance(event.accountSlot, event.sequence);
  postLegs(state, event, event.currency, legs.setAll(event.postings), fresh);
  const hash = hash64(event.accountSlot, event.reference);
  state.references.add(hash.high, hash.low, event.sequence);
}

function postEntry(state: ShardState, event: EntryPosted): void {
  const { accountSlot, cardSlot, sequence, legs: entry } = event;
  if (cardSlot >= 0) state.cards.advance(cardSlot, sequence);
  const fresh = accountSlot >= 0 && state.accounts.advance(accountSlot, sequence);
  postEntryLegs(state, sequence, accountSlot, entry, fresh);
  if (fresh && event.entry === EntryKind.interestAccrued) state.accounts.setInterestCarry(accountSlot, event.carry);
  if (event.reference === '') return;
  const hash = entryHash(event);
  state.references.add(hash.high, hash.low, sequence);
}

/** Posts a clearing record, and changes the hold of its authorization by it. */
function postClearing(state: ShardState, event: ClearingPosted): void {
  const { accountSlot, cardSlot, sequence, originalSequence, holdDelta } = event;
  if (cardSlot >= 0) state.cards.advance(cardSlot, sequence);
  const fresh = accountSlot >= 0 && state.accounts.advance(accountSlot, sequence);
  if (fresh && holdDelta !== 0) state.accounts.addHeld(accountSlot, holdDelta);
  if (originalSequence > 0) {
    changeHold(state, originalSequence, event.authorizedAfter, holdDelta, 0, event.holdFlags, sequence);
  }
  if (holdDelta !== 0) state.ledger.moveHolds(state.accounts.currency(accountSlot), holdDelta, sequence);
  postEntryLegs(state, sequence, accountSlot, event.legs, fresh);
  if (event.disputeSequence > 0) {
    const hash = entryHash({
      entry: disputeSteps.second_presentment,
      accountSlot,
      reference: `${event.disputeSequence}`,
    });
    state.references.add(hash.high, hash.low, sequence);
  }
  if (event.changes.length > 0) {
    changes.unpack(event.changes, 0, event.changes.length);
    // As with expiries: the record does not say by which time windows counted.
    state.velocity.apply(changes, 0, sequence);
  }
}

/** As `postLegs`, for legs in several currencies and of sub-accounts. */
function postEntryLegs(
  state: ShardState,
  sequence: number,
  accountSlot: number,
  entry: readonly EntryLeg[],
  fresh: boolean,
): void {
  for (const { glAccount, currency, sub, amount } of entry) {
    const which = component(glAccount);
    if (which >= 0) {
      const isOwn = accountSlot >= 0 && currency === state.accounts.currency(accountSlot);
      assert(
        isOwn,
        `ledger entry at sequence ${sequence} posts to ${glAccount} in currency ${currency}, not its account's`,
      );
      if (fresh) state.accounts.addComponent(accountSlot, which, amount);
    }
    state.ledger.postLeg(state.ledger.row(currency, glAccount, sub), amount, sequence);
  }
  for (const { glAccount, currency, sub } of entry) {
    const sum = sumIn(currency, entry);
    assert(sum === 0, `ledger entry at sequence ${sequence} is out of balance by ${sum} in currency ${currency}`);
    state.ledger.advance(state.ledger.row(currency, glAccount, sub), sequence);
  }
}

/** Sum of the legs in a currency, minor units. Entries have a handful of legs, those of a record with many fees a few dozen. */
function sumIn(currency: number, entry: readonly EntryLeg[]): number {
  let sum = 0;
  for (const leg of entry) if (leg.currency === currency) sum = addMoney(sum, leg.amount);
  return sum;
}

/**
 * Posts a ledger entry, to the account's components and to the totals.
 * @param fresh true when the account's row did not include the event before.
 */
function postLegs(
  state: ShardState,
  event: { readonly sequence: number; readonly accountSlot: number },
  currency: number,
  entry: Postings,
  fresh: boolean,
): void {
  const { sequence, accountSlot } = event;
  let sum = 0;
  for (let i = 0; i < entry.count; i++) {
    const glAccount = entry.glAccount[i]!;
    const amount = entry.amount[i]!;
    sum += amount;
    const which = component(glAccount);
    if (fresh && which >= 0) state.accounts.addComponent(accountSlot, which, amount);
    state.ledger.postLeg(state.ledger.row(currency, glAccount), amount, sequence);
  }
  assert(sum === 0, `ledger entry at sequence ${sequence} is out of balance by ${sum}`);
  for (let i = 0; i < entry.count; i++) {
    state.ledger.advance(state.ledger.row(currency, entry.glAccount[i]!), sequence);
  }
}
