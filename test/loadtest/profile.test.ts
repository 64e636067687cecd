/** `npm run profile`: the summary of profiles that are known, and one short run against a real server. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import {
  type CpuProfile,
  HOTTEST,
  stageNames,
  stageOf,
  summarize,
  summaryLines,
  type ThreadSummary,
} from '../../bench/profile-summary.js';
import { built } from '../support/built.js';
import { temporaryFolder } from '../support/server.js';

vi.setConfig({ testTimeout: 180_000 });

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });

/** A millisecond in each: idle, GC, the program, the wait of a shard thread, two of decide, an add-on called by the journal. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 4, 5, 6, 7] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('(garbage collector)') },
    { id: 4, callFrame: frame('(program)') },
    { id: 5, callFrame: frame('block', 'file:///opt/dist/ring/wake.js', 42) },
    { id: 6, callFrame: frame('decide', 'file:///opt/dist/domain/decide-message.js', 9) },
    { id: 7, callFrame: frame('finishTxn', 'file:///opt/node_modules/lmdb/write.js', 99), children: [8] },
    { id: 8, callFrame: frame('') },
  ],
  samples: [2, 3, 4, 5, 6, 6, 8, 2],
  timeDeltas: [500, 1000, 1000, 1000, 1000, 1000, 1000, 1000],
  startTime: 10_000,
  endTime: 18_500,
};

test('time is told apart: idle, waiting, garbage, scripts; add-ons count for their caller', () => {
  const summary = summarize('shard-0', profile);
  expect(summary).toMatchObject({ total_ms: 8, busy_ms: 5, idle_ms: 3, gc_ms: 1, program_ms: 1 });
  expect(summary.hottest).toEqual([
    { name: 'decide', place: 'dist/domain/decide-message.js:10', self_ms: 2, share: 0.4 },
    { name: 'native < finishTxn', place: 'node_modules/lmdb/write.js:100', self_ms: 1, share: 0.2 },
  ]);
  expect(summary.stages.map(({ stage, self_ms }) => [stage, self_ms])).toEqual([
    ['decide', 2],
    ['journal', 1],
  ]);
  expect(summaryLines([summary])[0]).toBe('shard-0: busy 5 of 8 ms, GC 1 ms, outside of scripts 1 ms');
});

test('at most ten functions, the hottest first; a profile without samples is none', () => {
  const nodes = Array.from({ length: 30 }, (_, n) => ({
    id: n,
    callFrame: frame(`f${n}`, 'file:///opt/dist/ring/ring.js', n),
  }));
  const samples = nodes.flatMap(({ id }) => new Array<number>(id + 1).fill(id));
  const timeDeltas = samples.map(() => 200);
  const times = { timeDeltas, startTime: 0, endTime: 200 * (samples.length + 1) };
  const { hottest } = summarize('main', { nodes, samples, ...times });
  expect(hottest.map(({ name }) => name)).toEqual(Array.from({ length: HOTTEST }, (_, n) => `f${29 - n}`));
  expect(() => summarize('main', { nodes, samples: [], ...times })).toThrow('the profile of main has no samples');
});

test.each([
  ['dist/ingress/tcp.js', 'receive'],
  ['dist/ingress/replies.js', 'reply'],
  ['dist/iso8583/decoder.js', 'decode'],
  ['dist/iso8583/encoder.js', 'reply'],
  ['dist/ring/ring.js', 'ring'],
  ['dist/domain/decide-message.js', 'decide'],
  ['dist/shard/reply.js', 'reply'],
  ['dist/shard/shard-host.js', 'decide'],
  ['dist/journal/shard-journal.js', 'journal'],
  ['dist/store/lmdb-store.js', 'journal'],
  ['node_modules/lmdb/write.js', 'journal'],
  ['dist/control/app.js', 'other'],
  ['', 'other'],
])('%s is of the stage %s', (file, stage) => {
  expect(stageOf(file === '' ? '' : `file:///opt/holdfast/${file}`)).toBe(stage);
  // The files that the stages name exist.
  if (file.startsWith('dist/'))
    expect(() => readFileSync(new URL(`../../src/${file.slice(5, -3)}.ts`, import.meta.url))).not.toThrow();
});

test('a short run has a profile of every thread, and a summary', () => {
  const out = join(temporaryFolder('profile'), 'out');
  const script = fileURLToPath(built('tools/bench/profile.js'));
  // What tests are told by HOLDFAST_ variables is no setting of a server.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, '--seconds', '1', '--rate', '500', '--out', out],
    { encoding: 'utf8', env },
  );
  expect(status, stderr).toBe(0);
  const files = ['control.cpuprofile', 'main.cpuprofile', 'shard-0.cpuprofile', 'summary.json', 'summary.txt'];
  expect(readdirSync(out).sort()).toEqual(files);
  const { threads, errors } = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')) as {
    threads: ThreadSummary[];
    errors: number;
  };
  expect(errors).toBe(0);
  expect(threads.map(({ thread }) => thread)).toEqual(['main', 'control', 'shard-0']);
  for (const { total_ms, busy_ms, idle_ms, hottest, stages } of threads) {
    expect(total_ms).toBeGreaterThan(0);
    expect(busy_ms + idle_ms).toBeCloseTo(total_ms, 0);
    expect(hottest.length).toBeLessThanOrEqual(HOTTEST);
    const names = stages.map(({ stage }) => stage);
    expect(names).toEqual(stageNames.filter((name) => names.includes(name)));
  }
  expect(stdout).toContain(readFileSync(join(out, 'summary.txt'), 'utf8'));
});
