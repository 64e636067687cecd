/**
 * A place in the feed: one sequence per shard, up to which everything was seen. As text it is opaque to clients:
 *
 *   "evc_" base64url( version 1 · number of shards · per shard the sequence as a varint · CRC-32 of the bytes before )
 *
 * It stays valid as long as the journal is kept: a shard is never renumbered, a sequence never used again.
 */
import { crc32 } from 'node:zlib';

/** Newest sequence seen, by shard. */
export type Positions = readonly number[];

const PREFIX = 'evc_';
const VERSION = 1;
/** Bytes of a varint with 53 bits. */
const VARINT_BYTES_MAX = 8;

export function encodeCursor(positions: Positions): string {
  const bytes = Buffer.alloc(3 + positions.length * VARINT_BYTES_MAX + 4);
  bytes[0] = VERSION;
  bytes.writeUInt16BE(positions.length, 1);
  let at = 3;
  for (const position of positions) {
    let rest = position;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
    bytes[at++] = rest;
  }
  at = bytes.writeUInt32BE(crc32(bytes.subarray(0, at)), at);
  return PREFIX + bytes.toString('base64url', 0, at);
}

/** Undefined when the text is no cursor of an installation with this number of shards. */
export function decodeCursor(text: string, shards: number): Positions | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
  const end = bytes.length - 4;
  if (end < 3 || bytes[0] !== VERSION || bytes.readUInt16BE(1) !== shards) return undefined;
  if (bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) return undefined;
  const positions: number[] = [];
  for (let at = 3; at < end; ) {
    let value = 0;
    let scale = 1;
    for (; at < end && bytes[at]! >= 0x80; scale *= 0x80) value += (bytes[at++]! & 0x7f) * scale;
    if (at === end) return undefined;
    value += bytes[at++]! * scale;
    if (!Number.isSafeInteger(value)) return undefined;
    positions.push(value);
  }
  return positions.length === shards ? positions : undefined;
}
