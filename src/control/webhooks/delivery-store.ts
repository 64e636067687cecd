/**
 * What the deliveries of webhooks must know after a restart, in a small store of its own: it changes all the time, so it has no
 * place in the system journal, which keeps everything for ever.
 *
 *   's' id                          place: everything up to it is delivered, waiting or dead (one sequence per shard), and since
 *                                   when nothing was delivered any more
 *   'w' id · shard (2) · seq (8)    an event that waits for its next attempt, or behind one that does
 *   'd' id · shard (2) · seq (8)    a dead letter: given up after its last attempt
 *
 * Values are MessagePack. An event is named by its record: its contents are read from the journal again.
 */
import { pack, unpack } from 'msgpackr';
import type { Store, StoreWriter } from '../../store/port.js';

export interface DeliveryState {
  readonly positions: readonly number[];
  /** Since when every attempt failed, ms since 1970 UTC; 0 while they do not. */
  readonly failingSinceMs: number;
}

export interface Place {
  readonly shard: number;
  readonly sequence: number;
}

export interface WaitingRow extends Place {
  /** -1 without an account. */
  readonly accountSlot: number;
  readonly attempts: number;
  /** Wall clock, ms since 1970 UTC. */
  readonly dueMs: number;
}

export interface DeadRow extends Place {
  readonly accountSlot: number;
  readonly attempts: number;
  readonly lastStatus: number;
  readonly lastError: string;
  readonly atMs: number;
}

/** Changes of one endpoint, written with those of others in one commit. */
export interface DeliveryChanges {
  readonly state?: DeliveryState;
  readonly waiting: readonly WaitingRow[];
  /** No longer waiting. */
  readonly settled: readonly Place[];
  readonly dead: readonly DeadRow[];
  /** No longer dead. */
  readonly revived: readonly Place[];
}

const STATE = 's';
const WAITING = 'w';
const DEAD = 'd';

export class DeliveryStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  state(id: string): DeliveryState | undefined {
    const row = this.#store.get(Buffer.from(STATE + id));
    return row === undefined ? undefined : (unpack(row.slice()) as DeliveryState);
  }

  /** In the order of (shard, sequence). */
  waiting(id: string): WaitingRow[] {
    return this.#rows<WaitingRow>(WAITING + id);
  }

  dead(id: string): DeadRow[] {
    return this.#rows<DeadRow>(DEAD + id);
  }

  #rows<T>(prefix: string): T[] {
    const rows: T[] = [];
    const start = Buffer.from(prefix);
    this.#store.scan({ start, end: Buffer.concat([start, Buffer.alloc(11, 0xff)]) }, (_key, value) => {
      rows.push(unpack(value.slice()) as T);
      return true;
    });
    this.#store.refresh();
    return rows;
  }

  /** Durable when it returns. @throws HoldfastError `commit_failed`. */
  write(changes: ReadonlyMap<string, DeliveryChanges>): void {
    this.#store.commit((writer) => {
      for (const [id, one] of changes) writeChanges(writer, id, one);
    });
  }

  /** Forgets an endpoint. */
  remove(id: string): void {
    const [waiting, dead] = [this.waiting(id), this.dead(id)];
    this.#store.commit((writer) => {
      writer.remove(Buffer.from(STATE + id));
      for (const place of waiting) writer.remove(rowKey(WAITING, id, place));
      for (const place of dead) writer.remove(rowKey(DEAD, id, place));
    });
  }
}

function writeChanges(writer: StoreWriter, id: string, changes: DeliveryChanges): void {
  if (changes.state !== undefined) writer.put(Buffer.from(STATE + id), pack(changes.state));
  for (const place of changes.settled) writer.remove(rowKey(WAITING, id, place));
  for (const row of changes.waiting) writer.put(rowKey(WAITING, id, row), pack(row));
  for (const place of changes.revived) writer.remove(rowKey(DEAD, id, place));
  for (const row of changes.dead) writer.put(rowKey(DEAD, id, row), pack(row));
}

function rowKey(kind: string, id: string, { shard, sequence }: Place): Buffer {
  const key = Buffer.alloc(kind.length + id.length + 10);
  const at = key.write(kind + id, 'latin1');
  key.writeUInt16BE(shard, at);
  key.writeBigUInt64BE(BigInt(sequence), at + 2);
  return key;
}
