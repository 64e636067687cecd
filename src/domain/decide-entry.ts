import { EventKind } from './codes.js';
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
import { Desk } from './entry-desk.js';
import type { EntryLeg, EntryPosted } from './events.js';
import { balancesOf } from './ledger/balances.js';
import { Gl } from './ledger/chart.js';
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
  if (!Number.isSafeInteger(command.owed) || !Number.isSafeInteger(difference)) {
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
