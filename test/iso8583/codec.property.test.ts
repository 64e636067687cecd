import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect, dialectNames } from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { fieldSpec, fieldSpecs } from '#src/iso8583/fields.js';
import { pack, unpack } from '#src/iso8583/message.js';
import { anyMessage, fieldValue, purchase } from './arbitraries.js';

const runs = { numRuns: 300 };

describe.each(dialectNames)('%s', (name) => {
  const decoder = new Decoder(dialect(name));
  const encoder = new Encoder(dialect(name));
  const target = new Uint8Array(4096);

  it('reads back every field as it was written, at every length', () => {
    for (const spec of fieldSpecs) {
      fc.assert(
        fc.property(fieldValue(spec), (value) => {
          const fields = { 0: '0100', [spec.field]: value };
          expect(unpack(name, pack(name, fields))).toEqual(fields);
        }),
        { numRuns: 12 },
      );
    }
  });

  it('reads back whole messages, and writes them again byte for byte by copying', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat({ max: 9 }), fc.boolean(), (fields, at, shared) => {
        const bytes = pack(name, fields);
        expect(unpack(name, bytes)).toEqual(fields);
        const room = bytes.length + 20;
        const place = shared ? new Uint8Array(new SharedArrayBuffer(room)) : new Uint8Array(room);
        place.fill(0x39);
        place.set(bytes, at);
        expect(decoder.decode(place, at, at + bytes.length)).toBe(true);
        encoder.begin(target, at, decoder.mti, true);
        decoder.each((field) => encoder.copy(decoder, field));
        expect(Buffer.from(target.subarray(at, encoder.finish())).equals(bytes)).toBe(true);
      }),
      runs,
    );
  });

  it('gives the same characters by byteAt, copyText and text', () => {
    const text = new Uint8Array(1200);
    fc.assert(
      fc.property(anyMessage, (fields) => {
        const bytes = pack(name, fields);
        expect(decoder.decode(bytes, 0, bytes.length)).toBe(true);
        for (let field = 2; field <= 128; field++) {
          const count = decoder.copyText(field, text, 3);
          expect(count).toBe(decoder.size(field));
          const copied = String.fromCharCode(...text.subarray(3, 3 + count));
          expect(decoder.text(field)).toBe(copied);
          if (decoder.has(field) && fieldSpec(field)!.type !== 'b') expect(copied).toBe(fields[field]);
          expect(decoder.byteAt(field, count)).toBe(-1);
          expect(decoder.byteAt(field, -1)).toBe(-1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('reads numbers as numbers, or -1', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat({ max: 44 }), fc.nat({ max: 20 }), (fields, from, count) => {
        const bytes = pack(name, fields);
        decoder.decode(bytes, 0, bytes.length);
        for (let field = 2; field <= 128; field++) {
          const binary = fieldSpec(field)?.type === 'b';
          const value = binary ? undefined : fields[field];
          expect(decoder.digits(field)).toBe(numberOf(value));
          const part =
            value !== undefined && from + count <= value.length ? value.slice(from, from + count) : undefined;
          expect(decoder.digitsAt(field, from, count)).toBe(numberOf(part));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('writes numbers as the digits they are', () => {
    const numeric = fieldSpecs.filter((spec) => spec.type === 'n' || spec.type === 'an' || spec.type === 'ans');
    fc.assert(
      fc.property(fc.constantFrom(...numeric), fc.maxSafeNat(), fc.nat({ max: 15 }), (spec, large, cut) => {
        const value = Math.floor(large / 10 ** cut);
        const digits = String(value);
        encoder.begin(target, 0, 100, true);
        if (digits.length > spec.max) {
          expect(() => encoder.putDigits(spec.field, value)).toThrow(RangeError);
          return;
        }
        encoder.putDigits(spec.field, value);
        const expected = spec.form === 'fixed' ? digits.padStart(spec.max, '0') : digits;
        expect(unpack(name, target.slice(0, encoder.finish()))[spec.field]).toBe(expected);
      }),
      runs,
    );
  });

  it('never writes outside its room', () => {
    const whole = pack(name, purchase).length;
    for (let room = 0; room < whole; room++) {
      const place = new Uint8Array(whole + 8).fill(0xee);
      expect(() => {
        encoder.begin(place, 4, 100, false, 4 + room);
        for (const [field, value] of Object.entries(purchase)) {
          if (field === '0') continue;
          const hex = value.startsWith('hex:');
          encoder.putString(Number(field), hex ? Buffer.from(value.slice(4), 'hex').toString('latin1') : value);
        }
      }).toThrow(RangeError);
      expect([...place.subarray(0, 4), ...place.subarray(4 + room)].every((byte) => byte === 0xee)).toBe(true);
    }
  });
});

function numberOf(value: string | undefined): number {
  if (value === undefined || !/^\d+$/.test(value)) return -1;
  return Number.isSafeInteger(Number(value)) ? Number(value) : -1;
}

describe('the encoder', () => {
  const encoder = new Encoder(dialect('iso87-bcd'));
  const target = new Uint8Array(256);

  it('insists on ascending fields, each once', () => {
    encoder.begin(target, 0, 110, false);
    encoder.putDigits(11, 1);
    expect(() => encoder.putDigits(11, 1)).toThrow('ascending');
    expect(() => encoder.putDigits(4, 1)).toThrow('ascending');
    encoder.putDigits(12, 1);
  });

  it('needs the secondary bitmap for fields above 64, and drops it when there is none', () => {
    encoder.begin(target, 0, 810, false);
    expect(() => encoder.putDigits(70, 301)).toThrow('secondary');
    encoder.begin(target, 0, 810, true);
    encoder.putDigits(11, 7);
    expect(Buffer.from(target.subarray(0, encoder.finish())).toString('hex')).toBe('08100020000000000000000007');
  });

  it('refuses numbers that are none, and fields that hold no number', () => {
    encoder.begin(target, 0, 110, true);
    for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => encoder.putDigits(4, value)).toThrow(RangeError);
    for (const field of [1, 28, 35, 52, 55, 65, 129]) expect(() => encoder.putDigits(field, 1)).toThrow(RangeError);
    expect(() => encoder.begin(target, 0, 10_000, false)).toThrow(RangeError);
    expect(() => encoder.begin(target, 255, 100, false)).toThrow(RangeError);
    expect(() => encoder.begin(target, 0, 100, false, 257)).toThrow(RangeError);
  });

  it('leaves out what the request lacks or has malformed, and refuses another dialect', () => {
    const decoder = new Decoder(dialect('iso87-bcd'));
    const bytes = Buffer.from('01003020000000000000000000' + '00000000fa00' + '000042', 'hex');
    expect(decoder.decode(bytes, 0, bytes.length)).toBe(false);
    encoder.begin(target, 0, 110, false);
    for (const field of [2, 3, 4, 11, 41]) encoder.copy(decoder, field);
    expect(unpack('iso87-bcd', target.slice(0, encoder.finish()))).toEqual({ 0: '0110', 3: '000000', 11: '000042' });
    const other = new Encoder(dialect('iso87-ascii'));
    other.begin(target, 0, 110, false);
    expect(() => other.copy(decoder, 3)).toThrow('dialect');
  });

  it('writes nothing after finish until begun again', () => {
    encoder.begin(target, 0, 110, false);
    encoder.finish();
    expect(() => encoder.putDigits(4, 1)).toThrow(RangeError);
    expect(() => encoder.finish()).toThrow(RangeError);
    expect(() => new Encoder(dialect('iso87-bcd')).finish()).toThrow(RangeError);
  });
});

describe('the decoder', () => {
  it('refuses bounds outside the buffer', () => {
    const decoder = new Decoder(dialect('iso87-bcd'));
    for (const [start, end] of [
      [-1, 3],
      [0, 11],
      [4, 3],
      [Number.NaN, 3],
    ]) {
      expect(() => decoder.decode(new Uint8Array(10), start!, end!)).toThrow(RangeError);
    }
  });

  it('reports the first of two wrong bytes of a value, digits or filling', () => {
    const decoder = new Decoder(dialect('iso87-bcd'));
    // DE2 of 17 digits: a letter in its first byte, and a filling that is neither 0 nor F.
    const bytes = Buffer.from(`0100${'4000000000000000'}17${'a0'}${'11'.repeat(7)}17`, 'hex');
    expect(decoder.decode(bytes, 0, bytes.length)).toBe(false);
    expect(decoder.errorText()).toBe('DE2, byte 11: not all digits');
  });

  it('says no about numbers that are no field', () => {
    const decoder = new Decoder(dialect('iso87-bcd'));
    const bytes = pack('iso87-bcd', purchase);
    decoder.decode(bytes, 0, bytes.length);
    for (const field of [-1, 0, 1, 65, 129, 1000]) {
      expect([decoder.has(field), decoder.digits(field), decoder.size(field)]).toEqual([false, -1, 0]);
    }
  });
});
