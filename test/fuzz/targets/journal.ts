/**
 * What the engine reads back from its own disk. Held against every input:
 * - whatever is accepted is, written again, the same; whatever is not is refused by the one error that says so;
 * - of what was accepted no one to three flipped bits are accepted;
 * - readers do not depend on what lies around the bytes.
 * Half of the inputs get a right checksum after they were changed: then the reader behind it is on its own.
 */
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { MessageEvent } from '#src/domain/events.js';
import { HoldfastError } from '#src/errors.js';
import { CheckpointStore } from '#src/journal/checkpoint.js';
import { FRAME_HEADER_BYTES, type FrameFields, FrameHeader, finishFrame, parseFrame } from '#src/journal/frame.js';
import { FrameCursor } from '#src/journal/frame-cursor.js';
import { indexEntry, LaneTable } from '#src/journal/lane-index.js';
import { writeMessage } from '#src/journal/message-record.js';
import { MsgpackError, MsgpackReader, MsgpackWriter } from '#src/journal/msgpack.js';
import { writePlain } from '#src/journal/plain-writer.js';
import { RecordReader } from '#src/journal/records.js';
import {
  decodeCatalog,
  decodeFilterPart,
  decodeMeta,
  emptyCatalog,
  encodeCatalog,
  encodeFilterPart,
  encodeMeta,
  isSegmentDamage,
  SegmentBlock,
} from '#src/journal/segment-format.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { Random } from '../../crash/random.js';
import { contentOf, sampleMessage, samplePlain } from '../../journal/samples.js';
import { joined, mutateBytes } from '../mutators.js';
import { type FuzzTarget, must, type OpenTarget, type Verdict } from '../target.js';

const SHARD = 3;

/** Bytes whose one to three bits are flipped, by a seed that follows from the bytes. */
function flipped(bytes: Uint8Array, round: number): Uint8Array {
  const random = new Random(crc32(bytes) + round);
  const out = bytes.slice();
  const flips = random.int(1, 3);
  const places = new Set<number>();
  while (places.size < Math.min(flips, bytes.length * 8)) places.add(random.int(0, bytes.length * 8 - 1));
  for (const place of places) out[place >> 3]! ^= 1 << (place & 7);
  return out;
}

function refusesFlips(bytes: Uint8Array, accepts: (bytes: Uint8Array) => boolean): void {
  for (let round = 0; round < 3; round++)
    must(!accepts(flipped(bytes, round)), () => `flipped bits are accepted, round ${round}`);
}

/** Records of all kinds, each alone. */
function records(): Uint8Array[] {
  const out: Uint8Array[] = [];
  const writer = new MsgpackWriter(4096);
  const take = (): void => {
    out.push(writer.bytes.slice(0, writer.at));
    writer.at = 0;
  };
  for (const event of samplePlain()) {
    writePlain(writer, event);
    take();
  }
  const plain = sampleMessage(7);
  writeMessage(writer, plain);
  take();
  const rich = sampleMessage(8);
  rich.elementSequence = 7;
  rich.holdPlaced = 1;
  rich.input.cashBack = 500;
  rich.windowLagMs = 20;
  rich.countedNumber = 0;
  rich.countedAmount = -3;
  rich.deviceWaitUs = 1500;
  rich.deviceFailure = 8;
  rich.findingCount = 2;
  writeMessage(writer, rich);
  take();
  return out;
}

class RecordTarget implements OpenTarget {
  readonly #reader = new RecordReader(new MsgpackReader());
  readonly #message = new MessageEvent();
  readonly #again = new MessageEvent();
  readonly #writer = new MsgpackWriter(65_536);

  run(input: Uint8Array): Verdict {
    const first = this.#read(input, 0x00, this.#message);
    const second = this.#read(input, 0xcc, this.#again);
    if (first === undefined) {
      must(second === undefined, () => 'depends on what lies around');
      return 'refused';
    }
    must(isDeepStrictEqual(first, second), () => 'depends on what lies around');
    this.#writer.at = 0;
    const { plain } = this.#reader;
    if ('element' in first) writeMessage(this.#writer, this.#message);
    else writePlain(this.#writer, plain!);
    const third = this.#read(this.#writer.bytes.slice(0, this.#writer.at), 0x11, this.#again);
    must(isDeepStrictEqual(first, third), () => 'written again it is another record');
    return 'accepted';
  }

  /** The content, or undefined when it was refused. */
  #read(input: Uint8Array, poison: number, into: MessageEvent): Record<string, unknown> | undefined {
    const place = new Uint8Array(input.length + 30).fill(poison);
    place.set(input, 10);
    this.#reader.reader.point(place, 10, 10 + input.length);
    try {
      if (this.#reader.read(5, into)) return structuredClone(contentOf(into));
      return structuredClone(this.#reader.plain!) as unknown as Record<string, unknown>;
    } catch (error) {
      if (error instanceof MsgpackError) return undefined;
      throw error;
    }
  }
}

function frameOf(list: readonly Uint8Array[], fields: Partial<FrameFields> = {}): Uint8Array {
  const body = list.reduce((sum, record) => sum + 4 + record.length, 0);
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body + 4);
  const view = new DataView(bytes.buffer);
  let at = FRAME_HEADER_BYTES;
  for (const record of list) {
    view.setUint32(at, record.length);
    bytes.set(record, at + 4);
    at += 4 + record.length;
  }
  const wanted = {
    ...{ shard: SHARD, epoch: 1, count: list.length, firstSequence: 5, lastSequence: 4 + list.length },
    ...{
      wallMs: 1_790_000_000_000,
      windowLagS: 86_400,
      previousHash: new Uint8Array(32).fill(9),
      digestHigh: 1,
      digestLow: 2,
    },
    ...fields,
  };
  finishFrame(bytes, view, body, wanted);
  return bytes;
}

class FrameTarget implements OpenTarget {
  readonly #header = new FrameHeader();
  readonly #cursor = new FrameCursor();
  readonly #message = new MessageEvent();

  run(input: Uint8Array): Verdict {
    const wrong = parseFrame(input, this.#header);
    if (wrong !== undefined) {
      must(/^[a-zA-Z0-9 -]+$/.test(wrong), () => wrong);
      this.#opens(input, false);
      return 'refused';
    }
    const { bodyBytes, ...fields } = this.#header;
    const again = input.slice();
    const length = finishFrame(again, new DataView(again.buffer), bodyBytes, fields);
    const same = length === input.length && Buffer.compare(again, input) === 0;
    must(same || !Number.isSafeInteger(fields.wallMs), () => 'written again it is another frame');
    refusesFlips(input, (bytes) => parseFrame(bytes, this.#header) === undefined);
    return this.#opens(input, true) ? 'accepted' : 'refused';
  }

  /** Reads all records; true when they could be read. */
  #opens(input: Uint8Array, whole: boolean): boolean {
    parseFrame(input, this.#header);
    const { shard, firstSequence } = this.#header;
    try {
      this.#cursor.open(input, shard, firstSequence, 'a file');
      must(whole, () => 'the cursor opens what is no frame');
      let count = 0;
      for (; this.#cursor.more; count++) this.#cursor.next(this.#message);
      must(count === this.#cursor.header.count, () => `${count} records of ${this.#cursor.header.count}`);
      return true;
    } catch (error) {
      const known = error instanceof HoldfastError && /^(frame_corrupt|record_unreadable)$/.test(error.code);
      if (!known) throw error;
      return false;
    }
  }
}

/** Writes a right checksum over the last four bytes. */
function sealed(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 4) return bytes;
  const out = bytes.slice();
  new DataView(out.buffer).setUint32(out.length - 4, crc32(out.subarray(0, -4)));
  return out;
}

function mutateFrame(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  if (random.chance(0.4)) return sealed(mutateBytes(random, input, other, [], 4000));
  const list = Array.from({ length: random.int(1, 4) }, () => random.pick(records()));
  const at = random.int(0, list.length - 1);
  if (random.chance(0.5)) list[at] = mutateBytes(random, list[at]!, list[0]!, [], 2000);
  return frameOf(list, random.chance(0.1) ? { count: random.int(0, 5) } : {});
}

/** Index rows, catalogs, metas, filters and blocks: the first byte of the input says which. */
const forms = ['index row', 'catalog', 'meta', 'filter', 'block'] as const;

class RowTarget implements OpenTarget {
  readonly #block = new SegmentBlock();
  readonly #bits = new Uint8Array(4096);

  run(input: Uint8Array): Verdict {
    const form = forms[(input[0] ?? 0) % forms.length]!;
    const bytes = input.subarray(1);
    const written = this.#read(form, bytes);
    if (written === undefined) return 'refused';
    must(Buffer.compare(written, bytes) === 0, () => `${form}: written again it is another`);
    refusesFlips(bytes, (other) => this.#read(form, other) !== undefined);
    return 'accepted';
  }

  /** What was read, written again; undefined when it was refused. */
  #read(form: (typeof forms)[number], bytes: Uint8Array): Uint8Array | undefined {
    try {
      switch (form) {
        case 'index row': {
          indexEntry(bytes, 16, SHARD);
          return bytes;
        }
        case 'catalog':
          return equalBut(bytes, encodeCatalog(decodeCatalog(bytes, SHARD)), 1, 4);
        case 'meta': {
          const meta = decodeMeta(bytes, SHARD, 9);
          return equalBut(bytes, encodeMeta(meta), 1, 4, 60, 64);
        }
        case 'filter': {
          const count = decodeFilterPart(bytes, this.#bits, 0, SHARD, 9);
          return equalBut(bytes, encodeFilterPart(this.#bits.slice(0, count)), 5, 8);
        }
        case 'block':
          this.#block.load(bytes, SHARD, 9, 2);
          return equalBut(bytes, this.#block.seal(SHARD, 9, 2).slice(), 1, 2);
      }
    } catch (error) {
      if (isSegmentDamage(error)) return undefined;
      if (form === 'index row' && error instanceof Error && error.constructor === Error) return undefined;
      throw error;
    }
  }
}

/** The bytes as they came when what was written differs in nothing but filling (in [from, to) pairs) and the checksum over it. */
function equalBut(came: Uint8Array, written: Uint8Array, ...filling: number[]): Uint8Array {
  const plain = (bytes: Uint8Array): Uint8Array => {
    const out = bytes.slice();
    for (let i = 0; i < filling.length; i += 2) out.fill(0, filling[i], filling[i + 1]);
    return out;
  };
  const hasFilling = Buffer.compare(plain(came), came) !== 0;
  return hasFilling && came.length === written.length ? came : written;
}

function rows(): Uint8Array[] {
  const table = new LaneTable();
  table.note(SHARD, 1, 40, 15);
  table.note(4, 7, 9, 16);
  const catalog = {
    ...emptyCatalog(77),
    version: 3,
    completeThrough: 40,
    live: [1, 2],
    retired: [{ segment: 0, atMs: 5 }],
  };
  const meta = {
    ...{ segment: 9, firstSequence: 1, lastSequence: 40, firstTimeMs: 5, lastTimeMs: 9, entries: 3 },
    ...{ filterLines: 1, filterKeys: 3, filterKinds: 1 },
    ...{ fenceHigh: Uint32Array.of(1, 5), fenceLow: Uint32Array.of(2, 6) },
  };
  const block = new SegmentBlock();
  block.layOut(3);
  block.high.set([1, 2, 3]);
  block.low.set([4, 5, 6]);
  block.delta.set([0, 1, 2]);
  const made = [
    table.encode(16),
    encodeCatalog(catalog),
    encodeMeta(meta),
    encodeFilterPart(new Uint8Array(64).fill(3)),
    block.seal(SHARD, 9, 2),
  ];
  return made.map((bytes, i) => joined(Uint8Array.of(i), bytes));
}

/** Changes a row, and writes the checksum where the form has it. */
function mutateRow(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = mutateBytes(random, input.subarray(1), other.subarray(1), [], 2000).slice();
  const form = forms[(input[0] ?? 0) % forms.length]!;
  if (bytes.length < 20) return joined(input.subarray(0, 1), bytes);
  const view = new DataView(bytes.buffer);
  if (form === 'filter') view.setUint32(0, crc32(bytes.subarray(4)), true);
  else if (form === 'block') view.setUint32(16, crc32(bytes.subarray(20), crc32(bytes.subarray(0, 16))), true);
  else view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), form !== 'index row');
  return joined(input.subarray(0, 1), bytes);
}

/** Rows of a checkpoint, one changed: the load refuses it, or visits what was written. */
class CheckpointTarget implements OpenTarget {
  readonly #good: readonly (readonly [Uint8Array, Uint8Array])[];
  readonly #wanted: string[] = [];

  constructor() {
    const store = new MemoryStore();
    const checkpoint = CheckpointStore.over(() => store);
    const rowsOf = [1, 2, 3].map((i) => ({
      table: i % 2,
      key: Uint8Array.of(i),
      row: new Uint8Array(20 + i).fill(i),
      sequence: i,
    }));
    checkpoint.write(SHARD, rowsOf, { replayFrom: 4, totals: [1, 2, 3] });
    const good: (readonly [Uint8Array, Uint8Array])[] = [];
    store.scan({}, (key, value) => {
      good.push([key.slice(), value.slice()]);
      return true;
    });
    this.#good = good;
    this.#load(store, this.#wanted);
  }

  run(input: Uint8Array): Verdict {
    const store = new MemoryStore();
    const which = (input[0] ?? 0) % this.#good.length;
    const part = ((input[0] ?? 0) >> 4) & 1;
    store.commit((writer) => {
      this.#good.forEach(([key, value], i) => {
        if (i !== which) writer.put(key, value);
        else if (part === 0) writer.put(key, changedBy(value, input.subarray(1)));
        else writer.put(changedBy(key, input.subarray(1, 3)), value);
      });
    });
    const seen: string[] = [];
    if (!this.#load(store, seen)) return 'refused';
    // A key that was changed to that of another table may lie where nobody looks: then the row is missing, and the digest tells.
    const missing = seen.length < this.#wanted.length;
    must(missing || isDeepStrictEqual(seen, this.#wanted), () => `misread: ${seen.join(' ')}`);
    return 'accepted';
  }

  #load(store: MemoryStore, into: string[]): boolean {
    try {
      const meta = CheckpointStore.over(() => store).load(SHARD, (table, key, row, sequence) => {
        into.push(`${table} ${Buffer.from(key).toString('hex')} ${Buffer.from(row).toString('hex')} ${sequence}`);
      });
      into.push(JSON.stringify(meta));
      return meta !== undefined;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'checkpoint_corrupt') return false;
      throw error;
    }
  }
}

/** Exclusive or with the changes: zeros change nothing. */
function changedBy(bytes: Uint8Array, changes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => byte ^ (changes[i] ?? 0));
}

const common = { inputsInCi: 3000, bytesMax: 4000, work: { base: 10_000, perByte: 80 } };

export const targets: readonly FuzzTarget[] = [
  {
    ...common,
    name: 'journal-record',
    reads: 'records of the journal, every kind and version',
    focus: ['journal/records', 'journal/msgpack', 'journal/message-', 'domain/velocity/'],
    seeds: records,
    words: () => [0xcb, 0xce, 0xd2, 0xdc, 0xc4, 0xc6, 0xff].map((lead) => Uint8Array.of(lead, 0xff, 0xff, 0xff, 0xff)),
    open: () => new RecordTarget(),
  },
  {
    ...common,
    name: 'journal-frame',
    reads: 'frames of the journal with their records',
    focus: ['journal/frame', 'journal/records', 'journal/msgpack'],
    seeds: () => [
      frameOf(records().slice(0, 5)),
      frameOf(records().slice(5)),
      ...records().map((record) => frameOf([record])),
    ],
    mutate: mutateFrame,
    open: () => new FrameTarget(),
  },
  {
    ...common,
    name: 'journal-rows',
    reads: 'index rows of the journal; catalogs, metas, filters and blocks of fingerprint segments',
    focus: ['journal/segment-format', 'journal/lane-index'],
    seeds: rows,
    mutate: mutateRow,
    open: () => new RowTarget(),
  },
  {
    ...common,
    name: 'journal-checkpoint',
    reads: 'rows of a checkpoint',
    focus: ['journal/checkpoint'],
    bytesMax: 40,
    seeds: () => [
      new Uint8Array(0),
      Uint8Array.of(0, 1),
      Uint8Array.of(0x13, 2),
      Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7),
    ],
    open: () => new CheckpointTarget(),
  },
];
