/** Frames of a history that was decided in memory, as a shard would have written them. */
import { EventKind } from '#src/domain/codes.js';
import type { MessageEvent, PlainEvent } from '#src/domain/events.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import type { Recorded } from '../domain/book.js';

const EMPTY = { shard: 0, epoch: 1, sequence: 0, hash: new Uint8Array(32), digest: { high: 0, low: 0 } };

/** @param perFrame records in a frame */
export function framesOf(events: readonly Recorded[], perFrame = 3): Uint8Array[] {
  const journal = new ShardJournal(0, { ...EMPTY });
  const frames: Uint8Array[] = [];
  for (const [i, event] of events.entries()) {
    if (event.kind === EventKind.message) journal.appendMessage(event as MessageEvent);
    else journal.appendEvent({ ...event } as PlainEvent);
    if (i % perFrame !== perFrame - 1 && i !== events.length - 1) continue;
    frames.push(Uint8Array.from(journal.seal(event.timeMs, { high: 0, low: 0 }).bytes));
  }
  return frames;
}
