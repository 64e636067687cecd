/**
 * Hostile bytes. Whatever comes in, the answer is a message or an error, at once, and it depends on the bytes of the
 * message alone: each one is read twice, in two buffers that differ in all that lies around it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/iso8583/decoder.js';
import { type DialectName, dialect, dialectNames } from '../../src/iso8583/dialects.js';
import { Encoder } from '../../src/iso8583/encoder.js';
import { describeText, IsoError, pack, unpack } from '../../src/iso8583/message.js';
import { AmountWalker, TagWalker } from '../../src/iso8583/private-data.js';
import { anyMessage, purchase } from './arbitraries.js';

/** Poisons that are digits in BCD, digits in ASCII, and neither: what a decoder that reads too far would believe. */
const poisons = [0x00, 0x11, 0x31, 0x99, 0xff];

class Prober {
  private readonly decoders: Decoder[];
  private readonly encoder: Encoder;
  private readonly target = new Uint8Array(5000);

  constructor(readonly name: DialectName) {
    this.decoders = poisons.map(() => new Decoder(dialect(name)));
    this.encoder = new Encoder(dialect(name));
  }

  /** Reads `bytes` in every poison, checks that the outcome is the same and in bounds, and returns whether it was good. */
  probe(bytes: Uint8Array): boolean {
    const outcomes = this.decoders.map((decoder, i) => {
      const before = 3 + i;
      const place = new Uint8Array(bytes.length + 64).fill(poisons[i]!);
      place.set(bytes, before);
      const good = decoder.decode(place, before, before + bytes.length);
      return this.outcome(decoder, good, before, bytes.length);
    });
    for (const outcome of outcomes) if (outcome !== outcomes[0]) expect(outcome).toBe(outcomes[0]);
    const good = this.decoders[0]!.errorReason === 0;
    if (good) this.copies(bytes);
    return good;
  }

  private outcome(decoder: Decoder, good: boolean, before: number, length: number): string {
    const { errorField, errorOffset, errorReason } = decoder;
    if (good !== (errorReason === 0)) throw new Error('result and reason disagree');
    if (errorOffset < 0 || errorOffset > length || errorField < 0 || errorField > 128)
      throw new Error('error out of bounds');
    let out = `${good} ${decoder.mti} ${errorField} ${errorOffset} ${errorReason}`;
    for (let field = 0; field <= 129; field++) {
      if (!decoder.has(field)) continue;
      const start = decoder.start(field) - before;
      const end = start + decoder.length(field);
      if (start < 0 || end > length) throw new Error(`field ${field} reaches outside the message`);
      out += ` ${field}:${start}-${end}:${decoder.text(field)}:${decoder.digits(field)}`;
    }
    return out;
  }

  /** What was accepted can be written again, and says the same; its fields are the same bytes. */
  private copies(bytes: Uint8Array): void {
    const decoder = this.decoders[0]!;
    this.encoder.begin(this.target, 0, decoder.mti, true);
    decoder.each((field) => this.encoder.copy(decoder, field));
    const copy = this.target.slice(0, this.encoder.finish());
    expect(unpack(this.name, copy)).toEqual(unpack(this.name, bytes));
    expect(unpack(this.name, pack(this.name, unpack(this.name, bytes)))).toEqual(unpack(this.name, bytes));
  }
}

describe.each(dialectNames)('%s', (name) => {
  const prober = new Prober(name);

  it('meets random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void prober.probe(bytes)),
      { numRuns: 2000 },
    );
  });

  it('meets random bytes behind a good start', () => {
    const start = name === 'iso87-bcd' ? [1, 0] : [0x30, 0x31, 0x30, 0x30];
    const digit = fc.constantFrom(...Buffer.from('0123456789ABCDEF'));
    const bitmap = fc.array(name === 'iso87-ascii' ? digit : fc.nat({ max: 255 }), { minLength: 8, maxLength: 32 });
    const rest = fc.oneof(fc.array(fc.nat({ max: 255 })), fc.array(digit, { maxLength: 400, size: 'max' }));
    fc.assert(
      fc.property(bitmap, rest, (bits, body) => void prober.probe(Uint8Array.from([...start, ...bits, ...body]))),
      { numRuns: 1000 },
    );
  });

  it('meets mutated messages', () => {
    const mutation = fc.record({
      kind: fc.constantFrom('set', 'flip', 'cut', 'insert', 'swap'),
      at: fc.nat(),
      value: fc.nat({ max: 255 }),
    });
    let good = 0;
    let bad = 0;
    fc.assert(
      fc.property(
        fc.oneof(anyMessage, fc.constant(purchase)),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (fields, list) => {
          const bytes = [...pack(name, fields)];
          for (const { kind, at, value } of list) {
            const place = at % Math.max(1, bytes.length);
            if (kind === 'set') bytes[place] = value;
            else if (kind === 'flip') bytes[place] = bytes[place]! ^ (1 << (value & 7));
            else if (kind === 'cut') bytes.splice(place, 1 + (value & 3));
            else if (kind === 'insert') bytes.splice(place, 0, value);
            else [bytes[place], bytes[value % bytes.length]] = [bytes[value % bytes.length]!, bytes[place]!];
            if (bytes.length === 0) break;
          }
          if (prober.probe(Uint8Array.from(bytes))) good++;
          else bad++;
        },
      ),
      { numRuns: 1000 },
    );
    // The test would prove nothing if all of them went one way.
    expect(good).toBeGreaterThan(20);
    expect(bad).toBeGreaterThan(20);
  });

  it('meets messages cut off at every byte, and with every byte more', () => {
    fc.assert(
      fc.property(fc.oneof(anyMessage, fc.constant(purchase)), fc.nat({ max: 255 }), (fields, more) => {
        const bytes = pack(name, fields);
        expect(prober.probe(bytes)).toBe(true);
        const step = Math.max(1, bytes.length >> 7);
        for (let length = 0; length < bytes.length; length += step) {
          expect(prober.probe(bytes.subarray(0, length))).toBe(false);
        }
        expect(prober.probe(Uint8Array.from([...bytes, more]))).toBe(false);
      }),
      { numRuns: 15 },
    );
  });

  it('meets lying lengths', () => {
    const variable = [2, 32, 33, 34, 35, 36, 44, 45, 48, 54, 55, 63, 99, 102, 127];
    for (const field of variable) {
      const bytes = pack(name, { 0: '0100', [field]: field === 55 ? 'hex:3132' : '12' });
      const bcd = name === 'iso87-bcd';
      const value = bcd && [2, 32, 33, 35, 99].includes(field) ? 1 : 2;
      const prefix = [2, 32, 33, 34, 35, 44, 45, 99, 102].includes(field) ? 2 : 3;
      const wide = bcd ? (prefix + 1) >> 1 : prefix;
      for (let lie = 0; lie < 10 ** prefix; lie++) {
        const lying = Uint8Array.from(bytes);
        const digits = String(lie).padStart(bcd ? wide * 2 : wide, '0');
        lying.set(Buffer.from(digits, bcd ? 'hex' : 'latin1'), bytes.length - value - wide);
        const honest = lie === 2;
        expect(prober.probe(lying)).toBe(honest);
      }
    }
  });

  it('answers unpack and describe with a value or an IsoError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          unpack(name, bytes);
        } catch (error) {
          if (!(error instanceof IsoError)) throw error;
        }
        describeText(name, bytes);
      }),
    );
  });
});

describe('the walkers', () => {
  it('end, and stay inside their field', () => {
    const character = fc.constantFrom(...Buffer.from('0001122459CDx'));
    fc.assert(
      fc.property(fc.array(character, { maxLength: 60 }), fc.nat({ max: 5 }), (list, before) => {
        const place = Uint8Array.from([...Array(before).fill(0x30), ...list, ...Array(30).fill(0x30)]);
        const tags = new TagWalker();
        tags.reset(place, before, list.length);
        let steps = 0;
        let end = before;
        while (tags.next()) {
          expect(++steps).toBeLessThan(20);
          expect(tags.at).toBe(end + 4);
          end = tags.at + tags.length;
          expect(end).toBeLessThanOrEqual(before + list.length);
        }
        expect(tags.broken).toBe(end !== before + list.length);
        const amounts = new AmountWalker();
        amounts.reset(place, before, list.length);
        let groups = 0;
        while (amounts.next()) groups++;
        expect(groups).toBeLessThanOrEqual(list.length / 20);
        if (!amounts.broken) expect(groups * 20).toBe(list.length);
      }),
      { numRuns: 1000 },
    );
  });
});
