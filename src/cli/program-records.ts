/** The programs of a data directory as its system journal has them, of a stopped or a running server. */
import type { ProgramRecord, SystemRecord } from '../control/system-log.js';
import { SystemJournal } from '../journal/system-journal.js';

/**
 * The newest revision of each program, in the order of their numbers. @param folder of the system journal
 * @throws HoldfastError what makes the journal unreadable
 */
export async function newestPrograms(folder: string): Promise<readonly ProgramRecord[]> {
  const journal = SystemJournal.open(folder, { readOnly: true });
  const programs = new Map<number, ProgramRecord>();
  try {
    journal.replay((record) => {
      const one = record as SystemRecord;
      if (one.type === 'program') programs.set(one.index, one);
    });
  } finally {
    await journal.close();
  }
  return Array.from(programs.values()).sort((a, b) => a.index - b.index);
}
