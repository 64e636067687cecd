/**
 * Approvals that are being undone because nobody got them: a `notDelivered` request goes to the shard, and the approval
 * counts as undone when the shard says that the roll-back is durable. Until then `isUndoing` keeps stored copies of it from
 * being sent to a repeat.
 */
import { monotonicUs } from '../clock.js';
import { SHARDS_MAX } from '../limits.js';
import type { RingClient } from '../ring/client.js';
import { type ControlBlock, ShardState } from '../ring/control-block.js';
import { RequestKind } from '../ring/kinds.js';
import type { Counters } from './stats.js';

interface RollBack {
  readonly shard: number;
  readonly token: number;
  readonly sequence: number;
}

/** One number per (shard, sequence): sequences stay below 2^45. */
function keyOf(shard: number, sequence: number): number {
  return sequence * SHARDS_MAX + shard;
}

export class RollBacks {
  readonly #rings: RingClient;
  readonly #control: ControlBlock;
  readonly #counters: Counters;
  /** Authorizations whose roll-back has begun and is not durable yet, by `keyOf`. */
  readonly #undoing = new Set<number>();
  /** Roll-backs that found the ring full or their shard out of service. */
  #waiting: RollBack[] = [];

  constructor(rings: RingClient, control: ControlBlock, counters: Counters) {
    this.#rings = rings;
    this.#control = control;
    this.#counters = counters;
  }

  /** Roll-backs that could not be sent yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Some roll-back has begun and is not durable yet. */
  get any(): boolean {
    return this.#undoing.size > 0;
  }

  isUndoing(shard: number, sequence: number): boolean {
    return this.#undoing.has(keyOf(shard, sequence));
  }

  /** Begins to undo the approval at `sequence`; `token` is that of the entry which waits for it, or NO_TOKEN. */
  begin(shard: number, token: number, sequence: number): void {
    this.#counters.notDelivered++;
    this.#undoing.add(keyOf(shard, sequence));
    if (!this.#send(shard, token, sequence)) this.#waiting.push({ shard, token, sequence });
  }

  /** The shard says that the roll-back is durable. */
  confirmed(shard: number, sequence: number): void {
    this.#undoing.delete(keyOf(shard, sequence));
    this.#counters.rolledBack++;
  }

  /** Tries those again that could not be sent. The caller signals. */
  retry(): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ shard, token, sequence }) => !this.#send(shard, token, sequence));
  }

  /** False when it must be tried again: the ring is full, or the shard is being rebuilt and would only refuse. */
  #send(shard: number, token: number, sequence: number): boolean {
    if (this.#control.shardState(shard) !== ShardState.up) return false;
    const producer = this.#rings.producer(shard);
    if (producer.reserve(0) < 0) return false;
    producer.commit(RequestKind.notDelivered, 0, shard, token, 0, monotonicUs(), sequence, 0);
    return true;
  }
}
