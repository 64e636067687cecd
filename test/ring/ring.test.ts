import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRing, ENTRY_HEADER_BYTES, entryBytes, RingConsumer, RingProducer } from '#src/ring/ring.js';

const CAPACITY = 4096;

interface Sent {
  kind: number;
  token: number;
  payload: Uint8Array;
}

function payloadOf(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (seed * 31 + i * 7) & 0xff);
}

describe('ring', () => {
  it('hands every entry over once, in order and whole, whatever the sizes and the interleaving', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 0, max: 1500 }) }),
      fc.record({ take: fc.integer({ min: 1, max: 8 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300 }), (steps) => {
        const buffer = createRing(CAPACITY);
        const producer = new RingProducer(buffer);
        const consumer = new RingConsumer(buffer);
        const expected: Sent[] = [];
        let token = 0;
        for (const one of steps) {
          if ('push' in one) {
            const payload = payloadOf(++token, one.push);
            const kind = 1 + (token % 7);
            if (producer.push(kind, token & 1, token & 0xffff, token, token * 2, token / 3, token * 5, payload)) {
              expected.push({ kind, token, payload });
            }
          } else {
            for (let i = 0; i < one.take && consumer.next(); i++) {
              const want = expected.shift();
              expect(want).toBeDefined();
              expect(consumer.token).toBe(want!.token);
              expect(consumer.kind).toBe(want!.kind);
              expect(consumer.a).toBe(want!.token * 2);
              expect(consumer.timeUs).toBe(want!.token / 3);
              expect(consumer.b).toBe(want!.token * 5);
              const at = consumer.payloadAt;
              expect(consumer.bytes.slice(at, at + consumer.payloadLength)).toEqual(want!.payload);
              consumer.consume();
            }
            consumer.release();
          }
        }
        while (consumer.next()) {
          expect(consumer.token).toBe(expected.shift()?.token);
          consumer.consume();
        }
        expect(expected).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses when full, and takes again after a release but not before it', () => {
    const buffer = createRing(CAPACITY);
    const producer = new RingProducer(buffer);
    const consumer = new RingConsumer(buffer);
    const payload = new Uint8Array(1000 - ENTRY_HEADER_BYTES);
    const fits = Math.floor(CAPACITY / entryBytes(payload.length));
    for (let i = 0; i < fits; i++) expect(producer.push(1, 0, 0, i, 0, 0, 0, payload)).toBe(true);
    expect(producer.push(1, 0, 0, 99, 0, 0, 0, payload)).toBe(false);
    expect(consumer.next()).toBe(true);
    consumer.consume();
    expect(producer.push(1, 0, 0, 99, 0, 0, 0, payload)).toBe(false);
    consumer.release();
    expect(producer.push(1, 0, 0, 99, 0, 0, 0, payload)).toBe(true);
  });

  it('shows nothing of a reservation that was not committed', () => {
    const buffer = createRing(CAPACITY);
    const producer = new RingProducer(buffer);
    const consumer = new RingConsumer(buffer);
    producer.reserve(100);
    expect(consumer.next()).toBe(false);
    expect(producer.push(3, 0, 0, 7, 0, 0, 0, payloadOf(1, 10))).toBe(true);
    expect(consumer.next()).toBe(true);
    expect(consumer.token).toBe(7);
  });

  it('goes on over the wrap of its 32-bit counters', () => {
    const buffer = createRing(CAPACITY);
    const words = new Int32Array(buffer);
    words[0] = -1024;
    words[16] = -1024;
    const producer = new RingProducer(buffer);
    const consumer = new RingConsumer(buffer);
    for (let i = 0; i < 200; i++) {
      expect(producer.push(1, 0, 0, i, 0, 0, 0, payloadOf(i, 100 + (i % 50)))).toBe(true);
      expect(consumer.next()).toBe(true);
      expect(consumer.token).toBe(i);
      const at = consumer.payloadAt;
      expect(consumer.bytes.slice(at, at + consumer.payloadLength)).toEqual(payloadOf(i, 100 + (i % 50)));
      consumer.consume();
      consumer.release();
    }
  });

  it('wipes what was consumed, also over the end of the buffer, and nothing else', () => {
    const buffer = createRing(CAPACITY);
    const producer = new RingProducer(buffer);
    const consumer = new RingConsumer(buffer);
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 3; i++) producer.push(1, 0, 0, i, 0, 0, 0, new Uint8Array(700).fill(0xee));
      for (let i = 0; i < 2; i++) {
        consumer.next();
        consumer.consume();
      }
      consumer.wipeConsumed();
      consumer.next();
      const left = consumer.bytes.slice(consumer.payloadAt, consumer.payloadAt + 700);
      expect(left).toEqual(new Uint8Array(700).fill(0xee));
      const sensitive = consumer.bytes.reduce((sum, byte) => sum + (byte === 0xee ? 1 : 0), 0);
      expect(sensitive).toBe(700);
      consumer.consume();
      consumer.wipeConsumed();
      consumer.release();
    }
  });

  it('looks at waiting entries without consuming them', () => {
    const buffer = createRing(CAPACITY);
    const producer = new RingProducer(buffer);
    const consumer = new RingConsumer(buffer);
    for (let i = 0; i < 3; i++) producer.push(1 + i, 0, 0, i, 0, 0, 0, Uint8Array.of(i));
    expect(consumer.next()).toBe(true);
    consumer.beginScouting();
    const seen: number[][] = [];
    for (let at = consumer.scout(); at >= 0; at = consumer.scout())
      seen.push([consumer.kindAt(at), consumer.bytes[at]!]);
    expect(seen).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
    expect(consumer.token).toBe(0);
  });

  it.each([0, 1000, 4095, 6000])('refuses a capacity of %i', (capacity) => {
    expect(() => createRing(capacity)).toThrow(RangeError);
  });
});
