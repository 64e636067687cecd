/**
 * Framings: how one message is told from the next on a stream.
 *
 *   len2    2 bytes, big-endian       ascii4  4 ASCII digits        bcd2  2 bytes BCD
 *   len4    4 bytes, big-endian       hex4    4 ASCII hex digits
 *
 *   +--------+---------------------+------------------+
 *   | length | header (0..n bytes) | ISO 8583 message |     length counts header and message, not itself
 *   +--------+---------------------+------------------+
 *
 * The header is opaque and goes back with the reply. One of five bytes is a TPDU: id, destination (2), source (2), and the
 * reply swaps the addresses. A length of zero is a keep-alive, to be answered in kind.
 *
 * The reader takes whatever chunks the socket hands out. A frame that is whole inside a chunk is passed on where it lies;
 * only a frame that straddles chunks is put together in the reader's own buffer, of one frame's size. It trusts nothing:
 * a length that is unreadable or beyond the maximum ends the stream, because what follows cannot be told apart.
 */
import { FRAME_HEADER_BYTES_MAX, MESSAGE_BYTES_MAX } from '../limits.js';
import { hexDigit, hexValue } from './dialects.js';

export const framingNames = ['len2', 'len4', 'ascii4', 'hex4', 'bcd2'] as const;
export type FramingName = (typeof framingNames)[number];

export interface FramingOptions {
  readonly framing: FramingName;
  /** Bytes between length and message, counted in the length, echoed; 5 is a TPDU whose addresses are swapped. */
  readonly headerBytes: number;
  /** Longest message in bytes, header and length excluded. */
  readonly maxBytes: number;
}

export const defaultFraming: FramingOptions = { framing: 'len2', headerBytes: 0, maxBytes: MESSAGE_BYTES_MAX };

export type FramingReason = 'bad_length' | 'too_long' | 'too_short' | 'closed';

/** The stream cannot be read on: close this connection. */
export class FramingError extends Error {
  readonly reason: FramingReason;
  /** Bytes of the stream before the frame at fault. */
  readonly offset: number;

  constructor(reason: FramingReason, offset: number, message: string) {
    super(`${message} (byte ${offset} of the stream)`);
    this.name = 'FramingError';
    this.reason = reason;
    this.offset = offset;
  }
}

/** Bytes of the length, and the largest number it can say. */
const shapes: Record<FramingName, { readonly bytes: number; readonly max: number }> = {
  len2: { bytes: 2, max: 0xffff },
  len4: { bytes: 4, max: 0x7fff_ffff },
  ascii4: { bytes: 4, max: 9999 },
  hex4: { bytes: 4, max: 0xffff },
  bcd2: { bytes: 2, max: 9999 },
};

/** Throws RangeError when the options contradict themselves. */
export function checkFraming(options: FramingOptions): void {
  const shape = shapes[options.framing];
  if (shape === undefined) throw new RangeError(`unknown framing: use one of ${framingNames.join(', ')}`);
  const { headerBytes, maxBytes } = options;
  if (!Number.isInteger(headerBytes) || headerBytes < 0 || headerBytes > FRAME_HEADER_BYTES_MAX) {
    throw new RangeError(`header bytes ${headerBytes}: use 0 to ${FRAME_HEADER_BYTES_MAX}`);
  }
  if (!Number.isInteger(maxBytes) || maxBytes < 1 || maxBytes + headerBytes > shape.max) {
    throw new RangeError(`maximum frame ${maxBytes}: ${options.framing} holds 1 to ${shape.max - headerBytes}`);
  }
}

/** Bytes that framing adds before a message: length and header. */
export function frameOverhead(options: FramingOptions): number {
  return shapes[options.framing].bytes + options.headerBytes;
}

/**
 * Writes length and header to `target[at]`, for a message of `bodyLength` bytes that lies (or will lie) right behind them,
 * and returns how many bytes it wrote. `header` is the request's: echoed, a TPDU with its addresses swapped unless `swap`
 * is false (a client's own header). Without one the header is zero. Throws RangeError when it does not fit.
 */
export function writeFrame(
  options: FramingOptions,
  target: Uint8Array,
  at: number,
  bodyLength: number,
  header?: Uint8Array,
  swap = true,
): number {
  const { framing, headerBytes } = options;
  const lengthBytes = shapes[framing].bytes;
  const overhead = lengthBytes + headerBytes;
  if (!(bodyLength > 0 && bodyLength <= options.maxBytes)) {
    throw new RangeError(`a frame holds 1 to ${options.maxBytes} bytes, not ${bodyLength}`);
  }
  if (!(at >= 0 && at + overhead <= target.length)) throw new RangeError('no room for length and header');
  writeLength(framing, target, at, headerBytes + bodyLength);
  if (headerBytes === 0) return overhead;
  const to = at + lengthBytes;
  if (header === undefined) {
    for (let i = 0; i < headerBytes; i++) target[to + i] = 0;
    return overhead;
  }
  if (header.length !== headerBytes) throw new RangeError(`the header has ${header.length} bytes, not ${headerBytes}`);
  for (let i = 0; i < headerBytes; i++) target[to + i] = header[i]!;
  if (swap && headerBytes === 5) {
    target[to + 1] = header[3]!;
    target[to + 2] = header[4]!;
    target[to + 3] = header[1]!;
    target[to + 4] = header[2]!;
  }
  return overhead;
}

/** The frame of length zero. */
export function keepAliveFrame(options: FramingOptions): Uint8Array {
  const frame = new Uint8Array(shapes[options.framing].bytes);
  writeLength(options.framing, frame, 0, 0);
  return frame;
}

function writeLength(framing: FramingName, target: Uint8Array, at: number, length: number): void {
  switch (framing) {
    case 'len2':
      target[at] = length >>> 8;
      target[at + 1] = length;
      return;
    case 'len4':
      target[at] = length >>> 24;
      target[at + 1] = length >>> 16;
      target[at + 2] = length >>> 8;
      target[at + 3] = length;
      return;
    case 'hex4':
      for (let i = 0; i < 4; i++) target[at + i] = hexDigit[(length >>> (12 - 4 * i)) & 0xf]!;
      return;
    case 'ascii4':
    case 'bcd2': {
      const thousands = Math.floor(length / 1000) % 10;
      const hundreds = Math.floor(length / 100) % 10;
      const tens = Math.floor(length / 10) % 10;
      const ones = length % 10;
      if (framing === 'bcd2') {
        target[at] = (thousands << 4) | hundreds;
        target[at + 1] = (tens << 4) | ones;
      } else {
        target[at] = 0x30 + thousands;
        target[at + 1] = 0x30 + hundreds;
        target[at + 2] = 0x30 + tens;
        target[at + 3] = 0x30 + ones;
      }
    }
  }
}

/** The length at `buf[at]`, or -1 when it is unreadable. All its bytes are there. */
function readLength(framing: FramingName, buf: Uint8Array, at: number): number {
  switch (framing) {
    case 'len2':
      return (buf[at]! << 8) | buf[at + 1]!;
    case 'len4':
      // As an unsigned number: a set top bit is a length beyond any maximum.
      return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0;
    case 'hex4': {
      let value = 0;
      for (let i = 0; i < 4; i++) {
        const digit = hexValue[buf[at + i]!]!;
        if (digit < 0) return -1;
        value = (value << 4) | digit;
      }
      return value;
    }
    case 'ascii4': {
      let value = 0;
      for (let i = 0; i < 4; i++) {
        const digit = buf[at + i]! - 0x30;
        if (digit < 0 || digit > 9) return -1;
        value = value * 10 + digit;
      }
      return value;
    }
    case 'bcd2': {
      const high = buf[at]!;
      const low = buf[at + 1]!;
      if (high > 0x99 || (high & 0xf) > 9 || low > 0x99 || (low & 0xf) > 9) return -1;
      return (high >> 4) * 1000 + (high & 0xf) * 100 + (low >> 4) * 10 + (low & 0xf);
    }
  }
}

/**
 * Receives a frame: the message is `buf[start, end)`, `header` a view of the bytes before it (undefined when the framing
 * has none). All of it is valid during the call only.
 */
export type OnFrame = (buf: Uint8Array, start: number, end: number, header: Uint8Array | undefined) => void;

/** Cuts one connection's stream into frames. */
export class FrameReader {
  /** Called for a frame of length zero, in its place among the frames. */
  onKeepAlive: () => void = () => undefined;

  private readonly framing: FramingName;
  private readonly headerBytes: number;
  private readonly lengthBytes: number;
  private readonly lengthMax: number;
  /** The frame that straddles chunks. Grows from nothing to one maximal frame. */
  private partial = new Uint8Array(0);
  private partialBytes = 0;
  /** Bytes of the stream before the chunk or frame that is being read. */
  private consumed = 0;
  private state: 'open' | 'reading' | 'closed' = 'open';

  constructor(options: FramingOptions) {
    checkFraming(options);
    this.framing = options.framing;
    this.headerBytes = options.headerBytes;
    this.lengthBytes = shapes[options.framing].bytes;
    this.lengthMax = options.headerBytes + options.maxBytes;
  }

  /** Bytes held of a frame that is not yet complete. */
  get pendingBytes(): number {
    return this.partialBytes;
  }

  /**
   * Takes the next bytes of the stream and calls `onFrame` for each frame they complete, in order. Throws FramingError
   * when the stream is beyond repair, or was stopped. An exception of a callback passes through and closes the reader.
   * @param length bytes of the chunk that count; the chunk may be overwritten when `push` has returned
   */
  push(chunk: Uint8Array, onFrame: OnFrame, length: number = chunk.length): void {
    if (this.state !== 'open') throw new FramingError('closed', this.consumed, 'the stream is closed, or being read');
    this.state = 'reading';
    let whole = false;
    try {
      this.read(chunk, length, onFrame);
      whole = true;
    } finally {
      if (!whole) this.stop();
      this.settle();
    }
  }

  /** Ends a push: ready for the next one, or nothing is left of a frame. */
  private settle(): void {
    if (this.state === 'reading') this.state = 'open';
    else this.wipe();
  }

  /** No frame is delivered after this, not even one that is already in the chunk at hand. */
  stop(): void {
    // A callback that stops the reader may still look at its frame, which lies in `partial`: `push` wipes when it is done.
    const reading = this.state === 'reading';
    this.state = 'closed';
    this.partialBytes = 0;
    if (!reading) this.wipe();
  }

  /** A frame holds a card number: nothing of it stays behind in freed memory. */
  private wipe(): void {
    this.partial.fill(0);
    this.partial = new Uint8Array(0);
  }

  private read(chunk: Uint8Array, end: number, onFrame: OnFrame): void {
    let at = 0;
    while (this.partialBytes > 0 && at < end) at = this.complete(chunk, at, end, onFrame);
    while (this.state === 'reading' && at < end) {
      const left = end - at;
      if (left < this.lengthBytes) break;
      const size = this.lengthBytes + this.length(chunk, at);
      if (left < size) break;
      this.deliver(chunk, at, size, onFrame);
      at += size;
    }
    if (this.state === 'reading' && at < end) this.hold(chunk, at, end);
  }

  /** Adds to the straddling frame what it lacks, first of its length, then of its body. Returns the offset in `chunk`. */
  private complete(chunk: Uint8Array, from: number, end: number, onFrame: OnFrame): number {
    let at = from;
    if (this.partialBytes < this.lengthBytes) {
      const stop = Math.min(end, at + this.lengthBytes - this.partialBytes);
      this.hold(chunk, at, stop);
      at = stop;
      if (this.partialBytes < this.lengthBytes) return at;
    }
    const size = this.lengthBytes + this.length(this.partial, 0);
    const stop = Math.min(end, at + size - this.partialBytes);
    this.hold(chunk, at, stop);
    if (this.partialBytes === size) {
      this.partialBytes = 0;
      this.deliver(this.partial, 0, size, onFrame);
      this.partial.fill(0, 0, size);
    }
    return stop;
  }

  /** Reads and checks a length; the offset of an error is the start of its frame. */
  private length(buf: Uint8Array, at: number): number {
    const length = readLength(this.framing, buf, at);
    if (length === 0) return 0;
    if (length < 0) throw new FramingError('bad_length', this.consumed, `the length is not ${this.framing}`);
    if (length > this.lengthMax) {
      throw new FramingError('too_long', this.consumed, `a length of ${length}, at most ${this.lengthMax} is allowed`);
    }
    if (length <= this.headerBytes) {
      throw new FramingError('too_short', this.consumed, `a length of ${length} leaves no message behind the header`);
    }
    return length;
  }

  private deliver(buf: Uint8Array, at: number, size: number, onFrame: OnFrame): void {
    this.consumed += size;
    if (size === this.lengthBytes) {
      this.onKeepAlive();
      return;
    }
    const headerAt = at + this.lengthBytes;
    const start = headerAt + this.headerBytes;
    onFrame(buf, start, at + size, this.headerBytes === 0 ? undefined : buf.subarray(headerAt, start));
  }

  private hold(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.partialBytes + to - from;
    if (needed > this.partial.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(2 * needed, this.lengthBytes + this.lengthMax)));
      grown.set(this.partial.subarray(0, this.partialBytes));
      this.partial.fill(0, 0, this.partialBytes);
      this.partial = grown;
    }
    this.partial.set(chunk.subarray(from, to), this.partialBytes);
    this.partialBytes = needed;
  }
}
