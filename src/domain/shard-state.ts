/**
 * Everything a shard knows in memory: the fold over its journal. Only `apply.ts` changes it on behalf of events; a
 * checkpoint reads entries out (`takeDirty`, `writeEntry`) and a recovery puts them back (`readEntry`) before it replays.
 * An entry is a block of 64 rows of a table, one ledger row, or the shard's counters.
 *
 * Rows of a checkpoint may be of different ages: each carries the sequence it includes, and applying an event skips every
 * row that has it already. So any mix of row ages plus the events from the oldest one on gives the same state, and the
 * digest proves it. A hold that was closed has no row; replaying its life opens and closes it again.
 */
import { assert } from '../errors.js';
import {
  CONTROLS_TEXT_BYTES_MAX,
  DUPLICATE_WINDOW_MS,
  PROGRAM_SNAPSHOT_BYTES_MAX,
  VELOCITY_ROW_BYTES_MAX,
} from '../limits.js';
import { ACCOUNT_BLOCK_BYTES_MAX, AccountTable } from './account-table.js';
import { ApprovalCodes, NO_APPROVAL_KEY } from './approval-code.js';
import { CardTable } from './card-table.js';
import { RowCursor } from './columns.js';
import { StateDigest } from './digest.js';
import { HoldTable } from './hold-table.js';
import { KeySet } from './key-set.js';
import { LedgerTotals } from './ledger/totals.js';
import { PinTable } from './pin-table.js';
import { BLOCK_BITS } from './rows.js';
import { RuleStats } from './rule-stats.js';
import { Table } from './tables.js';
import { TextTable } from './text-table.js';
import { TotalsTable } from './totals-table.js';
import { VelocityTable } from './velocity/velocity-table.js';

/** Version 1 had no accrual. */
const COUNTERS_VERSION = 2;
const COUNTERS_BYTES = [0, 17, 41] as const;

export class ShardState {
  readonly shard: number;
  /** How long repeats and early reversals are remembered, ms; at least 24 h (limits.ts). */
  readonly duplicateWindowMs: number;
  readonly approvalCodes: ApprovalCodes;
  readonly digest = new StateDigest();
  readonly accounts: AccountTable;
  readonly cards: CardTable;
  readonly holds: HoldTable;
  readonly pins: PinTable;
  readonly ledger = new LedgerTotals(this.digest);
  /** Payment references, hashed with their account. */
  readonly references: KeySet;
  /** First 64 bits of the API's idempotency key hashes. */
  readonly idempotency: KeySet;
  /** Hashes of messages that once stopped the shard: their resends are not decided. */
  readonly poisons: KeySet;
  /** Snapshots of programs by the program's index. */
  readonly programs: TextTable;
  /** Controls of cards and accounts as JSON, by owner (velocity/counter-changes.ts); a card's own, not those of its chain. */
  readonly controls: TextTable;
  readonly velocity: VelocityTable;
  readonly ruleStats = new RuleStats(this.digest);
  readonly totals = new TotalsTable(this.digest);

  #tombstones = 0;
  /** The day of the daily accrual, the slot from which its accounts are not done, and the sequence that said so. */
  #accrualDay = 0;
  #accrualNext = 0;
  #accrualNewest = 0;
  #countersNewest = 0;
  #countersDirty = false;
  #countersPass = false;
  readonly #cursor = new RowCursor();

  /**
   * @param approvalKey needed only by a state that decides @param blockBits rows of a checkpoint block as a power of two; part of the checkpoint's format, smaller ones are for tests
   */
  constructor(
    shard: number,
    duplicateWindowMs = DUPLICATE_WINDOW_MS,
    approvalKey = NO_APPROVAL_KEY,
    blockBits = BLOCK_BITS,
  ) {
    this.shard = shard;
    this.duplicateWindowMs = duplicateWindowMs;
    this.approvalCodes = new ApprovalCodes(approvalKey, shard);
    this.accounts = new AccountTable(this.digest, blockBits);
    this.cards = new CardTable(this.digest, blockBits);
    this.holds = new HoldTable(this.digest, blockBits);
    this.pins = new PinTable(this.digest, blockBits);
    this.references = new KeySet(this.digest, Table.reference, blockBits);
    this.idempotency = new KeySet(this.digest, Table.idempotency, blockBits);
    this.poisons = new KeySet(this.digest, Table.poison, blockBits);
    this.programs = new TextTable(this.digest, Table.program, PROGRAM_SNAPSHOT_BYTES_MAX);
    this.controls = new TextTable(this.digest, Table.controls, CONTROLS_TEXT_BYTES_MAX);
    this.velocity = new VelocityTable(this.digest, Table.velocity);
  }

  /** Tombstones of early reversals recorded since the shard began. */
  get tombstones(): number {
    return this.#tombstones;
  }

  /** How far the daily accrual is: accounts below `nextSlot` are done for `day` (days since 1970-01-01; 0: it never ran). */
  get accrual(): { day: number; nextSlot: number } {
    return { day: this.#accrualDay, nextSlot: this.#accrualNext };
  }

  markAccrual({ day, nextSlot, sequence }: { day: number; nextSlot: number; sequence: number }): void {
    if (sequence <= this.#accrualNewest) return;
    this.#setAccrual(day, nextSlot, sequence);
    this.#countersDirty = true;
  }

  get holdsOpen(): number {
    return this.holds.count;
  }

  get memoryBytes(): number {
    return (
      this.accounts.memoryBytes +
      this.cards.memoryBytes +
      this.holds.memoryBytes +
      this.pins.memoryBytes +
      this.ledger.memoryBytes +
      this.references.memoryBytes +
      this.idempotency.memoryBytes +
      this.poisons.memoryBytes +
      this.programs.memoryBytes +
      this.controls.memoryBytes +
      this.velocity.memoryBytes +
      this.ruleStats.memoryBytes +
      this.totals.memoryBytes
    );
  }

  countTombstone(sequence: number): void {
    if (sequence <= this.#countersNewest) return;
    this.#setCounters(this.#tombstones + 1, sequence);
    this.#countersDirty = true;
  }

  /** Entries whose latest content has not been taken by a checkpoint. */
  get dirtyEntries(): number {
    return (
      this.accounts.dirty.count +
      this.cards.dirty.count +
      this.holds.dirty.count +
      this.pins.dirty.count +
      this.ledger.dirty.count +
      this.references.dirtyCount +
      this.idempotency.dirtyCount +
      this.poisons.dirtyCount +
      this.programs.dirtyCount +
      this.controls.dirtyCount +
      this.velocity.dirtyCount +
      this.ruleStats.dirtyCount +
      this.totals.dirty.count +
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
    const { programs, controls, velocity, ruleStats, totals, pins } = this;
    const lists = [accounts.dirty, cards.dirty, holds.dirty, ledger.dirty, references, idempotency, poisons];
    return [...lists, programs, controls, velocity, ruleStats, totals.dirty, pins.dirty];
  }

  /**
   * Hands out up to `limit` changed entries and counts them as taken; the visitor calls `writeEntry` for the content. An
   * entry holds the newest values: write it only when everything decided so far is durable, or keep its bytes until that
   * is so.
   */
  takeDirty(limit: number, visit: (table: Table, key: number) => void): number {
    let taken = 0;
    if (this.#countersDirty && taken < limit) {
      this.#countersDirty = false;
      this.#countersPass = false;
      visit(Table.counters, 0);
      taken++;
    }
    taken += this.accounts.dirty.take(limit - taken, (block) => visit(Table.account, block));
    taken += this.cards.dirty.take(limit - taken, (block) => visit(Table.card, block));
    taken += this.holds.dirty.take(limit - taken, (block) => visit(Table.hold, block));
    taken += this.pins.dirty.take(limit - taken, (block) => visit(Table.pin, block));
    taken += this.ledger.dirty.take(limit - taken, (row) => visit(Table.ledger, this.ledger.keyOf(row)));
    taken += this.references.takeDirty(limit - taken, (block) => visit(Table.reference, block));
    taken += this.idempotency.takeDirty(limit - taken, (block) => visit(Table.idempotency, block));
    taken += this.poisons.takeDirty(limit - taken, (block) => visit(Table.poison, block));
    taken += this.programs.takeDirty(limit - taken, (program) => visit(Table.program, program));
    taken += this.controls.takeDirty(limit - taken, (owner) => visit(Table.controls, owner));
    taken += this.velocity.takeDirty(limit - taken, (owner) => visit(Table.velocity, owner));
    taken += this.ruleStats.takeDirty(limit - taken, (key) => visit(Table.ruleStats, key));
    taken += this.totals.dirty.take(limit - taken, (place) => visit(Table.totals, place));
    return taken;
  }

  /** Bytes that `writeEntry` writes at most: a bound that fits most entries, the length of a text with its head. */
  entryBytes(table: Table, key: number): number {
    if (table === Table.program) return this.programs.rowBytes(key);
    if (table === Table.controls) return this.controls.rowBytes(key);
    return table === Table.velocity ? VELOCITY_ROW_BYTES_MAX : ACCOUNT_BLOCK_BYTES_MAX;
  }

  /** Writes an entry at `at` (room for `entryBytes`) and returns its length, 0 when there is no such entry. */
  writeEntry(table: Table, key: number, target: Uint8Array, at: number): number {
    const cursor = this.#cursor.attach(target, at);
    switch (table) {
      case Table.account:
        return this.accounts.writeBlock(key, cursor) ? cursor.at - at : 0;
      case Table.card:
        return this.cards.writeBlock(key, cursor) ? cursor.at - at : 0;
      case Table.hold:
        return this.holds.writeBlock(key, cursor) ? cursor.at - at : 0;
      case Table.pin:
        return this.pins.writeBlock(key, cursor) ? cursor.at - at : 0;
      case Table.ledger:
        this.ledger.writeRow(this.ledger.rowOfKey(key), cursor);
        return cursor.at - at;
      case Table.reference:
        return this.references.writeBlock(key, cursor) ? cursor.at - at : 0;
      case Table.idempotency:
        return this.idempotency.writeBlock(key, cursor) ? cursor.at - at : 0;
      case Table.poison:
        return this.poisons.writeBlock(key, cursor) ? cursor.at - at : 0;
      case Table.program:
        this.programs.writeRow(key, cursor);
        return cursor.at - at;
      case Table.controls:
        this.controls.writeRow(key, cursor);
        return cursor.at - at;
      case Table.velocity:
        this.velocity.writeRow(key, cursor);
        return cursor.at - at;
      case Table.ruleStats:
        this.ruleStats.writeRow(key, cursor);
        return cursor.at - at;
      case Table.totals:
        this.totals.writeRow(key, cursor);
        return cursor.at - at;
      case Table.counters:
        cursor.putU8(COUNTERS_VERSION);
        cursor.putF64(this.#tombstones);
        cursor.putF64(this.#countersNewest);
        cursor.putF64(this.#accrualDay);
        cursor.putF64(this.#accrualNext);
        cursor.putF64(this.#accrualNewest);
        return cursor.at - at;
    }
  }

  /** Takes one entry of a checkpoint into a state that does not have it. Entries may come in any order. */
  readEntry(table: Table, key: number, source: Uint8Array, at: number, length: number): void {
    const cursor = this.#cursor.attach(source, at);
    switch (table) {
      case Table.account:
        this.accounts.readBlock(key, cursor);
        break;
      case Table.card:
        this.cards.readBlock(key, cursor, (slot) => this.linkCard(slot));
        break;
      case Table.hold:
        this.holds.readBlock(key, cursor);
        break;
      case Table.pin:
        this.pins.readBlock(key, cursor);
        break;
      case Table.ledger:
        this.ledger.readRow(key, cursor, length);
        break;
      case Table.reference:
        this.references.readBlock(key, cursor, length);
        break;
      case Table.idempotency:
        this.idempotency.readBlock(key, cursor, length);
        break;
      case Table.poison:
        this.poisons.readBlock(key, cursor, length);
        break;
      case Table.program:
        this.programs.readRow(key, cursor, length);
        break;
      case Table.controls:
        this.controls.readRow(key, cursor, length);
        break;
      case Table.velocity:
        this.velocity.readRow(key, cursor, length);
        break;
      case Table.ruleStats:
        this.ruleStats.readRow(key, cursor, length);
        break;
      case Table.totals:
        this.totals.readRow(key, cursor);
        break;
      case Table.counters:
        this.#readCounters(cursor, length);
        break;
    }
    assert(cursor.at - at === length, `entry ${key} of table ${table} has ${length} bytes, read ${cursor.at - at}`);
  }

  /** Puts a card into its account's list (tokens are not in it). The list is derived: in no row and not in the digest. */
  linkCard(cardSlot: number): void {
    if (this.cards.isAlias(cardSlot)) return;
    const account = this.cards.account(cardSlot);
    this.accounts.reserve(account);
    this.cards.setNextOfAccount(cardSlot, this.accounts.firstCard(account));
    this.accounts.setFirstCard(account, cardSlot + 1);
  }

  /** Slots of an account's cards, ascending. */
  cardsOf(accountSlot: number): number[] {
    const slots: number[] = [];
    for (let link = this.accounts.firstCard(accountSlot); link > 0; link = this.cards.nextOfAccount(link - 1)) {
      slots.push(link - 1);
    }
    return slots.sort((a, b) => a - b);
  }

  #readCounters(cursor: RowCursor, length: number): void {
    const version = cursor.u8();
    assert(
      (version === 1 || version === COUNTERS_VERSION) && length === COUNTERS_BYTES[version],
      'counters row is of a version this release does not know',
    );
    this.#setCounters(cursor.f64(), cursor.f64());
    if (version > 1) this.#setAccrual(cursor.f64(), cursor.f64(), cursor.f64());
  }

  /** Zero is taken as "not there", so that directories without an accrual keep their digest. */
  #setAccrual(day: number, nextSlot: number, newest: number): void {
    const before = [this.#accrualDay, this.#accrualNext, this.#accrualNewest];
    [day, nextSlot, newest].forEach((value, place) => {
      if (before[place] !== 0) this.digest.remove(Table.counters, 0, 3 + place, before[place]!);
      if (value !== 0) this.digest.add(Table.counters, 0, 3 + place, value);
    });
    this.#accrualDay = day;
    this.#accrualNext = nextSlot;
    this.#accrualNewest = newest;
  }

  #setCounters(tombstones: number, newest: number): void {
    this.digest.change(Table.counters, 0, 1, this.#tombstones, tombstones);
    this.digest.change(Table.counters, 0, 2, this.#countersNewest, newest);
    this.#tombstones = tombstones;
    this.#countersNewest = newest;
  }
}
