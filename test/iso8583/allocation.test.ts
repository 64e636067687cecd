import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/iso8583/decoder.js';
import { dialect, dialectNames } from '../../src/iso8583/dialects.js';
import { Encoder } from '../../src/iso8583/encoder.js';
import { defaultFraming, FrameReader, frameOverhead, writeFrame } from '../../src/iso8583/framing.js';
import { pack } from '../../src/iso8583/message.js';
import { purchase } from './arbitraries.js';

/** Blocks are so small that a single object per field would show before the collector gets to it. */
const BLOCKS = 40;
const PER_BLOCK = 2500;

/** Median growth of the heap in bytes per message, over the blocks in which nothing was collected. */
function bytesPerMessage(block: () => void): number {
  const growth: number[] = [];
  for (let i = 0; i < BLOCKS; i++) {
    const before = process.memoryUsage().heapUsed;
    block();
    const grown = process.memoryUsage().heapUsed - before;
    if (i >= BLOCKS / 4 && grown >= 0) growth.push(grown / PER_BLOCK);
  }
  growth.sort((a, b) => a - b);
  expect(growth.length).toBeGreaterThan(3);
  return growth[growth.length >> 1]!;
}

describe.each(dialectNames)('100 000 messages of %s', (name) => {
  it('are read from their frames and answered without allocation', () => {
    const body = pack(name, purchase);
    const chunk = new Uint8Array(frameOverhead(defaultFraming) + body.length);
    chunk.set(body, writeFrame(defaultFraming, chunk, 0, body.length));
    const decoder = new Decoder(dialect(name));
    const encoder = new Encoder(dialect(name));
    const reader = new FrameReader(defaultFraming);
    const target = new Uint8Array(4096);
    let answered = 0;
    const onFrame = (buf: Uint8Array, start: number, end: number): void => {
      if (!decoder.decode(buf, start, end)) return;
      encoder.begin(target, 2, 110, true);
      for (let field = 2; field < 38; field++) if (field !== 35) encoder.copy(decoder, field);
      encoder.putDigits(38, decoder.digits(11) + decoder.digits(4));
      encoder.copy(decoder, 41);
      writeFrame(defaultFraming, target, 0, encoder.finish() - 2);
      answered++;
    };
    const perMessage = bytesPerMessage(() => {
      for (let i = 0; i < PER_BLOCK; i++) reader.push(chunk, onFrame);
    });
    expect(answered).toBe(BLOCKS * PER_BLOCK);
    // A handful of bytes is the measuring itself; a string or an object per message is 16 and more.
    expect(perMessage).toBeLessThan(12);
  });
});

describe('the measure', () => {
  it('sees one small object per message', () => {
    let last: object | undefined;
    const perMessage = bytesPerMessage(() => {
      for (let i = 0; i < PER_BLOCK; i++) last = { i };
    });
    expect(last).toEqual({ i: PER_BLOCK - 1 });
    expect(perMessage).toBeGreaterThan(12);
  });
});
