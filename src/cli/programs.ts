/**
 * The file of programs: a list of the objects that POST /v1/programs takes, each with its id, or a mapping with the one key
 * `programs`. Read and checked with the configuration; what a start does with it is the control plane's (program-file.ts).
 */
import { rangeProblems, readProgram } from '../control/program-file.js';
import type { ProgramDefinition } from '../control/system-log.js';
import { PROGRAMS_MAX } from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import { locate, type Problem, readDocument, readList, uniqueNames } from './config-file.js';

/** Problems are collected, not thrown. */
export function readPrograms(path: string, problems: Problem[]): ProgramDefinition[] {
  const document = readDocument(path, problems);
  const list = document && readList(document, 'programs', PROGRAMS_MAX, problems);
  if (document === undefined || list === undefined) return [];
  const programs: ProgramDefinition[] = [];
  const names = uniqueNames(document, problems);
  for (const { item, at } of list) {
    const isUnique = names(item, at, 'id', 'program');
    const read = readProgram(item);
    const wrong = read.ok ? rangeProblems(read.program, programs) : read.problems;
    if (read.ok && isUnique) programs.push(read.program);
    for (const { path: keys, detail } of wrong) {
      const what = maskDigits(`program /${[...at, ...keys].join('/')}: ${detail}`);
      problems.push({ what, where: locate(document, [...at, ...keys]), allowed: '' });
    }
  }
  return programs;
}
