import { describe, expect, it } from 'vitest';
import { Response } from '#src/domain/codes.js';
import { WARM_UP_MESSAGES, WARM_UP_MS } from '#src/limits.js';
import { warmUp } from '#src/shard/warm-up.js';
import { ShardCounter, type ShardInstruments } from '#src/shard-instruments.js';

/** Answers by type and DE39. */
function outcomes(instruments: ShardInstruments): Record<string, number> {
  const counts: Record<string, number> = {};
  instruments.eachOutcome((mti, response, _reason, count) => {
    const key = `${mti} ${response}`;
    counts[key] = (counts[key] ?? 0) + count;
  });
  return counts;
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((total, one) => total + one, 0);

describe('the warm-up of a shard thread', () => {
  it('takes the ways that messages take: approvals, declines, repeats, reversals, unknown cards', () => {
    let us = 0;
    const { messages, instruments } = warmUp({ monotonicUs: () => us++ });
    const counts = outcomes(instruments);
    expect([messages, sum(counts)]).toEqual([WARM_UP_MESSAGES, WARM_UP_MESSAGES]);
    expect(counts[`100 ${Response.approved}`]).toBeGreaterThan(WARM_UP_MESSAGES / 4);
    expect(counts[`100 ${Response.insufficientFunds}`]).toBeGreaterThan(WARM_UP_MESSAGES / 16);
    expect(counts[`400 ${Response.approved}`]).toBeGreaterThan(WARM_UP_MESSAGES / 8);
    expect(counts[`100 ${Response.invalidCard}`]).toBe(WARM_UP_MESSAGES / 64);
    expect(instruments.counter(ShardCounter.repeats)).toBeGreaterThan(WARM_UP_MESSAGES / 16);
    expect(instruments.counter(ShardCounter.commits)).toBeGreaterThan(WARM_UP_MESSAGES / 64);
    expect(instruments.counter(ShardCounter.holdsExpired)).toBeGreaterThan(WARM_UP_MESSAGES / 8);
    expect(instruments.counter(ShardCounter.rebuilds)).toBe(0);
    expect(instruments.decode.count).toBeGreaterThan(0);
  });

  it('ends when its time is over', () => {
    let us = 0;
    const counts = outcomes(warmUp({ monotonicUs: () => (us += 100) }).instruments);
    expect(sum(counts)).toBeGreaterThan(0);
    expect(sum(counts)).toBeLessThan(WARM_UP_MESSAGES);
    expect(us).toBeLessThan(2 * WARM_UP_MS * 1000);
  });
});
