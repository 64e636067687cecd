/**
 * Identifiers of a message against the texts of rules, byte by byte and without making strings. Trailing blanks of a field
 * are padding; institution ids lose their leading zeros (as everywhere: src/domain/texts.ts). A text that is absent, or all
 * blanks, is unknown.
 */
import type { MessageInput } from '../message.js';

/** Outcome of a test: the place of its branch in an instruction. */
export const HOLDS = 0;
export const FAILS = 1;
export const UNKNOWN = 2;

const SPACE = 0x20;
const ZERO = 0x30;

/** Added to a `Text` where the field is the id of an institution. */
export const INSTITUTION = 16;
const TEXT_MASK = INSTITUTION - 1;

/** Texts of rules, one behind the other: text i lies in `bytes` from `starts[i]` to `starts[i + 1]`. */
export interface TextPool {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
}

function endOf(input: MessageInput, field: number): number {
  const which = field & TEXT_MASK;
  const at = input.textAt[which]!;
  let end = at + input.textLength[which]!;
  while (end > at && input.text[end - 1] === SPACE) end--;
  return end;
}

function startOf(input: MessageInput, field: number, end: number): number {
  let at = input.textAt[field & TEXT_MASK]!;
  // One digit stays: an id of zeros is an id, not an absent one.
  if (field >= INSTITUTION) while (at < end - 1 && input.text[at] === ZERO) at++;
  return at;
}

export function hasText(input: MessageInput, field: number): boolean {
  return endOf(input, field) > input.textAt[field & TEXT_MASK]!;
}

export function equalsText(input: MessageInput, field: number, pool: TextPool, which: number): number {
  const end = endOf(input, field);
  const start = startOf(input, field, end);
  if (start === end) return UNKNOWN;
  return order(input.text, start, end, pool, which) === 0 ? HOLDS : FAILS;
}

/** Halves the sorted texts `first` to `first + count - 1`. */
export function inTexts(input: MessageInput, field: number, pool: TextPool, first: number, count: number): number {
  const end = endOf(input, field);
  const start = startOf(input, field, end);
  if (start === end) return UNKNOWN;
  let low = first;
  let high = first + count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const sign = order(input.text, start, end, pool, middle);
    if (sign === 0) return HOLDS;
    if (sign < 0) high = middle - 1;
    else low = middle + 1;
  }
  return FAILS;
}

/** Shorter before longer, then by bytes: negative when the field's text comes before text `which`. */
function order(text: Uint8Array, start: number, end: number, pool: TextPool, which: number): number {
  const at = pool.starts[which]!;
  const length = pool.starts[which + 1]! - at;
  if (end - start !== length) return end - start - length;
  for (let i = 0; i < length; i++) {
    const difference = text[start + i]! - pool.bytes[at + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

export function startsWithText(input: MessageInput, field: number, pool: TextPool, which: number): number {
  const end = endOf(input, field);
  const start = startOf(input, field, end);
  if (start === end) return UNKNOWN;
  return agrees(input.text, start, end, pool, which) ? HOLDS : FAILS;
}

export function containsText(input: MessageInput, field: number, pool: TextPool, which: number): number {
  const end = endOf(input, field);
  const start = startOf(input, field, end);
  if (start === end) return UNKNOWN;
  const { text } = input;
  const first = pool.bytes[pool.starts[which]!]!;
  for (let at = start; at < end; at++) if (text[at] === first && agrees(text, at, end, pool, which)) return HOLDS;
  return FAILS;
}

/** True when text `which` stands at `at`, all of it before `end`. */
function agrees(text: Uint8Array, at: number, end: number, pool: TextPool, which: number): boolean {
  const from = pool.starts[which]!;
  const length = pool.starts[which + 1]! - from;
  if (length > end - at) return false;
  for (let i = 0; i < length; i++) if (text[at + i] !== pool.bytes[from + i]) return false;
  return true;
}
