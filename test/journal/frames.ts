/** Finding frames in a store by what they hold: their keys say only commit and shard. */
import { assert } from '#src/errors.js';
import { frameSequences, shardOfKey } from '#src/journal/frame.js';
import type { Store } from '#src/store/port.js';

/** Key of the shard's frame that begins at the sequence. */
export function keyOfFrame(store: Store, shard: number, firstSequence: number): Uint8Array {
  let found: Uint8Array | undefined;
  store.scan({}, (key, bytes) => {
    if (shardOfKey(key) === shard && frameSequences(bytes).first === firstSequence) found = Uint8Array.from(key);
    return found === undefined;
  });
  store.refresh();
  assert(found !== undefined, `shard ${shard} has a frame that begins at ${firstSequence}`);
  return found;
}

/** Takes the shard's frame that begins at the sequence out of the store. */
export function removeFrame(store: Store, shard: number, firstSequence: number): void {
  const key = keyOfFrame(store, shard, firstSequence);
  store.commit((writer) => writer.remove(key));
}
