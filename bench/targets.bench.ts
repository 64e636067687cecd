/**
 * The engine against its targets, with everything on: the sandbox program has ten velocity windows for each card and five active rules that
 * read them; duplicate check, journal, search and metrics always are. The load generator shares the machine. Money is verified after the
 * runs, or the figures are void.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { disk as examineDisk } from '#src/cli/doctor.js';
import { Scrape } from '#src/cli/scrape.js';
import { SANDBOX_PROGRAM } from '#src/control/system-state.js';
import { EngineProcess, runCommand } from './engine-process.js';
import { type GcPauses, gcPausesBetween } from './gc-pauses.js';
import { CLOSED, ONE_BY_ONE } from './limits.js';
import { echoRun, loadRun, type RunFigures } from './load-run.js';
import { adminFlags } from './scale/accounts.js';
import { inTemporaryFolder } from './temporary-folder.js';
import { tenWindows } from './velocity.bench.js';

export interface TargetsOptions {
  /** Folder for the data directories: the disk that is measured. */
  folder: string;
  closedSeconds: number;
  /** Of the open loop at half of the maximum. */
  openSeconds: number;
  /** Of each run beside other work, and of the quiet one before it. */
  besideSeconds: number;
  /** Messages per second of those. */
  besideRate: number;
  /** Accounts that are created beside a run. */
  importAccounts: number;
  say: (text: string) => void;
}

/** An open loop beside other work, and the quiet one before it. */
export interface BesideFigures {
  what: string;
  /** How long the other work took, seconds; it is begun again until the run ends, or once when it cannot be. */
  workSeconds: number[];
  quiet: RunFigures;
  beside: RunFigures;
}

export interface TargetsFigures {
  /** What each request met. */
  windows: number;
  rules: number;
  closed: RunFigures;
  echo: RunFigures;
  /** One connection, one message at a time. */
  one: RunFigures;
  /** A write of 4 KiB and fdatasync, p50, right before that. */
  fdatasyncUs: number;
  openRate: number;
  openSeconds: number;
  open: RunFigures;
  /** Of the open loop. */
  gc: GcPauses[];
  /** Messages per second of the runs beside other work. */
  besideRate: number;
  beside: BesideFigures[];
}

/** Rules as issuers write them: they read windows, texts and sums, and no message of the load test meets one. */
const RULES = [
  'spent("day") + amount > 1000000000_00',
  'count("1h") >= 900000 and channel != "ecommerce"',
  'merchant in ["MERCHANT0000009", "BADSHOP00000001", "BADSHOP00000002"]',
  'terminal starts_with "FRAUD" or merchant_name contains "GIFT CARD"',
  'amount * 100 > account.limit * 80 and card.age_days < 7',
];
const ACCOUNTS = 10_000;
/** Cards of this seed are not those of the load. */
const IMPORT_SEED = 50;
/** p99.9 has to have ten samples beyond it, and the first seconds compile. */
const WARMUP = ['--warmup', '5s'];

class Target {
  private constructor(
    readonly engine: EngineProcess,
    readonly dataDir: string,
  ) {}

  static async start(dataDir: string): Promise<Target> {
    return new Target(await EngineProcess.start(dataDir), dataDir);
  }

  /** Gives the sandbox program its windows and rules. */
  async prepare(): Promise<void> {
    await this.#request('PATCH', `/v1/programs/${SANDBOX_PROGRAM}`, { controls: { velocity: tenWindows } });
    for (const condition of RULES) {
      const text = `when ${condition} then decline 59 reason "suspected_fraud"`;
      await this.#request('POST', '/v1/rules', { program: SANDBOX_PROGRAM, state: 'active', text });
    }
  }

  get api(): string[] {
    return adminFlags(this.engine, this.dataDir);
  }

  /** @throws Error when something was declined: then the figures are of another work */
  async load(...flags: readonly string[]): Promise<RunFigures> {
    const url = `iso8583+tcp://${this.engine.tcp}`;
    const run = await loadRun([url, '--accounts', String(ACCOUNTS), ...flags, ...this.api]);
    if (run.declined !== 0) throw new Error(`${run.declined} of ${run.offered} authorizations were declined`);
    return run;
  }

  async metrics(): Promise<Scrape> {
    return new Scrape(await (await fetch(`http://${this.engine.admin}/metrics`)).text(), performance.now());
  }

  async #request(method: string, path: string, body: object): Promise<void> {
    const authorization = `Bearer ${readFileSync(join(this.dataDir, 'admin.token'), 'utf8').trim()}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await fetch(`http://${this.engine.admin}${path}`, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${await answer.text()}`);
  }
}

export function benchTargets(options: TargetsOptions): Promise<TargetsFigures> {
  let target: Target | undefined;
  const inPlace = async <T>(place: string, work: (target: Target) => Promise<T>): Promise<T> => {
    mkdirSync(place);
    target = await Target.start(join(place, 'data'));
    try {
      await target.prepare();
      return await work(target);
    } finally {
      await target.engine.stop();
      target = undefined;
      rmSync(place, { recursive: true });
    }
  };
  const work = async (folder: string): Promise<TargetsFigures> => {
    const loops = await inPlace(join(folder, 'loops'), (one) => measureLoops(one, folder, options));
    // Another server: what a clearing file is made of is read from the whole journal.
    const beside = await inPlace(join(folder, 'beside'), (one) => measureBeside(one, folder, options));
    return { windows: tenWindows.length, rules: RULES.length, ...loops, besideRate: options.besideRate, beside };
  };
  return inTemporaryFolder(options.folder, work, () => target?.engine.signal());
}

interface BesideCase {
  readonly what: string;
  readonly prepare?: () => Promise<unknown>;
  readonly work: () => Promise<unknown>;
  /** Begun again until the run ends. */
  readonly isRepeated: boolean;
  /** Changes balances of the load's accounts, which can then not be compared. */
  readonly movesMoney?: boolean;
}

type LoopFigures = Omit<TargetsFigures, 'windows' | 'rules' | 'besideRate' | 'beside'>;

async function measureLoops(target: Target, folder: string, options: TargetsOptions): Promise<LoopFigures> {
  const { say, closedSeconds, openSeconds } = options;
  const closedTimes = ['-d', `${closedSeconds}s`, ...WARMUP];
  say(`closed loop, 16 connections x 128 in flight, ${closedSeconds} s`);
  const closed = await target.load(...CLOSED, ...closedTimes, '--verify');
  say('the same against the bare echo');
  const echo = await echoRun([...CLOSED, ...closedTimes]);
  say('one message at a time');
  const fdatasyncUs = Number(examineDisk(folder).values.fdatasync_p50_us);
  const one = await target.load(...ONE_BY_ONE, ...closedTimes, '--verify');
  const openRate = Math.max(1, Math.floor(closed.achievedPerS / 2));
  say(`open loop at half of that, ${openRate}/s, ${openSeconds} s`);
  const before = await target.metrics();
  const flags = ['-R', String(openRate), '-c', '16', '--mix', 'auth:100', '-d', `${openSeconds}s`, ...WARMUP];
  const open = await target.load(...flags, '--verify');
  const gc = gcPausesBetween(before, await target.metrics());
  return { closed, echo, one, fdatasyncUs, openRate, openSeconds, open, gc };
}

async function measureBeside(target: Target, folder: string, options: TargetsOptions): Promise<BesideFigures[]> {
  const { say, besideSeconds, besideRate, importAccounts } = options;
  const flags = ['-R', String(besideRate), '-c', '16', '--mix', 'auth:100', '-d', `${besideSeconds}s`, ...WARMUP];
  const load = (movesMoney = false): Promise<RunFigures> => target.load(...flags, ...(movesMoney ? [] : ['--verify']));
  const date = new Date().toISOString().slice(0, 10);
  const file = join(folder, 'day.ipm');
  const dayFlags = ['--data-dir', target.dataDir, '--date', date, '--out', file, '--plan', `${file}.plan`];
  let copies = 0;
  const cases: BesideCase[] = [
    {
      what: `${importAccounts.toLocaleString('en-US')} accounts created through the API`,
      work: () => target.load('--accounts', String(importAccounts), '--seed', String(IMPORT_SEED), '-n', '1'),
      isRepeated: false,
    },
    {
      what: 'a backup',
      work: () => runCommand(['backup', join(folder, `copy-${++copies}`), '--data-dir', target.dataDir]),
      isRepeated: true,
    },
    {
      what: 'a clearing file of what was authorized',
      prepare: () => runCommand(['network-day', ...dayFlags]),
      work: () => runCommand(['clear', file, '--wait', ...target.api]),
      isRepeated: false,
      movesMoney: true,
    },
  ];
  const figures: BesideFigures[] = [];
  for (const { what, prepare, work, isRepeated, movesMoney } of cases) {
    await prepare?.();
    say(`open loop, ${besideRate}/s, ${besideSeconds} s, quiet`);
    const quiet = await load();
    say(`and beside ${what}`);
    const workSeconds: number[] = [];
    let isOver = false;
    const besideWork = async (): Promise<void> => {
      // The warm-up of the run is over by then.
      await new Promise((resolve) => setTimeout(resolve, 6000));
      do {
        const began = performance.now();
        await work();
        workSeconds.push((performance.now() - began) / 1000);
      } while (isRepeated && !isOver);
    };
    const both = await Promise.all([load(movesMoney).finally(() => (isOver = true)), besideWork()]);
    figures.push({ what, workSeconds, quiet, beside: both[0] });
  }
  return figures;
}
