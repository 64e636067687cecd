/**
 * A network in a box: from the approved authorizations of a day, the clearing file that a network would send the next morning,
 * with breaks planted by shares. Pure: the same input gives the same file and the same plan.
 *
 *   authorizations + seed + shares -> presentments -> 685 rows -> (writer) header, records, trailer
 *                                  -> plan: which breaks were planted where
 */
import { daysFromCivil } from '../../domain/calendar.js';
import { AMOUNT_MAX } from '../../limits.js';
import { panOfNumber } from '../../vault/pan.js';
import { dateOfDay } from '../dates.js';
import { type IpmData, type IpmFileOptions, IpmFileWriter } from '../ipm/writer.js';
import { emptyRecord, type SettlementKey } from '../record.js';
import { direction, earnedBy } from '../totals.js';
import { randomOf } from './random.js';
import {
  checkShares,
  type DayPlan,
  type Extra,
  type PlantedBreak,
  type PlantedType,
  type Shares,
  treatmentAt,
} from './shares.js';

/** An approved authorization as plain data. Amounts are minor units, 1 to AMOUNT_MAX; texts without padding. */
export interface BoxAuthorization {
  /** As the caller names it: unique. */
  readonly id: string;
  readonly pan: string;
  /** What was asked (DE4, DE49). */
  readonly amount: number;
  readonly currency: number;
  /** What is authorized on the account, in its currency. */
  readonly billingAmount: number;
  readonly billingCurrency: number;
  /** DE3, six digits. */
  readonly processingCode: number;
  /** DE18; -1 when absent. */
  readonly mcc: number;
  /** When it was approved, ms since 1970 UTC. */
  readonly timeMs: number;
  readonly approvalCode: string;
  readonly rrn: string;
  readonly networkId: string;
  readonly acquirer: string;
  readonly terminal: string;
  readonly merchant: string;
  readonly merchantName: string;
}

export interface BoxDay {
  readonly authorizations: Iterable<BoxAuthorization>;
  /** Kept back by an earlier day: presented plainly. Their holds are taken to have ended. */
  readonly earlier?: Iterable<BoxAuthorization>;
  /** Any 32-bit integer. */
  readonly seed: number;
  readonly shares: Shares;
  /** The business date, days since 1970-01-01. The file is settled on the day after. */
  readonly day: number;
  /** Settlement cycle, 1 to 9. */
  readonly cycle: number;
  /** The totals name a file of the next cycle, which never comes; the cycle is 1 to 8 then. */
  readonly missingFile?: boolean;
}

/** Merchants whose guests add a tip. */
const TIPPED_FROM = 5812;
const TIPPED_TO = 5814;
const [FIRST_PRESENTMENT, SECOND_PRESENTMENT] = ['1240200', '1240205'];
/** Interchange in basis points of what is settled. */
const INTERCHANGE_BP = 120;
const UNKNOWN_BIN = '999999';
/** Numbers of the test range from here on belong to nobody. */
const UNKNOWN_FROM = 900_000_000;
const UNKNOWN_COUNT = 99_999_999;
const EURO = 978;
const DOLLAR = 840;
const PARTIAL = '1403';
/** Transaction type of fees, which no presentment has. */
const FEE_TYPE = 19;
/** Most that a file which never comes is said to be of, minor units. */
const MISSING_MAX = 1_000_000;
const FEE = { type: '00', code: '00', settlementFlag: '00', sign: '' } as const;

/** PDS0105 of the day's file. @param processor up to eleven digits */
export function boxFileId(day: number, cycle: number, processor = '99999'): string {
  return `001${dateOfDay(day)}${processor.padStart(11, '0')}01${cycle}01`;
}

/** Writes the file piece by piece and returns the plan. @throws RangeError for shares, amounts and days that cannot be */
export function writeDay(
  day: BoxDay,
  options: Pick<IpmFileOptions, 'encoding' | 'blocked' | 'mode'>,
  sink: (bytes: Uint8Array) => void,
): DayPlan {
  checkShares(day.shares);
  if (!Number.isInteger(day.cycle) || day.cycle < 1 || day.cycle > 9) throw new RangeError('a cycle is 1 to 9');
  if (day.missingFile === true && day.cycle === 9)
    throw new RangeError('there is no cycle behind 9 for a missing file');
  if (day.day < daysFromCivil(2000, 1, 1)) throw new RangeError('the day is before the year 2000');
  const fileId = boxFileId(day.day, day.cycle);
  const writer = new IpmFileWriter({ ...options, fileId }, sink);
  const maker = new DayMaker(day, (data) => {
    writer.write(data);
    return writer.messages;
  });
  for (const authorization of day.earlier ?? []) maker.presentLate(authorization);
  for (const authorization of day.authorizations) maker.add(authorization);
  maker.repeatDuplicates();
  maker.writeTotals(fileId);
  if (day.missingFile === true) maker.nameMissingFile(boxFileId(day.day, day.cycle + 1));
  writer.finish();
  return maker.plan(fileId);
}

/** What a 685 row sums up. */
interface Row {
  readonly messages: string;
  readonly processingCode: string;
  readonly reversalFlag: string;
  readonly currency: number;
  netAmount: number;
  netFee: number;
  count: number;
}

class DayMaker {
  readonly #day: BoxDay;
  /** Writes a message and gives its number. */
  readonly #write: (data: IpmData) => number;
  readonly #settlement: SettlementKey;
  readonly #counts = new Map<string, number>();
  readonly #breaks: PlantedBreak[] = [];
  readonly #heldBack: string[] = [];
  readonly #again: { readonly data: IpmData; readonly authorization: BoxAuthorization }[] = [];
  readonly #rows = new Map<string, Row>();
  #authorizations = 0;
  #presentments = 0;
  #arns = 0;

  constructor(day: BoxDay, write: (data: IpmData) => number) {
    this.#day = day;
    this.#write = write;
    this.#settlement = {
      ...{ transferAgent: '99999', account: 'ACCOUNT9', level: '1', serviceId: 'BX00000009', fxClass: 'N' },
      ...{ reconciliationDay: day.day, reconciliationCycle: day.cycle },
      ...{ settlementDay: day.day + 1, settlementCycle: day.cycle },
    };
  }

  add(authorization: BoxAuthorization): void {
    this.#authorizations++;
    const { shares, seed } = this.#day;
    const random = randomOf(seed, authorization.id);
    // Always drawn, in this order, so that one share does not move what the others pick.
    const [treated, detail, again, refunded, forced] = [random(), random(), random(), random(), random()];
    const [stray, second, invalid] = [random(), random(), random()];
    const first = this.#treat(authorization, treated!, detail!);
    if (first !== undefined && again! < (shares.duplicates ?? 0)) this.#again.push({ data: first, authorization });
    if (refunded! < (shares.refunds ?? 0)) this.#refund(authorization);
    if (forced! < (shares.forced ?? 0)) this.#force(authorization);
    if (stray! < (shares.strayReversals ?? 0))
      this.#stray('strayReversals', 'reversal_without_original', authorization, { reversal: true });
    if (second! < (shares.presentedAgain ?? 0))
      this.#stray('presentedAgain', 'reversal_without_original', authorization, { kind: 'second_presentment_full' });
    if (invalid! < (shares.invalid ?? 0)) {
      const type = { processingCode: `${FEE_TYPE}0000`, transactionType: FEE_TYPE };
      this.#stray('invalid', 'record_not_posted', authorization, type);
    }
  }

  presentLate(authorization: BoxAuthorization): void {
    this.#count('presentedLate');
    const record = this.#present(this.#plain(authorization));
    this.#plant('late_presentment', record, authorization, authorization.billingAmount);
  }

  /** The duplicates, behind everything that they repeat. */
  repeatDuplicates(): void {
    for (const { data, authorization } of this.#again) {
      this.#count('duplicates');
      this.#plant('duplicate_presentment', this.#present(data), authorization, data.billingAmount!);
    }
  }

  /** The network's totals of the file, as 685 rows. */
  writeTotals(fileId: string): void {
    for (const { currency, ...row } of this.#rows.values()) this.#writeRow(fileId, row, currency, this.#settlement);
  }

  /** A file of the next cycle that the network has settled and not sent: what is owed for it is paid, and stands against nothing. */
  nameMissingFile(fileId: string): void {
    const [first] = this.#rows.values();
    if (first === undefined) return;
    const { currency } = first;
    const cycle = this.#day.cycle + 1;
    const amount = 1 + Math.floor(randomOf(this.#day.seed, fileId)() * MISSING_MAX);
    const row = { ...first, netAmount: 0 - amount, netFee: 0, count: 1 };
    this.#writeRow(fileId, row, currency, { ...this.#settlement, reconciliationCycle: cycle, settlementCycle: cycle });
    for (const type of ['missing_file', 'trailer_mismatch', 'settlement_not_file'] as const)
      this.#breaks.push({ type, record: 0, authorization: '', amount, currency });
  }

  #writeRow(fileId: string, row: Omit<Row, 'currency'>, settlementCurrency: number, settlement: SettlementKey): void {
    const { messages, processingCode, reversalFlag, netAmount, netFee, count } = row;
    const names = { fileId, messages, processingCode, reversalFlag };
    const totals = { ...names, netAmount, netFee, netTotal: netAmount + netFee, count };
    this.#write({ kind: 'financial_position', settlementCurrency, settlement, totals });
  }

  plan(fileId: string): DayPlan {
    return {
      seed: this.#day.seed,
      fileId,
      authorizations: this.#authorizations,
      presentments: this.#presentments,
      counts: Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))),
      breaks: this.#breaks,
      heldBack: this.#heldBack,
    };
  }

  /** Presents the authorization as its treatment has it. @returns its first record when one may be repeated as a duplicate */
  #treat(authorization: BoxAuthorization, treated: number, detail: number): IpmData | undefined {
    const { billingAmount, amount, mcc, currency } = authorization;
    const treatment = treatmentAt(this.#day.shares, treated);
    const plain = this.#plain(authorization);
    const isTipped = mcc >= TIPPED_FROM && mcc <= TIPPED_TO;
    const fits = billingAmount * 2 + 1 <= AMOUNT_MAX && amount * 2 + 1 <= AMOUNT_MAX;
    switch (treatment) {
      case 'missing':
        this.#count(treatment);
        this.#plant('authorized_not_cleared', 0, authorization, billingAmount);
        return undefined;
      case 'late':
        this.#count(treatment);
        this.#heldBack.push(authorization.id);
        return undefined;
      case 'unknownCard': {
        this.#count(treatment);
        const pan = panOfNumber(UNKNOWN_BIN, UNKNOWN_FROM + Math.floor(detail * UNKNOWN_COUNT));
        const record = this.#present({ ...plain, pan });
        this.#plant('card_mismatch', record, authorization, billingAmount);
        // Nobody presented the authorization itself.
        this.#plant('authorized_not_cleared', 0, authorization, billingAmount);
        return undefined;
      }
      case 'alteredAmount': {
        if (!fits) break;
        this.#count(treatment);
        const more = this.#charged(plain, amount * 2 + 1, billingAmount * 2 + 1);
        this.#plant('amount_mismatch', this.#present(more), authorization, billingAmount + 1);
        return more;
      }
      case 'alteredCurrency': {
        // The merchant's amount is taken over as it is: only what is billed matters to the account.
        if (!hasReference(authorization)) break;
        this.#count(treatment);
        const other = { ...plain, currency: currency === EURO ? DOLLAR : EURO };
        this.#plant('currency_mismatch', this.#present(other), authorization, billingAmount);
        return other;
      }
      case 'splits': {
        if (billingAmount < 2 || amount < 2) break;
        this.#count(treatment);
        const [half, billedHalf] = [Math.floor(amount / 2), Math.floor(billingAmount / 2)];
        const first = { ...this.#charged(plain, half, billedHalf), partial: true, reasonCode: PARTIAL };
        this.#present(first);
        const rest = this.#charged(plain, amount - half, billingAmount - billedHalf);
        this.#present({ ...rest, arn: this.#arn() });
        return first;
      }
      case 'tips': {
        const tip = Math.floor((billingAmount * (1 + Math.floor(detail * 20))) / 100);
        if (!isTipped || tip < 1 || billingAmount + tip > AMOUNT_MAX || currency !== authorization.billingCurrency)
          break;
        this.#count(treatment);
        const more = this.#charged(plain, billingAmount + tip, billingAmount + tip);
        this.#present(more);
        return more;
      }
      case 'cash': {
        this.#count(treatment);
        const cash = { ...plain, processingCode: '010000', transactionType: 1 };
        this.#present(cash);
        return cash;
      }
      default:
    }
    this.#count('plain');
    this.#present(plain);
    return plain;
  }

  #refund(authorization: BoxAuthorization): void {
    const { amount, billingAmount } = authorization;
    if (amount < 2 || billingAmount < 2) return;
    this.#count('refunds');
    const half = this.#charged(this.#plain(authorization), Math.floor(amount / 2), Math.floor(billingAmount / 2));
    this.#present({ ...half, ...strange, processingCode: '200000', transactionType: 20 });
  }

  /** By a merchant that no authorization names, so that no rung of the ladder finds one. */
  #force(authorization: BoxAuthorization): void {
    this.#count('forced');
    const record = this.#present({ ...this.#plain(authorization), ...strange });
    this.#plant('cleared_without_authorization', record, authorization, authorization.billingAmount, '');
  }

  /** What belongs to nothing that was authorized, presented or charged back. */
  #stray(count: Extra, type: PlantedType, authorization: BoxAuthorization, over: Partial<IpmData>): void {
    this.#count(count);
    const record = this.#present({ ...this.#plain(authorization), ...strange, ...over });
    this.#plant(type, record, authorization, authorization.billingAmount, '');
  }

  /** The presentment of an authorization as it was approved. */
  #plain(authorization: BoxAuthorization): IpmData {
    const { day, cycle } = this.#day;
    const { processingCode, timeMs, amount, billingAmount, billingCurrency } = authorization;
    const plain: IpmData = {
      ...emptyRecord,
      kind: 'first_presentment',
      pan: authorization.pan,
      processingCode: String(processingCode).padStart(6, '0'),
      transactionType: Math.floor(processingCode / 10_000),
      currency: authorization.currency,
      settlementCurrency: billingCurrency,
      billingCurrency,
      arn: this.#arn(),
      approvalCode: authorization.approvalCode,
      rrn: authorization.rrn,
      networkId: authorization.networkId,
      lifeCycle: authorization.networkId === '' ? '' : '1',
      acquirer: authorization.acquirer,
      terminal: authorization.terminal,
      merchant: authorization.merchant,
      merchantName: authorization.merchantName === '' ? 'MERCHANT' : authorization.merchantName,
      merchantCity: 'CITY',
      merchantCountry: 'BRA',
      mcc: authorization.mcc,
      localDay: Math.floor(timeMs / 86_400_000),
      localSeconds: Math.floor(timeMs / 1000) % 86_400,
      settlement: this.#settlement,
      businessDay: day,
      businessCycle: cycle,
    };
    return this.#charged(plain, amount, billingAmount);
  }

  /** The record with other amounts, and the interchange of them. */
  #charged(data: IpmData, amount: number, billingAmount: number): IpmData {
    const { settlementCurrency: currency = -1 } = data;
    const fee = Math.floor((billingAmount * INTERCHANGE_BP) / 10_000);
    const fees = [{ ...FEE, currency, amount: fee, settlementCurrency: currency, settlementAmount: fee }];
    return { ...data, amount, billingAmount, settlementAmount: billingAmount, fees };
  }

  /** Acquirer reference number: unique within day and cycle. */
  #arn(): string {
    const { day, cycle } = this.#day;
    this.#arns++;
    return `0999999${String(day % 10_000).padStart(4, '0')}${cycle}${String(this.#arns).padStart(10, '0')}0`;
  }

  #present(data: IpmData): number {
    this.#presentments++;
    const record = this.#write(data);
    const whole = { ...emptyRecord, ...data };
    const { settlementCurrency: currency, settlementAmount } = whole;
    const messages = whole.kind === 'first_presentment' ? FIRST_PRESENTMENT! : SECOND_PRESENTMENT!;
    const names = {
      messages,
      processingCode: whole.processingCode.slice(0, 2),
      reversalFlag: whole.reversal ? 'R' : 'O',
    };
    const name = JSON.stringify([names, currency]);
    let row = this.#rows.get(name);
    if (row === undefined) {
      row = { ...names, currency, netAmount: 0, netFee: 0, count: 0 };
      this.#rows.set(name, row);
    }
    // We owe a purchase: a debit, below zero.
    row.netAmount -= direction(whole) * settlementAmount;
    for (const fee of whole.fees) row.netFee += earnedBy(whole, fee);
    row.count++;
    return record;
  }

  #plant(
    type: PlantedType,
    record: number,
    { id, billingCurrency: currency }: BoxAuthorization,
    amount: number,
    authorization = id,
  ): void {
    this.#breaks.push({ type, record, authorization, amount, currency });
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}

/** References that no authorization has. */
const strange = {
  approvalCode: '',
  rrn: '',
  networkId: '',
  lifeCycle: '',
  merchant: 'NOBODY',
  terminal: 'NONE',
} as const;

/** What the ladder finds an authorization by, whatever its currency. */
const hasReference = ({ networkId, rrn, terminal, merchant }: BoxAuthorization): boolean =>
  networkId !== '' || (rrn !== '' && (terminal !== '' || merchant !== ''));
