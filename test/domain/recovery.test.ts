/**
 * Recovery from a checkpoint whose rows have different ages: whatever was written when, rows plus replay are the live
 * state. The write-behind runs at random moments and takes a random number of rows each time; the crash comes anywhere.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShardState } from '#src/domain/shard-state.js';
import { Table } from '#src/domain/tables.js';
import { DUPLICATE_WINDOW_MS } from '#src/limits.js';
import { applyRecorded, heldTotal, type Recorded } from './book.js';
import { Player } from './histories.js';
import { operation } from './operations.js';

/** Blocks of two rows, so that small histories have many of them, of many ages. */
const smallBlocks = (): ShardState => new ShardState(0, DUPLICATE_WINDOW_MS, undefined, 1);

class WriteBehind {
  readonly rows = new Map<string, { table: Table; key: number; bytes: Uint8Array }>();
  /** First sequence that a recovery must replay. */
  replayFrom = 1;
  #passAt = 0;

  /** Takes up to `limit` rows; `sequence` is the newest applied event. */
  run(state: ShardState, sequence: number, limit: number): void {
    if (this.#passAt === 0) {
      state.startPass();
      this.#passAt = sequence;
    }
    state.takeDirty(limit, (table, key) => {
      const target = new Uint8Array(state.entryBytes(table, key) + 7);
      const length = state.writeEntry(table, key, target, 7);
      expect(length).toBeGreaterThan(0);
      this.rows.set(`${table} ${key}`, { table, key, bytes: target.slice(7, 7 + length) });
    });
    if (!state.passDone) return;
    this.replayFrom = this.#passAt + 1;
    this.#passAt = 0;
  }

  /** The process dies: the pass under way is forgotten, what was written stays. */
  recover(events: readonly Recorded[], order: number, replayFrom = this.replayFrom): ShardState {
    this.#passAt = 0;
    const state = smallBlocks();
    const rows = [...this.rows.values()];
    if (order === 1) rows.reverse();
    for (const { table, key, bytes } of rows) state.readEntry(table, key, bytes, 0, bytes.length);
    for (const event of events) if (event.sequence >= replayFrom) applyRecorded(state, event);
    return state;
  }
}

const history = fc.array(operation, { minLength: 5, maxLength: 60, size: 'max' });
/** After each event: how many rows the write-behind takes (0 = it does not run), and whether the process dies. */
const turns = fc.array(fc.record({ rows: fc.integer({ min: 0, max: 5 }), crash: fc.integer({ min: 0, max: 9 }) }), {
  minLength: 30,
  maxLength: 30,
});

describe('recovery', () => {
  // Hundreds of histories: a busy machine must not fail them.
  test('from rows of any mix of ages gives the live state, crash after crash', { timeout: 300_000 }, () => {
    let staleRecoveries = 0;
    fc.assert(
      fc.property(history, turns, fc.integer({ min: 0, max: 1 }), (ops, plan, order) => {
        const player = new Player();
        player.play(ops);
        const { events } = player.book.history;
        const live = new ShardState(0);
        let worker = smallBlocks();
        const checkpoint = new WriteBehind();
        events.forEach((event, index) => {
          applyRecorded(live, event);
          applyRecorded(worker, event);
          const { rows, crash } = plan[index % plan.length]!;
          if (rows > 0) checkpoint.run(worker, event.sequence, rows);
          if (crash > 0) return;
          if (checkpoint.replayFrom > 1 && checkpoint.replayFrom <= event.sequence) staleRecoveries++;
          const sofar = events.slice(0, index + 1);
          // Replaying more than is needed changes nothing: every row knows what it includes.
          expect(summary(checkpoint.recover(sofar, order, 1))).toEqual(summary(live));
          worker = checkpoint.recover(sofar, order);
          expect(summary(worker)).toEqual(summary(live));
        });
        expect(summary(worker)).toEqual(summary(player.book.state));
      }),
      { numRuns: 300 },
    );
    expect(staleRecoveries).toBeGreaterThan(100);
  });

  test('refuses an entry of another version or length', () => {
    const player = new Player();
    player.play([{ op: 'request', mti: 100, card: 0, pc: 0, amount: 5, currency: 0, flags: 1, merchant: 0 }]);
    const { state } = player.book;
    const keys: [Table, number][] = [];
    state.takeDirty(1000, (table, key) => void keys.push([table, key]));
    expect(new Set(keys.map(([table]) => table))).toEqual(
      new Set([Table.account, Table.card, Table.hold, Table.ledger, Table.program, Table.totals]),
    );
    for (const [table, key] of keys) {
      const target = new Uint8Array(2 * state.entryBytes(table, key));
      const length = state.writeEntry(table, key, target, 0);
      expect(length).toBeLessThanOrEqual(state.entryBytes(table, key));
      expect(() => new ShardState(0).readEntry(table, key, target, 0, length - 1)).toThrow();
      target[0] = 99;
      expect(() => new ShardState(0).readEntry(table, key, target, 0, length)).toThrow(/version/);
    }
    expect(state.dirtyEntries).toBe(0);
  });
});

function summary(state: ShardState): object {
  return {
    high: state.digest.high,
    low: state.digest.low,
    held: heldTotal(state),
    holds: state.holdsOpen,
    tombstones: state.tombstones,
    cards: state.cardsOf(0),
  };
}
