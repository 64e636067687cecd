/** `holdfast token create|list|rotate|revoke`: the API tokens of a running server. Secrets are shown once. */
import { type Command, InvalidArgumentError } from 'commander';
import { addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';

const PATH = '/v1/tokens';
const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

export function addToken(program: Command, run: Run): void {
  const token = newCommand(program, 'token', 'API tokens of a running server: create, list, rotate, revoke', [
    'token create --role auditor --ttl 30d --name "Ana, audit"',
    'token list',
    'token rotate tok_0123456789ab --grace 1h',
  ]);
  addCreate(token, run);
  addList(token, run);
  addRotate(token, run);
  addRevoke(token, run);
}

function addCreate(parent: Command, run: Run): void {
  const command = newCommand(parent, 'create', 'make a token; its secret is printed once, alone on stdout', [
    'token create --role ledger --name "Ben" > ben.token',
    'token create --role viewer --ttl 12h --name dashboard --json',
  ])
    .requiredOption('--role <role>', 'what its holder does: see the page on access')
    .requiredOption('--name <name>', 'whose it is; shown in the audit log')
    .option('--ttl <time>', 'when it expires, such as 12h or 30d; never when left out', seconds)
    .option('--json', 'the answer of the API');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const { role, name, ttl } = options;
    const body = { role, name, ...(ttl === undefined ? {} : { ttl_seconds: ttl }) };
    const answer = await apiClient(options, run.terminal).post(PATH, body);
    tell(answer, 'created', options.json === true, run);
    return undefined;
  });
}

function addList(parent: Command, run: Run): void {
  const command = newCommand(parent, 'list', 'the valid tokens, newest first, without their secrets', [
    'token list',
  ]).option('--json', 'one JSON object a line');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const client = apiClient(options, run.terminal);
    for await (const one of client.items(`${PATH}?limit=100`))
      run.terminal.out(options.json === true ? JSON.stringify(one) : tokenLine(one));
    return undefined;
  });
}

function addRotate(parent: Command, run: Run): void {
  const command = newCommand(parent, 'rotate <id>', 'give a token a new secret, printed once, alone on stdout', [
    'token rotate tok_0123456789ab',
    'token rotate tok_0123456789ab --grace 10m --ttl 30d',
  ])
    .option('--grace <time>', 'how long the secret before is still taken, such as 0s or 10m (1h)', seconds)
    .option('--ttl <time>', 'when it expires, counted from now; never when left out', seconds)
    .option('--json', 'the answer of the API');
  addApiOptions(command);
  setAction(command, run, async (options, [id]) => {
    const { grace, ttl } = options;
    const body = {
      ...(grace === undefined ? {} : { grace_seconds: grace }),
      ...(ttl === undefined ? {} : { ttl_seconds: ttl }),
    };
    const answer = await apiClient(options, run.terminal).post(`${PATH}/${encodeURIComponent(id!)}/rotate`, body);
    tell(answer, 'rotated', options.json === true, run);
    return undefined;
  });
}

function addRevoke(parent: Command, run: Run): void {
  const command = newCommand(parent, 'revoke <id>', 'end a token at once', ['token revoke tok_0123456789ab']);
  addApiOptions(command);
  setAction(command, run, async (options, [id]) => {
    await apiClient(options, run.terminal).delete(`${PATH}/${encodeURIComponent(id!)}`);
    run.terminal.err(`token revoked ${id}`);
    return undefined;
  });
}

/** The secret alone on stdout, so that it can go into a file; what it is on stderr. */
function tell(answer: Json, done: string, json: boolean, run: Run): void {
  if (json) run.terminal.out(JSON.stringify(answer));
  else {
    run.terminal.err(`token ${done} ${tokenLine(answer)}`);
    run.terminal.out(String(answer.token));
  }
}

function tokenLine({ id, name, role, scopes, created_at, expires_at, earlier_secret_until }: Json): string {
  const rights = role === null ? `scopes=${(scopes as string[]).join(',')}` : `role=${role}`;
  const earlier = earlier_secret_until === null ? '' : ` earlier_secret_until=${earlier_secret_until}`;
  return `${id} ${rights} name=${JSON.stringify(name)} created=${created_at} expires=${expires_at ?? 'never'}${earlier}`;
}

/** An option value that is a time, in seconds. */
function seconds(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Allowed: a number with its unit, such as 30s, 10m, 12h or 30d.');
  return Number(match[1]) * unitSeconds[match[2]!]!;
}
