/**
 * Key exchanges under way: an 0800 with DE70 161 brings the next key of the link's MACs in DE110, and its 0810, which still has a MAC of
 * the key in use, leaves when the key is durable. The link takes it up with the first message under it (link-mac.ts).
 *
 *   0800/161 -> the key block opens, and the key can make and verify MACs -> keeper (system journal) -> 0810 with 00
 *     40 without MACs, or without a key for exchanges      30 without DE110      63 for a block that is not authentic, or a key that is none
 *     91 too late; the key counts all the same
 */
import type { Decoder } from '../iso8583/decoder.js';
import type { LinkKey } from '../link-requests.js';
import type { Connection } from './connection.js';
import type { LaterReplies } from './later-replies.js';
import type { IngressLog } from './link.js';
import type { KeyOffer } from './link-mac.js';
import type { LinkProfile } from './links.js';
import { Answer, type DialectCodec } from './local-reply.js';

/** ISO 8583:1987 reserves it for ISO; networks carry key blocks in it. */
const KEY_DATA = 110;

/** Characters of a key block that say its length, behind the one of its version. */
const LENGTH_DIGITS = 4;
const SPACE = 0x20;

/**
 * The key block in the field, which is enciphered and may be a text; undefined for what does not begin as one, or is not as long as it says: a
 * peer may have put anything there, and nobody could overwrite a text (threat model).
 */
function keyBlockIn(request: Decoder): string | undefined {
  let length = request.size(KEY_DATA);
  while (request.byteAt(KEY_DATA, length - 1) === SPACE) length--;
  const version = String.fromCharCode(request.byteAt(KEY_DATA, 0));
  if (version !== 'B' && version !== 'D') return undefined;
  let said = 0;
  for (let i = 1; i <= LENGTH_DIGITS; i++) {
    const digit = request.byteAt(KEY_DATA, i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    said = said * 10 + digit;
  }
  return said === length ? request.text(KEY_DATA).trimEnd() : undefined;
}

/** Makes the next key of a link durable. */
export type LinkKeyKeeper = (key: LinkKey) => Promise<void>;

export class KeyExchanges {
  readonly #later: LaterReplies;
  readonly #log: IngressLog;
  readonly #keep: LinkKeyKeeper;

  constructor(later: LaterReplies, log: IngressLog, keep: LinkKeyKeeper) {
    this.#later = later;
    this.#log = log;
    this.#keep = keep;
  }

  /**
   * The network has used the key: after a restart it is the one in use. Without this record the key is still among those that are taken, as
   * the last one that was sent.
   */
  taken({ number, name }: LinkProfile, { base, block, kcv }: KeyOffer): void {
    this.#log.info({ link: name, kcv }, 'the next key of a link is in use');
    this.#keep({ link: number, name, base, block, kcv, taken: true }).catch((error: unknown) =>
      this.#log.error({ link: name, err: error }, 'that a key of a link is in use could not be kept'),
    );
  }

  /** Begins the exchange that the decoded request asks for; gives the answer if there is one at once. */
  begin(connection: Connection, header: Uint8Array | undefined, codec: DialectCodec): Answer | undefined {
    const { link } = connection;
    const { mac } = link;
    if (mac === undefined || !mac.exchanges) return Answer.functionNotSupported;
    const { request } = codec;
    if (!request.has(KEY_DATA)) {
      link.tellFormatError(connection, request.mti, KEY_DATA);
      return Answer.formatError;
    }
    if (this.#later.isFull) return Answer.unavailable;
    const text = keyBlockIn(request);
    const offer = text === undefined ? 'the key block is malformed' : mac.open(text);
    if (typeof offer === 'string') {
      this.#log.warn({ link: link.profile.name, remote: connection.remote, why: offer }, 'a key exchange was refused');
      return Answer.securityViolation;
    }
    // It comes again: the answer was lost, or another connection says the same.
    if (offer === undefined) return Answer.approved;
    const { number, name } = link.profile;
    const { base, block, kcv } = offer;
    const reply = this.#later.begin(connection, header, codec);
    this.#keep({ link: number, name, base, block, kcv, taken: false }).then(
      () => {
        mac.offer(offer);
        this.#log.info({ link: name, kcv }, 'the network has sent the next key of a link');
        reply(Answer.approved);
      },
      (error: unknown) => {
        mac.forget(offer);
        this.#log.error({ link: name, err: error }, 'a key exchange failed');
        reply(Answer.unavailable);
      },
    );
    return undefined;
  }
}
