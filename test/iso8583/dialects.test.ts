import { describe, expect, it } from 'vitest';
import { Decoder } from '#src/iso8583/decoder.js';
import {
  Dialect,
  type DialectName,
  dialect,
  dialectNames,
  dialectSpecs,
  isDialectName,
} from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { fieldSpec, fieldSpecs } from '#src/iso8583/fields.js';
import { type Fields, IsoError, pack, unpack } from '#src/iso8583/message.js';

/** Golden wires: spaces are for the eye, a part in quotes is ASCII. */
function wire(golden: string): Buffer {
  const parts = golden.match(/"[^"]*"|[^\s"]+/g) ?? [];
  return Buffer.concat(
    parts.map((part) => (part.startsWith('"') ? Buffer.from(part.slice(1, -1), 'latin1') : Buffer.from(part, 'hex'))),
  );
}

const header = (name: DialectName, mti: string, bitmap: string): string =>
  name === 'iso87-bcd' ? `${mti} ${bitmap}` : name === 'iso87-ascii' ? `"${mti}${bitmap}"` : `"${mti}" ${bitmap}`;

interface Golden {
  what: string;
  mti?: string;
  bitmap: string;
  fields: Fields;
  bcd: string;
  ascii: string;
}

const goldens: readonly Golden[] = [
  {
    what: 'odd PAN',
    bitmap: '4000000000000000',
    fields: { 2: '999999000000015' },
    bcd: '15 9999990000000150',
    ascii: '"15999999000000015"',
  },
  {
    what: 'even PAN',
    bitmap: '4000000000000000',
    fields: { 2: '9999990000000007' },
    bcd: '16 9999990000000007',
    ascii: '"169999990000000007"',
  },
  { what: 'empty PAN', bitmap: '4000000000000000', fields: { 2: '' }, bcd: '00', ascii: '"00"' },
  { what: 'odd fixed n3', bitmap: '0000040000000000', fields: { 22: '051' }, bcd: '0051', ascii: '"051"' },
  { what: 'single digit n1', bitmap: '0000002000000000', fields: { 27: '6' }, bcd: '06', ascii: '"6"' },
  { what: 'odd acquirer', bitmap: '0000000100000000', fields: { 32: '123' }, bcd: '03 1230', ascii: '"03123"' },
  {
    what: 'signed amount',
    bitmap: '0000001000000000',
    fields: { 28: 'D00000150' },
    bcd: '"D" 00000150',
    ascii: '"D00000150"',
  },
  {
    what: 'odd track 2',
    bitmap: '0000000020000000',
    fields: { 35: '99999900=29121' },
    bcd: '14 99999900D29121',
    ascii: '"1499999900=29121"',
  },
  {
    what: 'even track 2',
    bitmap: '0000000020000000',
    fields: { 35: '9999990=29121' },
    bcd: '13 9999990D291210',
    ascii: '"139999990=29121"',
  },
  {
    what: 'fixed text',
    bitmap: '0000000000800000',
    fields: { 41: 'TERM1   ' },
    bcd: '"TERM1   "',
    ascii: '"TERM1   "',
  },
  { what: 'currency', bitmap: '0000000000008000', fields: { 49: '986' }, bcd: '"986"', ascii: '"986"' },
  { what: 'LL text', bitmap: '0000000000100000', fields: { 44: 'A5' }, bcd: '02 "A5"', ascii: '"02A5"' },
  { what: 'LLL text', bitmap: '0000000000010000', fields: { 48: '2001E' }, bcd: '0005 "2001E"', ascii: '"0052001E"' },
  {
    what: 'PIN block',
    bitmap: '0000000000001000',
    fields: { 52: 'hex:01A2B3C4D5E6F708' },
    bcd: '01A2B3C4D5E6F708',
    ascii: '"01A2B3C4D5E6F708"',
  },
  {
    what: 'chip data',
    bitmap: '0000000000000200',
    fields: { 55: 'hex:9F2701809F36020001' },
    bcd: '0009 9F2701809F36020001',
    ascii: '"009" 9F2701809F36020001',
  },
  { what: 'empty LLL', bitmap: '0000000000000002', fields: { 63: '' }, bcd: '0000', ascii: '"000"' },
];

const secondaryGoldens: readonly Golden[] = [
  {
    what: 'echo',
    mti: '0800',
    bitmap: '80000000000000000400000000000000',
    fields: { 70: '301' },
    bcd: '0301',
    ascii: '"301"',
  },
  {
    what: 'original data',
    mti: '0400',
    bitmap: '80000000000000000000004000000000',
    fields: { 90: `0100${'1'.repeat(38)}` },
    bcd: `0100${'1'.repeat(38)}`,
    ascii: `"0100${'1'.repeat(38)}"`,
  },
  {
    what: 'net settlement',
    mti: '0500',
    bitmap: '80000000000000000000000080000000',
    fields: { 97: 'C0000000000000012' },
    bcd: '"C" 0000000000000012',
    ascii: '"C0000000000000012"',
  },
  {
    what: 'last field',
    mti: '0100',
    bitmap: '80000000000000000000000000000001',
    fields: { 128: 'hex:00000000000000FF' },
    bcd: '00000000000000FF',
    ascii: '"00000000000000FF"',
  },
];

describe.each(dialectNames)('%s golden bytes', (name) => {
  it.each([...goldens, ...secondaryGoldens])('$what', (golden) => {
    const mti = golden.mti ?? '0100';
    const body = name === 'iso87-bcd' ? golden.bcd : golden.ascii;
    const bytes = wire(`${header(name, mti, golden.bitmap)} ${body}`);
    const fields = { '0': mti, ...golden.fields };
    expect(Buffer.from(pack(name, fields)).toString('hex')).toBe(bytes.toString('hex'));
    expect(unpack(name, bytes)).toEqual(fields);
  });

  it('accepts an all-zero secondary bitmap', () => {
    const pan = name === 'iso87-bcd' ? '02 12' : '"0212"';
    const bytes = wire(`${header(name, '0100', `C000000000000000${'0'.repeat(16)}`)} ${pan}`);
    expect(unpack(name, bytes)).toEqual({ '0': '0100', '2': '12' });
  });
});

describe('what the wire may look like and we do not emit', () => {
  it('reads hex bitmaps and hex fields in either case', () => {
    const lower = Buffer.from('0100000000000000100001a2b3c4d5e6f708', 'latin1');
    expect(unpack('iso87-ascii', lower)).toEqual({ '0': '0100', '52': 'hex:01A2B3C4D5E6F708' });
  });

  it('reads D as the separator of ASCII track 2, and says = itself', () => {
    const bytes = wire('"01000000000020000000" "139999990D29121"');
    expect(unpack('iso87-ascii', bytes)[35]).toBe('9999990=29121');
    expect(Buffer.from(pack('iso87-ascii', { 0: '0100', 35: '9999990D29121' })).toString()).toContain('9999990=29121');
  });

  it('takes F as the filling behind odd digits', () => {
    expect(unpack('iso87-bcd', wire('0100 4000000000000000 03 123F'))[2]).toBe('123');
    expect(unpack('iso87-bcd', wire('0100 0000000020000000 05 12D34F'))[35]).toBe('12=34');
  });
});

interface Refusal {
  what: string;
  name: DialectName;
  bytes: string;
  field: number;
  offset: number;
  reason: string;
}

const refusals: readonly Refusal[] = [
  { what: 'nothing', name: 'iso87-bcd', bytes: '', field: 0, offset: 0, reason: 'the message ends inside' },
  { what: 'half an MTI', name: 'iso87-ascii', bytes: '"010"', field: 0, offset: 3, reason: 'the message ends inside' },
  {
    what: 'letters as MTI',
    name: 'iso87-ascii',
    bytes: '"GET / HTTP/1.1      "',
    field: 0,
    offset: 0,
    reason: 'the message type is not four digits',
  },
  { what: 'no bitmap', name: 'iso87-bcd', bytes: '0100 40', field: 1, offset: 3, reason: 'the message ends inside' },
  {
    what: 'no secondary bitmap',
    name: 'iso87-bcd',
    bytes: '0100 8000000000000000 00',
    field: 1,
    offset: 11,
    reason: 'the message ends inside',
  },
  {
    what: 'bitmap not hex',
    name: 'iso87-ascii',
    bytes: '"0100400000000000000G"',
    field: 1,
    offset: 19,
    reason: 'the bitmap is not hex',
  },
  {
    what: 'bit 65',
    name: 'iso87-bcd',
    bytes: '0100 8000000000000000 8000000000000000 00',
    field: 65,
    offset: 18,
    reason: 'the bitmap names a field that the dialect does not have',
  },
  {
    what: 'prefix not BCD',
    name: 'iso87-bcd',
    bytes: '0100 4000000000000000 1A 00',
    field: 2,
    offset: 10,
    reason: 'the length prefix is not made of digits',
  },
  {
    what: 'prefix not digits',
    name: 'iso87-ascii-bin',
    bytes: '"0100" 4000000000000000 "1x1"',
    field: 2,
    offset: 12,
    reason: 'the length prefix is not made of digits',
  },
  {
    what: 'PAN of 20',
    name: 'iso87-bcd',
    bytes: '0100 4000000000000000 20 99999900000000000000',
    field: 2,
    offset: 10,
    reason: 'the length exceeds the maximum of the field',
  },
  {
    what: 'short PAN',
    name: 'iso87-bcd',
    bytes: '0100 4000000000000000 16 999999',
    field: 2,
    offset: 14,
    reason: 'the message ends inside',
  },
  {
    what: 'letter in a number',
    name: 'iso87-ascii',
    bytes: '"01002000000000000000" "00000x"',
    field: 3,
    offset: 25,
    reason: 'not all digits',
  },
  {
    what: 'nibble A in a number',
    name: 'iso87-bcd',
    bytes: '0100 2000000000000000 00A000',
    field: 3,
    offset: 11,
    reason: 'not all digits',
  },
  {
    what: 'wrong filling before',
    name: 'iso87-bcd',
    bytes: '0100 0000040000000000 3010',
    field: 22,
    offset: 10,
    reason: 'the filling nibble is wrong',
  },
  {
    what: 'filling of 1',
    name: 'iso87-bcd',
    bytes: '0100 0000040000000000 1301',
    field: 22,
    offset: 10,
    reason: 'the filling nibble is wrong',
  },
  {
    what: 'wrong filling behind',
    name: 'iso87-bcd',
    bytes: '0100 4000000000000000 03 1234',
    field: 2,
    offset: 12,
    reason: 'the filling nibble is wrong',
  },
  {
    what: 'sign E',
    name: 'iso87-bcd',
    bytes: '0100 0000001000000000 "E" 00000000',
    field: 28,
    offset: 10,
    reason: 'the sign is neither C nor D',
  },
  {
    what: 'two separators',
    name: 'iso87-ascii',
    bytes: '"01000000000020000000" "0712=34=5"',
    field: 35,
    offset: 27,
    reason: 'not track 2 data',
  },
  {
    what: 'nibble E in track 2',
    name: 'iso87-bcd',
    bytes: '0100 0000000020000000 04 12E4',
    field: 35,
    offset: 12,
    reason: 'not track 2 data',
  },
  {
    what: 'PIN block not hex',
    name: 'iso87-ascii-bin',
    bytes: '"0100" 0000000000001000 "01A2B3C4D5E6F7G8"',
    field: 52,
    offset: 26,
    reason: 'not all hex digits',
  },
  {
    what: 'left-over byte',
    name: 'iso87-bcd',
    bytes: '0100 2000000000000000 000000 00',
    field: 3,
    offset: 13,
    reason: 'trailing bytes',
  },
];

describe('refusals name field, offset and reason', () => {
  it.each(refusals)('$what ($name)', (row) => {
    const bytes = wire(row.bytes);
    let caught: unknown;
    try {
      unpack(row.name, bytes);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(IsoError);
    const { field, offset, reason } = caught as IsoError;
    expect({ field, offset, reason }).toEqual({ field: row.field, offset: row.offset, reason: row.reason });
  });

  it('cannot tell a right-filled n3 whose first digit is 0 from a left-filled one, and reads it as left-filled', () => {
    expect(unpack('iso87-bcd', wire('0100 0000040000000000 0510'))[22]).toBe('510');
  });

  it('keeps the fields around a malformed one readable, so that the refusal can be answered', () => {
    const decoder = new Decoder(dialect('iso87-bcd'));
    const bytes = wire('0100 3020000000C00000 000000 00000000FA00 000042 "TERM0001" "ACCEPTOR 000001"');
    expect(decoder.decode(bytes, 0, bytes.length)).toBe(false);
    expect([decoder.errorField, decoder.errorText()]).toEqual([4, 'DE4, byte 17: not all digits']);
    expect([decoder.has(3), decoder.has(4), decoder.digits(11), decoder.text(41)]).toEqual([
      true,
      false,
      42,
      'TERM0001',
    ]);
    expect([decoder.length(4), decoder.size(4), decoder.digits(4), decoder.text(4)]).toEqual([0, 0, -1, '']);
  });

  it('keeps the fields before a broken structure readable', () => {
    const decoder = new Decoder(dialect('iso87-bcd'));
    const bytes = wire('0100 2020000000800000 000000 000042 "TERM"');
    expect(decoder.decode(bytes, 0, bytes.length)).toBe(false);
    expect([decoder.errorField, decoder.digits(11), decoder.has(41)]).toEqual([41, 42, false]);
  });
});

describe('the echoed fields of a dialect', () => {
  it.each(dialectSpecs)(
    'of $name can be written in a reply, and hold nothing that must not come back',
    ({ echoed }) => {
      expect(echoed).toEqual([...new Set(echoed)].sort((a, b) => a - b));
      for (const field of echoed) {
        expect(fieldSpec(field), `DE${field}`).toBeDefined();
        expect(field).toBeLessThanOrEqual(64);
      }
      for (const field of [35, 38, 39, 45, 52, 54, 55]) expect(echoed).not.toContain(field);
    },
  );

  it.each(dialectSpecs)('of $name are without DE22 and DE25', ({ echoed }) => {
    expect(echoed).toEqual([3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 51, 63]);
  });

  const echo = new Dialect({ ...dialectSpecs[0]!, echoed: [3, 4, 22, 41, 63] });
  const request = pack('iso87-bcd', {
    0: '0100',
    2: '9999990000000014',
    3: '000000',
    4: '1000',
    22: '51',
    41: 'TERM0001',
  });

  it('are copied around what is put, in ascending order', () => {
    const decoder = new Decoder(echo);
    const encoder = new Encoder(echo);
    const target = new Uint8Array(256);
    decoder.decode(request, 0, request.length);
    encoder.begin(target, 0, 110, false);
    encoder.echoBelow(decoder, 38);
    encoder.putDigits(39, 0);
    encoder.echoRest(decoder);
    const reply = unpack('iso87-bcd', target.slice(0, encoder.finish()));
    expect(reply).toEqual({ 0: '0110', 3: '000000', 4: '000000001000', 22: '051', 39: '00', 41: 'TERM0001' });
  });

  it('give way to a value of the reply, and begin anew with every message', () => {
    const decoder = new Decoder(echo);
    const encoder = new Encoder(echo);
    const target = new Uint8Array(256);
    decoder.decode(request, 0, request.length);
    for (const amount of [500, 600]) {
      encoder.begin(target, 0, 110, false);
      encoder.echoBelow(decoder, 4);
      encoder.putDigits(4, amount);
      encoder.echoRest(decoder);
      const reply = unpack('iso87-bcd', target.slice(0, encoder.finish()));
      expect(reply).toEqual({ 0: '0110', 3: '000000', 4: `000000000${amount}`, 22: '051', 41: 'TERM0001' });
    }
  });
});

describe('writing refuses what a field cannot hold', () => {
  it.each<[string, Fields, number]>([
    ['no MTI', {}, 0],
    ['an MTI of three digits', { 0: '100' }, 0],
    ['field 1', { 0: '0100', 1: 'x' }, 1],
    ['field 65', { 0: '0100', 65: '1' }, 65],
    ['field 129', { 0: '0100', 129: '1' }, 129],
    ['a number with a leading zero', { 0: '0100', '02': '1' }, 2],
    ['a PAN of 20 digits', { 0: '0100', 2: '9'.repeat(20) }, 2],
    ['a letter in a number', { 0: '0100', 3: '00A000' }, 3],
    ['no sign', { 0: '0100', 28: '000000001' }, 28],
    ['two separators', { 0: '0100', 35: '1=2=3' }, 35],
    ['a separator in front', { 0: '0100', 35: '=12' }, 35],
    ['text of 41 characters', { 0: '0100', 43: 'x'.repeat(41) }, 43],
    ['seven bytes of PIN block', { 0: '0100', 52: 'hex:00112233445566' }, 52],
    ['binary without hex:', { 0: '0100', 55: '9F26' }, 55],
    ['odd hex', { 0: '0100', 55: 'hex:9F2' }, 55],
    ['a character beyond one byte', { 0: '0100', 43: '€' }, 43],
  ])('%s', (_what, fields, field) => {
    for (const name of dialectNames) {
      let caught: unknown;
      try {
        pack(name, fields);
      } catch (error) {
        caught = error;
      }
      expect(caught).toBeInstanceOf(IsoError);
      expect((caught as IsoError).field).toBe(field);
    }
  });

  it('fills what is shorter than a fixed field', () => {
    const fields = unpack('iso87-bcd', pack('iso87-bcd', { 0: '0100', 4: '1000', 22: '5', 28: 'C5', 41: 'T1' }));
    expect(fields).toEqual({ 0: '0100', 4: '000000001000', 22: '005', 28: 'C00000005', 41: 'T1      ' });
    const ascii = unpack('iso87-ascii', pack('iso87-ascii', { 0: '0100', 4: '1000', 22: '5', 28: 'C5', 41: 'T1' }));
    expect(ascii).toEqual(fields);
  });
});

describe('the field table', () => {
  it('has every number from 2 to 128 but 65, once and in order', () => {
    const numbers = fieldSpecs.map((spec) => spec.field);
    expect(numbers).toEqual(Array.from({ length: 127 }, (_, i) => i + 2).filter((field) => field !== 65));
  });

  it('reads the notation', () => {
    expect(fieldSpec(2)).toMatchObject({ type: 'n', form: 'LL', max: 19, pad: undefined });
    expect(fieldSpec(28)).toMatchObject({ type: 'x+n', form: 'fixed', max: 9 });
    expect(fieldSpec(43)).toMatchObject({ type: 'ans', form: 'fixed', max: 40, pad: { side: 'right', char: ' ' } });
    expect(fieldSpec(55)).toMatchObject({ type: 'b', form: 'LLL', max: 255 });
    expect(fieldSpec(65)).toBeUndefined();
  });

  it('knows its dialects by name', () => {
    expect(dialectNames.map((name) => dialect(name).index)).toEqual([0, 1, 2]);
    expect(isDialectName('iso87-bcd')).toBe(true);
    expect(isDialectName('iso93-bcd')).toBe(false);
    expect(() => dialect('iso93-bcd' as DialectName)).toThrow(RangeError);
  });
});
