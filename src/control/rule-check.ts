/** Rules as the API gives them: checked for the program they are written for before anything is kept. */

import { currencyExponent, currencyNumber } from '../domain/currencies.js';
import type { SnapshotRule } from '../domain/program/snapshot.js';
import type { CheckedRule } from '../domain/rules/check.js';
import { printRule } from '../domain/rules/printer.js';
import { parseRule, ruleFromJson } from '../domain/rules/rule.js';
import type { RuleError } from '../domain/rules/rule-error.js';
import { ruleSetProblem, type SetRule } from '../domain/rules/rule-set.js';
import type { RuleSchema } from '../domain/rules/value-types.js';
import { maskDigits } from '../pan-mask.js';
import { ApiError, type ProblemError } from './problem.js';
import { windowsOf } from './program-check.js';
import type { ProgramRow } from './system-state.js';

/** The text of a rule, as it was given or as a tree is printed. */
export interface RuleBody {
  readonly text?: string | undefined;
  readonly json?: unknown;
}

/**
 * The text of a new version.
 * @throws ApiError `validation_failed` with the place: line, column and offset in a text, a pointer in a tree
 */
export function checkedText({ text, json }: RuleBody, program: ProgramRow): string {
  const schema = schemaOf(program);
  if (text !== undefined) {
    const read = parseRule(text, schema);
    if (read.ok) return text;
    const { line, column, offset, length } = read.error.at;
    throw refusal(read.error, '/text', `line ${line}, column ${column}: `, { line, column, offset, length });
  }
  const read = ruleFromJson(json, schema);
  if (!read.ok) throw refusal(read.error, `/json${read.error.at.pointer}`, '', {});
  return printRule(read.checked.rule);
}

/** Names of the windows that the default controls of the program have, and the decimals of its currency. */
function schemaOf({ program, snapshot }: ProgramRow): RuleSchema {
  return {
    windows: snapshot === undefined ? [] : windowsOf(snapshot),
    decimals: currencyExponent(currencyNumber(program.currency)),
  };
}

function refusal(
  error: RuleError<unknown>,
  pointer: string,
  where: string,
  place: Pick<ProblemError, 'line' | 'column' | 'offset' | 'length'>,
): ApiError {
  const { code } = error;
  // Of the message only what it quotes could be a card number, and that is masked there: a bound has as many digits.
  const shown = { pointer: maskDigits(pointer), detail: error.message };
  const detail = `${shown.pointer}: ${where}${code}: ${shown.detail}`;
  return new ApiError('validation_failed', detail, { param: shown.pointer, errors: [{ ...shown, code, ...place }] });
}

/** Parses a text that was checked when it was written. */
export function checkedRule(text: string): CheckedRule {
  const read = parseRule(text);
  if (!read.ok) throw new TypeError(`a rule that was accepted is refused: ${read.error.message}`);
  return read.checked;
}

/**
 * Refuses what one message cannot be asked.
 * @param param what of the request made the set so
 * @throws ApiError `validation_failed`
 */
export function assertRuleSet(rules: readonly SnapshotRule[], param: string): void {
  const set = rules.map(({ text, state }, counter): SetRule => ({ checked: checkedRule(text), state, counter }));
  const windows = new Set(set.flatMap(({ checked }) => checked.windows));
  const problem = ruleSetProblem(set, [...windows]);
  if (problem === undefined) return;
  const detail = `the active and shadow rules of the program: ${problem}`;
  throw new ApiError('validation_failed', detail, { param, errors: [{ pointer: param, detail }] });
}
