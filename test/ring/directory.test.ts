import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CARDS_MAX } from '#src/limits.js';
import { CardDirectory, createDirectory, UNKNOWN_CARD } from '#src/ring/directory.js';
import { workerFile } from '#src/worker-file.js';

const word = fc.integer({ min: 0, max: 0xffffffff });

describe('card directory', () => {
  it('finds what was inserted and nothing else, against a map', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(word, word, word), { maxLength: 200, selector: (key) => key.join(':') }),
        (keys) => {
          const directory = new CardDirectory(createDirectory({ expected: 0, maximum: 1 << 16 }));
          const half = keys.slice(0, keys.length >> 1);
          half.forEach(([a, b, c], i) => {
            directory.insert(a, b, c, i & 0xff, i);
          });
          half.forEach(([a, b, c], i) => {
            expect(directory.find(a, b, c)).toBe((((i & 0xff) << 24) | i) >>> 0);
          });
          for (const [a, b, c] of keys.slice(keys.length >> 1)) expect(directory.find(a, b, c)).toBe(UNKNOWN_CARD);
          expect(directory.size).toBe(half.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps entries of one bucket apart when only one word differs', () => {
    const directory = new CardDirectory(createDirectory({ expected: 0, maximum: 1 << 16 }));
    for (let i = 0; i < 100; i++) directory.insert(42, i, 7, 255, 0xfffffd - i);
    for (let i = 0; i < 100; i++) expect(directory.find(42, i, 7)).toBe(((255 << 24) | (0xfffffd - i)) >>> 0);
    expect(directory.find(42, 100, 7)).toBe(UNKNOWN_CARD);
  });

  it('grows level by level and still finds everything', () => {
    const directory = new CardDirectory(createDirectory({ expected: 0, maximum: 300_000 }));
    const count = 250_000;
    for (let i = 0; i < count; i++) directory.insert(Math.imul(i, 0x9e3779b1) >>> 0, i, 1, i & 15, i);
    for (let i = 0; i < count; i += 97) {
      expect(directory.find(Math.imul(i, 0x9e3779b1) >>> 0, i, 1)).toBe((((i & 15) << 24) | i) >>> 0);
    }
    expect(directory.size).toBe(count);
  });

  it('refuses a slot that would look like a mark', () => {
    const directory = new CardDirectory(createDirectory({ expected: 0, maximum: 10 }));
    expect(() => directory.insert(1, 2, 3, 255, 0xfffffe)).toThrow(RangeError);
  });

  it('calls itself full before an insertion fails', () => {
    const directory = new CardDirectory(createDirectory({ expected: 0, maximum: 10 }));
    let inserted = 0;
    while (!directory.full) directory.insert(Math.imul(++inserted, 0x9e3779b1) >>> 0, inserted, 1, 0, inserted);
    for (let i = 0; i < 2000; i++) directory.insert(i, 7, 7, 0, i);
    expect(inserted).toBeGreaterThan(30_000);
  });

  it('has room for a second entry of every card, and says when there is none for another', () => {
    for (const expected of [0, 40_000, 60_000]) {
      const directory = new CardDirectory(createDirectory({ expected, maximum: 60_000 }));
      let cards = 0;
      while (!directory.full) directory.insert(Math.imul(++cards, 0x9e3779b1) >>> 0, cards, 1, 0, cards);
      expect(directory.hasSecondRoom).toBe(true);
      let key = 1;
      for (; directory.hasSecondRoom; key++)
        for (let card = 1; card <= cards; card++) {
          directory.insert(Math.imul(card, 0x9e3779b1) >>> 0, card, key + 1, 0, card);
          directory.countFormer();
        }
      expect([directory.size, directory.full, key > 1]).toEqual([key * cards, true, true]);
      for (let card = 1; card <= cards; card += 997)
        for (let one = 1; one <= key; one++)
          expect(directory.find(Math.imul(card, 0x9e3779b1) >>> 0, card, one)).toBe(card);
    }
  });

  it('of the largest setting is granted, and used to its end', () => {
    const directory = new CardDirectory(createDirectory({ expected: 0, maximum: CARDS_MAX }));
    directory.insert(0xffffffff, 2, 3, 255, 7);
    expect([directory.find(0xffffffff, 2, 3), directory.full, directory.hasSecondRoom]).toEqual([
      ((255 << 24) | 7) >>> 0,
      false,
      true,
    ]);
    // A start with as many cards has one level of that size and another.
    const grown = new CardDirectory(createDirectory({ expected: CARDS_MAX, maximum: CARDS_MAX }));
    grown.insert(0xffffffff, 2, 3, 255, 7);
    expect([grown.find(0xffffffff, 2, 3), grown.full]).toEqual([((255 << 24) | 7) >>> 0, false]);
  });

  it('says so when it is full', () => {
    const directory = new CardDirectory(createDirectory({ expected: 0, maximum: 10 }));
    expect(() => {
      for (let i = 0; i < 1 << 17; i++) directory.insert(Math.imul(i, 0x9e3779b1) >>> 0, i, 1, 0, i);
    }).toThrow(/full: start with a larger --cards-max/);
  });

  it('takes insertions of two threads at once without losing one', async () => {
    const buffer = createDirectory({ expected: 0, maximum: 400_000 });
    const each = 60_000;
    const file = workerFile(import.meta.url, '../../src/ring/directory.js').href;
    const source = `
      const { workerData } = require('node:worker_threads');
      import(workerData.file).then(({ CardDirectory }) => {
        const directory = new CardDirectory(workerData.buffer);
        for (let i = 0; i < workerData.each; i++) directory.insert(Math.imul(i, 0x9e3779b1) >>> 0, i, workerData.who, workerData.who, i);
      });`;
    const threads = [1, 2].map((who) => new Worker(source, { eval: true, workerData: { file, buffer, each, who } }));
    await Promise.all(
      threads.map(
        (thread) => new Promise<void>((resolve, reject) => thread.on('exit', () => resolve()).on('error', reject)),
      ),
    );
    const directory = new CardDirectory(buffer);
    expect(directory.size).toBe(each * 2);
    for (let i = 0; i < each; i += 7) {
      for (const who of [1, 2])
        expect(directory.find(Math.imul(i, 0x9e3779b1) >>> 0, i, who)).toBe(((who << 24) | i) >>> 0);
    }
  });
});
