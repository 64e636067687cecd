/**
 * Follows the journal of all shards and turns durable records into segments: the work of the background task, one round at
 * a time, without threads or clocks, so that tests step it by hand.
 *
 * A round asks where each shard's journal ends, builds a segment where enough records wait (or have waited long enough),
 * and makes at most one step of upkeep per shard. Whatever a crash cuts off is done again by the next start.
 */
import type { DomainEvent, MessageEvent, PlainEvent } from '../domain/events.js';
import { SEGMENT_BACKLOG_BUILDS, SEGMENT_BUILD_MS, SEGMENT_BUILD_RECORDS, SEGMENT_SORT_ENTRIES } from '../limits.js';
import type { Store } from '../store/port.js';
import type { SegmentBoard } from './segment-board.js';
import { SegmentBuilder, type SegmentBuilderOptions } from './segment-builder.js';
import { EntryColumns } from './segment-sort.js';

/** Visits the keys of an event; at most KEYS_PER_RECORD_MAX of them. */
export type KeysOfEvent = (event: DomainEvent, visit: (high: number, low: number) => void) => void;

/** Keys of one record: nine kinds of reasons to be found again exist, the rest is room. A segment ends at a record's end. */
const KEYS_PER_RECORD_MAX = 32;

/** Records per step of a scan; it hands out whole frames, so this only spaces the looks at the stop word. */
const STEP_RECORDS = 2048;

/** What the indexer needs of the journal's reader. */
export interface JournalSource {
  heads(shards: number): readonly { readonly sequence: number }[];
  scan(shard: number, fromSequence: number): JournalFollower;
}

export interface JournalFollower {
  onMessage: (event: MessageEvent) => void;
  onEvent: (event: PlainEvent) => void;
  step(maxRecords: number): boolean;
}

export interface SegmentIndexerOptions extends SegmentBuilderOptions {
  shards: number;
  board: SegmentBoard;
  buildRecords?: number;
  buildMs?: number;
  /** Entries per build at most; more than KEYS_PER_RECORD_MAX. */
  sortEntries?: number;
  /** Lets other threads work; called between the steps of a build. */
  rest?: () => void;
}

interface Followed {
  readonly shard: number;
  readonly builder: SegmentBuilder;
  /** Goes on where it ended; undefined before the first build and after a discarding. */
  scan: JournalFollower | undefined;
  /** Last record whose keys were handed to the builder. */
  scanned: number;
  /** When records first waited since the last build; undefined when none do. */
  waitingSinceMs: number | undefined;
}

export class SegmentIndexer {
  readonly #source: JournalSource;
  readonly #keysOf: KeysOfEvent;
  readonly #board: SegmentBoard;
  readonly #buildRecords: number;
  readonly #buildMs: number;
  readonly #rest: () => void;
  readonly #followed: Followed[] = [];
  #behind = false;

  constructor(source: JournalSource, store: Store, keysOf: KeysOfEvent, options: SegmentIndexerOptions) {
    this.#source = source;
    this.#keysOf = keysOf;
    this.#board = options.board;
    this.#buildRecords = options.buildRecords ?? SEGMENT_BUILD_RECORDS;
    this.#buildMs = options.buildMs ?? SEGMENT_BUILD_MS;
    this.#rest = options.rest ?? (() => undefined);
    const pause = (): void => {
      if (!this.#behind) this.#rest();
    };
    const columns = new EntryColumns(options.sortEntries ?? SEGMENT_SORT_ENTRIES);
    for (let shard = 0; shard < options.shards; shard++) {
      const builder = new SegmentBuilder(store, shard, columns, { ...options, pause });
      this.#followed.push({ shard, builder, scan: undefined, scanned: 0, waitingSinceMs: undefined });
      this.#board.setVersion(shard, builder.version);
    }
  }

  /**
   * Builds what is due and does one step of upkeep per shard. True when there is more upkeep to do at once.
   * @param all builds every waiting record, however few
   * @throws HoldfastError of the journal's reader, of the store, or `segment_corrupt`
   */
  round(nowMs: number, all = false): boolean {
    const heads = this.#source.heads(this.#followed.length);
    let more = false;
    for (const followed of this.#followed) {
      if (this.#board.stopping) return false;
      const head = heads[followed.shard]!.sequence;
      this.#discardStrange(followed, head);
      this.#setLag(followed, head); // now as well, because a build or a merge may take seconds
      if (this.#isDue(followed, head, nowMs, all)) this.#build(followed);
      if (this.#maintain(followed, nowMs)) more = true;
      this.#setLag(followed, head);
    }
    return more;
  }

  #setLag({ shard, builder }: Followed, head: number): void {
    this.#board.setLag(shard, Math.max(0, head - builder.completeThrough));
  }

  /** Segments that reach past the journal, or that a shard has refused, belong to another journal: they are built anew. */
  #discardStrange(followed: Followed, head: number): void {
    const { builder, shard } = followed;
    if (builder.completeThrough <= head && this.#board.discardWanted(shard) !== builder.generation) return;
    builder.discardAll();
    followed.scan = undefined;
    this.#board.setVersion(shard, builder.version);
  }

  #isDue(followed: Followed, head: number, nowMs: number, all: boolean): boolean {
    const waiting = head - followed.builder.completeThrough;
    if (waiting <= 0) {
      followed.waitingSinceMs = undefined;
      return false;
    }
    followed.waitingSinceMs ??= nowMs;
    return all || waiting >= this.#buildRecords || nowMs - followed.waitingSinceMs >= this.#buildMs;
  }

  #build(followed: Followed): void {
    followed.waitingSinceMs = undefined;
    followed.scan ??= this.#follow(followed);
    // A backlog is worked off without rests; what comes in day by day must not take a core from those that answer.
    this.#behind = this.#board.lag(followed.shard) > SEGMENT_BACKLOG_BUILDS * this.#buildRecords;
    while (followed.scan.step(STEP_RECORDS)) {
      if (this.#board.stopping) break;
      if (!this.#behind) this.#rest();
    }
    this.#publish(followed);
    if (!this.#behind) this.#rest();
  }

  #follow(followed: Followed): JournalFollower {
    const { builder, shard } = followed;
    followed.scanned = builder.completeThrough;
    const scan = this.#source.scan(shard, builder.completeThrough + 1);
    let sequence = 0;
    let timeMs = 0;
    const visit = (high: number, low: number): void => {
      builder.add(high, low, sequence, timeMs);
    };
    const take = (event: DomainEvent): void => {
      if (builder.room < KEYS_PER_RECORD_MAX) this.#publish(followed);
      sequence = event.sequence;
      timeMs = event.timeMs;
      this.#keysOf(event, visit);
      followed.scanned = sequence;
    };
    scan.onMessage = take;
    scan.onEvent = take;
    return scan;
  }

  #publish({ builder, shard, scanned }: Followed): void {
    builder.advance(scanned);
    if (!builder.publish()) return;
    this.#board.setVersion(shard, builder.version);
    this.#board.countBuilt();
  }

  #maintain({ builder, shard }: Followed, nowMs: number): boolean {
    const segments = builder.segments.length;
    if (!builder.maintain(nowMs, () => this.#board.stopping)) return false;
    if (builder.segments.length < segments) this.#board.countMerged();
    this.#board.setVersion(shard, builder.version);
    return true;
  }
}
