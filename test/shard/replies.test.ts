/** Replies field by field, in every dialect: what comes back of a request, what does not, and what the decision puts in. */
import { describe, expect, it } from 'vitest';
import { type DialectName, dialectNames } from '#src/iso8583/dialects.js';
import type { Fields } from '#src/iso8583/message.js';
import { privateData } from '#src/iso8583/private-data.js';
import { Harness, purchase } from './harness.js';

/** Everything that a request may carry; most of it must not come back. */
function full(stan: number, amount: number, over: Fields = {}): Fields {
  const fields = purchase(stan, amount, {
    15: '0616',
    19: '076',
    23: '001',
    33: '654321',
    35: '9999990000000018=29122010000000000',
    52: 'hex:0123456789ABCDEF',
    55: 'hex:9F2701809F360200FF',
    60: 'PRIVATE TO SOMEBODY',
    ...over,
  });
  for (const [field, value] of Object.entries(fields)) if (value === '') delete fields[field];
  return fields;
}

/** Fields of the request that every reply carries as they came. */
function echoed(request: Fields, ...more: number[]): Fields {
  const kept = [3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 51, 63, ...more].filter((field) => request[field]);
  return Object.fromEntries(kept.map((field) => [String(field), request[field]!]));
}

describe.each(dialectNames)('replies in %s', (dialect) => {
  const h = new Harness({ shards: 1 });
  let cards = 0;

  function ask(card: { shard: number; slot: number } | undefined, fields: Fields, as: DialectName = dialect): Fields {
    const token = h.send(card, fields, as);
    h.turn();
    return h.answers.get(token)!.fields;
  }

  it('0110: what is echoed, our approval code, nothing of card, track, PIN and chip', () => {
    const card = h.open(0, ++cards);
    const request = full(1, 2500);
    const reply = ask(card, request);
    expect(reply).toEqual({ 0: '0110', ...echoed(request), 38: expect.stringMatching(/^\d{6}$/), 39: '00' });
    expect(ask(card, { ...request, 0: '0101' })).toEqual(reply);
  });

  it('0110 of a decline has no approval code', () => {
    const card = h.open(0, ++cards, 100);
    const request = full(1, 101);
    expect(ask(card, request)).toEqual({ 0: '0110', ...echoed(request), 39: '51' });
  });

  it('0110 of an increment is that of an authorization', () => {
    const card = h.open(0, ++cards);
    ask(card, full(1, 2500));
    const request = full(2, 500, {
      48: privateData([
        [20, 'I'],
        [63, 'N000001'],
      ]),
    });
    const reply = ask(card, request);
    expect(reply).toEqual({ 0: '0110', ...echoed(request), 38: expect.stringMatching(/^\d{6}$/), 39: '00' });
    expect(h.balances(0, card.account)).toEqual({ posted: 0, held: 3000 });
  });

  it('0130: the code of the network, letters too; of a repeat that leaves it out, the one of the record', () => {
    const card = h.open(0, ++cards, 100);
    const request = full(1, 2500, { 0: '0120', 38: 'STIP01', 48: privateData([[84, 'S']]) });
    expect(ask(card, request)).toEqual({ 0: '0130', ...echoed(request), 38: 'STIP01', 39: '00' });
    expect(ask(card, { ...request, 0: '0121' })[38]).toBe('STIP01');
    const numbered = full(2, 300, { 0: '0120', 38: '004711' });
    expect(ask(card, numbered)[38]).toBe('004711');
    expect(ask(card, full(2, 300, { 0: '0121' }))).toEqual({ 0: '0130', ...echoed(numbered), 38: '004711', 39: '00' });
    expect(h.balances(0, card.account)).toEqual({ posted: 0, held: 2800 });
  });

  it('0130 without a code of the network has none, nor has one that was not accepted', () => {
    const card = h.open(0, ++cards);
    const request = full(1, 2500, { 0: '0120' });
    expect(ask(card, request)).toEqual({ 0: '0130', ...echoed(request), 39: '00' });
    const foreign = full(2, 2500, { 0: '0120', 38: 'STIP01', 49: '840' });
    expect(ask(card, foreign)).toEqual({ 0: '0130', ...echoed(foreign), 39: '30' });
    const unknown = full(3, 2500, { 0: '0120', 38: 'STIP02' });
    expect(ask(undefined, unknown)).toEqual({ 0: '0130', ...echoed(unknown), 38: 'STIP02', 39: '00' });
  });

  it('0210 posts', () => {
    const card = h.open(0, ++cards);
    const request = full(1, 2500, { 0: '0200' });
    const reply = ask(card, request);
    expect(reply).toEqual({ 0: '0210', ...echoed(request), 38: expect.stringMatching(/^\d{6}$/), 39: '00' });
    expect(ask(card, { ...request, 0: '0201' })).toEqual(reply);
    expect(h.balances(0, card.account)).toEqual({ posted: 2500, held: 0 });
  });

  it('0210 of a partial approval with cash back: DE4 is the purchase, DE54 what was asked for', () => {
    const card = h.open(0, ++cards, 12_000);
    const asked = { 0: '0200', 3: '090000', 48: privateData([[61, '1']]), 54: '0040986D000000005000' };
    const request = full(1, 15_000, asked);
    const reply = ask(card, request);
    expect(reply).toEqual({
      ...echoed(request),
      0: '0210',
      4: '000000010000',
      38: expect.stringMatching(/^\d{6}$/),
      39: '10',
      54: '0057986C000000015000',
    });
    expect(ask(card, { ...request, 0: '0201' })).toEqual(reply);
    expect(h.balances(0, card.account)).toEqual({ posted: 10_000, held: 0 });
  });

  it('0110 of a partial approval in another currency: DE4 and DE6 are what was approved', () => {
    const card = h.open(0, ++cards, 3000);
    const foreign = { 6: '000000005005', 49: '840', 51: '986', 48: privateData([[61, '1']]) };
    const request = full(1, 1000, foreign);
    expect(ask(card, request)).toEqual({
      ...echoed(request),
      0: '0110',
      4: '000000000599', // floor(1000 x 3000 / 5005)
      6: '000000003000',
      38: expect.stringMatching(/^\d{6}$/),
      39: '10',
      54: '0057840C000000001000',
    });
  });

  it('0110 of a balance inquiry: ledger and available in DE54, as they were then', () => {
    const card = h.open(0, ++cards, 10_000);
    ask(card, full(1, 2500, { 0: '0200' }));
    ask(card, full(2, 1000));
    const request = full(3, 0, { 3: '300000', 4: '' });
    const reply = ask(card, request);
    expect(reply).toEqual({
      0: '0110',
      ...echoed(request),
      38: expect.stringMatching(/^\d{6}$/),
      39: '00',
      54: '0001986D0000000025000002986C000000006500',
    });
    ask(card, full(4, 1000));
    expect(ask(card, { ...request, 0: '0101' })).toEqual(reply);
  });

  it('0230: the code of the network, and the hold is released', () => {
    const card = h.open(0, ++cards);
    ask(card, full(1, 2500));
    const request = full(2, 2400, { 0: '0220', 37: '000000000100', 38: '123456' });
    expect(ask(card, request)).toEqual({ 0: '0230', ...echoed(request), 38: '123456', 39: '00' });
    expect(h.balances(0, card.account)).toEqual({ posted: 2400, held: 0 });
  });

  it('0312: without amount and code; the card is answered 43 from then on', () => {
    const card = h.open(0, ++cards);
    const listing = full(1, 0, { 0: '0302', 3: '', 4: '', 35: '', 49: '', 52: '', 55: '', 91: '1', 127: '43' });
    expect(ask(card, listing)).toEqual({ 0: '0312', ...echoed(listing), 39: '00' });
    expect(ask(card, { ...listing, 0: '0303' })).toEqual({ 0: '0312', ...echoed(listing), 39: '00' });
    expect(ask(card, full(2, 100))[39]).toBe('43');
    expect(ask(card, { ...listing, 11: '000003', 91: '3' })[39]).toBe('21');
    expect(ask(undefined, { ...listing, 11: '000004' })[39]).toBe('25');
  });

  it('0410 and 0430: no code; DE90 behind the MTI may be zeros, DE95 is what stays', () => {
    const card = h.open(0, ++cards);
    ask(card, full(1, 2500));
    const zeros = `0100${'0'.repeat(38)}`;
    const request = full(2, 2500, { 0: '0420', 37: '000000000100', 90: zeros, 95: `000000001000${'0'.repeat(30)}` });
    expect(ask(card, request)).toEqual({ 0: '0430', ...echoed(request), 39: '00' });
    expect(h.balances(0, card.account).held).toBe(1000);
    const rest = full(3, 2500, { 0: '0400', 37: '000000000100', 90: zeros });
    expect(ask(card, rest)).toEqual({ 0: '0410', ...echoed(rest), 39: '00' });
    expect(h.balances(0, card.account).held).toBe(0);
  });
});
