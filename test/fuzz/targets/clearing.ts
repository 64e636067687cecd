/**
 * Clearing files of both formats. The first byte of an input chooses encoding and blocks, the second the size of the chunks. Held against
 * every input: the report and the records do not depend on the cuts; each finding names a rule, and a place inside the file; an accepted
 * file is one that a file writer could have written (no error, its own counts); neither report nor descriptions show a card number.
 */
import { CtfFileWriter } from '#src/clearing/ctf/writer.js';
import { type EncodingName, encoding, encodingNames } from '#src/clearing/encoding.js';
import { findingSpecs } from '#src/clearing/findings.js';
import { IpmMessage } from '#src/clearing/ipm/message.js';
import { ipmProfile } from '#src/clearing/ipm/profile.js';
import { RdwReader } from '#src/clearing/rdw-reader.js';
import { RdwWriter } from '#src/clearing/rdw-writer.js';
import { type ClearingReport, openClearing, type ReadOptions } from '#src/clearing/reader.js';
import { reportJson } from '#src/clearing/report-json.js';
import { chargeback, DAY, ipmFile, purchase, readFile, refund, reversed, someRecords } from '../../clearing/files.js';
import type { Random } from '../../crash/random.js';
import { joined, mutateBytes } from '../mutators.js';
import { type FuzzTarget, latin1, must, type OpenTarget, type Verdict } from '../target.js';

const PAN = '9999990000000014';
const HEAD = 2;

const optionsOf = (format: ReadOptions['format'], input: Uint8Array): ReadOptions =>
  format === 'ctf'
    ? { format, encoding: 'ascii', blocked: false, mode: 'any' }
    : {
        format,
        encoding: encodingNames[((input[0] ?? 0) & 0x7f) % encodingNames.length]!,
        blocked: ((input[0] ?? 0) & 0x80) !== 0,
        mode: 'any',
      };

/** What a decoder that reads too far would believe: digits of both encodings, filling, and neither. */
const poisons = [0x00, 0x31, 0xf1, 0xff];

class ClearingTarget implements OpenTarget {
  readonly #format: ReadOptions['format'];
  readonly #messages = Object.fromEntries(
    encodingNames.map((name) => [name, new IpmMessage(ipmProfile, encoding(name))]),
  ) as Record<EncodingName, IpmMessage>;

  constructor(format: ReadOptions['format']) {
    this.#format = format;
  }

  run(input: Uint8Array): Verdict {
    const options = optionsOf(this.#format, input);
    const file = input.subarray(HEAD);
    const whole = readFile(file, options);
    const cut = readFile(file, options, 1 + (input[1] ?? 0));
    const text = JSON.stringify(reportJson(whole.report));
    must(text === JSON.stringify(reportJson(cut.report)), () => `depends on the cuts: ${text}`);
    const records = JSON.stringify(whole.records);
    must(records === JSON.stringify(cut.records), () => `records depend on the cuts: ${records}`);
    this.#placesOf(whole.report, file.length);
    this.#describes(options, file);
    if (this.#format === 'ipm') this.#records(options, file);
    return whole.report.accepted ? 'accepted' : 'refused';
  }

  #placesOf(report: ClearingReport, bytes: number): void {
    must(report.bytes === bytes, () => `${report.bytes} bytes read of ${bytes}`);
    must(report.accepted === (report.errors === 0), () => 'accepted with errors, or refused without');
    must(report.accepted || report.findings.length > 0, () => 'refused without a finding');
    for (const finding of report.findings) {
      must(finding.code in findingSpecs, () => `no such rule: ${finding.code}`);
      const inside = finding.offset >= 0 && finding.offset <= bytes && finding.record >= 0;
      must(inside, () => `${finding.code} outside of the file: record ${finding.record}, offset ${finding.offset}`);
      must(finding.record <= report.records + 1, () => `${finding.code} in record ${finding.record}`);
    }
    // What a finding quotes is what the profile has: names, never a card number.
    const findings = JSON.stringify(report.findings);
    must(!findings.includes(PAN), () => findings);
  }

  /** Each message is read by its own bytes alone, whatever lies around it. */
  #records(options: ReadOptions, file: Uint8Array): void {
    for (const bytes of recordsOf(file, options.blocked).slice(0, 4)) {
      const said = poisons.map((poison, i) => allOf(this.#messages[options.encoding], bytes, 3 + i, poison));
      for (const one of said) must(one === said[0], () => `depends on its surroundings: ${one}`);
    }
  }

  #describes(options: ReadOptions, file: Uint8Array): void {
    const reader = openClearing(options);
    reader.push(file);
    while (reader.next()) {
      if (!reader.readable) continue;
      const text = JSON.stringify(reader.describe());
      must(!text.includes(PAN) || reader.record.pan !== PAN, () => `the description shows the number: ${text}`);
    }
    reader.finish();
  }
}

/** All that a decoder says of a message. */
function allOf(message: IpmMessage, bytes: Uint8Array, before: number, poison: number): string {
  const place = new Uint8Array(bytes.length + 40).fill(poison);
  place.set(bytes, before);
  const good = message.decode(place, before, before + bytes.length);
  must(good === (message.error === undefined), () => 'result and error disagree');
  must(message.errorOffset >= 0 && message.errorOffset <= bytes.length, () => 'error out of bounds');
  let out = `${good} ${message.mti} ${message.error} ${message.errorField} ${message.errorOffset} ${message.errorTag}`;
  message.each((field) => {
    const start = message.start(field) - before;
    must(start >= 0 && start + message.length(field) <= bytes.length, () => `DE${field} reaches outside`);
    out += ` ${field}:${start}:${message.text(field)}:${message.number(field)}`;
  });
  for (let i = 0; i < message.pdsCount; i++) out += ` ${message.pdsTag(i)}=${message.pdsText(message.pdsTag(i))}`;
  return out;
}

/** Records of an IPM file as far as they can be read. */
function recordsOf(file: Uint8Array, blocked: boolean): Uint8Array[] {
  const out: Uint8Array[] = [];
  const reader = new RdwReader(blocked);
  reader.push(file);
  while (reader.next()) out.push(reader.bytes.slice(reader.start, reader.end));
  return out;
}

/** Drops, doubles, exchanges and changes records, and writes them in a container that is right. */
function mutateIpm(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const records = recordsOf(input.subarray(HEAD), ((input[0] ?? 0) & 0x80) !== 0);
  if (records.length === 0) return input;
  const more = recordsOf(other.subarray(HEAD), ((other[0] ?? 0) & 0x80) !== 0);
  const at = random.int(0, records.length - 1);
  switch (random.int(0, 5)) {
    case 0:
      records.splice(at, 1);
      break;
    case 1:
      records.splice(at, 0, records[at]!);
      break;
    case 2:
      records.splice(at, 0, ...more.slice(0, 3));
      break;
    default:
      records[at] = mutateBytes(random, records[at]!, more[0] ?? records[at]!, words(), 4000);
  }
  const head = input.slice(0, HEAD);
  if (random.chance(0.1)) head[0]! ^= 0x80;
  const pieces: Uint8Array[] = [];
  const writer = new RdwWriter((head[0]! & 0x80) !== 0, (bytes) => pieces.push(Uint8Array.from(bytes)));
  for (const record of records) if (record.length > 0 && record.length < 6000) writer.record(record);
  writer.finish();
  return joined(head, Buffer.concat(pieces));
}

/** Drops, doubles and exchanges lines, and writes into one. */
function mutateCtf(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const lines = Buffer.from(input.subarray(HEAD)).toString('latin1').split('\n');
  const more = Buffer.from(other.subarray(HEAD)).toString('latin1').split('\n');
  const at = random.int(0, lines.length - 1);
  const line = lines[at]!;
  const place = random.int(0, line.length);
  switch (random.int(0, 4)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, line);
      break;
    case 2:
      lines.splice(at, 0, random.pick(more));
      break;
    default:
      lines[at] = `${line.slice(0, place)}${random.pick(['0', '9', ' ', 'X', '00000', PAN])}`
        .padEnd(line.length, line.slice(place + 1))
        .slice(0, line.length);
  }
  return joined(input.subarray(0, HEAD), latin1(lines.join('\n')));
}

const words = (): Uint8Array[] =>
  [
    '1240',
    '1644',
    '1442',
    '1740',
    '200',
    '697',
    '695',
    '685',
    '0105',
    '0301',
    '0306',
    '0158',
    PAN,
    '@@',
    '\r\n',
    '05',
    '90',
    '92',
  ]
    .map(latin1)
    .concat([Uint8Array.of(0, 0, 0, 0), Uint8Array.of(0x40, 0x40, 0x40, 0x40)]);

function ctfFile(): Uint8Array {
  const sale = {
    kind: 'first_presentment',
    ...{ pan: PAN, processingCode: '000000', transactionType: 0, amount: 4200, currency: 978 },
    ...{
      settlementAmount: 4536,
      settlementCurrency: 840,
      arn: '29999996328000000000017',
      localDay: DAY,
      businessDay: DAY + 1,
    },
  } as const;
  const pieces: Uint8Array[] = [];
  const options = { bin: '999999', day: DAY, number: 1, mode: 'T' } as const;
  const writer = new CtfFileWriter(options, (bytes) => pieces.push(Uint8Array.from(bytes)));
  writer.write(sale);
  writer.write({
    ...sale,
    processingCode: '200000',
    transactionType: 20,
    networkId: '466329000000042',
    text: 'A MESSAGE',
  });
  writer.endBatch();
  writer.write({ ...sale, kind: 'chargeback_full' });
  writer.finish();
  return Buffer.concat(pieces);
}

export const targets: readonly FuzzTarget[] = [
  {
    name: 'clearing-ipm',
    reads: 'IPM files in every encoding, in blocks and without',
    focus: ['clearing/'],
    inputsInCi: 700,
    bytesMax: 9000,
    work: { base: 60_000, perByte: 200 },
    seeds: () =>
      encodingNames
        .flatMap((name, i) => [
          joined(Uint8Array.of(i, 61), ipmFile([purchase, chargeback], name, false)),
          joined(Uint8Array.of(0x80 + i, 250), ipmFile([refund, reversed], name, true)),
        ])
        .concat([joined(Uint8Array.of(0, 13), ipmFile(someRecords))]),
    words,
    mutate: mutateIpm,
    open: () => new ClearingTarget('ipm'),
  },
  {
    name: 'clearing-ctf',
    reads: 'CTF files',
    focus: ['clearing/'],
    inputsInCi: 700,
    bytesMax: 9000,
    work: { base: 60_000, perByte: 200 },
    seeds: () => [joined(Uint8Array.of(0, 61), ctfFile())],
    words,
    mutate: mutateCtf,
    open: () => new ClearingTarget('ctf'),
  },
];
