/** Controls and velocity against the naive model, replays of packed records, and recovery from rows of any mix of ages. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { VelocityTable } from '#src/domain/velocity/velocity-table.js';
import { VELOCITY_ROW_BYTES_MAX } from '#src/limits.js';
import { history, start } from './velocity-arbitraries.js';
import { applyRecorded, Player, type Recorded, VELOCITY } from './velocity-histories.js';

function replayed(records: readonly Recorded[]): number[] {
  const digest = new StateDigest();
  const table = new VelocityTable(digest, VELOCITY);
  for (const record of records) applyRecorded(table, record);
  return [digest.high, digest.low];
}

describe('controls and velocity', () => {
  test('refuse and count as the naive model does, over random histories; the records alone give the state again', () => {
    fc.assert(
      fc.property(start, history, (startMs, ops) => {
        const player = new Player(startMs);
        player.play(ops);
        expect(replayed(player.records)).toEqual([player.digest.high, player.digest.low]);
      }),
      { numRuns: 250 },
    );
  }, 120_000);

  test('histories reach what they are meant to reach', () => {
    const seen = new Map<string, number>();
    for (const [startMs, ops] of fc.sample(fc.tuple(start, history), { numRuns: 400, seed: 11 })) {
      const player = new Player(startMs);
      for (const op of ops) player.step(op);
      for (const what of player.seen) seen.set(what, (seen.get(what) ?? 0) + 1);
    }
    const lists = [
      '57 channel_denied /channels/deny',
      '62 country_denied /countries/deny',
      '62 country_denied /countries/allow',
      '57 mcc_denied /mcc/deny',
      '57 mcc_denied /mcc/allow',
      '58 merchant_denied /merchants/deny',
      '58 merchant_denied /merchants/allow',
      '61 transaction_limit /per_transaction',
      '61 cash_transaction_limit /cash/per_transaction',
    ];
    const windows = [
      '61 velocity_amount /velocity/n',
      '65 velocity_count /velocity/n',
      '65 velocity_declines /velocity/n',
      '61 cash_velocity_amount /cash/velocity/n',
      '65 cash_velocity_count /cash/velocity/n',
    ];
    const wanted = [
      ...[...lists, ...windows].flatMap((what) => [`${what} card card`, `${what} account account`]),
      ...[...lists, ...windows].map((what) => `${what} card program`),
      ...windows.slice(0, 2).map((what) => `${what} account program`),
      'given back',
      'given back to nowhere',
      'an increment refused',
    ];
    const rare = wanted.filter((what) => (seen.get(what) ?? 0) < 3);
    expect(rare, JSON.stringify([...seen])).toEqual([]);
  }, 120_000);
});

/** Rows as a checkpoint would have them: written at different moments, each with what it was then. */
class WriteBehind {
  readonly rows = new Map<number, Uint8Array>();
  replayFrom = 1;
  #passAt = 0;
  readonly #target = new Uint8Array(VELOCITY_ROW_BYTES_MAX + 3);
  readonly #cursor = new RowCursor();

  run(table: VelocityTable, sequence: number, limit: number): void {
    if (this.#passAt === 0) {
      table.startPass();
      this.#passAt = sequence;
    }
    table.takeDirty(limit, (owner) => {
      table.writeRow(owner, this.#cursor.attach(this.#target, 3));
      this.rows.set(owner, this.#target.slice(3, this.#cursor.at));
    });
    if (!table.passDone) return;
    this.replayFrom = this.#passAt + 1;
    this.#passAt = 0;
  }

  recover(records: readonly Recorded[], from: number): { table: VelocityTable; sums: number[] } {
    this.#passAt = 0;
    const digest = new StateDigest();
    const table = new VelocityTable(digest, VELOCITY);
    for (const [owner, bytes] of this.rows) table.readRow(owner, this.#cursor.attach(bytes, 0), bytes.length);
    for (const record of records) if (record.sequence >= from) applyRecorded(table, record);
    return { table, sums: [digest.high, digest.low] };
  }
}

describe('rows of velocity counters', () => {
  const turns = fc.array(fc.record({ rows: fc.nat({ max: 3 }), crash: fc.nat({ max: 9 }) }), {
    minLength: 20,
    maxLength: 20,
  });

  test('of any mix of ages and a replay give the live state, crash after crash', () => {
    let stale = 0;
    fc.assert(
      fc.property(start, history, turns, (startMs, ops, plan) => {
        const player = new Player(startMs);
        player.play(ops);
        const digest = new StateDigest();
        const live = new VelocityTable(digest, VELOCITY);
        let worker = new VelocityTable(new StateDigest(), VELOCITY);
        const checkpoint = new WriteBehind();
        player.records.forEach((record, i) => {
          applyRecorded(live, record);
          applyRecorded(worker, record);
          const { rows, crash } = plan[i % plan.length]!;
          if (rows > 0) checkpoint.run(worker, record.sequence, rows);
          if (crash > 0) return;
          if (checkpoint.replayFrom > 1) stale++;
          const sofar = player.records.slice(0, i + 1);
          expect(checkpoint.recover(sofar, 1).sums).toEqual([digest.high, digest.low]);
          const recovered = checkpoint.recover(sofar, checkpoint.replayFrom);
          expect(recovered.sums).toEqual([digest.high, digest.low]);
          worker = recovered.table;
        });
      }),
      { numRuns: 150 },
    );
    expect(stale).toBeGreaterThan(100);
  }, 120_000);
});
