/**
 * What a command may say and where: results on stdout, everything else on stderr, colour only on a terminal that wants it.
 * Commands get a `Terminal` instead of `process`, so tests can run them in their own process and read what they said.
 */
import { styleText } from 'node:util';
import { type ErrorCode, ExitStatus, HoldfastError } from '../errors.js';

export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** True when the stream is a terminal. */
  readonly outIsTty: boolean;
  readonly errIsTty: boolean;
  readonly stdin: NodeJS.ReadableStream;
  /** Raw text to stdout; resolves when the stream can take more. */
  write(text: string): Promise<void>;
  /** One line to stdout. */
  out(line: string): void;
  /** One line to stderr. */
  err(line: string): void;
  /** Replaces the current line of a terminal on stderr; nothing elsewhere. */
  progress(text: string): void;
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Styles text for stdout when it is a terminal and NO_COLOR is not set. */
export function paint(terminal: Terminal, style: Style, text: string): string {
  return wantsColour(terminal, terminal.outIsTty) ? styleText(style, text) : text;
}

export function wantsColour(terminal: Terminal, isTty: boolean): boolean {
  const { NO_COLOR: off, TERM: term } = terminal.environment;
  return isTty && (off === undefined || off === '') && term !== 'dumb';
}

/** The terminal of this process. A reader that went away (`| head`) ends the command without a complaint. */
export function processTerminal(): Terminal {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ExitStatus.ok);
    throw error;
  });
  return {
    environment: process.env,
    outIsTty: process.stdout.isTTY === true,
    errIsTty: process.stderr.isTTY === true,
    stdin: process.stdin,
    write: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve())),
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    progress: (text) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    },
  };
}

/** Tells an error on stderr and gives the exit status. A stack trace is shown only on request. */
export function report(terminal: Terminal, error: unknown, debug: boolean): ExitStatus {
  const known = error instanceof HoldfastError;
  if (known) {
    const lines = error.message.split('\n');
    const next = error.next === '' ? '' : `. Next: ${error.next}`;
    lines.forEach((line, index) => {
      terminal.err(`holdfast: ${line}${index === lines.length - 1 ? next : ''}`);
    });
  } else {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const next = debug ? '' : '. Next: repeat with --debug and report what it prints';
    terminal.err(`holdfast: unexpected error: ${text.split('\n')[0]}${next}`);
  }
  if (debug) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      terminal.err(cause.stack ?? cause.message);
  }
  return known ? error.exitStatus : ExitStatus.internal;
}

/** An error of the operating system as an expected failure. What has no code of letters, as a timeout (23), is told by its message. */
export function systemError(code: ErrorCode, what: string, error: unknown, next: string): HoldfastError {
  const { code: name, message } = error as { code?: unknown; message: string };
  const reason = typeof name === 'string' ? name : message;
  return new HoldfastError(code, `${what}: ${reason}`, next, { cause: error });
}
