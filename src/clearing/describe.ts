/**
 * A record of a clearing file for human eyes: part by part, with names, and with everything hidden that must not be seen.
 * The card number shows its first six and last four digits, wherever it stands; chip data are never shown; free texts are
 * masked like those of a message on the wire (src/iso8583/describe.ts), with every long run of digits.
 */
import { maskedText, OwnNumber, printable } from '../iso8583/describe.js';
import { maskPan } from '../pan-mask.js';
import { ctfProfile, type Place } from './ctf/profile.js';
import type { CtfRecord } from './ctf/record.js';
import type { IpmMessage } from './ipm/message.js';
import type { PdsSpec } from './ipm/profile.js';
import type { IpmRecord } from './ipm/record.js';
import { pdsName } from './ipm/rules.js';
import type { ClearingKind } from './record.js';

export interface DescribedPart {
  readonly name: string;
  readonly value: string;
}

export interface DescribedField {
  /** Such as `DE4`, `PDS0146`, `TCR0 62-73`. */
  readonly field: string;
  readonly name: string;
  /** Masked; characters that do not print are `\xNN`. */
  readonly value: string;
  readonly parts?: readonly DescribedPart[];
}

export interface DescribedRecord {
  readonly record: number;
  readonly offset: number;
  /** Message type and function code, such as `1240/200`; a transaction code such as `05`. '' when unreadable. */
  readonly type: string;
  readonly kind: ClearingKind;
  readonly fields: readonly DescribedField[];
}

const HIDDEN = '(hidden)';
/** Elements in which anything may stand: every long run of digits is masked. */
const freeElements: ReadonlySet<number> = new Set([43, 54, 72, 105, 111, 127]);
const freeFields: ReadonlySet<string> = new Set(['text', 'merchant_name', 'merchant_city']);

const shown = (masked: string | undefined): string => (masked === undefined ? HIDDEN : printable(masked));

/** A message that the reader could read. */
export function describeIpm(message: IpmMessage, record: IpmRecord): DescribedRecord {
  const own = new OwnNumber(message.text(2));
  const fields: DescribedField[] = [];
  message.each((field) => {
    if (message.profile.carriers.includes(field)) return;
    fields.push({
      field: `DE${field}`,
      name: message.profile.fields.get(field)!.name,
      value: elementValue(message, field, own),
    });
  });
  for (let place = 0; place < message.pdsCount; place++) fields.push(describePds(message, message.pdsTag(place), own));
  const { messageType, functionCode } = record;
  const type = `${String(messageType).padStart(4, '0')}/${functionCode < 0 ? '---' : String(functionCode).padStart(3, '0')}`;
  return { record: record.recordNumber, offset: record.offset, type, kind: record.kind, fields };
}

function elementValue(message: IpmMessage, field: number, own: OwnNumber): string {
  if (field === 55) return HIDDEN;
  if (field === 2) return maskPan(message.text(2));
  const text = message.text(field);
  return shown(freeElements.has(field) ? maskedText(text, own) : own.mask(text));
}

function describePds(message: IpmMessage, tag: number, own: OwnNumber): DescribedField {
  const spec = message.profile.pds.get(tag);
  const text = message.pdsText(tag);
  const field = pdsName(tag);
  // Of a subelement that the profile does not name nobody knows what it holds.
  if (spec === undefined) return { field, name: 'not in the profile', value: shown(maskedText(text, own)) };
  const value = shown(own.mask(text));
  const parts = spec.length > 0 && spec.parts.length > 1 ? pdsParts(spec, text, own) : [];
  return { field, name: spec.name, value, ...(parts.length > 0 ? { parts } : {}) };
}

function pdsParts(spec: PdsSpec, text: string, own: OwnNumber): DescribedPart[] {
  const parts: DescribedPart[] = [];
  const entries = spec.form === 'repeated' ? Math.floor(text.length / spec.length) : 1;
  for (let entry = 0; entry < entries; entry++) {
    for (const { name, offset, length } of spec.parts) {
      const at = entry * spec.length + offset;
      if (at >= text.length) break;
      const value = shown(own.mask(text.slice(at, at + length)));
      parts.push({ name: entries > 1 ? `${name} ${entry + 1}` : name, value });
    }
  }
  return parts;
}

/** A transaction; of components that the profile does not name nothing is shown. */
export function describeCtf(record: CtfRecord): DescribedRecord {
  const own = new OwnNumber(record.pan.replace(/\D/g, '').slice(0, 19));
  const fields: DescribedField[] = [];
  const layout: Readonly<Record<string, Place>> = ctfProfile.layouts[record.code.layout];
  const known = new Set([0]);
  for (const [name, [component, from, length]] of Object.entries(layout)) {
    known.add(component);
    const text = record.field(name);
    if (text === '') continue;
    const value =
      name === 'account_number'
        ? maskPan(text)
        : name === 'account_number_extension' && /[1-9]/.test(text)
          ? HIDDEN
          : shown(freeFields.has(name) ? maskedText(text, own) : own.mask(text));
    const field = `TCR${component} ${from}-${from + length - 1}`;
    fields.push({ field, name: name.replaceAll('_', ' '), value });
  }
  for (let component = 1; component < 10; component++) {
    if (!known.has(component) && record.hasComponent(component)) {
      fields.push({ field: `TCR${component}`, name: 'not in the profile', value: HIDDEN });
    }
  }
  const type = String(record.messageType).padStart(2, '0');
  return { record: record.recordNumber, offset: record.offset, type, kind: record.kind, fields };
}

/** A record as lines of text. */
export function describedText({ record, offset, type, kind, fields }: DescribedRecord): string {
  const lines = [`record ${record}, byte ${offset}: ${type} ${kind.replaceAll('_', ' ')}`];
  for (const { field, name, value, parts } of fields) {
    lines.push(`  ${field.padEnd(13)}${name.padEnd(42)} ${value}`);
    for (const part of parts ?? []) lines.push(`${''.padEnd(15)}  ${part.name.padEnd(40)} ${part.value}`);
  }
  return lines.join('\n');
}
