/**
 * Inputs that every run begins with, beside the seeds of the target:
 *   findings/  inputs that once broke an invariant, each with the cause: a regression test
 *   corpus/    inputs that long runs found: few, and together they reach every block that was reached
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FuzzTarget } from './target.js';

/** Longer ones are not kept in the repository: what they reach a run finds again. */
const BYTES_MAX = 1500;
const INPUTS_MAX = 150;

const fileOf = (name: string): string => fileURLToPath(new URL(`corpus/${name}.txt`, import.meta.url));

/** What a file of findings holds. */
interface KnownFinding {
  readonly target: string;
  /** What was wrong, and where it was put right. */
  readonly cause: string;
  readonly inputs: readonly string[];
}

function readFindings(name: string): Uint8Array[] {
  const folder = new URL('findings/', import.meta.url);
  return readdirSync(folder)
    .sort()
    .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as KnownFinding)
    .filter(({ target }) => target === name)
    .flatMap(({ inputs }) => inputs.map((hex) => Buffer.from(hex, 'hex')));
}

/** The inputs of a target: what was found, then one line of base64 each. */
export function readCorpus(name: string): Uint8Array[] {
  const file = fileOf(name);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const kept = lines.filter((line) => line !== '').map((line) => Buffer.from(line, 'base64'));
  return [...readFindings(name), ...kept];
}

/** Replaces the inputs of a target by those that were the first to reach something, without its own seeds. */
export function writeCorpus(target: FuzzTarget, firsts: readonly Uint8Array[]): void {
  const seeds = new Set(target.seeds().map((seed) => Buffer.from(seed).toString('base64')));
  const lines = firsts
    .filter((input) => input.length <= BYTES_MAX)
    .map((input) => Buffer.from(input).toString('base64'))
    .filter((line) => line !== '' && !seeds.has(line));
  writeFileSync(
    fileOf(target.name),
    lines
      .slice(0, INPUTS_MAX)
      .map((line) => `${line}\n`)
      .join(''),
  );
}
