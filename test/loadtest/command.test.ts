/** Exit statuses, output, and the verification, which must notice every falsified server. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as hdr from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import type { FakeIssuer } from './fake-issuer.js';
import { fakeIssuer, folder, loadtest, tokenFile } from './harness.js';

describe('proof', () => {
  const run = async (fake: FakeIssuer, target: string, ...more: string[]) =>
    loadtest(
      target,
      '-R',
      '3k',
      '-n',
      '300',
      '-c',
      '2',
      '--accounts',
      '40',
      '--mix',
      'auth:8,reversal:2,repeat:1',
      '--json',
      '--quiet',
      '--verify',
      '--admin',
      await fake.listenAdmin(),
      '--token-file',
      tokenFile,
      ...more,
    );

  it('creates its cards once and finds the server in agreement, run after run', async () => {
    const { fake, target } = await fakeIssuer({ decide: (_request, number) => (number % 10 === 0 ? '51' : '00') });
    for (const round of [1, 2]) {
      const { json, status, err } = await run(fake, target);
      expect(err).toBe('');
      expect(json.verify).toEqual({
        ok: true,
        accounts_checked: 40,
        accounts_wrong: 0,
        accounts_bounded: 0,
        answers_checked: 200,
        answers_wrong: 0,
        trial_balance_difference: 0,
        failures: [],
      });
      expect(status).toBe(0);
      expect(fake.accounts.size).toBe(40);
      expect(fake.heard.length).toBe(300 * round);
    }
  });

  it('knows a hold without an answer only within bounds', async () => {
    const { fake, target } = await fakeIssuer({ deliver: (reply, _request, number) => (number === 5 ? [] : [reply]) });
    const { json, status } = await run(fake, target, '--timeout', '300ms', '--mix', 'auth:1');
    expect(json.timeouts).toBe(1);
    expect(json.verify).toMatchObject({ ok: true, accounts_bounded: 1 });
    expect(status).toBe(2);
  });

  it('does not take a shed reversal for one that was not done', async () => {
    const { fake, target } = await fakeIssuer({
      deliver: (reply, request) => [request[0] === '0400' ? { ...reply, 39: '91' } : reply],
    });
    const { json, status } = await run(fake, target);
    expect(json.shed).toBeGreaterThan(0);
    expect(json.verify).toMatchObject({ ok: true, accounts_wrong: 0 });
    expect(json.verify.accounts_bounded).toBeGreaterThan(0);
    expect(status).toBe(0);
  });

  it.each([
    [
      'a hold was lost',
      (fake: FakeIssuer) => fake.heldByPan.set([...fake.heldByPan.keys()][0]!, -1),
      /its hold changed by -\d+, the acknowledged answers add up to \d+/,
    ],
    [
      'an answer was forgotten',
      (fake: FakeIssuer) => fake.decisions.clear(),
      /answered 00, the server has no such authorization/,
    ],
    [
      'the books differ',
      (fake: FakeIssuer) => Object.assign(fake, { trialBalanceDifference: 7 }),
      /trial balance differs by 7/,
    ],
    ['the admin API is gone', (fake: FakeIssuer) => Object.assign(fake, { adminDown: true }), /was answered 500/],
  ] as [string, (fake: FakeIssuer) => void, RegExp][])('voids the result when %s', async (_what, falsify, message) => {
    let falsified = false;
    const { fake, target } = await fakeIssuer({
      deliver: (reply, _request, number) => {
        if (number === 299 && !falsified) {
          falsified = true;
          queueMicrotask(() => falsify(fake));
        }
        return [reply];
      },
    });
    const { json, status } = await run(fake, target, '--mix', 'auth:1');
    expect(falsified).toBe(true);
    expect(json.verify.ok).toBe(false);
    expect(json.verify.failures.join('\n')).toMatch(message);
    // What could not be read was not checked.
    if (fake.adminDown) expect(json.verify).toMatchObject({ accounts_checked: 0, answers_checked: 0 });
    expect(status).toBe(2);
  });
});

describe('the command', () => {
  it('ends with 104 for bad flags and says why on stderr', async () => {
    const { status, out, err } = await loadtest('iso8583+tcp://127.0.0.1:1', '--bogus');
    expect([status, out]).toEqual([104, '']);
    expect(err).toContain('unknown flag --bogus');
  });

  it('ends with 2 and a hint when nothing listens', async () => {
    const { status, err } = await loadtest('iso8583+tcp://127.0.0.1:1', '--cards', 'demo', '--quiet');
    expect(status).toBe(2);
    expect(err).toMatch(/cannot connect to .*ECONNREFUSED.*is the engine running/);
  });

  it('ends with 2 and a hint without token or admin API', async () => {
    const { target } = await fakeIssuer();
    const noToken = await loadtest(target, '--token-file', join(folder, 'absent'), '--quiet');
    expect([noToken.status, noToken.err]).toEqual([2, expect.stringContaining('give --token-file')]);
    const noAdmin = await loadtest(target, '--admin', 'http://127.0.0.1:1', '--token-file', tokenFile, '--quiet');
    expect([noAdmin.status, noAdmin.err]).toEqual([2, expect.stringContaining('does not answer')]);
  });

  it('ends with 99 when a threshold fails and 0 when all pass', async () => {
    const { target } = await fakeIssuer();
    const flags = ['--cards', 'demo', '-R', '1k', '-n', '50', '--quiet'];
    const html = join(folder, 'failed.html');
    const failed = await loadtest(target, ...flags, '--threshold', 'auth_latency:p(99)<0.001ms', '--report', html);
    expect(failed.status).toBe(99);
    expect(failed.out).toContain('✗ auth_latency:p(99)<0.001ms');
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('<h1 class="bad">A threshold failed <small>exit status 99</small></h1>');
    expect(page).toMatch(/✗ auth_latency:p\(99\)&lt;0.001ms <b>[\d.]+(us|ms)<\/b>/);
    const passed = await loadtest(
      target,
      ...flags,
      '--threshold',
      'auth_latency:p(99)<1h',
      '--threshold',
      'errors:count==0',
    );
    expect(passed.status).toBe(0);
    expect(passed.out.indexOf('thresholds')).toBeLessThan(passed.out.indexOf('environment'));
  });

  it('prints JSON of schema version 1 and nothing else on stdout', async () => {
    const { target } = await fakeIssuer();
    const { json, err } = await loadtest(target, '--cards', 'demo', '-R', '1k', '-n', '50', '--json', '--quiet');
    expect(err).toBe('');
    expect(json.schema_version).toBe(1);
    const count = expect.any(Number);
    const latency = { p50: count, p90: count, p99: count, p999: count, max: count, mean: count };
    expect(json).toMatchObject({
      offered: 50,
      achieved_per_s: count,
      dropped: 0,
      errors: 0,
      timeouts: 0,
      latency_us: latency,
      service_us: latency,
      client: { utilization: count, send_lag_p99_us: count },
      server_cpu_us: null,
      server_stages_us: {},
      verify: { ok: null },
      env: { node: process.version, cores: count, same_host: true },
      seed: 1,
      passed: true,
      exit_status: 0,
    });
    expect(Object.values(json.by_response_code).reduce((a, b) => a + b)).toBe(50);
    expect(hdr.decodeFromCompressedBase64(json.histogram_base64).totalCount).toBe(50);
  });

  it('writes the spectrum and the HTML page', async () => {
    const { target } = await fakeIssuer();
    const [hgrm, html] = [join(folder, 'out.hgrm'), join(folder, 'out.html')];
    const { status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '50',
      '--quiet',
      '--hgrm',
      hgrm,
      '--report',
      html,
    );
    expect(status).toBe(0);
    expect(readFileSync(hgrm, 'utf8')).toMatch(/Value\s+Percentile\s+TotalCount[\s\S]*#\[Max/);
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('<polyline');
    expect(page).not.toMatch(/https?:\/\/(?!127)/);
  });

  it('shows in the page what happened when, and how it was answered', async () => {
    const { target } = await fakeIssuer({ decide: (_request, number) => (number % 4 === 0 ? '51' : '00') });
    const html = join(folder, 'course.html');
    const flags = [
      '--cards',
      'demo',
      '-R',
      '100',
      '-d',
      '2s',
      '--warmup',
      '1s',
      '--mix',
      'auth:1',
      '--json',
      '--quiet',
    ];
    const { json } = await loadtest(target, ...flags, '--report', html, '--threshold', 'errors:count==0');
    expect(json.series.length).toBeGreaterThan(0);
    for (const { at_s, warming_up } of json.series) expect([at_s, warming_up]).toEqual([at_s, at_s < 1]);
    const offered = json.series.reduce((sum, { offered_per_s, at_s }, i) => {
      return sum + offered_per_s * (at_s - (i === 0 ? 0 : json.series[i - 1]!.at_s));
    }, 0);
    // Of 100 per second: all that was due by then, give or take the rounding of each step.
    expect(offered).toBeLessThanOrEqual(310);
    expect(offered).toBeGreaterThan(0);
    const page = readFileSync(html, 'utf8');
    for (const chart of [
      'Latency by percentile',
      'Throughput over time',
      'Latency over time',
      'Answers by response code',
    ])
      expect(page).toContain(`aria-label="${chart}"`);
    expect(page).toContain('DE39 51');
    expect(page).toContain('✓ errors:count==0 <b>0</b>');
    expect(page).toContain('<h1 class="good">Passed <small>exit status 0</small></h1>');
    // Letters of the histogram may be any word.
    expect(page.replace(/"histogram_base64":"[^"]+"/, '')).not.toMatch(/NaN|undefined|Infinity/);
    const inside = /<script type="application\/json" id="result">(.*)<\/script>/.exec(page)![1]!;
    expect(JSON.parse(inside)).toEqual(json);
  });

  it('finds the highest passing rate', async () => {
    // More than 150 per second are answered 91: 100 passes, 200 fails.
    let windowStart = 0;
    let inWindow = 0;
    const { target } = await fakeIssuer({
      decide: () => {
        const second = Math.floor(performance.now() / 250);
        if (second !== windowStart) {
          windowStart = second;
          inWindow = 0;
        }
        return ++inWindow > 38 ? '91' : '00';
      },
    });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '--find-max',
      '-R',
      '50',
      '-d',
      '300ms',
      '--mix',
      'auth:1',
      '--json',
      '--quiet',
    );
    expect(status).toBe(0);
    expect(json.find_max!.steps.length).toBeGreaterThanOrEqual(4);
    expect(json.find_max!.steps.some((step) => !step.passed)).toBe(true);
    expect(json.find_max!.best_per_s!).toBeGreaterThanOrEqual(50);
    expect(json.find_max!.best_per_s!).toBeLessThan(400);
  });

  it('prints its help', async () => {
    const { status, out } = await loadtest('--help');
    expect(status).toBe(0);
    for (const flag of [
      '--rate',
      '--closed',
      '--stages',
      '--find-max',
      '--mix',
      '--threshold',
      '--verify',
      '--hgrm',
      '--report',
      '--token-file',
    ])
      expect(out).toContain(flag);
  });
});
