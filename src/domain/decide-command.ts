/**
 * Writes of the control plane. A command is decided and committed step by step: each event it causes is handed to
 * `commit`, which gives it its sequence, appends it to the journal and applies it, so that the next step (the next row of
 * an import) sees its effect. A refusal is a value and has no event. All events of a command land in one frame.
 */
import {
  ACCOUNTS_PER_SHARD_MAX,
  CARDS_PER_SHARD_MAX,
  CREDIT_BALANCE_MAX,
  CREDIT_LIMIT_MAX,
  FINGERPRINTS_COMMAND_MAX,
} from '../limits.js';
import type { CardTable } from './card-table.js';
import { AccountStatus, type CardStatus, EventKind, isFinalStatus } from './codes.js';
import type { Change, CommandResult, Refusal } from './commands.js';
import { type CommandContext, type Commit, refuse } from './commit.js';
import { currencyExponent } from './currencies.js';
import { decideEntry } from './decide-entry.js';
import type { PostPayment } from './entry-commands.js';
import type { Fingerprint, PlainEvent } from './events.js';
import { hash64 } from './key-hash.js';
import { balancesOf } from './ledger/balances.js';
import { paymentLegs } from './ledger/entries.js';
import { amountText, isAmount } from './money.js';
import type {
  ChangeFingerprints,
  CreateAccount,
  CreateAlias,
  CreateCard,
  ImportRows,
  UpdateAccount,
  UpdateCard,
} from './party-commands.js';
import type { ShardState } from './shard-state.js';
import { accountOwner, cardOwner } from './velocity/counter-changes.js';
import { accountView, cardView } from './views.js';

const NO_BYTES = new Uint8Array(0);

/** Decides and carries out one command. The idempotency tag is the shard's business: see `ShardState.idempotency`. */
export function decideCommand(context: CommandContext, command: Change, nowMs: number, commit: Commit): CommandResult {
  const { state } = context;
  switch (command.op) {
    case 'create_account':
      return createAccount(state, command, nowMs, commit);
    case 'update_account':
      return updateAccount(state, command, nowMs, commit);
    case 'create_card':
      return createCard(state, command, nowMs, commit);
    case 'create_alias':
      return createAlias(state, command, nowMs, commit);
    case 'update_card':
      return updateCard(state, command, nowMs, commit);
    case 'import':
      return importRows(state, command, nowMs, commit);
    case 'payment':
      return postPayment(state, command, nowMs, commit);
    case 'change_fingerprints':
      return changeFingerprints(context, command, nowMs, commit);
    default:
      return decideEntry(context, command, nowMs, commit);
  }
}

/** Controls that were checked under a revision of their program that the shard has not got yet. */
const areAhead = (
  state: ShardState,
  program: number,
  { controlsRevision = 0 }: { controlsRevision?: number },
): boolean => controlsRevision > state.programs.revision(program);

const refuseAhead = (): CommandResult =>
  refuse('shard_unavailable', 'the shard has not got the program yet that the controls were checked under');

const limitText = (value: number): string =>
  `the credit limit is ${value}; allowed are 0 to ${CREDIT_LIMIT_MAX} minor units`;

const isCreditLimit = (value: number): boolean =>
  Number.isSafeInteger(value) && value >= 0 && value <= CREDIT_LIMIT_MAX;

function createAccount(
  state: ShardState,
  row: Omit<CreateAccount, 'op'>,
  nowMs: number,
  commit: Commit,
): CommandResult {
  const { accounts } = state;
  if (accounts.find(row.id) >= 0) return refuse('account_exists', `account ${row.id} exists`);
  if (currencyExponent(row.currency) < 0) {
    return refuse('currency_mismatch', `${row.currency} is no ISO 4217 number of a currency`);
  }
  if (!isCreditLimit(row.creditLimit)) {
    return refuse('amount_out_of_range', limitText(row.creditLimit));
  }
  if (areAhead(state, row.program, row)) return refuseAhead();
  if (accounts.count >= ACCOUNTS_PER_SHARD_MAX) return refuse('capacity_exceeded', 'the shard is full of accounts');
  const accountSlot = accounts.count;
  const { id, program, currency, creditLimit, type } = row;
  const event: PlainEvent = {
    kind: EventKind.accountCreated,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    id,
    program,
    currency,
    creditLimit,
    type,
  };
  commit(event);
  const sequence = setControls(state, accountSlot, -1, row.controls ?? '', nowMs, commit) || event.sequence;
  return { ok: true, sequence, account: accountView(state, accountSlot) };
}

function updateAccount(state: ShardState, command: UpdateAccount, nowMs: number, commit: Commit): CommandResult {
  const { accounts } = state;
  const accountSlot = accounts.find(command.id);
  if (accountSlot < 0) return refuse('account_not_found', `there is no account ${command.id}`);
  if (accounts.status(accountSlot) === AccountStatus.closed) {
    return refuse('account_closed', `account ${command.id} is closed, which is final`);
  }
  const creditLimit = command.creditLimit ?? accounts.creditLimit(accountSlot);
  if (!isCreditLimit(creditLimit)) {
    return refuse('amount_out_of_range', limitText(creditLimit));
  }
  if (areAhead(state, accounts.program(accountSlot), command)) return refuseAhead();
  const event: PlainEvent = {
    kind: EventKind.accountUpdated,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    creditLimit,
    status: command.status ?? (accounts.status(accountSlot) as AccountStatus),
    previousOfAccount: accounts.newest(accountSlot),
  };
  commit(event);
  const sequence = setControls(state, accountSlot, -1, command.controls, nowMs, commit) || event.sequence;
  return { ok: true, sequence, account: accountView(state, accountSlot) };
}

/**
 * Records the controls of a card, or of an account with `cardSlot` -1, where they are others than before.
 * @returns sequence of the record, 0 without one
 */
function setControls(
  state: ShardState,
  accountSlot: number,
  cardSlot: number,
  text: string | undefined,
  nowMs: number,
  commit: Commit,
): number {
  const owner = cardSlot < 0 ? accountOwner(accountSlot) : cardOwner(cardSlot);
  if (text === undefined || text === state.controls.text(owner)) return 0;
  const event: PlainEvent = {
    kind: EventKind.controlsSet,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    cardSlot,
    text,
    previousOfAccount: state.accounts.newest(accountSlot),
    previousOfCard: cardSlot < 0 ? 0 : state.cards.newest(cardSlot),
  };
  commit(event);
  return event.sequence;
}

/** Records the reference value of a card's PIN. @returns sequence of the record, 0 without one */
function setPin(
  state: ShardState,
  accountSlot: number,
  cardSlot: number,
  sealed: Uint8Array | undefined,
  nowMs: number,
  commit: Commit,
): number {
  if (sealed === undefined || (sealed.length === 0 && !state.pins.has(cardSlot))) return 0;
  const event: PlainEvent = {
    kind: EventKind.pinReferenceSet,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    cardSlot,
    sealed,
    previousOfAccount: state.accounts.newest(accountSlot),
    previousOfCard: state.cards.newest(cardSlot),
  };
  commit(event);
  return event.sequence;
}

function createCard(state: ShardState, row: Omit<CreateCard, 'op'>, nowMs: number, commit: Commit): CommandResult {
  const { accounts, cards } = state;
  const accountSlot = accounts.find(row.account);
  if (accountSlot < 0) return refuse('account_not_found', `there is no account ${row.account}`);
  if (accounts.status(accountSlot) === AccountStatus.closed) {
    return refuse('account_closed', `account ${row.account} is closed`);
  }
  if (hasNumber(cards, row)) return refuse('card_exists', 'a card with this number exists');
  const { replacesSlot } = row;
  const isCard = (slot: number): boolean =>
    cards.exists(slot) && !cards.isAlias(slot) && cards.account(slot) === accountSlot;
  if (replacesSlot >= 0 && !isCard(replacesSlot)) {
    return refuse('card_not_found', `the replaced card is no card of account ${row.account}`);
  }
  if (replacesSlot >= 0 && cards.replacedBy(replacesSlot).length > 0) {
    return refuse('card_replaced', 'the card has a replacement: replace that one');
  }
  if (areAhead(state, accounts.program(accountSlot), row)) return refuseAhead();
  if (cards.count >= CARDS_PER_SHARD_MAX) return refuse('capacity_exceeded', 'the shard is full of cards');
  const cardSlot = cards.count;
  const { fingerprint, bin, last4, panLength, expiry, cardSequence, serviceCode, status } = row;
  const event: PlainEvent = {
    kind: EventKind.cardCreated,
    sequence: 0,
    timeMs: nowMs,
    cardSlot,
    accountSlot,
    fingerprint,
    bin,
    last4,
    panLength,
    expiry,
    cardSequence,
    serviceCode,
    status,
    replacesSlot,
    aliasOfSlot: -1,
    previousOfAccount: accounts.newest(accountSlot),
  };
  commit(event);
  // A replacement goes on under the controls of the card that it replaces.
  const inherited = replacesSlot < 0 ? '' : state.controls.text(cardOwner(replacesSlot));
  const controlled = setControls(state, accountSlot, cardSlot, row.controls ?? inherited, nowMs, commit);
  const sequence = setPin(state, accountSlot, cardSlot, row.pinReference, nowMs, commit) || controlled;
  return {
    ok: true,
    sequence: sequence || event.sequence,
    account: accountView(state, accountSlot),
    card: cardView(state, cardSlot),
  };
}

/** True when a card has this number, by whichever fingerprint of it. */
function hasNumber(
  cards: CardTable,
  { fingerprint, formerly = [] }: Pick<CreateCard, 'fingerprint' | 'formerly'>,
): boolean {
  return [fingerprint, ...formerly].some(([f0, f1, f2]) => cards.find(f0, f1, f2) >= 0);
}

/** A network token of a card. It begins with no use of its own: limits, holds and counters are the card's. */
function createAlias(state: ShardState, command: CreateAlias, nowMs: number, commit: Commit): CommandResult {
  const { accounts, cards } = state;
  const { cardSlot: card, fingerprint, bin, last4, panLength, expiry, status } = command;
  if (!cards.exists(card)) return refuse('card_not_found', 'there is no such card');
  if (cards.isAlias(card)) return refuse('not_a_card', 'a network token stands for a card, not for another token');
  if (isFinalStatus(cards.status(card)))
    return refuse('card_status_final', 'closed, lost and stolen cards get no token');
  if (hasNumber(cards, command)) {
    return refuse('card_exists', 'a card or a token with this number exists');
  }
  if (cards.count >= CARDS_PER_SHARD_MAX) return refuse('capacity_exceeded', 'the shard is full of cards');
  const accountSlot = cards.account(card);
  const cardSlot = cards.count;
  const event: PlainEvent = {
    kind: EventKind.cardCreated,
    sequence: 0,
    timeMs: nowMs,
    cardSlot,
    accountSlot,
    fingerprint,
    bin,
    last4,
    panLength,
    expiry,
    cardSequence: 0,
    serviceCode: 0,
    status,
    replacesSlot: -1,
    aliasOfSlot: card,
    previousOfAccount: accounts.newest(accountSlot),
  };
  commit(event);
  const views = { account: accountView(state, accountSlot), card: cardView(state, cardSlot) };
  return { ok: true, sequence: event.sequence, ...views };
}

function updateCard(state: ShardState, command: UpdateCard, nowMs: number, commit: Commit): CommandResult {
  const { accounts, cards } = state;
  const { cardSlot, status, pinTries, controls, pinReference } = command;
  if (!cards.exists(cardSlot)) return refuse('card_not_found', 'there is no such card');
  const accountSlot = cards.account(cardSlot);
  if (status !== undefined && isFinalStatus(cards.status(cardSlot)) && cards.status(cardSlot) !== status) {
    return refuse('card_status_final', 'closed, lost and stolen are final');
  }
  if (cards.isAlias(cardSlot) && (pinTries ?? controls ?? pinReference) !== undefined) {
    return refuse('not_a_card', 'a network token has the controls and the PIN of its card');
  }
  if (command.sealedFor?.some((word, place) => word !== cards.fingerprint(cardSlot, place)) === true) {
    return refuse('shard_unavailable', 'the fingerprint of the card has changed meanwhile');
  }
  if (areAhead(state, accounts.program(accountSlot), command)) return refuseAhead();
  let sequence = cards.newest(cardSlot);
  if ((status ?? pinTries) !== undefined) {
    const event: PlainEvent = {
      kind: EventKind.cardUpdated,
      sequence: 0,
      timeMs: nowMs,
      cardSlot,
      accountSlot,
      status: status ?? (cards.ownStatus(cardSlot) as CardStatus),
      pinTries: pinTries ?? -1,
      previousOfCard: cards.newest(cardSlot),
      previousOfAccount: accounts.newest(accountSlot),
    };
    commit(event);
    sequence = event.sequence;
  }
  sequence = setControls(state, accountSlot, cardSlot, controls, nowMs, commit) || sequence;
  sequence = setPin(state, accountSlot, cardSlot, pinReference, nowMs, commit) || sequence;
  return { ok: true, sequence, account: accountView(state, accountSlot), card: cardView(state, cardSlot) };
}

function changeFingerprints(
  { state, cryptography }: CommandContext,
  command: ChangeFingerprints,
  nowMs: number,
  commit: Commit,
): CommandResult {
  const { cards } = state;
  const fingerprints = { changed: 0, unknown: 0 };
  if (command.cards.length > FINGERPRINTS_COMMAND_MAX) {
    return refuse('capacity_exceeded', `a command changes at most ${FINGERPRINTS_COMMAND_MAX} fingerprints`);
  }
  const has = (cardSlot: number, fingerprint: Fingerprint): boolean =>
    cards.exists(cardSlot) && fingerprint.every((word, place) => word === cards.fingerprint(cardSlot, place));
  let sequence = 0;
  for (const { cardSlot, before, after } of command.cards) {
    if (has(cardSlot, after)) continue;
    if (!has(cardSlot, before)) {
      fingerprints.unknown++;
      continue;
    }
    const event: PlainEvent = {
      kind: EventKind.fingerprintChanged,
      sequence: 0,
      timeMs: nowMs,
      cardSlot,
      fingerprint: after,
      sealed: state.pins.has(cardSlot) ? cryptography.resealedPin(cardSlot, after) : NO_BYTES,
      previousOfCard: cards.newest(cardSlot),
    };
    commit(event);
    fingerprints.changed++;
    sequence = event.sequence;
  }
  return { ok: true, sequence, fingerprints };
}

/** Each row is decided alone. A row whose account is new and whose card is refused keeps the account and is reported. */
function importRows(state: ShardState, command: ImportRows, nowMs: number, commit: Commit): CommandResult {
  const imported = { accounts: 0, cards: 0, refused: [] as { row: number; code: Refusal }[] };
  let sequence = 0;
  command.rows.forEach(({ account, card }, row) => {
    const created = createAccount(state, account, nowMs, commit);
    if (!created.ok) {
      imported.refused.push({ row, code: created.code });
      return;
    }
    imported.accounts++;
    sequence = created.sequence;
    if (card === undefined) return;
    const issued = createCard(state, { ...card, account: account.id }, nowMs, commit);
    if (!issued.ok) {
      imported.refused.push({ row, code: issued.code });
      return;
    }
    imported.cards++;
    sequence = issued.sequence;
  });
  return { ok: true, sequence, imported };
}

/** A payment is taken whatever the account's status: a closed account may still owe. */
function postPayment(state: ShardState, command: PostPayment, nowMs: number, commit: Commit): CommandResult {
  const { accounts } = state;
  const { account, amount, currency, reference } = command;
  const accountSlot = accounts.find(account);
  if (accountSlot < 0) return refuse('account_not_found', `there is no account ${account}`);
  if (currency !== accounts.currency(accountSlot)) {
    return refuse('currency_mismatch', `account ${account} is kept in currency ${accounts.currency(accountSlot)}`);
  }
  if (!isAmount(amount, 1)) return refuse('amount_out_of_range', amountText('the amount', amount, 1));
  if (accounts.posted(accountSlot) - amount < -CREDIT_BALANCE_MAX) {
    const most = CREDIT_BALANCE_MAX + accounts.posted(accountSlot);
    return refuse(
      'amount_out_of_range',
      `with ${amount} the account would be more than ${CREDIT_BALANCE_MAX} minor units in credit: pay in ${most} at most`,
    );
  }
  const hash = hash64(accountSlot, reference);
  if (state.references.find(hash.high, hash.low) > 0) {
    return refuse('reference_exists', `account ${account} has a payment with reference ${reference}`);
  }
  const event: PlainEvent = {
    kind: EventKind.payment,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    amount,
    currency,
    reference,
    postings: paymentLegs(balancesOf(accounts, accountSlot), amount),
    previousOfAccount: accounts.newest(accountSlot),
  };
  commit(event);
  return {
    ok: true,
    sequence: event.sequence,
    account: accountView(state, accountSlot),
    balanceAfter: accounts.posted(accountSlot),
  };
}
