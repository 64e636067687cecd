/**
 * Everything a shard knows in memory: the fold over its journal. Only `apply.ts` changes it on behalf of events; a
 * checkpoint reads rows out (`takeDirty`, `writeRow`) and a recovery puts them back (`readRow`) before it replays.
 *
 * Rows of a checkpoint may be of different ages: each carries the sequence it includes, and applying an event skips every
 * row that has it already. So any mix of row ages plus the events from the oldest one on gives the same state, and the
 * digest proves it. A hold that was closed has no row; replaying its life opens and closes it again.
 */
import { assert } from '../errors.js';
import { DUPLICATE_WINDOW_MS } from '../limits.js';
import { AccountTable } from './account-table.js';
import { ApprovalCodes, NO_APPROVAL_KEY } from './approval-code.js';
import { CardTable } from './card-table.js';
import { RowCursor } from './columns.js';
import { StateDigest } from './digest.js';
import { HoldTable } from './hold-table.js';
import { KeySet } from './key-set.js';
import { LedgerTotals } from './ledger-totals.js';
import { Table } from './tables.js';

/** Most bytes of one checkpoint row: an account with an id of 64 characters. */
export const ROW_BYTES_MAX = 256;

const COUNTERS_VERSION = 1;

export class ShardState {
  readonly shard: number;
  /** How long repeats and early reversals are remembered, ms; at least 24 h (limits.ts). */
  readonly duplicateWindowMs: number;
  readonly approvalCodes: ApprovalCodes;
  readonly digest = new StateDigest();
  readonly accounts = new AccountTable(this.digest);
  readonly cards = new CardTable(this.digest);
  readonly holds = new HoldTable(this.digest);
  readonly ledger = new LedgerTotals(this.digest);
  /** Payment references, hashed with their account. */
  readonly references = new KeySet(this.digest, Table.reference);
  /** First 64 bits of the API's idempotency key hashes. */
  readonly idempotency = new KeySet(this.digest, Table.idempotency);
  /** Hashes of messages that once stopped the shard: their resends are not decided. */
  readonly poisons = new KeySet(this.digest, Table.poison);

  #tombstones = 0;
  #countersNewest = 0;
  #countersDirty = false;
  #countersPass = false;
  readonly #cursor = new RowCursor();

  /** The key is needed only by a state that decides. */
  constructor(shard: number, duplicateWindowMs = DUPLICATE_WINDOW_MS, approvalKey = NO_APPROVAL_KEY) {
    this.shard = shard;
    this.duplicateWindowMs = duplicateWindowMs;
    this.approvalCodes = new ApprovalCodes(approvalKey, shard);
  }

  /** Tombstones of early reversals recorded since the shard began. */
  get tombstones(): number {
    return this.#tombstones;
  }

  /** Sum of held amounts over all accounts, whatever their currency. */
  get heldTotal(): number {
    return this.accounts.heldTotal;
  }

  get holdsOpen(): number {
    return this.holds.count;
  }

  get memoryBytes(): number {
    return (
      this.accounts.memoryBytes +
      this.cards.memoryBytes +
      this.holds.memoryBytes +
      this.ledger.memoryBytes +
      this.references.memoryBytes +
      this.idempotency.memoryBytes +
      this.poisons.memoryBytes
    );
  }

  countTombstone(sequence: number): void {
    if (sequence <= this.#countersNewest) return;
    this.#setCounters(this.#tombstones + 1, sequence);
    this.#countersDirty = true;
  }

  /** Rows whose latest value has not been taken by a checkpoint. */
  get dirtyRows(): number {
    return (
      this.accounts.dirty.count +
      this.cards.dirty.count +
      this.holds.dirty.count +
      this.ledger.dirty.count +
      this.references.dirtyCount +
      this.idempotency.dirtyCount +
      this.poisons.dirtyCount +
      (this.#countersDirty ? 1 : 0)
    );
  }

  /**
   * Begins a pass of the checkpoint: every row that is dirty now. When `passDone`, the rows written so far include every
   * event up to the sequence at which the pass began, so a recovery may replay from the one after it.
   */
  startPass(): void {
    for (const table of this.#dirtyTables()) table.startPass();
    this.#countersPass = this.#countersDirty;
  }

  /** True when every row of the pass has been taken (or changed and taken since). */
  get passDone(): boolean {
    return !this.#countersPass && this.#dirtyTables().every((table) => table.passDone);
  }

  #dirtyTables(): { startPass(): void; readonly passDone: boolean }[] {
    const { accounts, cards, holds, ledger, references, idempotency, poisons } = this;
    return [accounts.dirty, cards.dirty, holds.dirty, ledger.dirty, references, idempotency, poisons];
  }

  /**
   * Hands out up to `limit` changed rows and counts them as taken. The visitor calls `writeRow` for the value; a key that
   * `writeRow` answers with 0 bytes is gone and its row must be removed. A row holds the newest value: write it only when
   * everything decided so far is durable, or keep its bytes until that is so.
   */
  takeDirty(limit: number, visit: (table: Table, key: number) => void): number {
    let taken = 0;
    if (this.#countersDirty && taken < limit) {
      this.#countersDirty = false;
      this.#countersPass = false;
      visit(Table.counters, 0);
      taken++;
    }
    taken += this.accounts.dirty.take(limit - taken, (slot) => {
      this.accounts.clearDirty(slot);
      visit(Table.account, slot);
    });
    taken += this.cards.dirty.take(limit - taken, (slot) => {
      this.cards.clearDirty(slot);
      visit(Table.card, slot);
    });
    taken += this.holds.dirty.take(limit - taken, (sequence) => {
      const slot = this.holds.find(sequence);
      if (slot >= 0) this.holds.clearDirty(slot);
      visit(Table.hold, sequence);
    });
    taken += this.ledger.dirty.take(limit - taken, (row) => {
      this.ledger.clearDirty(row);
      visit(Table.ledger, this.ledger.keyOf(row));
    });
    taken += this.references.takeDirty(limit - taken, (place) => visit(Table.reference, place));
    taken += this.idempotency.takeDirty(limit - taken, (place) => visit(Table.idempotency, place));
    taken += this.poisons.takeDirty(limit - taken, (place) => visit(Table.poison, place));
    return taken;
  }

  /** Writes a row at `at` (room for `ROW_BYTES_MAX`) and returns its length, 0 when there is no such row (any more). */
  writeRow(table: Table, key: number, target: Uint8Array, at: number): number {
    const cursor = this.#cursor.attach(target, at);
    switch (table) {
      case Table.account:
        if (!this.accounts.exists(key)) return 0;
        this.accounts.writeRow(key, cursor);
        break;
      case Table.card:
        if (!this.cards.exists(key)) return 0;
        this.cards.writeRow(key, cursor);
        break;
      case Table.hold: {
        const slot = this.holds.find(key);
        if (slot < 0) return 0;
        this.holds.writeRow(slot, cursor);
        break;
      }
      case Table.ledger:
        this.ledger.writeRow(this.ledger.rowOfKey(key), cursor);
        break;
      case Table.reference:
        if (!this.references.has(key)) return 0;
        this.references.writeRow(key, cursor);
        break;
      case Table.idempotency:
        if (!this.idempotency.has(key)) return 0;
        this.idempotency.writeRow(key, cursor);
        break;
      case Table.poison:
        if (!this.poisons.has(key)) return 0;
        this.poisons.writeRow(key, cursor);
        break;
      case Table.counters:
        cursor.putU8(COUNTERS_VERSION);
        cursor.putF64(this.#tombstones);
        cursor.putF64(this.#countersNewest);
        break;
    }
    return cursor.at - at;
  }

  /** Takes one row of a checkpoint into a state that does not have it. Rows may come in any order. */
  readRow(table: Table, key: number, source: Uint8Array, at: number, length: number): void {
    const cursor = this.#cursor.attach(source, at);
    switch (table) {
      case Table.account:
        this.accounts.readRow(key, cursor, length);
        break;
      case Table.card:
        this.cards.readRow(key, cursor, length);
        this.linkCard(key);
        break;
      case Table.hold:
        this.holds.readRow(key, cursor, length);
        break;
      case Table.ledger:
        this.ledger.readRow(key, cursor, length);
        break;
      case Table.reference:
        this.references.readRow(key, cursor, length);
        break;
      case Table.idempotency:
        this.idempotency.readRow(key, cursor, length);
        break;
      case Table.poison:
        this.poisons.readRow(key, cursor, length);
        break;
      case Table.counters:
        assert(
          cursor.u8() === COUNTERS_VERSION && length === 17,
          'counters row is of a version this release does not know',
        );
        this.#setCounters(cursor.f64(), cursor.f64());
        break;
    }
    assert(cursor.at - at === length, `row ${key} of table ${table} has ${length} bytes, read ${cursor.at - at}`);
  }

  /** Puts a card into its account's list. The list is derived: it is in no row and not in the digest. */
  linkCard(cardSlot: number): void {
    const account = this.cards.account[cardSlot]!;
    this.accounts.reserve(account);
    this.cards.nextOfAccount[cardSlot] = this.accounts.firstCard[account]!;
    this.accounts.firstCard[account] = cardSlot + 1;
  }

  /** Slots of an account's cards, ascending. */
  cardsOf(accountSlot: number): number[] {
    const slots: number[] = [];
    for (let link = this.accounts.firstCard[accountSlot] ?? 0; link > 0; link = this.cards.nextOfAccount[link - 1]!) {
      slots.push(link - 1);
    }
    return slots.sort((a, b) => a - b);
  }

  #setCounters(tombstones: number, newest: number): void {
    this.digest.change(Table.counters, 0, 1, this.#tombstones, tombstones);
    this.digest.change(Table.counters, 0, 2, this.#countersNewest, newest);
    this.#tombstones = tombstones;
    this.#countersNewest = newest;
  }
}
