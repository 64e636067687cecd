/**
 * Writes IPM messages: the elements of a message, as text, to a record in any encoding. What a reader decoded is written back
 * byte for byte, because elements are kept as they were, private data included.
 */
import type { Encoding } from '../encoding.js';
import type { IpmMessage } from './message.js';
import { IPM_FIELD_MAX, IpmKind, type IpmProfile } from './profile.js';

/** Elements by number; 0 is the message type. DE55 has one character per byte. */
export type IpmElements = Readonly<Record<number, string>>;

const HEAD_BYTES = 20;
const CARRIER_MAX = 999;

/** A message that cannot be written. It says nothing of the content. */
export class IpmWriteError extends Error {
  readonly field: string;

  constructor(field: string, reason: string) {
    super(`${field}: ${reason}`);
    this.name = 'IpmWriteError';
    this.field = field;
  }
}

/**
 * Writes a message to `target` from its beginning and returns its length.
 * @throws IpmWriteError for an element that the profile does not have, or that does not fit it
 * @throws RangeError for a character that is not in Latin-1, or a target that is too short
 */
export function encodeMessage(
  profile: IpmProfile,
  encoding: Encoding,
  elements: IpmElements,
  target: Uint8Array,
): number {
  const mti = elements[0] ?? '';
  if (!/^\d{4}$/.test(mti)) throw new IpmWriteError('MTI', 'not four digits');
  encoding.put(mti, target, 0);
  target.fill(0, 4, HEAD_BYTES);
  target[4] = 0x80;
  let at = HEAD_BYTES;
  for (const key of Object.keys(elements)) {
    const field = Number(key);
    if (field === 0) continue;
    const name = `DE${field}`;
    const kind = field <= IPM_FIELD_MAX ? profile.kind[field] : IpmKind.none;
    if (kind === undefined || kind === IpmKind.none) throw new IpmWriteError(name, 'no element of the profile');
    const value = elements[field]!;
    const max = profile.max[field]!;
    const prefix = profile.prefix[field]!;
    if (prefix === 0 ? value.length !== max : value.length > max) {
      throw new IpmWriteError(name, `${value.length} characters, ${prefix === 0 ? 'exactly' : 'at most'} ${max}`);
    }
    if (kind === IpmKind.digits && !/^\d*$/.test(value)) throw new IpmWriteError(name, 'not all digits');
    if (at + prefix + value.length > target.length) throw new RangeError('the message is too long');
    target[4 + ((field - 1) >> 3)]! |= 0x80 >> ((field - 1) & 7);
    if (prefix > 0) at += encoding.put(String(value.length).padStart(prefix, '0'), target, at);
    if (kind === IpmKind.raw) {
      for (let i = 0; i < value.length; i++) target[at + i] = value.charCodeAt(i);
      at += value.length;
    } else at += encoding.put(value, target, at);
  }
  return at;
}

/** The elements of a decoded message. */
export function elementsOf(message: IpmMessage): Record<number, string> {
  const elements: Record<number, string> = { 0: String(message.mti).padStart(4, '0') };
  message.each((field) => {
    elements[field] = message.text(field);
  });
  return elements;
}

/**
 * Private data as elements: subelements ascending, each whole in one carrier, the carriers filled one after the other.
 * @throws IpmWriteError when one is too long, or all of them are
 */
export function carryPds(profile: IpmProfile, pds: Readonly<Record<number, string>>): Record<number, string> {
  const elements: Record<number, string> = {};
  let carrier = 0;
  for (const key of Object.keys(pds)) {
    const value = pds[Number(key)]!;
    const name = `PDS${key.padStart(4, '0')}`;
    if (!/^\d{1,4}$/.test(key)) throw new IpmWriteError(name, 'no subelement');
    const part = key.padStart(4, '0') + String(value.length).padStart(3, '0') + value;
    if (part.length > CARRIER_MAX) throw new IpmWriteError(name, `${value.length} characters`);
    let field = profile.carriers[carrier];
    if (field !== undefined && (elements[field]?.length ?? 0) + part.length > CARRIER_MAX) {
      field = profile.carriers[++carrier];
    }
    if (field === undefined) throw new IpmWriteError(name, 'no room in the elements of private data');
    elements[field] = (elements[field] ?? '') + part;
  }
  return elements;
}
