/**
 * The events of one endpoint between the feed and its delivery, in lanes: an account is a lane, whose events go out one after the
 * other; lanes do not wait for each other. An event that fails waits for its next attempt, and the rest of its lane behind it,
 * durably; meanwhile the place in the feed moves on.
 *
 *   fresh     read, not delivered yet, on the way to its first attempt: the place that is stored stays before it
 *   waiting   failed, or behind one that failed: a row of its own, and the place may pass it
 *   dead      given up: a row in another list, and the lane goes on
 *
 * This is the book-keeping alone, without I/O; endpoint.ts acts by it.
 */
import { WEBHOOK_ATTEMPTS_MAX, WEBHOOK_DEAD_LETTERS_MAX } from '../../limits.js';
import type { Positions } from '../events/cursor.js';
import type { DeadRow, DeliveryChanges, Place, WaitingRow } from './delivery-store.js';

export interface Delivery extends Place {
  readonly accountSlot: number;
  attempts: number;
  /** Not before this time, ms since 1970 UTC. */
  dueMs: number;
  waiting: boolean;
  /** JSON of a fresh event; that of a waiting one is read from the journal again. */
  body: string | undefined;
}

export interface Failure {
  readonly status: number;
  readonly error: string;
  readonly atMs: number;
  /** Time to the next attempt, ms. */
  readonly retryMs: number;
}

interface Lane {
  readonly key: string;
  readonly queue: Delivery[];
  sending: boolean;
}

export class Deliveries {
  readonly #lanes = new Map<string, Lane>();
  #dead: DeadRow[];
  #fresh = 0;
  #waiting = 0;
  #changes = noChanges();
  /** The feed was read up to here. */
  #read: Positions;

  constructor(positions: Positions, waiting: readonly WaitingRow[], dead: readonly DeadRow[]) {
    this.#read = [...positions];
    this.#dead = [...dead];
    for (const row of waiting) this.#lane(row).queue.push({ ...row, waiting: true, body: undefined });
    this.#waiting = waiting.length;
  }

  get fresh(): number {
    return this.#fresh;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Oldest first. */
  get dead(): readonly DeadRow[] {
    return this.#dead;
  }

  /** Takes an event in, at the end of its lane. */
  add(place: Place & { readonly accountSlot: number }, body: string): void {
    const lane = this.#lane(place);
    const waiting = lane.queue[0]?.waiting === true;
    const { shard, sequence, accountSlot } = place;
    const delivery = { shard, sequence, accountSlot, attempts: 0, dueMs: 0, waiting, body: waiting ? undefined : body };
    lane.queue.push(delivery);
    if (waiting) this.#wait(delivery);
    else this.#fresh++;
  }

  /** Everything up to here was read, and added if it was wanted. */
  readUpTo(positions: Positions): void {
    this.#read = [...positions];
  }

  /** The next delivery that is due, of a lane in which nothing is under way; it is under way then. */
  next(nowMs: number): Delivery | undefined {
    for (const lane of this.#lanes.values()) {
      const head = lane.queue[0]!;
      if (lane.sending || head.dueMs > nowMs) continue;
      lane.sending = true;
      return head;
    }
    return undefined;
  }

  /** When the next delivery is due that is not under way, ms since 1970 UTC; undefined for none. */
  get dueMs(): number | undefined {
    let due: number | undefined;
    for (const { sending, queue } of this.#lanes.values())
      if (!sending && (due === undefined || queue[0]!.dueMs < due)) due = queue[0]!.dueMs;
    return due;
  }

  delivered(delivery: Delivery): void {
    this.#settle(delivery);
  }

  /** Plans the next attempt, or gives the event up. True: it is a dead letter now. */
  failed(delivery: Delivery, failure: Failure): boolean {
    delivery.attempts++;
    if (delivery.attempts >= WEBHOOK_ATTEMPTS_MAX) {
      const { shard, sequence, accountSlot, attempts } = delivery;
      const { status: lastStatus, error: lastError, atMs } = failure;
      this.#settle(delivery);
      this.#bury({ shard, sequence, accountSlot, attempts, lastStatus, lastError, atMs });
      return true;
    }
    delivery.dueMs = failure.atMs + failure.retryMs;
    const lane = this.#lane(delivery);
    lane.sending = false;
    for (const one of lane.queue) if (!one.waiting) this.#park(one);
    // The row has the number of attempts and the time of the next one.
    this.#changes.waiting.push(delivery);
    return false;
  }

  /** Gives the chance back that `next` took, as if nothing had happened. */
  untouched(delivery: Delivery): void {
    this.#lane(delivery).sending = false;
  }

  #park(delivery: Delivery): void {
    delivery.waiting = true;
    delivery.body = undefined;
    this.#fresh--;
    this.#wait(delivery);
  }

  #wait(delivery: Delivery): void {
    this.#waiting++;
    this.#changes.waiting.push(delivery);
  }

  #bury(row: DeadRow): void {
    this.#dead.push(row);
    this.#changes.dead.push(row);
    if (this.#dead.length > WEBHOOK_DEAD_LETTERS_MAX) this.#changes.revived.push(this.#dead.shift()!);
  }

  #settle(delivery: Delivery): void {
    const lane = this.#lane(delivery);
    lane.sending = false;
    lane.queue.splice(lane.queue.indexOf(delivery), 1);
    if (lane.queue.length === 0) this.#lanes.delete(lane.key);
    if (delivery.waiting) {
      this.#waiting--;
      this.#changes.settled.push(delivery);
    } else {
      this.#fresh--;
    }
  }

  #lane({ shard, sequence, accountSlot }: Place & { readonly accountSlot: number }): Lane {
    // What belongs to no account has no order to keep.
    const key = accountSlot < 0 ? `${shard} ${sequence}` : `${shard}/${accountSlot}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, queue: [], sending: false };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** Up to here everything is delivered, waiting or dead. */
  get positions(): Positions {
    const positions = [...this.#read];
    for (const { queue } of this.#lanes.values())
      for (const { waiting, shard, sequence } of queue)
        if (!waiting) positions[shard] = Math.min(positions[shard]!, sequence - 1);
    return positions;
  }

  /** Rows that have changed since the last call. */
  takeChanges(): Omit<DeliveryChanges, 'state'> {
    const { waiting, settled, dead, revived } = this.#changes;
    this.#changes = noChanges();
    // What waited and was settled in between has no row to be written any more.
    const gone = new Set(settled);
    return {
      waiting: waiting.filter((one) => !gone.has(one)).map(rowOf),
      settled: settled.map(placeOf),
      dead: dead.filter((row) => !revived.includes(row)),
      revived: revived.map(placeOf),
    };
  }
}

function noChanges(): { waiting: Delivery[]; settled: Delivery[]; dead: DeadRow[]; revived: DeadRow[] } {
  return { waiting: [], settled: [], dead: [], revived: [] };
}

function placeOf({ shard, sequence }: Place): Place {
  return { shard, sequence };
}

function rowOf({ shard, sequence, accountSlot, attempts, dueMs }: Delivery): WaitingRow {
  return { shard, sequence, accountSlot, attempts, dueMs };
}
