import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dialectNames } from '#src/iso8583/dialects.js';
import { maskedBytes } from '#src/iso8583/mask.js';
import { describe as describeMessage, pack, unpack } from '#src/iso8583/message.js';
import { privateData } from '#src/iso8583/private-data.js';
import { anyMessage, purchase } from './arbitraries.js';

const pan = '9999990000123457';
const masked = '9999990000003457';

describe.each(dialectNames)('masked bytes in %s', (name) => {
  const fields = {
    ...purchase,
    0: '0100',
    2: pan,
    35: `${pan}=30121015432112345678`,
    45: `B${pan}^DOE/JANE^3012101`,
    46: `card ${pan}!`,
    48: privateData([
      [20, 'E'],
      [61, '1'],
      [82, '01310-100AVENIDA 1000'],
      [92, '737'],
      [99, 'secret'],
    ]),
    52: 'hex:1122334455667788',
    55: 'hex:9F2608AABBCCDD',
    62: 'note 9999 9900 0012 3457 end',
    63: 'NET000000000001',
    103: `${pan}=3012101`,
  };
  const sent = pack(name, fields);
  const bytes = maskedBytes(name, sent, pan);

  it('keep the length and everything that may be seen', () => {
    expect(bytes).toHaveLength(sent.length);
    const shown = unpack(name, bytes);
    for (const field of [0, 3, 4, 7, 11, 37, 41, 42, 43, 49, 63])
      expect(shown[field], `DE${field}`).toBe(unpack(name, sent)[field]);
    expect(shown[2]).toBe(masked);
    expect(shown[46]).toBe(`card ${masked}!`);
    expect(shown[62]).toBe('note 9999 9900 0000 3457 end');
    expect(shown[48]).toBe(
      privateData([
        [20, 'E'],
        [61, '1'],
        [82, '0'.repeat(21)],
        [92, '000'],
        [99, '000000'],
      ]),
    );
  });

  it('have zeros for what must not', () => {
    const shown = unpack(name, bytes);
    for (const field of [35, 45, 103]) expect(shown[field], `DE${field}`).toMatch(/^0+$/);
    for (const field of [52, 55]) expect(shown[field], `DE${field}`).toMatch(/^hex:0+$/);
    const texts = [Buffer.from(bytes).toString('latin1'), Buffer.from(bytes).toString('hex')];
    for (const secret of [pan, '1234570', '3012101', '737', 'secret', 'AVENIDA', 'DOE', 'AABBCCDD'])
      for (const text of texts) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain(Buffer.from(secret).toString('hex'));
      }
    expect(describeMessage(name, bytes).error).toBeUndefined();
  });

  it('hide the number of the card wherever it stands, and a DE48 that is not made of tags', () => {
    const shown = unpack(
      name,
      maskedBytes(name, pack(name, { 0: '0100', 37: '000012345700', 43: pan, 48: '92' }), pan),
    );
    expect(shown).toEqual({ 0: '0100', 37: '000012345700', 43: masked.padEnd(40), 48: '00' });
  });

  it('hide the number of the card in fields of digits too', () => {
    const digits = (number: string) => ({
      ...{ 53: number, 64: `hex:${number}`, 86: number, 90: `0100${number}${'0'.repeat(22)}` },
    });
    const shown = unpack(name, maskedBytes(name, pack(name, { 0: '0100', 2: pan, ...digits(pan) }), pan));
    expect(shown).toEqual({ 0: '0100', 2: masked, ...digits(masked) });
  });

  it('are a message of the same length, with nothing left to hide, for any message', () => {
    fc.assert(
      fc.property(anyMessage, (any) => {
        const whole = pack(name, any);
        const once = maskedBytes(name, whole, pan);
        expect(once).toHaveLength(whole.length);
        expect(maskedBytes(name, once, pan)).toEqual(once);
      }),
    );
  });
});
