/**
 * The memory of a process as its user (or root) can read it: everything that is mapped for writing and of no file, of all threads:
 * heaps of JavaScript, of the libraries, buffers, rings in shared memory, stacks. More than a heap snapshot has.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const PIECE_BYTES = 1 << 22;

export interface Region {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Regions for reading and writing; those of a file of the disk lie there, and are searched there. */
export function regionsOf(pid: number): Region[] {
  return readFileSync(`/proc/${pid}/maps`, 'latin1')
    .trimEnd()
    .split('\n')
    .flatMap((line) => {
      const [range, mode, , device, , ...rest] = line.split(/\s+/);
      const [start, end] = range!.split('-').map((text) => Number.parseInt(text, 16)) as [number, number];
      const ofFile = device !== '00:00' && !rest.join(' ').startsWith('/dev/zero');
      return mode!.startsWith('rw') && !ofFile ? [{ name: rest.join(' ') || 'anonymous', start, end }] : [];
    });
}

const BLOCK_BYTES = 1 << 16;
const zeros = Buffer.alloc(BLOCK_BYTES);

/**
 * Visits what is not zero, which half of a process is: runs of blocks with something in them, with `overlap` bytes around each.
 */
export function eachUsed(bytes: Buffer, overlap: number, visit: (part: Buffer) => void): void {
  let from = -1;
  for (let at = 0; at < bytes.length + BLOCK_BYTES; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    const isUsed = block.compare(zeros, 0, block.length) !== 0;
    if (isUsed && from < 0) from = at;
    if (isUsed || from < 0) continue;
    visit(bytes.subarray(Math.max(0, from - overlap), Math.min(bytes.length, at + overlap)));
    from = -1;
  }
}

/**
 * Visits the memory piece by piece; each begins with the last `overlap` bytes of the one before it in the same region. Pages that
 * were never touched are left out by the kernel's own list.
 * @returns bytes that were read
 */
export function readMemory(pid: number, overlap: number, visit: (bytes: Buffer, where: string) => void): number {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const pages = openSync(`/proc/${pid}/pagemap`, 'r');
  const buffer = Buffer.alloc(overlap + PIECE_BYTES);
  let total = 0;
  try {
    for (const { name, start, end } of regionsOf(pid)) {
      let kept = 0;
      for (let at = start; at < end; at += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, end - at);
        if (!isTouched(pages, at, length)) {
          kept = 0;
          continue;
        }
        let read = 0;
        try {
          read = readSync(memory, buffer, kept, length, at);
        } catch (error) {
          // A part of the region was given back meanwhile.
          if (!['EIO', 'EFAULT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        }
        eachUsed(buffer.subarray(0, kept + read), overlap, (part) => visit(part, `${name} ${at.toString(16)}`));
        total += read;
        const keep = read < length ? 0 : Math.min(overlap, kept + read);
        buffer.copyWithin(0, kept + read - keep, kept + read);
        kept = keep;
      }
    }
  } finally {
    closeSync(memory);
    closeSync(pages);
  }
  return total;
}

const PAGE_BYTES = 4096;
const ENTRY_BYTES = 8;
/** Bits of an entry of the list: the page is in memory, or swapped out. */
const THERE = 0xc0;

function isTouched(pages: number, at: number, length: number): boolean {
  const entries = Buffer.alloc((length / PAGE_BYTES) * ENTRY_BYTES);
  const read = readSync(pages, entries, 0, entries.length, (at / PAGE_BYTES) * ENTRY_BYTES);
  for (let i = ENTRY_BYTES - 1; i < read; i += ENTRY_BYTES) if ((entries[i]! & THERE) !== 0) return true;
  return false;
}
