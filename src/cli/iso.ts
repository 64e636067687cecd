/**
 * `holdfast iso describe|build|send`: the wire, for people. Everything printed is masked; only `build` prints a message as
 * it is, because that is its purpose.
 */

import { text as readText } from 'node:stream/consumers';
import type { Command } from 'commander';
import { HoldfastError } from '../errors.js';
import { type DialectName, dialectNames } from '../iso8583/dialects.js';
import { FrameReader, type FramingName, type FramingOptions, framingNames } from '../iso8583/framing.js';
import { type DescribedMessage, describe, describeText, type Fields, IsoError, unpack } from '../iso8583/message.js';
import { FRAME_HEADER_BYTES_MAX, MESSAGE_BYTES_MAX } from '../limits.js';
import { milliseconds, newCommand, type Run, setAction, wholeNumber } from './command.js';
import { type IsoLink, openLink, parseTarget, type Target, type TlsChoice } from './iso-link.js';
import {
  addDialectOption,
  addMessageOptions,
  hexBytes,
  type MessageOptions,
  messageFields,
  oneOf,
  packOrExplain,
  repeatOf,
  reversalOf,
} from './iso-message.js';
import { headline } from './response-names.js';
import { paint, type Terminal } from './terminal.js';

const DEFAULT_DIALECT: DialectName = 'iso87-bcd';

export function addIso(program: Command, run: Run): void {
  const iso = newCommand(program, 'iso', 'describe, build and send ISO 8583 messages', [
    'iso send --demo-card 1 --amount 1234',
    'iso build --demo-card 1 | holdfast iso describe -',
  ]);
  addDescribe(iso, run);
  addBuild(iso, run);
  addSend(iso, run);
}

function addFramingOptions(command: Command, standard: string): Command {
  return command
    .option(
      '--framing <name>',
      `length header: ${framingNames.join(', ')} (${standard})`,
      oneOf<FramingName>(framingNames),
    )
    .option('--header-bytes <n>', 'fixed header after the length (0)', wholeNumber(0, FRAME_HEADER_BYTES_MAX));
}

function addDescribe(iso: Command, run: Run): void {
  const command = newCommand(iso, 'describe <hex>', 'explain a message field by field; - reads the hex from stdin', [
    'iso describe 30383030...',
    'iso describe --framing len2 - < frames.hex',
  ]).option('--json', 'one JSON object per message');
  addFramingOptions(addDialectOption(command), 'none: the bytes are one message');
  setAction(command, run, async (options, [hex]) => {
    const bytes = hexBytes(hex === '-' ? await readText(run.terminal.stdin) : hex!);
    const framing = framingOf(options);
    const messages = options.framing === undefined ? [bytes] : unframe(bytes, framing);
    const reports = messages.map((message) => {
      const name = (options.dialect as DialectName | undefined) ?? guessDialect(message);
      return { name, message };
    });
    for (const { name, message } of reports) {
      run.terminal.out(options.json === true ? JSON.stringify(describe(name, message)) : describeText(name, message));
    }
    if (reports.some(({ name, message }) => describe(name, message).error !== undefined)) {
      throw new HoldfastError(
        'bad_input_file',
        'the message is malformed',
        'give its dialect with --dialect, or its framing',
      );
    }
    return undefined;
  });
}

/** The first dialect that reads the message without an error, else the default. */
function guessDialect(message: Uint8Array): DialectName {
  return dialectNames.find((name) => describe(name, message).error === undefined) ?? DEFAULT_DIALECT;
}

function unframe(bytes: Uint8Array, framing: FramingOptions): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const reader = new FrameReader(framing);
  try {
    reader.push(bytes, (buf, start, end) => messages.push(buf.slice(start, end)));
  } catch (error) {
    throw new HoldfastError(
      'bad_input_file',
      `framing: ${(error as Error).message}`,
      'check --framing and --header-bytes',
    );
  }
  if (reader.pendingBytes > 0) {
    throw new HoldfastError(
      'bad_input_file',
      `${reader.pendingBytes} bytes of an incomplete frame`,
      'check --framing and --header-bytes',
    );
  }
  return messages;
}

function framingOf(options: Record<string, unknown>): FramingOptions {
  return {
    framing: (options.framing as FramingName | undefined) ?? 'len2',
    headerBytes: (options.headerBytes as number | undefined) ?? 0,
    maxBytes: MESSAGE_BYTES_MAX,
  };
}

function addBuild(iso: Command, run: Run): void {
  const command = newCommand(iso, 'build', 'print a message as hex (with its card number: keep it out of logs)', [
    'iso build --demo-card 1 --amount 5000 --mcc 5812',
    'iso build --network echo --dialect iso87-ascii',
  ]).option('--json', 'hex and masked description as one JSON object');
  addMessageOptions(command);
  setAction(command, run, async (options) => {
    const name = (options.dialect as DialectName | undefined) ?? DEFAULT_DIALECT;
    const bytes = packOrExplain(name, messageFields(await completed(options, run.terminal)));
    const hex = Buffer.from(bytes).toString('hex').toUpperCase();
    run.terminal.out(options.json === true ? JSON.stringify({ hex, ...describe(name, bytes) }) : hex);
    return undefined;
  });
}

/** The options with `--pan -` read from stdin. */
async function completed(options: Record<string, unknown>, terminal: Terminal): Promise<MessageOptions> {
  const given = options as MessageOptions;
  return given.pan === '-' ? { ...given, pan: (await readText(terminal.stdin)).trim() } : given;
}

interface SendOptions extends MessageOptions, TlsChoice {
  to?: string;
  dialect?: DialectName;
  hex?: string;
  signOn?: boolean;
  repeat?: boolean;
  reverse?: boolean;
  timeout?: number;
  timeoutMs?: number;
  json?: boolean;
  quiet?: boolean;
}

function addSend(iso: Command, run: Run): void {
  const command = newCommand(iso, 'send', 'send a message and explain the reply; status 0 when it was answered', [
    'iso send --demo-card 1 --amount 1234 --repeat --reverse',
    'iso send --to ws://127.0.0.1:8582/iso8583 --demo-card 2 --mcc 5812',
    'iso send --sign-on --demo-card 1 --timeout 500ms',
    'iso send --network echo',
    'iso send --to 127.0.0.1:9000 --framing ascii4 --dialect iso87-ascii --hex -',
  ]);
  addMessageOptions(command)
    .option('--to <target>', 'host:port, iso8583+tcp://, iso8583+tls://, ws://host:port/iso8583 (127.0.0.1:8583)')
    .option('--hex <bytes>', 'send these bytes as the message; - reads them from stdin')
    .option('--sign-on', 'sign on first (0800, DE70 001), for listeners that require it; 00 must come back')
    .option('--repeat', 'then send the repeat (xxx1): the same answer must come back')
    .option('--reverse', 'then send the full reversal (0400)')
    .option(
      '--timeout <time>',
      'longest wait for a connection or a reply, such as 500ms (5s)',
      milliseconds(1, 600_000),
    )
    .option('--timeout-ms <n>', 'the same in milliseconds', wholeNumber(1, 600_000))
    .option('--ca-file <path>', 'PEM of the authority that signed the server (TLS)')
    .option('--insecure', 'accept any certificate (TLS)')
    .option('--quiet', 'the first line of each reply only')
    .option('--json', 'one JSON object per exchange');
  addFramingOptions(command, 'len2');
  setAction(command, run, async (options) => {
    const given = options as SendOptions;
    if (given.hex !== undefined && (given.repeat === true || given.reverse === true)) {
      throw new HoldfastError(
        'usage',
        '--hex cannot be repeated or reversed',
        'build the message with options instead',
      );
    }
    if (given.timeout !== undefined && given.timeoutMs !== undefined) {
      throw new HoldfastError('usage', '--timeout and --timeout-ms are the same', 'give one of them');
    }
    await send(given, framingOf(options), run.terminal);
    return undefined;
  });
}

interface Exchange {
  sent: DescribedMessage;
  reply: DescribedMessage;
  fields: Fields;
  ms: number;
}

async function send(options: SendOptions, framing: FramingOptions, terminal: Terminal): Promise<void> {
  const timeoutMs = options.timeout ?? options.timeoutMs ?? 5000;
  const target = parseTarget(options.to ?? '127.0.0.1:8583');
  const name = dialectOf(target, options.dialect);
  const fields = options.hex === undefined ? messageFields(await completed({ ...options }, terminal)) : undefined;
  const first = fields === undefined ? await rawBytes(options.hex!, terminal) : packOrExplain(name, fields);
  const link = await openLink(target, framing, timeoutMs, options);
  try {
    if (options.signOn === true) await signOn(link, name, timeoutMs, options, terminal);
    const original = await exchange(link, name, first, timeoutMs);
    tell(original, options, terminal);
    if (fields === undefined) return;
    if (options.repeat === true) {
      tell(await exchange(link, name, packOrExplain(name, repeatOf(fields)), timeoutMs), options, terminal);
    }
    if (options.reverse === true) {
      const reversal = reversalOf(fields, original.fields['38']);
      tell(await exchange(link, name, packOrExplain(name, reversal), timeoutMs), options, terminal);
    }
  } finally {
    link.close();
  }
}

/** @throws HoldfastError `sign_on_refused` */
async function signOn(
  link: IsoLink,
  name: DialectName,
  timeoutMs: number,
  options: SendOptions,
  terminal: Terminal,
): Promise<void> {
  const message = packOrExplain(name, messageFields({ network: 'sign-on' }));
  const answer = await exchange(link, name, message, timeoutMs);
  tell(answer, options, terminal);
  if (answer.fields['39'] === '00') return;
  throw new HoldfastError(
    'sign_on_refused',
    `the sign-on was not accepted: ${headline(answer.fields)}`,
    'try again later, or leave --sign-on out',
  );
}

/** The dialect of the option, else the one the WebSocket's URL names; the two must not contradict each other. */
function dialectOf(target: Target, given: DialectName | undefined): DialectName {
  if (target.transport !== 'ws') return given ?? DEFAULT_DIALECT;
  const named = new URL(target.url).searchParams.get('dialect');
  if (given !== undefined && given !== (named ?? DEFAULT_DIALECT)) {
    throw new HoldfastError('usage', 'a WebSocket names its dialect in the URL', `append ?dialect=${given} to --to`);
  }
  return dialectNames.find((one) => one === named) ?? DEFAULT_DIALECT;
}

async function rawBytes(hex: string, terminal: Terminal): Promise<Uint8Array> {
  const bytes = hexBytes(hex === '-' ? await readText(terminal.stdin) : hex);
  if (bytes.length > MESSAGE_BYTES_MAX) {
    throw new HoldfastError('usage', `${bytes.length} bytes`, `a message has at most ${MESSAGE_BYTES_MAX}`);
  }
  return bytes;
}

async function exchange(link: IsoLink, name: DialectName, message: Uint8Array, timeoutMs: number): Promise<Exchange> {
  const start = performance.now();
  const reply = await link.exchange(message, timeoutMs, (bytes) => !isRequest(name, bytes));
  const ms = performance.now() - start;
  try {
    return { sent: describe(name, message), reply: describe(name, reply), fields: unpack(name, reply), ms };
  } catch (error) {
    if (!(error instanceof IsoError)) throw error;
    throw new HoldfastError(
      'server_unreachable',
      `the reply is no ${name}: ${error.message}`,
      'check --dialect and --header-bytes',
    );
  }
}

/** True for what a peer sends of its own, such as the sign-off of a server that stops; unreadable bytes are an answer. */
function isRequest(name: DialectName, message: Uint8Array): boolean {
  const { mti, error } = describe(name, message);
  return error === undefined && Number(mti[2]) % 2 === 0;
}

function tell({ sent, reply, fields, ms }: Exchange, options: SendOptions, terminal: Terminal): void {
  const time = Math.round(ms * 10) / 10;
  if (options.json === true) {
    const outcome = { response_code: fields['39'] ?? null, approval_code: fields['38'] ?? null, ms: time };
    terminal.out(JSON.stringify({ mti: reply.mti, ...outcome, request: sent, reply }));
    return;
  }
  const good = fields['39'] === '00' || fields['39'] === '10' || fields['39'] === '85';
  terminal.out(paint(terminal, good ? 'green' : 'red', `${headline(fields)} in ${time} ms`));
  if (options.quiet !== true) terminal.out(describeReply(reply));
}

/** The fields of the reply, without the summary line of `describeText`. */
function describeReply(reply: DescribedMessage): string {
  return reply.fields
    .map(({ field, name, value, parts }) => {
      const lines = [`  DE${String(field).padEnd(4)}${name.padEnd(44)}${value}`];
      for (const { part, name: partName, value: partValue } of parts ?? []) {
        lines.push(`        ${part.padEnd(12)}${partName.padEnd(30)}${partValue}`);
      }
      return lines.join('\n');
    })
    .join('\n');
}
