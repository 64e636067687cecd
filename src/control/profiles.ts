/**
 * CPU profiles on demand. The control thread profiles itself by an inspector session; the main thread is asked by a
 * message for its own profile and for those of the shard threads, which it commands by ring (shard/thread-profiler.ts).
 */
import { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProfilePort } from './ports.js';

const SAMPLING_US = 200;

/** Profiles the calling thread and returns the JSON of a .cpuprofile. One at a time per thread. */
export async function profileThisThread(seconds: number): Promise<string> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
    await session.post('Profiler.start');
    await sleep(seconds * 1000);
    const { profile } = await session.post('Profiler.stop');
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

/** Name of a shard thread on the outside: here and in the label `shard` of the metrics. */
export function shardThreadName(thread: number): string {
  return `shard-${thread}`;
}

export interface ProfilesOptions {
  shardThreads: number;
  /** Asks the main thread for its profile or that of a shard thread. */
  ask(thread: string, seconds: number): Promise<string>;
}

export function profiles({ shardThreads, ask }: ProfilesOptions): ProfilePort {
  const shards = Array.from({ length: shardThreads }, (_, thread) => shardThreadName(thread));
  const running = new Set<string>();
  return {
    threads: ['main', 'control', ...shards],
    async profile(thread, seconds) {
      if (running.has(thread)) return { unsupported: 'This thread is being profiled already: wait for that profile.' };
      running.add(thread);
      try {
        return { profile: thread === 'control' ? await profileThisThread(seconds) : await ask(thread, seconds) };
      } finally {
        running.delete(thread);
      }
    },
  };
}
