/**
 * The commands of the pages are run, in their order, against a real server, and must print what the page shows. What
 * differs from run to run (times, references, ids, hashes) is masked on both sides; `...` in a page leaves lines out.
 * Ports are replaced by free ones and the load test is shortened.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run, Server, temporaryFolder } from '../support/server.js';
import { Page, programArguments, type ShownCommand, words } from './pages.js';

const masks: readonly (readonly [RegExp, string])[] = [
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'],
  [/\b(auth|card|elem|acct|pay)_[0-9a-z]{26}\b/g, '<$1>'],
  [/\b[0-9a-f]{64}\b/g, '<hash>'],
  [/\bin [\d.]+ ms\b/g, 'in <n> ms'],
  [/\b(records|debits|credits|recovered|in_ms|threads)=\d+/g, '$1=<n>'],
  [/\b(position|stan)=[\d-]+/g, '$1=<n>'],
  [/127\.0\.0\.1:\d+/g, '<address>'],
  [/^( +DE(?:7|11|12|13|37) .*? )\S+$/gm, '$1<reference>'],
];

function masked(line: string): string {
  return masks.reduce((text, [pattern, by]) => text.replace(pattern, by), line.trimEnd());
}

/**
 * Approval codes are others in every installation: numbers them in the order in which they first appear, so that a code which
 * comes back still has to be the same one.
 */
function numberedCodes(text: string): string {
  const codes: string[] = [];
  return text.replace(/^(\d{4} approved .*code | +DE38 .* )(\d{6})\b/gm, (_, before: string, code: string) => {
    if (!codes.includes(code)) codes.push(code);
    return `${before}<code ${codes.indexOf(code) + 1}>`;
  });
}

/** The shown lines must be the first lines of the output; behind `...` the next shown line may come later. */
function expectLines(shown: readonly string[], output: string): void {
  const lines = numberedCodes(output).split('\n').map(masked);
  let at = 0;
  let skipping = false;
  for (const line of numberedCodes(shown.join('\n')).split('\n')) {
    if (line === '...') {
      skipping = true;
      continue;
    }
    if (skipping) {
      const found = lines.indexOf(masked(line), at);
      expect(found, `"${line}" in:\n${output}`).toBeGreaterThanOrEqual(0);
      at = found + 1;
    } else expect(lines[at++], `in:\n${output}`).toBe(masked(line));
    skipping = false;
  }
}

/** What the page shows of a JSON answer must be in the answer, in the same words; the page may leave members out. */
function expectJson(shown: readonly string[], output: string): void {
  const wanted: unknown = JSON.parse(masked(shown.join('')));
  expect(JSON.parse(masked(output))).toMatchObject(wanted as object);
}

/** Headings and verdicts of a load test; its figures are the machine's. */
function expectLoadTest(shown: readonly string[], output: string): void {
  const lines = output.split('\n');
  for (const line of shown) {
    if (/^(thresholds|environment|load|verify {2}.*)$/.test(line) || line.startsWith('  ✓'))
      expect(lines).toContain(line);
    else if (line.startsWith('  engine ')) {
      const engine = /^ {2}engine \d+\.\d+\.\d+ · node v\d+\.\d+\.\d+$/;
      expect([line, lines.find((one) => one.startsWith('  engine '))]).toEqual(
        Array(2).fill(expect.stringMatching(engine)),
      );
    } else if (/^\w/.test(line)) expect(lines.some((one) => one.startsWith(line.split(' ')[0]!))).toBe(true);
  }
}

/**
 * Two `hex` blocks of a page are a request on the wire and the reply of an engine that has answered nothing before, but for
 * its approval code, which the page shows as 260231.
 */
async function expectReply(page: Page, server: Server): Promise<void> {
  const [request, reply] = page.blocks.filter(({ language }) => language === 'hex').map(({ lines }) => lines.join(''));
  if (request === undefined) return;
  const [host, port] = server.tcp.split(':');
  const socket = connect(Number(port), host!);
  socket.write(Buffer.from(request, 'hex'));
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  const code = Buffer.from('260231').toString('hex');
  expect(reply).toContain(code);
  expect(bytes.toString('hex').toUpperCase()).toMatch(new RegExp(`^${reply!.replace(code, '(3[0-9]){6}')}$`));
}

async function curl(line: string, server: Server): Promise<string> {
  const args = words(line.replace(/\$\(cat ([^)]+)\)/g, (_, file: string) => read(server, file)));
  const url = new URL(args.find((word) => word.startsWith('http://'))!);
  const valuesOf = (flag: string): string[] => args.filter((_, index) => args[index - 1] === flag);
  const headers = Object.fromEntries(valuesOf('-H').map((header) => header.split(/:\s*/, 2) as [string, string]));
  const body = valuesOf('-d')[0];
  const method = valuesOf('-X')[0] ?? (body === undefined ? 'GET' : 'POST');
  const answer = await fetch(`http://${server.ready.admin}${url.pathname}${url.search}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return answer.text();
}

function read(server: Server, file: string): string {
  return readFileSync(join(dirname(server.dataDir), file), 'utf8').trim();
}

function replaced(args: readonly string[], server: Server): string[] {
  const ports: Record<string, string> = { 8583: server.ready.tcp!, 8582: server.ready.ws!, 8580: server.ready.admin! };
  const shorter: Record<string, string> = { '-d': '1s', '--warmup': '0s', '-R': '500' };
  const result = args.map((word) => word.replace(/127\.0\.0\.1:(858[023])/, (_, port: string) => ports[port]!));
  if (args[0] === 'loadtest') {
    result.push('--admin', `http://${server.ready.admin}`);
    return result.map((word, index) => shorter[result[index - 1] ?? ''] ?? word);
  }
  if (args[0] === 'iso' && args[1] === 'send' && !args.includes('--to')) result.push('--to', server.tcp);
  return result;
}

async function execute({ command, output }: ShownCommand, server: Server): Promise<void> {
  if (command.startsWith('curl ')) {
    expectJson(output, await curl(command, server));
    return;
  }
  const args = programArguments(command);
  if (args === undefined) throw new Error(`the page runs something else: ${command}`);
  const folder = dirname(server.dataDir);
  const ran = await run(replaced(args, server), { HOLDFAST_ADMIN: `http://${server.ready.admin}` }, folder);
  expect(ran.err.replace(/^.*\r|.*offered.*\n/gm, ''), command).not.toContain('holdfast:');
  expect(ran.status, `${command}\n${ran.out}${ran.err}`).toBe(0);
  if (args[0] === 'loadtest') expectLoadTest(output, ran.out);
  else if (output[0]?.startsWith('{')) expectJson(output, ran.out);
  else expectLines(output, ran.out);
}

const withReadyLine = ['README.md', 'docs/tutorials/first-authorization.md'];

describe.each([...withReadyLine, 'docs/guides/integrate.md'])('%s', (path) => {
  const page = new Page(path);

  test('its commands print what it shows', { timeout: 120_000 }, async () => {
    const server = await Server.start({ dataDir: join(temporaryFolder('docs'), 'data') });
    const shown = page.commands.filter(({ output }) => output.length > 0);
    expect(shown.length).toBeGreaterThan(0);
    await expectReply(page, server);
    for (const command of shown) await execute(command, server);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });
});

describe.each(withReadyLine)('%s', (path) => {
  test('the ready line has the words that serve prints', async () => {
    const line = new Page(path).blocks.flatMap(({ lines }) => lines).find((one) => one.startsWith('holdfast ready '));
    const keys = [...(line ?? '').matchAll(/(\w+)=/g)].map((match) => match[1]);
    expect(keys).toEqual(['tcp', 'ws', 'admin', 'threads', 'shards', 'data', 'recovered', 'in_ms']);
  });
});
