/** Parts of a batch whose shards answer a few records at a time, know some of them by their numbers, or refuse one for good. */
import { describe, expect, it } from 'vitest';
import { RecordSender } from '#src/control/clearing/record-sender.js';
import type { ClearingAnswer, ClearingEntry } from '#src/domain/clearing/input.js';
import type { Command, CommandResult } from '#src/domain/commands.js';
import { shardOfFingerprint } from '#src/journal/placement.js';
import { clearingInput } from '../table/clearing-lines.js';

const SHARDS = 4;
const HOME = 1;

/** Record `n`, whose number belongs to shard `n` modulo 4. */
function entry(n: number, late: boolean): ClearingEntry {
  let f0 = n;
  while (shardOfFingerprint(f0, SHARDS) !== n % SHARDS) f0 += 1000;
  const one = { card: n, fingerprint: [f0, 0, 0] as const, input: clearingInput({ record: n }) };
  return late ? { ...one, late } : one;
}

interface Asked {
  shard: number;
  asUnknown: boolean;
  records: number[];
}

/**
 * Shards that answer at most `some` records of a command.
 * @param inSuspense records that their numbers' shards have @param refused one that is never taken
 */
function shards(some: number, inSuspense: readonly number[] = [], refused = -1) {
  const asked: Asked[] = [];
  const command = async (shard: number, sent: Command): Promise<CommandResult> => {
    if (sent.op !== 'clear') throw new Error(sent.op);
    const records = sent.records.map(({ input }) => input.record);
    const asUnknown = sent.asUnknown === true;
    asked.push({ shard, asUnknown, records });
    if (records.includes(refused)) return { ok: false, code: 'set_aside' };
    const cleared = records.slice(0, some).map((record): ClearingAnswer => {
      const outcome = !asUnknown ? 'posted' : inSuspense.includes(record) ? 'already' : 'elsewhere';
      return { outcome, sequence: record, rung: 0, flags: 0 };
    });
    return { ok: true, sequence: 1, cleared };
  };
  return { asked, sender: new RecordSender('F', SHARDS, command) };
}

/** Sends all, as the poster does: what has no answer yet is sent again. */
async function all(sender: RecordSender, entries: ClearingEntry[]): Promise<string[]> {
  const answers: string[] = [];
  while (answers.length < entries.length) {
    const some = await sender.clear(HOME, entries.slice(answers.length));
    expect(some.length).toBeGreaterThan(0);
    for (const { outcome, sequence, field } of some) answers.push(field ?? `${outcome} ${sequence}`);
  }
  return answers;
}

describe('records', () => {
  it('go to the shard of their cards, and to no other', async () => {
    const { asked, sender } = shards(10);
    expect(
      await all(
        sender,
        [1, 2, 3].map((n) => entry(n, false)),
      ),
    ).toEqual(['posted 1', 'posted 2', 'posted 3']);
    expect(asked).toEqual([{ shard: HOME, asUnknown: false, records: [1, 2, 3] }]);
  });

  it.each([1, 2, 3, 10])('of late cards are asked of their numbers first, %i a time', async (some) => {
    const { asked, sender } = shards(some, [3, 6, 7]);
    const entries = [1, 2, 3, 4, 5, 6, 7].map((n) => entry(n, n > 2));
    expect(await all(sender, entries)).toEqual([
      ...['posted 1', 'posted 2', 'already 3', 'posted 4', 'posted 5', 'already 6', 'already 7'],
    ]);
    const unknown = asked.filter(({ asUnknown }) => asUnknown);
    expect(unknown.every(({ shard, records }) => records.every((n) => n > 2 && n % SHARDS === shard))).toBe(true);
    const home = asked.filter(({ asUnknown }) => !asUnknown);
    expect(home.every(({ shard, records }) => shard === HOME && !records.some((n) => [3, 6, 7].includes(n)))).toBe(
      true,
    );
  });

  it('that are all in suspense ask nothing of the shard of their cards', async () => {
    const { asked, sender } = shards(10, [3, 7]);
    expect(await all(sender, [entry(3, true), entry(7, true)])).toEqual(['already 3', 'already 7']);
    expect(asked).toEqual([{ shard: 3, asUnknown: true, records: [3, 7] }]);
  });

  it('of a number that had other fingerprints are asked of the shards of those, before the shard where they go', async () => {
    const { asked, sender } = shards(10, [2]);
    const formerly = [
      [2, 0, 0],
      [3, 0, 0],
    ] as const;
    const unknown = [1, 2].map((n) => ({ ...entry(n, false), card: -1, formerly }));
    expect(await all(sender, unknown)).toEqual(['posted 1', 'already 2']);
    expect(asked).toEqual([
      { shard: 2, asUnknown: true, records: [1, 2] },
      { shard: 3, asUnknown: true, records: [1] },
      { shard: HOME, asUnknown: false, records: [1] },
    ]);
  });

  it.each([false, true])('of which one is refused for good all have an answer (late: %s)', async (late) => {
    const { sender } = shards(1, [], 2);
    const answers = await all(
      sender,
      [1, 2, 3].map((n) => entry(n, late)),
    );
    expect(answers).toEqual(['posted 1', 'set_aside', 'posted 3']);
  });
});
