/** A program as the reference model reads it: the JSON of the API, with the defaults of the domain rules beside it. */
import type { ControlsJson } from '../velocity-model.js';
import { DAY } from './entry.js';
import { hasMcc, type MccGroups } from './mcc.js';
import type { Message } from './message.js';
import type { SetRule } from './rules.js';

export interface HoldLifeJson {
  name: string;
  days: number;
  mcc?: (string | number)[];
  functions?: string[];
  entry_modes?: string[];
  conditions?: string[];
  except_conditions?: string[];
}

export interface TablesJson {
  hold_life?: HoldLifeJson[];
  fuel?: {
    mcc?: (string | number)[];
    /** Major units. */
    status_check?: number;
    amount?: number;
    when_short?: 'decline' | 'hold_available';
    minimum?: number;
  };
  /** Percent by name of a category group. */
  tolerance?: Record<string, number>;
  clearing?: { release_rest?: boolean; markup_basis_points?: number };
  mcc_groups?: MccGroups;
  /** DE39 by the name of a reason: for all, or of one dialect. */
  responses?: { all?: Record<string, string>; [dialect: string]: Record<string, string> | undefined };
  /** Types of transactions (first two digits of DE3) that are answered 57. */
  forbidden?: string[];
  partial_approval?: boolean;
  pin?: { tries: number };
  fees?: { cash: { flat: number; basis_points: number; minimum?: number; maximum?: number } };
  /** What accruals and statements read, which the model leaves to the engine. */
  interest?: { purchases: number; cash: number; fees: number };
  statement?: { day: number; monthly_fee: number };
}

export interface ModelProgram {
  tables: TablesJson;
  controls: ControlsJson;
  /** In the order of their evaluation. */
  rules: readonly SetRule[];
}

/** Section 6 of the domain rules; by groups, which a program may define anew. */
const HOLD_LIFE: HoldLifeJson[] = [
  { name: 'fuel', days: 2, mcc: ['5542', '5552'] },
  { name: 'travel', days: 30, mcc: ['lodging', 'car_rental', 'cruise'] },
  { name: 'estimated', days: 30, functions: ['E'] },
  { name: 'pre-authorization', days: 30, conditions: ['06'] },
  { name: 'merchant-initiated', days: 5, entry_modes: ['10'], except_conditions: ['59'] },
  { name: 'electronic commerce', days: 10, entry_modes: ['10', '81'] },
  { name: 'card present', days: 5, entry_modes: ['02', '05', '07', '90', '91', '95'] },
  { name: 'card not present', days: 10, conditions: ['01', '08', '15', '59'] },
  { name: 'anything else', days: 7 },
];

/** Life of a hold that this message places, ms. */
export function lifeMs({ tables }: ModelProgram, m: Message): number {
  const mode = m.mode === undefined ? '' : String(m.mode).padStart(3, '0').slice(0, 2);
  const condition = m.condition === undefined ? '' : String(m.condition).padStart(2, '0');
  const row = (tables.hold_life ?? HOLD_LIFE).find(
    (one) =>
      (one.mcc === undefined || hasMcc(one.mcc, m.mcc, groupsOf(tables))) &&
      (one.functions === undefined || one.functions.includes(m.fn ?? '')) &&
      (one.entry_modes === undefined || one.entry_modes.includes(mode)) &&
      (one.conditions === undefined || one.conditions.includes(condition)) &&
      !one.except_conditions?.includes(condition),
  );
  return row!.days * DAY;
}

export const groupsOf = ({ mcc_groups: own = {} }: TablesJson): MccGroups => own;

/** An automated fuel pump, and what it is granted for its check of so many major units. */
export function fuelOf({ tables }: ModelProgram): {
  mcc: readonly (string | number)[];
  check: number;
  amount: number;
  least: number;
  declinesWhenShort: boolean;
} {
  const { mcc = ['5542'], status_check: check = 1, when_short: short = 'hold_available' } = tables.fuel ?? {};
  const { amount = 17_500, minimum = 100 } = tables.fuel ?? {};
  return { mcc, check, amount, least: Math.max(1, minimum), declinesWhenShort: short === 'decline' };
}

export const isPump = (program: ModelProgram, m: Message): boolean =>
  hasMcc(fuelOf(program).mcc, m.mcc, groupsOf(program.tables));

/** Fee of a cash withdrawal, half a minor unit rounded up, within its bounds. */
export function feeOf({ tables }: ModelProgram, cash: number): number {
  if (cash === 0 || tables.fees === undefined) return 0;
  const { flat, basis_points: points, minimum = 0, maximum = Number.POSITIVE_INFINITY } = tables.fees.cash;
  const fee = flat + Number((BigInt(cash) * BigInt(points) * 2n + 10_000n) / 20_000n);
  return Math.min(Math.max(fee, minimum), maximum);
}

/** DE39 of a decline: the program's for its reason, or the usual one. */
export const codeOf = ({ tables }: ModelProgram, reason: string, code: string, dialect = ''): string =>
  tables.responses?.[dialect]?.[reason] ?? tables.responses?.all?.[reason] ?? code;

export const forbids = ({ tables }: ModelProgram, type: number): boolean =>
  tables.forbidden?.includes(String(type).padStart(2, '0')) ?? false;
