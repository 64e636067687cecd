/**
 * The IPM profile as data: which elements a message may have, how its private data are made, what a message is, what it must
 * have. The shape is the one that public tools read (docs/reference/clearing.md); a network that changes it is another table
 * with another version. No element has code of its own.
 *
 * Notation of the elements: src/iso8583/fields.ts. Numbers of DE12 and the like are those of ISO 8583:1993, which IPM follows.
 */
import { type FieldSpec, readFieldSpec } from '../../iso8583/fields.js';
import type { ClearingKind } from '../record.js';

/** How the characters of a part are to be read. A `date` is YYMMDD; a `signed` amount is C or D and digits. */
export type PartType = 'text' | 'digits' | 'date' | 'signed';

export interface PartSpec {
  readonly name: string;
  /** Offset in the value, of a repeated one in its first entry. */
  readonly offset: number;
  readonly length: number;
  readonly type: PartType;
}

export interface PdsSpec {
  readonly tag: number;
  readonly name: string;
  readonly parts: readonly PartSpec[];
  /** Characters of the parts together; 0 when nothing is known of its inside. */
  readonly length: number;
  /** `exact`: as long as its parts. `open`: more may follow. `repeated`: the parts again and again. `prefix`: may end early. */
  readonly form: 'exact' | 'open' | 'repeated' | 'prefix';
}

type PartRow = readonly [name: string, length: number, type?: PartType];
type PdsRow = readonly [tag: number, name: string, form: PdsSpec['form'], ...parts: PartRow[]];

export interface IpmProfileData {
  readonly name: string;
  readonly version: number;
  readonly fields: readonly (readonly [field: number, format: string, name: string])[];
  /** Elements that carry private data, in the order in which they are read as one text. */
  readonly carriers: readonly number[];
  readonly pds: readonly PdsRow[];
  /** Message type and function code. A code that is missing here makes the kind `other`. */
  readonly kinds: Readonly<Record<string, ClearingKind>>;
  /** Message types that move money: their function code must be among the kinds. */
  readonly monetary: readonly number[];
  /** Elements that messages of a kind must have. */
  readonly required: Readonly<Partial<Record<ClearingKind, readonly number[]>>>;
  /** Values of DE25 that mark one of several clearings. */
  readonly partialReasons: readonly string[];
}

const presentment = [3, 4, 24, 31, 49] as const;
const chargeback = [2, 3, 4, 24, 30, 31, 49] as const;

export const ipmV1: IpmProfileData = {
  name: 'ipm',
  version: 1,
  fields: [
    [2, 'n..19', 'Primary account number'],
    [3, 'n6', 'Processing code'],
    [4, 'n12', 'Amount, transaction'],
    [5, 'n12', 'Amount, reconciliation'],
    [6, 'n12', 'Amount, cardholder billing'],
    [9, 'n8', 'Conversion rate, reconciliation'],
    [10, 'n8', 'Conversion rate, cardholder billing'],
    [12, 'n12', 'Date and time, local transaction'],
    [14, 'n4', 'Date, expiration'],
    [22, 'an12', 'Point of service data code'],
    [23, 'an3', 'Card sequence number'],
    [24, 'n3', 'Function code'],
    [25, 'n4', 'Message reason code'],
    [26, 'n4', 'Card acceptor business code'],
    [30, 'n24', 'Amounts, original'],
    [31, 'n..23', 'Acquirer reference data'],
    [32, 'n..11', 'Acquiring institution id'],
    [33, 'n..11', 'Forwarding institution id'],
    [37, 'an12', 'Retrieval reference number'],
    [38, 'an6', 'Approval code'],
    [40, 'an3', 'Service code'],
    [41, 'ans8', 'Card acceptor terminal id'],
    [42, 'ans15', 'Card acceptor id'],
    [43, 'ans..99', 'Card acceptor name and location'],
    [48, 'ans...999', 'Additional data'],
    [49, 'n3', 'Currency code, transaction'],
    [50, 'n3', 'Currency code, reconciliation'],
    [51, 'n3', 'Currency code, cardholder billing'],
    [54, 'ans...120', 'Amounts, additional'],
    [55, 'b...255', 'Integrated circuit card data'],
    [62, 'ans...999', 'Additional data 2'],
    [63, 'ans...16', 'Transaction life cycle id'],
    [71, 'n8', 'Message number'],
    [72, 'ans...999', 'Data record'],
    [73, 'n6', 'Date, action'],
    [93, 'n..11', 'Transaction destination institution id'],
    [94, 'n..11', 'Transaction originator institution id'],
    [95, 'ans..10', 'Card issuer reference data'],
    [100, 'n..11', 'Receiving institution id'],
    [105, 'ans...999', 'Multi-use transaction identification data'],
    [111, 'ans...999', 'Amount, currency conversion assignment'],
    [123, 'ans...999', 'Additional data 3'],
    [124, 'ans...999', 'Additional data 4'],
    [125, 'ans...999', 'Additional data 5'],
    [127, 'ans...999', 'Network data'],
  ],
  carriers: [48, 62, 123, 124, 125],
  pds: [
    [2, 'Product', 'open'],
    [5, 'Message errors', 'repeated', ['element', 5], ['severity', 2], ['error', 4], ['subfield', 3]],
    [23, 'Terminal type', 'open'],
    [25, 'Message reversal', 'prefix', ['indicator', 1], ['original_date', 6, 'date']],
    [105, 'File id', 'exact', ['type', 3], ['date', 6, 'date'], ['processor', 11], ['sequence', 5]],
    [122, 'Processing mode', 'exact', ['mode', 1]],
    [138, 'Source message number', 'open'],
    [
      146,
      'Amounts, transaction fee',
      'repeated',
      ['type', 2],
      ['code', 2],
      ['settlement_flag', 2],
      ['currency', 3, 'digits'],
      ['amount', 12, 'digits'],
      ['settlement_currency', 3, 'digits'],
      ['settlement_amount', 12, 'digits'],
    ],
    [148, 'Currency exponents', 'repeated', ['currency', 3, 'digits'], ['exponent', 1, 'digits']],
    [149, 'Currencies, original amounts', 'exact', ['currency', 3, 'digits'], ['settlement_currency', 3, 'digits']],
    [
      158,
      'Business activity',
      'open',
      ['brand', 3],
      ['level', 1],
      ['service_id', 6],
      ['rate_designator', 2],
      ['business_date', 6, 'date'],
      ['cycle', 2, 'digits'],
    ],
    [
      159,
      'Settlement data',
      'exact',
      ['transfer_agent', 11],
      ['account', 28],
      ['level', 1],
      ['service_id', 10],
      ['fx_class', 1],
      ['reconciliation_date', 6, 'date'],
      ['reconciliation_cycle', 2, 'digits'],
      ['settlement_date', 6, 'date'],
      ['settlement_cycle', 2, 'digits'],
    ],
    [165, 'Settlement indicator', 'open'],
    [262, 'Documentation indicator', 'open'],
    [280, 'Source file id', 'open'],
    [300, 'Reconciled, file', 'open'],
    [301, 'File amount, checksum', 'exact', ['sum', 16, 'digits']],
    [306, 'File message counts', 'exact', ['count', 8, 'digits']],
    [372, 'Reconciled, message type and function code', 'open'],
    [374, 'Reconciled, processing code', 'open'],
    [378, 'Originals or reversals', 'open'],
    [394, 'Amount, net transaction', 'exact', ['amount', 16, 'signed']],
    [395, 'Amount, net fee', 'exact', ['amount', 16, 'signed']],
    [396, 'Amount, net total', 'exact', ['amount', 16, 'signed']],
    [402, 'Count, total', 'exact', ['count', 10, 'digits']],
    [
      501,
      'Transaction description',
      'prefix',
      ['usage', 2],
      ['industry', 3],
      ['occurrence', 3],
      ['message_number', 8, 'digits'],
    ],
  ],
  kinds: {
    '1644/697': 'header',
    '1644/695': 'trailer',
    '1240/200': 'first_presentment',
    '1240/205': 'second_presentment_full',
    '1240/282': 'second_presentment_partial',
    '1442/450': 'chargeback_full',
    '1442/453': 'chargeback_partial',
    '1442/451': 'arbitration_chargeback_full',
    '1442/454': 'arbitration_chargeback_partial',
    '1740/700': 'fee_collection',
    '1740/783': 'fee_collection',
    '1644/685': 'financial_position',
    '1644/688': 'settlement_position',
    '1644/680': 'currency_summary',
    '1644/696': 'addendum',
    '1644/699': 'file_reject',
    '1644/691': 'message_exception',
  },
  monetary: [1240, 1442, 1740],
  required: {
    first_presentment: presentment,
    second_presentment_full: presentment,
    second_presentment_partial: presentment,
    chargeback_full: chargeback,
    chargeback_partial: chargeback,
    arbitration_chargeback_full: chargeback,
    arbitration_chargeback_partial: chargeback,
    fee_collection: [3, 4, 24, 49],
  },
  partialReasons: ['1403'],
};

/** How an element lies in a record. */
export const IpmKind = { none: 0, text: 1, digits: 2, raw: 3 } as const;

/** Highest element. */
export const IPM_FIELD_MAX = 128;

/** A profile compiled into tables by element number. */
export class IpmProfile {
  readonly name: string;
  readonly version: number;
  readonly kind = new Uint8Array(IPM_FIELD_MAX + 1);
  /** Digits of the length: 0 (fixed), 2 or 3. */
  readonly prefix = new Uint8Array(IPM_FIELD_MAX + 1);
  /** Longest value, or the length of a fixed one. */
  readonly max = new Uint16Array(IPM_FIELD_MAX + 1);
  readonly fields = new Map<number, FieldSpec>();
  readonly carriers: readonly number[];
  readonly pds = new Map<number, PdsSpec>();
  readonly kinds = new Map<number, ClearingKind>();
  readonly monetary: ReadonlySet<number>;
  readonly required: IpmProfileData['required'];
  readonly partialReasons: ReadonlySet<string>;

  constructor(data: IpmProfileData) {
    this.name = data.name;
    this.version = data.version;
    this.carriers = data.carriers;
    this.monetary = new Set(data.monetary);
    this.required = data.required;
    this.partialReasons = new Set(data.partialReasons);
    for (const row of data.fields) {
      const spec = readFieldSpec(...row);
      const i = spec.field;
      this.fields.set(i, spec);
      this.kind[i] = spec.type === 'b' ? IpmKind.raw : spec.type === 'n' ? IpmKind.digits : IpmKind.text;
      this.prefix[i] = spec.form === 'fixed' ? 0 : spec.form === 'LL' ? 2 : 3;
      this.max[i] = spec.max;
    }
    for (const row of data.pds) this.pds.set(row[0], readPds(row));
    for (const [key, kind] of Object.entries(data.kinds)) this.kinds.set(Number(key.replace('/', '')), kind);
  }

  kindOf(mti: number, functionCode: number): ClearingKind {
    return this.kinds.get(mti * 1000 + functionCode) ?? 'other';
  }

  /** A part of a subelement by its name. @throws RangeError when the profile does not have it */
  part(tag: number, name: string): PartSpec {
    const part = this.pds.get(tag)?.parts.find((one) => one.name === name);
    if (part === undefined) throw new RangeError(`${this.name} ${this.version}: PDS${tag} has no ${name}`);
    return part;
  }
}

function readPds([tag, name, form, ...rows]: PdsRow): PdsSpec {
  const parts: PartSpec[] = [];
  let offset = 0;
  for (const [part, length, type = 'text'] of rows) {
    parts.push({ name: part, offset, length, type });
    offset += length;
  }
  return { tag, name, parts, length: offset, form };
}

export const ipmProfile = new IpmProfile(ipmV1);
