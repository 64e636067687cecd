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

const PAGE_HEADER = 24;
const MAGIC = 0xbeefc0de;
const FLAG_BRANCH = 1;
const FLAG_LEAF = 2;
const NODE_BIG_DATA = 1;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
/** Readers of a file that is being written try again this often when the meta page moves under them. */
const ATTEMPTS = 8;

interface Meta {
  pageSize: number;
  lastPage: number;
  txn: bigint;
  roots: bigint[];
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
  const head = Buffer.alloc(PAGE_HEADER + 136);
  const got = readSync(file, head, 0, head.length, 0);
  if (got === 0) return undefined;
  if (got < head.length || head.readUInt32LE(PAGE_HEADER) !== MAGIC)
    throw truncated(path, 'the first meta page is unreadable');
  const pageSize = head.readUInt32LE(PAGE_HEADER + 24);
  if (pageSize < 256 || pageSize > 65536) throw truncated(path, `the page size ${pageSize} is impossible`);
  const first = parseMeta(head, pageSize);
  if (readSync(file, head, 0, head.length, pageSize) < head.length || head.readUInt32LE(PAGE_HEADER) !== MAGIC)
    throw truncated(path, 'the second meta page is missing');
  const second = parseMeta(head, pageSize);
  return second.txn > first.txn ? second : first;
}

function parseMeta(bytes: Buffer, pageSize: number): Meta {
  const at = PAGE_HEADER + 24;
  return {
    pageSize,
    roots: [bytes.readBigUInt64LE(at + 40), bytes.readBigUInt64LE(at + 88)],
    lastPage: Number(bytes.readBigUInt64LE(at + 96)),
    txn: bytes.readBigUInt64LE(at + 104),
  };
}

function firstMissingPage(file: number, meta: Meta, pages: number): number | undefined {
  const todo = meta.roots.filter((root) => root !== NO_PAGE).map(Number);
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
