/** The past of a shard as its decisions read it. */
import { describe, expect, it } from 'vitest';
import { Harness, purchase } from './harness.js';

describe('a record that was read from the frame that is being filled', () => {
  it('is read anew when that memory has another frame: a repeat is answered as before, without a second effect', () => {
    const h = new Harness({ shards: 1 });
    const [card, other] = [h.open(0, 1), h.open(0, 2)];
    const original = h.send(card, purchase(1, 100));
    const repeat = h.send(card, purchase(1, 100));
    h.turn();
    const code = h.answers.get(original)?.fields[38];
    expect(h.answers.get(repeat)?.fields[38]).toBe(code);
    h.ask(other, purchase(2, 5));
    expect(h.ask(card, purchase(1, 100))[38]).toBe(code);
    expect(h.balances(0, card.account).held).toBe(100);
  });
});
