import { describe, expect, it } from 'vitest';
import { Response } from '#src/domain/codes.js';
import { Text } from '#src/domain/message.js';
import { type Fields, pack } from '#src/iso8583/message.js';
import { privateData } from '#src/iso8583/private-data.js';
import { panOfNumber } from '#src/vault/pan.js';
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
      expect(h.ask(undefined, { 0: mti, 35: '9999990000000010=2913201', 48: 'PRIVATE DATA' })[39]).toBe('12');
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

describe('a field whose content is not of its layout', () => {
  const own = panOfNumber('999999', 1);
  it.each<[number, Fields]>([
    [48, { 48: '0' }],
    [48, { 48: 'PRIVATE TO SOMEBODY' }],
    [48, { 48: `${privateData([[20, 'F']])}6105` }],
    [48, { 0: '0120', 48: '2002F' }],
    [35, { 35: `${own}=29131010000000000` }],
    [35, { 35: `${own}=29001010000000000` }],
    [14, { 14: '2913', 35: `${own}=29121010000000000` }],
    [12, { 12: '246000' }],
    [13, { 0: '0400', 13: '0230' }],
  ])('is answered 30 and DE%i is named', (field, over) => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    const message = purchase(1, 100, over);
    if (over[35] !== undefined && over[14] === undefined) delete message[14];
    expect(h.ask(card, message)[39]).toBe('30');
    expect([h.context.event.input.badField, h.context.event.input.badFieldMissing]).toEqual([field, 0]);
    expect(h.balances(0, card.account).held).toBe(0);
  });
});

describe('cash back in DE54', () => {
  const group = (amount: number, currency = '986', type = '40'): string =>
    `00${type}${currency}D${String(amount).padStart(12, '0')}`;
  const ask = (mti: string, groups: string) => {
    const h = new Harness({ shards: 1 });
    const reply = h.ask(h.open(0, 1), purchase(1, 1000, { 0: mti, 3: '090000', 54: groups }));
    const { badField, badFieldMissing, cashBack } = h.context.event.input;
    return { code: reply[39], badField, badFieldMissing, cashBack };
  };

  it.each([
    ['half a group', group(400).slice(0, 19)],
    ['a group and a half', `${group(400)}${group(100).slice(0, 10)}`],
    ['letters in its amount', `${group(400).slice(0, 19)}X`],
    ['letters in its currency', group(400, 'BRL')],
    ['neither C nor D', group(400).replace('D', 'X')],
    ['another group that is none', `${group(400)}${group(1, '986', '02').replace('D', '0')}`],
    ['another currency alone', group(400, '840')],
  ])('is answered 30 and named when it is malformed: %s', (_what, groups) => {
    expect(ask('0100', groups)).toMatchObject({ code: '30', badField: 54, badFieldMissing: 0 });
    expect(ask('0200', groups)).toMatchObject({ code: '30', badField: 54 });
  });

  it('is the sum of the groups in the currency of the amount, whatever stands beside them', () => {
    const groups = `${group(50, '840')}${group(9, '986', '02')}${group(300)}${group(0)}${group(100)}`;
    expect(ask('0100', groups)).toMatchObject({ code: '00', badField: 0, cashBack: 400 });
    expect(ask('0100', `${group(600)}${group(500)}`)).toMatchObject({ code: '30', badField: 54 });
    expect(ask('0100', group(0))).toMatchObject({ code: '00', cashBack: 0 });
  });

  it('in another currency is no reason to refuse what the network has decided', () => {
    expect(ask('0120', group(400, '840'))).toMatchObject({ code: '00', badField: 0, cashBack: -1 });
    expect(ask('0120', group(400).slice(1))).toMatchObject({ code: '30', badField: 54 });
  });
});

describe('the business day', () => {
  const day = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 86_400_000;
  /** The journaled day of a purchase at `now` over a link with this business date. */
  const dayOf = (now: string, linkDate: string | undefined, settlement: string | undefined): number => {
    const h = new Harness({ shards: 1, wallMs: Date.parse(now) });
    const card = h.open(0, 1);
    h.linkDay = linkDate === undefined ? 0 : day(linkDate);
    h.ask(card, purchase(1, 100, settlement === undefined ? {} : { 15: settlement }));
    expect(h.context.event.response).toBe(Response.approved);
    return h.context.event.input.businessDay;
  };

  it.each([
    ['2026-11-26T23:59:59Z', undefined, undefined, '2026-11-26'],
    ['2026-11-27T00:00:01Z', undefined, undefined, '2026-11-27'],
    ['2026-11-26T12:00:00Z', '2026-11-27', undefined, '2026-11-27'],
    ['2026-11-26T12:00:00Z', '2026-11-27', '1125', '2026-11-25'],
    ['2026-12-31T23:00:00Z', undefined, '0101', '2027-01-01'],
    ['2027-01-01T01:00:00Z', '2027-01-01', '1231', '2026-12-31'],
    ['2028-01-10T00:00:00Z', undefined, '0229', '2028-02-29'],
  ])('at %s on a link at %s with DE15 %s is %s', (now, linkDate, settlement, expected) => {
    expect(dayOf(now, linkDate, settlement)).toBe(day(expected));
  });

  it.each(['0000', '1301', '0230', '1232'])('cannot be DE15 %s: answered 30 and DE15 is named', (settlement) => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    expect(h.ask(card, purchase(1, 100, { 15: settlement }))[39]).toBe('30');
    expect([h.context.event.input.badField, h.context.event.input.badFieldMissing]).toEqual([15, 0]);
  });
});

describe('card numbers in the texts of a message', () => {
  const own = '9999990000000018';
  const other = panOfNumber('999999', 123_456_789);
  const masked = '999999******0018';
  const texts = (h: Harness): string[] =>
    [Text.rrn, Text.acceptor, Text.acceptorName, Text.networkId].map((which) => h.context.event.input.textOf(which));

  it('are masked in what is stored, and echoed as they came', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    const reply = h.ask(card, purchase(1, 100, { 37: own.slice(0, 12), 42: own.slice(1), 63: own.slice(0, 15) }));
    expect([reply[37], reply[42], reply[63]]).toEqual([own.slice(0, 12), own.slice(1), own.slice(0, 15)]);
    expect(texts(h).slice(0, 2)).toEqual(['999999******', '99999******0018']);
    expect(texts(h)[3]).toBe('999999******001');
    h.ask(card, purchase(2, 100, { 43: `SHOP ${own}`.padEnd(40) }));
    expect(texts(h)[2]).toBe(`SHOP ${masked}`);
    h.ask(card, purchase(4, 100, { 48: privateData([[80, `ref ${own}`]]) }));
    expect(h.context.event.input.textOf(Text.holdReference)).toBe(`ref ${masked}`);
    // Of track 2, when there is no DE2.
    const tracked = purchase(3, 100, { 35: `${own}=29121010000000000`, 43: `SHOP ${own}`.padEnd(40) });
    delete tracked[2];
    h.ask(card, tracked);
    expect(texts(h)[2]).toBe(`SHOP ${masked}`);
  });

  it('are masked in DE43 whosever they are, and in other texts only when they are the own one', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 100, { 43: `TEL ${other.replace(/(....)/g, '$1 ')}`.padEnd(40), 63: other.slice(0, 15) }));
    expect(texts(h).slice(2)).toEqual([`TEL 9999 99** **** ${other.slice(-4)}`, other.slice(0, 15)]);
  });

  it('are masked in a message with a malformed field', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    const message = pack('iso87-bcd', purchase(1, 100, { 43: `SHOP ${own}`.padEnd(40) }));
    // The last nibble of the amount is no digit.
    message[Buffer.from(message).indexOf('000000000100', 0, 'hex') + 5] = 0x0f;
    const token = h.sendBytes(card, message);
    h.turn();
    expect(h.answers.get(token)?.fields[39]).toBe('30');
    expect(texts(h)[2]).toBe(`SHOP ${masked}`);
  });

  it('do not keep a repeat, or a reversal by DE37 or DE48.63, from its original', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    const over = { 37: own.slice(0, 12), 43: `SHOP ${own}`.padEnd(40), 63: own.slice(0, 15) };
    const first = h.ask(card, purchase(1, 100, over));
    const again = h.ask(card, purchase(1, 100, { ...over, 0: '0101' }));
    expect([again[39], again[38]]).toEqual(['00', first[38]]);
    expect(h.balances(0, card.account).held).toBe(100);
    const byRrn = purchase(2, 100, { 0: '0400', 37: own.slice(0, 12) });
    expect(h.ask(card, byRrn)[39]).toBe('00');
    expect(h.balances(0, card.account).held).toBe(0);
    h.ask(card, purchase(3, 250, { 63: own.slice(0, 15) }));
    const byNetworkId = purchase(4, 250, { 0: '0400', 48: privateData([[63, own.slice(0, 15)]]) });
    delete byNetworkId[37];
    expect(h.ask(card, byNetworkId)[39]).toBe('00');
    expect(h.balances(0, card.account).held).toBe(0);
  });
});
