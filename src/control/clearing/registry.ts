/**
 * The clearing files that were ever received: a fold over the records of the system journal. In memory is what identifies a
 * file and how it stands, some 300 bytes each; reports and findings, which may be large, stay on the disk.
 */
import type { ClearingFileRecord, ClearingFileState, SystemRecord } from '../system-log.js';

/** A file as it is found by. */
export interface ClearingFileRow {
  readonly id: string;
  readonly state: ClearingFileState;
  readonly sha256: string;
  readonly fileId: string;
  /** Of a file that may have records in suspense: cards of each shard when it began to post. */
  readonly cards: readonly number[] | undefined;
  /** Where its newest record stands in the journal. */
  readonly sequence: number;
}

export const isUnfinished = (state: ClearingFileState): boolean => state === 'received' || state === 'posting';

export class ClearingRegistry {
  readonly #read: (sequence: number) => SystemRecord;
  /** By id, in the order of their arrival. */
  readonly #files = new Map<string, ClearingFileRow>();
  /** By content: the file that counts for it, which is unfinished or posted. */
  readonly #ofContent = new Map<string, string>();
  /** By the network's id: the file that posts, or has posted, under it. */
  readonly #ofFileId = new Map<string, string>();

  /** @param read gives the record at a sequence of the system journal */
  constructor(read: (sequence: number) => SystemRecord) {
    this.#read = read;
  }

  apply({ id, state, sha256, fileId, outcome, cards }: ClearingFileRecord, sequence: number): void {
    const mayHold = state === 'posting' || (state === 'posted' && outcome !== null && outcome.suspense > 0);
    this.#files.set(id, { id, state, sha256, fileId, cards: mayHold ? (cards ?? []) : undefined, sequence });
    if (state === 'duplicate') return;
    // A quarantined file does not count as seen: neither its content nor its id.
    if (state !== 'quarantined') this.#ofContent.set(sha256, id);
    else if (this.#ofContent.get(sha256) === id) this.#ofContent.delete(sha256);
    if (state === 'posting' || state === 'posted') if (fileId !== '') this.#ofFileId.set(fileId, id);
  }

  /** Oldest first. */
  get rows(): readonly ClearingFileRow[] {
    return [...this.#files.values()];
  }

  row(id: string): ClearingFileRow | undefined {
    return this.#files.get(id);
  }

  /** The unfinished or posted file with this content. */
  ofContent(sha256: string): ClearingFileRow | undefined {
    const id = this.#ofContent.get(sha256);
    return id === undefined ? undefined : this.#files.get(id);
  }

  /** The file that posts, or has posted, under the network's id. */
  ofFileId(fileId: string): ClearingFileRow | undefined {
    const id = this.#ofFileId.get(fileId);
    return id === undefined ? undefined : this.#files.get(id);
  }

  /**
   * By shard, the first slot of a card that no file knew which may have its records in suspense: such a card's records may have
   * been posted under its number, before it was a card.
   */
  cardsKnown(shards: number): number[] {
    const known = new Array<number>(shards).fill(Number.POSITIVE_INFINITY);
    for (const { cards } of this.#files.values()) {
      if (cards === undefined) continue;
      for (let shard = 0; shard < shards; shard++) known[shard] = Math.min(known[shard]!, cards[shard] ?? 0);
    }
    return known;
  }

  /** Everything of a file, from the journal; undefined when there is no such file. */
  file(id: string): ClearingFileRecord | undefined {
    const row = this.#files.get(id);
    if (row === undefined) return undefined;
    const record = this.#read(row.sequence);
    if (record.type !== 'clearing_file' || record.id !== id)
      throw new TypeError(`system record ${row.sequence} is not of its clearing file`);
    return record;
  }
}
