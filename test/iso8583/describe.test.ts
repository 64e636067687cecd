import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dialectNames } from '#src/iso8583/dialects.js';
import { describe as describeMessage, describeText, pack } from '#src/iso8583/message.js';
import { privateData } from '#src/iso8583/private-data.js';
import { purchase } from './arbitraries.js';

const pan = '9999990000000007';

describe.each(dialectNames)('a description in %s', (name) => {
  const sensitive = {
    ...purchase,
    0: '0100',
    34: `EXTENDED ${pan}`,
    36: '017654321098765432',
    45: `B${pan}^DOE/JANE^3012101`,
    46: `card ${pan}!`,
    48: privateData([
      [20, 'E'],
      [82, '01310-100AVENIDA 1000'],
      [92, '737'],
      [99, 'secret'],
    ]),
    62: 'note 9999 9900 0000 0007 end',
    102: pan,
    103: `${pan}=3012101`,
  };
  const text = describeText(name, pack(name, sensitive));

  it('hides what must not be seen', () => {
    const digits = text.replace(/[^0-9A-Za-z]/g, '');
    for (const secret of [pan, '0000000', '3012101', '737', 'secret', 'AVENIDA', '01310', '0011223344556677', 'DOE']) {
      // DE4 and DE43 legitimately hold zeros, so the account number's middle is looked for outside of them.
      const haystack =
        secret === '0000000'
          ? text
              .split('\n')
              .filter((line) => /^DE(2|46|62|102) /.test(line))
              .join()
          : text;
      expect(haystack).not.toContain(secret);
    }
    expect(digits).not.toContain(pan);
    expect(text).not.toContain('9F26');
    expect(text).not.toContain('017654321098765432');
  });

  it('shows what helps', () => {
    const line = (field: string): string => text.split('\n').find((row) => row.startsWith(`${field} `)) ?? '';
    expect(text.split('\n')[0]).toMatch(/^0100 authorization request \(iso87-/);
    expect(line('DE2')).toContain('999999******0007');
    expect(line('DE4')).toContain('Amount, transaction');
    expect(line('DE4')).toContain('000000001000');
    expect(line('DE35')).toContain('(hidden)');
    expect(line('DE46')).toContain('card 999999******0007!');
    expect(line('DE62')).toContain('note 9999 99** **** 0007 end');
    expect(line('DE63')).toContain('326514180507001');
    expect(line('DE103')).toContain('(hidden)');
    expect(text).toMatch(/tag 20 +function +E/);
    expect(text).toMatch(/tag 92 +CVV2 +\(hidden\)/);
    expect(text).toMatch(/tag 99 +unknown +\(hidden\)/);
  });

  it('masks the own number in every text, and any number in DE43', () => {
    const own = '9999991234567890';
    const fields = { ...purchase, 0: '0100', 2: own, 37: own.slice(0, 12), 42: own.slice(1), 63: own.slice(0, 15) };
    const shown = describeText(
      name,
      pack(name, { ...fields, 43: 'CARD 9999 9900 0000 0014'.padEnd(40), 48: privateData([[80, own]]) }),
    );
    expect(shown).not.toContain('123456');
    expect(shown).toMatch(/DE37 .* 999999\*{6}\n/);
    expect(shown).toMatch(/DE42 .* 99999\*{6}7890\n/);
    expect(shown).toMatch(/DE43 .* CARD 9999 99\*\* \*{4} 0014/);
    expect(shown).toMatch(/DE63 .* 999999\*{6}789\n?/);
    expect(shown).toMatch(/tag 80 .* 999999\*{6}7890/);
  });

  it('masks the own number in DE54 and DE90, across their parts too', () => {
    const number = '9999991234567893';
    const groups = '0001986C000000999999' + '1234567C893000000000';
    const fields = { 0: '0100', 2: number, 54: groups, 90: `0100${number}${'0'.repeat(22)}` };
    const text = describeText('iso87-ascii', pack('iso87-ascii', fields));
    expect(text).toContain('0100999999******7893');
    const split = { 0: '0100', 2: number, 54: `0001986C00009999991${'2345678'}C93${'0'.repeat(10)}` };
    expect(describeText('iso87-ascii', pack('iso87-ascii', split))).not.toContain('12345678');
    expect(text).not.toContain(number);
    const mac = describeText('iso87-bcd', pack('iso87-bcd', { 0: '0100', 2: number, 64: `hex:${number}` }));
    expect(mac).not.toContain(number);
  });

  it('hides DE48 that is not made of tags', () => {
    const described = describeMessage(name, pack(name, { 0: '0100', 48: '2001E9203737x' }));
    expect(described.fields).toEqual([
      { field: 48, name: 'Additional data, private', format: 'ans...999', length: 13, value: '(hidden)' },
    ]);
  });

  it('says what the parts of DE54 and DE90 are', () => {
    const fields = {
      0: '0110',
      54: '0002986D000000000100',
      90: `0100180507${'1122140300'}${'00000012345'}${'0'.repeat(11)}`,
    };
    const described = describeMessage(name, pack(name, fields));
    expect(described.fields[0]?.parts).toEqual([
      { part: 'amount 1', name: 'available', value: '-100 minor units of 986' },
    ]);
    expect(described.fields[1]?.parts?.map((part) => part.value)).toEqual([
      '0100',
      '180507',
      '1122140300',
      '00000012345',
      '00000000000',
    ]);
  });

  it('shows a broken message as far as it goes, and why it goes no further', () => {
    const bytes = pack(name, purchase);
    const described = describeMessage(name, bytes.subarray(0, bytes.length - 1));
    expect(described.error).toEqual({ field: 63, offset: bytes.length - 1, reason: 'the message ends inside' });
    expect(described.fields.length).toBe(22);
    expect(describeText(name, bytes.subarray(0, 1))).toContain('error: MTI');
  });

  it('never throws and never prints a control character', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (noise, at) => {
        const bytes = pack(name, purchase);
        bytes.set(noise.subarray(0, bytes.length), at % Math.max(1, bytes.length - noise.length));
        expect(describeText(name, bytes)).toMatch(/^[\x20-\x7e\n]*$/);
        expect(describeText(name, noise)).toMatch(/^[\x20-\x7e\n]*$/);
      }),
      { numRuns: 200 },
    );
  });
});
