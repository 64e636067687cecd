import { readFileSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';

const linux = process.platform === 'linux';

/** Niceness of a thread of this process, from its stat line. */
function niceOf(thread: number): number {
  const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
}

describe.skipIf(!linux)('priority of a thread (Linux only)', () => {
  it('is lowered for the calling thread and for no other', async () => {
    const file = new URL('../dist/thread-priority.js', import.meta.url).href;
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { readlinkSync } = require('node:fs');
      import(workerData).then(({ lowerThreadPriority }) => {
        const lowered = lowerThreadPriority(7);
        parentPort.postMessage({ lowered, thread: Number(readlinkSync('/proc/thread-self').split('/').at(-1)) });
        parentPort.once('message', () => parentPort.close());
      });`;
    const worker = new Worker(source, { eval: true, workerData: file });
    const { lowered, thread } = await new Promise<{ lowered: boolean; thread: number }>((resolve) =>
      worker.once('message', resolve),
    );
    const own = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    expect(lowered).toBe(true);
    expect(niceOf(thread)).toBe(7);
    expect(niceOf(own)).toBeLessThan(7);
    worker.postMessage('end');
    await new Promise((resolve) => worker.once('exit', resolve));
  });
});
