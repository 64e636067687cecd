/**
 * The reading end of the journal: heads, point reads by (shard, sequence), and forward scans that verify everything they
 * pass. It joins all lane folders by sequence, works in any thread, and beside a writer in another process.
 *
 * It holds no snapshot between calls, so every call sees the newest commits and never keeps a writer from reusing pages.
 */
import { basename } from 'node:path';
import { MessageEvent, type PlainEvent } from '../domain/events.js';
import { HoldfastError } from '../errors.js';
import { READER_FRAMES_KEPT } from '../limits.js';
import type { Store } from '../store/port.js';
import { type Anchor, recordDropped } from './anchor.js';
import { Environments, type FoundFrame, type LaneFolders } from './environments.js';
import { type FrameHeader, frameHash } from './frame.js';
import { FrameCursor } from './frame-cursor.js';
import type { FolderExtent } from './retention-plan.js';
import { JournalScan } from './scan.js';
import type { ShardHead } from './types.js';

const NO_HASH = new Uint8Array(32);

export interface JournalReaderOptions {
  /** For tools beside a running server. Never within the process that writes: it would inherit the mode. */
  readOnly?: boolean;
  /** Folders with exported parts: with all of them the journal begins at its first record again. */
  exported?: readonly string[];
}

/** Takes one record: exactly one of `message` and `event` is there. False ends the visits. */
export type RecordVisitor = (
  sequence: number,
  message: MessageEvent | undefined,
  event: PlainEvent | undefined,
) => boolean;

/** The head of a shard that has no frames. */
export function emptyHead(shard: number): ShardHead {
  return { shard, epoch: 1, sequence: 0, hash: NO_HASH, digest: { high: 0, low: 0 } };
}

export class JournalReader {
  readonly #environments: Environments;
  /** Frames of recent point reads, newest first. */
  readonly #kept: FrameCursor[] = [];
  readonly #scratch = new MessageEvent();

  private constructor(environments: Environments) {
    this.#environments = environments;
  }

  /** Opens every lane folder of the journal. @throws HoldfastError `store_truncated`, `data_dir_unusable`. */
  static open(journalDir: string, options: JournalReaderOptions = {}): JournalReader {
    return new JournalReader(Environments.ofFolder(journalDir, options.readOnly === true, options.exported));
  }

  /** Reads lane folders that are not on a disk: a simulator's. */
  static of(folders: LaneFolders): JournalReader {
    return new JournalReader(Environments.of(folders));
  }

  /** Reads one store that holds frames (system journal, tests). `close` closes the store. */
  static ofStore(store: Store, path: string): JournalReader {
    return new JournalReader(Environments.ofStore(store, path));
  }

  /** Where the journal begins; undefined when it begins with the first record of every shard. */
  get anchor(): Anchor | undefined {
    return this.#environments.anchor;
  }

  /** The anchor of the directory, which a reader with exported folders passes on its way. */
  get passedAnchor(): Anchor | undefined {
    return this.#environments.passedAnchor;
  }

  /** Last sequence of the shard that was dropped; 0 when its first record is there. */
  floor(shard: number): number {
    return this.#environments.anchor?.floor(shard) ?? 0;
  }

  /** Finds lane folders that appeared since, and lets go of those that were dropped. Also done by itself when a sequence is not found. */
  refresh(): void {
    this.#environments.rescan();
  }

  /**
   * Where each shard's chain ends, for shards 0 to `shards` - 1.
   * @throws HoldfastError `frame_corrupt` when a last frame is damaged.
   */
  heads(shards: number): ShardHead[] {
    this.#environments.rescan();
    const heads = Array.from({ length: shards }, (_, shard) => this.#head(shard));
    this.#environments.refresh();
    return heads;
  }

  /** The lane folders that are there, with what is in them. */
  folders(): (FolderExtent & { readonly path: string })[] {
    this.#environments.rescan();
    return this.#environments.list.map((environment) => {
      const { path, frozen: closed } = environment;
      return { path, name: basename(path), closed, ...environment.extent() };
    });
  }

  /** Where one shard's chain ends (the system journal has shard SYSTEM_SHARD). */
  head(shard: number): ShardHead {
    this.#environments.rescan();
    const head = this.#head(shard);
    this.#environments.refresh();
    return head;
  }

  #head(shard: number): ShardHead {
    const found = this.#environments.last(shard);
    if (found === undefined) return this.#environments.anchor?.head(shard) ?? emptyHead(shard);
    const cursor = this.#check(found, shard);
    const { epoch, lastSequence, digestHigh, digestLow, wallMs, windowLagS } = cursor.header;
    const hash = frameHash(cursor.bytes);
    const digest = { high: digestHigh, low: digestLow };
    return { shard, epoch, sequence: lastSequence, hash, digest, wallMs, windowLagS };
  }

  #check(found: FoundFrame, shard: number): FrameCursor {
    const cursor = new FrameCursor();
    cursor.open(found.bytes.slice(), shard, found.firstSequence, found.environment.path);
    return cursor;
  }

  /**
   * Fills `into` with the message event at the sequence. False: the record is no message event. The texts point into a
   * frame that stays valid as long as `into` refers to it; read into an instance of your own, never into the live input.
   * @throws HoldfastError `record_unreadable` when the sequence is not in the journal, `record_dropped` when it is not there any
   * more, `frame_corrupt`.
   */
  readMessage(shard: number, sequence: number, into: MessageEvent): boolean {
    return this.#cursorAt(shard, sequence).next(into);
  }

  /** The plain event at the sequence; undefined when the record is a message event. Errors as `readMessage`. */
  readEvent(shard: number, sequence: number): PlainEvent | undefined {
    const cursor = this.#cursorAt(shard, sequence);
    return cursor.next(this.#scratch) ? undefined : cursor.plain;
  }

  /** Epoch of the frame that holds the sequence. Errors as `readMessage`. */
  epochOf(shard: number, sequence: number): number {
    return this.#cursorAt(shard, sequence).header.epoch;
  }

  /**
   * Visits the records from the sequence on, to the end of the frame that holds it at most, until the visitor returns false.
   * A message is in `message`, whose contents are those of the record during the visit only; any other event is in `event`.
   * Errors as `readMessage`.
   */
  run(shard: number, sequence: number, visit: RecordVisitor): void {
    const cursor = this.#cursorAt(shard, sequence);
    const message = this.#scratch;
    while (cursor.more) {
      const at = cursor.sequence;
      const isMessage = cursor.next(message);
      if (visit(at, isMessage ? message : undefined, isMessage ? undefined : cursor.plain) === false) return;
    }
  }

  #cursorAt(shard: number, sequence: number): FrameCursor {
    const kept = this.#kept;
    for (let i = 0; i < kept.length; i++) {
      const cursor = kept[i]!;
      const { header } = cursor;
      if (header.shard !== shard || sequence < header.firstSequence || sequence > header.lastSequence) continue;
      if (i > 0) {
        kept.splice(i, 1);
        kept.unshift(cursor);
      }
      cursor.seek(sequence);
      return cursor;
    }
    const cursor = this.#check(this.#find(shard, sequence), shard);
    this.#environments.refresh();
    kept.unshift(cursor);
    if (kept.length > READER_FRAMES_KEPT) kept.pop();
    cursor.seek(sequence);
    return cursor;
  }

  #find(shard: number, sequence: number): FoundFrame {
    this.#assertKept(shard, sequence);
    let found = this.#environments.holding(shard, sequence);
    if (found === undefined) {
      this.#environments.rescan();
      this.#assertKept(shard, sequence);
      found = this.#environments.holding(shard, sequence);
    }
    if (found === undefined)
      throw new HoldfastError(
        'record_unreadable',
        `shard ${shard} sequence ${sequence} is not in the journal`,
        'run verify',
      );
    return found;
  }

  #assertKept(shard: number, sequence: number): void {
    const { anchor } = this.#environments;
    if (anchor !== undefined && sequence <= anchor.floor(shard)) throw recordDropped(shard, sequence, anchor);
  }

  /**
   * Visits the raw frames of a shard in order, from the one that holds `fromSequence`, verified as in a scan. The visitor
   * ends it with false. Header and bytes are valid during the visit.
   */
  frames(
    shard: number,
    fromSequence: number,
    visit: (header: FrameHeader, bytes: Uint8Array) => boolean | undefined,
  ): void {
    const scan = this.scan(shard, fromSequence);
    while (scan.nextFrame()) {
      if (visit(scan.cursor.header, scan.cursor.bytes) === false) return;
    }
  }

  /**
   * A scan of the shard's records from `fromSequence` to the newest commit. The beginning is `floor(shard) + 1`: what is below
   * it is `record_dropped`.
   */
  scan(shard: number, fromSequence: number): JournalScan {
    return new JournalScan(this.#environments, shard, fromSequence);
  }

  /**
   * No row lies where nobody looks for it: every key is that of a commit behind the one before, and of a shard that its frame names.
   * @throws HoldfastError `frame_corrupt`
   */
  assertEveryRowIsRead(shards: number): void {
    for (const environment of this.#environments.list) environment.assertRowsInPlace(shards);
    this.#environments.refresh();
  }

  async close(): Promise<void> {
    this.#kept.length = 0;
    await this.#environments.close();
  }
}
