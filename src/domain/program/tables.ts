/**
 * The tables of a program with every default as data. What a program does not set has its default; the whole, defaults
 * filled in, is what its snapshot holds, so that another default of a later release changes no existing program.
 */
import { defaultMccGroups, type MccEntry, type MccGroups } from '../controls/mcc-groups.js';
import { defaultHoldLife, type HoldLifeRow } from '../hold-life.js';
import { type CryptographyTable, noChecks } from './cryptography-table.js';
import type { Responses } from './responses.js';

/** What an automated fuel pump is granted for its status check. Amounts are minor units of the program's currency. */
export interface FuelTable {
  /** DE18 of automated fuel pumps. */
  readonly mcc: readonly MccEntry[];
  /** The amount that asks for a status check, in major units (1). */
  readonly statusCheck: number;
  /** What the hold is raised to; 0 holds what was asked for. */
  readonly amount: number;
  /** What to do when less than `amount` is available. */
  readonly whenShort: 'decline' | 'hold_available';
  /** With `hold_available`: the least that must be available, else the check is declined. */
  readonly minimum: number;
}

/** Fee of a cash withdrawal: `flat` + `basisPoints` of the amount, at most `maximum`; minor units. */
export interface CashFee {
  readonly flat: number;
  readonly basisPoints: number;
  /** At least this, from 0; at most `maximum`. */
  readonly minimum: number;
  readonly maximum: number;
}

/** What clearing records do beyond what they say. */
export interface ClearingTable {
  /** A clearing without a mark that others follow releases what it leaves of the hold. */
  readonly releaseRest: boolean;
  /** Our mark-up on a payment in another currency, of what the cardholder is billed; 0 to 10 000. */
  readonly markupBasisPoints: number;
}

/** Annual rates of interest, basis points of what is owed of each kind; 365 days make a year. */
export interface InterestTable {
  readonly purchases: number;
  readonly cash: number;
  readonly fees: number;
  /** What accrued on purchases and fees since a statement is waived when that statement was paid in full by its due date. */
  readonly grace: boolean;
}

/** Rates alone. */
export type InterestRates = Omit<InterestTable, 'grace'>;

/** Statements of credit accounts. */
export interface StatementTable {
  /** Day of the month, 1 to 28; 0: none; -1: spread over the month by the account's slot. */
  readonly day: number;
  /** Days from a statement to its due date. */
  readonly dueDays: number;
  /** The minimum due: basis points of the balance, at least `minimumAmount`, at most the balance. */
  readonly minimumBasisPoints: number;
  readonly minimumAmount: number;
  /** Fee with every statement of an account that is not closed, minor units. */
  readonly monthlyFee: number;
}

/** Statement days. */
export const NO_STATEMENTS = 0;
export const SPREAD = -1;

/** No bound on a fee. */
export const NO_MAXIMUM = Number.MAX_SAFE_INTEGER;

export interface ProgramTables {
  /** First match wins; the last row fits everything. */
  readonly holdLife: readonly HoldLifeRow[];
  /** Percent by which a clearing may exceed its authorization, by category group; of several the largest. */
  readonly tolerance: Readonly<Record<string, number>>;
  readonly clearing: ClearingTable;
  readonly fuel: FuelTable;
  /** The built-in groups with those of the program. */
  readonly mccGroups: MccGroups;
  /** DE39 by reason, by dialect or for all of them. */
  readonly responses: Responses;
  /** Processing types (first two digits of DE3) that are answered 57. */
  readonly forbidden: readonly number[];
  readonly partialApproval: boolean;
  /** Failed PINs after which a message with a PIN is answered 75. */
  readonly pinTries: number;
  readonly cryptography: CryptographyTable;
  readonly cashFee: CashFee;
  /** Of a statement whose minimum was not paid by its due date, minor units; 0: none. */
  readonly lateFee: number;
  /** Of a payment that is returned, where the request names none; minor units; 0: none. */
  readonly returnedPaymentFee: number;
  readonly interest: InterestTable;
  readonly statement: StatementTable;
}

export const defaultProgramTables: ProgramTables = {
  holdLife: defaultHoldLife,
  tolerance: { restaurants: 20, lodging: 15, car_rental: 15 },
  clearing: { releaseRest: true, markupBasisPoints: 0 },
  fuel: { mcc: [5542], statusCheck: 1, amount: 17_500, whenShort: 'hold_available', minimum: 100 },
  mccGroups: defaultMccGroups,
  responses: {},
  forbidden: [],
  partialApproval: true,
  pinTries: 3,
  cryptography: noChecks,
  cashFee: { flat: 0, basisPoints: 0, minimum: 0, maximum: NO_MAXIMUM },
  lateFee: 0,
  returnedPaymentFee: 0,
  interest: { purchases: 0, cash: 0, fees: 0, grace: false },
  statement: { day: NO_STATEMENTS, dueDays: 20, minimumBasisPoints: 1000, minimumAmount: 0, monthlyFee: 0 },
};

/** Names of the tables in the API, in the order in which they are shown. */
export const tableNames = [
  'hold_life',
  'tolerance',
  'clearing',
  'fuel',
  'mcc_groups',
  'responses',
  'forbidden',
  'partial_approval',
  'pin',
  'cryptography',
  'fees',
  'interest',
  'statement',
] as const;
