/**
 * How often each rule of a program's snapshot was asked, matched and declined, counted by the events themselves: so the
 * figures are the same in every replay and outlive the process. A row per program and revision; a rule is its place in that
 * snapshot.
 *
 *   checkpoint row   version (1) | sequence (8) | rules (4) | asked (8) | per rule: matched (8), declined (8)
 */
import { assert } from '../errors.js';
import { RULES_PER_SET_MAX } from '../limits.js';
import { DirtyList, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import type { MessageEvent } from './events.js';
import { Table } from './tables.js';

const ROW_VERSION = 1;
const HEAD_BYTES = 1 + 8 + 4 + 8;
/** Revisions of one program that a key has room for. */
const REVISIONS_MAX = 2 ** 24;
const Field = { asked: 1, matched: 2, declined: 3 } as const;

/** Of the rules of one snapshot, by their places. */
export interface RevisionStats {
  revision: number;
  /** Messages that the rules were asked about. */
  asked: number;
  matched: number[];
  declined: number[];
}

interface StatsRow {
  readonly key: number;
  /** In the list of rows. */
  readonly place: number;
  newest: number;
  asked: number;
  rules: number;
  readonly matched: Float64Array;
  readonly declined: Float64Array;
}

export class RuleStats {
  readonly #rows: StatsRow[] = [];
  readonly #placeOf = new Map<number, number>();
  /** The row that was counted in last: most accounts of a shard have one program. */
  #latest: StatsRow | undefined;
  readonly #digest: StateDigest;
  readonly #dirty = new DirtyList();

  constructor(digest: StateDigest) {
    this.#digest = digest;
  }

  /** Takes in an event whose rules were asked, unless the row includes it. */
  count(program: number, event: MessageEvent): void {
    const { rulesAsked, ruleBits, decidingRule, sequence } = event;
    const key = program * REVISIONS_MAX + event.programRevision;
    const row = this.#latest?.key === key ? this.#latest : (this.#row(key) ?? this.#add(key));
    this.#latest = row;
    if (sequence <= row.newest) return;
    row.newest = sequence;
    row.rules = Math.max(row.rules, rulesAsked);
    this.#digest.change(Table.ruleStats, key * RULES_PER_SET_MAX, Field.asked, row.asked, row.asked + 1);
    row.asked += 1;
    for (let byte = 0; byte * 8 < rulesAsked; byte++) {
      // Most messages match nothing.
      for (let bits = ruleBits[byte]!, rule = byte * 8; bits !== 0; bits >>>= 1, rule++) {
        if ((bits & 1) === 1) this.#raise(row, row.matched, rule, Field.matched);
      }
    }
    if (decidingRule >= 0) this.#raise(row, row.declined, decidingRule, Field.declined);
    this.#dirty.push(row.place);
  }

  /** Figures of the revisions of a program above `after`, the oldest first, at most `limit`; those with rules that were asked. */
  of(program: number, after: number, limit: number): RevisionStats[] {
    const first = program * REVISIONS_MAX;
    return this.#rows
      .filter(({ key }) => key > first + after && key < first + REVISIONS_MAX)
      .sort((a, b) => a.key - b.key)
      .slice(0, limit)
      .map(({ key, asked, rules, matched, declined }) => ({
        revision: key - first,
        asked,
        matched: [...matched.subarray(0, rules)],
        declined: [...declined.subarray(0, rules)],
      }));
  }

  get dirtyCount(): number {
    return this.#dirty.count;
  }

  takeDirty(limit: number, visit: (key: number) => void): number {
    return this.#dirty.take(limit, (place) => visit(this.#rows[place]!.key));
  }

  startPass(): void {
    this.#dirty.startPass();
  }

  get passDone(): boolean {
    return this.#dirty.passDone;
  }

  writeRow(key: number, cursor: RowCursor): void {
    const row = this.#row(key);
    assert(row !== undefined, `statistics of rules ${key} do not exist`);
    cursor.putU8(ROW_VERSION);
    cursor.putF64(row.newest);
    cursor.putU32(row.rules);
    cursor.putF64(row.asked);
    for (let rule = 0; rule < row.rules; rule++) {
      cursor.putF64(row.matched[rule]!);
      cursor.putF64(row.declined[rule]!);
    }
  }

  readRow(key: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `statistics of rules ${key} have an unknown version`);
    assert(this.#row(key) === undefined, `statistics of rules ${key} are there already`);
    const row = this.#add(key);
    row.newest = cursor.f64();
    row.rules = cursor.u32();
    assert(
      row.rules <= RULES_PER_SET_MAX && length === HEAD_BYTES + 16 * row.rules,
      `statistics of ${row.rules} rules have ${length} bytes`,
    );
    row.asked = cursor.f64();
    this.#digest.change(Table.ruleStats, key * RULES_PER_SET_MAX, Field.asked, 0, row.asked);
    for (let rule = 0; rule < row.rules; rule++) {
      this.#put(row, row.matched, rule, Field.matched, cursor.f64());
      this.#put(row, row.declined, rule, Field.declined, cursor.f64());
    }
  }

  get memoryBytes(): number {
    return this.#rows.length * (16 * RULES_PER_SET_MAX + 200) + this.#dirty.bytes;
  }

  #row(key: number): StatsRow | undefined {
    const place = this.#placeOf.get(key);
    return place === undefined ? undefined : this.#rows[place];
  }

  #add(key: number): StatsRow {
    const matched = new Float64Array(RULES_PER_SET_MAX);
    const declined = new Float64Array(RULES_PER_SET_MAX);
    const row = { key, place: this.#rows.length, newest: 0, asked: 0, rules: 0, matched, declined };
    this.#placeOf.set(key, this.#rows.length);
    this.#rows.push(row);
    return row;
  }

  #raise(row: StatsRow, column: Float64Array, rule: number, field: number): void {
    this.#put(row, column, rule, field, column[rule]! + 1);
  }

  #put(row: StatsRow, column: Float64Array, rule: number, field: number, value: number): void {
    this.#digest.change(Table.ruleStats, row.key * RULES_PER_SET_MAX + rule, field, column[rule]!, value);
    column[rule] = value;
  }
}
