/**
 * What a dispute is about and how it stands, read from the journal: the record that posted what is disputed, how much of that
 * can still be disputed, and what of a dispute is on the dispute receivable (1200) now.
 */
import { ClearingSort } from './clearing/codes.js';
import { clearingAt, relatedTo } from './clearing/history.js';
import { isCashRecord } from './clearing/input.js';
import { EventKind } from './codes.js';
import type { CommandContext } from './commit.js';
import type { ClearingPosted, EntryPosted, Posting } from './events.js';
import { foundAt } from './history.js';
import { entryHash } from './key-hash.js';
import { Gl, postedChange } from './ledger/chart.js';
import { type DisputeStatus, statusAfter, stepsOf } from './ledger/dispute-steps.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { Undone, undoneBy } from './lookups.js';
import { readStanding, Standing } from './standing.js';

type Past = Pick<CommandContext, 'state' | 'history' | 'keys'>;

/** What can be disputed: a record that charged an account. */
export interface Charge {
  /** Sequence of the record (of messages that of the authorization), and DE31 of it; '' without. */
  readonly posted: number;
  readonly arn: string;
  /** -1 for none. */
  readonly cardSlot: number;
  /** What it charged and what has not been given back since, minor units, from 0. */
  readonly amount: number;
  /** Of one of several parts that messages posted: its sequence, and what it charged and was not taken back. */
  readonly part?: { readonly sequence: number; readonly amount: number };
}

const standing = new Standing();

/** Charges that a record of an account stands for, oldest first: itself, or what cleared the authorization that it is. */
export function chargesOf(past: Past, accountSlot: number, sequence: number): Charge[] {
  const { history } = past;
  // Of what was dropped nothing is known any more.
  if (sequence <= history.floor || sequence > past.state.accounts.newest(accountSlot)) return [];
  const event = history.readEvent(sequence);
  if (event === undefined) return chargesOfMessage(past, accountSlot, sequence);
  if (!('accountSlot' in event) || event.accountSlot !== accountSlot) return [];
  if (event.kind === EventKind.clearingPosted) return isCharge(event) ? [chargeOf(past, event)] : [];
  if (event.kind !== EventKind.entryPosted || !isDisputable(past, event)) return [];
  return [{ posted: sequence, arn: '', cardSlot: event.cardSlot, amount: Math.max(0, postedChange(event.legs)) }];
}

/** A fee that was not waived, and a record that came to its card out of suspense. What else an entry charges was given before. */
function isDisputable({ state }: Past, { entry, accountSlot, sequence }: EntryPosted): boolean {
  if (entry === EntryKind.suspenseResolved) return true;
  if (entry !== EntryKind.fee) return false;
  const { high, low } = entryHash({ entry: EntryKind.feeWaived, accountSlot, reference: String(sequence) });
  return state.references.find(high, low) === 0;
}

/** A purchase or cash that is not the taking back of one, and that an account was charged for. */
const isCharge = ({ sort, input, posted }: ClearingPosted): boolean =>
  (sort === ClearingSort.purchase || sort === ClearingSort.cash) && input.reversal === 0 && posted > 0;

function chargesOfMessage(past: Past, accountSlot: number, sequence: number): Charge[] {
  const { history, keys } = past;
  const message = history.read(sequence);
  if (message.accountSlot !== accountSlot) return [];
  const { cardSlot } = message;
  const cleared = relatedTo(history, keys, sequence).filter(
    (event) => event.originalSequence === sequence && isCharge(event),
  );
  if (cleared.length > 0) return cleared.map((event) => chargeOf(past, event));
  const root = message.originalSequence;
  // A part of what is not in the journal any more stands for itself.
  if (root > history.floor) return chargesOfPart(past, root, sequence, message.postings.on(Gl.network));
  const { total } = readStanding(history, keys, sequence, standing);
  return total > 0 ? [{ posted: sequence, arn: '', cardSlot, amount: total }] : [];
}

/** One of several parts: what can be disputed of it is no more than what stands of the authorization. @param network that it posted there */
function chargesOfPart({ history, keys }: Past, root: number, sequence: number, network: number): Charge[] {
  const isTaken = undoneBy(history, keys, sequence) !== Undone.no;
  const { cardSlot } = history.read(root);
  const { total } = readStanding(history, keys, root, standing);
  const amount = isTaken ? 0 : Math.min(total, Math.max(0, 0 - network));
  return total > 0 ? [{ posted: root, arn: '', cardSlot, amount: total, part: { sequence, amount } }] : [];
}

/** A clearing record, less what records that name it have given back. */
function chargeOf({ history, keys }: Past, event: ClearingPosted): Charge {
  const { sequence, input, cardSlot } = event;
  const given = relatedTo(history, keys, sequence).filter((one) => one.relatedSequence === sequence);
  const amount = given.reduce((sum, { posted }) => sum + Math.min(0, posted), event.posted);
  return { posted: sequence, arn: input.arn, cardSlot, amount: Math.max(0, amount) };
}

/** Provisional credits for what the record at a sequence posted, oldest first. */
export function disputesOf({ history, keys }: Past, posted: number, cardSlot: number): EntryPosted[] {
  keys.forCard(cardSlot, [0, 0, 0]).disputesKey(posted);
  return foundAt(history, keys).flatMap((at) => {
    const event = history.readEvent(at);
    const is = event?.kind === EventKind.entryPosted && event.entry === EntryKind.provisionalCredit;
    return is && event.disputed?.posted === posted ? [event] : [];
  });
}

/** What of a charge no dispute is about: those that were withdrawn do not count. */
export function undisputed(past: Past, { posted, cardSlot, amount, part }: Charge): number {
  const left = Math.max(0, amount - disputedIn(past, posted, cardSlot, ['withdrawn']));
  if (part === undefined) return left;
  return Math.min(left, Math.max(0, part.amount - disputedIn(past, posted, cardSlot, ['withdrawn'], part.sequence)));
}

/** What disputes of a charge have given and not taken back, minor units. */
export function givenByDisputes(past: Past, posted: number, cardSlot: number): number {
  return disputedIn(past, posted, cardSlot, ['withdrawn', 'lost']);
}

/** @param part that the disputes name; 0 for all of what was posted */
function disputedIn(past: Past, posted: number, cardSlot: number, except: readonly DisputeStatus[], part = 0): number {
  const { references } = past.state;
  return disputesOf(past, posted, cardSlot)
    .filter((one) => part === 0 || one.relatedSequence === part)
    .filter((one) => !except.includes(statusAfter(stepsOf(references, one.accountSlot, one.sequence))))
    .reduce((sum, one) => sum + disputedAmount(one), 0);
}

/**
 * True when a charge was given back to the cardholder by more than there was of it: by disputes, and since by the merchant or the
 * network (a refund or a reversal that names it) or as a waived fee.
 */
export function isGivenTwice(past: Past, dispute: EntryPosted): boolean {
  return givenBeyond(past, dispute, disputedAmount(dispute)) > 0;
}

/**
 * What of an amount that a dispute gives, which is not over, is beyond what was charged, less what else has given it back.
 * @param amount of the dispute, minor units, from 0
 */
export function givenBeyond(past: Past, dispute: EntryPosted, amount: number): number {
  const { accountSlot, cardSlot, relatedSequence, disputed } = dispute;
  if (disputed === undefined) return 0;
  const { posted } = disputed;
  const { floor } = past.history;
  const named = relatedSequence > floor ? relatedSequence : posted;
  const charge = chargesOf(past, accountSlot, named).find((one) => one.posted === posted);
  const left = posted > floor ? (charge?.amount ?? 0) : leftOfDropped(past, dispute);
  const own = disputedAmount(dispute);
  const beyond = givenByDisputes(past, posted, cardSlot) - own + amount - left;
  const part = charge?.part;
  if (part === undefined) return Math.max(0, Math.min(amount, beyond));
  const ofPart = disputedIn(past, posted, cardSlot, ['withdrawn', 'lost'], part.sequence) - own + amount - part.amount;
  return Math.max(0, Math.min(amount, Math.max(beyond, ofPart)));
}

/** What was given back since a dispute began, of a record that was dropped meanwhile: minor units, from 0. */
export interface BackSince {
  readonly amount: number;
  /** By records that took it back. */
  readonly markup: number;
  readonly fee: number;
  /** By messages: what the cardholder is charged less, so that there is less to give back. */
  readonly charged: number;
  readonly cash: number;
  readonly cashFee: number;
}

/** Reversals and refunds of what a dispute is about, behind its provisional credit. Messages find nothing that was dropped. */
export function backSince({ history, keys }: Past, { sequence, disputed }: EntryPosted): BackSince {
  const since = { amount: 0, markup: 0, fee: 0, charged: 0, cash: 0, cashFee: 0 };
  const posted = disputed?.posted ?? 0;
  keys.elementsKey(posted);
  for (const at of foundAt(history, keys)) {
    if (at <= sequence) continue;
    if (history.isMessage(at)) {
      const { originalSequence, postings } = history.read(at);
      if (originalSequence !== posted) continue;
      since.amount += postings.on(Gl.network);
      since.charged -= postings.on(Gl.purchases) + postings.on(Gl.cash);
      since.cash -= postings.on(Gl.cash);
      since.cashFee -= postings.on(Gl.fees);
      continue;
    }
    const event = clearingAt(history, at);
    if (event?.relatedSequence !== posted) continue;
    since.amount -= Math.min(0, event.posted);
    if (event.input.reversal === 0) continue;
    for (const { glAccount, amount } of event.legs) {
      if (glAccount === Gl.feeIncome) since.fee += amount;
      if (glAccount === Gl.fxMarkup) since.markup += amount;
    }
  }
  return since;
}

/** What is left of a charge that was dropped: as it stood when its dispute began, less what has gone back since. */
function leftOfDropped(past: Past, dispute: EntryPosted): number {
  const charge = dispute.disputed?.charge;
  // Of a dispute of an earlier release that is not known: all that it gave may have been charged.
  if (charge === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(0, charge.amount - charge.back - backSince(past, dispute).amount);
}

/** True of a dispute of cash: of a record of a file, or of a single message that is nothing else. */
export function isOfCash({ history, keys }: Past, { disputed }: Pick<EntryPosted, 'disputed'>): boolean {
  if (disputed === undefined) return false;
  if (disputed.posted <= history.floor) {
    const { charge } = disputed;
    return charge !== undefined && charge.cash > 0 && charge.cash === charge.amount;
  }
  const event = history.readEvent(disputed.posted);
  if (event !== undefined) return event.kind === EventKind.clearingPosted && isCashRecord(event.input);
  const { total, cash } = readStanding(history, keys, disputed.posted, standing);
  return cash > 0 && cash === total;
}

/** What a dispute is about: the dispute receivable that its provisional credit made. */
export function disputedAmount({ legs }: Pick<EntryPosted, 'legs'>): number {
  return onReceivable(legs);
}

/** What legs post to the dispute receivable, D positive. */
export function onReceivable(legs: readonly Posting[]): number {
  return legs.reduce((sum, { glAccount, amount }) => (glAccount === Gl.disputes ? sum + amount : sum), 0);
}

/** How a dispute stands. Minor units of the account's currency, from 0. */
export interface DisputeStanding {
  /** On the dispute receivable now. */
  readonly outstanding: number;
  /** What was charged back; 0 before a chargeback. */
  readonly chargedBack: number;
}

export function disputeStanding({ state, history, keys }: Past, dispute: EntryPosted): DisputeStanding {
  let outstanding = disputedAmount(dispute);
  let chargedBack = 0;
  for (const { step, sequence } of stepsOf(state.references, dispute.accountSlot, dispute.sequence)) {
    const event = history.readEvent(sequence);
    if (event?.kind !== EventKind.entryPosted && event?.kind !== EventKind.clearingPosted) continue;
    const moved = onReceivable(event.legs);
    outstanding += moved;
    if (step === 'chargeback') chargedBack = 0 - moved;
    if (event.kind !== EventKind.clearingPosted) continue;
    // A second presentment that the network took back.
    for (const one of relatedTo(history, keys, sequence))
      if (one.relatedSequence === sequence && one.input.reversal === 1) outstanding += onReceivable(one.legs);
  }
  return { outstanding, chargedBack };
}

/** The dispute whose chargeback a second presentment of what the record at a sequence posted answers; the oldest, by amount first. */
export function disputeCharged(past: Past, posted: number, cardSlot: number, amount: number): EntryPosted | undefined {
  const open = disputesOf(past, posted, cardSlot).filter(
    (one) => statusAfter(stepsOf(past.state.references, one.accountSlot, one.sequence)) === 'charged_back',
  );
  return open.find((one) => disputeStanding(past, one).chargedBack === amount) ?? open[0];
}
