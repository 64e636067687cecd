/**
 * The seal of a lane folder that nothing is appended to any more: what is in it, with the hash of the last frame of every shard.
 * Written next to the data (`manifest.json`) when the folder is first exported or dropped, after every frame in it was checked. The
 * chain makes the hash of a last frame stand for all frames before it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HoldfastError } from '../errors.js';
import { LANE_MAP_BYTES } from '../limits.js';
import { openLmdbStore, syncDirectory } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';
import { writeDurably } from './anchor-writer.js';
import { commitOfKey, FrameHeader, frameHash, INDEX_SHARD, parseFrame, shardOfKey } from './frame.js';
import { broken, corrupt } from './frame-cursor.js';

const NAME = 'manifest.json';
const FORMAT = 1;
/** Frames between two looks at a fresh snapshot. */
const FRAMES_PER_SCAN = 1024;

/** What a shard has in a folder. It may lack sequences in between: the shard lived in another lane meanwhile. */
export interface LaneManifestShard {
  readonly shard: number;
  readonly first: number;
  readonly last: number;
  /** SHA-256 of the shard's last frame here, hex. */
  readonly hash: string;
}

export interface LaneManifest {
  readonly format: number;
  /** The folder's. */
  readonly name: string;
  readonly frames: number;
  readonly records: number;
  /** Of all frames. */
  readonly bytes: number;
  /** Wall times of the oldest and the newest frame, ms since 1970 UTC. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly shards: readonly LaneManifestShard[];
}

/** The manifest of a folder that has one. @throws HoldfastError `frame_corrupt` when it is damaged */
export function readManifest(folder: string): LaneManifest | undefined {
  const path = join(folder, NAME);
  if (!existsSync(path)) return undefined;
  try {
    const { sha256, ...manifest } = JSON.parse(readFileSync(path, 'utf8')) as LaneManifest & { sha256: string };
    if (sha256 === hashOf(manifest)) return manifest;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new HoldfastError('frame_corrupt', `${path} is damaged`, 'remove it: it is made again from the frames');
}

/** Seals a folder: reads and checks every frame in it and writes its manifest, unless it has one. */
export async function sealFolder(folder: string, onProgress: (records: number) => void): Promise<LaneManifest> {
  const known = readManifest(folder);
  if (known !== undefined) return known;
  const manifest = await inspectFolder(folder, onProgress);
  const draft = join(folder, `${NAME}.new`);
  writeDurably(draft, manifestText(manifest));
  renameSync(draft, join(folder, NAME));
  syncDirectory(folder);
  return manifest;
}

export function manifestText(manifest: LaneManifest): string {
  return `${JSON.stringify({ ...manifest, sha256: hashOf(manifest) })}\n`;
}

const hashOf = (manifest: LaneManifest): string => createHash('sha256').update(JSON.stringify(manifest)).digest('hex');

/**
 * What the frames of a folder say: each is checked for checksum, place, continuity and chain.
 * @throws HoldfastError `frame_corrupt`, `chain_broken`, or what keeps the environment from being opened
 */
export async function inspectFolder(folder: string, onProgress: (records: number) => void): Promise<LaneManifest> {
  const store = openLmdbStore(folder, { readOnly: true, mapBytes: LANE_MAP_BYTES });
  try {
    return new Inspection(basename(folder), folder).run(store, onProgress);
  } finally {
    await store.close();
  }
}

interface Stretch {
  first: number;
  last: number;
  hash: Uint8Array;
}

class Inspection {
  readonly #name: string;
  readonly #path: string;
  readonly #header = new FrameHeader();
  readonly #shards = new Map<number, Stretch>();
  #frames = 0;
  #records = 0;
  #bytes = 0;
  #fromMs = Number.POSITIVE_INFINITY;
  #toMs = 0;

  constructor(name: string, path: string) {
    this.#name = name;
    this.#path = path;
  }

  run(store: Store, onProgress: (records: number) => void): LaneManifest {
    let start: Uint8Array | undefined;
    for (let more = true; more; ) {
      let left = FRAMES_PER_SCAN;
      more = false;
      store.scan(start === undefined ? {} : { start }, (key, bytes) => {
        if (left-- === 0) {
          start = Uint8Array.from(key);
          more = true;
          return false;
        }
        if (shardOfKey(key) !== INDEX_SHARD) this.#take(key, bytes);
        return true;
      });
      store.refresh();
      onProgress(this.#records);
    }
    const shards = [...this.#shards].sort(([a], [b]) => a - b);
    return {
      ...{ format: FORMAT, name: this.#name, frames: this.#frames, records: this.#records, bytes: this.#bytes },
      ...{ fromMs: this.#frames === 0 ? 0 : this.#fromMs, toMs: this.#toMs },
      shards: shards.map(([shard, { first, last, hash }]) => ({
        ...{ shard, first, last },
        hash: Buffer.from(hash).toString('hex'),
      })),
    };
  }

  #take(key: Uint8Array, bytes: Uint8Array): void {
    const shard = shardOfKey(key);
    const header = this.#header;
    const wrong = parseFrame(bytes, header);
    const known = this.#shards.get(shard);
    if (wrong !== undefined) throw corrupt(shard, (known?.last ?? 0) + 1, this.#path, wrong);
    const { firstSequence, lastSequence, wallMs } = header;
    if (header.shard !== shard)
      throw corrupt(shard, firstSequence, this.#path, `commit ${commitOfKey(key)} says shard ${header.shard}`);
    if (known !== undefined && firstSequence <= known.last)
      throw broken(shard, firstSequence, this.#path, `it comes after sequence ${known.last}`);
    if (firstSequence === (known?.last ?? -1) + 1 && Buffer.compare(known!.hash, header.previousHash) !== 0)
      throw broken(shard, firstSequence, this.#path, 'the hash of the previous frame is another one');
    this.#shards.set(shard, { first: known?.first ?? firstSequence, last: lastSequence, hash: frameHash(bytes) });
    this.#frames++;
    this.#records += header.count;
    this.#bytes += bytes.length;
    this.#fromMs = Math.min(this.#fromMs, wallMs);
    this.#toMs = Math.max(this.#toMs, wallMs);
  }
}
