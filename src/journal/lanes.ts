/**
 * Lanes: where sealed frames become durable.
 *
 * The embedded lane commits inside `append`: when it returns, every frame of the call is on disk, all or none of them.
 * The delayed lane is the test of everything that waits: it commits at once and acknowledges later, possibly one shard
 * before the other.
 *
 * A commit that fails leaves an unknown outcome. The lane throws `commit_failed` then and at every later call; its durable
 * watermark stays where it was, so nothing that waits for it is ever answered. The process must end; what the disk holds
 * decides at the next start.
 */
import { assert, HoldfastError } from '../errors.js';
import { LANE_ENVIRONMENT_BYTES } from '../limits.js';
import type { Store } from '../store/port.js';
import { commitKey, INDEX_SHARD } from './frame.js';
import { INDEX_COMMITS, type LaneTable, readLaneTable } from './lane-index.js';
import type { JournalLane, SealedFrame, ShardHead } from './types.js';

export interface EmbeddedLaneOptions {
  /** Heads found at the start: seeds the durable watermarks. */
  heads?: readonly ShardHead[];
  /** Opens the next environment of the lane; without it the lane never rolls. */
  next?: () => Store;
  /** Bytes written to an environment before the lane rolls to the next. */
  environmentBytes?: number;
  /** Bytes that the first environment holds already. */
  bytesAtStart?: number;
}

export class EmbeddedLane implements JournalLane {
  #store: Store;
  readonly #options: EmbeddedLaneOptions;
  readonly #durable = new Map<number, number>();
  readonly #closing: Promise<void>[] = [];
  readonly #key = new Uint8Array(10);
  #bytes: number;
  /** Where the shards stand in the environment, and its last commit. */
  #table: LaneTable;
  #commit: number;

  /** @throws HoldfastError `frame_corrupt` when the last index row of the environment is damaged. */
  constructor(store: Store, options: EmbeddedLaneOptions = {}) {
    this.#store = store;
    const { table, commit } = openTable(store);
    this.#table = table;
    this.#commit = commit;
    this.#options = options;
    this.#bytes = options.bytesAtStart ?? 0;
    for (const head of options.heads ?? []) this.#durable.set(head.shard, head.sequence);
  }

  append(frames: readonly SealedFrame[]): void {
    if (frames.length === 0) return;
    let bytes = 0;
    for (const frame of frames) {
      const known = this.#durable.get(frame.shard);
      assert(
        known === undefined || frame.firstSequence > known,
        `frame ${frame.shard}/${frame.firstSequence} is appended once`,
      );
      bytes += frame.bytes.length;
    }
    const commit = this.#commit + 1;
    for (const frame of frames) this.#table.note(frame.shard, frame.firstSequence, frame.lastSequence, commit);
    this.#store.commit((writer) => {
      for (const frame of frames) writer.put(commitKey(commit, frame.shard, this.#key), frame.bytes);
      if (commit % INDEX_COMMITS === 0)
        writer.put(commitKey(commit, INDEX_SHARD, this.#key), this.#table.encode(commit));
    });
    this.#commit = commit;
    for (const frame of frames) this.#durable.set(frame.shard, frame.lastSequence);
    this.#bytes += bytes;
    if (this.#options.next && this.#bytes >= (this.#options.environmentBytes ?? LANE_ENVIRONMENT_BYTES)) this.#roll();
  }

  #roll(): void {
    const next = this.#options.next!();
    const closing = this.#store.close();
    // Told by `close`, which waits for it; until then nobody listens.
    closing.catch(() => undefined);
    this.#closing.push(closing);
    this.#store = next;
    const { table, commit } = openTable(next);
    this.#table = table;
    this.#commit = commit;
    this.#bytes = 0;
  }

  durable(shard: number): number {
    return this.#durable.get(shard) ?? 0;
  }

  poll(): void {
    // Everything is acknowledged inside append.
  }

  async close(): Promise<void> {
    await Promise.all([...this.#closing, this.#store.close()]);
  }
}

function openTable(store: Store): ReturnType<typeof readLaneTable> {
  try {
    return readLaneTable(store);
  } catch (error) {
    throw new HoldfastError(
      'frame_corrupt',
      `the journal's newest environment cannot be continued: ${(error as Error).message}`,
      'run `holdfast verify`, then restore the directory from a backup',
      { cause: error },
    );
  } finally {
    store.refresh();
  }
}

export interface DelayedLaneOptions {
  /** Clock in ms; advances only as the test says. */
  now: () => number;
  /** Acknowledgement delay of a frame in ms. Default for all frames, or chosen per frame: shards overtake one another then. */
  delayMs: number | ((frame: SealedFrame) => number);
}

/** Commits through `inner` at once, acknowledges later. Within one shard acknowledgements keep their order. */
export class DelayedLane implements JournalLane {
  readonly #inner: JournalLane;
  readonly #options: DelayedLaneOptions;
  readonly #durable = new Map<number, number>();
  #waiting: { shard: number; sequence: number; dueMs: number }[] = [];

  constructor(inner: JournalLane, options: DelayedLaneOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  append(frames: readonly SealedFrame[]): void {
    for (const frame of frames)
      if (!this.#durable.has(frame.shard)) this.#durable.set(frame.shard, this.#inner.durable(frame.shard));
    this.#inner.append(frames);
    const now = this.#options.now();
    const { delayMs } = this.#options;
    for (const frame of frames) {
      const delay = typeof delayMs === 'number' ? delayMs : delayMs(frame);
      this.#waiting.push({ shard: frame.shard, sequence: frame.lastSequence, dueMs: now + delay });
    }
  }

  durable(shard: number): number {
    return this.#durable.get(shard) ?? this.#inner.durable(shard);
  }

  poll(): void {
    this.#inner.poll();
    const now = this.#options.now();
    const held = new Set<number>();
    this.#waiting = this.#waiting.filter((ack) => {
      if (held.has(ack.shard) || ack.dueMs > now) {
        held.add(ack.shard);
        return true;
      }
      this.#durable.set(ack.shard, ack.sequence);
      return false;
    });
  }

  /** When the next acknowledgement is due, ms; Infinity when none waits. */
  get nextDueMs(): number {
    return this.#waiting.reduce((least, ack) => Math.min(least, ack.dueMs), Number.POSITIVE_INFINITY);
  }

  /** Acknowledges what waits and closes the inner lane. */
  async close(): Promise<void> {
    for (const ack of this.#waiting) this.#durable.set(ack.shard, ack.sequence);
    this.#waiting = [];
    await this.#inner.close();
  }
}
