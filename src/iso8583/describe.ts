/**
 * A message for human eyes: field by field, with names, and with everything hidden that must not be seen. This is what may
 * go to a log, a trace or a support ticket.
 *
 *   2, account numbers in texts        first 6 and last 4 digits: in 43 all, in every other field the message's own
 *   34 35 36 45 52 55 96               hidden wholly (tracks, PIN, chip data, security code)
 *   48                                 tag by tag; the CVV2 (92) and the address (82) hidden, and all of it when it is
 *                                      not made of tags, because then nobody knows what it holds
 *   44 46 47 56-63 102-127             shown; account numbers in them masked; hidden when they look like track data
 *
 * A malformed field shows its number, offset and reason, never its content.
 */
import { MESSAGE_BYTES_MAX } from '../limits.js';
import { maskDigits, maskPan, maskPans, TextMask } from '../pan-mask.js';
import { Decoder, decodeReasonText } from './decoder.js';
import { type DialectName, dialect } from './dialects.js';
import { fieldSpec } from './fields.js';
import { mtiName, mtiText } from './mti.js';
import { readOwnNumber } from './own-number.js';
import { AmountType, AmountWalker, PrivateTag, TagWalker } from './private-data.js';

export interface DescribedPart {
  /** Such as `tag 20` or `balance 1`. */
  readonly part: string;
  readonly name: string;
  readonly value: string;
}

export interface DescribedField {
  readonly field: number;
  readonly name: string;
  /** The standard's notation, such as `n..19`. */
  readonly format: string;
  /** Digits, characters or bytes. */
  readonly length: number;
  /** Masked; characters that do not print are `\xNN`. */
  readonly value: string;
  readonly parts?: readonly DescribedPart[];
}

export interface DescribedMessage {
  readonly dialect: DialectName;
  readonly bytes: number;
  /** Four digits; empty when unreadable. */
  readonly mti: string;
  readonly name: string;
  readonly fields: readonly DescribedField[];
  /** The first error, when the message is malformed; `fields` then has what could be read. */
  readonly error?: { readonly field: number; readonly offset: number; readonly reason: string };
}

const HIDDEN = '(hidden)';
/** Fields that are never shown. */
export const hiddenFields: ReadonlySet<number> = new Set([34, 35, 36, 45, 52, 55, 96]);
const hiddenTags = new Set<number>([PrivateTag.cvv2, PrivateTag.addressCheck]);

const tagNames: Record<number, string> = {
  [PrivateTag.function]: 'function',
  [PrivateTag.threeDSecure]: '3-D Secure level',
  [PrivateTag.terminal]: 'terminal capabilities',
  [PrivateTag.originalNetworkId]: 'network id of the original',
  [PrivateTag.holdReference]: 'hold reference',
  [PrivateTag.addressCheck]: 'address check request',
  [PrivateTag.addressResult]: 'address check result',
  [PrivateTag.adviceReason]: 'advice reason',
  [PrivateTag.cvv2Result]: 'CVV2 result',
  [PrivateTag.cvv2]: 'CVV2',
};

const amountNames: Record<number, string> = {
  [AmountType.ledger]: 'ledger',
  [AmountType.available]: 'available',
  [AmountType.cashBack]: 'cash back',
  [AmountType.original]: 'original amount',
};

/** Describes the message that fills `bytes`, masked. Never throws for what `bytes` holds. */
export function describe(name: DialectName, bytes: Uint8Array): DescribedMessage {
  const decoder = new Decoder(dialect(name));
  const good = decoder.decode(bytes, 0, bytes.length);
  const readable = good || decoder.errorField > 0;
  const fields: DescribedField[] = [];
  const own = new OwnNumber(decoder);
  decoder.each((field) => fields.push(describeField(decoder, field, own)));
  return {
    dialect: name,
    bytes: bytes.length,
    mti: readable ? mtiText(decoder.mti) : '',
    name: readable ? mtiName(decoder.mti) : 'unreadable',
    fields,
    ...(good
      ? {}
      : {
          error: {
            field: decoder.errorField,
            offset: decoder.errorOffset,
            reason: decodeReasonText(decoder.errorReason),
          },
        }),
  };
}

/** The description as lines of text, the last one the error if there is one. */
export function describeText(name: DialectName, bytes: Uint8Array): string {
  const message = describe(name, bytes);
  const lines = [`${message.mti || '????'} ${message.name} (${message.dialect}, ${message.bytes} bytes)`];
  for (const field of message.fields) {
    const label = `DE${field.field}`.padEnd(6);
    lines.push(`${label}${field.name.padEnd(46)} ${field.format.padEnd(10)} ${field.value}`);
    for (const part of field.parts ?? [])
      lines.push(`        ${part.part.padEnd(12)}${part.name.padEnd(32)} ${part.value}`);
  }
  if (message.error !== undefined) {
    const { field, offset, reason } = message.error;
    const where = field === 0 ? 'MTI' : field === 1 ? 'bitmap' : `DE${field}`;
    lines.push(`error: ${where}, byte ${offset}: ${reason}`);
  }
  return lines.join('\n');
}

/** Masks the message's own account number in the texts of its fields. */
export class OwnNumber {
  readonly #mask = new TextMask(MESSAGE_BYTES_MAX);

  /** @param number the digits, or the message that has them */
  constructor(number: Decoder | string) {
    if (number instanceof Decoder) readOwnNumber(number, this.#mask);
    else for (const digit of Buffer.from(number)) this.#mask.addDigit(digit);
  }

  /** `free`: also every other account number. */
  mask(text: string, free = false): string {
    const bytes = Buffer.from(text, 'latin1');
    this.#mask.mask(bytes, 0, bytes.length, free);
    return bytes.toString('latin1');
  }
}

function describeField(decoder: Decoder, field: number, own: OwnNumber): DescribedField {
  const spec = fieldSpec(field)!;
  const base = { field, name: spec.name, format: spec.format, length: decoder.size(field) };
  if (hiddenFields.has(field)) return { ...base, value: HIDDEN };
  const text = decoder.text(field);
  if (field === 2) return { ...base, value: maskPan(text) };
  if (field === 48) return { ...base, ...describeTags(decoder, own) };
  if (field === 54) return { ...base, ...describeAmounts(decoder, text, own) };
  if (field === 90) {
    // 42 digits have room for a card number, across the parts too.
    const masked = own.mask(text);
    return { ...base, value: masked, parts: describeOriginal(masked) };
  }
  // Sixteen hex digits may be those of the card number.
  if (spec.type === 'b') return { ...base, value: own.mask(hex(text)) };
  return { ...base, value: shown(maskedField(field, text, own)) };
}

/** True for fields in which anything may stand. */
function isFreeText(field: number, length: number): boolean {
  if (field === 44 || field === 46 || field === 47 || (field >= 56 && field <= 62) || field >= 102) return true;
  // DE63 of up to 15 characters is the network's identifier of the message, which may be all digits.
  return field === 63 && length > 15;
}

/** Content of a text field with its account numbers masked, as long as it was; undefined when all of it is hidden. */
export function maskedField(field: number, text: string, own: OwnNumber): string | undefined {
  return isFreeText(field, text.length) ? maskedText(text, own) : own.mask(text, field === 43);
}

/** The value of a tag of DE48 with its account numbers masked; undefined when it is hidden. */
export function maskedTag(tag: number, value: string, own: OwnNumber): string | undefined {
  return tagNames[tag] === undefined || hiddenTags.has(tag) ? undefined : maskedText(value, own);
}

function shown(masked: string | undefined): string {
  return masked === undefined ? HIDDEN : printable(masked);
}

function describeTags(decoder: Decoder, own: OwnNumber): { value: string; parts?: DescribedPart[] } {
  const parts: DescribedPart[] = [];
  const walker = new TagWalker();
  walker.reset(decoder.bytes, decoder.start(48), decoder.length(48));
  while (walker.next()) {
    let value = '';
    for (let i = 0; i < walker.length; i++) value += String.fromCharCode(walker.byteAt(i));
    const { tag } = walker;
    const name = tagNames[tag] ?? 'unknown';
    parts.push({ part: `tag ${String(tag).padStart(2, '0')}`, name, value: shown(maskedTag(tag, value, own)) });
  }
  return walker.broken ? { value: HIDDEN } : { value: `${parts.length} tags`, parts };
}

function describeAmounts(decoder: Decoder, text: string, own: OwnNumber): { value: string; parts?: DescribedPart[] } {
  const parts: DescribedPart[] = [];
  const walker = new AmountWalker();
  walker.reset(decoder.bytes, decoder.start(54), decoder.length(54));
  while (walker.next()) {
    const value = `${walker.amount} minor units of ${String(walker.currency).padStart(3, '0')}`;
    const name = amountNames[walker.amountType] ?? `type ${walker.amountType}`;
    parts.push({ part: `amount ${parts.length + 1}`, name, value });
  }
  // Groups whose digits spell the message's own number are shown as any text is, and not one by one.
  const plain = !walker.broken && own.mask(text) === text;
  return plain ? { value: printable(text), parts } : { value: shown(maskedText(text, own)) };
}

function describeOriginal(text: string): DescribedPart[] {
  return [
    { part: 'original', name: 'message type', value: text.slice(0, 4) },
    { part: 'original', name: 'trace number', value: text.slice(4, 10) },
    { part: 'original', name: 'transmission date and time', value: text.slice(10, 20) },
    { part: 'original', name: 'acquirer', value: text.slice(20, 31) },
    { part: 'original', name: 'forwarder', value: text.slice(31, 42) },
  ];
}

/**
 * Masks every run of 13 digits and more, and card numbers in any grouping; undefined when a number heads track data, so that
 * the whole text is hidden.
 */
export function maskedText(text: string, own: OwnNumber): string | undefined {
  if (/\d{13,19}[=D]\d|%?B\d{13,19}\^/.test(text)) return undefined;
  return maskDigits(maskPans(own.mask(text)));
}

/** The text with everything that does not print as its hex code. */
export function printable(text: string): string {
  // Everything but printable ASCII without the backslash.
  return text.replace(/[^\x20-\x5b\x5d-\x7e]/g, (char) =>
    char === '\\' ? '\\\\' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function hex(text: string): string {
  return Array.from(text, (char) => char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()).join('');
}
