/**
 * Admission: may this request go to a shard, or is it answered 91 at once? New requests are shed first (decision 0036): a
 * purchase that is declined by 91 costs nobody money, a reversal that is not taken leaves a hold for which nobody will pay.
 *
 *   stopping, signed off, disk -> rooms for requests in flight -> caps on the rate -> shard
 *
 * Rooms. Of a link's `in-flight-max` an eighth is kept for what is urgent. And no connection takes all of the rest: each may
 * have up to ROOM_FACTOR times what is still free, so one that floods leaves a ninth for the others, two leave a seventeenth,
 * and a newcomer always finds room. The same without counting who is there.
 */
import { ADMISSION_KEPT } from '../limits.js';
import type { ControlBlock } from '../ring/control-block.js';
import type { Connection } from './connection.js';
import type { InFlightTable } from './in-flight.js';
import { RateCap } from './rate-cap.js';
import type { ShedCause } from './stats.js';

/** A connection may have so many times in flight what its link has free: new requests, and urgent messages. */
const ROOM_FACTOR = 8;
const URGENT_ROOM_FACTOR = 4;

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
    if (!link.cap.take(nowUs, urgent)) return 'link_rate';
    if (this.#cap.take(nowUs, urgent, link.share)) return undefined;
    link.cap.giveBack();
    return 'rate';
  }

  giveBack({ link }: Connection): void {
    link.cap.giveBack();
    this.#cap.giveBack();
  }

  #hasRoom({ link, inFlight }: Connection, urgent: boolean): boolean {
    const { inFlightMax } = link.profile;
    if (urgent) return inFlight < (inFlightMax - link.inFlight) * URGENT_ROOM_FACTOR;
    if (this.#table.used >= this.#tableMax) return false;
    const free = inFlightMax - Math.floor(inFlightMax * ADMISSION_KEPT) - link.inFlight;
    return inFlight < free * ROOM_FACTOR;
  }
}
