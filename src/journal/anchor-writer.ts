/**
 * Writes an anchor (anchor.ts): the state files into a folder that is not there for any reader yet, and with one rename all of it.
 * What a process that ended left half written is removed before the next one.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../errors.js';
import { ANCHOR_ENTRY_BYTES_MAX } from '../limits.js';
import { syncDirectory } from '../store/lmdb-store.js';
import {
  ANCHOR_END,
  ANCHOR_ENTRY_PREFIX,
  ANCHOR_FORMAT,
  ANCHOR_HEADER_BYTES,
  ANCHOR_MAGIC,
  ANCHOR_TRAILER_BYTES,
  type AnchorDocument,
  anchorFolder,
  anchorNumbers,
  documentHash,
  stateName,
} from './anchor.js';

const WRITE_BYTES = 1 << 20;
const DRAFT = /^anchor-\d+\.new$/;

export const draftFolder = (journalDir: string, number: number): string => `${anchorFolder(journalDir, number)}.new`;

/** Begins the draft of an anchor, an empty folder; older drafts go. */
export function beginAnchor(journalDir: string, number: number): string {
  removeDrafts(journalDir);
  const draft = draftFolder(journalDir, number);
  mkdirSync(draft, { mode: 0o700 });
  return draft;
}

/** Removes what was never an anchor. */
export function removeDrafts(journalDir: string): void {
  for (const name of readdirSync(journalDir))
    if (DRAFT.test(name)) rmSync(join(journalDir, name), { recursive: true, force: true });
}

/** Writes the document and flushes the draft: everything but the rename. */
export function finishDraft(draft: string, document: AnchorDocument): void {
  writeDurably(join(draft, 'anchor.json'), `${JSON.stringify({ ...document, sha256: documentHash(document) })}\n`);
  syncDirectory(draft);
}

/** Makes the draft the anchor that counts: durable when it returns. */
export function commitAnchor(journalDir: string, number: number): void {
  renameSync(draftFolder(journalDir, number), anchorFolder(journalDir, number));
  syncDirectory(journalDir);
}

/** Removes the anchors that the newest has replaced. */
export function removeOldAnchors(journalDir: string): void {
  for (const number of anchorNumbers(readdirSync(journalDir)).slice(0, -1))
    rmSync(anchorFolder(journalDir, number), { recursive: true, force: true });
}

export function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** What a finished state file is, for the document. */
export interface StateFile {
  readonly bytes: number;
  readonly entries: number;
  readonly sha256: string;
}

/** One state file. */
export class StateWriter {
  readonly #file: number;
  readonly #hash = createHash('sha256');
  readonly #buffer = Buffer.alloc(WRITE_BYTES);
  #filled = 0;
  #bytes = 0;
  #entries = 0;

  constructor(draft: string, shard: number) {
    this.#file = openSync(join(draft, stateName(shard)), 'wx', 0o600);
    const head = Buffer.alloc(ANCHOR_HEADER_BYTES);
    head.writeUInt32BE(ANCHOR_MAGIC, 0);
    head.writeUInt16BE(ANCHOR_FORMAT, 4);
    head.writeUInt16BE(shard, 6);
    this.#put(head);
  }

  add(table: number, key: number, entry: Uint8Array): void {
    assert(entry.length <= ANCHOR_ENTRY_BYTES_MAX, 'an entry fits ANCHOR_ENTRY_BYTES_MAX');
    const prefix = Buffer.alloc(ANCHOR_ENTRY_PREFIX);
    prefix.writeUInt32BE(entry.length, 0);
    prefix[4] = table;
    prefix.writeDoubleBE(key, 5);
    this.#put(prefix);
    this.#put(entry);
    this.#entries++;
  }

  /** Writes the end and flushes the file. */
  finish(): StateFile {
    const trailer = Buffer.alloc(ANCHOR_TRAILER_BYTES);
    trailer.writeUInt32BE(ANCHOR_END, 0);
    trailer.writeDoubleBE(this.#entries, 4);
    this.#put(trailer);
    this.#flush();
    fsyncSync(this.#file);
    closeSync(this.#file);
    return { bytes: this.#bytes, entries: this.#entries, sha256: this.#hash.digest('hex') };
  }

  #put(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    if (this.#filled + bytes.length > this.#buffer.length) this.#flush();
    if (bytes.length > this.#buffer.length) {
      writeWhole(this.#file, bytes);
      return;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #flush(): void {
    writeWhole(this.#file, this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
