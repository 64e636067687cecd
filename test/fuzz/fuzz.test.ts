/**
 * Every target for its share of a minute, always with the same seed: what CI finds, everybody finds. Long runs are `npm run fuzz`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { RunResult } from './runner.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const program = ['--import', './test/fuzz/loader.mjs', 'test/fuzz/main.ts', '--ci'];

function run(...flags: string[]): { output: string; results: readonly RunResult[] } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fuzz-'));
  const json = join(folder, 'results.json');
  const child = spawnSync(process.execPath, [...program, '--json', json, ...flags], { cwd: root, encoding: 'utf8' });
  const output = `${child.stdout}\n${child.stderr}`;
  try {
    return { output, results: (JSON.parse(readFileSync(json, 'utf8')) as { results: RunResult[] }).results };
  } catch {
    throw new Error(`the fuzzer ended without results:\n${output}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the fuzzer', () => {
  test('finds nothing in any target, and meets both answers in each', () => {
    const { output, results } = run();
    expect(
      results.filter(({ finding }) => finding !== undefined).map(({ target }) => target),
      output,
    ).toEqual([]);
    for (const { target, accepted, refused } of results) {
      expect(accepted, `${target} accepts`).toBeGreaterThan(5);
      expect(refused, `${target} refuses`).toBeGreaterThan(5);
    }
    expect(results.length).toBeGreaterThan(5);
  }, 600_000);

  test('finds what is wrong on purpose', () => {
    const { output, results } = run('--target', 'canary');
    expect(results).toHaveLength(4);
    for (const { target, finding } of results) expect(finding, `${target}\n${output}`).toBeDefined();
  }, 300_000);

  test('does the same again', () => {
    const flags = [...program.slice(0, -1), '--target', 'iso8583-bcd', '--inputs', '2000', '--seed', '77'];
    const line = (): string =>
      execFileSync(process.execPath, flags, { cwd: root, encoding: 'utf8' }).replace(/ +\d+\/s/, '');
    expect(line()).toBe(line());
  }, 120_000);
});
