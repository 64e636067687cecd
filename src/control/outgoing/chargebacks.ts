/** Chargebacks of the journal that a file has to tell the network of, and what of them cannot be told. */
import { type ChargebackOut, chargebackData } from '../../clearing/ipm/chargebacks.js';
import { IpmWriteError } from '../../clearing/ipm/encoder.js';
import { type IpmFileOptions, IpmFileWriter } from '../../clearing/ipm/writer.js';
import { networkOfFormat } from '../../clearing/posting.js';
import { EventKind } from '../../domain/codes.js';
import { onReceivable } from '../../domain/disputes.js';
import type { EntryPosted } from '../../domain/events.js';
import { DayList, listDay } from '../../domain/index-keys.js';
import { Gl } from '../../domain/ledger/chart.js';
import { EntryKind } from '../../domain/ledger/entry-kinds.js';
import { settlementOf } from '../../domain/ledger/sub-account.js';
import { OUTGOING_DAY_MAX } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { readRecord, readUnlessDropped } from '../history.js';
import { ApiError } from '../problem.js';
import { refused } from '../views.js';

/** A part of the journal of a shard, both ends included. */
export interface Span {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

/** Why a chargeback is in no record of the file whose span it is in. */
export type LeftOutReason = 'no_reference' | 'dropped' | 'other_network' | 'no_card' | 'sandbox' | 'not_writable';
export interface LeftOut {
  readonly shard: number;
  readonly sequence: number;
  readonly reason: LeftOutReason;
}

/** A chargeback, or what takes one back. */
export interface ChargebackEntry {
  readonly shard: number;
  readonly event: EntryPosted;
}

/**
 * Chargebacks, and what takes them back, that stand in the spans, in the order of shards and journals.
 * @param sinceDay days since 1970-01-01; what is in the spans is not older
 * @throws ApiError of a shard that does not answer, `capacity_exceeded`
 */
export async function chargebacksIn(
  context: ControlContext,
  spans: readonly Span[],
  sinceDay: number,
): Promise<ChargebackEntry[]> {
  const untilDay = listDay(context.nowMs()) + 1;
  const found: ChargebackEntry[] = [];
  for (const { shard, from, to } of spans) {
    const sequences = new Set<number>();
    for (let day = sinceDay; day <= untilDay && from <= to; day++)
      for (const sequence of await listed(context, shard, day))
        if (sequence >= from && sequence <= to) sequences.add(sequence);
    for (const sequence of [...sequences].sort((a, b) => a - b)) {
      const event = readRecord(context, shard, sequence)?.event;
      if (event?.kind === EventKind.entryPosted && isToldOf(event)) found.push({ shard, event });
    }
  }
  return found;
}

async function listed(context: ControlContext, shard: number, day: number): Promise<readonly number[]> {
  const { high, low } = context.search.day(DayList.chargebacks, day);
  const result = await context.shards.read(shard, { op: 'index', high, low, limit: OUTGOING_DAY_MAX });
  if (!result.ok) throw refused(result);
  if (!('sequences' in result)) throw new TypeError('the shard answered no sequences');
  if (result.sequences.length === OUTGOING_DAY_MAX)
    throw new ApiError('capacity_exceeded', `More than ${OUTGOING_DAY_MAX} chargebacks of a day in one shard.`);
  return result.sequences;
}

const isToldOf = ({ entry }: EntryPosted): boolean =>
  entry === EntryKind.chargeback || entry === EntryKind.chargebackTakenBack;

/** What a file says, and what it leaves out. */
export interface Chargebacks {
  readonly told: readonly ChargebackOut[];
  readonly leftOut: readonly LeftOut[];
}

/** @param options of the file: a test file has cards of sandboxes, another one has none */
export async function toldOf(
  context: ControlContext,
  entries: readonly ChargebackEntry[],
  options: IpmFileOptions,
): Promise<Chargebacks> {
  const told: ChargebackOut[] = [];
  const leftOut: LeftOut[] = [];
  for (const { shard, event } of entries) {
    const out = await chargebackOut(context, shard, event, options.mode === 'T');
    const reason = typeof out === 'string' ? out : fits(out, options) ? undefined : 'not_writable';
    if (reason !== undefined) leftOut.push({ shard, sequence: event.sequence, reason });
    else if (typeof out !== 'string') told.push(out);
  }
  return { told, leftOut };
}

async function chargebackOut(
  context: ControlContext,
  shard: number,
  event: EntryPosted,
  isTest: boolean,
): Promise<ChargebackOut | LeftOutReason> {
  const { disputed, cardSlot, legs, entry } = event;
  const presented = disputed === undefined ? undefined : readUnlessDropped(context, shard, disputed.posted)?.event;
  if (disputed !== undefined && disputed.posted <= context.journal.floor(shard)) return 'dropped';
  if (disputed === undefined || disputed.arn === '' || presented?.kind !== EventKind.clearingPosted)
    return 'no_reference';
  // Of the network's legs the first is what is settled, the other one interchange.
  const settled = legs.find(({ glAccount }) => glAccount === Gl.network);
  const isOurs = presented.input.network === networkOfFormat.ipm;
  if (settled === undefined || !isOurs || settlementOf(settled.sub).network !== networkOfFormat.ipm)
    return 'other_network';
  const card = cardSlot < 0 ? undefined : await cardOf(context, shard, cardSlot);
  const pan = card === undefined ? undefined : context.vault.reveal(fingerprintOf(card));
  if (card === undefined || pan === undefined) return 'no_card';
  if (!isTest && context.system.programAt(card.program)?.program.sandbox !== false) return 'sandbox';
  const isBack = entry === EntryKind.chargebackTakenBack;
  const first = isBack ? await chargebackOf(context, shard, event) : event;
  return {
    pan,
    presented: presented.input,
    charged: presented.posted,
    amount: Math.abs(onReceivable(legs)),
    settled: Math.abs(settled.amount),
    settledCurrency: settled.currency,
    sub: settled.sub,
    reasonCode: first.disputed?.reasonCode ?? '',
    takesBack: isBack ? first.day : -1,
  };
}

async function cardOf(context: ControlContext, shard: number, slot: number) {
  const result = await context.shards.read(shard, { op: 'card', slot });
  if (!result.ok) throw refused(result);
  if (!('card' in result)) throw new TypeError('the shard answered no card');
  return result.card;
}

function fingerprintOf({ fingerprint: [f0, f1, f2] }: Awaited<ReturnType<typeof cardOf>>) {
  return { f0, f1, f2 };
}

/** The chargeback that is taken back: a step of the same dispute. */
async function chargebackOf(context: ControlContext, shard: number, back: EntryPosted): Promise<EntryPosted> {
  const { accountSlot, relatedSequence: sequence } = back;
  const result = await context.shards.read(shard, { op: 'dispute', accountSlot, sequence });
  if (!result.ok) throw refused(result);
  if (!('steps' in result)) throw new TypeError('the shard answered no steps');
  const taken = result.steps.find(({ step }) => step === 'chargeback');
  const event = taken === undefined ? undefined : readRecord(context, shard, taken.sequence)?.event;
  if (event?.kind !== EventKind.entryPosted) throw new TypeError(`dispute ${sequence} has no chargeback`);
  return event;
}

/** The bytes of the file, in pieces. The same records and options give the same bytes. */
export function chargebackFile(told: readonly ChargebackOut[], options: IpmFileOptions): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const writer = new IpmFileWriter(options, (bytes) => pieces.push(bytes));
  for (const out of told) writer.write(chargebackData(out));
  writer.finish();
  return pieces;
}

/** A record that does not fit its elements would keep all others from being sent. */
function fits(out: ChargebackOut, options: IpmFileOptions): boolean {
  try {
    chargebackFile([out], options);
    return true;
  } catch (error) {
    if (error instanceof IpmWriteError) return false;
    throw error;
  }
}
