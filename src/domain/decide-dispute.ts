/** Disputes: how one is opened, and its next step. What it is about and how it stands is read by disputes.ts. */
import { AMOUNT_MAX } from '../limits.js';
import type { CommandResult } from './commands.js';
import { refuse } from './commit.js';
import { currencyExponent } from './currencies.js';
import { disputedCharge, feesBackLegs } from './dispute-fees.js';
import {
  chargesOf,
  type DisputeStanding,
  disputedAmount,
  disputeStanding,
  givenBeyond,
  isGivenTwice,
  isOfCash,
  undisputed,
} from './disputes.js';
import type { OpenDispute, StepDispute } from './entry-commands.js';
import type { Desk } from './entry-desk.js';
import type { Disputed, DisputeEnd, EntryLeg, EntryPosted } from './events.js';
import { balancesBehind, balancesOf } from './ledger/balances.js';
import {
  allowsStep,
  type DisputeStatus,
  type DisputeStep,
  disputeSteps,
  isSettledStep,
  statusAfter,
  stepsOf,
} from './ledger/dispute-steps.js';
import {
  chargebackLegs,
  disputeLostLegs,
  disputeWrittenOffLegs,
  givenTwiceLegs,
  type Money,
  mirrorLegs,
  provisionalCreditLegs,
  secondPresentmentLegs,
} from './ledger/entries.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { isAmount } from './money.js';

/** Of several charges of an authorization the first that has enough left of it. */
export function openDispute(desk: Desk, command: OpenDispute): CommandResult {
  const entry = EntryKind.provisionalCredit;
  const accountSlot = desk.accountFor(command, entry);
  if (typeof accountSlot !== 'number') return accountSlot;
  const { amount, reference, relatedSequence, note } = command;
  const charges = chargesOf(desk.context, accountSlot, relatedSequence);
  const charge = charges.find((one) => undisputed(desk.context, one) >= amount);
  if (charge === undefined) {
    const most = Math.max(0, ...charges.map((one) => undisputed(desk.context, one)));
    return refuse(
      'amount_out_of_range',
      most === 0
        ? `nothing of that charge is left to be disputed, ${amount} were asked for`
        : `the amount is ${amount}; of that charge 1 to ${most} minor units are left to be disputed`,
    );
  }
  const { posted, arn, cardSlot } = charge;
  const legs = provisionalCreditLegs(balancesOf(desk.state.accounts, accountSlot), amount);
  const asCharged = disputedCharge(desk.context, accountSlot, posted, charge.amount);
  const disputed = { posted, arn, reasonCode: '', charge: asCharged };
  return desk.answer({ entry, accountSlot, reference, legs, cardSlot, relatedSequence, note, disputed });
}

export function stepDispute(desk: Desk, command: StepDispute): CommandResult {
  const { sequence, step, note } = command;
  const dispute = desk.entry(sequence, EntryKind.provisionalCredit);
  if (dispute === undefined) return refuse('entry_not_found', `there is no dispute at sequence ${sequence}`);
  const { accountSlot, cardSlot } = dispute;
  const status = statusAfter(stepsOf(desk.state.references, accountSlot, sequence));
  const standing = disputeStanding(desk.context, dispute);
  if (!allowsStep(status, step) || !fits(status, step, standing))
    return refuse('dispute_step_refused', `${step} is no step of a dispute that is ${status}`);
  if (keepsCredit(status, step) && isGivenTwice(desk.context, dispute))
    return refuse(
      'given_back',
      'what the dispute is about was given back since: withdraw it, after a chargeback take that back first, after a second presentment lose it',
    );
  const stepped = stepLegs(desk, dispute, standing, command);
  if (!Array.isArray(stepped)) return stepped;
  const entry = disputeSteps[step];
  const reference = String(sequence);
  const disputed = disputedOf(dispute, command);
  const kept = keptBy(dispute, standing, step);
  // After a second presentment it is lost all the same; what the cardholder would have twice is owed again.
  const twice = step === 'lose' ? givenBeyond(desk.context, dispute, kept) : 0;
  if (twice > 0)
    stepped.push(...givenTwiceLegs({ amount: twice, currency: desk.state.accounts.currency(accountSlot) }));
  const ended = endOf(dispute, kept - twice);
  const legs = ended === undefined ? stepped : [...stepped, ...withFees(desk, dispute, ended.kept, stepped)];
  const named = { ...(disputed === undefined ? {} : { disputed }), ...(ended === undefined ? {} : { ended }) };
  return desk.answer({ entry, accountSlot, reference, legs, cardSlot, relatedSequence: sequence, note, ...named });
}

/** After a second presentment it is won only if that was taken back, and lost only if it was not. */
function fits(status: DisputeStatus, step: DisputeStep, { outstanding }: DisputeStanding): boolean {
  return status !== 'presented_again' || (step === 'win') === (outstanding === 0);
}

/** Steps after which the cardholder keeps the provisional credit, while there is another way to go. */
const keepsCredit = (status: DisputeStatus, step: DisputeStep): boolean =>
  (status === 'open' && step === 'chargeback') || (status === 'charged_back' && step === 'win') || step === 'write_off';

/** What the network is told with a chargeback and its reversal. */
function disputedOf({ disputed }: EntryPosted, { step, reasonCode = '' }: StepDispute): Disputed | undefined {
  if (step !== 'chargeback' && step !== 'chargeback_reversal') return undefined;
  return disputed === undefined ? undefined : { posted: disputed.posted, arn: disputed.arn, reasonCode };
}

/** What of the provisional credit the step leaves to the cardholder for good; 0 when it ends nothing. */
function keptBy(dispute: EntryPosted, { outstanding }: DisputeStanding, step: DisputeStep): number {
  if (step !== 'win' && step !== 'write_off' && step !== 'lose') return 0;
  return disputedAmount(dispute) - (step === 'lose' ? outstanding : 0);
}

/** How a dispute ended; undefined when it did not, or leaves the cardholder nothing of it. */
function endOf(dispute: EntryPosted, kept: number): DisputeEnd | undefined {
  return kept < 1 ? undefined : { posted: dispute.disputed?.posted ?? dispute.relatedSequence, kept };
}

/** What goes back with what the cardholder keeps, behind the legs of the step. */
function withFees({ context, state }: Desk, dispute: EntryPosted, kept: number, stepped: readonly EntryLeg[]) {
  const { accountSlot, cardSlot, disputed } = dispute;
  if (disputed === undefined) return [];
  const policy = context.policies.of(state.accounts.program(accountSlot));
  const behind = balancesBehind(state.accounts, accountSlot, stepped);
  return feesBackLegs(context, policy, { accountSlot, cardSlot, posted: disputed.posted, dispute }, kept, behind);
}

function stepLegs(
  { state, context }: Desk,
  dispute: EntryPosted,
  { outstanding, chargedBack }: DisputeStanding,
  command: StepDispute,
): EntryLeg[] | CommandResult {
  const { accountSlot } = dispute;
  const { step } = command;
  const currency = state.accounts.currency(accountSlot);
  // The interchange of cash was paid, not earned.
  const side = isSettledStep(step) && isOfCash(context, dispute) ? -1 : 1;
  const rest = { amount: outstanding, currency };
  switch (step) {
    case 'withdraw':
      return mirrorLegs(balancesOf(state.accounts, accountSlot), dispute.legs);
    case 'lose':
      return disputeLostLegs(rest);
    case 'write_off':
    // What of it was not charged back is absorbed.
    case 'win':
      return disputeWrittenOffLegs(rest);
    case 'chargeback':
      return settledLegs(
        chargebackLegs,
        { amount: command.amount ?? outstanding, currency },
        outstanding,
        command,
        side,
      );
    case 'second_presentment': {
      const again = { amount: command.amount ?? chargedBack, currency };
      return settledLegs(secondPresentmentLegs, again, chargedBack, command, side);
    }
    case 'chargeback_reversal':
      return settledLegs(secondPresentmentLegs, { amount: chargedBack, currency }, chargedBack, command, side);
  }
}

/** Legs of a step that the network settles. @param most what the amount may be at most @param side of the interchange: 1 earned, -1 paid */
function settledLegs(
  legs: typeof chargebackLegs,
  disputed: Money,
  most: number,
  { step, settled }: StepDispute,
  side: 1 | -1,
): EntryLeg[] | CommandResult {
  if (settled === undefined)
    return refuse('amount_out_of_range', `a ${step} names what the network settles: send it as settlement`);
  const { amount, currency, interchange } = settled;
  if (currencyExponent(currency) < 0) return refuse('currency_mismatch', `${currency} is no number of a currency`);
  if (!isAmount(amount, 1) || !isAmount(interchange, 0) || interchange > amount) {
    return refuse(
      'amount_out_of_range',
      `a settlement is of 1 to ${AMOUNT_MAX} minor units and its interchange of 0 to that amount, not ${amount} and ${interchange}`,
    );
  }
  if (!isAmount(disputed.amount, 1) || disputed.amount > most) {
    return refuse(
      'amount_out_of_range',
      `the amount is ${disputed.amount}; a ${step} of this dispute is of 1 to ${most} minor units`,
    );
  }
  if (currency === disputed.currency && amount !== disputed.amount) {
    return refuse(
      'amount_out_of_range',
      `the settlement is of ${amount}; in the currency of the account it is of the ${disputed.amount} minor units of the ${step}`,
    );
  }
  return legs(disputed, settled, side * interchange);
}
