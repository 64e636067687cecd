/**
 * The rules of an IPM file, record by record and at its end. Each has its own code (findings.ts); a file with one error is
 * refused whole. Source: section 8 of the domain rules; docs/reference/clearing.md says it for people.
 */
import { currencyExponent } from '../../domain/currencies.js';
import { SETTLEMENT_CYCLE_MAX } from '../../domain/ledger/sub-account.js';
import { dayOfDate, secondsOfTime } from '../dates.js';
import type { Encoding } from '../encoding.js';
import { encoding } from '../encoding.js';
import type { Findings } from '../findings.js';
import type { RdwReader } from '../rdw-reader.js';
import type { ClearingKind } from '../record.js';
import type { ClearingTotals } from '../totals.js';
import { direction } from '../totals.js';
import type { IpmMessage } from './message.js';
import type { PdsSpec } from './profile.js';
import type { IpmRecord } from './record.js';

/** What the header of a file must say: production, test, or either. */
export const fileModes = ['P', 'T', 'any'] as const;
export type FileMode = (typeof fileModes)[number];

const FILE_ID = 105;
const FILE_ID_LENGTH = 25;
const MODE = 122;
const AMOUNT_SUM = 301;
const COUNT = 306;
const NUMBER = 71;
const SETTLEMENT = 159;

export const pdsName = (tag: number): string => `PDS${String(tag).padStart(4, '0')}`;

export class IpmRules {
  /** PDS0105 of the header; '' until it is seen. */
  fileId = '';
  /** PDS0122 of the header; '' until it is seen. */
  mode = '';
  /** True when all that follows is nonsense because the file is of another encoding. */
  hopeless = false;

  readonly #reader: RdwReader;
  readonly #message: IpmMessage;
  readonly #record: IpmRecord;
  readonly #findings: Findings;
  readonly #totals: ClearingTotals;
  readonly #wanted: FileMode;
  #lastNumber = 0;
  #last: ClearingKind | undefined;
  #trailerSeen = false;
  /** A record could not be read: sums say nothing then. */
  #unreadable = false;

  constructor(
    reader: RdwReader,
    message: IpmMessage,
    record: IpmRecord,
    findings: Findings,
    totals: ClearingTotals,
    wanted: FileMode,
  ) {
    this.#reader = reader;
    this.#message = message;
    this.#record = record;
    this.#findings = findings;
    this.#totals = totals;
    this.#wanted = wanted;
  }

  /** The record that the reader stands at could not be decoded. */
  malformed(): void {
    const { error, errorField, errorTag, errorOffset } = this.#message;
    const first = this.#reader.record === 1;
    if (first && error === 'mti_malformed' && this.#otherEncoding()) return;
    this.#unreadable = true;
    this.#last = 'other';
    if (error === undefined) return;
    const field = errorField === 0 ? 'MTI' : errorField === 1 ? 'bitmap' : `DE${errorField}`;
    const where = errorTag < 0 ? field : `${field} ${pdsName(errorTag)}`;
    this.#add(error, error === 'bytes_left_over' ? '' : where, this.#reader.fileOffset(errorOffset));
  }

  /** The record that the reader stands at is well-formed: checks it, and adds it to the totals. */
  check(): void {
    const { kind } = this.#record;
    const first = this.#reader.record === 1;
    if (first && kind !== 'header') this.#add('header_missing', '');
    if (!first && kind === 'header') this.#add('header_repeated', '');
    if (this.#trailerSeen) this.#add('record_after_trailer', '');
    this.#checkNumber(first);
    if (first && kind === 'header') this.#checkHeader();
    this.#checkContent(kind);
    this.#totals.add(this.#record);
    if (kind === 'trailer' && !this.#trailerSeen) this.#checkTrailer();
    this.#last = kind;
  }

  /** The file is at its end. */
  finish(): void {
    const { fault, record, watch, endSeen, afterEnd } = this.#reader;
    if (fault !== undefined) {
      if (fault.code === 'blocked_as_unblocked' || fault.code === 'unblocked_as_blocked') {
        this.#findings.replace(fault.code, fault.record, fault.offset);
        return;
      }
      // A length that is wrong shows twice: in the message that it belongs to, and where the next one should begin.
      this.#findings.amend(['bytes_left_over', 'field_truncated'], fault.record - 1, 'record_length_wrong');
      this.#findings.add(fault.code, fault.record, fault.offset);
      return;
    }
    if (record === 0) this.#findings.add('empty_file', 0, 0);
    else if (!this.#trailerSeen && this.#last !== undefined) this.#add('trailer_missing', '');
    if (!endSeen) this.#findings.add('end_missing', 0, watch.bytes);
    if (afterEnd >= 0) this.#findings.add('bytes_after_end', 0, afterEnd);
  }

  #add(code: Parameters<Findings['add']>[0], field: string, offset = this.#reader.offset, detail = ''): void {
    this.#findings.add(code, this.#reader.record, offset, field, detail);
  }

  /** Where an element or subelement shows: the offset of the element in the file. */
  #at(field: number): number {
    const message = this.#message;
    if (!message.has(field)) return this.#reader.offset;
    return this.#reader.fileOffset(message.start(field) - this.#reader.start);
  }

  /** A file in the other encoding has digits there. */
  #otherEncoding(): boolean {
    const { bytes, start, offset } = this.#reader;
    const own = this.#message.encoding.name;
    const other: Encoding = encoding(own === 'ascii' ? 'cp500' : 'ascii');
    if (other.digits(bytes, start, 4) < 0) return false;
    this.hopeless = true;
    this.#findings.add(own === 'ascii' ? 'ebcdic_as_ascii' : 'ascii_as_ebcdic', 1, offset + 4, 'MTI');
    return true;
  }

  #checkNumber(first: boolean): void {
    const number = this.#message.number(NUMBER);
    if (number < 0) this.#add('number_missing', 'DE71');
    else if (first && number !== 1) this.#add('number_first', 'DE71', this.#at(NUMBER));
    else if (!first && number <= this.#lastNumber) this.#add('number_order', 'DE71', this.#at(NUMBER));
    this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  #checkHeader(): void {
    this.fileId = this.#record.fileId;
    if (this.fileId.length !== FILE_ID_LENGTH) this.#add('file_id_malformed', pdsName(FILE_ID));
    this.mode = this.#message.pdsText(MODE);
    if (this.mode !== 'P' && this.mode !== 'T') this.#add('mode_malformed', pdsName(MODE));
    else if (this.#wanted !== 'any' && this.mode !== this.#wanted) {
      this.#add(
        'mode_mismatch',
        pdsName(MODE),
        undefined,
        this.mode === 'T' ? 'it is a test file' : 'it is production',
      );
    }
  }

  #checkTrailer(): void {
    this.#trailerSeen = true;
    const { fileId } = this.#record;
    if (fileId.length !== FILE_ID_LENGTH) this.#add('file_id_malformed', pdsName(FILE_ID));
    else if (this.fileId !== '' && fileId !== this.fileId) this.#add('file_id_mismatch', pdsName(FILE_ID));
    const count = this.#whole(COUNT);
    if (count === undefined) this.#add('count_malformed', pdsName(COUNT));
    else if (count !== BigInt(this.#reader.record)) {
      this.#add(
        'count_mismatch',
        pdsName(COUNT),
        undefined,
        `${count} in the trailer, ${this.#reader.record} in the file`,
      );
    }
    const sum = this.#whole(AMOUNT_SUM);
    if (sum === undefined) this.#add('amount_sum_malformed', pdsName(AMOUNT_SUM));
    else if (!this.#unreadable && sum !== this.#totals.amountSum) {
      this.#add('amount_sum_mismatch', pdsName(AMOUNT_SUM), undefined, `${sum} against ${this.#totals.amountSum}`);
    }
  }

  /** A subelement of digits alone, however many. */
  #whole(tag: number): bigint | undefined {
    const text = this.#message.pdsText(tag);
    return /^\d+$/.test(text) ? BigInt(text) : undefined;
  }

  #checkContent(kind: ClearingKind): void {
    const message = this.#message;
    if (kind === 'other' && message.profile.monetary.has(message.mti)) this.#add('function_unknown', 'DE24');
    for (const field of message.profile.required[kind] ?? []) {
      if (!message.has(field)) this.#add('field_missing', `DE${field}`);
    }
    if (message.mti === 1240 && message.length(2) === 0) this.#add('pan_missing', 'DE2');
    if (direction(this.#record) !== 0) {
      this.#checkCurrency(4, 49);
      this.#checkCurrency(5, 50);
      this.#checkCurrency(6, 51);
      if ((this.#record.settlement?.settlementCycle ?? 0) > SETTLEMENT_CYCLE_MAX)
        this.#add('settlement_cycle', `${pdsName(SETTLEMENT)} settlement_cycle`);
      if (message.has(12) && !this.#isTime()) this.#add('date_malformed', 'DE12', this.#at(12));
    }
    for (let place = 0; place < message.pdsCount; place++) {
      const spec = message.profile.pds.get(message.pdsTag(place));
      if (spec !== undefined && spec.length > 0) this.#checkPds(spec);
    }
  }

  #checkCurrency(amount: number, currency: number): void {
    const message = this.#message;
    if (message.has(amount) && currencyExponent(message.number(currency)) < 0) {
      this.#add('amount_without_currency', `DE${currency}`, this.#at(amount));
    }
  }

  #isTime(): boolean {
    const message = this.#message;
    return dayOfDate(message.digits(12, 0, 6)) >= 0 && secondsOfTime(message.digits(12, 6, 6)) >= 0;
  }

  /** The layout of a subelement; header and trailer have codes of their own for what they must say. */
  #checkPds(spec: PdsSpec): void {
    const { tag, form, length } = spec;
    if (tag === MODE || tag === FILE_ID || tag === COUNT || tag === AMOUNT_SUM) return;
    const size = this.#message.pdsLength(tag);
    const fits =
      form === 'exact'
        ? size === length
        : form === 'open'
          ? size >= length
          : form === 'repeated'
            ? size % length === 0
            : size <= length && (size === length || spec.parts.some(({ offset }) => offset === size));
    if (!fits) {
      this.#add('pds_content', pdsName(tag), undefined, `${size} characters`);
      return;
    }
    const entries = form === 'repeated' ? size / length : 1;
    for (let entry = 0; entry < entries; entry++) {
      for (const part of spec.parts) {
        if (part.type === 'text' || part.offset >= size) continue;
        if (!this.#partFits(tag, entry * length + part.offset, part.length, part.type)) {
          this.#add(part.type === 'date' ? 'date_malformed' : 'pds_content', `${pdsName(tag)} ${part.name}`);
        }
      }
    }
  }

  #partFits(tag: number, at: number, length: number, type: 'digits' | 'date' | 'signed'): boolean {
    const message = this.#message;
    if (type === 'digits') return message.pdsDigits(tag, at, length) >= 0;
    if (type === 'signed') {
      return /[CD]/.test(message.pdsText(tag, at, 1)) && message.pdsDigits(tag, at + 1, length - 1) >= 0;
    }
    const date = message.pdsDigits(tag, at, length);
    // All zeros are no date, on purpose.
    return date === 0 || dayOfDate(date) >= 0;
  }
}
