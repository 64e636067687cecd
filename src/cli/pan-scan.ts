/** `holdfast pan-scan`: looks for card numbers in files where none should be. Reads only; shows what it finds masked. */
import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { HoldfastError } from '../errors.js';
import { maskPan } from '../pan-mask.js';
import { findPans, PAN_SCAN_OVERLAP, type PanEncoding, type PanScanOptions } from '../pan-scan.js';
import { newCommand, type Run, setAction } from './command.js';

/** Status when there is a card number, as of other scanners. */
const FOUND = 1;
const PIECE_BYTES = 4 * 2 ** 20;
const NEWLINE = 0x0a;

interface FileFinding {
  readonly path: string;
  readonly offset: number;
  /** Line of a text, from 1. */
  readonly line: number;
  readonly encoding: PanEncoding;
  readonly number: string;
}

interface Unread {
  readonly path: string;
  readonly why: string;
}

export function addPanScan(program: Command, run: Run): void {
  const command = newCommand(program, 'pan-scan <path...>', 'look for card numbers in files and folders', [
    'pan-scan /var/log/holdfast',
    'pan-scan --bin 999999 --json ./data ./exports',
  ])
    .option(
      '--bin <digits>',
      'prefix of your own numbers, repeatable: found packed (BCD) and inside longer digits, too',
      many,
      [],
    )
    .option('--allow <digits>', "prefix of numbers that are nobody's, repeatable", many, [])
    .option('--json', 'one JSON object');
  setAction(command, run, async (options, paths) => {
    const bins = prefixes('--bin', options.bin);
    const allowed = prefixes('--allow', options.allow);
    const { terminal } = run;
    const findings: FileFinding[] = [];
    const unread: Unread[] = [];
    let files = 0;
    let bytes = 0;
    for (const path of filesOf(paths, unread)) {
      try {
        bytes += await scanFile(path, { bins, allowed }, (finding) => findings.push(finding));
        files++;
      } catch (error) {
        unread.push({ path, why: (error as Error).message });
      }
    }
    if (options.json === true) terminal.out(JSON.stringify({ files, bytes, findings, unread }, null, 2));
    else {
      for (const { path, offset, line, encoding, number } of findings)
        terminal.out(`${path}:${line} (byte ${offset}, ${encoding}): ${number}`);
      for (const { path, why } of unread) terminal.err(`${path} was not read: ${why}`);
      terminal.out(`${files} files, ${bytes} bytes, ${findings.length} card numbers, ${unread.length} not read`);
    }
    if (findings.length > 0) return FOUND;
    if (unread.length === 0) return undefined;
    throw new HoldfastError(
      'bad_input_file',
      `${unread.length} of the files could not be read, the first is ${unread[0]!.path}`,
      'run it as a user who may read them',
    );
  });
}

const many = (text: string, before: readonly string[]): string[] => [...before, text];

function prefixes(flag: string, value: unknown): string[] {
  const list = value as string[];
  for (const text of list)
    if (!/^\d{4,19}$/.test(text))
      throw new HoldfastError('usage', `${flag} ${text}: not 4 to 19 digits`, 'give the first digits of the numbers');
  return list;
}

/** Every plain file at or below the paths. Links are not followed: what they lead to has a path of its own. */
function* filesOf(paths: readonly string[], unread: Unread[]): Generator<string> {
  for (const path of paths) {
    let entries: Dirent[];
    try {
      const state = lstatSync(path);
      if (state.isFile()) yield path;
      if (!state.isDirectory()) continue;
      entries = readdirSync(path, { withFileTypes: true });
    } catch (error) {
      unread.push({ path, why: (error as Error).message });
      continue;
    }
    const names = entries.filter((entry) => entry.isFile() || entry.isDirectory()).map(({ name }) => join(path, name));
    yield* filesOf(names.sort(), unread);
  }
}

/** Reads a file in pieces that overlap; answers its length. */
async function scanFile(path: string, options: PanScanOptions, found: (finding: FileFinding) => void): Promise<number> {
  const file = await open(path, 'r');
  try {
    const buffer = new Uint8Array(PIECE_BYTES);
    let kept = 0;
    let start = 0;
    let line = 1;
    let told = -1;
    for (;;) {
      const { bytesRead } = await file.read(buffer, kept, PIECE_BYTES - kept, null);
      const piece = buffer.subarray(0, kept + bytesRead);
      const isLast = bytesRead === 0;
      // What begins in the overlap may go on behind it: the next piece has it whole.
      const until = isLast ? piece.length : Math.max(0, piece.length - PAN_SCAN_OVERLAP);
      const places = new Lines(piece, line);
      for (const { offset, encoding, pan } of findPans(piece, options)) {
        if (offset >= until || start + offset <= told) continue;
        found({ path, offset: start + offset, line: places.at(offset), encoding, number: maskPan(pan) });
      }
      told = start + until - 1;
      if (isLast) return start + piece.length;
      // One overlap more than is looked at again, so that a number keeps what stands before it.
      const from = Math.max(0, until - PAN_SCAN_OVERLAP);
      line = new Lines(piece, line).at(from);
      start += from;
      kept = piece.length - from;
      buffer.copyWithin(0, from, piece.length);
    }
  } finally {
    await file.close();
  }
}

/** Lines of a piece, counted forwards. */
class Lines {
  readonly #bytes: Uint8Array;
  #line: number;
  #at = 0;

  constructor(bytes: Uint8Array, line: number) {
    this.#bytes = bytes;
    this.#line = line;
  }

  at(offset: number): number {
    if (offset < this.#at) throw new RangeError('lines are counted forwards');
    for (; this.#at < offset; this.#at++) if (this.#bytes[this.#at] === NEWLINE) this.#line++;
    return this.#line;
  }
}
