/**
 * Admission: may this request go to a shard, or is it answered 91 at once? New requests are shed first (decision 0036): a
 * purchase that is declined by 91 costs nobody money, a reversal that is not taken leaves a hold for which nobody will pay.
 *
 *   stopping, signed off, disk -> rooms for requests in flight -> caps on the rate -> shard
 *
 * Rooms. Of a link's `in-flight-max` an eighth is kept for what is urgent, an eighth for what is new, whichever of the two comes in
 * masses. Of what is then free for either, an eighth is for connections that have little of it in flight; and of the rest none
 * takes all: each may have up to ROOM_FACTOR times what is still free, so that one which floods leaves a ninth to the others.
 * That holds without counting who is there.
 */
import { ADMISSION_KEPT } from '../limits.js';
import type { ControlBlock } from '../ring/control-block.js';
import type { Connection } from './connection.js';
import type { InFlightTable } from './in-flight.js';
import { RateCap } from './rate-cap.js';
import type { ShedCause } from './stats.js';

/** A connection may have so many times in flight what its link has free for anybody. */
const ROOM_FACTOR = 8;
/** A connection has little in flight up to this share of what its link may have. */
const LITTLE = 1 / 64;

export class Admission {
  readonly #table: InFlightTable;
  readonly #control: ControlBlock;
  readonly #cap: RateCap;
  /** Requests in flight over all links up to which new ones are taken. */
  readonly #tableMax: number;

  /** @param perSecond most requests per second of all links together; 0: no cap */
  constructor(table: InFlightTable, control: ControlBlock, perSecond: number) {
    this.#table = table;
    this.#control = control;
    this.#cap = new RateCap(perSecond);
    this.#tableMax = table.capacity - Math.floor(table.capacity * ADMISSION_KEPT);
  }

  get cap(): RateCap {
    return this.#cap;
  }

  /**
   * Why no shard may be asked now, if so. A message that gets in and is not dispatched after all gives back what it took.
   * @param urgent new requests must not starve it (`isNewRequest` is false)
   */
  admit(connection: Connection, urgent: boolean, nowUs: number): ShedCause | undefined {
    if (this.#control.stop !== 0) return 'stopping';
    if (!connection.signedOn) return 'signed_off';
    if (this.#control.refuse) return 'disk';
    if (!this.#hasRoom(connection, urgent)) return 'in_flight';
    const { link } = connection;
    if (!link.cap.take(nowUs, urgent, link.ownShare)) return 'link_rate';
    if (this.#cap.take(nowUs, urgent, link.share)) return undefined;
    link.cap.giveBack();
    return 'rate';
  }

  giveBack({ link }: Connection): void {
    link.cap.giveBack();
    this.#cap.giveBack();
  }

  #hasRoom({ link, inFlight, urgentInFlight }: Connection, urgent: boolean): boolean {
    if (!urgent && this.#table.used >= this.#tableMax) return false;
    const { inFlightMax } = link.profile;
    const kept = Math.floor(inFlightMax * ADMISSION_KEPT);
    const fresh = link.inFlight - link.urgentInFlight;
    const free =
      inFlightMax - Math.max(urgent ? fresh : link.urgentInFlight, kept) - (urgent ? link.urgentInFlight : fresh);
    const own = urgent ? urgentInFlight : inFlight - urgentInFlight;
    return own <= inFlightMax * LITTLE ? free > 0 : own < (free - kept) * ROOM_FACTOR;
  }
}
