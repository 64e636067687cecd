/**
 * The store port: ordered bytes in one environment with atomic, durable commits. The LMDB adapter serves production, the
 * memory adapter serves tests and fault injection. Keys and values are bytes; keys order by memcmp.
 */

export interface StoreWriter {
  put(key: Uint8Array, value: Uint8Array): void;
  remove(key: Uint8Array): void;
}

export interface StoreRange {
  /** Inclusive. */
  start?: Uint8Array;
  /** Exclusive. */
  end?: Uint8Array;
  /** Largest key first. */
  reverse?: boolean;
  limit?: number;
}

export interface Store {
  /**
   * Runs `write` in one transaction and returns when everything in it is on disk (data flush and meta page).
   * @throws HoldfastError `commit_failed`: the caller must stop the process, the outcome is unknown.
   */
  commit(write: (writer: StoreWriter) => void): void;
  /** The value's bytes, valid until the next call on this store; copy what must live longer. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** Visits keys in order until the visitor returns false. Key and value are valid during the visit only. */
  scan(range: StoreRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined): void;
  /** Makes commits of other threads visible to the next read. */
  refresh(): void;
  close(): Promise<void>;
}

export interface StoreOptions {
  readOnly?: boolean;
  /** Reserved address space in bytes; the file grows on demand. */
  mapBytes?: number;
  /** Rebuildable data only (checkpoint rows, segments): commits do not wait for the disk until `commit` with sync. */
  rebuildable?: boolean;
}
