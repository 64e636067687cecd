/**
 * What a ledger entry is about. The numbers are part of the journal's format: never change or reuse one, only add.
 */
export const EntryKind = {
  /** A payment received is taken back: the mirror of its entry. */
  paymentReturned: 1,
  fee: 2,
  feeWaived: 3,
  /** Interest of a day, not owed yet. */
  interestAccrued: 4,
  /** What was accrued becomes owed with the statement. */
  interestBilled: 5,
  provisionalCredit: 6,
  provisionalCreditReversed: 7,
  /** A chargeback that the network accepted in settlement. */
  chargeback: 8,
  chargebackReversed: 9,
  disputeLostByCardholder: 10,
  disputeWrittenOff: 11,
  networkFee: 12,
  settlement: 13,
  suspenseResolved: 14,
  creditBalanceRefunded: 15,
  chargeOff: 16,
  recovery: 17,
  /** A chargeback that no second presentment came to: ends the dispute and posts nothing. */
  disputeWon: 18,
  /** We take a chargeback back before the merchant answers it. */
  chargebackTakenBack: 19,
  /** Interest of a cycle that is free, because the statement before it was paid in full by its due date. */
  interestWaived: 20,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];
