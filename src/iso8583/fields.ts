/**
 * The data elements of ISO 8583:1987 as data. The notation is the standard's own:
 *
 *   n6       six digits              an12   twelve letters or digits       ans40  forty printable characters
 *   n..19    up to 19, LL prefix     ans...999  up to 999, LLL prefix      b8     eight bytes
 *   z..37    track 2 characters (digits and one separator)                 x+n8   sign C or D, then eight digits
 *
 * How a type looks on the wire (BCD or ASCII, raw or hex) is not said here but by the dialect (dialects.ts). Number 1 is
 * the secondary bitmap and 65 the bitmap extension, which these dialects do not have: neither is a field.
 */

/** Content of a field, as the standard names it. */
export type FieldType = 'n' | 'an' | 'ans' | 'b' | 'z' | 'x+n';
/** Fixed length, or variable with a prefix of two or three digits. */
export type FieldForm = 'fixed' | 'LL' | 'LLL';

export interface FieldSpec {
  /** 2 to 128. */
  readonly field: number;
  readonly name: string;
  /** The notation, such as `n..19`. */
  readonly format: string;
  readonly type: FieldType;
  readonly form: FieldForm;
  /** Fixed length, or longest value: digits, characters (the sign of x+n included) or bytes (b). */
  readonly max: number;
  /** Fixed fields shorter than `max` are filled on this side with this character; variable fields never are. */
  readonly pad: { readonly side: 'left' | 'right'; readonly char: string } | undefined;
}

const table: readonly (readonly [field: number, format: string, name: string])[] = [
  [2, 'n..19', 'Primary account number'],
  [3, 'n6', 'Processing code'],
  [4, 'n12', 'Amount, transaction'],
  [5, 'n12', 'Amount, settlement'],
  [6, 'n12', 'Amount, cardholder billing'],
  [7, 'n10', 'Transmission date and time'],
  [8, 'n8', 'Amount, cardholder billing fee'],
  [9, 'n8', 'Conversion rate, settlement'],
  [10, 'n8', 'Conversion rate, cardholder billing'],
  [11, 'n6', 'Systems trace audit number'],
  [12, 'n6', 'Time, local transaction'],
  [13, 'n4', 'Date, local transaction'],
  [14, 'n4', 'Date, expiration'],
  [15, 'n4', 'Date, settlement'],
  [16, 'n4', 'Date, conversion'],
  [17, 'n4', 'Date, capture'],
  [18, 'n4', "Merchant's type"],
  [19, 'n3', 'Acquiring institution country code'],
  [20, 'n3', 'PAN extended, country code'],
  [21, 'n3', 'Forwarding institution country code'],
  [22, 'n3', 'Point of service entry mode'],
  [23, 'n3', 'Card sequence number'],
  [24, 'n3', 'Network international identifier'],
  [25, 'n2', 'Point of service condition code'],
  [26, 'n2', 'Point of service PIN capture code'],
  [27, 'n1', 'Authorization identification response length'],
  [28, 'x+n8', 'Amount, transaction fee'],
  [29, 'x+n8', 'Amount, settlement fee'],
  [30, 'x+n8', 'Amount, transaction processing fee'],
  [31, 'x+n8', 'Amount, settlement processing fee'],
  [32, 'n..11', 'Acquiring institution identification code'],
  [33, 'n..11', 'Forwarding institution identification code'],
  [34, 'ans..28', 'Primary account number, extended'],
  [35, 'z..37', 'Track 2 data'],
  [36, 'ans...104', 'Track 3 data'],
  [37, 'an12', 'Retrieval reference number'],
  [38, 'an6', 'Authorization identification response'],
  [39, 'an2', 'Response code'],
  [40, 'an3', 'Service restriction code'],
  [41, 'ans8', 'Card acceptor terminal identification'],
  [42, 'ans15', 'Card acceptor identification code'],
  [43, 'ans40', 'Card acceptor name and location'],
  [44, 'ans..25', 'Additional response data'],
  [45, 'ans..76', 'Track 1 data'],
  [46, 'ans...999', 'Additional data, ISO'],
  [47, 'ans...999', 'Additional data, national'],
  [48, 'ans...999', 'Additional data, private'],
  [49, 'an3', 'Currency code, transaction'],
  [50, 'an3', 'Currency code, settlement'],
  [51, 'an3', 'Currency code, cardholder billing'],
  [52, 'b8', 'PIN data'],
  [53, 'n16', 'Security related control information'],
  [54, 'an...120', 'Additional amounts'],
  [55, 'b...255', 'Integrated circuit card data'],
  [56, 'ans...999', 'Reserved, ISO'],
  [57, 'ans...999', 'Reserved, national'],
  [58, 'ans...999', 'Reserved, national'],
  [59, 'ans...999', 'Reserved, national'],
  [60, 'ans...999', 'Reserved, private'],
  [61, 'ans...999', 'Reserved, private'],
  [62, 'ans...999', 'Reserved, private'],
  [63, 'ans...999', 'Network transaction identifier'],
  [64, 'b8', 'Message authentication code'],
  [66, 'n1', 'Settlement code'],
  [67, 'n2', 'Extended payment code'],
  [68, 'n3', 'Receiving institution country code'],
  [69, 'n3', 'Settlement institution country code'],
  [70, 'n3', 'Network management information code'],
  [71, 'n4', 'Message number'],
  [72, 'n4', 'Message number, last'],
  [73, 'n6', 'Date, action'],
  [74, 'n10', 'Credits, number'],
  [75, 'n10', 'Credits, reversal number'],
  [76, 'n10', 'Debits, number'],
  [77, 'n10', 'Debits, reversal number'],
  [78, 'n10', 'Transfer, number'],
  [79, 'n10', 'Transfer, reversal number'],
  [80, 'n10', 'Inquiries, number'],
  [81, 'n10', 'Authorizations, number'],
  [82, 'n12', 'Credits, processing fee amount'],
  [83, 'n12', 'Credits, transaction fee amount'],
  [84, 'n12', 'Debits, processing fee amount'],
  [85, 'n12', 'Debits, transaction fee amount'],
  [86, 'n16', 'Credits, amount'],
  [87, 'n16', 'Credits, reversal amount'],
  [88, 'n16', 'Debits, amount'],
  [89, 'n16', 'Debits, reversal amount'],
  [90, 'n42', 'Original data elements'],
  [91, 'an1', 'File update code'],
  [92, 'an2', 'File security code'],
  [93, 'an5', 'Response indicator'],
  [94, 'an7', 'Service indicator'],
  [95, 'an42', 'Replacement amounts'],
  [96, 'b8', 'Message security code'],
  [97, 'x+n16', 'Amount, net settlement'],
  [98, 'ans25', 'Payee'],
  [99, 'n..11', 'Settlement institution identification code'],
  [100, 'n..11', 'Receiving institution identification code'],
  [101, 'ans..17', 'File name'],
  [102, 'ans..28', 'Account identification 1'],
  [103, 'ans..28', 'Account identification 2'],
  [104, 'ans...100', 'Transaction description'],
  [105, 'ans...999', 'Reserved, ISO'],
  [106, 'ans...999', 'Reserved, ISO'],
  [107, 'ans...999', 'Reserved, ISO'],
  [108, 'ans...999', 'Reserved, ISO'],
  [109, 'ans...999', 'Reserved, ISO'],
  [110, 'ans...999', 'Reserved, ISO'],
  [111, 'ans...999', 'Reserved, ISO'],
  [112, 'ans...999', 'Reserved, national'],
  [113, 'ans...999', 'Reserved, national'],
  [114, 'ans...999', 'Reserved, national'],
  [115, 'ans...999', 'Reserved, national'],
  [116, 'ans...999', 'Reserved, national'],
  [117, 'ans...999', 'Reserved, national'],
  [118, 'ans...999', 'Reserved, national'],
  [119, 'ans...999', 'Reserved, national'],
  [120, 'ans...999', 'Reserved, private'],
  [121, 'ans...999', 'Reserved, private'],
  [122, 'ans...999', 'Reserved, private'],
  [123, 'ans...999', 'Reserved, private'],
  [124, 'ans...999', 'Reserved, private'],
  [125, 'ans...999', 'Reserved, private'],
  [126, 'ans...999', 'Reserved, private'],
  [127, 'ans...999', 'Reserved, private'],
  [128, 'b8', 'Message authentication code, secondary'],
];

const formatPattern = /^(n|ans?|b|z|x\+n)(\.\.\.?)?(\d{1,3})$/;

/** A field out of its row. @throws RangeError for a format that is none */
export function readFieldSpec(field: number, format: string, name: string): FieldSpec {
  const match = formatPattern.exec(format);
  if (match === null) throw new RangeError(`field ${field}: unreadable format ${format}`);
  const type = match[1] as FieldType;
  const form: FieldForm = match[2] === undefined ? 'fixed' : match[2].length === 2 ? 'LL' : 'LLL';
  const max = Number(match[3]) + (type === 'x+n' ? 1 : 0);
  const text = type === 'an' || type === 'ans';
  const pad =
    form !== 'fixed' || type === 'b' ? undefined : ({ side: text ? 'right' : 'left', char: text ? ' ' : '0' } as const);
  return { field, name, format, type, form, max, pad };
}

/** Highest field number of the two bitmaps. */
export const FIELD_MAX = 128;

/** Every field, ascending; 1 and 65 are not fields. */
export const fieldSpecs: readonly FieldSpec[] = table.map((row) => readFieldSpec(...row));

const byNumber = new Map(fieldSpecs.map((spec) => [spec.field, spec]));

/** The field's specification, or undefined for a number that is no field. */
export function fieldSpec(field: number): FieldSpec | undefined {
  return byNumber.get(field);
}
