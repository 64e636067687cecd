/**
 * Writes a CTF file from typed records: header, transactions with the components that they need, the trailer of each batch and
 * that of the file. Counts and sums are the writer's own, and are those that the reader holds a file against. The twin of
 * ipm/writer.ts; shaped after public tools like the profile, and certified by nobody.
 */
import { civilOfDay, daysFromCivil } from '../../domain/calendar.js';
import { type ClearingKind, type ClearingRecord, emptyRecord } from '../record.js';
import { CTF_LINE, type CtfCode, ctfProfile, type Place } from './profile.js';

/** What a transaction is written from: a kind, and what it has of the rest. `fields` have the last word, by their names in the profile. */
export type CtfData = Partial<ClearingRecord> & {
  readonly kind: ClearingKind;
  readonly fields?: Readonly<Record<string, string>>;
};

export interface CtfFileOptions {
  /** Processing BIN, six digits. */
  readonly bin: string;
  /** Date of the file, days since 1970-01-01. */
  readonly day: number;
  /** Number of the file on that day, 0 to 999. */
  readonly number: number;
  /** Production or test. */
  readonly mode: 'P' | 'T';
}

/** Something does not fit its field. It names the field and says nothing of its content. */
export class CtfWriteError extends Error {
  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.name = 'CtfWriteError';
  }
}

type Values = Record<string, string>;

interface Counts {
  monetary: number;
  components: number;
  transactions: number;
  source: bigint;
  destination: bigint;
}
const noCounts = (): Counts => ({ monetary: 0, components: 0, transactions: 0, source: 0n, destination: 0n });

export class CtfFileWriter {
  readonly #options: CtfFileOptions;
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #file = noCounts();
  #batch = noCounts();
  #batches = 0;

  /** Writes the header. @param sink gets the file line by line @throws CtfWriteError */
  constructor(options: CtfFileOptions, sink: (bytes: Uint8Array) => void) {
    this.#options = options;
    this.#sink = sink;
    if (!/^\d{6}$/.test(options.bin)) throw new CtfWriteError('processing_bin', 'not six digits');
    this.#lines(90, 'header', {
      ...this.#head(),
      test_option: options.mode === 'T' ? 'TEST' : '',
      file_number: digits('file_number', options.number, 3),
    });
  }

  /** Adds a transaction. @throws CtfWriteError when something does not fit its field, or the profile has no such transaction */
  write(data: CtfData): void {
    const record: ClearingRecord = { ...emptyRecord, ...data };
    const number = codeOf(record);
    const { layout } = ctfProfile.codes.get(number)!;
    const values = { ...(layout === 'fee' ? feeValues(record) : draftValues(record)), ...data.fields };
    const components = this.#lines(number, layout, values);
    for (const counts of [this.#batch, this.#file]) {
      counts.monetary++;
      counts.transactions++;
      counts.components += components;
      counts.source += BigInt(record.amount);
      counts.destination += BigInt(record.settlementAmount);
    }
  }

  /** Ends a batch: what is written next begins another one. */
  endBatch(): void {
    this.#batches++;
    this.#trailer(91, this.#batch);
    this.#file.components++;
    this.#file.transactions++;
    this.#batch = noCounts();
  }

  /** Ends the open batch and the file. */
  finish(): void {
    if (this.#batch.transactions > 0 || this.#batches === 0) this.endBatch();
    this.#trailer(92, this.#file);
  }

  #head(): Values {
    const { bin, day } = this.#options;
    return { processing_bin: bin, file_date: dateInYear(day, 2) };
  }

  /** A trailer counts itself. */
  #trailer(code: 91 | 92, { monetary, components, transactions, source, destination }: Counts): void {
    this.#lines(code, 'trailer', {
      ...this.#head(),
      destination_sum: digits('destination_sum', destination, 15),
      monetary_count: digits('monetary_count', monetary, 12),
      batch_number: digits('batch_number', this.#batches, 6),
      component_count: digits('component_count', components + 1, 12),
      transaction_count: digits('transaction_count', transactions + 1, 9),
      source_sum: digits('source_sum', source, 15),
    });
  }

  /** Writes TCR0, and the other components of which there is a value; gives how many lines that is. */
  #lines(code: number, layout: CtfCode['layout'], values: Values): number {
    const places: Readonly<Record<string, Place>> = ctfProfile.layouts[layout];
    const head = String(code).padStart(2, '0');
    const lines = new Map([[0, `${head}${layout === 'header' ? '' : '00'}`.padEnd(CTF_LINE)]]);
    for (const [name, value] of Object.entries(values)) {
      const place = places[name];
      if (place === undefined) throw new CtfWriteError(name, `no field of a ${layout}`);
      if (value === '') continue;
      const [component, from, length] = place;
      if (value.length > length) throw new CtfWriteError(name, `${value.length} characters, at most ${length}`);
      if (!/^[\x20-\x7e]+$/.test(value)) throw new CtfWriteError(name, 'not all printable ASCII');
      const line = lines.get(component) ?? `${head}0${component}`.padEnd(CTF_LINE);
      lines.set(component, line.slice(0, from - 1) + value.padEnd(length) + line.slice(from - 1 + length));
    }
    for (const component of [...lines.keys()].sort((a, b) => a - b))
      this.#sink(Buffer.from(`${lines.get(component)!}\n`, 'latin1'));
    return lines.size;
  }
}

/** The transaction code: as the record says, else what its kind, type and reversal mark make of it. */
function codeOf(record: ClearingRecord): number {
  const { kind, messageType, transactionType, processingCode, reversal } = record;
  const type = processingCode === '' ? transactionType : Number(processingCode.slice(0, 2));
  for (const [number, code] of ctfProfile.codes) {
    if (!(code.kinds as readonly ClearingKind[]).includes(kind) || code.processingCode === '') continue;
    const isIt = Number(code.processingCode.slice(0, 2)) === type && code.reversal === reversal;
    if (messageType >= 0 ? number === messageType : isIt) return number;
  }
  throw new CtfWriteError('transaction code', `none for ${kind} of this type`);
}

function amounts(record: ClearingRecord): Values {
  return {
    destination_amount: digits('destination_amount', record.settlementAmount, 12),
    destination_currency: digits('destination_currency', record.settlementCurrency, 3),
    source_amount: digits('source_amount', record.amount, 12),
    source_currency: digits('source_currency', record.currency, 3),
  };
}

function account({ pan }: ClearingRecord): Values {
  const extension = pan.slice(16);
  // A reader takes zeros for no extension.
  if (extension !== '' && !/[1-9]/.test(extension)) throw new CtfWriteError('account_number_extension', 'all zeros');
  return { account_number: pan.slice(0, 16), account_number_extension: extension === '' ? '000' : extension };
}

function dates({ localDay, businessDay }: ClearingRecord): Values {
  return { purchase_date: monthAndDay(localDay), processing_date: dateInYear(businessDay, 1) };
}

function feeValues(record: ClearingRecord): Values {
  return {
    ...amounts(record),
    ...(record.pan === '' ? {} : account(record)),
    ...dates(record),
    reason: record.reasonCode,
    text: record.text,
    transaction_id: record.networkId,
  };
}

function draftValues(record: ClearingRecord): Values {
  const { kind, sequence, sequenceCount, cashBack } = record;
  const again = kind === 'second_presentment_full' || kind === 'arbitration_chargeback_full';
  return {
    ...amounts(record),
    ...account(record),
    ...dates(record),
    acquirer_reference_number: record.arn,
    merchant_name: record.merchantName,
    merchant_city: record.merchantCity,
    merchant_country: record.merchantCountry,
    merchant_category: record.mcc < 0 ? '' : digits('merchant_category', record.mcc, 4),
    usage: again ? '2' : '1',
    reason: record.reasonCode === '' ? '00' : record.reasonCode,
    settlement_flag: '0',
    authorization_code: record.approvalCode,
    text: record.text,
    card_acceptor: record.merchant,
    terminal: record.terminal,
    cash_back: cashBack < 0 ? '' : digits('cash_back', cashBack, 9),
    transaction_id: record.networkId,
    clearing_sequence: sequence === 0 ? '' : digits('clearing_sequence', sequence, 2),
    clearing_count: sequenceCount === 0 ? '' : digits('clearing_count', sequenceCount, 2),
    ...interchange(record),
  };
}

/** The record has room for one fee, in the currency of the settlement. */
function interchange({ fees, settlementCurrency }: ClearingRecord): Values {
  const [fee] = fees;
  if (fee === undefined) return {};
  if (fees.length > 1) throw new CtfWriteError('interchange_amount', 'more than one fee');
  if (fee.settlementCurrency !== settlementCurrency)
    throw new CtfWriteError('interchange_amount', 'not in the currency of the settlement');
  const value = fee.settlementAmount * 10 ** ctfProfile.interchangeDecimals;
  return { interchange_amount: digits('interchange_amount', value, 15), interchange_sign: fee.sign };
}

/** MMDD. */
function monthAndDay(day: number): string {
  const civil = civilOfDay(day);
  const month = ((civil >> 5) % 12) + 1;
  return digits('purchase_date', month * 100 + (civil & 31), 4);
}

/** The last digits of the year, and the day in it. */
function dateInYear(day: number, yearDigits: number): string {
  const year = Math.floor((civilOfDay(day) >> 5) / 12);
  const inYear = day - daysFromCivil(year, 1, 1) + 1;
  return String(year).slice(-yearDigits) + String(inYear).padStart(3, '0');
}

/** @throws CtfWriteError for what is no whole number of at most so many digits */
function digits(field: string, value: number | bigint, width: number): string {
  const text = String(value).padStart(width, '0');
  if (!/^\d+$/.test(text) || text.length > width)
    throw new CtfWriteError(field, `not a whole number of ${width} digits`);
  return text;
}
