/**
 * The writing end of one shard's journal. Events are appended straight into the frame's buffer and get their sequence;
 * `seal` closes the frame, links it to the previous one and hands it out for a lane. One buffer per shard is reused, so the
 * bytes of a sealed frame are valid until the next append: a lane takes them inside its own `append`.
 *
 *   appendMessage, appendEvent ... -> seal -> lane.append([...]) -> appendMessage ...
 */
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { assert } from '../errors.js';
import { FRAME_BYTES_MAX, FRAME_SEAL_BYTES } from '../limits.js';
import {
  FRAME_CHECKSUM_BYTES,
  FRAME_HEADER_BYTES,
  type FrameFields,
  finishFrame,
  frameHash,
  RECORD_PREFIX_BYTES,
} from './frame.js';
import { FrameTail } from './frame-tail.js';
import { writeMessage } from './message-record.js';
import { MsgpackReader, MsgpackWriter } from './msgpack.js';
import { writePlain } from './plain-writer.js';
import { RecordReader } from './records.js';
import type { Digest, SealedFrame, ShardHead } from './types.js';

const INITIAL_BYTES = 64 * 1024;

export class ShardJournal {
  readonly shard: number;
  /** Last assigned sequence; 0 for an empty shard. */
  sequence: number;
  /** Plain event that `readRecent` found; undefined after a message event. */
  recent: PlainEvent | undefined;
  readonly #out = new MsgpackWriter(INITIAL_BYTES);
  readonly #fields: FrameFields;
  readonly #records = new RecordReader(new MsgpackReader());
  readonly #tail = new FrameTail();
  #count = 0;
  /** End of the last whole record. */
  #filled = FRAME_HEADER_BYTES;

  /** Continues behind `head` (JournalReader.heads). */
  constructor(shard: number, head: ShardHead) {
    assert(head.shard === shard, `head of shard ${head.shard} given to shard ${shard}`);
    this.shard = shard;
    this.sequence = head.sequence;
    this.#fields = {
      shard,
      epoch: head.epoch,
      count: 0,
      firstSequence: 0,
      lastSequence: 0,
      wallMs: 0,
      windowLagS: 0,
      previousHash: head.hash,
      digestHigh: head.digest.high,
      digestLow: head.digest.low,
    };
    this.#out.at = FRAME_HEADER_BYTES;
  }

  /** Records appended since the last seal. */
  get pending(): number {
    return this.#count;
  }

  /** True when the frame should be sealed and committed before more is appended (imports). */
  get full(): boolean {
    return this.#filled >= FRAME_SEAL_BYTES;
  }

  /** SHA-256 of the last sealed frame, 32 bytes; zeros when there is none. */
  get hash(): Uint8Array {
    return this.#fields.previousHash;
  }

  /** Appends the event, assigns its sequence and returns it. No allocation. */
  appendMessage(event: MessageEvent): number {
    const start = this.#begin();
    writeMessage(this.#out, event);
    this.#end(start);
    event.sequence = ++this.sequence;
    return this.sequence;
  }

  /** Appends a plain event, assigns its sequence and returns it. */
  appendEvent(event: PlainEvent): number {
    const start = this.#begin();
    writePlain(this.#out, event);
    this.#end(start);
    event.sequence = ++this.sequence;
    return this.sequence;
  }

  /** Appends a record that is already encoded (system journal). */
  appendRaw(record: Uint8Array): number {
    const start = this.#begin();
    this.#out.reserve(record.length);
    this.#out.bytes.set(record, this.#out.at);
    this.#out.at += record.length;
    this.#end(start);
    return ++this.sequence;
  }

  /** True while the record at the sequence is appended but not sealed. */
  isPending(sequence: number): boolean {
    return sequence > this.sequence - this.#count && sequence <= this.sequence;
  }

  /**
   * Reads a pending record. A message event goes into `into`, whose texts point into the frame's buffer until the next
   * append; anything else is returned.
   */
  readPending(sequence: number, into: MessageEvent): PlainEvent | undefined {
    assert(this.isPending(sequence), `record ${sequence} of shard ${this.shard} is pending`);
    const { bytes, view } = this.#out;
    let at = FRAME_HEADER_BYTES;
    for (let one = this.sequence - this.#count + 1; one < sequence; one++)
      at += RECORD_PREFIX_BYTES + view.getUint32(at);
    const start = at + RECORD_PREFIX_BYTES;
    this.#records.reader.point(bytes, start, start + view.getUint32(at));
    return this.#records.read(sequence, into) ? undefined : this.#records.plain!;
  }

  /**
   * Reads a record that was sealed a short while ago, as `readPending` does; false when it is not in memory any more.
   * Then `recent` is the plain event, undefined for a message event.
   */
  readRecent(sequence: number, into: MessageEvent): boolean {
    const tail = this.#tail;
    if (!tail.locate(sequence)) return false;
    this.#records.reader.point(tail.bytes, tail.start, tail.end);
    this.recent = this.#records.read(sequence, into) ? undefined : this.#records.plain!;
    return true;
  }

  /** Start of the record's length prefix. What a record that threw half-way left behind is overwritten from here. */
  #begin(): number {
    const out = this.#out;
    out.at = this.#filled;
    out.reserve(RECORD_PREFIX_BYTES);
    out.at += RECORD_PREFIX_BYTES;
    return this.#filled;
  }

  #end(start: number): void {
    const out = this.#out;
    out.reserve(FRAME_CHECKSUM_BYTES);
    assert(out.at + FRAME_CHECKSUM_BYTES <= FRAME_BYTES_MAX, 'a frame fits FRAME_BYTES_MAX: seal when `full`');
    out.view.setUint32(start, out.at - start - RECORD_PREFIX_BYTES);
    this.#filled = out.at;
    this.#count++;
  }

  /**
   * Closes the frame. `wallMs`: wall clock, ms since 1970 UTC. `digest`: of the state after the last appended record.
   * `windowLagMs`: how far behind it velocity windows count. The bytes are valid until the next append.
   */
  seal(wallMs: number, digest: Digest, windowLagMs = 0): SealedFrame {
    assert(this.#count > 0, 'an empty frame is never sealed');
    const fields = this.#fields;
    fields.count = this.#count;
    fields.firstSequence = this.sequence - this.#count + 1;
    fields.lastSequence = this.sequence;
    fields.wallMs = wallMs;
    fields.windowLagS = Math.floor(windowLagMs / 1000);
    fields.digestHigh = digest.high >>> 0;
    fields.digestLow = digest.low >>> 0;
    const out = this.#out;
    const length = finishFrame(out.bytes, out.view, this.#filled - FRAME_HEADER_BYTES, fields);
    const bytes = out.bytes.subarray(0, length);
    fields.previousHash = frameHash(bytes);
    this.#tail.add(fields.firstSequence, fields.lastSequence, out.bytes, FRAME_HEADER_BYTES, this.#filled);
    this.#count = 0;
    this.#filled = FRAME_HEADER_BYTES;
    out.at = FRAME_HEADER_BYTES;
    return { shard: this.shard, firstSequence: fields.firstSequence, lastSequence: fields.lastSequence, bytes };
  }
}
