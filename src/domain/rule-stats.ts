/**
 * How often each rule of a program's snapshot was asked, matched and declined, counted by the events themselves: so the
 * figures are the same in every replay and outlive the process. A row per program and revision; a rule is its place in that
 * snapshot.
 *
 * Of a program the newest RULE_STATS_REVISIONS_MAX revisions count. What is older is emptied by the first message under a
 * revision so far ahead: by the numbers of revisions and not of rows, so that a replay from a checkpoint, which may have later
 * rows already, empties the same. An emptied row carries that message's sequence, which keeps a replay of older ones out.
 *
 *   checkpoint row   version (1) | sequence (8) | rules (4) | asked (8) | per rule: matched (8), declined (8)
 */
import { assert } from '../errors.js';
import { RULE_STATS_REVISIONS_MAX, RULES_PER_SET_MAX } from '../limits.js';
import { grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import type { MessageEvent } from './events.js';
import { KeyedRows } from './keyed-rows.js';
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
  newest: number;
  asked: number;
  rules: number;
  /** A number per rule. */
  matched: Float64Array;
  declined: Float64Array;
}

const NO_RULES = new Float64Array(0);

export class RuleStats extends KeyedRows<StatsRow> {
  /** The row that was counted in last: most accounts of a shard have one program. */
  #latest: StatsRow | undefined;
  readonly #digest: StateDigest;
  /** By program: the newest revision that was looked at for what is too old. */
  readonly #newestRevision: number[] = [];
  /** Numbers in all rows. */
  #numbers = 0;

  constructor(digest: StateDigest) {
    super();
    this.#digest = digest;
  }

  /** Takes in an event whose rules were asked, unless the row includes it. */
  count(program: number, event: MessageEvent): void {
    const { rulesAsked, ruleBits, decidingRule, sequence } = event;
    if (event.programRevision > (this.#newestRevision[program] ?? 0)) this.#forget(program, event);
    const key = program * REVISIONS_MAX + event.programRevision;
    const row = this.#latest?.key === key ? this.#latest : (this.row(key) ?? this.#add(key));
    this.#latest = row;
    if (sequence <= row.newest) return;
    row.newest = sequence;
    if (rulesAsked > row.rules) this.#size(row, rulesAsked);
    this.#digest.change(Table.ruleStats, key * RULES_PER_SET_MAX, Field.asked, row.asked, row.asked + 1);
    row.asked += 1;
    for (let byte = 0; byte * 8 < rulesAsked; byte++) {
      // Most messages match nothing.
      for (let bits = ruleBits[byte]!, rule = byte * 8; bits !== 0; bits >>>= 1, rule++) {
        if ((bits & 1) === 1) this.#raise(row, row.matched, rule, Field.matched);
      }
    }
    if (decidingRule >= 0) this.#raise(row, row.declined, decidingRule, Field.declined);
    this.changed(key);
  }

  /** Empties the rows of revisions that are too old for this one. */
  #forget(program: number, { programRevision, sequence }: MessageEvent): void {
    this.#newestRevision[program] = programRevision;
    const first = program * REVISIONS_MAX;
    const end = first + programRevision - RULE_STATS_REVISIONS_MAX;
    for (const row of this.rows) {
      if (row.key < first || row.key > end || row.rules === 0) continue;
      this.#digest.change(Table.ruleStats, row.key * RULES_PER_SET_MAX, Field.asked, row.asked, 0);
      for (let rule = 0; rule < row.rules; rule++) {
        this.#put(row, row.matched, rule, Field.matched, 0);
        this.#put(row, row.declined, rule, Field.declined, 0);
      }
      row.asked = 0;
      row.newest = Math.max(row.newest, sequence);
      this.#size(row, 0);
      this.changed(row.key);
    }
  }

  #size(row: StatsRow, rules: number): void {
    this.#numbers += 2 * (rules - row.rules);
    row.matched = rules === 0 ? NO_RULES : grown(row.matched, rules);
    row.declined = rules === 0 ? NO_RULES : grown(row.declined, rules);
    row.rules = rules;
  }

  /** Figures of the revisions of a program above `after`, the oldest first, at most `limit`; those with rules that were asked. */
  of(program: number, after: number, limit: number): RevisionStats[] {
    const first = program * REVISIONS_MAX;
    return this.rows
      .filter(({ key, rules }) => key > first + after && key < first + REVISIONS_MAX && rules > 0)
      .sort((a, b) => a.key - b.key)
      .slice(0, limit)
      .map(({ key, asked, matched, declined }) => ({
        revision: key - first,
        asked,
        matched: [...matched],
        declined: [...declined],
      }));
  }

  writeRow(key: number, cursor: RowCursor): void {
    const row = this.row(key);
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
    assert(this.row(key) === undefined, `statistics of rules ${key} are there already`);
    const row = this.#add(key);
    row.newest = cursor.f64();
    const rules = cursor.u32();
    assert(
      rules <= RULES_PER_SET_MAX && length === HEAD_BYTES + 16 * rules,
      `statistics of ${rules} rules have ${length} bytes`,
    );
    this.#size(row, rules);
    row.asked = cursor.f64();
    this.#digest.change(Table.ruleStats, key * RULES_PER_SET_MAX, Field.asked, 0, row.asked);
    for (let rule = 0; rule < row.rules; rule++) {
      this.#put(row, row.matched, rule, Field.matched, cursor.f64());
      this.#put(row, row.declined, rule, Field.declined, cursor.f64());
    }
  }

  get memoryBytes(): number {
    return this.rows.length * 200 + this.#numbers * 8 + this.dirtyBytes;
  }

  #add(key: number): StatsRow {
    return this.add({ key, newest: 0, asked: 0, rules: 0, matched: NO_RULES, declined: NO_RULES });
  }

  #raise(row: StatsRow, column: Float64Array, rule: number, field: number): void {
    this.#put(row, column, rule, field, column[rule]! + 1);
  }

  #put(row: StatsRow, column: Float64Array, rule: number, field: number, value: number): void {
    this.#digest.change(Table.ruleStats, row.key * RULES_PER_SET_MAX + rule, field, column[rule]!, value);
    column[rule] = value;
  }
}
