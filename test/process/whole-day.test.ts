/**
 * A whole day of real processes: the load test, a network in a box with planted breaks, posting, the end of the holds, what comes
 * late, payment, and a reconciliation that finds exactly what was planted. HOLDFAST_LONG=10 makes it ten times as large.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { breakTypes } from '#src/recon/breaks.js';
import { long } from '../support/long.js';
import { run, Server, temporaryFolder, until } from '../support/server.js';
import {
  atNoon,
  clear,
  dateAfter,
  foundLines,
  load,
  networkDay,
  pay,
  plantedLines,
  recon,
  trialBalance,
} from '../support/whole-day.js';

/** Ten of eleven are authorizations, and nine of ten of those are not reversed. */
const MESSAGES = 22_400 * long;
const BREAKS = [
  ...['missing=0.002', 'late=0.002', 'unknownCard=0.0018', 'alteredAmount=0.0018', 'alteredCurrency=0.0015'],
  ...['duplicates=0.0015', 'forced=0.0015', 'strayReversals=0.0005', 'presentedAgain=0.0005', 'invalid=0.0005'],
];
const SHARES = [...BREAKS, 'splits=0.02', 'cash=0.01', 'refunds=0.01'].join();
/** For what the server does by itself; generous, because the machine may be busy. */
const LIMIT_MS = 60_000 * long;
/** After the end of every hold. */
const LATER = 6;
/** What we pay too much for the day, minor units: a break that nobody else plants. */
const OVERPAID = 77;

interface SubAccounts {
  readonly account: string;
  readonly sub_accounts: readonly { readonly balance: number }[];
}

test('finds exactly the planted breaks, with books that balance', { timeout: 10 * LIMIT_MS }, async () => {
  const folder = temporaryFolder('day');
  const dataDir = join(folder, 'data');
  const first = await Server.start({ dataDir, demo: false, flags: ['--shards', '4'], environment: atNoon() });
  await load(first, MESSAGES);
  const file = join(folder, 'day.ipm');
  const plan = await networkDay(first, dateAfter(0), file, ['--shares', SHARES, '--missing-file']);
  expect(plan.authorizations).toBeGreaterThan(18_000 * long);
  expect(plan.presentments).toBeGreaterThan(18_000 * long);
  const posted = await clear(first, file);
  expect(posted).toMatchObject({ status: 'posted', duplicates: plan.counts.duplicates, rejected: plan.counts.invalid });

  // On the day itself the holds of what did not come are open, and no breaks; and no settlement is due.
  const day = await recon(first, dateAfter(0));
  const isSeen = (line: string): boolean => !/^(authorized_not_cleared|settlement_not_file) /.test(line);
  expect(foundLines(day.report)).toEqual(plantedLines([plan]).filter(isSeen));
  const open = plan.counts.missing! + plan.counts.unknownCard! + plan.heldBack.length;
  expect(day.report.open).toMatchObject([{ currency: 'BRL', count: open }]);
  expect((await first.stop()).status).toBe(0);

  const server = await Server.start({ dataDir, demo: false, environment: atNoon(LATER) });
  const isOver = async (): Promise<boolean> => /^holdfast_holds_open 0$/m.test((await server.get('/metrics')).text);
  await until('the end of every hold', isOver, LIMIT_MS);
  const lateFile = join(folder, 'late.ipm');
  const late = await networkDay(server, dateAfter(LATER), lateFile, ['--held-back', `${file}.plan`]);
  expect([late.authorizations, late.presentments]).toEqual([0, plan.heldBack.length]);
  expect(await clear(server, lateFile)).toMatchObject({ status: 'posted', posted: late.presentments });
  const unpaid = await recon(server, dateAfter(LATER));
  for (const [index, state] of unpaid.report.settlements.entries())
    await pay(server, state, index === 0 ? OVERPAID : 0);

  const { report, text } = await recon(server, dateAfter(LATER + 2));
  const planted = plantedLines([plan, late]);
  expect(planted.length).toBeGreaterThan(200 * long);
  const types = new Set(planted.map((line) => line.split(' ')[0]));
  expect(breakTypes.filter((type) => !types.has(type))).toEqual(['ledger_not_file']);
  // The network took the money of duplicates and of what cannot be posted, too: it stays on the sub-account beside what was paid too much.
  // What it took for a file that never came is planted.
  const { currencies } = (await trialBalance(server)) as { currencies: { accounts: SubAccounts[] }[] };
  const network = currencies[0]!.accounts.find(({ account }) => account === '2100')!;
  const missing = plan.breaks.find(({ type }) => type === 'missing_file')!;
  const balances = network.sub_accounts.map(({ balance }) => balance).filter((balance) => balance !== 0);
  const left = balances.filter((balance) => balance !== missing.amount);
  expect([left, balances.length]).toEqual([[expect.any(Number)], 2]);
  expect(left[0]!).toBeGreaterThan(OVERPAID + plan.counts.duplicates!);
  const settlements = [OVERPAID, left[0]! - OVERPAID].map((amount) => `settlement_not_file  0  ${amount}`);
  expect(foundLines(report)).toEqual([...planted, ...settlements].sort());
  expect([report.open, report.books.balance]).toEqual([[], false]);
  expect(report.books.currencies).toMatchObject([{ currency: 'BRL', difference: 0 }]);
  // The same inputs: the same text, byte for byte.
  expect((await recon(server, dateAfter(LATER + 2))).text).toBe(text);

  expect(await trialBalance(server)).toMatchObject({ balanced: true, currencies: [{ difference: 0 }] });
  expect((await server.stop()).status).toBe(0);
  const verified = await run(['verify', '--data-dir', dataDir]);
  expect([verified.status, verified.out]).toEqual([0, expect.stringMatching(/^verify ok /)]);
});
