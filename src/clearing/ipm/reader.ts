/** An IPM file in chunks: container, messages, rules and totals in one pass. */
import { createHash } from 'node:crypto';
import { CLEARING_FINDINGS_MAX } from '../../limits.js';
import { type DescribedRecord, describeIpm } from '../describe.js';
import { encoding } from '../encoding.js';
import { Findings } from '../findings.js';
import { RdwReader } from '../rdw-reader.js';
import type { ClearingReader, ClearingReport, ReadOptions } from '../reader.js';
import { ClearingTotals } from '../totals.js';
import { IpmMessage } from './message.js';
import { ipmProfile } from './profile.js';
import { IpmRecord } from './record.js';
import { IpmRules } from './rules.js';

export class IpmReader implements ClearingReader {
  readonly record: IpmRecord;
  readable = false;
  /** The message behind the record, for descriptions and for writing it again. */
  readonly message: IpmMessage;
  readonly #rdw: RdwReader;
  readonly #findings = new Findings(CLEARING_FINDINGS_MAX);
  readonly #totals = new ClearingTotals();
  readonly #rules: IpmRules;
  readonly #hash = createHash('sha256');
  readonly #options: ReadOptions;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#rdw = new RdwReader(options.blocked);
    this.message = new IpmMessage(ipmProfile, encoding(options.encoding));
    this.record = new IpmRecord(this.message);
    this.#rules = new IpmRules(this.#rdw, this.message, this.record, this.#findings, this.#totals, options.mode);
  }

  push(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#rdw.push(chunk);
  }

  next(): boolean {
    const rdw = this.#rdw;
    if (!rdw.next()) return false;
    this.record.recordNumber = rdw.record;
    this.record.offset = rdw.offset;
    this.readable = this.message.decode(rdw.bytes, rdw.start, rdw.end);
    if (this.#rules.hopeless) return true;
    if (this.readable) this.#rules.check();
    else this.#rules.malformed();
    return true;
  }

  describe(): DescribedRecord {
    return describeIpm(this.message, this.record);
  }

  finish(): ClearingReport {
    this.#rdw.finish();
    if (!this.#rules.hopeless) this.#rules.finish();
    const { list, errors, warnings } = this.#findings;
    const { messages, sums, amountSum, settlements } = this.#totals;
    return {
      format: 'ipm',
      profile: `${ipmProfile.name} ${ipmProfile.version}`,
      encoding: this.#options.encoding,
      blocked: this.#options.blocked,
      accepted: errors === 0,
      errors,
      warnings,
      findings: list,
      bytes: this.#rdw.watch.bytes,
      sha256: this.#hash.digest('hex'),
      records: this.#rdw.record,
      fileId: this.#rules.fileId,
      mode: this.#rules.mode,
      messages,
      sums,
      amountSum,
      settlements,
    };
  }
}
