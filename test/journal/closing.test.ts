/** Whoever closes a part of the journal knows when all below it is closed, and hears what went wrong there. */
import { describe, expect, it } from 'vitest';
import { CheckpointStore } from '#src/journal/checkpoint.js';
import { DelayedLane, EmbeddedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { DamageTellingStore } from '#src/journal/segment-store.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { digestAt, empty, sampleMessage } from './samples.js';

/** A store whose closing fails, as that of a disk that is gone. */
class GoneStore extends MemoryStore {
  override close(): Promise<void> {
    return Promise.reject(new Error('the disk is gone'));
  }
}

const lane = (store = new GoneStore()): EmbeddedLane => new EmbeddedLane(store);

function opened(): CheckpointStore {
  const store = CheckpointStore.over(() => new GoneStore());
  store.write(0, [], { replayFrom: 1 });
  return store;
}

describe('closing tells what fails below', () => {
  it.each<[string, () => { close(): Promise<void> }]>([
    ['a lane', () => lane()],
    ['a lane that acknowledges later', () => new DelayedLane(lane(), { now: () => 0, delayMs: 1 })],
    ['a reader', () => JournalReader.ofStore(new GoneStore(), 'memory')],
    ['checkpoints', opened],
    ['the segments', () => new DamageTellingStore(new GoneStore())],
  ])('%s', async (_, open) => {
    await expect(open().close()).rejects.toThrow('the disk is gone');
  });

  it('a lane that has rolled, of the environment that it left', async () => {
    const rolled = new EmbeddedLane(new GoneStore(), { next: () => new MemoryStore(), environmentBytes: 1 });
    const journal = new ShardJournal(0, empty(0));
    journal.appendMessage(sampleMessage(1));
    rolled.append([journal.seal(1, digestAt(1))]);
    await expect(rolled.close()).rejects.toThrow('the disk is gone');
  });
});
