import { describe, expect, test } from 'vitest';
import { countryCodes, countryLetters, countryNumber, countryOfThree } from '#src/domain/countries.js';

describe('countries', () => {
  test.each([
    ['AF', 4],
    ['BR', 76],
    ['DE', 276],
    ['GB', 826],
    ['US', 840],
    ['ZW', 716],
  ])('%s is %i', (alpha, numeric) => {
    expect(countryNumber(alpha)).toBe(numeric);
    expect(countryLetters(numeric)).toBe(alpha);
  });

  test('are the 249 of ISO 3166-1, each number once, and nothing else', () => {
    const codes = countryCodes();
    expect(codes).toHaveLength(249);
    expect(codes.filter((code) => !/^[A-Z]{2}$/.test(code))).toEqual([]);
    expect(new Set(codes.map(countryNumber)).size).toBe(249);
    for (const code of codes) expect(countryLetters(countryNumber(code))).toBe(code);
    expect([countryNumber('XX'), countryNumber('br'), countryNumber('constructor')]).toEqual([-1, -1, -1]);
    expect(countryLetters(0)).toBeUndefined();
  });

  test.each([
    ['AND', 20],
    ['BRA', 76],
    ['DEU', 276],
    ['USA', 840],
    ['ZWE', 716],
    ['BR', -1],
    ['bra', -1],
    ['XXX', -1],
    ['', -1],
  ])('by three letters %s is %i', (alpha, numeric) => {
    expect(countryOfThree(alpha)).toBe(numeric);
  });
});
