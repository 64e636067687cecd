/**
 * The process log: pino, JSON lines on stderr, pretty on a terminal. stdout belongs to results and is never written here.
 * Logging never waits for the reader of stderr (log-sink.ts).
 *
 * Nothing in the engine logs a card number. Should a defect do it all the same, every finished line passes a last filter:
 * card numbers are masked to first six and last four before they reach the stream (pan-mask.ts).
 * The filter works on the finished line because only there nothing can slip past it: bindings, nested objects, messages,
 * format arguments and stack traces all end up in it.
 */
import { createRequire } from 'node:module';
import { type Logger, pino, symbols } from 'pino';
import { LogSink, stderrSink } from './log-sink.js';
import { maskJson, maskPans } from './pan-mask.js';

export type Log = Logger;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];

/** A line that a thread without a log of its own asks the main thread to log, through a message port. */
export interface LogNote {
  level: 'info' | 'warn' | 'error';
  message: string;
  data: Record<string, string | number>;
}

/** Where finished lines go. `fatal`: the process is about to end. */
interface LineSink {
  write(line: string, fatal: boolean): unknown;
}

export interface LogOptions {
  level: LogLevel;
  format: LogFormat;
  /** Colours in the pretty format. */
  colour?: boolean;
  /** The process's stderr by default, which only the main thread may write. */
  sink?: LineSink;
}

/** Loaded for people on a terminal only: every thread that logs would load it at its start. */
function loadPretty(): typeof import('pino-pretty') {
  return createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
}

export function createLog(options: LogOptions): Log {
  const inner = options.sink ?? stderrSink();
  // The factory formats one line at a time, in step with the caller: no stream to flush when the process must stop.
  const format =
    options.format === 'pretty'
      ? loadPretty().prettyFactory({
          colorize: options.colour ?? false,
          ignore: 'pid,hostname,name',
          translateTime: 'SYS:HH:MM:ss.l',
        })
      : (line: string): string => line;
  // pino tells the level of a line to a stream that asks for it.
  const stream = {
    [symbols.needsMetadataGsym]: true as const,
    lastLevel: 0,
    write(line: string): void {
      inner.write(format(maskLine(line)), this.lastLevel >= pino.levels.values.fatal!);
    },
  };
  const log = pino(
    // ISO time, because a 13-digit epoch looks like a card number to the filter.
    { name: 'holdfast', level: options.level, timestamp: pino.stdTimeFunctions.isoTime },
    stream,
  );
  if (inner instanceof LogSink) {
    inner.onDropped = (lines) =>
      log.warn({ lines }, `${lines} lines were dropped: whoever reads the log did not keep up`);
  }
  return log;
}

/** Masks a finished JSON line and keeps it JSON: a masked number becomes a string. Lines without a suspect pass as they are. */
function maskLine(line: string): string {
  if (maskPans(line) === line) return line;
  try {
    return `${JSON.stringify(maskJson(JSON.parse(line), maskNumber))}\n`;
  } catch {
    return maskPans(line);
  }
}

/** A 13-digit number that starts with 1 is a time in ms until 2033; no card scheme issues such numbers. */
function maskNumber(value: number): unknown {
  const text = String(value);
  const masked = maskPans(text);
  return masked === text || (text.length === 13 && text.startsWith('1')) ? value : masked;
}
