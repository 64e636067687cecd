/** Shard time and the agreement of the two clocks, with both moved by hand. */
import { describe, expect, it } from 'vitest';
import { lastTimesOf, ShardClock } from '#src/shard/shard-clock.js';

const START = 1_790_000_000_000;
const SECOND = 1000;
const HOUR = 3_600_000;

/** A clock that started at START, and the two clocks under it. */
function clocks(shardMs = 0, windowMs = 0) {
  const state = { wall: START, us: 5_000_000 };
  const clock = new ShardClock({ shardMs, windowMs }, state.wall, state.us);
  return {
    clock,
    /** Moves the wall clock and the monotonic clock, ms, and reads shard time as a difference to the start. */
    move(wallMs: number, monotonicMs: number): number {
      state.wall += wallMs;
      state.us += monotonicMs * 1000;
      return clock.now(state.wall, state.us) - START;
    },
  };
}

describe('shard time', () => {
  it('follows the wall clock, at most two seconds ahead of the monotonic one in a step', () => {
    const { move } = clocks();
    expect(move(10, 10)).toBe(10);
    expect(move(1500, 0)).toBe(1510);
    expect(move(HOUR, 5)).toBe(1510 + 2005);
    expect(move(0, 0)).toBe(1510 + 4005);
  });

  it('never runs backwards, whatever the clocks do', () => {
    const { move } = clocks();
    let before = 0;
    let moved = 0;
    const steps = [10, -5, 60_000, -3_600_000, 1, 7_200_000, -1, -1_000_000, 50_000];
    for (let i = 0; i < 900; i++) {
      const now = move(steps[i % steps.length]!, i % 4 === 0 ? 0 : 3);
      expect(now).toBeGreaterThanOrEqual(before);
      if (now > before) moved++;
      before = now;
    }
    expect(moved).toBeGreaterThan(50);
  });

  it('starts at the last record when the wall clock is behind it, and what is due then follows the wall clock', () => {
    const { clock, move } = clocks(START + HOUR);
    expect(move(SECOND, SECOND)).toBe(HOUR);
    expect(clock.dueMs).toBe(START + SECOND);
    expect(move(HOUR, HOUR)).toBe(HOUR + SECOND);
    expect(clock.dueMs).toBe(START + HOUR + SECOND);
  });
});

describe('agreement of the clocks', () => {
  it.each([
    // wall moved, monotonic moved, paused
    [5000, 0, false],
    [5001, 0, true],
    [-5000, 0, false],
    [-5001, 0, true],
    [0, 5001, true],
    [HOUR, HOUR, false],
    [HOUR + 5001, HOUR, true],
  ])('wall %d ms, monotonic %d ms: paused %s', (wall, monotonic, paused) => {
    const { clock, move } = clocks();
    move(wall, monotonic);
    expect(clock.paused).toBe(paused);
  });

  it('comes back when the wall clock does, and what was passed meanwhile is not due before its time', () => {
    const { clock, move } = clocks();
    move(HOUR, 10);
    expect(clock.paused).toBe(true);
    for (let i = 0; i < 3000; i++) move(0, 0);
    // Shard time has caught up with the wrong clock; it stands still when the clock is set right.
    expect(move(10, 10)).toBe(HOUR + 10);
    expect(move(-HOUR, 0)).toBe(HOUR + 10);
    expect(clock.paused).toBe(false);
    expect(clock.dueMs).toBe(START + 10);
  });

  it('is there again once the wall clock was accepted, and lost again by the next jump', () => {
    const { clock, move } = clocks();
    move(2 * HOUR, 0);
    expect(clock.paused).toBe(true);
    clock.accept();
    expect(clock.paused).toBe(false);
    move(HOUR, HOUR);
    expect(clock.paused).toBe(false);
    move(-2 * HOUR, 0);
    expect(clock.paused).toBe(true);
  });

  it('lets shard time be at the accepted wall clock at once, however far it leapt', () => {
    const { clock, move } = clocks();
    expect(move(144 * HOUR, 10)).toBe(2010);
    clock.accept();
    expect([clock.timeMs - START, clock.windowLagMs]).toEqual([144 * HOUR, 0]);
    expect(clock.dueMs).toBe(START + 144 * HOUR);
    expect(move(SECOND, SECOND)).toBe(144 * HOUR + SECOND);
  });

  it('never moves shard time backwards to an accepted wall clock: it stands still until that has passed it', () => {
    const { clock, move } = clocks();
    move(HOUR, HOUR);
    move(-2 * HOUR, 0);
    clock.accept();
    expect([clock.timeMs - START, clock.dueMs - START]).toEqual([HOUR, -HOUR]);
    expect(move(HOUR, HOUR)).toBe(HOUR);
    expect(move(HOUR + SECOND, HOUR + SECOND)).toBe(HOUR + SECOND);
  });

  it('is not lost by small steps both ways', () => {
    const { clock, move } = clocks();
    for (let i = 0; i < 1000; i++) {
      move(i % 2 === 0 ? 3000 : -1000, 1000);
      expect(clock.paused).toBe(false);
    }
  });
});

describe('the time of velocity windows', () => {
  it('is shard time while the clocks agree', () => {
    const { clock, move } = clocks();
    for (const step of [10, 1500, HOUR, 0, 5]) {
      move(step, step);
      expect(clock.windowLagMs).toBe(0);
    }
    move(3000, 0);
    expect(clock.windowLagMs).toBe(0);
  });

  it('stands still where they last agreed, and does not follow shard time ahead of a clock that was set right', () => {
    const { clock, move } = clocks();
    const windowMs = (shardMs: number): number => shardMs - clock.windowLagMs;
    move(SECOND, SECOND);
    for (let i = 0; i < 3000; i++) expect(windowMs(move(i === 0 ? HOUR : 0, 0))).toBe(SECOND);
    expect(windowMs(move(10, 10))).toBe(SECOND);
    expect(windowMs(move(-HOUR, 0))).toBe(SECOND + 10);
    expect(windowMs(move(HOUR, HOUR))).toBe(HOUR + SECOND + 10);
    expect(clock.windowLagMs).toBe(0);
  });

  it('follows a wall clock that an operator has accepted, but never backwards', () => {
    const { clock, move } = clocks();
    const windowMs = (shardMs: number): number => shardMs - clock.windowLagMs;
    move(HOUR, HOUR);
    move(-2 * HOUR, 0);
    clock.accept();
    expect(windowMs(move(SECOND, SECOND))).toBe(HOUR);
    expect(windowMs(move(3 * HOUR, 3 * HOUR))).toBe(2 * HOUR + SECOND);
  });

  it('begins at the wall clock when shard time was led ahead of it, and windows were not', () => {
    const { clock, move } = clocks(START + HOUR, START - SECOND);
    expect(clock.windowLagMs).toBe(HOUR);
    move(SECOND, SECOND);
    expect(clock.windowLagMs).toBe(HOUR - SECOND);
  });

  it('does not run backwards across a restart behind a clock that was set back', () => {
    const { clock, move } = clocks(START + 2 * HOUR, START + HOUR);
    expect([clock.timeMs - START, clock.windowLagMs]).toEqual([2 * HOUR, HOUR]);
    move(HOUR, HOUR);
    expect(clock.windowLagMs).toBe(HOUR);
    move(SECOND, SECOND);
    expect(clock.windowLagMs).toBe(HOUR - SECOND);
  });
});

describe('the last times of a thread', () => {
  const head = { epoch: 1, sequence: 5, hash: new Uint8Array(32), digest: { high: 0, low: 0 } };

  it('are the latest of its shards, each by itself', () => {
    const heads = [
      { ...head, shard: 0, wallMs: START + HOUR, windowLagS: 3600 },
      { ...head, shard: 1, wallMs: START + SECOND, windowLagS: 0 },
      { ...head, shard: 2, wallMs: START + 9 * SECOND, windowLagS: 9 },
    ];
    expect(lastTimesOf(heads)).toEqual({ shardMs: START + HOUR, windowMs: START + SECOND });
  });

  it('are none without records', () => {
    expect(lastTimesOf([{ ...head, shard: 0, sequence: 0 }])).toEqual({ shardMs: 0, windowMs: 0 });
  });
});
