/** `holdfast audit`: who did or saw what by the HTTP API of a running server, oldest first. */
import type { Command } from 'commander';
import { AUDIT_PAGE_MAX } from '../limits.js';
import { type ApiClient, addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction, wholeNumber } from './command.js';

export function addAudit(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'audit',
    'list the audit log of a running server: who did or saw what, oldest first',
    ['audit', 'audit --after 1200 --limit 50', 'audit --json > audit.ndjson'],
  )
    .option('--after <sequence>', 'begin behind this entry', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--limit <count>', 'most entries to list; all when left out', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'one JSON object a line, as the API tells them');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const client = apiClient(options, run.terminal);
    const limit = (options.limit as number | undefined) ?? Number.POSITIVE_INFINITY;
    for await (const entry of entries(client, options.after as number, limit))
      run.terminal.out(options.json === true ? JSON.stringify(entry) : entryLine(entry));
    return undefined;
  });
}

/** Up to where the log ended when the command began: each page that is read is recorded, and there would be no end. */
async function* entries(client: ApiClient, after: number, limit: number): AsyncGenerator<Json> {
  let next = after;
  let end = Number.POSITIVE_INFINITY;
  for (let left = limit; left > 0; ) {
    const page = await client.get(`/v1/audit?after=${next}&limit=${Math.min(left, AUDIT_PAGE_MAX)}`);
    const data = (page.data as Json[]).filter(({ sequence }) => (sequence as number) <= end);
    if (end === Number.POSITIVE_INFINITY) end = (page.head as { sequence: number }).sequence;
    yield* data;
    next = page.next_cursor as number;
    left -= data.length;
    if (data.length === 0 || page.has_more !== true || next >= end) return;
  }
}

function entryLine(entry: Json): string {
  const { sequence, at, type } = entry;
  const head = `${sequence} ${at} ${type}`;
  if (type === 'outcome') return `${head} of=${entry.of} status=${entry.status}${word('target', entry.target)}`;
  if (type !== 'action' && type !== 'denied') return `${head} engine=${entry.engine}`;
  const reveals = entry.reveals === null ? '' : ` reveals=${entry.reveals}`;
  const reason = entry.reason === '' ? '' : ` reason=${JSON.stringify(entry.reason)}`;
  const who = `token=${entry.token} name=${JSON.stringify(entry.name)} role=${entry.role} from=${entry.address}`;
  return `${head} ${entry.method} ${entry.route}${word('target', entry.target)} ${who}${reveals} request=${entry.request_id}${reason}`;
}

const word = (name: string, value: unknown): string => (value === '' ? '' : ` ${name}=${value}`);
