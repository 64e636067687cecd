/**
 * The audit log: who did or saw what by the HTTP API. A journal of its own, with the frames and the chain of the system
 * journal, so that an audit log that cannot be written stops people and not the authorizations (decision 0041).
 *
 *   begin     the action is appended and durable -> the handler runs -> end     what became of it, with a later commit
 *
 * Actions that come in one turn of the event loop share a commit, and the outcomes of earlier ones go along. A process that dies
 * in between leaves an action without an outcome: it may have happened. After a commit that failed nobody knows what the disk
 * holds, so nothing is recorded any more until the next start, and every call that must be recorded is refused.
 */
import { HoldfastError } from '../../errors.js';
import type { SystemJournal, SystemRecord } from '../../journal/system-journal.js';
import { AUDIT_OUTCOME_DELAY_MS, AUDIT_REASON_LENGTH_MAX } from '../../limits.js';
import { maskDigits } from '../../pan-mask.js';
import { ApiError } from '../problem.js';

/** Who asked. */
export interface AuditActor {
  /** Public id of the token. */
  readonly token: string;
  readonly name: string;
  /** What the token may do. */
  readonly role: string;
}

/** A call that is about to do or show something, or was forbidden to. */
export interface AuditCall extends AuditActor {
  /** operationId of the route, and the route itself with its place-holders. */
  readonly operation: string;
  readonly method: string;
  readonly route: string;
  /** Id in the path, '' when there is none. */
  readonly target: string;
  /** From the header X-Reason; '' without. */
  readonly reason: string;
  /** X-Request-Id of the answer, and the address the request came from. */
  readonly request: string;
  readonly address: string;
  /** What it can hand out. */
  readonly reveals: '' | 'card_numbers' | 'audit_log';
}

export type AuditRecord =
  | ({ readonly type: 'action' | 'denied'; readonly atMs: number } & AuditCall)
  /** `of`: sequence of the action. `target`: id of what it made. */
  | {
      readonly type: 'outcome';
      readonly of: number;
      readonly status: number;
      readonly target: string;
      readonly atMs: number;
    }
  | { readonly type: 'started' | 'stopped'; readonly engine: string; readonly atMs: number };

export interface AuditRow {
  readonly sequence: number;
  readonly record: AuditRecord;
}

/** Where the log is kept (journal/system-journal.ts). */
export type AuditSink = Pick<SystemJournal, 'appendAll' | 'page' | 'head'>;

interface Waiting {
  readonly record: AuditRecord;
  resolve(sequence: number): void;
  reject(error: ApiError): void;
}

export class AuditLog {
  readonly #sink: AuditSink;
  readonly #nowMs: () => number;
  readonly #onFailure: (error: HoldfastError) => void;
  #failed = false;
  #waiting: Waiting[] = [];
  #outcomes: AuditRecord[] = [];
  #flush: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  /** @param onFailure is told once, of the commit that failed */
  constructor(sink: AuditSink, nowMs: () => number, onFailure: (error: HoldfastError) => void) {
    this.#sink = sink;
    this.#nowMs = nowMs;
    this.#onFailure = onFailure;
  }

  /** True when nothing can be recorded until the next start. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Where the chain ends: its last sequence and SHA-256, hex. */
  head(): { sequence: number; hash: string } {
    const { sequence, hash } = this.#sink.head();
    return { sequence, hash: Buffer.from(hash).toString('hex') };
  }

  /**
   * Records a call before it does anything; its sequence when it is durable.
   * @throws ApiError `audit_unavailable`: then nothing may be done
   */
  begin(call: AuditCall): Promise<number> {
    return this.#append({ type: 'action', atMs: this.#nowMs(), ...call });
  }

  /** Records a call that a token was not allowed to make. @throws ApiError `audit_unavailable` */
  denied(call: AuditCall): Promise<number> {
    return this.#append({ type: 'denied', atMs: this.#nowMs(), ...call });
  }

  /** What became of an action: HTTP status, and the id of what it made. Durable a little later. */
  end(of: number, status: number, target: string): void {
    if (this.#failed) return;
    this.#outcomes.push({ type: 'outcome', of, status, target, atMs: this.#nowMs() });
    this.#later ??= setTimeout(() => this.flush(), AUDIT_OUTCOME_DELAY_MS).unref();
  }

  /** That the engine begins or ends to record, durable when it returns. */
  mark(type: 'started' | 'stopped', engine: string): void {
    this.#outcomes.push({ type, engine, atMs: this.#nowMs() });
    this.flush();
  }

  /** At most `limit` rows behind a sequence, oldest first; everything recorded so far is among them. */
  rows(after: number, limit: number): AuditRow[] {
    this.flush();
    return this.#sink
      .page(after + 1, limit)
      .map(({ sequence, record }) => ({ sequence, record: record as unknown as AuditRecord }));
  }

  /** Makes everything durable that waits. */
  flush(): void {
    clearImmediate(this.#flush);
    clearTimeout(this.#later);
    this.#flush = undefined;
    this.#later = undefined;
    const waiting = this.#waiting.splice(0);
    const records = [...this.#outcomes.splice(0), ...waiting.map(({ record }) => record)];
    if (records.length === 0) return;
    const last = this.#commit(records);
    for (const [i, one] of waiting.entries()) {
      if (last === undefined) one.reject(unavailable());
      else one.resolve(last - waiting.length + 1 + i);
    }
  }

  #append(record: AuditRecord): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, resolve, reject });
      this.#flush ??= setImmediate(() => this.flush());
    });
  }

  /** Sequence of the last record; undefined when they are not durable. */
  #commit(records: readonly AuditRecord[]): number | undefined {
    if (this.#failed) return undefined;
    try {
      return this.#sink.appendAll(records as unknown as SystemRecord[]);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#failed = true;
      this.#onFailure(error);
      return undefined;
    }
  }
}

/** The header X-Reason as it is kept: what looks like a card number is masked, what is too long is cut. */
export function reasonOf(header: (name: string) => string | undefined): string {
  return maskDigits(header('x-reason')?.trim() ?? '').slice(0, AUDIT_REASON_LENGTH_MAX);
}

function unavailable(): ApiError {
  return new ApiError(
    'audit_unavailable',
    'The audit log cannot be written, so nothing was done. Look at its disk and start the engine again.',
  );
}
