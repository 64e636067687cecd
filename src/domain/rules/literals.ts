/**
 * Literals next to a field: what a text means as a value of that field, and which literals it can never be equal to. A rule
 * that can never hold is a mistake, and the moment to say so is when it is written.
 */
import { hint } from '../../suggest.js';
import { countryCodes, countryNumber } from '../countries.js';
import { currencyLetters, currencyNumber, currencyNumbers } from '../currencies.js';
import type { NumberLiteral, TextLiteral } from './ast.js';
import { type Field, isInstitution } from './fields.js';
import { Refusal, shown, unknownName } from './rule-error.js';

/** The number that stands for a text in the slot of a `word`, `country` or `currency`; -1 when there is none. */
export function textValue(field: Field, value: string): number {
  switch (field.type) {
    case 'word':
      return field.words.indexOf(value);
    case 'country':
      return countryNumber(value);
    case 'currency':
      return currencyNumber(value);
    default:
      return -1;
  }
}

/** @throws Refusal when the text is no value of the field */
export function checkTextLiteral(field: Field, node: TextLiteral, whole: boolean): void {
  if (field.type === 'text') {
    checkText(field, node, whole);
    return;
  }
  if (textValue(field, node.value) >= 0) return;
  const { value } = node;
  if (field.type === 'word') throw unknownName('unknown_word', { node }, field.name, value, field.words);
  const known = field.type === 'country' ? countryCodes() : currencyNumbers().map((n) => currencyLetters(n)!);
  const form = field.type === 'country' ? 'two capital letters of ISO 3166' : 'three capital letters of ISO 4217';
  const near = hint(value.toUpperCase(), known);
  throw new Refusal('unknown_word', { node }, `there is no ${field.type} ${shown(value)}, expected ${form}${near}`);
}

function checkText(field: Field, node: TextLiteral, whole: boolean): void {
  const { value } = node;
  const refuse = (what: string): Refusal => new Refusal('out_of_range', { node }, `${field.name} ${what}`);
  if (value === '') throw refuse('is never empty: write absent(...) for a field that was not sent');
  if (!/^[\x20-\x7e]*$/.test(value)) throw refuse('holds printable ASCII characters only');
  if (value.length > field.width) throw refuse(`has at most ${field.width} characters, this text has ${value.length}`);
  if (whole && value.endsWith(' ')) throw refuse('is compared without the blanks at its end: leave them out');
  if (isInstitution(field) && !/^[1-9][0-9]*$/.test(value)) {
    throw refuse('is compared by its digits, without leading zeros: write it so');
  }
}

/** @throws Refusal when the field can never have this value */
export function checkNumberLiteral(field: Field, node: NumberLiteral): void {
  if (node.value >= field.min && node.value <= field.max) return;
  const pad = (value: number): string => String(value).padStart(field.type === 'code' ? field.width : 1, '0');
  const range = `${field.name} is ${pad(field.min)} to ${pad(field.max)}, never ${shown(String(node.value))}`;
  throw new Refusal('out_of_range', { node }, range);
}
