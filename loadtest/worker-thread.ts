/** A generator in a thread of its own: connects, says so, starts and stops when told, and hands over its result. */
import { parentPort, workerData } from 'node:worker_threads';
import { Generator, type GeneratorConfig } from './generator.js';

/** Main to worker. */
export type WorkerOrder = { readonly order: 'start'; readonly startUs: number } | { readonly order: 'stop' };
/** Worker to main. */
export type WorkerReport =
  | { readonly report: 'connected' }
  | { readonly report: 'failed'; readonly reason: string }
  | { readonly report: 'done'; readonly result: import('./generator.js').GeneratorResult };

const port = parentPort;
if (port === null) throw new Error('worker-thread.ts runs as a worker thread of the load test only');
const generator = new Generator(workerData as GeneratorConfig);
const tell = (report: WorkerReport) => port.postMessage(report);

port.on('message', (order: WorkerOrder) => {
  if (order.order === 'start') generator.start(order.startUs);
  else generator.stop();
});

generator.connect().then(
  () => tell({ report: 'connected' }),
  (error: unknown) => {
    generator.close();
    tell({ report: 'failed', reason: error instanceof Error ? error.message : String(error) });
    port.close();
  },
);
generator.done.then(
  (result) => {
    tell({ report: 'done', result });
    port.close();
  },
  (error: unknown) => {
    throw error;
  },
);
