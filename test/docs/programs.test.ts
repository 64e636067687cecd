/** The page about programs: its program is posted, its file is read, its defaults and lists are those of the engine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Problem } from '#src/cli/config-file.js';
import { readPrograms } from '#src/cli/programs.js';
import { programTables } from '#src/control/schemas-programs.js';
import { parseTables } from '#src/domain/program/parse.js';
import { printTables } from '#src/domain/program/print.js';
import { mappableReasons } from '#src/domain/program/responses.js';
import { defaultProgramTables, tableNames } from '#src/domain/program/tables.js';
import { HOLD_LIFE_DAYS_MAX, HOLD_LIFE_ROWS_MAX, PROGRAM_MCC_GROUPS_MAX, PROGRAMS_MAX } from '#src/limits.js';
import { makeHarness } from '../control/harness.js';
import { dialects, tablesJson } from '../domain/program/arbitraries.js';
import { Page } from './pages.js';

const page = new Page('docs/reference/programs.md');
const block = (language: string, at = 0): string =>
  page.blocks.filter((one) => one.language === language)[at]!.lines.join('\n');

describe('the page about programs', () => {
  test('shows a program that can be posted, with every table', async () => {
    const program = JSON.parse(block('json'));
    const answer = await makeHarness().call('POST', '/v1/programs', program);
    expect([answer.status, answer.text]).toEqual([201, answer.text]);
    expect(answer.body).toMatchObject(program);
    expect(Object.keys(program.tables)).toEqual(tableNames);
  });

  test('shows the defaults', () => {
    const { mcc_groups: _groups, ...tables } = printTables(defaultProgramTables);
    expect(JSON.parse(block('json', 1))).toEqual(JSON.parse(JSON.stringify(tables)));
  });

  test('agrees with the OpenAPI document about every table', () => {
    fc.assert(
      fc.property(tablesJson, (json) => {
        const parsed = parseTables(json, { dialects });
        expect(parsed.ok && programTables.safeParse(printTables(parsed.tables)).success).toBe(true);
      }),
    );
  });

  test('shows a file that can be read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-page-'));
    try {
      const path = join(folder, 'programs.yaml');
      writeFileSync(path, block('yaml'));
      const problems: Problem[] = [];
      expect(readPrograms(path, problems).map(({ id }) => id)).toEqual(['gold', 'travel']);
      expect(problems).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('lists the tables and the reasons', () => {
    const rows = [...page.text.matchAll(/^\| `(\w+)` \| [^|]+ \| [^|]+ \|$/gm)].map((match) => match[1]);
    expect(rows).toEqual(tableNames);
    const list = /Reasons that can be mapped: ([^.]*)\./.exec(page.text)![1]!;
    expect([...list.matchAll(/`(\w+)`/g)].map((match) => match[1])).toEqual([...mappableReasons.keys()]);
  });

  test('names the bounds', () => {
    for (const bound of [
      `Up to ${HOLD_LIFE_ROWS_MAX} rows of \`name\`, \`days\` (1 to ${HOLD_LIFE_DAYS_MAX})`,
      `a program has at most ${PROGRAM_MCC_GROUPS_MAX} groups`,
      `installation ${PROGRAMS_MAX.toLocaleString('en').replace(',', ' ')} programs`,
    ]) {
      expect(page.text).toContain(bound);
    }
  });
});
