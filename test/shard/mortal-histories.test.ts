/**
 * Random histories of a shard that dies in the middle of them: the reference model, which never dies, must agree after each step with
 * what the journal and the checkpoint gave back. Every message that was in flight is sent again.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Table } from '#src/domain/tables.js';
import { Player } from '../domain/histories.js';
import { mortalOperation, type Op, operationOf } from '../domain/operations.js';
import { long } from '../support/long.js';
import { JournaledBook, type Planted } from './journaled-book.js';

const PATIENCE_MS = 300_000 * long;

function play(ops: readonly Op[], planted?: Planted): JournaledBook {
  const book = new JournaledBook(planted);
  const player = new Player(undefined, book);
  player.play(ops);
  // Whatever the history left is durable and comes back.
  player.play([{ op: 'restart' }]);
  return book;
}

// Without a least length, so that a failing history shrinks to a short one.
const histories = (maxLength: number): fc.Arbitrary<Op[]> => fc.array(mortalOperation, { maxLength, size: 'max' });

describe('a shard that dies and its journal', () => {
  test('agree with the reference model after each step of short histories', { timeout: PATIENCE_MS }, () => {
    fc.assert(
      fc.property(histories(60), (ops) => void play(ops)),
      { numRuns: 16 * long },
    );
  });

  test('agree with it in histories of up to 1 000 steps', { timeout: PATIENCE_MS }, () => {
    fc.assert(
      fc.property(histories(1000), (ops) => void play(ops)),
      { numRuns: 2 * long },
    );
  });

  test('start from checkpoints and without them', { timeout: PATIENCE_MS }, () => {
    const begun = fc.sample(histories(60), { numRuns: 16, seed: 7 }).map((ops) => play(ops).fromCheckpoint);
    expect(begun.filter((times) => times > 0).length).toBeGreaterThan(2);
    expect(begun.filter((times) => times === 0).length).toBeGreaterThan(2);
  });
});

/** Little more than purchases, limits and deaths: a defect shows early, and shrinks fast. */
const simple = operationOf({
  ...{ purchase: 20, again: 6, limits: 4, kill: 6, checkpoint: 6, restart: 4 },
  ...{ request: 0, fuel: 0, reverse: 0, change: 0, advise: 0, list: 0, 'reverse early': 0, 'late original': 0 },
  ...{ undelivered: 0, pay: 0, limit: 0, account: 0, card: 0, token: 0, replace: 0, wait: 0, sweep: 0 },
});
const simpleHistories = fc.array(simple, { maxLength: 25, size: 'max' });

/** A history that shows the defect; shrinking takes a hundred starts and more. */
function counterexample(planted: Planted, endOnFailure: boolean): Op[] {
  const property = fc.property(simpleHistories, (ops) => void play(ops, planted));
  const found = fc.check(property, { numRuns: 100, seed: 7, endOnFailure });
  expect(found.failed, 'nobody noticed').toBe(true);
  return found.counterexample![0];
}

const purchase = (mti: number): Op => ({ op: 'purchase', card: 0, mti, pc: 0, amount: 5, merchant: 0 });

describe('planted defects are found', () => {
  const shrunk: Record<string, Planted> = {
    'a commit that was acknowledged is lost': { lastCommitIsLost: true },
    'an index that is not filled again at a start': { indexNotRefilled: true },
  };
  for (const [what, planted] of Object.entries(shrunk)) {
    test(`${what}, shown by a few steps`, { timeout: PATIENCE_MS }, () => {
      const ops = counterexample(planted, false);
      expect(ops.length, JSON.stringify(ops)).toBeLessThanOrEqual(6);
    });
  }

  for (const table of ['velocity', 'hold', 'totals'] as const) {
    test(`a checkpoint that does not restore the table ${table}`, { timeout: PATIENCE_MS }, () => {
      counterexample({ tableNotRestored: Table[table] }, true);
    });
  }

  test('a message that was in flight is told from one that was answered', () => {
    const killed = (committed: boolean): void => void play([{ op: 'kill', committed }, purchase(100), purchase(200)]);
    for (const committed of [true, false]) expect(() => killed(committed)).not.toThrow();
    const lost = (): void => void play([{ op: 'kill', committed: true }, purchase(100)], { lastCommitIsLost: true });
    expect(lost).toThrow(/the process dies behind the commit, and the message is sent again/);
  });
});
