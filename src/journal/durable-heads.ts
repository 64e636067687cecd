/**
 * Where the shards' journals are durable, seen from another thread: a word of shared memory per shard (segment-board.ts),
 * which the shard's thread writes after each commit. The word has the low 32 bits; the rest follows, because less than 2^32
 * records go by between two looks. Only the first look asks the journal itself.
 */
import type { JournalReader } from './reader.js';
import type { SegmentBoard } from './segment-board.js';

export class DurableHeads {
  readonly #board: Pick<SegmentBoard, 'durableLow'>;
  readonly #reader: Pick<JournalReader, 'head'>;
  readonly #known: (number | undefined)[] = [];

  constructor(board: Pick<SegmentBoard, 'durableLow'>, reader: Pick<JournalReader, 'head'>) {
    this.#board = board;
    this.#reader = reader;
  }

  /** Newest sequence of the shard that is durable; 0 for an empty shard. */
  of(shard: number): number {
    const known = this.#known[shard];
    const low = this.#board.durableLow(shard);
    // At first the word may be older than the journal's head, which may be ahead of what is acknowledged.
    const durable =
      known === undefined ? behind(this.#reader.head(shard).sequence, low) : known + ((low - known) >>> 0);
    this.#known[shard] = durable;
    return durable;
  }
}

/** The largest sequence up to `head` with these low 32 bits. */
function behind(head: number, low: number): number {
  return head - ((head - low) >>> 0);
}
