/** A journal that keeps nothing, for the warm-up of a shard thread and for measuring one: frames are sealed, chained, and gone. */
import { MemoryStore } from '../store/memory-store.js';
import { JournalReader } from './reader.js';
import type { SegmentStore } from './segment-store.js';
import type { JournalLane, SealedFrame } from './types.js';

class ScratchLane implements JournalLane {
  readonly #durable = new Map<number, number>();

  append(frames: readonly SealedFrame[]): void {
    for (const frame of frames) this.#durable.set(frame.shard, frame.lastSequence);
  }

  durable(shard: number): number {
    return this.#durable.get(shard) ?? 0;
  }

  poll(): void {
    // Everything is durable at once.
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

export interface ScratchJournal {
  readonly lane: JournalLane;
  readonly reader: JournalReader;
  readonly segments: SegmentStore;
}

/** An empty journal in memory; its reader never finds anything. */
export function scratchJournal(): ScratchJournal {
  return {
    lane: new ScratchLane(),
    reader: JournalReader.ofStore(new MemoryStore(), 'scratch'),
    segments: new MemoryStore(),
  };
}
