/**
 * A forward scan over one shard: every frame is checked for its checksum, shard and sequence, for continuity and for the
 * hash of its predecessor; only then its records are handed out. It goes in steps, so that a recovery can share a thread,
 * and can be stepped again later to follow a writer.
 */
import { MessageEvent, type PlainEvent } from '../domain/events.js';
import { assert } from '../errors.js';
import { recordDropped } from './anchor.js';
import type { Environments, FoundFrame } from './environments.js';
import { type FrameHeader, frameHash } from './frame.js';
import { broken, corrupt, FrameCursor } from './frame-cursor.js';
import type { ShardHead } from './types.js';

export class JournalScan {
  onMessage: (event: MessageEvent) => void = () => undefined;
  onEvent: (event: PlainEvent) => void = () => undefined;
  /** After the last record of a frame: its header carries the digest the state must have now. */
  onFrame: (header: FrameHeader) => void = () => undefined;
  /** Records handed out so far. */
  records = 0;
  readonly shard: number;
  readonly cursor = new FrameCursor();
  readonly #environments: Environments;
  readonly #message = new MessageEvent();
  readonly #from: number;
  /** Sequence that the next frame must begin with; 0 before the first frame. */
  #expected = 0;
  #previousHash: Uint8Array | undefined;
  #epoch = 0;
  /** Head of the dropped part, where the scan began behind it. */
  #dropped: ShardHead | undefined;
  #buffer = new Uint8Array(64 * 1024);

  constructor(environments: Environments, shard: number, fromSequence: number) {
    assert(Number.isSafeInteger(fromSequence) && fromSequence >= 1, 'a scan begins at a sequence from 1');
    this.#environments = environments;
    this.shard = shard;
    this.#from = fromSequence;
  }

  /**
   * Hands out whole frames until at least `maxRecords` records went by. False: the end was reached (a later call goes on
   * when more was committed).
   * @throws HoldfastError `frame_corrupt`, `chain_broken`, `record_unreadable`, each naming shard, sequence and folder;
   * `record_dropped` when the first record that was asked for is not there any more.
   */
  step(maxRecords: number): boolean {
    let left = maxRecords;
    while (left > 0) {
      if (!this.nextFrame()) return false;
      const cursor = this.cursor;
      if (cursor.sequence < this.#from) cursor.seek(this.#from);
      const message = this.#message;
      while (cursor.more) {
        if (cursor.next(message)) this.onMessage(message);
        else this.onEvent(cursor.plain);
        this.records++;
        left--;
      }
      this.onFrame(cursor.header);
    }
    return true;
  }

  /** Moves the cursor to the next verified frame; false at the end. */
  nextFrame(): boolean {
    const found = this.#expected === 0 ? this.#first() : this.#next();
    if (found === undefined) {
      this.#environments.refresh();
      return false;
    }
    this.#take(found);
    const { header, bytes, path } = this.cursor;
    const at = header.firstSequence;
    if (this.#previousHash !== undefined && !equal(this.#previousHash, header.previousHash))
      throw broken(this.shard, at, path, 'the hash of the previous frame is another one');
    if (header.epoch < this.#epoch)
      throw broken(this.shard, at, path, `epoch ${header.epoch} comes after ${this.#epoch}`);
    this.#epoch = header.epoch;
    this.#previousHash = frameHash(bytes);
    this.#expected = header.lastSequence + 1;
    return true;
  }

  /** Copies the frame out of the store's buffer, which the next read would overwrite, and checks it. */
  #take(found: FoundFrame): void {
    const length = found.bytes.length;
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length * 2);
    this.#buffer.set(found.bytes);
    const { path } = found.environment;
    this.#environments.refresh();
    this.cursor.open(this.#buffer.subarray(0, length), this.shard, found.firstSequence, path);
  }

  #first(): FoundFrame | undefined {
    this.#environments.rescan();
    const { anchor } = this.#environments;
    const dropped = anchor?.head(this.shard);
    if (anchor !== undefined && dropped !== undefined && this.#from <= dropped.sequence)
      throw recordDropped(this.shard, this.#from, anchor);
    if (dropped !== undefined && this.#from === dropped.sequence + 1) {
      this.#expected = this.#from;
      this.#begin(dropped);
      return this.#next();
    }
    if (this.#from === 1) {
      this.#expected = 1;
      this.#previousHash = new Uint8Array(32);
      return this.#next();
    }
    const holding = this.#environments.holding(this.shard, this.#from);
    if (holding !== undefined) {
      const found = { ...holding, bytes: holding.bytes.slice() };
      if (found.firstSequence > 1) this.#checkPredecessor(found.firstSequence - 1);
      else this.#previousHash = new Uint8Array(32);
      return found;
    }
    const last = this.#environments.last(this.shard);
    const end = last === undefined ? 0 : last.lastSequence;
    if (end !== this.#from - 1) throw this.#gap(this.#from, end);
    this.#checkPredecessor(end);
    this.#expected = this.#from;
    return undefined;
  }

  /** Takes the hash of the frame that ends at `sequence`, so that the chain is checked from the first frame on. */
  #checkPredecessor(sequence: number): void {
    const dropped = this.#environments.anchor?.head(this.shard);
    if (dropped?.sequence === sequence) {
      this.#begin(dropped);
      return;
    }
    const found = this.#environments.holding(this.shard, sequence);
    if (found === undefined) throw this.#gap(sequence, 0);
    this.#take({ ...found, bytes: found.bytes.slice() });
    if (this.cursor.header.lastSequence !== sequence)
      throw corrupt(this.shard, found.firstSequence, found.environment.path, 'it overlaps the next frame');
    this.#previousHash = frameHash(this.cursor.bytes);
    this.#epoch = this.cursor.header.epoch;
  }

  /** The chain goes on behind what was dropped. */
  #begin(dropped: ShardHead): void {
    this.#previousHash = dropped.hash;
    this.#epoch = dropped.epoch;
    this.#dropped = dropped;
  }

  #next(): FoundFrame | undefined {
    const found = this.#environments.exact(this.shard, this.#expected);
    if (found !== undefined) return found;
    // Not there: the end, or a hole. Look again with fresh snapshots of all folders before calling it a hole.
    this.#environments.rescan();
    const again = this.#environments.exact(this.shard, this.#expected);
    if (again !== undefined) return again;
    const last = this.#environments.last(this.shard);
    if (last === undefined || last.lastSequence < this.#expected) return undefined;
    // A writer may have committed between the two looks, into a folder whose snapshot was younger.
    this.#environments.refresh();
    const third = this.#environments.exact(this.shard, this.#expected);
    if (third === undefined) throw this.#gap(this.#expected, last.lastSequence);
    return third;
  }

  #gap(sequence: number, last: number): Error {
    return broken(
      this.shard,
      sequence,
      this.#environments.path,
      `that sequence is missing, the last one there is ${last}`,
    );
  }

  /** Where the scan stands: the head of what it has handed out. */
  head(): ShardHead {
    const { header } = this.cursor;
    if (this.#dropped !== undefined && this.#expected === this.#dropped.sequence + 1) return this.#dropped;
    if (this.#expected <= 1)
      return { shard: this.shard, epoch: 1, sequence: 0, hash: new Uint8Array(32), digest: { high: 0, low: 0 } };
    return {
      shard: this.shard,
      epoch: header.epoch,
      sequence: this.#expected - 1,
      hash: this.#previousHash!,
      digest: { high: header.digestHigh, low: header.digestLow },
    };
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
