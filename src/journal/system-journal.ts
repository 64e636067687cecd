/**
 * The system journal: what belongs to no account (programs, tokens, configuration versions, registered files, breaks). The
 * same frames and chain as a shard's, shard number 0xffff, in an environment of its own, with the control plane as its
 * single writer. A record is `[128, 1, time, map]`; the map has a `type` and is otherwise the business of who wrote it.
 *
 * A change is durable here before anyone acts on it, and whoever acts on it journals that in its own place.
 */
import { Packr } from 'msgpackr';
import { wallMs } from '../clock.js';
import { assert, HoldfastError } from '../errors.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';
import { Environments } from './environments.js';
import { SYSTEM_SHARD } from './frame.js';
import { EmbeddedLane } from './lanes.js';
import { JournalReader } from './reader.js';
import { JournalScan } from './scan.js';
import { ShardJournal } from './shard-journal.js';
import type { ShardHead } from './types.js';

/** Kind of a system record; apart from the kinds of domain events. */
export const SYSTEM_RECORD_KIND = 128;
const VERSION = 1;
const packr = new Packr({ useRecords: false });
const noDigest = { high: 0, low: 0 };

/** A record: plain data (what MessagePack can carry) with a type. */
export interface SystemRecord {
  type: string;
  [member: string]: unknown;
}

export interface SystemJournalOptions {
  /** For tools beside a running server. */
  readOnly?: boolean;
  /** Wall clock in ms; the system's by default. */
  now?: () => number;
}

export class SystemJournal {
  readonly #store: Store;
  readonly #path: string;
  /** Absent in a journal that is only read: it may be damaged anywhere, and reading says where. */
  readonly #writer: { readonly lane: EmbeddedLane; readonly journal: ShardJournal } | undefined;
  readonly #now: () => number;

  private constructor(store: Store, path: string, options: SystemJournalOptions) {
    this.#store = store;
    this.#path = path;
    this.#now = options.now ?? wallMs;
    if (options.readOnly === true) return;
    const head = this.head();
    const lane = new EmbeddedLane(store, { heads: [head] });
    this.#writer = { lane, journal: new ShardJournal(SYSTEM_SHARD, head) };
  }

  /**
   * Opens the journal in the folder `system/` of a data directory.
   * @throws HoldfastError `store_truncated`, `data_dir_unusable`, `frame_corrupt`.
   */
  static open(systemDir: string, options: SystemJournalOptions = {}): SystemJournal {
    return new SystemJournal(openLmdbStore(systemDir, { readOnly: options.readOnly === true }), systemDir, options);
  }

  /** On a store of the caller's choice (tests, simulator). */
  static over(store: Store, options: SystemJournalOptions = {}): SystemJournal {
    return new SystemJournal(store, 'the system journal', options);
  }

  /** Last sequence; 0 when empty. */
  get sequence(): number {
    return this.#writer?.journal.sequence ?? this.head().sequence;
  }

  /** Appends one record and returns its sequence; it is durable then. @throws HoldfastError `commit_failed`: fatal. */
  append(record: SystemRecord): number {
    return this.appendAll([record]);
  }

  /** Appends records that become durable together, and returns the sequence of the last. */
  appendAll(records: readonly SystemRecord[]): number {
    assert(this.#writer !== undefined, 'a system journal opened read-only is not written');
    const { lane, journal } = this.#writer;
    if (records.length === 0) return this.sequence;
    const timeMs = this.#now();
    for (const record of records) journal.appendRaw(packr.pack([SYSTEM_RECORD_KIND, VERSION, timeMs, record]));
    lane.append([journal.seal(timeMs, noDigest)]);
    return journal.sequence;
  }

  /**
   * Visits all records from `fromSequence` in order, verifying frames and chain.
   * @throws HoldfastError `frame_corrupt`, `chain_broken`, `record_unreadable`.
   */
  replay(
    visit: (record: SystemRecord, sequence: number, timeMs: number) => void,
    fromSequence = 1,
    onFrame: (head: ShardHead) => void = () => undefined,
  ): ShardHead {
    const scan = new JournalScan(Environments.ofStore(this.#store, this.#path), SYSTEM_SHARD, fromSequence);
    while (scan.nextFrame()) {
      const { cursor } = scan;
      if (cursor.sequence < fromSequence) cursor.seek(fromSequence);
      for (; cursor.more; cursor.skip()) {
        const { record, timeMs } = this.#decode(cursor.raw(), cursor.sequence);
        visit(record, cursor.sequence, timeMs);
      }
      onFrame(scan.head());
    }
    return scan.head();
  }

  /**
   * At most `limit` records from `fromSequence` on, in order.
   * @throws HoldfastError as `replay`
   */
  page(fromSequence: number, limit: number): { record: SystemRecord; sequence: number; timeMs: number }[] {
    const found: { record: SystemRecord; sequence: number; timeMs: number }[] = [];
    if (fromSequence > this.sequence) return found;
    const scan = new JournalScan(Environments.ofStore(this.#store, this.#path), SYSTEM_SHARD, fromSequence);
    while (found.length < limit && scan.nextFrame()) {
      const { cursor } = scan;
      if (cursor.sequence < fromSequence) cursor.seek(fromSequence);
      for (; cursor.more && found.length < limit; cursor.skip())
        found.push({ sequence: cursor.sequence, ...this.#decode(cursor.raw(), cursor.sequence) });
    }
    return found;
  }

  /** Where the chain ends. */
  head(): ShardHead {
    return JournalReader.ofStore(this.#store, this.#path).head(SYSTEM_SHARD);
  }

  /**
   * The record at a sequence. Checks the frame that holds it and its link to the one before, no more.
   * @throws HoldfastError `record_unreadable`, `frame_corrupt`, `chain_broken`.
   */
  read(sequence: number): SystemRecord {
    const scan = new JournalScan(Environments.ofStore(this.#store, this.#path), SYSTEM_SHARD, sequence);
    if (!scan.nextFrame()) {
      throw new HoldfastError('record_unreadable', `system record ${sequence} is not in ${this.#path}`, 'run verify');
    }
    scan.cursor.seek(sequence);
    return this.#decode(scan.cursor.raw(), sequence).record;
  }

  #decode(bytes: Uint8Array, sequence: number): { record: SystemRecord; timeMs: number } {
    let wrong: string;
    try {
      const [kind, version, timeMs, record] = packr.unpack(bytes.slice()) as [number, number, number, SystemRecord];
      if (kind === SYSTEM_RECORD_KIND && version === VERSION) return { record, timeMs };
      wrong = `no reader for kind ${kind} version ${version}`;
    } catch (error) {
      wrong = (error as Error).message;
    }
    throw new HoldfastError(
      'record_unreadable',
      `system record ${sequence} in ${this.#path}: ${wrong}`,
      'it was written by a newer engine or is damaged; start that engine or restore from a backup',
    );
  }

  async close(): Promise<void> {
    await (this.#writer?.lane ?? this.#store).close();
  }
}
