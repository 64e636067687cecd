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
  /** One line to stdout, or some; what a terminal would obey is escaped (`shown`). */
  out(line: string): void;
  /** The same to stderr. */
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

/**
 * What a terminal would obey instead of showing: control characters (C0 but tab and line end, DEL, C1) and those that turn the direction of
 * writing. Texts of messages, files and headers are others': one of them could hide lines, write over them, or set the title. What
 * `paint` makes passes.
 */
const COMMANDS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /(\x1b\[(?:1|2|22|31|32|33|36|39)m|\r(?=\n))|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text as it may be shown: such characters as `\u001b`, which JSON reads as the same character. */
export function shown(text: string): string {
  return text.replace(COMMANDS, (found: string, own?: string) =>
    own === undefined ? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}` : found,
  );
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
    out: (line) => void process.stdout.write(`${shown(line)}\n`),
    err: (line) => void process.stderr.write(`${shown(line)}\n`),
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
