/**
 * Whether the pages of an LMDB file fit together. LMDB has no checksums: a bit that flips in a meta page, a branch or a list of
 * free pages shows itself as an older state, as keys that are not there any more, as a crash, or at the next commit, which may
 * write over pages in use. Here the file is read as a file, page by page, before anybody maps it.
 *
 *   meta pages   the one of page 0 has an even transaction, that of page 1 an odd one, one apart; their flags are the same
 *   page         says its own number, is of a kind that belongs there, no newer than the meta page; no page is in use twice
 *   node         lies inside its page; keys rise, within the page and from page to page
 *   tree         as deep, with as many pages and entries, as its meta page says
 *   free list    no page that is in use, none beyond the last
 *
 * What a value says is not looked at: frames, checkpoint rows, segments and card numbers carry their own checks.
 *
 * The walk goes from the newest key to the oldest and can be bounded: then what was reached is checked, and the sums are not.
 * Layout: see lmdb-file.ts.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import {
  FLAG_BRANCH,
  FLAG_LEAF,
  type Meta,
  type MetaTree,
  NO_PAGE,
  NODE_BIG_DATA,
  newerOf,
  PAGE_HEADER,
  readMetas,
} from './lmdb-file.js';

const NODE_HEADER = 8;
const METAS = 2;

export interface StructureOptions {
  /** Pages that are read of each tree at most; all of them when left out. */
  readonly pagesMax?: number;
}

/**
 * What is wrong with the file, undefined when nothing is. Nobody may write it meanwhile, unless the caller holds a snapshot that
 * keeps its pages from being reused. An empty or missing file has nothing wrong.
 * @throws HoldfastError `store_truncated`, and what the file system throws
 */
export function structureDefect(path: string, options: StructureOptions = {}): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const metas = readMetas(file, path);
    if (metas === undefined) return undefined;
    return metaDefect(metas) ?? new Walk(file, newerOf(metas), options.pagesMax ?? Number.MAX_SAFE_INTEGER).defect();
  } catch (error) {
    if (error instanceof Defect) return error.message;
    throw error;
  } finally {
    closeSync(file);
  }
}

/**
 * What the two meta pages say of each other. A commit writes the page whose number its transaction has as its last bit, and a
 * commit that failed puts the page's old transaction back: so they are one apart, or both 0 in a file that was just made. (That is
 * why a newest transaction that is lower by exactly two cannot be told from a commit that failed.)
 */
export function metaDefect([first, second]: readonly [Meta, Meta]): string | undefined {
  if (first.constants !== second.constants)
    return `its meta pages differ in what no commit changes: ${first.constants}, ${second.constants}`;
  if (first.txn === 0n && second.txn === 0n) return undefined;
  const apart = first.txn > second.txn ? first.txn - second.txn : second.txn - first.txn;
  if (first.txn % 2n === 0n && second.txn % 2n === 1n && apart === 1n) return undefined;
  return `its meta pages have the transactions ${first.txn} and ${second.txn}, which no two commits leave behind`;
}

/** A run of pages. */
export interface PageRun {
  readonly page: number;
  readonly count: number;
}

/**
 * The pages in use that a transaction after `since` wrote. A page that changes gets another place, and so does every page above it:
 * below an older page everything is older. Nobody may write over the pages of this meta page meanwhile (a snapshot is held).
 */
export function* changedPages(file: number, meta: Meta, since: bigint): Generator<PageRun> {
  const page = Buffer.alloc(meta.pageSize);
  const todo = meta.trees.flatMap(({ root }) => (root === NO_PAGE ? [] : [Number(root)]));
  while (todo.length > 0) {
    const number = todo.pop()!;
    if (readSync(file, page, 0, page.length, number * page.length) < page.length)
      throw new Error(`page ${number} lies beyond the end of the file`);
    if (page.readBigUInt64LE(8) <= since) continue;
    yield { page: number, count: 1 };
    const nodes = page.readUInt16LE(20) >> 1;
    const isBranch = (page.readUInt16LE(18) & FLAG_BRANCH) !== 0;
    for (let i = 0; i < nodes; i++) {
      const at = page.readUInt16LE(PAGE_HEADER + i * 2) + PAGE_HEADER;
      const low = page.readUInt32LE(at);
      if (isBranch) todo.push(page.readUInt16LE(at + 4) * 2 ** 32 + low);
      else if (page.readUInt16LE(at + 4) === NODE_BIG_DATA) {
        const first = Number(page.readBigUInt64LE(at + NODE_HEADER + page.readUInt16LE(at + 6)));
        yield { page: first, count: Math.ceil((low + PAGE_HEADER) / page.length) };
      }
    }
  }
}

class Defect extends Error {}

/** A page that is still to be read, and how deep it lies (the root: 1). */
interface Todo {
  readonly page: number;
  readonly depth: number;
}

interface Sums {
  branches: number;
  leaves: number;
  overflow: number;
  entries: number;
}

class Walk {
  readonly #file: number;
  readonly #meta: Meta;
  readonly #pagesMax: number;
  readonly #page: Buffer;
  /** A bit per page in use. */
  readonly #used: Uint8Array;
  readonly #free: { page: number; count: number }[] = [];

  constructor(file: number, meta: Meta, pagesMax: number) {
    this.#file = file;
    this.#meta = meta;
    this.#pagesMax = pagesMax;
    this.#page = Buffer.alloc(meta.pageSize);
    if (meta.lastPage > Number.MAX_SAFE_INTEGER / meta.pageSize)
      throw new Defect(`its meta page says that there are ${meta.lastPage} pages`);
    if (meta.lastPage * meta.pageSize > meta.mapBytes)
      throw new Defect(`its last page, ${meta.lastPage}, lies beyond its map of ${meta.mapBytes} bytes`);
    this.#used = new Uint8Array(Math.ceil((meta.lastPage + 1) / 8));
  }

  defect(): string | undefined {
    const [free, main] = this.#meta.trees;
    const whole = [this.#tree('free list', free, true), this.#tree('data', main, false)];
    if (whole.includes(false)) return undefined;
    for (const { page, count } of this.#free)
      for (let one = page; one < page + count; one++)
        if (this.#isUsed(one)) throw new Defect(`page ${one} is in use and in the list of free pages`);
    return undefined;
  }

  /** False when the bound ended the walk. */
  #tree(name: string, tree: MetaTree, isFreeList: boolean): boolean {
    const sums: Sums = { branches: 0, leaves: 0, overflow: 0, entries: 0 };
    const todo: Todo[] = tree.root === NO_PAGE ? [] : [{ page: Number(tree.root), depth: 1 }];
    let above: Buffer | undefined;
    for (let pages = 0; todo.length > 0; pages++) {
      if (pages >= this.#pagesMax) return false;
      const { page, depth } = todo.pop()!;
      const nodes = this.#read(name, page);
      const isLeaf = (this.#page.readUInt16LE(18) & FLAG_LEAF) !== 0;
      if (isLeaf !== (depth === tree.depth))
        throw new Defect(
          `page ${page} of the ${name} is ${isLeaf ? 'a leaf' : 'a branch'} at depth ${depth} of ${tree.depth}`,
        );
      if (isLeaf) {
        above = this.#leaf(name, page, nodes, sums, above, isFreeList);
      } else {
        sums.branches++;
        this.#branch(name, page, nodes, isFreeList);
        for (let i = 0; i < nodes; i++) todo.push({ page: this.#child(i), depth: depth + 1 });
      }
    }
    this.#compare(name, tree, sums);
    return true;
  }

  #compare(name: string, tree: MetaTree, sums: Sums): void {
    const parts = [
      ['branches', sums.branches, tree.branches],
      ['leaves', sums.leaves, tree.leaves],
      ['entries', sums.entries, tree.entries],
    ] as const;
    for (const [what, found, said] of parts)
      if (found !== said) throw new Defect(`the ${name} has ${found} ${what}, its meta page says ${said}`);
    // A value that was written shorter within one transaction keeps the pages that it had.
    if (sums.overflow > tree.overflow)
      throw new Defect(`the ${name} has ${sums.overflow} overflow pages, its meta page says ${tree.overflow}`);
  }

  /** Reads the page and checks its head; gives the number of its nodes. */
  #read(name: string, number: number): number {
    const page = this.#page;
    this.#use(name, number, 1);
    if (readSync(this.#file, page, 0, page.length, number * page.length) < page.length)
      throw new Defect(`page ${number} of the ${name} lies beyond the end of the file`);
    const own = page.readBigUInt64LE(0);
    if (own !== BigInt(number)) throw new Defect(`page ${number} of the ${name} says that it is page ${own}`);
    const txn = page.readBigUInt64LE(8);
    if (txn > this.#meta.txn)
      throw new Defect(`page ${number} of the ${name} is of transaction ${txn}, the newest is ${this.#meta.txn}`);
    const kind = page.readUInt16LE(18);
    // A page of a tree at rest is one of two kinds, without the flags of pages that are being written.
    if (kind !== FLAG_BRANCH && kind !== FLAG_LEAF)
      throw new Defect(`page ${number} of the ${name} has the flags ${kind}: no branch, no leaf`);
    const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
    const room = page.length - PAGE_HEADER;
    if (lower % 2 !== 0 || lower > upper || upper > room || lower < (kind === FLAG_BRANCH ? 4 : 2))
      throw new Defect(`page ${number} of the ${name} has bounds ${lower} and ${upper} in ${room} bytes`);
    return lower >> 1;
  }

  /** Where node i of the page begins, its head being inside of the page. */
  #node(name: string, number: number, i: number): number {
    const page = this.#page;
    const at = page.readUInt16LE(PAGE_HEADER + i * 2);
    if (at < page.readUInt16LE(22) || at % 2 !== 0 || at + NODE_HEADER > page.length - PAGE_HEADER)
      throw new Defect(`node ${i} of page ${number} of the ${name} lies outside of its page`);
    return at + PAGE_HEADER;
  }

  #key(name: string, number: number, at: number, i: number): Buffer {
    const bytes = this.#page.readUInt16LE(at + 6);
    if (at + NODE_HEADER + bytes > this.#page.length)
      throw new Defect(`the key of node ${i} of page ${number} of the ${name} lies outside of its page`);
    return this.#page.subarray(at + NODE_HEADER, at + NODE_HEADER + bytes);
  }

  #child(i: number): number {
    const at = this.#page.readUInt16LE(PAGE_HEADER + i * 2) + PAGE_HEADER;
    return this.#page.readUInt16LE(at + 4) * 2 ** 32 + this.#page.readUInt32LE(at);
  }

  /** Keys of a branch rise; the key of its first node says nothing. */
  #branch(name: string, number: number, nodes: number, isFreeList: boolean): void {
    let last: Buffer | undefined;
    for (let i = 0; i < nodes; i++) {
      const key = this.#key(name, number, this.#node(name, number, i), i);
      if (i > 1 && compare(last!, key, isFreeList) >= 0)
        throw new Defect(`the keys of page ${number} of the ${name} do not rise at node ${i}`);
      last = key;
    }
  }

  /** Checks the leaf; gives a copy of its lowest key. @param above lowest key of the leaf to its right */
  #leaf(
    name: string,
    number: number,
    nodes: number,
    sums: Sums,
    above: Buffer | undefined,
    isFreeList: boolean,
  ): Buffer {
    sums.leaves++;
    sums.entries += nodes;
    let last: Buffer | undefined;
    let lowest: Buffer | undefined;
    for (let i = 0; i < nodes; i++) {
      const at = this.#node(name, number, i);
      const key = this.#key(name, number, at, i);
      if (key.length === 0 || (isFreeList && key.length !== 8))
        throw new Defect(`the key of node ${i} of page ${number} of the ${name} has ${key.length} bytes`);
      if (last !== undefined && compare(last, key, isFreeList) >= 0)
        throw new Defect(`the keys of page ${number} of the ${name} do not rise at node ${i}`);
      lowest ??= Buffer.from(key);
      last = key;
      this.#data(name, number, at, i, sums, isFreeList);
    }
    if (above !== undefined && compare(last!, above, isFreeList) >= 0)
      throw new Defect(`the keys of page ${number} of the ${name} reach into the page behind it`);
    return lowest!;
  }

  #data(name: string, number: number, at: number, i: number, sums: Sums, isFreeList: boolean): void {
    const page = this.#page;
    const bytes = page.readUInt16LE(at + 2) * 2 ** 16 + page.readUInt16LE(at);
    const data = at + NODE_HEADER + page.readUInt16LE(at + 6);
    const flags = page.readUInt16LE(at + 4);
    if ((flags & ~NODE_BIG_DATA) !== 0)
      throw new Defect(`node ${i} of page ${number} of the ${name} has the flags ${flags}`);
    const isBig = flags === NODE_BIG_DATA;
    if (data + (isBig ? 8 : bytes) > page.length)
      throw new Defect(`the value of node ${i} of page ${number} of the ${name} lies outside of its page`);
    if (!isBig) {
      if (isFreeList) this.#takeFree(page.subarray(data, data + bytes), number);
      return;
    }
    const first = Number(page.readBigUInt64LE(data));
    const pages = Math.ceil((bytes + PAGE_HEADER) / page.length);
    this.#use(name, first, pages);
    sums.overflow += pages;
    if (isFreeList) this.#takeFree(this.#overflow(first, bytes), number);
  }

  /** A value that has pages of its own. Only lists of free pages are read so: others carry their own checks. */
  #overflow(first: number, bytes: number): Buffer {
    const value = Buffer.alloc(bytes);
    if (readSync(this.#file, value, 0, bytes, first * this.#page.length + PAGE_HEADER) < bytes)
      throw new Defect(`page ${first} of the free list lies beyond the end of the file`);
    return value;
  }

  /** A list: how many words follow, then page numbers; a negative word is the length of a run that begins at the next one. */
  #takeFree(list: Buffer, number: number): void {
    const words = list.length < 8 ? -1 : Number(list.readBigInt64LE(0));
    if (words < 0 || (words + 1) * 8 > list.length)
      throw new Defect(
        `a list of free pages in page ${number} says that it has ${words} words in ${list.length} bytes`,
      );
    for (let i = 1; i <= words; i++) {
      let page = Number(list.readBigInt64LE(i * 8));
      if (page === 0) continue;
      let count = 1;
      if (page < 0) {
        // A run whose beginning is in the next list: nothing can be said of it here.
        if (i === words) return;
        count = -page;
        page = Number(list.readBigInt64LE(++i * 8));
      }
      if (page < METAS || page + count - 1 > this.#meta.lastPage)
        throw new Defect(`page ${page} is in the list of free pages, the last one is ${this.#meta.lastPage}`);
      this.#free.push({ page, count });
    }
  }

  #use(name: string, page: number, count: number): void {
    if (page < METAS || page + count - 1 > this.#meta.lastPage)
      throw new Defect(
        `page ${page} of the ${name} is out of the range of pages, which ends at ${this.#meta.lastPage}`,
      );
    for (let one = page; one < page + count; one++) {
      if (this.#isUsed(one)) throw new Defect(`page ${one} of the ${name} is in use twice`);
      this.#used[one >> 3]! |= 1 << (one & 7);
    }
  }

  #isUsed(page: number): boolean {
    return (this.#used[page >> 3]! & (1 << (page & 7))) !== 0;
  }
}

/** Keys of the free list are transactions, in the order of the machine (little-endian). */
function compare(a: Buffer, b: Buffer, isFreeList: boolean): number {
  if (!isFreeList || a.length !== 8 || b.length !== 8) return a.compare(b);
  const [one, other] = [a.readBigUInt64LE(0), b.readBigUInt64LE(0)];
  return one < other ? -1 : one > other ? 1 : 0;
}
