import { describe, expect, it } from 'vitest';
import { Breaker } from '#src/vault/payshield/breaker.js';

/**
 * Each step: `+` a good answer, `-` a bad one, `w` 1000 ms pass, `?` an echo if it is time (`!` it is not), `g` it comes back, `b`
 * it does not. The state after all of them.
 */
describe('breaker: 5 failures of the latest 10, and half of them; closed for 1000 ms', () => {
  it.each([
    ['', 'closed'],
    ['----', 'closed'],
    ['-----', 'open'],
    ['+++++----', 'closed'],
    ['+++++-----', 'open'],
    ['++++++++++-----', 'open'],
    ['-+-+-+-+-', 'open'],
    ['-++-++-++-++-++-++', 'closed'],
    ['-----!', 'open'],
    ['-----w?', 'probing'],
    ['-----w?!', 'probing'],
    ['-----w?g', 'closed'],
    ['-----w?g----', 'closed'],
    ['-----w?g-----', 'open'],
    ['-----w?b', 'open'],
    ['-----w?b!', 'open'],
    ['-----w?bw?g', 'closed'],
    ['-----++++++++++', 'open'],
    ['-----g', 'open'],
  ])('%s: %s', (steps, state) => {
    const breaker = new Breaker({ window: 10, failures: 5, openMs: 1000 });
    let now = 0;
    for (const step of steps) {
      if (step === '+' || step === '-') breaker.record(step === '-', now);
      else if (step === 'w') now += 1000;
      else if (step === '?') expect(breaker.mayProbe(now)).toBe(true);
      else if (step === '!') expect(breaker.mayProbe(now)).toBe(false);
      else breaker.probed(step === 'b', now);
    }
    expect(breaker.state).toBe(state);
  });

  it('says once that it opens', () => {
    const breaker = new Breaker({ window: 10, failures: 2, openMs: 1000 });
    expect([breaker.record(true, 0), breaker.record(true, 0), breaker.record(true, 0)]).toEqual([false, true, false]);
  });
});
