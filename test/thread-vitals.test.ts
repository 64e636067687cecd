/** What a thread tells of its collector and its work; a collection that is forced must show, also where no event loop turns. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { createThreadVitals, GC_KINDS, GcWatch, ThreadVitals, TurnWatch, watchEventLoop } from '#src/thread-vitals.js';
import { built } from './support/built.js';

const fresh = (): ThreadVitals => new ThreadVitals(createThreadVitals());
const counts = ({ gc }: ThreadVitals): Record<string, number> =>
  Object.fromEntries(GC_KINDS.map((kind) => [kind, gc[kind].count]));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

describe('the collections of a thread', () => {
  it('that are forced show, each once and with its time', () => {
    const vitals = fresh();
    const watch = new GcWatch(vitals);
    watch.take();
    const before = counts(vitals);
    collect();
    expect(counts(vitals)).toEqual(before);
    watch.take();
    expect(counts(vitals).major).toBeGreaterThan(before.major!);
    expect(vitals.gc.major.sumUs).toBeGreaterThan(0);
    collect({ type: 'minor' });
    watch.take();
    expect(counts(vitals).minor).toBeGreaterThan(before.minor!);
    // None is told a second time. One that nobody forced may come at any look, but not at each.
    const quiet = Array.from({ length: 20 }, () => {
      const { count } = vitals.gc.major;
      watch.take();
      return vitals.gc.major.count === count;
    });
    expect(quiet).toContain(true);
  });

  it('show in a thread that never yields, by its turns', async () => {
    const buffer = createThreadVitals();
    const script = `
      const { workerData } = require('node:worker_threads');
      const { ThreadVitals, TurnWatch } = await import(${JSON.stringify(built('thread-vitals.js'))});
      const watch = new TurnWatch(new ThreadVitals(workerData), 0);
      const kept = [];
      for (let turn = 1; turn <= 3; turn++) {
        for (let i = 0; i < 400_000; i++) kept[i % 1000] = { text: 'garbage ' + i };
        watch.turned(turn * 10_000_000);
      }`;
    const worker = new Worker(`(async () => {${script}})()`, { eval: true, workerData: buffer });
    expect(await new Promise((resolve) => worker.once('exit', resolve))).toBe(0);
    const vitals = new ThreadVitals(buffer);
    expect(counts(vitals).minor).toBeGreaterThan(0);
    expect(vitals.gc.minor.sumUs).toBeGreaterThan(0);
  });

  it('take no memory that is left behind, however many they are', async () => {
    // Ten collections to a second of its clock; each is to be seen before the next one.
    const script = `
      const { ThreadVitals, TurnWatch, createThreadVitals } = await import(${JSON.stringify(built('thread-vitals.js'))});
      const { setFlagsFromString } = require('node:v8');
      setFlagsFromString('--expose-gc');
      const collect = require('node:vm').runInNewContext('gc');
      const { parentPort } = require('node:worker_threads');
      const vitals = new ThreadVitals(createThreadVitals());
      const watch = new TurnWatch(vitals, 0);
      let last;
      const collections = (from, to) => {
        for (let n = from; n < to; n++) {
          for (let i = 0; i < 3000; i++) last = { text: i };
          watch.turned(n * 100_000);
          collect({ type: 'minor' });
          watch.turned(n * 100_000 + 50_000);
        }
      };
      collections(0, 50);
      const before = process.memoryUsage.rss();
      collections(50, 1050);
      parentPort.postMessage([vitals.gc.minor.count, process.memoryUsage.rss() - before]);`;
    const worker = new Worker(`(async () => {${script}})()`, { eval: true });
    const [minor, grown] = await new Promise<[number, number]>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    expect(minor).toBeGreaterThanOrEqual(1000);
    // A profiler that lies among the old objects has 3.5 kB of each collection since: a hundred of them 260 MB.
    expect(grown).toBeLessThan(40e6);
  });
});

describe('the work of a thread', () => {
  it('is the time of its turns, not of its sleep', () => {
    const vitals = fresh();
    const watch = new TurnWatch(vitals, 1000);
    watch.turned(1250);
    watch.woke(900_000);
    watch.turned(900_050);
    watch.turned(903_050);
    expect(vitals.busyUs).toBe(250 + 50 + 3000);
    expect([vitals.delay.count, vitals.delay.sumUs]).toEqual([3, 3300]);
  });

  it('of one with an event loop counts, and what kept the loop is a delay', async () => {
    const vitals = fresh();
    const end = watchEventLoop(vitals);
    while (vitals.delay.count === 0) await sleep(5);
    const until = performance.now() + 1100;
    while (performance.now() < until);
    while (vitals.delay.sumUs < 1_000_000) await sleep(5);
    collect();
    while (vitals.gc.major.count === 0) await sleep(50);
    expect(vitals.busyUs).toBeGreaterThan(1_000_000);
    end();
    const { count } = vitals.delay;
    await sleep(100);
    expect(vitals.delay.count).toBe(count);
  });
});
