/** An IPM message as a clearing record: each property is read from the message when it is asked for. */
import { dayOfDate, secondsOfTime } from '../dates.js';
import type {
  ClearingFee,
  ClearingKind,
  ClearingRecord,
  ConversionRate,
  SettlementKey,
  SettlementTotals,
} from '../record.js';
import type { IpmMessage } from './message.js';
import type { PartSpec } from './profile.js';

/** Element of the fees of a message; each has the same parts. */
const FEES = 146;
const REVERSAL = 25;
const BUSINESS = 158;
const SETTLEMENT = 159;
const ORIGINAL_CURRENCIES = 149;
const FILE_ID = 105;
/** Settlement keys remembered: the cycles of a few days, service by service. */
const SETTLEMENTS_KEPT = 256;
const NONE: readonly ClearingFee[] = [];
/** One amount of DE54: type of the account, type of the amount, currency, C or D, twelve digits. */
const ADDITIONAL = { type: 2, currency: 4, amount: 8, length: 20 } as const;
const CASH_BACK = 40;

export class IpmRecord implements ClearingRecord {
  recordNumber = 0;
  offset = 0;
  readonly #message: IpmMessage;
  readonly #part: (tag: number, name: string) => PartSpec;
  readonly #feeBytes: number;
  readonly #businessDate: PartSpec;
  readonly #businessCycle: PartSpec;
  readonly #reversalCode: number;
  readonly #settlements = new Map<string, SettlementKey>();

  constructor(message: IpmMessage) {
    const { profile } = message;
    this.#message = message;
    this.#part = (tag, name) => profile.part(tag, name);
    this.#feeBytes = profile.pds.get(FEES)?.length ?? 1;
    this.#businessDate = profile.part(BUSINESS, 'business_date');
    this.#businessCycle = profile.part(BUSINESS, 'cycle');
    this.#reversalCode = message.encoding.code('R');
  }

  get kind(): ClearingKind {
    return this.#message.profile.kindOf(this.#message.mti, this.functionCode);
  }
  get messageType(): number {
    return this.#message.mti;
  }
  get functionCode(): number {
    return this.#message.number(24);
  }
  get messageNumber(): number {
    return this.#message.number(71);
  }
  get pan(): string {
    return this.#message.text(2);
  }
  get processingCode(): string {
    return this.#message.text(3);
  }
  get transactionType(): number {
    return this.#message.digits(3, 0, 2);
  }
  get amount(): number {
    return this.#message.number(4);
  }
  get currency(): number {
    return this.#message.number(49);
  }
  get cashBack(): number {
    const message = this.#message;
    for (let at = 0; at + ADDITIONAL.length <= message.length(54); at += ADDITIONAL.length) {
      const { type, currency, amount } = ADDITIONAL;
      if (message.digits(54, at + type, 2) !== CASH_BACK) continue;
      if (message.digits(54, at + currency, 3) === this.currency) return message.digits(54, at + amount, 12);
    }
    return -1;
  }
  get settlementAmount(): number {
    return this.#message.number(5);
  }
  get settlementCurrency(): number {
    return this.#message.number(50);
  }
  get billingAmount(): number {
    return this.#message.number(6);
  }
  get billingCurrency(): number {
    return this.#message.number(51);
  }
  get settlementRate(): ConversionRate | undefined {
    return this.#rate(9);
  }
  get billingRate(): ConversionRate | undefined {
    return this.#rate(10);
  }
  get originalAmount(): number {
    return this.#message.digits(30, 0, 12);
  }
  get originalCurrency(): number {
    return this.#number(ORIGINAL_CURRENCIES, 'currency');
  }
  get originalSettlementAmount(): number {
    return this.#message.digits(30, 12, 12);
  }
  get originalSettlementCurrency(): number {
    return this.#number(ORIGINAL_CURRENCIES, 'settlement_currency');
  }
  get approvalCode(): string {
    return this.#message.trimmed(38);
  }
  get rrn(): string {
    return this.#message.trimmed(37);
  }
  get arn(): string {
    return this.#message.text(31);
  }
  get networkId(): string {
    return this.#message.trimmed(63).slice(1);
  }
  get lifeCycle(): string {
    return this.#message.text(63).slice(0, 1).trim();
  }
  get acquirer(): string {
    return this.#message.has(32) ? this.#message.text(32) : this.arn.slice(1, 7);
  }
  get terminal(): string {
    return this.#message.trimmed(41);
  }
  get merchant(): string {
    return this.#message.trimmed(42);
  }
  get merchantName(): string {
    return this.#place(0);
  }
  get merchantCity(): string {
    return this.#place(2);
  }
  get merchantCountry(): string {
    const tail = this.#message.text(43).split('\\')[3] ?? '';
    return tail.slice(13).trimEnd();
  }
  get mcc(): number {
    return this.#message.number(26);
  }
  get localDay(): number {
    return dayOfDate(this.#message.digits(12, 0, 6));
  }
  get localSeconds(): number {
    return secondsOfTime(this.#message.digits(12, 6, 6));
  }
  get reasonCode(): string {
    return this.#message.text(25);
  }
  get partial(): boolean {
    return this.#message.profile.partialReasons.has(this.#message.text(25));
  }
  get sequence(): number {
    return 0;
  }
  get sequenceCount(): number {
    return 0;
  }
  get reversal(): boolean {
    return this.#message.pdsCode(REVERSAL, 0) === this.#reversalCode;
  }
  get originalDay(): number {
    return dayOfDate(this.#number(REVERSAL, 'original_date'));
  }
  get fees(): readonly ClearingFee[] {
    const count = Math.floor(this.#message.pdsLength(FEES) / this.#feeBytes);
    return count === 0 ? NONE : Array.from({ length: count }, (_, i) => this.#fee(i * this.#feeBytes));
  }
  get settlement(): SettlementKey | undefined {
    if (this.#message.pds(SETTLEMENT) < 0) return undefined;
    // A file has few of them; the record that repeats one gets the same object.
    const whole = this.#message.pdsText(SETTLEMENT);
    let key = this.#settlements.get(whole);
    if (key === undefined) {
      if (this.#settlements.size === SETTLEMENTS_KEPT) this.#settlements.clear();
      key = this.#readSettlement();
      this.#settlements.set(whole, key);
    }
    return key;
  }
  get businessDay(): number {
    const { offset, length } = this.#businessDate;
    return dayOfDate(this.#message.pdsDigits(BUSINESS, offset, length));
  }
  get businessCycle(): number {
    const { offset, length } = this.#businessCycle;
    return this.#message.pdsDigits(BUSINESS, offset, length);
  }
  get fileId(): string {
    return this.#message.pdsText(FILE_ID);
  }
  get totals(): SettlementTotals | undefined {
    const { kind } = this;
    if (kind !== 'financial_position' && kind !== 'settlement_position') return undefined;
    const message = this.#message;
    return {
      fileId: message.pdsText(300),
      messages: message.pdsText(372),
      processingCode: message.pdsText(374),
      reversalFlag: message.pdsText(378),
      netAmount: this.#signed(394),
      netFee: this.#signed(395),
      netTotal: this.#signed(396),
      count: this.#number(402, 'count'),
    };
  }
  get text(): string {
    return this.#message.trimmed(72);
  }

  #readSettlement(): SettlementKey {
    const text = (name: string): string => this.#text(SETTLEMENT, name).trimEnd();
    return {
      transferAgent: text('transfer_agent'),
      account: text('account'),
      level: text('level'),
      serviceId: text('service_id'),
      fxClass: text('fx_class'),
      reconciliationDay: dayOfDate(this.#number(SETTLEMENT, 'reconciliation_date')),
      reconciliationCycle: this.#number(SETTLEMENT, 'reconciliation_cycle'),
      settlementDay: dayOfDate(this.#number(SETTLEMENT, 'settlement_date')),
      settlementCycle: this.#number(SETTLEMENT, 'settlement_cycle'),
    };
  }

  #number(tag: number, name: string): number {
    const { offset, length } = this.#part(tag, name);
    return this.#message.pdsDigits(tag, offset, length);
  }

  #text(tag: number, name: string): string {
    const { offset, length } = this.#part(tag, name);
    return this.#message.pdsText(tag, offset, length);
  }

  /** An amount behind C (positive) or D; 0 when absent. */
  #signed(tag: number): number {
    const value = this.#message.pdsDigits(tag, 1, this.#message.pdsLength(tag) - 1);
    if (value <= 0) return 0;
    return this.#message.pdsText(tag, 0, 1) === 'D' ? -value : value;
  }

  #rate(field: number): ConversionRate | undefined {
    if (!this.#message.has(field)) return undefined;
    return { digits: this.#message.digits(field, 1, 7), decimals: this.#message.digits(field, 0, 1) };
  }

  /** The name, street or city in DE43. */
  #place(index: number): string {
    return (this.#message.text(43).split('\\')[index] ?? '').trim();
  }

  #fee(at: number): ClearingFee {
    const message = this.#message;
    const text = (name: string): string => {
      const { offset, length } = this.#part(FEES, name);
      return message.pdsText(FEES, at + offset, length);
    };
    const digits = (name: string): number => {
      const { offset, length } = this.#part(FEES, name);
      return message.pdsDigits(FEES, at + offset, length);
    };
    return {
      type: text('type'),
      code: text('code'),
      settlementFlag: text('settlement_flag'),
      sign: '',
      currency: digits('currency'),
      amount: digits('amount'),
      settlementCurrency: digits('settlement_currency'),
      settlementAmount: digits('settlement_amount'),
    };
  }
}
