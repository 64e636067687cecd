/**
 * What a program says about a decision, compiled: everything a decision asks of the tables of its program. A program
 * without a snapshot has the default policy.
 */

import { defaultMccGroups, type MccGroups } from '../controls/mcc-groups.js';
import type { ControlsSpec } from '../controls/spec.js';
import type { HoldLife } from '../hold-life.js';
import type { MessageInput } from '../message.js';
import { mulDivHalfUp } from '../money.js';
import type { RuleSet } from '../rules/rule-set.js';
import type { TextTable } from '../text-table.js';
import { compileLimits, compileTables } from './compile.js';
import type { CryptographyTable } from './cryptography-table.js';
import { readSnapshot } from './snapshot.js';
import {
  type CashFee,
  type ClearingTable,
  defaultProgramTables,
  type FuelTable,
  type InterestTable,
  type StatementTable,
} from './tables.js';

export interface PolicyTables {
  readonly holdLife: HoldLife;
  /** Percent by which a clearing may exceed its authorization; of several rows that fit, the largest. */
  readonly tolerance: readonly { readonly mcc: readonly (readonly [from: number, to: number])[]; percent: number }[];
  readonly clearing: ClearingTable;
  readonly fuel: Omit<FuelTable, 'mcc'> & { readonly mcc: readonly number[] };
  /** DE39 by dialect and reason; 0: the reason's own. Empty without a mapping. */
  readonly responses: readonly Uint16Array[];
  readonly cashFee: CashFee;
  readonly lateFee: number;
  readonly returnedPaymentFee: number;
  readonly interest: InterestTable;
  readonly statement: StatementTable;
  /** Processing types (first two digits of DE3) that are answered 57. */
  readonly forbidden: readonly number[];
  readonly partialApproval: boolean;
  /** Failed PINs after which a message with a PIN is answered 75. */
  readonly pinTries: number;
  readonly cryptography: CryptographyTable;
}

export const defaultTables: PolicyTables = compileTables(defaultProgramTables, []);

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
  readonly #tolerance = new Uint8Array(10_000);

  constructor(revision: number, tables: PolicyTables, limits: PolicyLimits = noLimits) {
    this.revision = revision;
    this.limits = limits;
    this.tables = tables;
    for (const type of tables.forbidden) this.#forbidden[type] = 1;
    for (const mcc of tables.fuel.mcc) this.#fuel[mcc] = 1;
    for (const { mcc, percent } of [...tables.tolerance].sort((a, b) => a.percent - b.percent)) {
      for (const [from, to] of mcc) this.#tolerance.fill(percent, from, to + 1);
    }
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
    const { flat, basisPoints, minimum, maximum } = this.tables.cashFee;
    return Math.min(maximum, Math.max(minimum, flat + mulDivHalfUp(amount, basisPoints, 10_000)));
  }

  /** Our mark-up on a payment in another currency that is billed with `amount`, minor units; half of one is rounded up. */
  markup(amount: number): number {
    return mulDivHalfUp(amount, this.tables.clearing.markupBasisPoints, 10_000);
  }

  /** Percent by which a clearing may exceed its authorization. @param mcc -1 when the message has none */
  tolerancePercent(mcc: number): number {
    return mcc < 0 ? 0 : this.#tolerance[mcc]!;
  }

  /** DE39 of a decline, by the program's response table: the reason's own code unless the table has another one. */
  response(reason: number, dialect: number, code: number): number {
    return this.tables.responses[dialect]?.[reason] || code;
  }
}

const defaultPolicy = new Policy(0, defaultTables);

/**
 * Compiled policies of a thread, shared by its shards: one per program and revision, compiled when a decision first asks. A
 * shard that only replays never does.
 */
export class PolicyBook {
  readonly #dialects: readonly string[];
  /** By program: the newest revision that was asked for and, for a shard that does not have it yet, the one before. */
  readonly #policies = new Map<number, Policy[]>();

  /** @param dialects names of the dialects, by index */
  constructor(dialects: readonly string[]) {
    this.#dialects = dialects;
  }

  /** @param text the snapshot of this revision */
  of(program: number, revision: number, text: string): Policy {
    const known = this.#policies.get(program) ?? [];
    const found = known.find((policy) => policy.revision === revision);
    if (found !== undefined) return found;
    const policy = this.#compile(revision, text);
    this.#policies.set(program, [...known, policy].sort((a, b) => b.revision - a.revision).slice(0, 2));
    return policy;
  }

  #compile(revision: number, text: string): Policy {
    const snapshot = readSnapshot(text, { dialects: this.#dialects });
    return new Policy(revision, compileTables(snapshot.tables, this.#dialects), compileLimits(snapshot));
  }
}

/** The policies of a shard's programs. */
export class Policies {
  readonly #programs: TextTable;
  readonly #book: PolicyBook;
  /** By program: what the shard decided with last. */
  readonly #current: (Policy | undefined)[] = [];

  constructor(programs: TextTable, book: PolicyBook) {
    this.#programs = programs;
    this.#book = book;
  }

  /** Policy of the program with this index. */
  of(program: number): Policy {
    const revision = this.#programs.revision(program);
    if (revision === 0) return defaultPolicy;
    const current = this.#current[program];
    if (current !== undefined && current.revision === revision) return current;
    const policy = this.#book.of(program, revision, this.#programs.text(program));
    this.#current[program] = policy;
    return policy;
  }
}
