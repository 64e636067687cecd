import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApprovalCodes, approvalCodeOf, approvalCodeText } from '#src/domain/approval-code.js';
import { daysFromCivil, isPastExpiry, isTransmission, monthNumber, transmissionMs } from '#src/domain/calendar.js';
import { currencyExponent, currencyLetters, currencyNumber, currencyNumbers } from '#src/domain/currencies.js';
import { StateDigest } from '#src/domain/digest.js';
import { KeySet } from '#src/domain/key-set.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { addMoney, isAmount, mulDivFloor, mulDivHalfUp } from '#src/domain/money.js';
import { SlotIndex } from '#src/domain/slot-index.js';

describe('money', () => {
  const amount = fc.integer({ min: 0, max: 999_999_999_999 });

  test('sums are checked at both ends', () => {
    expect(addMoney(2 ** 53 - 2, 1)).toBe(2 ** 53 - 1);
    expect(() => addMoney(2 ** 53 - 1, 1)).toThrow(/money out of range/);
    expect(() => addMoney(-(2 ** 53 - 1), -1)).toThrow(/money out of range/);
    expect(() => addMoney(0.5, 1)).toThrow(/money out of range/);
    expect([isAmount(0, 1), isAmount(1, 1), isAmount(999_999_999_999, 1), isAmount(1e12, 1), isAmount(1.5, 0)]).toEqual(
      [false, true, true, false, false],
    );
  });

  test('products and quotients are exact, rounded down and half up', () => {
    fc.assert(
      fc.property(amount, amount, fc.integer({ min: 1, max: 999_999_999_999 }), (a, b, c) => {
        // Larger results are no money and are refused.
        fc.pre((BigInt(a) * BigInt(b)) / BigInt(c) < 2n ** 52n);
        expect(BigInt(mulDivFloor(a, b, c))).toBe((BigInt(a) * BigInt(b)) / BigInt(c));
        expect(BigInt(mulDivHalfUp(a, b, c))).toBe((2n * BigInt(a) * BigInt(b) + BigInt(c)) / (2n * BigInt(c)));
      }),
      { numRuns: 2000 },
    );
    expect([mulDivHalfUp(1, 1, 2), mulDivHalfUp(1, 1, 3), mulDivHalfUp(2, 1, 3), mulDivFloor(2, 1, 3)]).toEqual([
      1, 0, 1, 0,
    ]);
    expect(() => mulDivFloor(999_999_999_999, 999_999_999_999, 1)).toThrow(/money out of range/);
  });
});

describe('calendar', () => {
  test('agrees with Date over three centuries', () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2260, 0, 1) }), (ms) => {
        const date = new Date(ms);
        expect(monthNumber(ms)).toBe(date.getUTCFullYear() * 12 + date.getUTCMonth());
        expect(daysFromCivil(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())).toBe(
          Math.floor(ms / 86_400_000),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    // DE7, now, meant
    [1231235959, '2027-01-01T00:00:30Z', '2026-12-31T23:59:59Z'],
    [101000000, '2026-12-31T23:59:50Z', '2027-01-01T00:00:00Z'],
    [520120000, '2026-05-20T12:00:01Z', '2026-05-20T12:00:00Z'],
    [703000000, '2026-01-01T00:00:00Z', '2025-07-03T00:00:00Z'],
    [702000000, '2026-01-01T00:00:00Z', '2026-07-02T00:00:00Z'],
    [229120000, '2028-02-29T12:00:01Z', '2028-02-29T12:00:00Z'],
    [229120000, '2026-03-02T00:00:00Z', '2028-02-29T12:00:00Z'],
    [229120000, '2026-03-01T00:00:00Z', '2024-02-29T12:00:00Z'], // as far: the earlier one
    [229120000, '2025-03-01T00:00:00Z', '2024-02-29T12:00:00Z'],
    [229120000, '2101-03-01T00:00:00Z', '2104-02-29T12:00:00Z'],
  ])('DE7 %d at %s is %s', (transmission, now, meant) => {
    expect(new Date(transmissionMs(transmission, Date.parse(now))).toISOString()).toBe(new Date(meant).toISOString());
  });

  test.each([-1, 0, 1301000000, 132000000, 230000000, 431000000, 520240000, 520126000, 520120060])(
    'DE7 %d is no date',
    (transmission) => {
      expect(transmissionMs(transmission, Date.UTC(2026, 4, 20))).toBe(-1);
      expect(isTransmission(transmission)).toBe(false);
    },
  );

  test('DE7 is a time exactly when it is the time of some leap year', () => {
    const part = fc.integer({ min: 0, max: 99 });
    fc.assert(
      fc.property(part, part, part, part, part, (month, day, hour, minute, second) => {
        const at = new Date(Date.UTC(2028, month - 1, day, hour, minute, second));
        const parts = [at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()];
        const isTime = parts.join() === [month, day, hour, minute, second].join();
        const transmission = (((month * 100 + day) * 100 + hour) * 100 + minute) * 100 + second;
        expect(isTransmission(transmission)).toBe(isTime);
      }),
      { numRuns: 5000 },
    );
    expect(isTransmission(229235959)).toBe(true);
  });

  test('a card is valid to the end of its month', () => {
    expect(isPastExpiry(2605, Date.UTC(2026, 5, 1) - 1)).toBe(false);
    expect(isPastExpiry(2605, Date.UTC(2026, 5, 1))).toBe(true);
    expect(isPastExpiry(2612, Date.UTC(2027, 0, 1) - 1)).toBe(false);
    expect(isPastExpiry(2612, Date.UTC(2027, 0, 1))).toBe(true);
  });
});

describe('currencies', () => {
  test.each([
    [986, 'BRL', 2],
    [840, 'USD', 2],
    [978, 'EUR', 2],
    [392, 'JPY', 0],
    [410, 'KRW', 0],
    [152, 'CLP', 0],
    [414, 'KWD', 3],
    [788, 'TND', 3],
    [990, 'CLF', 4],
    [927, 'UYW', 4],
    [8, 'ALL', 2],
    [352, 'ISK', 0],
    [348, 'HUF', 2],
  ])('%d is %s with %d decimals', (numeric, letters, exponent) => {
    expect([currencyLetters(numeric), currencyExponent(numeric), currencyNumber(letters)]).toEqual([
      letters,
      exponent,
      numeric,
    ]);
  });

  test('nothing else is a currency', () => {
    expect([0, -1, 999, 1000, 963, 1.5, Number.NaN].map(currencyExponent)).toEqual([-1, -1, -1, -1, -1, -1, -1]);
    expect(['XXX', 'XAU', 'brl', '', 'constructor'].map(currencyNumber)).toEqual([-1, -1, -1, -1, -1]);
  });

  test('what is historical is none either: each of these was replaced', () => {
    const historical = 'HRK BGN ANG CUC DEM ZWL SLL VEF BYR MRO STD LTL EEK'.split(' ');
    expect(historical.filter((letters) => currencyNumber(letters) >= 0)).toEqual([]);
    expect(
      ['EUR', 'XCG', 'CUP', 'ZWG', 'SLE', 'VES', 'BYN', 'MRU', 'STN'].filter((one) => currencyNumber(one) < 0),
    ).toEqual([]);
    expect([currencyExponent(975), currencyExponent(191), currencyLetters(532)]).toEqual([-1, -1, 'XCG']);
  });

  test('the table is what scripts/currencies.mjs makes of the list of ISO', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/currencies.mjs', '--check'], {
      cwd: new URL('../../', import.meta.url),
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('the table agrees with the letters and decimals that the platform knows', () => {
    // CLDR, which the platform follows, drops the decimals of currencies whose cents are out of use; ISO 4217 keeps them.
    const inUse = new Intl.DisplayNames('en', { type: 'currency', fallback: 'none' });
    const differing: string[] = [];
    for (const numeric of currencyNumbers()) {
      const letters = currencyLetters(numeric)!;
      expect(letters).toMatch(/^[A-Z]{3}$/);
      const { maximumFractionDigits } = new Intl.NumberFormat('en', {
        style: 'currency',
        currency: letters,
      }).resolvedOptions();
      if (inUse.of(letters) !== undefined && maximumFractionDigits !== currencyExponent(numeric))
        differing.push(letters);
    }
    expect(currencyNumbers().length).toBeGreaterThan(150);
    expect(differing.filter((letters) => !CENTS_OUT_OF_USE.includes(letters))).toEqual([]);
  });
});

const CENTS_OUT_OF_USE = 'AFN ALL COP HUF IDR IQD IRR KPW LAK LBP MGA MMK PKR RSD SLE SOS SYP TZS UZS YER'.split(' ');

describe('DE38 as a number', () => {
  const input = new MessageInput();
  const codeOf = (text: string): number => {
    input.clear();
    input.setText(Text.approval, text);
    return approvalCodeOf(input, Text.approval);
  };

  test.each([
    ['000000', 0],
    ['042017', 42_017],
    ['999999', 999_999],
    ['12', 1_000_000 + 2 * 63 ** 5 + 3 * 63 ** 4],
    ['zzzzzz', 63 ** 6 + 999_999],
    ['', -1],
    ['      ', -1],
    ['12-456', -1],
    ['1234567', -1],
  ])('%j is %i', (text, code) => expect(codeOf(text)).toBe(code));

  test('each code is the text that it came from, without the blanks behind it, and no other text', () => {
    const symbols = ' 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.split('');
    const text = fc.string({ unit: fc.constantFrom(...symbols), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        fc.pre(a.trimEnd() !== '' && b.trimEnd() !== '');
        expect(approvalCodeText(codeOf(a))).toBe(a.trimEnd());
        expect(codeOf(a) === codeOf(b)).toBe(a.trimEnd() === b.trimEnd());
      }),
    );
    expect(approvalCodeText(-1)).toBe('');
  });
});

describe('approval codes', () => {
  const KEY = [0x9e3779b9, 0x7f4a7c15, 0xf39cc060, 0x5cedc834] as const;
  const codes = new ApprovalCodes(KEY, 3);
  const CARDS = 10_000;

  /** Largest departure of a table of counts from an even one, as chi-square; for 9 degrees of freedom 40 is one in 10^5. */
  const unevenness = (counts: readonly number[]): number => {
    const even = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    return counts.reduce((sum, count) => sum + (count - even) ** 2 / even, 0);
  };

  /** No digit of the codes, and no digit of the steps between neighbours, is likelier than another. */
  function looksRandom(list: readonly number[]): void {
    const steps = list.slice(1).map((code, i) => (code - list[i]! + 1_000_000) % 1_000_000);
    for (const values of [list, steps]) {
      for (let place = 1; place < 1_000_000; place *= 10) {
        const counts = new Array<number>(10).fill(0);
        for (const value of values) counts[Math.floor(value / place) % 10]!++;
        expect(unevenness(counts)).toBeLessThan(40);
      }
    }
    // Of n values out of a million, n^2 / 2 million meet another one by chance: 50 of 10 000.
    expect(new Set(steps).size).toBeGreaterThan(list.length * 0.98);
    const bits = list.slice(1).reduce((sum, code, i) => sum + bitsOf(code ^ list[i]!), 0) / (list.length - 1);
    expect(bits).toBeGreaterThan(9.5);
    expect(bits).toBeLessThan(10.5);
  }

  function bitsOf(value: number): number {
    let count = 0;
    for (let rest = value; rest !== 0; rest &= rest - 1) count++;
    return count;
  }

  test.each([0, 12_345, 2 ** 24 - 1])('card %i gets each code once in a million approvals', (slot) => {
    const seen = new Uint8Array(1_000_000);
    for (let count = 0; count < 1_000_000; count++) seen[codes.of(slot, count)]!++;
    expect(seen.every((times) => times === 1)).toBe(true);
    expect(codes.of(slot, 1_000_000)).toBe(codes.of(slot, 0));
  });

  test('are those of the description at the top of the file, and stay them: a given code must not come back', () => {
    const known: [slot: number, count: number, code: number][] = [
      [0, 0, 986_258],
      [0, 1, 920_581],
      [1, 0, 221_456],
      [12_345, 999_999, 484_218],
      [2 ** 24 - 1, 7, 652_117],
    ];
    for (const [slot, count, code] of known) expect(codes.of(slot, count)).toBe(code);
  });

  test('neighbouring cards, approvals and shards look unrelated', () => {
    const numbers = Array.from({ length: CARDS }, (_, n) => n);
    looksRandom(numbers.map((slot) => codes.of(slot, 0)));
    looksRandom(numbers.map((slot) => codes.of(slot, 1)));
    looksRandom(numbers.map((count) => codes.of(7, count)));
    looksRandom(numbers.map((n) => codes.of(n, n)));
    looksRandom(numbers.map((n) => new ApprovalCodes(KEY, n & 255).of(n >> 8, 0)));
  });

  test('another key, or another shard, makes other codes', () => {
    const numbers = Array.from({ length: CARDS }, (_, n) => n);
    const others = [new ApprovalCodes(KEY, 2), ...KEY.map((_, word) => new ApprovalCodes(flipped(word), 3))];
    for (const other of others) {
      // By chance one code in a million is the same.
      expect(numbers.filter((slot) => codes.of(slot, 0) === other.of(slot, 0)).length).toBeLessThan(3);
      expect(numbers.filter((count) => codes.of(7, count) === other.of(7, count)).length).toBeLessThan(3);
    }
  });

  function flipped(word: number): [number, number, number, number] {
    const key: [number, number, number, number] = [...KEY];
    key[word] = (key[word]! ^ 1) >>> 0;
    return key;
  }
});

describe('slot index', () => {
  test('finds what was inserted and not removed, as a Map does', () => {
    const step = fc.record({ remove: fc.boolean(), key: fc.integer({ min: 0, max: 40 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        // Keys are their own slots; hashes collide on purpose and run over the end of the table.
        const index = new SlotIndex((slot) => 60 + (slot % 5), 4);
        const wanted = new Set<number>();
        for (const { remove, key } of steps) {
          if (remove !== wanted.has(key)) continue;
          if (remove) index.remove(key);
          else index.insert(key);
          if (remove) wanted.delete(key);
          else wanted.add(key);
          for (let slot = 0; slot <= 40; slot++) expect(finds(index, slot, 60 + (slot % 5))).toBe(wanted.has(slot));
          expect(index.count).toBe(wanted.size);
        }
      }),
      { numRuns: 60 },
    );
    expect(() => new SlotIndex((slot) => slot, 4).remove(3)).toThrow(/not in the index/);
  });
});

function finds(index: SlotIndex, wanted: number, hash: number): boolean {
  for (let slot = index.first(hash); slot >= 0; slot = index.next()) if (slot === wanted) return true;
  return false;
}

describe('a set of keys', () => {
  test('has as many blocks for the checkpoint as have places that it has not got', () => {
    const set = new KeySet(new StateDigest(), 1, 1);
    const taken: number[] = [];
    const take = (limit: number): number => set.takeDirty(limit, (block) => taken.push(block));
    expect(set.dirtyCount).toBe(0);
    for (let n = 1; n <= 5; n++) set.add(n, n, n);
    expect(set.dirtyCount).toBe(3);
    expect([take(2), set.dirtyCount]).toEqual([2, 1]);
    expect([take(9), set.dirtyCount]).toEqual([1, 0]);
    set.add(6, 6, 6);
    expect([set.dirtyCount, take(9), set.dirtyCount]).toEqual([1, 1, 0]);
    expect(taken).toEqual([0, 1, 2, 2]);
  });
});
