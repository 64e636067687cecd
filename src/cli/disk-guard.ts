/**
 * Watches the free space of the data directory. Below the reserve new work is answered 91 and readiness is red, long before
 * a commit could fail for lack of space (which would stop the process); above it plus a margin, service goes on.
 *
 * The ballast is a file of real blocks inside the reserve: an operator, or the engine when the disk is full to the last
 * block in spite of the reserve, deletes it to get room for what is in flight.
 */
import { closeSync, existsSync, openSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BALLAST_BYTES, DISK_MARGIN_BYTES_MAX, DISK_POLL_MS } from '../limits.js';
import type { Log } from '../log.js';
import type { ControlBlock } from '../ring/control-block.js';

const CHUNK = 1024 * 1024;

export class DiskGuard {
  readonly #root: string;
  readonly #reserveBytes: number;
  readonly #control: ControlBlock;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;

  constructor(root: string, reserveBytes: number, control: ControlBlock, log: Log) {
    this.#root = root;
    this.#reserveBytes = reserveBytes;
    this.#control = control;
    this.#log = log;
  }

  /** Looks once, writes the ballast when there is room for it, and keeps looking. */
  start(): void {
    this.#look();
    if (!this.#control.refuse) this.#writeBallast();
    this.#timer = setInterval(() => this.#look(), DISK_POLL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Free space above the reserve at which service goes on: enough not to flap. */
  get #marginBytes(): number {
    return Math.min(this.#reserveBytes / 10, DISK_MARGIN_BYTES_MAX);
  }

  #freeBytes(): number {
    const stat = statfsSync(this.#root);
    return stat.bavail * stat.bsize;
  }

  #look(): void {
    try {
      this.#decide(this.#freeBytes());
    } catch (error) {
      // A disk that cannot be asked or written does not end the process here: a commit that fails does.
      this.#log.error({ error: (error as Error).message }, 'the free space of the data directory cannot be watched');
    }
  }

  #decide(free: number): void {
    const refuse = this.#control.refuse;
    // Nearly nothing left: the ballast makes room for what is in flight.
    if (free < BALLAST_BYTES) this.#dropBallast();
    if (!refuse && free < this.#reserveBytes) {
      this.#control.refuse = true;
      this.#log.error(
        { free_bytes: free, reserve_bytes: this.#reserveBytes },
        'disk space below the reserve: new work is answered 91; free space or enlarge the volume',
      );
    } else if (refuse && free >= this.#reserveBytes + this.#marginBytes) {
      this.#control.refuse = false;
      this.#log.info({ free_bytes: free }, 'disk space is back: service goes on');
      this.#writeBallast();
    }
  }

  get #ballast(): string {
    return join(this.#root, 'ballast');
  }

  #writeBallast(): void {
    if (existsSync(this.#ballast) || this.#freeBytes() < this.#reserveBytes + BALLAST_BYTES) return;
    const file = openSync(this.#ballast, 'w', 0o600);
    const chunk = new Uint8Array(CHUNK).fill(0xa5);
    for (let written = 0; written < BALLAST_BYTES; written += CHUNK) writeSync(file, chunk);
    closeSync(file);
  }

  #dropBallast(): void {
    if (!existsSync(this.#ballast)) return;
    unlinkSync(this.#ballast);
    this.#log.warn({ bytes: BALLAST_BYTES }, 'the ballast file was deleted to make room');
  }
}
