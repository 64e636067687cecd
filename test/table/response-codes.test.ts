/**
 * Every response code (DE39) that leaves us, each produced by the last line of a short scenario, or by what a card
 * says at the wire: a code that a decision can give is in one of the two lists.
 */
import { Response, responseText } from '#src/domain/codes.js';
import type { Command } from '#src/domain/commands.js';
import type { Read } from '#src/domain/reads.js';
import { RequestKind } from '#src/ring/kinds.js';
import { harness as listening, tcpClient } from '../ingress/support.js';
import { CardBench, OTHER_CARDS_PIN, WRONG_PIN } from '../shard/card-bench.js';
import { Harness, purchase } from '../shard/harness.js';
import { chipData, cvv2, everyRule, track2 } from '../support/chip-cards.js';
import { describe, expect, Scenario, test } from './runner.js';

const OPEN = `
  account A limit=1000
  card a expiry=2912`;

/** code, what it says, and a scenario whose last line is answered with it. */
const produced: readonly (readonly [string, string, string])[] = [
  ['00', 'approved', `${OPEN}\n 0100 a purchase 1000`],
  ['00', 'an advice, a reversal and a listing are accepted', `${OPEN}\n 0420 a rrn=77`],
  ['10', 'approved in part', `${OPEN}\n 0100 a purchase 1001 partial`],
  ['12', 'a processing code that is not served', `${OPEN}\n 0100 a 100 pc=400000`],
  ['12', 'a message type that is not served', `${OPEN}\n 0140 a purchase 100`],
  ['14', 'no such card', `${OPEN}\n 0100 ? purchase 100`],
  ['14', 'the card is closed', `${OPEN}\n status a closed\n 0100 a purchase 100`],
  ['14', 'the account is closed', `${OPEN}\n status A closed\n 0100 a purchase 100`],
  ['21', 'a listing that cannot be taken back', `${OPEN}\n status a lost\n 0302 a file=3`],
  ['25', 'a listing of a card that we do not know', `${OPEN}\n 0302 ? file=1 listing=41`],
  ['30', 'a field is missing or malformed', `${OPEN}\n 0100 a purchase`],
  ['30', 'no amount in the currency of the account', `${OPEN}\n 0100 a purchase 100 cur=840`],
  ['41', 'the card is lost', `${OPEN}\n status a lost\n 0100 a purchase 100`],
  ['43', 'the card is stolen', `${OPEN}\n 0302 a file=1 listing=43\n 0100 a purchase 100`],
  [
    '46',
    'a closed card, where the network has a code of its own',
    `program say=cardClosed:46${OPEN}\n status a closed\n 0100 a purchase 100`,
  ],
  ['51', 'less is available', `${OPEN}\n 0100 a purchase 1001`],
  ['54', 'another expiry date', `${OPEN}\n 0100 a purchase 100 exp=2812`],
  ['54', 'the card has expired', `${OPEN}\n at 2030-01-01T00:00:00\n 0100 a purchase 100`],
  ['54', 'its status says so', `${OPEN}\n status a expired\n 0100 a purchase 100`],
  ['57', 'the program forbids the type', `program forbid=1${OPEN}\n 0100 a cash 100`],
  ['57', 'the program forbids a type that is not served', `program forbid=40${OPEN}\n 0100 a 100 pc=400000`],
  ['58', 'so says the program', `program forbid=40 say=transactionTypeForbidden:58${OPEN}\n 0100 a 100 pc=400000`],
  ['57', 'a category that is denied', `${OPEN}\n controls a {"mcc":{"deny":["7995"]}}\n 0100 a purchase 100 mcc=7995`],
  ['57', 'a channel that is denied', `${OPEN}\n controls a {"channels":{"deny":["atm"]}}\n 0100 a cash 100 mcc=6011`],
  [
    '58',
    'a merchant that is denied',
    `${OPEN}\n controls a {"merchants":{"deny":["BAD"]}}\n 0100 a purchase 1 merchant=BAD`,
  ],
  ['61', 'above the limit of a transaction', `${OPEN}\n controls a {"per_transaction":50}\n 0100 a purchase 51`],
  [
    '61',
    'above the amount of a window',
    `${OPEN}\n controls A {"velocity":[{"window":"day","amount":50}]}\n 0100 a purchase 50\n 0100 a purchase 1`,
  ],
  ['62', 'the card is paused', `${OPEN}\n status a paused\n 0100 a purchase 100`],
  ['62', 'the account is frozen', `${OPEN}\n status A frozen\n 0100 a purchase 100`],
  [
    '62',
    'a country that is denied',
    `${OPEN}\n controls a {"countries":{"deny":["US"]}}\n 0100 a purchase 1 country=840`,
  ],
  [
    '65',
    'above the count of a window',
    `${OPEN}\n controls a {"velocity":[{"window":"day","count":1}]}\n 0100 a purchase 50\n 0100 a purchase 1`,
  ],
  ['68', 'its reversal came first', `${OPEN}\n 0420 a stan=9 rrn=7\n 0100 a purchase 100 rrn=7`],
  [
    '68',
    'a repeat of what was reversed',
    `${OPEN}\n 0100 a purchase 9 stan=1\n 0400 a rrn=1\n 0101 a purchase 9 stan=1`,
  ],
  [
    '68',
    'a repeat of what was not delivered',
    `${OPEN}\n 0100 a purchase 9 stan=1\n undelivered 4\n 0100 a purchase 9 stan=1`,
  ],
  ['75', 'too many wrong PINs', `${OPEN}\n tries a 3\n 0100 a purchase 100 pin`],
  ['78', 'the card was not activated yet', `account A limit=1000\n card a status=inactive\n 0100 a purchase 100`],
  ['85', 'a verification: nothing speaks against it', `${OPEN}\n 0100 a verify`],
  ['94', 'the numbers of another amount', `${OPEN}\n 0100 a purchase 100 stan=1\n 0100 a purchase 101 stan=1`],
];

/** As above, of what only the wire has: fields of a purchase (test/shard/card-bench.ts), and tables of the program beside its rules. */
const checked: readonly (readonly [string, string, Record<number, string>, object])[] = [
  [
    '05',
    'a chip cryptogram that fails, where the program says so',
    { 55: chipData('visa_cvn10', { '9F26': '0123456789ABCDEF' }) },
    { responses: { all: { wrong_cryptogram: '05' } } },
  ],
  ['55', 'a wrong PIN', { 52: WRONG_PIN }, {}],
  ['81', 'a PIN block that cannot be read', { 52: OTHER_CARDS_PIN }, {}],
  ['82', 'a wrong CVV', { 22: '021', 35: track2('118') }, {}],
  ['82', 'a wrong CVV2', { 48: cvv2('192') }, {}],
  ['88', 'a chip cryptogram that fails', { 55: chipData('visa_cvn10', { '9F26': '0123456789ABCDEF' }) }, {}],
  [
    'N7',
    'a wrong CVV2, where the network uses it',
    { 48: cvv2('192') },
    { responses: { 'iso87-bcd': { wrong_cvv2: 'N7' } } },
  ],
];

describe('response codes', () => {
  test.each(produced)('%s: %s', (code, _meaning, table) => {
    const run = new Scenario();
    const lines = table.split('\n').map((line) => line.trim());
    const answers = lines.map((line, index) => (line === '' ? undefined : run.run(line.split(/\s+/), index + 1)));
    expect(answers.at(-1)).toBe(code);
  });

  test('91: the decision would come too late; nothing of it is kept', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 100), 'iso87-bcd', 5);
    h.advance(6);
    h.turn();
    expect(h.answers.get(token)!.fields[39]).toBe('91');
    expect(h.balances(0, card.account).held).toBe(0);
  });

  test('96: the message stopped the shard and is set aside', () => {
    const h = new Harness({ shards: 1, faults: { throwRrn: '000000000100' } });
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 100));
    for (let turn = 0; turn < 20 && !h.answers.has(token); turn++) h.turn();
    expect(h.answers.get(token)!.fields[39]).toBe('96');
    expect(h.balances(0, card.account).held).toBe(0);
  });

  test('95: totals that differ', async () => {
    const h = new Harness({ shards: 1, wallMs: Date.now() });
    const date = { 15: new Date(h.wallMs).toISOString().replaceAll('-', '').slice(4, 8) };
    h.linkDay = Math.floor(h.wallMs / 86_400_000);
    h.link = 1;
    const card = h.open(0, 1);
    expect(h.ask(card, purchase(1, 100, { 0: '0200', 32: '123456' }))[39]).toBe('00');
    // The listener of an acquirer, before the shard that decided its message.
    const engine = await listening({ shards: 1 });
    engine.shards.call = ({ kind, shard }, call) =>
      kind === RequestKind.command
        ? h.command(shard, call as unknown as Command)
        : h.read(shard, call as unknown as Read);
    const client = await tcpClient(engine);
    const question = { 0: '0500', 7: `${date[15]}120000`, 32: '123456', 50: '986', ...date };
    const ours = { 66: '1', 76: '0000000001', 88: '0000000000000100' };
    expect(await client.ask({ ...question, 11: '000001', 76: ours[76], 88: ours[88] })).toMatchObject({
      39: '00',
      ...ours,
    });
    expect(await client.ask({ ...question, 11: '000002', 76: '0000000002' })).toMatchObject({
      39: '95',
      ...ours,
      66: '2',
    });
  });

  test.each(checked)('%s: %s', (code, _meaning, fields, tables) => {
    expect(new CardBench({ cryptography: everyRule, ...tables }).code(fields)).toBe(code);
  });

  test('every code that a decision can give is shown', () => {
    const shown = new Set([...produced, ...checked].map(([code]) => code).concat('91', '96'));
    for (const code of Object.values(Response)) expect(shown).toContain(responseText(code));
  });
});
