/** The process in which a backup is made (reading-process.ts): of a command, or of a running server. */
import { setPriority } from 'node:os';
import { takeBackup } from '../backup/take.js';
import { BATCH_NICE } from '../thread-priority.js';
import { serveTask } from './reading-process.js';
import { packageFile } from './version.js';

// All of its threads: whoever answers an authorization goes first.
setPriority(BATCH_NICE);
await serveTask(([dataDir, target, rate], onProgress) =>
  takeBackup({
    dataDir: dataDir!,
    target: target!,
    rate: Number(rate),
    engine: packageFile().version,
    onProgress,
  }),
);
