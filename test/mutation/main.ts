/**
 * `npm run mutate -- [--seed N] [--count N] [--file PATH]... [--line N] [--tests PATH]... [--reach FILE] [--within SECONDS]
 * [--again FILE] [--json FILE] [--conditions TEXT] [--list]`
 *
 * Plants defects in `src/domain` and `src/journal`, one at a time, and asks whether a test fails: a defect that none notices is a rule
 * that nothing holds. Of each operator as many are drawn as of the others, by a seed. First one run of all tests says which test
 * reaches which place; a mutant then runs only the tests that reach it, the nearest first and the long ones last, to the first failure.
 * A mutant that no test reaches survives. One that runs for ever counts as killed.
 *
 * `--file` (and `--line`) draws from there only, `--tests` runs these tests first, also where the reach is of an older day, `--reach`
 * keeps the reach in a file, `--within` leaves out tests that take longer, `--json` writes the figures, `--list` only shows the
 * mutants. `--again` tries what survived in the figures of an earlier run, and what that run drew and did not try, and counts both
 * runs together; a mutant whose line has changed since is no longer counted. Exit status 1 when more than one in ten survived of those
 * that equivalents.json does not list.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Mutant, mutantsOf, mutated, operators, probed } from './mutants.js';
import { COUNTERS, MUTANTS_MAX } from './reach.js';
import type { Task } from './runner.js';
import { TestProcess } from './test-process.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '300' },
    file: { type: 'string', multiple: true, default: [] },
    line: { type: 'string' },
    tests: { type: 'string', multiple: true, default: [] },
    reach: { type: 'string' },
    within: { type: 'string', default: 'Infinity' },
    again: { type: 'string' },
    json: { type: 'string' },
    conditions: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
  },
});

const root = fileURLToPath(new URL('../../', import.meta.url));
const sourceFolders = ['src/domain', 'src/journal'];
const testFolders = ['test/domain', 'test/journal', 'test/table'];
/**
 * Left out: tests that measure memory, which a busy machine, and not a defect, could fail; and the thousands of histories of the
 * reference model, which take minutes and could only add to what is killed.
 */
const leftOut = /allocation|domain\/model/;
/** A run has this long beyond five times what its tests took without a defect. */
const PATIENCE_MS = 60_000;
const REACH_MS_MAX = 3_600_000;
const LEAST_KILLED = 0.9;

const filesOf = (folder: string, end: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => `${folder}/${name}`)
    .sort();
const texts = new Map(
  sourceFolders
    .flatMap((folder) => filesOf(folder, '.ts'))
    .map((file) => [file, readFileSync(join(root, file), 'utf8')]),
);
const tests = testFolders.flatMap((folder) => filesOf(folder, '.test.ts')).filter((file) => !leftOut.test(file));

/** How a mutant is named in lists: its lines without their indents, before and after. */
interface Change {
  file: string;
  was: string;
  is: string;
}

interface Equivalent extends Change {
  reason: string;
}

interface Reach {
  /** Numbers of the mutants that a test file reaches. */
  reached: Record<string, number[]>;
  ms: Record<string, number>;
}

/** Asks once, with counters in all sources, what each test file reaches, and how long it takes. All tests must pass. */
async function findReach(mutants: readonly Mutant[]): Promise<Reach> {
  if (values.reach !== undefined && existsSync(values.reach)) return JSON.parse(readFileSync(values.reach, 'utf8'));
  if (mutants.length > MUTANTS_MAX) throw new Error(`${mutants.length} mutants: raise MUTANTS_MAX`);
  const numbered = new Map<string, [number, Mutant][]>();
  for (const [number, mutant] of mutants.entries()) {
    if (!numbered.has(mutant.file)) numbered.set(mutant.file, []);
    numbered.get(mutant.file)!.push([number, mutant]);
  }
  const sources: Record<string, string> = {};
  for (const [file, list] of numbered)
    sources[file] = probed(texts.get(file)!, list, (number) => `globalThis.${COUNTERS}[${number}]=1`);

  const folder = mkdtempSync(join(tmpdir(), 'holdfast-reach-'));
  const runner = new TestProcess({ HOLDFAST_REACHED: folder });
  try {
    const answer = await runner.run({ sources, tests, isolate: true }, REACH_MS_MAX);
    if (answer === 'timeout') throw new Error('the tests did not end');
    const wrong = [...answer.failed, ...answer.errors];
    if (wrong.length > 0) throw new Error(`without a defect these fail already: ${wrong.join(', ')}`);
    const reach: Reach = { reached: {}, ms: answer.ran };
    for (const name of readdirSync(folder)) {
      const { path, reached } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
      reach.reached[relative(root, path)] = reached;
    }
    if (values.reach !== undefined) writeFileSync(values.reach, JSON.stringify(reach));
    return reach;
  } finally {
    runner.end();
    rmSync(folder, { recursive: true });
  }
}

/** The tests that reach a mutant: those named for its file first, then by how long they take. */
function testsFor(number: number, mutant: Mutant, reachedBy: ReadonlyMap<string, ReadonlySet<number>>, reach: Reach) {
  const words = basename(mutant.file, '.ts').split('-');
  const folder = mutant.file.split('/').at(-2)!;
  const cost = (test: string) => {
    const name = basename(test, '.test.ts');
    const isNear = words.some((word) => name.includes(word)) || test.includes(`/${folder}/`);
    return (reach.ms[test] ?? 0) / (isNear ? 4 : 1);
  };
  const longestMs = 1000 * Number(values.within);
  const reaching = tests.filter(
    (test) => reachedBy.get(test)?.has(number) && !values.tests.includes(test) && (reach.ms[test] ?? 0) <= longestMs,
  );
  return [...values.tests, ...reaching.sort((a, b) => cost(a) - cost(b))];
}

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const wanted = ({ file, line }: Pick<Mutant, 'file' | 'line'>) =>
  (values.file.length === 0 || values.file.includes(file)) &&
  (values.line === undefined || line === Number(values.line));

/** Numbers of the mutants to try, of each operator as many as of the others as long as there are more. */
function draw(mutants: readonly Mutant[], count: number, next: () => number): number[] {
  const heaps = operators.map((operator) =>
    [...mutants.keys()].filter((number) => mutants[number]!.operator === operator && wanted(mutants[number]!)),
  );
  const drawn: number[] = [];
  while (drawn.length < count && heaps.some((heap) => heap.length > 0)) {
    for (const heap of heaps) {
      if (heap.length === 0 || drawn.length === count) continue;
      drawn.push(...heap.splice(Math.floor(next() * heap.length), 1));
    }
  }
  return drawn.sort((a, b) => a - b);
}

function changeOf(mutant: Mutant): Change {
  const text = texts.get(mutant.file)!;
  const from = text.lastIndexOf('\n', mutant.from) + 1;
  const lineEnd = text.indexOf('\n', mutant.to);
  const to = lineEnd < 0 ? text.length : lineEnd;
  const oneLine = (lines: string) => lines.replace(/\s+/g, ' ').trim();
  const is = text.slice(from, mutant.from) + mutant.replacement + text.slice(mutant.to, to);
  return { file: mutant.file, was: oneLine(text.slice(from, to)), is: oneLine(is) };
}

/** What an earlier run has told of its mutants. */
interface Figures {
  seed: number;
  killed: number;
  equivalent: number;
  survivors: readonly Survivor[];
  /** Drawn, and not tried before the run was ended. */
  not_tried?: readonly Survivor[];
}

interface Survivor extends Change {
  line: number;
  operator: string;
}

const sameChange = (a: Change, b: Change) => a.file === b.file && a.was === b.was && a.is === b.is;
const equivalents = JSON.parse(readFileSync(new URL('equivalents.json', import.meta.url), 'utf8')) as Equivalent[];
const mutants = [...texts].flatMap(([file, text]) => mutantsOf(file, text));

/** Numbers of the mutants of an earlier run: of several with the same lines the nearest to where it was. */
function findAgain(earlier: readonly Survivor[]): number[] {
  const found = new Set<number>();
  for (const one of earlier) {
    const distance = (number: number) => Math.abs(mutants[number]!.line - one.line);
    const [nearest] = [...mutants.keys()]
      .filter(
        (number) =>
          mutants[number]!.file === one.file && !found.has(number) && sameChange(changeOf(mutants[number]!), one),
      )
      .sort((a, b) => distance(a) - distance(b));
    if (nearest !== undefined && wanted(mutants[nearest]!)) found.add(nearest);
  }
  return [...found].sort((a, b) => a - b);
}

const before: Figures | undefined =
  values.again === undefined ? undefined : JSON.parse(readFileSync(values.again, 'utf8'));
const drawn =
  before === undefined
    ? draw(mutants, Number(values.count), random(Number(values.seed)))
    : findAgain([...before.survivors, ...(before.not_tried ?? [])]);
if (values.list) {
  for (const number of drawn) {
    const { file, line, operator } = mutants[number]!;
    const { was, is } = changeOf(mutants[number]!);
    console.log(`${file}:${line} ${operator}\n  - ${was}\n  + ${is}`);
  }
  process.exit(0);
}

const reach = await findReach(mutants);
const reachedBy = new Map(Object.entries(reach.reached).map(([test, numbers]) => [test, new Set(numbers)]));
const runner = new TestProcess();
process.on('exit', () => runner.end());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

const quick = tests.filter(
  (test) => values.tests.includes(test) || (reach.ms[test] ?? 0) <= 1000 * Number(values.within),
);

/** The harness itself: it must see a failure when there is one, and none when there is none. */
async function proveSight(): Promise<void> {
  const file = values.file[0] ?? 'src/domain/money.ts';
  const task: Task = { sources: {}, tests: quick, isolate: false };
  const broken = { ...task, sources: { [file]: `${texts.get(file)}\nthrow new Error('planted');` } };
  const answers = [await runner.run(task, REACH_MS_MAX), await runner.run(broken, PATIENCE_MS)];
  answers.push(await runner.run({ ...task, tests: quick.slice(0, 5) }, PATIENCE_MS));
  const failed = answers.map((answer) => answer === 'timeout' || answer.failed.length > 0);
  if (failed.join() !== 'false,true,false') throw new Error(`the runner is blind: ${JSON.stringify(answers)}`);
}
await proveSight();

const survivors: (Change & { line: number; operator: string; tests: number })[] = [];
const killedBy: Record<string, number> = {};
let equivalent = 0;
const startedMs = performance.now();
for (const [index, number] of drawn.entries()) {
  const mutant = mutants[number]!;
  const change = changeOf(mutant);
  const label = `${index + 1}/${drawn.length} ${mutant.file}:${mutant.line} ${mutant.operator}`;
  if (equivalents.some((one) => sameChange(one, change))) {
    equivalent++;
    console.log(`${label}: equivalent`);
    continue;
  }
  const chosen = testsFor(number, mutant, reachedBy, reach);
  const usualMs = chosen.reduce((sum, test) => sum + (reach.ms[test] ?? 0), 0);
  const sources = { [mutant.file]: mutated(texts.get(mutant.file)!, mutant) };
  const from = performance.now();
  const answer =
    chosen.length === 0
      ? { ran: {}, failed: [], errors: [] }
      : await runner.run({ sources, tests: chosen, isolate: false }, PATIENCE_MS + 5 * usualMs);
  const killer = answer === 'timeout' ? 'time' : (answer.failed[0] ?? (answer.errors.length > 0 ? 'error' : undefined));
  const took = `${((performance.now() - from) / 1000).toFixed(1)} s`;
  if (killer === undefined) {
    survivors.push({ ...change, line: mutant.line, operator: mutant.operator, tests: chosen.length });
    console.log(`${label}: SURVIVED ${chosen.length} tests (${took})\n  - ${change.was}\n  + ${change.is}`);
  } else {
    killedBy[killer] = (killedBy[killer] ?? 0) + 1;
    console.log(`${label}: ${killer} (${took})`);
  }
}

const killed = drawn.length - equivalent - survivors.length;
/** This run, and the one before whose survivors it has tried: what is no longer there of them counts in neither. */
const total = {
  mutants: drawn.length + (before === undefined ? 0 : before.killed + before.equivalent),
  killed: killed + (before?.killed ?? 0),
  equivalent: equivalent + (before?.equivalent ?? 0),
};
const figures = {
  seed: before?.seed ?? Number(values.seed),
  measured: new Date().toISOString().slice(0, 10),
  conditions: values.conditions,
  places: mutants.length,
  ...total,
  seconds: Math.round((performance.now() - startedMs) / 1000),
  killed_by: killedBy,
  survivors,
};
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
const share = ((100 * total.killed) / Math.max(1, total.mutants - total.equivalent)).toFixed(1);
console.log(
  `${total.mutants} mutants of ${mutants.length}: ${total.killed} killed (${share} %), ${total.equivalent} equivalent, ${survivors.length} survived`,
);
runner.end();
process.exit(total.killed < LEAST_KILLED * (total.mutants - total.equivalent) ? 1 : 0);
