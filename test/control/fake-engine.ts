/**
 * A small stand-in for the shards and their journals: enough of the commands to answer the API, in one array per shard.
 * It keeps the rules of the ports (a repeat finds its tag, slots count up, records are numbered from 1).
 */

import type { DirectoryPort, JournalPort, SearchKeysPort, ShardPort, WireReply } from '../../src/control/ports.js';
import { AccountStatus, CardStatus, ElementKind, EventKind } from '../../src/domain/codes.js';
import type {
  AccountView,
  CardView,
  Command,
  CommandResult,
  IdempotencyTag,
  Read,
  ReadResult,
} from '../../src/domain/commands.js';
import { type Fingerprint, MessageEvent, type PlainEvent } from '../../src/domain/events.js';
import { KeyKind } from '../../src/domain/history.js';
import { Text } from '../../src/domain/message.js';

type Entry = { message: MessageEvent } | { event: PlainEvent };

interface FakeCard extends CardView {
  fingerprint: Fingerprint;
}

class FakeShard {
  accounts: AccountView[] = [];
  cards: FakeCard[] = [];
  records: Entry[] = [];
  references = new Set<string>();
  outcomes = new Map<string, { body: string; result: CommandResult }>();
  holds = new Map<number, { remaining: number; expiresMs: number }>();
}

export const searchKeys: SearchKeysPort = {
  rrnHigh: (rrn) => ((KeyKind.rrn << 29) | (textHash(rrn) & 0x1fffffff)) >>> 0,
  stanHigh: (stan) => ((KeyKind.stan << 29) | stan) >>> 0,
  elements: (sequence) => ({ high: (KeyKind.elements << 29) >>> 0, low: sequence >>> 0 }),
};

function textHash(text: string): number {
  let hash = 0;
  for (const letter of text) hash = (hash * 31 + letter.charCodeAt(0)) | 0;
  return hash >>> 0;
}

export class FakeEngine implements ShardPort, JournalPort, DirectoryPort {
  readonly shards: number;
  readonly all: FakeShard[];
  readonly commands: Command[] = [];
  nowMs: number;
  /** Runs before each command: tests inject failures and delays. */
  before: (command: Command) => Promise<void> | void = () => undefined;
  onWire: (shard: number, header: Uint8Array, message: Uint8Array) => WireReply = () => {
    throw new Error('no wire in this test');
  };
  /** Records the journal does not show yet. */
  lag = 0;

  constructor(shards: number, nowMs: number) {
    this.shards = shards;
    this.nowMs = nowMs;
    this.all = Array.from({ length: shards }, () => new FakeShard());
  }

  placement(id: string): number {
    return textHash(id) % this.shards;
  }

  find(f0: number, f1: number, f2: number): number {
    for (const [number, shard] of this.all.entries()) {
      const slot = shard.cards.findIndex(({ fingerprint: f }) => f[0] === f0 && f[1] === f1 && f[2] === f2);
      if (slot >= 0) return ((number << 24) | slot) >>> 0;
    }
    return -1;
  }

  async command(shard: number, command: Command): Promise<CommandResult> {
    this.commands.push(command);
    await this.before(command);
    const state = this.all[shard]!;
    const tag = 'idempotency' in command ? command.idempotency : undefined;
    const key = tag === undefined ? '' : Buffer.from(tag.keyHash).toString('hex');
    const known = state.outcomes.get(key);
    if (tag !== undefined && known !== undefined) {
      if (known.body !== Buffer.from(tag.bodyHash).toString('hex')) return { ok: false, code: 'idempotency_mismatch' };
      return { ...known.result, replayed: true } as CommandResult;
    }
    const result = this.#decide(shard, state, command);
    if (result.ok) this.#remember(state, tag, structuredClone(result));
    return structuredClone(result);
  }

  #remember(state: FakeShard, tag: IdempotencyTag | undefined, result: CommandResult): void {
    if (tag === undefined) return;
    state.outcomes.set(Buffer.from(tag.keyHash).toString('hex'), {
      body: Buffer.from(tag.bodyHash).toString('hex'),
      result,
    });
  }

  #decide(number: number, state: FakeShard, command: Command): CommandResult {
    this.nowMs += 1;
    switch (command.op) {
      case 'create_account': {
        if (state.accounts.some((row) => row.id === command.id)) return { ok: false, code: 'account_exists' };
        const { id, program, currency, creditLimit, type } = command;
        const slot = state.accounts.length;
        const sequence = this.#append(number, {
          event: {
            kind: EventKind.accountCreated,
            sequence: 0,
            timeMs: this.nowMs,
            accountSlot: slot,
            id,
            program,
            currency,
            creditLimit,
            type,
          },
        });
        const row: AccountView = {
          ...{ slot, id, program, currency, creditLimit, type, status: AccountStatus.open, posted: 0, held: 0 },
          ...{ createdMs: this.nowMs, newestSequence: sequence },
        };
        state.accounts.push(row);
        return { ok: true, sequence, account: row };
      }
      case 'update_account': {
        const row = state.accounts.find((one) => one.id === command.id);
        if (row === undefined) return { ok: false, code: 'account_not_found' };
        if (row.status === AccountStatus.closed) return { ok: false, code: 'account_closed' };
        if (command.creditLimit !== undefined) row.creditLimit = command.creditLimit;
        if (command.status !== undefined) row.status = command.status;
        const { slot, creditLimit, status, newestSequence: previousOfAccount } = row;
        row.newestSequence = this.#append(number, {
          event: {
            kind: EventKind.accountUpdated,
            sequence: 0,
            timeMs: this.nowMs,
            accountSlot: slot,
            creditLimit,
            status,
            previousOfAccount,
          },
        });
        return { ok: true, sequence: row.newestSequence, account: row };
      }
      case 'create_card': {
        const account = state.accounts.find((one) => one.id === command.account);
        if (account === undefined) return { ok: false, code: 'account_not_found' };
        const { op: _op, account: _account, idempotency: _idempotency, ...fields } = command;
        const slot = state.cards.length;
        const sequence = this.#append(number, {
          event: {
            kind: EventKind.cardCreated,
            sequence: 0,
            timeMs: this.nowMs,
            cardSlot: slot,
            accountSlot: account.slot,
            previousOfAccount: account.newestSequence,
            ...fields,
          },
        });
        account.newestSequence = sequence;
        const card: FakeCard = {
          ...fields,
          slot,
          account: account.id,
          createdMs: this.nowMs,
          newestSequence: sequence,
        };
        state.cards.push(card);
        return { ok: true, sequence, card };
      }
      case 'update_card': {
        const card = state.cards[command.cardSlot];
        if (card === undefined) return { ok: false, code: 'card_not_found' };
        if (card.status === CardStatus.closed || card.status === CardStatus.lost || card.status === CardStatus.stolen)
          return { ok: false, code: 'card_status_final' };
        card.status = command.status;
        const account = state.accounts.find((one) => one.id === card.account)!;
        const sequence = this.#append(number, {
          event: {
            kind: EventKind.cardUpdated,
            sequence: 0,
            timeMs: this.nowMs,
            cardSlot: card.slot,
            accountSlot: account.slot,
            status: card.status,
            previousOfCard: card.newestSequence,
            previousOfAccount: account.newestSequence,
          },
        });
        card.newestSequence = sequence;
        account.newestSequence = sequence;
        return { ok: true, sequence, card };
      }
      case 'payment': {
        const account = state.accounts.find((one) => one.id === command.account);
        if (account === undefined) return { ok: false, code: 'account_not_found' };
        if (account.currency !== command.currency) return { ok: false, code: 'currency_mismatch' };
        const reference = `${account.id} ${command.reference}`;
        if (state.references.has(reference)) return { ok: false, code: 'reference_exists' };
        state.references.add(reference);
        account.posted -= command.amount;
        const postings = [
          { glAccount: 1310, amount: command.amount },
          { glAccount: 2200, amount: -command.amount },
        ];
        account.newestSequence = this.#append(number, {
          event: {
            kind: EventKind.payment,
            sequence: 0,
            timeMs: this.nowMs,
            accountSlot: account.slot,
            amount: command.amount,
            currency: command.currency,
            reference: command.reference,
            postings,
            previousOfAccount: account.newestSequence,
          },
        });
        return { ok: true, sequence: account.newestSequence, account, balanceAfter: account.posted };
      }
      case 'import': {
        const imported = {
          accounts: 0,
          cards: 0,
          refused: [] as { row: number; code: 'account_exists' | 'card_exists' }[],
        };
        for (const [index, row] of command.rows.entries()) {
          const made = this.#decide(number, state, { op: 'create_account', ...row.account });
          if (!made.ok) {
            imported.refused.push({ row: index, code: 'account_exists' });
            continue;
          }
          imported.accounts++;
          if (row.card === undefined) continue;
          this.#decide(number, state, { op: 'create_card', account: row.account.id, ...row.card });
          imported.cards++;
        }
        return { ok: true, sequence: state.records.length, imported };
      }
    }
  }

  async read(shard: number, read: Read): Promise<ReadResult> {
    const state = this.all[shard]!;
    return structuredClone(this.#read(state, read, shard));
  }

  #read(state: FakeShard, read: Read, shard: number): ReadResult {
    const page = <R extends { slot: number }>(rows: R[], before: number, limit: number): R[] =>
      rows
        .filter((row) => before < 0 || row.slot < before)
        .reverse()
        .slice(0, limit);
    switch (read.op) {
      case 'account': {
        const account = state.accounts.find((one) => one.id === read.id);
        return account === undefined ? { ok: false, code: 'account_not_found' } : { ok: true, account };
      }
      case 'account_slot': {
        const account = state.accounts[read.slot];
        return account === undefined ? { ok: false, code: 'account_not_found' } : { ok: true, account };
      }
      case 'card': {
        const card = state.cards[read.slot];
        if (card === undefined) return { ok: false, code: 'card_not_found' };
        return { ok: true, card, accountView: state.accounts.find((one) => one.id === card.account)! };
      }
      case 'cards_of_account':
        return { ok: true, cards: state.cards.filter((card) => card.account === read.id) };
      case 'accounts':
        return { ok: true, accounts: page(state.accounts, read.before, read.limit) };
      case 'cards':
        return { ok: true, cards: page(state.cards, read.before, read.limit) };
      case 'index':
        return { ok: true, sequences: this.#search(state, read.high, read.low).slice(0, read.limit) };
      case 'hold': {
        const hold = state.holds.get(read.sequence);
        return { ok: true, remaining: hold?.remaining ?? 0, original: 0, expiresMs: hold?.expiresMs ?? 0 };
      }
      case 'totals': {
        const totals = new Map<string, { currency: number; glAccount: number; debit: number; credit: number }>();
        for (const entry of state.records) {
          if (!('event' in entry) || entry.event.kind !== EventKind.payment) continue;
          for (const { glAccount, amount } of entry.event.postings) {
            const key = `${entry.event.currency} ${glAccount}`;
            const total = totals.get(key) ?? { currency: entry.event.currency, glAccount, debit: 0, credit: 0 };
            if (amount > 0) total.debit += amount;
            else total.credit -= amount;
            totals.set(key, total);
          }
        }
        return { ok: true, totals: [...totals.values()] };
      }
      case 'stats':
        return {
          ok: true,
          stats: {
            ...{
              shard,
              sequence: state.records.length,
              durable: state.records.length,
              accounts: state.accounts.length,
            },
            ...{
              cards: state.cards.length,
              holdsOpen: state.holds.size,
              heldTotal: 0,
              recentKeys: 0,
              tombstones: 0,
              memoryBytes: 0,
            },
          },
        };
    }
  }

  #search(state: FakeShard, high: number, low: number | undefined): number[] {
    const found: number[] = [];
    for (const [index, entry] of state.records.entries()) {
      const sequence = index + 1;
      const original =
        'message' in entry
          ? entry.message.originalSequence
          : entry.event.kind === EventKind.notDelivered
            ? entry.event.originalSequence
            : 0;
      const elements = original > 0 ? searchKeys.elements(original) : undefined;
      if (elements?.high === high && (low === undefined || elements.low === low)) found.push(sequence);
      if ('message' in entry && low === undefined) {
        const { input } = entry.message;
        if (searchKeys.rrnHigh(input.textOf(Text.rrn)) === high || searchKeys.stanHigh(input.stan) === high)
          found.push(sequence);
      }
    }
    return found.reverse();
  }

  async wire(shard: number, header: Uint8Array, message: Uint8Array): Promise<WireReply> {
    return this.onWire(shard, header, message);
  }

  refresh(): void {
    if (this.lag > 0) this.lag--;
  }

  heads(): { shard: number; sequence: number; epoch: number }[] {
    return this.all.map(({ records }, shard) => ({
      shard,
      sequence: records.length - (this.lag > 0 ? 1 : 0),
      epoch: 1,
    }));
  }

  readMessage(shard: number, sequence: number, into: MessageEvent): boolean {
    const entry = this.all[shard]!.records[sequence - 1];
    if (entry === undefined || !('message' in entry)) return false;
    const { input, verdicts, fingerprint, ...plain } = entry.message;
    Object.assign(into, plain);
    Object.assign(into.input, structuredClone(input));
    Object.setPrototypeOf(into.input, Object.getPrototypeOf(input));
    into.verdicts.set(verdicts);
    into.fingerprint.set(fingerprint);
    return true;
  }

  readEvent(shard: number, sequence: number): PlainEvent | undefined {
    const entry = this.all[shard]!.records[sequence - 1];
    return entry !== undefined && 'event' in entry ? entry.event : undefined;
  }

  #append(shard: number, entry: Entry): number {
    const sequence = this.all[shard]!.records.push(entry);
    if ('event' in entry) entry.event.sequence = sequence;
    else entry.message.sequence = sequence;
    return sequence;
  }

  /** Journals a decision about a message of a card, with its back pointers and its effect on the hold. */
  addMessage(shard: number, cardSlot: number, fill: (event: MessageEvent) => void): number {
    const state = this.all[shard]!;
    const event = new MessageEvent();
    this.nowMs += 1;
    event.timeMs = this.nowMs;
    event.element = ElementKind.authorization;
    const card = state.cards[cardSlot];
    const account = state.accounts.find((one) => one.id === card?.account);
    if (card !== undefined && account !== undefined) {
      event.cardSlot = cardSlot;
      event.accountSlot = account.slot;
      event.previousOfCard = card.newestSequence;
      event.previousOfAccount = account.newestSequence;
      event.creditLimitBefore = account.creditLimit;
      event.postedBefore = account.posted;
      event.heldBefore = account.held;
    }
    fill(event);
    const sequence = this.#append(shard, { message: event });
    if (card !== undefined && account !== undefined) {
      card.newestSequence = sequence;
      account.newestSequence = sequence;
      account.held += event.holdDelta;
    }
    const target = event.originalSequence > 0 ? event.originalSequence : sequence;
    const hold = state.holds.get(target) ?? { remaining: 0, expiresMs: event.holdExpiresMs };
    hold.remaining += event.holdDelta;
    if (hold.remaining > 0) state.holds.set(target, hold);
    else state.holds.delete(target);
    return sequence;
  }
}
