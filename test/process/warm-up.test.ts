/** A start warms its threads up with messages of its own; nothing of that may be left. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run, Server } from '../support/server.js';

interface Head {
  sequence: number;
  digest: string;
  hash: string;
}

async function headsOf(dataDir: string): Promise<Head[]> {
  const stats = (await run(['inspect', 'stats', '--data-dir', dataDir])).out.trimEnd().split('\n');
  return stats.slice(0, -1).map((line) => {
    const { sequence, digest, hash } = JSON.parse(line) as Head;
    return { sequence, digest, hash };
  });
}

test('the warm-up leaves no record, no metric, no digest and no file', async () => {
  const options = { demo: false, flags: ['--threads', '2', '--log-level', 'trace'] };
  // The first start hands the default program to the shards: that is a record in each, the second start has nothing to add.
  const first = await Server.start(options);
  expect(await first.stop()).toEqual({ status: 0, signal: null });
  const before = await headsOf(first.dataDir);
  expect(before.map(({ sequence }) => sequence)).toEqual(before.map(() => 1));
  const server = await Server.start({ ...options, dataDir: first.dataDir });
  expect(
    server
      .logged('warmed up')
      .map(({ thread }) => thread as number)
      .sort(),
  ).toEqual([0, 1]);
  for (const { messages } of server.logged('warmed up')) expect(messages).toBeGreaterThan(0);
  const metrics = (await server.get('/metrics')).text;
  for (const name of [
    'holdfast_authorizations_total',
    'holdfast_journal_batch_records_count',
    'holdfast_repeats_total',
    'holdfast_accounts',
    'holdfast_cards',
    'holdfast_holds_open',
    'holdfast_outcomes_uncounted_total',
    'holdfast_search_lag_records',
    'holdfast_shard_rebuilds_total',
  ]) {
    const values = [...metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(
      ([, value]) => value,
    );
    expect([name, values.length > 0, values.every((value) => value === '0')]).toEqual([name, true, true]);
  }
  for (const [, count] of metrics.matchAll(/^holdfast_stage_duration_seconds_count\{[^}]*\} (\d+)$/gm))
    expect(count).toBe('0');
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  const warnings = server.stderr.split('\n').filter((line) => /"level":(?:40|50|60)/.test(line));
  // Of the keys, which every server without a key-encrypting key is told.
  expect(warnings.filter((line) => !line.includes('the key file holds its keys as they are'))).toEqual([]);
  expect(before).toHaveLength(server.number('shards'));
  expect(await headsOf(server.dataDir)).toEqual(before);
  expect(readdirSync(join(server.dataDir, 'journal')).sort()).toEqual(['lane-0-000001', 'lane-1-000001']);
});
