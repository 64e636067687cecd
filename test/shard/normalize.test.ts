import { describe, expect, it } from 'vitest';
import type { Fields } from '../../src/iso8583/message.js';
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

describe('message types that are not served', () => {
  it.each(['0104', '0204', '0322', '0402', '0500', '0520', '0600', '0620', '0700'])(
    'are answered 12 whatever they carry: %s without DE2, 3, 4 and 7',
    (mti) => {
      const h = new Harness({ shards: 1 });
      const reply = h.ask(undefined, { 0: mti, 11: '000001', 41: 'TERM0001' });
      expect([reply[0], reply[39], reply[11]]).toEqual([String(Number(mti) + 10).padStart(4, '0'), '12', '000001']);
      expect(h.ask(undefined, { 0: mti, 15: '1231', 66: '1' })[39]).toBe('12');
    },
  );
});

describe('a currency code of letters or spaces', () => {
  it.each([
    [49, { 49: 'BRL' }],
    [49, { 49: '   ' }],
    [51, { 51: 'USD' }],
    [51, { 51: '   ', 6: '000000000100' }],
    [49, { 0: '0400', 49: '98 ' }],
  ])('is answered 30 and DE%i is named', (field, over) => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    expect(h.ask(card, purchase(1, 100, over as Fields))[39]).toBe('30');
    expect([h.context.event.input.badField, h.context.event.input.badFieldMissing]).toEqual([field, 0]);
    expect(h.balances(0, card.account).held).toBe(0);
  });
});
