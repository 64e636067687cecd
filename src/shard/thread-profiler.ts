/**
 * CPU profile of a shard thread while it runs. The thread never returns to its event loop, so nothing asynchronous can
 * happen in it; but an inspector session of one's own thread answers inside `post`, and the turns go on between start and
 * stop.
 */
import { Session } from 'node:inspector';

const SAMPLING_US = 200;

export class ThreadProfiler {
  #session: Session | undefined;
  #untilUs = 0;

  /** Begins a profile; false when one is under way. */
  start(seconds: number, nowUs: number): boolean {
    if (this.#session !== undefined) return false;
    const session = new Session();
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
    session.post('Profiler.start');
    this.#session = session;
    this.#untilUs = nowUs + seconds * 1e6;
    return true;
  }

  /** JSON text of the .cpuprofile once its time is over, else undefined. One compare while no profile is under way. */
  take(nowUs: number): string | undefined {
    if (this.#session === undefined || nowUs < this.#untilUs) return undefined;
    const session = this.#session;
    this.#session = undefined;
    let text: string | undefined;
    session.post('Profiler.stop', (error, result) => {
      text = error === null ? JSON.stringify(result.profile) : '';
    });
    session.disconnect();
    return text ?? '';
  }
}
