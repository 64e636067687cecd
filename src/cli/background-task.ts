/**
 * Entries of the batch pool: the long background tasks, with their failures as results. An error that crosses threads keeps
 * its message and loses its code, and the code decides whether the task is started again (engine-batch.ts).
 */
import type { MessagePort } from 'node:worker_threads';
import { HoldfastError } from '../errors.js';
import { type SegmentTaskData, segmentTask } from '../journal/segment-task.js';
import { type CheckpointTaskData, checkpointTask } from '../shard/checkpoint-task.js';

/** Why a task ended without having been asked to; undefined after a stop. */
export type BackgroundResult = { readonly code: string; readonly message: string } | undefined;

/** What every task gets beside its own data. */
export interface BackgroundStart {
  readonly port: MessagePort;
  /** A planted fault: the task fails before it begins. */
  readonly fails: boolean;
}

export function runSegments(data: SegmentTaskData & BackgroundStart): Promise<BackgroundResult> {
  return outcome(data, () => segmentTask(data));
}

export function runCheckpoint(data: CheckpointTaskData & BackgroundStart): Promise<BackgroundResult> {
  return outcome(data, () => checkpointTask(data));
}

async function outcome({ port, fails }: BackgroundStart, task: () => Promise<unknown>): Promise<BackgroundResult> {
  try {
    if (fails) throw new Error('planted fault');
    await task();
    return undefined;
  } catch (error) {
    const code = error instanceof HoldfastError ? error.code : 'internal';
    return { code, message: error instanceof Error ? error.message : String(error) };
  } finally {
    // Delivers what was said, then ends the other side.
    port.close();
  }
}
