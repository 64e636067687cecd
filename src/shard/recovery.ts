/**
 * Brings a logical shard to the end of its journal, in bounded steps: at the start in one go, after a fault a few records
 * per turn while the other shards of the thread go on.
 *
 *   checkpoint entries (rows, each with the sequence it includes)  ->  records after the oldest one  ->  digest = last frame's
 *
 * The scan starts at the older of two places: where the checkpoint's rows begin to need events, and where the index in memory
 * has to begin (the end of the fingerprint segments, when they are whole). If the digest differs at the end the checkpoint is not believed and the shard is built once more from its
 * first record, or from the anchor behind which the journal begins; if it differs then as well, the books contradict each other
 * and the process stops with 76.
 */
import { HoldfastError } from '../errors.js';
import type { JournalScan } from '../journal/scan.js';
import type { ShardHead } from '../journal/types.js';
import { LogicalShard } from './logical-shard.js';
import type { ThreadContext } from './thread-context.js';

/** Entries of the last checkpoint (journal/checkpoint.ts). */
export interface CheckpointSource {
  /** Hands out every entry of the shard; undefined when there is no whole checkpoint. */
  load(
    shard: number,
    visit: (table: number, key: number, entry: Uint8Array) => void,
  ): { replayFrom: number } | undefined;
}

export class ShardRecovery {
  shard: LogicalShard;
  /** Records read back so far. */
  records = 0;
  /** True when the stored checkpoint must be thrown away. */
  discardCheckpoint = false;
  readonly #context: ThreadContext;
  readonly #head: ShardHead;
  /** Entries that the checkpoint put into the state. */
  #entries = 0;
  /** Also of a checkpoint without rows: it says what need not be replayed. */
  #usedCheckpoint = false;
  #scan: JournalScan;

  constructor(context: ThreadContext, head: ShardHead, checkpoint: CheckpointSource | undefined) {
    this.#context = context;
    this.#head = head;
    this.shard = new LogicalShard(context, head);
    const replayFrom = this.#loadEntries(checkpoint);
    this.#scan = this.#startScan(replayFrom);
  }

  /**
   * Replays up to about `maxRecords` records; true when the shard is complete.
   * @throws HoldfastError `frame_corrupt`, `chain_broken`, `record_unreadable`, `digest_mismatch`
   */
  step(maxRecords: number): boolean {
    const before = this.#scan.records;
    const more = this.#scan.step(maxRecords);
    this.records += this.#scan.records - before;
    if (more) return false;
    if (this.#digestAgrees()) {
      this.shard.digest.high = this.shard.state.digest.high;
      this.shard.digest.low = this.shard.state.digest.low;
      this.shard.state.holds.order();
      this.shard.enlistCards();
      return true;
    }
    if (!this.#usedCheckpoint) {
      throw new HoldfastError(
        'digest_mismatch',
        `shard ${this.#head.shard}: the state after sequence ${this.#head.sequence} differs from the one its last frame was written with`,
        'run `holdfast verify` on the data directory and restore the shard from a backup',
      );
    }
    this.#usedCheckpoint = false;
    this.#distrust('its state differs from the one the last frame was written with');
    this.#scan = this.#startScan(this.#loadAnchor());
    return false;
  }

  /** Entries of the checkpoint into the empty state; answers the first sequence that must be replayed. */
  #loadEntries(checkpoint: CheckpointSource | undefined): number {
    const { shard } = this;
    let meta: { replayFrom: number } | undefined;
    try {
      meta = checkpoint?.load(shard.number, (table, key, entry) => {
        this.#entries++;
        shard.loadEntry(table, key, entry);
      });
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'checkpoint_corrupt') throw error;
      this.#distrust(error.message);
      return this.#loadAnchor();
    }
    if (meta === undefined) {
      // Rows without a whole round behind them say nothing.
      if (this.#entries > 0) this.shard = new LogicalShard(this.#context, this.#head);
      return this.#loadAnchor();
    }
    if (meta.replayFrom <= this.#context.ports.reader.floor(shard.number)) {
      this.#distrust('it needs records that are not in the journal any more');
      return this.#loadAnchor();
    }
    if (meta.replayFrom > this.#head.sequence + 1) {
      throw new HoldfastError(
        'invariant_violated',
        `shard ${shard.number}: its checkpoint (sequence ${meta.replayFrom - 1}) is ahead of its journal (${this.#head.sequence})`,
        'the journal lost frames or the state folder is of another directory; restore both from one backup',
      );
    }
    this.#usedCheckpoint = true;
    return meta.replayFrom;
  }

  /** The state behind the dropped part into the empty shard; answers the first sequence behind it. */
  #loadAnchor(): number {
    const { shard } = this;
    const { anchor } = this.#context.ports.reader;
    this.#entries = 0;
    anchor?.load(shard.number, (table, key, entry) => shard.loadEntry(table, key, entry));
    return (anchor?.floor(shard.number) ?? 0) + 1;
  }

  /** Begins anew without the checkpoint, which is thrown away. */
  #distrust(why: string): void {
    this.#context.ports.log('error', 'the checkpoint is not used; the shard is built from its first record', {
      shard: this.#head.shard,
      why,
    });
    this.discardCheckpoint = true;
    this.shard = new LogicalShard(this.#context, this.#head);
  }

  #startScan(replayFrom: number): JournalScan {
    const { shard } = this;
    const { reader } = this.#context.ports;
    const from = Math.max(reader.floor(shard.number) + 1, Math.min(replayFrom, shard.index.coveredAfter + 1));
    const scan = reader.scan(shard.number, from);
    scan.onMessage = (event) => shard.replayMessage(event, event.sequence >= replayFrom);
    scan.onEvent = (event) => shard.replayEvent(event, event.sequence >= replayFrom);
    return scan;
  }

  #digestAgrees(): boolean {
    const { digest } = this.shard.state;
    return (
      this.#head.sequence === 0 || (digest.high === this.#head.digest.high && digest.low === this.#head.digest.low)
    );
  }
}
