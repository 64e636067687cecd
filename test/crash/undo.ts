/**
 * A power cut, made of a kill: takes back what the server wrote and had not synced when it died.
 *
 * The log of shim.c holds, in order, what every write, truncation, creation and rename replaced. Read backwards, each entry
 * that no later sync of its file (for names: of its folder) has made durable is taken back. What was written through an
 * O_DSYNC descriptor is durable by itself and stays, whatever lies around it.
 *
 * A real disk may also have kept some of the unsynced writes, in any order: with a generator each entry is taken back or
 * left by chance. Taking back an older write under a newer one gives the older version of the page, which a disk may have
 * as well.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Random } from './random.js';

interface Entry {
  readonly kind: string;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly path: string;
  readonly data: Buffer;
  /** Offset of the entry in the log. */
  readonly at: number;
}

export interface Undone {
  entries: number;
  /** Entries that no sync had made durable. */
  unsynced: number;
  /** Entries taken back. */
  undone: number;
}

interface Range {
  from: number;
  to: number;
}

/** Applies the log to the files it names. */
export function cutPower(logPath: string, random?: Random): Undone {
  const entries = existsSync(logPath) ? parse(readFileSync(logPath)) : [];
  /** Size of the log at the beginning of the last completed sync, by path. */
  const synced = new Map<string, number>();
  for (const entry of entries)
    if (entry.kind === 'S') synced.set(entry.path, Math.max(synced.get(entry.path) ?? 0, entry.a));
  const kept = new Map<string, Range[]>();
  const result: Undone = { entries: entries.length, unsynced: 0, undone: 0 };
  for (const entry of entries.reverse()) {
    if (entry.kind === 'S') continue;
    const ranges = kept.get(entry.path) ?? [];
    kept.set(entry.path, ranges);
    if (entry.kind === 'D') {
      ranges.push({ from: entry.a, to: entry.a + entry.b });
      continue;
    }
    const place = entry.kind === 'C' || entry.kind === 'R' ? dirname(entry.path) : entry.path;
    if (entry.at < (synced.get(place) ?? 0)) continue;
    result.unsynced++;
    if (random?.chance(0.5)) continue;
    undo(entry, ranges);
    result.undone++;
  }
  return result;
}

function parse(log: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < log.length; ) {
    const end = log.indexOf(0x0a, at);
    if (end < 0) break;
    const [kind, a, b, c, pathBytes, dataBytes] = log.toString('latin1', at, end).split(' ');
    const pathAt = end + 1;
    const dataAt = pathAt + Number(pathBytes);
    const next = dataAt + Number(dataBytes);
    // The last entry may be cut short by the kill: what it announces was not begun.
    if (next > log.length) break;
    const path = log.toString('utf8', pathAt, dataAt);
    entries.push({ kind: kind!, a: Number(a), b: Number(b), c: Number(c), path, data: log.subarray(dataAt, next), at });
    at = next;
  }
  return entries;
}

function undo(entry: Entry, kept: readonly Range[]): void {
  switch (entry.kind) {
    case 'W':
      undoWrite(entry, kept);
      return;
    case 'T':
      undoTruncation(entry, kept);
      return;
    case 'C':
      rmSync(entry.path, { recursive: true, force: true });
      return;
    case 'R':
      if (existsSync(entry.data.toString('utf8'))) renameSync(entry.data.toString('utf8'), entry.path);
      return;
    default:
      throw new Error(`undo log: unknown entry ${entry.kind}`);
  }
}

/** Opens the file of an entry; undefined when it is gone (removed again by the server). */
function withFile(path: string, use: (file: number) => void): void {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r+');
  try {
    use(file);
  } finally {
    closeSync(file);
  }
}

function undoWrite({ path, a, b, c, data }: Entry, kept: readonly Range[]): void {
  withFile(path, (file) => {
    const old = Buffer.alloc(b);
    data.copy(old);
    const size = fstatSync(file).size;
    // Behind the old end of the file there was nothing; zeros where something newer lies behind it.
    const end = size <= a + b ? Math.max(Math.min(size, c), a) : a + b;
    for (const part of without({ from: a, to: Math.min(end, a + b) }, kept))
      writeSync(file, old, part.from - a, part.to - part.from, part.from);
    if (size <= a + b && size > c) ftruncateSync(file, Math.max(c, endOf(kept)));
  });
}

function undoTruncation({ path, a, c, data }: Entry, kept: readonly Range[]): void {
  withFile(path, (file) => {
    if (a >= c) {
      if (fstatSync(file).size <= a) ftruncateSync(file, Math.max(c, endOf(kept)));
      return;
    }
    if (fstatSync(file).size < c) ftruncateSync(file, c);
    for (const part of without({ from: a, to: c }, kept))
      writeSync(file, data, part.from - a, part.to - part.from, part.from);
  });
}

function endOf(ranges: readonly Range[]): number {
  return ranges.reduce((end, range) => Math.max(end, range.to), 0);
}

/** The parts of a range that no kept range covers. */
function without(range: Range, kept: readonly Range[]): Range[] {
  let parts = range.from < range.to ? [range] : [];
  for (const { from, to } of kept)
    parts = parts.flatMap((part) => {
      if (to <= part.from || from >= part.to) return [part];
      const rest: Range[] = [];
      if (part.from < from) rest.push({ from: part.from, to: from });
      if (to < part.to) rest.push({ from: to, to: part.to });
      return rest;
    });
  return parts;
}
