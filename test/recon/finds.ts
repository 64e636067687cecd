/** What a reconciliation of a scenario's book finds. */
import { expect } from 'vitest';
import type { Scenario } from '../table/runner.js';
import { DAY_MS, reconcile } from './box-book.js';

/** Breaks of records, as `type reason amount`; the lines' file is of no registry, so sums are left out. */
export const finds =
  (...wanted: string[]) =>
  (run: Scenario): void => {
    const { breaks } = reconcile(run.book, [], Math.floor(run.nowMs / DAY_MS));
    const found = breaks.filter(({ type }) => type !== 'ledger_not_file' && type !== 'settlement_not_file');
    expect(found.map(({ type, reason, amount }) => `${type} ${reason} ${amount}`).sort()).toEqual([...wanted].sort());
  };
