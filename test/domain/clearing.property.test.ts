/**
 * Random interleavings of messages and clearing records. Whatever comes: held is the sum of the holds and the memo balance,
 * every currency balances, a record moves the account by its amount and the network by what is settled, the same records again
 * do nothing, and the state comes back from the records and from rows of a checkpoint of any age.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShardState } from '#src/domain/shard-state.js';
import type { Table } from '#src/domain/tables.js';
import { DUPLICATE_WINDOW_MS } from '#src/limits.js';
import { applyRecorded } from './book.js';
import { operation, Run } from './clearing-run.js';

const numRuns = 100;

test('any interleaving keeps the books, and the same records again change nothing', { timeout: 240_000 }, () => {
  let posted = 0;
  let matched = 0;
  fc.assert(
    fc.property(fc.array(operation, { minLength: 25, maxLength: 60, size: 'max' }), (ops) => {
      const run = new Run();
      for (const op of ops) {
        run.play(op);
        run.check();
      }
      const { book } = run;
      posted += run.fed.length;
      const { high, low } = book.state.digest;
      const records = book.history.events.length;
      for (const { file, entry } of [...run.fed]) {
        const answer = run.feed(file, entry);
        expect(answer.outcome).toBe('already');
        if (answer.rung > 0) matched++;
        // From another file it is the same thing, where the network says what it is.
        if (entry.input.arn !== '') expect(run.feed('F2', entry).outcome).toBe('duplicate');
      }
      expect(book.history.events.length).toBe(records);
      expect([book.state.digest.high, book.state.digest.low]).toEqual([high, low]);
      book.restart();
    }),
    { numRuns },
  );
  // The histories are worth something: on average several records post, and many of them belong to an authorization.
  expect(posted).toBeGreaterThan(numRuns * 3);
  expect(matched).toBeGreaterThan(numRuns);
});

test('rows of a checkpoint of any age and the records since give the same state', () => {
  const plan = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 30, maxLength: 30 });
  fc.assert(
    fc.property(fc.array(operation, { minLength: 10, maxLength: 40, size: 'max' }), plan, (ops, turns) => {
      const run = new Run();
      for (const op of ops) run.play(op);
      const live = smallBlocks();
      const rows = new Map<string, { table: Table; key: number; bytes: Uint8Array }>();
      let replayFrom = 1;
      let passAt = 0;
      for (const [index, event] of run.book.history.events.entries()) {
        applyRecorded(live, event);
        if (passAt === 0) {
          live.startPass();
          passAt = event.sequence;
        }
        live.takeDirty(turns[index % turns.length]!, (table, key) => {
          const target = new Uint8Array(live.entryBytes(table, key));
          const length = live.writeEntry(table, key, target, 0);
          rows.set(`${table} ${key}`, { table, key, bytes: target.slice(0, length) });
        });
        if (!live.passDone) continue;
        replayFrom = passAt + 1;
        passAt = 0;
      }
      const back = smallBlocks();
      for (const { table, key, bytes } of rows.values()) back.readEntry(table, key, bytes, 0, bytes.length);
      for (const event of run.book.history.events) if (event.sequence >= replayFrom) applyRecorded(back, event);
      expect([back.digest.high, back.digest.low]).toEqual([live.digest.high, live.digest.low]);
    }),
    { numRuns: 60 },
  );
});

const smallBlocks = (): ShardState => new ShardState(0, DUPLICATE_WINDOW_MS, undefined, 1);
