import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskDigits, maskPan } from '#src/pan-mask.js';
import { isPan, issuePan, luhnCheckDigit, panOfNumber } from '#src/vault/pan.js';

describe('mask', () => {
  it.each([
    ['9999990000000017', '999999******0017'],
    ['9999990000008', '999999***0008'],
    ['9999990000000000017', '999999*********0017'],
    ['999999000017', '************'],
    ['99999900000000000170', '********************'],
    ['99999900000000x7', '****************'],
    ['', ''],
  ])('%s is shown as %s', (pan, shown) => expect(maskPan(pan)).toBe(shown));

  it('shows exactly the first 6 and last 4 of 13 to 19 digits', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{13,19}$/), (pan) => {
        const shown = maskPan(pan);
        expect(shown.length).toBe(pan.length);
        expect(shown.replaceAll('*', '').length).toBe(10);
        expect(shown.startsWith(pan.slice(0, 6)) && shown.endsWith(pan.slice(-4))).toBe(true);
      }),
    );
  });

  it('hides card numbers inside a text, and longer runs entirely', () => {
    expect(maskDigits('card 9999990000000017=2912 failed')).toBe('card 999999******0017=2912 failed');
    expect(maskDigits('x99999900000000179999990000000017x')).toBe(`x${'*'.repeat(32)}x`);
  });
});

describe('Luhn and issuing', () => {
  it.each(['4000000000000002', '4111111111111111', '5555555555554444', '378282246310005'])('%s is valid', (pan) => {
    expect(isPan(pan)).toBe(true);
  });

  it('every single-digit error and every changed check digit is found', () => {
    const pan = '4000000000000002';
    for (let at = 0; at < pan.length; at++) {
      for (let digit = 0; digit < 10; digit++) {
        if (pan[at] === String(digit)) continue;
        expect(isPan(pan.slice(0, at) + String(digit) + pan.slice(at + 1))).toBe(false);
      }
    }
    expect(isPan('400000000000')).toBe(false);
    expect(isPan('400000000000000a')).toBe(false);
  });

  it('an issued number has its BIN, its length and a valid check digit', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[1-9][0-9]{5,10}$/), fc.integer({ min: 13, max: 19 }), (bin, length) => {
        const pan = issuePan(bin, length);
        expect(pan).toHaveLength(length);
        expect(pan.startsWith(bin)).toBe(true);
        expect(isPan(pan)).toBe(true);
      }),
    );
  });

  it('is deterministic with injected randomness and by number', () => {
    expect(issuePan('999999', 16, () => 7)).toBe(`999999777777777${luhnCheckDigit('999999777777777')}`);
    expect(panOfNumber('999999', 1)).toBe('9999990000000010'.slice(0, 15) + String(luhnCheckDigit('999999000000001')));
    expect(isPan(panOfNumber('999999', 123_456_789))).toBe(true);
    expect(() => panOfNumber('999999', 1e9)).toThrow(RangeError);
    expect(() => issuePan('99999', 16)).toThrow(RangeError);
    expect(() => issuePan('999999', 20)).toThrow(RangeError);
  });
});
