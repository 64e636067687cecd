/**
 * Approvals that are being undone because nobody got them: a `notDelivered` request goes to the shard, and the approval
 * counts as undone when the shard says that the roll-back is durable. Until then `isUndoing` keeps stored copies of it from
 * being sent to a repeat, which waits for the roll-back, too (`join`).
 *
 * Nothing here grows without a bound: each roll-back comes from a request that was in flight, and a shard that is not up
 * gets no new ones. One that stays down will never confirm: what waits for it is given up, loudly.
 */
import { SHARDS_MAX } from '../limits.js';
import type { RingClient } from '../ring/client.js';
import { type ControlBlock, ShardState } from '../ring/control-block.js';
import { RequestKind } from '../ring/kinds.js';
import type { IngressLog } from './link.js';
import type { Runtime } from './runtime.js';
import type { Counters } from './stats.js';

interface RollBack {
  readonly token: number;
  readonly sequence: number;
}

const NOBODY: readonly number[] = [];

/** One number per (shard, sequence): sequences stay below 2^45. */
function keyOf(shard: number, sequence: number): number {
  return sequence * SHARDS_MAX + shard;
}

export class RollBacks {
  readonly #rings: RingClient;
  readonly #control: ControlBlock;
  readonly #counters: Counters;
  readonly #log: IngressLog;
  readonly #runtime: Runtime;
  /** Authorizations whose roll-back has begun and is not durable yet, by `keyOf`. */
  readonly #undoing = new Set<number>();
  /** Repeats that wait for a roll-back, by its `keyOf`: their tokens. */
  readonly #joined = new Map<number, number[]>();
  /** Roll-backs that found the ring full or their shard out of service, by shard, in order. */
  readonly #waiting: RollBack[][];
  #waitingCount = 0;

  constructor(rings: RingClient, control: ControlBlock, counters: Counters, log: IngressLog, runtime: Runtime) {
    this.#rings = rings;
    this.#control = control;
    this.#counters = counters;
    this.#log = log;
    this.#runtime = runtime;
    this.#waiting = Array.from({ length: rings.shards }, () => []);
  }

  /** Some roll-back has begun and is not durable yet. */
  get any(): boolean {
    return this.#undoing.size > 0;
  }

  /** Roll-backs that may still become durable while this process runs. */
  get pending(): number {
    let count = 0;
    for (const key of this.#undoing) if (this.#control.shardState(key % SHARDS_MAX) !== ShardState.down) count++;
    return count;
  }

  isUndoing(shard: number, sequence: number): boolean {
    return this.#undoing.has(keyOf(shard, sequence));
  }

  /** Begins to undo the approval at `sequence`; `token` is that of the entry which waits for it, or NO_TOKEN. */
  begin(shard: number, token: number, sequence: number): void {
    this.#counters.notDelivered++;
    this.#undoing.add(keyOf(shard, sequence));
    const waiting = this.#waiting[shard]!;
    if (waiting.length === 0 && this.#send(shard, token, sequence)) return;
    waiting.push({ token, sequence });
    this.#waitingCount++;
  }

  /** The repeat whose entry has this token waits for the roll-back as well. */
  join(shard: number, sequence: number, token: number): void {
    const key = keyOf(shard, sequence);
    const tokens = this.#joined.get(key);
    if (tokens === undefined) this.#joined.set(key, [token]);
    else tokens.push(token);
  }

  #takeJoined(key: number): readonly number[] {
    if (this.#joined.size === 0) return NOBODY;
    const tokens = this.#joined.get(key) ?? NOBODY;
    this.#joined.delete(key);
    return tokens;
  }

  /** The shard says that the roll-back is durable. @returns tokens of the repeats that wait for it */
  confirmed(shard: number, sequence: number): readonly number[] {
    const key = keyOf(shard, sequence);
    this.#undoing.delete(key);
    this.#counters.rolledBack++;
    return this.#takeJoined(key);
  }

  /**
   * The roll-back was given up (the log says why): the approval stands until the network reverses it. False when none of
   * this authorization was under way. `givenUp` hears the token of each repeat that waits for it.
   */
  refused(shard: number, sequence: number, givenUp: (token: number) => void): boolean {
    const key = keyOf(shard, sequence);
    if (!this.#undoing.delete(key)) return false;
    this.#counters.errors.not_rolled_back++;
    for (const token of this.#takeJoined(key)) givenUp(token);
    return true;
  }

  /**
   * Tries those again that could not be sent; the caller signals. `givenUp` hears the token of each that waits for a shard
   * that is down for good.
   */
  retry(givenUp: (token: number) => void): void {
    if (this.#waitingCount === 0) return;
    for (let shard = 0; shard < this.#waiting.length; shard++) {
      const waiting = this.#waiting[shard]!;
      if (waiting.length === 0) continue;
      const state = this.#control.shardState(shard);
      if (state === ShardState.down) this.#giveUp(shard, waiting, givenUp);
      else if (state === ShardState.up) this.#sendWaiting(shard, waiting);
    }
  }

  #sendWaiting(shard: number, waiting: RollBack[]): void {
    let sent = 0;
    while (sent < waiting.length && this.#send(shard, waiting[sent]!.token, waiting[sent]!.sequence)) sent++;
    waiting.splice(0, sent);
    this.#waitingCount -= sent;
  }

  #giveUp(shard: number, waiting: RollBack[], givenUp: (token: number) => void): void {
    this.#log.error(
      { shard, authorizations: waiting.length },
      'roll-backs given up: the shard is down; the holds of these approvals, which nobody got, stay until they are reversed',
    );
    for (const { token, sequence } of waiting) {
      this.refused(shard, sequence, givenUp);
      givenUp(token);
    }
    this.#waitingCount -= waiting.length;
    waiting.length = 0;
  }

  /** False when it must be tried again: the ring is full, or the shard is being rebuilt and would only refuse. */
  #send(shard: number, token: number, sequence: number): boolean {
    if (this.#control.shardState(shard) !== ShardState.up) return false;
    const producer = this.#rings.producer(shard);
    if (producer.reserve(0) < 0) return false;
    producer.commit(RequestKind.notDelivered, 0, shard, token, 0, this.#runtime.monotonicUs(), sequence, 0);
    return true;
  }
}
