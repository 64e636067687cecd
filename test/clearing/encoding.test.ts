import { describe, expect, it } from 'vitest';
import { encoding, encodingNames } from '#src/clearing/encoding.js';

const all = Uint8Array.from({ length: 256 }, (_, i) => i);

describe.each(encodingNames)('%s', (name) => {
  const page = encoding(name);

  it('is a permutation: every byte comes back', () => {
    const text = page.text(all, 0, 256);
    expect(new Set(text).size).toBe(256);
    const back = new Uint8Array(256);
    expect(page.put(text, back, 0)).toBe(256);
    expect(back).toEqual(all);
  });

  it('reads digits in place, and nothing else as a digit', () => {
    const bytes = new Uint8Array(20);
    page.put('0123456789', bytes, 3);
    expect(page.digits(bytes, 3, 10)).toBe(123456789);
    expect(page.digits(bytes, 12, 1)).toBe(9);
    expect(page.digits(bytes, 3, 0)).toBe(-1);
    const read = Array.from(all, (_, i) => page.digits(all, i, 1));
    expect(read.filter((value) => value >= 0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('never rounds a number', () => {
    const bytes = new Uint8Array(16);
    page.put('9007199254740991', bytes, 0);
    expect(page.digits(bytes, 0, 16)).toBe(Number.MAX_SAFE_INTEGER);
    page.put('9007199254740992', bytes, 0);
    expect(page.digits(bytes, 0, 16)).toBe(-1);
  });

  it('trims filling spaces only behind the text', () => {
    const bytes = new Uint8Array(8);
    page.put('  AB C  ', bytes, 0);
    expect(page.trimmed(bytes, 0, 8)).toBe('  AB C');
    page.put('        ', bytes, 0);
    expect(page.trimmed(bytes, 0, 8)).toBe('');
  });

  it('reads texts of any length and refuses what it cannot write', () => {
    const long = 'ab'.repeat(3000);
    const bytes = new Uint8Array(6000);
    page.put(long, bytes, 0);
    expect(page.text(bytes, 0, 6000)).toBe(long);
    expect(() => page.put('\u20ac', bytes, 0)).toThrow(RangeError);
  });
});

describe('the code pages', () => {
  const at = (name: 'cp500' | 'cp037', chars: string) => Array.from(chars, (char) => encoding(name).code(char));

  it('agree on letters, digits, blank and the separators of DE43', () => {
    const same = 'ABCIJRSZabcijrsz0189 \\/.,-()+&*;:';
    expect(at('cp500', same)).toEqual(at('cp037', same));
    expect(at('cp500', 'A J S 0 9 \\')).toEqual([0xc1, 0x40, 0xd1, 0x40, 0xe2, 0x40, 0xf0, 0x40, 0xf9, 0x40, 0xe0]);
  });

  it.each([
    ['!', 0x4f, 0x5a],
    ['[', 0x4a, 0xba],
    [']', 0x5a, 0xbb],
    ['^', 0x5f, 0xb0],
    ['|', 0xbb, 0x4f],
    ['\u00a2', 0xb0, 0x4a],
    ['\u00ac', 0xba, 0x5f],
  ])('differ in %s', (char, international, american) => {
    expect(at('cp500', char)).toEqual([international]);
    expect(at('cp037', char)).toEqual([american]);
  });

  it('differ in nothing else', () => {
    const differing = all.filter((code) => encoding('cp500').fromLatin1[code] !== encoding('cp037').fromLatin1[code]);
    expect(Buffer.from(differing).toString('latin1')).toBe('![]^|\u00a2\u00ac');
  });
});
