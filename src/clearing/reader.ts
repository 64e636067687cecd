/**
 * What all profiles share: a clearing file read in chunks of any size, in constant memory. One pass over all of a file
 * validates it; what a pass gives before its end is not yet known to be of an accepted file, so who posts reads twice:
 * first everything with `readClearing`, then the records.
 *
 *   const report = await readClearing(createReadStream(path), options);
 *   if (report.accepted) for await (const record of clearingRecords(createReadStream(path), options)) post(record);
 */

import { BlockWatch } from './blocks.js';
import { CtfReader } from './ctf/reader.js';
import type { DescribedRecord } from './describe.js';
import { type EncodingName, encoding } from './encoding.js';
import type { Finding } from './findings.js';
import { IpmReader } from './ipm/reader.js';
import type { FileMode } from './ipm/rules.js';
import type { ClearingRecord } from './record.js';
import type { CurrencySums, SettlementGroup } from './totals.js';

export const clearingFormats = ['ipm', 'ctf'] as const;
export type ClearingFormat = (typeof clearingFormats)[number];

export interface ReadOptions {
  readonly format: ClearingFormat;
  readonly encoding: EncodingName;
  /** In 1014-byte blocks (IPM). */
  readonly blocked: boolean;
  /** What the header must say. */
  readonly mode: FileMode;
}

/** What a pass over a file found. Amounts are minor units, not of one direction. */
export interface ClearingReport {
  readonly format: ClearingFormat;
  /** Profile and version. */
  readonly profile: string;
  readonly encoding: EncodingName;
  readonly blocked: boolean;
  /** No errors: the file may be posted. */
  readonly accepted: boolean;
  readonly errors: number;
  readonly warnings: number;
  /** The first ones, at most CLEARING_FINDINGS_MAX; the first error names the outcome. */
  readonly findings: readonly Finding[];
  readonly bytes: number;
  /** Of the bytes of the file as it came, lower-case hex. */
  readonly sha256: string;
  readonly records: number;
  /** As the header says it; '' when there is none. */
  readonly fileId: string;
  readonly mode: string;
  /** Records by message type and function code, such as `1240/200`. */
  readonly messages: Readonly<Record<string, number>>;
  readonly sums: readonly CurrencySums[];
  /** Sum of all transaction amounts, over all currencies. */
  readonly amountSum: bigint;
  readonly settlements: readonly SettlementGroup[];
}

/**
 * A cursor over the records of a file: `push` a chunk, `next` until it is false, the next chunk, and `finish` at the end. The
 * chunk must not change until `next` is false.
 */
export interface ClearingReader {
  /** The record that `next` went to, valid until it is called again. */
  readonly record: ClearingRecord;
  /** False: the record is malformed, a finding says how, and nothing but its number and offset counts. */
  readonly readable: boolean;
  push(chunk: Uint8Array): void;
  next(): boolean;
  finish(): ClearingReport;
  /** The readable record for human eyes, masked. */
  describe(): DescribedRecord;
}

/** @throws RangeError for a combination that there is not: CTF files are ASCII without blocks */
export function openClearing(options: ReadOptions): ClearingReader {
  return options.format === 'ctf' ? new CtfReader(options) : new IpmReader(options);
}

/** Reads all of a file and says what is wrong with it. @throws what the source throws */
export async function readClearing(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ReadOptions,
): Promise<ClearingReport> {
  const reader = openClearing(options);
  for await (const chunk of source) {
    reader.push(chunk);
    while (reader.next());
  }
  return reader.finish();
}

/** The readable records of a file, one after the other: each is valid until the next one is asked for. */
export async function* clearingRecords(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ReadOptions,
): AsyncGenerator<ClearingRecord> {
  const reader = openClearing(options);
  for await (const chunk of source) {
    reader.push(chunk);
    while (reader.next()) if (reader.readable) yield reader.record;
  }
}

/** What a file looks like, by all of its bytes. */
export interface DetectedFile {
  readonly format: ClearingFormat;
  /** EBCDIC is cp500 here: a file does not tell its code page. */
  readonly encoding: EncodingName;
  readonly blocked: boolean;
}

/** What somebody says of a file; `auto` is what it looks like. `ebcdic` is code page 500. */
export interface WantedOptions {
  readonly format: ClearingFormat | 'auto';
  readonly encoding: EncodingName | 'ebcdic' | 'auto';
  readonly blocked: boolean | 'auto';
  readonly mode: FileMode;
}

/** The options with what the file looks like in place of `auto`. */
export function chooseOptions(wanted: WantedOptions, detected: DetectedFile): ReadOptions {
  const format = wanted.format === 'auto' ? detected.format : wanted.format;
  const named = wanted.encoding === 'ebcdic' ? 'cp500' : wanted.encoding;
  // What was detected is of the format that was detected; a CTF file is ASCII without blocks.
  const seen: DetectedFile = format === 'ctf' ? { format, encoding: 'ascii', blocked: false } : detected;
  return {
    format,
    encoding: named === 'auto' ? seen.encoding : named,
    blocked: wanted.blocked === 'auto' ? seen.blocked : wanted.blocked,
    mode: wanted.mode,
  };
}

/** Bytes of the head that are looked at: a length and a message type. */
const HEAD_BYTES = 8;

/** Looks at a file that passes by: the beginning for the characters, the end of every block for the container. */
export class ClearingDetector {
  readonly #watch = new BlockWatch();
  readonly #head = new Uint8Array(HEAD_BYTES);

  push(chunk: Uint8Array): void {
    const at = this.#watch.bytes;
    if (at < HEAD_BYTES) this.#head.set(chunk.subarray(0, HEAD_BYTES - at), at);
    this.#watch.push(chunk);
  }

  finish(): DetectedFile {
    // A length of 0x39303030 no record has, so a file that begins with the digits of a CTF header is one.
    if (this.#head[0] === 0x39 && this.#head[1] === 0x30) return { format: 'ctf', encoding: 'ascii', blocked: false };
    const ebcdic = encoding('cp500').digits(this.#head, 4, 4) >= 0;
    return { format: 'ipm', encoding: ebcdic ? 'cp500' : 'ascii', blocked: this.#watch.looksBlocked };
  }
}

/** Reads all of a file to see what it is. @throws what the source throws */
export async function detectClearing(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<DetectedFile> {
  const detector = new ClearingDetector();
  for await (const chunk of source) detector.push(chunk);
  return detector.finish();
}
