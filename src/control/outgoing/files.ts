/**
 * Files that go out to a network: chargebacks, and what takes them back.
 *
 *   make      spans of the journals behind the newest file -> records -> bytes -> spool (encrypted, durable)
 *             -> a record of the system journal, with the spans: from here on it is a file
 *   content   that it is handed out is recorded -> the bytes of the spool
 *
 * Which chargeback is in which file is told by the spans alone: the next file begins where the newest ends. Killed before the record
 * there is no file, what lies in the spool is removed at the next start, and the next one has the same chargebacks under the same
 * number. A content that is lost is made again of the same spans, and must have the hash that was recorded.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { EncodingName } from '../../clearing/encoding.js';
import { listDay } from '../../domain/index-keys.js';
import { OUTGOING_LEFT_OUT_SHOWN_MAX, OUTGOING_RECORDS_MAX } from '../../limits.js';
import { readSpool } from '../../vault/spool.js';
import type { SpoolFolder } from '../clearing/spool-folder.js';
import type { ControlContext } from '../context.js';
import { firstFrom, headOf, readRecord } from '../history.js';
import { base32of } from '../idempotency.js';
import { eventId } from '../ids.js';
import { ApiError } from '../problem.js';
import type { OutgoingFileRecord, SystemRecord } from '../system-log.js';
import { type ChargebackEntry, chargebackFile, chargebacksIn, type LeftOut, type Span, toldOf } from './chargebacks.js';

/** What a caller chooses. */
export interface OutgoingWish {
  readonly encoding: EncodingName;
  readonly blocked: boolean;
  /** Whose file it is: 11 digits. */
  readonly processor: string;
}

/** PDS0105 begins with the type of the file. */
const FILE_TYPE = '002';

export class OutgoingFiles {
  readonly #spool: SpoolFolder;

  constructor(spool: SpoolFolder) {
    this.#spool = spool;
  }

  /** Removes from the spool what belongs to no file. */
  start({ system }: Pick<ControlContext, 'system'>): void {
    this.#spool.clean(new Set(system.outgoing.files.map(({ id }) => id)));
  }

  /**
   * Makes the next file. To be called one after the other.
   * @param beside makes what is recorded together with the file
   * @throws ApiError `nothing_to_send`, of a shard that does not answer
   */
  async make(
    context: ControlContext,
    { encoding, blocked, processor }: OutgoingWish,
    beside: (file: OutgoingFileRecord) => SystemRecord[],
  ): Promise<OutgoingFileRecord> {
    const { system, nowMs } = context;
    const number = system.outgoing.files.length + 1;
    const day = listDay(nowMs());
    const date = new Date(nowMs()).toISOString().slice(2, 10).replaceAll('-', '');
    const fileId = `${FILE_TYPE}${date}${processor}${String(number % 100_000).padStart(5, '0')}`;
    const mode = system.programs.every(({ program }) => program.sandbox) ? 'T' : 'P';
    const sinceDay = sinceOf(context);
    const open = openSpans(context);
    const { spans, entries } = cut(open, await chargebacksIn(context, open, sinceDay));
    const options = { encoding, blocked, mode, fileId } as const;
    const { told, leftOut } = await toldOf(context, entries, options);
    if (told.length === 0) throw nothingToSend(context, leftOut);
    const id = `out_${base32of(randomBytes(17))}`;
    const pieces = chargebackFile(told, options);
    const { sha256, bytes } = await this.#spool.take(id, Readable.from(pieces), () => undefined);
    for (const piece of pieces) piece.fill(0);
    const reversals = told.filter(({ takesBack }) => takesBack >= 0).length;
    const file: OutgoingFileRecord = {
      ...{ type: 'outgoing_file', id, number, options, spans, sinceDay, sha256, bytes, leftOut },
      ...{ chargebacks: told.length - reversals, reversals, day, atMs: nowMs() },
    };
    system.write([file, ...beside(file)]);
    return file;
  }

  /**
   * The content of a file, after that it is handed out was recorded.
   * @param token public id of who gets it
   * @throws ApiError `content_lost` when it can neither be read nor be made again
   */
  async content(context: ControlContext, file: OutgoingFileRecord, token: string): Promise<Buffer> {
    const { id } = file;
    const bytes = (await this.#spooled(id)) ?? (await this.#again(context, file));
    if (createHash('sha256').update(bytes).digest('hex') !== file.sha256)
      throw new ApiError('content_lost', 'The content of this file is not there, and what it was made of has changed.');
    context.system.write([{ type: 'outgoing_file_sent', id, token, atMs: context.nowMs() }]);
    return bytes;
  }

  async #spooled(id: string): Promise<Buffer | undefined> {
    if (!(await this.#spool.has(id))) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of readSpool(this.#spool.path(id), this.#spool.keys)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async #again(context: ControlContext, { options, spans, sinceDay }: OutgoingFileRecord): Promise<Buffer> {
    const { told } = await toldOf(context, await chargebacksIn(context, spans, sinceDay), options);
    return Buffer.concat(chargebackFile(told, options));
  }
}

/** What of the journals is in no file yet. */
function openSpans(context: ControlContext): Span[] {
  const { outgoing } = context.system;
  return Array.from({ length: context.shards.shards }, (_, shard) => ({
    ...{ shard, from: outgoing.sentThrough(shard) + 1 },
    to: headOf(context, shard).sequence,
  }));
}

/** A day that nothing in the open spans is older than: clocks of shards may be a little behind. */
function sinceOf(context: ControlContext): number {
  const newest = context.system.outgoing.files.at(-1);
  if (newest !== undefined) return newest.day - 1;
  const days = Array.from({ length: context.shards.shards }, (_, shard) => {
    const { sequence } = headOf(context, shard);
    if (sequence === 0) return listDay(context.nowMs());
    const first = readRecord(context, shard, firstFrom(context, shard, sequence, 0));
    return listDay(first?.timeMs ?? context.nowMs());
  });
  return Math.min(...days);
}

/** As many as one file takes: what is behind the last of them is left to the next. */
function cut(
  spans: readonly Span[],
  entries: readonly ChargebackEntry[],
): { spans: Span[]; entries: ChargebackEntry[] } {
  if (entries.length <= OUTGOING_RECORDS_MAX) return { spans: [...spans], entries: [...entries] };
  const kept = entries.slice(0, OUTGOING_RECORDS_MAX);
  const last = kept.at(-1)!;
  const ends = (span: Span): number =>
    span.shard < last.shard ? span.to : span.shard === last.shard ? last.event.sequence : span.from - 1;
  return { spans: spans.map((span) => ({ ...span, to: ends(span) })), entries: kept };
}

function nothingToSend(context: ControlContext, leftOut: readonly LeftOut[]): ApiError {
  const none = 'There is no chargeback that is in no file yet.';
  if (leftOut.length === 0) return new ApiError('nothing_to_send', none);
  const shown = leftOutObjects(context, leftOut.slice(0, OUTGOING_LEFT_OUT_SHOWN_MAX));
  return new ApiError(
    'nothing_to_send',
    `${none} Another ${leftOut.length} can be in no file of this network: tell it of them by other means.`,
    { members: { left_out: shown } },
  );
}

/** What is left out as the API names it: id of the entry, and why. */
export function leftOutObjects(
  context: ControlContext,
  leftOut: readonly LeftOut[],
): { entry: string; reason: LeftOut['reason'] }[] {
  return leftOut.map(({ shard, sequence, reason }) => ({ entry: eventId(context, 'entry', shard, sequence), reason }));
}
