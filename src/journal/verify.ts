/**
 * Verification: replays the journal of every shard from the beginning, beside a running server or on a stopped one, and
 * holds every frame's digest against the state that its records fold to. The fold is handed in: the journal knows frames
 * and records, the domain knows what they mean.
 *
 * Found on the way: a bad checksum, a broken chain, a missing sequence, a record nobody can read, a digest that differs.
 * Each is an error that names shard and sequence. Run it in a process of its own: a disk that loses pages under a mapped
 * file kills the process that looks at them.
 */
import { createHash } from 'node:crypto';
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { HoldfastError } from '../errors.js';
import { directoryPaths, readDirectoryDocument } from '../store/data-directory.js';
import { JournalReader } from './reader.js';
import type { Digest } from './types.js';

/** The state that records fold to. */
export interface VerifyFold {
  applyMessage(shard: number, event: MessageEvent): void;
  applyEvent(shard: number, event: PlainEvent): void;
  /** Digest of the shard's state now. */
  digest(shard: number): Digest;
  /** Called when a shard has been replayed to its end: checks what must hold then, and may free its memory. */
  finish?(shard: number): void;
  /** Sums over all shards of the ledger's debits and credits, minor units. */
  totals(): { debits: number | bigint; credits: number | bigint };
}

export interface VerifyProgress {
  shard: number;
  shards: number;
  records: number;
}

export interface VerifyResult {
  shards: number;
  records: number;
  frames: number;
  /** SHA-256, hex, over the hashes of the shards' last frames in order (32 zero bytes for an empty shard). */
  head: string;
  debits: number | bigint;
  credits: number | bigint;
  /** Last sequence of every shard: the position up to which this result speaks. */
  position: number[];
}

/** Records between two calls of `onProgress`: about 0.1 s. */
const STEP_RECORDS = 20_000;

/**
 * Verifies the data directory.
 * @throws HoldfastError `frame_corrupt`, `chain_broken`, `record_unreadable`, `digest_mismatch`, `invariant_violated`
 * (all exit 76), `data_dir_unusable`, `data_dir_newer`, `store_truncated` (73).
 */
export async function verifyDirectory(
  directory: string,
  onProgress: (progress: VerifyProgress) => void,
  foldFactory: (shards: number) => VerifyFold,
): Promise<VerifyResult> {
  const { shards } = readDirectoryDocument(directory);
  const reader = JournalReader.open(directoryPaths(directory).journal, { readOnly: true });
  try {
    return verifyJournal(reader, shards, onProgress, foldFactory(shards));
  } finally {
    await reader.close();
  }
}

/** The same over an open reader. */
export function verifyJournal(
  reader: JournalReader,
  shards: number,
  onProgress: (progress: VerifyProgress) => void,
  fold: VerifyFold,
): VerifyResult {
  const head = createHash('sha256');
  const position: number[] = [];
  let records = 0;
  let frames = 0;
  for (let shard = 0; shard < shards; shard++) {
    const scan = reader.scan(shard, 1);
    scan.onMessage = (event) => fold.applyMessage(shard, event);
    scan.onEvent = (event) => fold.applyEvent(shard, event);
    scan.onFrame = (frame) => {
      frames++;
      const digest = fold.digest(shard);
      if (digest.high >>> 0 !== frame.digestHigh || digest.low >>> 0 !== frame.digestLow)
        throw digestMismatch(shard, frame.firstSequence, frame.lastSequence);
    };
    const before = records;
    while (scan.step(STEP_RECORDS)) {
      records = before + scan.records;
      onProgress({ shard, shards, records });
    }
    records = before + scan.records;
    fold.finish?.(shard);
    const end = scan.head();
    head.update(end.hash);
    position.push(end.sequence);
    onProgress({ shard, shards, records });
  }
  const { debits, credits } = fold.totals();
  if (debits !== credits)
    throw new HoldfastError(
      'invariant_violated',
      `the ledger does not balance: debits ${debits}, credits ${credits}`,
      'stop posting and compare with the last backup that verified',
    );
  return { shards, records, frames, head: head.digest('hex'), debits, credits, position };
}

function digestMismatch(shard: number, first: number, last: number): HoldfastError {
  return new HoldfastError(
    'digest_mismatch',
    `shard ${shard}: the state after the frame of sequences ${first} to ${last} has another digest than the frame says`,
    'the engine that wrote it folded these records to another state: keep the directory and report this',
  );
}

/** SHA-256, hex, over the shards' chain hashes in order: one line that stands for the whole journal. */
export function headOf(heads: readonly { readonly hash: Uint8Array }[]): string {
  const head = createHash('sha256');
  for (const { hash } of heads) head.update(hash);
  return head.digest('hex');
}
