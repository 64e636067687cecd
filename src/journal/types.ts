/**
 * Shapes shared by the writers and readers of the journal. The bytes are documented in docs/internals/journal-format.md.
 */

/** Running digest of a shard's state: two 32-bit sums of row hashes. */
export interface Digest {
  readonly high: number;
  readonly low: number;
}

/** A finished frame: one value per shard and commit. `bytes` is the caller's buffer, valid until the lane's append returns. */
export interface SealedFrame {
  readonly shard: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: Uint8Array;
}

/**
 * A journal lane takes frames and says how far each shard is durable. `append` hands over and returns; the embedded lane
 * commits inside it, a replicated or delayed one acknowledges later, seen by `poll`.
 */
export interface JournalLane {
  /** @throws HoldfastError `commit_failed`: fatal, see docs/internals/journal-format.md. */
  append(frames: readonly SealedFrame[]): void;
  /** Last durable sequence of the shard as far as this lane knows; never moves back. */
  durable(shard: number): number;
  /** Takes in acknowledgements that have arrived; cheap when there are none. */
  poll(): void;
  /** Flushes and releases; after it nothing may be appended. */
  close(): Promise<void>;
}

/** Where a shard's chain ends. */
export interface ShardHead {
  readonly shard: number;
  readonly epoch: number;
  /** Last sequence; 0 for an empty shard. */
  readonly sequence: number;
  /** SHA-256 of the last frame, 32 bytes; zeros for an empty shard. */
  readonly hash: Uint8Array;
  readonly digest: Digest;
  /** Wall time of the last frame, ms since 1970 UTC; 0 for an empty shard. */
  readonly wallMs?: number;
  /** How far the time of velocity windows was behind it, whole seconds rounded down. */
  readonly windowLagS?: number;
}
