import { describe, expect, it } from 'vitest';
import { dialectNames } from '#src/iso8583/dialects.js';
import { unpack } from '#src/iso8583/message.js';
import { IN_FLIGHT_MAX } from '../../loadtest/arguments.js';
import { demoCards, panTable } from '../../loadtest/cards.js';
import { ADVICE, AUTH, INCREMENT, INQUIRY, REPEAT, REVERSAL } from '../../loadtest/kinds.js';
import { Originals, SLOTS, SlotState, Slots } from '../../loadtest/slots.js';
import { frameBytesMax, rrnPrefix, streamWire, templatesOf, webSocketWire } from '../../loadtest/templates.js';
import { WebSocketReader } from '../../loadtest/websocket-reader.js';

const cards = demoCards(1000);
const pans = panTable(cards);
const values = {
  card: 999,
  amount: 123_456,
  stan: 987_654,
  rrn: 7_654_321,
  de7: 1_231_235_959,
  originalStan: 45,
  originalDe7: 101_000_001,
  counter: 0,
};

describe.each(dialectNames)('templates of %s', (dialect) => {
  const templates = templatesOf(streamWire(dialect, '2912', 'len2', 0), 35, 71);
  const render = (kind: number, set = values) => {
    const out = new Uint8Array(600).fill(0xee);
    const end = templates[kind]!.write(out, 3, set, pans);
    expect(out[end]).toBe(0xee);
    return out.slice(3, end);
  };
  const fields = (kind: number, set = values) => unpack(dialect, render(kind, set).subarray(2));

  it('fill in card, amount, STAN, RRN and the times', () => {
    const frame = render(AUTH);
    expect((frame[0]! << 8) | frame[1]!).toBe(frame.length - 2);
    expect(fields(AUTH)).toMatchObject({
      0: '0100',
      2: cards.pan(999),
      3: '000000',
      4: '000000123456',
      7: '1231235959',
      11: '987654',
      12: '235959',
      13: '1231',
      14: '2912',
      32: '99900071',
      37: '00Z1Z7654321',
      41: 'LT000071',
      49: '986',
    });
    expect(fields(AUTH, { ...values, amount: 1, stan: 2, rrn: 3, de7: 101_000_004 })).toMatchObject({
      4: '000000000001',
      7: '0101000004',
      11: '000002',
      12: '000004',
      13: '0101',
      37: '00Z1Z0000003',
    });
    expect(fields(AUTH, { ...values, amount: 999_999_999_999 })[4]).toBe('999999999999');
  });

  it('make a repeat the identical bytes with MTI 0101', () => {
    const auth = render(AUTH);
    const repeat = render(REPEAT);
    const differing = [...auth.keys()].filter((i) => auth[i] !== repeat[i]);
    expect(repeat.length).toBe(auth.length);
    expect(differing).toEqual([dialect === 'iso87-bcd' ? 3 : 5]);
    expect(fields(REPEAT)[0]).toBe('0101');
  });

  it('make a reversal name its original in DE90, DE37 and DE41', () => {
    const reversal = fields(REVERSAL);
    expect(reversal).toMatchObject({ 0: '0400', 2: cards.pan(999), 11: '987654', 37: '00Z1Z7654321', 41: 'LT000071' });
    expect(reversal[90]).toBe(`0100${'000045'}${'0101000001'}${'00099900071'}${'0'.repeat(11)}`);
  });

  it('mark increments, advices and inquiries', () => {
    expect(fields(INCREMENT)).toMatchObject({ 0: '0100', 48: '2001I' });
    expect(fields(ADVICE)).toMatchObject({ 0: '0120', 39: '00', 48: '8401S' });
    expect(fields(INQUIRY)).toMatchObject({ 0: '0100', 3: '310000' });
    expect(frameBytesMax(templates)).toBe(Math.max(...templates.map((one) => one.frame.length)));
  });
});

describe('identities', () => {
  it('make what DE90 names unique over the connections', () => {
    const wire = streamWire('iso87-ascii', '2912', 'ascii4', 0);
    const named = [0, 1, 999].map((connection) => {
      const out = new Uint8Array(600);
      const end = templatesOf(wire, 0, connection)[REVERSAL]!.write(out, 0, values, pans);
      return unpack('iso87-ascii', out.slice(4, end))[90];
    });
    expect(new Set(named).size).toBe(3);
  });

  it('give every run and connection its own RRNs', () => {
    const prefixes = new Set<string>();
    for (let run = 0; run < 50; run++) for (let link = 0; link < 1000; link++) prefixes.add(rrnPrefix(run, link));
    expect(prefixes.size).toBe(50_000);
    expect(rrnPrefix(36 ** 3 + 1, 0)).toBe('00100');
  });
});

describe('slots', () => {
  it('give each STAN one slot, over the wrap', () => {
    const slots = new Slots();
    let previous = -1;
    const seen = new Set<number>();
    for (let i = 0; i < 1_100_000; i++) {
      const slot = slots.claim();
      const stan = slots.stan[slot]!;
      if (Slots.of(stan) !== slot || stan < 1 || stan > 999_999 || stan === previous)
        throw new Error(`STAN ${stan} in slot ${slot}`);
      previous = stan;
      seen.add(stan);
    }
    expect(seen.size).toBe(999_424);
    expect(SLOTS).toBe(IN_FLIGHT_MAX);
  });

  it('never give out a slot that is in flight', () => {
    const slots = new Slots();
    slots.state.fill(SlotState.inFlight);
    expect(slots.claim()).toBe(-1);
    slots.state[200] = SlotState.answered;
    const claimed = Array.from({ length: 4 }, () => slots.claim()).filter((slot) => slot >= 0);
    expect(claimed).toEqual([200]);
  });

  it('offer an original once for a reversal, and not when its slot has moved on', () => {
    const slots = new Slots();
    const originals = new Originals();
    const [a, b, c] = [slots.claim(), slots.claim(), slots.claim()] as [number, number, number];
    for (const slot of [a, b, c]) {
      slots.state[slot] = SlotState.answered;
      originals.push(slot, slots.stan[slot]!);
    }
    expect(originals.newest(slots)).toBe(c);
    slots.spent[c] = 1;
    expect(originals.newest(slots)).toBe(b);
    expect(originals.take(slots)).toBe(a);
    slots.stan[b]! += SLOTS;
    expect(originals.take(slots)).toBe(-1);
  });

  it('forget the oldest originals when there are too many', () => {
    const slots = new Slots();
    const originals = new Originals();
    for (let i = 0; i < Originals.capacity + 10; i++) {
      const slot = slots.claim();
      slots.state[slot] = SlotState.answered;
      originals.push(slot, slots.stan[slot]!);
    }
    expect(originals.size).toBe(Originals.capacity);
    expect(originals.take(slots)).toBe(10);
  });
});

describe('WebSocket frames', () => {
  it('are final, binary and masked with zeros', () => {
    const frame = templatesOf(webSocketWire('iso87-bcd', '2912'), 0, 0)[AUTH]!.frame;
    expect([...frame.subarray(0, 2)]).toEqual([0x82, 0x80 | 126]);
    expect((frame[2]! << 8) | frame[3]!).toBe(frame.length - 8);
    expect([...frame.subarray(4, 8)]).toEqual([0, 0, 0, 0]);
  });

  it('are read whole, split and together', () => {
    const small = Uint8Array.of(0x82, 3, 1, 2, 3);
    const large = new Uint8Array(4 + 300).fill(7);
    large.set([0x82, 126, 1, 44]);
    const stream = new Uint8Array([...small, ...large, 0x89, 1, 9, ...small]);
    for (const size of [1, 2, 3, 7, 100, stream.length]) {
      const reader = new WebSocketReader();
      const lengths: number[] = [];
      const pings: number[][] = [];
      reader.onPing = (payload) => pings.push([...payload]);
      for (let at = 0; at < stream.length; at += size) {
        reader.push(stream.subarray(at, at + size), (_buf, start, end) => lengths.push(end - start));
      }
      expect(lengths).toEqual([3, 300, 3]);
      expect(pings).toEqual([[9]]);
    }
  });

  it.each([
    ['masked', [0x82, 0x81, 0, 0, 0, 0, 1]],
    ['fragmented', [0x02, 1, 1]],
    ['continued', [0x80, 1, 1]],
    ['text', [0x81, 1, 65]],
    ['enormous', [0x82, 127, 0, 0]],
  ])('are refused when %s', (_what, bytes) => {
    expect(() => new WebSocketReader().push(Uint8Array.from(bytes), () => undefined)).toThrow(/WebSocket/);
  });
});
