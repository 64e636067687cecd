/**
 * Where finished log lines go: stderr, without ever waiting for whoever reads it. A pipe that nobody reads is full after 64 KiB,
 * and a write to it would stop the event loop that serves the API or the links until somebody does.
 *
 *   write(line) --> room in the pipe: written at once
 *               \-> none: kept, tried again every LOG_RETRY_MS;  buffer full: dropped and counted
 *
 * There is one sink per process, in the main thread: two writers would tear each other's lines apart. Other threads send it
 * their lines. A regular file never says that it is full; a write to it waits for the file system, as it always did.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { LOG_BUFFER_BYTES, LOG_FATAL_BYTES, LOG_FLUSH_MS, LOG_RETRY_MS } from './limits.js';

/**
 * Writes bytes and answers how many it took; throws EAGAIN when there is no room, anything else when there is no reader.
 */
export type WriteBytes = (bytes: Uint8Array) => number;

const STDERR = 2;
const FLUSH_PAUSE_MS = 5;
const pause = new Int32Array(new SharedArrayBuffer(4));

export class LogSink {
  readonly #write: WriteBytes;
  /** Lines that wait, oldest first; of the first one only what is not written yet. */
  readonly #waiting: Buffer[] = [];
  #bytes = 0;
  #dropped = 0;
  #untold = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Called with the number of lines dropped since the last call once there is room again. It may write. */
  onDropped: (lines: number) => void = () => undefined;

  constructor(write: WriteBytes) {
    this.#write = write;
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a line with its end. `fatal`: it has room of its own, and the call waits up to `LOG_FLUSH_MS` for it to be written. */
  write(line: string, fatal = false): void {
    const bytes = Buffer.from(line);
    if (this.#bytes + bytes.length > LOG_BUFFER_BYTES + (fatal ? LOG_FATAL_BYTES : 0)) this.#drop(1);
    else {
      this.#waiting.push(bytes);
      this.#bytes += bytes.length;
    }
    if (fatal) this.flush();
    else if (this.#timer === undefined) this.#drain();
  }

  /** Writes what waits; gives up after `LOG_FLUSH_MS`. For the end of the process: it blocks. */
  flush(): void {
    const until = performance.now() + LOG_FLUSH_MS;
    while (!this.#drain() && performance.now() < until) Atomics.wait(pause, 0, 0, FLUSH_PAUSE_MS);
  }

  /** Writes as much as there is room for; true when nothing is left. */
  #drain(): boolean {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let first = this.#waiting[0];
    while (first !== undefined) {
      const written = this.#tryWrite(first);
      if (written < 0) {
        this.#timer = setTimeout(() => this.#drain(), LOG_RETRY_MS).unref();
        return false;
      }
      this.#bytes -= written;
      if (written === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(written);
      first = this.#waiting[0];
    }
    if (this.#untold > 0) {
      const lines = this.#untold;
      this.#untold = 0;
      this.onDropped(lines);
    }
    return true;
  }

  /** Bytes written; -1 when there is no room. A line that cannot be written at all is dropped whole. */
  #tryWrite(bytes: Buffer): number {
    try {
      return this.#write(bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return -1;
      // Nobody is there to be told.
      this.#dropped++;
      return bytes.length;
    }
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#untold += lines;
  }
}

let shared: LogSink | undefined;

/** The sink of this process. Only for the main thread. */
export function stderrSink(): LogSink {
  if (shared === undefined) {
    const file = openWithoutWaiting();
    const sink = new LogSink((bytes) => writeSync(file, bytes));
    process.on('exit', () => sink.flush());
    shared = sink;
  }
  return shared;
}

/**
 * A descriptor of stderr whose writes do not wait. A pipe and a terminal are opened anew, because the flag belongs to the
 * opened file, which other processes share. A socket cannot be opened anew; libuv sets the flag when it takes it over.
 */
function openWithoutWaiting(): number {
  if (fstatSync(STDERR).isFile()) return STDERR;
  try {
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // The first look at process.stderr makes libuv take it over; without a listener a reader that is gone would end the process.
    process.stderr.on('error', () => undefined);
    return STDERR;
  }
}
