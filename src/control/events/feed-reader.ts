/**
 * Reads the feed forward from a place: the durable records of all shards, those of one shard always in their order, those of
 * several about in the order of time (frame by frame: the shard whose next record is the oldest is read to the end of its
 * frame). A record is passed once, whatever it is, so nothing is skipped and nothing comes twice.
 *
 * The records of one account are found by its back pointers when much lies behind the place: once from its newest record back
 * to the place, and then forward over what was found. An account of more than LIST_SCAN_MAX records behind the place is read
 * as all are, until so many are left.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MessageEvent, PlainEvent } from '../../domain/events.js';
import { FEED_FOLLOW_RECORDS, LIST_SCAN_MAX, LIST_SCAN_SLICE } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { catchUp, type JournalRecord, Slices, walkChain } from '../history.js';
import { refused } from '../views.js';
import type { Positions } from './cursor.js';
import { accountSlotOf, eventObject, type FeedEvent, isKnown, typeOf } from './event-object.js';
import type { EventType } from './event-types.js';

export interface FeedFilter {
  /** Where the only wanted account lives. */
  readonly account?: { readonly shard: number; readonly slot: number };
  /** Undefined: all. */
  readonly types?: ReadonlySet<EventType>;
}

/** An event with where it stands. */
export interface Placed {
  readonly event: FeedEvent;
  readonly shard: number;
  readonly sequence: number;
  /** -1 for an event without an account. */
  readonly accountSlot: number;
}

export class FeedReader {
  readonly #context: ControlContext;
  readonly #filter: FeedFilter;
  readonly #seen: number[];
  /** Shards that are looked at. */
  readonly #shards: readonly number[];
  /** Time of the next record by shard, ms; undefined when it must be looked at. */
  readonly #next: (number | undefined)[] = [];
  /** Of the wanted account: its records up to a sequence, the oldest last. */
  #found: { readonly sequences: number[]; readonly end: number } = { sequences: [], end: 0 };
  /** Up to here the wanted account has too many records to be found. */
  #passUntil = 0;

  constructor(context: ControlContext, from: Positions, filter: FeedFilter) {
    this.#context = context;
    this.#filter = filter;
    this.#seen = [...from];
    this.#shards = filter.account === undefined ? from.map((_, shard) => shard) : [filter.account.shard];
  }

  /** Everything up to here was passed. */
  get positions(): Positions {
    return this.#seen;
  }

  /** Durable records that were not passed yet. */
  get lag(): number {
    return this.#shards.reduce((sum, shard) => sum + this.#behind(shard), 0);
  }

  #behind(shard: number): number {
    return Math.max(0, this.#context.journal.durable(shard) - this.#seen[shard]!);
  }

  /**
   * Hands over the next events, each with the positions behind it (valid during the call), until `take` returns false, nothing
   * is left, or LIST_SCAN_MAX records were passed. Lets the event loop turn now and then.
   * @returns true when there is more to pass
   * @throws ApiError `shard_unavailable`, ShardError, HoldfastError of the journal; the place is behind what was handed over.
   */
  async read(take: (placed: Placed, positions: Positions) => boolean): Promise<boolean> {
    await this.#find();
    let left = LIST_SCAN_MAX;
    for (let open = true; open && left > 0; ) {
      this.#skip();
      const shard = this.#oldest();
      if (shard === undefined) return false;
      const before = this.#seen[shard]!;
      open = this.#frame(shard, Math.min(left, LIST_SCAN_SLICE), take);
      left -= this.#seen[shard]! - before;
      if (this.#context.parties.missing > 0) await this.#context.parties.fetch();
      await nextTurn();
    }
    return this.lag > 0;
  }

  /** Finds the records of the wanted account when many others lie behind the place. */
  async #find(): Promise<void> {
    const { account } = this.#filter;
    if (account === undefined) return;
    const { shard, slot } = account;
    const seen = this.#seen[shard]!;
    if (seen < this.#found.end || seen < this.#passUntil || this.#behind(shard) <= FEED_FOLLOW_RECORDS) return;
    const end = this.#context.journal.durable(shard);
    const result = await this.#context.shards.read(shard, { op: 'account_slot', slot });
    if (!result.ok) throw refused(result);
    if (!('account' in result)) throw new TypeError('the shard answered no account');
    const { newestSequence } = result.account;
    await catchUp(this.#context, shard, newestSequence);
    const sequences: number[] = [];
    const slices = new Slices();
    for (const { sequence } of walkChain(this.#context, shard, newestSequence, 'account')) {
      if (sequence <= seen) break;
      if (slices.total === LIST_SCAN_MAX) {
        this.#passUntil = sequence;
        return;
      }
      await slices.step();
      if (sequence <= end) sequences.push(sequence);
    }
    this.#found = { sequences, end };
  }

  /** Passes what is known to be none of the wanted account. */
  #skip(): void {
    const { account } = this.#filter;
    const { sequences, end } = this.#found;
    if (account === undefined || this.#seen[account.shard]! >= end) return;
    while (sequences.length > 0 && sequences.at(-1)! <= this.#seen[account.shard]!) sequences.pop();
    this.#seen[account.shard] = sequences.length === 0 ? end : sequences.at(-1)! - 1;
    this.#next[account.shard] = undefined;
  }

  /** Passes up to `most` records of one frame. False: `take` has enough. */
  #frame(shard: number, most: number, take: (placed: Placed, positions: Positions) => boolean): boolean {
    const end = this.#context.journal.durable(shard);
    const from = this.#seen[shard]! + 1;
    let open = true;
    let stalled = false;
    this.#next[shard] = undefined;
    this.#context.journal.run(shard, from, (sequence, message, event) => {
      if (sequence > end || sequence >= from + most) return false;
      const record = recordOf(shard, sequence, message, event);
      if (this.#passes(record)) {
        // What the records behind it need is asked for together with what it needs itself.
        if (!isKnown(this.#context, record)) stalled = true;
        if (stalled) return true;
        const placed = this.#event(record);
        this.#seen[shard] = sequence;
        if (placed !== undefined) open = take(placed, this.#seen);
        return open;
      }
      if (!stalled) this.#seen[shard] = sequence;
      return true;
    });
    return open;
  }

  /** The cheap part of the filter. */
  #passes(record: JournalRecord): boolean {
    const { account } = this.#filter;
    return account === undefined || accountSlotOf(record) === account.slot;
  }

  /** The event of a known record; undefined when it is none, or of no wanted type. */
  #event(record: JournalRecord): Placed | undefined {
    const type = typeOf(this.#context, record);
    if (type === undefined || this.#filter.types?.has(type) === false) return undefined;
    const { shard, sequence } = record;
    const event = eventObject(this.#context, record, type);
    return { event, shard, sequence, accountSlot: accountSlotOf(record) };
  }

  /** The shard whose next record is the oldest; undefined at the end. */
  #oldest(): number | undefined {
    let best: number | undefined;
    for (const shard of this.#shards) {
      if (this.#behind(shard) === 0) continue;
      this.#next[shard] ??= this.#timeOf(shard, this.#seen[shard]! + 1);
      if (best === undefined || this.#next[shard] < this.#next[best]!) best = shard;
    }
    return best;
  }

  #timeOf(shard: number, sequence: number): number {
    let timeMs = 0;
    this.#context.journal.run(shard, sequence, (_, message, event) => {
      timeMs = (message ?? event!).timeMs;
      return false;
    });
    return timeMs;
  }
}

/** The event at a place; undefined when there is none, or not any more (dropped, or a restored backup). @throws ApiError `shard_unavailable`, ShardError, HoldfastError. */
export async function eventAt(
  context: ControlContext,
  shard: number,
  sequence: number,
): Promise<FeedEvent | undefined> {
  if (sequence > context.journal.durable(shard) || sequence <= context.journal.floor(shard)) return undefined;
  for (;;) {
    let known = false;
    let found: FeedEvent | undefined;
    context.journal.run(shard, sequence, (at, message, event) => {
      const record = recordOf(shard, at, message, event);
      known = isKnown(context, record);
      const type = known ? typeOf(context, record) : undefined;
      if (type !== undefined) found = eventObject(context, record, type);
      return false;
    });
    if (known) return found;
    await context.parties.fetch();
  }
}

function recordOf(
  shard: number,
  sequence: number,
  message: MessageEvent | undefined,
  event: PlainEvent | undefined,
): JournalRecord {
  return message !== undefined
    ? { shard, sequence, timeMs: message.timeMs, message }
    : { shard, sequence, timeMs: event!.timeMs, event: event! };
}
