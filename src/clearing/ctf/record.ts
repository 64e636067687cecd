/** A CTF transaction, its components together, as a clearing record. */
import { dateDay, daysFromCivil } from '../../domain/calendar.js';
import { encoding } from '../encoding.js';
import type { ClearingFee, ClearingKind, ClearingRecord, SettlementKey } from '../record.js';
import { CTF_COMPONENTS, CTF_LINE, type CtfCode, ctfProfile, type Place, unknownCode } from './profile.js';

const ascii = encoding('ascii');
const NONE: readonly ClearingFee[] = [];

export class CtfRecord implements ClearingRecord {
  recordNumber = 0;
  offset = 0;
  /** Transaction code; -1 when it is not two digits. */
  messageType = -1;
  functionCode = -1;
  code: CtfCode = unknownCode;
  /** Year of the file's header; dates without one are near it. */
  year = 2000;

  /** Components by number, one behind the other; which of them are there. */
  readonly #bytes = new Uint8Array(CTF_COMPONENTS * CTF_LINE);
  #present = 0;
  #settlement: SettlementKey | undefined;

  readonly messageNumber = -1;
  readonly settlementRate = undefined;
  readonly billingRate = undefined;
  readonly originalAmount = -1;
  readonly originalCurrency = -1;
  readonly originalSettlementAmount = -1;
  readonly originalSettlementCurrency = -1;
  readonly rrn = '';
  readonly lifeCycle = '';
  readonly localSeconds = -1;
  readonly originalDay = -1;
  readonly businessCycle = -1;
  readonly totals = undefined;

  /** Begins with a TCR0, or a line that has no components. */
  begin(line: Uint8Array, number: number, offset: number): void {
    this.recordNumber = number;
    this.offset = offset;
    this.#present = 0;
    this.messageType = ascii.digits(line, 0, 2);
    this.code = ctfProfile.codes.get(this.messageType) ?? unknownCode;
    this.functionCode = this.code.layout === 'header' ? -1 : ascii.digits(line, 2, 1);
    this.add(0, line);
  }

  /** Adds a component, 0 to 9. */
  add(component: number, line: Uint8Array): void {
    this.#bytes.set(line.subarray(0, CTF_LINE), component * CTF_LINE);
    this.#present |= 1 << component;
  }

  hasComponent(component: number): boolean {
    return ((this.#present >> component) & 1) === 1;
  }

  /** The characters of a field of the record's layout without filling; '' when its component is not there. */
  field(name: string): string {
    const place = this.#place(name);
    if (place === undefined) return '';
    const at = start(place);
    return ascii.trimmed(this.#bytes, at, at + place[2]);
  }

  /** A field of digits; -1 when it is not there or anything else. */
  number(name: string): number {
    const place = this.#place(name);
    return place === undefined ? -1 : ascii.digits(this.#bytes, start(place), place[2]);
  }

  get kind(): ClearingKind {
    return this.code.kinds[this.field('usage') === '2' ? 1 : 0];
  }
  get pan(): string {
    const extension = this.field('account_number_extension');
    return this.field('account_number') + (/[1-9]/.test(extension) ? extension : '');
  }
  get processingCode(): string {
    return this.code.processingCode;
  }
  get transactionType(): number {
    return this.code.processingCode === '' ? -1 : Number(this.code.processingCode.slice(0, 2));
  }
  get amount(): number {
    return this.number('source_amount');
  }
  get currency(): number {
    return this.number('source_currency');
  }
  get cashBack(): number {
    const amount = this.number('cash_back');
    return amount > 0 ? amount : -1;
  }
  get settlementAmount(): number {
    return this.number('destination_amount');
  }
  get settlementCurrency(): number {
    return this.number('destination_currency');
  }
  get billingAmount(): number {
    return this.settlementAmount;
  }
  get billingCurrency(): number {
    return this.settlementCurrency;
  }
  get approvalCode(): string {
    return this.field('authorization_code');
  }
  get arn(): string {
    return this.field('acquirer_reference_number');
  }
  get networkId(): string {
    return this.field('transaction_id');
  }
  get acquirer(): string {
    return this.arn.slice(1, 7);
  }
  get terminal(): string {
    return this.field('terminal');
  }
  get merchant(): string {
    return this.field('card_acceptor');
  }
  get merchantName(): string {
    return this.field('merchant_name');
  }
  get merchantCity(): string {
    return this.field('merchant_city');
  }
  get merchantCountry(): string {
    return this.field('merchant_country');
  }
  get mcc(): number {
    return this.number('merchant_category');
  }
  get localDay(): number {
    const date = this.number('purchase_date');
    const near = this.businessDay;
    return date < 0 ? -1 : dateDay(date, near < 0 ? daysFromCivil(this.year, 7, 1) : near);
  }
  get reasonCode(): string {
    return this.field('reason');
  }
  get partial(): boolean {
    return this.sequence > 0 && this.sequence < this.sequenceCount;
  }
  get sequence(): number {
    return Math.max(this.number('clearing_sequence'), 0);
  }
  get sequenceCount(): number {
    return Math.max(this.number('clearing_count'), 0);
  }
  get reversal(): boolean {
    return this.code.reversal;
  }
  get fees(): readonly ClearingFee[] {
    const value = this.number('interchange_amount');
    if (value <= 0) return NONE;
    const amount = Math.floor(value / 10 ** ctfProfile.interchangeDecimals + 0.5);
    const sign = this.field('interchange_sign');
    const currency = this.settlementCurrency;
    return [
      {
        type: '',
        code: '',
        settlementFlag: '',
        sign: sign === 'C' || sign === 'D' ? sign : '',
        currency,
        amount,
        settlementCurrency: currency,
        settlementAmount: amount,
      },
    ];
  }
  /** Central processing date: the last digit of a year, near that of the file, and the day in it. */
  get businessDay(): number {
    const date = this.number('processing_date');
    return date < 0 ? -1 : dayInYear(nearYear(Math.floor(date / 1000), this.year), date % 1000);
  }
  /** All of a central processing day is settled together: the format names no settlement. */
  get settlement(): SettlementKey | undefined {
    const day = this.businessDay;
    if (day < 0) return undefined;
    if (this.#settlement?.settlementDay !== day) this.#settlement = { ...noSettlement, settlementDay: day };
    return this.#settlement;
  }
  get fileId(): string {
    if (this.code.layout !== 'header') return '';
    return this.field('processing_bin') + this.field('file_date') + this.field('file_number');
  }
  get text(): string {
    return this.field('text');
  }

  #place(name: string): Place | undefined {
    const layout: Readonly<Record<string, Place>> = ctfProfile.layouts[this.code.layout];
    const place = Object.hasOwn(layout, name) ? layout[name] : undefined;
    return place !== undefined && this.hasComponent(place[0]) ? place : undefined;
  }
}

const noSettlement: SettlementKey = {
  ...{ transferAgent: '', account: '', level: '', serviceId: '', fxClass: '' },
  ...{ reconciliationDay: -1, reconciliationCycle: 0, settlementDay: -1, settlementCycle: 0 },
};

const start = ([component, from]: Place): number => component * CTF_LINE + from - 1;

/** The year that ends with this digit and is nearest to `year`, the earlier one of two. */
function nearYear(digit: number, year: number): number {
  const behind = (((year - digit) % 10) + 10) % 10;
  return behind <= 5 ? year - behind : year + 10 - behind;
}

/** Day since 1970 of the `day`th day of a year, from 1; -1 when the year has no such day. */
export function dayInYear(year: number, day: number): number {
  const first = daysFromCivil(year, 1, 1);
  return day < 1 || day > daysFromCivil(year + 1, 1, 1) - first ? -1 : first + day - 1;
}
