import { describe, expect, it } from 'vitest';
import { chromeTrace, traceTable } from '#src/cli/traces.js';
import type { SlowRequest } from '#src/slow-request.js';
import { makeHarness } from './harness.js';

const slow: SlowRequest = {
  receivedMs: 1_790_000_000_123.4,
  totalUs: 100_250,
  stages: { ingress: 500, wait: 50_500.04, decide: 16_000, journal: 32_000, reply: 1249.96 },
  ...{ shard: 1, sequence: 42 },
};

describe('the slowest requests', () => {
  it('are told with their authorization, where they have a record', async () => {
    const h = makeHarness({ slowest: [slow, { ...slow, totalUs: 9, sequence: 0 }] });
    const { status, body } = await h.call('GET', '/v1/traces');
    expect(status).toBe(200);
    const first = {
      received_at: '2026-09-21T14:13:20.123Z',
      total_us: 100_250,
      stages_us: { ingress: 500, wait: 50_500, decide: 16_000, journal: 32_000, reply: 1250 },
      ...{ shard: 1, authorization: expect.stringMatching(/^auth_/) },
    };
    expect(body).toEqual({ object: 'traces', data: [first, { ...first, total_us: 9, authorization: null }] });
  });

  it('are none before there is traffic', async () => {
    expect((await makeHarness().call('GET', '/v1/traces')).body).toEqual({ object: 'traces', data: [] });
    expect(traceTable([])).toEqual(['no request in the last minute']);
  });

  it('are a row each in a trace viewer, its stages one behind the other', () => {
    const stages_us = { ingress: 10, wait: 20, decide: 30, journal: 40, reply: 50 };
    const one = { received_at: '2026-11-28T00:00:00.000Z', total_us: 150, stages_us, shard: 3, authorization: null };
    const { traceEvents } = chromeTrace([{ ...one, authorization: 'auth_x' }, one]);
    const names = traceEvents.filter((event) => 'args' in event && 'ph' in event && event.ph === 'M');
    expect(names).toEqual([
      { name: 'process_name', ph: 'M', pid: 1, tid: 0, args: { name: 'holdfast' } },
      { name: 'thread_name', ph: 'M', pid: 1, tid: 1, args: { name: 'auth_x' } },
      { name: 'thread_name', ph: 'M', pid: 1, tid: 2, args: { name: 'shard 3' } },
    ]);
    const began = Date.parse(one.received_at) * 1000;
    const stage = (name: string, ts: number, dur: number): object => ({
      ...{ name, cat: 'request', ph: 'X', pid: 1, tid: 2, ts: began + ts, dur, args: { shard: 3, total_us: 150 } },
    });
    expect(traceEvents.slice(-5)).toEqual([
      ...[stage('ingress', 0, 10), stage('wait', 10, 20), stage('decide', 30, 30), stage('journal', 60, 40)],
      stage('reply', 100, 50),
    ]);
  });
});
