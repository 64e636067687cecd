/**
 * How a frame is found by its sequence although frames lie in the order of their commits.
 *
 * Keys are (commit, shard), so every commit appends at one place: the last page of the tree. With keys of (shard, sequence)
 * each shard had a place of its own, and a commit of sixteen small frames rewrote some fifty pages: ten bytes to the disk for
 * one of the journal.
 *
 *   commit  ... 14   15   16                17   18 ...           every INDEX_COMMITS commits the lane adds an index row:
 *   rows        s0   s1   s0 s1 s2 [index]  s2   s0 s1            per shard the first and last sequence in this environment
 *                                                                 and the commit of its last frame
 *
 * A look-up by sequence searches the index rows by halves (their keys are known: every multiple of INDEX_COMMITS), then
 * looks into at most INDEX_COMMITS commits. The rows carry a checksum: one that lies would hide frames.
 *
 *   offset bytes                                  per shard, from 18 on, 26 bytes each
 *        0     4  magic "HFX1"                         0  2  shard
 *        4     2  format version, 1                    2  8  first sequence of the shard in this environment
 *        6     8  commit                              10  8  last sequence, commits up to this one
 *       14     4  number of shards                    18  8  commit that holds the frame ending with it
 *   18+26n     4  CRC-32 of everything before
 */
import { crc32 } from 'node:zlib';
import { assert } from '../errors.js';
import type { Store } from '../store/port.js';
import { commitKey, commitOfKey, FrameHeader, frameShard, INDEX_SHARD, parseFrame, shardOfKey } from './frame.js';

/** Commits between two index rows. */
export const INDEX_COMMITS = 16;

const MAGIC = 0x48465831;
const VERSION = 1;
const HEADER_BYTES = 18;
const ENTRY_BYTES = 26;
const CHECKSUM_BYTES = 4;
const TWO_32 = 2 ** 32;

/** Where a shard stands in one environment. */
export interface LaneEntry {
  readonly first: number;
  readonly last: number;
  /** Commit that holds its last frame. */
  readonly commit: number;
}

/** Where every shard of an environment stands, as its writer keeps it. */
export class LaneTable {
  readonly entries = new Map<number, LaneEntry>();
  #bytes = new Uint8Array(HEADER_BYTES + CHECKSUM_BYTES);

  note(shard: number, firstSequence: number, lastSequence: number, commit: number): void {
    const first = this.entries.get(shard)?.first ?? firstSequence;
    this.entries.set(shard, { first, last: lastSequence, commit });
  }

  /** The index row of a commit; valid until the next call. */
  encode(commit: number): Uint8Array {
    const end = HEADER_BYTES + this.entries.size * ENTRY_BYTES;
    if (this.#bytes.length !== end + CHECKSUM_BYTES) this.#bytes = new Uint8Array(end + CHECKSUM_BYTES);
    const bytes = this.#bytes;
    const view = new DataView(bytes.buffer);
    view.setUint32(0, MAGIC);
    view.setUint16(4, VERSION);
    putSafe(view, 6, commit);
    view.setUint32(14, this.entries.size);
    let at = HEADER_BYTES;
    for (const [shard, entry] of this.entries) {
      view.setUint16(at, shard);
      putSafe(view, at + 2, entry.first);
      putSafe(view, at + 10, entry.last);
      putSafe(view, at + 18, entry.commit);
      at += ENTRY_BYTES;
    }
    view.setUint32(end, crc32(bytes.subarray(0, end)));
    return bytes;
  }
}

/** What is wrong with an index row, undefined when nothing is. */
function defectOf(bytes: Uint8Array, view: DataView, commit: number): string | undefined {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < HEADER_BYTES || view.getUint32(0) !== MAGIC) return 'it is no index row';
  if (crc32(bytes.subarray(0, end)) !== view.getUint32(end)) return 'its checksum does not match';
  if (view.getUint16(4) !== VERSION) return `version ${view.getUint16(4)} is not known to this engine`;
  if (end !== HEADER_BYTES + view.getUint32(14) * ENTRY_BYTES) return 'its length does not match';
  return takeSafe(view, 6) === commit ? undefined : 'it belongs to another commit';
}

/**
 * Entry of a shard in an index row, undefined when the shard has no frame up to it.
 * @throws Error saying what is wrong with the row
 */
export function indexEntry(bytes: Uint8Array, commit: number, shard: number): LaneEntry | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const defect = defectOf(bytes, view, commit);
  if (defect !== undefined) throw new Error(defect);
  for (let at = HEADER_BYTES; at < bytes.length - CHECKSUM_BYTES; at += ENTRY_BYTES)
    if (view.getUint16(at) === shard) return entryAt(view, at);
  return undefined;
}

function entryAt(view: DataView, at: number): LaneEntry {
  return { first: takeSafe(view, at + 2), last: takeSafe(view, at + 10), commit: takeSafe(view, at + 18) };
}

/**
 * What is wrong with a frame's place, undefined when nothing is: a frame under a key of another shard would be a frame that
 * nobody looks for, and a commit that is missing one that nobody misses. @param before commit of the row before it
 */
export function rowDefect(commit: number, shard: number, bytes: Uint8Array, before: number): string | undefined {
  if (commit !== before && commit !== before + 1) return `commit ${before + 1} is missing, the next one is ${commit}`;
  if (shard === INDEX_SHARD) return commit % INDEX_COMMITS === 0 ? undefined : `commit ${commit} has an index row`;
  const own = frameShard(bytes);
  return own === shard
    ? undefined
    : `the frame under shard ${shard} in commit ${commit} says it belongs to shard ${own}`;
}

/** Number of the last commit in an environment, 0 when it is empty. */
export function lastCommitOf(store: Store): number {
  let commit = 0;
  store.scan({ end: commitKey(Number.MAX_SAFE_INTEGER, 0), reverse: true, limit: 1 }, (key) => {
    commit = commitOfKey(key);
    return false;
  });
  return commit;
}

/**
 * The table of an environment: its last index row and the commits behind it.
 * @throws Error saying what is wrong with the row
 */
export function readLaneTable(store: Store): { table: LaneTable; commit: number } {
  const table = new LaneTable();
  const commit = lastCommitOf(store);
  const indexed = commit - (commit % INDEX_COMMITS);
  if (indexed > 0) {
    const bytes = store.get(commitKey(indexed, INDEX_SHARD));
    if (bytes === undefined) throw new Error(`the index row of commit ${indexed} is missing`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const defect = defectOf(bytes, view, indexed);
    if (defect !== undefined) throw new Error(`the index row of commit ${indexed}: ${defect}`);
    for (let at = HEADER_BYTES; at < bytes.length - CHECKSUM_BYTES; at += ENTRY_BYTES)
      table.entries.set(view.getUint16(at), entryAt(view, at));
  }
  const header = new FrameHeader();
  let before = indexed;
  store.scan({ start: commitKey(indexed + 1, 0) }, (key, bytes) => {
    const at = commitOfKey(key);
    const shard = shardOfKey(key);
    const misplaced = rowDefect(at, shard, bytes, before);
    if (misplaced !== undefined) throw new Error(misplaced);
    // Nothing else checks these frames before the next index row repeats what they say.
    const defect = parseFrame(bytes, header);
    if (defect !== undefined) throw new Error(`the frame of shard ${shard} in commit ${at}: ${defect}`);
    before = at;
    table.note(shard, header.firstSequence, header.lastSequence, at);
    return true;
  });
  return { table, commit };
}

function putSafe(view: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value), 'an index row holds safe integers');
  view.setUint32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value >>> 0);
}

function takeSafe(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}
