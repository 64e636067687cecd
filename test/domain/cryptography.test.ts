/**
 * Step 5 of a decision without a wire: in which order the checks answer, what they count and what they leave alone. Who checks is
 * scripted here; test/shard/card-checks.test.ts has the real adapter.
 */
import { describe, expect, it } from 'vitest';
import { AccountType, CardStatus, Check, CheckOutcome, Reason, Response, Step, Verdict } from '#src/domain/codes.js';
import { type CardCryptography, noCryptography } from '#src/domain/cryptography.js';
import type { MessageEvent } from '#src/domain/events.js';
import { Carried } from '#src/domain/message.js';
import { compileTables } from '#src/domain/program/compile.js';
import { parseTables } from '#src/domain/program/parse.js';
import { Policy } from '#src/domain/program/policy.js';
import { ShardState } from '#src/domain/shard-state.js';
import { Book } from './book.js';
import { toInput, transmissionOf } from './messages.js';

const NOW = Date.UTC(2026, 4, 20, 12);
const { passed, wrong, unreadable, unavailable, faulty, notChecked, notPresent, blocked } = CheckOutcome;
const ALL = Carried.track2 | Carried.cvv2 | Carried.pin | Carried.chip | Carried.threeDSecure;
const FOREIGN = [7, 7, 7] as const;

const rules = {
  cvv: { key: 'k' },
  cvv2: { key: 'k' },
  pin: { zone_key: 'z', pvv_keys: { 1: 'p' } },
  chip: { scheme: 'visa', key: 'm', jump_max: 10, on_jump: 'decline' },
  three_d_secure: { deny: ['210'] },
};

class Script implements CardCryptography {
  readonly resealedPin = noCryptography.resealedPin;
  readonly asked: string[] = [];
  outcomes: Partial<Record<'stripe' | 'cvv2' | 'pin' | 'cryptogram', CheckOutcome>> = {};
  atc = 1;
  stripe = () => this.#answer('stripe');
  cvv2 = () => this.#answer('cvv2');
  pin = () => this.#answer('pin');
  cryptogram = () => this.#answer('cryptogram');
  counter = () => this.atc;
  answer = (_rule: unknown, out: MessageEvent) => {
    this.asked.push('answer');
    out.issuerDataLength = 2;
    out.issuerData.set([out.response >> 8, out.response & 0xff]);
  };

  #answer(what: 'stripe' | 'cvv2' | 'pin' | 'cryptogram'): CheckOutcome {
    this.asked.push(what);
    return this.outcomes[what] ?? passed;
  }
}

class Desk {
  readonly script = new Script();
  readonly book: Book;
  stan = 0;

  constructor(cryptography: object = rules) {
    const parsed = parseTables({ cryptography }, { dialects: [] });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    this.book = new Book(new Policy(1, compileTables(parsed.tables, [])), this.script);
    const account = { op: 'create_account', id: 'A', program: 1, currency: 986, creditLimit: 1000 } as const;
    this.book.command({ ...account, type: AccountType.credit }, NOW);
    this.book.command(
      {
        ...{ op: 'create_card', account: 'A', fingerprint: [1, 2, 3], bin: 999999, last4: 17, panLength: 16 },
        ...{ expiry: 2912, cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 },
      },
      NOW,
    );
  }

  token(): number {
    const head = { op: 'create_alias', cardSlot: 0, fingerprint: [4, 5, 6], bin: 999999, last4: 25 } as const;
    this.book.command({ ...head, panLength: 16, expiry: 2912, status: CardStatus.active }, NOW);
    return 1;
  }

  pay(carried: number, { amount = 10, level = 212, slot = 0, mti = 100, stan = ++this.stan } = {}): MessageEvent {
    const input = toInput({ mti, pc: 0, amount, currency: 986, stan, de7: transmissionOf(NOW) });
    input.carried = carried;
    input.threeDSecureLevel = level;
    return this.book.message(input, slot, NOW, FOREIGN).event;
  }
}

const verdictAt = (event: MessageEvent, step: number): number => {
  for (let i = 0; i < event.verdictCount; i++) if (event.verdicts[i * 2] === step) return event.verdicts[i * 2 + 1]!;
  return 0;
};

describe('the checks of step 5', () => {
  it('all are asked, in their order; the first failure is the answer', () => {
    const failures = ['stripe', 'cvv2', 'pin', 'cryptogram'] as const;
    const answers = [
      [Response.wrongCvv, Reason.wrongCvv],
      [Response.wrongCvv, Reason.wrongCvv2],
      [Response.wrongPin, Reason.wrongPin],
      [Response.wrongCryptogram, Reason.wrongCryptogram],
    ] as const;
    for (const [first, [response, reason]] of answers.entries()) {
      const desk = new Desk();
      for (const what of failures.slice(first)) desk.script.outcomes[what] = wrong;
      const event = desk.pay(ALL, { level: 210 });
      expect([event.response, event.reason]).toEqual([response, reason]);
      expect(desk.script.asked).toEqual([...failures]);
      expect(verdictAt(event, Step.cryptography)).toBe(Verdict.fail);
      expect(verdictAt(event, Step.controls)).toBe(0);
      expect(desk.book.state.cards.pinTries(0)).toBe(first <= 2 ? 1 : 0);
    }
    const level = new Desk().pay(ALL, { level: 210 });
    expect([level.response, level.reason]).toEqual([Response.notPermitted, Reason.threeDSecureLevel]);
  });

  it('is not asked for what the message does not carry, nor before the card has passed', () => {
    const desk = new Desk();
    const plain = desk.pay(0);
    expect([plain.checked, verdictAt(plain, Step.cryptography)]).toEqual([0, Verdict.notPresent]);
    desk.book.command({ op: 'update_card', cardSlot: 0, status: CardStatus.paused }, NOW);
    desk.pay(ALL);
    desk.pay(ALL, { slot: -1 });
    expect(desk.script.asked).toEqual([]);
  });

  it('what the program has no rule for is not checked, and the record says nothing', () => {
    const desk = new Desk({ cvv2: rules.cvv2 });
    const event = desk.pay(ALL);
    expect([...event.checks]).toEqual([notChecked, passed, notChecked, notChecked, notPresent, notChecked]);
    expect(desk.script.asked).toEqual(['cvv2']);
    const none = new Desk({}).pay(ALL);
    expect([none.response, none.checked, verdictAt(none, Step.cryptography)]).toEqual([
      Response.approved,
      0,
      Verdict.notApplicable,
    ]);
  });

  it.each([
    [unavailable, Response.unavailable, Reason.cryptographyUnavailable],
    [faulty, Response.systemError, Reason.cryptographyFault],
    [unreadable, Response.pinUnreadable, Reason.pinUnreadable],
  ])('outcome %s of a PIN counts no try', (outcome, response, reason) => {
    const desk = new Desk();
    desk.script.outcomes.pin = outcome;
    const event = desk.pay(Carried.pin);
    expect([event.response, event.reason, desk.book.state.cards.pinTries(0)]).toEqual([response, reason, 0]);
  });

  it('a card without tries is not asked about, and the other checks are', () => {
    const desk = new Desk();
    desk.book.command({ op: 'update_card', cardSlot: 0, pinTries: 3 }, NOW);
    desk.script.outcomes.stripe = wrong;
    const event = desk.pay(ALL);
    expect(event.response).toBe(Response.wrongCvv);
    expect(event.checks[Check.pin]).toBe(blocked);
    expect(desk.script.asked).not.toContain('pin');
    desk.script.outcomes = {};
    expect(desk.pay(Carried.pin).response).toBe(Response.pinTriesExceeded);
    expect(desk.book.state.cards.pinTries(0)).toBe(3);
  });

  it('a counter is compared with the highest one and never goes back', () => {
    const desk = new Desk();
    const codes = [5, 5, 4, 6, 30, 6, 31].map((atc) => {
      desk.script.atc = atc;
      const { response, reason, counter, counterBefore } = desk.pay(Carried.chip);
      return [
        response === Response.approved ? 'fresh' : reason,
        counter,
        counterBefore,
        desk.book.state.cards.counter(0),
      ];
    });
    const { counterReplayed, counterJumped } = Reason;
    expect(codes).toEqual([
      ['fresh', 5, -1, 5],
      [counterReplayed, 5, 5, 5],
      [counterReplayed, 4, 5, 5],
      ['fresh', 6, 5, 6],
      [counterJumped, 30, 6, 30],
      [counterReplayed, 6, 30, 30],
      ['fresh', 31, 30, 31],
    ]);
  });

  it('a cryptogram that is wrong moves no counter: whoever forges one cannot lock the card', () => {
    const desk = new Desk();
    desk.script.atc = 60_000;
    desk.script.outcomes.cryptogram = wrong;
    expect([desk.pay(Carried.chip).counter, desk.book.state.cards.counter(0)]).toEqual([-1, -1]);
  });

  it('a token has a counter of its own', () => {
    const desk = new Desk();
    const token = desk.token();
    desk.script.atc = 9;
    expect(desk.pay(Carried.chip, { slot: token }).response).toBe(Response.approved);
    expect([desk.book.state.cards.counter(token), desk.book.state.cards.counter(0)]).toEqual([9, -1]);
    expect(desk.pay(Carried.chip).response).toBe(Response.approved);
    expect(desk.pay(Carried.chip, { slot: token }).reason).toBe(Reason.counterReplayed);
    desk.book.restart();
    expect([desk.book.state.cards.counter(token), desk.book.state.cards.counter(0)]).toEqual([9, 9]);
  });

  it('the chip is answered with the final code, whichever step gave it, and a repeat from the record', () => {
    const desk = new Desk();
    const answerOf = ({ issuerData, issuerDataLength }: MessageEvent): string =>
      Buffer.from(issuerData.subarray(0, issuerDataLength)).toString();
    expect(answerOf(desk.pay(Carried.chip))).toBe('00');
    desk.script.atc = 2;
    const short = desk.pay(Carried.chip, { amount: 5000, stan: 70 });
    expect(answerOf(short)).toBe('51');
    const asked = desk.script.asked.length;
    expect(answerOf(desk.pay(Carried.chip, { amount: 5000, stan: 70, mti: 101 }))).toBe('51');
    expect(desk.script.asked.length).toBe(asked);
    expect(answerOf(desk.pay(Carried.pin))).toBe('');
  });

  it('tries and counters come from the records alone after a restart', () => {
    const desk = new Desk();
    desk.script.outcomes.pin = wrong;
    for (const atc of [3, 8]) {
      desk.script.atc = atc;
      desk.pay(Carried.pin | Carried.chip);
    }
    const asked = desk.script.asked.length;
    desk.book.restart();
    expect(desk.script.asked.length).toBe(asked);
    expect([desk.book.state.cards.pinTries(0), desk.book.state.cards.counter(0)]).toEqual([2, 8]);
  });
});

describe('rows', () => {
  it('of cards carry counter and service code through a checkpoint, and those of version 2 have no counter', () => {
    const desk = new Desk();
    desk.script.atc = 65_535;
    desk.pay(Carried.chip);
    const { state } = desk.book;
    const bytes = new Uint8Array(1 << 13);
    const length = state.writeEntry(2, 0, bytes, 0);
    const copy = new ShardState(0);
    copy.readEntry(2, 0, bytes, 0, length);
    expect([copy.cards.counter(0), copy.cards.serviceCode(0), copy.cards.bin(0)]).toEqual([65_535, 201, 999_999]);
    // As version 2 wrote it: the service code in word 15, the BIN alone in word 5.
    const view = new DataView(bytes.buffer);
    bytes[0] = 2;
    view.setUint32(1 + 5 * 4, 999_999, true);
    view.setUint32(1 + 15 * 4, (201 | (2 << 24)) >>> 0, true);
    const older = new ShardState(0);
    older.readEntry(2, 0, bytes, 0, length);
    const { cards } = older;
    expect([cards.counter(0), cards.serviceCode(0), cards.bin(0), cards.pinTries(0)]).toEqual([-1, 201, 999_999, 2]);
  });

  it('of PINs keep the newest value over a checkpoint and a replay, also that there is none', () => {
    const sealed = (byte: number) => new Uint8Array(44).fill(byte);
    const state = new ShardState(0);
    state.pins.set(70, sealed(1), 5);
    state.pins.set(71, sealed(2), 6);
    state.pins.set(71, new Uint8Array(0), 7);
    const bytes = new Uint8Array(1 << 13);
    const copy = new ShardState(0);
    state.takeDirty(10, (table, key) => copy.readEntry(table, key, bytes, 0, state.writeEntry(table, key, bytes, 0)));
    const digestOf = ({ digest }: ShardState) => [digest.high, digest.low];
    expect(digestOf(copy)).toEqual(digestOf(state));
    copy.pins.set(71, sealed(2), 6);
    expect([copy.pins.has(70), copy.pins.has(71), copy.pins.has(5000)]).toEqual([true, false, false]);
    const found = new Uint8Array(44);
    copy.pins.copy(70, found);
    expect(found).toEqual(sealed(1));
    const before = digestOf(copy);
    copy.pins.set(70, sealed(3), 8);
    expect(digestOf(copy)).not.toEqual(before);
    expect(() => copy.pins.set(70, new Uint8Array(43), 9)).toThrow(/44 bytes/);
  });
});
