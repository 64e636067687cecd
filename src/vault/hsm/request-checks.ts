/**
 * What is wrong with a request, before a key or a device sees it. Answers name fields, never values.
 */

import { isSoundTable } from '../../decimalisation-table.js';
import { HSM_DATA_BYTES_MAX } from '../../limits.js';
import { areDigits } from '../card/bytes.js';
import { AES_KSN_BYTES, isAesKsn } from '../card/dukpt-aes.js';
import { isTdesKsn, TDES_KSN_BYTES } from '../card/dukpt-tdes.js';
import { cryptogramProfiles, profileOf } from '../card/emv-profiles.js';
import { mayTranslate, pinBlockBytes, pinBlockFormats } from '../card/pin-block.js';
import { fitsPan, PIN_DIGITS_MAX, PIN_DIGITS_MIN, PVV_DIGITS } from '../card/pin-reference.js';
import type {
  AnswerArqc,
  EncipheredPin,
  GenerateMac,
  HsmRequest,
  HsmVerdict,
  PinMethod,
  VerifyArqc,
  VerifyCvc3,
  VerifyMac,
} from './port.js';
import { failed } from './port.js';

/** A PVV covers 11 digits left of the check digit; DE2 has at most 19. */
const PAN_DIGITS_MIN = 12;
const PAN_DIGITS_MAX = 19;
const ARQC_BYTES = 8;
const PROPRIETARY_BYTES_MAX = 8;
const HEADER_BYTES = 5;

/** The first of the faults. */
const first = (...faults: readonly (string | undefined)[]): string | undefined =>
  faults.find((fault) => fault !== undefined);
const unless = (sound: boolean, fault: string): string | undefined => (sound ? undefined : fault);
const bytes = (value: Uint8Array, count: number, name: string): string | undefined =>
  unless(value.length === count, `${name} has not ${count} bytes`);

const panFault = (pan: Uint8Array): string | undefined =>
  unless(areDigits(pan, PAN_DIGITS_MIN, PAN_DIGITS_MAX), 'pan has not 12 to 19 digits');
const psnFault = (psn: Uint8Array): string | undefined => unless(areDigits(psn, 2), 'psn has not 2 digits');

const trackFault = (expiry: string, serviceCode: string): string | undefined =>
  first(
    unless(/^[0-9]{4}$/.test(expiry), 'expiry has not 4 digits'),
    unless(/^[0-9]{3}$/.test(serviceCode), 'serviceCode has not 3 digits'),
  );

const isKsn = (ksn: Uint8Array): boolean =>
  ksn.length === TDES_KSN_BYTES ? isTdesKsn(ksn) : ksn.length === AES_KSN_BYTES && isAesKsn(ksn);

function pinFault(pin: EncipheredPin): string | undefined {
  if (!pinBlockFormats.includes(pin.format)) return 'pin.format is none of 0, 1, 3 and 4';
  const { ksn } = pin;
  return first(
    bytes(pin.block, pinBlockBytes(pin.format), 'pin.block'),
    ksn === undefined ? undefined : unless(isKsn(ksn), 'pin.ksn is no key serial number'),
    // The two kinds of DUKPT have one cipher each, and so have the formats.
    ksn === undefined
      ? undefined
      : unless((ksn.length === AES_KSN_BYTES) === (pin.format === 4), 'pin.ksn does not fit pin.format'),
  );
}

function methodFault(method: PinMethod, panDigits: number): string | undefined {
  if (method.method === 'pvv') {
    const { keyIndex } = method;
    return unless(Number.isInteger(keyIndex) && keyIndex >= 0 && keyIndex <= 9, 'method.keyIndex is not 0 to 9');
  }
  return first(
    unless(isSoundTable(method.table), 'method.table has not 8 different digits, none more than four times'),
    unless(fitsPan(method.validation, panDigits), 'method.validation does not fit the pan'),
  );
}

function referenceFault(method: PinMethod, reference: Uint8Array): string | undefined {
  if (method.method === 'pvv') return unless(areDigits(reference, PVV_DIGITS), 'reference has not 4 digits');
  return unless(areDigits(reference, PIN_DIGITS_MIN, PIN_DIGITS_MAX), 'reference has not 4 to 12 digits');
}

function cvc3Fault({ track, un, atc, cvc3 }: VerifyCvc3): string | undefined {
  return first(
    unless(track.length >= 2 && track.length <= HSM_DATA_BYTES_MAX, 'track is too short or too long'),
    bytes(un, 4, 'un'),
    bytes(atc, 2, 'atc'),
    unless(areDigits(cvc3, 3, 5), 'cvc3 has not 3 to 5 digits'),
  );
}

function arqcFault(request: VerifyArqc | AnswerArqc): string | undefined {
  const { version, responseCode, cardStatus, proprietary } = request;
  if (!Object.hasOwn(cryptogramProfiles, version)) return 'version is unknown';
  const method = profileOf(version).arpc;
  return first(
    bytes(request.atc, 2, 'atc'),
    bytes(request.un, 4, 'un'),
    bytes(request.arqc, ARQC_BYTES, 'arqc'),
    request.op === 'verify_arqc'
      ? unless(request.data.length >= 1 && request.data.length <= HSM_DATA_BYTES_MAX, 'data is empty or too long')
      : unless((method === 1 ? responseCode : cardStatus) !== undefined, 'nothing is to be answered'),
    responseCode === undefined ? undefined : bytes(responseCode, 2, 'responseCode'),
    cardStatus === undefined ? undefined : bytes(cardStatus, 4, 'cardStatus'),
    unless(method === 1 ? cardStatus === undefined : responseCode === undefined, `version has ARPC method ${method}`),
    unless((proprietary?.length ?? 0) <= PROPRIETARY_BYTES_MAX, 'proprietary has more than 8 bytes'),
    unless(proprietary === undefined || cardStatus !== undefined, 'proprietary comes without cardStatus'),
  );
}

function macFault({ key: _key, ksn, direction, algorithm, length, data }: GenerateMac | VerifyMac): string | undefined {
  const wide = algorithm === 'cmac' || algorithm === 'cbc';
  return first(
    unless(data.length <= HSM_DATA_BYTES_MAX, 'data is too long'),
    unless(Number.isInteger(length) && length >= 4 && length <= (wide ? 16 : 8), 'length is no length of a MAC'),
    ksn === undefined ? undefined : unless(isKsn(ksn), 'ksn is no key serial number'),
    unless((ksn === undefined) === (direction === undefined), 'ksn and direction come together'),
    ksn === undefined
      ? undefined
      : unless((ksn.length === AES_KSN_BYTES) === (algorithm === 'cmac'), 'ksn does not fit algorithm'),
    ksn === undefined ? undefined : unless(algorithm !== 'cbc', 'terminals have no CBC MAC'),
  );
}

function fault(request: HsmRequest): string | undefined {
  switch (request.op) {
    case 'verify_cvv':
    case 'generate_cvv':
      return first(
        panFault(request.pan),
        trackFault(request.expiry, request.serviceCode),
        request.op === 'verify_cvv' ? unless(areDigits(request.cvv, 3), 'cvv has not 3 digits') : undefined,
      );
    case 'verify_dcvv':
      return first(
        panFault(request.pan),
        psnFault(request.psn),
        trackFault(request.expiry, request.serviceCode),
        bytes(request.atc, 2, 'atc'),
        unless(areDigits(request.cvv, 3), 'cvv has not 3 digits'),
      );
    case 'verify_cvc3':
      return first(panFault(request.pan), psnFault(request.psn), cvc3Fault(request));
    case 'verify_pin':
    case 'change_pin':
      return first(
        panFault(request.pan),
        pinFault(request.pin),
        methodFault(request.method, request.pan.length),
        referenceFault(request.method, request.reference),
        request.op === 'change_pin'
          ? bytes(request.newBlock, pinBlockBytes(request.pin.format), 'newBlock')
          : undefined,
      );
    case 'set_pin':
      return first(panFault(request.pan), pinFault(request.pin), methodFault(request.method, request.pan.length));
    case 'translate_pin':
      return first(
        panFault(request.pan),
        pinFault(request.pin),
        unless(pinBlockFormats.includes(request.toFormat), 'toFormat is none of 0, 1, 3 and 4'),
      );
    case 'verify_arqc':
    case 'answer_arqc':
      return first(panFault(request.pan), psnFault(request.psn), arqcFault(request));
    case 'script_mac':
    case 'script_pin_change':
      return first(
        panFault(request.pan),
        psnFault(request.psn),
        unless(Object.hasOwn(cryptogramProfiles, request.version), 'version is unknown'),
        bytes(request.atc, 2, 'atc'),
        bytes(request.arqc, ARQC_BYTES, 'arqc'),
        request.op === 'script_mac' ? scriptFault(request.header, request.data) : pinFault(request.pin),
        request.op === 'script_pin_change' && request.currentBlock !== undefined
          ? bytes(request.currentBlock, pinBlockBytes(request.pin.format), 'currentBlock')
          : undefined,
      );
    case 'generate_mac':
      return macFault(request);
    case 'verify_mac':
      return first(macFault(request), bytes(request.mac, request.length, 'mac'));
    case 'encipher_kek':
    case 'decipher_kek':
      return first(bytes(request.iv, 16, 'iv'), bytes(request.data, 32, 'data'));
    case 'describe_key':
    case 'import_key':
    case 'export_key':
    case 'echo':
      return undefined;
  }
}

const scriptFault = (header: Uint8Array, data: Uint8Array): string | undefined =>
  first(bytes(header, HEADER_BYTES, 'header'), unless(data.length <= 255, 'data has more than 255 bytes'));

/** The verdict on a request that is malformed, or that PCI PIN 3-3 forbids; undefined when it may go on. */
export function requestFault(request: HsmRequest): HsmVerdict | undefined {
  const found = fault(request);
  if (found !== undefined) return failed('bad_request', `${request.op}: ${found}`);
  if (request.op === 'translate_pin' && !mayTranslate(request.pin.format, request.toFormat))
    return failed('not_allowed', `PIN blocks of format ${request.pin.format} do not become format ${request.toFormat}`);
  return undefined;
}
