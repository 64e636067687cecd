/**
 * Background threads give way to those that answer: on a busy machine a build of segments must not take a core from an
 * authorization. The scheduler's niceness is per thread on Linux; elsewhere the call changes nothing.
 */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Niceness of the batch tasks: about a tenth of the share of a thread that answers, when both want the same core. */
export const BATCH_NICE = 10;

/**
 * Lowers the priority of the calling thread only.
 * @returns false where threads have no priority of their own, or raising the niceness is not permitted
 */
export function lowerThreadPriority(nice: number): boolean {
  try {
    // "<pid>/task/<tid>": Node has no call for the thread's own number.
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, nice);
    return true;
  } catch {
    return false;
  }
}
