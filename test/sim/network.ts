/**
 * The network between the peers and a simulated engine: streams of bytes that keep their order, arrive late, in pieces of any size,
 * and break off anywhere. The engine's end is as much of a `net.Socket` as its TCP connections use.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

export interface NetworkFaults {
  /** Typical delay of a piece, us. */
  delayUs: number;
  /** Share of writes that arrive in several pieces. */
  split: number;
  /** Share of writes of a peer that are cut off by a reset, somewhere in their bytes. */
  reset: number;
}

/** The peer's end of a stream. */
export interface PeerEnd {
  onBytes: (bytes: Uint8Array) => void;
  /** The engine has closed, or the stream broke. */
  onClose: () => void;
}

/** The engine's end. Events are those of `net.Socket`, and like those they never come while a call is under way. */
export class SimSocket extends EventEmitter {
  writable = true;
  destroyed = false;
  bytesWritten = 0;
  writableLength = 0;
  #paused = false;
  readonly #held: Uint8Array[] = [];
  readonly #stream: SimStream;

  constructor(stream: SimStream) {
    super();
    this.#stream = stream;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.writable) return false;
    this.bytesWritten += bytes.length;
    this.#stream.toPeer(bytes);
    return true;
  }

  isPaused(): boolean {
    return this.#paused;
  }

  pause(): this {
    this.#paused = true;
    return this;
  }

  resume(): this {
    this.#paused = false;
    for (const bytes of this.#held.splice(0)) this.emit('data', bytes);
    return this;
  }

  take(bytes: Uint8Array): void {
    if (this.destroyed) return;
    if (this.#paused) this.#held.push(bytes);
    else this.emit('data', Buffer.from(bytes));
  }

  end(): this {
    this.writable = false;
    this.#stream.endedByEngine();
    return this;
  }

  destroySoon(): void {
    this.end();
    this.destroy();
  }

  destroy(): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.writable = false;
    this.#stream.endedByEngine();
    this.#stream.later(0, () => this.emit('close'));
    return this;
  }

  /** The peer has closed its end. */
  finished(): void {
    if (this.destroyed) return;
    this.emit('end');
  }

  broke(): void {
    if (this.destroyed) return;
    this.writable = false;
    this.emit('error', Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    this.destroy();
  }

  /** What the TCP connections of the engine are given. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }
}

export class SimStream {
  readonly id: number;
  readonly socket: SimSocket;
  peer: PeerEnd = { onBytes: () => undefined, onClose: () => undefined };
  isOpen = true;
  /** Bytes that the engine handed over, before anything happens to them on their way. */
  onEngineWrite: (bytes: Uint8Array) => void = () => undefined;
  /** All of these bytes reached the engine's socket. */
  onEngineRead: (bytes: Uint8Array) => void = () => undefined;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #faults: NetworkFaults;
  readonly #count: (fault: string) => void;
  #isCut = false;
  /** When the last piece of each direction arrives, us: nothing overtakes it. */
  #toEngineUs = 0;
  #toPeerUs = 0;

  constructor(id: number, scheduler: Scheduler, random: Random, faults: NetworkFaults, count: (fault: string) => void) {
    this.id = id;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#faults = faults;
    this.#count = count;
    this.socket = new SimSocket(this);
  }

  later(us: number, call: () => void): void {
    this.#scheduler.after(us, call);
  }

  /** The peer writes. False when the stream breaks off in these bytes: a part of them may have arrived. */
  toEngine(bytes: Uint8Array): boolean {
    // A stream that broke off in the middle of a frame takes nothing any more.
    if (!this.isOpen || this.#isCut) return false;
    const random = this.#random;
    const cut = random.chance(this.#faults.reset) ? random.int(0, bytes.length - 1) : bytes.length;
    let from = 0;
    while (from < cut) {
      const to = random.chance(this.#faults.split) ? random.int(from + 1, cut) : cut;
      if (to < cut) this.#count('split frame');
      const piece = bytes.subarray(from, to);
      this.#toEngineUs = this.#arrival(this.#toEngineUs);
      this.#scheduler.at(this.#toEngineUs, () => {
        if (!this.isOpen) return;
        this.onEngineRead(piece);
        this.socket.take(piece);
      });
      from = to;
    }
    if (cut === bytes.length) return true;
    this.#isCut = true;
    this.#count('reset within a frame');
    this.break(this.#arrival(this.#toEngineUs));
    return false;
  }

  #arrival(afterUs: number): number {
    return Math.max(afterUs, this.#scheduler.nowUs + this.#random.latency(this.#faults.delayUs));
  }

  toPeer(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.onEngineWrite(copy);
    this.#toPeerUs = this.#arrival(this.#toPeerUs);
    this.#scheduler.at(this.#toPeerUs, () => {
      if (this.isOpen) this.peer.onBytes(copy);
    });
  }

  /** Both ends learn of it at this time; what is on its way is lost. */
  break(atUs = this.#scheduler.nowUs): void {
    this.#scheduler.at(atUs, () => {
      if (!this.isOpen) return;
      this.isOpen = false;
      this.socket.broke();
      this.peer.onClose();
    });
  }

  /** The peer closes in order, behind what it has sent. */
  close(): void {
    this.#toEngineUs = this.#arrival(this.#toEngineUs);
    this.#scheduler.at(this.#toEngineUs, () => this.socket.finished());
  }

  endedByEngine(): void {
    this.#toPeerUs = this.#arrival(this.#toPeerUs);
    this.#scheduler.at(this.#toPeerUs, () => {
      if (!this.isOpen) return;
      this.isOpen = false;
      this.peer.onClose();
    });
  }

  /** The engine's machine is gone: nothing more leaves it, and the peer finds out in time. */
  vanish(): void {
    this.socket.removeAllListeners();
    this.socket.on('error', () => undefined);
    this.socket.destroyed = true;
    this.socket.writable = false;
    this.endedByEngine();
  }
}
