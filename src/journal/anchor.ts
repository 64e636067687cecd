/**
 * Anchors: where the journal begins after its old part was dropped (decision 0039). Below the journal's folder:
 *
 *   anchor-000002/anchor.json         per shard the head of what was dropped, the trial balance, the folders that went
 *                 shard-0.state ...   per shard that had records: its whole state after the last dropped record
 *   anchor-000003.new/                one that is being written, or was when the process ended: not there yet
 *
 * The newest whole anchor counts. A reader takes nothing at or below its sequences for there, even while a folder still lies
 * about. The state has the entries of a checkpoint (shard-state.ts), but all of one sequence:
 *
 *   0   4  magic "HFA1"        4  2  format, 1        6  2  shard
 *   then per entry             0  4  length n of the content    4  1  table    5  8  key (float 64)    13  n  content
 *   last                       4 bytes 0xff, then 8 bytes: number of entries (float 64)
 *
 * `anchor.json` has the SHA-256 of every state file, and its own: over the JSON text of the document without `sha256`.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../errors.js';
import { ANCHOR_ENTRY_BYTES_MAX } from '../limits.js';
import type { LaneManifest } from './lane-manifest.js';
import type { ShardHead } from './types.js';

export const ANCHOR_FORMAT = 1;
export const ANCHOR_MAGIC = 0x48464131;
export const ANCHOR_HEADER_BYTES = 8;
export const ANCHOR_ENTRY_PREFIX = 13;
/** In place of a length: the end. */
export const ANCHOR_END = 0xffff_ffff;
export const ANCHOR_TRAILER_BYTES = 12;

const NAME = /^anchor-(\d+)$/;
const READ_BYTES = 1 << 20;

/** Where the dropped part of a shard ends. */
export interface AnchorShard {
  readonly shard: number;
  readonly epoch: number;
  /** Last dropped sequence; 0 when the shard had no record. */
  readonly sequence: number;
  /** SHA-256 of the last dropped frame, hex. */
  readonly hash: string;
  readonly digest: { readonly high: number; readonly low: number };
  /** Wall time of that frame, and time of its last record: ms since 1970 UTC; 0 when the shard had no record. */
  readonly wallMs: number;
  readonly timeMs: number;
  /** How far the time of velocity windows was behind `wallMs`, whole seconds; anchors of earlier releases do not say it. */
  readonly windowLagS?: number;
  /** The state file: bytes, entries, SHA-256 in hex. 0 and '' when the shard had no record. */
  readonly bytes: number;
  readonly entries: number;
  readonly sha256: string;
}

/** Turnovers of a chart account over all shards: minor units as decimal text. */
export interface AnchorBalance {
  /** ISO 4217 numeric. */
  readonly currency: number;
  readonly account: number;
  readonly debits: string;
  readonly credits: string;
}

/** A folder that went, as its manifest had it. */
export interface DroppedFolder extends LaneManifest {
  /** Where it was exported to; '' when it was given up without. */
  readonly exported: string;
}

export interface AnchorDocument {
  readonly format: number;
  /** From 1, counting up. */
  readonly number: number;
  /** Wall clock, ms since 1970 UTC. */
  readonly createdMs: number;
  readonly shards: readonly AnchorShard[];
  readonly balances: readonly AnchorBalance[];
  /** Every folder that ever went, oldest first. */
  readonly dropped: readonly DroppedFolder[];
}

/** A record that was asked for and is dropped. */
export function recordDropped(shard: number, sequence: number, anchor: Anchor): HoldfastError {
  const folder = anchor.folderOf(shard, sequence);
  const where =
    folder === undefined || folder.exported === ''
      ? 'it was not exported'
      : `it was exported to ${folder.exported} (${folder.name})`;
  return new HoldfastError(
    'record_dropped',
    `record ${sequence} of shard ${shard} is not in the journal any more: ${where}; the first one there is ${anchor.floor(shard) + 1}`,
    'look into the exported folder, or ask for a later record',
  );
}

export class Anchor {
  readonly path: string;
  readonly document: AnchorDocument;
  /** SHA-256 of the document, hex. */
  readonly sha256: string;
  readonly #floors: Float64Array;
  readonly #dropped: ReadonlySet<string>;

  constructor(path: string, document: AnchorDocument, sha256: string) {
    this.path = path;
    this.document = document;
    this.sha256 = sha256;
    this.#floors = Float64Array.from(document.shards, ({ sequence }) => sequence);
    this.#dropped = new Set(document.dropped.map(({ name }) => name));
  }

  /** Last dropped sequence of the shard, 0 when nothing of it was. */
  floor(shard: number): number {
    return this.#floors[shard] ?? 0;
  }

  /** Time of the last dropped record of the shard, ms since 1970 UTC; 0 when nothing of it was. */
  floorMs(shard: number): number {
    return this.document.shards[shard]?.timeMs ?? 0;
  }

  /** Head of the dropped part; undefined when nothing of the shard was dropped. */
  head(shard: number): ShardHead | undefined {
    const one = this.document.shards[shard];
    if (one === undefined || one.sequence === 0) return undefined;
    const { epoch, sequence, digest, wallMs, windowLagS = 0 } = one;
    const hash = new Uint8Array(Buffer.from(one.hash, 'hex'));
    return { shard, epoch, sequence, hash, digest, wallMs, windowLagS };
  }

  isDropped(folder: string): boolean {
    return this.#dropped.has(folder);
  }

  /** The folder that had the record. */
  folderOf(shard: number, sequence: number): DroppedFolder | undefined {
    return this.document.dropped.find(({ shards }) =>
      shards.some((one) => one.shard === shard && one.first <= sequence && sequence <= one.last),
    );
  }

  /**
   * Visits every entry of the shard's state; the bytes are valid during the visit.
   * @throws HoldfastError `anchor_corrupt` when the file is not the one that the document names
   */
  load(shard: number, visit: (table: number, key: number, entry: Uint8Array) => void): void {
    const one = this.document.shards[shard];
    if (one === undefined || one.sequence === 0) return;
    const file = join(this.path, stateName(shard));
    const source = openState(file);
    try {
      const sha256 = new StateReader(source, file, shard).read(one.entries, visit);
      if (sha256 !== one.sha256) throw anchorCorrupt(file, 'its hash is not the one in anchor.json');
    } finally {
      closeSync(source);
    }
  }
}

function openState(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw anchorCorrupt(path, (error as Error).message);
  }
}

/** Reads a state file from its beginning to its end, with everything in between in its hash. */
class StateReader {
  readonly #file: number;
  readonly #path: string;
  readonly #shard: number;
  readonly #hash = createHash('sha256');
  #bytes = Buffer.alloc(READ_BYTES);
  #at = 0;
  #end = 0;

  constructor(file: number, path: string, shard: number) {
    this.#file = file;
    this.#path = path;
    this.#shard = shard;
  }

  read(entries: number, visit: (table: number, key: number, entry: Uint8Array) => void): string {
    const head = this.#take(ANCHOR_HEADER_BYTES);
    if (head.readUInt32BE(0) !== ANCHOR_MAGIC || head.readUInt16BE(4) !== ANCHOR_FORMAT)
      throw anchorCorrupt(this.#path, 'it is no state file of a format that this engine knows');
    if (head.readUInt16BE(6) !== this.#shard) throw anchorCorrupt(this.#path, 'it belongs to another shard');
    for (let count = 0; ; count++) {
      const length = this.#take(4).readUInt32BE(0);
      if (length === ANCHOR_END) {
        if (count !== entries || this.#take(ANCHOR_TRAILER_BYTES - 4).readDoubleBE(0) !== count)
          throw anchorCorrupt(this.#path, `it has ${count} entries, not ${entries}`);
        break;
      }
      if (length > ANCHOR_ENTRY_BYTES_MAX) throw anchorCorrupt(this.#path, `entry ${count + 1} has ${length} bytes`);
      const entry = this.#take(ANCHOR_ENTRY_PREFIX - 4 + length);
      visit(entry[0]!, entry.readDoubleBE(1), entry.subarray(ANCHOR_ENTRY_PREFIX - 4));
    }
    if (this.#at < this.#end || readSync(this.#file, this.#bytes, 0, 1, null) > 0)
      throw anchorCorrupt(this.#path, 'bytes follow its end');
    return this.#hash.digest('hex');
  }

  /** The next bytes, valid until the next call. */
  #take(length: number): Buffer {
    while (this.#end - this.#at < length) {
      if (length > this.#bytes.length) {
        const larger = Buffer.alloc(length * 2);
        this.#bytes.copy(larger, 0, this.#at, this.#end);
        this.#bytes = larger;
      } else this.#bytes.copyWithin(0, this.#at, this.#end);
      this.#end -= this.#at;
      this.#at = 0;
      const got = readSync(this.#file, this.#bytes, this.#end, this.#bytes.length - this.#end, null);
      if (got === 0) throw anchorCorrupt(this.#path, 'it is cut short');
      this.#end += got;
    }
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#hash.update(taken);
    this.#at += length;
    return taken;
  }
}

export function stateName(shard: number): string {
  return `shard-${shard}.state`;
}

export function anchorFolder(journalDir: string, number: number): string {
  return join(journalDir, `anchor-${String(number).padStart(6, '0')}`);
}

/** Numbers of the whole anchors among the names of a journal's folder, oldest first. */
export function anchorNumbers(names: readonly string[]): number[] {
  const numbers = names.flatMap((name) => {
    const match = NAME.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
  return numbers.sort((a, b) => a - b);
}

/** The anchor that counts; undefined while nothing was dropped. @throws HoldfastError `anchor_corrupt` */
export function newestAnchor(journalDir: string): Anchor | undefined {
  for (;;) {
    const number = anchorNumbers(readdirSync(journalDir)).at(-1);
    if (number === undefined) return undefined;
    const path = anchorFolder(journalDir, number);
    // A newer one may have taken its place between the two looks.
    if (existsSync(path)) return readAnchor(path);
  }
}

/** @throws HoldfastError `anchor_corrupt` */
export function readAnchor(path: string): Anchor {
  const file = join(path, 'anchor.json');
  let found: AnchorDocument & { sha256: string };
  try {
    found = JSON.parse(readFileSync(file, 'utf8')) as AnchorDocument & { sha256: string };
  } catch (error) {
    throw anchorCorrupt(file, (error as Error).message);
  }
  const { sha256, ...document } = found;
  if (document.format !== ANCHOR_FORMAT)
    throw anchorCorrupt(file, `format ${document.format} is not known to this engine`);
  if (sha256 !== documentHash(document)) throw anchorCorrupt(file, 'its hash does not match');
  return new Anchor(path, document, sha256);
}

export function documentHash(document: AnchorDocument): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('hex');
}

export function anchorCorrupt(path: string, wrong: string): HoldfastError {
  return new HoldfastError(
    'anchor_corrupt',
    `${path} is damaged: ${wrong}`,
    'the journal cannot be read without it: restore the directory from a backup',
  );
}
