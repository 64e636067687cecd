import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect, dialectNames } from '#src/iso8583/dialects.js';
import { pack } from '#src/iso8583/message.js';
import {
  AmountWalker,
  OriginalPart,
  originalData,
  privateData,
  replacementAmounts,
  TagWalker,
  writeAmountGroup,
  writeTag,
  writeTagByte,
} from '#src/iso8583/private-data.js';

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** The tags of a text, and whether it was all tags. */
function walk(text: string): { tags: [number, string][]; broken: boolean } {
  const bytes = ascii(`xx${text}0101A`);
  const walker = new TagWalker();
  walker.reset(bytes, 2, text.length);
  const tags: [number, string][] = [];
  while (walker.next()) {
    tags.push([walker.tag, Buffer.from(bytes.subarray(walker.at, walker.at + walker.length)).toString('latin1')]);
  }
  return { tags, broken: walker.broken };
}

describe('DE48', () => {
  it.each<[string, [number, string][], boolean]>([
    ['', [], false],
    ['2001E', [[20, 'E']], false],
    [
      '2001I6301X9200',
      [
        [20, 'I'],
        [63, 'X'],
        [92, ''],
      ],
      false,
    ],
    ['2001E42', [[20, 'E']], true],
    ['2001E4203', [[20, 'E']], true],
    ['2001E420312', [[20, 'E']], true],
    ['A001E', [], true],
    ['20x1E', [], true],
    ['XXXXXXXX', [], true],
  ])('walks %j', (text, tags, broken) => {
    expect(walk(text)).toEqual({ tags, broken });
  });

  it('walks back what was written', () => {
    const value = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
      maxLength: 99,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 99 }), value), { maxLength: 9 }), (tags) => {
        const text = privateData(tags);
        expect(walk(text)).toEqual({ tags, broken: false });
        const target = new Uint8Array(1000);
        let end = 1;
        for (const [tag, content] of tags) end = writeTag(target, end, tag, ascii(content), 0, content.length);
        expect(Buffer.from(target.subarray(1, end)).toString('latin1')).toBe(text);
      }),
    );
  });

  it('finds a tag, its number, its characters', () => {
    const walker = new TagWalker();
    const bytes = ascii('2001R4203212610110');
    walker.reset(bytes, 0, bytes.length);
    expect([walker.find(42), walker.digits(), walker.byteAt(0), walker.byteAt(3)]).toEqual([true, 212, 0x32, -1]);
    expect([walker.find(20), walker.broken]).toEqual([false, true]);
    walker.reset(bytes, 0, 5);
    expect([walker.find(20), walker.digits(), walker.find(20), walker.broken]).toEqual([true, -1, false, false]);
  });

  it('refuses tags that do not fit', () => {
    const target = new Uint8Array(10);
    expect(writeTagByte(target, 5, 83, 0x59)).toBe(10);
    expect(Buffer.from(target.subarray(5)).toString()).toBe('8301Y');
    expect(() => writeTagByte(target, 6, 83, 0x59)).toThrow(RangeError);
    expect(() => writeTag(target, 0, 83, new Uint8Array(9), 0, 7)).toThrow(RangeError);
    expect(() => writeTag(target, 0, 83, new Uint8Array(3), 0, 4)).toThrow(RangeError);
    expect(() => writeTag(target, 0, 100, target, 0, 1)).toThrow(RangeError);
    expect(() => writeTag(new Uint8Array(200), 0, 83, new Uint8Array(100), 0, 100)).toThrow(RangeError);
    expect(() => privateData([[100, '']])).toThrow(RangeError);
  });
});

describe('DE54', () => {
  it('writes the groups and walks them', () => {
    const target = new Uint8Array(60);
    let end = writeAmountGroup(target, 0, 0, 1, 986, 12345);
    end = writeAmountGroup(target, end, 30, 2, 986, -100);
    expect(Buffer.from(target.subarray(0, end)).toString()).toBe('0001986C0000000123453002986D000000000100');
    const walker = new AmountWalker();
    walker.reset(target, 0, end);
    const groups: number[][] = [];
    while (walker.next()) groups.push([walker.accountType, walker.amountType, walker.currency, walker.amount]);
    expect(groups).toEqual([
      [0, 1, 986, 12345],
      [30, 2, 986, -100],
    ]);
    expect(walker.broken).toBe(false);
  });

  it.each(['0001986C00000001234', '0001986X000000012345', '00x1986C000000012345', '0001986C00000001234 '])(
    'calls %j broken',
    (text) => {
      const walker = new AmountWalker();
      walker.reset(ascii(text), 0, text.length);
      expect([walker.next(), walker.broken, walker.next()]).toEqual([false, true, false]);
    },
  );

  it('refuses amounts that do not fit', () => {
    const target = new Uint8Array(20);
    expect(() => writeAmountGroup(target, 0, 0, 1, 986, 1e12)).toThrow(RangeError);
    expect(() => writeAmountGroup(target, 0, 0, 1, 986, Number.NaN)).toThrow(RangeError);
    expect(() => writeAmountGroup(target, 0, 0, 1, 1000, 1)).toThrow(RangeError);
    expect(() => writeAmountGroup(target, 1, 0, 1, 986, 1)).toThrow(RangeError);
  });
});

describe.each(dialectNames)('DE90 and DE95 in %s', (name) => {
  it('read their parts as digits', () => {
    const bytes = pack(name, {
      0: '0420',
      90: originalData(100, 180507, 1122140300, 12345, 98765432109),
      95: replacementAmounts(700),
    });
    const decoder = new Decoder(dialect(name));
    expect(decoder.decode(bytes, 0, bytes.length)).toBe(true);
    const part = (which: keyof typeof OriginalPart): number =>
      decoder.digitsAt(90, OriginalPart[which].at, OriginalPart[which].length);
    expect([part('mti'), part('stan'), part('transmission')]).toEqual([100, 180507, 1122140300]);
    expect([part('acquirer'), part('forwarder')]).toEqual([12345, 98765432109]);
    expect([decoder.digitsAt(95, 0, 12), decoder.size(95), decoder.digits(90)]).toEqual([700, 42, -1]);
  });
});
