/** Reads and writes the table `cryptography` of a program (cryptography-table.ts). */
import { isSoundTable } from '../../decimalisation-table.js';
import { isObject, type JsonReader, memberPointer } from '../controls/json-reader.js';
import type {
  ChipRule,
  CryptographyTable,
  Cvv2Rule,
  Ibm3624Rule,
  OnWrong,
  PinRule,
  StripeRule,
  ThreeDSecureRule,
} from './cryptography-table.js';

const RULES = ['cvv', 'cvv2', 'pin', 'chip', 'three_d_secure'] as const;
const CVV = ['key', 'expiry', 'offset', 'on_wrong'] as const;
const CVV2 = ['key', 'expiry', 'on_wrong'] as const;
const PIN = ['format', 'zone_key', 'zone_keys', 'pvv_keys', 'ibm3624'] as const;
const IBM3624 = ['key', 'table', 'validation'] as const;
const CHIP = ['scheme', 'key', 'on_wrong', 'jump_max', 'on_jump', 'approved_status', 'declined_status'] as const;

/** No run of digits that could be a card number. */
const KEY_NAME = /^(?!.*\d{13})[A-Za-z0-9_.:-]{1,64}$/;
/** DE35 has 37 digits: no value begins behind the 20th of what follows a service code. */
const OFFSET_MAX = 20;
const ORDERS = ['YYMM', 'MMYY'] as const;
const ON_WRONG = ['decline', 'record'] as const;
const LEVELS_MAX = 50;
const LINK_NUMBER = /^[1-9]\d{0,4}$/;
const COUNTER_MAX = 0xffff;
const DEFAULT_JUMP = 1000;
/** Byte 2, bit 8: the issuer approves. */
const APPROVED_STATUS = '00800000';
const DECLINED_STATUS = '00000000';
const encoder = new TextEncoder();

export function readCryptography(reader: JsonReader, value: unknown, pointer: string): CryptographyTable {
  const given = reader.members(value, pointer, RULES) ?? {};
  const read = <T>(name: (typeof RULES)[number], how: (value: unknown, at: string) => T): T | undefined =>
    given[name] === undefined ? undefined : how(given[name], `${pointer}/${name}`);
  return {
    stripe: read('cvv', (rule, at) => readStripe(reader, rule, at)),
    cvv2: read('cvv2', (rule, at) => readCvv2(reader, rule, at)),
    pin: read('pin', (rule, at) => readPin(reader, rule, at)),
    chip: read('chip', (rule, at) => readChip(reader, rule, at)),
    threeDSecure: read('three_d_secure', (rule, at) => readThreeDSecure(reader, rule, at)),
  };
}

function readStripe(reader: JsonReader, value: unknown, at: string): StripeRule {
  const { key, expiry, offset, on_wrong: onWrong } = reader.members(value, at, CVV) ?? {};
  return {
    key: readKey(reader, key, `${at}/key`),
    expiry: chosen(reader, expiry, `${at}/expiry`, ORDERS, 'YYMM'),
    offset: integer(reader, offset, `${at}/offset`, 0, OFFSET_MAX, 5),
    onWrong: readOnWrong(reader, onWrong, `${at}/on_wrong`, 'decline'),
  };
}

function readCvv2(reader: JsonReader, value: unknown, at: string): Cvv2Rule {
  const { key, expiry, on_wrong: onWrong } = reader.members(value, at, CVV2) ?? {};
  return {
    key: readKey(reader, key, `${at}/key`),
    expiry: chosen(reader, expiry, `${at}/expiry`, ORDERS, 'YYMM'),
    onWrong: readOnWrong(reader, onWrong, `${at}/on_wrong`, 'decline'),
  };
}

function readPin(reader: JsonReader, value: unknown, at: string): PinRule {
  const { format, zone_key: zone, zone_keys: zones, pvv_keys: pvv, ibm3624 } = reader.members(value, at, PIN) ?? {};
  const pvvKeys = readKeys(reader, pvv, `${at}/pvv_keys`, /^\d$/, 'a key index is one digit');
  if (ibm3624 === undefined && Object.keys(pvvKeys).length === 0)
    reader.fail(at, 'needs pvv_keys, ibm3624 or both: nothing to compare a PIN with');
  const formats = ['0', '1', '3'] as const;
  return {
    format: Number(
      chosen(reader, format === undefined ? undefined : String(format), `${at}/format`, formats, '0'),
    ) as PinRule['format'],
    zoneKey: readKey(reader, zone, `${at}/zone_key`),
    zoneKeys: readKeys(reader, zones, `${at}/zone_keys`, LINK_NUMBER, 'a zone is named by the number of its link'),
    pvvKeys,
    ibm3624: ibm3624 === undefined ? undefined : readIbm3624(reader, ibm3624, `${at}/ibm3624`),
  };
}

function readIbm3624(reader: JsonReader, value: unknown, at: string): Ibm3624Rule {
  const { key, table, validation } = reader.members(value, at, IBM3624) ?? {};
  if (typeof table !== 'string' || !isSoundTable(encoder.encode(table)))
    reader.fail(`${at}/table`, 'must be 16 digits, at least 8 different ones and none more often than four times');
  const place = `${at}/validation`;
  const { start, length, pad } = reader.members(validation ?? {}, place, ['start', 'length', 'pad']) ?? {};
  if (pad !== undefined && (typeof pad !== 'string' || !/^[0-9A-F]$/.test(pad)))
    reader.fail(`${place}/pad`, 'must be one hexadecimal digit');
  const first = integer(reader, start, `${place}/start`, 0, 15, 0);
  const digits = integer(reader, length, `${place}/length`, 1, 16, 12);
  // The shortest number of a card has 13 digits; an adapter is asked with whatever number a message shows.
  if (first + digits > 16) reader.fail(place, 'start and length go beyond 16 digits');
  return {
    key: readKey(reader, key, `${at}/key`),
    table: String(table),
    validation: { start: first, length: digits, pad: String(pad ?? 'F') },
  };
}

function readChip(reader: JsonReader, value: unknown, at: string): ChipRule {
  const given = reader.members(value, at, CHIP) ?? {};
  const status = (name: 'approved_status' | 'declined_status', otherwise: string): string => {
    const text = given[name];
    if (text === undefined) return otherwise;
    if (typeof text === 'string' && /^[0-9A-Fa-f]{8}$/.test(text)) return text.toUpperCase();
    reader.fail(`${at}/${name}`, 'must be 8 hexadecimal digits');
    return otherwise;
  };
  return {
    scheme: reader.oneOf(given.scheme, `${at}/scheme`, ['visa', 'mchip']) ?? 'visa',
    key: readKey(reader, given.key, `${at}/key`),
    onWrong: readOnWrong(reader, given.on_wrong, `${at}/on_wrong`, 'decline'),
    jumpMax: integer(reader, given.jump_max, `${at}/jump_max`, 1, COUNTER_MAX, DEFAULT_JUMP),
    onJump: readOnWrong(reader, given.on_jump, `${at}/on_jump`, 'record'),
    approvedStatus: status('approved_status', APPROVED_STATUS),
    declinedStatus: status('declined_status', DECLINED_STATUS),
  };
}

function readThreeDSecure(reader: JsonReader, value: unknown, at: string): ThreeDSecureRule {
  const { deny } = reader.members(value, at, ['deny']) ?? {};
  const levels: number[] = [];
  for (const [i, level] of (reader.entries(deny, `${at}/deny`, LEVELS_MAX) ?? []).entries()) {
    if (typeof level === 'string' && /^\d{3}$/.test(level)) levels.push(Number(level));
    else reader.fail(`${at}/deny/${i}`, 'must be three digits in quotes');
  }
  return { deny: levels };
}

function readKey(reader: JsonReader, value: unknown, at: string): string {
  if (typeof value === 'string' && KEY_NAME.test(value)) return value;
  reader.fail(at, 'must be the name of a key: 1 to 64 characters of A-Z a-z 0-9 _ . : -');
  return '';
}

/** Names of keys by a number. */
function readKeys(
  reader: JsonReader,
  value: unknown,
  at: string,
  name: RegExp,
  why: string,
): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isObject(value)) {
    reader.fail(at, 'must be an object');
    return {};
  }
  const keys: Record<string, string> = {};
  for (const [number, key] of Object.entries(value)) {
    if (name.test(number)) keys[number] = readKey(reader, key, `${at}/${number}`);
    else reader.fail(memberPointer(at, number), why);
  }
  return keys;
}

function chosen<T extends string>(
  reader: JsonReader,
  value: unknown,
  at: string,
  words: readonly T[],
  otherwise: T,
): T {
  return value === undefined ? otherwise : (reader.oneOf(value, at, words) ?? otherwise);
}

const readOnWrong = (reader: JsonReader, value: unknown, at: string, otherwise: OnWrong): OnWrong =>
  chosen(reader, value, at, ON_WRONG, otherwise);

const integer = (
  reader: JsonReader,
  value: unknown,
  at: string,
  least: number,
  most: number,
  otherwise: number,
): number => (value === undefined ? otherwise : (reader.integer(value, at, least, most) ?? otherwise));

/** As `readCryptography` reads it: rules that there are, with their defaults. */
export function printCryptography(table: CryptographyTable): Record<string, unknown> {
  const { stripe, cvv2, pin, chip, threeDSecure } = table;
  return {
    ...(stripe === undefined
      ? {}
      : { cvv: { key: stripe.key, expiry: stripe.expiry, offset: stripe.offset, on_wrong: stripe.onWrong } }),
    ...(cvv2 === undefined ? {} : { cvv2: { key: cvv2.key, expiry: cvv2.expiry, on_wrong: cvv2.onWrong } }),
    ...(pin === undefined ? {} : { pin: printPin(pin) }),
    ...(chip === undefined
      ? {}
      : {
          chip: {
            scheme: chip.scheme,
            key: chip.key,
            on_wrong: chip.onWrong,
            jump_max: chip.jumpMax,
            on_jump: chip.onJump,
            approved_status: chip.approvedStatus,
            declined_status: chip.declinedStatus,
          },
        }),
    ...(threeDSecure === undefined
      ? {}
      : { three_d_secure: { deny: threeDSecure.deny.map((level) => String(level).padStart(3, '0')) } }),
  };
}

function printPin({ format, zoneKey, zoneKeys, pvvKeys, ibm3624 }: PinRule): Record<string, unknown> {
  return {
    format,
    zone_key: zoneKey,
    zone_keys: zoneKeys,
    pvv_keys: pvvKeys,
    ...(ibm3624 === undefined ? {} : { ibm3624 }),
  };
}
