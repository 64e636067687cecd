/**
 * `npm run fuzz -- [--target NAME] [--seed N] [--inputs N | --minutes M] [--json FILE] [--blind] [--save-corpus] [--hex INPUT]`
 *
 * Runs one target or all of them, one after the other, and prints a line for each. Exit status 1 when an invariant did not hold; the
 * input that broke it is printed, as small as it could be made.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readCorpus, writeCorpus } from './corpus.js';
import { Runner, type RunResult, smallest } from './runner.js';
import type { FuzzTarget } from './target.js';
import { loadTargets } from './targets/index.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    inputs: { type: 'string' },
    minutes: { type: 'string' },
    json: { type: 'string' },
    ci: { type: 'boolean', default: false },
    blind: { type: 'boolean', default: false },
    'save-corpus': { type: 'boolean', default: false },
    hex: { type: 'string' },
  },
});

const targets = await loadTargets(values.target);

/** Says what a target says to one input. */
async function runOne(target: FuzzTarget, hex: string): Promise<void> {
  const open = await target.open();
  try {
    console.log(`${target.name}: ${await open.run(Buffer.from(hex, 'hex'))}`);
  } finally {
    await open.close?.();
  }
}

async function runTarget(target: FuzzTarget): Promise<RunResult> {
  const corpus = readCorpus(target.name);
  const limit = values.ci ? target.inputsInCi : values.inputs === undefined ? Infinity : Number(values.inputs);
  const ms = values.minutes === undefined ? (limit === Infinity ? 60_000 : Infinity) : Number(values.minutes) * 60_000;
  const options = { seed: Number(values.seed), inputs: limit, ms, guided: !values.blind, corpus };
  const runner = new Runner(target, options);
  const result = await runner.run();
  if (values['save-corpus'] && result.finding === undefined) writeCorpus(target, runner.firsts);
  const {
    inputs,
    accepted,
    refused,
    inputs_per_second: rate,
    blocks_reached: reached,
    blocks,
    most_work: most,
  } = result;
  console.log(
    `${target.name.padEnd(22)} ${String(inputs).padStart(9)} inputs ${String(rate).padStart(7)}/s  ${accepted} accepted, ` +
      `${refused} refused  ${reached} of ${blocks} blocks  kept ${result.kept}  most work ${most.blocks} for ${most.bytes} bytes`,
  );
  if (result.finding !== undefined) await showFinding(target, result.finding);
  return result;
}

async function showFinding(target: FuzzTarget, finding: NonNullable<RunResult['finding']>): Promise<void> {
  const open = await target.open();
  const small = await smallest(open, Buffer.from(finding.hex, 'hex'));
  await open.close?.();
  console.log(`FINDING in ${target.name}, seed ${finding.seed}, input ${finding.number}: ${finding.error}`);
  console.log(`  again: npm run fuzz -- --target ${target.name} --hex ${Buffer.from(small).toString('hex')}`);
}

/** Adds to the results of the file that are there, so that a long run may be made of several. */
function writeResults(path: string, results: readonly RunResult[]): void {
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { results: RunResult[] }).results : [];
  const all = [...before, ...results];
  const inputs = all.reduce((sum, result) => sum + result.inputs, 0);
  writeFileSync(
    path,
    `${JSON.stringify({ schema_version: 1, node: process.version, inputs, results: all }, null, 2)}\n`,
  );
}

if (values.hex !== undefined) {
  for (const target of targets) await runOne(target, values.hex);
} else {
  const results: RunResult[] = [];
  for (const target of targets) results.push(await runTarget(target));
  if (values.json !== undefined) writeResults(values.json, results);
  if (results.some((result) => result.finding !== undefined)) process.exitCode = 1;
}
