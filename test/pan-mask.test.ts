import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskDigits, maskJson, maskPans, TextMask } from '#src/pan-mask.js';
import { isPan, issuePan } from '#src/vault/pan.js';

const pan = '9999990000000014';

describe('card numbers in a text', () => {
  it.each([
    ['9999990000000014', '999999******0014'],
    ['9999 9900 0000 0014', '9999 99** **** 0014'],
    ['9999-9900-0000-0014', '9999-99**-****-0014'],
    ['9 9 9 9 9 9 0 0 0 0 0 0 0 0 1 4', '9 9 9 9 9 9 * * * * * * 0 0 1 4'],
    ['shop 12 9999990000000014', 'shop 12 999999******0014'],
    ['9999990000000014=2912', '999999******0014=2912'],
    ['9999990000000014 2912', '999999******0014 2912'],
    // Not single separators, a wrong check digit, too long to be one.
    ['99999900  00000014', '99999900  00000014'],
    ['9999990000000015', '9999990000000015'],
    ['99999900000000140000', '99999900000000140000'],
  ])('%s becomes %s', (text, masked) => expect(maskPans(text)).toBe(masked));

  it('finds a number behind and before any other groups of digits', () => {
    const group = fc.stringMatching(/^[0-9]{1,11}$/);
    fc.assert(
      fc.property(
        fc.integer({ min: 13, max: 19 }),
        fc.array(group, { maxLength: 3 }),
        group,
        (length, before, after) => {
          const number = issuePan('999999', length);
          const masked = maskPans([...before, number, after].join(' '));
          const place = before.join(' ').length + (before.length > 0 ? 1 : 0);
          // Whatever else was hidden, no more of the number is shown than its first six and last four.
          expect(masked.slice(place + 6, place + length - 4)).toBe('*'.repeat(length - 10));
          expect(masked).toHaveLength([...before, number, after].join(' ').length);
        },
      ),
    );
  });

  it('keeps separators in error texts, too', () => {
    expect(maskDigits('card 9999 9900 0000 0017')).toBe('card 9999 99** **** 0017');
  });
});

describe('JSON', () => {
  it('has its strings and names masked; numbers and public ids stay', () => {
    const id = 'auth_99999900000000140000000000';
    const value = { id, sequence: Number(pan), when: null, [pan]: [`x${pan}`, true, { deep: pan }] };
    expect(isPan(pan)).toBe(true);
    expect(JSON.parse(JSON.stringify(maskJson(value)))).toEqual({
      id,
      sequence: Number(pan),
      when: null,
      '999999******0014': ['x999999******0014', true, { deep: '999999******0014' }],
    });
  });
});

describe("a message's own number", () => {
  function masked(own: string, text: string, free = false): string {
    const mask = new TextMask(64);
    mask.clear();
    for (const digit of own) mask.addDigit(digit.charCodeAt(0));
    const bytes = Buffer.from(`<${text}>`);
    mask.mask(bytes, 1, text.length, free);
    return bytes.toString().slice(1, -1);
  }

  it.each([
    [pan, pan, '999999******0014'],
    // No check digit is asked for, and what stands around does not matter.
    ['9999990000000015', '12399999900000000152912', '123999999******00152912'],
    ['9999990000000015', '9999 9900-0000 0015', '9999 99**-**** 0015'],
    // As much of it as fits into DE37, from either end.
    ['9999991234567890', '999999123456', '999999******'],
    ['9999991234567890', '991234567890', '99******7890'],
    ['9999991234567890', '99123456789', '99123456789'],
    ['9999991234567890', '999999123455', '999999123455'],
    ['999999123456', '999999123456', '************'],
    ['9999991', '9999991', '9999991'],
    ['', '0123456789012', '0123456789012'],
  ])('%s in %s is %s', (own, text, shown) => expect(masked(own, text)).toBe(shown));

  it('is masked beside other numbers only on demand', () => {
    expect(masked('9999991234567890', pan)).toBe(pan);
    expect(masked('9999991234567890', `${pan} 9999991234567890`, true)).toBe('999999******0014 999999******7890');
  });

  it('is found at every place of a text, with whatever stands around it', () => {
    const around = fc.array(fc.constantFrom('a', 'a', ' ', '-', 'Z9', '.'), { maxLength: 10 });
    fc.assert(
      fc.property(around, around, fc.boolean(), (before, after, grouped) => {
        // A digit next to the number would make it a longer run: still its own number, found all the same.
        const number = grouped ? '9999 9900-0000 0015' : '9999990000000015';
        const hidden = grouped ? '9999 99**-**** 0015' : '999999******0015';
        const text = `${before.join('')}${number}${after.join('')}`;
        expect(masked('9999990000000015', text)).toBe(`${before.join('')}${hidden}${after.join('')}`);
      }),
    );
  });

  it('is taken as a whole, up to the first character that is no digit', () => {
    const mask = new TextMask(64);
    const maskWith = (own: string): string => {
      mask.own.set(Buffer.from(own));
      mask.took(own.length);
      const bytes = Buffer.from('9999990000000015');
      mask.mask(bytes, 0, 16, false);
      return bytes.toString();
    };
    expect(maskWith('9999990000000015')).toBe('999999******0015');
    expect(maskWith('999999000000001')).toBe('999999*****00015');
    expect(maskWith('99999900000=0015')).toBe('9999990000000015');
    expect([...mask.own.subarray(11)].every((byte) => byte === 0)).toBe(true);
  });

  it('forgets the number of the last message', () => {
    const mask = new TextMask(16);
    for (const digit of pan) expect(mask.addDigit(digit.charCodeAt(0))).toBe(true);
    mask.clear();
    const bytes = Buffer.from(pan);
    mask.mask(bytes, 0, 16, false);
    expect(bytes.toString()).toBe(pan);
    expect(() => mask.mask(Buffer.from(`${pan}${pan}`), 0, 32, false)).toThrow(RangeError);
  });
});
