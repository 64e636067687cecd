/**
 * What a program says about a decision, compiled: everything a decision asks of the tables of its program. A program
 * without a snapshot has the default policy.
 */

import { defaultMccGroups, type MccGroups } from '../controls/mcc-groups.js';
import type { ControlsSpec } from '../controls/spec.js';
import { defaultHoldLife, HoldLife } from '../hold-life.js';
import type { MessageInput } from '../message.js';
import { mulDivHalfUp } from '../money.js';
import type { RuleSet } from '../rules/rule-set.js';
import type { TextTable } from '../text-table.js';

/** What an automated fuel pump is granted for its status check. Amounts are minor units of the program's currency. */
export interface FuelPolicy {
  /** DE18 of automated fuel pumps. */
  readonly mcc: readonly number[];
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
  readonly maximum: number;
}

export interface PolicyTables {
  readonly holdLife: HoldLife;
  readonly fuel: FuelPolicy;
  readonly cashFee: CashFee;
  /** Processing types (first two digits of DE3) that are answered 57. */
  readonly forbidden: readonly number[];
  readonly partialApproval: boolean;
  /** Failed PINs after which a message with a PIN is answered 75. */
  readonly pinTries: number;
}

export const defaultTables: PolicyTables = {
  holdLife: new HoldLife(defaultHoldLife),
  fuel: { mcc: [5542], statusCheck: 1, amount: 17_500, whenShort: 'hold_available', minimum: 100 },
  cashFee: { flat: 0, basisPoints: 0, maximum: Number.MAX_SAFE_INTEGER },
  forbidden: [],
  partialApproval: true,
  pinTries: 3,
};

/** What a program says about controls and rules. */
export interface PolicyLimits {
  /** Defaults for each card or account. */
  readonly controls: ControlsSpec | undefined;
  readonly groups: MccGroups;
  /** Its active and shadow rules, undefined without any. */
  readonly rules: RuleSet | undefined;
  /** Names of velocity windows in the order in which the rules were compiled with them. */
  readonly windows: readonly string[];
}

const noLimits: PolicyLimits = { controls: undefined, groups: defaultMccGroups, rules: undefined, windows: [] };

export class Policy {
  /** Of the snapshot; 0 for the defaults. */
  readonly revision: number;
  readonly tables: PolicyTables;
  readonly limits: PolicyLimits;
  readonly #forbidden = new Uint8Array(100);
  readonly #fuel = new Uint8Array(10_000);

  constructor(revision: number, tables: PolicyTables, limits: PolicyLimits = noLimits) {
    this.revision = revision;
    this.limits = limits;
    this.tables = tables;
    for (const type of tables.forbidden) this.#forbidden[type] = 1;
    for (const mcc of tables.fuel.mcc) this.#fuel[mcc] = 1;
  }

  /** Life in ms of a hold placed by this message. */
  holdLifeMs(input: MessageInput): number {
    return this.tables.holdLife.lifeMs(input);
  }

  forbids(transactionType: number): boolean {
    return this.#forbidden[transactionType] === 1;
  }

  isFuelPump(mcc: number): boolean {
    return mcc >= 0 && this.#fuel[mcc] === 1;
  }

  /** Fee of a cash withdrawal of `amount`, minor units; half a minor unit is rounded up. */
  cashFee(amount: number): number {
    const { flat, basisPoints, maximum } = this.tables.cashFee;
    return Math.min(maximum, flat + mulDivHalfUp(amount, basisPoints, 10_000));
  }

  /** DE39 of a decline, by the program's response table: the reason's own code unless the table has another one. */
  response(_reason: number, _dialect: number, code: number): number {
    return code;
  }
}

const defaultPolicy = new Policy(0, defaultTables);

/** The policies of a shard's programs. */
export class Policies {
  readonly #programs: TextTable;

  constructor(programs: TextTable) {
    this.#programs = programs;
  }

  /** Policy of the program with this index. */
  of(program: number): Policy {
    void this.#programs;
    void program;
    return defaultPolicy;
  }
}
