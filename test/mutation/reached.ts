/** Set-up of the run that asks which mutants a test file reaches: counters for the sources, and their sum in a file at the end. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { COUNTERS, MUTANTS_MAX, reachedFolder } from './reach.js';

const counters = new Uint8Array(MUTANTS_MAX);
Object.assign(globalThis, { [COUNTERS]: counters });

afterAll(() => {
  const folder = reachedFolder();
  const path = expect.getState().testPath!;
  const reached = [...counters.keys()].filter((number) => counters[number] !== 0);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${path.replaceAll('/', '_')}.json`), JSON.stringify({ path, reached }));
});
