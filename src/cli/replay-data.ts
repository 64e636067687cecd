/**
 * What `holdfast replay` reports: one shard folded from its first record to a position or a time, and the account in it.
 * It folds from the beginning, since a checkpoint has only the newest state. It works beside a running server, as `verify`
 * does, and every frame that it passes is verified.
 */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { currencyCode } from '../control/currencies.js';
import { instant } from '../control/schemas.js';
import { applyEvent, applyMessage } from '../domain/apply.js';
import { codeName } from '../domain/code-names.js';
import { AccountStatus, AccountType, CardStatus } from '../domain/codes.js';
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { HoldFlag } from '../domain/hold-table.js';
import { COMPONENTS } from '../domain/ledger/chart.js';
import { ShardState } from '../domain/shard-state.js';
import { accountOwner, cardOwner, chainRoot } from '../domain/velocity/counter-changes.js';
import { firstDay, shapeOfKey, unitOfShape, WindowUnit } from '../domain/velocity/windows.js';
import { accountView, cardView } from '../domain/views.js';
import { HoldfastError } from '../errors.js';
import { type Anchor, recordDropped } from '../journal/anchor.js';
import { shardOfAccount } from '../journal/placement.js';
import { JournalReader } from '../journal/reader.js';
import { type FoldedRecord, replayShard } from '../journal/verify.js';
import { directoryPaths, readDirectoryDocument } from '../store/data-directory.js';
import { loadKeys } from '../vault/keys.js';
import { PublicIds } from '../vault/public-ids.js';
import { restoreState } from './anchor-state.js';
import type { HsmDevices } from './hsm-addresses.js';
import { kekOf } from './kek-source.js';
import { type JsonObject, timeText } from './record-json.js';

export interface ReplayRequest {
  /** Position (`shard-epoch-sequence`) or RFC 3339 time; what it names is included. */
  until: string;
  account?: string;
  /** Public id of a card of the account. */
  card?: string;
  keyFile?: string;
  /** File of the key-encrypting key, which the environment may have instead. */
  kekFile?: string;
  /** What opens one that is sealed. */
  devices?: HsmDevices;
}

interface Position {
  shard: number;
  epoch: number;
  sequence: number;
}

type Moment = { position: Position } | { timeMs: number };

const DAY_MS = 86_400_000;

/**
 * @throws HoldfastError `usage` (no position or time, no account), `not_found` (position beyond the head, no such account then),
 * a code of the data directory or its key file, or what makes the journal unreadable as in `verifyData`
 */
export async function replayData(
  dataDir: string,
  request: ReplayRequest,
  onProgress: (records: number) => void,
): Promise<JsonObject> {
  const moment = momentOf(request.until);
  const { shards, id: directory } = readDirectoryDocument(dataDir);
  const ids = await publicIds(dataDir, directory, request);
  const card = request.card === undefined ? undefined : ids?.decode('card', request.card);
  if (request.card !== undefined && (card === undefined || card.shard >= shards))
    throw new HoldfastError(
      'not_found',
      'this is not the id of a card of this directory',
      'give a card_... of the API',
    );
  const shard = shardOf(moment, request.account, card, shards);
  const reader = JournalReader.open(directoryPaths(dataDir).journal, { readOnly: true });
  try {
    if ('position' in moment) assertThere(reader, moment.position);
    assertKept(reader.anchor, shard, moment);
    const fold = new ShardFold(shard);
    const admits =
      'position' in moment
        ? ({ sequence }: { sequence: number }) => sequence <= moment.position.sequence
        : ({ timeMs }: { timeMs: number }) => timeMs <= moment.timeMs;
    const last = replayShard(reader, shard, fold, admits, onProgress);
    if ('position' in moment) assertEpoch(moment.position, last);
    const { state } = fold;
    const slot = accountSlot(fold, request.account, card?.number);
    const end = last ?? droppedEnd(reader.anchor, shard);
    if (slot < 0 || end === undefined) throw noAccount(request, shard, end);
    const atMs = 'timeMs' in moment ? Math.max(moment.timeMs, end.timeMs) : end.timeMs;
    return reportOf(state, slot, end, atMs, ids);
  } finally {
    await reader.close();
  }
}

function momentOf(text: string): Moment {
  // No shard has a number of four digits.
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const time = instant.safeParse(isDate ? `${text}T23:59:59.999Z` : text);
  if (time.success) return { timeMs: time.data };
  const parts = isDate ? null : /^(\d{1,5})-(\d{1,15})-(\d{1,15})$/.exec(text);
  if (parts !== null) {
    const [shard, epoch, sequence] = parts.slice(1).map(Number) as [number, number, number];
    return { position: { shard, epoch, sequence } };
  }
  throw new HoldfastError(
    'usage',
    `--until: neither a position nor a time: ${text}`,
    'give shard-epoch-sequence as explain prints it, a time such as 2026-01-31T12:00:00Z, or a date (UTC, all of that day)',
  );
}

/** Undefined without a key file, which only ids need: the journal itself has none of them. */
async function publicIds(
  dataDir: string,
  directory: string,
  { keyFile, kekFile, card, devices }: ReplayRequest,
): Promise<PublicIds | undefined> {
  const path = keyFile ?? `${resolve(dataDir)}.keys`;
  if (keyFile === undefined && card === undefined && !existsSync(path)) return undefined;
  const kek = await kekOf({ path: kekFile, keyFile: path, environment: process.env, devices });
  return new PublicIds(loadKeys(path, { directory, create: false, kek }).idKey.bytes);
}

/** The shard to replay: that of what was asked for, which a position must name too. */
function shardOf(
  moment: Moment,
  account: string | undefined,
  card: { shard: number } | undefined,
  shards: number,
): number {
  const named = 'position' in moment ? moment.position.shard : undefined;
  if (named !== undefined && named >= shards)
    throw new HoldfastError('not_found', `there is no shard ${named}`, `the directory has shards 0 to ${shards - 1}`);
  const home = account === undefined ? card?.shard : shardOfAccount(account, shards);
  if (named !== undefined && home !== undefined && named !== home)
    throw new HoldfastError(
      'usage',
      `the account is in shard ${home}, the position in shard ${named}`,
      'give a position of the shard of the account, or a time',
    );
  const shard = home ?? named;
  if (shard === undefined) throw new HoldfastError('usage', 'a time alone names no account', 'add --account or --card');
  return shard;
}

function assertThere(reader: JournalReader, { shard, epoch, sequence }: Position): void {
  const head = reader.head(shard);
  if (sequence >= 1 && sequence <= head.sequence && epoch <= head.epoch) return;
  throw new HoldfastError(
    'not_found',
    `there is no position ${shard}-${epoch}-${sequence}: shard ${shard} goes from sequence 1 to ${head.sequence}, epoch ${head.epoch}`,
    'take a position that explain prints, of this directory',
  );
}

/** What was before the dropped part ended cannot be told any more. */
function assertKept(anchor: Anchor | undefined, shard: number, moment: Moment): void {
  if (anchor === undefined) return;
  if ('position' in moment) {
    if (moment.position.sequence <= anchor.floor(shard)) throw recordDropped(shard, moment.position.sequence, anchor);
  } else if (moment.timeMs < anchor.floorMs(shard)) {
    throw new HoldfastError(
      'record_dropped',
      `the records of shard ${shard} up to ${timeText(anchor.floorMs(shard))} are not in the journal any more`,
      'take a later time',
    );
  }
}

/** A position has the epoch of its record, or a later one in which somebody looked at it. */
function assertEpoch({ shard, epoch, sequence }: Position, last: FoldedRecord | undefined): void {
  if (last === undefined || last.epoch <= epoch) return;
  throw new HoldfastError(
    'not_found',
    `there is no position ${shard}-${epoch}-${sequence}: that record was written in epoch ${last.epoch}`,
    'take a position that explain prints, of this directory',
  );
}

function noAccount(
  { account, card, until }: ReplayRequest,
  shard: number,
  last: FoldedRecord | undefined,
): HoldfastError {
  const upTo = last === undefined ? 'before its first record' : `up to sequence ${last.sequence}`;
  if (account === undefined && card === undefined)
    return new HoldfastError('usage', `the record at ${until} is about no account`, 'add --account or --card');
  return new HoldfastError(
    'not_found',
    `${account === undefined ? 'the card' : `account ${account}`} is not in shard ${shard} ${upTo}`,
    'check the id, or take a later position or time',
  );
}

/** The last dropped record stands for a shard of which nothing came since. */
function droppedEnd(anchor: Anchor | undefined, shard: number): FoldedRecord | undefined {
  const head = anchor?.head(shard);
  if (head === undefined) return undefined;
  return { sequence: head.sequence, epoch: head.epoch, timeMs: anchor!.floorMs(shard) };
}

/** The state of the shard, and which account its last record was about (-1: none). */
class ShardFold {
  readonly state: ShardState;
  about = -1;

  restore(_shard: number, anchor: Anchor): void {
    restoreState(this.state, anchor);
  }

  constructor(shard: number) {
    this.state = new ShardState(shard);
  }

  applyMessage(_shard: number, event: MessageEvent): void {
    this.about = event.accountSlot;
    applyMessage(this.state, event);
  }

  applyEvent(_shard: number, event: PlainEvent): void {
    this.about = 'accountSlot' in event ? event.accountSlot : -1;
    applyEvent(this.state, event);
  }

  digest(): ShardState['digest'] {
    return this.state.digest;
  }
}

function accountSlot({ state, about }: ShardFold, account: string | undefined, cardSlot: number | undefined): number {
  if (account !== undefined) return state.accounts.find(account);
  if (cardSlot === undefined) return about;
  return state.cards.exists(cardSlot) ? state.cards.account(cardSlot) : -1;
}

function reportOf(
  state: ShardState,
  slot: number,
  last: FoldedRecord,
  atMs: number,
  ids: PublicIds | undefined,
): JsonObject {
  const { shard } = state;
  return {
    object: 'replay',
    position: `${shard}-${last.epoch}-${last.sequence}`,
    time: timeText(last.timeMs),
    account: accountObject(state, slot),
    cards: state.cardsOf(slot).map((card) => cardObject(state, card, ids)),
    holds: holdsOf(state, slot, ids),
    counters: [
      ...countersOf(state, accountOwner(slot), atMs).map((counter) => ({ of: 'account', ...counter })),
      ...chainsOf(state, slot).flatMap((root) =>
        countersOf(state, cardOwner(root), atMs).map((counter) => ({
          of: 'card',
          ...place(ids, shard, root),
          ...counter,
        })),
      ),
    ],
  };
}

function accountObject(state: ShardState, slot: number): JsonObject {
  const { accounts, programs } = state;
  const view = accountView(state, slot);
  const text = programs.text(view.program);
  // A program of a release without snapshots: only its number is known here.
  const program = text === '' ? undefined : (JSON.parse(text) as { id: string; revision: number; controls: unknown });
  const components = COMPONENTS.map((gl, which) => [String(gl), accounts.component(slot, which)] as const);
  return {
    id: view.id,
    program: { index: view.program, id: program?.id ?? null, revision: program?.revision ?? null },
    currency: currencyCode(view.currency),
    type: codeName(AccountType, view.type),
    status: codeName(AccountStatus, view.status),
    credit_limit: view.creditLimit,
    balances: { posted: view.posted, held: view.held, available: accounts.available(slot) },
    balances_by_component: Object.fromEntries(components.filter(([, amount]) => amount !== 0)),
    controls: jsonOrNull(view.controls),
    program_controls: program?.controls ?? null,
    created_at: timeText(view.createdMs),
  };
}

function cardObject(state: ShardState, slot: number, ids: PublicIds | undefined): JsonObject {
  const { cards } = state;
  const { replacesSlot, pinTries, controls } = cardView(state, slot);
  const tokens: JsonObject[] = [];
  for (let other = slot + 1; other < cards.count; other++) {
    if (cards.aliasOf(other) !== slot) continue;
    tokens.push({
      id: ids?.encode('alias', state.shard, other) ?? null,
      slot: other,
      ...numberAndStatus(state, other),
    });
  }
  return {
    ...place(ids, state.shard, slot),
    ...numberAndStatus(state, slot),
    replaces: replacesSlot < 0 ? null : place(ids, state.shard, replacesSlot),
    pin_tries_used: pinTries,
    controls: jsonOrNull(controls),
    aliases: tokens,
  };
}

function numberAndStatus(state: ShardState, slot: number): JsonObject {
  const { bin, last4, panLength, status } = cardView(state, slot);
  const masked = `${String(bin).padStart(6, '0')}${'*'.repeat(panLength - 10)}${String(last4).padStart(4, '0')}`;
  return { masked_pan: masked, status: codeName(CardStatus, status) };
}

/** A card by its public id, if ids can be made, and its slot, as `inspect journal` shows it. */
function place(ids: PublicIds | undefined, shard: number, slot: number): JsonObject {
  return { id: ids?.encode('card', shard, slot) ?? null, slot };
}

/** Oldest first. */
function holdsOf({ shard, holds }: ShardState, account: number, ids: PublicIds | undefined): JsonObject[] {
  const open: { sequence: number; hold: JsonObject }[] = [];
  for (let slot = 0; slot < holds.slots; slot++) {
    const sequence = holds.sequence(slot);
    if (sequence === 0 || holds.account(slot) !== account) continue;
    const hold = {
      authorization: ids?.encode('auth', shard, sequence) ?? null,
      sequence,
      card_slot: holds.card(slot),
      original: holds.original(slot),
      authorized: holds.authorized(slot),
      remaining: holds.remaining(slot),
      refund: (holds.flags(slot) & HoldFlag.refund) !== 0,
      expires_at: timeText(holds.expiresMs(slot)),
    };
    open.push({ sequence, hold });
  }
  return open.sort((a, b) => a.sequence - b.sequence).map(({ hold }) => hold);
}

/** Oldest cards of the chains of replacements: their slots have the counters of the whole chain. */
function chainsOf(state: ShardState, account: number): number[] {
  return [...new Set(state.cardsOf(account).map((card) => chainRoot(state.cards, card)))];
}

/** Two windows that differ only in what they select stand apart by their key. */
function countersOf({ velocity }: ShardState, owner: number, atMs: number): JsonObject[] {
  const counters: JsonObject[] = [];
  velocity.counters(owner, atMs, (key, bucket, amount, count) => {
    counters.push({ ...windowOf(shapeOfKey(key), bucket), key, amount, count });
  });
  return counters;
}

function windowOf(shape: number, bucket: number): JsonObject {
  const unit = unitOfShape(shape);
  if (unit === WindowUnit.trailing) return { window: 'trailing', seconds: shape };
  const window = codeName(WindowUnit, unit);
  if (unit === WindowUnit.lifetime) return { window };
  // The local date on which the instance that counts last began.
  return { window, since: new Date(firstDay(shape, bucket) * DAY_MS).toISOString().slice(0, 10) };
}

function jsonOrNull(text: string | undefined): unknown {
  return text === undefined || text === '' ? null : JSON.parse(text);
}
