/**
 * Streams of frames. The first byte of an input chooses framing and header, the second how the rest is cut into chunks. Held against
 * every input: the frames, keep-alives and the error do not depend on the cuts; a second reader finds the same; never more than one
 * frame is held; frames that are written again are the same stream.
 */
import {
  FrameReader,
  FramingError,
  type FramingName,
  type FramingOptions,
  framingNames,
  keepAliveFrame,
  writeFrame,
} from '#src/iso8583/framing.js';
import { Random } from '../../crash/random.js';
import { joined } from '../mutators.js';
import { type FuzzTarget, must, type OpenTarget, type Verdict } from '../target.js';

/** Small, so that the end of what is allowed is met often. */
const BODY_MAX = 300;
const headers = [0, 5, 2, 12];

interface Read {
  /** Header and body in hex; empty for a keep-alive. */
  readonly frames: string[];
  error: string | undefined;
}

const options = (choice: number): FramingOptions => ({
  framing: framingNames[choice % framingNames.length]!,
  headerBytes: headers[(choice >> 3) % headers.length]!,
  maxBytes: BODY_MAX,
});

/** Reads the stream in chunks that end where `cuts` says; the chunk is overwritten after each call, as a socket's buffer is. */
function read(wanted: FramingOptions, stream: Uint8Array, next: () => number): Read {
  const out: Read = { frames: [], error: undefined };
  const reader = new FrameReader(wanted);
  reader.onKeepAlive = () => out.frames.push('');
  try {
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + next());
      const chunk = stream.slice(at, end);
      reader.push(chunk, (buf, start, stop, header) => {
        const head = header === undefined ? '' : Buffer.from(header).toString('hex');
        out.frames.push(`${head}:${Buffer.from(buf.subarray(start, stop)).toString('hex')}`);
      });
      chunk.fill(0x31);
      must(reader.pendingBytes <= 4 + wanted.headerBytes + BODY_MAX, () => `${reader.pendingBytes} bytes are held`);
      at = end;
    }
  } catch (error) {
    if (!(error instanceof FramingError)) throw error;
    out.error = `${error.reason} ${error.offset}`;
    must(/^[a-z][a-z0-9 ,]+ \(byte \d+ of the stream\)$/.test(error.message), () => error.message);
  }
  return out;
}

const wide: Record<FramingName, number> = { len2: 2, len4: 4, ascii4: 4, hex4: 4, bcd2: 2 };

/** The length as text: the digits, or what stands there. */
function lengthOf(framing: FramingName, bytes: Uint8Array): number {
  const hex = Buffer.from(bytes).toString('hex');
  const text = Buffer.from(bytes).toString('latin1');
  switch (framing) {
    case 'len2':
    case 'len4':
      return Number.parseInt(hex, 16);
    case 'bcd2':
      return /^\d+$/.test(hex) ? Number(hex) : -1;
    case 'ascii4':
      return /^\d+$/.test(text) ? Number(text) : -1;
    case 'hex4':
      return /^[0-9a-fA-F]+$/.test(text) ? Number.parseInt(text, 16) : -1;
  }
}

function naiveRead({ framing, headerBytes }: FramingOptions, stream: Uint8Array): Read {
  const out: Read = { frames: [], error: undefined };
  let at = 0;
  while (at + wide[framing] <= stream.length) {
    const length = lengthOf(framing, stream.subarray(at, at + wide[framing]));
    if (length < 0) out.error = `bad_length ${at}`;
    else if (length > headerBytes + BODY_MAX) out.error = `too_long ${at}`;
    else if (length > 0 && length <= headerBytes) out.error = `too_short ${at}`;
    if (out.error !== undefined) return out;
    const from = at + wide[framing];
    if (from + length > stream.length) return out;
    const head = Buffer.from(stream.subarray(from, from + headerBytes)).toString('hex');
    const body = Buffer.from(stream.subarray(from + headerBytes, from + length)).toString('hex');
    out.frames.push(length === 0 ? '' : `${head}:${body}`);
    at = from + length;
  }
  return out;
}

const target: OpenTarget = {
  run(input: Uint8Array): Verdict {
    const wanted = options(input[0] ?? 0);
    const stream = input.subarray(2);
    const whole = read(wanted, stream, () => stream.length);
    const random = new Random(input[1] ?? 0);
    const naive = naiveRead(wanted, stream);
    for (const [how, other] of [
      ['byte by byte', read(wanted, stream, () => 1)],
      ['in pieces', read(wanted, stream, () => random.int(1, 1 + (input[1] ?? 0)))],
      ['by the second reader', naive],
    ] as const) {
      must(other.error === whole.error, () => `${whole.error}, ${how} ${other.error}`);
      must(other.frames.join(' ') === whole.frames.join(' '), () => `${whole.frames}, ${how} ${other.frames}`);
    }
    const written = writeAgain(wanted, whole.frames);
    const part = Buffer.from(stream.subarray(0, written.length));
    // Hex digits come in either case and are written in upper case.
    const plain = (bytes: Buffer): string =>
      wanted.framing === 'hex4' ? bytes.toString('latin1').toUpperCase() : bytes.toString('latin1');
    must(plain(Buffer.from(written)) === plain(part), () => 'the frames written again are another stream');
    return whole.error === undefined && whole.frames.length > 0 ? 'accepted' : 'refused';
  },
};

function writeAgain(wanted: FramingOptions, frames: readonly string[]): Uint8Array {
  const pieces = frames.map((frame) => {
    if (frame === '') return keepAliveFrame(wanted);
    const [head, body] = frame.split(':').map((hex) => Buffer.from(hex, 'hex')) as [Buffer, Buffer];
    const out = Buffer.alloc(wide[wanted.framing] + wanted.headerBytes + body.length);
    const at = writeFrame(wanted, out, 0, body.length, wanted.headerBytes === 0 ? undefined : head, false);
    out.set(body, at);
    return out;
  });
  return Buffer.concat(pieces);
}

/** A whole frame more, or a keep-alive. */
function mutate(random: Random, input: Uint8Array): Uint8Array {
  const wanted = options(input[0] ?? 0);
  if (random.chance(0.2)) return joined(input, keepAliveFrame(wanted));
  const length = random.pick([1, 2, BODY_MAX - 1, BODY_MAX, random.int(1, 60)]);
  const out = Buffer.alloc(wide[wanted.framing] + wanted.headerBytes + length, random.int(0, 255));
  writeFrame(wanted, out, 0, length);
  if (random.chance(0.2)) return joined(input, out.subarray(0, random.int(1, out.length)));
  return joined(input, out);
}

export const targets: readonly FuzzTarget[] = [
  {
    name: 'framing',
    reads: 'streams in all five framings, with and without header; a second reader beside them',
    focus: ['iso8583/framing'],
    inputsInCi: 8000,
    bytesMax: 900,
    work: { base: 500, perByte: 60 },
    seeds: () =>
      Array.from({ length: 32 }, (_, choice) => {
        const wanted = options(choice);
        const out = Buffer.alloc(wide[wanted.framing] + wanted.headerBytes + 30, 0x41);
        writeFrame(wanted, out, 0, 30);
        return Uint8Array.of(choice, 7, ...out, ...keepAliveFrame(wanted), ...out);
      }),
    mutate,
    open: () => target,
  },
];
