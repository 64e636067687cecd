/**
 * Card cryptography in decisions, at the wire: a shard with the software adapter and keys whose values are known. What is
 * asserted is what leaves the shard, what the record keeps, and what it must not keep.
 */
import { describe, expect, it } from 'vitest';
import { Check, CheckOutcome } from '#src/domain/codes.js';
import { pack, unpack } from '#src/iso8583/message.js';
import type { InlineHsm } from '#src/vault/hsm/port.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { chipData, cvv2, everyRule, OFFSET, PAN, track1, track2 } from '../support/chip-cards.js';
import { golden } from '../vault/card/golden.js';
import { newHsm, newKeys } from '../vault/hsm/support.js';
import { CardBench, OTHER_CARDS_PIN, RIGHT_PIN, WRONG_PIN } from './card-bench.js';
import { Harness, type HarnessOptions, purchase } from './harness.js';

/** MTI, bitmap, echoes, approval code, response code, 12 bytes of DE55: tag 91 with ARPC and response code, DE63. */
const REPLY_BYTES =
  '0110323800010EC08202000000000000000100061512000000000112000006150612345630303030303030303031303036373637383930305445524D303030314D' +
  '45524348414E54303030303030313938360012910A5562F4DCCDE8E4DA303000074E303030303031';
const COUNTER = 0x0123;

describe('values of the stripe and of the back', () => {
  it.each([
    ['the stripe of track 2', { 22: '021', 35: track2('117') }, '00'],
    ['another value', { 22: '021', 35: track2('118') }, '82'],
    ['the stripe of track 1', { 22: '021', 45: track1('117') }, '00'],
    ['another value of track 1', { 22: '021', 45: track1('118') }, '82'],
    ['a track without the value', { 22: '021', 35: `${PAN}=2912201` }, '82'],
    ['a track 1 without separators', { 22: '021', 45: 'B9999' }, '82'],
    ['the copy in a chip has its own value', { 22: '051', 35: track2('121') }, '00'],
    ['and not that of the stripe: a chip that was read to make a stripe', { 22: '051', 35: track2('117') }, '82'],
    ['nor has the stripe that of the chip', { 22: '021', 35: track2('121') }, '82'],
    ['a contactless stripe has a value of another kind', { 22: '911', 35: track2('117') }, '00'],
    ['another service code than the value was made with', { 22: '021', 35: `${PAN}=291210114232117` }, '82'],
    ['CVV2', { 22: '812', 48: cvv2('191') }, '00'],
    ['another CVV2', { 22: '812', 48: cvv2('192') }, '82'],
    ['a CVV2 that is none', { 22: '812', 48: cvv2('19') }, '82'],
  ])('%s', (_what, fields, code) => {
    expect(new CardBench().code(fields)).toBe(code);
  });

  it('CVV2 of a message without an expiry: the one of the card', () => {
    const bench = new CardBench();
    const { 14: _expiry, ...fields } = purchase(1, 100, { 2: PAN, 48: cvv2('191') });
    expect(bench.h.ask(bench.card, fields)[39]).toBe('00');
  });

  it('says in the reply how the CVV2 was, and a repeat says it again', () => {
    const bench = new CardBench();
    const right = purchase(77, 100, { 2: PAN, 48: cvv2('191') });
    const first = bench.h.ask(bench.card, right);
    expect([first[44], first[48]]).toEqual(['M', '8701M']);
    expect(bench.h.ask(bench.card, { ...right, 0: '0101' })).toEqual(first);
    const wrong = bench.reply({ 48: cvv2('192') });
    expect([wrong[39], wrong[44], wrong[48]]).toEqual(['82', 'N', '8701N']);
    const none = bench.reply({ 48: '2001N' });
    expect([none[39], none[44], none[48]]).toEqual(['00', undefined, undefined]);
  });

  it('a program may only record what is wrong', () => {
    const bench = new CardBench({ cryptography: { cvv2: { key: 'cvk', on_wrong: 'record' } } });
    const reply = bench.reply({ 48: cvv2('192') });
    expect([reply[39], reply[44]]).toEqual(['00', 'N']);
    expect(bench.checks()[Check.cvv2]).toBe(CheckOutcome.wrong);
  });

  it('N7, 05 where the network or the program says so', () => {
    const responses = { 'iso87-bcd': { wrong_cvv2: 'N7' }, all: { wrong_cryptogram: '05' } };
    const bench = new CardBench({ cryptography: everyRule, responses });
    expect(bench.code({ 48: cvv2('192') })).toBe('N7');
    expect(bench.code({ 55: chipData('visa_cvn10', { '9F26': '0000000000000000' }) })).toBe('05');
  });
});

describe('PINs', () => {
  it('right by PVV and by offset; wrong counts a try, right takes the count back, too many end it', () => {
    const bench = new CardBench();
    expect(bench.code({ 52: RIGHT_PIN })).toBe('00');
    expect(bench.checks()[Check.pin]).toBe(CheckOutcome.passed);
    expect([bench.code({ 52: WRONG_PIN }), bench.tries]).toEqual(['55', 1]);
    expect([bench.code({ 52: WRONG_PIN }), bench.tries]).toEqual(['55', 2]);
    expect([bench.code({ 52: RIGHT_PIN }), bench.tries]).toEqual(['00', 0]);
    bench.setPin(OFFSET);
    expect(bench.code({ 52: RIGHT_PIN })).toBe('00');
    for (let i = 0; i < 3; i++) expect(bench.code({ 52: WRONG_PIN })).toBe('55');
    expect([bench.code({ 52: RIGHT_PIN }), bench.tries]).toEqual(['75', 3]);
  });

  it('a wrong PIN counts when another check fails as well, and the first failure is the answer', () => {
    const bench = new CardBench();
    expect(bench.code({ 22: '021', 35: track2('118'), 52: WRONG_PIN })).toBe('82');
    expect(bench.tries).toBe(1);
  });

  it('a block that cannot be read is 81 and no try', () => {
    const bench = new CardBench();
    expect([bench.code({ 52: OTHER_CARDS_PIN }), bench.tries]).toEqual(['81', 0]);
  });

  it('a card without a PIN: no PIN is the right one', () => {
    const bench = new CardBench();
    const made = bench.h.command(0, { op: 'update_card', cardSlot: bench.card.slot, pinReference: new Uint8Array(0) });
    expect(made.ok && 'card' in made && made.card?.pinSet).toBe(false);
    expect([bench.code({ 52: RIGHT_PIN }), bench.tries]).toEqual(['55', 0]);
    expect(bench.checks()[Check.pin]).toBe(CheckOutcome.notSet);
  });

  it('goes on being the right one when the card gets another fingerprint, and after a start from the journal', () => {
    const bench = new CardBench();
    const { slot: cardSlot } = bench.card;
    const cards = [{ cardSlot, before: [1, 2, 3], after: [4, 5, 6] }] as const;
    expect(bench.h.command(0, { op: 'change_fingerprints', cards })).toMatchObject({
      ...{ ok: true, fingerprints: { changed: 1, unknown: 0 } },
    });
    expect([bench.code({ 52: RIGHT_PIN }), bench.code({ 52: WRONG_PIN }), bench.tries]).toEqual(['00', '55', 1]);
    const next = new Harness({ shards: 1, hsm: newHsm(), journal: bench.h.journal, wallMs: bench.h.wallMs });
    expect(next.ask(bench.card, purchase(900, 100, { 2: PAN, 52: RIGHT_PIN }))[39]).toBe('00');
    expect([next.directory.find(1, 2, 3), next.directory.find(4, 5, 6), next.directory.size]).toEqual([
      -1,
      cardSlot,
      1,
    ]);
    // The live directory has both, of one card.
    expect([bench.h.directory.size, bench.h.directory.cards]).toEqual([2, 1]);
    expect([bench.h.directory.find(1, 2, 3), bench.h.directory.find(4, 5, 6)]).toEqual([cardSlot, cardSlot]);
  });

  it('the zone key of the link', () => {
    const zones = { ...everyRule.pin, zone_key: 'zpk2', zone_keys: { 1: 'zpk' } };
    const other = { cryptography: { pin: { ...zones, zone_keys: { 2: 'zpk' } } } };
    // Entries of the harness come over link 0.
    expect(new CardBench({ cryptography: { pin: { ...zones, zone_key: 'zpk' } } }).code({ 52: RIGHT_PIN })).toBe('00');
    expect(new CardBench(other).code({ 52: RIGHT_PIN })).toBe('81');
  });

  it('in software are refused unless they are allowed: 96, no try, and one line of the log', () => {
    const hsm = new SoftHsm(newKeys(), { say: () => undefined });
    const bench = new CardBench(undefined, { hsm });
    expect([bench.code({ 52: RIGHT_PIN }), bench.code({ 52: WRONG_PIN }), bench.tries]).toEqual(['96', '96', 0]);
    expect(bench.h.logs.filter((line) => line.includes('not allowed'))).toHaveLength(1);
  });
});

describe('chip cryptograms', () => {
  it.each([
    ['visa_cvn10', 'visa'],
    ['visa_cvn17', 'visa'],
    ['mchip_cvn16', 'mchip'],
    ['mchip_cvn20', 'mchip'],
  ] as const)('%s: right, with ARPC and response code for the card', (version, scheme) => {
    const row = golden.emv.find(([name, pan]) => name === version && pan === PAN)!;
    const bench = new CardBench({ cryptography: { chip: { scheme, key: 'imk' } } });
    const reply = bench.reply({ 55: chipData(version) });
    expect([reply[39], reply[55]]).toEqual(['00', `hex:910A${row[4]}3030`]);
    expect(bench.counter).toBe(COUNTER);
    expect(bench.checks()[Check.counter]).toBe(CheckOutcome.passed);
  });

  it('golden bytes of the reply', () => {
    const bench = new CardBench();
    const token = bench.h.send(bench.card, purchase(1, 100, { 2: PAN, 55: chipData('visa_cvn10') }));
    bench.h.turn();
    const { fields } = bench.h.answers.get(token)!;
    const bytes = Buffer.from(pack('iso87-bcd', fields)).toString('hex').toUpperCase();
    expect(bytes).toBe(REPLY_BYTES);
    expect(unpack('iso87-bcd', Buffer.from(bytes, 'hex'))[55]).toBe('hex:910A5562F4DCCDE8E4DA3030');
  });

  it('ARPC is for the final code: another one when funds are short', () => {
    const bench = new CardBench();
    const approved = bench.reply({ 55: chipData('visa_cvn10') })[55]!;
    const short = new CardBench().reply({ 4: '000099999999', 55: chipData('visa_cvn10') });
    expect(short[39]).toBe('51');
    expect(short[55]).toMatch(/^hex:910A[0-9A-F]{16}3531$/);
    expect(short[55]!.slice(0, 24)).not.toBe(approved.slice(0, 24));
  });

  it('ARPC method 2 has the card status update of the outcome', () => {
    const bench = new CardBench();
    expect(bench.reply({ 55: chipData('visa_cvn18') })[55]).toMatch(/^hex:9108[0-9A-F]{8}00800000$/);
    const short = new CardBench().reply({ 4: '000099999999', 55: chipData('visa_cvn18') });
    expect(short[55]).toMatch(/^hex:9108[0-9A-F]{8}00000000$/);
  });

  it.each([
    ['another cryptogram', { '9F26': '3B4D86FB8D6D88F9' }],
    ['something else was signed', { '9F02': '000000012346' }],
    ['no cryptogram', { '9F26': '' }],
    ['nothing that the card signs may be missing', { '9F37': '' }],
    ['no question to the issuer', { '9F27': '40' }],
    ['a version that no profile has', { '9F10': '06010903A4B000' }],
    ['another sequence number', { '5F34': '02' }],
    ['a sequence number that is none', { '5F34': 'FF' }],
  ])('%s: 88, no answer for the card, and the counter stays', (_what, over) => {
    const bench = new CardBench();
    const reply = bench.reply({ 55: chipData('visa_cvn10', over) });
    expect([reply[39], reply[55], bench.counter]).toEqual(['88', undefined, -1]);
  });

  it('a counter that was seen is a replay, though the cryptogram is right', () => {
    const bench = new CardBench();
    expect(bench.code({ 55: chipData('visa_cvn10') })).toBe('00');
    expect(bench.code({ 55: chipData('visa_cvn10') })).toBe('88');
    expect(bench.checks()[Check.cryptogram]).toBe(CheckOutcome.passed);
    expect(bench.checks()[Check.counter]).toBe(CheckOutcome.replayed);
    // Another cryptogram with the same counter as well.
    expect(bench.code({ 55: chipData('visa_cvn17') })).toBe('88');
    expect(bench.counter).toBe(COUNTER);
  });

  it('a message that is declined later has used its counter', () => {
    const bench = new CardBench();
    expect(bench.code({ 4: '000099999999', 55: chipData('visa_cvn10') })).toBe('51');
    expect(bench.counter).toBe(COUNTER);
    expect(bench.code({ 55: chipData('visa_cvn10') })).toBe('88');
  });

  it('the sequence number is that of DE23 or of the card where the chip sends none', () => {
    const without = chipData('visa_cvn10', { '5F34': '' });
    expect(new CardBench().code({ 55: without })).toBe('00');
    expect(new CardBench().code({ 23: '001', 55: without })).toBe('00');
    expect(new CardBench().code({ 23: '002', 55: without })).toBe('88');
  });

  it.each([
    ['half a tag', 'hex:9F26'],
    ['a length beyond the field', 'hex:9F2608AA'],
    ['a cryptogram of seven bytes', chipData('visa_cvn10', { '9F26': '3B4D86FB8D6D88' })],
    ['a tag twice', `${chipData('visa_cvn10')}9F36020124`],
  ])('%s: 30', (_what, field) => {
    expect(new CardBench().code({ 55: field })).toBe('30');
  });
});

describe('all of them', () => {
  it('are recorded, not present where the message has nothing', () => {
    const bench = new CardBench();
    const fields = {
      22: '051',
      35: track2('121'),
      48: `${cvv2('191')}4203212`,
      52: RIGHT_PIN,
      55: chipData('visa_cvn10'),
    };
    expect(bench.code(fields)).toBe('00');
    expect(bench.checks()).toEqual(new Array(6).fill(CheckOutcome.passed));
    expect(bench.code({ 48: cvv2('191') })).toBe('00');
    const { notPresent, passed } = CheckOutcome;
    expect(bench.checks()).toEqual([notPresent, passed, notPresent, notPresent, notPresent, notPresent]);
  });

  it('a level of 3-D Secure that the program denies is 57', () => {
    const bench = new CardBench();
    expect([bench.code({ 48: '4203210' }), bench.code({ 48: '4203212' })]).toEqual(['57', '00']);
  });

  it('a program without rules checks nothing and records nothing', () => {
    const bench = new CardBench({}, { hsm: undefined } as unknown as HarnessOptions);
    const reply = bench.reply({
      22: '021',
      35: track2('118'),
      48: cvv2('000'),
      52: WRONG_PIN,
      55: chipData('visa_cvn10'),
    });
    expect([reply[39], reply[44], reply[55], bench.tries]).toEqual(['00', undefined, undefined, 0]);
  });

  it('rules and no keys: what carries them is answered 96, the rest as ever', () => {
    const bench = new CardBench(undefined, { hsm: undefined } as unknown as HarnessOptions);
    expect([bench.code({ 48: cvv2('191') }), bench.code({})]).toEqual(['96', '00']);
    expect(bench.h.logs.filter((line) => line.includes('--hsm-keys'))).toHaveLength(1);
  });

  it('a repeat gets the same bytes and asks nobody; neither does a replay of the journal', () => {
    const asked: string[] = [];
    const inner = newHsm();
    const hsm: InlineHsm = {
      name: 'counting',
      supports: (op) => inner.supports(op),
      submit: (request) => inner.submit(request),
      close: () => inner.close(),
      answer: (request) => {
        asked.push(request.op);
        return inner.answer(request);
      },
    };
    const bench = new CardBench(undefined, { hsm });
    const message = purchase(5, 100, { 2: PAN, 48: cvv2('191'), 52: WRONG_PIN, 55: chipData('visa_cvn10') });
    const first = bench.h.ask(bench.card, message);
    expect(first[39]).toBe('55');
    expect(asked).toEqual(['verify_cvv', 'verify_pin', 'verify_arqc', 'answer_arqc']);
    expect(bench.h.ask(bench.card, message)).toEqual(first);
    expect(bench.tries).toBe(1);
    const again = new Harness({ shards: 1, journal: bench.h.journal, hsm });
    expect(asked).toHaveLength(4);
    const [live, replayed] = [bench.h, again].map((h) => h.shard(0).state);
    expect(replayed!.digest.high).toBe(live!.digest.high);
    expect(replayed!.digest.low).toBe(live!.digest.low);
    expect([replayed!.cards.pinTries(0), replayed!.cards.counter(0), replayed!.pins.has(0)]).toEqual([
      1,
      COUNTER,
      true,
    ]);
    expect(again.ask(bench.card, message)).toEqual(first);
    expect(asked).toHaveLength(4);
  });

  it('leave nothing of what was checked in the journal or the log', () => {
    const bench = new CardBench();
    const secrets = [track2('121'), RIGHT_PIN.slice(4), chipData('visa_cvn10').slice(4)];
    const fields = { 22: '051', 35: track2('121'), 48: cvv2('191'), 52: RIGHT_PIN, 55: chipData('visa_cvn10') };
    expect(bench.code(fields)).toBe('00');
    let stored = bench.h.logs.join();
    bench.h.journal.scan({}, (_key, value) => {
      stored += `${Buffer.from(value).toString('latin1')} ${Buffer.from(value).toString('hex').toUpperCase()}`;
      return true;
    });
    expect(stored.length).toBeGreaterThan(1000);
    for (const secret of [...secrets, golden.emv[0]![3]]) expect(stored).not.toContain(secret);
    expect(stored).toContain(golden.emv[0]![4]);
  });
});
