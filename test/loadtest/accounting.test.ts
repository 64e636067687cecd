/**
 * The load test against a little issuer in this process. Times appear only as lower bounds: a stall that was made must be
 * seen; how fast anything is decides nothing.
 */
import * as hdr from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { fakeIssuer, loadtest } from './harness.js';

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

  it('names an original that was sent, also the oldest that it still knows', async () => {
    // So few approvals that the ones to reverse are as old as slots are when they are used again.
    const { fake, target } = await fakeIssuer({ decide: (_, number) => (number % 4 === 0 ? '00' : '91') });
    const flags = [
      '--cards',
      'demo',
      '--closed',
      '-c',
      '1',
      '-p',
      '64',
      '--mix',
      'auth:93,reversal:7',
      '--json',
      '--quiet',
    ];
    await loadtest(target, ...flags, '-n', '30000');
    const sent = new Map(
      fake.heard.map(({ fields }) => [
        `${fields[0]} ${fields[11]} ${fields[7]}`,
        `${fields[2]} ${fields[37]} ${fields[4]}`,
      ]),
    );
    const reversals = fake.heard.filter(({ fields }) => fields[0] === '0400');
    const strange = reversals.filter(({ fields }) => {
      const named = `${fields[90]!.slice(0, 4)} ${fields[90]!.slice(4, 10)} ${fields[90]!.slice(10, 20)}`;
      return sent.get(named) !== `${fields[2]} ${fields[37]} ${fields[4]}`;
    });
    expect(reversals.length).toBeGreaterThan(1000);
    expect(strange.map(({ fields }) => fields[90])).toEqual([]);
  }, 60_000);

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
