/**
 * `holdfast serve`: configuration, start, ready line, signals, exit status.
 *
 * The first SIGTERM or SIGINT stops gracefully within `stop-limit-ms`; a second one, or a stop that takes longer, forces the
 * end with SIGKILL: process.exit() beside threads that commit can hang, and a kill at any instant is safe by design.
 * SIGHUP reads certificates again where a listener has one.
 */
import type { Command } from 'commander';
import type { ExitStatus } from '../errors.js';
import { createLog, type Log } from '../log.js';
import { newCommand, programName, type Run, setAction } from './command.js';
import { addSettingOptions, loadFromCommand } from './config-options.js';
import type { EngineConfig, RunningEngine, StartEngine } from './engine-types.js';
import { isFileLink } from './links.js';
import { type Terminal, wantsColour } from './terminal.js';

export function addServe(program: Command, run: Run): void {
  const command = newCommand(program, 'serve', 'run the engine', [
    'serve --demo',
    'serve --data-dir /var/lib/holdfast --threads 4 --config holdfast.yaml',
  ]).option('--json', 'ready line as one JSON object');
  addSettingOptions(command);
  setAction(command, run, async (options) => {
    const { config } = loadFromCommand(command, run.terminal);
    const { startEngine } = await import('./engine.js');
    try {
      return await serve(config, startEngine, run.terminal, options.json === true);
    } finally {
      // A start that failed half-way may leave a thread or a handle behind; the status must come out all the same.
      setTimeout(() => process.exit(), LINGER_MS).unref();
    }
  });
}

/** Time for what is left of an ended engine to go by itself, ms. */
const LINGER_MS = 1000;

/** A second signal within this time is the same key press: a terminal signals the whole group, and npm passes it on too. */
const SAME_SIGNAL_MS = 300;

/** Ends this process at once; replaced by tests. */
export type ForceEnd = () => void;

const killSelf: ForceEnd = () => process.kill(process.pid, 'SIGKILL');

/** Runs the engine until it ends; resolves with the exit status. */
export async function serve(
  config: EngineConfig,
  startEngine: StartEngine,
  terminal: Terminal,
  json: boolean,
  forceEnd: ForceEnd = killSelf,
): Promise<ExitStatus> {
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    colour: wantsColour(terminal, terminal.errIsTty),
  });
  const hasTls = config.adminTls !== undefined || config.links.some(({ tls }) => tls !== undefined);
  const signals = watchSignals(config.stopLimitMs, log, forceEnd, hasTls);
  try {
    const engine = await startEngine(config, log);
    signals.started(engine);
    // A signal that came during the start has begun the stop: nothing is ready any more.
    if (!signals.stopping()) {
      const links = linksOf(config, engine);
      const facts = { ...readyFacts(config, engine), ...(links === undefined ? {} : { links }) };
      terminal.out(json ? JSON.stringify(facts) : readyLine(config, engine));
      if (config.demo) terminal.err(`next: ${nextCommand(config, engine)}`);
    }
    return await engine.closed;
  } finally {
    signals.release();
  }
}

/** With a link file every listener is named: scripts that look for one address find it where it always was. */
function linksOf(config: EngineConfig, engine: RunningEngine): Readonly<Record<string, string>> | undefined {
  return config.links.some(isFileLink) ? engine.addresses.links : undefined;
}

function readyFacts(config: EngineConfig, engine: RunningEngine): Record<string, string | number> {
  return {
    tcp: engine.addresses.tcp,
    ws: engine.addresses.ws,
    admin: engine.addresses.admin,
    threads: engine.threads,
    shards: engine.shards,
    data: config.dataDir,
    recovered: engine.recovered,
    in_ms: Math.round(engine.inMs),
  };
}

/**
 * The line that scripts wait for: `holdfast ready key=value ...`; a value with blanks is a JSON string. With a link file
 * `links=<name>:<host>:<port>,...` comes last.
 */
export function readyLine(config: EngineConfig, engine: RunningEngine): string {
  const links = Object.entries(linksOf(config, engine) ?? {}).map(([name, address]) => `${name}:${address}`);
  const facts = { ...readyFacts(config, engine), ...(links.length === 0 ? {} : { links: links.join(',') }) };
  const pairs = Object.entries(facts).map(([key, value]) => {
    const text = String(value);
    return `${key}=${/[\s"]/.test(text) ? JSON.stringify(text) : text}`;
  });
  return `holdfast ready ${pairs.join(' ')}`;
}

/** The command that shows a visible approval, with only the flags that differ from the defaults. */
export function nextCommand(config: EngineConfig, engine: RunningEngine): string {
  const link = config.links.find(({ name }) => name === 'tcp')!;
  const flags = ['--demo-card 1', '--amount 1234'];
  if (engine.addresses.tcp !== '127.0.0.1:8583') flags.push(`--to ${engine.addresses.tcp}`);
  if (link.framing !== 'len2') flags.push(`--framing ${link.framing}`);
  if (link.headerBytes !== 0) flags.push(`--header-bytes ${link.headerBytes}`);
  if (link.dialect !== 'iso87-bcd') flags.push(`--dialect ${link.dialect}`);
  return `${programName()} iso send ${flags.join(' ')}`;
}

interface SignalWatch {
  started(engine: RunningEngine): void;
  stopping(): boolean;
  release(): void;
}

function watchSignals(stopLimitMs: number, log: Log, forceEnd: ForceEnd, hasTls: boolean): SignalWatch {
  let running: RunningEngine | undefined;
  let first: NodeJS.Signals | undefined;
  let firstAt = 0;
  let timer: NodeJS.Timeout | undefined;

  const stop = (engine: RunningEngine): void => {
    engine.stop().catch((error: unknown) => {
      log.fatal({ err: error }, 'graceful stop failed; forcing the end');
      forceEnd();
    });
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (first !== undefined) {
      if (performance.now() - firstAt < SAME_SIGNAL_MS) return;
      log.fatal({ signal }, 'second signal: forcing the end');
      forceEnd();
      return;
    }
    first = signal;
    firstAt = performance.now();
    log.info({ signal, limitMs: stopLimitMs }, 'stopping; a second signal forces it');
    timer = setTimeout(() => {
      log.fatal({ limitMs: stopLimitMs }, 'graceful stop took too long; forcing the end');
      forceEnd();
    }, stopLimitMs);
    if (running !== undefined) stop(running);
  };
  const onHangUp = (): void => {
    log.info('the files of certificates are read again');
    running?.reloadTls().catch((error: unknown) => log.error({ err: error }, 'certificates cannot be read again'));
  };
  // Without certificates the end of a terminal ends the process, as everywhere.
  if (hasTls) process.on('SIGHUP', onHangUp);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    started: (engine) => {
      running = engine;
      if (first !== undefined) stop(engine);
    },
    stopping: () => first !== undefined,
    release: () => {
      clearTimeout(timer);
      process.off('SIGHUP', onHangUp);
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    },
  };
}
