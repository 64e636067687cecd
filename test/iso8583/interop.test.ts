/**
 * Interoperability with the npm package `iso_8583`, a codec that knows nothing of this one: ASCII with binary bitmaps and
 * a length of two bytes, always with a secondary bitmap, an all-zero one if need be. (Its fixed binary fields are raw
 * bytes where iso87-ascii-bin has hex digits, so a PIN block is not part of the exchange.)
 */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { fieldSpec, fieldSpecs } from '#src/iso8583/fields.js';
import { defaultFraming, FrameReader, frameOverhead, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { replyMti } from '#src/iso8583/mti.js';
import { differences, theirFields } from '../fuzz/npm-iso8583.js';

interface Peer {
  getBufferMessage(): Buffer | { error: string };
  getIsoJSON(bytes: Buffer): Record<string, string>;
}
const PeerMessage = createRequire(import.meta.url)('iso_8583') as new (fields?: Fields) => Peer;

function peerPack(fields: Fields): Buffer {
  const bytes = new PeerMessage(fields).getBufferMessage();
  if (!Buffer.isBuffer(bytes)) throw new Error(bytes.error);
  return bytes;
}

const authorization: Fields = {
  0: '0100',
  2: '9999990000000007',
  3: '000000',
  4: '000000005000',
  7: '1122140300',
  11: '180507',
  12: '140300',
  13: '1122',
  14: '3012',
  18: '5411',
  22: '051',
  25: '00',
  28: 'D00000150',
  32: '12345',
  35: '9999990000000007=30121010000012345',
  37: '326514180507',
  41: 'TERM0001',
  42: 'ACCEPTOR0000001',
  43: 'CORNER SHOP            SAO PAULO     BRA',
  48: '2001E',
  49: '986',
};

const messages: [string, Fields][] = [
  ['an authorization', authorization],
  [
    'a reversal',
    {
      0: '0420',
      2: '9999990000000007',
      3: '000000',
      4: '000000005000',
      7: '1122140400',
      11: '180508',
      37: '326514180507',
      39: '00',
      41: 'TERM0001',
      42: 'ACCEPTOR0000001',
      49: '986',
      90: `0100180507112214030000000012345${'0'.repeat(11)}`,
      95: `${'700'.padStart(12, '0')}${'0'.repeat(30)}`,
    },
  ],
  ['an echo', { 0: '0800', 7: '1122140300', 11: '000002', 70: '301' }],
];

describe('npm iso_8583', () => {
  it.each(messages)(
    '%s of theirs is read, theirs and ours differ only in an empty secondary bitmap',
    (_what, fields) => {
      const theirs = peerPack(fields).subarray(2);
      expect(unpack('iso87-ascii-bin', theirs)).toEqual(fields);
      const ours = Buffer.from(pack('iso87-ascii-bin', fields));
      const empty = theirs.subarray(12, 20).equals(Buffer.alloc(8));
      const shortest = empty ? Buffer.concat([theirs.subarray(0, 12), theirs.subarray(20)]) : Buffer.from(theirs);
      if (empty) shortest[4] = shortest[4]! & 0x7f;
      expect(ours.toString('hex')).toBe(shortest.toString('hex'));
    },
  );

  it.each(messages)('%s of ours is read by them', (_what, fields) => {
    const body = pack('iso87-ascii-bin', fields);
    const framed = Buffer.alloc(frameOverhead(defaultFraming) + body.length);
    framed.set(body, writeFrame(defaultFraming, framed, 0, body.length));
    expect(new PeerMessage().getIsoJSON(framed)).toEqual(fields);
  });

  it('gets a reply to its request over a stream that cuts where it likes', () => {
    const stream = Buffer.concat([peerPack(authorization), Buffer.alloc(2), peerPack(authorization)]);
    const decoder = new Decoder(dialect('iso87-ascii-bin'));
    const encoder = new Encoder(dialect('iso87-ascii-bin'));
    const reader = new FrameReader(defaultFraming);
    const replies: Record<string, string>[] = [];
    let keepAlives = 0;
    reader.onKeepAlive = () => keepAlives++;
    for (let at = 0; at < stream.length; at += 11) {
      reader.push(stream.subarray(at, at + 11), (buf, start, end) => {
        expect(decoder.decode(buf, start, end)).toBe(true);
        const out = Buffer.alloc(512);
        const overhead = frameOverhead(defaultFraming);
        encoder.begin(out, overhead, replyMti(decoder.mti), true);
        for (const field of [3, 4, 7, 11, 12, 13, 22, 25, 32, 33, 37]) encoder.copy(decoder, field);
        encoder.putString(38, '000001');
        encoder.putString(39, '00');
        for (const field of [41, 42, 49]) encoder.copy(decoder, field);
        const last = encoder.finish();
        writeFrame(defaultFraming, out, 0, last - overhead);
        replies.push(new PeerMessage().getIsoJSON(out.subarray(0, last)));
      });
    }
    const { 2: _pan, 14: _expiry, 18: _mcc, 28: _fee, 35: _track, 43: _name, 48: _private, ...echoed } = authorization;
    const reply = { ...echoed, 0: '0110', 38: '000001', 39: '00' };
    expect(replies).toEqual([reply, reply]);
    expect(keepAlives).toBe(1);
  });
});

describe('the list of differences to npm iso_8583', () => {
  /** A value that both could have if they agreed, as long as it may be. */
  const sample = (field: number): string => {
    const { type, form, max } = fieldSpec(field)!;
    const length = form === 'fixed' ? max : Math.min(max, 300);
    if (type === 'b') return `hex:${'31'.repeat(length)}`;
    if (type === 'x+n') return 'D'.padEnd(length, '1');
    return type === 'z' ? '9999991234567893=3012' : '1'.repeat(length);
  };

  it.each(fieldSpecs.map(({ field }) => field))('is right about DE%i', (field) => {
    const fields: Fields = { 0: '0100', [field]: sample(field) };
    const read = theirFields(pack('iso87-ascii-bin', fields));
    const same = typeof read !== 'string' && read[field] === fields[field];
    expect(same).toBe(!differences.has(field));
  });
});
