/**
 * Watches the free space of the data directory. Below the reserve new work is answered 91 and readiness is red, long before
 * a commit could fail for lack of space (which would stop the process); above it plus a margin, service goes on.
 *
 *   reserve = the larger of the setting and of what the journal grew in the last minute (at most DISK_RESERVE_RATE_BYTES_MAX)
 *
 * So a busy engine keeps room for another minute like the last one. While work is refused the journal hardly grows: the
 * reserve stays what it was then, or service would come and go while the disk fills up.
 *
 * The ballast is a file of real blocks inside the reserve: an operator, or the engine when the disk is full to the last
 * block in spite of the reserve, deletes it to get room for what is in flight.
 */
import { closeSync, openSync, statfsSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { laneBytes } from '../journal/lane-directory.js';
import {
  BALLAST_BYTES,
  DISK_MARGIN_BYTES_MAX,
  DISK_POLL_MS,
  DISK_RATE_WINDOW_MS,
  DISK_RESERVE_RATE_BYTES_MAX,
} from '../limits.js';
import type { Log } from '../log.js';
import type { ControlBlock } from '../ring/control-block.js';

const CHUNK = 1024 * 1024;

/** Growth of a size over the last minute, from samples of it. */
export class Growth {
  readonly #samples: { atMs: number; bytes: number }[] = [];

  /**
   * Takes the size at a moment and answers how much it grew since the oldest sample that is not more than
   * DISK_RATE_WINDOW_MS old: bytes, 0 when it shrank. Shortly after the start that is less than a minute's growth.
   * @param atMs of a clock that does not go back
   */
  note(bytes: number, atMs: number): number {
    const samples = this.#samples;
    samples.push({ atMs, bytes });
    while (samples[0]!.atMs < atMs - DISK_RATE_WINDOW_MS) samples.shift();
    return Math.max(0, bytes - samples[0]!.bytes);
  }
}

/**
 * Free space below which new work is refused, bytes.
 * @param least the setting `disk-reserve-bytes` @param lastMinuteBytes growth of the journal in the last minute
 */
export function reserveOf(least: number, lastMinuteBytes: number): number {
  return Math.max(least, Math.min(lastMinuteBytes, DISK_RESERVE_RATE_BYTES_MAX));
}

/** Free space above the reserve at which service goes on: enough not to flap. */
export function marginOf(reserve: number): number {
  return Math.min(reserve / 10, DISK_MARGIN_BYTES_MAX);
}

export interface DiskGuardOptions {
  /** The data directory. */
  readonly root: string;
  /** Folder of the journal's lanes. */
  readonly journalDir: string;
  /** The reserve's lower bound, bytes. */
  readonly reserveBytes: number;
  readonly control: ControlBlock;
  readonly log: Log;
  /** What is measured; replaced by tests. */
  readonly measure?: { freeBytes(): number; journalBytes(): number; nowMs(): number };
}

export class DiskGuard {
  readonly #o: DiskGuardOptions;
  readonly #measure: NonNullable<DiskGuardOptions['measure']>;
  readonly #growth = new Growth();
  #reserve: number;
  #free = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DiskGuardOptions) {
    this.#o = options;
    this.#reserve = options.reserveBytes;
    this.#measure = options.measure ?? {
      freeBytes: () => freeBytes(options.root),
      journalBytes: () => laneBytes(options.journalDir),
      nowMs: () => performance.now(),
    };
  }

  /** Free space and reserve as last looked at, bytes. */
  get state(): { freeBytes: number; reserveBytes: number } {
    return { freeBytes: this.#free, reserveBytes: this.#reserve };
  }

  /** Looks once, writes the ballast when there is room for it, and keeps looking. */
  start(): void {
    this.look();
    if (!this.#o.control.refuse) this.#guarded(() => this.#writeBallast());
    this.#timer = setInterval(() => this.look(), DISK_POLL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One look at the disk, and what follows from it. */
  look(): void {
    this.#guarded(() => {
      const grown = this.#growth.note(this.#measure.journalBytes(), this.#measure.nowMs());
      this.#free = this.#measure.freeBytes();
      const reserve = reserveOf(this.#o.reserveBytes, grown);
      this.#reserve = this.#o.control.refuse ? Math.max(this.#reserve, reserve) : reserve;
      this.#decide();
    });
  }

  /** A disk that cannot be asked or written does not end the process here: a commit that fails does. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#o.log.error({ error: (error as Error).message }, 'the free space of the data directory cannot be watched');
    }
  }

  #decide(): void {
    const { control, log } = this.#o;
    const [free, reserve] = [this.#free, this.#reserve];
    // Nearly nothing left: the ballast makes room for what is in flight.
    if (free < BALLAST_BYTES) this.#dropBallast();
    if (!control.refuse && free < reserve) {
      control.refuse = true;
      log.error(
        { free_bytes: free, reserve_bytes: reserve },
        'disk space below the reserve: new work is answered 91; free space or enlarge the volume',
      );
    } else if (control.refuse && free >= reserve + marginOf(reserve)) {
      control.refuse = false;
      log.info({ free_bytes: free, reserve_bytes: reserve }, 'disk space is back: service goes on');
      this.#writeBallast();
    }
  }

  get #ballast(): string {
    return join(this.#o.root, 'ballast');
  }

  /** Bytes of the ballast file; 0 without one. */
  #ballastBytes(): number {
    return statSync(this.#ballast, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Writes the ballast unless it is there and whole, when the reserve is there without it. */
  #writeBallast(): void {
    if (this.#ballastBytes() === BALLAST_BYTES || this.#free < this.#reserve + BALLAST_BYTES) return;
    const file = openSync(this.#ballast, 'w', 0o600);
    try {
      const chunk = new Uint8Array(CHUNK).fill(0xa5);
      for (let written = 0; written < BALLAST_BYTES; written += CHUNK) writeSync(file, chunk);
    } finally {
      closeSync(file);
    }
  }

  #dropBallast(): void {
    if (this.#ballastBytes() === 0) return;
    unlinkSync(this.#ballast);
    this.#o.log.warn({ bytes: BALLAST_BYTES }, 'the ballast file was deleted to make room');
  }
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
