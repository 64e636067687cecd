/**
 * Cutovers under way: an 0800 with DE70 201 goes to whoever keeps the links' business dates, and its 0810 leaves when the date
 * is durable. Until then messages of the link belong to the old date.
 *
 *   0800/201 -> keeper (system journal) -> the link's day -> 0810: 00, or 30 for a date that cannot be
 *                                       -> too late: 91 at the deadline; the date counts all the same
 */
import type { CutoverRequest } from '../cutover-request.js';
import { CUTOVERS_WAITING_MAX } from '../limits.js';
import type { Connection } from './connection.js';
import type { IngressLog, Link } from './link.js';
import { Answer, type Codecs, type DialectCodec } from './local-reply.js';
import type { Runtime } from './runtime.js';
import type { Counters } from './stats.js';
import type { Writes } from './writes.js';

const TRANSMISSION = 7;
const STAN = 11;
const SETTLEMENT_DATE = 15;

/** Makes a cutover durable and gives the link's day (days since 1970) from now on; -1 when the date cannot be. */
export type CutoverKeeper = (request: CutoverRequest) => Promise<number>;

export class Cutovers {
  readonly #codecs: Codecs;
  readonly #writes: Writes;
  readonly #counters: Counters;
  readonly #log: IngressLog;
  readonly #keep: CutoverKeeper;
  readonly #runtime: Runtime;
  /** Cutovers that are not answered yet. */
  pending = 0;

  constructor(
    codecs: Codecs,
    writes: Writes,
    counters: Counters,
    log: IngressLog,
    keep: CutoverKeeper,
    runtime: Runtime,
  ) {
    this.#codecs = codecs;
    this.#writes = writes;
    this.#counters = counters;
    this.#log = log;
    this.#keep = keep;
    this.#runtime = runtime;
  }

  /** Begins the cutover that the decoded request asks for; gives the answer if there is one at once. */
  begin(connection: Connection, header: Uint8Array | undefined, { request }: DialectCodec): Answer | undefined {
    const { profile } = connection.link;
    const transmission = request.digits(TRANSMISSION);
    const stan = request.digits(STAN);
    if (transmission < 0 || stan < 0) {
      connection.link.tellFormatError(connection, request.mti, transmission < 0 ? TRANSMISSION : STAN);
      return Answer.formatError;
    }
    if (this.pending >= CUTOVERS_WAITING_MAX) return Answer.unavailable;
    const settlementDate = request.digits(SETTLEMENT_DATE);
    const reply = this.#replyLater(connection, header, request.copy());
    this.#keep({ link: profile.number, name: profile.name, settlementDate, transmission, stan }).then(
      (day) => reply(this.#take(connection.link, day, settlementDate)),
      (error: unknown) => {
        this.#log.error({ link: profile.name, err: error }, 'a cutover failed');
        reply(Answer.unavailable);
      },
    );
    return undefined;
  }

  #take(link: Link, day: number, settlementDate: number): Answer {
    const fields = { link: link.profile.name, de15: settlementDate < 0 ? 'none' : settlementDate };
    if (day < 0) {
      this.#log.warn(fields, 'a cutover to a date that goes back or too far ahead was refused');
      return Answer.formatError;
    }
    if (day !== link.businessDay) {
      link.businessDay = day;
      this.#log.info({ ...fields, business_day: day }, 'business date of a link');
    }
    return Answer.approved;
  }

  /** The one answer to a request: the first that comes, 91 at the deadline. */
  #replyLater(connection: Connection, header: Uint8Array | undefined, message: Uint8Array): (answer: Answer) => void {
    const kept = header === undefined ? undefined : Uint8Array.from(header);
    let open = true;
    this.pending++;
    const reply = (answer: Answer): void => {
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
