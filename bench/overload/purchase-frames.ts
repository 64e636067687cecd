/**
 * Purchases that cost their sender next to nothing: a message that was packed once, with its card, STAN and RRN written anew, so
 * that a load generator on the engine's own cores takes as little of them as it can.
 */
import { demoPan } from '#src/cli/demo-program.js';
import { pack } from '#src/iso8583/message.js';
import { webSocketFrame } from '../../loadtest/templates.js';
import type { Transport } from './case.js';

/** DE2 stands behind MTI 2, bitmap 8 and its own length; DE11 behind DE2 8, DE3 3, DE4 6, DE7 5. */
const PAN_AT = 2 + 8 + 1;
const STAN_AT = PAN_AT + 8 + 3 + 6 + 5;
const RRN = '000000999999';
const BINARY = 0x82;

export class PurchaseFrames {
  readonly #transport: Transport;
  readonly #message: Buffer;
  readonly #rrnAt: number;
  readonly #pans: readonly Buffer[];

  /**
   * @param terminal DE41, 8 characters: STAN and DE7 are unique per sender only
   * @param pans card numbers of 16 digits; demo cards by default @param mti of the message, a purchase in its fields
   */
  constructor(transport: Transport, terminal: string, pans = demoPans(), mti = '0100') {
    this.#transport = transport;
    this.#pans = pans.map((pan) => Buffer.from(pan, 'hex'));
    const now = new Date().toISOString().replace(/\D/g, '').slice(4, 14);
    const fields = {
      0: mti,
      2: pans[0]!,
      3: '000000',
      4: '000000000001',
      7: now,
      11: '999999',
      12: now.slice(4),
      13: now.slice(0, 4),
      14: '3512',
      18: '5411',
      19: '076',
      22: '051',
      25: '00',
      32: '999901',
      37: RRN,
      41: terminal,
      42: 'MERCHANT0000001',
      49: '986',
    };
    this.#message = Buffer.from(pack('iso87-bcd', mti === '0110' ? { ...fields, 39: '00' } : fields));
    this.#rrnAt = this.#message.indexOf(RRN, 0, 'latin1');
  }

  /** The frame of message `number`, with a card of its own; for WebSocket masked. */
  frame(number: number): Uint8Array {
    const message = this.#message;
    message.set(this.#pans[number % this.#pans.length]!, PAN_AT);
    message.write(String(number % 1_000_000).padStart(6, '0'), STAN_AT, 'hex');
    message.write(String(number).padStart(12, '0'), this.#rrnAt, 'latin1');
    return framed(this.#transport, message);
  }
}

/** A message as its transport carries it. */
export function framed(transport: Transport, message: Uint8Array): Uint8Array {
  if (transport === 'ws') return webSocketFrame(BINARY, message);
  const frame = Buffer.allocUnsafe(2 + message.length);
  frame.writeUInt16BE(message.length);
  frame.set(message, 2);
  return frame;
}

function demoPans(): string[] {
  return Array.from({ length: 500 }, (_, n) => demoPan(n + 1));
}
