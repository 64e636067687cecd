/**
 * Reads of the journal. What a shard has answered is durable, so the journal shows it after a refresh at most; a
 * replicated journal may show it a little later, and then the reader waits, for a bounded time.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { MessageEvent, type PlainEvent } from '../domain/events.js';
import { LIST_SCAN_SLICE, READ_CATCH_UP_MS } from '../limits.js';
import type { ControlContext } from './context.js';
import { ApiError } from './problem.js';

/** Waits until the journal shows the sequence. @throws ApiError `index_behind` after a second. */
export async function catchUp(context: ControlContext, shard: number, sequence: number): Promise<void> {
  const deadline = performance.now() + READ_CATCH_UP_MS;
  for (;;) {
    context.journal.refresh();
    if ((context.journal.heads()[shard]?.sequence ?? 0) >= sequence) return;
    if (performance.now() > deadline)
      throw new ApiError('index_behind', 'The journal has not caught up within a second. Try again.', {
        retryAfterSeconds: 1,
      });
    await sleep(5);
  }
}

/** One record: a message event, or any other event. */
export type JournalRecord = { message: MessageEvent; event?: undefined } | { message?: undefined; event: PlainEvent };

/** Reads a record into a fresh instance; undefined when there is none at the sequence (dropped by retention). */
export function readRecord(context: ControlContext, shard: number, sequence: number): JournalRecord | undefined {
  const message = new MessageEvent();
  if (context.journal.readMessage(shard, sequence, message)) return { message };
  const event = context.journal.readEvent(shard, sequence);
  return event === undefined ? undefined : { event };
}

/** Lets the event loop turn after every slice of journal reads, so that a long list does not stop other requests. */
export class Slices {
  #left = LIST_SCAN_SLICE;
  total = 0;

  async step(): Promise<void> {
    this.total++;
    if (--this.#left > 0) return;
    this.#left = LIST_SCAN_SLICE;
    await nextTurn();
  }
}
