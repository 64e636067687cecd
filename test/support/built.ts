/**
 * URL of a compiled file, for tests that start real processes. `npm test` builds before it runs the tests; with vitest
 * alone run `npm run build` first.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function built(pathInDist: string): string {
  const url = new URL(`../../dist/${pathInDist}`, import.meta.url);
  if (!existsSync(fileURLToPath(url))) throw new Error(`dist/${pathInDist} is missing: run npm run build first`);
  return url.href;
}
