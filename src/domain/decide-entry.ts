import { AMOUNT_MAX } from '../limits.js';
import { EventKind } from './codes.js';
import type { CommandResult } from './commands.js';
import { type CommandContext, type Commit, refuse } from './commit.js';
import { currencyExponent } from './currencies.js';
import { openDispute, stepDispute } from './decide-dispute.js';
import { resolveSuspense, takeFromSuspense } from './decide-suspense.js';
import { givenByDisputes } from './disputes.js';
import type {
  ChargeFee,
  ChargeOff,
  EntryCommand,
  NetworkFee,
  Recover,
  RefundCredit,
  ReturnPayment,
  Settle,
  WaiveFee,
} from './entry-commands.js';
import { Desk } from './entry-desk.js';
import type { EntryLeg } from './events.js';
import { balancesOf } from './ledger/balances.js';
import { Gl } from './ledger/chart.js';
import {
  chargeOffLegs,
  creditBalanceRefundedLegs,
  feeLegs,
  mirrorLegs,
  networkFeeLegs,
  recoveryLegs,
  refundable,
  settlementLegs,
} from './ledger/entries.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { amountText, isAmount } from './money.js';

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
    case 'resolve_suspense':
      return resolveSuspense(desk, command);
    case 'take_from_suspense':
      return takeFromSuspense(desk, command);
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
  if (givenByDisputes(desk.context, sequence, fee.cardSlot) > 0)
    return refuse('given_back', 'the fee, or a part of it, was given back by a dispute: withdraw that first');
  const legs = mirrorLegs(balancesOf(desk.state.accounts, accountSlot), fee.legs);
  return desk.answer({ entry, accountSlot, reference, legs, relatedSequence: sequence, note });
}

/** The payment goes back in full; its fee is an entry of its own behind it, in the same frame. */
function returnPayment(desk: Desk, command: ReturnPayment): CommandResult {
  const { sequence, note } = command;
  const payment = desk.record(sequence);
  if (payment?.kind !== EventKind.payment) return refuse('entry_not_found', `there is no payment at ${sequence}`);
  const { accountSlot } = payment;
  const { accounts } = desk.state;
  const legs = mirrorLegs(balancesOf(accounts, accountSlot), payment.postings);
  // What the payment had recovered is charged off again.
  const chargedOff = legs.reduce(
    (sum, leg) => (leg.glAccount === Gl.creditLoss ? sum + leg.amount : sum),
    desk.chargedOff(accountSlot),
  );
  const usual = chargedOff > 0 ? 0 : desk.context.policies.of(accounts.program(accountSlot)).tables.returnedPaymentFee;
  const fee = command.fee === -1 ? usual : command.fee;
  if (fee !== 0 && !isAmount(fee, 1)) return refuse('amount_out_of_range', amountText('the fee', fee, 0));
  const entry = EntryKind.paymentReturned;
  const reference = String(sequence);
  if (desk.isPosted(entry, accountSlot, reference))
    return refuse('already_reversed', 'the payment was returned before');
  if (fee > 0 && chargedOff > 0) {
    return refuse('account_charged_off', 'an account that is charged off gets no fee');
  }
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
  if (!isAmount(Math.abs(amount), 1))
    return refuse(
      'amount_out_of_range',
      `the amount is ${amount}; allowed are 1 to ${AMOUNT_MAX} minor units, or as many below 0`,
    );
  if (desk.isPosted(entry, -1, reference)) return refuse('reference_exists', 'such an entry has this reference');
  const note = command.op === 'network_fee' ? command.note : '';
  return { ok: true, sequence: desk.post({ entry, accountSlot: -1, reference, legs: legs(), note }) };
}

/** What was paid is posted whatever was owed: a difference beyond the limit stays on the sub-account, where it is a break. */
function settle(desk: Desk, command: Settle): CommandResult {
  const difference = command.owed - command.amount;
  if (!Number.isSafeInteger(command.owed) || !Number.isSafeInteger(difference)) {
    return refuse(
      'amount_out_of_range',
      `${command.owed} are owed, and that less the amount is no safe integer of minor units: settle in parts`,
    );
  }
  // Where nothing was owed there is nothing to round: all that was paid stays on the sub-account.
  const rounding = command.owed !== 0 && Math.abs(difference) <= command.roundingMax ? difference : 0;
  const result = network(desk, command, EntryKind.settlement, () => settlementLegs(command, rounding));
  return result.ok ? { ok: true, sequence: result.sequence, remaining: difference - rounding } : result;
}

function networkFee(desk: Desk, command: NetworkFee): CommandResult {
  return network(desk, command, EntryKind.networkFee, () => networkFeeLegs(command));
}
