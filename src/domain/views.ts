/** Rows of the state as the control plane sees them. */
import type { AccountStatus, AccountType, CardStatus } from './codes.js';
import type { AccountView, CardView } from './party-commands.js';
import type { LedgerTotal } from './reads.js';
import type { ShardState } from './shard-state.js';
import { accountOwner, cardOwner } from './velocity/counter-changes.js';

export function accountView(state: ShardState, slot: number): AccountView {
  return { ...accountRow(state, slot), controls: state.controls.text(accountOwner(slot)) };
}

/** An account as lists have it. */
export function accountRow(state: ShardState, slot: number): AccountView {
  const { accounts } = state;
  return {
    slot,
    id: accounts.id(slot),
    program: accounts.program(slot),
    currency: accounts.currency(slot),
    creditLimit: accounts.creditLimit(slot),
    type: accounts.type(slot) as AccountType,
    status: accounts.status(slot) as AccountStatus,
    posted: accounts.posted(slot),
    held: accounts.held(slot),
    controlsSequence: state.controls.newest(accountOwner(slot)),
    createdMs: accounts.createdMs(slot),
    newestSequence: accounts.newest(slot),
  };
}

export function cardView(state: ShardState, slot: number): CardView {
  return { ...cardRow(state, slot), controls: state.controls.text(cardOwner(slot)) };
}

/** A card as lists have it. */
export function cardRow(state: ShardState, slot: number): CardView {
  const { accounts, cards } = state;
  return {
    slot,
    account: accounts.id(cards.account(slot)),
    program: accounts.program(cards.account(slot)),
    fingerprint: [cards.fingerprint(slot, 0), cards.fingerprint(slot, 1), cards.fingerprint(slot, 2)],
    bin: cards.bin(slot),
    last4: cards.last4(slot),
    panLength: cards.panLength(slot),
    expiry: cards.expiry(slot),
    cardSequence: cards.cardSequence(slot),
    serviceCode: cards.serviceCode(slot),
    status: cards.status(slot) as CardStatus,
    listing: cards.listing(slot) as CardStatus | 0,
    replacesSlot: cards.replaces(slot),
    aliasOfSlot: cards.aliasOf(slot),
    pinTries: cards.pinTries(slot),
    pinSet: state.pins.has(slot),
    controlsSequence: state.controls.newest(cardOwner(slot)),
    createdMs: cards.createdMs(slot),
    newestSequence: cards.newest(slot),
  };
}

/** Every ledger row of the shard that has moved. */
export function ledgerTotals(state: ShardState): LedgerTotal[] {
  const totals: LedgerTotal[] = [];
  state.ledger.forEach((currency, glAccount, debit, credit, sub) => {
    totals.push({ currency, glAccount, sub, debit: String(debit), credit: String(credit) });
  });
  return totals;
}
