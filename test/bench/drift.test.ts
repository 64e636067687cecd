import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Baseline,
  CHECKED,
  type CheckedName,
  type CheckFigures,
  compareFigures,
  renderComparison,
} from '../../bench/drift.js';

const machine = { cpu: 'A processor', cores: 2, node: 20 };
const figures: CheckFigures = {
  ...{ ours_per_echo: 0.1, ours_per_commit: 0.2, engine_cpu_us: 10, turn_cpu_us: 6, turn_bytes: 400 },
};
const baseline: Baseline = {
  ...{ schema_version: 1, date: '2026-11-28T00:00:00.000Z', commit: 'abc1234', machine, load_average: 0.2, figures },
};
const names = Object.keys(CHECKED) as CheckedName[];
const verdicts = (now: CheckFigures, before: Baseline | undefined = baseline): Record<string, string> =>
  Object.fromEntries(compareFigures(before, now, machine).drifts.map(({ name, verdict }) => [name, verdict]));

describe('drift from the baseline', () => {
  it('is none when the figures are equal, and when they differ by what each tolerates', () => {
    const same = Object.fromEntries(names.map((name) => [name, 'same']));
    expect(verdicts(figures)).toEqual(same);
    for (const way of [-0.999, 0.999]) {
      const near = Object.fromEntries(names.map((name) => [name, figures[name] * (1 + way * CHECKED[name].tolerance)]));
      expect(verdicts(near as CheckFigures)).toEqual(same);
    }
    expect(renderComparison(compareFigures(baseline, figures, machine), 0, 2)).toMatch(/\nno drift$/);
  });

  it.each(names)('of %s is seen in both directions', (name) => {
    const { better, tolerance } = CHECKED[name];
    const more = { ...figures, [name]: figures[name] * (1 + tolerance + 0.01) };
    const less = { ...figures, [name]: figures[name] * (1 - tolerance - 0.01) };
    expect([verdicts(more)[name], verdicts(less)[name]]).toEqual(
      better === 'higher' ? ['better', 'worse'] : ['worse', 'better'],
    );
    const worse = better === 'higher' ? less : more;
    expect(Object.values(verdicts(worse)).filter((one) => one !== 'same')).toEqual(['worse']);
  });

  it('is told with its figure, its tolerance and what to do', () => {
    const now = { ...figures, engine_cpu_us: 13, turn_bytes: 200 };
    const text = renderComparison(compareFigures(baseline, now, machine), 0.5, 2);
    expect(text).toContain('| CPU of the engine per authorization, us | 10.00 | 13.00 | +30 % | 25 % | worse |');
    expect(text).toContain('| bytes allocated in a shard per message | 400 | 200 | -50 % | 40 % | better |');
    expect(text).toContain('drift: 1 of 5 figures are worse');
    expect(text).toContain('1 are better');
    expect(text).not.toContain('load average');
    expect(renderComparison(compareFigures(baseline, now, machine), 2.1, 2)).toContain('load average 2.1 on 2 cores');
  });

  it('is not judged without a baseline, or by one of another machine', () => {
    const slow = { ...figures, engine_cpu_us: 100 };
    const none = compareFigures(undefined, slow, machine);
    expect(none.note).toContain('there is no baseline');
    const other = compareFigures(baseline, slow, { ...machine, cores: 8, node: 24 });
    expect(other.note).toBe('the baseline is of another machine: 2 cores, here 8; Node 20, here 24');
    for (const { drifts } of [none, other])
      expect(new Set(drifts.map(({ verdict }) => verdict))).toEqual(new Set(['not compared']));
    expect(renderComparison(other, 0, 8)).not.toContain('no drift');
  });

  it('is judged by ratios and bytes when only the processor is another', () => {
    const slow = { ...figures, ours_per_echo: 0.05, engine_cpu_us: 100, turn_cpu_us: 60 };
    const { drifts, note } = compareFigures(baseline, slow, { ...machine, cpu: 'Another' });
    expect(note).toBe('the baseline is of another processor (A processor): CPU times are not compared');
    expect(drifts.map(({ verdict }) => verdict)).toEqual(['worse', 'same', 'not compared', 'not compared', 'same']);
  });

  it('is judged for the figures that the baseline has', () => {
    const { turn_bytes } = figures;
    const part = { ...baseline, figures: { turn_bytes } };
    const slow = { ...figures, engine_cpu_us: 100, turn_bytes: 600 };
    expect(verdicts(slow, part)).toMatchObject({ engine_cpu_us: 'not compared', turn_bytes: 'worse' });
    expect(compareFigures(part, slow, machine).note).toMatch(/^the baseline has no ours_per_echo, /);
  });

  it('has a committed baseline that can be read', () => {
    const file = new URL('../../bench/baseline.json', import.meta.url);
    expect(existsSync(file)).toBe(true);
    const { schema_version, machine: shape, figures: own } = JSON.parse(readFileSync(file, 'utf8')) as Baseline;
    expect(schema_version).toBe(1);
    expect(shape).toEqual({ cpu: expect.any(String), cores: expect.any(Number), node: expect.any(Number) });
    expect(Object.keys(own).filter((name) => !names.includes(name as CheckedName))).toEqual([]);
    for (const value of Object.values(own)) expect(value).toBeGreaterThan(0);
  });
});
