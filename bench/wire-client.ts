/** A client of the ISO 8583 port that sends authorizations as fast as they are answered and keeps their approval codes. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import { defaultFraming, FrameReader, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack } from '#src/iso8583/message.js';

const DIALECT = 'iso87-bcd';
const IN_FLIGHT = 1024;
const FRAME_BYTES_MAX = 1024;

/**
 * Sends the messages 0 to `count` - 1 and resolves with the approval code of each (DE38), by its number.
 * @param address host:port @param fieldsOf a message; its DE37 ends in its number, six digits
 * @throws Error when one is declined
 */
export async function authorize(
  address: string,
  count: number,
  fieldsOf: (number: number) => Fields,
): Promise<string[]> {
  const [host, port] = address.split(':') as [string, string];
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  const decoder = new Decoder(dialect(DIALECT));
  const reader = new FrameReader(defaultFraming);
  const codes: string[] = [];
  const frame = new Uint8Array(FRAME_BYTES_MAX);
  let sent = 0;
  let answered = 0;
  const fill = (): void => {
    socket.cork();
    for (; sent < count && sent - answered < IN_FLIGHT; sent++) {
      const body = pack(DIALECT, fieldsOf(sent));
      const at = writeFrame(defaultFraming, frame, 0, body.length);
      frame.set(body, at);
      socket.write(frame.slice(0, at + body.length));
    }
    socket.uncork();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the server closed the connection')));
      socket.on('data', (chunk) => {
        reader.push(chunk, (bytes, start, end) => {
          if (!decoder.decode(bytes, start, end) || decoder.mti !== 110) return;
          if (decoder.text(39) !== '00') reject(new Error(`an authorization was answered ${decoder.text(39)}`));
          codes[Number(decoder.text(37).slice(6))] = decoder.text(38);
          answered++;
        });
        fill();
        if (answered === count) resolve();
      });
      fill();
    });
  } finally {
    socket.destroy();
  }
  return codes;
}
