/**
 * Frames of the journal, read from docs/internals/journal-format.md: one frame is what one shard added in one commit. A chain holds
 * what a reader must know of a shard's last frame to tell whether the next one follows it.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { fail } from './failure.js';

const MAGIC = 0x48464a31;
const VERSION = 1;
const HEADER = 88;
const CHECKSUM = 4;
const PREFIX = 4;
const FRAME_MAX = 12 * 1024 * 1024;
/** The shard's clock follows the wall clock; a frame is sealed at the wall time of its turn. */
const NO_HASH = Buffer.alloc(32);

export interface Frame {
  readonly shard: number;
  readonly first: number;
  readonly last: number;
  /** Wall time of sealing by the engine's clock, ms since 1970 UTC. */
  readonly wallMs: number;
  /** How far velocity windows were behind it, whole seconds. */
  readonly windowLagS: number;
  readonly bytes: Buffer;
  /** Begin and end of each record in `bytes`, pairs. */
  readonly places: readonly number[];
}

/** One shard's chain of frames. */
export class Chain {
  readonly shard: number;
  /** Last durable sequence; 0 of a shard without records. */
  sequence = 0;
  epoch = 0;
  #hash: Buffer = NO_HASH;

  constructor(shard: number) {
    this.shard = shard;
  }

  /** Takes the next frame. @throws AuditFailure when it is damaged or does not follow the one before */
  take(raw: Uint8Array): Frame {
    const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
    const at = { shard: this.shard, afterSequence: this.sequence };
    const broken = (what: string, evidence: Record<string, unknown> = {}): never =>
      fail('frame', what, { ...at, ...evidence });
    if (bytes.length < HEADER + PREFIX + CHECKSUM || bytes.length > FRAME_MAX)
      broken(`a frame of ${bytes.length} bytes`);
    if (bytes.readUInt32BE(0) !== MAGIC) broken('a frame begins with HFJ1');
    const checksum = crc32(bytes.subarray(0, bytes.length - CHECKSUM));
    if (bytes.readUInt32BE(bytes.length - CHECKSUM) !== checksum) broken('the checksum is not that of the bytes');
    if (bytes.readUInt16BE(4) !== VERSION) broken(`no reader for frames of version ${bytes.readUInt16BE(4)}`);
    if (bytes.readUInt16BE(6) !== this.shard) broken(`the frame is of shard ${bytes.readUInt16BE(6)}`);
    const epoch = bytes.readUInt32BE(8);
    const count = bytes.readUInt32BE(12);
    const first = Number(bytes.readBigUInt64BE(16));
    const last = Number(bytes.readBigUInt64BE(24));
    const body = bytes.readUInt32BE(80);
    if (count === 0 || last - first + 1 !== count) broken('a frame counts its records', { first, last, count });
    if (HEADER + body + CHECKSUM !== bytes.length) broken('a frame is as long as its body', { body });
    if (first !== this.sequence + 1) broken('sequences have no holes and never go back', { first, last });
    if (!bytes.subarray(40, 72).equals(this.#hash)) broken('a frame names the hash of the one before', { first });
    if (epoch < this.epoch) broken('an epoch never goes back', { epoch, before: this.epoch });
    const places = this.#places(bytes, count, body);
    if (places === undefined) broken('lengths of records add up to the body', { first, last });
    this.sequence = last;
    this.epoch = epoch;
    this.#hash = createHash('sha256').update(bytes).digest();
    const [wallMs, windowLagS] = [Number(bytes.readBigUInt64BE(32)), bytes.readUInt32BE(84)];
    return { shard: this.shard, first, last, wallMs, windowLagS, bytes, places: places! };
  }

  #places(bytes: Buffer, count: number, body: number): number[] | undefined {
    const places: number[] = [];
    const end = HEADER + body;
    let at = HEADER;
    for (let i = 0; i < count; i++) {
      if (at + PREFIX > end) return undefined;
      const length = bytes.readUInt32BE(at);
      places.push(at + PREFIX, at + PREFIX + length);
      at += PREFIX + length;
    }
    return at === end ? places : undefined;
  }
}
