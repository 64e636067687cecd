import { describe, expect, it } from 'vitest';
import { privateData } from '../../src/iso8583/private-data.js';
import { Harness, purchase } from './harness.js';

describe('a tag of DE48 that is repeated', () => {
  it('counts once, the last one: the original that it names is reversed', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 100));
    h.ask(card, purchase(2, 250));
    const many = Array.from({ length: 46 }, (): [number, string] => [63, 'SOMETHING-ELSE9']);
    const reversal = purchase(3, 250, { 0: '0400', 48: privateData([...many, [63, 'N000002']]) });
    delete reversal[37];
    expect(h.ask(card, reversal)[39]).toBe('00');
    expect(h.balances(0, card.account).held).toBe(100);
    expect(h.logs).toEqual([]);
  });
});
