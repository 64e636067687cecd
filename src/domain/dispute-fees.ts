/**
 * Mark-up and cash fee of what is disputed. A dispute is of the amount alone; what of it the cardholder keeps at its end is given back
 * with its mark-up and fee, as a reversal of as much would (decision 0050): of the mark-up in proportion, of the fee what that of the
 * cash that stays is lower by.
 */
import { ClearingSort } from './clearing/codes.js';
import { clearingAt, relatedTo } from './clearing/history.js';
import { EventKind } from './codes.js';
import type { CommandContext } from './commit.js';
import { disputesOf } from './disputes.js';
import type { ClearingPosted, EntryLeg, EntryPosted, Posting } from './events.js';
import { Gl } from './ledger/chart.js';
import { stepsOf } from './ledger/dispute-steps.js';
import { type AccountBalances, mirrorLegs } from './ledger/entries.js';
import { mulDivHalfUp } from './money.js';
import type { Policy } from './program/policy.js';
import { readStanding, Standing } from './standing.js';

type Past = Pick<CommandContext, 'state' | 'history' | 'keys'>;

/** Minor units of the account's currency, from 0. */
interface Fees {
  readonly markup: number;
  readonly fee: number;
}

/** What a record charged, and what was charged with it. */
interface Charged extends Fees {
  readonly amount: number;
  /** Of the amount. */
  readonly cash: number;
  /** What of mark-up and fee has not gone back with the record, or a part of it. */
  readonly left: Fees;
}

const before = new Standing();
const after = new Standing();

/**
 * Legs that give mark-up and fee back with what an ending dispute leaves to the cardholder: D 4300, C 1120; D 4400, C 1100 (of cash 1110);
 * what has been paid since C 2200.
 * @param kept of the dispute, from 1 @param account as it is behind the other legs of the step
 */
export function feesBackLegs(
  past: Past,
  policy: Policy,
  { accountSlot, cardSlot, disputed }: EntryPosted,
  kept: number,
  account: AccountBalances,
): EntryLeg[] {
  const charged = disputed === undefined ? undefined : chargedBy(past, accountSlot, disputed.posted);
  if (disputed === undefined || charged === undefined || charged.amount === 0) return [];
  const earlier = givenBack(past, disputed.posted, cardSlot);
  const all = Math.min(charged.amount, earlier.kept + kept);
  const markup = mulDivHalfUp(charged.markup, all, charged.amount);
  const fee = charged.fee - feeThatStays(charged, charged.amount - all, policy);
  const isCash = charged.cash === charged.amount;
  return mirrorLegs(account, [
    ...legsOf(Gl.fees, Gl.feeIncome, Math.min(fee, charged.left.fee) - earlier.fee),
    ...legsOf(isCash ? Gl.cash : Gl.purchases, Gl.fxMarkup, Math.min(markup, charged.left.markup) - earlier.markup),
  ]);
}

/** Legs of a record that has not been taken back, less what disputes of it have given back of its mark-up and fee: what a mirror takes. */
export function legsLeft(past: Past, { sequence, cardSlot, sort, legs }: ClearingPosted): readonly Posting[] {
  const { markup, fee } = givenBack(past, sequence, cardSlot);
  if (markup === 0 && fee === 0) return legs;
  const less = new Map<number, number>([
    [Gl.fees, fee],
    [Gl.feeIncome, 0 - fee],
    [Gl.fxMarkup, 0 - markup],
  ]);
  const receivable = sort === ClearingSort.cash ? Gl.cash : Gl.purchases;
  const charge = 0 - sumOf(legs, Gl.fxMarkup);
  // The leg of the mark-up is one of its own, behind that of the amount.
  const at = legs.findLastIndex(({ glAccount, amount }) => glAccount === receivable && amount === charge);
  return legs.map((leg, index) => {
    const { glAccount, amount } = leg;
    return { glAccount, amount: amount - (index === at ? markup : (less.get(glAccount) ?? 0)) };
  });
}

/** @param amount of a mark-up or fee that goes back; nothing from 0 down */
const legsOf = (receivable: number, income: number, amount: number): Posting[] =>
  amount <= 0
    ? []
    : [
        { glAccount: receivable, amount },
        { glAccount: income, amount: 0 - amount },
      ];

/** Undefined of a record that charges no fee on top: another entry, which is its own amount. */
function chargedBy(past: Past, accountSlot: number, sequence: number): Charged | undefined {
  const { history, keys } = past;
  if (sequence <= history.floor) return undefined;
  if (history.isMessage(sequence)) {
    const { total, cash, fees } = readStanding(history, keys, sequence, before);
    return { amount: total, cash, markup: 0, fee: fees, left: { markup: 0, fee: fees } };
  }
  const event = clearingAt(history, sequence);
  if (event === undefined || event.accountSlot !== accountSlot) return undefined;
  const { legs, sort, posted: amount } = event;
  const charged = feesOf(legs);
  const back = relatedTo(history, keys, sequence).filter(
    ({ relatedSequence, input }) => relatedSequence === sequence && input.reversal === 1,
  );
  const taken = feesOf(back.flatMap((one) => one.legs));
  const left = { markup: charged.markup + taken.markup, fee: charged.fee + taken.fee };
  return { amount, cash: sort === ClearingSort.cash ? amount : 0, ...charged, left };
}

/** What ended disputes of a record have left to the cardholder, and given back of its mark-up and fee. */
function givenBack(past: Past, posted: number, cardSlot: number): Fees & { readonly kept: number } {
  let [kept, markup, fee] = [0, 0, 0];
  for (const { accountSlot, sequence } of disputesOf(past, posted, cardSlot)) {
    for (const step of stepsOf(past.state.references, accountSlot, sequence)) {
      const event = past.history.readEvent(step.sequence);
      if (event?.kind !== EventKind.entryPosted || event.ended === undefined) continue;
      kept += event.ended.kept;
      const back = feesOf(event.legs);
      markup -= back.markup;
      fee -= back.fee;
    }
  }
  return { kept, markup, fee };
}

/** The fee when so much of the amount stays, by the table of now: purchases go before cash, as in a reversal. */
function feeThatStays({ amount, cash, fee }: Charged, staying: number, policy: Policy): number {
  after.setDebit(amount, cash, fee).reduceTo(staying, policy);
  return after.fees;
}

const feesOf = (legs: readonly Posting[]): Fees => ({
  markup: 0 - sumOf(legs, Gl.fxMarkup),
  fee: 0 - sumOf(legs, Gl.feeIncome),
});

const sumOf = (legs: readonly Posting[], gl: number): number =>
  legs.reduce((sum, { glAccount, amount }) => (glAccount === gl ? sum + amount : sum), 0);
