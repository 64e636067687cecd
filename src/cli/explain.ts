/**
 * `holdfast explain <rrn or id>`: why a message was answered as it was: the ordered verdicts, the balances around the
 * decision, the time of each stage, and where it stands in the journal.
 */
import type { Command } from 'commander';
import { HoldfastError } from '../errors.js';
import { maskJson } from '../pan-mask.js';
import { type ApiClient, addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { paint, shown, type Terminal } from './terminal.js';

export function addExplain(program: Command, run: Run): void {
  const command = newCommand(program, 'explain <rrn-or-id>', 'why an authorization was answered as it was', [
    'explain 632602112345',
    'explain auth_4w7k... --json',
    'explain elem_9c2m...',
  ]).option('--json', 'one JSON object per authorization');
  addApiOptions(command);
  setAction(command, run, async (options, [word]) => {
    const client = apiClient(options, run.terminal);
    for (const id of await authorizationIds(client, word!)) {
      const path = `/v1/authorizations/${encodeURIComponent(id)}`;
      const answers = await Promise.all([client.get(path), client.get(`${path}/explain`)]);
      const [authorization, explanation] = maskJson(answers) as typeof answers;
      if (options.json === true) run.terminal.out(JSON.stringify({ authorization, explanation }));
      else tell(authorization, explanation, run.terminal);
    }
    return undefined;
  });
}

/** The id itself, or those that carry the retrieval reference number, newest first. */
async function authorizationIds(client: ApiClient, word: string): Promise<string[]> {
  if (word.startsWith('auth_') || word.startsWith('elem_')) return [word];
  if (!/^[\x21-\x7e]{1,12}$/.test(word)) {
    throw new HoldfastError('usage', 'neither an RRN nor an id', 'give 12 characters of DE37, or auth_... or elem_...');
  }
  const list = await client.get(`/v1/authorizations?rrn=${encodeURIComponent(word)}`);
  const ids = (list.data as { id: string }[]).map(({ id }) => id);
  if (ids.length === 0)
    throw new HoldfastError('not_found', `no authorization with RRN ${word}`, 'check the number and the server');
  return ids;
}

const titleKeys = [
  'id',
  'status',
  'response_code',
  'decline_reason',
  'amount',
  'currency',
  'approval_code',
  'card',
  'account',
];

function tell(authorization: Json, explanation: Json, terminal: Terminal): void {
  const title = titleKeys
    .filter((key) => present(authorization[key]))
    .map((key) => `${key}=${text(authorization[key])}`);
  terminal.out(paint(terminal, 'bold', title.join(' ')));
  const linked = explanation.linked as Json[] | undefined;
  const told: Json = {
    ...explanation,
    postings: legsText(explanation.postings),
    linked: linked?.map((element) => ({ ...element, object: null, postings: legsText(element.postings) })),
  };
  for (const [key, value] of Object.entries(told)) {
    if (key === 'object' || key === 'id' || !present(value)) continue;
    for (const line of lines(key, value, 1)) terminal.out(line);
  }
}

/** `1100 D 1234, 2100 C 1234`: the legs of an entry, account by account; undefined when there are none. */
function legsText(postings: unknown): string | undefined {
  const legs = (postings ?? []) as { account: string; debit: number; credit: number }[];
  if (legs.length === 0) return undefined;
  return legs.map(({ account, debit, credit }) => `${account} ${debit > 0 ? 'D' : 'C'} ${debit || credit}`).join(', ');
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** Any JSON as indented lines: scalars after their name, flat objects on one line, lists as one line per item. */
export function lines(name: string, value: unknown, depth: number): string[] {
  const indent = '  '.repeat(depth);
  if (Array.isArray(value)) {
    const items = value.map((item) =>
      isFlat(item) ? `${indent}  ${flat(item)}` : lines('-', item, depth + 1).join('\n'),
    );
    return [`${indent}${name}:${value.length === 0 ? ' none' : ''}`, ...items];
  }
  if (isFlat(value)) return [`${indent}${name}: ${flat(value)}`];
  return [
    `${indent}${name}:`,
    ...Object.entries(value as Json).flatMap(([key, inner]) => lines(key, inner, depth + 1)),
  ];
}

function isFlat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return !Array.isArray(value) && Object.values(value).every((inner) => typeof inner !== 'object' || inner === null);
}

function flat(value: unknown): string {
  if (typeof value !== 'object' || value === null) return text(value);
  const members = Object.entries(value).filter(([, inner]) => present(inner));
  return members.map(([key, inner]) => `${key}=${text(inner)}`).join(' ') || 'none';
}

/** In one line: a text of a message that has line ends makes no lines of its own. */
function text(value: unknown): string {
  return shown(String(value)).replace(/[\r\n]/g, ' ');
}
