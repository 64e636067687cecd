/**
 * A look at LMDB's data file before it is mapped. LMDB trusts its meta pages: when the file is shorter than they say, the
 * first touch of a missing page is a SIGBUS that kills the process without a word. So the file is compared with its meta
 * pages first, by ordinary reads.
 *
 * The file may rightly be a little shorter than the last page number in the meta page: pages at the end that were allocated
 * and given back within one transaction are never written. Only in that case the two trees (free list and data) are walked
 * by ordinary reads, to see whether anything beyond the end of the file is in use.
 *
 * Layout (64-bit little-endian build of lmdb 3.5.6, data version 2):
 *   page   0 number u64 | 8 txn u64 | 16 pad u16 | 18 flags u16 | 20 lower u16 | 22 upper u16 (overflow: 20 pages u32) | 24 ...
 *   meta   page + 24: magic u32 | version u32 | address u64 | map size u64 | free tree 48 | data tree 48 | last page u64 | txn u64
 *   tree   pad u32 (free tree: page size) | flags u16 | depth u16 | branch, leaf, overflow pages, entries u64 x 4 | root u64
 *   node   size or page, low u16 | high u16 | flags u16 (branch: top of page) | key size u16 | key | data
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { HoldfastError } from '../errors.js';

export const PAGE_HEADER = 24;
/** Where a page has its flags, and that of a meta page. */
const PAGE_FLAGS = 18;
const META_FLAG = 0x08;
const MAGIC = 0xbeefc0de;
/** Of the data; in the low half of its word. Opening a file of another one ends the process with SIGSEGV. */
const DATA_VERSION = 2;
export const FLAG_BRANCH = 1;
export const FLAG_LEAF = 2;
export const NODE_BIG_DATA = 1;
export const NO_PAGE = 0xffff_ffff_ffff_ffffn;
/** Readers of a file that is being written try again this often when the meta page moves under them. */
const ATTEMPTS = 8;

/** A tree as a meta page describes it. */
export interface MetaTree {
  readonly depth: number;
  readonly branches: number;
  readonly leaves: number;
  readonly overflow: number;
  readonly entries: number;
  /** NO_PAGE: empty. */
  readonly root: bigint;
}

export interface Meta {
  readonly pageSize: number;
  readonly mapBytes: number;
  readonly lastPage: number;
  readonly txn: bigint;
  /** Page size, flags of the file and of both trees, as bytes: what no commit changes. */
  readonly constants: string;
  /** Free list and data. */
  readonly trees: readonly [MetaTree, MetaTree];
}

/**
 * Throws `store_truncated` when pages in use lie beyond the end of the file, or when the file is no LMDB file. A missing or
 * empty file is fine: it is about to be created.
 */
export function assertWholeDataFile(path: string): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    for (let attempt = 1; ; attempt++) {
      const meta = newestMeta(file, path);
      if (meta === undefined) return;
      const pages = Math.floor(fstatSync(file).size / meta.pageSize);
      if (pages > meta.lastPage) return;
      const missing = firstMissingPage(file, meta, pages);
      if (missing === undefined) return;
      // A writer in another process may have moved on while we walked: then the walk says nothing.
      if (attempt < ATTEMPTS && newestMeta(file, path)?.txn !== meta.txn) continue;
      throw truncated(path, `page ${missing} is in use, the file ends at page ${pages}`);
    }
  } finally {
    closeSync(file);
  }
}

function truncated(path: string, what: string): HoldfastError {
  return new HoldfastError(
    'store_truncated',
    `${path} is damaged or cut short: ${what}`,
    'restore the directory from a backup; do not start on this file',
  );
}

/** The valid meta page with the highest transaction; undefined for an empty file. */
function newestMeta(file: number, path: string): Meta | undefined {
  const metas = readMetas(file, path);
  return metas === undefined ? undefined : newerOf(metas);
}

/** The meta page that counts. */
export function newerOf([first, second]: readonly [Meta, Meta]): Meta {
  return second.txn > first.txn ? second : first;
}

/**
 * Both meta pages; undefined for an empty file.
 * @throws HoldfastError `store_truncated` when they are none
 */
export function readMetas(file: number, path: string): readonly [Meta, Meta] | undefined {
  const head = Buffer.alloc(PAGE_HEADER + 136);
  const got = readSync(file, head, 0, head.length, 0);
  if (got === 0) return undefined;
  if (got < head.length || !isMeta(head)) throw truncated(path, 'the first meta page is unreadable');
  const pageSize = head.readUInt32LE(PAGE_HEADER + 24);
  if (pageSize < 256 || pageSize > 65536) throw truncated(path, `the page size ${pageSize} is impossible`);
  const first = parseMeta(head, pageSize);
  if (readSync(file, head, 0, head.length, pageSize) < head.length || !isMeta(head))
    throw truncated(path, 'the second meta page is missing');
  return [first, parseMeta(head, pageSize)];
}

/** Both meta pages of what `bytes` holds: the first two pages of a file. @throws HoldfastError `store_truncated` */
export function metasIn(bytes: Buffer, path: string): readonly [Meta, Meta] {
  if (!isMeta(bytes)) throw truncated(path, 'the first meta page is unreadable');
  const pageSize = bytes.readUInt32LE(PAGE_HEADER + 24);
  const second = bytes.subarray(pageSize);
  if (!isMeta(second)) throw truncated(path, 'the second meta page is missing');
  return [parseMeta(bytes, pageSize), parseMeta(second, pageSize)];
}

/** LMDB refuses a first page that does not say it is a meta page, and the process may end by it (SIGSEGV). */
function isMeta(page: Buffer): boolean {
  if ((page.readUInt16LE(PAGE_FLAGS) & META_FLAG) === 0) return false;
  return page.readUInt32LE(PAGE_HEADER) === MAGIC && page.readUInt16LE(PAGE_HEADER + 4) === DATA_VERSION;
}

function parseMeta(bytes: Buffer, pageSize: number): Meta {
  const at = PAGE_HEADER + 24;
  return {
    pageSize,
    mapBytes: Number(bytes.readBigUInt64LE(at - 8)),
    constants: `${bytes.toString('hex', at, at + 6)} ${bytes.toString('hex', at + 48, at + 54)}`,
    trees: [parseTree(bytes, at), parseTree(bytes, at + 48)],
    lastPage: Number(bytes.readBigUInt64LE(at + 96)),
    txn: bytes.readBigUInt64LE(at + 104),
  };
}

function parseTree(bytes: Buffer, at: number): MetaTree {
  const word = (offset: number): number => Number(bytes.readBigUInt64LE(at + offset));
  return {
    depth: bytes.readUInt16LE(at + 6),
    branches: word(8),
    leaves: word(16),
    overflow: word(24),
    entries: word(32),
    root: bytes.readBigUInt64LE(at + 40),
  };
}

function firstMissingPage(file: number, meta: Meta, pages: number): number | undefined {
  const todo = meta.trees.flatMap(({ root }) => (root === NO_PAGE ? [] : [Number(root)]));
  const page = Buffer.alloc(meta.pageSize);
  while (todo.length > 0) {
    const number = todo.pop()!;
    if (number >= pages) return number;
    if (readSync(file, page, 0, page.length, number * meta.pageSize) < page.length) return number;
    const flags = page.readUInt16LE(18);
    const nodes = page.readUInt16LE(20) >> 1;
    if ((flags & (FLAG_BRANCH | FLAG_LEAF)) === 0) return number;
    for (let i = 0; i < nodes; i++) {
      const at = page.readUInt16LE(PAGE_HEADER + i * 2) + PAGE_HEADER;
      if (at + 8 > page.length) return number;
      const low = page.readUInt32LE(at);
      if (flags & FLAG_BRANCH) todo.push(page.readUInt16LE(at + 4) * 2 ** 32 + low);
      else if (page.readUInt16LE(at + 4) & NODE_BIG_DATA) {
        const data = at + 8 + page.readUInt16LE(at + 6);
        if (data + 8 > page.length) return number;
        const last = Number(page.readBigUInt64LE(data)) + Math.ceil((low + PAGE_HEADER) / meta.pageSize) - 1;
        if (last >= pages) return last;
      }
    }
  }
  return undefined;
}

export function storeDamaged(path: string, defect: string): HoldfastError {
  return new HoldfastError(
    'store_damaged',
    `${path} is damaged: ${defect}`,
    'keep the directory as it is, do not start on it, and restore a backup elsewhere',
  );
}
