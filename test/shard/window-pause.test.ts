/** The roll-over of velocity windows while the clocks differ: through the real host, with both clocks moved by hand. */
import { describe, expect, it } from 'vitest';
import { JournalReader } from '#src/journal/reader.js';
import { Harness, purchase } from './harness.js';

const MIDNIGHT = Date.UTC(2026, 5, 16);
const DAY = 86_400_000;
const SECOND = 1000;

/** An account with a limit of 1000, ten seconds before midnight; 800 of it are used. */
function used(controls = '{"velocity":[{"window":"day","amount":1000}]}') {
  const h = new Harness({ wallMs: MIDNIGHT - 10 * SECOND });
  const card = h.open(0, 1);
  expect(h.command(0, { op: 'update_account', id: card.account, controls }).ok).toBe(true);
  let stan = 0;
  const ask = (amount: number): unknown => {
    stan++;
    return h.ask(card, purchase(stan, amount))[39];
  };
  const window = () => {
    const result = h.read(0, { op: 'account_limits', id: card.account });
    if (!result.ok || !('limits' in result)) throw new Error(JSON.stringify(result));
    return result.limits[0]!.windows[0]!;
  };
  expect(ask(800)).toBe('00');
  return { h, card, ask, window };
}

function turns(h: Harness, count: number): void {
  for (let i = 0; i < count; i++) h.turn();
}

/** The records alone give the state that the live shard has. */
function expectReplay(h: Harness): void {
  expect(new Harness({ journal: h.journal, wallMs: h.wallMs }).shard(0).digest).toEqual(h.shard(0).digest);
}

/** By record: how far velocity windows were behind. */
function lags(h: Harness): number[] {
  const found: number[] = [];
  const scan = JournalReader.ofStore(h.journal, 'memory').scan(0, 1);
  scan.onMessage = ({ windowLagMs }) => found.push(windowLagMs);
  while (scan.step(100));
  return found;
}

describe('a daily limit', () => {
  it('begins anew at midnight', () => {
    const { h, ask } = used();
    expect(ask(300)).toBe('61');
    h.advance(10 * SECOND);
    expect(ask(300)).toBe('00');
    expect(lags(h)).toEqual([0, 0, 0]);
  });

  it('does not begin anew because the wall clock leaps a day ahead, nor when it is set right again', () => {
    const { h, ask, window } = used();
    h.wallMs += DAY;
    turns(h, 60);
    expect(h.context.nowMs).toBeGreaterThan(MIDNIGHT + 60 * SECOND);
    expect(ask(300)).toBe('61');
    expect(ask(150)).toBe('00');
    expect(window()).toMatchObject({ amount: 950, startMs: MIDNIGHT - DAY, endMs: MIDNIGHT });
    h.wallMs -= DAY;
    turns(h, 2);
    // Shard time stands still behind midnight, where it was led; the day is still the fifteenth.
    expect(h.context.clockPaused).toBe(false);
    expect(h.context.nowMs).toBeGreaterThan(MIDNIGHT + 60 * SECOND);
    expect(ask(300)).toBe('61');
    h.advance(9 * SECOND);
    expect(ask(300)).toBe('61');
    h.advance(2 * SECOND);
    expect(ask(300)).toBe('00');
    expect(lags(h).map((lag) => lag > 0)).toEqual([false, true, true, true, true, true]);
    expectReplay(h);
    h.advance(600 * SECOND);
    expect(ask(1)).toBe('00');
    expect(lags(h).at(-1)).toBe(0);
  });

  it('begins anew once an operator has accepted the clock', () => {
    const { h, ask } = used();
    h.wallMs += DAY;
    turns(h, 20);
    expect(ask(300)).toBe('61');
    h.control.acceptClock();
    h.turn();
    expect(h.context.clockPaused).toBe(false);
    expect(h.context.nowMs).toBe(h.wallMs);
    expect(ask(300)).toBe('00');
    expect(lags(h).at(-1)).toBe(0);
    expectReplay(h);
  });

  it('does not begin anew for the second time when an accepted clock is set back', () => {
    const { h, ask, window } = used();
    h.advance(20 * SECOND);
    expect(ask(900)).toBe('00');
    h.wallMs -= 3600 * SECOND;
    turns(h, 2);
    h.control.acceptClock();
    turns(h, 2);
    expect(ask(300)).toBe('61');
    expect(window()).toMatchObject({ amount: 900, startMs: MIDNIGHT });
    expectReplay(h);
  });

  it('does not go back to yesterday by a start under a clock that was set back', () => {
    const { h, card, ask } = used();
    h.advance(20 * SECOND);
    expect(ask(900)).toBe('00');
    const next = new Harness({ journal: h.journal, wallMs: MIDNIGHT - 3600 * SECOND });
    const again = (stan: number, amount: number): unknown => next.ask(card, purchase(stan, amount))[39];
    expect([again(50, 101), again(51, 100)]).toEqual(['61', '00']);
    expect(lags(next)).toEqual([0, 0, 0, 0]);
    expectReplay(next);
  });

  it('does not begin anew by a start where shard time was led ahead, and begins at its midnight', () => {
    const { h, card, ask } = used();
    h.wallMs += DAY;
    turns(h, 60);
    expect(ask(100)).toBe('00');
    expect(h.context.nowMs).toBeGreaterThan(MIDNIGHT + 60 * SECOND);
    const next = new Harness({ journal: h.journal, wallMs: MIDNIGHT - 5 * SECOND });
    const again = (stan: number, amount: number): unknown => next.ask(card, purchase(stan, amount))[39];
    expect([again(50, 101), again(51, 100)]).toEqual(['61', '00']);
    next.advance(6 * SECOND);
    expect(again(52, 1000)).toBe('00');
    expectReplay(next);
  });

  it('keeps what it counted whatever is taken back in the pause', () => {
    const { h, card, ask, window } = used();
    expect(ask(100)).toBe('00');
    expect(ask(90)).toBe('00');
    // Both clocks go on by three days, and the wall clock by three more: everything of the fifteenth is past by shard time.
    h.us += 3 * DAY * 1000;
    h.wallMs += 6 * DAY;
    turns(h, 2);
    expect(h.context.nowMs).toBeGreaterThan(MIDNIGHT + 2 * DAY);
    const undelivered = h.send(card, purchase(50, 5));
    h.turn();
    h.notDelivered(0, h.answers.get(undelivered)!.sequence);
    h.turn();
    expect(window().amount).toBe(990);
    const reversal = purchase(51, 100, { 0: '0400', 37: purchase(2, 0)[37]! });
    expect(h.ask(card, reversal)[39]).toBe('00');
    expect(window()).toMatchObject({ amount: 890, count: 2, startMs: MIDNIGHT - DAY });
    expect(h.command(0, { op: 'expire_hold', sequence: 7 }).ok).toBe(true);
    expect(window()).toMatchObject({ amount: 800, startMs: MIDNIGHT - DAY });
    expect(ask(300)).toBe('61');
    expectReplay(h);
    h.control.acceptClock();
    turns(h, 2);
    expect(ask(300)).toBe('00');
    expectReplay(h);
  });
});

describe('a trailing window', () => {
  it('counts on while the clocks differ, and forgets when they agree', () => {
    const { h, ask } = used('{"velocity":[{"window":"trailing","seconds":60,"amount":1000}]}');
    h.wallMs += DAY;
    turns(h, 100);
    expect(h.context.nowMs).toBeGreaterThan(MIDNIGHT + 120 * SECOND);
    expect(ask(300)).toBe('61');
    h.wallMs -= DAY;
    h.advance(30 * SECOND);
    expect(ask(300)).toBe('61');
    h.advance(40 * SECOND);
    expect(ask(300)).toBe('00');
    expectReplay(h);
  });
});
