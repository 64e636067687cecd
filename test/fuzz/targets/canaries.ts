/** Decoders with a defect each, that the invariants of iso8583.ts and the bound on work must find: they show that the fuzzer sees. */
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import type { FuzzTarget } from '../target.js';
import { DecoderTarget, targets as isoTargets } from './iso8583.js';

const bcd = dialect('iso87-bcd');

/** Looks one byte behind the message when it has a network id. */
class ReadsOn extends Decoder {
  override decode(buf: Uint8Array, start: number, end: number): boolean {
    const good = super.decode(buf, start, end);
    return good && this.has(63) && end < buf.length ? super.decode(buf, start, end + 1) : good;
  }
}

/** Takes F for a digit at the end of a card number of odd length. */
class TakesFilling extends Decoder {
  override digits(field: number): number {
    const size = this.size(field);
    if (field === 2 && size % 2 === 1 && (this.bytes[this.start(2) + (size >> 1)]! & 0xf) === 0xf) return this.start(2);
    return super.digits(field);
  }
}

/** Reads a message of private data again for each of its bytes. */
class WorksTooMuch extends Decoder {
  override decode(buf: Uint8Array, start: number, end: number): boolean {
    const good = super.decode(buf, start, end);
    if (this.has(48)) for (let i = 0; i < this.length(48); i++) super.decode(buf, start, end);
    return good;
  }
}

/** Says where a field of an error is by an offset in the buffer, not in the message. */
class TellsPlaceInBuffer extends Decoder {
  override decode(buf: Uint8Array, start: number, end: number): boolean {
    const good = super.decode(buf, start, end);
    if (!good && this.errorField > 64) this.errorOffset += start;
    return good;
  }
}

const canaries = { ReadsOn, TakesFilling, WorksTooMuch, TellsPlaceInBuffer };

export const targets: readonly FuzzTarget[] = Object.entries(canaries).map(([name, Broken]) => ({
  ...isoTargets[0]!,
  name: `canary-${name.replace(/(?<=.)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()}`,
  reads: 'messages, wrongly on purpose',
  inputsInCi: 50_000,
  open: () => new DecoderTarget('iso87-bcd', () => new Broken(bcd)),
}));
