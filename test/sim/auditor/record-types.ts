/** Records of the journal in words: what each kind tells (docs/internals/journal-format.md). */
import type { Effects } from './effects.js';

export interface Head {
  sequence: number;
  atMs: number;
}

interface OfAccount {
  /** Slots; -1 without. */
  account: number;
  /** Previous record of the account; 0 for none. */
  previousOfAccount: number;
}

interface OfCard extends OfAccount {
  card: number;
  previousOfCard: number;
}

/** One leg: D positive, minor units. */
export interface Leg {
  readonly gl: number;
  readonly currency: number;
  readonly sub: number;
  readonly amount: number;
}

export type Words = readonly [number, number, number];

export interface AccountCreated extends Head {
  kind: 'account created';
  account: number;
  id: string;
  program: number;
  currency: number;
  limit: number;
  type: number;
}

export interface AccountUpdated extends Head, OfAccount {
  kind: 'account updated';
  limit: number;
  status: number;
}

export interface CardCreated extends Head, OfAccount {
  kind: 'card created';
  card: number;
  fingerprint: Words;
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  status: number;
  replaces: number;
  aliasOf: number;
}

export interface CardUpdated extends Head, OfCard {
  kind: 'card updated';
  status: number;
  /** Failed PINs afterwards; -1: as they were. */
  pinTries: number;
}

/** A decision about a message: what it said, what was decided, what came of it. */
export interface MessageRecord extends Head, OfCard, Effects {
  kind: 'message';
  element: number;
  fingerprint: Words;
  /** DE39. */
  response: string;
  reason: number;
  /** -1 without. */
  code: number;
  approved: number;
  holdDelta: number;
  holdExpiresMs: number;
  original: number;
  tombstone: number;
  limitBefore: number;
  postedBefore: number;
  heldBefore: number;
  authorizedAfter: number;
  revision: number;
  dialect: number;
  link: number;
  mti: number;
  /** DE3, 4, 49, 6, 51, 7, 11 to 15, 18, 19, 22, 23, 25; -1 when absent. */
  processingCode: number;
  amount: number;
  currency: number;
  billing: number;
  billingCurrency: number;
  transmission: number;
  stan: number;
  localTime: number;
  localDate: number;
  expiry: number;
  settlementDate: number;
  mcc: number;
  country: number;
  entryMode: number;
  condition: number;
  originalMti: number;
  originalStan: number;
  originalTransmission: number;
  replacementAmount: number;
  functionCode: number;
  partial: number;
  threeDSecure: number;
  /** Bits of sensitive data that it carried. */
  carried: number;
  badField: number;
  businessDay: number;
  acquirer: string;
  forwarder: string;
  rrn: string;
  approval: string;
  terminal: string;
  acceptor: string;
  acceptorName: string;
  networkId: string;
  originalNetworkId: string;
  originalAcquirer: string;
  originalForwarder: string;
  holdReference: string;
}

export interface NotDelivered extends Head, OfCard {
  kind: 'not delivered';
  approval: number;
  authorization: number;
  authorizedAfter: number;
  holdDelta: number;
  counted: readonly number[];
  legs: readonly { gl: number; amount: number }[];
}

export interface Payment extends Head, OfAccount {
  kind: 'payment';
  amount: number;
  currency: number;
  reference: string;
  legs: readonly { gl: number; amount: number }[];
}

export interface ProgramApplied extends Head {
  kind: 'program applied';
  program: number;
  revision: number;
  text: string;
}

export interface ControlsSet extends Head, OfCard {
  kind: 'controls set';
  text: string;
}

export interface PinReferenceSet extends Head, OfCard {
  kind: 'PIN reference set';
  sealed: Buffer;
}

export interface HoldExpired extends Head, OfCard {
  kind: 'hold expired';
  authorization: number;
  authorizedAfter: number;
  holdDelta: number;
}

export interface TotalsCompared extends Head {
  kind: 'totals compared';
  mti: number;
  link: number;
  acquirer: number;
  day: number;
  currency: number;
  transmission: number;
  stan: number;
  equal: number;
  theirs: readonly number[];
  ours: readonly number[];
}

export interface EntryPosted extends Head, OfCard {
  kind: 'entry posted';
  entry: number;
  day: number;
  reference: string;
  related: number;
  note: string;
  carry: number;
  legs: readonly Leg[];
  /** The end of a dispute: the record that it was about, and what the cardholder keeps. */
  ended?: { posted: number; kept: number };
}

export interface ClearingInput {
  record: number;
  mti: number;
  functionCode: number;
  processingCode: number;
  amount: number;
  currency: number;
  settlementAmount: number;
  settlementCurrency: number;
  billingAmount: number;
  billingCurrency: number;
  network: number;
  sub: number;
  businessDay: number;
  mcc: number;
  country: number;
  localDay: number;
  localSeconds: number;
  partial: number;
  sequence: number;
  count: number;
  reversal: number;
  originalDay: number;
  arn: string;
  networkId: string;
  rrn: string;
  approvalCode: string;
  acquirer: string;
  terminal: string;
  acceptor: string;
  acceptorName: string;
  /** Amount, currency, sign (1 debit of us, -1 credit to us, 0 as usual) of each. */
  fees: readonly number[];
  cashBack: number;
}

export interface ClearingPosted extends Head, OfCard {
  kind: 'clearing posted';
  token: number;
  fingerprint: Words;
  file: string;
  input: ClearingInput;
  sort: number;
  rung: number;
  flags: number;
  original: number;
  related: number;
  posted: number;
  authorizedAfter: number;
  holdDelta: number;
  holdFlags: number;
  revision: number;
  legs: readonly Leg[];
  dispute: number;
  windowLagMs: number;
}

export interface AccrualMarked extends Head {
  kind: 'accrual marked';
  day: number;
  next: number;
}

export interface StatementClosed extends Head, OfAccount {
  kind: 'statement closed';
  day: number;
  balance: number;
  minimumDue: number;
  dueDay: number;
}

/** What moves no balance: a message set aside, a count of unknown cards, an idempotency key. */
export interface Aside extends Head {
  kind: 'aside';
  what: 'poison' | 'unknown cards' | 'idempotency';
  /** Of unknown cards. */
  count: number;
}

export type PlainRecord =
  | AccountCreated
  | AccountUpdated
  | CardCreated
  | CardUpdated
  | NotDelivered
  | Payment
  | ProgramApplied
  | ControlsSet
  | PinReferenceSet
  | HoldExpired
  | TotalsCompared
  | EntryPosted
  | ClearingPosted
  | AccrualMarked
  | StatementClosed
  | Aside;

export type AnyRecord = MessageRecord | PlainRecord;
