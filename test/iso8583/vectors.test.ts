import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Decoder } from '#src/iso8583/decoder.js';
import { type DialectName, dialect } from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { fieldSpec } from '#src/iso8583/fields.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { sharedPath } from '../support/shared.js';

interface Vector {
  name: string;
  dialect: DialectName;
  in: Fields;
  hex: string;
  unpacked: Fields;
}

const path = sharedPath('vectors', 'iso8583.jsonl');
const vectors =
  path === undefined
    ? []
    : readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Vector);

/** Vectors may write a binary field as Latin-1 text; ours is always hex. */
function normal(fields: Fields): Fields {
  const out: Fields = {};
  for (const [field, value] of Object.entries(fields)) {
    const binary = fieldSpec(Number(field))?.type === 'b' && !value.startsWith('hex:');
    out[field] = binary ? `hex:${Buffer.from(value, 'latin1').toString('hex').toUpperCase()}` : value;
  }
  return out;
}

describe.skipIf(path === undefined)('reference vectors (skipped when ../shared is absent)', () => {
  it('are there in every dialect', () => {
    expect(new Set(vectors.map((vector) => vector.dialect)).size).toBe(3);
    expect(vectors.length).toBeGreaterThan(40);
  });

  for (const vector of vectors) {
    it(`${vector.dialect} ${vector.name}`, () => {
      const wire = Buffer.from(vector.hex, 'hex');
      expect(unpack(vector.dialect, wire)).toEqual(normal(vector.unpacked));
      expect(Buffer.from(pack(vector.dialect, normal(vector.in))).toString('hex')).toBe(vector.hex.toLowerCase());

      const decoder = new Decoder(dialect(vector.dialect));
      const padded = Buffer.concat([Buffer.alloc(7, 0xff), wire, Buffer.alloc(9, 0xff)]);
      expect(decoder.decode(padded, 7, 7 + wire.length)).toBe(true);
      for (const [field, value] of Object.entries(normal(vector.unpacked))) {
        if (field === '0') expect(decoder.mti).toBe(Number(value));
        else if (value.startsWith('hex:')) {
          expect(Buffer.from(decoder.text(Number(field)), 'latin1').toString('hex')).toBe(value.slice(4).toLowerCase());
        } else expect(decoder.text(Number(field))).toBe(value);
      }

      const encoder = new Encoder(dialect(vector.dialect));
      const target = new Uint8Array(4096);
      encoder.begin(target, 3, decoder.mti, true);
      decoder.each((field) => encoder.copy(decoder, field));
      const end = encoder.finish();
      expect(Buffer.from(target.subarray(3, end)).toString('hex')).toBe(vector.hex.toLowerCase());
    });
  }
});
