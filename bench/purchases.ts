/**
 * Purchases for a scratch host: one message that was packed once, with its card, STAN and RRN written anew for each entry of
 * the ring, so that what is measured is the shard and not the client.
 */
import { pack } from '#src/iso8583/message.js';
import { RequestKind } from '#src/ring/kinds.js';
import type { RingProducer } from '#src/ring/ring.js';
import { WIRE_HEADER_BYTES } from '#src/ring/wire-entry.js';
import { scratchPurchase } from '#src/shard/scratch-host.js';

/** Of the template: no other text of the message has its digits. */
const STAN = 999_999;
/** DE11 stands behind MTI 2, bitmap 8, DE2 1 + 8, DE3 3, DE4 6, DE7 5. */
const STAN_AT = WIRE_HEADER_BYTES + 2 + 8 + 9 + 3 + 6 + 5;
const DEADLINE_US = 1e9;

export class Purchases {
  readonly #payload: Uint8Array;
  readonly #rrnAt: number;

  constructor() {
    const message = pack('iso87-bcd', scratchPurchase(STAN, 1));
    this.#payload = new Uint8Array(WIRE_HEADER_BYTES + message.length);
    this.#payload.set(message, WIRE_HEADER_BYTES);
    this.#payload[17] = 1;
    this.#rrnAt = Buffer.from(this.#payload).indexOf(`000000${STAN}`, 0, 'latin1');
  }

  /**
   * Queues a purchase of 0.01.
   * @param card slot of the card, up to 65 535 @param number of the message, its STAN and RRN: up to 10^12
   * @param token names the entry to who gets the reply @param nowUs monotonic clock
   */
  push(requests: RingProducer, shard: number, card: number, number: number, token: number, nowUs: number): void {
    const payload = this.#payload;
    payload[0] = card & 0xff;
    payload[1] = card >> 8;
    payload[3] = shard;
    putBcd(payload, number % 1_000_000);
    putDigits(payload, this.#rrnAt, number);
    requests.push(RequestKind.wire, 0, shard, token, 0, nowUs, nowUs + DEADLINE_US, payload);
  }
}

function putBcd(bytes: Uint8Array, value: number): void {
  let rest = value;
  for (let i = 2; i >= 0; i--) {
    bytes[STAN_AT + i] = (rest % 10) | ((Math.floor(rest / 10) % 10) << 4);
    rest = Math.floor(rest / 100);
  }
}

/** Twelve digits of ASCII. */
function putDigits(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 11; i >= 0; i--) {
    bytes[at + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
