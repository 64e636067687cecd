/**
 * Replies that need no shard: network management (0810) and refusals (91 and its like). One instance per dialect holds the
 * decoder of the requests and an encoder; a reply is built from the decoded request into one scratch buffer.
 *
 * A refusal echoes what the dialect says (iso8583/dialects.ts), network management a list of its own. Fields that were not
 * in the request, or were malformed, are simply not echoed.
 */
import { Decoder } from '../iso8583/decoder.js';
import { type Dialect, dialectNames } from '../iso8583/dialects.js';
import { Encoder } from '../iso8583/encoder.js';
import { replyMti } from '../iso8583/mti.js';
import { REPLY_BYTES_MAX } from '../limits.js';

/** DE39 values that are answered here. 63 is "security violation" and 40 is "requested function not supported" of the 1987 standard. */
export const Answer = {
  approved: 0,
  invalidTransaction: 12,
  formatError: 30,
  functionNotSupported: 40,
  securityViolation: 63,
  unavailable: 91,
  outOfBalance: 95,
} as const;
export type Answer = (typeof Answer)[keyof typeof Answer];

/** A field of totals: 74 to 89, or 97 with D as a negative number. */
export interface TotalsField {
  field: number;
  value: number;
}

const TOTALS_BEFORE_39 = [32, 33, 37] as const;
const TOTALS_BEHIND_39 = [41, 42, 49, 50, 63] as const;
const SETTLEMENT_DATE = 15;
const SETTLEMENT_CODE = 66;
/** DE66. */
const IN_BALANCE = 1;
const OUT_OF_BALANCE = 2;
const NET = 97;
const SETTLEMENT_INSTITUTION = 99;

const NETWORK_BEFORE_39 = [7, 11, 12, 13, 32, 33, 37] as const;
const NETWORK_BEHIND_39 = [41, 63, 70] as const;

const AMOUNT = 4;
const TRANSMISSION = 7;
const STAN = 11;
const RESPONSE_CODE = 39;
const ADDITIONAL_AMOUNTS = 54;
const NETWORK_CODE = 70;
/** DE70 of a sign-off. */
export const SIGN_OFF = 2;
const AMOUNT_GROUP = 20;
/** DE54 amount type: the original amount of a partial approval. */
const ORIGINAL_AMOUNT = 57;
/** The amount of a refusal is DE4 of the message it answers. */
const AS_IT_CAME = -1;

export class DialectCodec {
  readonly dialect: Dialect;
  /** Decoder of requests; valid until the next message of this dialect. */
  readonly request: Decoder;
  /** The reply that was built last: `bytes[0, length)`. */
  readonly bytes = new Uint8Array(REPLY_BYTES_MAX);
  readonly #reply: Decoder;
  readonly #encoder: Encoder;

  constructor(dialect: Dialect) {
    this.dialect = dialect;
    this.request = new Decoder(dialect);
    this.#reply = new Decoder(dialect);
    this.#encoder = new Encoder(dialect);
  }

  /** Builds the refusal of the decoded request; returns its length. */
  refuse(answer: Answer): number {
    const request = this.request;
    const mti = replyMti(request.mti);
    return this.#build(request, mti < 0 ? request.mti - (request.mti & 1) + 10 : mti, answer, AS_IT_CAME);
  }

  /** Builds the 0810 of the decoded request; returns its length. */
  network(answer: Answer): number {
    const request = this.request;
    const encoder = this.#encoder;
    encoder.begin(this.bytes, 0, replyMti(request.mti), true);
    for (const field of NETWORK_BEFORE_39) encoder.copy(request, field);
    encoder.putDigits(RESPONSE_CODE, answer);
    for (const field of NETWORK_BEHIND_39) encoder.copy(request, field);
    return encoder.finish();
  }

  /**
   * Builds the 0510 or 0530 of the decoded request: the date it is about (DE15, `day` since 1970), 39 and DE66, and our totals,
   * ascending. Returns its length.
   */
  totals(answer: Answer, day: number, ours: readonly TotalsField[]): number {
    const request = this.request;
    const encoder = this.#encoder;
    const date = new Date(day * 86_400_000);
    encoder.begin(this.bytes, 0, replyMti(request.mti), true);
    for (const field of [TRANSMISSION, STAN, 12, 13]) encoder.copy(request, field);
    encoder.putDigits(SETTLEMENT_DATE, (date.getUTCMonth() + 1) * 100 + date.getUTCDate());
    for (const field of TOTALS_BEFORE_39) encoder.copy(request, field);
    encoder.putDigits(RESPONSE_CODE, answer);
    for (const field of TOTALS_BEHIND_39) encoder.copy(request, field);
    encoder.putDigits(SETTLEMENT_CODE, answer === Answer.approved ? IN_BALANCE : OUT_OF_BALANCE);
    for (const { field, value } of ours) {
      if (field !== NET) encoder.putDigits(field, value);
      else encoder.putString(NET, `${value < 0 ? 'D' : 'C'}${String(Math.abs(value)).padStart(16, '0')}`);
    }
    encoder.copy(request, SETTLEMENT_INSTITUTION);
    return encoder.finish();
  }

  /** Builds an 0800 of our own that signs this link off: DE7 (UTC), DE11, DE70; returns its length. */
  signOff(stan: number, nowMs: number): number {
    const encoder = this.#encoder;
    const now = new Date(nowMs);
    const date = (now.getUTCMonth() + 1) * 100 + now.getUTCDate();
    const time = now.getUTCHours() * 10_000 + now.getUTCMinutes() * 100 + now.getUTCSeconds();
    encoder.begin(this.bytes, 0, 800, true);
    encoder.putDigits(TRANSMISSION, date * 1_000_000 + time);
    encoder.putDigits(STAN, stan);
    encoder.putDigits(NETWORK_CODE, SIGN_OFF);
    return encoder.finish();
  }

  /**
   * Turns an approval that is not sent any more into a refusal, with the fields that the approval had echoed. A partial
   * approval carries the approved amount in DE4, and the requested one, which belongs into the refusal, in DE54. Returns its
   * length, 0 when the approval is not readable.
   */
  refuseAfter(approval: Uint8Array, at: number, length: number, answer: Answer): number {
    const reply = this.#reply;
    if (!reply.decode(approval, at, at + length)) return 0;
    let amount = AS_IT_CAME;
    for (let group = 0; group + AMOUNT_GROUP <= reply.size(ADDITIONAL_AMOUNTS); group += AMOUNT_GROUP) {
      if (reply.digitsAt(ADDITIONAL_AMOUNTS, group + 2, 2) === ORIGINAL_AMOUNT) {
        amount = reply.digitsAt(ADDITIONAL_AMOUNTS, group + 8, 12);
      }
    }
    return this.#build(reply, reply.mti, answer, amount);
  }

  /** True when these bytes are the approval (00, 10, 85) of an authorization or a financial request. */
  isApproval(bytes: Uint8Array, at: number, length: number): boolean {
    const reply = this.#reply;
    if (!reply.decode(bytes, at, at + length)) return false;
    if (reply.mti !== 110 && reply.mti !== 210) return false;
    const code = reply.digits(RESPONSE_CODE);
    return code === 0 || code === 10 || code === 85;
  }

  /** A refusal with the fields of `source`; `amount` takes the place of its DE4. */
  #build(source: Decoder, mti: number, answer: Answer, amount: number): number {
    const encoder = this.#encoder;
    encoder.begin(this.bytes, 0, mti, true);
    if (amount >= 0) {
      encoder.echoBelow(source, AMOUNT);
      encoder.putDigits(AMOUNT, amount);
    }
    encoder.echoBelow(source, RESPONSE_CODE);
    encoder.putDigits(RESPONSE_CODE, answer);
    encoder.echoRest(source);
    return encoder.finish();
  }
}

/** The codecs of one ingress by dialect, each made when its dialect is first spoken. */
export class Codecs {
  readonly #byIndex: (DialectCodec | undefined)[] = dialectNames.map(() => undefined);

  of(dialect: Dialect): DialectCodec {
    let codec = this.#byIndex[dialect.index];
    if (codec === undefined) {
      codec = new DialectCodec(dialect);
      this.#byIndex[dialect.index] = codec;
    }
    return codec;
  }
}
