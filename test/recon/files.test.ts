/** Breaks of files as such, ages and ids. */
import { describe, expect, it, test } from 'vitest';
import { ageBucket, breakOf, breakTypes, compareBreaks } from '#src/recon/breaks.js';
import { type FileFacts, fileBreaks, type NetworkTotal } from '#src/recon/files.js';

const DAY = 20_783;
const HEAD = '00126112600000099999';
const sums = [{ network: 1, day: DAY, cycle: 1, currency: 986, debits: 100n, credits: 30n, earned: 2n }];

function file(sequence: string, over: Partial<FileFacts> = {}): FileFacts {
  const name = `${HEAD}${sequence}`;
  return {
    id: `file_${sequence}`,
    name,
    state: 'posted',
    findings: [],
    day: DAY,
    sums,
    totals: [],
    totalsLeftOut: 0,
    unposted: [],
    ...over,
  };
}

const refused = (sequence: string, ...findings: string[]): FileFacts =>
  file(sequence, { state: 'quarantined', findings });

function total(fileId: string, netAmount = -70): NetworkTotal {
  return {
    network: 1,
    day: DAY,
    cycle: 1,
    currency: 986,
    fileId,
    netAmount: BigInt(netAmount),
    netTotal: BigInt(netAmount),
  };
}

const found = (...files: FileFacts[]): unknown[] =>
  fileBreaks(files, DAY).map(({ type, reason, file: name, amount }) => [
    type,
    reason,
    name?.slice(HEAD.length),
    amount,
  ]);

describe('files', () => {
  it('that are all there are no breaks', () => {
    expect(found(file('01101'), file('01102'), file('01201'))).toEqual([]);
    expect(found(file('01107'))).toEqual([]);
    expect(found(file('01101', { name: 'sha256-0123' }))).toEqual([]);
  });

  it('whose number is missing between others', () => {
    expect(found(file('01101'), file('01104'))).toEqual([
      ['missing_file', 'sequence_gap', '01102', 0n],
      ['missing_file', 'sequence_gap', '01103', 0n],
    ]);
  });

  it('of a cycle between others', () => {
    expect(found(file('01101'), file('01301'))).toEqual([['missing_file', 'sequence_gap', '01201', 0n]]);
  });

  it('that the totals of the network name', () => {
    const one = file('01101', { totals: [total(`${HEAD}01101`), total(`${HEAD}01201`, -55), total('')] });
    expect(found(one)).toEqual([['missing_file', 'named_by_totals', '01201', 55n]]);
  });

  it('that are quarantined, until one is posted under the id', () => {
    expect(found(refused('01101', 'record_truncated'))).toEqual([['missing_file', 'quarantined', '01101', 70n]]);
    for (const code of ['count_mismatch', 'amount_sum_mismatch', 'trailer_missing'])
      expect(found(refused('01101', code))).toEqual([['trailer_mismatch', 'quarantined', '01101', 70n]]);
    expect(found(refused('01101', 'count_mismatch'), file('01101'))).toEqual([]);
    expect(found(refused('01101', 'count_mismatch'), refused('01101', 'count_mismatch')).length).toBe(1);
  });

  it('of other content under the id of a posted one, which nothing cures', () => {
    expect(found(refused('01101', 'file_id_posted'), file('01101'))).toEqual([
      ['missing_file', 'other_content', '01101', 70n],
    ]);
  });

  it('whose amount is that of all rows that name them', () => {
    const rows = [100, 200, 300].map((amount) => total(`${HEAD}01201`, -amount));
    expect(found(file('01101', { totals: rows }))).toEqual([['missing_file', 'named_by_totals', '01201', 600n]]);
  });

  it('with more different totals than are added up', () => {
    expect(found(file('01101', { totalsLeftOut: 3 }))).toEqual([['trailer_mismatch', 'totals_left_out', '01101', 0n]]);
  });

  it('that are being posted, or have just been', () => {
    const files = [file('01101', { totals: [total(`${HEAD}01102`)] }), file('01103')];
    expect(found(...files).map((one) => (one as string[])[1])).toEqual(['named_by_totals', 'sequence_gap']);
    expect(fileBreaks(files, DAY, [`${HEAD}01102`])).toEqual([]);
  });
});

test.each([
  [0, '0-1'],
  [1, '0-1'],
  [2, '2-5'],
  [5, '2-5'],
  [6, '6-10'],
  [10, '6-10'],
  [11, '11-30'],
  [30, '11-30'],
  [31, '30+'],
  [400, '30+'],
])('%i days old is %s', (days, bucket) => {
  expect(ageBucket(days)).toBe(bucket);
});

describe('a break', () => {
  const at = { amount: -5, currency: 986, day: DAY };
  const clearing = { file: 'F', record: 2 };

  it('has an id of what it is about, whatever the run', () => {
    const one = breakOf('card_mismatch', 'unknown_card', at, DAY, { clearing });
    expect(one).toMatchObject({ amount: 5n, ageDays: 0 });
    expect(one.id).toMatch(/^brk_[0-9a-f]{26}$/);
    const later = breakOf('card_mismatch', 'unknown_card', { ...at, day: DAY - 1 }, DAY + 9, { clearing });
    expect([later.id, later.ageDays]).toEqual([one.id, 10]);
    const others = [
      breakOf('card_mismatch', 'unknown_card', at, DAY, { clearing: { file: 'F', record: 3 } }),
      breakOf('amount_mismatch', 'unknown_card', at, DAY, { clearing }),
      breakOf('card_mismatch', 'unknown_card', at, DAY, { file: 'F' }),
    ];
    expect(new Set([one, ...others].map(({ id }) => id)).size).toBe(4);
  });

  it('of a date before its own is not younger than new', () => {
    expect(breakOf('card_mismatch', 'unknown_card', at, DAY - 3, { clearing }).ageDays).toBe(0);
  });

  it('has one place in a report', () => {
    const all = breakTypes.flatMap((type) =>
      [1, 2].map((record) => breakOf(type, 'same', at, DAY, { clearing: { file: 'F', record } })),
    );
    expect([...all].reverse().sort(compareBreaks)).toEqual([...all].sort(compareBreaks));
  });
});
