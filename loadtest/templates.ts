/**
 * Messages as byte templates. A message of each kind is packed once by the codec; what differs from message to message
 * has a fixed place and a fixed length, so that sending is one copy of some 150 bytes and a few digits written in place.
 *
 * Every message of a run is rebuilt from five numbers (card, amount, STAN, RRN number, DE7): a repeat is therefore the
 * identical bytes again, with the MTI of a repeat, and nothing has to be kept.
 */
import { Decoder } from '#src/iso8583/decoder.js';
import { type DialectName, dialect } from '#src/iso8583/dialects.js';
import { type FramingName, frameOverhead, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack } from '#src/iso8583/message.js';
import { type ChipCards, chipTemplate } from './chip.js';
import { ADVICE, AUTH, INCREMENT, INQUIRY, kinds, REPEAT, REVERSAL, requestMti } from './kinds.js';

/**
 * DE32 of a connection: every connection is an acquirer of its own. STAN and DE7 are unique per acquirer only, and DE90 is
 * made of the three: with one DE32 for all, a reversal would name two authorizations as soon as two connections sent the
 * same STAN for one card in the same second.
 */
export function acquirerOf(connection: number): string {
  return `9990${String(connection).padStart(4, '0')}`;
}
const CURRENCY = '986';
/** The most RRN numbers of one connection and run: seven decimal digits of DE37. */
export const RRN_NUMBERS = 10_000_000;

/** The two characters per connection and three per run that make DE37 unique: run (3) + connection (2) + number (7). */
export function rrnPrefix(run: number, connection: number): string {
  const base36 = (value: number, width: number) =>
    (value % 36 ** width).toString(36).toUpperCase().padStart(width, '0');
  return base36(run, 3) + base36(connection, 2);
}

/** DE41 of a connection. */
export function terminalOf(connection: number): string {
  return `LT${String(connection).padStart(6, '0')}`;
}

function fieldsOf(kind: number, connection: number, expiry: string): Fields {
  const fields: Fields = {
    0: requestMti[kind]!,
    2: '9999990000000000',
    3: kind === INQUIRY ? '310000' : '000000',
    4: '000000000000',
    7: '0101000000',
    11: '000000',
    12: '000000',
    13: '0101',
    14: expiry,
    18: '5411',
    22: '051',
    25: '00',
    32: acquirerOf(connection),
    37: '000000000000',
    41: terminalOf(connection),
    42: 'HOLDFAST LOAD  ',
    43: 'HOLDFAST LOAD TEST     SAO PAULO     BR ',
    49: CURRENCY,
  };
  if (kind === INCREMENT) fields[48] = '2001I';
  if (kind === ADVICE) {
    fields[39] = '00';
    fields[48] = '8401S';
  }
  if (kind === REVERSAL) {
    delete fields[14];
    delete fields[43];
    fields[90] = `0100${'000000'}${'0101000000'}${acquirerOf(connection).padStart(11, '0')}${'0'.repeat(11)}`;
  }
  return fields;
}

/** Everything about one message that is not constant. */
export interface Variables {
  card: number;
  /** Minor units. */
  amount: number;
  stan: number;
  /** Number of the RRN, below RRN_NUMBERS. */
  rrn: number;
  /** DE7, MMDDhhmmss as an integer. */
  de7: number;
  /** Reversals: STAN and DE7 of the original; the RRN is the original's. */
  originalStan: number;
  originalDe7: number;
  /** Counter of the chip, of a template with chip data. */
  counter: number;
}

/** A message of one kind and one connection as a frame with holes. */
export class Template {
  /** Frame (length, header, message) ready to copy. */
  readonly frame: Uint8Array;
  readonly kind: number;
  readonly #packed: boolean;
  readonly #pan: number;
  readonly #amount: number;
  readonly #de7: number;
  readonly #stan: number;
  readonly #time: number;
  readonly #date: number;
  readonly #rrn: number;
  readonly #original: number;
  readonly #chips: ChipCards | undefined;
  readonly #chip: number;

  /** @param chips who signs; the message then has chip data */
  constructor(kind: number, options: WireOptions, connection: number, prefix: string, chips?: ChipCards) {
    this.kind = kind;
    this.#chips = chips;
    this.#packed = options.dialect === 'iso87-bcd';
    const fields = fieldsOf(kind, connection, options.expiry);
    fields[37] = `${prefix}0000000`;
    if (chips !== undefined) fields[55] = chipTemplate;
    const body = pack(options.dialect, fields);
    this.frame = options.wrap(body);
    const decoder = new Decoder(dialect(options.dialect));
    const at = this.frame.length - body.length;
    if (!decoder.decode(this.frame, at, this.frame.length)) {
      throw new Error(`load test template ${kinds[kind]}: ${decoder.errorText()}`);
    }
    this.#pan = decoder.start(2);
    this.#amount = decoder.start(4);
    this.#de7 = decoder.start(7);
    this.#stan = decoder.start(11);
    this.#time = decoder.start(12);
    this.#date = decoder.start(13);
    this.#rrn = decoder.start(37) + prefix.length;
    this.#original = kind === REVERSAL ? decoder.start(90) : -1;
    this.#chip = chips === undefined ? -1 : decoder.start(55);
  }

  /** Writes the message into `out` at `at`; returns the end offset. `pans` holds 16 ASCII digits per card. */
  write(out: Uint8Array, at: number, values: Variables, pans: Uint8Array): number {
    out.set(this.frame, at);
    const time = values.de7 % 1_000_000;
    const date = Math.floor(values.de7 / 1_000_000);
    if (this.#packed) {
      const panAt = at + this.#pan;
      for (let i = 0, from = values.card * 16; i < 8; i++, from += 2) {
        out[panAt + i] = ((pans[from]! & 15) << 4) | (pans[from + 1]! & 15);
      }
      putPacked(out, at + this.#amount, 6, values.amount);
      putPacked(out, at + this.#de7, 5, values.de7);
      putPacked(out, at + this.#stan, 3, values.stan);
      putPacked(out, at + this.#time, 3, time);
      putPacked(out, at + this.#date, 2, date);
    } else {
      const panAt = at + this.#pan;
      for (let i = 0, from = values.card * 16; i < 16; i++) out[panAt + i] = pans[from + i]!;
      putDigits(out, at + this.#amount, 12, values.amount);
      putDigits(out, at + this.#de7, 10, values.de7);
      putDigits(out, at + this.#stan, 6, values.stan);
      putDigits(out, at + this.#time, 6, time);
      putDigits(out, at + this.#date, 4, date);
    }
    putDigits(out, at + this.#rrn, 7, values.rrn);
    this.#chips?.sign(out, at + this.#chip, values.card, values.amount, values.rrn, values.counter);
    if (this.#original >= 0) {
      if (this.#packed) {
        putPacked(out, at + this.#original + 2, 3, values.originalStan);
        putPacked(out, at + this.#original + 5, 5, values.originalDe7);
      } else {
        putDigits(out, at + this.#original + 4, 6, values.originalStan);
        putDigits(out, at + this.#original + 10, 10, values.originalDe7);
      }
    }
    return at + this.frame.length;
  }
}

/** Digits of a number, two per byte, right-aligned with leading zeros. */
function putPacked(out: Uint8Array, at: number, bytes: number, value: number): void {
  let rest = value;
  for (let i = at + bytes - 1; i >= at; i--) {
    const upper = Math.floor(rest / 100);
    const pair = rest - upper * 100;
    const tens = (pair * 205) >> 11; // pair / 10 for 0..99
    out[i] = (tens << 4) | (pair - tens * 10);
    rest = upper;
  }
}

/** Digits of a number in ASCII, right-aligned with leading zeros. */
function putDigits(out: Uint8Array, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const upper = Math.floor(rest / 10);
    out[i] = 48 + (rest - upper * 10);
    rest = upper;
  }
}

/** How messages travel: the dialect, and what stands in front of each. */
export interface WireOptions {
  readonly dialect: DialectName;
  /** DE14, YYMM. */
  readonly expiry: string;
  wrap(body: Uint8Array): Uint8Array;
}

/** Frames of a stream transport: length, then a header of zeros when there is one. */
export function streamWire(
  dialectName: DialectName,
  expiry: string,
  framing: FramingName,
  headerBytes: number,
): WireOptions {
  const options = { framing, headerBytes, maxBytes: 4096 };
  return {
    dialect: dialectName,
    expiry,
    wrap(body) {
      const frame = new Uint8Array(frameOverhead(options) + body.length);
      const at = writeFrame(options, frame, 0, body.length, new Uint8Array(headerBytes));
      frame.set(body, at);
      return frame;
    },
  };
}

/**
 * Frames of a WebSocket client: final binary frame, masked with the key 0, which leaves the payload as it is. The server
 * unmasks it like any other (the key is the client's free choice), and templates stay patchable in place.
 */
export function webSocketWire(dialectName: DialectName, expiry: string): WireOptions {
  return { dialect: dialectName, expiry, wrap: (body) => webSocketFrame(0x82, body) };
}

/** One masked frame (key 0): `head` is FIN and opcode. */
export function webSocketFrame(head: number, body: Uint8Array): Uint8Array {
  const long = body.length > 125;
  const frame = new Uint8Array(2 + (long ? 2 : 0) + 4 + body.length);
  frame[0] = head;
  frame[1] = 0x80 | (long ? 126 : body.length);
  if (long) {
    frame[2] = body.length >>> 8;
    frame[3] = body.length & 0xff;
  }
  frame.set(body, frame.length - body.length);
  return frame;
}

/** The templates of one connection, by kind. */
export function templatesOf(options: WireOptions, run: number, connection: number): readonly Template[] {
  const prefix = rrnPrefix(run, connection);
  return kinds.map((_, kind) => new Template(kind, options, connection, prefix));
}

/** Auths and their repeats with chip data, by kind. */
export function chipTemplatesOf(
  options: WireOptions,
  run: number,
  connection: number,
  chips: ChipCards,
): Readonly<Record<number, Template>> {
  const prefix = rrnPrefix(run, connection);
  return Object.fromEntries(
    [AUTH, REPEAT].map((kind) => [kind, new Template(kind, options, connection, prefix, chips)]),
  );
}

/** Largest frame of any template. */
export function frameBytesMax(templates: readonly Template[]): number {
  return templates.reduce((max, template) => Math.max(max, template.frame.length), 0);
}

/** Kinds whose effect on the hold is their amount. */
export function addsAmount(kind: number): boolean {
  return kind === AUTH || kind === INCREMENT || kind === ADVICE || kind === REPEAT;
}
