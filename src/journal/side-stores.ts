/**
 * The environments beside the journal that every thread opens: checkpoint rows and fingerprint segments. Both can be built
 * again from the journal; both are committed by one background task and read by the shard threads.
 */
import { SIDE_STORE_MAP_BYTES } from '../limits.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';

/** @throws HoldfastError `store_truncated`, `data_dir_unusable` */
export function openSideStore(directory: string): Store {
  return openLmdbStore(directory, { mapBytes: SIDE_STORE_MAP_BYTES });
}
