/**
 * Host commands of a payShield for the operations of the port.
 *
 *   request    length 2 (big-endian) · header (echoed) · command 2 · fields
 *   response   length 2 · header · command with its second letter + 1 · error code 2 · fields
 *
 * Fields are ASCII, of chip commands partly binary. Layouts are those of public descriptions of the host commands
 * (docs/internals/card-cryptography.md); they have not been tried on a device.
 */
import { areDigits, outsideHeap, packDigits, putNibble, wipe } from '../card/bytes.js';
import { profileOf } from '../card/emv-profiles.js';
import { pad } from '../card/mac.js';
import type { PinBlockFormat } from '../card/pin-block.js';
import { PIN_DIGITS_MAX, type ValidationData } from '../card/pin-reference.js';
import type { KeyRole } from '../hsm/key-policy.js';
import {
  type ChangePin,
  type DecipherKek,
  done,
  type EncipherKek,
  failed,
  type GenerateCvv,
  type GenerateMac,
  type HsmOp,
  type HsmRequest,
  type HsmVerdict,
  type KeyHandle,
  type SetPin,
  type TranslatePin,
  type VerifyArqc,
  type VerifyCvv,
  type VerifyMac,
  type VerifyPin,
  withValue,
} from '../hsm/port.js';
import { type DeviceKey, type DeviceKeys, isDeviceKey } from './device-keys.js';

export interface Command {
  /** Two letters. */
  readonly code: string;
  /** Everything behind the code. Overwritten once it is sent. */
  readonly fields: Buffer;
  /** 01 means that what was compared differs. */
  readonly verifies: boolean;
  /** Error codes that are warnings. */
  readonly warnings: readonly string[];
  /** Reads the fields of a response without error; undefined when they are malformed. */
  readonly read: (fields: Buffer) => HsmVerdict | undefined;
}

/** Operations that this adapter has commands for. */
export const deviceOps: ReadonlySet<HsmOp> = new Set([
  'verify_cvv',
  'generate_cvv',
  'verify_pin',
  'change_pin',
  'set_pin',
  'translate_pin',
  'verify_arqc',
  'generate_mac',
  'verify_mac',
  'encipher_kek',
  'decipher_kek',
  'describe_key',
  'echo',
]);

/** What an echo must bring back. */
const ECHO = 'HOLDFAST';

/** Format codes of PIN blocks. Format 4 has another layout of its commands, which is not built. */
const formatCodes: Readonly<Partial<Record<PinBlockFormat, string>>> = { 0: '01', 1: '05', 3: '47' };

/**
 * A field: text that says nothing of a card, bytes of the request (whose owner overwrites them), or bytes made here, which are overwritten
 * as soon as they are in the command. No part of a card number or of a PIN block becomes a text, which nobody could overwrite.
 */
type Part = string | Uint8Array | { readonly own: Uint8Array };
/** Why a command cannot be made, thrown and caught within this file: a field deep in a command has no other way out. */
class Refusal {
  constructor(readonly verdict: HsmVerdict) {}
}

function refuse(failure: 'unsupported', detail: string): never {
  throw new Refusal(failed(failure, detail));
}

const nothing = (fields: Buffer): HsmVerdict | undefined => (fields.length === 0 ? done : undefined);
const ZERO = 0x30;
const HEX = Uint8Array.from(Buffer.from('0123456789ABCDEF', 'latin1'));

/** Upper-case hexadecimal digits. */
function hex(bytes: Uint8Array): Part {
  const own = outsideHeap(bytes.length * 2);
  for (const [i, byte] of bytes.entries()) {
    own[i * 2] = HEX[byte >> 4]!;
    own[i * 2 + 1] = HEX[byte & 15]!;
  }
  return { own };
}

/** Bytes of an even number of upper-case hexadecimal digits, or undefined. */
function unhex(digits: Uint8Array): Buffer | undefined {
  const bytes = outsideHeap(digits.length / 2);
  for (const [i, digit] of digits.entries()) {
    const value = HEX.indexOf(digit);
    if (value < 0) return undefined;
    putNibble(bytes, i, value);
  }
  return bytes;
}

/** Memory of its own: that of small copies is shared, and nobody overwrites it. */
function copyOf(bytes: Uint8Array): Buffer {
  const copy = outsideHeap(bytes.length);
  copy.set(bytes);
  return copy;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** A value of `count` ASCII digits. */
const digitsIn =
  (count: number) =>
  (fields: Buffer): HsmVerdict | undefined =>
    areDigits(fields, count) ? withValue(copyOf(fields)) : undefined;

function command(
  code: string,
  verifies: boolean,
  parts: readonly Part[],
  read: Command['read'],
  warnings: readonly string[] = [],
): Command {
  const bytesOf = (part: Exclude<Part, string>): Uint8Array => (part instanceof Uint8Array ? part : part.own);
  const sizes = parts.map((part) => (typeof part === 'string' ? part.length : bytesOf(part).length));
  const fields = outsideHeap(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const [i, part] of parts.entries()) {
    if (typeof part === 'string') fields.write(part, at, 'latin1');
    else fields.set(bytesOf(part), at);
    if (typeof part === 'object' && 'own' in part) wipe(part.own);
    at += sizes[i]!;
  }
  return { code, fields, verifies, warnings, read };
}

/** Makes commands with the keys of one installation. */
export class CommandMaker {
  readonly #keys: DeviceKeys;

  constructor(keys: DeviceKeys) {
    this.#keys = keys;
  }

  /** The command of a request, or the verdict when there is none. The request has been checked. */
  make(request: HsmRequest): Command | HsmVerdict {
    try {
      return this.#make(request);
    } catch (error) {
      if (error instanceof Refusal) return error.verdict;
      throw error;
    }
  }

  #make(request: HsmRequest): Command | HsmVerdict {
    switch (request.op) {
      case 'verify_cvv':
        return command('CY', true, [this.#key(request.key, 'verify_cvv'), request.cvv, ...track(request)], nothing);
      case 'generate_cvv':
        return command('CW', false, [this.#key(request.key, 'generate_cvv'), ...track(request)], digitsIn(3));
      case 'verify_pin':
        return this.#verifyPin(request);
      case 'change_pin':
        return this.#changePin(request);
      case 'set_pin':
        return this.#setPin(request);
      case 'translate_pin':
        return this.#translate(request);
      case 'verify_arqc':
        return this.#verifyArqc(request);
      case 'generate_mac':
      case 'verify_mac':
        return this.#mac(request);
      case 'encipher_kek':
      case 'decipher_kek':
        return this.#kek(request);
      case 'describe_key':
        return this.#keys.describe(request.key);
      case 'echo':
        return echoCommand();
      case 'verify_dcvv':
      case 'verify_cvc3':
      case 'answer_arqc':
      case 'script_mac':
      case 'script_pin_change':
      case 'import_key':
      case 'export_key':
        return failed('unsupported', `${request.op}: this adapter has no command for it`);
    }
  }

  #find(id: KeyHandle, role: KeyRole): DeviceKey {
    const key = this.#keys.find(id, role);
    if (!isDeviceKey(key)) throw new Refusal(key);
    return key;
  }

  #key(id: KeyHandle, role: KeyRole): string {
    return this.#find(id, role).wrapped;
  }

  /** The key that deciphers a PIN block, and what follows it. */
  #pinKey(pin: VerifyPin['pin']): DeviceKey {
    if (pin.ksn !== undefined) refuse('unsupported', 'terminal keys (DUKPT) are not built for this device');
    return this.#find(pin.key, 'decipher_pin');
  }

  #verifyPin({ pin, pan, method, reference }: VerifyPin): Command {
    const zone = this.#pinKey(pin).wrapped;
    const block = [hex(pin.block), formatCode(pin.format)];
    if (method.method === 'pvv') {
      const key = this.#key(method.key, 'verify_pvv');
      return command('EC', true, [zone, key, ...block, account(pan), String(method.keyIndex), reference], nothing);
    }
    const key = this.#key(method.key, 'verify_ibm3624');
    const ibm = [two(reference.length), account(pan), method.table, validationData(method.validation, pan)];
    const offset = [reference, 'F'.repeat(Math.max(0, 12 - reference.length))];
    return command('EA', true, [zone, key, two(PIN_DIGITS_MAX), ...block, ...ibm, ...offset], nothing, ['02']);
  }

  #changePin({ pin, pan, method, reference, newBlock }: ChangePin): Command {
    if (method.method !== 'pvv') refuse('unsupported', 'change_pin with offsets is not built for this device');
    const zone = this.#pinKey(pin);
    this.#find(method.key, 'verify_pvv');
    const keys = [keyType(zone, '001'), zone.wrapped, this.#key(method.key, 'generate_pvv')];
    const rest = [hex(pin.block), formatCode(pin.format), account(pan), String(method.keyIndex), reference];
    return command('CU', true, [...keys, ...rest, hex(newBlock)], digitsIn(4));
  }

  #setPin({ pin, pan, method }: SetPin): Command {
    if (method.method !== 'pvv') refuse('unsupported', 'set_pin with offsets is not built for this device');
    const zone = this.#pinKey(pin);
    const keys = [keyType(zone, '001'), zone.wrapped, this.#key(method.key, 'generate_pvv')];
    const rest = [hex(pin.block), formatCode(pin.format), account(pan), String(method.keyIndex)];
    return command('FW', false, [...keys, ...rest], digitsIn(4));
  }

  #translate({ pin, pan, toKey, toFormat }: TranslatePin): Command {
    const keys = [this.#pinKey(pin).wrapped, this.#key(toKey, 'encipher_pin')];
    const to = formatCode(toFormat);
    const rest = [two(PIN_DIGITS_MAX), hex(pin.block), formatCode(pin.format), to, account(pan)];
    return command('CC', false, [...keys, ...rest], (fields) => {
      const [length, block, format] = [fields.subarray(0, 2), fields.subarray(2, 18), fields.subarray(18)];
      if (block.length !== 16 || !areDigits(length, 2) || format.toString('latin1') !== to) return undefined;
      const value = unhex(block);
      return value === undefined ? undefined : withValue(value);
    });
  }

  #verifyArqc(request: VerifyArqc): Command {
    const { version, pan, psn, atc, un, arqc, responseCode, cardStatus } = request;
    const key = this.#key(request.key, 'cryptogram');
    const profile = profileOf(version);
    // Padded here: a device pads only what is no whole number of blocks, and with what depends on its version.
    const data = pad(request.data, profile.padding, 8);
    const signed: Part[] = [data.length.toString(16).toUpperCase().padStart(2, '0'), { own: data }, ';', arqc];
    if (data.length > 255) refuse('unsupported', 'verify_arqc: data has more than 255 bytes');
    const answer = responseCode ?? cardStatus;
    const bytes = answer === undefined ? 0 : profile.arpc === 1 ? 8 : 4;
    const read = (fields: Buffer): HsmVerdict | undefined => {
      if (fields.length !== bytes) return undefined;
      return bytes === 0 ? done : withValue(Buffer.from(fields));
    };
    if (profile.session !== 'common') {
      const scheme = profile.session === 'none' ? '0' : '1';
      const head: Part[] = [answer === undefined ? '0' : '1', scheme, key, packedCard(pan, psn), atc, un];
      return command('KQ', true, [...head, ...signed, responseCode ?? ''], read);
    }
    const mode = answer === undefined ? '0' : profile.arpc === 1 ? '1' : '3';
    const own = request.proprietary ?? new Uint8Array(0);
    const tail: Part[] = cardStatus === undefined ? [responseCode ?? ''] : [cardStatus, String(own.length), own];
    const hashed = profile.masterKey === 'B' && pan.length > 16;
    const card: Part[] = hashed ? [two(pan.length + psn.length), packedLong(pan, psn), ';'] : [packedCard(pan, psn)];
    return command('KW', true, [mode, hashed ? '3' : '2', key, ...card, atc, ...signed, ...tail], read);
  }

  /** Data blocks: CBC, binary both ways. */
  #kek({ op, key, iv, data }: EncipherKek | DecipherKek): Command {
    const size = data.length.toString(16).toUpperCase().padStart(4, '0');
    const found = this.#find(key, op);
    const parts: Part[] = ['01', '0', '0', keyType(found, '00B'), found.wrapped, hex(iv), size, data];
    return command(op === 'encipher_kek' ? 'M0' : 'M2', false, parts, (fields) => {
      // The initial value of a next block, which there is none of; then length and data.
      const value = fields.subarray(iv.length * 2 + 4);
      const told = fields.toString('latin1', iv.length * 2, iv.length * 2 + 4);
      return told === size && value.length === data.length ? withValue(copyOf(value)) : undefined;
    });
  }

  #mac(request: GenerateMac | VerifyMac): Command {
    const { algorithm, padding, length, data, ksn } = request;
    if (algorithm !== 'retail' || padding === 3 || ksn !== undefined || (length !== 4 && length !== 8))
      refuse('unsupported', `${request.op}: built for this device are retail MACs of 4 and 8 bytes`);
    const verifies = request.op === 'verify_mac';
    const key = this.#find(request.key, verifies ? 'verify_retail_mac' : 'generate_retail_mac');
    // One message, binary; size; algorithm 3; padding method.
    const modes = `00${length === 4 ? '0' : '1'}3${padding}`;
    const size = data.length.toString(16).toUpperCase().padStart(4, '0');
    const parts: Part[] = [modes, keyType(key, '008'), key.wrapped, size, data];
    if (request.op === 'verify_mac') return command('M8', true, [...parts, hex(request.mac)], nothing);
    return command('M6', false, parts, (fields) => {
      const answer = fields.toString('latin1');
      return answer.length === length * 2 && /^[0-9A-F]+$/.test(answer)
        ? withValue(Buffer.from(answer, 'hex'))
        : undefined;
    });
  }
}

/** The command that asks whether the device is there. */
export function echoCommand(): Command {
  const size = ECHO.length.toString(16).toUpperCase().padStart(4, '0');
  return command('B2', false, [size, ECHO], (fields) => (fields.toString('latin1') === ECHO ? done : undefined));
}

function track({ pan, expiry, serviceCode }: VerifyCvv | GenerateCvv): Part[] {
  return [pan, ';', expiry, serviceCode];
}

/** Key type of a variant key; a key block says it itself. */
const keyType = (key: DeviceKey, variantType: string): string => (key.wrapped.startsWith('S') ? 'FFF' : variantType);

/** The 12 digits left of the check digit. */
function account(pan: Uint8Array): Part {
  const own = outsideHeap(12).fill(ZERO);
  const digits = pan.subarray(0, -1).subarray(-12);
  own.set(digits, 12 - digits.length);
  return { own };
}

function formatCode(format: PinBlockFormat): string {
  return formatCodes[format] ?? refuse('unsupported', `PIN blocks of format ${format} are not built for this device`);
}

/**
 * Validation data as the device wants it: 12 characters, in which N stands for the last five digits of the account number (left of
 * the check digit). Other slices of the PAN cannot be told to it.
 */
function validationData({ start, length, pad: fill }: ValidationData, pan: Uint8Array): Part {
  const at = pan.length - 6 - start;
  if (at < 0 || at + 5 > length)
    refuse('unsupported', 'the validation data does not hold the last five digits of the account');
  const digits = pan.subarray(start, start + length);
  const own = outsideHeap(12).fill(fill.charCodeAt(0));
  own.set(digits.subarray(0, at));
  own[at] = 'N'.charCodeAt(0);
  own.set(digits.subarray(at + 5), at + 1);
  return { own };
}

/** The last 16 digits of PAN and sequence number, packed. */
function packedCard(pan: Uint8Array, psn: Uint8Array): Part {
  return packed(pan, psn, 16);
}

/** All digits of PAN and sequence number, packed, with a zero ahead when they are odd. */
function packedLong(pan: Uint8Array, psn: Uint8Array): Part {
  const digits = pan.length + psn.length;
  return packed(pan, psn, digits + (digits % 2));
}

/** The last `digits` (an even number) of both, two in a byte, with zeros ahead. */
function packed(pan: Uint8Array, psn: Uint8Array, digits: number): Part {
  const own = outsideHeap(digits / 2);
  const fromPan = Math.min(pan.length, digits - psn.length);
  const at = packDigits(pan, pan.length - fromPan, fromPan, own, digits - psn.length - fromPan);
  packDigits(psn, 0, psn.length, own, at);
  return { own };
}

/** Overwrites what was sent. */
export const wipeCommand = ({ fields }: Command): void => wipe(fields);
