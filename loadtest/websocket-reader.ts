/**
 * The reading half of a small WebSocket client (RFC 6455): unmasked frames of a server, whole or split over chunks.
 * Data frames go on as messages without a copy when they lie whole in the chunk. A ping is reported with its payload, a
 * close ends the link; fragmented messages are refused, because an engine's reply of some hundred bytes never is one.
 */
import type { OnFrame } from '#src/iso8583/framing.js';

/** A reply never comes near this; a longer frame is not ours. */
const FRAME_BYTES_MAX = 65_535;

export class WebSocketReader {
  onPing: (payload: Uint8Array) => void = () => undefined;
  onClose: (code: number) => void = () => undefined;
  #held = new Uint8Array(0);

  /** Takes the next bytes; throws Error when they are no WebSocket frames. */
  push(chunk: Uint8Array, onFrame: OnFrame): void {
    let bytes = chunk;
    if (this.#held.length > 0) {
      bytes = new Uint8Array(this.#held.length + chunk.length);
      bytes.set(this.#held);
      bytes.set(chunk, this.#held.length);
    }
    let at = 0;
    for (;;) {
      const next = this.#frame(bytes, at, onFrame);
      if (next < 0) break;
      at = next;
    }
    this.#held = at === bytes.length ? new Uint8Array(0) : bytes.slice(at);
  }

  /** Reads one frame; returns the offset behind it, or -1 when it is not all there. */
  #frame(bytes: Uint8Array, at: number, onFrame: OnFrame): number {
    const left = bytes.length - at;
    if (left < 2) return -1;
    const head = bytes[at]!;
    let length = bytes[at + 1]!;
    if ((length & 0x80) !== 0) throw new Error('WebSocket: the server masked a frame');
    let start = at + 2;
    if (length === 126) {
      if (left < 4) return -1;
      length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      start = at + 4;
    } else if (length === 127) throw new Error(`WebSocket: a frame longer than ${FRAME_BYTES_MAX} bytes`);
    const end = start + length;
    if (end > bytes.length) return -1;
    if ((head & 0xf0) !== 0x80) throw new Error(`WebSocket: a fragmented or extended frame (first byte ${head})`);
    const opcode = head & 0x0f;
    if (opcode === 2) onFrame(bytes, start, end, undefined);
    else if (opcode === 9) this.onPing(bytes.slice(start, end));
    else if (opcode === 8) this.onClose(length >= 2 ? (bytes[start]! << 8) | bytes[start + 1]! : 1005);
    else if (opcode !== 10) throw new Error(`WebSocket: an unexpected frame with opcode ${opcode}`);
    return end;
  }
}
