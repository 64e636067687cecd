/**
 * The door of the rules' language: a text or a JSON document to a checked rule, or to the reason why it is none.
 */
import { RULE_TEXT_LENGTH_MAX } from '../../limits.js';
import { type CheckedRule, checkRule } from './check.js';
import { type JsonPaths, treeFromJson } from './json.js';
import { parseTree, type Spans } from './parser.js';
import { type JsonPlace, placeOf, Refusal, type RuleError, type Span, type TextPlace } from './rule-error.js';
import type { RuleSchema } from './value-types.js';

export type RuleResult<Place> =
  | { readonly ok: true; readonly checked: CheckedRule }
  | { readonly ok: false; readonly error: RuleError<Place> };

/** Parses and checks the text of a rule; never throws for a text, whatever it is. */
export function parseRule(text: string, schema: RuleSchema = {}): RuleResult<TextPlace> {
  let spans: Spans | undefined;
  try {
    if (text.length > RULE_TEXT_LENGTH_MAX) {
      const rest = { offset: RULE_TEXT_LENGTH_MAX, length: text.length - RULE_TEXT_LENGTH_MAX };
      throw new Refusal('too_long', rest, `a rule has at most ${RULE_TEXT_LENGTH_MAX} characters`);
    }
    const tree = parseTree(text);
    spans = tree.spans;
    return { ok: true, checked: checkRule(tree.rule, schema) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, where } = error;
    return { ok: false, error: { code, message, at: placeOf(text, spanOf(where, spans)) } };
  }
}

/** Reads and checks a rule from parsed JSON, which may be anything; what it returns shares nothing with `json`. */
export function ruleFromJson(json: unknown, schema: RuleSchema = {}): RuleResult<JsonPlace> {
  let paths: JsonPaths | undefined;
  try {
    const tree = treeFromJson(json);
    paths = tree.paths;
    return { ok: true, checked: checkRule(tree.rule, schema) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, where } = error;
    return { ok: false, error: { code, message, at: { pointer: pointerOf(where, paths) } } };
  }
}

const START: Span = { offset: 0, length: 0 };

function spanOf(where: Refusal['where'], spans: Spans | undefined): Span {
  if ('offset' in where) return where;
  return 'node' in where && spans !== undefined ? spans.of(where.node, where.key) : START;
}

function pointerOf(where: Refusal['where'], paths: JsonPaths | undefined): string {
  if ('pointer' in where) return where.pointer;
  return 'node' in where && paths !== undefined ? paths.of(where.node, where.key) : '';
}
