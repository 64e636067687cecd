/** The auditor, and what it is made of, shares no code with the engine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const auditor = join(root, 'test/sim/auditor');
const observation = join(root, 'test/sim/observation.ts');

/** Modules that a file imports, types as well. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name!);
}

test('imports nothing of src, neither itself nor through others', () => {
  const waiting = readdirSync(auditor).map((name) => join(auditor, name));
  const seen = new Set<string>(waiting);
  const wrong: string[] = [];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const name of importsOf(file)) {
      if (name.startsWith('node:')) continue;
      const target = join(dirname(file), name.replace(/\.js$/, '.ts'));
      const isInTests = name.startsWith('.') && relative(join(root, 'test'), target).startsWith('..') === false;
      if (!isInTests || !existsSync(target)) wrong.push(`${relative(root, file)}: ${name}`);
      // Its types of fields on the wire are the codec's; nothing of it runs.
      else if (target !== observation && !seen.has(target)) {
        seen.add(target);
        waiting.push(target);
      }
    }
  }
  expect(wrong).toEqual([]);
  expect(seen.size).toBeGreaterThan(20);
  const values = readFileSync(observation, 'utf8').match(/^import (?!type).*$/gm) ?? [];
  expect(values).toEqual([]);
});
