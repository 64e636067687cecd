/** Records of the journal as the page of its format tells them, in words. Only versions that are written today. */
import { type Effects, readEffects } from './effects.js';
import { type Cursor, FormatError } from './msgpack.js';

interface Head {
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
  | HoldExpired
  | TotalsCompared
  | EntryPosted
  | ClearingPosted
  | AccrualMarked
  | StatementClosed
  | Aside;

export type AnyRecord = MessageRecord | PlainRecord;

const words = (from: Cursor): Words => [from.integer(), from.integer(), from.integer()];

const ofAccountBehind = (from: Cursor): { previousOfAccount: number; previousOfCard: number } => ({
  previousOfAccount: from.integer(),
  previousOfCard: from.integer(),
});

function plainLegs(from: Cursor): { gl: number; amount: number }[] {
  return Array.from({ length: from.array() / 2 }, () => ({ gl: from.integer(), amount: from.integer() }));
}

function legs(from: Cursor): Leg[] {
  return Array.from({ length: from.array() / 4 }, () => ({
    gl: from.integer(),
    currency: from.integer(),
    sub: from.integer(),
    amount: from.integer(),
  }));
}

type Reader = (from: Cursor, head: Head, members: number) => AnyRecord;

const count = (members: number, wanted: number): void => {
  if (members !== wanted) throw new FormatError(`a record of ${members} members, of its kind it has ${wanted}`);
};

/** By kind and version. */
const READERS: Record<string, [members: number, read: Reader]> = {
  '1 1': [
    9,
    (from, head) => ({
      kind: 'account created',
      ...head,
      ...{ account: from.integer(), id: from.text(), program: from.integer() },
      ...{ currency: from.integer(), limit: from.integer(), type: from.integer() },
    }),
  ],
  '2 1': [
    7,
    (from, head) => ({
      kind: 'account updated',
      ...head,
      ...{ account: from.integer(), limit: from.integer(), status: from.integer() },
      ...{ previousOfAccount: from.integer() },
    }),
  ],
  '3 2': [18, readCard],
  '4 2': [
    9,
    (from, head) => ({
      kind: 'card updated',
      ...head,
      ...{ card: from.integer(), account: from.integer(), status: from.integer() },
      ...{ pinTries: from.integer(), previousOfCard: from.integer(), previousOfAccount: from.integer() },
    }),
  ],
  '5 2': [68, readMessage],
  '6 3': [
    14,
    (from, head) => ({
      kind: 'not delivered',
      ...head,
      ...{ account: from.integer(), card: from.integer(), approval: from.integer() },
      ...{ authorization: from.integer(), authorizedAfter: from.integer(), holdDelta: from.integer() },
      ...{ counted: from.numbers(), legs: plainLegs(from), changes: from.binary(), ...ofAccountBehind(from) },
    }),
  ],
  '7 1': [
    9,
    (from, head) => ({
      kind: 'payment',
      ...head,
      ...{ account: from.integer(), amount: from.integer(), currency: from.integer() },
      ...{ reference: from.text(), legs: plainLegs(from), previousOfAccount: from.integer() },
    }),
  ],
  '8 1': [6, (from, head) => aside(from, head, 'poison', 3)],
  '9 1': [4, (from, head) => ({ kind: 'aside', what: 'unknown cards', ...head, count: from.integer() })],
  '10 1': [6, (from, head) => aside(from, head, 'idempotency', 3)],
  '11 1': [
    6,
    (from, head) => ({
      kind: 'program applied',
      ...head,
      ...{ program: from.integer(), revision: from.integer(), text: from.text() },
    }),
  ],
  '12 1': [
    8,
    (from, head) => ({
      kind: 'controls set',
      ...head,
      ...{ account: from.integer(), card: from.integer(), text: from.text() },
      ...ofAccountBehind(from),
    }),
  ],
  '13 1': [
    11,
    (from, head) => ({
      kind: 'hold expired',
      ...head,
      ...{ account: from.integer(), card: from.integer() },
      ...{ authorization: from.integer(), authorizedAfter: from.integer(), holdDelta: from.integer() },
      ...{ changes: from.binary(), ...ofAccountBehind(from) },
    }),
  ],
  '14 1': [
    13,
    (from, head) => ({
      kind: 'totals compared',
      ...head,
      ...{ mti: from.integer(), link: from.integer(), acquirer: from.integer() },
      ...{ day: from.integer(), currency: from.integer(), transmission: from.integer(), stan: from.integer() },
      ...{ equal: from.integer(), theirs: from.numbers(), ours: from.numbers() },
    }),
  ],
  '15 1': [14, readEntry],
  '15 2': [17, readEntry],
  '16 2': [26, readClearing],
  '17 1': [5, (from, head) => ({ kind: 'accrual marked', ...head, day: from.integer(), next: from.integer() })],
  '18 1': [
    9,
    (from, head) => ({
      kind: 'statement closed',
      ...head,
      ...{ account: from.integer(), day: from.integer(), balance: from.integer() },
      ...{ minimumDue: from.integer(), dueDay: from.integer(), previousOfAccount: from.integer() },
    }),
  ],
};

const FORMS = new Map(Object.entries(READERS));

/** Reads the record that the cursor points at, all of it. @throws FormatError */
export function readRecord(from: Cursor, sequence: number): AnyRecord {
  const members = from.array();
  const [kind, version, atMs] = [from.integer(), from.integer(), from.integer()];
  const form = FORMS.get(`${kind} ${version}`);
  if (form === undefined) throw new FormatError(`no reader for records of kind ${kind}, version ${version}`);
  count(members, form[0]);
  const record = form[1](from, { sequence, atMs }, members);
  if (!from.done) throw new FormatError(`${from.end - from.at} bytes are left over behind a record of kind ${kind}`);
  return record;
}

function aside(from: Cursor, head: Head, what: Aside['what'], members: number): Aside {
  for (let i = 0; i < members; i++) from.value();
  return { kind: 'aside', what, ...head, count: 0 };
}

function readCard(from: Cursor, head: Head): CardCreated {
  const [card, account, fingerprint] = [from.integer(), from.integer(), words(from)];
  const [bin, last4, panLength, expiry] = [from.integer(), from.integer(), from.integer(), from.integer()];
  from.integer();
  from.integer();
  return {
    kind: 'card created',
    ...head,
    ...{ card, account, fingerprint, bin, last4, panLength, expiry },
    ...{ status: from.integer(), replaces: from.integer(), aliasOf: from.integer(), previousOfAccount: from.integer() },
  };
}

function readEntry(from: Cursor, head: Head, members: number): EntryPosted {
  const entry: EntryPosted = {
    kind: 'entry posted',
    ...head,
    ...{ entry: from.integer(), account: from.integer(), card: from.integer() },
    ...{ day: from.integer(), reference: from.text(), related: from.integer(), note: from.text() },
    ...{ carry: from.integer(), legs: legs(from), ...ofAccountBehind(from) },
  };
  for (let i = 14; i < members; i++) from.value();
  return entry;
}

function readClearing(from: Cursor, head: Head): ClearingPosted {
  return {
    kind: 'clearing posted',
    ...head,
    ...{ account: from.integer(), card: from.integer(), token: from.integer() },
    ...{ fingerprint: words(from), file: from.text(), input: readClearingInput(from) },
    ...{ sort: from.integer(), rung: from.integer(), flags: from.integer(), original: from.integer() },
    ...{ related: from.integer(), posted: from.integer(), authorizedAfter: from.integer() },
    ...{ holdDelta: from.integer(), holdFlags: from.integer(), revision: from.integer() },
    ...{ changes: from.binary(), legs: legs(from), ...ofAccountBehind(from), dispute: from.integer() },
  };
}

function readClearingInput(from: Cursor): ClearingInput {
  count(from.array(), 32);
  return {
    ...{ record: from.integer(), mti: from.integer(), functionCode: from.integer(), processingCode: from.integer() },
    ...{ amount: from.integer(), currency: from.integer() },
    ...{ settlementAmount: from.integer(), settlementCurrency: from.integer() },
    ...{ billingAmount: from.integer(), billingCurrency: from.integer() },
    ...{ network: from.integer(), sub: from.integer(), businessDay: from.integer(), mcc: from.integer() },
    ...{ country: from.integer(), localDay: from.integer(), localSeconds: from.integer(), partial: from.integer() },
    ...{ sequence: from.integer(), count: from.integer(), reversal: from.integer(), originalDay: from.integer() },
    ...{ arn: from.text(), networkId: from.text(), rrn: from.text(), approvalCode: from.text() },
    ...{ acquirer: from.text(), terminal: from.text(), acceptor: from.text(), acceptorName: from.text() },
    ...{ fees: from.numbers(), cashBack: from.integer() },
  };
}

function readMessage(from: Cursor, { sequence, atMs }: Head): MessageRecord {
  // Members are evaluated in the order of the format.
  const element = from.integer();
  const account = from.integer();
  const card = from.integer();
  const fingerprint = words(from);
  const response = String.fromCharCode(...twoBytes(from.integer()));
  const reason = from.integer();
  const code = from.integer();
  const approved = from.integer();
  const holdDelta = from.integer();
  const holdExpiresMs = from.integer();
  const original = from.integer();
  const tombstone = from.integer();
  const limitBefore = from.integer();
  const postedBefore = from.integer();
  const heldBefore = from.integer();
  const previousOfAccount = from.integer();
  const previousOfCard = from.integer();
  const authorizedAfter = from.integer();
  const revision = from.integer();
  from.binary();
  const dialect = from.integer();
  const link = from.integer();
  const mti = from.integer();
  const processingCode = from.integer();
  const amount = from.integer();
  const currency = from.integer();
  const billing = from.integer();
  const billingCurrency = from.integer();
  const transmission = from.integer();
  const stan = from.integer();
  const localTime = from.integer();
  const localDate = from.integer();
  const expiry = from.integer();
  const settlementDate = from.integer();
  const mcc = from.integer();
  const country = from.integer();
  const entryMode = from.integer();
  from.integer();
  const condition = from.integer();
  const originalMti = from.integer();
  const originalStan = from.integer();
  const originalTransmission = from.integer();
  const replacementAmount = from.integer();
  const functionCode = from.integer();
  const partial = from.integer();
  const threeDSecure = from.integer();
  const carried = from.integer();
  const badField = from.integer();
  from.integer();
  const businessDay = from.integer();
  const acquirer = from.wireText();
  const forwarder = from.wireText();
  const rrn = from.wireText();
  const approval = from.wireText();
  const terminal = from.wireText();
  const acceptor = from.wireText();
  const acceptorName = from.binary().toString('latin1');
  const networkId = from.wireText();
  const originalNetworkId = from.wireText();
  const originalAcquirer = from.wireText();
  const originalForwarder = from.wireText();
  const holdReference = from.wireText();
  const effects = readEffects(from.binary());
  return {
    kind: 'message',
    ...{ sequence, atMs, element, account, card, fingerprint, response, reason, code, approved },
    ...{ holdDelta, holdExpiresMs, original, tombstone, limitBefore, postedBefore, heldBefore },
    ...{ previousOfAccount, previousOfCard, authorizedAfter, revision, dialect, link, mti, processingCode },
    ...{ amount, currency, billing, billingCurrency, transmission, stan, localTime, localDate, expiry },
    ...{ settlementDate, mcc, country, entryMode, condition, originalMti, originalStan, originalTransmission },
    ...{ replacementAmount, functionCode, partial, threeDSecure, carried, badField, businessDay },
    ...{ acquirer, forwarder, rrn, approval, terminal, acceptor, acceptorName, networkId },
    ...{ originalNetworkId, originalAcquirer, originalForwarder, holdReference },
    ...effects,
  };
}

const twoBytes = (value: number): [number, number] => [value >> 8, value & 0xff];
