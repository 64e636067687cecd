/**
 * ISO 8583 messages in each dialect. Held against every input:
 * - the outcome depends on the bytes of the message alone, not on those around it;
 * - a second reader, made from the documentation, finds the same fields, or the same first error in the same place;
 * - what was accepted can be written again, field by field and as a whole, and says the same;
 * - an error text tells field and offset and nothing of the message; descriptions and masked bytes do not show its card number.
 */
import { Decoder } from '#src/iso8583/decoder.js';
import { type DialectName, dialect, dialectNames } from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { fieldSpecs } from '#src/iso8583/fields.js';
import { maskedBytes } from '#src/iso8583/mask.js';
import { describeText, type Fields, IsoError, pack, unpack } from '#src/iso8583/message.js';
import { MESSAGE_BYTES_MAX } from '#src/limits.js';
import type { Random } from '../../crash/random.js';
import { isoSeeds, randomValue } from '../iso-messages.js';
import { naiveDecode } from '../naive-iso8583.js';
import { type FuzzTarget, latin1, must, type OpenTarget, type Verdict } from '../target.js';

/** What a decoder that reads too far would believe: digits of BCD and of ASCII, and neither. */
const poisons = [0x00, 0x31, 0xff];
/** Card numbers that are shown nowhere: of the message itself, in full. */
const NUMBER_MIN = 13;

export class DecoderTarget implements OpenTarget {
  readonly #name: DialectName;
  readonly #decoders: Decoder[];
  readonly #encoder: Encoder;
  readonly #places = poisons.map((poison) => new Uint8Array(5000).fill(poison));
  readonly #copy = new Uint8Array(5000);
  readonly #text = Buffer.alloc(1200);
  readonly #other = Buffer.alloc(1200);

  constructor(name: DialectName, make: () => Decoder = () => new Decoder(dialect(name))) {
    this.#name = name;
    this.#decoders = poisons.map(make);
    this.#encoder = new Encoder(dialect(name));
  }

  run(input: Uint8Array): Verdict {
    const [decoder, ...others] = this.#decoders as [Decoder, ...Decoder[]];
    this.#decoders.forEach((one, i) => {
      const place = this.#places[i]!;
      // Behind the input lies what was there before: another input, or poison.
      place.set(input, 3 + i);
      place.fill(poisons[i]!, 3 + i + input.length, 3 + i + input.length + 64);
      const good = one.decode(place, 3 + i, 3 + i + input.length);
      must(good === (one.errorReason === 0), () => 'result and reason disagree');
    });
    others.forEach((other, i) => {
      this.#same(decoder, 3, other, 4 + i, input.length);
    });
    this.#sameAsNaive(decoder, input);
    if (decoder.errorReason !== 0) {
      const text = decoder.errorText();
      must(/^(MTI|bitmap|DE\d+), byte \d+: [a-zA-Z ]+(2 data)?$/.test(text), () => `error text: ${text}`);
      return 'refused';
    }
    this.#copies(decoder, input);
    return 'accepted';
  }

  /** Two decoders say the same of the same bytes in places that differ around them; all they say lies within the message. */
  #same(a: Decoder, fromA: number, b: Decoder, fromB: number, length: number): void {
    must(
      a.mti === b.mti &&
        a.errorField === b.errorField &&
        a.errorOffset === b.errorOffset &&
        a.errorReason === b.errorReason &&
        a.isMessage === b.isMessage,
      () => `depends on its surroundings: ${a.errorText()} or ${b.errorText()}`,
    );
    must(a.errorOffset >= 0 && a.errorOffset <= length && a.errorField <= 128, () => `out of bounds: ${a.errorText()}`);
    for (let field = 0; field <= 129; field++) {
      must(a.has(field) === b.has(field), () => `field ${field} depends on its surroundings`);
      if (!a.has(field)) continue;
      const start = a.start(field) - fromA;
      const inside = start >= 0 && start + a.length(field) <= length;
      must(inside && start === b.start(field) - fromB, () => `field ${field} reaches outside the message`);
      must(a.digits(field) === b.digits(field), () => `the number in field ${field} depends on its surroundings`);
      const size = a.copyText(field, this.#text, 0);
      must(
        size === b.copyText(field, this.#other, 0),
        () => `the length of field ${field} depends on its surroundings`,
      );
      const equal = this.#text.compare(this.#other, 0, size, 0, size) === 0;
      must(equal, () => `the text of field ${field} depends on its surroundings`);
    }
  }

  #sameAsNaive(decoder: Decoder, input: Uint8Array): void {
    const naive = naiveDecode(this.#name, input);
    const theirs = naive.error;
    if (theirs === undefined) must(decoder.errorReason === 0, () => `only refused here: ${decoder.errorText()}`);
    else {
      must(decoder.errorReason !== 0, () => `only accepted here: field ${theirs.field}, offset ${theirs.offset}`);
      must(
        decoder.errorField === theirs.field && decoder.errorOffset === theirs.offset,
        () => `${decoder.errorText()}, but by the second reader field ${theirs.field}, offset ${theirs.offset}`,
      );
    }
    must(Number(naive.mti ?? 0) === decoder.mti, () => `MTI ${decoder.mti}, by the second reader ${naive.mti}`);
    for (let field = 2; field <= 128; field++) {
      const value = naive.values.get(field);
      must((value !== undefined) === decoder.has(field), () => `field ${field} is there for one reader only`);
      if (value === undefined) continue;
      const text = this.#text.toString('latin1', 0, decoder.copyText(field, this.#text, 0));
      must(text === value.text, () => `field ${field} says something else to the second reader`);
      must(decoder.length(field) === value.end - value.start, () => `field ${field} has another length`);
    }
  }

  /** What was accepted can be written field by field; the copy has the same bytes but for bitmaps that say nothing. */
  #copies(decoder: Decoder, input: Uint8Array): void {
    this.#encoder.begin(this.#copy, 0, decoder.mti, true);
    decoder.each((field) => this.#encoder.copy(decoder, field));
    const copy = this.#copy.subarray(0, this.#encoder.finish());
    must(copy.length <= input.length, () => 'the copy is not the shortest form');
    const other = this.#decoders[1]!;
    must(other.decode(copy, 0, copy.length), () => `the copy is refused: ${other.errorText()}`);
    const shift = input.length - copy.length;
    for (let field = 2; field <= 128; field++) {
      must(decoder.has(field) === other.has(field), () => `the copy differs in field ${field}`);
      if (!decoder.has(field)) continue;
      const bytes = Buffer.compare(
        input.subarray(decoder.start(field) - 3, decoder.start(field) - 3 + decoder.length(field)),
        copy.subarray(other.start(field), other.start(field) + other.length(field)),
      );
      must(
        bytes === 0 && decoder.start(field) - 3 - shift === other.start(field),
        () => `field ${field} was not copied`,
      );
    }
  }
}

/** The cold path: whole messages as texts. */
class TextTarget implements OpenTarget {
  readonly #name: DialectName;
  readonly #decoder: Decoder;

  constructor(name: DialectName) {
    this.#name = name;
    this.#decoder = new Decoder(dialect(name));
  }

  run(input: Uint8Array): Verdict {
    const good = this.#decoder.decode(input, 0, input.length);
    this.#hidesNumber(input, good);
    if (!good) {
      try {
        unpack(this.#name, input);
      } catch (error) {
        must(error instanceof IsoError && error.message === this.#decoder.errorText(), () => `unpack says ${error}`);
        return 'refused';
      }
      throw new Error('only unpack accepts it');
    }
    const fields = unpack(this.#name, input);
    const packed = pack(this.#name, fields);
    sameFields(unpack(this.#name, packed), fields, 'what pack makes of it');
    must(packed.length <= input.length, () => 'pack does not emit the shortest form');
    return 'accepted';
  }

  /** The message's own number, in full, is in no description and in no masked bytes. */
  #hidesNumber(input: Uint8Array, good: boolean): void {
    const decoder = this.#decoder;
    const text = describeText(this.#name, input);
    const number = decoder.size(2) > 0 ? decoder.text(2) : decoder.text(35).replace(/=.*/, '');
    if (number.length < NUMBER_MIN) return;
    must(!text.includes(number), () => `the description shows the number:\n${text}`);
    if (!good) return;
    const masked = maskedBytes(this.#name, input, number);
    must(masked.length <= input.length, () => 'masked bytes are longer');
    const again = Object.values(unpack(this.#name, masked)).join('\n');
    // What is hidden there becomes zeros, and some numbers have nothing but zeros in the middle.
    const hidden = again.includes(number) && !/^\d{6}0+\d{4}$/.test(number);
    must(!hidden, () => `the masked bytes have the number:\n${again}`);
  }
}

function sameFields(got: Fields, wanted: Fields, what: string): void {
  const keys = Object.keys(wanted);
  must(Object.keys(got).length === keys.length, () => `${what} has other fields`);
  for (const key of keys) must(got[key] === wanted[key], () => `${what} differs in field ${key}`);
}

/** Changes fields and leaves the message well-formed, or nearly so. */
function mutateMessage(name: DialectName, random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const fields = fieldsOf(name, input);
  const changes = random.int(1, 3);
  for (let i = 0; i < changes; i++) {
    const spec = random.pick(fieldSpecs);
    const present = Object.keys(fields).filter((key) => key !== '0');
    const number = fields[2];
    const kind = random.int(0, 6);
    if (kind <= 2) fields[spec.field] = randomValue(random, spec);
    else if (kind === 3 && present.length > 0) delete fields[random.pick(present)];
    else if (kind === 4) fields[0] = String(random.int(0, 9999)).padStart(4, '0');
    else if (kind === 5) Object.assign(fields, fieldsOf(name, other));
    else if (number !== undefined) plant(random, fields, number);
  }
  try {
    return pack(name, fields);
  } catch (error) {
    if (error instanceof IsoError || error instanceof RangeError) return input;
    throw error;
  }
}

/** Writes the message's own number into another field, over digits when it must be digits. */
function plant(random: Random, fields: Fields, number: string): void {
  const spec = random.pick(fieldSpecs.filter(({ type, max }) => type !== 'b' && type !== 'z' && max >= number.length));
  if (spec.field === 2) return;
  const value = fields[spec.field] ?? randomValue(random, spec);
  const at = random.int(0, Math.max(0, value.length - number.length));
  const planted = value.slice(0, at) + number + value.slice(at + number.length);
  fields[spec.field] = spec.form === 'fixed' ? planted.slice(0, spec.max) : planted.slice(0, spec.max);
}

function fieldsOf(name: DialectName, bytes: Uint8Array): Fields {
  try {
    return unpack(name, bytes);
  } catch (error) {
    if (!(error instanceof IsoError)) throw error;
    return { 0: '0100', 2: '9999991234567893' };
  }
}

const words = (): Uint8Array[] =>
  [
    '0100',
    '0800',
    '9999991234567893',
    '=',
    'D',
    'C',
    '015',
    '16',
    '19',
    '20',
    '120',
    '999',
    '000',
    '8000000000000000',
  ].flatMap((text) => (/^(\d\d)+$/.test(text) ? [latin1(text), Buffer.from(text, 'hex')] : [latin1(text)]));

function target(
  name: DialectName,
  part: Pick<FuzzTarget, 'name' | 'reads' | 'inputsInCi' | 'work' | 'open'>,
): FuzzTarget {
  return {
    ...part,
    focus: ['iso8583/', 'pan-mask'],
    bytesMax: MESSAGE_BYTES_MAX,
    seeds: () => isoSeeds.map((fields) => pack(name, fields)),
    words,
    mutate: (random, input, other) => mutateMessage(name, random, input, other),
  };
}

export const targets: readonly FuzzTarget[] = dialectNames.flatMap((name) => [
  target(name, {
    name: `iso8583-${name.replace('iso87-', '')}`,
    reads: `messages of ${name}: decoder and encoder; a second reader beside them`,
    inputsInCi: 8000,
    work: { base: 15_000, perByte: 40 },
    open: () => new DecoderTarget(name),
  }),
  target(name, {
    name: `iso8583-text-${name.replace('iso87-', '')}`,
    reads: `messages of ${name} as texts: pack, unpack, descriptions, masked bytes`,
    inputsInCi: 1500,
    work: { base: 20_000, perByte: 200 },
    open: () => new TextTarget(name),
  }),
]);
