/** Changes of JSON that leave it JSON: values exchanged, members renamed, dropped, doubled, and nested deeper. */
import type { Random } from '../crash/random.js';
import { utf8 } from './target.js';

type Place = { readonly owner: Record<string, unknown>; readonly key: string };

const odd: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  1e300,
  -0,
  2 ** 53,
  2 ** 53 - 1,
  '',
  '0',
  ' ',
  '\u0000',
  '\ud83d\ude00',
  'a'.repeat(300),
  '__proto__',
  'constructor',
  '9999991234567893',
  '2912',
  [],
  {},
  [[]],
  [null],
  { a: 1 },
];

function placesOf(value: unknown, out: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return out;
  for (const key of Object.keys(value)) {
    out.push({ owner: value as Record<string, unknown>, key });
    placesOf((value as Record<string, unknown>)[key], out);
  }
  return out;
}

/** @param words texts that mean something to the reader */
export function mutateJson(random: Random, input: Uint8Array, other: Uint8Array, words: readonly string[]): Uint8Array {
  const root = { value: parsed(input) };
  const changes = random.chance(0.6) ? 1 : random.int(2, 3);
  for (let i = 0; i < changes; i++) {
    const { owner, key } = random.pick(placesOf(root));
    const value = owner[key];
    const put = (): unknown =>
      random.chance(0.4) && words.length > 0 ? random.pick(words) : structuredClone(random.pick(odd));
    switch (random.int(0, 7)) {
      case 0:
        if (Array.isArray(owner)) owner.splice(Number(key), 1);
        else if (owner !== (root as object)) delete owner[key];
        break;
      case 1:
        if (typeof value === 'number') owner[key] = random.pick([value + 1, value - 1, value * 10, -value, value / 2]);
        else if (typeof value === 'string') owner[key] = value + String(put());
        break;
      case 2:
        if (Array.isArray(value)) value.push(...structuredClone(value.slice(0, 20)), put());
        else if (typeof value === 'object' && value !== null)
          define(value, random.pick([...words, '__proto__', 'x', 'a/b~c']), put());
        break;
      case 3: {
        // A part of another input.
        const foreign = random.pick(placesOf({ value: parsed(other) }));
        owner[key] = structuredClone(foreign.owner[foreign.key]);
        break;
      }
      case 4: {
        const twin = random.pick(placesOf(root));
        owner[key] = structuredClone(twin.owner[twin.key]);
        break;
      }
      case 5:
        owner[key] = random.chance(0.5) ? [value] : { [random.pick(['kind', 'value', 'x'])]: value };
        break;
      default:
        owner[key] = put();
    }
  }
  return utf8(JSON.stringify(root.value) ?? 'null');
}

/** As `JSON.parse` does: also `__proto__` becomes a member. */
function define(owner: object, key: string, value: unknown): void {
  Object.defineProperty(owner, key, { value, enumerable: true, configurable: true, writable: true });
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return {};
  }
}
