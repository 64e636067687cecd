/**
 * The file of programs: a list of the objects that POST /v1/programs takes, each with its id, or a mapping with the one key
 * `programs`. Read and checked with the configuration; what a start does with it is the control plane's (program-file.ts).
 */
import { readProgram } from '../control/program-file.js';
import type { ProgramDefinition } from '../control/system-log.js';
import { PROGRAMS_MAX } from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import { locate, type Problem, readDocument, readList } from './config-file.js';

/** Problems are collected, not thrown. */
export function readPrograms(path: string, problems: Problem[]): ProgramDefinition[] {
  const document = readDocument(path, problems);
  const list = document && readList(document, 'programs', PROGRAMS_MAX, problems);
  if (document === undefined || list === undefined) return [];
  const programs = new Map<string, ProgramDefinition>();
  for (const { item, at } of list) {
    const read = readProgram(item);
    if (!read.ok) {
      for (const { path: keys, detail } of read.problems) {
        const what = maskDigits(`program /${[...at, ...keys].join('/')}: ${detail}`);
        problems.push({ what, where: locate(document, [...at, ...keys]), allowed: '' });
      }
    } else if (programs.has(read.program.id)) {
      const where = locate(document, [...at, 'id']);
      problems.push({ what: `program "${read.program.id}": id used twice`, where, allowed: 'unique ids' });
    } else programs.set(read.program.id, read.program);
  }
  return [...programs.values()];
}
