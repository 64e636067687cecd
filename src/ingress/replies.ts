/**
 * The reply half of the ingress: a reply from a ring meets its entry of the in-flight table, and goes to the connection that
 * asked, in time or not at all.
 *
 *   ring reply -> entry by token -> in time, peer there: outbox
 *                                -> else, and it can be undone (flag 1): roll-back first, then 91
 *                                -> else an approval without a hold of its own: 91 at once
 *                                -> no entry: nobody saw it; an approval is rolled back
 *            stored approval of a repeat whose original is being rolled back: waits for that roll-back, then 91
 *
 * Once a reply is in the outbox it counts as delivered (connection.ts) and nothing here takes it back.
 */
import { ReplyKind } from '../ring/kinds.js';
import type { RingConsumer } from '../ring/ring.js';
import type { Connection } from './connection.js';
import { InFlightState, type InFlightTable, NO_TOKEN } from './in-flight.js';
import { Answer, type Codecs } from './local-reply.js';
import type { Reconciliations } from './reconciliations.js';
import type { RollBacks } from './roll-backs.js';
import type { Runtime } from './runtime.js';
import type { Counters } from './stats.js';
import type { Writes } from './writes.js';

export class Replies {
  readonly #table: InFlightTable;
  readonly #rollBacks: RollBacks;
  readonly #reconciliations: Reconciliations;
  readonly #codecs: Codecs;
  readonly #writes: Writes;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  /** Late approvals whose roll-back is under way, by token: the reply, to answer 91 from. */
  readonly #kept = new Map<number, Uint8Array>();

  constructor(
    table: InFlightTable,
    rollBacks: RollBacks,
    reconciliations: Reconciliations,
    codecs: Codecs,
    writes: Writes,
    counters: Counters,
    runtime: Runtime,
  ) {
    this.#table = table;
    this.#rollBacks = rollBacks;
    this.#reconciliations = reconciliations;
    this.#codecs = codecs;
    this.#writes = writes;
    this.#counters = counters;
    this.#runtime = runtime;
  }

  /** Takes one reply from a ring. */
  readonly take = (reply: RingConsumer): void => {
    const { token } = reply;
    const slot = this.#table.slotOf(token);
    if (slot < 0) {
      this.#onUnmatched(reply);
      return;
    }
    switch (reply.kind) {
      case ReplyKind.wire:
        this.#onWireReply(reply, slot, token);
        break;
      case ReplyKind.result:
        if (this.#reconciliations.take(reply, slot, token)) this.#release(slot);
        break;
      case ReplyKind.rolledBack:
        this.#confirmed(reply);
        this.#onRolledBack(slot, token);
        break;
      case ReplyKind.dropped:
        // The peer of a roll-back that was given up hears nothing: 91 would promise that no hold is left.
        this.#rollBacks.refused(reply.shard, reply.b, this.#onGivenUp);
        this.#forget(slot, token);
        break;
      default:
        this.#counters.errors.unmatched_reply++;
    }
  };

  /** Sends roll-backs that had to wait; the caller signals. */
  retryRollBacks(): void {
    this.#rollBacks.retry(this.#onGivenUp);
  }

  readonly #onGivenUp = (token: number): void => {
    const slot = this.#table.slotOf(token);
    if (slot >= 0) this.#forget(slot, token);
  };

  /** Counts what is overdue; gives up, after `reclaimUs`, what no shard will ever answer. */
  sweep(nowUs: number, reclaimUs: number): void {
    const table = this.#table;
    if (table.used === 0) return;
    for (let slot = 0; slot < table.capacity; slot++) {
      const state = table.state[slot];
      if (state === InFlightState.free || nowUs <= table.deadlineUs[slot]!) continue;
      if (state === InFlightState.waiting) {
        table.state[slot] = InFlightState.overdue;
        this.#counters.timeouts++;
      }
      if (nowUs - table.deadlineUs[slot]! > reclaimUs) {
        this.#counters.errors.reclaimed++;
        this.#forget(slot, table.tokenOf(slot));
      }
    }
  }

  /** The entry was given up (or never was ours): an approval among them is undone, because nobody got it. */
  #onUnmatched(reply: RingConsumer): void {
    if (reply.kind === ReplyKind.rolledBack) {
      this.#confirmed(reply);
      return;
    }
    if (reply.kind === ReplyKind.dropped && this.#rollBacks.refused(reply.shard, reply.b, this.#onGivenUp)) return;
    this.#counters.errors.unmatched_reply++;
    if (reply.kind === ReplyKind.wire && reply.flag === 1) this.#rollBacks.begin(reply.shard, NO_TOKEN, reply.b);
  }

  #onWireReply(reply: RingConsumer, slot: number, token: number): void {
    const connection = this.#table.connection[slot]!;
    const counters = this.#counters;
    const nowUs = this.#runtime.monotonicUs();
    const late = nowUs > this.#table.deadlineUs[slot]!;
    if (late && this.#table.state[slot] === InFlightState.waiting) counters.timeouts++;
    const { payloadAt, payloadLength } = reply;
    if (reply.flag === 0 && this.#rollBacks.any && this.#refuseUndone(reply, slot)) return;
    if (connection.open && !late && this.#queue(slot, reply, nowUs)) {
      this.#release(slot);
      return;
    }
    if (reply.flag === 1) {
      if (connection.open) this.#kept.set(token, reply.bytes.slice(payloadAt, payloadAt + payloadLength));
      this.#table.state[slot] = InFlightState.rollingBack;
      this.#rollBacks.begin(reply.shard, token, reply.b);
      return;
    }
    if (connection.open && this.#codecs.of(connection.dialect).isApproval(reply.bytes, payloadAt, payloadLength)) {
      // It placed no hold (verification, balance inquiry, the stored approval of a repeat): nothing is there to undo first.
      this.#refuse(slot, reply.bytes, payloadAt, payloadLength);
    } else if (!this.#queue(slot, reply, nowUs)) counters.errors.undeliverable++;
    this.#release(slot);
  }

  /** Answers 91 in place of an approval that must not be sent any more: `bytes[at, at + length)`. */
  #refuse(slot: number, bytes: Uint8Array, at: number, length: number): void {
    const connection = this.#table.connection[slot]!;
    const codec = this.#codecs.of(connection.dialect);
    const refusal = codec.refuseAfter(bytes, at, length, Answer.unavailable);
    const header = this.#table.headerOf(slot, headerBytesOf(connection));
    if (refusal > 0 && connection.queue(header, codec.bytes, 0, refusal)) {
      this.#counters.shed.deadline++;
      this.#counters.replies++;
    } else this.#counters.errors.undeliverable++;
  }

  /** Queues the shard's reply as it is; false when the connection takes nothing any more. */
  #queue(slot: number, reply: RingConsumer, nowUs: number): boolean {
    const table = this.#table;
    const connection = table.connection[slot]!;
    const header = table.headerOf(slot, headerBytesOf(connection));
    if (!connection.queue(header, reply.bytes, reply.payloadAt, reply.payloadLength)) return false;
    this.#counters.replies++;
    const receivedUs = table.receivedUs[slot]!;
    const { slow } = this.#writes;
    if (nowUs - receivedUs > slow.thresholdUs)
      slow.take(nowUs, receivedUs, table.routedUs[slot]!, reply.timeUs, reply.a, reply.shard, reply.b);
    this.#writes.note(receivedUs, reply.timeUs);
    return true;
  }

  /**
   * The stored approval of a repeat whose original is being rolled back right now: it was decided before the shard heard of
   * the roll-back, and sending it would approve what is about to be undone. Nor may 91 leave before the roll-back is durable: a
   * crash in between would leave a hold behind that the peer was told is not there. So it waits as its original does; true when
   * it was one.
   */
  #refuseUndone(reply: RingConsumer, slot: number): boolean {
    if (!this.#rollBacks.isUndoing(reply.shard, reply.b)) return false;
    const { payloadAt, payloadLength } = reply;
    const codec = this.#codecs.of(this.#table.connection[slot]!.dialect);
    if (!codec.isApproval(reply.bytes, payloadAt, payloadLength)) return false;
    const { token } = reply;
    this.#kept.set(token, reply.bytes.slice(payloadAt, payloadAt + payloadLength));
    this.#table.state[slot] = InFlightState.rollingBack;
    this.#rollBacks.join(reply.shard, reply.b, token);
    return true;
  }

  /** A roll-back is durable: the repeats that wait for it are answered. */
  #confirmed(reply: RingConsumer): void {
    for (const token of this.#rollBacks.confirmed(reply.shard, reply.b)) {
      const slot = this.#table.slotOf(token);
      if (slot >= 0) this.#onRolledBack(slot, token);
    }
  }

  #onRolledBack(slot: number, token: number): void {
    const approval = this.#kept.get(token);
    this.#kept.delete(token);
    if (approval !== undefined) this.#refuse(slot, approval, 0, approval.length);
    this.#release(slot);
  }

  /** Frees an entry that stays unanswered. */
  #forget(slot: number, token: number): void {
    this.#kept.delete(token);
    this.#reconciliations.forget(token);
    this.#release(slot);
  }

  #release(slot: number): void {
    this.#table.free(slot);
  }
}

function headerBytesOf(connection: Connection): number {
  const { transport, headerBytes } = connection.link.profile;
  return transport === 'tcp' ? headerBytes : 0;
}
