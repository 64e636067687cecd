/**
 * A whole day: authorizations, a file with planted breaks, posted books. Reconciliation finds exactly what was planted, by type,
 * record, authorization and amount, and the trial balance is zero.
 */
import { describe, expect, it, vi } from 'vitest';
import type { DayPlan, PlantedType, Shares } from '#src/clearing/box/shares.js';
import type { ClearingPosted } from '#src/domain/events.js';
import { Gl } from '#src/domain/ledger/chart.js';
import { subAccount } from '#src/domain/ledger/sub-account.js';
import { type Break, breakTypes, type SettlementName } from '#src/recon/breaks.js';
import type { FileFacts, NetworkTotal } from '#src/recon/files.js';
import { csvPieces, type ReconReport, reportPieces } from '#src/recon/report.js';
import { type SettlementState, settlementName } from '#src/recon/settlements.js';
import type { Book } from '../domain/book.js';
import { long } from '../support/long.js';
import { authorize, BRL, bookWithCards, DAY, DAY_MS, fileOf, ledgerRows, postFile, reconcile } from './box-book.js';

vi.setConfig({ testTimeout: 30_000 * long });

const COUNT = 4000 * long;
const shares: Shares = {
  ...{ missing: 0.01, late: 0.01, unknownCard: 0.005, alteredAmount: 0.01, alteredCurrency: 0.01, splits: 0.05 },
  ...{ tips: 0.2, cash: 0.03, duplicates: 0.01, refunds: 0.03, forced: 0.01 },
  ...{ strayReversals: 0.01, presentedAgain: 0.01, invalid: 0.01 },
};
const reportText = (report: ReconReport): string => [...reportPieces(report)].join('');
const reportCsv = (report: ReconReport): string => [...csvPieces(report)].join('');

/** A report, as far as it is read here. */
interface ReportJson {
  books: { balance: boolean; currencies: { currency: string; debits: number; credits: number; difference: number }[] };
  settlements: Record<string, unknown>[];
  counts: unknown[];
  breaks: unknown[];
  breaks_left_out: number;
}
const reportJson = (report: ReconReport): ReportJson => JSON.parse(reportText(report));

/** The day's files are settled on a Friday, which must be paid as of the Monday. */
const DUE = DAY + 4;
/** Longer than any hold of the tables. */
const HOLDS_ENDED = DAY + 40;

interface Posted {
  readonly book: Book;
  readonly files: FileFacts[];
  readonly plans: DayPlan[];
}

/** A day's file; with `later`, the holds come to their end and what was kept back comes in another file. */
async function posted(wanted: Shares, count: number, later: boolean, missingFile = false): Promise<Posted> {
  const book = bookWithCards();
  const authorizations = authorize(book, count);
  const first = fileOf({ authorizations, seed: 11, shares: wanted, day: DAY, cycle: 1, missingFile });
  const files = [await postFile(book, first.bytes, (DAY + 1) * DAY_MS)];
  const plans = [first.plan];
  if (later) {
    book.expireDue(HOLDS_ENDED * DAY_MS);
    const kept = new Set(first.plan.heldBack);
    const earlier = authorizations.filter(({ id }) => kept.has(id));
    const second = fileOf({ authorizations: [], earlier, seed: 11, shares: {}, day: HOLDS_ENDED, cycle: 1 });
    files.push(await postFile(book, second.bytes, HOLDS_ENDED * DAY_MS + 1));
    plans.push(second.plan);
  }
  return { book, files, plans };
}

/** Pays every settlement with what is due by the network's totals, or with more. */
function settle(book: Book, files: FileFacts[], more = 0, roundingMax = 0): void {
  for (const { name, due, ledgerOwed } of reconcile(book, files, DAY).settlements)
    pay(book, name, Number(due) + more, `S${name.day}.${name.cycle}`, { owed: Number(ledgerOwed), roundingMax });
}

function pay(book: Book, name: SettlementName, amount: number, reference: string, more = { owed: 0, roundingMax: 0 }) {
  const sub = name.day === 0 ? 0 : subAccount(name);
  const command = { op: 'settlement', sub, currency: name.currency, amount, reference, ...more } as const;
  expect(book.command(command, HOLDS_ENDED * DAY_MS + 2).ok).toBe(true);
}

/** As one line each, sorted: found and planted breaks in the same words. */
const foundLines = (breaks: readonly Break[]): string[] =>
  breaks
    .map(({ type, clearing, authorization, amount }) =>
      [type, clearing?.file ?? '', clearing?.record ?? 0, nameOf(type, authorization), amount].join(' '),
    )
    .sort();
const plantedLines = (plans: readonly DayPlan[]): string[] =>
  plans
    .flatMap(({ fileId, breaks }) =>
      breaks.map(({ type, record, authorization, amount }) =>
        [type, record === 0 ? '' : fileId, record, named.has(type) ? authorization : '', amount].join(' '),
      ),
    )
    .sort();
/** Types whose break names its authorization. */
const named = new Set(['authorized_not_cleared', 'late_presentment', 'amount_mismatch', 'currency_mismatch']);
const nameOf = (type: string, at: Break['authorization']): string =>
  named.has(type) && at !== undefined ? `${at.shard}-${at.sequence}` : '';

/** Sub-accounts of 2100 that are not at zero. */
function networkRows(book: Book): { sub: number; debit: bigint; credit: bigint }[] {
  return ledgerRows(book)
    .filter(({ glAccount }) => glAccount === Gl.network)
    .map(({ sub, debit, credit }) => ({ sub, debit: BigInt(debit), credit: BigInt(credit) }))
    .filter(({ debit, credit }) => debit !== credit);
}

function trialBalance(book: Book): bigint[] {
  const sums = new Map<number, bigint>();
  book.state.ledger.forEach((currency, _account, debit, credit) => {
    sums.set(currency, (sums.get(currency) ?? 0n) + debit - credit);
  });
  return [...sums.values()];
}

describe('a day with planted breaks', () => {
  it('is found out exactly, by type, record, authorization and amount', async () => {
    const { book, files, plans } = await posted(shares, COUNT, true, true);
    settle(book, files);
    const report = reconcile(book, files, HOLDS_ENDED + 1);
    const planted = plantedLines(plans);
    expect(planted.length).toBeGreaterThan(COUNT / 20);
    const types = new Set(plans.flatMap(({ breaks }) => breaks.map(({ type }) => type)));
    expect(breakTypes.filter((type) => !types.has(type as PlantedType))).toEqual(['ledger_not_file']);
    // The network took the money of duplicates and of what cannot be posted; and that of a file which never came, which is planted.
    const left = networkRows(book).filter(({ sub }) => sub !== 0);
    expect(left.length).toBe(2);
    const missing = plans[0]!.breaks.find(({ type }) => type === 'missing_file')!;
    const differences = left.map(({ debit, credit }) => debit - credit);
    const [paidTooMuch = 0n, ...others] = differences.filter((one) => one !== BigInt(missing.amount));
    expect([others, paidTooMuch > 0n]).toEqual([[], true]);
    expect(foundLines(report.breaks)).toEqual([...planted, `settlement_not_file  0  ${paidTooMuch}`].sort());
    expect(trialBalance(book).every((difference) => difference === 0n)).toBe(true);
    expect(new Set(report.breaks.map(({ id }) => id)).size).toBe(report.breaks.length);
  });

  it('and what the engine posted otherwise than it says: with that every type of break is found', async () => {
    const { book, files } = await posted(shares, 800, true, true);
    settle(book, files);
    const before = reconcile(book, files, HOLDS_ENDED + 1);
    // No network can plant it: one leg on 2100, of one of all presentments, is not what its record says.
    const presented = book.history.events.filter((event) => 'legs' in event && 'sort' in event);
    const record = presented[Math.floor(presented.length / 2)] as ClearingPosted;
    const leg = record.legs.find(({ glAccount }) => glAccount === Gl.network)!;
    leg.amount -= 1234;
    const report = reconcile(book, files, HOLDS_ENDED + 1);
    const known = new Set(before.breaks.map(({ id }) => id));
    const found = report.breaks.filter(({ id }) => !known.has(id));
    expect(found.map(({ type, reason, amount }) => [type, reason, amount])).toEqual([
      ['ledger_not_file', 'legs', 1234n],
      // The books have the leg as it was posted.
      ['settlement_not_file', 'stood_before', 1234n],
    ]);
    expect(found[0]!.settlement).toEqual(settlementName(record.input.sub, BRL));
    expect(new Set(report.breaks.map(({ type }) => type))).toEqual(new Set(breakTypes));
  });

  it('leaves open what has not come to its end: no breaks of authorizations', async () => {
    const { book, files, plans } = await posted({ missing: 0.1, late: 0.1 }, 500, false);
    const report = reconcile(book, files, DAY + 1);
    expect(report.breaks).toEqual([]);
    const waiting = plans[0]!.counts.missing! + plans[0]!.heldBack.length;
    expect(report.open).toMatchObject([{ currency: BRL, count: waiting }]);
    expect(reportJson(report).books.balance).toBe(true);
  });
});

describe('a day without breaks', () => {
  it('proves that the books balance, with the sums', async () => {
    const { book, files } = await posted({ tips: 0.3, splits: 0.1, refunds: 0.1, cash: 0.1 }, 600, false);
    settle(book, files);
    const { books, settlements, counts } = reportJson(reconcile(book, files, HOLDS_ENDED));
    expect(counts).toEqual([]);
    expect(books.balance).toBe(true);
    expect(books.currencies).toMatchObject([{ currency: 'BRL', difference: 0 }]);
    expect(books.currencies[0]!.debits).toBe(books.currencies[0]!.credits);
    const [one] = settlements;
    expect(one).toMatchObject({ network: 1, cycle: 1, currency: 'BRL' });
    expect([one!.file, one!.posted, one!.network_net]).toEqual([one!.file, one!.file, one!.file]);
    expect([one!.due, one!.paid]).toEqual([one!.ledger, one!.ledger]);
  });
});

describe('sums that disagree', () => {
  const of = (report: ReconReport): [string, string, bigint][] =>
    report.breaks.map(({ type, reason, amount }) => [type, reason, amount]);
  const plain = (): Promise<Posted> => posted({}, 60, false);

  it('a payment that is not what is due', async () => {
    const { book, files } = await plain();
    settle(book, files, 77);
    expect(of(reconcile(book, files, DUE))).toEqual([['settlement_not_file', 'other_amount', 77n]]);
  });

  it('a settlement that nobody paid, from the first working day after it', async () => {
    const { book, files } = await plain();
    const [state] = reconcile(book, files, DAY + 1).settlements;
    for (const day of [DAY + 1, DAY + 2, DUE - 1]) expect(of(reconcile(book, files, day))).toEqual([]);
    expect(of(reconcile(book, files, DUE))).toEqual([['settlement_not_file', 'not_settled', state!.ledgerOwed]]);
  });

  it('a total of the network that is not that of its records', async () => {
    const { book, files } = await plain();
    const [file] = files;
    const less = ({ netAmount, netTotal }: NetworkTotal) => ({ netAmount: netAmount - 5n, netTotal: netTotal - 5n });
    const totals = file!.totals.map((row, n) => (n === 0 ? { ...row, ...less(row) } : row));
    expect(of(reconcile(book, [{ ...file!, totals }], DAY))).toEqual([['trailer_mismatch', 'network_totals', 5n]]);
  });

  it('fees of the network that are not those of its records, until they are paid and stay in the books', async () => {
    const { book, files } = await plain();
    const [file] = files;
    const totals = file!.totals.map((row, n) => (n === 0 ? { ...row, netTotal: row.netTotal - 7n } : row));
    const told = [{ ...file!, totals }];
    const fees = ['trailer_mismatch', 'network_fees', 7n];
    expect(of(reconcile(book, told, DAY + 1))).toEqual([fees]);
    const left = ['settlement_not_file', 'sub_account_not_zero', 7n];
    const [{ due }] = reconcile(book, told, DAY + 1).settlements as [SettlementState];
    const unpaid = ['settlement_not_file', 'not_settled', due];
    expect(of(reconcile(book, told, DUE))).toEqual(expect.arrayContaining([fees, unpaid, left]));
    settle(book, told);
    expect(of(reconcile(book, told, DUE))).toEqual([fees, left]);
    // A file of a release that did not add up fees says nothing of them; what stands in the books does.
    const earlier = [{ ...told[0]!, sums: file!.sums.map((sum) => ({ ...sum, earned: undefined })) }];
    expect(of(reconcile(book, earlier, DUE))).toEqual([left]);
  });

  it('nothing, of a difference that was paid as rounding', async () => {
    const { book, files } = await plain();
    settle(book, files, -3, 3);
    const report = reconcile(book, files, DUE);
    expect(of(report)).toEqual([]);
    expect(report.settlements).toMatchObject([{ rounded: 3n }]);
    expect(networkRows(book)).toEqual([]);
  });

  // What is owed, what the network takes (null: it tells no totals), what was paid in which steps [amount, rounding], and what that makes.
  const none: [string, bigint][] = [];
  it.each([
    [
      'rounding, and then the rest after all',
      null,
      [
        [-1, 1],
        [1, 0],
      ],
      [['other_amount', 1n]],
    ],
    ['rounding, with totals of the network that meet the ledger', 0, [[-1, 1]], none],
    ['one too much, where the network takes two less than was booked', -2, [[-1, 1]], [['other_amount', 1n]]],
    ['two too little, where the network takes one more', 1, [[-1, 1]], [['other_amount', 2n]]],
    [
      'in two parts',
      null,
      [
        [-100, 0],
        [100, 0],
      ],
      none,
    ],
    ['less than the network takes, which is what was booked', 0, [[-9, 0]], [['other_amount', 9n]]],
  ] as const)('of a payment: %s', async (_what, network, payments, wanted) => {
    const { book, files } = await plain();
    const [{ name, ledgerOwed }] = reconcile(book, files, DAY).settlements as [SettlementState];
    const [file] = files;
    const more = network ?? 0;
    const totals = file!.totals.map((row, n) => (n === 0 ? { ...row, netTotal: row.netTotal - BigInt(more) } : row));
    const told = [{ ...file!, totals: network === null ? [] : totals }];
    let owed = Number(ledgerOwed);
    for (const [n, [difference, roundingMax]] of payments.entries()) {
      const amount = n === 0 ? owed + difference : difference;
      pay(book, name, amount, `P${n}`, { owed, roundingMax });
      owed -= amount;
    }
    const found = of(reconcile(book, told, DUE)).filter(([type]) => type === 'settlement_not_file');
    expect(found.map(([, reason, amount]) => [reason, amount])).toEqual(wanted);
  });

  it('nothing, of a part payment before the day of the settlement', async () => {
    const { book, files } = await plain();
    settle(book, files, -200);
    expect(of(reconcile(book, files, DAY + 1))).toEqual([]);
    expect(of(reconcile(book, files, DUE))).toEqual([['settlement_not_file', 'other_amount', 200n]]);
  });

  it('a payment of a day to come, also when its record is not read any more', async () => {
    const { book, files } = await plain();
    settle(book, files);
    pay(book, { network: 1, day: DAY + 400, cycle: 1, currency: BRL }, 5000, 'wrong year');
    const wrong = (report: ReconReport): unknown[] => of(report).filter(([, , amount]) => amount === 5000n);
    expect(wrong(reconcile(book, files, DAY + 403))).toEqual([['settlement_not_file', 'other_amount', 5000n]]);
    const later = reconcile(book, [], DAY + 300, undefined, [], book.history.events.length);
    expect(wrong(later)).toEqual([['settlement_not_file', 'stood_before', 5000n]]);
  });

  it('a payment for another cycle: both are no settlement', async () => {
    const { book, files } = await plain();
    const [{ name, due }] = reconcile(book, files, DAY).settlements as [SettlementState];
    pay(book, { ...name, cycle: name.cycle + 1 }, Number(due), 'wrong');
    expect(of(reconcile(book, files, DUE)).sort()).toEqual([
      ['settlement_not_file', 'not_settled', due],
      ['settlement_not_file', 'other_amount', due],
    ]);
  });

  it('a record of a posted file that the books do not have', async () => {
    const { book, files } = await plain();
    const [file] = files;
    const sums = file!.sums.map((sum) => ({ ...sum, debits: sum.debits + 9n }));
    expect(of(reconcile(book, [{ ...file!, sums, totals: [] }], DAY))).toEqual([['ledger_not_file', 'records', 9n]]);
  });

  it('nothing, of a file that is still being posted', async () => {
    const { book, files } = await plain();
    const [file] = files;
    expect(of(reconcile(book, [], DAY)).map(([, reason]) => reason)).toEqual(['records']);
    expect(of(reconcile(book, [], DAY, undefined, [file!.name]))).toEqual([]);
    expect(of(reconcile(book, [], DAY, undefined, ['another'])).length).toBe(1);
  });

  it('legs that are not what their record says', async () => {
    const { book, files } = await plain();
    const posting = book.history.events.findLast((event) => 'legs' in event && 'sort' in event) as {
      legs: { amount: number; glAccount: number }[];
    };
    posting.legs.find(({ glAccount }) => glAccount === 2100)!.amount -= 3;
    const report = reconcile(book, files, DAY);
    // What stands in the books is not what the records say either.
    expect(of(report)).toEqual([
      ['ledger_not_file', 'legs', 3n],
      ['settlement_not_file', 'stood_before', 3n],
    ]);
    expect(reportJson(report).books.currencies).toMatchObject([{ difference: -3 }]);
  });
});

describe('the report', () => {
  it('is the same text for the same inputs, whatever the order of the files', async () => {
    const { book, files } = await posted(shares, 800, true);
    const report = reconcile(book, files, HOLDS_ENDED + 1);
    const again = reconcile(book, [...files].reverse(), HOLDS_ENDED + 1);
    expect(reportText(again)).toBe(reportText(report));
    expect(reportCsv(again)).toBe(reportCsv(report));
  });

  it('finds a break of an earlier run again under its id, older', async () => {
    const { book, files } = await posted(shares, 800, true);
    const first = reconcile(book, files, HOLDS_ENDED + 1).breaks.filter(({ clearing }) => clearing !== undefined);
    const later = reconcile(book, files, HOLDS_ENDED + 21).breaks.filter(({ clearing }) => clearing !== undefined);
    expect(later.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
    expect(later.map(({ ageDays }) => ageDays)).toEqual(first.map(({ ageDays }) => ageDays + 20));
  });

  it('lists as many breaks as it may and counts all of them', async () => {
    const { book, files } = await posted(shares, 800, true);
    const all = reportJson(reconcile(book, files, HOLDS_ENDED + 1));
    const report = reconcile(book, files, HOLDS_ENDED + 1, 10);
    const { breaks, breaks_left_out: leftOut, counts, books } = reportJson(report);
    expect(breaks.length + leftOut).toBe(all.breaks.length);
    expect([all.breaks_left_out, leftOut > 0, books.balance]).toEqual([0, true, false]);
    expect(counts).toEqual(all.counts);
    expect(all.breaks).toEqual(expect.arrayContaining(breaks));
    expect(reportText(reconcile(book, [...files].reverse(), HOLDS_ENDED + 1, 10))).toBe(reportText(report));
  });

  it('has one line of CSV for every break, as many cells as names, and no card number', async () => {
    const { book, files } = await posted(shares, 800, true);
    const report = reconcile(book, files, HOLDS_ENDED + 1);
    const lines = reportCsv(report).trimEnd().split('\r\n');
    expect(lines.length).toBe(report.breaks.length + 1);
    for (const line of lines) expect(line.split(',').length).toBe(16);
    expect(reportText(report) + lines.join()).not.toMatch(/999999\d{10}/);
  });
});
