/**
 * Replies to network management that leave when something is durable: one for each request, the first answer that comes, 91 at the
 * deadline of the link.
 */
import { LATER_REPLIES_MAX } from '../limits.js';
import type { Connection } from './connection.js';
import type { Answer as AnswerCode, Codecs, DialectCodec } from './local-reply.js';
import { Answer } from './local-reply.js';
import type { Runtime } from './runtime.js';
import type { Counters } from './stats.js';
import type { Writes } from './writes.js';

export class LaterReplies {
  readonly #codecs: Codecs;
  readonly #writes: Writes;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  /** Requests that are not answered yet. */
  pending = 0;

  constructor(codecs: Codecs, writes: Writes, counters: Counters, runtime: Runtime) {
    this.#codecs = codecs;
    this.#writes = writes;
    this.#counters = counters;
    this.#runtime = runtime;
  }

  get isFull(): boolean {
    return this.pending >= LATER_REPLIES_MAX;
  }

  /** Takes the decoded request; answers it when it is called, the first time. */
  begin(
    connection: Connection,
    header: Uint8Array | undefined,
    { request }: DialectCodec,
  ): (answer: AnswerCode) => void {
    const message = request.copy();
    const kept = header === undefined ? undefined : Uint8Array.from(header);
    let open = true;
    this.pending++;
    const reply = (answer: AnswerCode): void => {
      if (!open) return;
      open = false;
      timer.cancel();
      this.pending--;
      const codec = this.#codecs.of(connection.dialect);
      codec.request.decode(message, 0, message.length);
      if (connection.queue(kept, codec.bytes, 0, codec.network(answer))) this.#counters.replies++;
      this.#writes.flush();
    };
    const timer = this.#runtime.after(connection.link.profile.deadlineMs, () => reply(Answer.unavailable));
    return reply;
  }
}
