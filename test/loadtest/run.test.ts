/**
 * The load test against a little issuer in this process. Times appear only as lower bounds: a stall that was made must be
 * seen; how fast anything is decides nothing.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import * as hdr from 'hdr-histogram-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DialectName } from '#src/iso8583/dialects.js';
import type { FramingName } from '#src/iso8583/framing.js';
import { runLoadtest } from '../../loadtest/main.js';
import type { LoadtestResult } from '../../loadtest/result.js';
import { FakeIssuer, type FakeOptions } from './fake-issuer.js';

let folder = '';
let token = '';
const open: FakeIssuer[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-loadtest-'));
  token = join(folder, 'admin.token');
  writeFileSync(token, 'secret\n', { mode: 0o600 });
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  for (const fake of open.splice(0)) await fake.close();
});

async function fakeIssuer(options: FakeOptions = {}): Promise<{ fake: FakeIssuer; target: string }> {
  const fake = new FakeIssuer(options);
  open.push(fake);
  return { fake, target: await fake.listen() };
}

async function loadtest(
  ...argv: string[]
): Promise<{ status: number; out: string; err: string; json: LoadtestResult }> {
  let out = '';
  let err = '';
  const status = await runLoadtest(argv, {
    inline: true,
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
  });
  return {
    status,
    out,
    err,
    json: argv.includes('--json') && out !== '' ? (JSON.parse(out) as LoadtestResult) : ({} as LoadtestResult),
  };
}

describe('latency', () => {
  it('counts from the schedule, so that a stall of the server shows in full (no coordinated omission)', async () => {
    const { fake, target } = await fakeIssuer({
      // Everything that arrives between 300 and 600 ms waits until 600 ms.
      delayMs: () => Math.max(0, stallUntil - performance.now() < 300 ? stallUntil - performance.now() : 0),
    });
    let stallUntil = Number.POSITIVE_INFINITY;
    const timer = setInterval(() => {
      if (stallUntil === Number.POSITIVE_INFINITY && fake.heard.length > 0) stallUntil = fake.heard[0]!.atMs + 600;
    }, 1);
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '500',
      '-d',
      '1200ms',
      '-c',
      '2',
      '--mix',
      'auth:1',
      '--json',
      '--quiet',
    );
    clearInterval(timer);
    expect(status).toBe(0);
    expect(json.offered).toBe(600);
    expect(json.answered).toBe(600);
    // 500/s over the 300 ms stall: 150 due, of which the first 100 waited at least 100 ms (90 with a late first message).
    const histogram = hdr.decodeFromCompressedBase64(json.histogram_base64);
    const slow = histogram.totalCount - countUpTo(histogram, 100_000);
    expect(histogram.totalCount).toBe(600);
    expect(slow).toBeGreaterThanOrEqual(90);
    expect(json.latency_us.p99!).toBeGreaterThanOrEqual(250_000);
    expect(json.latency_us.max!).toBeGreaterThanOrEqual(json.latency_us.p99!);
  });

  it('keeps the response time at or above the service time', async () => {
    const { target } = await fakeIssuer();
    const { json } = await loadtest(target, '--cards', 'demo', '-R', '2k', '-n', '500', '--json', '--quiet');
    expect(json.service_us.count).toBe(500);
    expect(json.latency_us.mean!).toBeGreaterThanOrEqual(json.service_us.mean!);
  });
});

/** Samples at or below a value. */
function countUpTo(histogram: hdr.Histogram, value: number): number {
  let low = 0;
  let high = histogram.totalCount;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (histogram.getValueAtPercentile((middle / histogram.totalCount) * 100) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

describe('accounting', () => {
  it('counts what was due but could not be sent as dropped', async () => {
    const { fake, target } = await fakeIssuer({ deliver: () => [] });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '50',
      '-c',
      '2',
      '-p',
      '3',
      '--timeout',
      '400ms',
      '--json',
      '--quiet',
      '--threshold',
      'dropped:count==0',
    );
    expect(json.offered).toBe(50);
    expect(json.dropped).toBe(44);
    expect(json.timeouts).toBe(6);
    expect(fake.heard).toHaveLength(6);
    expect(json.thresholds).toEqual([{ threshold: 'dropped:count==0', ok: false, measured: 44 }]);
    expect(status).toBe(2);
  });

  it('tells late answers from timeouts and from strange ones', async () => {
    const { target } = await fakeIssuer({ delayMs: (number) => (number < 4 ? 250 : 0) });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '20',
      '-n',
      '12',
      '--timeout',
      '60ms',
      '--mix',
      'auth:1',
      '--json',
      '--quiet',
    );
    expect(json.timeouts).toBeGreaterThanOrEqual(4);
    expect(json.late).toBeGreaterThanOrEqual(4);
    expect(json.late).toBeLessThanOrEqual(json.timeouts);
    expect(json.answered + json.timeouts).toBe(12);
    expect(json.errors_by.unmatched).toBe(0);
    expect(status).toBe(2);
  });

  it('counts second, strange and unreadable answers as errors', async () => {
    const { target } = await fakeIssuer({
      deliver: (reply, _request, number) => {
        if (number === 0) return [reply, reply];
        if (number === 1) return [{ ...reply, 11: '999999' }, reply];
        if (number === 2) return [{ ...reply, 37: '000000000000' }, reply];
        if (number === 3) return [{ ...reply, 0: '0810' }, reply];
        return [reply];
      },
    });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '200',
      '-n',
      '20',
      '--mix',
      'auth:1',
      '--json',
      '--quiet',
    );
    expect(json.errors_by).toMatchObject({ duplicates: 1, unmatched: 2, malformed: 1 });
    expect(json.errors).toBe(4);
    expect(json.answered).toBe(20);
    expect(json.problems.join('\n')).toContain('answered twice');
    expect(status).toBe(2);
  });

  it('does not count shed answers as achieved, nor into the latencies', async () => {
    const { target } = await fakeIssuer({ decide: (_request, number) => (number % 2 === 0 ? '91' : '00') });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '500',
      '-n',
      '100',
      '--mix',
      'auth:1',
      '--json',
      '--quiet',
      '--threshold',
      'achieved:rate>=0.99',
    );
    expect(json.shed).toBe(50);
    expect(json.by_response_code).toEqual({ '00': 50, '91': 50 });
    expect(json.latency_us.count).toBe(50);
    expect(json.shed_us.count).toBe(50);
    expect(status).toBe(99);
  });

  it('reports codes a healthy engine has no reason for as errors, and declines as declines', async () => {
    const { target } = await fakeIssuer({
      decide: (_request, number) => (number === 0 ? '14' : number === 1 ? '51' : '00'),
    });
    const { json } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '500',
      '-n',
      '10',
      '--mix',
      'auth:1',
      '--json',
      '--quiet',
    );
    expect(json.errors_by.unexpected_codes).toBe(1);
    expect(json.declined).toBe(2);
    expect(json.approved).toBe(8);
  });

  it('survives a lost connection: counts it, reconnects, goes on', async () => {
    const { fake, target } = await fakeIssuer();
    const timer = setInterval(() => {
      if (fake.heard.length >= 20) {
        clearInterval(timer);
        fake.cut();
      }
    }, 1);
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '200',
      '-d',
      '900ms',
      '-c',
      '2',
      '--json',
      '--quiet',
    );
    expect(json.errors_by.connections_lost).toBe(2);
    expect(json.reconnects).toBe(2);
    expect(json.by_kind.auth!.answered).toBeGreaterThan(20);
    expect(status).toBe(2);
  });

  it('leaves the warm-up out', async () => {
    const { fake, target } = await fakeIssuer();
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '200',
      '-d',
      '500ms',
      '--warmup',
      '500ms',
      '--json',
      '--quiet',
    );
    expect(json.offered).toBe(100);
    expect(json.answered).toBe(100);
    expect(json.latency_us.count).toBe(100);
    expect(fake.heard).toHaveLength(200);
    expect(status).toBe(0);
  });
});

describe('the traffic', () => {
  it('repeats and reverses as a network does', async () => {
    const { fake, target } = await fakeIssuer();
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '600',
      '-c',
      '2',
      '--mix',
      'auth:70,reversal:20,repeat:10',
      '--json',
      '--quiet',
    );
    expect(status).toBe(0);
    const auths = fake.heard.filter((one) => one.fields[0] === '0100');
    const repeats = fake.heard.filter((one) => one.fields[0] === '0101');
    const reversals = fake.heard.filter((one) => one.fields[0] === '0400');
    expect(repeats.length).toBeGreaterThan(20);
    expect(reversals.length).toBeGreaterThan(60);
    expect(json.by_mti).toEqual({ '0100': auths.length, '0101': repeats.length, '0400': reversals.length });
    const byKey = new Map(auths.map((one) => [`${one.fields[37]}${one.fields[41]}`, one]));
    expect(byKey.size).toBe(auths.length);
    for (const repeat of repeats) {
      const original = byKey.get(`${repeat.fields[37]}${repeat.fields[41]}`)!;
      expect({ ...repeat.fields, 0: '0100' }).toEqual(original.fields);
      expect(repeat.bytes.subarray(2)).toEqual(original.bytes.subarray(2));
    }
    const reversed = new Set<string>();
    for (const reversal of reversals) {
      const original = byKey.get(`${reversal.fields[37]}${reversal.fields[41]}`)!.fields;
      expect(reversal.fields[90]).toBe(
        `0100${original[11]}${original[7]}${original[32]!.padStart(11, '0')}${'0'.repeat(11)}`,
      );
      expect([reversal.fields[2], reversal.fields[4]]).toEqual([original[2], original[4]]);
      expect(reversal.fields[11]).not.toBe(original[11]);
      reversed.add(original[37]!);
    }
    expect(reversed.size).toBe(reversals.length);
  });

  it('asks for the same things in the same order with the same seed', async () => {
    const asked = async (seed: string) => {
      const { fake, target } = await fakeIssuer();
      await loadtest(
        target,
        '--cards',
        'demo',
        '-R',
        '2k',
        '-n',
        '100',
        '-c',
        '1',
        '--mix',
        'auth:5,inquiry:1',
        '--seed',
        seed,
        '--quiet',
      );
      return fake.heard.map((one) => [one.fields[3], one.fields[2], one.fields[4]].join());
    };
    const first = await asked('5');
    expect(first).toHaveLength(100);
    expect(await asked('5')).toEqual(first);
    expect(await asked('6')).not.toEqual(first);
  });

  it('notices a repeat that gets another decision', async () => {
    const { target } = await fakeIssuer({
      deliver: (reply, request) => [request[0] === '0101' ? { ...reply, 39: '51' } : reply],
    });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '200',
      '--mix',
      'auth:8,repeat:2',
      '--json',
      '--quiet',
    );
    expect(json.errors_by.repeat_mismatches).toBe(json.by_mti['0101']);
    expect(json.errors_by.repeat_mismatches).toBeGreaterThan(0);
    expect(status).toBe(2);
  });

  it('keeps the window of a closed loop', async () => {
    let most = 0;
    let inFlight = 0;
    const { target } = await fakeIssuer({
      delayMs: () => 5,
      deliver: (reply) => {
        most = Math.max(most, ++inFlight);
        setTimeout(() => inFlight--, 4);
        return [reply];
      },
    });
    const { json, status } = await loadtest(
      target,
      '--cards',
      'demo',
      '--closed',
      '-p',
      '3',
      '-c',
      '2',
      '-n',
      '100',
      '--json',
      '--quiet',
    );
    expect(status).toBe(0);
    expect(json.answered).toBe(100);
    expect(json.mode).toBe('closed');
    expect(most).toBeLessThanOrEqual(6);
  });
});

describe('wires', () => {
  it.each([
    ['iso87-bcd', 'len2', 0],
    ['iso87-bcd', 'len4', 5],
    ['iso87-ascii', 'ascii4', 0],
    ['iso87-ascii-bin', 'hex4', 4],
    ['iso87-ascii', 'bcd2', 0],
  ] as [DialectName, FramingName, number][])(
    '%s over %s with a header of %d',
    async (dialect, framing, headerBytes) => {
      const { target } = await fakeIssuer({ dialect, framing, headerBytes });
      const { json, status } = await loadtest(
        target,
        '--cards',
        'demo',
        '-R',
        '1k',
        '-n',
        '60',
        '--dialect',
        dialect,
        '--framing',
        framing,
        '--header-bytes',
        String(headerBytes),
        '--json',
        '--quiet',
      );
      expect(status).toBe(0);
      expect(json.answered).toBe(60);
    },
  );

  it('speaks WebSocket', async () => {
    const fake = new FakeIssuer({ dialect: 'iso87-ascii' });
    open.push(fake);
    const { json, status } = await loadtest(
      await fake.listenWebSocket(),
      '--cards',
      'demo',
      '-R',
      '1k',
      '-n',
      '100',
      '--dialect',
      'iso87-ascii',
      '--json',
      '--quiet',
    );
    expect(status).toBe(0);
    expect(json.answered).toBe(100);
  });

  it('speaks TLS', async ({ skip }) => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    try {
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=127.0.0.1',
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          key,
          '-out',
          cert,
        ],
        { stdio: 'ignore' },
      );
    } catch {
      skip('no openssl to make a certificate with');
    }
    const fake = new FakeIssuer();
    open.push(fake);
    const target = await fake.listen(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }));
    const flags = ['--cards', 'demo', '-R', '1k', '-n', '50', '--quiet'];
    expect((await loadtest(target, ...flags, '--cacert', cert)).status).toBe(0);
    expect((await loadtest(target, ...flags, '--insecure')).status).toBe(0);
    const refused = await loadtest(target, ...flags);
    expect(refused.status).toBe(2);
    expect(refused.err).toMatch(/cannot connect to .*certificate/);
  });
});

describe('proof', () => {
  const run = async (fake: FakeIssuer, target: string, ...more: string[]) =>
    loadtest(
      target,
      '-R',
      '1k',
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
      token,
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
    const noAdmin = await loadtest(target, '--admin', 'http://127.0.0.1:1', '--token-file', token, '--quiet');
    expect([noAdmin.status, noAdmin.err]).toEqual([2, expect.stringContaining('does not answer')]);
  });

  it('ends with 99 when a threshold fails and 0 when all pass', async () => {
    const { target } = await fakeIssuer();
    const flags = ['--cards', 'demo', '-R', '1k', '-n', '50', '--quiet'];
    const failed = await loadtest(target, ...flags, '--threshold', 'auth_latency:p(99)<0.001ms');
    expect(failed.status).toBe(99);
    expect(failed.out).toContain('✗ auth_latency:p(99)<0.001ms');
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
      '500ms',
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
