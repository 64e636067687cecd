/** The vital signs of every thread of a real server: a shard thread that makes garbage must be seen to collect it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { purchase } from '../support/iso-client.js';
import { Server } from '../support/server.js';

const THREADS = ['main', 'control', 'shard-0', 'shard-1'];

test('collections, delays and work of each thread are counted while it serves', async () => {
  // A young generation of one megabyte: some thousand messages fill it.
  const environment = { NODE_OPTIONS: '--max-semi-space-size=1' };
  const server = await Server.start({ flags: ['--threads', '2'], environment });
  const read = async (name: string, thread: string): Promise<number> => {
    const text = (await server.get('/metrics')).text;
    const line = new RegExp(`^${name.replace('{', `{thread="${thread}"`).replaceAll('{', '\\{')} (\\S+)$`, 'm').exec(
      text,
    );
    expect([name, thread, line?.[1]]).toEqual([name, thread, expect.any(String)]);
    return Number(line![1]);
  };
  const minor = (thread: string): Promise<number> => read('holdfast_gc_pause_seconds_count{,kind="minor"}', thread);
  const before = await Promise.all(THREADS.map(minor));
  const turns = await Promise.all(THREADS.map((thread) => read('holdfast_loop_delay_seconds_count{}', thread)));
  const work = await Promise.all(THREADS.map((thread) => read('holdfast_thread_busy_seconds_total{}', thread)));
  const client = await server.connect();
  const missing = new Set(THREADS.keys());
  // As many as it takes; the test's own limit ends it when a thread never collects.
  for (let card = 0; missing.size > 0; card++) {
    const messages = Array.from({ length: 500 }, (_, n) => purchase({ card: 1 + ((card * 500 + n) % 900), amount: 1 }));
    await client.batch(messages);
    for (const at of [...missing]) if ((await minor(THREADS[at]!)) > before[at]!) missing.delete(at);
  }
  for (const [at, thread] of THREADS.entries()) {
    expect(await read('holdfast_loop_delay_seconds_count{}', thread)).toBeGreaterThan(turns[at]!);
    while ((await read('holdfast_thread_busy_seconds_total{}', thread)) <= work[at]!) await sleep(100);
  }
  client.close();
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});
