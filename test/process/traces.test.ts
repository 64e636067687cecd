/** The slowest requests of a real server: where their time went, which authorization it was, and what the command makes of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { purchase, repeat } from '../support/iso-client.js';
import { run, Server, temporaryFolder } from '../support/server.js';

interface Trace {
  received_at: string;
  total_us: number;
  stages_us: Record<string, number>;
  shard: number;
  authorization: string | null;
}

const STAGES = ['ingress', 'wait', 'decide', 'journal', 'reply'];

test('the slowest requests are told with their stages, by the API and the command', async () => {
  // The acknowledgement of a commit comes late, so the reply to what is recorded waits at least so long.
  const delayMs = 120;
  const server = await Server.start({ environment: { HOLDFAST_FAULT_LANE_DELAY_MS: String(delayMs) } });
  const read = async (): Promise<Trace[]> =>
    ((await server.api('GET', '/v1/traces')).body as unknown as { data: Trace[] }).data;
  expect(await read()).toEqual([]);
  const client = await server.connect();
  const began = Date.now();
  const original = purchase({ card: 3, amount: 1500 });
  const approved = await client.request(original);
  await client.request(repeat(original));
  // Answered by the listener itself.
  await client.request({ 0: '0800', 7: original[7]!, 11: '900001', 70: '301' });
  const [first, second, ...more] = await read();
  expect(more).toEqual([]);
  for (const one of [first!, second!]) {
    expect(Object.keys(one.stages_us)).toEqual(STAGES);
    const sum = STAGES.reduce((total, stage) => total + one.stages_us[stage]!, 0);
    expect(Math.abs(sum - one.total_us)).toBeLessThan(1);
    expect(Date.parse(one.received_at)).toBeGreaterThanOrEqual(began - 1);
    expect(Date.parse(one.received_at)).toBeLessThanOrEqual(Date.now() + 1);
  }
  expect(first!.total_us).toBeGreaterThanOrEqual(delayMs * 1000);
  expect(first!.total_us).toBeGreaterThanOrEqual(second!.total_us);
  // The repeat is the same authorization, which is the one that was answered.
  expect(first!.authorization).toBe(second!.authorization);
  const authorization = (await server.get(`/v1/authorizations/${first!.authorization}`)).body as {
    approval_code?: string;
  };
  expect(authorization.approval_code).toBe(approved[38]);

  const flags = ['--admin', `http://${server.ready.admin}`, '--token-file', join(server.dataDir, 'admin.token')];
  const table = await run(['traces', ...flags]);
  expect([table.status, table.err]).toEqual([0, '']);
  const [head, ...rows] = table.out.trimEnd().split('\n');
  expect(head!.split(/ {2,}/)).toEqual(['received', 'total ms', ...STAGES, 'shard', 'authorization']);
  expect(rows.map((row) => row.split(/ +/).at(-1))).toEqual([first!.authorization, first!.authorization]);
  const file = join(temporaryFolder('traces'), 'slow.json');
  const written = await run(['traces', '--chrome', file, ...flags]);
  expect([written.status, written.out]).toEqual([0, `traces file=${file} requests=2\n`]);
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as {
    traceEvents: { name: string; ph: string; tid: number; ts?: number; dur?: number }[];
  };
  const events = traceEvents.filter(({ ph, tid }) => ph === 'X' && tid === 1);
  expect(events.map(({ name }) => name)).toEqual(STAGES);
  for (const [i, event] of events.entries()) {
    const next = events[i + 1];
    if (next !== undefined) expect(next.ts! - (event.ts! + event.dur!)).toBeCloseTo(0, 0);
  }
  expect((await run(['traces', '--chrome', '/nowhere/slow.json', ...flags])).status).toBe(64);
  client.close();
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});
