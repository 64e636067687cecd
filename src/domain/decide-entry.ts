/**
 * Ledger entries on command: fees, returned payments, disputes, settlements, charge-offs and the rest that neither a message nor a
 * presentment makes. Each is posted once: its reference (the caller's, or the sequence of what it takes back) is unique within its
 * kind and account, and a second one is refused. What an account owes or has in credit stays within CREDIT_BALANCE_MAX.
 *
 * Entries are taken whatever the account's status: a closed account may still owe. Only a fee needs one that is not charged off.
 */
import { CREDIT_BALANCE_MAX } from '../limits.js';
import { AccountStatus, EventKind } from './codes.js';
import type {
  ChargeFee,
  ChargeOff,
  CommandResult,
  EntryCommand,
  NetworkFee,
  OpenDispute,
  Recover,
  RefundCredit,
  ReturnPayment,
  Settle,
  StepDispute,
  WaiveFee,
} from './commands.js';
import { type CommandContext, type Commit, refuse } from './commit.js';
import { currencyExponent } from './currencies.js';
import type { EntryLeg, EntryPosted, PlainEvent } from './events.js';
import { entryHash } from './key-hash.js';
import { balancesOf } from './ledger/balances.js';
import { component, Gl, postedChange } from './ledger/chart.js';
import { allowsStep, type DisputeStep, disputeSteps, statusAfter, stepsOf } from './ledger/dispute-steps.js';
import {
  chargebackLegs,
  chargeOffLegs,
  creditBalanceRefundedLegs,
  disputeLostLegs,
  disputeWrittenOffLegs,
  feeLegs,
  mirrorLegs,
  networkFeeLegs,
  provisionalCreditLegs,
  recoveryLegs,
  refundable,
  secondPresentmentLegs,
  settlementLegs,
} from './ledger/entries.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { isAmount } from './money.js';
import type { ShardState } from './shard-state.js';
import { accountView } from './views.js';

const DAY_MS = 86_400_000;

/** Decides and carries out one entry. */
export function decideEntry(
  context: CommandContext,
  command: EntryCommand,
  nowMs: number,
  commit: Commit,
): CommandResult {
  const desk = new Desk(context, nowMs, commit);
  switch (command.op) {
    case 'fee':
      return chargeFee(desk, command);
    case 'waive_fee':
      return waiveFee(desk, command);
    case 'return_payment':
      return returnPayment(desk, command);
    case 'refund_credit':
      return refundCredit(desk, command);
    case 'charge_off':
      return chargeOff(desk, command);
    case 'recovery':
      return recover(desk, command);
    case 'settlement':
      return settle(desk, command);
    case 'network_fee':
      return networkFee(desk, command);
    case 'open_dispute':
      return openDispute(desk, command);
    case 'dispute_step':
      return stepDispute(desk, command);
  }
}

/** What makes one entry apart from another. */
interface Draft {
  entry: EntryKind;
  accountSlot: number;
  reference: string;
  legs: EntryLeg[];
  cardSlot?: number;
  relatedSequence?: number;
  note?: string;
}

/** Where entries are checked and posted for one command. */
class Desk {
  readonly state: ShardState;
  readonly #context: CommandContext;
  readonly #nowMs: number;
  readonly #commit: Commit;

  constructor(context: CommandContext, nowMs: number, commit: Commit) {
    this.state = context.state;
    this.#context = context;
    this.#nowMs = nowMs;
    this.#commit = commit;
  }

  /** The record at the sequence, where it is none of a message. */
  record(sequence: number): PlainEvent | undefined {
    return this.#context.history.readEvent(sequence);
  }

  /** The entry at the sequence, where it is of this kind. */
  entry(sequence: number, kind: EntryKind): EntryPosted | undefined {
    const event = this.record(sequence);
    return event?.kind === EventKind.entryPosted && event.entry === kind ? event : undefined;
  }

  isPosted(entry: EntryKind, accountSlot: number, reference: string): boolean {
    const { high, low } = entryHash({ entry, accountSlot, reference });
    return this.state.references.find(high, low) > 0;
  }

  /** The account that an amount is for, or why it cannot be. */
  accountFor(command: ChargeFee | RefundCredit | Recover | OpenDispute, entry: EntryKind): number | CommandResult {
    const { accounts } = this.state;
    const slot = accounts.find(command.account);
    if (slot < 0) return refuse('account_not_found', `there is no account ${command.account}`);
    if (command.currency !== accounts.currency(slot)) {
      return refuse('currency_mismatch', `account ${command.account} is kept in currency ${accounts.currency(slot)}`);
    }
    if (!isAmount(command.amount, 1)) {
      return refuse('amount_out_of_range', `amount ${command.amount} is not within 1 and 12 digits`);
    }
    if (this.isPosted(entry, slot, command.reference)) {
      return refuse('reference_exists', `account ${command.account} has such an entry with this reference`);
    }
    return slot;
  }

  /** Why the legs cannot be posted to the account: a balance would leave the range in which it can be kept. */
  outOfRange(accountSlot: number, legs: readonly EntryLeg[]): CommandResult | undefined {
    const { accounts } = this.state;
    const leaves = (balance: number): boolean => Math.abs(balance) > CREDIT_BALANCE_MAX;
    const moved = legs.some(({ glAccount, amount }) => {
      const which = component(glAccount);
      return which >= 0 && leaves(accounts.component(accountSlot, which) + amount);
    });
    if (!moved && !leaves(accounts.posted(accountSlot) + postedChange(legs))) return undefined;
    return refuse('amount_out_of_range', `a balance of account ${accounts.id(accountSlot)} would leave its range`);
  }

  post(draft: Draft): number {
    const { accounts, cards } = this.state;
    const { accountSlot, cardSlot = -1, relatedSequence = 0, note = '', ...rest } = draft;
    const event: EntryPosted = {
      kind: EventKind.entryPosted,
      sequence: 0,
      timeMs: this.#nowMs,
      ...rest,
      accountSlot,
      cardSlot,
      day: Math.floor(this.#nowMs / DAY_MS),
      relatedSequence,
      note,
      previousOfAccount: accountSlot < 0 ? 0 : accounts.newest(accountSlot),
      previousOfCard: cardSlot < 0 ? 0 : cards.newest(cardSlot),
    };
    this.#commit(event);
    return event.sequence;
  }

  close(accountSlot: number): void {
    const { accounts } = this.state;
    if (accounts.status(accountSlot) === AccountStatus.closed) return;
    this.#commit({
      kind: EventKind.accountUpdated,
      sequence: 0,
      timeMs: this.#nowMs,
      accountSlot,
      creditLimit: accounts.creditLimit(accountSlot),
      status: AccountStatus.closed,
      previousOfAccount: accounts.newest(accountSlot),
    });
  }

  /** Posts the entry of an account unless a balance would leave its range. */
  answer(draft: Draft): CommandResult {
    const { accountSlot, legs } = draft;
    return this.outOfRange(accountSlot, legs) ?? this.done(accountSlot, this.post(draft));
  }

  done(accountSlot: number, sequence: number): Extract<CommandResult, { balanceAfter?: number }> {
    const account = accountView(this.state, accountSlot);
    return { ok: true, sequence, account, balanceAfter: account.posted };
  }

  /** What was charged off of the account and has not been recovered. */
  chargedOff(accountSlot: number): number {
    return this.state.accounts.component(accountSlot, component(Gl.creditLoss));
  }
}

function chargeFee(desk: Desk, command: ChargeFee): CommandResult {
  const entry = EntryKind.fee;
  const accountSlot = desk.accountFor(command, entry);
  if (typeof accountSlot !== 'number') return accountSlot;
  if (desk.chargedOff(accountSlot) > 0) {
    return refuse('account_charged_off', `what account ${command.account} owed is charged off`);
  }
  const { reference, note } = command;
  return desk.answer({ entry, accountSlot, reference, legs: feeLegs(command), note });
}

function waiveFee(desk: Desk, { sequence, note }: WaiveFee): CommandResult {
  const fee = desk.entry(sequence, EntryKind.fee);
  if (fee === undefined) return refuse('entry_not_found', `there is no fee at sequence ${sequence}`);
  const { accountSlot } = fee;
  const entry = EntryKind.feeWaived;
  const reference = String(sequence);
  if (desk.isPosted(entry, accountSlot, reference)) return refuse('already_reversed', 'the fee was waived before');
  const legs = mirrorLegs(balancesOf(desk.state.accounts, accountSlot), fee.legs);
  return desk.answer({ entry, accountSlot, reference, legs, relatedSequence: sequence, note });
}

/** The payment goes back in full; its fee is an entry of its own behind it, in the same frame. */
function returnPayment(desk: Desk, { sequence, fee, note }: ReturnPayment): CommandResult {
  const payment = desk.record(sequence);
  if (payment?.kind !== EventKind.payment) return refuse('entry_not_found', `there is no payment at ${sequence}`);
  const { accountSlot } = payment;
  const { accounts } = desk.state;
  if (fee !== 0 && !isAmount(fee, 1)) return refuse('amount_out_of_range', `a fee of ${fee} is not within 12 digits`);
  const entry = EntryKind.paymentReturned;
  const reference = String(sequence);
  if (desk.isPosted(entry, accountSlot, reference))
    return refuse('already_reversed', 'the payment was returned before');
  const legs = mirrorLegs(balancesOf(accounts, accountSlot), payment.postings);
  const charged = fee === 0 ? [] : feeLegs({ amount: fee, currency: accounts.currency(accountSlot) });
  const wrong = desk.outOfRange(accountSlot, [...legs, ...charged]);
  if (wrong !== undefined) return wrong;
  const draft = { accountSlot, relatedSequence: sequence, note };
  const returned = desk.post({ ...draft, entry, reference, legs });
  if (fee === 0) return desk.done(accountSlot, returned);
  const named = `${RETURNED_PAYMENT_FEE}${sequence}`;
  const feeSequence = desk.post({ ...draft, entry: EntryKind.fee, reference: named, legs: charged });
  return { ...desk.done(accountSlot, returned), feeSequence };
}

/** No reference of a caller has a space. */
const RETURNED_PAYMENT_FEE = 'returned payment ';

function refundCredit(desk: Desk, command: RefundCredit): CommandResult {
  const entry = EntryKind.creditBalanceRefunded;
  const accountSlot = desk.accountFor(command, entry);
  if (typeof accountSlot !== 'number') return accountSlot;
  if (command.amount > refundable(balancesOf(desk.state.accounts, accountSlot))) {
    return refuse('balance_too_low', `account ${command.account} has less than that in credit`);
  }
  return desk.answer({ entry, accountSlot, reference: command.reference, legs: creditBalanceRefundedLegs(command) });
}

/** May be done again for what is presented later. */
function chargeOff(desk: Desk, { account, reference, note }: ChargeOff): CommandResult {
  const { accounts } = desk.state;
  const accountSlot = accounts.find(account);
  if (accountSlot < 0) return refuse('account_not_found', `there is no account ${account}`);
  const entry = EntryKind.chargeOff;
  if (desk.isPosted(entry, accountSlot, reference)) {
    return refuse('reference_exists', `account ${account} has a charge-off with this reference`);
  }
  const legs = chargeOffLegs(balancesOf(accounts, accountSlot));
  if (legs.length === 0) return refuse('nothing_owed', `account ${account} owes nothing`);
  const wrong = desk.outOfRange(accountSlot, legs);
  if (wrong !== undefined) return wrong;
  const sequence = desk.post({ entry, accountSlot, reference, legs, note });
  desk.close(accountSlot);
  return desk.done(accountSlot, sequence);
}

function recover(desk: Desk, command: Recover): CommandResult {
  const entry = EntryKind.recovery;
  const accountSlot = desk.accountFor(command, entry);
  if (typeof accountSlot !== 'number') return accountSlot;
  if (command.amount > desk.chargedOff(accountSlot)) {
    return refuse('balance_too_low', `less than that was charged off of account ${command.account}`);
  }
  return desk.answer({ entry, accountSlot, reference: command.reference, legs: recoveryLegs(command) });
}

/** An entry without an account, in the shard that its reference decides. */
function network(desk: Desk, command: Settle | NetworkFee, entry: EntryKind, legs: () => EntryLeg[]): CommandResult {
  const { currency, amount, reference } = command;
  if (currencyExponent(currency) < 0) return refuse('currency_mismatch', `${currency} is no number of a currency`);
  if (!isAmount(Math.abs(amount), 1)) return refuse('amount_out_of_range', `amount ${amount} is not of 1 to 12 digits`);
  if (desk.isPosted(entry, -1, reference)) return refuse('reference_exists', 'such an entry has this reference');
  const note = command.op === 'network_fee' ? command.note : '';
  return { ok: true, sequence: desk.post({ entry, accountSlot: -1, reference, legs: legs(), note }) };
}

/** What was paid is posted whatever was owed: a difference beyond the limit stays on the sub-account, where it is a break. */
function settle(desk: Desk, command: Settle): CommandResult {
  const difference = command.owed - command.amount;
  if (!Number.isSafeInteger(difference)) {
    return refuse('amount_out_of_range', `${command.owed} is no safe integer of minor units`);
  }
  const rounding = Math.abs(difference) <= command.roundingMax ? difference : 0;
  const result = network(desk, command, EntryKind.settlement, () => settlementLegs(command, rounding));
  return result.ok ? { ok: true, sequence: result.sequence, remaining: difference - rounding } : result;
}

function networkFee(desk: Desk, command: NetworkFee): CommandResult {
  return network(desk, command, EntryKind.networkFee, () => networkFeeLegs(command));
}

function openDispute(desk: Desk, command: OpenDispute): CommandResult {
  const entry = EntryKind.provisionalCredit;
  const accountSlot = desk.accountFor(command, entry);
  if (typeof accountSlot !== 'number') return accountSlot;
  const { amount, reference, cardSlot, relatedSequence, note } = command;
  const legs = provisionalCreditLegs(balancesOf(desk.state.accounts, accountSlot), amount);
  return desk.answer({ entry, accountSlot, reference, legs, cardSlot, relatedSequence, note });
}

function stepDispute(desk: Desk, command: StepDispute): CommandResult {
  const { sequence, step, note } = command;
  const dispute = desk.entry(sequence, EntryKind.provisionalCredit);
  if (dispute === undefined) return refuse('entry_not_found', `there is no dispute at sequence ${sequence}`);
  const { accountSlot, cardSlot } = dispute;
  const status = statusAfter(stepsOf(desk.state.references, accountSlot, sequence));
  if (!allowsStep(status, step))
    return refuse('dispute_step_refused', `${step} is no step of a dispute that is ${status}`);
  const legs = stepLegs(desk, dispute, step, command.settled);
  if (!Array.isArray(legs)) return legs;
  const entry = disputeSteps[step];
  const reference = String(sequence);
  return desk.answer({ entry, accountSlot, reference, legs, cardSlot, relatedSequence: sequence, note });
}

function stepLegs(
  { state }: Desk,
  dispute: EntryPosted,
  step: DisputeStep,
  settled: StepDispute['settled'],
): EntryLeg[] | CommandResult {
  const { accountSlot } = dispute;
  const disputed = { amount: disputedAmount(dispute), currency: state.accounts.currency(accountSlot) };
  switch (step) {
    case 'withdraw':
      return mirrorLegs(balancesOf(state.accounts, accountSlot), dispute.legs);
    case 'lose':
      return disputeLostLegs(disputed);
    case 'write_off':
      return disputeWrittenOffLegs(disputed);
    case 'win':
      return [];
    default:
      break;
  }
  if (settled === undefined) return refuse('amount_out_of_range', `a ${step} names what the network settles`);
  const { amount, currency, interchange } = settled;
  if (currencyExponent(currency) < 0) return refuse('currency_mismatch', `${currency} is no number of a currency`);
  if (!isAmount(amount, 1) || !isAmount(interchange, 0) || interchange > amount) {
    return refuse('amount_out_of_range', 'the amount of a settlement is of 1 to 12 digits, and interchange no more');
  }
  if (currency === disputed.currency && amount !== disputed.amount) {
    return refuse('amount_out_of_range', `in the account's currency the network settles ${disputed.amount}`);
  }
  const legs = step === 'chargeback' ? chargebackLegs : secondPresentmentLegs;
  return legs(disputed, settled, interchange);
}

/** What a dispute is about: the dispute receivable that its provisional credit made. */
export function disputedAmount({ legs }: EntryPosted): number {
  return legs.find(({ glAccount }) => glAccount === Gl.disputes)?.amount ?? 0;
}
