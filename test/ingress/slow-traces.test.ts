/** Which requests are kept as the slowest, for how long, and that their stages add up. */
import { describe, expect, it } from 'vitest';
import { SlowTraces } from '#src/ingress/slow-traces.js';
import { TRACE_BUCKET_MS, TRACES_KEPT } from '#src/limits.js';
import { commitUs, packTurnTimes, turnUs } from '#src/ring/turn-times.js';
import { REQUEST_STAGES, type SlowRequest } from '#src/slow-request.js';

const SECOND = 1_000_000;

class Scene {
  readonly traces = new SlowTraces();
  taken = 0;

  constructor(nowUs = 0) {
    this.traces.tick(nowUs);
  }

  /** A reply that comes at `nowUs` to a request of `totalUs`, as the ingress would take it; numbered by its sequence. */
  reply(nowUs: number, totalUs: number, sequence: number): void {
    if (totalUs <= this.traces.thresholdUs) return;
    this.taken++;
    const receivedUs = nowUs - totalUs;
    this.traces.take(
      nowUs,
      receivedUs,
      receivedUs + 1,
      nowUs - 1,
      packTurnTimes(totalUs / 2, totalUs / 4),
      3,
      sequence,
    );
    this.traces.finish(nowUs);
  }

  sequences(nowUs: number): number[] {
    return this.traces.slowest(nowUs, 0).map(({ sequence }) => sequence);
  }
}

/** 0 to count - 1 in an order of its own. */
const shuffled = (count: number): number[] => Array.from({ length: count }, (_, i) => (i * 7919) % count);

describe('the slowest requests', () => {
  it('are the slowest of all, slowest first, and the others cost a compare', () => {
    const scene = new Scene();
    const count = 10_007;
    for (const [i, slow] of shuffled(count).entries()) scene.reply(SECOND + i, 1000 + slow, slow);
    const expected = Array.from({ length: TRACES_KEPT }, (_, i) => count - 1 - i);
    expect(scene.sequences(2 * SECOND)).toEqual(expected);
    expect(scene.taken).toBeLessThan(count / 10);
    const { taken } = scene;
    scene.reply(SECOND, 1000 + count - TRACES_KEPT, 0);
    expect(scene.taken).toBe(taken);
  });

  it('has stages that add up when the turn was being released as the message came to the ring', () => {
    const traces = new SlowTraces();
    traces.tick(0);
    traces.take(2000, 1000, 1500, 1220, packTurnTimes(400, 100), 3, 1);
    traces.finish(2000);
    const [one] = traces.slowest(3000, 0);
    expect(one!.stages).toEqual({ ingress: 500, wait: 0, decide: 0, journal: 0, reply: 500 });
    // Released behind the begin of the round that hands it over.
    traces.take(2000, 1000, 1100, 2240, packTurnTimes(400, 112), 3, 2);
    traces.finish(2000);
    const other = traces.slowest(3000, 0).find(({ sequence }) => sequence === 2)!;
    expect([other.totalUs, other.stages]).toEqual([
      1240,
      { ingress: 100, wait: 740, decide: 288, journal: 112, reply: 0 },
    ]);
  });

  it('are those of the last minute, also when nothing slow has come since', () => {
    const scene = new Scene();
    for (let i = 0; i < TRACES_KEPT; i++) scene.reply(SECOND, 900_000, 1 + i);
    // Ten times a bucket of quick ones: each bucket begins without a threshold.
    for (let bucket = 1; bucket <= 10; bucket++) {
      const nowUs = bucket * TRACE_BUCKET_MS * 1000;
      scene.traces.tick(nowUs);
      for (let i = 0; i < 100; i++) scene.reply(nowUs, 1000 + i, 1000 * bucket + i);
      const slowest = scene.sequences(nowUs);
      expect(slowest).toHaveLength(TRACES_KEPT);
      if (nowUs <= 61 * SECOND) expect(Math.max(...slowest)).toBeLessThan(1000);
      // The bucket itself is not written over while it counts; six of them are looked at.
      else expect(new Set(slowest.map((one) => Math.floor(one / 1000))).size).toBe(Math.min(7, bucket));
    }
    expect(scene.sequences(200 * SECOND)).toEqual([]);
  });

  it('are not displaced by a faster one because their replies were handed over late', () => {
    const { traces } = new Scene();
    const word = packTurnTimes(0, 0);
    for (let i = 0; i < TRACES_KEPT; i++) traces.take(1000, 0, 1, 900, word, 0, 1 + i);
    // All of them took 5 ms at last, though 1 ms when they were taken.
    traces.finish(5000);
    expect(traces.thresholdUs).toBeLessThan(3000);
    traces.take(8000, 5000, 5001, 7900, word, 0, 99);
    traces.finish(8000);
    expect(traces.slowest(9000, 0).map(({ sequence }) => sequence)).not.toContain(99);
    traces.take(16_000, 10_000, 10_001, 15_900, word, 0, 100);
    expect(traces.slowest(17_000, 0)[0]!.sequence).toBe(100);
    expect(traces.slowest(17_000, 0)).toHaveLength(TRACES_KEPT);
  });

  it('have stages that add up to the total, in order', () => {
    const traces = new SlowTraces();
    traces.tick(0);
    const turn = packTurnTimes(48_000, 32_000);
    traces.take(1_100_000, 1_000_000, 1_000_500, 1_099_000, turn, 7, 42);
    expect(traces.waiting).toBe(true);
    traces.finish(1_100_250);
    expect(traces.waiting).toBe(false);
    const expected: SlowRequest = {
      receivedMs: 5_000_000,
      totalUs: 100_250,
      stages: { ingress: 500, wait: 50_500, decide: 16_000, journal: 32_000, reply: 1250 },
      ...{ shard: 7, sequence: 42 },
    };
    expect(traces.slowest(1_200_000, 5_000_200)).toEqual([expected]);
    expect(REQUEST_STAGES.reduce((sum, stage) => sum + expected.stages[stage], 0)).toBe(expected.totalUs);
  });

  it('came into a turn that was running: what it took before them is not theirs', () => {
    const traces = new SlowTraces();
    traces.tick(0);
    traces.take(2000, 1000, 1100, 1900, packTurnTimes(1_000_000, 900_000), 0, 1);
    traces.finish(2000);
    expect(traces.slowest(2000, 0)[0]!.stages).toEqual({ ingress: 100, wait: 0, decide: 0, journal: 800, reply: 100 });
  });
});

describe('the times of a turn in one word', () => {
  it.each([
    [0, 0],
    [16, 16],
    [48_000, 16_000],
    [524_288, 524_288],
    [1_048_560, 1_048_560],
  ])('%i and %i us come back', (turn, commit) => {
    const word = packTurnTimes(turn, commit);
    expect([turnUs(word), commitUs(word)]).toEqual([turn, commit]);
    // A ring hands it out unsigned.
    expect([turnUs(word >>> 0), commitUs(word >>> 0)]).toEqual([turn, commit]);
    expect(word).toBe(word | 0);
  });

  it('are rounded to 16 us, and end at a second', () => {
    const word = packTurnTimes(30, 5_000_000);
    expect([turnUs(word), commitUs(word)]).toEqual([32, 1_048_560]);
    expect(packTurnTimes(-5, -1)).toBe(0);
  });
});
