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

// Of the texts that one call of JSON.stringify, and one join of all lines, gave: recorded reports must keep them while REPORT_VERSION,
// which is in them, is the same.
for (const [breaks, indented, inOneLine, csv] of [
  [
    1,
    'bedff91216536e787bdbf6997eaa7f34cd22b91703eac0e0796d1f604da14f41',
    '20ae7c98f7fd613b4e97ec4f85c0f3ef2cf116a3e2fc4b788ad29af70dfb9fff',
    'a9613eb226abe4e252ed3b32b060494be2dd2fa2da3caa28c4fda8edea418e0d',
  ],
  [
    300,
    'bb21e61d2927b0f6c5b80657723d8f268d27f5991d7e4cb726f0e246e09cfe23',
    '1437e0f7719494bafecfc6b6701672393135f1d23654e840cd11ac84d4fe439a',
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
