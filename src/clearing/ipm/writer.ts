/**
 * Writes an IPM file from typed records: header, what is given, trailer with its sums. Message numbers, counts and the checksum
 * are the writer's own.
 *
 * A record says what it means (`ClearingRecord`); `elements` and `pds` add what no property stands for, such as DE22 or the
 * street in DE43, and have the last word.
 */
import { currencyExponent } from '../../domain/currencies.js';
import { CLEARING_RECORD_BYTES_MAX } from '../../limits.js';
import { dateOfDay, timeOfSeconds } from '../dates.js';
import { type Encoding, type EncodingName, encoding } from '../encoding.js';
import { RdwWriter } from '../rdw-writer.js';
import {
  type ClearingKind,
  type ClearingRecord,
  type ConversionRate,
  emptyRecord,
  type SettlementKey,
} from '../record.js';
import { carryPds, encodeMessage, type IpmElements, IpmWriteError } from './encoder.js';
import { ipmProfile } from './profile.js';

/** What a record of a file is written from: a kind, and what it has of the rest. */
export type IpmData = Partial<ClearingRecord> & {
  readonly kind: ClearingKind;
  readonly elements?: IpmElements;
  readonly pds?: Readonly<Record<number, string>>;
};

export interface IpmFileOptions {
  readonly encoding: EncodingName;
  readonly blocked: boolean;
  /** PDS0105: type 3, date YYMMDD, processor 11, sequence 5. */
  readonly fileId: string;
  /** Production or test. */
  readonly mode: 'P' | 'T';
}

export class IpmFileWriter {
  /** Messages written. */
  messages = 0;
  readonly #encoding: Encoding;
  readonly #rdw: RdwWriter;
  readonly #options: IpmFileOptions;
  readonly #target = new Uint8Array(CLEARING_RECORD_BYTES_MAX);
  #amountSum = 0n;

  /**
   * Writes the header.
   * @param sink gets the file piece by piece
   * @throws IpmWriteError when the file id is not 25 characters
   */
  constructor(options: IpmFileOptions, sink: (bytes: Uint8Array) => void) {
    if (options.fileId.length !== 25) throw new IpmWriteError('PDS0105', 'not 25 characters');
    this.#encoding = encoding(options.encoding);
    this.#rdw = new RdwWriter(options.blocked, sink);
    this.#options = options;
    this.write({ kind: 'header', fileId: options.fileId, pds: { 122: options.mode } });
  }

  /** Adds a message with the next number. @throws IpmWriteError when something does not fit its element */
  write(data: IpmData): void {
    this.messages++;
    const elements = ipmElements(data, this.messages);
    const length = encodeMessage(ipmProfile, this.#encoding, elements, this.#target);
    this.#rdw.record(this.#target, 0, length);
    this.#amountSum += BigInt(elements[4] ?? 0);
  }

  /** Writes the trailer and ends the file. */
  finish(): void {
    const pds = {
      301: String(this.#amountSum).padStart(16, '0'),
      306: String(this.messages + 1).padStart(8, '0'),
    };
    this.write({ kind: 'trailer', fileId: this.#options.fileId, pds });
    this.#rdw.finish();
  }
}

/** Message type and function code of a kind: the first one of the profile. */
const typeOfKind = new Map<ClearingKind, number>();
for (const [type, kind] of ipmProfile.kinds) if (!typeOfKind.has(kind)) typeOfKind.set(kind, type);

/**
 * The elements of a message.
 * @param messageNumber DE71
 * @throws IpmWriteError
 */
export function ipmElements(data: IpmData, messageNumber: number): IpmElements {
  const record: ClearingRecord = { ...emptyRecord, ...data };
  const type = typeOf(record);
  const elements: Record<number, string> = {
    0: digits('MTI', Math.floor(type / 1000), 4),
    24: digits('DE24', type % 1000, 3),
  };
  const number = (field: number, value: number, width: number): void => {
    if (value >= 0) elements[field] = digits(`DE${field}`, value, width);
  };
  const text = (field: number, value: string, width = 0): void => {
    if (value !== '') elements[field] = value.padEnd(width);
  };
  text(2, record.pan);
  text(3, record.processingCode);
  if (record.processingCode === '' && record.transactionType >= 0) number(3, record.transactionType * 10_000, 6);
  number(4, record.amount, 12);
  number(5, record.settlementAmount, 12);
  number(6, record.billingAmount, 12);
  text(9, rate(record.settlementRate));
  text(10, rate(record.billingRate));
  if (record.localDay >= 0) text(12, dateOfDay(record.localDay) + timeOfSeconds(Math.max(record.localSeconds, 0)));
  text(25, record.reasonCode === '' && record.partial ? [...ipmProfile.partialReasons][0]! : record.reasonCode);
  number(26, record.mcc, 4);
  if (record.originalAmount >= 0) {
    elements[30] =
      digits('DE30', record.originalAmount, 12) + digits('DE30', Math.max(record.originalSettlementAmount, 0), 12);
  }
  text(31, record.arn);
  if (record.acquirer !== record.arn.slice(1, 7)) text(32, record.acquirer);
  text(37, record.rrn, 12);
  text(38, record.approvalCode, 6);
  if (record.cashBack >= 0)
    elements[54] = `0040${digits('DE49', record.currency, 3)}C${digits('DE54', record.cashBack, 12)}`;
  text(41, record.terminal, 8);
  text(42, record.merchant, 15);
  if (record.merchantName !== '') text(43, place(record));
  number(49, record.currency, 3);
  number(50, record.settlementCurrency, 3);
  number(51, record.billingCurrency, 3);
  if (record.networkId !== '') text(63, record.lifeCycle.padEnd(1) + record.networkId.padEnd(15));
  number(71, messageNumber, 8);
  text(72, record.text);
  return Object.assign(elements, carryPds(ipmProfile, Object.assign(pdsOf(record), data.pds)), data.elements);
}

function typeOf(record: ClearingRecord): number {
  const named = record.messageType * 1000 + record.functionCode;
  if (ipmProfile.kinds.get(named) === record.kind || (record.kind === 'other' && record.messageType > 0)) return named;
  const type = typeOfKind.get(record.kind);
  if (type === undefined) throw new IpmWriteError('MTI', `no message of the kind ${record.kind}`);
  return type;
}

function pdsOf(record: ClearingRecord): Record<number, string> {
  const pds: Record<number, string> = {};
  const set = (tag: number, value: string): void => {
    if (value !== '') pds[tag] = value;
  };
  if (record.reversal) set(25, `R${record.originalDay < 0 ? '' : dateOfDay(record.originalDay)}`);
  set(105, record.fileId);
  set(146, record.fees.map(fee).join(''));
  set(148, exponents(record));
  if (record.originalCurrency >= 0) {
    const settled = Math.max(record.originalSettlementCurrency, 0);
    set(149, digits('PDS0149', record.originalCurrency, 3) + digits('PDS0149', settled, 3));
  }
  if (record.businessDay >= 0) {
    set(
      158,
      `${''.padEnd(12)}${dateOfDay(record.businessDay)}${digits('PDS0158', Math.max(record.businessCycle, 0), 2)}`,
    );
  }
  if (record.settlement !== undefined) set(159, settlementData(record.settlement));
  const { totals } = record;
  if (totals !== undefined) {
    set(300, totals.fileId);
    set(372, totals.messages);
    set(374, totals.processingCode);
    set(378, totals.reversalFlag);
    set(394, signed('PDS0394', totals.netAmount));
    set(395, signed('PDS0395', totals.netFee));
    set(396, signed('PDS0396', totals.netTotal));
    if (totals.count >= 0) set(402, digits('PDS0402', totals.count, 10));
  }
  return pds;
}

function fee(entry: ClearingRecord['fees'][number]): string {
  const part = (value: number, width: number): string => digits('PDS0146', value, width);
  return [
    entry.type.padEnd(2, '0'),
    entry.code.padEnd(2, '0'),
    entry.settlementFlag.padEnd(2, '0'),
    part(entry.currency, 3),
    part(entry.amount, 12),
    part(entry.settlementCurrency, 3),
    part(entry.settlementAmount, 12),
  ].join('');
}

/** Each currency of the record once, with its decimals. */
function exponents(record: ClearingRecord): string {
  const used = new Set([record.currency, record.settlementCurrency, record.billingCurrency]);
  return [...used]
    .filter((currency) => currencyExponent(currency) >= 0)
    .map((currency) => digits('PDS0148', currency, 3) + currencyExponent(currency))
    .join('');
}

function settlementData(key: SettlementKey): string {
  const cycle = (value: number): string => digits('PDS0159', Math.max(value, 0), 2);
  return [
    key.transferAgent.padEnd(11),
    key.account.padEnd(28),
    key.level.padEnd(1),
    key.serviceId.padEnd(10),
    key.fxClass.padEnd(1),
    key.reconciliationDay < 0 ? '000000' : dateOfDay(key.reconciliationDay),
    cycle(key.reconciliationCycle),
    key.settlementDay < 0 ? '000000' : dateOfDay(key.settlementDay),
    cycle(key.settlementCycle),
  ].join('');
}

function place(record: ClearingRecord): string {
  const country = `${''.padEnd(13)}${record.merchantCountry.padEnd(3)}`;
  return `${record.merchantName}\\\\${record.merchantCity}\\${country}`;
}

function rate(value: ConversionRate | undefined): string {
  if (value === undefined) return '';
  return digits('conversion rate', value.decimals, 1) + digits('conversion rate', value.digits, 7);
}

function signed(field: string, amount: number): string {
  return (amount < 0 ? 'D' : 'C') + digits(field, Math.abs(amount), 15);
}

/** @throws IpmWriteError for what is no whole number of at most so many digits */
function digits(field: string, value: number, width: number): string {
  const text = String(value).padStart(width, '0');
  if (!Number.isSafeInteger(value) || value < 0 || text.length > width) {
    throw new IpmWriteError(field, `not a whole number of ${width} digits`);
  }
  return text;
}
