/** Messages that wait for a device: the real shard, and a device that answers when the test says so, as the software adapter would. */
import { describe, expect, it } from 'vitest';
import { CardStatus, Check, CheckOutcome, DeviceFailure } from '#src/domain/codes.js';
import { PARK_MS, PARKED_PER_CARD_MAX, PARKED_PER_SHARD_MAX } from '#src/limits.js';
import { ReplyKind } from '#src/ring/kinds.js';
import { ShardCounter } from '#src/shard-instruments.js';
import { failed, type HsmRequest } from '#src/vault/hsm/port.js';
import { deviceOps } from '#src/vault/payshield/commands.js';
import { chipData, cvv2, everyRule, PAN, track2 } from '../support/chip-cards.js';
import { golden } from '../vault/card/golden.js';
import { newHsm } from '../vault/hsm/support.js';
import { CardBench, RIGHT_PIN, WRONG_PIN } from './card-bench.js';
import { type HarnessOptions, purchase } from './harness.js';

type Asked = { token: number; shard: number; request: HsmRequest };

class ParkingBench extends CardBench {
  readonly soft = newHsm();

  constructor(tables: object = { cryptography: everyRule }, options: HarnessOptions = {}) {
    super(tables, { deviceOps: [...deviceOps], ...options });
  }

  sendPurchase(stan: number, fields: Record<number, string>): number {
    return this.h.send(this.card, purchase(stan, 100, { 2: PAN, ...fields }));
  }

  /** Sends, and one turn. */
  park(stan: number, fields: Record<number, string>): number {
    const token = this.sendPurchase(stan, fields);
    this.h.turn();
    return token;
  }

  /** Answers as the keys say, and one turn. */
  answer(...asked: Asked[]): void {
    for (const one of asked) this.h.answer(one, this.soft.answer(one.request));
    this.h.turn();
  }

  /** Answers until nothing is asked any more. */
  answerAll(): void {
    for (let asked = this.h.questions(); asked.length > 0; asked = this.h.questions()) this.answer(...asked);
  }

  codeOf(token: number): string | undefined {
    return this.h.answers.get(token)?.fields[39];
  }

  get records(): number {
    return this.h.shard(0).journal.sequence;
  }

  get held(): number {
    return this.h.balances(0, this.card.account).held;
  }

  count(counter: number): number {
    return this.h.context.ports.instruments.counter(counter);
  }
}

const reversalOf = (stan: number): Record<number, string> => {
  const six = String(stan).padStart(6, '0');
  const fields = purchase(500 + stan, 100, { 2: PAN, 90: `0100${six}0615120000${'0'.repeat(22)}` });
  return { ...(fields as Record<number, string>), 0: '0400' };
};

describe('a message that a device is asked about', () => {
  it('is answered when the device has, and nothing is journaled before', () => {
    const bench = new ParkingBench();
    const before = bench.records;
    const token = bench.park(1, { 52: RIGHT_PIN });
    const asked = bench.h.questions();
    expect(asked.map(({ request }) => request.op)).toEqual(['verify_pin']);
    bench.h.turn();
    expect([bench.codeOf(token), bench.records, bench.count(ShardCounter.parkedNow)]).toEqual([undefined, before, 1]);
    bench.answer(...asked);
    expect([bench.codeOf(token), bench.records, bench.held]).toEqual(['00', before + 1, 100]);
    expect(bench.checks()[Check.pin]).toBe(CheckOutcome.passed);
    expect([bench.count(ShardCounter.parked), bench.count(ShardCounter.parkedNow)]).toEqual([1, 0]);
  });

  it('has in its record how long it waited, and why a device gave no verdict', () => {
    const bench = new ParkingBench();
    const noted = (): [number, number] => {
      const shard = bench.h.shard(0);
      const { deviceWaitUs, deviceFailure } = shard.history.read(shard.journal.sequence);
      // Each turn takes a little.
      return [Math.floor(deviceWaitUs / 1000), deviceFailure];
    };
    bench.park(1, { 52: RIGHT_PIN });
    bench.h.advance(3);
    // One behind it waits for the device from its own turn on.
    bench.park(2, { 52: WRONG_PIN });
    bench.answer(...bench.h.questions());
    expect(noted()).toEqual([3, DeviceFailure.none]);
    bench.h.advance(2);
    bench.answer(...bench.h.questions());
    expect(noted()).toEqual([2, DeviceFailure.none]);
    bench.park(3, { 52: RIGHT_PIN });
    bench.h.answer(bench.h.questions()[0]!, failed('device_down', 'gone'));
    bench.h.turn();
    expect(noted()).toEqual([0, DeviceFailure.deviceDown]);
    // Without an answer in time, and of a message that asks nobody.
    bench.park(4, { 52: RIGHT_PIN });
    bench.h.advance(PARK_MS);
    bench.h.turn();
    expect(noted()).toEqual([PARK_MS, DeviceFailure.timeout]);
    bench.park(5, {});
    expect(noted()).toEqual([-1, DeviceFailure.none]);
  });

  it('asks everything at once and waits for the last answer, in any order', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 22: '021', 35: track2('118'), 48: cvv2('191'), 52: WRONG_PIN });
    const asked = bench.h.questions();
    expect(asked.map(({ request }) => request.op).sort()).toEqual(['verify_cvv', 'verify_cvv', 'verify_pin']);
    for (const one of asked.reverse()) {
      expect(bench.codeOf(token)).toBeUndefined();
      bench.answer(one);
    }
    expect([bench.codeOf(token), bench.tries]).toEqual(['82', 1]);
  });

  it('asks nobody about unknown cards, blocked cards, repeats and messages that carry nothing', () => {
    const bench = new ParkingBench();
    const first = bench.park(1, { 52: RIGHT_PIN });
    bench.answerAll();
    const repeat = bench.park(1, { 0: '0101', 52: RIGHT_PIN });
    const plain = bench.park(2, {});
    const unknown = bench.h.send(undefined, purchase(3, 100, { 2: '9999990000000002', 52: RIGHT_PIN }));
    bench.h.turn();
    bench.h.command(0, { op: 'update_card', cardSlot: bench.card.slot, status: CardStatus.paused });
    const blocked = bench.park(4, { 52: RIGHT_PIN });
    expect(bench.h.questions()).toEqual([]);
    expect([first, repeat, plain, unknown].map((token) => bench.codeOf(token))).toEqual(['00', '00', '00', '14']);
    expect(bench.codeOf(blocked)).toBe('62');
    expect(bench.h.answers.get(repeat)!.sequence).toBe(bench.h.answers.get(first)!.sequence);
  });

  it('decides by what is true when the answer comes: a card that was blocked meanwhile is declined', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 52: RIGHT_PIN });
    bench.h.command(0, { op: 'update_card', cardSlot: bench.card.slot, status: CardStatus.lost });
    bench.answerAll();
    expect([bench.codeOf(token), bench.held]).toEqual(['41', 0]);
  });

  it('asks again when the PIN was changed meanwhile: the old answer is about another one', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 52: RIGHT_PIN });
    const asked = bench.h.questions();
    bench.setPin({ method: 'pvv', keyIndex: 1, digits: Uint8Array.from(Buffer.from('0000')) });
    bench.answer(...asked);
    expect(bench.codeOf(token)).toBeUndefined();
    bench.answerAll();
    expect([bench.codeOf(token), bench.tries]).toEqual(['55', 1]);
  });

  it('takes money once when others took it meanwhile', () => {
    const bench = new ParkingBench();
    const token = bench.h.send(bench.card, purchase(1, 300_000, { 2: PAN, 52: RIGHT_PIN }));
    bench.h.turn();
    const other = bench.h.ask(bench.card, purchase(2, 300_000, { 2: PAN }));
    bench.answerAll();
    expect([other[39], bench.codeOf(token), bench.held]).toEqual(['00', '51', 300_000]);
  });
});

describe('the answer to a chip', () => {
  it('is asked for when the code is final; reply and record are those of the software adapter', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 55: chipData('visa_cvn10') });
    bench.answer(...bench.h.questions());
    expect([bench.codeOf(token), bench.held]).toEqual([undefined, 0]);
    const asked = bench.h.questions();
    // A device without a command for the answer alone verifies once more.
    expect(asked.map(({ request }) => request.op)).toEqual(['verify_arqc']);
    bench.answer(...asked);
    const arpc = golden.emv.find(([name, pan]) => name === 'visa_cvn10' && pan === PAN)![4];
    const { fields } = bench.h.answers.get(token)!;
    expect([fields[39], fields[55]]).toEqual(['00', `hex:910A${arpc}3030`]);
    const repeat = bench.park(1, { 0: '0101', 55: chipData('visa_cvn10') });
    expect(bench.h.answers.get(repeat)!.fields).toEqual(fields);
    expect(bench.h.questions()).toEqual([]);
  });

  it('is asked for alone where the device can', () => {
    const bench = new ParkingBench(undefined, { deviceOps: [...deviceOps, 'answer_arqc'] });
    const token = bench.park(1, { 55: chipData('visa_cvn10') });
    bench.answer(...bench.h.questions());
    const asked = bench.h.questions();
    expect(asked.map(({ request }) => request.op)).toEqual(['answer_arqc']);
    bench.answer(...asked);
    expect(bench.codeOf(token)).toBe('00');
  });

  it('is left out when it does not come in time: the decision stands', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 55: chipData('visa_cvn10') });
    bench.answer(...bench.h.questions());
    bench.h.advance(PARK_MS);
    bench.h.turn();
    const { fields } = bench.h.answers.get(token)!;
    expect([fields[39], fields[55], bench.held]).toEqual(['00', undefined, 100]);
  });

  it('one counter is accepted once, however many messages carry it at a time', () => {
    const bench = new ParkingBench();
    const tokens = [1, 2, 3].map((stan) => bench.park(stan, { 55: chipData('visa_cvn10') }));
    bench.answerAll();
    expect(tokens.map((token) => bench.codeOf(token))).toEqual(['00', '88', '88']);
  });
});

describe('messages of a card behind one that waits', () => {
  it('one PIN at a time is asked about, and a guesser gets no more tries', () => {
    const bench = new ParkingBench();
    const tokens = [1, 2, 3, 4, 5].map((stan) => bench.park(stan, { 52: WRONG_PIN }));
    let most = 0;
    let questions = 0;
    for (let asked = bench.h.questions(); asked.length > 0; asked = bench.h.questions()) {
      most = Math.max(most, asked.length);
      questions += asked.length;
      bench.answer(...asked);
    }
    expect([most, questions, bench.tries]).toEqual([1, 3, 3]);
    expect(tokens.map((token) => bench.codeOf(token))).toEqual(['55', '55', '55', '75', '75']);
  });

  it('a repeat waits with its first and gets the same answer', () => {
    const bench = new ParkingBench();
    const first = bench.park(1, { 52: RIGHT_PIN });
    const repeat = bench.park(1, { 0: '0101', 52: RIGHT_PIN });
    const asked = bench.h.questions();
    expect(asked).toHaveLength(1);
    bench.answer(...asked);
    expect(bench.h.questions()).toEqual([]);
    const [a, b] = [bench.h.answers.get(first)!, bench.h.answers.get(repeat)!];
    expect([a.fields[39], b.sequence, bench.held]).toEqual(['00', a.sequence, 100]);
    expect(b.fields).toEqual(a.fields);
  });

  it('a reversal is taken at once, and what it reverses is declined when its answer comes', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 52: RIGHT_PIN });
    const reversal = bench.h.send(bench.card, reversalOf(1));
    bench.h.turn();
    expect(bench.codeOf(reversal)).toBe('00');
    expect(bench.codeOf(token)).toBeUndefined();
    bench.answerAll();
    expect([bench.codeOf(token), bench.held]).toEqual(['68', 0]);
  });

  it('another card does not wait', () => {
    const bench = new ParkingBench();
    bench.park(1, { 52: RIGHT_PIN });
    const other = bench.h.open(0, 2);
    expect(bench.h.ask(other, purchase(2, 100))[39]).toBe('00');
    expect(bench.h.ask(bench.card, purchase(3, 100, { 2: PAN }))[39]).toBe('00');
  });
});

describe('bounds', () => {
  it('91, in the journal, when no device has answered in time; a late answer changes nothing', () => {
    const bench = new ParkingBench();
    const before = bench.records;
    const token = bench.park(1, { 52: WRONG_PIN });
    const asked = bench.h.questions();
    bench.h.advance(PARK_MS - 10);
    bench.h.turn();
    expect(bench.codeOf(token)).toBeUndefined();
    bench.h.advance(10);
    bench.h.turn();
    expect([bench.codeOf(token), bench.records, bench.tries]).toEqual(['91', before + 1, 0]);
    expect(bench.checks()[Check.pin]).toBe(CheckOutcome.unavailable);
    bench.answer(...asked);
    expect([bench.records, bench.tries, bench.count(ShardCounter.parkTimeouts)]).toEqual([before + 1, 0, 1]);
    const repeat = bench.park(1, { 0: '0101', 52: WRONG_PIN });
    expect(bench.codeOf(repeat)).toBe('91');
  });

  it('a wrong PIN that was told in time counts although another answer is missing', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 48: cvv2('191'), 52: WRONG_PIN });
    bench.answer(...bench.h.questions().filter(({ request }) => request.op === 'verify_pin'));
    bench.h.advance(PARK_MS);
    bench.h.turn();
    expect([bench.codeOf(token), bench.tries]).toEqual(['91', 1]);
  });

  it('a short deadline of the message is kept', () => {
    const bench = new ParkingBench();
    const token = bench.h.send(bench.card, purchase(1, 100, { 2: PAN, 52: RIGHT_PIN }), 'iso87-bcd', 500);
    bench.h.turn();
    bench.h.advance(300);
    bench.h.turn();
    expect(bench.codeOf(token)).toBe('91');
  });

  it('the thread sleeps no longer than until the next wait is over', () => {
    const bench = new ParkingBench();
    bench.park(1, { 52: RIGHT_PIN });
    bench.h.host.turn();
    bench.h.advance(PARK_MS - 50);
    expect(bench.h.host.turn()).toBeLessThanOrEqual(50);
  });

  it('a card has room for so many, and the next is answered 91 at once', () => {
    const bench = new ParkingBench();
    const tokens = Array.from({ length: PARKED_PER_CARD_MAX + 1 }, (_, i) => bench.park(i + 1, { 48: cvv2('191') }));
    expect(bench.codeOf(tokens.at(-1)!)).toBe('91');
    expect(bench.count(ShardCounter.shedParked)).toBe(1);
    bench.answerAll();
    expect(tokens.slice(0, -1).map((token) => bench.codeOf(token))).toEqual(Array(PARKED_PER_CARD_MAX).fill('00'));
  });

  it('so has a shard', () => {
    const bench = new ParkingBench();
    const cards = Array.from({ length: PARKED_PER_SHARD_MAX + 1 }, (_, i) => bench.h.open(0, 10 + i));
    const tokens = cards.map((card, i) => bench.h.send(card, purchase(i + 1, 100, { 48: cvv2('191') })));
    bench.h.turn();
    const shed = tokens.filter((token) => bench.codeOf(token) === '91');
    expect([shed, bench.count(ShardCounter.parkedNow)]).toEqual([[tokens.at(-1)], PARKED_PER_SHARD_MAX]);
    bench.answerAll();
    expect(bench.count(ShardCounter.parkedNow)).toBe(0);
  });

  it('91 when the ring to the devices is full', () => {
    const bench = new ParkingBench(undefined, { deviceRingBytes: 4096 });
    const cards = Array.from({ length: 60 }, (_, i) => bench.h.open(0, 10 + i));
    const tokens = cards.map((card, i) => bench.h.send(card, purchase(i + 1, 100, { 48: cvv2('191') })));
    bench.h.turn();
    expect(bench.codeOf(tokens.at(-1)!)).toBe('91');
    expect(bench.codeOf(tokens[0]!)).toBeUndefined();
    expect(bench.count(ShardCounter.parkedNow)).toBeLessThan(60);
  });

  it('what the devices cannot do is 96 at once, and a device that refuses 91', () => {
    const bench = new ParkingBench(undefined, { deviceOps: ['verify_cvv'] });
    expect(bench.codeOf(bench.park(1, { 52: RIGHT_PIN }))).toBe('96');
    const token = bench.park(2, { 48: cvv2('191') });
    for (const one of bench.h.questions()) bench.h.answer(one, failed('device_down', 'gone'));
    bench.h.turn();
    expect(bench.codeOf(token)).toBe('91');
  });
});

describe('when something ends', () => {
  it('a stop waits for what is parked', () => {
    const bench = new ParkingBench();
    const token = bench.park(1, { 52: RIGHT_PIN });
    bench.h.stop();
    bench.h.turn();
    expect(bench.h.host.finished).toBe(false);
    bench.answerAll();
    expect([bench.codeOf(token), bench.h.host.finished]).toEqual(['00', true]);
  });

  it('a start knows nothing of what was parked: the network says it again, and it is decided once', () => {
    const bench = new ParkingBench();
    bench.park(1, { 52: RIGHT_PIN });
    const before = bench.records;
    const again = new ParkingBench(undefined, {});
    const token = again.park(1, { 0: '0101', 52: RIGHT_PIN });
    expect(again.records).toBe(before);
    again.answerAll();
    expect([again.codeOf(token), again.held]).toEqual(['00', 100]);
  });

  it('a shard that goes down gives back what is parked, and answers to it are answers to nothing', () => {
    const bench = new ParkingBench(undefined, { faults: { throwRrn: '000000999999' } });
    const parked = bench.park(1, { 52: RIGHT_PIN });
    const asked = bench.h.questions();
    const poison = bench.park(2, { 37: '000000999999' });
    expect([bench.codeOf(parked), bench.codeOf(poison)]).toEqual(['91', '96']);
    bench.answer(...asked);
    for (let i = 0; i < 5; i++) bench.h.turn();
    const again = bench.park(1, { 0: '0101', 52: RIGHT_PIN });
    bench.answerAll();
    expect([bench.codeOf(again), bench.held]).toEqual(['00', 100]);
    expect([...bench.h.answers.values()].every(({ kind }) => kind === ReplyKind.wire)).toBe(true);
  });
});
