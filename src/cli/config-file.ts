/**
 * Reading a YAML or JSON file so that a problem can name its line. JSON is YAML, so one parser serves both.
 */
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Document, LineCounter } from 'yaml';
import { CONFIG_FILE_BYTES_MAX } from '../limits.js';
import { hint } from '../suggest.js';

/** One problem of a configuration: printed on one line as `what (where); allowed: allowed`. */
export interface Problem {
  what: string;
  /** Flag, environment name, or `file:line`. */
  where: string;
  /** Empty when there is nothing useful to say. */
  allowed: string;
}

export interface SourceDocument {
  readonly path: string;
  readonly value: unknown;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** Loaded where there is a file: every command loads this module, and most have none. */
function loadYaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml') as typeof import('yaml');
}

/** Parses a file, or adds a problem and returns undefined. */
export function readDocument(path: string, problems: Problem[]): SourceDocument | undefined {
  let text: string;
  try {
    const size = statSync(path).size;
    if (size > CONFIG_FILE_BYTES_MAX) {
      problems.push({ what: `file of ${size} bytes`, where: path, allowed: `at most ${CONFIG_FILE_BYTES_MAX} bytes` });
      return undefined;
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push({
      what: `file cannot be read: ${(error as NodeJS.ErrnoException).code}`,
      where: path,
      allowed: 'a readable file',
    });
    return undefined;
  }
  const yaml = loadYaml();
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    // A list or a mapping as a key is an error with its line, not a text that somebody has to recognize.
    stringKeys: true,
  });
  for (const error of document.errors) {
    const position = lines.linePos(error.pos[0]);
    problems.push({ what: `not YAML or JSON: ${error.message}`, where: `${path}:${position.line}`, allowed: '' });
  }
  if (document.errors.length > 0) return undefined;
  try {
    // Anchors may be used, but not as a bomb.
    return { path, value: document.toJS({ maxAliasCount: 100 }) as unknown, document, lines };
  } catch (error) {
    // The parser knows nothing of aliases yet: one without an anchor, or too many, is found here.
    if (!(error instanceof ReferenceError)) throw error;
    problems.push({
      what: `not YAML or JSON: ${error.message}`,
      where: path,
      allowed: 'aliases of anchors before them',
    });
    return undefined;
  }
}

/** `file:line` of a key path, or of the nearest parent that exists. */
export function locate(source: SourceDocument, path: readonly (string | number)[]): string {
  const { isMap, isNode, isScalar } = loadYaml();
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? source.document.contents : source.document.getIn(path.slice(0, length - 1), true);
    const key = path[length - 1]!;
    const pair = isMap(parent) ? parent.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
    const node = pair?.key ?? source.document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return `${source.path}:${source.lines.linePos(node.range[0]).line}`;
  }
  return source.path;
}

/** An entry of a list in a file, with the keys that lead to it. */
export interface ListItem {
  readonly item: unknown;
  readonly at: readonly (string | number)[];
}

/** The entries of a file that is a list, or a mapping whose one key `name` has the list. */
export function readList(
  document: SourceDocument,
  name: string,
  most: number,
  problems: Problem[],
): ListItem[] | undefined {
  const { value } = document;
  const wrapped = typeof value === 'object' && value !== null && name in value;
  const base = wrapped ? [name] : [];
  for (const key of wrapped ? Object.keys(value) : []) {
    if (key === name) continue;
    const what = `unknown key "${key}"${hint(key, [name])}`;
    problems.push({ what, where: locate(document, [key]), allowed: '' });
  }
  const list: unknown = wrapped ? (value as Record<string, unknown>)[name] : value;
  if (Array.isArray(list) && list.length <= most) return list.map((item, index) => ({ item, at: [...base, index] }));
  const allowed = `a list of at most ${most} ${name}`;
  problems.push({ what: `${name}: not a list`, where: locate(document, base), allowed });
  return undefined;
}

/**
 * Asked for each entry of a list in turn: false, with a problem, when one before it has the same name under `key`, whatever else is
 * wrong with either of them.
 */
export function uniqueNames(
  document: SourceDocument,
  problems: Problem[],
): (item: unknown, at: readonly (string | number)[], key: string, what: string) => boolean {
  const names = new Set<unknown>();
  return (item, at, key, what) => {
    const name = typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[key] : undefined;
    if (typeof name !== 'string') return true;
    if (!names.has(name)) {
      names.add(name);
      return true;
    }
    const where = locate(document, [...at, key]);
    problems.push({ what: `${what} "${name}": ${key} used twice`, where, allowed: `unique ${key}s` });
    return false;
  };
}
