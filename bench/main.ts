/**
 * `npm run bench`: micro-benchmarks of each room, then the engine as a whole; a table on the terminal and one JSON file in
 * bench/results. docs/benchmarks.md is generated from those files (`npm run bench -- --report`). Flags: USAGE.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { disk as examineDisk } from '#src/cli/doctor.js';
import { OWN_CARDS_MAX } from '../loadtest/cards.js';
import { benchCheck } from './check.bench.js';
import { type Baseline, compareFigures, renderComparison } from './drift.js';
import { benchEngine } from './engine.bench.js';
import { benchLargeFile, grownBytes, LARGE_FILE_MEMORY_MAX, renderLargeFile } from './large-file.bench.js';
import { type OverloadResult, renderOverload, writeOverloadReport } from './overload/report.js';
import { benchOverload } from './overload.bench.js';
import { type PeersResult, renderPeers } from './peers/report.js';
import { benchPeers, peerNames } from './peers.bench.js';
import { type BenchHeader, type BenchResult, renderRows, writeReport } from './report.js';
import { roomNames, runRoom } from './rooms.js';
import type { BenchRow } from './row.js';
import { renderScale, type ScaleResult, sourcesOf, writeScaleReport } from './scale/report.js';
import {
  benchScale,
  FULL_ACCOUNTS,
  FULL_RECORDS,
  QUICK_ACCOUNTS,
  QUICK_RECORDS,
  type ScalePart,
  scaleMinutes,
  scaleParts,
} from './scale.bench.js';
import { renderTargets, type TargetsResult } from './targets/report.js';
import { benchTargets } from './targets.bench.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const minutes = scaleMinutes({ parts: scaleParts, accounts: FULL_ACCOUNTS, records: FULL_RECORDS, quick: false });
const total = minutes.accounts + minutes.journal + minutes.shards;

const USAGE = `npm run bench [-- FLAGS]: without one, the micro-benchmarks of each room and then the engine as a whole

  --rooms      only the micro-benchmarks; --room NAME only this one, repeatable: nothing is written then
  --engine     only the whole engine
  --overload   only overload and hostile peers: a result of its own, in bench/results/overload, from which a part of
               docs/internals/overload.md is generated; --only CASE one of its cases, repeatable: nothing is written then
  --peers      PostgreSQL, Redis and SQLite at the same job, the engine and what the machine allows beside them: a result of its own,
               in bench/results/peers; --only NAME one of the peers, repeatable: nothing is written then
  --targets    the engine with everything on (ten windows for each card, five rules) against its targets, a quarter of an hour: a result of
               its own, in bench/results/targets
  --scale      many accounts, a long journal, more shard threads: a result of its own, in bench/results/scale, from which a part of
               docs/internals/scale.md and its charts are generated. About ${total} minutes: accounts ${minutes.accounts}, journal ${minutes.journal}, shards ${minutes.shards}. What does
               not fit on the disk or in memory is told and left out. --accounts 10000,1000000 these sizes (default: 10 000 to 10 000 000),
               --records N of the journal (default: 50 000 000), --only accounts|journal|shards one of its parts, repeatable
  --large-file MB  a clearing file of so many megabytes (1000 is that of the goal) through the engine, and how much memory it takes:
               nothing is written; status 1 when that is more than 300 MB
  --check      (npm run bench:check) half a minute, and what has drifted from bench/baseline.json. Status 1 when something is
               worse than its tolerance, but in CI (CI=true) always 0; --update writes the baseline instead
  --quick      short runs, to see that everything works: no figures to quote
  --dir DIR    folder whose disk is measured (default: the system's for temporary files, whose disk may be memory)
  --report     only writes docs/benchmarks.md, docs/internals/overload.md and docs/internals/scale.md from the newest results
  --help       this text`;

const values = flags();

function flags() {
  try {
    return parseArgs({
      options: {
        rooms: { type: 'boolean', default: false },
        room: { type: 'string', multiple: true, default: [] as string[] },
        engine: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        overload: { type: 'boolean', default: false },
        peers: { type: 'boolean', default: false },
        targets: { type: 'boolean', default: false },
        scale: { type: 'boolean', default: false },
        accounts: { type: 'string' },
        records: { type: 'string' },
        'large-file': { type: 'string' },
        check: { type: 'boolean', default: false },
        update: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] as string[] },
        report: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        dir: { type: 'string', default: tmpdir() },
      },
    }).values;
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const say = (text: string): void => console.error(`bench: ${text}`);

async function run(): Promise<void> {
  const head = header();
  const rows: BenchRow[] = [];
  const { quick, room } = values;
  if (!values.engine) {
    for (const [i, name] of roomNames.entries()) {
      if (room.length > 0 && !room.includes(name)) continue;
      say(name);
      rows.push(...(await runRoom(i, values.dir)));
    }
    console.log(renderRows(rows));
    if (room.length > 0) return;
  }
  const engine = values.rooms
    ? undefined
    : await benchEngine({
        folder: values.dir,
        closedSeconds: quick ? 5 : 20,
        openSeconds: quick ? 5 : 60,
        openRate: quick ? 5_000 : 30_000,
        say,
      });
  const result: BenchResult = {
    ...head,
    rooms: rows,
    ...(engine === undefined ? {} : { engine }),
  };
  if (engine !== undefined) console.log(JSON.stringify(engine, null, 2));
  write(result);
}

/** Writes a result to bench/results, or its part of that for a kind of result that has one. */
function write(result: BenchHeader, ...part: readonly string[]): void {
  const folder = join(root, 'bench', 'results', ...part, ...(values.quick ? ['tmp'] : []));
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${result.date.slice(0, 10)}-${result.commit}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  say(`written to ${file}`);
}

/** What every result says of itself. */
function header(): BenchHeader {
  const began = new Date();
  // Times only: where the folder lies says nothing to a reader.
  const { fdatasync_p50_us, fdatasync_p99_us } = examineDisk(values.dir).values;
  return {
    schema_version: 1,
    date: began.toISOString(),
    commit: git('rev-parse', '--short', 'HEAD'),
    dirty: git('status', '--porcelain') !== '',
    quick: values.quick,
    command: commandLine(process.argv.slice(2)),
    environment: {
      node: process.version,
      kernel: release(),
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
      loadAverageAtStart: loadavg()[0] ?? 0,
      disk: { fdatasync_p50_us, fdatasync_p99_us },
    },
  };
}

/** Overload and hostile peers; a result of its own, because it takes as long as all others together. */
async function runOverload(): Promise<void> {
  const { quick, only } = values;
  const head = header();
  const overload = await benchOverload({
    folder: values.dir,
    ...(quick
      ? { beforeSeconds: 2, duringSeconds: 3, afterSeconds: 3, loadSeconds: 4, idle: 2000 }
      : { beforeSeconds: 4, duringSeconds: 6, afterSeconds: 5, loadSeconds: 15, idle: 10_000 }),
    ...{ steadyRate: 1000, hostileRate: 20_000, cap: 15_000, offered: 45_000, only, say },
  });
  console.log(renderOverload({ ...head, overload }));
  const result: OverloadResult = { ...head, overload };
  if (only.length === 0) write(result, 'overload');
}

/** Memory for one large clearing file; returns the exit status. */
async function runLargeFile(megabytes: string): Promise<number> {
  if (!/^[1-9]\d{0,4}$/.test(megabytes)) fail(`--large-file takes megabytes from 1 to 99999, not "${megabytes}"`);
  const result = await benchLargeFile(values.dir, Number(megabytes) * 1e6, say);
  console.log(renderLargeFile(result));
  return grownBytes(result) > LARGE_FILE_MEMORY_MAX ? 1 : 0;
}

/** The engine beside what somebody would take instead. */
async function runPeers(): Promise<void> {
  const { quick, only } = values;
  const strange = only.find((name) => !peerNames.includes(name));
  if (strange !== undefined) fail(`no peer "${strange}"; there are: ${peerNames.join(', ')}`);
  const head = header();
  const peers = await benchPeers({
    folder: values.dir,
    rounds: 3,
    ...(quick ? { seconds: 2, warmupSeconds: 1, accounts: 1000 } : { seconds: 10, warmupSeconds: 3, accounts: 10_000 }),
    ...{ only, say },
  });
  console.log(renderPeers(peers));
  const result: PeersResult = { ...head, peers };
  if (only.length === 0) write(result, 'peers');
}

/** The engine with everything on against its targets. */
async function runTargets(): Promise<void> {
  const { quick } = values;
  const head = header();
  const targets = await benchTargets({
    folder: values.dir,
    ...(quick
      ? { closedSeconds: 3, openSeconds: 5, besideSeconds: 6, besideRate: 1000, importAccounts: 10_000 }
      : { closedSeconds: 20, openSeconds: 600, besideSeconds: 20, besideRate: 10_000, importAccounts: 200_000 }),
    say,
  });
  console.log(renderTargets(targets));
  const result: TargetsResult = { ...head, targets };
  write(result, 'targets');
}

/** How each cost grows. The result is written after each step: a run that is interrupted keeps what it has. */
async function runScale(): Promise<void> {
  const { quick, only } = values;
  const strange = only.find((name) => !scaleParts.some((part) => part === name));
  if (strange !== undefined) fail(`no part "${strange}" of --scale; there are: ${scaleParts.join(', ')}`);
  const parts: readonly ScalePart[] = scaleParts.filter((part) => only.length === 0 || only.includes(part));
  const accounts = accountsOf(values.accounts) ?? (quick ? QUICK_ACCOUNTS : FULL_ACCOUNTS);
  const records = recordsOf(values.records) ?? (quick ? QUICK_RECORDS : FULL_RECORDS);
  const head = header();
  const about = scaleMinutes({ parts, accounts, records, quick });
  say(`about ${about.accounts + about.journal + about.shards} minutes`);
  const options = { folder: values.dir, parts, accounts, records, quick, say };
  let result: ScaleResult = { ...head, scale: {} };
  const scale = await benchScale({
    ...options,
    save: (figures) => {
      result = { ...head, scale: figures };
      write(result, 'scale');
    },
  });
  result = { ...head, scale };
  console.log(renderScale(sourcesOf([{ file: 'this run', result }])));
}

function accountsOf(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  const sizes = text.split(',').map(Number);
  const isFine = sizes.every((one, i) => Number.isInteger(one) && one >= 1000 && one > (sizes[i - 1] ?? 0));
  if (!isFine || sizes.at(-1)! > OWN_CARDS_MAX)
    fail(`--accounts takes rising numbers from 1000 to ${OWN_CARDS_MAX}, joined by commas, not "${text}"`);
  return sizes;
}

function recordsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const records = Number(text);
  if (!Number.isInteger(records) || records < 10_000 || records > 1e9)
    fail(`--records takes a whole number from 10000 to 1000000000, not "${text}"`);
  return records;
}

/** Whether the engine has become slower than the baseline says; returns the exit status. */
async function runCheck(): Promise<number> {
  const file = join(root, 'bench', 'baseline.json');
  const { date, commit, environment } = header();
  const { cpu, cores, loadAverageAtStart: load } = environment;
  const machine = { cpu, cores, node: Number(process.versions.node.split('.')[0]) };
  const figures = await benchCheck(values.dir, say);
  if (values.update) {
    const baseline: Baseline = { schema_version: 1, date, commit, machine, load_average: load, figures };
    writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`);
    say(`written to ${file}`);
    return 0;
  }
  const baseline = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Baseline) : undefined;
  const comparison = compareFigures(baseline, figures, machine);
  console.log(renderComparison(comparison, load, cores));
  return comparison.drifts.some(({ verdict }) => verdict === 'worse') ? 1 : 0;
}

/** In CI a time fails nothing, and neither does a machine on which nothing can be measured. */
async function checkStatus(): Promise<number> {
  if (process.env.CI !== 'true') return runCheck();
  try {
    await runCheck();
  } catch (error) {
    say(`nothing was compared: ${error instanceof Error ? error.message : String(error)}`);
  }
  return 0;
}

function fail(text: string): never {
  console.error(`bench: ${text}`);
  process.exit(2);
}

/** The command that repeats the run, without the folder that was measured. */
function commandLine(args: readonly string[]): string {
  const shown = args.map((arg, i) => (args[i - 1] === '--dir' ? '<folder>' : arg));
  return ['npm run bench', ...(shown.length > 0 ? ['--'] : []), ...shown].join(' ');
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

if (values.help) {
  console.log(`${USAGE}\n\nrooms: ${[...new Set(roomNames)].join(', ')}`);
  process.exit();
}
const unknown = values.room.find((name) => !roomNames.includes(name));
if (unknown !== undefined) {
  fail(`no room "${unknown}"; there are: ${[...new Set(roomNames)].join(', ')}`);
}
// Else a benchmark of some minutes ends at the first room that needs it.
mkdirSync(values.dir, { recursive: true });
if (values.report) {
  say(`${writeReport(root)} written`);
  say(`${writeOverloadReport(root)} written`);
  say(`${writeScaleReport(root)} written`);
} else if (values['large-file'] !== undefined) process.exitCode = await runLargeFile(values['large-file']);
else if (values.overload) await runOverload();
else if (values.peers) await runPeers();
else if (values.targets) await runTargets();
else if (values.scale) await runScale();
else if (values.check) process.exitCode = await checkStatus();
else await run();
