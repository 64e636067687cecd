/**
 * The soak: a real server for hours, over simulated months. Each simulated day has mixed traffic, the network's clearing file for it, a
 * reconciliation, and an export and a drop of the journal; then the wall clock of the engine goes on by some days, and is accepted. Now and
 * then the server is stopped, or killed, and started again. Memory, files and disk are looked at all the time.
 *
 *   status 0: nothing grows beyond its bound, every command did what it should, both verifications agree     1: else     64: flags
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fitSlope, type Sample } from './fit.js';
import { help, parseSoak, SoakFlagError, type SoakOptions } from './options.js';
import { command, fullCollections, type Ran, SoakServer } from './program.js';
import { rowsOf, type SoakResult, type Taken, tableOf, verdictOf } from './report.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const DROP_DAYS = 122;
/** Of a simulated day, what traffic takes; the rest is for the clearing of it. */
const TRAFFIC_SHARE = 0.6;
const MARKS = ['<!-- soak -->', '<!-- /soak -->'] as const;

/** The loadtest's own JSON, as far as it is read here. */
interface LoadResult {
  readonly offered: number;
  readonly errors: number;
  readonly latency_us: { readonly p99: number };
}

/** What is read of a reconciliation. */
interface Report {
  readonly books: {
    readonly currencies: readonly { readonly currency: string; readonly difference: number | string }[];
  };
  readonly breaks: readonly unknown[];
  readonly breaks_left_out: number;
}

class Soak {
  readonly #options: SoakOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'));
  readonly #dataDir = join(this.#folder, 'data');
  readonly #exports = join(this.#folder, 'exports');
  readonly #began = Date.now();
  readonly #taken: Taken[] = [];
  readonly #p99: Sample[] = [];
  readonly #defects: string[] = [];
  readonly #counts = { stopped: 0, killed: 0, messages: 0, errors: 0, posted: 0, recon: 0, drops: 0, folders: 0 };
  #server: SoakServer | undefined;
  #life = 0;
  #lifeBegan = 0;
  #days = 0;
  /** Days by which the wall clock of the engine is ahead in the process that runs. */
  #ahead = 0;
  #goneMax = 0;
  #breaksMax = 0;
  #sampling: Promise<void> = Promise.resolve();

  constructor(options: SoakOptions) {
    this.#options = options;
  }

  async run(): Promise<SoakResult> {
    const until = this.#began + this.#options.hours * HOUR_MS;
    try {
      while (Date.now() < until) await this.#lifetime(until);
      return await this.#result();
    } finally {
      if (this.#server?.running === true) await this.#server.end('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
      rmSync(`${this.#dataDir}.keys`, { force: true });
    }
  }

  /** One process of the server: some simulated days, then a stop or a kill. */
  async #lifetime(until: number): Promise<void> {
    const { dayStep, restartDays, daySeconds, folderBytes, shards } = this.#options;
    // It begins behind everything before it, and goes on by itself with every day.
    this.#ahead += dayStep;
    const dayMs = daySeconds * 1000;
    const wall = `${this.#ahead * DAY_MS}:0:${dayMs}:${dayStep * DAY_MS}`;
    const server = await SoakServer.start(
      this.#dataDir,
      this.#options.collections === 'full' ? fullCollections : [],
      [
        ...['--journal-folder-bytes', folderBytes, '--stop-limit-ms', '60000'],
        ...(this.#life === 0 ? ['--shards', String(shards)] : []),
      ],
      { HOLDFAST_FAULT_WALL: wall },
    );
    this.#server = server;
    this.#life++;
    this.#lifeBegan = Date.now();
    const end = new AbortController();
    this.#sampling = this.#sample(server, end.signal);
    for (let day = 0; day < restartDays && (Date.now() < until || day === 0); day++) {
      await this.#day(server);
      // The clock went on at latest so many whole days behind the ready line. Traffic over that moment would be of two dates.
      const lasted = Date.now() - this.#lifeBegan;
      await sleep(dayMs - (lasted % dayMs));
    }
    end.abort();
    await this.#sampling;
    const signal = this.#life % 2 === 0 ? 'SIGKILL' : 'SIGTERM';
    const ended = await server.end(signal);
    if (signal === 'SIGTERM') this.#counts.stopped++;
    else this.#counts.killed++;
    if (signal === 'SIGTERM' && ended !== 0) this.#defect(`the server ended with ${ended}`);
  }

  async #day(server: SoakServer): Promise<void> {
    this.#days++;
    await this.#acceptClock(server);
    const { rate, accounts, daySeconds } = this.#options;
    const date = new Date(Date.now() + this.#ahead * DAY_MS).toISOString().slice(0, 10);
    const seconds = Math.max(2, Math.round(daySeconds * TRAFFIC_SHARE));
    const load = ['-R', String(rate), '-d', `${seconds}s`, '--warmup', '0s', '-c', '4', '--accounts', String(accounts)];
    const mix = ['--mix', 'auth:80,increment:4,reversal:8,advice:4,repeat:4', '--seed', String(this.#days)];
    const ran = await command([
      'loadtest',
      `iso8583+tcp://${server.tcp}`,
      ...load,
      ...mix,
      '--json',
      '--quiet',
      ...server.api,
    ]);
    const result = this.#json<LoadResult>('loadtest', ran);
    if (result !== undefined) {
      this.#counts.messages += result.offered;
      this.#counts.errors += result.errors;
      this.#p99.push({ life: 0, hours: (Date.now() - this.#began) / HOUR_MS, value: result.latency_us.p99 });
    }
    await this.#clear(server, date);
    const report = this.#json<Report>('recon', await command(['recon', '--date', date, '--json', ...server.api]));
    if (report !== undefined) {
      this.#counts.recon++;
      this.#breaksMax = Math.max(this.#breaksMax, report.breaks.length + report.breaks_left_out);
      for (const { currency, difference } of report.books.currencies)
        if (difference !== 0) this.#defect(`debits - credits of day ${this.#days}: ${difference} ${currency}`);
    }
    await this.#retain(server);
  }

  async #clear(server: SoakServer, date: string): Promise<void> {
    const file = join(this.#folder, `day-${this.#days}.ipm`);
    const seed = ['--seed', String(this.#days), '--shares', 'missing=0.01,tips=0.1'];
    const made = await command([
      'network-day',
      '--data-dir',
      this.#dataDir,
      '--date',
      date,
      '--out',
      file,
      '--plan',
      `${file}.plan`,
      ...seed,
    ]);
    if (!this.#must('network-day', made)) return;
    const posted = this.#json<{ status: string; posted: number }>(
      'clear',
      await command(['clear', file, '--wait', '--json', ...server.api]),
    );
    if (posted !== undefined && posted.status !== 'posted')
      this.#defect(`a clearing file of day ${this.#days} is ${posted.status}`);
    this.#counts.posted += posted?.posted ?? 0;
    rmSync(file, { force: true });
    rmSync(`${file}.plan`, { force: true });
  }

  /** A new day: the wall clock has gone on, and is right. */
  async #acceptClock(server: SoakServer): Promise<void> {
    const clock = this.#json<{ difference_seconds: number }>(
      'clock show',
      await command(['clock', 'show', '--json', ...server.api]),
    );
    if (clock === undefined || clock.difference_seconds === 0) return;
    this.#ahead += Math.round((clock.difference_seconds * 1000) / DAY_MS);
    this.#must('clock accept', await command(['clock', 'accept', ...server.api]));
  }

  async #retain(server: SoakServer): Promise<void> {
    this.#json('journal export', await command(['journal', 'export', '--to', this.#exports, '--json', ...server.api]));
    const args = ['journal', 'drop', '--older-than-days', String(DROP_DAYS), '--json', ...server.api];
    let ran: Ran;
    // A day may end in the middle of it: then the clock is to be accepted first.
    for (let attempt = 1; ; attempt++) {
      await this.#acceptClock(server);
      ran = await command(args);
      if (ran.status === 0 || attempt === 3 || !ran.err.includes('The clocks differ')) break;
    }
    const job = this.#json<{ folders: string[] }>('journal drop', ran);
    if (job === undefined || job.folders.length === 0) return;
    this.#counts.drops++;
    this.#counts.folders += job.folders.length;
  }

  async #sample(server: SoakServer, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const look = await server.look();
        this.#goneMax = Math.max(this.#goneMax, look.goneFolders);
        const taken = { ...look, life: this.#life, hours: (Date.now() - this.#lifeBegan) / HOUR_MS };
        this.#taken.push(taken);
        if (this.#options.samples !== '') appendFileSync(this.#options.samples, `${JSON.stringify(taken)}\n`);
      } catch (error) {
        this.#defect(`the server cannot be looked at: ${(error as Error).message}`);
      }
      await sleep(this.#options.sampleSeconds * 1000, undefined, { signal }).catch(() => undefined);
    }
  }

  async #result(): Promise<SoakResult> {
    const settled = this.#taken.filter(({ hours }) => hours * 3600 >= this.#options.settleSeconds);
    const rows = rowsOf(settled, this.#options.shards);
    const lineOf = (ran: Ran): string => (this.#must('verify', ran) ? ran.out.trim() : 'failed');
    const part = lineOf(await command(['verify', '--data-dir', this.#dataDir]));
    const isWhole = this.#counts.folders > 0 ? ['--with', this.#exports] : [];
    const whole = lineOf(await command(['verify', '--data-dir', this.#dataDir, ...isWhole]));
    if (part.replace(/ dropped=\d+$/, '') !== whole) this.#defect('the two verifications tell other books');
    for (const { name, verdict } of rows) if (verdict === 'above') this.#defect(`${name} grows`);
    const { stopped, killed, messages, errors, posted, recon, drops, folders } = this.#counts;
    return {
      ...{ schema_version: 1, options: this.#options, started_at: new Date(this.#began).toISOString() },
      hours: (Date.now() - this.#began) / HOUR_MS,
      simulated_days: this.#ahead,
      starts: { stopped, killed },
      ...{ messages, errors, posted, reconciliations: recon, drops, folders_dropped: folders },
      p99_us: fitSlope(this.#p99),
      gone_folders_max: this.#goneMax,
      breaks_max: this.#breaksMax,
      rows,
      verify: { part, whole },
      defects: this.#defects,
      verdict: verdictOf(this.#defects, rows),
      environment: { node: process.version, cpus: cpus().length },
    };
  }

  #must(what: string, { status, err }: Ran): boolean {
    if (status === 0) return true;
    this.#defect(`${what} ended with ${status} on day ${this.#days}: ${err.trim().slice(0, 300)}`);
    return false;
  }

  #json<T>(what: string, ran: Ran): T | undefined {
    return this.#must(what, ran) ? (JSON.parse(ran.out) as T) : undefined;
  }

  #defect(what: string): void {
    this.#defects.push(what);
    process.stderr.write(`soak: ${what}\n`);
  }
}

/** Puts the table between the markers of a page. */
function writePage(path: string, table: string): void {
  const page = readFileSync(path, 'utf8');
  const [from, to] = [page.indexOf(MARKS[0]), page.indexOf(MARKS[1])];
  if (from < 0 || to < from) throw new SoakFlagError(`${path} has no ${MARKS.join(' and ')}`);
  writeFileSync(path, `${page.slice(0, from + MARKS[0].length)}\n\n${table}\n\n${page.slice(to)}`);
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseSoak(argv);
  if (options === 'help') {
    process.stdout.write(help);
    return 0;
  }
  const result = await new Soak(options).run();
  writeFileSync(options.out, `${JSON.stringify(result, null, 2)}\n`);
  const table = tableOf(result);
  if (options.page !== '') writePage(options.page, table);
  process.stdout.write(`${table}\n`);
  return result.verdict === 'fail' ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SoakFlagError)) throw error;
  process.stderr.write(`soak: ${error.message}\n${help}`);
  process.exitCode = 64;
}
