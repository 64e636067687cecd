/**
 * Overload and hostile peers against a real server: beside each, steady traffic at a fixed open-loop rate over TCP and WebSocket. What
 * it met before, during and after is the figure, with what the server took for it. All on the same cores: the hostile side's own
 * processor time is in what the steady traffic waits for.
 */
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { openFilesLimit, socketsAllowed } from '#src/cli/open-files.js';
import { EngineProcess, runCommand } from './engine-process.js';
import {
  type CaseFigures,
  type CaseName,
  type CaseTask,
  caseNames,
  type SteadyRows,
  type SteadyTask,
  type Transport,
} from './overload/case.js';
import { backToNormalMs, type PhaseFigures, phase } from './overload/phases.js';
import { type ServerFigures, ServerWatch } from './overload/server-watch.js';

export interface OverloadOptions {
  /** Folder for the data directory. */
  folder: string;
  beforeSeconds: number;
  duringSeconds: number;
  afterSeconds: number;
  /** Of the steady traffic, and of the hostile one where it sends whole messages, per second. */
  steadyRate: number;
  hostileRate: number;
  idle: number;
  /** Cap and offered rate of the capped run, per second; duration of a load run. */
  cap: number;
  offered: number;
  loadSeconds: number;
  /** Only these cases. */
  only: readonly string[];
  say: (text: string) => void;
}

export interface HostileFigures {
  name: CaseName;
  transport: Transport;
  before: PhaseFigures;
  during: PhaseFigures;
  after: PhaseFigures;
  backToNormalMs: number | null;
  hostile: CaseFigures;
  server: ServerFigures;
}

export interface LoadFigures {
  name: string;
  /** Length of the load with its warm-up, seconds: the phase `during`. */
  loadSeconds: number;
  offeredPerS: number;
  /** Answered with a decision, per second. */
  goodputPerS: number;
  shed: number;
  dropped: number;
  errors: number;
  timeouts: number;
  /** Of decisions, and of answers 91, us. */
  latencyUs: Record<string, number | null>;
  shedUs: Record<string, number | null>;
  /** Answers by kind of request. */
  byKind: Record<string, { sent: number; answered: number }>;
  verified: boolean;
  /** The first differences that the verification found. */
  verifyFailures: readonly string[];
  before: PhaseFigures;
  during: PhaseFigures;
  after: PhaseFigures;
  backToNormalMs: number | null;
  server: ServerFigures;
}

export interface OverloadFigures {
  steadyRate: number;
  hostileRate: number;
  idle: number;
  cap: number;
  /** Carried in a closed loop on this machine, per second. Absent, as the two runs, when only some cases are run. */
  capacityPerS?: number;
  capped?: LoadFigures;
  uncapped?: LoadFigures;
  /** What one connection that says nothing costs the server, by transport; null: fewer open files are allowed than it takes. */
  idleBytes?: Readonly<Record<Transport, number | null>>;
  cases: HostileFigures[];
}

const STEADY_CONNECTIONS = 4;
const IDLE_SECONDS = 40;

export async function benchOverload(options: OverloadOptions): Promise<OverloadFigures> {
  const { steadyRate, hostileRate, idle, only, say } = options;
  const runHostile = (): Promise<HostileFigures[]> =>
    withEngine(options, [], (engine, _own, log) => hostileRuns(options, engine, log));
  if (only.length > 0) return { steadyRate, hostileRate, idle, cap: options.cap, cases: await runHostile() };
  say('what the machine carries');
  const capacityPerS = await withEngine(options, [], (engine, own) => capacity(options, engine, own));
  // A machine that carries less than the wanted cap is capped at half of what it carries: else it would not be the cap that sheds.
  const cap = Math.min(options.cap, Math.round(capacityPerS / 200) * 100);
  const offered = Math.min(options.offered, cap * 3);
  say(`${offered}/s offered, cap ${cap}/s`);
  const capped = await withEngine(options, ['--admission-rate-max', String(cap)], (engine, own, log) =>
    loadRun(options, engine, log, own, 'capped', offered),
  );
  const three = Math.round(capacityPerS * 3);
  say(`${three}/s offered, no cap`);
  const uncapped = await withEngine(options, [], (engine, own, log) =>
    loadRun(options, engine, log, own, 'three times of what it carries', three),
  );
  const idleBytes = { tcp: await idleConnections(options, 'tcp'), ws: await idleConnections(options, 'ws') };
  const cases = await runHostile();
  return { steadyRate, hostileRate, idle, cap, capacityPerS, capped, uncapped, idleBytes, cases };
}

type Own = readonly string[];

/** A server of its own with the demo program; afterwards its data must verify. */
async function withEngine<T>(
  options: OverloadOptions,
  flags: readonly string[],
  work: (engine: EngineProcess, own: Own, log: number) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(options.folder, 'holdfast-overload-'));
  const dataDir = join(folder, 'data');
  try {
    const log = openSync(join(folder, 'log'), 'a');
    const engine = await EngineProcess.startLogging(log, dataDir, '--demo', ...flags);
    const own = ['--admin', `http://${engine.admin}`, '--token-file', join(dataDir, 'admin.token')];
    let result: T;
    let status: number;
    try {
      result = await work(engine, own, log);
    } finally {
      status = await engine.stop();
    }
    if (status !== 0)
      throw new Error(`the server ended with ${status}: ${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`);
    await runCommand(['verify', '--data-dir', dataDir]);
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface LoadResult {
  started_at: string;
  offered_per_s: number;
  achieved_per_s: number;
  shed: number;
  dropped: number;
  errors: number;
  timeouts: number;
  latency_us: Record<string, number | null>;
  shed_us: Record<string, number | null>;
  by_kind: Record<string, { sent: number; answered: number }>;
  verify: { ok: boolean; failures: readonly string[] } | null;
}

const MIX = ['--mix', 'auth:87,reversal:7,advice:3,repeat:3', '--accounts', '10000', '--verify'];

async function capacity(options: OverloadOptions, engine: EngineProcess, own: Own): Promise<number> {
  const loop = ['--closed', '-c', '16', '-p', '64', '-d', `${options.loadSeconds}s`, '--warmup', '2s'];
  const text = await runCommand([
    'loadtest',
    `iso8583+tcp://${engine.tcp}`,
    ...loop,
    ...MIX,
    ...own,
    '--json',
    '--quiet',
  ]);
  return (JSON.parse(text) as LoadResult).achieved_per_s;
}

async function loadRun(
  options: OverloadOptions,
  engine: EngineProcess,
  log: number,
  own: Own,
  name: string,
  rate: number,
): Promise<LoadFigures> {
  const { beforeSeconds, afterSeconds, loadSeconds } = options;
  const loop = [
    '-R',
    String(rate),
    '-c',
    '16',
    '-p',
    '4096',
    '-d',
    `${loadSeconds}s`,
    '--warmup',
    '1s',
    '--timeout',
    '5s',
  ];
  const args = ['loadtest', `iso8583+tcp://${engine.tcp}`, ...loop, ...MIX, ...own, '--json', '--quiet'];
  // The accounts are made before the clock starts.
  await runCommand([...args.slice(0, 2), '-R', '100', '-d', '1s', '--accounts', '10000', ...own, '--json', '--quiet']);
  const watch = await ServerWatch.begin(engine, log);
  // How long the command takes around its load is not known before: the steady traffic goes on until long after.
  const startMs = performance.timeOrigin + performance.now() + 500;
  const spanMs = (beforeSeconds + loadSeconds + 15 + afterSeconds) * 1000;
  const steady = steadyTraffic(options, engine, startMs, startMs + spanMs);
  await sleep(500 + beforeSeconds * 1000);
  // Beyond what can be carried some requests may run into the time-out of the client (status 2): that is a figure, too.
  const result = JSON.parse(await runCommand(args, [0, 2, 99])) as LoadResult;
  const rows = await steady;
  const loadFromMs = Date.parse(result.started_at);
  const loadToMs = loadFromMs + (loadSeconds + 1) * 1000;
  const server = await watch.end();
  return {
    name,
    loadSeconds: loadSeconds + 1,
    offeredPerS: result.offered_per_s,
    goodputPerS: result.achieved_per_s,
    ...{ shed: result.shed, dropped: result.dropped, errors: result.errors, timeouts: result.timeouts },
    latencyUs: percentilesOf(result.latency_us),
    shedUs: percentilesOf(result.shed_us),
    byKind: Object.fromEntries(
      Object.entries(result.by_kind).map(([kind, { sent, answered }]) => [kind, { sent, answered }]),
    ),
    verified: result.verify?.ok ?? false,
    verifyFailures: result.verify?.failures ?? ['the load test did not verify'],
    before: phase(rows, startMs, loadFromMs),
    during: phase(rows, loadFromMs, loadToMs),
    after: phase(rows, loadToMs, startMs + spanMs),
    backToNormalMs: backToNormalMs(rows, loadFromMs, loadToMs),
    server,
  };
}

function percentilesOf(latency: Record<string, number | null>): Record<string, number | null> {
  return Object.fromEntries(['p50', 'p99', 'p999', 'max'].map((name) => [name, latency[name] ?? null]));
}

/** Anonymous memory per connection that says nothing, of a server that has nothing else to do. */
async function idleConnections(options: OverloadOptions, transport: Transport): Promise<number | null> {
  const { idle, say } = options;
  if (socketsAllowed(openFilesLimit()) < idle) return null;
  say(`memory of ${idle} idle connections, ${transport}`);
  return await withEngine(options, [], async (engine) => {
    await sleep(2000);
    const before = engine.residentBytes() ?? 0;
    const address = transport === 'tcp' ? engine.tcp : engine.ws;
    const untilMs = performance.timeOrigin + performance.now() + IDLE_SECONDS * 1000;
    const opening = inThread<CaseFigures>('hostile-thread', {
      name: 'idle',
      transport,
      address,
      rate: 0,
      idle,
      untilMs,
    });
    let grown = 0;
    let there = 0;
    while (performance.timeOrigin + performance.now() < untilMs - 1000) {
      await sleep(500);
      const page = await (await fetch(`http://${engine.admin}/metrics`)).text();
      const line = new RegExp(`^holdfast_connections\\{transport="${transport}",state="signed_on"\\} (\\d+)$`, 'm');
      there = Number(line.exec(page)?.[1] ?? 0);
      grown = (engine.residentBytes() ?? 0) - before;
    }
    await opening;
    if (there < idle) throw new Error(`${there} of ${idle} connections were opened in ${IDLE_SECONDS} s`);
    return grown / there;
  });
}

async function hostileRuns(options: OverloadOptions, engine: EngineProcess, log: number): Promise<HostileFigures[]> {
  const figures: HostileFigures[] = [];
  for (const name of caseNames) {
    if (options.only.length > 0 && !options.only.includes(name)) continue;
    for (const transport of ['tcp', 'ws'] as const) {
      options.say(`${name}, ${transport}`);
      figures.push(await hostileRun(options, engine, log, name, transport));
    }
  }
  return figures;
}

async function hostileRun(
  options: OverloadOptions,
  engine: EngineProcess,
  log: number,
  name: CaseName,
  transport: Transport,
): Promise<HostileFigures> {
  const { beforeSeconds, duringSeconds, afterSeconds, hostileRate, idle } = options;
  const watch = await ServerWatch.begin(engine, log);
  const startMs = performance.timeOrigin + performance.now() + 500;
  const fromMs = startMs + beforeSeconds * 1000;
  const toMs = fromMs + duringSeconds * 1000;
  const endMs = toMs + afterSeconds * 1000;
  const steady = steadyTraffic(options, engine, startMs, endMs);
  await sleep(fromMs - performance.timeOrigin - performance.now());
  const address = transport === 'tcp' ? engine.tcp : engine.ws;
  const task: CaseTask = { name, transport, address, rate: hostileRate, idle, untilMs: toMs };
  const hostile = await inThread<CaseFigures>('hostile-thread', task);
  const rows = await steady;
  return {
    name,
    transport,
    before: phase(rows, startMs, fromMs),
    during: phase(rows, fromMs, toMs),
    after: phase(rows, toMs, endMs),
    backToNormalMs: backToNormalMs(rows, fromMs, toMs),
    hostile,
    server: await watch.end(),
  };
}

function steadyTraffic(
  options: OverloadOptions,
  engine: EngineProcess,
  startMs: number,
  endMs: number,
): Promise<SteadyRows> {
  const { tcp, ws } = engine;
  const task: SteadyTask = { tcp, ws, connections: STEADY_CONNECTIONS, rate: options.steadyRate, startMs, endMs };
  return inThread<SteadyRows>('steady-thread', task);
}

function inThread<T>(file: string, workerData: unknown): Promise<T> {
  const worker = new Worker(fileURLToPath(new URL(`./overload/${file}.js`, import.meta.url)), { workerData });
  return new Promise<T>((resolve, reject) => {
    worker.once('message', (message: T) => {
      resolve(message);
      void worker.terminate();
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it was done`)));
  });
}
