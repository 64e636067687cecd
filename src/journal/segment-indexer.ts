/**
 * Follows the journal of all shards and turns durable records into segments: the work of the background task, one round at
 * a time, without threads or clocks, so that tests step it by hand.
 *
 * A round asks where each shard's journal ends, builds a segment where enough records wait (or have waited long enough),
 * and makes at most one step of upkeep per shard. Whatever a crash cuts off is done again by the next start. Damaged segments
 * of a shard are discarded, and building begins at its first record again; the other shards do not notice.
 */
import type { DomainEvent, MessageEvent, PlainEvent } from '../domain/events.js';
import { SEGMENT_BACKLOG_BUILDS, SEGMENT_BUILD_MS, SEGMENT_BUILD_RECORDS, SEGMENT_SORT_ENTRIES } from '../limits.js';
import type { Store } from '../store/port.js';
import { ANY_GENERATION, IndexState, type SegmentBoard } from './segment-board.js';
import { SegmentBuilder, type SegmentBuilderOptions } from './segment-builder.js';
import { isSegmentDamage } from './segment-format.js';
import { EntryColumns } from './segment-sort.js';

/** Visits the keys of an event; at most KEYS_PER_RECORD_MAX of them. */
export type KeysOfEvent = (event: DomainEvent, visit: (high: number, low: number) => void) => void;

/** Keys of one record: nine kinds of reasons to be found again exist, the rest is room. A segment ends at a record's end. */
const KEYS_PER_RECORD_MAX = 32;

/** Records per step of a scan; it hands out whole frames, so this only spaces the looks at the stop word. */
const STEP_RECORDS = 2048;

/** `waitingSinceMs` of a shard whose segments were discarded: it may be refusing messages until they are built anew. */
const DUE_AT_ONCE = Number.NEGATIVE_INFINITY;

/** What the indexer needs of the journal's reader. */
export interface JournalSource {
  /** Last sequence of the shard that is not in the journal any more; 0 when all are. */
  floor?(shard: number): number;
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
  /** Told when the segments of a shard were discarded, and why. */
  onDiscard?: (shard: number, why: string) => void;
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
  readonly #onDiscard: (shard: number, why: string) => void;
  readonly #followed: Followed[] = [];
  /** False while what is under way must be done soon. */
  #rests = true;

  constructor(source: JournalSource, store: Store, keysOf: KeysOfEvent, options: SegmentIndexerOptions) {
    this.#source = source;
    this.#keysOf = keysOf;
    this.#board = options.board;
    this.#buildRecords = options.buildRecords ?? SEGMENT_BUILD_RECORDS;
    this.#buildMs = options.buildMs ?? SEGMENT_BUILD_MS;
    this.#rest = options.rest ?? (() => undefined);
    this.#onDiscard = options.onDiscard ?? (() => undefined);
    const pause = (): void => {
      if (this.#rests) this.#rest();
    };
    const columns = new EntryColumns(options.sortEntries ?? SEGMENT_SORT_ENTRIES);
    for (let shard = 0; shard < options.shards; shard++) {
      const builder = new SegmentBuilder(store, shard, columns, { ...options, pause });
      this.#followed.push({ shard, builder, scan: undefined, scanned: 0, waitingSinceMs: undefined });
      this.#board.setVersion(shard, builder.version);
      if (builder.damage !== undefined) this.#tellDiscard(shard, builder.damage.message);
    }
  }

  /**
   * Builds what is due and does one step of upkeep per shard. True when there is more upkeep to do at once.
   * @param all builds every waiting record, however few
   * @throws HoldfastError of the journal's reader or of the store; `segment_corrupt` when damage cannot even be discarded
   */
  round(nowMs: number, all = false): boolean {
    const heads = this.#source.heads(this.#followed.length);
    let more = false;
    for (const followed of this.#followed) {
      if (this.#board.stopping) return false;
      const head = heads[followed.shard]!.sequence;
      try {
        if (this.#serve(followed, head, nowMs, all)) more = true;
      } catch (error) {
        if (!isSegmentDamage(error)) throw error;
        this.#discard(followed, error.message);
        more = true;
      }
      this.#setLag(followed, head);
    }
    return more;
  }

  /**
   * The last building before a stop: every waiting record, without rests and without upkeep, until `over` says that the time
   * is up. What is left then is read by the next start. Errors as `round`.
   */
  finish(over: () => boolean): void {
    const heads = this.#source.heads(this.#followed.length);
    this.#rests = false;
    for (const followed of this.#followed) {
      if (over()) return;
      const head = heads[followed.shard]!.sequence;
      this.#discardStrange(followed, head);
      if (head > followed.builder.completeThrough) this.#build(followed, over);
      this.#setLag(followed, head);
    }
  }

  /** The part of one shard in a round. */
  #serve(followed: Followed, head: number, nowMs: number, all: boolean): boolean {
    this.#discardStrange(followed, head);
    this.#setLag(followed, head); // now as well, because a build or a merge may take seconds
    this.#rests = !this.#isUrgent(followed.shard);
    if (this.#isDue(followed, head, nowMs, all)) this.#build(followed, () => this.#board.stopping);
    return this.#maintain(followed, nowMs);
  }

  #setLag({ shard, builder }: Followed, head: number): void {
    this.#board.setLag(shard, Math.max(0, head - builder.completeThrough));
  }

  /** Segments that reach past the journal, or that a shard has refused, belong to another journal or are damaged. */
  #discardStrange(followed: Followed, head: number): void {
    const { builder, shard } = followed;
    const wanted = this.#board.discardWanted(shard);
    // Taken back first: a request that comes from now on is about what is stored then.
    if (wanted >= 0) this.#board.clearDiscard(shard, wanted);
    try {
      if (builder.completeThrough > head) this.#discard(followed, 'they reach past the journal');
      else if (wanted === builder.generation || wanted === ANY_GENERATION)
        this.#discard(followed, 'the shard refused them');
    } catch (error) {
      if (wanted >= 0) this.#board.requestDiscard(shard, wanted);
      throw error;
    }
  }

  #discard(followed: Followed, why: string): void {
    const { builder, shard } = followed;
    builder.discardAll();
    followed.scan = undefined;
    followed.waitingSinceMs = DUE_AT_ONCE;
    this.#board.setVersion(shard, builder.version);
    this.#tellDiscard(shard, why);
  }

  #tellDiscard(shard: number, why: string): void {
    this.#board.countDiscarded();
    this.#onDiscard(shard, why);
  }

  /**
   * A backlog is worked off without rests, and so is what a shard waits for that refuses messages meanwhile. What comes in
   * day by day must not take a core from those that answer.
   */
  #isUrgent(shard: number): boolean {
    const behind = this.#board.lag(shard) > SEGMENT_BACKLOG_BUILDS * this.#buildRecords;
    return behind || this.#board.indexState(shard) !== IndexState.usable;
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

  #build(followed: Followed, over: () => boolean): void {
    followed.waitingSinceMs = undefined;
    followed.scan ??= this.#follow(followed);
    while (followed.scan.step(STEP_RECORDS)) {
      if (over()) break;
      if (this.#rests) this.#rest();
    }
    this.#publish(followed);
    if (this.#rests) this.#rest();
  }

  #follow(followed: Followed): JournalFollower {
    const { builder, shard } = followed;
    // What was dropped has no keys: nothing of it is ever looked for.
    const through = Math.max(builder.completeThrough, this.#source.floor?.(shard) ?? 0);
    followed.scanned = through;
    const scan = this.#source.scan(shard, through + 1);
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
