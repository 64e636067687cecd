/**
 * What `holdfast network-day` makes: the open authorizations of a date, read from the journal with their card numbers from the
 * vault, as the clearing file of a network in a box. Only cards of sandbox programs: a real number must not come into a made-up
 * file. It works beside a running server and changes nothing of the data.
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BoxAuthorization, type BoxDay, writeDay } from '../clearing/box/day.js';
import type { DayPlan } from '../clearing/box/shares.js';
import { approvalCodeText } from '../domain/approval-code.js';
import { EventKind } from '../domain/codes.js';
import type { Fingerprint, MessageEvent, PlainEvent } from '../domain/events.js';
import { Text } from '../domain/message.js';
import { rootOf } from '../domain/originals.js';
import type { ShardState } from '../domain/shard-state.js';
import { textSize } from '../domain/texts.js';
import { HoldfastError } from '../errors.js';
import { JournalReader } from '../journal/reader.js';
import { directoryPaths, readDirectoryDocument } from '../store/data-directory.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import { loadKeys } from '../vault/keys.js';
import { PanVault } from '../vault/pan-vault.js';
import { stateBehind } from './anchor-state.js';
import type { HsmDevices } from './hsm-addresses.js';
import { kekOf } from './kek-source.js';
import { newestPrograms } from './program-records.js';
import { systemError } from './terminal.js';

const DAY_MS = 86_400_000;
const RECORDS_PER_STEP = 4096;
/** DE43: the name stands before the city. */
const NAME_LENGTH = 22;

export interface NetworkDayRequest extends Omit<BoxDay, 'authorizations' | 'earlier'> {
  readonly dataDir: string;
  readonly keyFile: string | undefined;
  /** File of the key-encrypting key, which the environment may have instead. */
  readonly kekFile: string | undefined;
  /** What opens one that is sealed. */
  readonly devices: HsmDevices | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the file goes; it must not be there yet. */
  readonly out: string;
  readonly encoding: 'ascii' | 'cp500';
  readonly blocked: boolean;
  /** The totals name a file of the next cycle that never comes. */
  readonly missingFile: boolean;
  /** Ids that an earlier plan has held back. */
  readonly heldBack: readonly string[];
}

export interface NetworkDay {
  readonly plan: DayPlan;
  /** Open authorizations of cards of live programs, which are left out. */
  readonly live: number;
}

/** @throws HoldfastError of the data directory, its keys and its journal; `usage` when `out` cannot be made */
export async function networkDay(request: NetworkDayRequest): Promise<NetworkDay> {
  const { dataDir, kekFile, environment, devices, out, heldBack } = request;
  const { shards, id: directory } = readDirectoryDocument(dataDir);
  const paths = directoryPaths(dataDir);
  const keyFile = request.keyFile ?? `${resolve(dataDir)}.keys`;
  const kek = await kekOf({ path: kekFile, keyFile, environment, devices });
  const keys = loadKeys(keyFile, { directory, create: false, kek });
  const programs = await newestPrograms(paths.system);
  const sandboxes = new Set(programs.flatMap(({ index, program }) => (program.sandbox ? [index] : [])));
  const vaultStore = openLmdbStore(paths.vault, { readOnly: true });
  const reader = JournalReader.open(paths.journal, { readOnly: true });
  try {
    const vault = new PanVault(vaultStore, keys);
    const authorizations: BoxAuthorization[] = [];
    const earlier: BoxAuthorization[] = [];
    const late = new Set(heldBack);
    let live = 0;
    for (let shard = 0; shard < shards; shard++) {
      const book = new ShardAuthorizations(shard, request.day, late);
      // What was dropped is too old for the open authorizations of a day; its cards are not.
      if (reader.floor(shard) > 0) book.begin(stateBehind(shard, reader.anchor));
      const scan = reader.scan(shard, reader.floor(shard) + 1);
      scan.onMessage = (event) => book.message(event);
      scan.onEvent = (event) => book.event(event);
      while (scan.step(RECORDS_PER_STEP));
      for (const { card, isLate, data } of book.list) {
        if (!sandboxes.has(card.program)) {
          live++;
          continue;
        }
        const pan = vault.reveal(card.fingerprint);
        // Left out silently, its purchases would be missing in the file that is to present the day.
        if (pan === undefined)
          throw new HoldfastError(
            'record_unreadable',
            `the vault has no number for a card of shard ${shard}`,
            'beside a rotation of the fingerprint key run it again; else verify the data directory',
          );
        (isLate ? earlier : authorizations).push({ ...data, pan });
      }
    }
    if (authorizations.length + earlier.length === 0) {
      const date = new Date(request.day * DAY_MS).toISOString().slice(0, 10);
      const what = live > 0 ? `${live} are of programs that are no sandbox` : `there is none on ${date}, by UTC`;
      throw new HoldfastError(
        'not_found',
        `no authorization to present: ${what}`,
        'name a date with open authorizations',
      );
    }
    const file = newFile(out);
    try {
      const options = { encoding: request.encoding, blocked: request.blocked, mode: 'T' } as const;
      const plan = writeDay({ ...request, authorizations, earlier }, options, (bytes) => writeAll(file, bytes));
      return { plan, live };
    } finally {
      closeSync(file);
    }
  } finally {
    await reader.close();
    await vaultStore.close();
  }
}

function newFile(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    throw systemError('usage', `--out ${path}`, error, 'name a new file in a folder that can be written');
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

interface Card {
  readonly fingerprint: { f0: number; f1: number; f2: number };
  readonly program: number;
}

interface Open {
  readonly card: Card;
  readonly isLate: boolean;
  held: number;
  data: Omit<BoxAuthorization, 'pan'>;
}

/** Authorizations of a date that hold money, and what was held back earlier and has come to its end, or not. */
class ShardAuthorizations {
  readonly #shard: number;
  readonly #day: number;
  readonly #late: ReadonlySet<string>;
  readonly #programs: number[] = [];
  readonly #cards: Card[] = [];
  readonly #open = new Map<number, Open>();

  constructor(shard: number, day: number, late: ReadonlySet<string>) {
    this.#shard = shard;
    this.#day = day;
    this.#late = late;
  }

  /** In the order of the journal. */
  get list(): Open[] {
    return [...this.#open.values()];
  }

  /** Knows the cards of the dropped part. */
  begin({ accounts, cards }: ShardState): void {
    for (let slot = 0; slot < accounts.count; slot++)
      if (accounts.exists(slot)) this.#programs[slot] = accounts.program(slot);
    for (let slot = 0; slot < cards.count; slot++) {
      if (!cards.exists(slot)) continue;
      const words = [cards.fingerprint(slot, 0), cards.fingerprint(slot, 1), cards.fingerprint(slot, 2)] as const;
      this.#cards[slot] = cardOf(words, this.#programs[cards.account(slot)] ?? -1);
    }
  }

  message(event: MessageEvent): void {
    if (event.holdDelta === 0) return;
    const root = rootOf(event);
    const known = this.#open.get(root);
    if (known === undefined) this.#begin(root, event);
    else this.#move(root, known, event.holdDelta, event.authorizedAfter);
  }

  event(event: PlainEvent): void {
    switch (event.kind) {
      case EventKind.accountCreated:
        this.#programs[event.accountSlot] = event.program;
        return;
      case EventKind.cardCreated:
        this.#cards[event.cardSlot] = cardOf(event.fingerprint, this.#programs[event.accountSlot] ?? -1);
        return;
      case EventKind.fingerprintChanged: {
        const card = this.#cards[event.cardSlot];
        if (card !== undefined) this.#cards[event.cardSlot] = cardOf(event.fingerprint, card.program);
        return;
      }
      case EventKind.notDelivered: {
        const root = event.authorizationSequence;
        const known = this.#open.get(root);
        if (known !== undefined) this.#move(root, known, event.holdDelta, event.authorizedAfter);
        return;
      }
      case EventKind.holdExpired:
        // What was held back comes although its hold has ended: that is what makes it late.
        if (this.#open.get(event.originalSequence)?.isLate !== true) this.#open.delete(event.originalSequence);
        return;
      case EventKind.clearingPosted:
        this.#open.delete(event.originalSequence);
        return;
      default:
    }
  }

  #begin(root: number, event: MessageEvent): void {
    const id = `${this.#shard}-${root}`;
    const isLate = this.#late.has(id);
    const card = this.#cards[event.cardSlot];
    if (card === undefined || event.holdDelta < 0) return;
    if (!isLate && Math.floor(event.timeMs / DAY_MS) !== this.#day) return;
    const { input, timeMs, approvalCode, holdDelta: held, authorizedAfter } = event;
    const billingCurrency = input.billingCurrency >= 0 ? input.billingCurrency : input.currency;
    const isOwn = billingCurrency === input.currency;
    const data = {
      ...{ id, timeMs, currency: input.currency, billingAmount: authorizedAfter, billingCurrency },
      amount: isOwn ? authorizedAfter : input.amount,
      processingCode: Math.max(input.processingCode, 0),
      mcc: input.mcc,
      approvalCode: approvalCodeText(approvalCode),
      rrn: textOf(event, Text.rrn),
      networkId: textOf(event, Text.networkId),
      acquirer: textOf(event, Text.acquirer),
      terminal: textOf(event, Text.terminal),
      merchant: textOf(event, Text.acceptor),
      merchantName: textOf(event, Text.acceptorName).slice(0, NAME_LENGTH).trim(),
    };
    this.#open.set(root, { card, isLate, held, data });
  }

  #move(root: number, open: Open, holdDelta: number, authorizedAfter: number): void {
    open.held += holdDelta;
    if (open.held <= 0) this.#open.delete(root);
    const { data } = open;
    // The merchant's amount follows the billed one.
    const amount = Math.max(1, Math.round((data.amount * authorizedAfter) / data.billingAmount));
    open.data = { ...data, amount, billingAmount: authorizedAfter };
  }
}

const cardOf = ([f0, f1, f2]: Fingerprint, program: number): Card => ({ fingerprint: { f0, f1, f2 }, program });

function textOf({ input }: MessageEvent, which: Text): string {
  const at = input.textAt[which]!;
  return Buffer.from(input.text.subarray(at, at + textSize(input, which))).toString('latin1');
}
