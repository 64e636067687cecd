/**
 * Verification: replays the journal of every shard from the beginning, beside a running server or on a stopped one, and
 * holds every frame's digest against the state that its records fold to; then the system journal, whose chain stands by
 * itself. The fold is handed in: the journal knows frames and records, the domain knows what they mean.
 *
 *   per frame    checksum, shard, continuity of sequences, hash of the frame before, epoch   (scan.ts)
 *   per record   it is readable and the fold takes it
 *   per frame    digest of the folded state = the one it was written with
 *   per shard    what the fold says must hold at the end (`finish`)
 *   over all     debits = credits; no row of the store that no shard's chain has
 *
 * `replayShard` does the same for one shard up to a record, for whoever asks how it was.
 *
 * Each defect is an error that names shard and sequence. Run it in a process of its own: a disk that loses pages under a
 * mapped file kills the process that looks at them.
 *
 * What a chain cannot show is a tail that was cut off cleanly: keep the `head` of an earlier run elsewhere, a later journal
 * must contain it.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { HoldfastError } from '../errors.js';
import { directoryPaths, readDirectoryDocument } from '../store/data-directory.js';
import { JournalReader } from './reader.js';
import type { JournalScan } from './scan.js';
import { SystemJournal } from './system-journal.js';
import type { Digest } from './types.js';

/** The state that records fold to. Shards come one after the other. */
interface StateFold {
  applyMessage(shard: number, event: MessageEvent): void;
  applyEvent(shard: number, event: PlainEvent): void;
  /** Digest of the shard's state now. */
  digest(shard: number): Digest;
}

export interface VerifyFold extends StateFold {
  /**
   * Called when a shard has been replayed to its end, `sequence`: checks what must hold then, and may free its memory.
   * @throws HoldfastError `invariant_violated`
   */
  finish?(shard: number, sequence: number): void;
  /** Sums over all shards of the ledger's debits and credits, minor units. */
  totals(): { debits: number | bigint; credits: number | bigint };
}

export interface VerifyProgress {
  shard: number;
  shards: number;
  records: number;
}

/** Where a verified chain ends. */
export interface VerifiedHead {
  /** Last sequence, which is also the number of records; 0 for an empty chain. */
  sequence: number;
  /** SHA-256 of the last frame, hex; zeros for an empty chain. */
  hash: string;
}

export interface VerifyResult {
  /** Of all shards, without the system journal. */
  records: number;
  frames: number;
  /** SHA-256, hex, over the hashes of the shards' last frames in order (32 zero bytes for an empty shard). */
  head: string;
  debits: number | bigint;
  credits: number | bigint;
  /** By shard number: the position up to which this result speaks. */
  shards: VerifiedHead[];
}

/** Records between two calls of `onProgress`: about 0.1 s. */
const STEP_RECORDS = 20_000;

/**
 * Verifies the journals of a data directory.
 * @throws HoldfastError `frame_corrupt`, `chain_broken`, `record_unreadable`, `digest_mismatch`, `invariant_violated`
 * (all exit 76), `data_dir_unusable`, `data_dir_newer`, `store_truncated` (73).
 */
export async function verifyDirectory(
  directory: string,
  onProgress: (progress: VerifyProgress) => void,
  foldFactory: (shards: number) => VerifyFold,
): Promise<VerifyResult & { system: VerifiedHead }> {
  const { shards } = readDirectoryDocument(directory);
  const paths = directoryPaths(directory);
  const reader = JournalReader.open(paths.journal, { readOnly: true });
  let result: VerifyResult;
  try {
    result = verifyJournal(reader, shards, onProgress, foldFactory(shards));
    reader.assertEveryRowIsRead(shards);
  } finally {
    await reader.close();
  }
  return { ...result, system: await verifySystemJournal(paths.system, result.records > 0) };
}

/** The shards' part over an open reader. */
export function verifyJournal(
  reader: JournalReader,
  shards: number,
  onProgress: (progress: VerifyProgress) => void,
  fold: VerifyFold,
): VerifyResult {
  const heads: { sequence: number; hash: Uint8Array }[] = [];
  let records = 0;
  let frames = 0;
  for (let shard = 0; shard < shards; shard++) {
    const pass = new ShardPass(reader, shard, fold);
    while (pass.step()) onProgress({ shard, shards, records: records + pass.scan.records });
    records += pass.scan.records;
    frames += pass.frames;
    const end = pass.scan.head();
    fold.finish?.(shard, end.sequence);
    heads.push(end);
    onProgress({ shard, shards, records });
  }
  const { debits, credits } = fold.totals();
  if (debits !== credits)
    throw new HoldfastError(
      'invariant_violated',
      `the ledger does not balance: debits ${debits}, credits ${credits}`,
      'stop posting and compare with the last backup that verified',
    );
  return { records, frames, head: headOf(heads), debits, credits, shards: heads.map(verifiedHead) };
}

/** A record that was folded: where it stands, and the shard's time then (ms since 1970 UTC). */
export interface FoldedRecord {
  sequence: number;
  epoch: number;
  timeMs: number;
}

/**
 * Replays one shard from its beginning until `admits` is false for a record, verifying as `verifyJournal` does; of the frame
 * in which it ends there is no digest to compare. Answers the last record that was folded, undefined when there was none.
 * @throws HoldfastError as `verifyDirectory`
 */
export function replayShard(
  reader: JournalReader,
  shard: number,
  fold: StateFold,
  admits: (event: MessageEvent | PlainEvent) => boolean,
  onProgress: (records: number) => void,
): FoldedRecord | undefined {
  let last: FoldedRecord | undefined;
  const pass = new ShardPass(reader, shard, fold, (event) => {
    if (!admits(event)) return false;
    last = { sequence: event.sequence, epoch: pass.scan.cursor.header.epoch, timeMs: event.timeMs };
    return true;
  });
  while (pass.step()) onProgress(pass.scan.records);
  return last;
}

/** One shard: scan and fold, with every failure placed. It ends at the first record that `admits` refuses. */
class ShardPass {
  readonly scan: JournalScan;
  frames = 0;
  readonly #shard: number;
  /** Sequence of the record that was handed out last. */
  #sequence = 0;
  /** True while that record is being folded. */
  #folding = false;
  #ended = false;

  constructor(
    reader: JournalReader,
    shard: number,
    fold: StateFold,
    admits: (event: MessageEvent | PlainEvent) => boolean = () => true,
  ) {
    this.#shard = shard;
    this.scan = reader.scan(shard, 1);
    this.scan.onMessage = (event) => {
      if (!this.#admitted(admits, event)) return;
      this.#begin(event.sequence);
      fold.applyMessage(shard, event);
      this.#folding = false;
    };
    this.scan.onEvent = (event) => {
      if (!this.#admitted(admits, event)) return;
      this.#begin(event.sequence);
      fold.applyEvent(shard, event);
      this.#folding = false;
    };
    this.scan.onFrame = (frame) => {
      if (this.#ended) return;
      this.frames++;
      const { high, low } = fold.digest(shard);
      if (high >>> 0 !== frame.digestHigh || low >>> 0 !== frame.digestLow)
        throw digestMismatch(shard, frame.firstSequence, frame.lastSequence);
    };
  }

  #admitted(admits: (event: MessageEvent | PlainEvent) => boolean, event: MessageEvent | PlainEvent): boolean {
    this.#ended ||= !admits(event);
    return !this.#ended;
  }

  #begin(sequence: number): void {
    this.#sequence = sequence;
    this.#folding = true;
  }

  /** Some more records; false at the end. */
  step(): boolean {
    try {
      return this.scan.step(STEP_RECORDS) && !this.#ended;
    } catch (error) {
      // What the journal found names its place already.
      if (error instanceof HoldfastError && !this.#folding) throw error;
      throw this.#placed(error);
    }
  }

  #placed(error: unknown): HoldfastError {
    const what = error instanceof Error ? error.message : String(error);
    const where = `shard ${this.#shard}, sequence ${this.#sequence}`;
    return new HoldfastError(
      error instanceof HoldfastError ? error.code : 'record_unreadable',
      this.#folding ? `${where}: the record contradicts the state: ${what}` : `behind ${where} reading failed: ${what}`,
      'keep the directory as it is and restore a backup elsewhere',
      { cause: error },
    );
  }
}

function digestMismatch(shard: number, first: number, last: number): HoldfastError {
  return new HoldfastError(
    'digest_mismatch',
    `shard ${shard}: the state after the frame of sequences ${first} to ${last} has another digest than the frame says`,
    'a record was changed, or the engine that wrote it folded it to another state: keep the directory and report this',
  );
}

/**
 * Verifies the system journal: checksums, chain, continuity, readable records. The server creates it before it takes the
 * first record of a shard, so with `expected` a missing one is a loss.
 * @throws HoldfastError as `verifyDirectory`
 */
export async function verifySystemJournal(systemDir: string, expected: boolean): Promise<VerifiedHead> {
  if (!existsSync(join(systemDir, 'data.mdb'))) {
    if (!expected) return verifiedHead({ sequence: 0, hash: new Uint8Array(32) });
    throw new HoldfastError(
      'chain_broken',
      `the system journal is missing in ${systemDir}, although shards have records`,
      'restore the whole directory from a backup',
    );
  }
  const unreadable = (error: unknown): HoldfastError =>
    error instanceof HoldfastError
      ? error
      : new HoldfastError(
          'record_unreadable',
          `reading the system journal in ${systemDir} failed: ${error instanceof Error ? error.message : error}`,
          'keep the directory as it is and restore a backup elsewhere',
          { cause: error },
        );
  let journal: SystemJournal;
  try {
    journal = SystemJournal.open(systemDir, { readOnly: true });
  } catch (error) {
    throw unreadable(error);
  }
  try {
    return verifiedHead(journal.replay(() => undefined));
  } catch (error) {
    throw unreadable(error);
  } finally {
    await journal.close();
  }
}

function verifiedHead({ sequence, hash }: { sequence: number; hash: Uint8Array }): VerifiedHead {
  return { sequence, hash: Buffer.from(hash).toString('hex') };
}

/** SHA-256, hex, over the shards' chain hashes in order: one line that stands for the whole journal. */
export function headOf(heads: readonly { readonly hash: Uint8Array }[]): string {
  const head = createHash('sha256');
  for (const { hash } of heads) head.update(hash);
  return head.digest('hex');
}
