/** Entry of `npm run sim`: seeds of the simulated world, one after the other (see USAGE). */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Auditor } from './auditor/auditor.js';
import { canaries } from './canaries.js';
import { catchCanary } from './canary.js';
import { failureText, parseRanges, Totals } from './report.js';
import { type RunOptions, type RunResult, runSeed } from './run.js';
import { shrink } from './shrink.js';

const USAGE = `npm run sim -- [flags]: seeds of the simulated world, one after the other

  --seed N         the first seed; a number that nobody chose without it
  --seconds S      simulated seconds per seed (300)
  --seeds COUNT    how many seeds (1)
  --minutes M      fresh seeds until the process has used so many minutes of the processor: real ones where nothing else runs
  --canary [NAME]  plants bugs, one of that name or all: ends with 1 when each was caught, with 0 when one was not
  --keep LIST      only these steps of the plan, as a failure names them
  --blind          without the auditor: only what the world itself finds
  --calm           without faults
  --trace          every line of what happens
  --json FILE      sums of the run`;

const SHRINK_MS = 60_000;
const SEEDS_MAX = 2 ** 31;

interface Request {
  readonly first: number;
  readonly seeds: number;
  /** Processor time of the process, us. */
  readonly untilUs: number;
  readonly seconds: number;
  readonly json: string | undefined;
  readonly canary: string | undefined;
  readonly run: RunOptions;
}

function requestOf(): Request {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      seconds: { type: 'string', default: '300' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      canary: { type: 'boolean', default: false },
      keep: { type: 'string' },
      calm: { type: 'boolean', default: false },
      blind: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  if (!values.canary && positionals.length > 0)
    throw new RangeError(
      `only --canary takes a name: ${positionals.join(' ')} (after npm run sim, options follow one --)`,
    );
  const seconds = numberOf('seconds', values.seconds);
  const minutes = values.minutes === undefined ? undefined : numberOf('minutes', values.minutes);
  return {
    first: values.seed === undefined ? randomInt(SEEDS_MAX) : numberOf('seed', values.seed),
    seeds: values.seeds === undefined ? (minutes === undefined ? 1 : SEEDS_MAX) : numberOf('seeds', values.seeds),
    untilUs: minutes === undefined ? Number.POSITIVE_INFINITY : processorUs() + minutes * 60_000_000,
    ...{ seconds, json: values.json, canary: values.canary ? (positionals[0] ?? '') : undefined },
    run: {
      ...{ seconds, calm: values.calm },
      ...(values.blind ? {} : { observer: () => new Auditor() }),
      ...(values.keep === undefined ? {} : { keep: parseRanges(values.keep) }),
      ...(values.trace ? { onLine: (line: string) => console.log(line) } : {}),
    },
  };
}

/** Processor time that this process has used, us. */
function processorUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name} is no number: ${text}`);
  return value;
}

async function main(request: Request): Promise<number> {
  if (request.canary !== undefined) return await catchAll(request.canary);
  const totals = new Totals();
  let failed: RunResult | undefined;
  console.log(`seeds from ${request.first}, ${request.seconds} simulated seconds each`);
  for (let i = 0; i < request.seeds && processorUs() < request.untilUs && failed === undefined; i++) {
    const result = await runSeed(request.first + i, request.run);
    totals.add(result);
    if (result.failure !== undefined) failed = result;
  }
  console.log(totals.line);
  if (request.json !== undefined) writeFileSync(request.json, `${JSON.stringify(totals.json, null, 2)}\n`);
  if (failed === undefined) return 0;
  console.log(`seed ${failed.seed} fails; looking for a shorter plan`);
  const { onLine: _line, ...quiet } = request.run;
  const { result } = await shrink(failed, quiet, performance.now() + SHRINK_MS);
  const flags = process.argv.filter((word) => ['--blind', '--calm'].includes(word));
  console.log(failureText(result, request.seconds, failed.steps.length, flags));
  return 1;
}

/** Those with the name, all without one. */
function canariesOf(name: string): typeof canaries {
  const chosen = canaries.filter((canary) => name === '' || canary.name === name);
  if (chosen.length > 0) return chosen;
  throw new RangeError(`no canary "${name}"; there are: ${canaries.map((one) => one.name).join(', ')}`);
}

/** The normal outcome is 1: everything that was planted was caught. */
async function catchAll(name: string): Promise<number> {
  let isMissed = false;
  for (const canary of canariesOf(name)) {
    const caught = await catchCanary(canary, () => new Auditor());
    if (caught === undefined) isMissed = true;
    console.log(
      caught === undefined
        ? `${canary.name}: NOT CAUGHT (${canary.seeds} seeds)`
        : `${canary.name}: caught at seed ${caught.seed}: ${caught.failure?.message ?? ''}`,
    );
  }
  return isMissed ? 0 : 1;
}

/** What was asked; ends with 64 (EX_USAGE) when that cannot be understood. */
function asked(): Request {
  try {
    const request = requestOf();
    if (request.canary !== undefined) canariesOf(request.canary);
    return request;
  } catch (error) {
    console.error(`sim: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(64);
  }
}

process.exitCode = await main(asked());
