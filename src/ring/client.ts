/**
 * A client of the shard threads (the ingress, the control plane): one ring pair per thread, one wake-up of its own.
 *
 *   client --requests--> thread 0      thread 0 --replies--> client
 *   client --requests--> thread 1      thread 1 --replies--> client
 */
import { RingConsumer, RingProducer } from './ring.js';
import { type Signal, type Sleep, Sleeper, Waker } from './wake.js';

/** Shared memory between one client and one shard thread. */
export interface RingPair {
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
}

export interface ClientRings {
  /** By thread index. */
  readonly pairs: readonly RingPair[];
  /** Wake words of the shard threads, by thread index. */
  readonly threadWakes: readonly SharedArrayBuffer[];
  /** Wake words of this client. */
  readonly clientWake: SharedArrayBuffer;
  /** Thread that hosts each shard, by shard number. */
  readonly threadOfShard: readonly number[];
}

/** How a client wakes the shard threads, by thread index, and sleeps itself, where that is not by the words of its rings. */
export interface ClientWakes {
  readonly threads: readonly Signal[];
  readonly sleep: Sleep;
}

export class RingClient {
  readonly #producers: RingProducer[];
  readonly #consumers: RingConsumer[];
  readonly #wakers: readonly Signal[];
  readonly #sleeper: Sleep;
  readonly #threadOfShard: readonly number[];
  readonly #dirty: Uint8Array;

  constructor(rings: ClientRings, wakes?: ClientWakes) {
    this.#producers = rings.pairs.map((pair) => new RingProducer(pair.requests));
    this.#consumers = rings.pairs.map((pair) => new RingConsumer(pair.replies));
    this.#wakers = wakes?.threads ?? rings.threadWakes.map((wake) => new Waker(wake));
    this.#sleeper = wakes?.sleep ?? new Sleeper(rings.clientWake);
    this.#threadOfShard = rings.threadOfShard;
    this.#dirty = new Uint8Array(rings.pairs.length);
  }

  get shards(): number {
    return this.#threadOfShard.length;
  }

  /** Ring towards the shard's thread. Reserve, write, commit, then `signal` once per batch. */
  producer(shard: number): RingProducer {
    const thread = this.#threadOfShard[shard]!;
    this.#dirty[thread] = 1;
    return this.#producers[thread]!;
  }

  /** Wakes every thread that was given something since the last signal. */
  signal(): void {
    for (let thread = 0; thread < this.#dirty.length; thread++) {
      if (this.#dirty[thread] === 0) continue;
      this.#dirty[thread] = 0;
      this.#wakers[thread]!.signal();
    }
  }

  /** Calls `onReply` for each waiting reply (speak to the consumer's getters) and returns how many there were. */
  drain(onReply: (reply: RingConsumer) => void): number {
    let count = 0;
    for (const consumer of this.#consumers) {
      let some = false;
      while (consumer.next()) {
        onReply(consumer);
        consumer.consume();
        some = true;
        count++;
      }
      if (some) consumer.release();
    }
    return count;
  }

  /** True when a reply waits. */
  hasReplies(): boolean {
    for (const consumer of this.#consumers) if (consumer.pendingBytes > 0) return true;
    return false;
  }

  /** Blocks this thread until a reply arrives, at most `ms`. Not while a wake-up is armed. */
  rest(ms: number): void {
    this.#sleeper.block(ms, this.#hasReplies);
  }

  readonly #hasReplies = (): boolean => this.hasReplies();

  /** Arranges one call of `onWake` when a reply arrives; false when one is there already (see wake.ts). */
  arm(onWake: () => void): boolean {
    return this.#sleeper.arm(() => this.hasReplies(), onWake);
  }
}
