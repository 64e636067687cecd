/** Approvals as the system journal tells them: what waits for a second person, what became of it. A fold over its records. */
import { APPROVALS_KEPT_MAX, APPROVALS_OPEN_MAX } from '../limits.js';
import { ApiError } from './problem.js';
import type { ApprovalDecision, ApprovalDone, ApprovalProposal } from './system-log.js';

/** `confirmed`: it may have been done already, and is done for certain before anything else is said of it. */
export type ApprovalState = 'open' | 'confirmed' | 'rejected' | 'done';

export interface ApprovalRow {
  readonly proposal: ApprovalProposal;
  readonly state: ApprovalState;
  readonly decision: ApprovalDecision | undefined;
  /** What the call answered, and when. */
  readonly done: ApprovalDone | undefined;
}

export function isOver({ proposal }: ApprovalRow, nowMs: number): boolean {
  return nowMs >= proposal.untilMs;
}

export class ApprovalBook {
  /** Oldest first. */
  readonly #rows = new Map<string, ApprovalRow>();

  apply(record: ApprovalProposal | ApprovalDecision | ApprovalDone): void {
    if (record.type === 'approval_proposed') {
      this.#rows.set(record.id, { proposal: record, state: 'open', decision: undefined, done: undefined });
      this.#forget(record.atMs);
      return;
    }
    const row = this.#rows.get(record.id);
    if (row === undefined) return;
    if (record.type === 'approval_done') this.#rows.set(record.id, { ...row, state: 'done', done: record });
    else this.#rows.set(record.id, { ...row, state: record.confirmed ? 'confirmed' : 'rejected', decision: record });
  }

  row(id: string): ApprovalRow | undefined {
    return this.#rows.get(id);
  }

  /** Oldest first. */
  get rows(): readonly ApprovalRow[] {
    return [...this.#rows.values()];
  }

  /** @throws ApiError `capacity_exceeded` */
  assertRoom(nowMs: number): void {
    let open = 0;
    for (const row of this.#rows.values()) if (row.state === 'open' && !isOver(row, nowMs)) open++;
    if (open >= APPROVALS_OPEN_MAX)
      throw new ApiError('capacity_exceeded', `${APPROVALS_OPEN_MAX} approvals are open: confirm or reject some.`);
  }

  /** Of those that are over the oldest go: the journal still has them. */
  #forget(nowMs: number): void {
    if (this.#rows.size <= APPROVALS_KEPT_MAX) return;
    for (const [id, row] of this.#rows) {
      const closed = row.state === 'done' || row.state === 'rejected' || (row.state === 'open' && isOver(row, nowMs));
      if (closed) this.#rows.delete(id);
      if (this.#rows.size <= APPROVALS_KEPT_MAX) return;
    }
  }
}
