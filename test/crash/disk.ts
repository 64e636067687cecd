/**
 * The preloaded disk of shim.c, from the side of the tests: built once per test file, controlled while the server runs.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Words of the control file, in the order of shim.c. */
const words = [
  'syncDelayMs',
  'dsyncDelayMs',
  'syncFail',
  'dsyncFail',
  'syncs',
  'dsyncs',
  'syncsFailed',
  'dsyncsFailed',
  'operations',
  'killAt',
  'writeFail',
  'writesFailed',
  'writeDelayMs',
] as const;
type Word = (typeof words)[number];

/** Values of `dsyncFail`: the write fails and nothing of it is there; it fails although all of it is there. */
export const DSYNC_LOST = 1;
export const DSYNC_WRITTEN = 2;

/** Why the shim cannot be used here; undefined when it can. */
export function whyNoShim(): string | undefined {
  if (process.platform !== 'linux') return 'LD_PRELOAD needs Linux';
  return compiler() === undefined ? 'no C compiler (cc, gcc or clang)' : undefined;
}

function compiler(): string | undefined {
  return ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
}

/** Compiles the shim into the folder and returns its path. */
export function buildShim(folder: string): string {
  const source = fileURLToPath(new URL('./shim.c', import.meta.url));
  const target = join(folder, 'shim.so');
  if (existsSync(target)) return target;
  const args = ['-shared', '-fPIC', '-O1', '-o', target, source, '-ldl', '-pthread'];
  const { status, stderr } = spawnSync(compiler()!, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`shim.c does not compile: ${stderr}`);
  return target;
}

/** One completed sync or synchronous write, as the shim saw it. Times: ns of the monotonic clock. */
export interface TraceLine {
  readonly kind: 'sync' | 'dsync';
  readonly began: bigint;
  readonly ended: bigint;
  readonly result: number;
  readonly path: string;
}

/** A controlled disk for one server process. */
export class Disk {
  readonly environment: Record<string, string>;
  readonly undoPath: string;
  readonly #controlPath: string;
  readonly #tracePath: string;

  /** `match`: only files whose path contains it. `undo`: keep the log that undo.ts applies. */
  constructor(folder: string, name: string, match: string, undo = false) {
    this.#controlPath = join(folder, `${name}.control`);
    this.#tracePath = join(folder, `${name}.trace`);
    this.undoPath = join(folder, `${name}.undo`);
    writeFileSync(this.#controlPath, Buffer.alloc(words.length * 8));
    this.environment = {
      LD_PRELOAD: buildShim(folder),
      CRASH_DISK_MATCH: match,
      CRASH_DISK_CONTROL: this.#controlPath,
      CRASH_DISK_TRACE: this.#tracePath,
      ...(undo ? { CRASH_DISK_UNDO: this.undoPath } : {}),
    };
  }

  set(word: Word, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    const file = openSync(this.#controlPath, 'r+');
    writeSync(file, bytes, 0, 8, words.indexOf(word) * 8);
    closeSync(file);
  }

  get(word: Word): number {
    const bytes = Buffer.alloc(8);
    const file = openSync(this.#controlPath, 'r');
    readSync(file, bytes, 0, 8, words.indexOf(word) * 8);
    closeSync(file);
    return Number(bytes.readBigInt64LE());
  }

  trace(): TraceLine[] {
    const lines = readFileSync(this.#tracePath, 'utf8').trimEnd().split('\n');
    return lines.map((line) => {
      const [kind, began, ended, result, path] = line.split(' ') as [TraceLine['kind'], string, string, string, string];
      return { kind, began: BigInt(began), ended: BigInt(ended), result: Number(result), path };
    });
  }
}
