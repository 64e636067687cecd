/** Outgoing files that were made, and who has had them: a fold over the records of the system journal. */
import type { OutgoingFileRecord, OutgoingFileSent } from '../system-log.js';

export class OutgoingBook {
  /** Oldest first: their numbers are 1, 2 ... */
  readonly files: OutgoingFileRecord[] = [];
  /** By id of the file: when its content was handed out first and last, and how often. */
  readonly #sent = new Map<string, { first: number; last: number; times: number }>();

  apply(record: OutgoingFileRecord | OutgoingFileSent): void {
    if (record.type === 'outgoing_file') {
      this.files.push(record);
      return;
    }
    const before = this.#sent.get(record.id);
    const { atMs } = record;
    this.#sent.set(record.id, { first: before?.first ?? atMs, last: atMs, times: (before?.times ?? 0) + 1 });
  }

  file(id: string): OutgoingFileRecord | undefined {
    return this.files.find((file) => file.id === id);
  }

  sent(id: string): { readonly first: number; readonly last: number; readonly times: number } | undefined {
    return this.#sent.get(id);
  }

  /** Up to where the journal of a shard is in files; 0 when nothing of it is. */
  sentThrough(shard: number): number {
    return this.files.at(-1)?.spans.find((span) => span.shard === shard)?.to ?? 0;
  }
}
