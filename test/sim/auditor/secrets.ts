/** What must never lie anywhere in clear: card numbers, tracks, PIN blocks, in text, packed digits or as they came. */
import { fail } from './failure.js';
import type { MessageRecord } from './records.js';
import type { ShardAudit } from './shard-audit.js';

const PAN = /\d{12,19}/g;

export class Secrets {
  readonly #numbers = new Set<string>();
  /** Packed digits of a number, and PIN blocks. */
  readonly #bytes = new Map<string, Buffer>();

  learn(fields: Readonly<Record<string, string>>): void {
    const pan = fields['2'];
    if (pan !== undefined && /^\d{12,19}$/.test(pan) && !this.#numbers.has(pan)) this.#learnNumber(pan);
    const [number] = /^\d{12,19}/.exec(fields['35'] ?? '') ?? [];
    if (number !== undefined && !this.#numbers.has(number)) this.#learnNumber(number);
  }

  #learnNumber(pan: string): void {
    this.#numbers.add(pan);
    this.#bytes.set(pan, Buffer.from(pan.length % 2 === 0 ? pan : `${pan}0`, 'hex'));
  }

  /** @throws AuditFailure when there is a number that was sent */
  look(where: string, bytes: Uint8Array, evidence: Readonly<Record<string, unknown>>): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const [digits] of buffer.toString('latin1').matchAll(PAN)) {
      for (let length = 12; length <= digits.length; length++) {
        for (let at = 0; at + length <= digits.length; at++) {
          if (this.#numbers.has(digits.slice(at, at + length))) this.#found(where, evidence);
        }
      }
    }
  }

  /** The record has the card of the number, and its frame does not have the number in packed digits. */
  isNumberOf(pan: string, audit: ShardAudit, record: MessageRecord): void {
    const slot = record.token >= 0 ? record.token : record.card;
    if (slot < 0) return;
    const card = audit.card(slot, record.sequence);
    const isIt = pan.startsWith(String(card.bin).padStart(6, '0')) && Number(pan.slice(-4)) === card.last4;
    if (isIt && pan.length === card.panLength) return;
    fail('unsent message', 'a record is of the card whose number was sent', {
      ...{ shard: audit.shard, sequence: record.sequence, bin: card.bin, last4: card.last4, length: card.panLength },
      ...{ sentBin: pan.slice(0, 6), sentLast4: pan.slice(-4) },
    });
  }

  /** Packed digits of a number that was in a message of the frame. */
  lookForPacked(pan: string, frame: Uint8Array, evidence: Readonly<Record<string, unknown>>): void {
    const packed = this.#bytes.get(pan);
    if (packed && Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).includes(packed))
      this.#found('a frame', evidence);
  }

  #found(where: string, evidence: Readonly<Record<string, unknown>>): never {
    fail('secret', `no card number is in ${where}`, evidence);
  }
}
