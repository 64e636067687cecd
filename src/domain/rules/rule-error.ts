/**
 * Why a rule was refused, as a value: a stable code, a sentence that says what was expected, and the place in the text or in
 * the JSON document. docs/reference/rules.md lists the codes (a test holds the two lists together).
 */
import { maskDigits } from '../../pan-mask.js';
import { hint } from '../../suggest.js';

export const ruleErrorCodes = [
  'too_long',
  'bad_character',
  'unterminated_text',
  'bad_number',
  'unexpected',
  'mixed_and_or',
  'too_deep',
  'list_too_long',
  'unknown_field',
  'unknown_window',
  'unknown_word',
  'wrong_type',
  'out_of_range',
  'always_present',
  'bad_response',
  'bad_reason',
  'too_costly',
  'bad_json',
] as const;
export type RuleErrorCode = (typeof ruleErrorCodes)[number];

/** A part of a text: 0-based offset and length in UTF-16 units. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** A place for people and editors: line and column count from 1, offset from 0. */
export interface TextPlace extends Span {
  readonly line: number;
  readonly column: number;
}

/** A place in a JSON document (RFC 6901). */
export interface JsonPlace {
  readonly pointer: string;
}

export interface RuleError<Place> {
  readonly code: RuleErrorCode;
  /** One line: what is wrong, what was expected and, where a name is near, what was probably meant. */
  readonly message: string;
  readonly at: Place;
}

/** A node of the tree, or one property of it. */
export interface NodePart {
  readonly node: object;
  readonly key?: string;
}

type Where = Span | NodePart | JsonPlace;

/** Leaves the parser or the check; caught at their borders, where it becomes a `RuleError`. It never gets out. */
export class Refusal extends Error {
  readonly code: RuleErrorCode;
  readonly where: Where;

  constructor(code: RuleErrorCode, where: Where, message: string) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
    this.where = where;
  }
}

/** Refuses a name that is none of `known`. */
export function unknownName(
  code: RuleErrorCode,
  where: Where,
  what: string,
  name: string,
  known: Iterable<string>,
): Refusal {
  const names = [...known];
  const near = hint(name, names) || extended(name, names);
  return new Refusal(code, where, `there is no ${what} ${shown(name)}${near}`);
}

/** A name that was left unfinished, or written without its first part: `card.age`, `limit`. */
function extended(name: string, known: readonly string[]): string {
  if (name.length < 2) return '';
  const longer = known.find((one) => one.startsWith(name) || one.endsWith(`.${name}`));
  return longer === undefined ? '' : ` (did you mean ${longer}?)`;
}

const SHOWN_MAX = 40;

/** A piece of input as it may stand in a message: one line, not long, and no card number. What the message says itself stays whole. */
export function shown(text: string): string {
  const clean = maskDigits(text.replace(/[^\x20-\x7e]/g, '?'));
  return clean.length > SHOWN_MAX ? `${clean.slice(0, SHOWN_MAX)}...` : clean;
}

/** Line and column of an offset. */
export function placeOf(text: string, { offset, length }: Span): TextPlace {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', start)) {
    line++;
    start = at + 1;
  }
  return { line, column: offset - start + 1, offset, length };
}

/** The line of the text, a mark below the place, and the message: what a terminal shows. */
export function renderRuleError(text: string, error: RuleError<TextPlace>): string {
  const { line, column, length } = error.at;
  const written = (text.split('\n')[line - 1] ?? '').replace(/[^\x20-\x7e]/g, ' ');
  const mark = ' '.repeat(column - 1) + '^'.repeat(Math.max(1, Math.min(length, written.length - column + 1)));
  return `${written}\n${mark}\n${line}:${column} ${error.code}: ${error.message}`;
}
