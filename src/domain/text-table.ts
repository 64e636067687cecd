/**
 * Small rows of text in a shard's state, found by a number: snapshots of programs, controls of cards and accounts. Few of
 * them exist, they change seldom, and what decisions use is compiled from them elsewhere, so they are plain objects. Rows with
 * the same text share it: a million cards with the same controls keep them once, and whoever compares two texts compares two
 * references.
 *
 * A row carries the sequence it includes and is never removed: an empty text says that there is nothing any more, and keeps
 * a replay of older events out.
 *
 *   checkpoint row   version (1) | sequence (8) | revision (8) | length of the text in bytes (4) | text, UTF-8
 */
import { assert } from '../errors.js';
import type { RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { finishHash, mixBytes } from './hash.js';
import { KeyedRows } from './keyed-rows.js';
import type { Table } from './tables.js';

const ROW_VERSION = 1;
const HEAD_BYTES = 1 + 8 + 8 + 4;
const Field = { text: 1, length: 2, revision: 3 } as const;
const HASH_SEED = 0x3a5f1c77;
/** Objects of one row, about. */
const ROW_HEAP_BYTES = 160;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A text that rows have, kept once. */
interface SharedText {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** Of the bytes, for the digest. */
  readonly hash: number;
  /** Rows that have it. */
  rows: number;
}

interface TextRow {
  readonly key: number;
  readonly place: number;
  /** Undefined until the first event is in. */
  content: SharedText | undefined;
  revision: number;
  newest: number;
}

/** Places of rows by key. Keys are made of slots, so they are dense where there are any: 4 bytes each, in chunks. */
const CHUNK_BITS = 12;
const CHUNK_KEYS = 2 ** CHUNK_BITS;

class Places {
  readonly #chunks: (Uint32Array | undefined)[] = [];
  bytes = 0;

  /** -1 when there is none. */
  of(key: number): number {
    const chunk = this.#chunks[key >>> CHUNK_BITS];
    return chunk === undefined ? -1 : chunk[key & (CHUNK_KEYS - 1)]! - 1;
  }

  set(key: number, place: number): void {
    const number = key >>> CHUNK_BITS;
    while (this.#chunks.length <= number) this.#chunks.push(undefined);
    let chunk = this.#chunks[number];
    if (chunk === undefined) {
      chunk = new Uint32Array(CHUNK_KEYS);
      this.#chunks[number] = chunk;
      this.bytes += chunk.byteLength;
    }
    chunk[key & (CHUNK_KEYS - 1)] = place + 1;
  }
}

export class TextTable extends KeyedRows<TextRow> {
  /** Texts of the rows: a decision that wants no more waits for one line of memory less. */
  readonly #texts: string[] = [];
  readonly #shared = new Map<string, SharedText>();
  readonly #places = new Places();
  readonly #digest: StateDigest;
  readonly #table: Table;
  readonly #textBytesMax: number;
  /** Of the texts and of their bytes. */
  #bytes = 0;

  /** `textBytesMax`: bound of a text in UTF-8 (limits.ts). */
  constructor(digest: StateDigest, table: Table, textBytesMax: number) {
    super();
    this.#digest = digest;
    this.#table = table;
    this.#textBytesMax = textBytesMax;
  }

  /** Rows, empty ones too. */
  get count(): number {
    return this.rows.length;
  }

  /** Text under the key; empty when there is none. */
  text(key: number): string {
    const place = this.#places.of(key);
    return place < 0 ? '' : this.#texts[place]!;
  }

  /** Revision of the text under the key; 0 when there never was one. */
  revision(key: number): number {
    return this.row(key)?.revision ?? 0;
  }

  /** Sequence of the event that set the text under the key last; 0 when there never was one. */
  newest(key: number): number {
    return this.row(key)?.newest ?? 0;
  }

  forEach(visit: (key: number, revision: number) => void): void {
    for (const { key, revision } of this.rows) visit(key, revision);
  }

  /** Puts a text unless the row includes the event at `sequence` already. */
  set(key: number, text: string, revision: number, sequence: number): void {
    const row = this.row(key) ?? this.#add(key);
    if (sequence <= row.newest) return;
    this.#put(row, text, revision, sequence);
    this.changed(key);
  }

  /** Length of the checkpoint row under the key. */
  rowBytes(key: number): number {
    return HEAD_BYTES + (this.row(key)?.content?.bytes.length ?? 0);
  }

  writeRow(key: number, cursor: RowCursor): void {
    const row = this.row(key);
    assert(row?.content !== undefined, `text row ${key} of table ${this.#table} does not exist`);
    const { bytes } = row.content;
    cursor.putU8(ROW_VERSION);
    cursor.putF64(row.newest);
    cursor.putF64(row.revision);
    cursor.putU32(bytes.length);
    cursor.bytes.set(bytes, cursor.at);
    cursor.at += bytes.length;
  }

  readRow(key: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `text row ${key} of table ${this.#table} has an unknown version`);
    const newest = cursor.f64();
    const revision = cursor.f64();
    const textBytes = cursor.u32();
    assert(length === HEAD_BYTES + textBytes, `text row ${key} of table ${this.#table} has ${length} bytes`);
    assert(this.row(key) === undefined, `text row ${key} of table ${this.#table} is there already`);
    const text = decoder.decode(cursor.bytes.subarray(cursor.at, cursor.at + textBytes));
    cursor.at += textBytes;
    this.#put(this.#add(key), text, revision, newest);
  }

  get memoryBytes(): number {
    return this.#bytes + this.count * ROW_HEAP_BYTES + this.#places.bytes + this.dirtyBytes;
  }

  #add(key: number): TextRow {
    const row = this.add({ key, place: this.count, content: undefined, revision: 0, newest: 0 });
    this.#places.set(key, row.place);
    this.#texts.push('');
    return row;
  }

  #put(row: TextRow, text: string, revision: number, newest: number): void {
    const content = this.#share(text);
    if (row.content !== undefined) {
      this.#sum(row.key, row.revision, row.content, -1);
      this.#release(row.content);
    }
    this.#texts[row.place] = content.text;
    row.content = content;
    row.revision = revision;
    row.newest = newest;
    this.#sum(row.key, revision, content, 1);
  }

  /** The text as the rows keep it that have the same, for one row more. */
  #share(text: string): SharedText {
    const known = this.#shared.get(text);
    if (known !== undefined) {
      known.rows++;
      return known;
    }
    const bytes = encoder.encode(text);
    assert(bytes.length <= this.#textBytesMax, `a text of ${bytes.length} bytes is too long for table ${this.#table}`);
    const content = { text, bytes, hash: finishHash(mixBytes(HASH_SEED, bytes, 0, bytes.length)), rows: 1 };
    this.#shared.set(text, content);
    this.#bytes += bytes.length * 2;
    return content;
  }

  #release(content: SharedText): void {
    content.rows--;
    if (content.rows > 0) return;
    this.#shared.delete(content.text);
    this.#bytes -= content.bytes.length * 2;
  }

  /** The age of the row is no part of the state. */
  #sum(key: number, revision: number, { hash, bytes }: SharedText, sign: number): void {
    this.#digest.sum(this.#table, key, Field.text, hash, sign);
    this.#digest.sum(this.#table, key, Field.length, bytes.length, sign);
    this.#digest.sum(this.#table, key, Field.revision, revision, sign);
  }
}
