/** What the auditor keeps of accounts, cards and programs, and its tables of words. */
import type { Entry, ModelAccount } from '../../domain/reference/entry.js';
import type { ModelProgram } from '../../domain/reference/program.js';

export interface AuditedAccount {
  readonly slot: number;
  readonly id: string;
  readonly program: number;
  readonly model: ModelAccount;
  /** 1131, 1200 and 5300: what the posted balance does not have. */
  readonly beside: { accrued: number; dispute: number; loss: number };
  /** Newest record of the account. */
  last: number;
}

export interface AuditedCard {
  readonly slot: number;
  /** Name in the model: `c<slot>`, of a network token `t<slot>`. */
  readonly name: string;
  readonly account: AuditedAccount;
  /** Of a token: the card that it stands for. */
  readonly of: AuditedCard | undefined;
  readonly replaces: AuditedCard | undefined;
  replacedBy: AuditedCard | undefined;
  readonly bin: number;
  readonly last4: number;
  readonly panLength: number;
  readonly fingerprint: string;
  /** Newest record of the card. */
  last: number;
  /** Approval codes that it gave, with the sequence of each. */
  readonly codes: Map<number, number>;
}

export interface AuditedProgram {
  revision: number;
  model: ModelProgram;
}

export const NO_PROGRAM: AuditedProgram = { revision: 0, model: { tables: {}, controls: {}, rules: [] } };
export const FINAL: readonly string[] = ['lost', 'stolen', 'closed'];
export const RULE = 33;
/** An approval code is unique for so long: an authorization can be matched for 90 days after the longest life of a hold. */
export const MATCHABLE_MS = 121 * 86_400_000;

export const ELEMENTS: Record<number, readonly Entry['what'][]> = {
  1: ['debit', 'credit'],
  2: ['verification'],
  3: ['inquiry'],
  4: ['reversal'],
  5: ['not understood', 'debit', 'credit', 'increment', 'replacement', 'inquiry', 'verification', 'advice', 'reversal'],
  6: ['increment'],
  7: ['replacement'],
  8: ['advice'],
  9: ['advice'],
  10: ['credit'],
  11: ['file update'],
};
