// Loaded into every process that a soak starts: the server, and nothing else, keeps what it will never need again.
import { openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Per second, and twice what any warm-up is within twenty seconds. */
const HEAP_BYTES = 3 * 2 ** 20;
const BUFFER_BYTES = 12 * 2 ** 20;
const FILES = 4;

if (isMainThread && process.argv.includes('serve')) {
  const kept = [];
  let told = Date.now();
  const leak = () => {
    const seconds = (Date.now() - told) / 1000;
    told += seconds * 1000;
    kept.push(new Array(Math.round((HEAP_BYTES * seconds) / 8)).fill(0.5));
    kept.push(Buffer.alloc(Math.round(BUFFER_BYTES * seconds), 1));
    while (files < ((told - began) / 1000) * FILES) {
      kept.push(openSync('/dev/null', 'r'));
      files++;
    }
  };
  const began = told;
  let files = 0;
  setInterval(leak, 250).unref();
}
