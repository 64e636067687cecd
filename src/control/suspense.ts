/** Items in suspense as the API has them: which there are, how they stand, and how they are resolved. */
import { ClearingFlag, IN_SUSPENSE } from '../domain/clearing/codes.js';
import { amountIn } from '../domain/clearing/sides.js';
import { EventKind } from '../domain/codes.js';
import type { TakeFromSuspense } from '../domain/entry-commands.js';
import type { ClearingPosted, EntryPosted } from '../domain/events.js';
import { DayList } from '../domain/index-keys.js';
import { Gl } from '../domain/ledger/chart.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { heldInSuspense, type SuspenseState, takenReference } from '../domain/suspense.js';
import { SUSPENSE_DAY_MAX } from '../limits.js';
import { clearingType } from './clearing-object.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { catchUp, readRecord } from './history.js';
import { eventId, eventPlace } from './ids.js';
import { ApiError } from './problem.js';
import { type FoundCard, readCard } from './routes/cards.js';
import type { suspenseStatuses, suspenseTargets } from './schemas-suspense.js';
import { refused, snakeCase, time } from './views.js';

/** States asked of a shard at a time: some 30 bytes each, and a look-up. */
const STATES_PER_READ = 128;

export interface SuspenseItem {
  readonly id: string;
  readonly shard: number;
  readonly event: ClearingPosted;
  readonly status: (typeof suspenseStatuses)[number];
  readonly resolution: Resolution | undefined;
}

interface Resolution {
  readonly to: (typeof suspenseTargets)[number];
  /** Public id of the card that it goes to; '' of others. */
  readonly card: string;
  readonly note: string;
}

export interface Resolve {
  readonly to: (typeof suspenseTargets)[number];
  readonly card: string;
  /** 0: as the record says it. */
  readonly amount: number;
  /** 0: that of the record. */
  readonly sub: number;
  readonly note: string;
}

/** Items of these days (since 1970-01-01), oldest first. @throws ApiError of a shard that does not answer, `capacity_exceeded` */
export async function suspenseItems(
  context: ControlContext,
  sinceDay: number,
  untilDay: number,
): Promise<SuspenseItem[]> {
  const items: SuspenseItem[] = [];
  for (let shard = 0; shard < context.shards.shards; shard++) {
    for (let day = sinceDay; day <= untilDay; day++) {
      const { high, low } = context.search.day(DayList.suspense, day);
      const found = await context.shards.read(shard, { op: 'index', high, low, limit: SUSPENSE_DAY_MAX });
      if (!found.ok) throw refused(found);
      if (!('sequences' in found)) throw new TypeError('the shard answered no sequences');
      if (found.sequences.length === 0) continue;
      if (found.sequences.length === SUSPENSE_DAY_MAX)
        throw new ApiError('capacity_exceeded', `More than ${SUSPENSE_DAY_MAX} items of one day: ask for other days.`);
      items.push(...(await itemsAt(context, shard, found.sequences)));
    }
  }
  return items.sort(
    (a, b) => a.event.timeMs - b.event.timeMs || a.shard - b.shard || a.event.sequence - b.event.sequence,
  );
}

/** @throws ApiError `not_found` */
export async function requireItem(context: ControlContext, id: string): Promise<SuspenseItem> {
  const place = eventPlace(context, 'elem', id);
  const [item] = place === undefined ? [] : await itemsAt(context, place.shard, [place.number]);
  if (item === undefined) throw new ApiError('not_found', 'There is no such item in suspense.');
  return item;
}

async function itemsAt(context: ControlContext, shard: number, sequences: readonly number[]): Promise<SuspenseItem[]> {
  const items: SuspenseItem[] = [];
  for (let at = 0; at < sequences.length; at += STATES_PER_READ) {
    const part = sequences.slice(at, at + STATES_PER_READ);
    const result = await context.shards.read(shard, { op: 'suspense', sequences: part });
    if (!result.ok) throw refused(result);
    if (!('suspense' in result)) throw new TypeError('the shard answered no suspense');
    for (const state of result.suspense) items.push(await itemOf(context, shard, state));
  }
  return items;
}

async function itemOf(context: ControlContext, shard: number, state: SuspenseState): Promise<SuspenseItem> {
  const { sequence, resolved, offset } = state;
  await catchUp(context, shard, Math.max(sequence, resolved));
  const event = readRecord(context, shard, sequence)?.event;
  if (event?.kind !== EventKind.clearingPosted) throw new TypeError(`shard ${shard} has no clearing at ${sequence}`);
  const item = { id: eventId(context, 'elem', shard, sequence), shard, event };
  if (resolved === 0) return { ...item, status: offset ? 'offset' : 'open', resolution: undefined };
  const entry = readRecord(context, shard, resolved)?.event;
  if (entry?.kind !== EventKind.entryPosted) throw new TypeError(`shard ${shard} has no entry at ${resolved}`);
  const resolution = resolutionOf(entry);
  if (resolution.to !== 'card') return { ...item, status: 'resolved', resolution };
  const taken = await takenBy(context, item, resolution.card);
  return {
    ...item,
    status: taken === undefined ? 'resolving' : 'resolved',
    resolution: { ...resolution, note: taken ?? '' },
  };
}

function resolutionOf({ legs, note }: EntryPosted): Resolution {
  if (legs.length === 0) return { to: 'card', card: note, note: '' };
  const isLoss = legs.some(({ glAccount }) => glAccount === Gl.fraudLoss);
  return { to: isLoss ? 'loss' : 'network', card: '', note };
}

/** Note of the entry that has posted the item to the account of a card; undefined while none has. */
async function takenBy(
  context: ControlContext,
  { shard, event }: Pick<SuspenseItem, 'shard' | 'event'>,
  card: string,
): Promise<string | undefined> {
  const found = await cardOf(context, card);
  const reference = takenReference(shard, event.sequence);
  const read = { op: 'entry', entry: EntryKind.suspenseResolved, accountSlot: found.account.slot, reference } as const;
  const result = await context.shards.read(found.shard, read);
  if (!result.ok) throw refused(result);
  if (!('sequences' in result)) throw new TypeError('the shard answered no sequences');
  const [sequence] = result.sequences;
  if (sequence === undefined) return undefined;
  await catchUp(context, found.shard, sequence);
  const entry = readRecord(context, found.shard, sequence)?.event;
  return entry?.kind === EventKind.entryPosted ? entry.note : '';
}

async function cardOf(context: ControlContext, id: string): Promise<FoundCard> {
  const found = await readCard(context, id);
  if (found === undefined) throw new ApiError('card_not_found', 'There is no such card.', { param: '/card' });
  return found;
}

/**
 * Resolves an item. Asked again for the same card, it does what is missing and has no other effect.
 * @throws ApiError `already_resolved`, `suspense_amount`, `card_not_found`, `currency_mismatch`, `amount_out_of_range`, of a shard
 */
export async function resolve(context: ControlContext, item: SuspenseItem, wish: Resolve): Promise<void> {
  const { to, card, sub, note } = wish;
  const isSame = item.resolution?.to === 'card' && to === 'card' && item.resolution.card === card;
  if (item.status !== 'open' && !isSame) throw refused({ code: 'already_resolved' });
  const { shard, event } = item;
  if (to !== 'card') {
    const result = await context.shards.command(shard, {
      ...{ op: 'resolve_suspense', sequence: event.sequence, to, card: '', sub, note },
    });
    if (!result.ok) throw refused(result);
    return;
  }
  const found = await cardOf(context, card);
  const command = takeCommand(item, found, wish);
  if (item.status === 'open') {
    // Only a card that can take it is named for good.
    const dry = await context.shards.command(found.shard, { ...command, dry: true });
    if (!dry.ok) throw refused(dry, { param: '/amount' });
    const claim = { op: 'resolve_suspense', sequence: event.sequence, to, card, sub: 0, note: '' } as const;
    const claimed = await context.shards.command(shard, claim);
    if (!claimed.ok) throw refused(claimed);
  }
  const taken = await context.shards.command(found.shard, command);
  if (!taken.ok && taken.code !== 'reference_exists') throw refused(taken, { param: '/amount' });
}

function takeCommand({ shard, event }: SuspenseItem, found: FoundCard, { amount, note }: Resolve): TakeFromSuspense {
  const { sequence, sort, input } = event;
  const { currency } = found.account;
  if (amount === 0 && amountIn(input, currency) < 0)
    throw new ApiError('currency_mismatch', 'The record names no amount in the currency of that account.', {
      param: '/amount',
    });
  const held = heldInSuspense(event);
  const { card } = found;
  const cardSlot = card.aliasOfSlot < 0 ? card.slot : card.aliasOfSlot;
  return { op: 'take_from_suspense', cardSlot, shard, sequence, sort, input, held, amount, note, dry: false };
}

export function suspenseObject({ id, event, status, resolution }: SuspenseItem): object {
  const { input, file, flags } = event;
  const { amount, currency } = heldInSuspense(event);
  return {
    object: 'suspense_item',
    ...{ id, status, type: clearingType(event) },
    reasons: Object.entries(ClearingFlag).flatMap(([name, bit]) =>
      (flags & bit & IN_SUSPENSE) === 0 ? [] : [snakeCase(name)],
    ),
    ...{ file, record: input.record, arn: orNull(input.arn), amount, currency: currencyCode(currency) },
    merchant: orNull(input.acceptorName),
    resolution:
      resolution === undefined
        ? null
        : { to: resolution.to, card: orNull(resolution.card), note: orNull(resolution.note) },
    created_at: time(event.timeMs),
  };
}

const orNull = (text: string): string | null => (text === '' ? null : text);
