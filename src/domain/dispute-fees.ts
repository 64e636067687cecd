/**
 * Mark-up and cash fee of what is disputed. A dispute is of the amount alone; what of it the cardholder keeps at its end is given back
 * with its mark-up and fee, as a reversal of as much would (decision 0050): of the mark-up in proportion, of the fee what that of the
 * cash that stays is lower by.
 */
import { ClearingSort } from './clearing/codes.js';
import { clearingAt, relatedTo } from './clearing/history.js';
import { EventKind } from './codes.js';
import type { CommandContext } from './commit.js';
import { backSince, disputesOf } from './disputes.js';
import type { ClearingPosted, DisputedCharge, EntryLeg, EntryPosted, Posting } from './events.js';
import { Gl } from './ledger/chart.js';
import { stepsOf } from './ledger/dispute-steps.js';
import { type AccountBalances, mirrorLegs } from './ledger/entries.js';
import { mulDivHalfUp } from './money.js';
import type { Policy } from './program/policy.js';
import { type KeptByDisputes, NOTHING_KEPT, readStanding, Standing } from './standing.js';

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

/** What posted something, on which account and card. */
export interface PostedPlace {
  readonly accountSlot: number;
  readonly cardSlot: number;
  /** Sequence of the record. */
  readonly posted: number;
  /** The dispute that it is for: it knows what it is about when that was dropped. */
  readonly dispute?: EntryPosted;
}

/**
 * Legs that give mark-up and fee back with what goes back of a record, by an ending dispute or a reversal of a part: D 4300, C 1120;
 * D 4400, C 1100 (of cash 1110); what has been paid since C 2200.
 * @param back of the amount, from 0 @param account as it is behind the other legs of the entry
 */
export function feesBackLegs(
  past: Past,
  policy: Policy,
  { accountSlot, cardSlot, posted, dispute }: PostedPlace,
  back: number,
  account: AccountBalances,
): EntryLeg[] {
  const isDropped = posted <= past.history.floor;
  const charged = isDropped ? chargedByDropped(past, dispute) : chargedBy(past, accountSlot, posted);
  if (charged === undefined || charged.amount === 0) return [];
  const earlier = givenBack(past, posted, cardSlot);
  const all = Math.min(charged.amount, earlier.kept + back);
  const markup = mulDivHalfUp(charged.markup, all, charged.amount);
  const fee = charged.fee - feeThatStays(charged, charged.amount - all, policy);
  const isCash = charged.cash === charged.amount;
  return mirrorLegs(account, [
    ...legsOf(Gl.fees, Gl.feeIncome, Math.min(fee, charged.left.fee) - earlier.fee),
    ...legsOf(isCash ? Gl.cash : Gl.purchases, Gl.fxMarkup, Math.min(markup, charged.left.markup) - earlier.markup),
  ]);
}

/**
 * What of an amount that the network gives back of a record the cardholder has from disputes already, minor units, from 0: all that is
 * beyond what the record charged, less what disputes have left to the cardholder and what went back since.
 */
export function givenAlready(past: Past, { sequence, cardSlot, posted }: ClearingPosted, amount: number): number {
  const { kept } = givenBack(past, sequence, cardSlot);
  if (kept === 0) return 0;
  const back = relatedTo(past.history, past.keys, sequence)
    .filter(({ relatedSequence }) => relatedSequence === sequence)
    .reduce((sum, one) => sum - Math.min(0, one.posted), 0);
  return Math.max(0, amount - Math.max(0, posted - kept - back));
}

/**
 * Legs of a record that has not been taken back, less what disputes of it have given back of its mark-up and fee: what a mirror takes.
 * @param already what of the amount they have given back, which is left out: of purchases before cash
 */
export function legsLeft(
  past: Past,
  { sequence, cardSlot, sort, legs: all }: ClearingPosted,
  already: number,
): readonly Posting[] {
  const { markup, fee } = givenBack(past, sequence, cardSlot);
  const legs = less(all, already);
  if (markup === 0 && fee === 0) return legs;
  const back = new Map<number, number>([
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
    return { glAccount, amount: amount - (index === at ? markup : (back.get(glAccount) ?? 0)) };
  });
}

/** Legs of a record less what of its amount was given back: it comes first, and its mark-up behind it. */
function less(legs: readonly Posting[], already: number): readonly Posting[] {
  let left = already;
  if (left === 0) return legs;
  return legs.map(({ glAccount, amount }) => {
    const part = glAccount === Gl.purchases || glAccount === Gl.cash ? Math.min(left, Math.max(0, amount)) : 0;
    left -= part;
    return { glAccount, amount: amount - part };
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

/** What a record charged, as it stands when a dispute of it begins. @param amount what of it nothing has given back */
export function disputedCharge(past: Past, accountSlot: number, posted: number, amount: number): DisputedCharge {
  const charged = chargedBy(past, accountSlot, posted);
  if (charged === undefined) return { amount, cash: 0, markup: 0, fee: 0, back: 0, markupBack: 0, feeBack: 0 };
  const { markup, fee, left } = charged;
  const back = { back: charged.amount - amount, markupBack: markup - left.markup, feeBack: fee - left.fee };
  return { amount: charged.amount, cash: charged.cash, markup, fee, ...back };
}

/** By what its dispute keeps of it. Undefined of a dispute of an earlier release. */
function chargedByDropped(past: Past, dispute: EntryPosted | undefined): Charged | undefined {
  const charge = dispute?.disputed?.charge;
  if (dispute === undefined || charge === undefined) return undefined;
  const { markup, markupBack, feeBack } = charge;
  const since = backSince(past, dispute);
  const fee = charge.fee - since.cashFee;
  const left = { markup: markup - markupBack - since.markup, fee: fee - feeBack - since.fee };
  return { amount: charge.amount - since.charged, cash: charge.cash - since.cash, markup, fee, left };
}

/** Undefined of a record that charges no fee on top: another entry, which is its own amount. */
function chargedBy(past: Past, accountSlot: number, sequence: number): Charged | undefined {
  const { history, keys } = past;
  if (history.isMessage(sequence)) {
    const { charged, cash, fees } = readStanding(history, keys, sequence, before);
    return { amount: charged, cash, markup: 0, fee: fees, left: { markup: 0, fee: fees } };
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

/**
 * What ended disputes have left to the cardholder of what messages posted for the authorization at `root`.
 * @param part sequence of the part of it that is taken back, 0 for all of it
 */
export function keptByDisputes(past: Past, root: number, part = 0): KeptByDisputes {
  const { kept, fee, keptOfPart } = givenBack(past, root, past.history.read(root).cardSlot, part);
  return kept === 0 ? NOTHING_KEPT : { kept, fee, keptOfPart };
}

/** What ended disputes of a record have left to the cardholder, and given back of its mark-up and fee. */
function givenBack(past: Past, posted: number, cardSlot: number, part = 0): Fees & KeptByDisputes {
  let [kept, markup, fee, keptOfPart] = [0, 0, 0, 0];
  for (const { accountSlot, sequence, relatedSequence } of disputesOf(past, posted, cardSlot)) {
    for (const step of stepsOf(past.state.references, accountSlot, sequence)) {
      const event = past.history.readEvent(step.sequence);
      if (event?.kind !== EventKind.entryPosted || event.ended === undefined) continue;
      kept += event.ended.kept;
      if (relatedSequence === part) keptOfPart += event.ended.kept;
      const back = feesOf(event.legs);
      markup -= back.markup;
      fee -= back.fee;
    }
  }
  return { kept, markup, fee, keptOfPart };
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
