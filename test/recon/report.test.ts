/** The texts of a report: in pieces, and the same bytes as when they were made at once. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { RECON_PIECE_ROWS } from '#src/limits.js';
import { jsonPieces, LongList, LongObject } from '#src/recon/json-pieces.js';
import { csvPieces, type ReconReport, reportMembers, reportPieces } from '#src/recon/report.js';
import { largeReport } from './large-report.js';

const sha256 = (pieces: Iterable<string>): string => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};
const compact = (report: ReconReport): Generator<string> => jsonPieces(reportMembers(report), 0);

// Of the texts that one call of JSON.stringify, and one join of all lines, gave: recorded reports must keep them.
for (const [breaks, indented, inOneLine, csv] of [
  [
    1,
    'e185d6109f360f31f3b883b93f794ef02ecd7322f6180657e05059b73be8659d',
    '99c5939c2ca2b20977dbfc586d5b7b6fd37a1547b4f13daeaef26bc8121cfe1d',
    'a9613eb226abe4e252ed3b32b060494be2dd2fa2da3caa28c4fda8edea418e0d',
  ],
  [
    300,
    '75a1f8e5e1e5157d5617fb72f2c83b760069f6240fe2f0b72b625d0659fcb332',
    'ad5cfbe32060a0d2ce1a6bceae5d42464f8d23c287c545dc5f85f9cbb6a750e0',
    '288f575d81e26dacab6ad76ccf7d161113afc00193d98395ca2a3314fd2722a4',
  ],
] as const)
  test(`the texts of a report with ${breaks} breaks are those that they always were`, () => {
    const report = largeReport(breaks);
    expect([reportPieces(report), compact(report), csvPieces(report)].map(sha256)).toEqual([indented, inOneLine, csv]);
  });

test('pieces are the text of JSON.stringify, at every length of a list', () => {
  for (const rows of [0, 1, RECON_PIECE_ROWS - 1, RECON_PIECE_ROWS, RECON_PIECE_ROWS + 1, 3 * RECON_PIECE_ROWS]) {
    const list = Array.from({ length: rows }, (_, n) => ({ n, text: `line\n"${n}"\u2028é`, more: [{ at: null }, []] }));
    const plain = { list, a: 1, inner: { none: {}, list, z: 'z' } };
    const long = new LongList(list, (row) => row);
    const members = { list: long, a: 1, inner: new LongObject({ none: {}, list: long, z: 'z' }) };
    for (const indent of [0, 2] as const)
      expect([...jsonPieces(members, indent)].join('')).toBe(JSON.stringify(plain, null, indent));
  }
});

test('no piece is of more than so many breaks', () => {
  const report = largeReport(1000);
  for (const pieces of [reportPieces(report), compact(report), csvPieces(report)]) {
    const breaks = [...pieces].map((piece) => piece.split('brk_').length - 1);
    expect(breaks.reduce((a, b) => a + b)).toBe(1000);
    expect(Math.max(...breaks)).toBe(RECON_PIECE_ROWS);
  }
});
