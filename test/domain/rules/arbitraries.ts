/**
 * Random rules that pass the check, over values that random situations have: each comparison is true often and false often.
 * Trees are built from the table of fields, so a new field is met here without a change.
 */
import fc from 'fast-check';
import type { Condition, FieldRef, Item, NumberLiteral, Rule, TextLiteral, Value } from '#src/domain/rules/ast.js';
import { type Field, fields } from '#src/domain/rules/fields.js';
import { amounts, countries, currencies, mccs, texts, WINDOWS } from './situations.js';

const all = [...fields.values()];
const ofType = (...types: Field['type'][]): Field[] => all.filter(({ type }) => types.includes(type));
const ref = (name: string): FieldRef => ({ kind: 'field', name });
const text = (value: string): TextLiteral => ({ kind: 'text', value });
const number = (value: number): NumberLiteral => ({ kind: 'number', value });
const pick = <T>(list: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...list);

const equality = fc.constantFrom('==' as const, '!=' as const);
const anyOperator = fc.constantFrom(
  '==' as const,
  '!=' as const,
  '<' as const,
  '<=' as const,
  '>' as const,
  '>=' as const,
);
const window = pick(WINDOWS);

/** Values that a field can have and that situations give it. */
function namedValues(field: Field): readonly string[] {
  switch (field.type) {
    case 'word':
      return field.words;
    case 'country':
      return countries;
    case 'currency':
      return currencies;
    default:
      return texts[field.name as keyof typeof texts].map((one) => one.trimEnd());
  }
}

function codeValues(field: Field): readonly number[] {
  switch (field.name) {
    case 'mcc':
      return mccs;
    case 'mti':
      return [100, 120, 9999];
    case 'card.bin':
      return [999999, 99999900, 4];
    case 'three_d_secure':
      return [0, 210, 211, 999];
    default:
      return [0, 2, 5, 10, 59, 81, 90, 99];
  }
}

const literalOf = (field: Field): fc.Arbitrary<NumberLiteral | TextLiteral> =>
  field.type === 'code' ? pick(codeValues(field)).map(number) : pick(namedValues(field)).map(text);

/** A number that stands next to `field`, or next to an expression of that type. */
const amountLiteral = fc
  .tuple(pick([...amounts, 5, 12_345]), fc.constantFrom(undefined, undefined, 2, 3, 4))
  .map(
    ([value, decimals]): NumberLiteral => ({ kind: 'number', value, ...(decimals === undefined ? {} : { decimals }) }),
  );
const smallLiteral = fc.integer({ min: 0, max: 23 }).map(number);

type NumericType = 'money' | 'transaction_money' | 'number';

function numericLeaf(type: NumericType): fc.Arbitrary<Value> {
  const own = pick(ofType(type)).map(({ name }): Value => ref(name));
  if (type === 'transaction_money') return own;
  const kind = type === 'money' ? ('spent' as const) : ('count' as const);
  return fc.oneof(
    own,
    window.map((name): Value => ({ kind, window: name })),
  );
}

const literal = (type: NumericType): fc.Arbitrary<NumberLiteral> => (type === 'number' ? smallLiteral : amountLiteral);

/** An expression that reads at least one field or counter. */
function numeric(type: NumericType, depth: number): fc.Arbitrary<Value> {
  if (depth === 0) return numericLeaf(type);
  const inner = numeric(type, depth - 1);
  const plain = fc.oneof(fc.integer({ min: -3, max: 1000 }).map(number), numeric('number', 0));
  const divisor = fc.integer({ min: 1, max: 1000 }).map(number);
  const sum = fc.constantFrom('+' as const, '-' as const);
  const operand = fc.oneof(inner, literal(type));
  const arithmetic = fc.oneof(
    fc.record({ op: sum, left: inner, right: operand }),
    fc.record({ op: sum, left: operand, right: inner }),
    fc.record({ op: fc.constant('*' as const), left: inner, right: plain }),
    fc.record({ op: fc.constant('*' as const), left: plain, right: inner }),
    fc.record({ op: fc.constantFrom('/' as const, '%' as const), left: inner, right: divisor }),
  );
  return fc.oneof(
    { weight: 4, arbitrary: numericLeaf(type) },
    { weight: 4, arbitrary: arithmetic.map((node): Value => ({ kind: 'arithmetic', ...node })) },
    { weight: 1, arbitrary: inner.map((value): Value => ({ kind: 'negate', operand: value })) },
    {
      weight: 1,
      // Constants are folded by the compiler, so they must be met as well.
      arbitrary: fc.tuple(inner, literal(type), smallLiteral).map(([left, a, b]): Value => {
        const right: Value = { kind: 'arithmetic', op: '*', left: b, right: { kind: 'negate', operand: a } };
        return { kind: 'arithmetic', op: '+', left, right };
      }),
    },
  );
}

const numericComparison = fc.constantFrom<NumericType>('money', 'money', 'transaction_money', 'number').chain((type) =>
  fc
    .record({
      op: anyOperator,
      left: numeric(type, 2),
      right: fc.oneof(literal(type), numeric(type, 1)),
      turned: fc.boolean(),
    })
    .filter(({ left, right }) => fits(left, right))
    .map(({ op, left, right, turned }): Condition => {
      return { kind: 'compare', op, left: turned ? right : left, right: turned ? left : right };
    }),
);

/** A literal beside a field itself must be in the field's range. */
function fits(left: Value, right: Value): boolean {
  if (left.kind !== 'field' || right.kind !== 'number') return true;
  const { min, max } = fields.get(left.name)!;
  return right.value >= min && right.value <= max;
}

const named = ofType('word', 'country', 'currency', 'text');
const namedOrCode = [...named, ...ofType('code')];

const equalityOfField = pick(namedOrCode).chain((field) =>
  fc
    .record({ op: equality, right: literalOf(field) })
    .map(({ op, right }): Condition => ({ kind: 'compare', op, left: ref(field.name), right })),
);

const currencyEquality = equality.map(
  (op): Condition => ({ kind: 'compare', op, left: ref('transaction_currency'), right: ref('account.currency') }),
);

const range = (ends: fc.Arbitrary<number>): fc.Arbitrary<Item> =>
  fc
    .tuple(ends, ends)
    .map(([a, b]): Item => ({ kind: 'range', from: number(Math.min(a, b)), to: number(Math.max(a, b)) }));

const membershipOfField = pick(namedOrCode).chain((field) => {
  const item: fc.Arbitrary<Item> = literalOf(field);
  const items = field.type === 'code' ? fc.oneof(item, range(pick(codeValues(field)))) : item;
  return fc
    .array(items, { minLength: 1, maxLength: 6 })
    .map((list): Condition => ({ kind: 'in', value: ref(field.name), items: list }));
});

const membershipOfNumber = fc.constantFrom<NumericType>('money', 'transaction_money', 'number').chain((type) => {
  const ends = type === 'number' ? fc.integer({ min: 0, max: 23 }) : pick(amounts);
  const item: fc.Arbitrary<Item> = fc.oneof(ends.map(number), range(ends));
  return fc
    .record({ value: numeric(type, 1), items: fc.array(item, { minLength: 1, maxLength: 6 }) })
    .filter(({ value, items }) =>
      items.every((one) => one.kind === 'text' || fits(value, one.kind === 'range' ? one.to : one)),
    )
    .map(({ value, items }): Condition => ({ kind: 'in', value, items }));
});

const match = pick(ofType('text')).chain((field) => {
  // Pieces of what situations hold, so that they are found now and then.
  const piece = fc
    .tuple(pick(namedValues(field)), fc.nat({ max: 5 }), fc.integer({ min: 1, max: 8 }))
    .map(([value, from, length]) => value.slice(from, from + length))
    .filter((value) => value !== '' && (!/^(acquirer|forwarder)$/.test(field.name) || /^[1-9]/.test(value)));
  return fc
    .record({
      kind: fc.constantFrom('starts_with' as const, 'contains' as const),
      texts: fc.array(piece.map(text), { minLength: 1, maxLength: 3 }),
    })
    .map(({ kind, texts: list }): Condition => ({ kind, value: ref(field.name), texts: list }));
});

const presence = fc
  .record({
    kind: fc.constantFrom('present' as const, 'absent' as const),
    value: fc.oneof(
      pick(all.filter(({ optional }) => optional)).map(({ name }) => ref(name)),
      fc.record({ kind: fc.constantFrom('count' as const, 'spent' as const), window }),
    ),
  })
  .map((node): Condition => node);

const test: fc.Arbitrary<Condition> = fc.oneof(
  { weight: 5, arbitrary: numericComparison },
  { weight: 4, arbitrary: equalityOfField },
  { weight: 1, arbitrary: currencyEquality },
  { weight: 4, arbitrary: membershipOfField },
  { weight: 2, arbitrary: membershipOfNumber },
  { weight: 3, arbitrary: match },
  { weight: 3, arbitrary: presence },
  { weight: 1, arbitrary: pick(ofType('flag')).map(({ name }): Condition => ref(name)) },
  { weight: 1, arbitrary: fc.boolean().map((value): Condition => ({ kind: 'constant', value })) },
);

function conditionOf(depth: number): fc.Arbitrary<Condition> {
  if (depth === 0) return test;
  const inner = conditionOf(depth - 1);
  return fc.oneof(
    { weight: 3, arbitrary: test },
    { weight: 2, arbitrary: inner.map((operand): Condition => ({ kind: 'not', operand })) },
    {
      weight: 4,
      arbitrary: fc
        .record({
          kind: fc.constantFrom('and' as const, 'or' as const),
          terms: fc.array(inner, { minLength: 2, maxLength: 4 }),
        })
        .map((node): Condition => node),
    },
  );
}

export const condition = conditionOf(3);

const outcome = fc.record({
  action: fc.constant('decline' as const),
  response: fc.constantFrom('59', '57', '04', 'N7', '1A'),
  reason: fc.stringMatching(/^[a-z][a-z0-9_]{0,39}$/),
});

export const rule: fc.Arbitrary<Rule> = fc.record({ when: condition, outcome });
