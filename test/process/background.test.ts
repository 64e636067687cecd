/**
 * Background tasks of the real server that fail, planted by the environment (faults.ts): a passing failure costs a
 * restart of the task, a lasting one turns readiness red and names it. Authorizations go on in every case.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { TASK_RESTARTS_MAX } from '#src/limits.js';
import { purchase } from '../support/iso-client.js';
import { Server, until } from '../support/server.js';

const started = (fault: string): Promise<Server> =>
  Server.start({ environment: { HOLDFAST_FAULT_TASK: fault }, flags: ['--stop-limit-ms', '60000'] });
const AGAIN = 'a background task failed and is started again';
const ENDED = 'a background task ended; restart the server to have it back';

/** Value of a sample of /metrics. */
async function metric(server: Server, sample: string): Promise<string | undefined> {
  const { text } = await server.get('/metrics');
  return text
    .split('\n')
    .find((line) => line.startsWith(`${sample} `))
    ?.slice(sample.length + 1);
}

describe('a background task that fails', () => {
  test('once is started again: readiness stays green, and what it keeps is kept', async () => {
    const server = await started('segments:1');
    await until('the restart', () => server.logged(AGAIN).length === 1);
    expect(server.logged(AGAIN)[0]).toMatchObject({ task: 'segments', code: 'internal', error: 'planted fault' });
    expect((await server.get('/readyz')).status).toBe(200);
    const client = await server.connect();
    expect((await client.request(purchase({ card: 1 })))[39]).toBe('00');
    expect(await metric(server, 'holdfast_background_task_restarts_total{task="segments"}')).toBe('1');
    expect(await metric(server, 'holdfast_background_task_up{task="segments"}')).toBe('1');
    // The restarted task builds: nothing lags any more.
    await until(
      'the segments',
      async () => {
        await sleep(500);
        return (await metric(server, 'holdfast_search_lag_records')) === '0';
      },
      60_000,
    );
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    expect(server.logged(ENDED)).toEqual([]);
  });

  test.each(['segments', 'checkpoint'])(
    'again and again is given up: %s, red readiness, service goes on',
    async (task) => {
      const server = await started(`${task}:99`);
      await until('the end', () => server.logged(ENDED).length === 1);
      expect(server.logged(AGAIN)).toHaveLength(TASK_RESTARTS_MAX);
      const { status, body } = await server.get('/readyz');
      expect([status, body.reasons]).toEqual([
        503,
        [{ check: `task-${task}`, detail: expect.stringMatching(/ended/) }],
      ]);
      expect(await metric(server, `holdfast_background_task_up{task="${task}"}`)).toBe('0');
      expect(await metric(server, `holdfast_background_task_restarts_total{task="${task}"}`)).toBe(
        String(TASK_RESTARTS_MAX),
      );
      const client = await server.connect();
      const request = purchase({ card: 2, amount: 10 });
      expect((await client.request(request))[39]).toBe('00');
      expect(await server.stop()).toEqual({ status: 0, signal: null });
      const next = await Server.start({ dataDir: server.dataDir });
      expect(next.number('recovered')).toBeGreaterThan(0);
      expect((await next.get('/readyz')).status).toBe(200);
      expect(await next.stop()).toEqual({ status: 0, signal: null });
    },
  );
});
