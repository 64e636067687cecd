import { describe, expect, it } from 'vitest';
import { STAGE_TIMES_KEPT } from '../../src/limits.js';
import { StageTimes } from '../../src/shard/stage-times.js';
import { STAGE_SAMPLE } from '../../src/shard/thread-context.js';
import { Harness, purchase } from './harness.js';

const times = (queue: number, journal: number) => ({ queue, decode: 2, decide: 3, encode: 4, journal });

describe('stage times', () => {
  it('are found by sequence, each with the time of its own commit', () => {
    const kept = new StageTimes(10);
    kept.add(11, 1, 2, 3, 4);
    kept.add(13, 5, 2, 3, 4);
    expect(kept.of(11)).toEqual(times(1, 0));
    kept.commit(700);
    kept.add(20, -3, 2, 3, 4);
    kept.commit(900);
    kept.commit(1);
    expect([11, 13, 20].map((sequence) => kept.of(sequence))).toEqual([times(1, 700), times(5, 700), times(0, 900)]);
    expect([12, 14, 19, 21].map((sequence) => kept.of(sequence))).toEqual(new Array(4).fill('not_sampled'));
    expect([1, 10].map((sequence) => kept.of(sequence))).toEqual(['not_kept', 'not_kept']);
  });

  it('are forgotten oldest first', () => {
    const kept = new StageTimes(0);
    for (let n = 1; n <= STAGE_TIMES_KEPT + 2; n++) kept.add(n * 16, n, 2, 3, 4);
    kept.commit(5);
    expect(kept.of(32)).toBe('not_kept');
    expect(kept.of(40)).toBe('not_kept');
    expect(kept.of(48)).toEqual(times(3, 5));
    expect(kept.of(49)).toBe('not_sampled');
    expect(kept.of((STAGE_TIMES_KEPT + 2) * 16)).toEqual(times(STAGE_TIMES_KEPT + 2, 5));
  });

  it('are taken of one message in STAGE_SAMPLE that left a record, and change nothing else', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const first = h.shard(0).journal.sequence + 1;
    for (let stan = 1; stan < STAGE_SAMPLE; stan++) h.ask(card, purchase(stan, 1));
    h.ask(card, purchase(1, 1)); // a repeat, not sampled
    h.ask(card, purchase(1, 1)); // a repeat, sampled: the record was there before
    for (let stan = 100; stan < 100 + STAGE_SAMPLE; stan++) h.ask(card, purchase(stan, 1));
    const last = h.shard(0).journal.sequence;
    const sampled = [];
    for (let sequence = first; sequence <= last; sequence++) {
      const result = h.read(0, { op: 'stage_times', sequence });
      if (result.ok && 'stageTimes' in result && typeof result.stageTimes !== 'string') sampled.push(sequence);
    }
    expect(sampled).toEqual([first, last]);
    expect(new Harness({ journal: h.journal }).shard(0).digest).toEqual(h.shard(0).digest);
  });
});
