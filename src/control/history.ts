/**
 * Reads of the journal. What a shard has answered is durable, so the journal shows it after a refresh at most; a
 * replicated journal may show it a little later, and then the reader waits, for a bounded time.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { EventKind } from '../domain/codes.js';
import { MessageEvent, type PlainEvent } from '../domain/events.js';
import { TEXT_COUNT } from '../domain/message.js';
import { LIST_SCAN_SLICE, READ_CATCH_UP_MS } from '../limits.js';
import type { ControlContext } from './context.js';
import { ApiError } from './problem.js';

/** Newest sequence per shard that a head has shown: a journal does not move back, so what is below needs no look. */
const known = new WeakMap<ControlContext, number[]>();

function seen(context: ControlContext, shard: number): number {
  return known.get(context)?.[shard] ?? 0;
}

/** Head of the shard's journal now. */
export function headOf(context: ControlContext, shard: number): { sequence: number } {
  const head = context.journal.head(shard);
  const heads = known.get(context) ?? [];
  known.set(context, heads);
  heads[shard] = head.sequence;
  return head;
}

/** Waits until the journal shows the sequence. @throws ApiError `index_behind` after a second. */
export async function catchUp(context: ControlContext, shard: number, sequence: number): Promise<void> {
  if (sequence <= seen(context, shard)) return;
  const deadline = performance.now() + READ_CATCH_UP_MS;
  for (;;) {
    if (headOf(context, shard).sequence >= sequence) return;
    if (performance.now() > deadline)
      throw new ApiError('index_behind', 'The journal has not caught up within a second. Try again.', {
        retryAfterSeconds: 1,
      });
    await sleep(5);
  }
}

/**
 * True when the sequence is recorded; the journal shows it then. What is beyond the acknowledged end nobody was told of in this
 * history: an id that names it was made before a restore.
 * @throws ApiError `index_behind`
 */
export async function isRecorded(context: ControlContext, shard: number, sequence: number): Promise<boolean> {
  if (sequence > context.journal.durable(shard)) return false;
  await catchUp(context, shard, sequence);
  return true;
}

/** One record: a message event, or any other event. */
export interface JournalRecord {
  readonly shard: number;
  readonly sequence: number;
  readonly timeMs: number;
  readonly message?: MessageEvent;
  readonly event?: PlainEvent;
}

/**
 * Reads a record into an instance of its own; undefined when there is none.
 * @throws HoldfastError `record_dropped` (410) when it is not in the journal any more
 */
export function readRecord(context: ControlContext, shard: number, sequence: number): JournalRecord | undefined {
  if (sequence < 1) return undefined;
  const message = new MessageEvent();
  if (context.journal.readMessage(shard, sequence, message)) {
    keepTexts(message);
    return { shard, sequence, timeMs: message.timeMs, message };
  }
  const event = context.journal.readEvent(shard, sequence);
  return event === undefined ? undefined : { shard, sequence, timeMs: event.timeMs, event };
}

/** The same, and undefined also when it is not in the journal any more: of what something else goes on from. */
export function readUnlessDropped(context: ControlContext, shard: number, sequence: number): JournalRecord | undefined {
  return sequence <= context.journal.floor(shard) ? undefined : readRecord(context, shard, sequence);
}

/** A record read back borrows its texts from the reader's buffer; copies them so that it survives the next read. */
function keepTexts(message: MessageEvent): void {
  const { input } = message;
  const borrowed = input.text;
  let total = 0;
  for (let i = 0; i < TEXT_COUNT; i++) total += input.textLength[i]!;
  const own = new Uint8Array(total);
  let at = 0;
  for (let i = 0; i < TEXT_COUNT; i++) {
    const from = input.textAt[i]!;
    const length = input.textLength[i]!;
    own.set(borrowed.subarray(from, from + length), at);
    input.textAt[i] = at;
    at += length;
  }
  input.text = own;
}

/** Sequence of the previous record of the same account or card; 0 at the beginning of the chain. */
export function previousOf(record: JournalRecord, chain: 'account' | 'card'): number {
  if (record.message !== undefined)
    return chain === 'account' ? record.message.previousOfAccount : record.message.previousOfCard;
  const event = record.event!;
  switch (event.kind) {
    case EventKind.accountUpdated:
    case EventKind.cardCreated:
    case EventKind.payment:
    case EventKind.statementClosed:
      return chain === 'account' ? event.previousOfAccount : 0;
    case EventKind.cardUpdated:
    case EventKind.notDelivered:
    case EventKind.holdExpired:
    case EventKind.entryPosted:
    case EventKind.clearingPosted:
    case EventKind.controlsSet:
    case EventKind.pinReferenceSet:
      return chain === 'account' ? event.previousOfAccount : event.previousOfCard;
    case EventKind.fingerprintChanged:
      return chain === 'account' ? 0 : event.previousOfCard;
    default:
      return 0;
  }
}

/** Newest first over all shards: (time, shard, sequence), descending. */
export function newestFirst(a: Position, b: Position): number {
  return b.timeMs - a.timeMs || b.shard - a.shard || b.sequence - a.sequence;
}

export interface Position {
  readonly shard: number;
  readonly sequence: number;
  readonly timeMs: number;
}

/** A walk back through the journal, newest first. */
export class Walk implements Iterable<JournalRecord> {
  /** Set when the walk ended where the journal begins behind a dropped part: time of the last dropped record, ms since 1970 UTC. */
  droppedMs: number | undefined;
  readonly #records: (walk: Walk) => Generator<JournalRecord>;

  constructor(records: (walk: Walk) => Generator<JournalRecord>) {
    this.#records = records;
  }

  [Symbol.iterator](): Iterator<JournalRecord> {
    return this.#records(this);
  }
}

/** Records of one account or card, from `sequence` on. */
export function walkChain(context: ControlContext, shard: number, sequence: number, chain: 'account' | 'card'): Walk {
  return new Walk((walk) => chainFrom(context, shard, sequence, chain, walk));
}

function* chainFrom(
  context: ControlContext,
  shard: number,
  sequence: number,
  chain: 'account' | 'card',
  walk: Walk,
): Generator<JournalRecord> {
  for (let at = sequence; at > 0; ) {
    if (at <= context.journal.floor(shard)) {
      walk.droppedMs = context.journal.floorMs(shard);
      return;
    }
    const record = readRecord(context, shard, at);
    if (record === undefined) return;
    yield record;
    const previous = previousOf(record, chain);
    if (previous >= at) throw new RangeError(`record ${shard}/${at} points forward to ${previous}`);
    at = previous;
  }
}

/** Records of all shards, older than `after` when given: a merge over the shards. It ends where the first shard's dropped part begins. */
export function walkAll(context: ControlContext, after: Position | undefined): Walk {
  return new Walk((walk) => allFrom(context, after, walk));
}

function* allFrom(context: ControlContext, after: Position | undefined, walk: Walk): Generator<JournalRecord> {
  const heads: (JournalRecord | undefined)[] = [];
  const next = (shard: number, sequence: number): JournalRecord | undefined => {
    const { journal } = context;
    if (sequence === 0 || sequence > journal.floor(shard)) return readRecord(context, shard, sequence);
    walk.droppedMs = Math.max(walk.droppedMs ?? 0, journal.floorMs(shard));
    return undefined;
  };
  for (let shard = 0; shard < context.shards.shards; shard++) {
    const { sequence } = headOf(context, shard);
    heads.push(next(shard, after === undefined ? sequence : lastOlder(context, shard, sequence, after)));
  }
  for (;;) {
    let best: JournalRecord | undefined;
    for (const head of heads) {
      if (head !== undefined && (best === undefined || newestFirst(head, best) < 0)) best = head;
    }
    // What is older than a dropped record may stand behind it: the list would have a hole.
    if (best === undefined || best.timeMs < (walk.droppedMs ?? 0)) return;
    heads[best.shard] = next(best.shard, best.sequence - 1);
    yield best;
  }
}

/** Newest sequence of the shard that stands behind the position. Times do not fall within a shard, so halving finds it. */
function lastOlder(context: ControlContext, shard: number, newest: number, after: Position): number {
  if (shard === after.shard) return after.sequence - 1;
  let low = context.journal.floor(shard);
  let high = newest;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const record = readRecord(context, shard, middle);
    if (record === undefined || newestFirst(record, after) > 0) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Refuses a period that begins in the dropped part of the journal: what is read of it would be wrong without a word.
 * @throws ApiError `dropped`
 */
export function assertKeptSince(context: ControlContext, timeMs: number, shards?: readonly number[]): void {
  const all = shards ?? Array.from({ length: context.shards.shards }, (_, shard) => shard);
  const floorMs = Math.max(...all.map((shard) => context.journal.floorMs(shard)));
  if (floorMs === 0 || timeMs > floorMs) return;
  const from = new Date(floorMs + 1).toISOString();
  throw new ApiError('dropped', `The journal begins at ${from}: what was before was dropped. Take a later time.`);
}

/** Smallest sequence of the shard whose record is not older than the time; one above `newest` when there is none. */
export function firstFrom(context: ControlContext, shard: number, newest: number, timeMs: number): number {
  let low = context.journal.floor(shard) + 1;
  let high = newest + 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const record = readRecord(context, shard, middle);
    if (record === undefined || record.timeMs < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Lets the event loop turn after every slice of journal reads, so that a long list does not stop other requests. */
export class Slices {
  #left = LIST_SCAN_SLICE;
  /** Steps so far. */
  total = 0;

  async step(): Promise<void> {
    this.total++;
    if (--this.#left > 0) return;
    this.#left = LIST_SCAN_SLICE;
    await nextTurn();
  }
}
