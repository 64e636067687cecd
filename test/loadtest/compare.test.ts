/** `loadtest compare`: two results side by side. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LoadtestExit, type LoadtestResult } from '../../loadtest/result.js';
import { fakeIssuer, folder, loadtest, tokenFile } from './harness.js';

/** The result of a short run. */
async function results(): Promise<LoadtestResult> {
  const { fake, target } = await fakeIssuer({ decide: () => '00' });
  const admin = await fake.listenAdmin();
  const flags = ['-R', '2k', '-n', '200', '--accounts', '20', '--json', '--quiet', '--verify'];
  const { json } = await loadtest(target, ...flags, '--admin', admin, '--token-file', tokenFile);
  return json;
}

const said = (...args: string[]) => loadtest('compare', ...args);

const write = (name: string, value: unknown): string => {
  const file = join(folder, name);
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
};

describe('compare', () => {
  test('tells ratios, conditions that differ, and runs that prove nothing', async () => {
    const real = await results();
    const env = { ...real.env, git_dirty: false };
    const base = {
      ...real,
      env,
      dropped: 0,
      achieved_per_s: 2000,
      latency_us: { ...real.latency_us, p99: 4000, p999: null },
    };
    const other = {
      ...base,
      achieved_per_s: 3000,
      connections: base.connections + 1,
      errors: 2,
      latency_us: { ...base.latency_us, p99: 1000 },
      verify: { ...base.verify, ok: false },
    };
    const [one, two] = [write('one.json', base), write('two.json', other)];
    const same = await said(one, one, '--json');
    expect([same.status, same.err]).toEqual([0, '']);
    const equal = same.json as unknown as {
      figures: { ratio: number | null }[];
      different: string[];
      doubts: string[];
    };
    expect([equal.different, equal.doubts]).toEqual([[], []]);
    for (const { ratio } of equal.figures) expect([null, 1]).toContain(ratio);

    const text = await said(one, two);
    expect(text.status).toBe(0);
    expect(text.out).toMatch(/^achieved_per_s +2000 +3000 +1\.500$/m);
    expect(text.out).toMatch(/^latency_us\.p99 +4000 +1000 +0\.250$/m);
    expect(text.out).not.toContain('latency_us.p999');
    expect(text.out).toMatch(/^errors +0 +2 +-$/m);
    expect(text.out.split('\n').filter((line) => /^(not the same|doubt)/.test(line))).toEqual([
      `not the same: connections: ${base.connections}, ${base.connections + 1}`,
      'doubt: after: 2 errors',
      'doubt: after: the verification failed, its figures are void',
    ]);
  });

  test.each([
    [[], 'compare takes two files'],
    [['a.json'], 'compare takes two files'],
    [['a', 'b', 'c'], 'compare takes two files'],
    [['--rate', '5k'], 'compare knows no --rate'],
    [['missing.json', 'missing.json'], 'missing.json: ENOENT'],
  ])('refuses %j', async (args, why) => {
    const { status, out, err } = await said(...args);
    expect([status, out]).toEqual([LoadtestExit.flags, '']);
    expect(err).toContain(why);
  });

  test('refuses what is no result', async () => {
    const file = write('other.json', { schema_version: 2 });
    expect((await said(file, file)).err).toContain('is no result of the load test');
    const none = write('none.json', 'null');
    expect((await said(none, none)).err).toContain('is no result of the load test');
    const broken = write('broken.json', '{"schema_version":');
    expect((await said(broken, broken)).status).toBe(LoadtestExit.flags);
  });

  test('has a help', async () => {
    expect((await said('--help')).out).toMatch(/^usage: holdfast loadtest compare/);
  });
});
