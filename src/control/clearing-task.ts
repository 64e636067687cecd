/**
 * Entries of the pool that reads clearing files: a pass over a spooled file in a thread of its own, with a lower priority than
 * those that answer. It owns no store, so it may be ended at any moment. Failures are results, because an error that crosses
 * threads loses what it is.
 */
import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import type { ReadOptions } from '../clearing/reader.js';
import { CLEARING_BATCHES_MAX, CLEARING_PROGRESS_BYTES } from '../limits.js';
import { CardDirectory } from '../ring/directory.js';
import { BATCH_NICE, lowerThreadPriority } from '../thread-priority.js';
import { LiveFingerprints } from '../vault/live-fingerprints.js';
import { readSpool, SpoolError, type SpoolKey } from '../vault/spool.js';
import { type CheckedFile, type ClearingBatch, checkFile, makeBatches, type Routing } from './clearing/passes.js';
import type { DirectoryPort } from './ports.js';

export interface PassData {
  readonly port: MessagePort;
  readonly path: string;
  readonly keys: readonly SpoolKey[];
  readonly options: ReadOptions;
}

export interface BatchData extends PassData, Pick<Routing, 'shards' | 'file' | 'cards'> {
  readonly fingerprintKeys: readonly Uint8Array[];
  readonly directory: SharedArrayBuffer;
}

/** From a pass to who started it. */
export type FromPass =
  | { readonly type: 'bytes'; readonly bytes: number }
  | ({ readonly type: 'batch' } & ClearingBatch);
/** To a pass: a batch is posted, or everything is to end. */
export type ToPass = 'done' | 'stop';

export type PassResult<T> =
  | { readonly ok: true; readonly value: T }
  /** `unreadable`: the spool is damaged or gone. `stopped`: it was asked to. */
  | { readonly ok: false; readonly code: 'unreadable' | 'stopped' | 'failed'; readonly message: string };

class Stopped extends Error {}

export function runCheck(data: PassData): Promise<PassResult<CheckedFile>> {
  lowerThreadPriority(BATCH_NICE);
  return checkOf(data);
}

/** The first pass. */
export function checkOf(data: PassData): Promise<PassResult<CheckedFile>> {
  return passOver(data.port, (inbox) => {
    let told = 0;
    return checkFile(readSpool(data.path, data.keys), data.options, (bytes) => {
      inbox.assertGoing();
      if (bytes - told < CLEARING_PROGRESS_BYTES) return undefined;
      told = bytes;
      inbox.say({ type: 'bytes', bytes });
      // A message from the port comes between two turns of the event loop.
      return new Promise((resolve) => setImmediate(resolve));
    });
  });
}

export function runBatches(data: BatchData): Promise<PassResult<undefined>> {
  lowerThreadPriority(BATCH_NICE);
  return batchesOf(data, new LiveFingerprints(data.fingerprintKeys), new CardDirectory(data.directory));
}

/** The second pass with a fingerprinter and a directory at hand. */
export function batchesOf(
  data: Omit<BatchData, 'fingerprintKeys' | 'directory'>,
  fingerprinter: Routing['fingerprinter'],
  directory: Pick<DirectoryPort, 'find'>,
): Promise<PassResult<undefined>> {
  return passOver(data.port, async (inbox) => {
    const { shards, file, cards } = data;
    const routing = { fingerprinter, directory, shards, file, cards };
    await makeBatches(readSpool(data.path, data.keys), data.options, routing, async (batch) => {
      await inbox.room();
      inbox.say({ type: 'batch', ...batch });
    });
    return undefined;
  });
}

/** What comes over the port: how many batches are done, and whether to stop. */
class Inbox {
  readonly #port: MessagePort;
  #underWay = 0;
  #stopped = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: ToPass) => {
      if (message === 'stop') this.#stopped = true;
      else this.#underWay--;
    });
  }

  say(message: FromPass): void {
    if (message.type === 'batch') this.#underWay++;
    this.#port.postMessage(message);
  }

  assertGoing(): void {
    if (this.#stopped) throw new Stopped();
  }

  /** Resolves when another batch may be under way. */
  async room(): Promise<void> {
    this.assertGoing();
    while (this.#underWay >= CLEARING_BATCHES_MAX) {
      await once(this.#port, 'message');
      this.assertGoing();
    }
  }
}

async function passOver<T>(port: MessagePort, pass: (inbox: Inbox) => Promise<T>): Promise<PassResult<T>> {
  try {
    return { ok: true, value: await pass(new Inbox(port)) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof Stopped) return { ok: false, code: 'stopped', message: '' };
    const gone = error instanceof SpoolError || (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { ok: false, code: gone ? 'unreadable' : 'failed', message };
  } finally {
    // Delivers what was said, then ends the other side.
    port.close();
  }
}
