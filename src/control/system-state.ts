/**
 * State of the system journal in memory: a fold over its records. Writes append first and apply after, so that nothing is
 * visible that is not durable.
 */
import { PROGRAMS_MAX, SYSTEM_OUTCOMES_MAX, SYSTEM_OUTCOMES_WINDOW_MS, TOKENS_MAX } from '../limits.js';
import { ApiError } from './problem.js';
import type { ProgramDefinition, SystemLog, SystemRecord } from './system-log.js';
import type { Scope } from './tokens.js';

export interface ProgramRow {
  /** Number that accounts carry. */
  readonly index: number;
  readonly version: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly program: ProgramDefinition;
}

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly hash: Uint8Array;
  readonly createdMs: number;
}

export interface Outcome {
  readonly key: string;
  readonly body: string;
  readonly atMs: number;
  /** Set while only the intent is known. */
  readonly memo?: Record<string, string>;
  readonly status?: number;
  readonly answer?: string;
}

export const SANDBOX_PROGRAM = 'prog_sandbox';

export class SystemState {
  readonly #log: SystemLog;
  readonly #programs: ProgramRow[] = [];
  readonly #programOfId = new Map<string, number>();
  readonly #tokens = new Map<string, TokenRow>();
  /** In the order of their time: the oldest is first. */
  readonly #outcomes = new Map<string, Outcome>();

  constructor(log: SystemLog) {
    this.#log = log;
    log.replay((record) => this.#apply(record));
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
    this.#log.append(records);
    for (const record of records) this.#apply(record);
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

  /** Record of a new program, or of the next version of a known one. */
  programRecord(program: ProgramDefinition, nowMs: number): SystemRecord {
    const known = this.program(program.id);
    if (known === undefined && this.#programs.length >= PROGRAMS_MAX)
      throw new ApiError('capacity_exceeded', `There are ${PROGRAMS_MAX} programs already.`);
    return {
      type: 'program',
      index: known?.index ?? this.#programs.length,
      version: (known?.version ?? 0) + 1,
      createdMs: known?.createdMs ?? nowMs,
      atMs: nowMs,
      program,
    };
  }

  token(id: string): TokenRow | undefined {
    return this.#tokens.get(id);
  }

  /** Oldest first. */
  get tokens(): readonly TokenRow[] {
    return [...this.#tokens.values()];
  }

  assertTokenRoom(): void {
    if (this.#tokens.size >= TOKENS_MAX)
      throw new ApiError('capacity_exceeded', `There are ${TOKENS_MAX} tokens already: revoke some.`);
  }

  outcome(key: string): Outcome | undefined {
    return this.#outcomes.get(key);
  }

  #apply(record: SystemRecord): void {
    switch (record.type) {
      case 'program':
        this.#programs[record.index] = {
          index: record.index,
          version: record.version,
          createdMs: record.createdMs,
          updatedMs: record.atMs,
          program: record.program,
        };
        this.#programOfId.set(record.program.id, record.index);
        return;
      case 'token':
        this.#tokens.set(record.id, {
          id: record.id,
          name: record.name,
          scopes: record.scopes,
          hash: record.hash,
          createdMs: record.atMs,
        });
        return;
      case 'token_revoked':
        this.#tokens.delete(record.id);
        return;
      case 'intent':
        this.#remember({ key: record.key, body: record.body, memo: record.memo, atMs: record.atMs });
        return;
      case 'outcome':
        this.#remember({
          key: record.key,
          body: record.body,
          status: record.status,
          answer: record.answer,
          atMs: record.atMs,
        });
    }
  }

  #remember(outcome: Outcome): void {
    this.#outcomes.delete(outcome.key);
    this.#outcomes.set(outcome.key, outcome);
    for (const [key, oldest] of this.#outcomes) {
      const expired = outcome.atMs - oldest.atMs > SYSTEM_OUTCOMES_WINDOW_MS;
      if (!expired && this.#outcomes.size <= SYSTEM_OUTCOMES_MAX) break;
      this.#outcomes.delete(key);
    }
  }
}
