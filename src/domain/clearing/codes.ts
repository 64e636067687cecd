/** Words of clearing as small integers. Part of the journal's format: never change or reuse a number, only add. */

/** What a record of a clearing file does to the cardholder. */
export const ClearingSort = {
  purchase: 1,
  cash: 2,
  /** A refund, or another credit to the card. */
  credit: 3,
  /** The acquirer presents again what was charged back: disputed until it is decided. */
  secondPresentment: 4,
} as const;
export type ClearingSort = (typeof ClearingSort)[keyof typeof ClearingSort];

/** By what a record found what it belongs to, best first (section 8 of the domain rules). */
export const MatchRung = {
  /** Nothing: a force post, a refund of its own, or an unknown card. */
  none: 0,
  networkId: 1,
  /** Card, approval code, currency and date. */
  approvalCode: 2,
  /** Card, RRN, and terminal or merchant. */
  rrn: 3,
  /** Card, merchant and amount, while the hold is open. */
  amount: 4,
  /** The acquirer's reference: of an earlier record, which this one reverses, refunds or presents again. */
  arn: 5,
} as const;
export type MatchRung = (typeof MatchRung)[keyof typeof MatchRung];

/** What reconciliation wants to know of a record beside what it posted: bits. */
export const ClearingFlag = {
  /** More was cleared than was authorized and the program tolerates. */
  overCleared: 1,
  /** The hold had come to its end. */
  afterExpiry: 2,
  /** The authorization had been reversed, or its approval rolled back. */
  afterReversal: 4,
  /** It fits no card of ours: in suspense. */
  unknownCard: 8,
  /** It names no amount in the currency of the account: in suspense. */
  otherCurrency: 16,
  /** It takes an earlier record back that we do not know. */
  originalMissing: 32,
  /** It takes back another amount than its original had. */
  otherAmount: 64,
  /** It would bring the account beyond what a balance can be: in suspense. */
  outOfRange: 128,
  /** It presents again, or takes that back, what no dispute of ours has charged back: in suspense. */
  disputeMissing: 256,
  /** The network id is of an authorization of another card of the account, which is not joined with this one by replacements. */
  otherCard: 512,
} as const;

/** Flags of what was posted to suspense. */
export const IN_SUSPENSE =
  ClearingFlag.unknownCard | ClearingFlag.otherCurrency | ClearingFlag.outOfRange | ClearingFlag.disputeMissing;
