/**
 * Text of a rule to tokens. One pass, no regular expressions that could run long: every character is looked at once.
 * Outside of comments a rule is printable ASCII, so that nothing in it looks like something else.
 */
import { Refusal, type Span, shown } from './rule-error.js';

export interface Token extends Span {
  readonly kind: 'name' | 'number' | 'text' | 'symbol' | 'end';
  /** The characters as written; of a text, its value. */
  readonly text: string;
}

const isDigit = (c: string): boolean => c >= '0' && c <= '9';
const isLetter = (c: string): boolean => (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c === '_';

/** Longest first, so that `<=` is not read as `<`. */
const symbols = ['==', '!=', '<=', '>=', '..', '(', ')', '[', ']', ',', '<', '>', '+', '-', '*', '/', '%'];

/** What people write from habit, and what to write here. */
const habits: readonly (readonly [string, string])[] = [
  ['&&', 'write "and"'],
  ['||', 'write "or"'],
  ['=', 'write "==" to compare'],
  ['!', 'write "not"'],
  ["'", 'write double quotes: "text"'],
  ['`', 'write double quotes: "text"'],
  ['\u201c', 'write straight double quotes: "text"'],
  ['\u201d', 'write straight double quotes: "text"'],
  ['{', 'a list is in square brackets: [1, 2]'],
  ['}', 'a list is in square brackets: [1, 2]'],
  [';', 'a rule ends without one'],
];

/** @throws Refusal `bad_character`, `unterminated_text` or `bad_number` */
export function tokens(source: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const c = source[at]!;
    if (c === ' ' || c === '\t' || c === '\n' || c === '\r') at++;
    else if (c === '#') at = endOfLine(source, at);
    else {
      const token = next(source, at, c);
      found.push(token);
      at += token.length;
    }
  }
  found.push({ kind: 'end', text: '', offset: source.length, length: 0 });
  return found;
}

function endOfLine(source: string, at: number): number {
  const end = source.indexOf('\n', at);
  return end < 0 ? source.length : end;
}

function next(source: string, at: number, c: string): Token {
  if (isLetter(c)) return name(source, at);
  if (isDigit(c)) return number(source, at);
  if (c === '"') return text(source, at);
  const symbol = symbols.find((one) => source.startsWith(one, at));
  if (symbol !== undefined) return { kind: 'symbol', text: symbol, offset: at, length: symbol.length };
  throw strange(source, at, c);
}

/** `mcc`, `card.age_days`. */
function name(source: string, at: number): Token {
  let end = at;
  for (;;) {
    while (end < source.length && (isLetter(source[end]!) || isDigit(source[end]!))) end++;
    if (source[end] !== '.' || !isLetter(source[end + 1] ?? '')) break;
    end++;
  }
  return { kind: 'name', text: source.slice(at, end), offset: at, length: end - at };
}

/** Digits, with at most one underscore between two of them. */
function number(source: string, at: number): Token {
  let end = at;
  let underscores = 0;
  while (end < source.length && (isDigit(source[end]!) || source[end] === '_')) {
    if (source[end] === '_') underscores++;
    end++;
  }
  const written = source.slice(at, end);
  const span = { offset: at, length: end - at };
  if (source[end] === '.' && isDigit(source[end + 1] ?? '')) {
    const decimals = digitsAt(source, end + 1);
    const whole = { offset: at, length: end + 1 + decimals.length - at };
    throw new Refusal(
      'bad_number',
      whole,
      `numbers are whole, and amounts are in minor units: write ${shown(written)}_${shown(decimals)}`,
    );
  }
  if (end < source.length && isLetter(source[end]!)) {
    throw new Refusal('bad_number', { offset: at, length: end + 1 - at }, 'a number must not run into a letter');
  }
  if (underscores > 1 || written.endsWith('_')) {
    const what = 'a number has at most one underscore: it separates the minor units of an amount, as in 500_00';
    throw new Refusal('bad_number', span, what);
  }
  return { kind: 'number', text: written, ...span };
}

function digitsAt(source: string, at: number): string {
  let end = at;
  while (end < source.length && isDigit(source[end]!)) end++;
  return source.slice(at, end);
}

/** Printable ASCII in double quotes; `\"` and `\\` are the only escapes. */
function text(source: string, at: number): Token {
  let value = '';
  for (let i = at + 1; i < source.length; i++) {
    const c = source[i]!;
    if (c === '"') return { kind: 'text', text: value, offset: at, length: i + 1 - at };
    if (c === '\n' || c === '\r') break;
    if (c < ' ' || c > '~') {
      throw new Refusal('bad_character', { offset: i, length: 1 }, 'a text holds printable ASCII characters only');
    }
    if (c !== '\\') {
      value += c;
      continue;
    }
    const escaped = source[++i];
    if (escaped !== '"' && escaped !== '\\') {
      throw new Refusal('bad_character', { offset: i - 1, length: 1 }, 'write a backslash as \\\\ and a quote as \\"');
    }
    value += escaped;
  }
  const length = endOfLine(source, at) - at;
  throw new Refusal('unterminated_text', { offset: at, length }, 'a text ends with " on the line it began on');
}

function strange(source: string, at: number, c: string): Refusal {
  const habit = habits.find(([written]) => source.startsWith(written, at));
  if (habit !== undefined) {
    const [written, instead] = habit;
    const said = /^[\x20-\x7e]+$/.test(written) ? `"${written}" is not used here` : 'this quote is not used here';
    return new Refusal('bad_character', { offset: at, length: written.length }, `${said}: ${instead}`);
  }
  const what = c >= ' ' && c <= '~' ? `"${c}"` : 'this character';
  return new Refusal('bad_character', { offset: at, length: 1 }, `${what} has no meaning in a rule`);
}
