/**
 * State of the system journal in memory: a fold over its records. Writes append first and apply after, so that nothing is
 * visible that is not durable.
 */
import type { Snapshot, SnapshotRule } from '../domain/program/snapshot.js';
import { PROGRAM_RULES_KEPT_MAX, PROGRAMS_MAX, TOKENS_MAX, WEBHOOKS_MAX } from '../limits.js';
import type { LinkKey } from '../link-requests.js';
import { ApprovalBook } from './approval-book.js';
import { ClearingRegistry } from './clearing/registry.js';
import { JournalBook } from './journal/book.js';
import { OutgoingBook } from './outgoing/registry.js';
import { ApiError } from './problem.js';
import { snapshotOf } from './program-check.js';
import { ReconBook } from './recon/book.js';
import type { Role } from './roles.js';
import { RuleBook } from './rule-book.js';
import type {
  ClockAcceptance,
  Cutover,
  ProgramDefinition,
  ProgramRecord,
  SystemLog,
  SystemOutcome,
  SystemRecord,
  TokenRecord,
  TokenRotated,
  WebhookDefinition,
} from './system-log.js';
import type { Scope } from './tokens.js';

export interface ProgramRow {
  /** Number that accounts carry. */
  readonly index: number;
  /** From 1; rises with every change. */
  readonly revision: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly program: ProgramDefinition;
  /** What the shards get; undefined for a program that an earlier release wrote and nobody has changed since. */
  readonly snapshot: string | undefined;
}

/** A rule that was evaluated. */
export type RulePlace = Pick<SnapshotRule, 'id' | 'version' | 'state'>;

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  /** Empty for a token with a role. */
  readonly scopes: readonly Scope[];
  readonly role: Role | undefined;
  readonly hash: Uint8Array;
  /** The secret before the last rotation, and until when it is taken. */
  readonly earlier: { readonly hash: Uint8Array; readonly untilMs: number } | undefined;
  readonly createdMs: number;
  /** ms since 1970 UTC; undefined: it does not expire. */
  readonly untilMs: number | undefined;
}

export interface WebhookRow {
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly webhook: WebhookDefinition;
}

export const SANDBOX_PROGRAM = 'prog_sandbox';

export class SystemState {
  readonly rules: RuleBook;
  readonly clearingFiles: ClearingRegistry;
  readonly approvals = new ApprovalBook();
  readonly recon = new ReconBook();
  readonly outgoing = new OutgoingBook();
  readonly journal = new JournalBook();
  readonly #log: SystemLog;
  readonly #programs: ProgramRow[] = [];
  /** By program, where its revisions stand in the journal: 1, 2 ... */
  readonly #revisions: number[][] = [];
  readonly #programOfId = new Map<string, number>();
  /** What `rulesOf` has answered, by revision and program. */
  readonly #ruleSets = new Map<string, readonly RulePlace[]>();
  readonly #tokens = new Map<string, TokenRow>();
  readonly #webhooks = new Map<string, WebhookRow>();
  /**
   * Where the outcome of a key stands in the journal: about 150 bytes each, for a write that an operator makes. The answer
   * itself, which may be large, stays on the disk.
   */
  readonly #outcomes = new Map<string, number>();

  #clockAcceptance: ClockAcceptance | undefined;
  /** The newest of each link, by its number: at most 65 536, and as many as there are links. */
  readonly #cutovers = new Map<number, Cutover>();
  /** Keys that networks have sent and used, oldest first: some a year. */
  readonly #linkKeys: LinkKey[] = [];

  constructor(log: SystemLog) {
    this.#log = log;
    this.rules = new RuleBook((sequence) => log.read(sequence));
    this.clearingFiles = new ClearingRegistry((sequence) => log.read(sequence));
    log.replay((record, sequence) => this.#apply(record, sequence));
  }

  /** Creates the sandbox program at the first start. */
  ensureSandboxProgram(nowMs: number): void {
    if (this.#programOfId.has(SANDBOX_PROGRAM)) return;
    this.write([
      this.programRecord(
        {
          id: SANDBOX_PROGRAM,
          name: 'Sandbox',
          currency: 'BRL',
          product: 'credit',
          bins: ['999999'],
          sandbox: true,
          tables: {},
          controls: {},
        },
        nowMs,
      ),
    ]);
  }

  write(records: readonly SystemRecord[]): void {
    if (records.length === 0) return;
    const first = this.#log.append(records) - records.length + 1;
    for (const [index, record] of records.entries()) this.#apply(record, first + index);
  }

  program(id: string): ProgramRow | undefined {
    const index = this.#programOfId.get(id);
    return index === undefined ? undefined : this.#programs[index];
  }

  programAt(index: number): ProgramRow | undefined {
    return this.#programs[index];
  }

  /** Oldest first. */
  get programs(): readonly ProgramRow[] {
    return this.#programs;
  }

  /** An earlier revision of a program, or the current one; undefined when there is no such revision. */
  programRevision(id: string, revision: number): ProgramRow | undefined {
    const index = this.#programOfId.get(id);
    const sequence = index === undefined ? undefined : this.#revisions[index]?.[revision - 1];
    if (sequence === undefined) return undefined;
    const record = this.#log.read(sequence);
    if (record.type !== 'program' || record.version !== revision)
      throw new TypeError(`system record ${sequence} is not revision ${revision} of its program`);
    return rowOf(record);
  }

  /** Rules of a revision of a program by their places in its snapshot; empty when there is no such revision. */
  rulesOf(id: string, revision: number): readonly RulePlace[] {
    const key = `${revision}/${id}`;
    const known = this.#ruleSets.get(key);
    if (known !== undefined) return known;
    const snapshot = this.programRevision(id, revision)?.snapshot;
    const { rules } = snapshot === undefined ? { rules: [] } : (JSON.parse(snapshot) as Pick<Snapshot, 'rules'>);
    const places = rules.map((rule) => ({ id: rule.id, version: rule.version, state: rule.state }));
    this.#ruleSets.set(key, places);
    if (this.#ruleSets.size > PROGRAM_RULES_KEPT_MAX) this.#ruleSets.delete(this.#ruleSets.keys().next().value!);
    return places;
  }

  /**
   * Record of a new program, or of the next revision of a known one.
   * @param rules what it evaluates; those that it has by default
   * @throws ApiError `capacity_exceeded`, `validation_failed`
   */
  programRecord(
    program: ProgramDefinition,
    nowMs: number,
    rules: readonly SnapshotRule[] = this.rules.evaluated(program.id),
  ): ProgramRecord {
    const known = this.program(program.id);
    if (known === undefined && this.#programs.length >= PROGRAMS_MAX)
      throw new ApiError('capacity_exceeded', `There are ${PROGRAMS_MAX} programs already.`);
    const version = (known?.revision ?? 0) + 1;
    return {
      type: 'program',
      index: known?.index ?? this.#programs.length,
      version,
      createdMs: known?.createdMs ?? nowMs,
      atMs: nowMs,
      program,
      snapshot: snapshotOf(program, version, known?.snapshot, rules),
    };
  }

  token(id: string): TokenRow | undefined {
    return this.#tokens.get(id);
  }

  /** Oldest first. */
  get tokens(): readonly TokenRow[] {
    return [...this.#tokens.values()];
  }

  /** @param leaving tokens that go with the same write */
  assertTokenRoom(leaving: number): void {
    if (this.#tokens.size - leaving >= TOKENS_MAX)
      throw new ApiError('capacity_exceeded', `There are ${TOKENS_MAX} tokens already: revoke some.`);
  }

  /** The newest word of an operator about the clock. */
  get clockAcceptance(): ClockAcceptance | undefined {
    return this.#clockAcceptance;
  }

  webhook(id: string): WebhookRow | undefined {
    return this.#webhooks.get(id);
  }

  /** Oldest first. */
  get webhooks(): readonly WebhookRow[] {
    return [...this.#webhooks.values()];
  }

  assertWebhookRoom(): void {
    if (this.#webhooks.size >= WEBHOOKS_MAX)
      throw new ApiError('capacity_exceeded', `There are ${WEBHOOKS_MAX} webhooks already: remove some.`);
  }

  /** The newest cutover of a link, by its number. */
  cutover(link: number): Cutover | undefined {
    return this.#cutovers.get(link);
  }

  /** The newest cutover of every link that had one. */
  get cutovers(): readonly Cutover[] {
    return [...this.#cutovers.values()];
  }

  /** Keys that networks have sent and used, oldest first. */
  get linkKeys(): readonly LinkKey[] {
    return this.#linkKeys;
  }

  /** Makes a key durable that a network has sent. @throws HoldfastError `commit_failed`: fatal */
  keepLinkKey(key: LinkKey, nowMs: number): void {
    this.write([{ type: 'link_key', ...key, atMs: nowMs }]);
  }

  /** The first answer under an idempotency key (HMAC in hexadecimal), read back from the journal. */
  outcome(key: string): SystemOutcome | undefined {
    const sequence = this.#outcomes.get(key);
    if (sequence === undefined) return undefined;
    const record = this.#log.read(sequence);
    if (record.type !== 'outcome' || record.key !== key)
      throw new TypeError(`system record ${sequence} is not the outcome of its key`);
    return record;
  }

  #apply(record: SystemRecord, sequence: number): void {
    switch (record.type) {
      case 'program':
        this.#programs[record.index] = rowOf(record);
        this.#revisions[record.index] = [...(this.#revisions[record.index] ?? []), sequence];
        this.#programOfId.set(record.program.id, record.index);
        return;
      case 'rule':
        this.rules.apply(record, sequence);
        return;
      case 'clearing_file':
        this.clearingFiles.apply(record, sequence);
        return;
      case 'recon_run':
      case 'recon_break':
        this.recon.apply(record);
        return;
      case 'outgoing_file':
      case 'outgoing_file_sent':
        this.outgoing.apply(record);
        return;
      case 'journal_exported':
      case 'journal_dropped':
        this.journal.apply(record);
        return;
      case 'token':
        this.#tokens.set(record.id, tokenRowOf(record));
        return;
      case 'token_rotated': {
        const row = this.#tokens.get(record.id);
        if (row === undefined) return;
        this.#tokens.set(record.id, rotatedRow(row, record));
        return;
      }
      case 'token_revoked':
        this.#tokens.delete(record.id);
        return;
      case 'clock_accepted':
        this.#clockAcceptance = record;
        return;
      case 'webhook': {
        const { createdMs, atMs: updatedMs, webhook } = record;
        this.#webhooks.set(webhook.id, { createdMs, updatedMs, webhook });
        return;
      }
      case 'webhook_removed':
        this.#webhooks.delete(record.id);
        return;
      case 'cutover':
        this.#cutovers.set(record.link, record);
        return;
      case 'link_key': {
        const { link, name, base, block, kcv, taken } = record;
        this.#linkKeys.push({ link, name, base, block, kcv, taken });
        return;
      }
      case 'approval_proposed':
      case 'approval_decided':
      case 'approval_done':
        this.approvals.apply(record);
        return;
      case 'audit_head':
        // For `verify` alone.
        return;
      case 'outcome':
        this.#outcomes.set(record.key, sequence);
    }
  }
}

export function tokenRowOf({ id, name, scopes, role, hash, atMs, untilMs }: TokenRecord): TokenRow {
  return { id, name, scopes, role, hash, earlier: undefined, createdMs: atMs, untilMs };
}

export function rotatedRow(row: TokenRow, { hash, graceMs, untilMs }: TokenRotated): TokenRow {
  return { ...row, hash, earlier: { hash: row.hash, untilMs: graceMs }, untilMs };
}

export function rowOf({ index, version, createdMs, atMs, program, snapshot }: ProgramRecord): ProgramRow {
  return { index, revision: version, createdMs, updatedMs: atMs, program, snapshot };
}
