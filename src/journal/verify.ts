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
import { assert, HoldfastError } from '../errors.js';
import { directoryPaths, readDirectoryDocument } from '../store/data-directory.js';
import { type Anchor, anchorCorrupt } from './anchor.js';
import { listLaneFolders } from './lane-directory.js';
import { JournalReader } from './reader.js';
import type { JournalScan } from './scan.js';
import { SystemJournal, type SystemRecord } from './system-journal.js';
import type { Digest, ShardHead } from './types.js';

/** The state that records fold to. Shards come one after the other. */
interface StateFold {
  /**
   * Takes the state of a shard over that the dropped part left, before its first record behind it.
   * @throws HoldfastError `anchor_corrupt`, `digest_mismatch`
   */
  restore?(shard: number, anchor: Anchor): void;
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
  /**
   * Called behind the last shard when states were restored: what they came to must be what the anchor says.
   * @throws HoldfastError `anchor_corrupt`
   */
  finishAnchor?(anchor: Anchor): void;
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
  /** Of all shards, without the system journal, those that were dropped among them. */
  records: number;
  /** Records that were dropped: their books are taken from the anchor. 0 when the journal begins with its first record. */
  dropped: number;
  /** Frames that were read. */
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
 * Verifies the journals of a data directory: from the anchor when a part was dropped, and from the first record with the folders to
 * which that was exported (`exported`).
 * @throws HoldfastError `frame_corrupt`, `chain_broken`, `record_unreadable`, `digest_mismatch`, `invariant_violated`
 * `anchor_corrupt` (all exit 76), `record_dropped` (65: a folder is missing among `exported`), `data_dir_unusable`, `data_dir_newer`, `store_truncated` (73).
 */
export async function verifyDirectory(
  directory: string,
  onProgress: (progress: VerifyProgress) => void,
  foldFactory: (shards: number) => VerifyFold,
  exported: readonly string[] = [],
): Promise<VerifyResult & { system: VerifiedHead; audit: VerifiedHead }> {
  const { shards } = readDirectoryDocument(directory);
  const paths = directoryPaths(directory);
  const reader = JournalReader.open(paths.journal, { readOnly: true, exported });
  let result: VerifyResult;
  try {
    if (exported.length > 0) assertComplete(reader.passedAnchor, exported);
    result = verifyJournal(reader, shards, onProgress, foldFactory(shards));
    reader.assertEveryRowIsRead(shards);
  } finally {
    await reader.close();
  }
  const marks: AuditMark[] = [];
  const system = await verifySystemJournal(paths.system, result.records > 0, (record) => {
    if (record.type === 'audit_head') marks.push(record as unknown as AuditMark);
  });
  return { ...result, system, audit: await verifyAuditLog(paths.audit, marks) };
}

/** Every folder that was dropped must be among the exported ones: with a part of them there is no beginning. */
function assertComplete(anchor: Anchor | undefined, exported: readonly string[]): void {
  const there = new Set(exported.flatMap(listLaneFolders).map(({ name }) => name));
  const missing = anchor?.document.dropped.find(({ name }) => !there.has(name));
  if (missing === undefined) return;
  const where = missing.exported === '' ? 'it was dropped without an export' : `it was exported to ${missing.exported}`;
  throw new HoldfastError(
    'record_dropped',
    `${missing.name} is in none of the folders given with --with: ${where}`,
    'give every folder of an export with --with, or leave it out: then the verification begins at the anchor',
  );
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
  let dropped = 0;
  let frames = 0;
  for (let shard = 0; shard < shards; shard++) {
    const pass = new ShardPass(reader, shard, fold);
    while (pass.step()) onProgress({ shard, shards, records: records + pass.scan.records });
    records += pass.scan.records;
    dropped += reader.floor(shard);
    frames += pass.frames;
    const end = pass.scan.head();
    pass.assertPassed();
    fold.finish?.(shard, end.sequence);
    heads.push(end);
    onProgress({ shard, shards, records });
  }
  if (reader.anchor !== undefined) fold.finishAnchor?.(reader.anchor);
  const { debits, credits } = fold.totals();
  if (debits !== credits)
    throw new HoldfastError(
      'invariant_violated',
      `the ledger does not balance: debits ${debits}, credits ${credits}`,
      'stop posting and compare with the last backup that verified',
    );
  return {
    records: records + dropped,
    dropped,
    frames,
    head: headOf(heads),
    debits,
    credits,
    shards: heads.map(verifiedHead),
  };
}

/** A record that was folded: where it stands, and the shard's time then (ms since 1970 UTC). */
export interface FoldedRecord {
  sequence: number;
  epoch: number;
  timeMs: number;
}

/**
 * Replays one shard from its beginning, or from what the dropped part left, until `admits` is false for a record, verifying as `verifyJournal` does; of the frame
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
  /** Anchor that is passed on the way from the first record, and whether it was. */
  readonly #toPass: Anchor | undefined;
  #hasPassed = false;
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
    const floor = reader.floor(shard);
    if (floor > 0) {
      assert(fold.restore !== undefined, 'this fold cannot begin behind an anchor');
      fold.restore(shard, reader.anchor!);
    }
    this.#toPass = floor === 0 ? reader.passedAnchor : undefined;
    this.scan = reader.scan(shard, floor + 1);
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
      this.#pass(frame.lastSequence);
    };
  }

  /** Where the anchor says that the dropped part ends, the chain and the state must be what it says. */
  #pass(sequence: number): void {
    const dropped = this.#toPass?.head(this.#shard);
    if (dropped?.sequence !== sequence) return;
    const { hash, digest } = this.scan.head();
    if (
      Buffer.compare(hash, dropped.hash) !== 0 ||
      digest.high !== dropped.digest.high ||
      digest.low !== dropped.digest.low
    )
      throw anchorCorrupt(this.#toPass!.path, `shard ${this.#shard} has another head at sequence ${sequence}`);
    this.#hasPassed = true;
  }

  /** At the end of the shard. @throws HoldfastError `anchor_corrupt` when no frame ends where the anchor says */
  assertPassed(): void {
    const dropped = this.#toPass?.head(this.#shard);
    if (dropped === undefined || this.#hasPassed) return;
    throw anchorCorrupt(this.#toPass!.path, `no frame of shard ${this.#shard} ends at sequence ${dropped.sequence}`);
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

/** Where the audit log ended at some moment, by the system journal (control/system-log.ts, AuditHead). */
export interface AuditMark {
  readonly sequence: number;
  /** Hex. */
  readonly hash: string;
}

/**
 * Verifies the audit log: a chain like that of the system journal, which must have every head that the system journal knows.
 * So its end cannot be cut off below the last of them, nor the whole be written anew, without changing the system journal too.
 * @throws HoldfastError `frame_corrupt`, `chain_broken`, `record_unreadable`, naming the first bad sequence
 */
export async function verifyAuditLog(auditDir: string, marks: readonly AuditMark[]): Promise<VerifiedHead> {
  const known = new Map(marks.map(({ sequence, hash }) => [sequence, hash]));
  known.delete(0);
  const broken = (sequence: number, what: string): HoldfastError =>
    new HoldfastError(
      'chain_broken',
      `the audit log in ${auditDir}, sequence ${sequence}: ${what}`,
      'keep the directory as it is, and compare with the last backup that verified',
    );
  const newest = Math.max(0, ...known.keys());
  if (!existsSync(join(auditDir, 'data.mdb'))) {
    if (newest > 0) throw broken(1, 'it is missing, although the system journal names its records');
    return verifiedHead({ sequence: 0, hash: new Uint8Array(32) });
  }
  const end = await verifyChain(
    auditDir,
    'the audit log',
    () => undefined,
    (head) => {
      const hash = known.get(head.sequence);
      if (hash !== undefined && hash !== verifiedHead(head).hash)
        throw broken(head.sequence, 'it was written anew: the system journal knows another hash of this frame');
      known.delete(head.sequence);
    },
  );
  if (end.sequence < newest) throw broken(end.sequence + 1, `its end is missing: it had ${newest} records`);
  const [passed] = known.keys();
  if (passed !== undefined) throw broken(passed, 'it was written anew: no frame ends where the system journal says');
  return end;
}

/**
 * Verifies the system journal: checksums, chain, continuity, readable records. The server creates it before it takes the
 * first record of a shard, so with `expected` a missing one is a loss.
 * @throws HoldfastError as `verifyDirectory`
 */
export async function verifySystemJournal(
  systemDir: string,
  expected: boolean,
  visit: (record: SystemRecord) => void = () => undefined,
): Promise<VerifiedHead> {
  if (!existsSync(join(systemDir, 'data.mdb'))) {
    if (!expected) return verifiedHead({ sequence: 0, hash: new Uint8Array(32) });
    throw new HoldfastError(
      'chain_broken',
      `the system journal is missing in ${systemDir}, although shards have records`,
      'restore the whole directory from a backup',
    );
  }
  return verifyChain(systemDir, 'the system journal', visit);
}

/** Reads a chain of system records from its beginning. */
async function verifyChain(
  folder: string,
  name: string,
  visit: (record: SystemRecord) => void,
  onFrame: (head: ShardHead) => void = () => undefined,
): Promise<VerifiedHead> {
  const unreadable = (error: unknown): HoldfastError =>
    error instanceof HoldfastError
      ? error
      : new HoldfastError(
          'record_unreadable',
          `reading ${name} in ${join(folder, 'data.mdb')} failed: ${error instanceof Error ? error.message : error}`,
          'keep the directory as it is and restore a backup elsewhere',
          { cause: error },
        );
  let journal: SystemJournal;
  try {
    journal = SystemJournal.open(folder, { readOnly: true });
  } catch (error) {
    throw unreadable(error);
  }
  try {
    return verifiedHead(journal.replay(visit, 1, onFrame));
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
