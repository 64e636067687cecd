/**
 * Walks the records of one frame that was checked by `parseFrame`, and turns a defect into an error that names shard,
 * sequence and file.
 */
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { HoldfastError } from '../errors.js';
import { FRAME_HEADER_BYTES, FrameHeader, parseFrame, RECORD_PREFIX_BYTES } from './frame.js';
import { MsgpackReader } from './msgpack.js';
import { RecordReader } from './records.js';

export class FrameCursor {
  readonly header = new FrameHeader();
  bytes: Uint8Array = new Uint8Array(0);
  path = '';
  /** Sequence of the record that `next` stands at. */
  sequence = 0;
  readonly #records = new RecordReader(new MsgpackReader());
  #view = new DataView(this.bytes.buffer);
  #at = 0;

  /**
   * Checks the frame and stands before its first record. `bytes` must stay as they are while the cursor is in use.
   * @throws HoldfastError `frame_corrupt`.
   */
  open(bytes: Uint8Array, shard: number, firstSequence: number, path: string): void {
    const wrong = parseFrame(bytes, this.header);
    this.path = path;
    if (wrong !== undefined) throw corrupt(shard, firstSequence, path, wrong);
    if (this.header.shard !== shard)
      throw corrupt(shard, firstSequence, path, `it says it belongs to shard ${this.header.shard}`);
    if (this.header.firstSequence !== firstSequence)
      throw corrupt(shard, firstSequence, path, `it says it begins at sequence ${this.header.firstSequence}`);
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.rewind();
  }

  rewind(): void {
    this.#at = FRAME_HEADER_BYTES;
    this.sequence = this.header.firstSequence;
  }

  /** True while there are records. */
  get more(): boolean {
    return this.sequence <= this.header.lastSequence;
  }

  /** Moves to the record at the sequence; it must be in this frame. Forward moves are cheapest. */
  seek(sequence: number): void {
    if (sequence < this.sequence) this.rewind();
    while (this.sequence < sequence) this.skip();
  }

  skip(): void {
    this.#at += RECORD_PREFIX_BYTES + this.#length();
    this.sequence++;
  }

  /** Bytes of the record that the cursor stands at, without prefix. A view. */
  raw(): Uint8Array {
    const start = this.#at + RECORD_PREFIX_BYTES;
    return this.bytes.subarray(start, start + this.#length());
  }

  /**
   * Reads the record and moves on. True: it was a message event and is in `message`, whose texts point into the frame.
   * False: it is in `plain`.
   * @throws HoldfastError `record_unreadable`.
   */
  next(message: MessageEvent): boolean {
    const start = this.#at + RECORD_PREFIX_BYTES;
    const end = start + this.#length();
    try {
      this.#records.reader.point(this.bytes, start, end);
      const isMessage = this.#records.read(this.sequence, message);
      this.#at = end;
      this.sequence++;
      return isMessage;
    } catch (error) {
      throw new HoldfastError(
        'record_unreadable',
        `shard ${this.header.shard} sequence ${this.sequence} in ${this.path}: ${(error as Error).message}`,
        'the record was written by a newer engine or is damaged; start that engine or restore from a backup',
        { cause: error },
      );
    }
  }

  /** The plain event that the last `next` read. */
  get plain(): PlainEvent {
    return this.#records.plain!;
  }

  #length(): number {
    const length = this.#view.getUint32(this.#at);
    if (this.#at + RECORD_PREFIX_BYTES + length > FRAME_HEADER_BYTES + this.header.bodyBytes)
      throw corrupt(this.header.shard, this.sequence, this.path, 'a record reaches beyond the frame');
    return length;
  }
}

export function corrupt(shard: number, sequence: number, path: string, wrong: string): HoldfastError {
  return new HoldfastError(
    'frame_corrupt',
    `the frame at shard ${shard} sequence ${sequence} in ${path} is damaged: ${wrong}`,
    'nothing from this sequence on can be trusted: restore the directory from a backup',
  );
}

export function broken(shard: number, sequence: number, path: string, wrong: string): HoldfastError {
  return new HoldfastError(
    'chain_broken',
    `the chain of shard ${shard} breaks at sequence ${sequence} in ${path}: ${wrong}`,
    'frames were lost or exchanged: restore the directory from a backup',
  );
}
