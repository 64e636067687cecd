import { describe, expect, it } from 'vitest';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect, dialectNames } from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { defaultFraming, FrameReader, frameOverhead, writeFrame } from '#src/iso8583/framing.js';
import { pack } from '#src/iso8583/message.js';
import { bytesPerCall } from '../support/allocation.js';
import { purchase } from './arbitraries.js';

const CALLS = 2500;
/** A handful of bytes is the measuring itself; a string or an object per message is 16 and more. */
const BOUND = 12;

describe.each(dialectNames)('messages of %s', (name) => {
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
    let sent = 0;
    const perMessage = bytesPerCall(CALLS, BOUND, () => {
      for (let i = 0; i < CALLS; i++) reader.push(chunk, onFrame);
      sent += CALLS;
    });
    expect(answered).toBe(sent);
    expect(perMessage).toBeLessThan(BOUND);
  });
});

describe('the measure', () => {
  it('sees one small object per message', () => {
    let last: object | undefined;
    const perMessage = bytesPerCall(CALLS, BOUND, () => {
      for (let i = 0; i < CALLS; i++) last = { i };
    });
    expect(last).toEqual({ i: CALLS - 1 });
    expect(perMessage).toBeGreaterThan(BOUND);
  });
});
