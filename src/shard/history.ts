/**
 * The past of one logical shard as the domain sees it: keys from the index, events from the frame that is still being
 * filled, from the newest frames in memory, or from the journal.
 */
import { MessageEvent, type PlainEvent } from '../domain/events.js';
import type { Found, History } from '../domain/history.js';
import { assert } from '../errors.js';
import type { JournalReader } from '../journal/reader.js';
import type { ShardIndex } from '../journal/shard-index.js';
import type { ShardJournal } from '../journal/shard-journal.js';

export class ShardHistory implements History {
  readonly #shard: number;
  readonly #index: ShardIndex;
  readonly #journal: ShardJournal;
  readonly #reader: JournalReader;
  readonly #event = new MessageEvent();

  constructor(shard: number, index: ShardIndex, journal: ShardJournal, reader: JournalReader) {
    this.#shard = shard;
    this.#index = index;
    this.#journal = journal;
    this.#reader = reader;
  }

  get floor(): number {
    return this.#reader.floor(this.#shard);
  }

  find(high: number, low: number, sinceMs = 0): Found {
    return this.#index.find(high, low, sinceMs);
  }

  read(sequence: number): MessageEvent {
    const plain = this.#load(sequence);
    assert(plain === undefined, `shard ${this.#shard}: record ${sequence} is a message event`);
    return this.#event;
  }

  isMessage(sequence: number): boolean {
    return this.#load(sequence) === undefined;
  }

  readEvent(sequence: number): PlainEvent | undefined {
    return this.#load(sequence);
  }

  /** A message event goes into `#event`, anything else is returned. Its texts stay where they are, in a frame that may be gone later. */
  #load(sequence: number): PlainEvent | undefined {
    if (this.#journal.isPending(sequence)) return this.#journal.readPending(sequence, this.#event);
    if (this.#journal.readRecent(sequence, this.#event)) return this.#journal.recent;
    if (this.#reader.readMessage(this.#shard, sequence, this.#event)) return undefined;
    return this.#reader.readEvent(this.#shard, sequence);
  }
}
