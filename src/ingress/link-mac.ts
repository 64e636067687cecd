/**
 * Message authentication on a link: DE64, or DE128 where the message has a secondary bitmap, as the last field (ISO 8583:1987). The MAC is
 * made over the message as it lies on the wire, from the MTI, with the bit of the MAC in its bitmap, to the byte before its value;
 * the length header and a TPDU are not in it. A MAC of less than 8 bytes is filled up with zeros.
 *
 * A link without it does not come here. What is read and written here are bitmaps and the last bytes alone: a message that
 * does not prove its origin is not looked into.
 */
import { HoldfastError } from '../errors.js';
import type { Dialect } from '../iso8583/dialects.js';
import { REPLY_BYTES_MAX } from '../limits.js';
import type { GenerateMac, HsmVerdict, VerifyMac } from '../vault/hsm/port.js';

export const macAlgorithms = ['retail', 'cmac'] as const;

export interface LinkMacProfile {
  /** Name of the key, for both directions. */
  readonly key: string;
  /** retail: ISO 9797-1 algorithm 3, TDES; cmac: AES or TDES. */
  readonly algorithm: (typeof macAlgorithms)[number];
  /** Of retail: ISO 9797-1 padding method. */
  readonly padding: 1 | 2;
  /** Bytes of the MAC, 4 to 8. */
  readonly length: number;
}

/** Card cryptography that answers at once: messages do not wait. */
export interface MacPort {
  answer(request: GenerateMac | VerifyMac): HsmVerdict;
}

const FIELD_BYTES = 8;
const SECONDARY_FOLLOWS = 8;

export class LinkMac {
  /** The message that was sealed last. */
  readonly bytes = new Uint8Array(REPLY_BYTES_MAX + 2 * FIELD_BYTES);
  readonly #profile: LinkMacProfile;
  readonly #port: MacPort;

  /** @throws HoldfastError `config_invalid` for a key that cannot do both */
  constructor(link: string, profile: LinkMacProfile, port: MacPort | undefined) {
    const invalid = (what: string, next: string): HoldfastError =>
      new HoldfastError('config_invalid', `link ${link}: MACs: ${what}`, next);
    if (port === undefined) throw invalid('there are no keys', 'give the file of the key with --hsm-keys');
    this.#profile = profile;
    this.#port = port;
    const made = this.#make(this.bytes.subarray(0, FIELD_BYTES));
    if (typeof made === 'string') throw invalid(made, 'name a MAC key of the algorithm that may generate and verify');
    const verdict = this.#port.answer({
      op: 'verify_mac',
      ...this.#of(this.bytes.subarray(0, FIELD_BYTES)),
      mac: made,
    });
    if (verdict.outcome !== 'ok') throw invalid(`key ${profile.key} cannot verify`, 'name a key of mode C');
  }

  /** True when `bytes[start, end)` ends with the MAC that it should have. */
  verifies(dialect: Dialect, bytes: Uint8Array, start: number, end: number): boolean {
    const isHex = dialect.spec.binary === 'hex';
    const valueAt = end - (isHex ? 2 * FIELD_BYTES : FIELD_BYTES);
    const last = lastNibbleAt(dialect, bytes, start);
    if (valueAt <= last || (nibbleOf(dialect, bytes[last]!) & 1) === 0) return false;
    const value = Buffer.from(bytes.buffer, bytes.byteOffset + valueAt, end - valueAt);
    const field = isHex ? Buffer.from(value.toString('latin1'), 'hex') : value;
    const { length } = this.#profile;
    // Beyond the MAC there are zeros, or somebody has put something there.
    if (field.length !== FIELD_BYTES || field.subarray(length).some((byte) => byte !== 0)) return false;
    const mac = field.subarray(0, length);
    return this.#port.answer({ op: 'verify_mac', ...this.#of(bytes.subarray(start, valueAt)), mac }).outcome === 'ok';
  }

  /** Puts a message with its MAC into `bytes`; returns its length. @throws Error when the key is gone */
  seal(dialect: Dialect, message: Uint8Array, at: number, length: number): number {
    const { bytes } = this;
    bytes.set(message.subarray(at, at + length));
    const last = lastNibbleAt(dialect, bytes, 0);
    const nibble = nibbleOf(dialect, bytes[last]!) | 1;
    bytes[last] = dialect.hexBitmap === 1 ? nibble.toString(16).toUpperCase().charCodeAt(0) : nibble;
    const mac = this.#make(bytes.subarray(0, length));
    if (typeof mac === 'string') throw new Error(mac);
    const field = Buffer.alloc(FIELD_BYTES);
    field.set(mac);
    const value = dialect.spec.binary === 'hex' ? Buffer.from(field.toString('hex').toUpperCase(), 'latin1') : field;
    bytes.set(value, length);
    return length + value.length;
  }

  /** The MAC, or why there is none. */
  #make(data: Uint8Array): Uint8Array | string {
    const verdict = this.#port.answer({ op: 'generate_mac', ...this.#of(data) });
    if (verdict.outcome === 'ok' && 'value' in verdict && verdict.value !== undefined) return verdict.value;
    return verdict.outcome === 'failed' ? verdict.detail : 'no MAC was made';
  }

  #of(data: Uint8Array): Omit<GenerateMac, 'op'> {
    const { key, algorithm, padding, length } = this.#profile;
    return { key, algorithm, padding, length, data };
  }
}

type Bitmaps = Pick<Dialect, 'mtiBytes' | 'bitmapBytes' | 'hexBitmap'>;

/** Where the bit of DE64 lies, or of DE128 when a secondary bitmap follows. */
function lastNibbleAt(dialect: Bitmaps, bytes: Uint8Array, start: number): number {
  const { mtiBytes, bitmapBytes, hexBitmap } = dialect;
  const first = nibbleOf(dialect, bytes[start + mtiBytes]!);
  const isTwo = ((hexBitmap === 1 ? first : first >> 4) & SECONDARY_FOLLOWS) !== 0;
  return start + mtiBytes + bitmapBytes * (isTwo ? 2 : 1) - 1;
}

/** The hex digit that a byte of the bitmap stands for, or the byte itself. */
function nibbleOf({ hexBitmap }: Bitmaps, byte: number): number {
  return hexBitmap === 1 ? Number.parseInt(String.fromCharCode(byte), 16) : byte;
}
