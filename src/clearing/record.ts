/**
 * One record of a clearing file as posting and reconciliation read it, whatever network it came from. Profiles (ipm/, ctf/)
 * read it where it lies in the file; a writer takes it as plain data.
 *
 * Conventions, the same for every property:
 * - Amounts are integers in minor units of the currency beside them, never negative unless said; -1 when the record has none.
 * - Currencies are ISO 4217 numbers; -1 when the record has none.
 * - Days are days since 1970-01-01; -1 when the record has none, or none that is a date.
 * - Texts are without the filling spaces of their field; '' when the record has none.
 * - Source: `IPM` says which data element (DE) or private data subelement (PDS), `CTF` which positions of which record (TCR n,
 *   counted from 1). Section 8 of the domain rules says what posting does with it.
 */

/**
 * What a record is. Everything that is not named here is `other`: kept, counted, and of no effect. An IPM message that moves money
 * is never `other` in an accepted file.
 */
export const clearingKinds = [
  /** IPM 1644/697, CTF 90. */
  'header',
  /** IPM 1644/695, CTF 92. */
  'trailer',
  /** CTF 91. */
  'batch_trailer',
  /** IPM 1240/200, CTF 05 06 07 25 26 27 with usage 1. A refund is one with `transactionType` 20. */
  'first_presentment',
  /** IPM 1240/205, CTF 05 06 07 25 26 27 with usage 2. */
  'second_presentment_full',
  /** IPM 1240/282. */
  'second_presentment_partial',
  /** IPM 1442/450, CTF 15 16 17 35 36 37 with usage 1. */
  'chargeback_full',
  /** IPM 1442/453. */
  'chargeback_partial',
  /** IPM 1442/451, CTF 15 16 17 35 36 37 with usage 2. */
  'arbitration_chargeback_full',
  /** IPM 1442/454. */
  'arbitration_chargeback_partial',
  /** IPM 1740/700 and 1740/783, CTF 10 and 20. `transactionType` 19 takes from us, 29 gives to us. */
  'fee_collection',
  /** IPM 1644/685. */
  'financial_position',
  /** IPM 1644/688. */
  'settlement_position',
  /** IPM 1644/680. */
  'currency_summary',
  /** IPM 1644/696: more about the presentment before it. */
  'addendum',
  /** IPM 1644/699: the network refused a file of ours. */
  'file_reject',
  /** IPM 1644/691: the network refused a message of ours. */
  'message_exception',
  'other',
] as const;
export type ClearingKind = (typeof clearingKinds)[number];

/** A conversion rate: `digits` / 10^`decimals`. */
export interface ConversionRate {
  /** 0 to 9 999 999. */
  readonly digits: number;
  /** 0 to 9. */
  readonly decimals: number;
}

/** One fee that the network computed for the record. Source: IPM an entry of PDS0146, CTF TCR5 92-107. */
export interface ClearingFee {
  /** IPM 2 characters; '' in CTF. */
  readonly type: string;
  /** IPM 2 characters; '' in CTF. */
  readonly code: string;
  /** IPM 2 characters; '' in CTF. */
  readonly settlementFlag: string;
  /**
   * `C`: to us, `D`: from us. '' where the file does not say it (IPM): an issuer then earns the interchange of a purchase and
   * pays that of cash and of a refund, and the reverse for a reversal.
   */
  readonly sign: 'C' | 'D' | '';
  readonly currency: number;
  readonly amount: number;
  /** In the settlement currency; IPM only, else as `currency` and `amount`. */
  readonly settlementCurrency: number;
  readonly settlementAmount: number;
}

/** Where and when the record is settled. Source: IPM PDS0159; of CTF the central processing day, cycle 0. */
export interface SettlementKey {
  readonly transferAgent: string;
  readonly account: string;
  readonly level: string;
  readonly serviceId: string;
  readonly fxClass: string;
  readonly reconciliationDay: number;
  /** 0 to 99. */
  readonly reconciliationCycle: number;
  readonly settlementDay: number;
  /** 0 to 99. */
  readonly settlementCycle: number;
}

/** A network's own totals. Source: IPM 1644/685 and 1644/688. */
export interface SettlementTotals {
  /** The file that they sum up (PDS0300). */
  readonly fileId: string;
  /** Message type and function code that they sum up, such as `1240200` (PDS0372). */
  readonly messages: string;
  /** First two digits of the processing code, such as `00` (PDS0374). */
  readonly processingCode: string;
  /** `O` originals, `R` reversals (PDS0378). */
  readonly reversalFlag: string;
  /** Amounts of the settlement currency (DE50). Positive: credit to us. Negative: debit, what we owe. PDS0394, 0395, 0396. */
  readonly netAmount: number;
  readonly netFee: number;
  readonly netTotal: number;
  /** Messages (PDS0402); -1 when not said. */
  readonly count: number;
}

/**
 * One record. A reader's instance is a window on the bytes of its file: valid until the reader goes on, and its getters cost
 * when they are asked. `copyRecord` makes one that lasts.
 */
export interface ClearingRecord {
  /** Number of the record in its file, from 1. A CTF transaction has the number of its TCR0. */
  readonly recordNumber: number;
  /** Offset in the file of the record's first byte (its length field included). */
  readonly offset: number;
  readonly kind: ClearingKind;
  /** IPM: message type such as 1240. CTF: transaction code such as 5. */
  readonly messageType: number;
  /** IPM: DE24, such as 200. CTF: the qualifier. -1 when absent. */
  readonly functionCode: number;
  /** Message number in the file (IPM DE71); -1 in CTF. */
  readonly messageNumber: number;

  /** Digits in clear, '' when none. Never logged, never kept: vault or mask it. IPM DE2, CTF TCR0 5-20 and 21-23. */
  readonly pan: string;
  /** Six digits. IPM DE3; CTF made of the transaction code (05 000000, 06 200000, 07 010000, 10 190000, 20 290000). */
  readonly processingCode: string;
  /** The first two digits of it: 0 purchase, 1 cash, 20 credit, 19 and 29 fee collection; -1 when there is none. */
  readonly transactionType: number;

  /** In the merchant's currency. IPM DE4, DE49; CTF TCR0 77-88, 89-91. */
  readonly amount: number;
  readonly currency: number;
  /** What of it the cardholder got as cash with a purchase. IPM DE54 amount type 40 in the same currency; CTF TCR1 158-166; -1 when absent. */
  readonly cashBack: number;
  /** What is settled with the network. IPM DE5, DE50; CTF TCR0 62-73, 74-76. */
  readonly settlementAmount: number;
  readonly settlementCurrency: number;
  /** What the cardholder is billed. IPM DE6, DE51; CTF as settled. */
  readonly billingAmount: number;
  readonly billingCurrency: number;
  /** IPM DE9, DE10; undefined when absent and in CTF. */
  readonly settlementRate: ConversionRate | undefined;
  readonly billingRate: ConversionRate | undefined;
  /** Amounts of the original, of chargebacks and second presentments. IPM DE30 and PDS0149; -1 in CTF. */
  readonly originalAmount: number;
  readonly originalCurrency: number;
  readonly originalSettlementAmount: number;
  readonly originalSettlementCurrency: number;

  /** IPM DE38, CTF TCR0 152-157. */
  readonly approvalCode: string;
  /** IPM DE37; '' in CTF. */
  readonly rrn: string;
  /** Acquirer reference number, 23 digits. IPM DE31, CTF TCR0 27-49. */
  readonly arn: string;
  /** The network's id of the authorization: our DE63. IPM DE63 without its first character; CTF TCR5 5-19. */
  readonly networkId: string;
  /** First character of DE63; '' in CTF. */
  readonly lifeCycle: string;
  /** Acquirer's institution. IPM DE32, where absent the BIN inside DE31; CTF the BIN inside the ARN. */
  readonly acquirer: string;
  /** IPM DE41, CTF TCR1 96-103. */
  readonly terminal: string;
  /** IPM DE42, CTF TCR1 81-95. */
  readonly merchant: string;
  /** IPM DE43 before its first backslash, CTF TCR0 92-116. */
  readonly merchantName: string;
  /** IPM DE43, CTF TCR0 117-129. */
  readonly merchantCity: string;
  /** Letters as in the file (three in IPM, two in CTF). IPM DE43, CTF TCR0 130-132. */
  readonly merchantCountry: string;
  /** IPM DE26, CTF TCR0 133-136; -1 when absent. */
  readonly mcc: number;
  /** Day at the place of the transaction. IPM DE12; CTF TCR0 58-61, the year from the central processing date. */
  readonly localDay: number;
  /** Seconds of that day, 0 to 86 399. IPM DE12; -1 in CTF. */
  readonly localSeconds: number;
  /** IPM DE25, CTF TCR0 148-149. */
  readonly reasonCode: string;

  /** One of several clearings and not the last. IPM DE25 1403, CTF a sequence below its count. */
  readonly partial: boolean;
  /** Number of this clearing and how many there are; 0 where the file does not say. CTF TCR5 45-46, 47-48. */
  readonly sequence: number;
  readonly sequenceCount: number;
  /** The record takes an earlier one back. IPM PDS0025 beginning with R, CTF transaction codes 25 26 27 35 36 37. */
  readonly reversal: boolean;
  /** Day of what is taken back, as IPM PDS0025 tells it. */
  readonly originalDay: number;

  readonly fees: readonly ClearingFee[];
  readonly settlement: SettlementKey | undefined;
  /** IPM PDS0158; CTF TCR0 164-167. */
  readonly businessDay: number;
  /** IPM PDS0158, 0 to 99; -1 when absent and in CTF. */
  readonly businessCycle: number;
  /** Of a header and a trailer: the file's id. IPM PDS0105. */
  readonly fileId: string;
  readonly totals: SettlementTotals | undefined;
  /** Free text, of fee collections above all. IPM DE72, CTF TCR1 24-73. */
  readonly text: string;
}

/** A record of nothing: what a writer's or a test's plain data begins with. */
export const emptyRecord: ClearingRecord = {
  recordNumber: 0,
  offset: 0,
  kind: 'other',
  messageType: -1,
  functionCode: -1,
  messageNumber: -1,
  pan: '',
  processingCode: '',
  transactionType: -1,
  amount: -1,
  currency: -1,
  cashBack: -1,
  settlementAmount: -1,
  settlementCurrency: -1,
  billingAmount: -1,
  billingCurrency: -1,
  settlementRate: undefined,
  billingRate: undefined,
  originalAmount: -1,
  originalCurrency: -1,
  originalSettlementAmount: -1,
  originalSettlementCurrency: -1,
  approvalCode: '',
  rrn: '',
  arn: '',
  networkId: '',
  lifeCycle: '',
  acquirer: '',
  terminal: '',
  merchant: '',
  merchantName: '',
  merchantCity: '',
  merchantCountry: '',
  mcc: -1,
  localDay: -1,
  localSeconds: -1,
  reasonCode: '',
  partial: false,
  sequence: 0,
  sequenceCount: 0,
  reversal: false,
  originalDay: -1,
  fees: [],
  settlement: undefined,
  businessDay: -1,
  businessCycle: -1,
  fileId: '',
  totals: undefined,
  text: '',
};

type Mutable = { -readonly [Name in keyof ClearingRecord]: ClearingRecord[Name] };
const names = Object.keys(emptyRecord) as (keyof ClearingRecord)[];

/** The record as an object of its own, which outlives the reader's window. Who reads few properties reads them from the window. */
export function copyRecord(record: ClearingRecord): ClearingRecord {
  const copy: Mutable = { ...emptyRecord };
  for (const name of names) copyProperty(copy, record, name);
  return copy;
}

function copyProperty<Name extends keyof ClearingRecord>(target: Mutable, record: ClearingRecord, name: Name): void {
  target[name] = record[name];
}
