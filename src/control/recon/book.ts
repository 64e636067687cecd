/** Reconciliations that were done and what people say of breaks: a fold over the records of the system journal. */
import type { Break } from '../../recon/breaks.js';
import type { ReconBreakRecord, ReconRunRecord } from '../system-log.js';

export class ReconBook {
  /** Oldest first. */
  readonly runs: ReconRunRecord[] = [];
  /** By id of the break; those that nobody has said anything of are open. */
  readonly #breaks = new Map<string, ReconBreakRecord>();

  /** How often something was said of a break. */
  changes = 0;

  apply(record: ReconRunRecord | ReconBreakRecord): void {
    if (record.type === 'recon_run') this.runs.push(record);
    else {
      this.#breaks.set(record.id, record);
      this.changes++;
    }
  }

  run(id: string): ReconRunRecord | undefined {
    return this.runs.find((run) => run.id === id);
  }

  /** What was said of the break. One that has another amount now than when it was resolved is open again. */
  said({ id, amount }: Pick<Break, 'id' | 'amount'>): ReconBreakRecord | undefined {
    const said = this.#breaks.get(id);
    const isOther = said?.status === 'resolved' && said.amount !== undefined && said.amount !== String(amount);
    return isOther ? { ...said, status: 'open' } : said;
  }
}
