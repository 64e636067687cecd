/**
 * What can be wrong with a clearing file: every code once, with the rule that it belongs to. docs/reference/clearing.md lists
 * them; a test holds the two against each other. A file with an error is refused whole; a warning is told and changes nothing.
 */

interface FindingSpec {
  /** The rule that the code is about. Several codes may be about one rule. */
  readonly rule:
    | 'container'
    | 'encoding'
    | 'structure'
    | 'order'
    | 'numbering'
    | 'file id'
    | 'sums'
    | 'mode'
    | 'content';
  readonly severity: 'error' | 'warning';
  readonly text: string;
}

export const findingSpecs = {
  empty_file: { rule: 'container', severity: 'error', text: 'the file has no record' },
  record_truncated: { rule: 'container', severity: 'error', text: 'the file ends inside a record' },
  record_too_short: {
    rule: 'container',
    severity: 'error',
    text: 'the length of the record is less than a message has',
  },
  record_too_long: {
    rule: 'container',
    severity: 'error',
    text: 'the length of the record is more than a message has',
  },
  record_length_wrong: {
    rule: 'container',
    severity: 'error',
    text: 'the length of the record is not that of its message: what follows is no record',
  },
  length_is_filler: {
    rule: 'container',
    severity: 'error',
    text: 'the length of the record is the filling of blocks, 0x40404040',
  },
  blocked_as_unblocked: {
    rule: 'container',
    severity: 'error',
    text: 'the file is made of 1014-byte blocks and was read as one that is not',
  },
  unblocked_as_blocked: {
    rule: 'container',
    severity: 'error',
    text: 'the file was read as one of 1014-byte blocks and is not made of them',
  },
  block_truncated: { rule: 'container', severity: 'error', text: 'the last block is not whole' },
  block_filler: { rule: 'container', severity: 'error', text: 'a block does not end with 0x4040' },
  end_missing: { rule: 'container', severity: 'warning', text: 'there is no length of zero behind the last record' },
  bytes_after_end: {
    rule: 'container',
    severity: 'warning',
    text: 'bytes behind the length of zero were ignored, and they are no filling',
  },
  line_length: { rule: 'container', severity: 'error', text: 'the line is not 168 characters long' },

  ebcdic_as_ascii: { rule: 'encoding', severity: 'error', text: 'the file is EBCDIC and was read as ASCII' },
  ascii_as_ebcdic: { rule: 'encoding', severity: 'error', text: 'the file is ASCII and was read as EBCDIC' },

  mti_malformed: { rule: 'structure', severity: 'error', text: 'the message type is not four digits' },
  bitmap_malformed: { rule: 'structure', severity: 'error', text: 'the bitmap does not name its second half' },
  field_unknown: {
    rule: 'structure',
    severity: 'error',
    text: 'the bitmap names an element that the profile does not have',
  },
  field_length: { rule: 'structure', severity: 'error', text: 'the length of the element is not made of digits' },
  field_too_long: { rule: 'structure', severity: 'error', text: 'the element is longer than the profile allows' },
  field_truncated: {
    rule: 'structure',
    severity: 'error',
    text: 'the record ends inside an element that the bitmap names',
  },
  field_content: { rule: 'structure', severity: 'error', text: 'the element is not all digits' },
  bytes_left_over: { rule: 'structure', severity: 'error', text: 'bytes are left over behind the last element' },
  pds_malformed: {
    rule: 'structure',
    severity: 'error',
    text: 'the private data are not made of tag, length and value',
  },
  pds_repeated: { rule: 'structure', severity: 'error', text: 'a private data subelement is there twice' },
  component_order: {
    rule: 'structure',
    severity: 'error',
    text: 'the record does not continue the transaction before it',
  },

  header_missing: { rule: 'order', severity: 'error', text: 'the first message is not a file header' },
  header_repeated: { rule: 'order', severity: 'error', text: 'a second file header' },
  trailer_missing: { rule: 'order', severity: 'error', text: 'the last message is not a file trailer' },
  record_after_trailer: { rule: 'order', severity: 'error', text: 'a message behind the file trailer' },

  number_missing: { rule: 'numbering', severity: 'error', text: 'the message has no number (DE71)' },
  number_first: { rule: 'numbering', severity: 'error', text: 'the number of the header (DE71) is not 00000001' },
  number_order: { rule: 'numbering', severity: 'error', text: 'the number of the message (DE71) does not rise' },

  file_id_malformed: {
    rule: 'file id',
    severity: 'error',
    text: 'the file id is missing or malformed',
  },
  file_id_mismatch: {
    rule: 'file id',
    severity: 'error',
    text: 'the file id of the trailer is not that of the header',
  },
  file_id_posted: {
    rule: 'file id',
    severity: 'error',
    text: 'another file has been posted under this id',
  },

  count_malformed: { rule: 'sums', severity: 'error', text: 'a count of the trailer is missing or not all digits' },
  count_mismatch: { rule: 'sums', severity: 'error', text: 'a count of the trailer is not that of the messages' },
  amount_sum_malformed: {
    rule: 'sums',
    severity: 'error',
    text: 'an amount of the trailer is missing or not all digits',
  },
  amount_sum_mismatch: {
    rule: 'sums',
    severity: 'error',
    text: 'an amount of the trailer is not the sum of the messages',
  },

  mode_malformed: {
    rule: 'mode',
    severity: 'error',
    text: 'the header does not say whether the file is production or test',
  },
  mode_mismatch: { rule: 'mode', severity: 'error', text: 'a test file for production, or the reverse' },

  function_unknown: {
    rule: 'content',
    severity: 'error',
    text: 'a message that moves money with a function code (DE24) that the profile does not have',
  },
  pan_missing: { rule: 'content', severity: 'error', text: 'a presentment or chargeback without a card number' },
  field_missing: {
    rule: 'content',
    severity: 'error',
    text: 'an element that messages of this kind must have is not there',
  },
  amount_without_currency: { rule: 'content', severity: 'error', text: 'an amount without a currency of ISO 4217' },
  settlement_cycle: {
    rule: 'content',
    severity: 'warning',
    text: 'a settlement cycle above 15: the record is posted, and its settlement is not told apart from others',
  },
  date_malformed: { rule: 'content', severity: 'error', text: 'a date or time that does not exist' },
  pds_content: { rule: 'content', severity: 'error', text: 'a private data subelement is not as its layout says' },
} as const satisfies Record<string, FindingSpec>;

export type FindingCode = keyof typeof findingSpecs;

/** One thing that is wrong, and where. It says nothing of the content of the file. */
export interface Finding {
  readonly code: FindingCode;
  readonly rule: FindingSpec['rule'];
  readonly severity: FindingSpec['severity'];
  /** Number of the record, from 1; 0 when it is about the file. */
  readonly record: number;
  /** Offset in the file of the byte at which it shows. */
  readonly offset: number;
  /** Such as `DE4`, `PDS0105`, `TCR0 62-73`; '' when it is about no field. */
  readonly field: string;
  readonly text: string;
}

/** Findings in the order of the file: the first ones, and the number of all. */
export class Findings {
  readonly list: Finding[] = [];
  errors = 0;
  warnings = 0;
  readonly #max: number;

  /** @param max findings that are kept */
  constructor(max: number) {
    this.#max = max;
  }

  add(code: FindingCode, record: number, offset: number, field = '', detail = ''): void {
    const { rule, severity, text } = findingSpecs[code];
    if (severity === 'error') this.errors++;
    else this.warnings++;
    if (this.list.length >= this.#max) return;
    this.list.push({ code, rule, severity, record, offset, field, text: detail === '' ? text : `${text}: ${detail}` });
  }

  /** A finding of this record turns out to be a sign of something else: it gets this code. */
  amend(from: readonly FindingCode[], record: number, code: FindingCode): void {
    const place = this.list.findIndex((finding) => finding.record === record && from.includes(finding.code));
    const found = this.list[place];
    if (found === undefined) return;
    const { rule, text } = findingSpecs[code];
    this.list[place] = { ...found, code, rule, text: `${text} (${found.text})` };
  }

  /** Forgets all of them: they were consequences of the one that is added. */
  replace(code: FindingCode, record: number, offset: number, detail = ''): void {
    this.list.length = 0;
    this.errors = 0;
    this.warnings = 0;
    this.add(code, record, offset, '', detail);
  }
}
