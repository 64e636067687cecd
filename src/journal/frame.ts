/**
 * A frame: what one shard adds to the journal in one commit. All numbers big-endian.
 *
 *   offset bytes
 *        0     4  magic "HFJ1"
 *        4     2  format version, 1
 *        6     2  shard (0xffff: the system journal)
 *        8     4  epoch of the shard's owner
 *       12     4  number of records
 *       16     8  sequence of the first record
 *       24     8  sequence of the last record
 *       32     8  wall time of sealing, ms since 1970 UTC
 *       40    32  SHA-256 of the shard's previous frame, zeros for the first
 *       72     4  state digest after the last record, high word
 *       76     4  state digest, low word
 *       80     4  length of the body
 *       84     4  how far the time of velocity windows was behind, whole seconds; 0 unless the clocks differed
 *       88     n  body: per record its length (4 bytes) and the record
 *     88+n     4  CRC-32 (as in zlib) of everything before
 *
 * The chain hash of a frame is SHA-256 over all of it, checksum included. Its key in the store is the number of the commit
 * (8 bytes) and the shard (2 bytes): what a commit adds lies together, behind everything before (lane-index.ts says why,
 * and how a frame is found by its sequence).
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { FRAME_BYTES_MAX } from '../limits.js';

export const FRAME_MAGIC = 0x48464a31;
export const FRAME_VERSION = 1;
export const FRAME_HEADER_BYTES = 88;
export const FRAME_CHECKSUM_BYTES = 4;
export const RECORD_PREFIX_BYTES = 4;
/** Shard number of the system journal. */
export const SYSTEM_SHARD = 0xffff;
/** Stands in a key for the index row of the commit. */
export const INDEX_SHARD = 0xfffe;

const TWO_32 = 2 ** 32;
const KEY_BYTES = 10;

/** Header of a frame, filled by `parseFrame`. Reused by its owner. */
export class FrameHeader {
  shard = 0;
  epoch = 0;
  count = 0;
  firstSequence = 0;
  lastSequence = 0;
  wallMs = 0;
  /** How far the time of velocity windows was behind `wallMs`, whole seconds rounded down. */
  windowLagS = 0;
  previousHash: Uint8Array = new Uint8Array(32);
  digestHigh = 0;
  digestLow = 0;
  bodyBytes = 0;
}

export interface FrameFields {
  shard: number;
  epoch: number;
  count: number;
  firstSequence: number;
  lastSequence: number;
  wallMs: number;
  windowLagS: number;
  previousHash: Uint8Array;
  digestHigh: number;
  digestLow: number;
}

/** Writes header and checksum around a body that stands at FRAME_HEADER_BYTES. Returns the length of the frame. */
export function finishFrame(bytes: Uint8Array, view: DataView, bodyBytes: number, fields: FrameFields): number {
  view.setUint32(0, FRAME_MAGIC);
  view.setUint16(4, FRAME_VERSION);
  view.setUint16(6, fields.shard);
  view.setUint32(8, fields.epoch);
  view.setUint32(12, fields.count);
  setSafe(view, 16, fields.firstSequence);
  setSafe(view, 24, fields.lastSequence);
  setSafe(view, 32, fields.wallMs);
  bytes.set(fields.previousHash, 40);
  view.setUint32(72, fields.digestHigh);
  view.setUint32(76, fields.digestLow);
  view.setUint32(80, bodyBytes);
  view.setUint32(84, fields.windowLagS);
  const end = FRAME_HEADER_BYTES + bodyBytes;
  view.setUint32(end, crc32(bytes.subarray(0, end)));
  return end + FRAME_CHECKSUM_BYTES;
}

/**
 * Reads and checks one frame: length, magic, version, checksum, counts. Returns what is wrong, or undefined when the
 * frame is whole. The header is filled as far as the length allows, so a message can name the sequence.
 */
export function parseFrame(bytes: Uint8Array, into: FrameHeader): string | undefined {
  if (bytes.length < FRAME_HEADER_BYTES + FRAME_CHECKSUM_BYTES) return `only ${bytes.length} bytes`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  into.shard = view.getUint16(6);
  into.epoch = view.getUint32(8);
  into.count = view.getUint32(12);
  into.firstSequence = getSafe(view, 16);
  into.lastSequence = getSafe(view, 24);
  into.wallMs = getSafe(view, 32);
  into.previousHash = bytes.slice(40, 72);
  into.digestHigh = view.getUint32(72);
  into.digestLow = view.getUint32(76);
  into.bodyBytes = view.getUint32(80);
  into.windowLagS = view.getUint32(84);
  if (view.getUint32(0) !== FRAME_MAGIC) return 'the magic is not HFJ1';
  const end = bytes.length - FRAME_CHECKSUM_BYTES;
  if (crc32(bytes.subarray(0, end)) !== view.getUint32(end)) return 'the checksum does not match';
  if (view.getUint16(4) !== FRAME_VERSION) return `format version ${view.getUint16(4)} is not known to this engine`;
  if (bytes.length > FRAME_BYTES_MAX) return `${bytes.length} bytes are above the largest frame`;
  if (into.bodyBytes !== end - FRAME_HEADER_BYTES) return 'the length of the body does not match';
  if (into.count === 0 || into.lastSequence - into.firstSequence + 1 !== into.count)
    return 'the number of records does not match the sequences';
  return undefined;
}

/** First and last sequence that an unchecked frame says it holds; zeros when it is too short to say. */
export function frameSequences(bytes: Uint8Array): { first: number; last: number } {
  if (bytes.length < FRAME_HEADER_BYTES) return { first: 0, last: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  return { first: getSafe(view, 16), last: getSafe(view, 24) };
}

/** Shard that an unchecked frame says it belongs to; -1 when it is too short to say. */
export function frameShard(bytes: Uint8Array): number {
  return bytes.length < FRAME_HEADER_BYTES ? -1 : (bytes[6]! << 8) | bytes[7]!;
}

/** Wall time of sealing, ms since 1970 UTC, as the header says, unchecked. */
export function frameWallMs(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(32) * TWO_32 + view.getUint32(36);
}

/** Chain hash of a frame, 32 bytes. */
export function frameHash(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

/** Store key of a shard's frame in a commit. */
export function commitKey(commit: number, shard: number, into: Uint8Array = new Uint8Array(KEY_BYTES)): Uint8Array {
  const high = Math.floor(commit / TWO_32);
  const low = commit >>> 0;
  for (let i = 0; i < 4; i++) {
    into[i] = high >>> (24 - i * 8);
    into[4 + i] = low >>> (24 - i * 8);
  }
  into[8] = shard >> 8;
  into[9] = shard;
  return into;
}

export function commitOfKey(key: Uint8Array): number {
  return getSafe(new DataView(key.buffer, key.byteOffset, key.length), 0);
}

export function shardOfKey(key: Uint8Array): number {
  return (key[8]! << 8) | key[9]!;
}

function setSafe(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value >>> 0);
}

function getSafe(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}
