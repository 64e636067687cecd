/**
 * The system journal as the control plane sees it: what belongs to no account (programs, API tokens, outcomes of
 * system-level writes). The control plane is its single writer; a record counts when `append` has returned.
 */
import type { Scope } from './tokens.js';

export interface ProgramDefinition {
  id: string;
  name: string;
  /** ISO 4217 alphabetic: currency of its accounts. */
  currency: string;
  product: 'credit' | 'prepaid' | 'debit';
  /** Card number prefixes of 6 to 8 digits; new cards are issued from the first. */
  bins: string[];
  sandbox: boolean;
  /** Tables that were set; the others have their defaults. */
  tables: Record<string, unknown>;
  /** Default controls of its cards and accounts. */
  controls: Record<string, unknown>;
}

/** A revision of a program: the newest of an index counts, the earlier ones stay readable. */
export type ProgramRecord = {
  type: 'program';
  /** Number that accounts carry. */
  index: number;
  /** The revision, from 1. */
  version: number;
  atMs: number;
  createdMs: number;
  program: ProgramDefinition;
  /** What the shards get (domain/program/snapshot.ts). Absent in records of a release that kept tables only as data. */
  snapshot?: string;
};

export const ruleStates = ['draft', 'shadow', 'active', 'retired'] as const;
export type RuleState = (typeof ruleStates)[number];

/** A rule after a change of it: the newest record of an id counts. */
export type RuleRecord = {
  type: 'rule';
  id: string;
  /** Id of its program. */
  program: string;
  name: string | null;
  state: RuleState;
  /** Lower is asked first; rules of the same priority by age. */
  priority: number;
  /** From 1; rises with every new text. */
  version: number;
  /** In the rules' language, as it was given. */
  text: string;
  createdMs: number;
  /** When this version was written. */
  versionMs: number;
  atMs: number;
};

export type SystemRecord =
  | ProgramRecord
  | RuleRecord
  | { type: 'token'; id: string; name: string; scopes: Scope[]; hash: Uint8Array; atMs: number }
  | { type: 'token_revoked'; id: string; atMs: number }
  | ClockAcceptance
  | SystemOutcome;

/** An operator took the wall clock for right. */
export type ClockAcceptance = {
  type: 'clock_accepted';
  /** Public id of the token that asked, and its name. */
  token: string;
  name: string;
  /** By how much the wall clock was ahead of the monotonic clock, s. */
  differenceSeconds: number;
  atMs: number;
};

/** First answer to a write with an Idempotency-Key; key and body are HMACs in hexadecimal. */
export type SystemOutcome = {
  type: 'outcome';
  key: string;
  body: string;
  status: number;
  /** JSON text. */
  answer: string;
  atMs: number;
};

export interface SystemLog {
  /**
   * Appends all or nothing, durable when it returns; gives the sequence of the last record.
   * @throws HoldfastError `commit_failed` (fatal).
   */
  append(records: readonly SystemRecord[]): number;
  /** Visits everything from the oldest on. */
  replay(visit: (record: SystemRecord, sequence: number) => void): void;
  /** The record at a sequence that `append` or `replay` gave. @throws HoldfastError `record_unreadable`. */
  read(sequence: number): SystemRecord;
}
