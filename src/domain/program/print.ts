/** Writes tables as the JSON that `parseTables` reads: every table, defaults included. */
import type { MccEntry } from '../controls/mcc-groups.js';
import type { HoldLifeRow } from '../hold-life.js';
import { printCryptography } from './parse-cryptography.js';
import { NO_MAXIMUM, NO_STATEMENTS, type ProgramTables, SPREAD, type tableNames } from './tables.js';

export function printTables(tables: ProgramTables): Record<(typeof tableNames)[number], unknown> {
  const { holdLife, tolerance, clearing, fuel, mccGroups, responses, forbidden, partialApproval, pinTries, cashFee } =
    tables;
  const { interest, statement, lateFee, returnedPaymentFee } = tables;
  const { flat, basisPoints, minimum, maximum } = cashFee;
  return {
    hold_life: holdLife.map(printRow),
    tolerance,
    clearing: { release_rest: clearing.releaseRest, markup_basis_points: clearing.markupBasisPoints },
    fuel: {
      mcc: fuel.mcc.map(printMcc),
      status_check: fuel.statusCheck,
      amount: fuel.amount,
      when_short: fuel.whenShort,
      minimum: fuel.minimum,
    },
    mcc_groups: Object.fromEntries(Object.entries(mccGroups).map(([name, codes]) => [name, codes.map(printMcc)])),
    responses,
    forbidden: forbidden.map(twoDigits),
    partial_approval: partialApproval,
    pin: { tries: pinTries },
    cryptography: printCryptography(tables.cryptography),
    fees: {
      cash: { flat, basis_points: basisPoints, minimum, ...(maximum === NO_MAXIMUM ? {} : { maximum }) },
      late: lateFee,
      returned_payment: returnedPaymentFee,
    },
    interest,
    statement: {
      day: printDay(statement.day),
      due_days: statement.dueDays,
      minimum_basis_points: statement.minimumBasisPoints,
      minimum_amount: statement.minimumAmount,
      monthly_fee: statement.monthlyFee,
    },
  };
}

function printRow({ name, days, mcc, functions, entryModes, conditions, exceptConditions }: HoldLifeRow): object {
  return {
    name,
    days,
    ...(mcc === undefined ? {} : { mcc: mcc.map(printMcc) }),
    ...(functions === undefined ? {} : { functions: [...functions] }),
    ...(entryModes === undefined ? {} : { entry_modes: entryModes.map(twoDigits) }),
    ...(conditions === undefined ? {} : { conditions: conditions.map(twoDigits) }),
    ...(exceptConditions === undefined ? {} : { except_conditions: exceptConditions.map(twoDigits) }),
  };
}

function printDay(day: number): number | string {
  if (day === NO_STATEMENTS) return 'none';
  return day === SPREAD ? 'spread' : day;
}

const digits = (code: number): string => String(code).padStart(4, '0');
const twoDigits = (code: number): string => String(code).padStart(2, '0');

function printMcc(entry: MccEntry): string {
  if (typeof entry === 'string') return entry;
  return typeof entry === 'number' ? digits(entry) : entry.map(digits).join('-');
}
