/**
 * Building ISO 8583 messages from options: what `iso build` and `iso send` share. Every element has a plausible default, so
 * that `iso send --demo-card 1` is a complete purchase; `--field N=V` has the last word.
 */

import { randomInt } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { HoldfastError } from '../errors.js';
import { type DialectName, dialectNames } from '../iso8583/dialects.js';
import { type Fields, IsoError, pack } from '../iso8583/message.js';
import { hint } from '../suggest.js';
import { isPan } from '../vault/pan.js';
import { wholeNumber } from './command.js';
import { DEMO_CARDS, DEMO_CURRENCY, DEMO_EXPIRY, demoPan } from './demo-program.js';

/** DE70 of network management messages. */
const networkCodes = { 'sign-on': '001', 'sign-off': '002', cutover: '201', echo: '301' } as const;
type NetworkMessage = keyof typeof networkCodes;

export interface MessageOptions {
  mti?: string;
  pan?: string;
  demoCard?: number;
  amount?: number;
  currency?: string;
  processingCode?: string;
  mcc?: string;
  country?: string;
  expiry?: string;
  entryMode?: string;
  stan?: string;
  rrn?: string;
  transmission?: string;
  acquirer?: string;
  terminal?: string;
  merchant?: string;
  merchantName?: string;
  partial?: boolean;
  network?: NetworkMessage;
  field?: Record<string, string>;
}

/** An option value made of `count` digits, or of one of several counts. */
function digits(...counts: number[]): (text: string) => string {
  return (text) => {
    if (!/^\d+$/.test(text) || !counts.includes(text.length)) {
      throw new InvalidArgumentError(`Allowed: ${counts.join(' or ')} digits.`);
    }
    return text;
  };
}

function printable(max: number): (text: string) => string {
  return (text) => {
    if (!/^[\x20-\x7e]+$/.test(text) || text.length > max) {
      throw new InvalidArgumentError(`Allowed: 1 to ${max} printable characters.`);
    }
    return text;
  };
}

export function oneOf<Name extends string>(names: readonly Name[]): (text: string) => Name {
  return (text) => {
    const name = names.find((one) => one === text);
    if (name === undefined) throw new InvalidArgumentError(`Allowed: ${names.join(', ')}${hint(text, names)}.`);
    return name;
  };
}

/** Gathers `--field N=VALUE` options. */
export function collectField(text: string, before: Record<string, string> = {}): Record<string, string> {
  const match = /^(\d{1,3})=(.*)$/s.exec(text);
  if (match === null) throw new InvalidArgumentError('Allowed: N=VALUE, such as 60=TEST or 52=hex:0011223344556677.');
  return { ...before, [String(Number(match[1]))]: match[2]! };
}

export function addDialectOption(command: Command): Command {
  return command.option(
    '--dialect <name>',
    `dialect: ${dialectNames.join(', ')} (iso87-bcd)`,
    oneOf<DialectName>(dialectNames),
  );
}

export function addMessageOptions(command: Command): Command {
  return addDialectOption(command)
    .option('--mti <mti>', 'message type (0100); 0500 and 0520 need no card, but figures by --field', digits(4))
    .option('--pan <digits>', 'card number, DE2; - reads it from stdin, which keeps it out of the shell history')
    .option('--demo-card <n>', `card n of the demo program, 1 to ${DEMO_CARDS}`, wholeNumber(1, DEMO_CARDS))
    .option('--amount <minor units>', 'DE4 (1000)', wholeNumber(0, 999_999_999_999))
    .option('--currency <numeric>', `DE49, of totals DE50, ISO 4217 numeric (${DEMO_CURRENCY})`, digits(3))
    .option('--processing-code <code>', 'DE3 (000000)', digits(6))
    .option('--mcc <code>', 'DE18 (5411)', digits(4))
    .option('--country <numeric>', 'DE19, ISO 3166 numeric (076)', digits(3))
    .option('--expiry <YYMM>', `DE14 (${DEMO_EXPIRY} for demo cards)`, digits(4))
    .option('--entry-mode <code>', 'DE22 (012)', digits(3))
    .option('--stan <number>', 'DE11 (random)', digits(6))
    .option('--rrn <text>', 'DE37, 12 characters (made of time and STAN)', printable(12))
    .option('--transmission <MMDDhhmmss>', 'DE7 (now, UTC)', digits(10))
    .option('--acquirer <id>', 'DE32 (999901)', digits(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
    .option('--terminal <id>', 'DE41 (TERM0001)', printable(8))
    .option('--merchant <id>', 'DE42 (MERCHANT0000001)', printable(15))
    .option('--merchant-name <text>', 'DE43', printable(40))
    .option('--partial', 'the terminal supports partial approvals (DE48 tag 61)')
    .option('--network <message>', 'an 0800 instead: sign-on, sign-off, cutover, echo', oneOf(networkNames))
    .option('--field <N=V>', 'set a field; `hex:` before binary values; empty removes it; repeatable', collectField);
}

const networkNames = Object.keys(networkCodes) as NetworkMessage[];

/** The fields that the options describe. @throws HoldfastError `usage` */
export function messageFields(options: MessageOptions, now: Date = new Date()): Fields {
  const stan = options.stan ?? String(randomInt(1, 1_000_000)).padStart(6, '0');
  const transmission = options.transmission ?? compact(now).slice(4, 14);
  const fields = withoutOverrides(options, stan, transmission, now);
  for (const [field, value] of Object.entries(options.field ?? {})) {
    if (value === '') delete fields[field];
    else fields[field] = value;
  }
  return fields;
}

function withoutOverrides(options: MessageOptions, stan: string, transmission: string, now: Date): Fields {
  const { network, mti = network === undefined ? '0100' : '0800' } = options;
  const head = { 0: mti, 7: transmission, 11: stan };
  if (network !== undefined) return { ...head, 70: networkCodes[network] };
  // Totals of an acquirer are about no card.
  if (mti.startsWith('05')) {
    return { ...head, 32: options.acquirer ?? '999901', 50: options.currency ?? DEMO_CURRENCY };
  }
  return cardFields(options, stan, transmission, now);
}

function cardFields(options: MessageOptions, stan: string, transmission: string, now: Date): Fields {
  const { demoCard } = options;
  const pan = options.pan ?? (demoCard === undefined ? undefined : demoPan(demoCard));
  if (pan === undefined && options.field?.['2'] === undefined && options.field?.['35'] === undefined) {
    throw new HoldfastError('usage', 'no card', 'give --demo-card <n>, --pan <digits> or --field 35=<track 2>');
  }
  if (options.pan !== undefined && !isPan(options.pan)) {
    throw new HoldfastError('usage', '--pan is no card number', 'give 13 to 19 digits with a valid check digit');
  }
  const expiry = options.expiry ?? (demoCard === undefined ? undefined : DEMO_EXPIRY);
  const local = compact(now);
  return {
    0: options.mti ?? '0100',
    ...(pan === undefined ? {} : { 2: pan }),
    3: options.processingCode ?? '000000',
    4: String(options.amount ?? 1000).padStart(12, '0'),
    7: transmission,
    11: stan,
    12: local.slice(8, 14),
    13: local.slice(4, 8),
    ...(expiry === undefined ? {} : { 14: expiry }),
    18: options.mcc ?? '5411',
    19: options.country ?? '076',
    22: options.entryMode ?? '012',
    25: '00',
    32: options.acquirer ?? '999901',
    37: (options.rrn ?? `${dayAndHour(now)}${stan}`).padEnd(12, ' '),
    41: (options.terminal ?? 'TERM0001').padEnd(8, ' '),
    42: (options.merchant ?? 'MERCHANT0000001').padEnd(15, ' '),
    43: (options.merchantName ?? 'HOLDFAST TEST SHOP       SAO PAULO    BR').padEnd(40, ' '),
    ...(options.partial === true ? { 48: '61011' } : {}),
    49: options.currency ?? DEMO_CURRENCY,
  };
}

/** YYYYMMDDhhmmss, UTC. */
function compact(time: Date): string {
  return time.toISOString().replace(/\D/g, '').slice(0, 14);
}

/** YDDDhh: last digit of the year, day of the year, hour; how acquirers begin a retrieval reference number. */
function dayAndHour(time: Date): string {
  const day = Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
  const hour = String(time.getUTCHours()).padStart(2, '0');
  return `${time.getUTCFullYear() % 10}${String(day).padStart(3, '0')}${hour}`;
}

/** The repeat (xxx1) of a request. */
export function repeatOf(fields: Fields): Fields {
  return { ...fields, 0: `${fields['0']!.slice(0, 3)}1` };
}

/** The full reversal (0400) of a request, pointing to it by DE90, with its own STAN and time. */
export function reversalOf(fields: Fields, approval: string | undefined, now: Date = new Date()): Fields {
  const own = { 7: compact(now).slice(4, 14), 11: String((Number(fields['11']) % 999_999) + 1).padStart(6, '0') };
  const institution = (field: number): string => (fields[field] ?? '').padStart(11, '0');
  const original = `${fields['0']}${fields['11']}${fields['7']}${institution(32)}${institution(33)}`;
  const { 48: _private, 35: _track2, 45: _track1, 52: _pin, 55: _chip, ...kept } = fields;
  return { ...kept, ...own, 0: '0400', 90: original, ...(approval === undefined ? {} : { 38: approval }) };
}

/** Bytes of the fields. @throws HoldfastError `usage` that names the field, never its content */
export function packOrExplain(name: DialectName, fields: Fields): Uint8Array {
  try {
    return pack(name, fields);
  } catch (error) {
    if (!(error instanceof IsoError)) throw error;
    throw new HoldfastError('usage', error.message, 'correct the option or the --field of that number');
  }
}

/** Bytes of hex digits with any white space. @throws HoldfastError `usage` */
export function hexBytes(text: string): Uint8Array {
  const hex = text.replace(/\s+|0x/g, '');
  if (hex === '' || hex.length % 2 !== 0 || !/^[0-9A-Fa-f]+$/.test(hex)) {
    throw new HoldfastError(
      'usage',
      'not an even number of hex digits',
      'give the bytes as hex, or - to read them from stdin',
    );
  }
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
