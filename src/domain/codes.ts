/**
 * The words of the domain as small integers: what rows, records and verdicts store. The numbers are part of the journal's
 * format: never change or reuse one, only add.
 */

/** Kinds of journal events (records). */
export const EventKind = {
  accountCreated: 1,
  accountUpdated: 2,
  cardCreated: 3,
  cardUpdated: 4,
  /** Any decision about a wire message: authorization, inquiry, verification, reversal, decline. */
  message: 5,
  /** The reply of an approval was not handed to its socket in time: its hold is rolled back. */
  notDelivered: 6,
  payment: 7,
  /** A message that stopped the shard was set aside by its fingerprint. */
  poison: 8,
  /** Declines of unknown cards beyond the journaling rate, as a count. */
  unknownCardCount: 9,
  /** Idempotency key of the API with the HMAC of its body and its outcome; stands behind its effect in the same frame. */
  idempotency: 10,
  /** The shard decides with this snapshot of a program from here on. */
  programApplied: 11,
  /** Controls of a card or of an account. */
  controlsSet: 12,
  /** A hold came to its end: what remained is released. */
  holdExpired: 13,
  /** An acquirer's totals of a business date were compared with ours. */
  totalsCompared: 14,
  /** A ledger entry that no message makes: a fee, interest, a dispute's step, a settlement. */
  entryPosted: 15,
  /** A record of a clearing file was posted. */
  clearingPosted: 16,
  /** The daily accrual has done the accounts up to a slot. */
  accrualMarked: 17,
  /** A statement of an account was closed. */
  statementClosed: 18,
  /** The sealed reference value of a card's PIN. */
  pinReferenceSet: 19,
  /** A card is found by another fingerprint of its number from here on: the fingerprint key is rotated. */
  fingerprintChanged: 20,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** What a message event is in the life of an authorization. */
export const ElementKind = {
  authorization: 1,
  verification: 2,
  balanceInquiry: 3,
  reversal: 4,
  /** A message that could not be understood far enough to be one of the others (30, 12). */
  refused: 5,
  /** Adds its amount to an earlier authorization. */
  increment: 6,
  /** Names the new total of an earlier authorization. */
  replacement: 7,
  /** The network tells a decision of its own, or a posting. */
  advice: 8,
  /** An advice that names the amount of an authorization we know. */
  completion: 9,
  /** A credit to the card is announced: nothing moves until it is cleared. */
  refundAuthorization: 10,
  /** The network puts a card on or off a list. */
  fileUpdate: 11,
} as const;
export type ElementKind = (typeof ElementKind)[keyof typeof ElementKind];

export const AccountStatus = { open: 1, frozen: 2, closed: 3 } as const;
export type AccountStatus = (typeof AccountStatus)[keyof typeof AccountStatus];

export const AccountType = { credit: 1, prepaid: 2, debit: 3 } as const;
export type AccountType = (typeof AccountType)[keyof typeof AccountType];

export const CardStatus = { inactive: 1, active: 2, paused: 3, lost: 4, stolen: 5, closed: 6, expired: 7 } as const;
export type CardStatus = (typeof CardStatus)[keyof typeof CardStatus];

/** Closed, lost and stolen cards stay what they are. */
export const isFinalStatus = (status: number): boolean =>
  status === CardStatus.closed || status === CardStatus.lost || status === CardStatus.stolen;

/** Steps of the decision order, in their order. */
export const Step = {
  format: 1,
  messageType: 2,
  duplicate: 3,
  tombstone: 4,
  cardKnown: 5,
  cardStatus: 6,
  expiryDate: 7,
  accountStatus: 8,
  cryptography: 9,
  controls: 10,
  rules: 11,
  funds: 12,
  approve: 13,
  /** The search for the authorization that a message names. */
  original: 14,
  /** The network token that the message came with: before the card's own status. */
  token: 15,
} as const;
export type Step = (typeof Step)[keyof typeof Step];

/** Verdict of one step. */
export const Verdict = {
  pass: 1,
  fail: 2,
  notPresent: 3,
  notApplicable: 4,
  matched: 5,
  notFound: 6,
  /** Of the step `tombstone`: the reversal stands against a message that is still on its way. */
  laid: 7,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** What card cryptography can check of a message, in the order in which the first failure is the answer. */
export const Check = { stripe: 0, cvv2: 1, pin: 2, cryptogram: 3, counter: 4, threeDSecure: 5 } as const;
export type Check = (typeof Check)[keyof typeof Check];
export const CHECK_COUNT = 6;

/** How a check ended. */
export const CheckOutcome = {
  notPresent: 0,
  /** The message carries it and the program has no rule for it. */
  notChecked: 1,
  passed: 2,
  wrong: 3,
  /** A PIN block that is none of this card under this key. */
  unreadable: 4,
  /** The card has no PIN. */
  notSet: 5,
  /** No more tries. */
  blocked: 6,
  replayed: 7,
  jumped: 8,
  /** No device in time. */
  unavailable: 9,
  /** A key or a request of ours that does not fit. */
  faulty: 10,
} as const;
export type CheckOutcome = (typeof CheckOutcome)[keyof typeof CheckOutcome];

/** Why devices gave no verdict about a card (vault/hsm/port.ts), the last one of a message. */
export const DeviceFailure = {
  none: 0,
  pinUnreadable: 1,
  keyNotUsable: 2,
  badRequest: 3,
  notAllowed: 4,
  unsupported: 5,
  deviceDown: 6,
  deviceBusy: 7,
  timeout: 8,
  deviceError: 9,
} as const;
export type DeviceFailure = (typeof DeviceFailure)[keyof typeof DeviceFailure];

/** Why a message was declined or refused: the API's `decline_reason`, finer than DE39. */
export const Reason = {
  none: 0,
  malformedField: 1,
  missingField: 2,
  unsupportedMessage: 3,
  unsupportedProcessingCode: 4,
  duplicateOtherAmount: 5,
  /** A repeat of an approval that was fully reversed or rolled back as not delivered. */
  originalUndone: 6,
  reversedBeforeArrival: 7,
  unknownCard: 8,
  cardInactive: 9,
  cardPaused: 10,
  cardLost: 11,
  cardStolen: 12,
  cardClosed: 13,
  cardExpired: 14,
  expiryMismatch: 15,
  accountFrozen: 16,
  accountClosed: 17,
  currencyMismatch: 18,
  insufficientFunds: 19,
  amountOutOfRange: 20,
  setAside: 21,
  channelDenied: 22,
  countryDenied: 23,
  mccDenied: 24,
  merchantDenied: 25,
  transactionLimit: 26,
  velocityAmount: 27,
  velocityCount: 28,
  velocityDeclines: 29,
  cashTransactionLimit: 30,
  cashVelocityAmount: 31,
  cashVelocityCount: 32,
  /** A rule of the program; the event names it, and it has a reason of its own. */
  rule: 33,
  /** The program forbids transactions of this type. */
  transactionTypeForbidden: 34,
  /** The network token that the message came with. */
  tokenInactive: 35,
  tokenPaused: 36,
  tokenClosed: 37,
  tokenExpired: 38,
  /** The PIN was wrong too often. */
  pinTriesExceeded: 39,
  /** A closed, lost or stolen card stays what it is. */
  cardStatusFinal: 42,
  /** The value on the stripe, or in the chip's copy of it. */
  wrongCvv: 43,
  wrongCvv2: 44,
  wrongPin: 45,
  /** The card has no PIN that the one of the message could be compared with. */
  pinNotSet: 46,
  pinUnreadable: 47,
  wrongCryptogram: 48,
  /** The chip's counter is not above the highest one that was seen. */
  counterReplayed: 49,
  /** It is further ahead than the program takes for possible. */
  counterJumped: 50,
  threeDSecureLevel: 51,
  /** No device could check what the message carries. */
  cryptographyUnavailable: 52,
  /** A key or a request of ours does not fit. */
  cryptographyFault: 53,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

/** DE39 values as two ASCII bytes in one integer: `'51'` is 0x3531. */
export function responseCode(text: string): number {
  return (text.charCodeAt(0) << 8) | text.charCodeAt(1);
}

export function responseText(code: number): string {
  return String.fromCharCode(code >> 8, code & 0xff);
}

export const Response = {
  approved: responseCode('00'),
  partial: responseCode('10'),
  invalidTransaction: responseCode('12'),
  invalidCard: responseCode('14'),
  noActionTaken: responseCode('21'),
  recordNotFound: responseCode('25'),
  formatError: responseCode('30'),
  lost: responseCode('41'),
  stolen: responseCode('43'),
  insufficientFunds: responseCode('51'),
  expired: responseCode('54'),
  wrongPin: responseCode('55'),
  notPermitted: responseCode('57'),
  restricted: responseCode('62'),
  lateOrReversed: responseCode('68'),
  pinTriesExceeded: responseCode('75'),
  inactive: responseCode('78'),
  pinUnreadable: responseCode('81'),
  wrongCvv: responseCode('82'),
  verified: responseCode('85'),
  wrongCryptogram: responseCode('88'),
  unavailable: responseCode('91'),
  duplicate: responseCode('94'),
  systemError: responseCode('96'),
} as const;
