import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { newestPeers } from '../../bench/peers/report.js';
import { newestResult, renderReport, renderRows, withFigure } from '../../bench/report.js';
import { newestTargets } from '../../bench/targets/report.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('benchmark report', () => {
  const newest = newestResult(root);

  it('docs/benchmarks.md is what the newest result generates', () => {
    expect(newest).toBeDefined();
    expect(readFileSync(join(root, 'docs', 'benchmarks.md'), 'utf8')).toBe(
      renderReport(newest!.file, newest!.result, newestPeers(root), newestTargets(root)),
    );
  });

  it('the figure of the README is what the newest result generates', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    expect(withFigure(readme, newest!.result)).toBe(readme);
  });

  it('names a void figure as void', () => {
    const { file, result } = newest!;
    const engine = result.engine!;
    const wrong = { ...result, engine: { ...engine, closed: { ...engine.closed, verified: false } } };
    expect(renderReport(file, wrong, undefined, undefined)).toContain('NO: void');
  });

  it('sets ours beside the limits of the same run, where it measured them', () => {
    const { file, result } = newest!;
    const engine = result.engine!;
    const limits = {
      ...{ fdatasyncUs: 100, commitOneUs: 200, commitPerS: engine.closed.achievedPerS * 4 },
      ...{ echoTcpPerS: 1e6, echoWsPerS: 1e6, echoOneUs: 50, ringPerS: engine.closed.achievedPerS * 10 },
    };
    const one = { ...engine.closed, latencyUs: { ...engine.closed.latencyUs, p50: 300 } };
    const text = renderReport(file, { ...result, engine: { ...engine, one, limits } }, undefined, undefined);
    expect(text).toMatch(/\| journal alone: append, seal and commit .* \| TCP: 25 % \(25 to 25\) \|/);
    expect(text).toMatch(/\| ring between two threads, .* \| TCP: 10 % /);
    expect(text).toContain('| p50 of one at a time: 3.0 x (3.0 to 3.0), target at most 2.5: NOT met |');
    expect(text).toContain('| one message at a time, TCP |');
    const { one: _one, limits: _limits, ...older } = engine;
    expect(renderReport(file, { ...result, engine: older }, undefined, undefined)).not.toContain(
      '| what the machine allows',
    );
  });

  it('renders rows with a readable unit', () => {
    const rows = renderRows([{ room: 'ring', name: 'push', nsPerOp: 1234, opsPerSec: 810_372, bytesPerOp: 0 }]);
    expect(rows).toContain('| ring | push | 1.2 us | 810,372 | 0.0 |');
    expect(rows).not.toContain('plain');
  });

  it('lists the ratios of one run, and says which met the target of the full pipeline', () => {
    const row = { room: 'shard', nsPerOp: 9000, opsPerSec: 111_111 };
    const full = 'full pipeline (10 windows, 25 rules)';
    const rows = renderRows([
      { ...row, name: 'whole turn' },
      { ...row, name: 'the same with 10 velocity windows', timesPlain: 1.6 },
      { ...row, name: full, timesPlain: 1.4649 },
      { ...row, name: `${full}, exactly`, timesPlain: 1.5 },
      { ...row, name: `${full}, later`, timesPlain: 1.5001 },
    ]);
    expect(rows.split('\n\n')[1]!.split('\n').slice(2)).toEqual([
      '| the same with 10 velocity windows / plain | 1.60 |  |',
      `| ${full} / plain | 1.46 | at most 1.50: met |`,
      `| ${full}, exactly / plain | 1.50 | at most 1.50: met |`,
      `| ${full}, later / plain | 1.50 | at most 1.50: NOT met |`,
    ]);
  });
});
