/** Totals of an acquirer inside the shards: what each has, the comparison that is journaled, and its repeat. */
import { describe, expect, it } from 'vitest';
import { EventKind } from '#src/domain/codes.js';
import type { CommandResult, CompareTotals } from '#src/domain/commands.js';
import { fieldsOfTotals } from '#src/domain/compare-totals.js';
import type { ReadResult } from '#src/domain/reads.js';
import { JournalReader } from '#src/journal/reader.js';
import { Harness, purchase } from './harness.js';

const DAY = Date.UTC(2026, 5, 15) / 86_400_000;
const key = { link: 0, acquirer: 123_456, day: DAY, currency: 986 };
const read = { op: 'acquirer_totals', ...key } as const;

function question(over: Partial<CompareTotals> = {}): CompareTotals {
  return {
    ...{ op: 'compare_totals', ...key, mti: 500, transmission: 615_235_959, stan: 77, dated: true },
    ...{ theirs: [{ field: 88, value: 300 }], sums: [0, 0, 2, 0, 0, 0, 0, 0, 300, 0] },
    ...over,
  };
}

/** A shard with two single messages of 100 and 200. */
function played(): Harness {
  const h = new Harness({ shards: 1, wallMs: (DAY + 0.5) * 86_400_000 });
  const card = h.open(0, 1);
  for (const [stan, amount] of [
    [1, 100],
    [2, 200],
  ] as const)
    expect(h.ask(card, purchase(stan, amount, { 0: '0200' }))[39]).toBe('00');
  return h;
}

const valuesOf = (result: ReadResult): unknown => ('values' in result ? result.values : result);
const comparedOf = (result: CommandResult): unknown => ('compared' in result ? result.compared : result);
const sequenceOf = (result: CommandResult): number => (result.ok ? result.sequence : -1);

describe('the totals of a shard', () => {
  it('are answered behind the messages that came before, in one turn', () => {
    const h = played();
    const card = { shard: 0, slot: 0 };
    h.send(card, purchase(3, 50, { 0: '0200' }));
    const token = h.sendRead(0, read);
    h.send(card, purchase(4, 7, { 0: '0200' }));
    h.turn();
    expect(valuesOf(h.results.get(token) as ReadResult)).toEqual([0, 0, 3, 0, 0, 0, 0, 0, 350, 0]);
  });

  it('come back after a restart, and are none of a date that is not kept', () => {
    const h = played();
    const again = new Harness({ shards: 1, journal: h.journal, wallMs: h.wallMs });
    expect(valuesOf(again.read(0, read))).toEqual([0, 0, 2, 0, 0, 0, 0, 0, 300, 0]);
    expect(valuesOf(again.read(0, { ...read, day: DAY + 1 }))).toEqual(new Array(10).fill(0));
    for (const day of [DAY - 36, DAY + 8]) expect(valuesOf(again.read(0, { ...read, day }))).toBeUndefined();
  });
});

describe('a comparison', () => {
  it('is journaled with both sides, in balance or not', () => {
    const h = played();
    const sums = [1, 2, 3, 4, 5, 6, 1000, 20, 300, 4];
    const ours = fieldsOfTotals(sums);
    const values = [1, 2, 3, 4, 0, 0, 5, 6, 0, 0, 0, 0, 1000, 20, 300, 4, 684];
    expect(ours.map(({ value }) => value)).toEqual(values);
    expect(ours.map(({ field }) => field)).toEqual([...Array.from({ length: 16 }, (_, i) => 74 + i), 97]);
    for (const [stan, value, equal] of [
      [1, 684, true],
      [2, -684, false],
    ] as const) {
      const theirs = [{ field: 97, value }];
      const result = h.command(0, question({ stan, sums, theirs }));
      expect(comparedOf(result)).toEqual({ equal, day: DAY, ours });
      const event = JournalReader.ofStore(h.journal, 'memory').readEvent(0, sequenceOf(result));
      const said = { ...key, mti: 500, transmission: 615_235_959, stan, equal: equal ? 1 : 0, theirs, ours };
      expect(event).toMatchObject({ kind: EventKind.totalsCompared, ...said });
    }
  });

  it('of a date that corrections took below zero tells that as amounts of reversals: the net is the same, and no field negative', () => {
    const amountsOf = (sums: number[]): number[] =>
      fieldsOfTotals(sums).flatMap(({ field, value }) => (field >= 86 ? [value] : []));
    expect(amountsOf([0, 0, 0, 0, 0, 0, 0, 0, -50, 0])).toEqual([0, 0, 0, 50, 50]);
    expect(amountsOf([1, 1, 1, 1, 0, 0, -7, 2, -50, 3])).toEqual([0, 9, 0, 53, 44]);
    expect(amountsOf([1, 1, 1, 1, 0, 0, 7, 2, 50, 3])).toEqual([7, 2, 50, 3, -42]);
  });

  it('again is the same answer, whatever was counted since; also marked as a repeat, after a restart, and undated', () => {
    const h = played();
    const first = h.command(0, question());
    expect(comparedOf(first)).toMatchObject({ equal: true });
    const more = { sums: [0, 0, 9, 0, 0, 0, 0, 0, 999, 0] };
    const again = new Harness({ shards: 1, journal: h.journal, wallMs: h.wallMs });
    for (const same of [{}, { mti: 501 }, { dated: false, day: DAY + 1 }]) {
      for (const one of [h, again]) expect(one.command(0, question({ ...more, ...same }))).toEqual(first);
    }
    const others: Partial<CompareTotals>[] = [
      { mti: 520 },
      { stan: 78 },
      { transmission: 615_235_958 },
      { link: 1 },
      { acquirer: 1 },
      { currency: 840 },
      { day: DAY + 1 },
      { theirs: [{ field: 88, value: 301 }] },
      { theirs: [{ field: 88, value: 300 }, ...question().theirs] },
    ];
    const sequences = others.map((other) => sequenceOf(h.command(0, question({ ...more, ...other }))));
    expect(new Set([sequenceOf(first), ...sequences]).size).toBe(others.length + 1);
  });

  it('is made anew when the duplicate window is over', () => {
    const h = played();
    const first = h.command(0, question());
    h.advance(86_400_000);
    expect(h.command(0, question())).toEqual(first);
    h.advance(1000);
    expect(sequenceOf(h.command(0, question()))).toBeGreaterThan(sequenceOf(first));
  });
});
