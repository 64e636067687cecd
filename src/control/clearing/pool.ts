/** The passes in a pool of one thread, started when the first file comes. */
import { Piscina } from 'piscina';
import { workerFile } from '../../worker-file.js';
import type { ClearingPasses } from './files.js';
import type { SpoolKeys } from './spool-folder.js';

export interface PoolOptions {
  readonly ring: SpoolKeys;
  /** The live ones first, then the others that the key file has; may change while the server runs. */
  readonly fingerprintKeys: () => readonly Uint8Array[];
  readonly directory: SharedArrayBuffer;
  readonly shards: number;
}

/** Heap of the thread, MB: the batches under way and the reader are a few; what is young is collected early. */
const HEAP_MB = 192;
const YOUNG_MB = 8;
/** Time for which the thread is kept without work, ms. */
const IDLE_MS = 30_000;

export function clearingPool({ ring, fingerprintKeys, directory, shards }: PoolOptions): ClearingPasses {
  const pool = new Piscina({
    filename: workerFile(import.meta.url, '../clearing-task.js').href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    atomics: 'disabled',
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: YOUNG_MB },
  });
  return {
    check: (port, path, options) =>
      pool.run({ port, path, keys: ring.all, options }, { name: 'runCheck', transferList: [port] }),
    batches: (port, path, options, routing) =>
      pool.run(
        { port, path, keys: ring.all, options, fingerprintKeys: fingerprintKeys(), directory, shards, ...routing },
        { name: 'runBatches', transferList: [port] },
      ),
    close: () => pool.destroy(),
  };
}
