/** The scale benchmark from end to end with small sizes: minutes, so only in the long run; its parts are tested in test/bench. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { built } from '../support/built.js';
import { long } from '../support/long.js';

const run = promisify(execFile);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-scale-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.skipIf(long === 1)('the scale benchmark', () => {
  it.each([
    ['accounts', 'money verified | yes | yes |'],
    ['journal', 'money verified | yes | yes | yes | yes |'],
    ['shards', 'money verified | yes | yes | yes |'],
  ])(
    '%s: has every figure, the money is right, and nothing is left behind',
    async (part, verified) => {
      const main = fileURLToPath(built('tools/bench/main.js'));
      const { stdout } = await run(process.execPath, [main, '--scale', '--quick', '--only', part, '--dir', folder]);
      expect(stdout).toContain(verified);
      expect(stdout).not.toMatch(/Not run:|Not computed|NaN|Infinity|undefined/);
      expect(readdirSync(folder)).toEqual([]);
    },
    600_000,
  );
});
