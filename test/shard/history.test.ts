/** The past of a shard as its decisions read it. */
import { describe, expect, it, vi } from 'vitest';
import { Harness, purchase } from './harness.js';

describe('a record that is asked about and then read', () => {
  it('is decoded once, and again when another one came between', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    for (const n of [1, 2]) expect(h.ask(card, purchase(n, n * 100))[39]).toBe('00');
    const shard = h.shard(0);
    const { history } = shard.decisions;
    const second = shard.state.cards.newest(card.slot);
    const first = second - 1;
    const decoded = vi.spyOn(shard.journal, 'readRecent');
    expect([history.isMessage(second), history.read(second).input.amount]).toEqual([true, 200]);
    expect(decoded).toHaveBeenCalledTimes(1);
    expect([history.isMessage(first), history.read(first).input.amount]).toEqual([true, 100]);
    // Not a message: the account's record.
    expect(history.readEvent(1)).toBeDefined();
    expect([history.read(first).input.amount, history.read(second).input.amount]).toEqual([100, 200]);
    expect(decoded).toHaveBeenCalledTimes(5);
  });
});
