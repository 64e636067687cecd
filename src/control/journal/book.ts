/** Which folders of the journal were exported, and what was dropped: a fold over the records of the system journal. */
import type { JournalDropped, JournalExported } from '../system-log.js';

export class JournalBook {
  /** By name of the folder: where it was exported to last. */
  readonly exported = new Map<string, JournalExported>();
  /** The newest drop. */
  dropped: JournalDropped | undefined;

  apply(record: JournalExported | JournalDropped): void {
    if (record.type === 'journal_dropped') this.dropped = record;
    else this.exported.set(record.folder, record);
  }
}
