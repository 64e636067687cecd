import { describe, expect, test } from 'vitest';
import { ElementKind } from '#src/domain/codes.js';
import { MessageEvent } from '#src/domain/events.js';
import { KeyKind } from '#src/domain/history.js';
import { IndexKeys, keysOfEvent } from '#src/domain/index-keys.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { copyInput, sameInstitution, sameText, textNumber } from '#src/domain/texts.js';

function eventOf(fill: (event: MessageEvent) => void): MessageEvent {
  const event = new MessageEvent();
  event.clear();
  event.input.clear();
  event.sequence = 10;
  event.cardSlot = 3;
  event.input.mti = 100;
  event.input.stan = 42;
  event.input.transmission = 520120000;
  event.input.setText(Text.rrn, 'RRN1'.padEnd(12));
  fill(event);
  return event;
}

function keysOf(event: MessageEvent, keys = new IndexKeys(1, 2)): [number, number][] {
  const all: [number, number][] = [];
  keysOfEvent(event, keys, (high, low) => all.push([high, low]));
  return all;
}

const kinds = (event: MessageEvent): number[] => keysOf(event).map(([high]) => high >>> 29);

describe('index keys', () => {
  test('an event is kept under the kinds of keys that it can be asked for by', () => {
    expect(kinds(eventOf(() => undefined))).toEqual([KeyKind.stan, KeyKind.rrn]);
    const full = eventOf((event) => {
      event.input.setText(Text.networkId, 'NET1');
      event.approvalCode = 123456;
    });
    expect(kinds(full)).toEqual([KeyKind.stan, KeyKind.rrn, KeyKind.networkId, KeyKind.approval]);
    const reversal = eventOf((event) => {
      event.element = ElementKind.reversal;
      event.originalSequence = 4;
    });
    expect(kinds(reversal)).toEqual([KeyKind.stan, KeyKind.rrn, KeyKind.elements]);
    const tombstone = eventOf((event) => {
      event.element = ElementKind.reversal;
      event.tombstone = 1;
      event.input.setText(Text.originalNetworkId, 'NET1');
      event.input.originalStan = 41;
      event.input.originalTransmission = 520120000;
    });
    expect(kinds(tombstone)).toEqual([KeyKind.stan, KeyKind.rrn, KeyKind.networkId, KeyKind.stan]);
    const withoutStan = eventOf((event) => {
      event.input.stan = -1;
    });
    expect(kinds(withoutStan)).toEqual([KeyKind.rrn]);
    const withoutBoth = eventOf((event) => {
      event.input.stan = -1;
      event.input.textLength[Text.rrn] = 0;
    });
    expect(kinds(withoutBoth)).toEqual([]);
  });

  test('the high word alone is the search key of the term, padded or not, on any card', () => {
    const keys = new IndexKeys(0xdeadbeef, 7);
    const other = eventOf((event) => {
      event.cardSlot = 99;
      event.approvalCode = 7;
      event.input.setText(Text.networkId, 'NET1  ');
    });
    expect(keysOf(other, keys).map(([high]) => high)).toEqual([
      keys.stanHigh(42),
      keys.rrnHigh('RRN1'),
      keys.networkHigh('NET1'),
      keys.approvalHigh(7),
    ]);
    expect(keys.rrnHigh('RRN1')).toBe(keys.rrnHigh('RRN1        '));
    expect(keys.rrnHigh('RRN1')).not.toBe(keys.rrnHigh('RRN2'));
  });

  test('of a card that is known no fingerprint is asked, that in the first slot included', () => {
    const keys = new IndexKeys(1, 2);
    for (const slot of [0, 1, 7]) {
      const words = [
        [0, 0, 0],
        [5, 6, 7],
      ].map((fingerprint) => {
        keys.forCard(slot, fingerprint).stanKey(42, 520120000);
        return [keys.high, keys.low];
      });
      expect(words[0]).toEqual(words[1]);
    }
  });

  test('words are unsigned, and depend on card, seeds and every part', () => {
    const low = (fill: (event: MessageEvent) => void, keys?: IndexKeys): number => keysOf(eventOf(fill), keys)[0]![1];
    const lows = [
      low(() => undefined),
      low((event) => {
        event.cardSlot = 4;
      }),
      low((event) => {
        event.input.transmission = 520120001;
      }),
      low((event) => {
        event.input.stan = 43;
      }),
      low((event) => {
        event.cardSlot = -1;
        event.fingerprint.set([3, 0, 0]);
      }),
      low(() => undefined, new IndexKeys(1, 3)),
    ];
    expect(new Set(lows).size).toBe(lows.length);
    for (const word of lows) expect(word).toBe(word >>> 0);
    expect(low(() => undefined)).toBe(lows[0]);
  });
});

describe('texts', () => {
  const input = (which: Text, value: string): MessageInput => {
    const made = new MessageInput();
    made.setText(which, value);
    return made;
  };

  test.each([
    ['12345', '12345', true],
    ['00012345', '12345', true],
    ['12345', '00000012345', true],
    ['12345', '123450', false],
    ['0', '', true],
    ['12345', '', false],
  ])('institutions "%s" and "%s"', (a, b, same) => {
    expect(sameInstitution(input(Text.acquirer, a), Text.acquirer, input(Text.acquirer, b), Text.acquirer)).toBe(same);
  });

  test.each([
    ['T1', 'T1      ', true],
    ['T1', 'T2', false],
    ['', '        ', true],
    [' T1', 'T1', false],
  ])('texts "%s" and "%s"', (a, b, same) => {
    expect(sameText(input(Text.terminal, a), Text.terminal, input(Text.terminal, b), Text.terminal)).toBe(same);
  });

  test.each([
    ['123456', 123456],
    ['000012', 12],
    ['12A456', -1],
    ['', -1],
    ['      ', -1],
  ])('"%s" as a number is %d', (text, value) => {
    expect(textNumber(input(Text.approval, text), Text.approval)).toBe(value);
  });

  test('are told without the spaces that fill them up', () => {
    const input = new MessageInput();
    for (const [kept, told] of [
      ['T1      ', 'T1'],
      ['T 1     ', 'T 1'],
      ['  T1', '  T1'],
      ['TERMINAL', 'TERMINAL'],
      ['        ', ''],
    ] as const) {
      input.setText(Text.terminal, kept);
      expect(input.textOf(Text.terminal)).toBe(told);
    }
  });

  test('a copy has every field and text and its own bytes', () => {
    const from = new MessageInput();
    let value = 1;
    const numbers = Object.keys(from).filter((name) => typeof from[name as keyof MessageInput] === 'number');
    for (const name of numbers) Object.assign(from, { [name]: value++ });
    for (const which of Object.values(Text)) from.setText(which, `text ${which}`);
    const to = new MessageInput();
    copyInput(from, to);
    for (const name of numbers) expect(to[name as keyof MessageInput], name).toBe(from[name as keyof MessageInput]);
    from.text.fill(0);
    for (const which of Object.values(Text)) expect(to.textOf(which)).toBe(`text ${which}`);
  });
});
