/** The soak: its line through the samples, its verdicts, and the whole tool for a few seconds (`npm run long`: for minutes). */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fitSlope, judge, type Sample, slopeMax } from '../../loadtest/soak/fit.js';
import { parseSoak, SoakFlagError } from '../../loadtest/soak/options.js';
import { type Row, type SoakResult, verdictOf } from '../../loadtest/soak/report.js';
import { built } from '../support/built.js';
import { long } from '../support/long.js';

/** Samples every 36 s over so many hours. */
function line(life: number, hours: number, value: (t: number) => number): Sample[] {
  return Array.from({ length: Math.round(hours * 100) + 1 }, (_, i) => ({
    ...{ life, hours: i / 100, value: value(i / 100) },
  }));
}

describe('the slope', () => {
  it('is that of the line, whatever level each lifetime has', () => {
    const samples = [...line(1, 1, (t) => 100 + 7 * t), ...line(2, 0.5, (t) => 900 + 7 * t)];
    const { perHour, error, spanHours } = fitSlope(samples);
    expect(perHour).toBeCloseTo(7, 9);
    expect(error).toBeCloseTo(0, 6);
    expect(spanHours).toBeCloseTo(1.5, 9);
  });

  it('is zero within its error where saw teeth go nowhere', () => {
    const { perHour, error } = fitSlope(line(1, 2, (t) => 50 + 10 * ((t * 20) % 1)));
    expect(Math.abs(perHour)).toBeLessThan(2 * error + 0.5);
    expect(error).toBeGreaterThan(0);
  });

  it('of too few samples is not known', () => {
    expect(fitSlope([]).error).toBe(Number.POSITIVE_INFINITY);
    expect(fitSlope([{ life: 1, hours: 0, value: 1 }]).error).toBe(Number.POSITIVE_INFINITY);
  });

  it('is judged by its bound and its error', () => {
    const leak = fitSlope(line(1, 1, (t) => 5 * t + ((t * 37) % 1)));
    expect(judge(leak, { perHour: 4, warmUp: 0 })).toBe('above');
    expect(judge(leak, { perHour: 6, warmUp: 0 })).toBe('within');
    expect(judge(leak, { perHour: leak.perHour, warmUp: 0 })).toBe('unknown');
    expect(judge(fitSlope([]), { perHour: 4, warmUp: 0 })).toBe('too short');
    expect(judge(fitSlope(line(1, 0.1, (t) => 5 * t)), { perHour: 4, warmUp: 1 })).toBe('too short');
  });

  it('of a short run is above its bound when no warm-up explains it, and of a long one whatever the warm-up', () => {
    const bound = { perHour: 2, warmUp: 1 };
    expect(slopeMax(fitSlope(line(1, 0.1, (t) => 5 * t)), bound)).toBeCloseTo(12, 9);
    expect(judge(fitSlope(line(1, 0.1, (t) => 11 * t)), bound)).toBe('too short');
    expect(judge(fitSlope(line(1, 0.1, (t) => 13 * t)), bound)).toBe('above');
    expect(judge(fitSlope(line(1, 0.3, (t) => 3 * t)), bound)).toBe('above');
    expect(judge(fitSlope(line(1, 0.3, (t) => t)), bound)).toBe('within');
  });

  it('decides: one above fails, one that is not within leaves it open', () => {
    const row = (verdict: 'within' | 'above' | 'unknown' | 'too short' | 'told') => ({ verdict }) as Row;
    expect(verdictOf([], [row('within'), row('told')])).toBe('pass');
    expect(verdictOf([], [row('within'), row('unknown')])).toBe('open');
    expect(verdictOf([], [row('too short')])).toBe('open');
    expect(verdictOf(['x grows'], [row('within')])).toBe('fail');
  });
});

describe('the flags', () => {
  it('have defaults, and a wrong one is named', () => {
    expect(parseSoak([])).toMatchObject({ hours: 1, rate: 200, daySeconds: 60, dayStep: 10, restartDays: 15 });
    expect(parseSoak(['--hours', '0.5', '--folder-bytes', '4MiB'])).toMatchObject({ hours: 0.5, folderBytes: '4MiB' });
    expect(parseSoak(['--help'])).toBe('help');
    expect(() => parseSoak(['--hours', 'x'])).toThrow(SoakFlagError);
    expect(() => parseSoak(['--hour', '1'])).toThrow(SoakFlagError);
    expect(() => parseSoak(['--collections', 'none'])).toThrow(SoakFlagError);
  });
});

describe('the tool', () => {
  it('goes through its days on a real server and writes what it saw', { timeout: 400_000 * long }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-test-'));
    try {
      const out = join(folder, 'soak.json');
      const page = join(folder, 'page.md');
      writeFileSync(page, 'before\n<!-- soak -->\nof the last run\n<!-- /soak -->\nafter\n');
      // Some seconds; under `npm run long` two minutes, which is enough for drops.
      const [hours, step, folderBytes] = long > 1 ? ['0.035', '70', '1MiB'] : ['0.002', '10', '1MiB'];
      const flags = [
        '--hours',
        hours,
        '--rate',
        '60',
        '--accounts',
        '100',
        '--day-seconds',
        '12',
        '--restart-days',
        '2',
      ];
      const more = [
        '--day-step',
        step,
        '--settle-seconds',
        '2',
        '--sample-seconds',
        '1',
        '--folder-bytes',
        folderBytes,
      ];
      const { status, err } = await soak([...flags, ...more, '--out', out, '--page', page]);
      expect([status, err]).toEqual([0, '']);
      const result = JSON.parse(readFileSync(out, 'utf8')) as SoakResult;
      // A few seconds show no leak, and do not show that there is none.
      expect([result.defects, result.verdict]).toEqual([[], 'open']);
      expect(result.messages).toBeGreaterThan(100);
      expect(result.posted).toBeGreaterThan(10);
      expect(result.reconciliations).toBeGreaterThan(0);
      // Seventy days a day: a drop needs a reconciliation that looks back from the server's own today.
      if (long > 1) expect(result.folders_dropped).toBeGreaterThan(0);
      // One in a hundred is never presented: no day's traffic lies on two dates.
      expect(result.breaks_max).toBeLessThan(result.messages / 20);
      expect(result.starts.stopped + result.starts.killed).toBeGreaterThan(0);
      const names = result.rows.map(({ name }) => name);
      for (const name of [
        'own memory of the process',
        'open files: others',
        'shard-0 heap',
        'main external',
        'control heap',
      ])
        expect(names).toContain(name);
      expect(result.rows.every(({ samples }) => samples > 0)).toBe(true);
      expect(result.verify.part).toMatch(/^verify ok records=\d+/);
      const written = readFileSync(page, 'utf8');
      expect(written).toMatch(/^before\n<!-- soak -->\n\n/);
      expect(written).toMatch(/\n\n<!-- \/soak -->\nafter\n$/);
      expect(written).toContain('| open files: sockets |');
      expect(written).not.toContain('of the last run');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // What is planted is larger than any warm-up within the twenty seconds, and follows the clock, not the speed of the machine.
  it('fails for what grows: heap, buffers and open files', { timeout: 400_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-test-'));
    try {
      const out = join(folder, 'soak.json');
      const length = ['--hours', '0.005', '--day-seconds', '20', '--settle-seconds', '2', '--sample-seconds', '1'];
      const leak = `--import=${new URL('soak-leak.mjs', import.meta.url).href}`;
      const { status } = await soak([...length, '--rate', '20', '--accounts', '50', '--out', out], leak);
      const { defects, verdict } = JSON.parse(readFileSync(out, 'utf8')) as SoakResult;
      expect([status, verdict]).toEqual([1, 'fail']);
      const grown = ['own memory of the process', 'open files: others', 'main external', 'main heap'];
      expect(defects).toEqual(grown.map((name) => `${name} grows`));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** @param nodeOptions flags of node for the tool and all that it starts */
function soak(flags: readonly string[], nodeOptions = ''): Promise<{ status: number | null; err: string }> {
  const tool = fileURLToPath(built('tools/loadtest/soak/main.js'));
  const child = spawn(process.execPath, [tool, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // No setting of the engine: a server to which it came would not start. `.ci/run` and `npm run long` have such variables.
    env: { ...process.env, HOLDFAST_SIM_SEED: '1', NODE_OPTIONS: nodeOptions },
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, err }));
  });
}
