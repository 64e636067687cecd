/** A CTF file in chunks: lines, transactions, rules and totals in one pass. */
import { createHash } from 'node:crypto';
import { currencyExponent } from '../../domain/currencies.js';
import { CLEARING_FINDINGS_MAX } from '../../limits.js';
import { type DescribedRecord, describeCtf } from '../describe.js';
import { encoding } from '../encoding.js';
import { type FindingCode, Findings } from '../findings.js';
import type { ClearingReader, ClearingReport, ReadOptions } from '../reader.js';
import { ClearingTotals, direction } from '../totals.js';
import { LineReader } from './lines.js';
import { CTF_LINE, ctfProfile } from './profile.js';
import { CtfRecord, dayInYear } from './record.js';

const ascii = encoding('ascii');
const ebcdic = encoding('cp500');

/** What the trailer of a batch or file counts, up to and with itself; the header is not counted. */
class Counts {
  monetary = 0;
  components = 0;
  transactions = 0;
  source = 0n;
  destination = 0n;

  clear(): void {
    this.monetary = 0;
    this.components = 0;
    this.transactions = 0;
    this.source = 0n;
    this.destination = 0n;
  }
}

export class CtfReader implements ClearingReader {
  record = new CtfRecord();
  readable = false;
  /** The record that is being put together while `record` is looked at. */
  #next = new CtfRecord();
  #open = false;
  #component = 0;

  readonly #options: ReadOptions;
  readonly #lines = new LineReader();
  readonly #findings = new Findings(CLEARING_FINDINGS_MAX);
  readonly #totals = new ClearingTotals();
  readonly #hash = createHash('sha256');
  readonly #batch = new Counts();
  readonly #file = new Counts();
  #bin = '';
  #fileId = '';
  #mode = '';
  #headerSeen = false;
  #trailerSeen = false;
  #unreadable = false;
  #hopeless = false;
  /** A line that begins the record behind the one that `next` gave. */
  #held = false;

  /** @throws RangeError for another encoding than ASCII, and for blocks: such a file has lines */
  constructor(options: ReadOptions) {
    if (options.encoding !== 'ascii' || options.blocked) throw new RangeError('CTF files are lines of ASCII');
    this.#options = options;
  }

  push(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#lines.push(chunk);
  }

  next(): boolean {
    for (;;) {
      if (this.#held) {
        this.#held = false;
        if (this.#begin()) return true;
      }
      if (!this.#lines.next()) return false;
      if (this.#takeLine()) return true;
    }
  }

  describe(): DescribedRecord {
    return describeCtf(this.record);
  }

  finish(): ClearingReport {
    if (this.#lines.finish()) {
      if (this.#takeLine()) {
        if (this.#held) this.#begin();
      }
    }
    if (this.#open) this.#emit();
    const { number, bytes } = this.#lines;
    if (!this.#hopeless) {
      if (number === 0) this.#findings.add('empty_file', 0, 0);
      else if (!this.#trailerSeen) this.#findings.add('trailer_missing', number, this.#lines.offset);
    }
    const { list, errors, warnings } = this.#findings;
    const { messages, sums, amountSum, settlements } = this.#totals;
    return {
      format: 'ctf',
      profile: `${ctfProfile.name} ${ctfProfile.version}`,
      encoding: this.#options.encoding,
      blocked: false,
      accepted: errors === 0,
      errors,
      warnings,
      findings: list,
      bytes,
      sha256: this.#hash.digest('hex'),
      records: number,
      fileId: this.#fileId,
      mode: this.#mode,
      messages,
      sums,
      amountSum,
      settlements,
    };
  }

  /** Looks at a line; true when a record is whole. */
  #takeLine(): boolean {
    const { line, length, number, offset } = this.#lines;
    if (this.#hopeless) return false;
    if (number === 1 && ebcdic.digits(line, 0, 2) >= 0) {
      this.#hopeless = true;
      this.#findings.add('ebcdic_as_ascii', 1, offset);
      return false;
    }
    if (length !== CTF_LINE) {
      this.#findings.add('line_length', number, offset, '', `${length} characters`);
      this.#unreadable = true;
      return false;
    }
    const code = ascii.digits(line, 0, 2);
    if (code < 0) {
      this.#findings.add('field_content', number, offset, 'transaction code');
      this.#unreadable = true;
      return false;
    }
    const component = code === 90 ? 0 : ascii.digits(line, 3, 1);
    if (component !== 0) {
      this.#addComponent(code, component);
      return false;
    }
    if (!this.#open) return this.#begin();
    this.#held = true;
    return this.#emit();
  }

  /** Begins a record with the line; true when it is whole with that. */
  #begin(): boolean {
    const { line, number, offset } = this.#lines;
    this.#next.begin(line, number, offset);
    this.#open = true;
    this.#component = 0;
    const { layout } = this.#next.code;
    return layout === 'header' || layout === 'trailer' ? this.#emit() : false;
  }

  #addComponent(code: number, component: number): void {
    const { line, number, offset } = this.#lines;
    const fits = this.#open && code === this.#next.messageType && component > this.#component;
    if (!fits) {
      this.#findings.add('component_order', number, offset, component < 0 ? 'TCR' : `TCR${component}`);
      this.#unreadable = true;
      return;
    }
    this.#component = component;
    this.#next.add(component, line);
    this.#batch.components++;
    this.#file.components++;
  }

  /** The open record becomes the one that is read. */
  #emit(): true {
    const done = this.#next;
    this.#next = this.record;
    this.record = done;
    this.#next.year = done.year;
    this.#open = false;
    this.readable = true;
    this.#check(done);
    return true;
  }

  #add(code: FindingCode, field = '', detail = ''): void {
    this.#findings.add(code, this.record.recordNumber, this.record.offset, field, detail);
  }

  #check(record: CtfRecord): void {
    const { kind } = record;
    const first = record.recordNumber === 1;
    if (first && kind !== 'header') this.#add('header_missing');
    if (this.#headerSeen && kind === 'header') this.#add('header_repeated');
    if (this.#trailerSeen) this.#add('record_after_trailer');
    if (kind === 'header') this.#checkHeader(record);
    else this.#count(record);
    if (direction(record) !== 0) this.#checkContent(record);
    this.#totals.add(record);
    if (kind === 'batch_trailer') {
      this.#checkTrailer(record, this.#batch);
      this.#batch.clear();
    } else if (kind === 'trailer') {
      this.#trailerSeen = true;
      if (record.field('processing_bin') !== this.#bin) this.#add('file_id_mismatch', 'processing_bin');
      this.#checkTrailer(record, this.#file);
    }
  }

  #checkHeader(record: CtfRecord): void {
    this.#headerSeen = true;
    this.#bin = record.field('processing_bin');
    this.#fileId = record.fileId;
    const date = record.number('file_date');
    const year = 2000 + Math.floor(date / 1000);
    if (!/^\d{6}$/.test(this.#bin) || date < 0) this.#add('file_id_malformed', 'processing_bin, file_date');
    else if (dayInYear(year, date % 1000) < 0) this.#add('date_malformed', 'file_date');
    else {
      record.year = year;
      this.#next.year = year;
    }
    this.#mode = record.field('test_option') === 'TEST' ? 'T' : 'P';
    const { mode } = this.#options;
    if (mode !== 'any' && mode !== this.#mode) this.#add('mode_mismatch', 'test_option');
  }

  #count(record: CtfRecord): void {
    for (const counts of [this.#batch, this.#file]) {
      counts.components++;
      counts.transactions++;
      if (record.code.processingCode === '') continue;
      counts.monetary++;
      counts.source += BigInt(Math.max(record.amount, 0));
      counts.destination += BigInt(Math.max(record.settlementAmount, 0));
    }
  }

  #checkTrailer(record: CtfRecord, counts: Counts): void {
    if (this.#unreadable) return;
    this.#compare(record, 'count', 'monetary_count', BigInt(counts.monetary));
    this.#compare(record, 'count', 'component_count', BigInt(counts.components));
    this.#compare(record, 'count', 'transaction_count', BigInt(counts.transactions));
    this.#compare(record, 'amount_sum', 'source_sum', counts.source);
    this.#compare(record, 'amount_sum', 'destination_sum', counts.destination);
  }

  #compare(record: CtfRecord, what: 'count' | 'amount_sum', name: string, sum: bigint): void {
    const said = record.number(name);
    if (said < 0) this.#add(`${what}_malformed`, name);
    else if (BigInt(said) !== sum) this.#add(`${what}_mismatch`, name, `${said} in the trailer, ${sum} in the file`);
  }

  #checkContent(record: CtfRecord): void {
    const draft = record.code.layout === 'draft';
    if (draft && !/^\d{13,19}$/.test(record.pan)) this.#add('pan_missing', 'account_number');
    if (draft && !/^\d{23}$/.test(record.arn)) this.#add('field_missing', 'acquirer_reference_number');
    for (const [amount, currency] of [
      ['source_amount', 'source_currency'],
      ['destination_amount', 'destination_currency'],
    ] as const) {
      if (record.number(amount) < 0) this.#add('field_content', amount);
      else if (currencyExponent(record.number(currency)) < 0) this.#add('amount_without_currency', currency);
    }
    if (record.businessDay < 0) this.#add('date_malformed', 'processing_date');
    if (record.localDay < 0) this.#add('date_malformed', 'purchase_date');
  }
}
