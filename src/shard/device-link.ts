/**
 * A shard thread's way to the devices of card cryptography. They are asked by the main thread (device-desk.ts), which is one more
 * client of the thread: questions go out as its replies, verdicts come in as its requests.
 */

import { ReplyKind } from '../ring/kinds.js';
import type { RingProducer } from '../ring/ring.js';
import type { Signal } from '../ring/wake.js';
import type { HsmOp } from '../vault/hsm/port.js';

const TOKENS = 2 ** 32;

export class DeviceLink {
  readonly #questions: RingProducer;
  readonly #waker: Signal;
  readonly #ops: ReadonlySet<HsmOp>;
  #token = 0;
  #isDirty = false;

  /** @param ops what the devices can do */
  constructor(questions: RingProducer, waker: Signal, ops: ReadonlySet<HsmOp>) {
    this.#questions = questions;
    this.#waker = waker;
    this.#ops = ops;
  }

  supports(op: HsmOp): boolean {
    return this.#ops.has(op);
  }

  /**
   * Asks; the verdict comes back with the token. 0 when there is no room.
   * @param deadlineUs until when the answer is wanted, us of the monotonic clock
   */
  post(shard: number, deadlineUs: number, bytes: Uint8Array): number {
    const at = this.#questions.reserve(bytes.length);
    if (at < 0) return 0;
    this.#questions.bytes.set(bytes, at);
    // One count for all shards of the thread: an answer to a shard that was rebuilt meanwhile is an answer to nothing.
    this.#token = (this.#token % (TOKENS - 1)) + 1;
    this.#questions.commit(ReplyKind.question, 0, shard, this.#token, 0, 0, deadlineUs, bytes.length);
    this.#isDirty = true;
    return this.#token;
  }

  /** Wakes the other side, once for all that was posted. */
  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    this.#waker.signal();
  }
}
