/**
 * Cutovers under way: an 0800 with DE70 201 goes to whoever keeps the links' business dates, and its 0810 leaves when the date
 * is durable. Until then messages of the link belong to the old date.
 *
 *   0800/201 -> keeper (system journal) -> the link's day -> 0810: 00, or 30 for a date that cannot be
 *                                       -> too late: 91 at the deadline; the date counts all the same
 */
import type { CutoverRequest } from '../link-requests.js';
import type { Connection } from './connection.js';
import type { LaterReplies } from './later-replies.js';
import type { IngressLog, Link } from './link.js';
import { Answer, type DialectCodec } from './local-reply.js';

const TRANSMISSION = 7;
const STAN = 11;
const SETTLEMENT_DATE = 15;

/** Makes a cutover durable and gives the link's day (days since 1970) from now on; -1 when the date cannot be. */
export type CutoverKeeper = (request: CutoverRequest) => Promise<number>;

export class Cutovers {
  readonly #later: LaterReplies;
  readonly #log: IngressLog;
  readonly #keep: CutoverKeeper;

  constructor(later: LaterReplies, log: IngressLog, keep: CutoverKeeper) {
    this.#later = later;
    this.#log = log;
    this.#keep = keep;
  }

  /** Begins the cutover that the decoded request asks for; gives the answer if there is one at once. */
  begin(connection: Connection, header: Uint8Array | undefined, codec: DialectCodec): Answer | undefined {
    const { request } = codec;
    const { profile } = connection.link;
    const transmission = request.digits(TRANSMISSION);
    const stan = request.digits(STAN);
    if (transmission < 0 || stan < 0) {
      connection.link.tellFormatError(connection, request.mti, transmission < 0 ? TRANSMISSION : STAN);
      return Answer.formatError;
    }
    if (this.#later.isFull) return Answer.unavailable;
    const settlementDate = request.digits(SETTLEMENT_DATE);
    const reply = this.#later.begin(connection, header, codec);
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
}
