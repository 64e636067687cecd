/** Falsified observations: what a broken engine would have let an observer see. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { pack } from 'msgpackr';
import { Cursor } from '../sim/auditor/msgpack.js';
import type { Told } from './world.js';

/** A record as the array that it is. */
export type Members = unknown[];

const HEADER = 88;

function recordsOf(frame: Uint8Array): Members[] {
  const bytes = Buffer.from(frame);
  const records: Members[] = [];
  const end = HEADER + bytes.readUInt32BE(80);
  for (let at = HEADER; at < end; ) {
    const length = bytes.readUInt32BE(at);
    records.push(new Cursor().point(bytes, at + 4, at + 4 + length).value() as Members);
    at += 4 + length;
  }
  return records;
}

/** The frame with other records, behind `first - 1` and the frame with this hash. */
function frameOf(like: Uint8Array, records: readonly Members[], first: number, hash: Uint8Array): Buffer {
  const bodies = records.map((record) => {
    const bytes = Buffer.from(pack(record));
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(bytes.length);
    return Buffer.concat([prefix, bytes]);
  });
  const body = Buffer.concat(bodies);
  const header = Buffer.from(like.subarray(0, HEADER));
  header.writeUInt32BE(records.length, 12);
  header.writeBigUInt64BE(BigInt(first), 16);
  header.writeBigUInt64BE(BigInt(first + records.length - 1), 24);
  header.set(hash, 40);
  header.writeUInt32BE(body.length, 80);
  return sealed(Buffer.concat([header, body]));
}

function sealed(bytes: Buffer): Buffer {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  return Buffer.concat([bytes, checksum]);
}

/** The frame with other bytes of its header, and a checksum that fits them. */
export function withHeader(frame: Uint8Array, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(frame.subarray(0, frame.length - 4));
  change(bytes);
  return sealed(bytes);
}

/** What to do with a record: what stands in its place. */
export type Rewrite = (record: Members, sequence: number, before: readonly Members[]) => Members[] | undefined;

/**
 * Puts other records in the place of the first one that `rewrite` has an answer for. The chain of the shard stays whole: whoever
 * believed checksums alone would believe this.
 */
export function rewritten(told: readonly Told[], rewrite: Rewrite): Told[] {
  const heads = new Map<number, { sequence: number; hash: Uint8Array; before: Members[] }>();
  let isDone = false;
  const changed = told.map((one): Told => {
    if (one.call !== 'durable') return one;
    const [shard, frame] = one.args;
    const head = heads.get(shard) ?? { sequence: 0, hash: new Uint8Array(32), before: [] };
    heads.set(shard, head);
    const first = head.sequence + 1;
    const records = recordsOf(frame).flatMap((record) => {
      const given = isDone ? undefined : rewrite(record, head.sequence + 1, head.before);
      if (given !== undefined) isDone = true;
      const placed = given ?? [record];
      head.sequence += placed.length;
      head.before.push(...placed);
      return placed;
    });
    const bytes = frameOf(frame, records, first, head.hash);
    head.hash = createHash('sha256').update(bytes).digest();
    return { call: 'durable', args: [shard, bytes] };
  });
  if (!isDone) throw new Error('there is no such record to falsify');
  return changed;
}

/** Changes the first call that `change` has an answer for. */
export function replaced(told: readonly Told[], change: (one: Told, at: number) => Told[] | undefined): Told[] {
  for (const [at, one] of told.entries()) {
    const given = change(one, at);
    if (given !== undefined) return [...told.slice(0, at), ...given, ...told.slice(at + 1)];
  }
  throw new Error('there is no such call to falsify');
}

/** Legs of an entry, which stand in a list of numbers. */
export const withoutLeg = (legs: unknown, width: number): unknown[] => (legs as unknown[]).slice(width);
