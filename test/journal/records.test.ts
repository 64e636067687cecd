import fc from 'fast-check';
import { Packr, unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { ElementKind, EventKind } from '#src/domain/codes.js';
import { MessageEvent, type NotDelivered } from '#src/domain/events.js';
import { writeMessage } from '#src/journal/message-record.js';
import { MsgpackReader, MsgpackWriter } from '#src/journal/msgpack.js';
import { writePlain } from '#src/journal/plain-writer.js';
import { RecordReader } from '#src/journal/records.js';
import { anyMessage, contentOf, sampleMessage, samplePlain } from './samples.js';

const packr = new Packr({ useRecords: false });

function encode(write: (out: MsgpackWriter) => void): Uint8Array {
  const out = new MsgpackWriter(16);
  write(out);
  return out.bytes.slice(0, out.at);
}

function decode(bytes: Uint8Array, into = new MessageEvent()): RecordReader & { isMessage?: boolean } {
  const records = new RecordReader(new MsgpackReader());
  records.reader.point(bytes, 0, bytes.length);
  return Object.assign(records, { isMessage: records.read(7, into) });
}

/** What earlier releases wrote for `sampleMessage()`. */
const versionOne =
  'dc003f0501cb427a0c4506c01000010101000000cd30300001cd3039cd3039cb427a0e85cf0000000000ce0007a120d2fffeee90cd80e80000c41a0101020103010401050106010701080109010a010b010c010d0100016400cd3039cd03daffffce42eff2bc01ce0003884ccd0462cd0b60ffcd15234c330100ffffffff0000ff090000c406303132333435c400c40c303030303030303030303031c400c4085445524d30303031c40f4d45524348414e5430303030303031c428504144415249412043454e5452414c2020202020202020202053414f205041554c4f202020204252c40f4d4343303132333435363738392020c400c400c400';

describe('message record', () => {
  it('keeps every field of the event', () => {
    fc.assert(
      fc.property(anyMessage, (event) => {
        const bytes = encode((out) => writeMessage(out, event));
        const back = new MessageEvent();
        expect(decode(bytes, back).isMessage).toBe(true);
        expect(contentOf(back)).toEqual({ ...contentOf(event), sequence: 7 });
      }),
      { numRuns: 300 },
    );
  });

  it('is ordinary MessagePack, byte for byte what msgpackr writes', () => {
    fc.assert(
      fc.property(anyMessage, (event) => {
        const bytes = encode((out) => writeMessage(out, event));
        const array = unpack(bytes) as unknown[];
        expect(array.length).toBe(68);
        expect(array[0]).toBe(EventKind.message);
        expect(array[2]).toBe(event.timeMs);
        expect(array[29]).toBe(event.input.amount);
        expect(Buffer.from(packr.pack(array)).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['cashBack', 2_000],
    ['cashBack', 0],
    ['adviceReason', 49],
    ['fileAction', 51],
    ['fileCode', 0],
  ] as const)('keeps %s %i when it is all that the message has beside the usual', (field, value) => {
    const event = sampleMessage();
    event.input[field] = value;
    const back = new MessageEvent();
    expect(
      decode(
        encode((out) => writeMessage(out, event)),
        back,
      ).isMessage,
    ).toBe(true);
    expect(contentOf(back)).toEqual({ ...contentOf(event), sequence: 7 });
  });

  it('texts and bytes take the shortest length, and are read back, at both sides of each', () => {
    for (const length of [0, 31, 32, 255, 256, 65_535, 65_536, 65_537]) {
      const text = 'x'.repeat(length);
      const bytes = Buffer.from(text);
      expect(unpack(encode((out) => out.text(text))), `text of ${length}`).toBe(text);
      const binary = encode((out) => out.binary(bytes));
      expect(Buffer.from(packr.pack(bytes)).equals(binary), `bytes of ${length}`).toBe(true);
      const closed = encode((out) => {
        out.reserve(length + 8);
        const start = out.beginBinary();
        out.bytes.set(bytes, start);
        out.at = start + length;
        out.endBinary(start);
      });
      expect(Buffer.from(closed).equals(binary), `${length} bytes closed later`).toBe(true);
    }
  });

  it('refuses a number that is no safe integer', () => {
    for (const bad of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -0.5]) {
      const event = sampleMessage();
      event.approvedAmount = bad;
      expect(() => encode((out) => writeMessage(out, event))).toThrow(/safe integers/);
    }
  });

  it.each([
    ['a reversal: it took back 75', ElementKind.reversal, 75, [1, 75]],
    ['a reversal: it took back nothing', ElementKind.reversal, 0, [1, 0]],
    ['a 0220 of whose 100 75 were counted', ElementKind.completion, 75, [0, 25]],
    ['a 0220 of whose 100 nothing was counted', ElementKind.completion, 0, [-1, 0]],
  ])('section 9 of earlier releases stays readable: %s', (_what, element, takenBack, counted) => {
    const event = sampleMessage();
    event.element = element;
    event.input.amount = 100;
    const array = unpack(encode((out) => writeMessage(out, event))) as unknown[];
    array[67] = Buffer.from([9, takenBack]);
    const back = new MessageEvent();
    decode(packr.pack(array), back);
    expect([back.countedNumber, back.countedAmount]).toEqual(counted);
  });

  it('version 1 stays readable', () => {
    const event = sampleMessage();
    const back = new MessageEvent();
    expect(decode(Buffer.from(versionOne, 'hex'), back).isMessage).toBe(true);
    event.authorizedAfter = event.approvedAmount;
    expect(contentOf(back)).toEqual({ ...contentOf(event), sequence: 7 });
  });

  it('golden bytes', () => {
    expect(Buffer.from(encode((out) => writeMessage(out, sampleMessage()))).toString('hex')).toMatchInlineSnapshot(
      `"dc00440502cb427a0c4506c01000010101000000cd30300001cd3039cd3039cb427a0e85cf0000000000ce0007a120d2fffeee90cd80e800000000c41a0101020103010401050106010701080109010a010b010c010d0100016400cd3039cd03daffffce42eff2bc01ce0003884ccd0462cd0b60ffcd15234c330100ffffffff0000ff090000ffc406303132333435c400c40c303030303030303030303031c400c4085445524d30303031c40f4d45524348414e5430303030303031c428504144415249412043454e5452414c2020202020202020202053414f205041554c4f202020204252c40f4d4343303132333435363738392020c400c400c400c400c400"`,
    );
  });
});

describe('plain records', () => {
  for (const event of samplePlain()) {
    it(`kind ${event.kind} comes back whole and is ordinary MessagePack`, () => {
      const bytes = encode((out) => writePlain(out, event));
      const records = decode(bytes);
      expect(records.isMessage).toBe(false);
      expect(records.plain).toEqual({ ...event, sequence: 7 });
      expect(Buffer.from(packr.pack(unpack(bytes))).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
    });
  }

  it('there is a sample of every kind', () => {
    const kinds = new Set([EventKind.message, ...samplePlain().map((event) => event.kind)]);
    expect([...kinds].sort((a, b) => a - b)).toEqual(Object.values(EventKind).sort((a, b) => a - b));
  });

  it('version 1 of cards stays readable: no network tokens, no failed PINs', () => {
    const [created, updated] = [
      'dc00110301cb427a0c4506c7b0000903cedeadbeef01ceffffffffce000f423f0810cd0b6001ccc902ff02',
      '980401cb427a0c4506c7b0000903040303',
    ].map((hex) => decode(Buffer.from(hex, 'hex')).plain);
    const samples = samplePlain();
    const of = (kind: number) => samples.find((event) => event.kind === kind)!;
    expect(created).toEqual({ ...of(EventKind.cardCreated), aliasOfSlot: -1, sequence: 7 });
    expect(updated).toEqual({ ...of(EventKind.cardUpdated), pinTries: -1, sequence: 7 });
  });

  it('version 1 of a clearing record stays readable: it is the step of no dispute and tells no cash back', () => {
    const hex =
      'dc00191001cb427a0c4506c7b0000309ff000000b930303132363131323630303030303030303030313030303031dc001f02cd04d8ccc800cd2710cd03d2cd2d82cd0348cdf389cd03da01ce001512f3cd512fcd16b4cd0114cd512ece0001204d00010100ffb73132333435363736333330303030303030303030303132ad4d434330313233343536373839ac303030303030303030303031a6303030303031a53132333435a85445524d30303031af4d45524348414e5430303030303031ad434146c3892043454e5452414c93cc8ccd0348000101030500cdf389cdf389d2ffff3cb00403c403010203dc0010cd044ccd03da00cdf389cd0834cd0348ce001512f3d1d27ecd05dccd03da00d2ffff0c77cd05dccd034800cd2d820404';
    const { plain } = decode(Uint8Array.from(Buffer.from(hex, 'hex')));
    const sample = samplePlain().find((event) => event.kind === EventKind.clearingPosted)!;
    expect(plain).toEqual({
      ...sample,
      input: { ...sample.input, cashBack: -1 },
      disputeSequence: 0,
      windowLagMs: 0,
      sequence: 7,
    });
  });

  it('version 2 of a clearing record stays readable: windows were not behind', () => {
    const hex =
      'dc001a1002cb427a0c4506c7b0000309ff000000b930303132363131323630303030303030303030313030303031dc002002cd04d8ccc800cd2710cd03d2cd2d82cd0348cdf389cd03da01ce001512f3cd512fcd16b4cd0114cd512ece0001204d00010100ffb73132333435363736333330303030303030303030303132ad4d434330313233343536373839ac303030303030303030303031a6303030303031a53132333435a85445524d30303031af4d45524348414e5430303030303031ad434146c3892043454e5452414c93cc8ccd034800cd07d00101030500cdf389cdf389d2ffff3cb00403c403010203dc0010cd044ccd03da00cdf389cd0834cd0348ce001512f3d1d27ecd05dccd03da00d2ffff0c77cd05dccd034800cd2d82040408';
    const sample = samplePlain().find((event) => event.kind === EventKind.clearingPosted)!;
    expect(decode(Uint8Array.from(Buffer.from(hex, 'hex'))).plain).toEqual({ ...sample, windowLagMs: 0, sequence: 7 });
  });

  it('version 2 of a roll-back stays readable: it counts in no totals', () => {
    const hex = '9d0602cb427a0c4506c7b00003090504cd4e20d1cfc794cd044cd1cfc7cd0834cd3039c4030102030404';
    const { plain } = decode(Uint8Array.from(Buffer.from(hex, 'hex')));
    const sample = samplePlain().find((event) => event.kind === EventKind.notDelivered);
    expect(plain).toEqual({ ...sample, counted: undefined, sequence: 7 });
  });

  it('version 3 of a roll-back stays readable: what it takes out of totals is one message', () => {
    const hex =
      '9e0603cb427a0c4506c7b00003090504cd4e20d1cfc79607ce0001e240cd512fcd03da02cd303994cd044cd1cfc7cd0834cd3039c4030102030404';
    const { plain } = decode(Uint8Array.from(Buffer.from(hex, 'hex')));
    const sample = samplePlain().find((event) => event.kind === EventKind.notDelivered) as NotDelivered;
    expect(plain).toEqual({ ...sample, counted: { ...sample.counted!, number: 1 }, sequence: 7 });
  });

  it('golden bytes', () => {
    const lines = samplePlain().map((event) => Buffer.from(encode((out) => writePlain(out, event))).toString('hex'));
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "990101cb427a0c4506c7b00003a96163635f312e412d7a01cd03dace0007a12001
      970201cb427a0c4506c7b00003cb42700000000000000201
      dc00120302cb427a0c4506c7b0000903cedeadbeef01ceffffffffce000f423f0810cd0b6001ccc902ffff02
      990402cb427a0c4506c7b000090304020303
      9e0604cb427a0c4506c7b00003090504cd4e20d1cfc79707ce0001e240cd512fcd03da02cd30390094cd044cd1cfc7cd0834cd3039c4030102030404
      9b0d01cb427a0c4506c7b00003090500d1cfc7c4000404
      960b01cb427a0c4506c7b00002cd012cb07b227265766973696f6e223a3330307d
      980c01cb427a0c4506c7b00003ffd9377b227065725f7472616e73616374696f6e223a353030302c226d65726368616e7473223a7b2264656e79223a5b22434146c389225d7d7d0400
      990701cb427a0c4506c7b00003cd2710cd03daa87069782dc3a92d3194cd03e8cd2710cd07d0d1d8f005
      9e0f01cb427a0c4506c7b0000dffffcd512fb2776972652dc3a92d323032362d31312d323600b770616964206c6174652c20617320c3a920616772656564ce0037b1cf98cd0834cd0348ce001512f3ce01541b04cd0514cd034800d2feabe4fc0000
      dc00110f02cb427a0c4506c7b000080309cd512fa13707a00098cd0834cd03dace001512f3cd0190cd04b0cd03da00d1fe70040406b73132333435363736333330303030303030303030303132a434383533
      dc00180f04cb427a0c4506c7b000060309cd512fa7636c61696d203105ae6e657665722072656365697665640098cd04b0cd03da00cd0190cd0456cd03da00d1fe70040406b73132333435363736333330303030303030303030303132a0ce00011170ce00011170cd0578cd01f4cd012c0602
      dc00100f03cb427a0c4506c7b000120309cd512fa13707a00090040406cd0190
      dc001b1003cb427a0c4506c7b0000309ff000000b930303132363131323630303030303030303030313030303031dc002002cd04d8ccc800cd2710cd03d2cd2d82cd0348cdf389cd03da01ce001512f3cd512fcd16b4cd0114cd512ece0001204d00010100ffb73132333435363736333330303030303030303030303132ad4d434330313233343536373839ac303030303030303030303031a6303030303031a53132333435a85445524d30303031af4d45524348414e5430303030303031ad434146c3892043454e5452414c93cc8ccd034800cd07d00101030500cdf389cdf389d2ffff3cb00403c403010203dc0010cd044ccd03da00cdf389cd0834cd0348ce001512f3d1d27ecd05dccd03da00d2ffff0c77cd05dccd034800cd2d82040408cd05dc
      951101cb427a0c4506c7b000cd512fce00011170
      991201cb427a0c4506c7b00003cd512fd2fffe1dc000cd514305
      960801cb427a0c4506c7b000ceffffffff00da012c787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878
      940901cb427a0c4506c7b000ce00011170
      960a01cb427a0c4506c7b000c42001080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3dac420020910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbc40581a26f6bc3
      9d0e01cb427a0c4506c7b000cd01f507cb42374876e7ff0000cd512fcd03dace4320ff371100944c0361d1cfc79258cd3039
      991401cb427a0c4506c7b00005ceffffffff01ce80000000c42c030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e04
      981301cb427a0c4506c7b0000305c42c0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c0404"
    `);
  });
});

describe('a damaged or unknown record', () => {
  const bytes = encode((out) => writeMessage(out, sampleMessage()));
  it('of another version or kind is refused by name', () => {
    const other = bytes.slice();
    other[4] = 9;
    expect(() => decode(other)).toThrow(/version 9/);
    expect(() => decode(packr.pack([99, 1, 2]))).toThrow(/kind 99 version 1/);
  });
  it('with a number that is no safe integer is refused', () => {
    const refusal = /no (safe )?integer/;
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, -1e30, 2 ** 53]) {
      const plain = packr.pack([EventKind.unknownCardCount, 1, 1_790_000_000_123, value]);
      expect(() => decode(plain)).toThrow(refusal);
      const message = packr.unpack(encode((out) => writeMessage(out, sampleMessage()))) as unknown[];
      message[2] = value; // The time, which is among the numbers that are read in one loop.
      expect(() => decode(packr.pack(message))).toThrow(refusal);
    }
  });

  it('with a negative count of what follows is refused', () => {
    // Sections of the last member: numbers of a finding, counter readings of card and account, rules, legs.
    for (const section of [
      [3, -1],
      [6, -1, 1],
      [6, 1, -1],
      [4, -1, 0, new Uint8Array(0)],
      [7, -1],
    ]) {
      const message = packr.unpack(encode((out) => writeMessage(out, sampleMessage()))) as unknown[];
      message[message.length - 1] = Buffer.concat(section.map((value) => packr.pack(value)));
      expect(() => decode(packr.pack(message)), String(section)).toThrow('cannot have so many');
    }
  });

  it('that is cut or has a tail is refused', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        expect(() => decode(bytes.slice(0, length))).toThrow();
      }),
    );
    expect(() => decode(Uint8Array.of(...bytes, 0))).toThrow(/behind the last field/);
  });
});
