import { describe, expect, it } from 'vitest';
import { STAGE_TIMES_KEPT } from '#src/limits.js';
import { StageTimes } from '#src/shard/stage-times.js';
import { STAGE_SAMPLE } from '#src/shard/thread-context.js';
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

  it('are taken of the first messages of a turn and of one in STAGE_SAMPLE, where they left a record, and change nothing else', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const first = h.shard(0).journal.sequence + 1;
    const timed = (from: number): number[] => {
      const found = [];
      for (let sequence = from; sequence <= h.shard(0).journal.sequence; sequence++) {
        const result = h.read(0, { op: 'stage_times', sequence });
        if (result.ok && 'stageTimes' in result && typeof result.stageTimes !== 'string') found.push(sequence - from);
      }
      return found;
    };
    // One turn of 40 messages: the fourth is a repeat, of which nothing is kept.
    for (const stan of [1, 2, 3, 3, ...Array.from({ length: 36 }, (_, i) => i + 5)]) h.send(card, purchase(stan, 1));
    h.turn();
    const behindRepeat = (place: number): number => place - 1;
    expect(timed(first)).toEqual([0, 1, 2, behindRepeat(STAGE_SAMPLE), behindRepeat(2 * STAGE_SAMPLE)]);
    const alone = h.shard(0).journal.sequence + 1;
    for (let stan = 100; stan < 103; stan++) h.ask(card, purchase(stan, 1));
    expect(timed(alone)).toEqual([0, 1, 2]);
    expect(new Harness({ journal: h.journal }).shard(0).digest).toEqual(h.shard(0).digest);
  });
});
