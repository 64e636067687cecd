/** PIN operations of the software adapter. Clear PINs are in its scratch memory during a call and overwritten before it returns. */
import { randomFillSync } from 'node:crypto';
import { AesKey, type BlockKey, TdesKey } from '../card/block-key.js';
import { outsideHeap, sameBytes, wipe } from '../card/bytes.js';
import { aesDukptKey } from '../card/dukpt-aes.js';
import { tdesDukptKey } from '../card/dukpt-tdes.js';
import {
  decipherPinBlock4,
  decodePinBlock,
  encipherPinBlock4,
  encodePinBlock,
  type PinBlockFormat,
  type Randomize,
} from '../card/pin-block.js';
import { ibmOffset, ibmPin, PIN_DIGITS_MAX, pvv } from '../card/pin-reference.js';
import {
  type ChangePin,
  done,
  type EncipheredPin,
  failed,
  type HsmVerdict,
  mismatch,
  type PinMethod,
  type SetPin,
  type TranslatePin,
  type VerifyPin,
  withValue,
} from './port.js';
import { type Found, isKey, type SoftKeys } from './soft-keys.js';

const unreadable = failed('pin_unreadable', 'the PIN block is none of this card under this key');

/** Random bytes in stock: drawing a few costs as much as drawing these. Those that are taken are overwritten. */
const stock = Buffer.alloc(1024);
let used = stock.length;
const randomize: Randomize = (bytes) => {
  if (used + bytes.length > stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  bytes.set(stock.subarray(used, used + bytes.length));
  stock.fill(0, used, used + bytes.length);
  used += bytes.length;
};

/** A clear PIN in scratch memory, valid during `use` only. */
type UsePin = (pin: Uint8Array) => HsmVerdict;

export class SoftPins {
  readonly #keys: SoftKeys;
  readonly #scratch = outsideHeap(PIN_DIGITS_MAX);
  readonly #second = outsideHeap(PIN_DIGITS_MAX);

  constructor(keys: SoftKeys) {
    this.#keys = keys;
  }

  verify(request: VerifyPin): HsmVerdict {
    return this.withPin(request.pin, request.pan, (pin) => this.#compare(request, pin));
  }

  change(request: ChangePin): HsmVerdict {
    const key = this.#pinKey(request.pin);
    if (!isKey(key)) return key;
    const { pin, pan, method } = request;
    const verdict = this.#decipher(key, pin.format, pin.block, pan, this.#scratch, (current) => {
      const compared = this.#compare(request, current);
      if (compared.outcome !== 'ok') return compared;
      return this.#decipher(key, pin.format, request.newBlock, pan, this.#second, (next) =>
        this.#reference(method, pan, next),
      );
    });
    if (pin.ksn !== undefined) key.destroy();
    return verdict;
  }

  set(request: SetPin): HsmVerdict {
    return this.withPin(request.pin, request.pan, (pin) => this.#reference(request.method, request.pan, pin));
  }

  translate(request: TranslatePin): HsmVerdict {
    const to = this.#keys.find(request.toKey, 'encipher_pin');
    if (!isKey(to)) return to;
    const fault = cipherFault(to, request.toFormat);
    if (fault !== undefined) return fault;
    return this.withPin(request.pin, request.pan, (pin) => {
      if (request.toFormat === 4) return withValue(encipherPinBlock4(to as AesKey, pin, request.pan, randomize));
      const clear = encodePinBlock(request.toFormat, pin, request.pan, randomize);
      const block = to.encrypt(clear);
      wipe(clear);
      return withValue(block);
    });
  }

  /** Runs `use` with the clear PIN, and with the one of a second block under the same key where there is one. */
  withPin(pin: EncipheredPin, pan: Uint8Array, use: UsePin): HsmVerdict {
    const key = this.#pinKey(pin);
    if (!isKey(key)) return key;
    const verdict = this.#decipher(key, pin.format, pin.block, pan, this.#scratch, use);
    if (pin.ksn !== undefined) key.destroy();
    return verdict;
  }

  /** As `withPin`, with the PIN of a second block under the same key. */
  withPins(
    pin: EncipheredPin,
    secondBlock: Uint8Array,
    pan: Uint8Array,
    use: (pin: Uint8Array, second: Uint8Array) => HsmVerdict,
  ): HsmVerdict {
    return this.withPin(pin, pan, (one) => {
      const key = this.#pinKey(pin);
      if (!isKey(key)) return key;
      const verdict = this.#decipher(key, pin.format, secondBlock, pan, this.#second, (two) => use(one, two));
      if (pin.ksn !== undefined) key.destroy();
      return verdict;
    });
  }

  #pinKey({ key, ksn, format }: EncipheredPin): Found {
    if (ksn === undefined) {
      const found = this.#keys.find(key, 'decipher_pin');
      return isKey(found) ? (cipherFault(found, format) ?? found) : found;
    }
    const bdk = this.#keys.find(key, 'derive_dukpt');
    if (!isKey(bdk)) return bdk;
    const fault = cipherFault(bdk, format);
    if (fault !== undefined) return fault;
    if (bdk instanceof AesKey) return aesDukptKey(bdk, ksn, 'pin');
    return tdesDukptKey(bdk as TdesKey, ksn, 'pin');
  }

  #decipher(
    key: BlockKey,
    format: PinBlockFormat,
    block: Uint8Array,
    pan: Uint8Array,
    scratch: Buffer,
    use: UsePin,
  ): HsmVerdict {
    let length: number;
    if (format === 4) length = decipherPinBlock4(key as AesKey, block, pan, scratch);
    else {
      const clear = key.decrypt(block);
      length = decodePinBlock(format, clear, pan, scratch);
      wipe(clear);
    }
    const verdict = length === 0 ? unreadable : use(scratch.subarray(0, length));
    wipe(scratch);
    return verdict;
  }

  #compare({ method, pan, reference }: VerifyPin | ChangePin, pin: Uint8Array): HsmVerdict {
    if (method.method === 'pvv') {
      const key = this.#keys.find<TdesKey>(method.key, 'verify_pvv');
      if (!isKey(key)) return key;
      const expected = pvv(key, pan, method.keyIndex, pin);
      const same = sameBytes(expected, reference);
      wipe(expected);
      return same ? done : mismatch;
    }
    const key = this.#keys.find<TdesKey>(method.key, 'verify_ibm3624');
    if (!isKey(key)) return key;
    const expected = ibmPin(key, pan, method.validation, method.table, reference);
    const same = sameBytes(expected, pin);
    wipe(expected);
    return same ? done : mismatch;
  }

  #reference(method: PinMethod, pan: Uint8Array, pin: Uint8Array): HsmVerdict {
    if (method.method === 'pvv') {
      const key = this.#keys.find<TdesKey>(method.key, 'generate_pvv');
      return isKey(key) ? withValue(pvv(key, pan, method.keyIndex, pin)) : key;
    }
    const key = this.#keys.find<TdesKey>(method.key, 'generate_ibm3624');
    return isKey(key) ? withValue(ibmOffset(key, pan, method.validation, method.table, pin)) : key;
  }
}

/** Format 4 is AES, the others are TDES (ISO 9564-1). */
function cipherFault(key: BlockKey, format: PinBlockFormat): HsmVerdict | undefined {
  const fits = key instanceof TdesKey ? format !== 4 : format === 4;
  return fits ? undefined : failed('key_not_usable', `the key's cipher is none of PIN blocks of format ${format}`);
}
