/**
 * The JSON form of a rule: its tree (ast.ts), property by property. Reading copies what is understood and refuses everything
 * else with its JSON pointer: an unknown property is a mistake, and a rule with a mistake may say the opposite of what its
 * author meant. Types and ranges are checked by `checkRule`, as for a text.
 */
import { RULE_COST_MAX, RULE_DEPTH_MAX, RULE_LIST_MAX } from '../../limits.js';
import { hint } from '../../suggest.js';
import {
  type Condition,
  conditionKinds,
  type FieldRef,
  type Item,
  type NumberLiteral,
  type Outcome,
  type Rule,
  type TextLiteral,
  type Value,
} from './ast.js';
import { Refusal, shown } from './rule-error.js';

/** JSON pointers of the nodes that were read. */
export class JsonPaths {
  readonly #paths = new Map<object, string>();

  note(node: object, path: string): void {
    this.#paths.set(node, path);
  }

  of(node: object, key?: string): string {
    const path = this.#paths.get(node) ?? '';
    return key === undefined ? path : `${path}/${key}`;
  }
}

/** @throws Refusal with the pointer of what is no part of a rule */
export function treeFromJson(json: unknown): { rule: Rule; paths: JsonPaths } {
  const reader = new Reader();
  return { rule: reader.rule(json), paths: reader.paths };
}

type Properties = Readonly<Record<string, unknown>>;

const valueKinds = ['number', 'text', 'field', 'count', 'spent', 'negate', 'arithmetic'];
const compareOperators = ['==', '!=', '<', '<=', '>', '>='] as const;
const arithmeticOperators = ['+', '-', '*', '/', '%'] as const;

function refuse(path: string, message: string): Refusal {
  return new Refusal('bad_json', { pointer: path }, message);
}

/** The object at `path` with these properties, those in `optional` among them perhaps. */
function object(json: unknown, path: string, names: readonly string[], optional: readonly string[] = []): Properties {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw refuse(path, 'expected an object');
  const known = [...names, ...optional];
  for (const key of Object.keys(json)) {
    if (!known.includes(key)) throw refuse(path, `there is no property ${shown(key)} here${hint(key, known)}`);
  }
  for (const name of names) {
    if (!Object.hasOwn(json, name)) throw refuse(path, `the property ${name} is missing`);
  }
  return json as Properties;
}

function text(json: unknown, path: string): string {
  if (typeof json !== 'string') throw refuse(path, 'expected a text');
  return json;
}

function oneOf<T extends string>(json: unknown, path: string, known: readonly T[]): T {
  const found = known.find((one) => one === json);
  if (found !== undefined) return found;
  // One character is near every other.
  const near = typeof json === 'string' && json.length > 1 ? hint(json, known) : '';
  throw refuse(path, `expected one of ${known.join(', ')}${near}`);
}

function list(json: unknown, path: string, least: number, most: number): readonly unknown[] {
  if (!Array.isArray(json)) throw refuse(path, 'expected a list');
  if (json.length < least) throw refuse(path, `expected at least ${least} of them`);
  if (json.length > most)
    throw new Refusal('list_too_long', { pointer: path }, `a list has at most ${most} items here`);
  return json;
}

function kindOf(json: unknown, path: string, known: readonly string[]): string {
  if (typeof json !== 'object' || json === null || !Object.hasOwn(json, 'kind')) {
    throw refuse(path, 'expected an object with a property kind');
  }
  return oneOf((json as Properties).kind, `${path}/kind`, known);
}

class Reader {
  readonly paths = new JsonPaths();

  rule(json: unknown): Rule {
    const { when, outcome } = object(json, '', ['when', 'outcome']);
    return { when: this.#condition(when, '/when', 1), outcome: this.#outcome(outcome, '/outcome') };
  }

  #outcome(json: unknown, path: string): Outcome {
    const { action, response, reason } = object(json, path, ['action', 'response', 'reason']);
    return this.#note(path, {
      action: oneOf(action, `${path}/action`, ['decline'] as const),
      response: text(response, `${path}/response`),
      reason: text(reason, `${path}/reason`),
    });
  }

  #condition(json: unknown, path: string, depth: number): Condition {
    this.#deep(path, depth);
    const kind = kindOf(json, path, [...conditionKinds, 'field']);
    switch (kind) {
      case 'constant': {
        const { value } = object(json, path, ['kind', 'value']);
        if (typeof value !== 'boolean') throw refuse(`${path}/value`, 'expected true or false');
        return this.#note(path, { kind, value });
      }
      case 'and':
      case 'or': {
        const { terms } = object(json, path, ['kind', 'terms']);
        const read = list(terms, `${path}/terms`, 2, RULE_COST_MAX);
        return this.#note(path, {
          kind,
          terms: read.map((term, i) => this.#condition(term, `${path}/terms/${i}`, depth + 1)),
        });
      }
      case 'not': {
        const { operand } = object(json, path, ['kind', 'operand']);
        return this.#note(path, { kind, operand: this.#condition(operand, `${path}/operand`, depth + 1) });
      }
      case 'field':
        return this.#field(json, path);
      default:
        return this.#test(kind, json, path, depth);
    }
  }

  #test(kind: string, json: unknown, path: string, depth: number): Condition {
    const inner = (value: unknown, name: string): Value => this.#value(value, `${path}/${name}`, depth + 1);
    switch (kind) {
      case 'compare': {
        const { op, left, right } = object(json, path, ['kind', 'op', 'left', 'right']);
        return this.#note(path, {
          kind,
          op: oneOf(op, `${path}/op`, compareOperators),
          left: inner(left, 'left'),
          right: inner(right, 'right'),
        });
      }
      case 'in': {
        const { value, items } = object(json, path, ['kind', 'value', 'items']);
        const read = list(items, `${path}/items`, 1, RULE_LIST_MAX);
        return this.#note(path, {
          kind,
          value: inner(value, 'value'),
          items: read.map((item, i) => this.#item(item, `${path}/items/${i}`)),
        });
      }
      case 'starts_with':
      case 'contains': {
        const { value, texts } = object(json, path, ['kind', 'value', 'texts']);
        const read = list(texts, `${path}/texts`, 1, RULE_LIST_MAX);
        return this.#note(path, {
          kind,
          value: inner(value, 'value'),
          texts: read.map((one, i) => this.#text(one, `${path}/texts/${i}`)),
        });
      }
      default: {
        const { value } = object(json, path, ['kind', 'value']);
        const of = inner(value, 'value');
        if (of.kind !== 'field' && of.kind !== 'count' && of.kind !== 'spent') {
          throw refuse(`${path}/value`, 'expected a field, a count or a spent');
        }
        return this.#note(path, { kind: kind === 'present' ? 'present' : 'absent', value: of });
      }
    }
  }

  #value(json: unknown, path: string, depth: number): Value {
    this.#deep(path, depth);
    const kind = kindOf(json, path, valueKinds);
    switch (kind) {
      case 'number':
        return this.#number(json, path);
      case 'text':
        return this.#text(json, path);
      case 'field':
        return this.#field(json, path);
      case 'count':
      case 'spent': {
        const { window } = object(json, path, ['kind', 'window']);
        return this.#note(path, { kind, window: text(window, `${path}/window`) });
      }
      case 'negate': {
        const { operand } = object(json, path, ['kind', 'operand']);
        return this.#note(path, { kind, operand: this.#value(operand, `${path}/operand`, depth + 1) });
      }
      default: {
        const { op, left, right } = object(json, path, ['kind', 'op', 'left', 'right']);
        return this.#note(path, {
          kind: 'arithmetic',
          op: oneOf(op, `${path}/op`, arithmeticOperators),
          left: this.#value(left, `${path}/left`, depth + 1),
          right: this.#value(right, `${path}/right`, depth + 1),
        });
      }
    }
  }

  #item(json: unknown, path: string): Item {
    const kind = kindOf(json, path, ['number', 'text', 'range']);
    if (kind === 'number') return this.#number(json, path);
    if (kind === 'text') return this.#text(json, path);
    const { from, to } = object(json, path, ['kind', 'from', 'to']);
    return this.#note(path, {
      kind: 'range',
      from: this.#number(from, `${path}/from`),
      to: this.#number(to, `${path}/to`),
    });
  }

  #number(json: unknown, path: string): NumberLiteral {
    const { kind, value, decimals } = object(json, path, ['kind', 'value'], ['decimals']);
    oneOf(kind, `${path}/kind`, ['number']);
    if (!Number.isSafeInteger(value)) throw refuse(`${path}/value`, 'expected a whole number within 2^53 - 1');
    // Adding 0 takes the sign from -0, which JSON can hold and a rule cannot.
    const whole = (value as number) + 0;
    if (decimals === undefined) return this.#note(path, { kind: 'number', value: whole });
    if (!Number.isSafeInteger(decimals)) throw refuse(`${path}/decimals`, 'expected a whole number');
    return this.#note(path, { kind: 'number', value: whole, decimals: decimals as number });
  }

  #text(json: unknown, path: string): TextLiteral {
    const { kind, value } = object(json, path, ['kind', 'value']);
    oneOf(kind, `${path}/kind`, ['text']);
    return this.#note(path, { kind: 'text', value: text(value, `${path}/value`) });
  }

  #field(json: unknown, path: string): FieldRef {
    const { name } = object(json, path, ['kind', 'name']);
    return this.#note(path, { kind: 'field', name: text(name, `${path}/name`) });
  }

  #note<T extends object>(path: string, node: T): T {
    this.paths.note(node, path);
    return node;
  }

  #deep(path: string, depth: number): void {
    if (depth <= RULE_DEPTH_MAX) return;
    throw new Refusal('too_deep', { pointer: path }, `a rule nests at most ${RULE_DEPTH_MAX} levels deep`);
  }
}
