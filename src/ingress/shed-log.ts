/**
 * Says that requests are shed because more come than can be taken: a line when it begins, one every SHED_LOG_MS while it goes
 * on, one when it is over. What the lines leave out is in `holdfast_shed_total`; a line per refusal would fill the disk.
 */
import { SHED_LOG_MS } from '../limits.js';
import type { IngressLog } from './link.js';
import type { Counters, ShedCause } from './stats.js';

/** Causes that are more traffic than there is room for; the others say what they are about elsewhere. */
const OVERLOAD = ['in_flight', 'rate', 'link_rate', 'ring_full', 'deadline'] as const satisfies readonly ShedCause[];

export class ShedLog {
  readonly #counters: Counters;
  readonly #log: IngressLog;
  /** Counts at the last line. */
  readonly #told = new Map<ShedCause, number>();
  #toldUs = 0;
  #sheds = false;

  constructor(counters: Counters, log: IngressLog) {
    this.#counters = counters;
    this.#log = log;
  }

  /** Looks at the counters, a few times per second. */
  look(nowUs: number): void {
    if (this.#sheds && nowUs - this.#toldUs < SHED_LOG_MS * 1000) return;
    const since = this.#takeCounts();
    const sheds = Object.keys(since).length > 0;
    if (!sheds && !this.#sheds) return;
    this.#toldUs = nowUs;
    if (sheds) this.#log.warn({ requests: since }, 'more requests come than are taken: some are answered 91');
    else this.#log.info({}, 'requests are not shed any more');
    this.#sheds = sheds;
  }

  /** How many were shed since the last call, by cause; causes without any are left out. */
  #takeCounts(): Record<string, number> {
    const since: Record<string, number> = {};
    for (const cause of OVERLOAD) {
      const count = this.#counters.shed[cause];
      const more = count - (this.#told.get(cause) ?? 0);
      if (more === 0) continue;
      this.#told.set(cause, count);
      since[cause] = more;
    }
    return since;
  }
}
