/** What the mutation check plants, and where not; and that its counters leave a program as it was. */
import { expect, test } from 'vitest';
import { mutantsOf, mutated, probed } from './mutants.js';

const changes = (text: string) => mutantsOf('a.ts', text).map((mutant) => [mutant.operator, mutated(text, mutant)]);

test.each<[string, string, string[]]>([
  ['a < b;', 'boundary', ['a <= b;']],
  ['a >= b;', 'boundary', ['a > b;']],
  ['a === b;', 'equality', ['a !== b;']],
  ['a + b;', 'arithmetic', ['a - b;']],
  ["'a' + b;", 'arithmetic', []],
  ['a -= b;', 'arithmetic', ['a += b;']],
  ['a++;', 'arithmetic', ['a--;']],
  ['a && b;', 'logical', ['a || b;']],
  ['if (!a) b();', 'logical', ['if (a) b();']],
  ['a(true);', 'boolean', ['a(false);']],
  ['a(7);', 'constant', ['a(8);', 'a((6));']],
  ['a(1_000);', 'constant', ['a(1001);', 'a((999));']],
  ['const a = { 7: b };', 'constant', []],
  ['a();', 'statement', [';']],
  ['super();', 'statement', []],
  ['function f() { if (a) return; b(); }', 'guard', ['function f() { ; b(); }']],
  ['for (;;) { if (a) { b(); continue; } c(); }', 'guard', ['for (;;) { ; c(); }']],
  ['if (a) throw b;', 'guard', []],
  ['await a();', 'await', ['a();']],
  ['a ? b : c;', 'branches', ['a ? c : b;']],
  ['if (a) b(); else c();', 'branches', ['if (!(a)) b(); else c();']],
])('%s: %s', (text, operator, wanted) => {
  expect(
    changes(text)
      .filter(([name]) => name === operator)
      .map(([, changed]) => changed),
  ).toEqual(wanted);
});

test.each([
  "import a from 'a';",
  'type A = 1 | 2;',
  'interface A { b: 1 }',
  'assert(a < 1);',
  'throw new RangeError(a + 1);',
  'const a = new FormatError(1);',
])('nothing is planted in %s', (text) => {
  expect(changes(text)).toEqual([]);
});

test('a mutant is known by its line', () => {
  expect(mutantsOf('a.ts', '\n\nlet a = b < c;').map(({ line }) => line)).toEqual([3]);
});

test('counters say what was reached, and change nothing else', () => {
  const text =
    'let sum = 0; for (let i = 0; i < n; i++) { if (i === 1) continue; sum += i > 5 ? 100 + i : i; } return sum;';
  // A `return` outside of a function parses, and so does what Function makes of it.
  const counted = probed(text, [...mutantsOf('a.ts', text).entries()], (number) => `reached[${number}]=1`);
  const at = (changed: string) => changes(text).findIndex(([, mutant]) => mutant === text.replace(...split(changed)));
  const split = (changed: string): [string, string] => changed.split(' → ') as [string, string];
  for (const n of [3, 9]) {
    const reached: number[] = [];
    expect(Function('n', 'reached', counted)(n, reached)).toBe(Function('n', text)(n));
    expect(reached[at('i < n → i <= n')]).toBe(1);
    expect(reached[at('100 + i → 100 - i')]).toBe(n > 5 ? 1 : undefined);
  }
});
