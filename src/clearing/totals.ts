/** What a pass over a clearing file adds up: messages by kind, amounts per currency, and what is owed per settlement. */
import { isCashType, isCreditType } from '../domain/clearing/input.js';
import type { ClearingFee, ClearingKind, ClearingRecord, SettlementKey } from './record.js';

/** A sum of amounts, exact whatever is in the file. */
class Sum {
  #big = 0n;
  #small = 0;

  /** @param amount an integer of at most 2^52 either way */
  add(amount: number): void {
    this.#small += amount;
    if (Math.abs(this.#small) < SMALL_MAX) return;
    this.#big += BigInt(this.#small);
    this.#small = 0;
  }

  get value(): bigint {
    return this.#big + BigInt(this.#small);
  }
}
const SMALL_MAX = 2 ** 52;

/** Sums of one currency in minor units, over all records that have such an amount, whatever their direction. */
export interface CurrencySums {
  readonly currency: number;
  readonly transaction: bigint;
  readonly settlement: bigint;
  readonly billing: bigint;
}

/** Records that are settled together. */
export interface SettlementGroup {
  /** Undefined: records that do not say where they are settled. */
  readonly key: SettlementKey | undefined;
  readonly currency: number;
  readonly records: number;
  /** What we owe, and what is owed to us, in minor units of the currency, fees not counted. */
  readonly debits: bigint;
  readonly credits: bigint;
  /** What the fees of presentments earn us; below zero they cost. */
  readonly earned: bigint;
}

const chargebacks: ReadonlySet<ClearingKind> = new Set([
  'chargeback_full',
  'chargeback_partial',
  'arbitration_chargeback_full',
  'arbitration_chargeback_partial',
]);
const others: ReadonlySet<ClearingKind> = new Set([
  'first_presentment',
  'second_presentment_full',
  'second_presentment_partial',
  'fee_collection',
]);

/**
 * Whether the issuer owes the record's settlement amount: 1 owes, -1 is owed, 0 neither (headers, totals, addenda). A
 * presentment or fee of transaction type 20 to 29 is a credit; a chargeback goes the other way than what it disputes; a
 * reversal turns everything around.
 */
export function direction(record: ClearingRecord): 1 | -1 | 0 {
  const { kind, transactionType } = record;
  const chargeback = chargebacks.has(kind);
  if (!chargeback && !others.has(kind)) return 0;
  return (isCreditType(transactionType) !== chargeback) !== record.reversal ? -1 : 1;
}

/**
 * What a fee of a presentment earns us: as it says; where it does not, an issuer earns the interchange of a purchase and pays that of
 * cash and of a refund, presented again or not, and the reverse for a reversal.
 */
export function earnedBy({ transactionType, reversal }: ClearingRecord, fee: ClearingFee): number {
  if (fee.sign !== '') return fee.sign === 'C' ? fee.settlementAmount : -fee.settlementAmount;
  const isPaid = isCreditType(transactionType) || isCashType(transactionType);
  return isPaid !== reversal ? -fee.settlementAmount : fee.settlementAmount;
}

const presentments: ReadonlySet<ClearingKind> = new Set([
  'first_presentment',
  'second_presentment_full',
  'second_presentment_partial',
]);

class MutableSums {
  readonly transaction = new Sum();
  readonly settlement = new Sum();
  readonly billing = new Sum();
}

class MutableGroup {
  records = 0;
  readonly debits = new Sum();
  readonly credits = new Sum();
  readonly earned = new Sum();
  readonly key: SettlementKey | undefined;
  readonly currency: number;

  constructor(key: SettlementKey | undefined, currency: number) {
    this.key = key;
    this.currency = currency;
  }
}

/** Adds up records. Its memory grows with the kinds, currencies and settlements of a file, which are few. */
export class ClearingTotals {
  readonly #messages = new Map<number, number>();
  readonly #sums = new Map<number, MutableSums>();
  readonly #groups = new Map<string, MutableGroup>();
  #last: MutableGroup | undefined;
  readonly #amounts = new Sum();

  add(record: ClearingRecord): void {
    const type = record.messageType * 1000 + Math.max(record.functionCode, 0);
    this.#messages.set(type, (this.#messages.get(type) ?? 0) + 1);
    const { amount, settlementAmount, settlementCurrency, billingAmount } = record;
    if (amount >= 0) {
      this.#amounts.add(amount);
      this.#of(record.currency).transaction.add(amount);
    }
    if (settlementAmount >= 0) this.#of(settlementCurrency).settlement.add(settlementAmount);
    if (billingAmount >= 0) this.#of(record.billingCurrency).billing.add(billingAmount);
    const side = direction(record);
    if (side === 0) return;
    if (presentments.has(record.kind)) {
      for (const fee of record.fees) {
        if (fee.settlementAmount > 0)
          this.#group(record.settlement, fee.settlementCurrency).earned.add(earnedBy(record, fee));
      }
    }
    if (settlementAmount < 0) return;
    const group = this.#group(record.settlement, settlementCurrency);
    group.records++;
    (side > 0 ? group.debits : group.credits).add(settlementAmount);
  }

  /** The sum of the transaction amounts of all records, of all currencies: a checksum. */
  get amountSum(): bigint {
    return this.#amounts.value;
  }

  /** Records by type and function code, such as `1240/200`, ascending. */
  get messages(): Record<string, number> {
    const sorted = [...this.#messages].sort(([a], [b]) => a - b);
    return Object.fromEntries(
      sorted.map(([type, count]) => [`${Math.floor(type / 1000)}/${String(type % 1000).padStart(3, '0')}`, count]),
    );
  }

  /** By currency, ascending. */
  get sums(): CurrencySums[] {
    return [...this.#sums]
      .sort(([a], [b]) => a - b)
      .map(([currency, { transaction, settlement, billing }]) => ({
        currency,
        transaction: transaction.value,
        settlement: settlement.value,
        billing: billing.value,
      }));
  }

  /** In the order in which the file has them. */
  get settlements(): SettlementGroup[] {
    return [...this.#groups.values()].map(({ key, currency, records, debits, credits, earned }) => ({
      ...{ key, currency, records },
      debits: debits.value,
      credits: credits.value,
      earned: earned.value,
    }));
  }

  #of(currency: number): MutableSums {
    let sums = this.#sums.get(currency);
    if (sums === undefined) {
      sums = new MutableSums();
      this.#sums.set(currency, sums);
    }
    return sums;
  }

  #group(key: SettlementKey | undefined, currency: number): MutableGroup {
    const last = this.#last;
    if (last !== undefined && last.key === key && last.currency === currency) return last;
    const name = JSON.stringify([key, currency]);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new MutableGroup(key, currency);
      this.#groups.set(name, group);
    }
    this.#last = group;
    return group;
  }
}
