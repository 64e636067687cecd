/**
 * Closes a listening socket whose connections nobody counts before they have taken every file that the process may open. What the
 * library under a listener accepts is not seen until it has spoken; the journal, the API and the background tasks need files, too.
 *
 *   more files open than sockets may be, and what the engine had open at its start -> the port is closed, one line
 *   fewer again                                          -> it is opened, one line
 *
 * Connections that are there live on. While the port is closed others are refused by the system, which costs nothing.
 */
import { readdirSync, statSync } from 'node:fs';
import { ACCEPT_GUARD_FILES, ACCEPT_GUARD_MS } from '../limits.js';
import type { Link } from './link.js';
import type { Timer } from './runtime.js';

const OPEN_FILES = '/proc/self/fd';

/** A port that can be closed and opened again. */
export interface Port {
  close(): void;
  /** Resolves when it listens again; rejects when it cannot: it is tried again. */
  open(): Promise<void>;
}

/** Files that this process has open; undefined where the system does not tell. Linux before 6.2 has no count to ask for. */
export function openFilesNow(): number | undefined {
  try {
    const { size } = statSync(OPEN_FILES);
    return size > 0 ? size : readdirSync(OPEN_FILES).length;
  } catch {
    return undefined;
  }
}

export class AcceptGuard {
  readonly #link: Link;
  readonly #port: Port;
  readonly #files: () => number | undefined;
  /** Open files at which the port is closed. */
  readonly #max: number = Number.POSITIVE_INFINITY;
  readonly #timer: Timer | undefined;
  #closed = false;
  #opening = false;

  constructor(link: Link, port: Port, files = openFilesNow) {
    this.#link = link;
    this.#port = port;
    this.#files = files;
    const own = files();
    if (own === undefined || !Number.isFinite(link.sockets.max)) return;
    this.#max = link.sockets.max + own;
    this.#timer = link.runtime.every(ACCEPT_GUARD_MS, () => this.look());
  }

  look(): void {
    const max = this.#max;
    const files = this.#files();
    if (files === undefined || this.#opening) return;
    if (!this.#closed && files >= max) {
      this.#closed = true;
      this.#port.close();
      this.#link.report(
        'too_many_connections',
        'listener',
        `${files} files are open: the port is closed until there are fewer`,
      );
    } else if (this.#closed && files < max - ACCEPT_GUARD_FILES) this.#open();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #open(): void {
    this.#opening = true;
    this.#port.open().then(
      () => {
        this.#opening = false;
        this.#closed = false;
        this.#link.tellOpen();
      },
      // Its port may be taken by now: tried again at the next look, until somebody frees it.
      () => {
        this.#opening = false;
      },
    );
  }
}
