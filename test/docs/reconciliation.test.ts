/** The page on reconciliation against the types and reasons of breaks, which it must all name and explain. */
import { describe, expect, test } from 'vitest';
import { breakReasons, breakTypes } from '#src/recon/breaks.js';
import { Page } from './pages.js';

const page = new Page('docs/reference/reconciliation.md');
const table = page.text.slice(page.text.indexOf('\n## Breaks\n'), page.text.indexOf('\n## The books balance\n'));
/** Type, and what its row says of reasons and of the amount. */
const rows = [...table.matchAll(/^\| `(\w+)` \| (.*) \| ([^|]*) \|$/gm)].map(
  ([, type = '', reasons = '', amount = '']) => ({
    ...{ type, reasons, amount },
  }),
);

describe('docs/reference/reconciliation.md', () => {
  test('has every type of break, in the order of a report', () => {
    expect(rows.map(({ type }) => type)).toEqual(breakTypes);
  });

  test('has every reason of each, and no other', () => {
    for (const { type, reasons, amount } of rows) {
      const named = [...reasons.matchAll(/`([a-z_]+)`/g)].map(([, reason]) => reason);
      expect([type, named.sort()]).toEqual([type, [...breakReasons[type as keyof typeof breakReasons]].sort()]);
      expect([type, amount.trim() === '']).toEqual([type, false]);
    }
  });
});
