/**
 * What the past says about a clearing record: was the same thing posted before, which record does it take back, and what has
 * become of the authorization that it belongs to.
 */
import { CLEARING_FAMILY_CARDS_MAX } from '../../limits.js';
import type { CardTable } from '../card-table.js';
import { ElementKind, EventKind } from '../codes.js';
import type { ClearingPosted, MessageEvent } from '../events.js';
import { foundAt, type History } from '../history.js';
import type { IndexKeys } from '../index-keys.js';
import { approves } from '../originals.js';
import { Sort, sortOf } from '../transaction.js';
import { type ClearingInput, hasSameAmounts, isSameExceptMark, isSameItem } from './input.js';

/** The clearing record at a sequence, undefined when it is of another kind. */
export function clearingAt(history: History, sequence: number): ClearingPosted | undefined {
  const event = history.readEvent(sequence);
  return event?.kind === EventKind.clearingPosted ? event : undefined;
}

/** Clearing records of the card with this reference (of one without: with this file and number), oldest first. */
function withKey(
  history: History,
  keys: IndexKeys,
  { cardSlot, fingerprint }: Pick<ClearingPosted, 'cardSlot' | 'fingerprint'>,
  { arn, record }: ClearingInput,
  file: string,
): ClearingPosted[] {
  keys.forCard(cardSlot, fingerprint).clearingKey(arn, file, record);
  const events: ClearingPosted[] = [];
  for (const at of foundAt(history, keys)) {
    const event = clearingAt(history, at);
    if (event === undefined || event.cardSlot !== cardSlot || event.input.arn !== arn) continue;
    if (event.fingerprint.some((word, place) => word !== fingerprint[place])) continue;
    events.push(event);
  }
  return events;
}

/** Clearing records among the elements of the record at a sequence, oldest first: which may name another one too. */
export function relatedTo(history: History, keys: IndexKeys, sequence: number): ClearingPosted[] {
  keys.elementsKey(sequence);
  return foundAt(history, keys).flatMap((at) => clearingAt(history, at) ?? []);
}

/** What was posted under the key of a record. */
export interface Posted {
  /** This very record, from this file. */
  itself: ClearingPosted | undefined;
  /** The same thing from another record. */
  same: ClearingPosted | undefined;
  /** Records with the same reference, oldest first. */
  all: readonly ClearingPosted[];
}

type CardChains = Pick<CardTable, 'replaces' | 'replacedBy'>;

/**
 * What was posted of the same item, under the number of the record or under one that it replaces or that replaces it: the
 * acquirer names whichever it has, and its reference is the same. (A network token is recorded on its card.)
 */
export function findPosted(
  history: History,
  keys: IndexKeys,
  cards: CardChains,
  card: Pick<ClearingPosted, 'cardSlot' | 'fingerprint'>,
  input: ClearingInput,
  file: string,
): Posted {
  const { fingerprint } = card;
  const family = input.arn === '' ? [card.cardSlot] : familyOf(cards, card.cardSlot);
  const all = family.flatMap((cardSlot) => withKey(history, keys, { cardSlot, fingerprint }, input, file));
  if (family.length > 1) all.sort((a, b) => a.sequence - b.sequence);
  const itself = all.find((event) => event.file === file && event.input.record === input.record);
  const same = input.arn === '' ? undefined : all.find((event) => isSameItem(event.input, input));
  return { itself, same, all };
}

/** The card, and every card that is joined with it by replacements, the nearest first. */
export function familyOf(cards: CardChains, cardSlot: number): number[] {
  const family = [cardSlot];
  if (cardSlot < 0) return family;
  for (let at = 0; at < family.length && family.length < CLEARING_FAMILY_CARDS_MAX; at++) {
    const replaced = cards.replaces(family[at]!);
    if (replaced >= 0 && !family.includes(replaced)) family.push(replaced);
    for (const newer of cards.replacedBy(family[at]!)) if (!family.includes(newer)) family.push(newer);
  }
  return family;
}

/** What a record with the reversal mark takes back; the amounts decide where the reference alone does not. */
export function originalOfReversal({ all }: Posted, input: ClearingInput): ClearingPosted | undefined {
  if (input.arn === '') return undefined;
  const originals = all.filter((event) => event.input.reversal === 0 && isSameExceptMark(event.input, input));
  return originals.find((event) => hasSameAmounts(event.input, input)) ?? originals[0];
}

/** What the elements of an authorization say about its clearing. */
export interface ClearedLife {
  /** What clearing records have charged for it (of a refund: given, negative) and not taken back; minor units. Never of the other sign. */
  posted: number;
  /** Its hold came to its end at least once. */
  expired: boolean;
  /** Authorized total by messages alone: increments and reversals are in it, what clearing released or added is not. */
  authorized: number;
}

/** Reads the elements of the authorization at `root`. */
export function clearedLife(history: History, keys: IndexKeys, root: number): ClearedLife {
  const life: ClearedLife = { posted: 0, expired: false, authorized: 0 };
  const isGiven = sortOf(history.read(root).input) === Sort.credit;
  let total = 0;
  const become = (after: number): void => {
    life.authorized += after - total;
    total = after;
  };
  if (changesTotal(history.read(root))) become(history.read(root).authorizedAfter);
  keys.elementsKey(root);
  const found = history.find(keys.high, keys.low);
  for (let i = 0; i < found.count; i++) {
    const at = found.sequences[i]!;
    if (i > 0 && found.sequences[i - 1] === at) continue;
    const plain = history.readEvent(at);
    if (plain === undefined) {
      const event = history.read(at);
      if (event.originalSequence === root && changesTotal(event)) become(event.authorizedAfter);
    } else if (plain.kind === EventKind.clearingPosted && plain.originalSequence === root) {
      // A reversal may take back more than was presented.
      const posted = life.posted + plain.posted;
      life.posted = isGiven ? Math.min(0, posted) : Math.max(0, posted);
      total = plain.authorizedAfter;
    } else if (plain.kind === EventKind.holdExpired && plain.originalSequence === root) {
      life.expired = true;
      total = plain.authorizedAfter;
    } else if (plain.kind === EventKind.notDelivered && plain.authorizationSequence === root) {
      become(plain.authorizedAfter);
    }
  }
  return life;
}

/** True for a message whose record says what is authorized after it; others say nothing of it. */
export function changesTotal(event: MessageEvent): boolean {
  const { element } = event;
  // A completion down to nothing approves nothing, and yet has changed the total.
  return element === ElementKind.reversal || element === ElementKind.completion || approves(event);
}

/** What clearing records have charged for the authorization at `root` and not taken back; of a refund what they gave. */
export function presentedTotal(history: History, keys: IndexKeys, root: number): number {
  return Math.abs(clearedLife(history, keys, root).posted);
}
