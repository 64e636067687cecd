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
import { LINK_KEY_OVERLAP_MS, REPLY_BYTES_MAX } from '../limits.js';
import type { LinkKey } from '../link-requests.js';
import { type KeyInfo, roleFault } from '../vault/hsm/key-policy.js';
import type { DescribeKey, GenerateMac, HsmVerdict, ImportKey, VerifyMac } from '../vault/hsm/port.js';

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
  /** Name of the key under which the network sends the next one (0800, DE70 161); undefined: it sends none. */
  readonly exchangeKey?: string;
}

/** Card cryptography that answers at once: messages do not wait. */
export interface MacPort {
  answer(request: GenerateMac | VerifyMac | DescribeKey | ImportKey): HsmVerdict;
  /** Overwrites a key; nothing when there is none. */
  forget(key: string): void;
}

/** A key that the network has sent, opened. */
export interface KeyOffer {
  readonly key: string;
  readonly base: string;
  readonly block: string;
  readonly kcv: string;
}

const FIELD_BYTES = 8;
const SECONDARY_FOLLOWS = 8;
/** What a key is tried with, and told from another. */
const PROBE = new Uint8Array(FIELD_BYTES);

/**
 * The keys of a link: one in use; one that the network has sent, which is taken up with the first message under it; and the one before,
 * which is good for what was on its way (LINK_KEY_OVERLAP_MS).
 */
export class LinkMac {
  /** The message that was sealed last. */
  readonly bytes = new Uint8Array(REPLY_BYTES_MAX + 2 * FIELD_BYTES);
  readonly #link: string;
  readonly #profile: LinkMacProfile;
  readonly #port: MacPort;
  readonly #nowMs: () => number;
  /** Name and check value of the key of the link file. */
  readonly #base: string;
  #key: string;
  #offered: KeyOffer | undefined;
  #previous: string | undefined;
  #previousUntilMs = 0;
  #opened = 0;
  /** Key blocks that were taken in before: one that comes again later says nothing new. */
  readonly #seen = new Set<string>();
  /** Told when the key that was sent is in use. */
  onTaken: (offer: KeyOffer) => void = () => undefined;

  /**
   * @param nowMs a clock that does not go back
   * @throws HoldfastError `config_invalid` for a key that cannot do both, or an exchange key that opens none
   */
  constructor(link: string, profile: LinkMacProfile, port: MacPort | undefined, nowMs: () => number) {
    if (port === undefined) throw invalid(link, 'there are no keys', 'give the file of the key with --hsm-keys');
    this.#link = link;
    this.#profile = profile;
    this.#port = port;
    this.#nowMs = nowMs;
    this.#key = profile.key;
    const made = this.#make(PROBE, profile.key);
    if (typeof made === 'string')
      throw invalid(link, made, 'name a MAC key of the algorithm that may generate and verify');
    if (!this.#isOf(PROBE, made, profile.key))
      throw invalid(link, `key ${profile.key} cannot verify`, 'name a key of mode C');
    const { exchangeKey } = profile;
    const opener = exchangeKey === undefined ? undefined : this.#infoOf(exchangeKey);
    if (exchangeKey !== undefined && (opener === undefined || roleFault(opener, 'unwrap_key') !== undefined))
      throw invalid(link, `key ${exchangeKey} opens no key blocks`, 'name a key of usage K1 or K0 and mode D');
    this.#base = `${profile.key} ${this.#infoOf(profile.key)?.kcv ?? ''}`;
  }

  /** True when the network may send keys. */
  get exchanges(): boolean {
    return this.#profile.exchangeKey !== undefined;
  }

  /**
   * Takes up what is known of the keys that the network has sent, oldest first: the last one that it has used is in use, and one that
   * came behind that may be. Those that followed another key of the link file mean nothing: somebody has begun anew.
   * @throws HoldfastError `config_invalid` when one does not open any more
   */
  restore(keys: readonly LinkKey[]): void {
    if (!this.exchanges) return;
    const known = keys.filter(({ base }) => base === this.#base);
    const used = known.findLastIndex(({ taken }) => taken);
    const sent = known.slice(used + 1).findLast(({ block }) => block !== known[used]?.block);
    for (const one of [known[used], sent]) {
      if (one === undefined) continue;
      const offer = this.open(one.block);
      if (typeof offer === 'string')
        throw invalid(
          this.#link,
          `the key that the network sent last cannot be used: ${offer}`,
          'name the key for exchanges that it was sent under, or agree on a new key and put that into the file of --hsm-keys',
        );
      if (offer === undefined) continue;
      if (one.taken) this.#key = offer.key;
      else this.offer(offer);
    }
    for (const { block } of known) this.#seen.add(block);
  }

  /** Opens a key block; undefined when it is the key in use or the one that was sent last, a text that says why when it is of no use. */
  open(block: string): KeyOffer | string | undefined {
    const { exchangeKey } = this.#profile;
    if (exchangeKey === undefined) return 'the link has no key for exchanges';
    const key = `${this.#link}/${++this.#opened}`;
    const verdict = this.#port.answer({ op: 'import_key', protection: exchangeKey, block, as: key });
    if (verdict.outcome !== 'ok') return verdict.outcome === 'failed' ? verdict.detail : 'it is none';
    const made = this.#make(PROBE, key);
    const isUsable = typeof made !== 'string' && this.#isOf(PROBE, made, key);
    const isKnown =
      isUsable && [this.#key, this.#offered?.key].some((one) => one !== undefined && this.#isOf(PROBE, made, one));
    const isOld = !isKnown && this.#seen.has(block);
    if (isUsable && !isKnown && !isOld) return { key, base: this.#base, block, kcv: this.#infoOf(key)?.kcv ?? '' };
    this.#port.forget(key);
    if (isKnown) return undefined;
    if (isOld) return 'the key block was sent before, and another key since';
    return typeof made === 'string' ? made : 'the key cannot verify: it has another mode than C';
  }

  /** The next key: in use from the first message under it on. */
  offer(offer: KeyOffer): void {
    if (this.#offered !== undefined) this.#port.forget(this.#offered.key);
    this.#offered = offer;
    this.#seen.add(offer.block);
  }

  /** An offer that comes to nothing. */
  forget({ key }: KeyOffer): void {
    this.#port.forget(key);
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
    const data = bytes.subarray(start, valueAt);
    if (this.#isOf(data, mac, this.#key)) return true;
    if (this.#offered !== undefined && this.#isOf(data, mac, this.#offered.key)) {
      this.#take();
      return true;
    }
    if (this.#previous === undefined) return false;
    if (this.#nowMs() < this.#previousUntilMs) return this.#isOf(data, mac, this.#previous);
    this.#forgetPrevious();
    return false;
  }

  /** Puts a message with its MAC into `bytes`; returns its length. @throws Error when the key is gone */
  seal(dialect: Dialect, message: Uint8Array, at: number, length: number): number {
    const { bytes } = this;
    bytes.set(message.subarray(at, at + length));
    const last = lastNibbleAt(dialect, bytes, 0);
    const nibble = nibbleOf(dialect, bytes[last]!) | 1;
    bytes[last] = dialect.hexBitmap === 1 ? nibble.toString(16).toUpperCase().charCodeAt(0) : nibble;
    const mac = this.#make(bytes.subarray(0, length), this.#key);
    if (typeof mac === 'string') throw new Error(mac);
    const field = Buffer.alloc(FIELD_BYTES);
    field.set(mac);
    const value = dialect.spec.binary === 'hex' ? Buffer.from(field.toString('hex').toUpperCase(), 'latin1') : field;
    bytes.set(value, length);
    return length + value.length;
  }

  /** The key that was sent is in use from now on. */
  #take(): void {
    this.#forgetPrevious();
    this.#previous = this.#key;
    this.#previousUntilMs = this.#nowMs() + LINK_KEY_OVERLAP_MS;
    const offer = this.#offered!;
    this.#key = offer.key;
    this.#offered = undefined;
    this.onTaken(offer);
  }

  /** The key of the link file stays: others may have it too. */
  #forgetPrevious(): void {
    if (this.#previous !== undefined && this.#previous !== this.#profile.key) this.#port.forget(this.#previous);
    this.#previous = undefined;
  }

  /** The MAC, or why there is none. */
  #make(data: Uint8Array, key: string): Uint8Array | string {
    const verdict = this.#port.answer({ op: 'generate_mac', ...this.#of(data, key) });
    if (verdict.outcome === 'ok' && 'value' in verdict && verdict.value !== undefined) return verdict.value;
    return verdict.outcome === 'failed' ? verdict.detail : 'no MAC was made';
  }

  #isOf(data: Uint8Array, mac: Uint8Array, key: string): boolean {
    return this.#port.answer({ op: 'verify_mac', ...this.#of(data, key), mac }).outcome === 'ok';
  }

  #of(data: Uint8Array, key: string): Omit<GenerateMac, 'op'> {
    const { algorithm, padding, length } = this.#profile;
    return { key, algorithm, padding, length, data };
  }

  #infoOf(key: string): KeyInfo | undefined {
    const verdict = this.#port.answer({ op: 'describe_key', key });
    return verdict.outcome === 'ok' && 'key' in verdict ? verdict.key : undefined;
  }
}

const invalid = (link: string, what: string, next: string): HoldfastError =>
  new HoldfastError('config_invalid', `link ${link}: MACs: ${what}`, next);

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
