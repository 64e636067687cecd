import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkFraming,
  defaultFraming,
  FrameReader,
  FramingError,
  type FramingName,
  type FramingOptions,
  frameOverhead,
  framingNames,
  keepAliveFrame,
  writeFrame,
} from '#src/iso8583/framing.js';

const options = (framing: FramingName, headerBytes = 0, maxBytes = 4096): FramingOptions => ({
  framing,
  headerBytes,
  maxBytes,
});

/** One frame as a client sends it: its header goes out as it is. */
function frame(o: FramingOptions, body: Uint8Array, header?: Uint8Array): Buffer {
  if (body.length === 0) return Buffer.from(keepAliveFrame(o));
  const out = Buffer.alloc(frameOverhead(o) + body.length);
  const written = writeFrame(o, out, 0, body.length, header, false);
  expect(written).toBe(frameOverhead(o));
  out.set(body, written);
  return out;
}

/** What a reader says about a stream cut into these chunks: `header|body` in hex, '' for a keep-alive. */
function read(o: FramingOptions, chunks: Iterable<Uint8Array>): { frames: string[]; error: FramingError | undefined } {
  const reader = new FrameReader(o);
  const frames: string[] = [];
  reader.onKeepAlive = () => frames.push('');
  let error: FramingError | undefined;
  try {
    for (const chunk of chunks) {
      reader.push(chunk, (buf, start, end, header) => {
        frames.push(`${hex(header ?? new Uint8Array(0))}|${hex(buf.subarray(start, end))}`);
      });
    }
  } catch (caught) {
    if (!(caught instanceof FramingError)) throw caught;
    error = caught;
  }
  return { frames, error };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Cuts bytes at random places; empty chunks included. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...cuts.map((value) => value % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  // Copies: a view over the end of a chunk must not see the next one.
  return places.slice(1).map((place, i) => bytes.slice(places[i], place));
}

describe('golden bytes', () => {
  const body = Buffer.from('0800', 'hex');
  it.each<[FramingName, string, string]>([
    ['len2', '00020800', '0000'],
    ['len4', '000000020800', '00000000'],
    ['ascii4', '303030320800', '30303030'],
    ['hex4', '303030320800', '30303030'],
    ['bcd2', '00020800', '0000'],
  ])('%s', (name, golden, keepAlive) => {
    expect(hex(frame(options(name), body))).toBe(golden);
    expect(hex(keepAliveFrame(options(name)))).toBe(keepAlive);
  });

  it.each<[FramingName, string]>([
    ['len2', '0fa1'],
    ['len4', '00000fa1'],
    ['ascii4', '34303031'],
    ['hex4', '30464131'],
    ['bcd2', '4001'],
  ])('%s of 4001 bytes', (name, golden) => {
    expect(hex(frame(options(name), new Uint8Array(4001)).subarray(0, golden.length / 2))).toBe(golden);
  });

  it('reads lower-case hex lengths', () => {
    const lower = Buffer.concat([Buffer.from('000a'), Buffer.alloc(10)]);
    expect(read(options('hex4'), [lower]).frames).toEqual([`|${'00'.repeat(10)}`]);
  });

  it('swaps the addresses of a TPDU and echoes any other header', () => {
    const request = frame(options('len2', 5), body, Buffer.from('6011112222', 'hex'));
    expect(hex(request)).toBe('000760111122220800');
    const reader = new FrameReader(options('len2', 5));
    const reply = Buffer.alloc(9);
    reader.push(request, (_buf, _start, _end, header) => writeFrame(options('len2', 5), reply, 0, 2, header));
    expect(hex(reply)).toBe('000760222211110000');
    writeFrame(options('len2', 4), reply, 0, 2, Buffer.from('01020304', 'hex'));
    expect(hex(reply.subarray(0, 6))).toBe('000601020304');
    writeFrame(options('len2', 4), reply, 0, 2);
    expect(hex(reply.subarray(0, 6))).toBe('000600000000');
  });
});

describe.each(framingNames)('%s', (name) => {
  it('gives the same frames however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 12 });
    fc.assert(
      fc.property(
        bodies,
        fc.array(fc.nat(), { maxLength: 40 }),
        fc.constantFrom(0, 1, 5),
        (list, cuts, headerBytes) => {
          const o = options(name, headerBytes, 64);
          const header = new Uint8Array(headerBytes).map((_, i) => 0xa0 + i);
          const stream = Buffer.concat(list.map((body) => frame(o, body, headerBytes === 0 ? undefined : header)));
          const expected = list.map((body) => (body.length === 0 ? '' : `${hex(header)}|${hex(body)}`));
          expect(read(o, cut(stream, cuts))).toEqual({ frames: expected, error: undefined });
          expect(read(o, cut(stream, [...stream.keys()]))).toEqual({ frames: expected, error: undefined });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('holds back the end of the stream until it is whole', () => {
    const o = options(name);
    const whole = frame(o, Buffer.from('abcdef'));
    for (let length = 0; length < whole.length; length++) {
      const reader = new FrameReader(o);
      let seen = 0;
      reader.push(whole.subarray(0, length), () => seen++);
      expect([seen, reader.pendingBytes]).toEqual([0, length]);
      reader.push(whole.subarray(length), () => seen++);
      expect([seen, reader.pendingBytes]).toEqual([1, 0]);
    }
  });

  it('takes the longest frame and refuses one byte more, however it is cut', () => {
    const o = options(name, 2, 100);
    const longest = frame(o, new Uint8Array(100), new Uint8Array(2));
    const longer = frame(options(name, 2, 101), new Uint8Array(101), new Uint8Array(2));
    for (const cuts of [[], [1], [2, 3], [...longer.keys()]]) {
      expect(read(o, cut(longest, cuts)).frames.length).toBe(1);
      const { frames, error } = read(o, cut(Buffer.concat([longest, longer]), cuts));
      expect([frames.length, error?.reason, error?.offset]).toEqual([1, 'too_long', longest.length]);
    }
  });

  it('refuses a length that the header fills or exceeds', () => {
    const o = options(name, 5, 100);
    const header = frame(options(name, 0, 100), new Uint8Array(5));
    for (const cuts of [[], [1], [...header.keys()]]) {
      expect(read(o, cut(header, cuts)).error?.reason).toBe('too_short');
    }
  });

  it('meets garbage with frames or an error, the same ones however it is cut', () => {
    const length = fc.constantFrom(
      '0001',
      '00000003',
      '30303031',
      '0002',
      '00ff',
      'ffffffff',
      '3030303a',
      '9999',
      '000a',
    );
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      length.map((text) => new Uint8Array(Buffer.from(text, 'hex'))),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 20 }), (parts, cuts) => {
        const o = options(name, 0, 40);
        const stream = Buffer.concat(parts);
        const whole = read(o, [stream]);
        for (const chunks of [cut(stream, cuts), cut(stream, [...stream.keys()])]) {
          const pieces = read(o, chunks);
          expect(pieces.frames).toEqual(whole.frames);
          expect([pieces.error?.reason, pieces.error?.offset]).toEqual([whole.error?.reason, whole.error?.offset]);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a reader', () => {
  it.each<[FramingName, string]>([
    ['ascii4', '30303a31'],
    ['hex4', '30303047'],
    ['bcd2', '0a00'],
    ['bcd2', '00a0'],
  ])('%s refuses the length %s', (name, length) => {
    const { frames, error } = read(options(name), [Buffer.from(length, 'hex')]);
    expect([frames.length, error?.reason, error?.offset]).toEqual([0, 'bad_length', 0]);
  });

  it('reads a length of len4 with its top bit set as too long, not as negative', () => {
    expect(read(options('len4'), [Buffer.from('80000002ffff', 'hex')]).error?.reason).toBe('too_long');
  });

  it('is closed by an error, by stop, and by an exception of its callback', () => {
    const o = options('len2');
    const two = Buffer.from('0001aa0001bb', 'hex');
    const ways: ((reader: FrameReader, seen: () => void) => void)[] = [
      (reader) => expect(() => reader.push(Buffer.from('ffff', 'hex'), () => undefined)).toThrow(FramingError),
      (reader, seen) =>
        reader.push(two, () => {
          seen();
          reader.stop();
        }),
      (reader, seen) => {
        const push = (): void =>
          reader.push(two, () => {
            seen();
            throw new Error('of the callback');
          });
        expect(push).toThrow('of the callback');
      },
    ];
    for (const [i, way] of ways.entries()) {
      const reader = new FrameReader(o);
      let count = 0;
      way(reader, () => count++);
      expect(count).toBe(i === 0 ? 0 : 1);
      expect(() => reader.push(two, () => undefined)).toThrow('closed');
    }
  });

  it('stops for a keep-alive that closes the connection, also in the middle of a straddling frame', () => {
    const reader = new FrameReader(options('len2'));
    reader.onKeepAlive = () => reader.stop();
    let seen = 0;
    reader.push(Buffer.from('00', 'hex'), () => seen++);
    reader.push(Buffer.from('000001aa', 'hex'), () => seen++);
    expect(seen).toBe(0);
  });

  it('passes a whole frame on where it lies', () => {
    const reader = new FrameReader(options('len2'));
    const chunk = Buffer.from('0001aa0002bbcc', 'hex');
    const places: [boolean, number, number][] = [];
    reader.push(chunk, (buf, start, end) => places.push([buf === chunk, start, end]));
    expect(places).toEqual([
      [true, 2, 3],
      [true, 5, 7],
    ]);
  });

  it('never holds more than one frame', () => {
    const o = options('len4', 5, 200);
    const reader = new FrameReader(o);
    const stream = Buffer.concat(Array.from({ length: 50 }, () => frame(o, new Uint8Array(200), new Uint8Array(5))));
    for (let at = 0; at < stream.length; at += 7) {
      reader.push(stream.subarray(at, at + 7), () => undefined);
      expect(reader.pendingBytes).toBeLessThan(209);
    }
  });
});

describe('options and writing', () => {
  it.each<[string, FramingOptions]>([
    ['an unknown name', options('len3' as FramingName)],
    ['a negative header', options('len2', -1)],
    ['a header of 65 bytes', options('len2', 65)],
    ['a fraction', options('len2', 0, 1.5)],
    ['no room', options('len2', 0, 0)],
    ['more than bcd2 can say', options('bcd2', 5, 9995)],
    ['more than len2 can say', options('len2', 0, 65_536)],
  ])('refuses %s', (_what, o) => {
    expect(() => checkFraming(o)).toThrow(RangeError);
    expect(() => new FrameReader(o)).toThrow(RangeError);
  });

  it('has a sound default', () => {
    expect(() => checkFraming(defaultFraming)).not.toThrow();
  });

  it('refuses to write what does not fit', () => {
    const o = options('len2', 2, 10);
    const target = new Uint8Array(8);
    expect(() => writeFrame(o, target, 0, 0)).toThrow(RangeError);
    expect(() => writeFrame(o, target, 0, 11)).toThrow(RangeError);
    expect(() => writeFrame(o, target, 5, 1)).toThrow(RangeError);
    expect(() => writeFrame(o, target, 0, 1, new Uint8Array(3))).toThrow(RangeError);
  });
});

describe('nothing of a frame stays in the buffer of the reader', () => {
  const limits = { framing: 'len2', headerBytes: 0, maxBytes: 100 } as const;
  const piece = (length: number): Uint8Array => Uint8Array.from([0, length, ...Array<number>(length).fill(0x39)]);
  /** A reader after a frame in two pieces, and the buffer in which it was put together. */
  function afterPieces(during: (reader: FrameReader, bytes: Uint8Array) => void = () => undefined) {
    const reader = new FrameReader(limits);
    let buffer = new Uint8Array();
    const onFrame = (bytes: Uint8Array, start: number, end: number): void => {
      buffer = bytes as Uint8Array<ArrayBuffer>;
      during(reader, bytes);
      expect(bytes.subarray(start, end)).toEqual(new Uint8Array(end - start).fill(0x39));
    };
    reader.push(piece(80).subarray(0, 40), onFrame);
    reader.push(piece(80).subarray(40), onFrame);
    return { reader, buffer, onFrame };
  }
  const zeros = (bytes: Uint8Array): boolean => bytes.length > 0 && bytes.every((byte) => byte === 0);

  it('when it was delivered', () => {
    expect(zeros(afterPieces().buffer)).toBe(true);
  });

  it('when the stream ends in the middle of the next one', () => {
    const { reader, buffer, onFrame } = afterPieces();
    reader.push(piece(60).subarray(0, 50), onFrame);
    expect(zeros(buffer)).toBe(false);
    reader.stop();
    expect(zeros(buffer)).toBe(true);
  });

  it('when a callback stops the reader, which may still look at its frame', () => {
    const { buffer } = afterPieces((reader) => reader.stop());
    expect(zeros(buffer)).toBe(true);
  });

  it('when the next length is beyond repair', () => {
    const { reader, buffer, onFrame } = afterPieces();
    reader.push(Uint8Array.of(1), onFrame);
    expect(zeros(buffer)).toBe(false);
    expect(() => reader.push(Uint8Array.of(1), onFrame)).toThrow(FramingError);
    expect(zeros(buffer)).toBe(true);
  });
});
