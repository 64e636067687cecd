/** Reads records of the journal from the page of its format: only versions that are written today. */
import { readEffects } from './effects.js';
import { type Cursor, FormatError } from './msgpack.js';
import type {
  AnyRecord,
  Aside,
  CardCreated,
  ClearingInput,
  ClearingPosted,
  EntryPosted,
  Head,
  Leg,
  MessageRecord,
  Words,
} from './record-types.js';

export type * from './record-types.js';

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
  '6 4': [
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
  '19 1': [
    8,
    (from, head) => ({
      kind: 'PIN reference set',
      ...head,
      ...{ account: from.integer(), card: from.integer(), sealed: from.binary() },
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
  '15 3': [16, readEntry],
  '15 4': [24, readEntry],
  '16 3': [27, readClearing],
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
  if (members === 16) entry.ended = { posted: from.integer(), kept: from.integer() };
  else for (let i = 14; i < members; i++) from.value();
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
    ...{
      changes: from.binary(),
      legs: legs(from),
      ...ofAccountBehind(from),
      dispute: from.integer(),
      windowLagMs: from.integer(),
    },
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
