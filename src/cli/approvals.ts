/** `holdfast approvals list|show|confirm|reject`: what waits for a second person in a running server. */
import { type Command, InvalidArgumentError } from 'commander';
import { ExitStatus, errorCodes } from '../errors.js';
import { AUDIT_REASON_LENGTH_MAX } from '../limits.js';
import { addApiOptions, apiClient, type Json, refusalCode } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';

const PATH = '/v1/approvals';
const statuses = ['open', 'confirmed', 'done', 'rejected', 'expired', 'any'] as const;
/** Names and reasons are written by people: one line each, whatever is in them. */
const quoted = (text: unknown): string => JSON.stringify(text);

export function addApprovals(program: Command, run: Run): void {
  const approvals = newCommand(
    program,
    'approvals',
    'what waits for a second person in a running server: list, show, confirm, reject',
    ['approvals list', 'approvals show apr_0123456789abcdef0123', 'approvals confirm apr_0123456789abcdef0123'],
  );
  addList(approvals, run);
  addShow(approvals, run);
  addDecision(approvals, run, 'confirm', 'confirm what somebody else has proposed, and do it');
  addDecision(approvals, run, 'reject', 'reject what was proposed, or take it back');
}

function addList(parent: Command, run: Run): void {
  const command = newCommand(parent, 'list', 'what was proposed, newest first', [
    'approvals list --token-file ben.token',
    'approvals list --status any --json',
  ])
    .option('--status <status>', `of these: ${statuses.join(', ')}`, 'open')
    .option('--json', 'one JSON object a line');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const client = apiClient(options, run.terminal);
    const path = `${PATH}?limit=100&status=${encodeURIComponent(options.status as string)}`;
    for await (const one of client.items(path))
      run.terminal.out(options.json === true ? JSON.stringify(one) : approvalLine(one));
    return undefined;
  });
}

function addShow(parent: Command, run: Run): void {
  const command = newCommand(
    parent,
    'show <id>',
    'one of them: the call with its body, who proposed it, and what became of it',
    ['approvals show apr_0123456789abcdef0123'],
  ).option('--json', 'the answer of the API');
  addApiOptions(command);
  setAction(command, run, async (options, [id]) => {
    tell(await apiClient(options, run.terminal).get(`${PATH}/${encodeURIComponent(id!)}`), options.json === true, run);
    return undefined;
  });
}

function addDecision(parent: Command, run: Run, verb: 'confirm' | 'reject', description: string): void {
  const command = newCommand(parent, `${verb} <id>`, description, [
    `approvals ${verb} apr_0123456789abcdef0123 --reason "seen the slip" --token-file ben.token`,
  ])
    .option('--reason <text>', 'why; kept with it and in the audit log', reasonText)
    .option('--json', 'the answer of the API');
  addApiOptions(command);
  setAction(command, run, async (options, [id]) => {
    const headers = options.reason === undefined ? {} : { 'x-reason': options.reason as string };
    const one = await apiClient(options, run.terminal).post(
      `${PATH}/${encodeURIComponent(id!)}/${verb}`,
      {},
      { headers },
    );
    tell(one, options.json === true, run);
    const { status } = (one.answer ?? { status: 200 }) as { status: number };
    return status < 400 ? ExitStatus.ok : errorCodes[refusalCode(status)];
  });
}

/** It travels as a header of HTTP. */
function reasonText(text: string): string {
  if (text.length <= AUDIT_REASON_LENGTH_MAX && /^[\x20-\x7e]+$/.test(text)) return text;
  throw new InvalidArgumentError(`Allowed: 1 to ${AUDIT_REASON_LENGTH_MAX} printable ASCII characters.`);
}

function approvalLine(one: Json): string {
  const { id, status, operation, path, proposed_by: by, proposed_at, expires_at } = one;
  const end = status === 'open' ? ` expires=${expires_at}` : '';
  return `${id} ${status} ${operation} ${path} by=${quoted((by as Json).name)} at=${proposed_at}${end}`;
}

function tell(one: Json, isJson: boolean, run: Run): void {
  for (const line of isJson ? [JSON.stringify(one)] : approvalLines(one)) run.terminal.out(line);
}

function approvalLines(one: Json): string[] {
  const { body, reason, decided_by: decider, decided_at, decision_reason, answer } = one;
  const lines = [approvalLine(one)];
  if (body !== null) lines.push(`  body ${JSON.stringify(body)}`);
  if (reason !== '') lines.push(`  reason ${quoted(reason)}`);
  if (decider !== null) {
    const why = decision_reason === '' ? '' : ` reason=${quoted(decision_reason)}`;
    lines.push(`  decided by=${quoted((decider as Json).name)} at=${decided_at}${why}`);
  }
  if (answer !== null) {
    const { status, body: answered } = answer as Json;
    lines.push(`  answer ${status} ${JSON.stringify(answered)}`);
  }
  return lines;
}
