/**
 * How long a hold lives, as data: the first row that fits a message gives the days. Card schemes give 5 to 10 days to
 * ordinary purchases and up to 30 or 31 to lodging, car rental and estimated amounts; a program may bring its own rows.
 */
import { type MccEntry, type MccGroups, mccRanges } from './controls/mcc-groups.js';
import type { MessageInput } from './message.js';

const DAY_MS = 86_400_000;

/** All conditions that a row names must hold; a row without any fits everything. */
export interface HoldLifeRow {
  readonly name: string;
  /** 1 to HOLD_LIFE_DAYS_MAX. */
  readonly days: number;
  /** Merchant category codes (DE18): single codes, inclusive ranges, names of groups. */
  readonly mcc?: readonly MccEntry[];
  /** Letters of the function (DE48 tag 20). */
  readonly functions?: string;
  /** Entry modes: the first two digits of DE22. */
  readonly entryModes?: readonly number[];
  /** Conditions (DE25). */
  readonly conditions?: readonly number[];
  readonly exceptConditions?: readonly number[];
}

/** Days by case, first match wins. */
export const defaultHoldLife: readonly HoldLifeRow[] = [
  { name: 'automated fuel', days: 2, mcc: [5542, 5552] },
  { name: 'lodging, car rental, cruise', days: 30, mcc: ['lodging', 'car_rental', 'cruise'] },
  { name: 'estimated amount', days: 30, functions: 'E' },
  { name: 'pre-authorization', days: 30, conditions: [6] },
  // Credential on file, unless the cardholder is at the web shop (59).
  { name: 'merchant-initiated', days: 5, entryModes: [10], exceptConditions: [59] },
  { name: 'card not present, electronic commerce', days: 10, entryModes: [81, 10] },
  { name: 'card present', days: 5, entryModes: [2, 5, 7, 90, 91, 95] },
  // 01 customer not present, 08 mail or telephone order, 15 and 59 electronic commerce.
  { name: 'card not present', days: 10, conditions: [1, 8, 15, 59] },
  { name: 'anything else', days: 7 },
];

/** A row compiled: a table with 1 for each value that fits, undefined where everything does. */
interface CompiledRow {
  readonly mcc: Uint8Array | undefined;
  readonly functions: Uint8Array | undefined;
  readonly entryModes: Uint8Array | undefined;
  readonly conditions: Uint8Array | undefined;
  readonly exceptConditions: Uint8Array | undefined;
  readonly lifeMs: number;
}

/** A compiled table: the life of a hold by the message that places it. */
export class HoldLife {
  /** All of one shape, whatever members the rows have: this is asked for every hold. */
  readonly #rows: readonly CompiledRow[];

  /** @param groups that the rows may name */
  constructor(rows: readonly HoldLifeRow[], groups: MccGroups) {
    this.#rows = rows.map(
      (row): CompiledRow => ({
        mcc: row.mcc && compileMcc(row.mcc, groups),
        functions: row.functions === undefined ? undefined : tableOf(256, codesOf(row.functions)),
        entryModes: row.entryModes && tableOf(100, row.entryModes),
        conditions: row.conditions && tableOf(100, row.conditions),
        exceptConditions: row.exceptConditions && tableOf(100, row.exceptConditions),
        lifeMs: row.days * DAY_MS,
      }),
    );
  }

  /** Life in ms of a hold placed by this message; 0 when no row fits. */
  lifeMs(input: MessageInput): number {
    const mode = input.entryMode < 0 ? -1 : Math.floor(input.entryMode / 10);
    const rows = this.#rows;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (row.mcc !== undefined && !has(row.mcc, input.mcc)) continue;
      if (row.functions !== undefined && !has(row.functions, input.functionCode)) continue;
      if (row.entryModes !== undefined && !has(row.entryModes, mode)) continue;
      if (row.conditions !== undefined && !has(row.conditions, input.condition)) continue;
      if (row.exceptConditions !== undefined && has(row.exceptConditions, input.condition)) continue;
      return row.lifeMs;
    }
    return 0;
  }
}

/** False for what a message does not carry (below zero), too. */
const has = (table: Uint8Array, value: number): boolean => value >= 0 && table[value] === 1;

function tableOf(size: number, values: Iterable<number>): Uint8Array {
  const table = new Uint8Array(size);
  for (const value of values) table[value] = 1;
  return table;
}

function compileMcc(entries: readonly MccEntry[], groups: MccGroups): Uint8Array {
  const table = new Uint8Array(10_000);
  for (const [from, to] of mccRanges(entries, groups)) table.fill(1, from, to + 1);
  return table;
}

const codesOf = (letters: string): number[] => Array.from(letters, (letter) => letter.charCodeAt(0));
