/**
 * Simulated time and everything that happens in it: a heap of events, each a call at a time. The next event is always taken with
 * the clock moved to it, so idle time costs nothing. Events of one time happen in the order in which they were made.
 *
 * There is one processor: an event that takes time (a flush, a long turn) moves the clock while it runs, and what was due
 * meanwhile happens late.
 */

export interface SimTimer {
  cancel(): void;
}

interface Event {
  readonly atUs: number;
  readonly order: number;
  call: (() => void) | undefined;
}

/** When every run begins, ms since 1970 UTC: a little before the end of a year, because that is where dates break. */
export const RUN_BEGINS_MS = Date.UTC(2026, 11, 30, 21, 0, 0);

export class Scheduler {
  /** Microseconds since the run began. */
  nowUs = 0;
  /** Events taken. */
  events = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  /** True wall time, ms since 1970 UTC, whole. */
  get wallMs(): number {
    return RUN_BEGINS_MS + Math.floor(this.nowUs / 1000);
  }

  /** Calls at a time; one that is past is now. */
  at(us: number, call: () => void): SimTimer {
    const event: Event = { atUs: Math.max(us, this.nowUs), order: this.#order++, call };
    this.#push(event);
    return {
      cancel: () => {
        event.call = undefined;
      },
    };
  }

  after(us: number, call: () => void): SimTimer {
    return this.at(this.nowUs + us, call);
  }

  /** Takes the next event at or before `untilUs`; false when there is none, and then the clock stands there. */
  step(untilUs: number): boolean {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atUs > untilUs) {
        this.nowUs = Math.max(this.nowUs, untilUs);
        return false;
      }
      this.#pop();
      if (first.call === undefined) continue;
      this.nowUs = Math.max(this.nowUs, first.atUs);
      this.events++;
      first.call();
      return true;
    }
  }

  /** Moves the clock within an event: work that takes time. */
  spend(us: number): void {
    this.nowUs += us;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}
