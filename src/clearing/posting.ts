/**
 * From a record of a file to what a shard posts: the network's format ends here. Texts keep their card numbers; who hands the
 * result on masks them first.
 */
import type { ClearingInput } from '../domain/clearing/input.js';
import { countryNumber, countryOfThree } from '../domain/countries.js';
import { NETWORK_MAX, SETTLEMENT_CYCLE_MAX, subAccount } from '../domain/ledger/sub-account.js';
import type { ClearingFormat } from './reader.js';
import type { ClearingFee, ClearingKind, ClearingRecord, SettlementKey } from './record.js';
import { direction } from './totals.js';

/** Networks by the format of their files: part of every sub-account, so never renumbered. 1 to NETWORK_MAX. */
export const networkOfFormat: Readonly<Record<ClearingFormat, number>> = { ipm: 1, ctf: 2 };

const DAY_MAX = 65_535;

/** Kinds that charge or credit a card: each becomes a command's record. */
const posted: ReadonlySet<ClearingKind> = new Set([
  'first_presentment',
  'second_presentment_full',
  'second_presentment_partial',
]);
/** Kinds that move money and that are not posted. */
const kept: ReadonlySet<ClearingKind> = new Set([
  'chargeback_full',
  'chargeback_partial',
  'arbitration_chargeback_full',
  'arbitration_chargeback_partial',
]);

export const isPosted = (kind: ClearingKind): boolean => posted.has(kind);
/** Counted under its kind, and posted by nobody. */
export const isOnlyCounted = (kind: ClearingKind): boolean => kept.has(kind);

/** A fee between the network and us. */
export interface CollectedFee {
  /** Sub-account of its settlement; 0 when the record names none. */
  readonly sub: number;
  readonly currency: number;
  /** Minor units; above zero the network takes it, below zero it gives it. */
  readonly amount: number;
  /** As in the file: it may hold anything. */
  readonly text: string;
}

/** A record of the kind fee_collection: as settled, else as the network names it. */
export function collectedFee(record: ClearingRecord, format: ClearingFormat): CollectedFee {
  const { settlementAmount, settlementCurrency, amount, currency, settlement, text } = record;
  const isSettled = settlementAmount >= 0;
  return {
    sub: subOf(networkOfFormat[format], settlement),
    currency: isSettled ? settlementCurrency : currency,
    amount: direction(record) * (isSettled ? settlementAmount : amount),
    text,
  };
}

/** The record without its card number, its texts as they are in the file, cut to what the shard's record takes. */
export function clearingInput(record: ClearingRecord, format: ClearingFormat): ClearingInput {
  const network = networkOfFormat[format];
  return {
    record: record.recordNumber,
    mti: record.messageType,
    functionCode: format === 'ipm' ? record.functionCode : (functionOfKind[record.kind] ?? -1),
    processingCode: record.processingCode === '' ? -1 : Number(record.processingCode),
    amount: record.amount,
    currency: record.currency,
    settlementAmount: record.settlementAmount,
    settlementCurrency: record.settlementCurrency,
    billingAmount: record.billingAmount,
    billingCurrency: record.billingCurrency,
    network,
    sub: subOf(network, record.settlement),
    businessDay: record.businessDay,
    fees: record.fees.map(feeOf),
    mcc: record.mcc,
    country: countryOf(record.merchantCountry),
    cashBack: record.cashBack,
    localDay: record.localDay,
    localSeconds: record.localSeconds,
    partial: record.partial ? 1 : 0,
    sequence: record.sequence,
    count: record.sequenceCount,
    reversal: record.reversal ? 1 : 0,
    originalDay: record.originalDay,
    arn: record.arn,
    networkId: record.networkId,
    rrn: record.rrn,
    approvalCode: record.approvalCode,
    acquirer: record.acquirer,
    terminal: record.terminal,
    acceptor: record.merchant,
    acceptorName: record.merchantName.slice(0, 40),
  };
}

/** DE24 for formats that say it by a usage code. */
const functionOfKind: Readonly<Partial<Record<ClearingKind, number>>> = {
  first_presentment: 200,
  second_presentment_full: 205,
  second_presentment_partial: 282,
};

/** IPM names a country by three letters, CTF by two. */
const countryOf = (letters: string): number =>
  letters.length === 3 ? countryOfThree(letters) : countryNumber(letters);

/** Of a key without a day or cycle of the ledger's: none. */
function subOf(network: number, key: SettlementKey | undefined): number {
  if (key === undefined || network > NETWORK_MAX) return 0;
  const { settlementDay: day, settlementCycle: cycle } = key;
  if (day < 1 || day > DAY_MAX || cycle < 0 || cycle > SETTLEMENT_CYCLE_MAX) return 0;
  return subAccount({ network, day, cycle });
}

const signs = { C: 1, D: -1, '': 0 } as const;

function feeOf({ sign, settlementAmount, settlementCurrency }: ClearingFee): ClearingInput['fees'][number] {
  return { amount: settlementAmount, currency: settlementCurrency, sign: signs[sign] };
}
