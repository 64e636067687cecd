/**
 * The load test as a command: `runLoadtest(argv)` parses the flags, prepares cards, runs, verifies, reports, and returns
 * the exit status. Results go to stdout, everything else to stderr.
 */
import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { AdminClient, AdminError, CHIP_PROGRAM } from './admin.js';
import { helpText, type Options, parseOptions } from './arguments.js';
import { type CardSet, demoCards, ownCards, panTable } from './cards.js';
import { compareCommand } from './compare.js';
import { environment, measureDisk } from './environment.js';
import { findMax } from './find-max.js';
import { histogramHgrm } from './histogram.js';
import { htmlReport } from './report-html.js';
import { liveLine, textReport } from './report-text.js';
import { buildResult, type Cryptography, type FindMaxStep, LoadtestExit, type LoadtestResult } from './result.js';
import { type Outcome, RunError, runOnce } from './run.js';
import type { Stage } from './schedule.js';
import { serverCpuUs, stageTimes } from './server-stages.js';
import { FlagError, showRate } from './units.js';
import { type ModelTotals, notVerified, Verifier, type VerifyResult } from './verify.js';

/** Where the command writes, and test seams. */
export interface LoadtestHooks {
  readonly stdout?: (text: string) => void;
  readonly stderr?: (text: string) => void;
  /** Generators run in the calling thread (tests). */
  readonly inline?: boolean;
}

/** A second signal within this time is the same key press, delivered twice. */
const SAME_SIGNAL_MS = 300;

/** Runs the load test; never throws for an expected failure. Returns 0, 2, 99, 104 or 105. */
export async function runLoadtest(argv: readonly string[], hooks: LoadtestHooks = {}): Promise<number> {
  const stdout = hooks.stdout ?? ((text: string) => void process.stdout.write(text));
  const stderr = hooks.stderr ?? ((text: string) => void process.stderr.write(text));
  let options: Options | 'help';
  try {
    if (argv[0] === 'compare') {
      stdout(compareCommand(argv.slice(1)));
      return LoadtestExit.pass;
    }
    options = parseOptions(argv);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    stderr(`holdfast loadtest: ${error.message}\n`);
    return LoadtestExit.flags;
  }
  if (options === 'help') {
    stdout(helpText);
    return LoadtestExit.pass;
  }
  try {
    return await new Session(argv, options, stdout, stderr, hooks.inline ?? false).run();
  } catch (error) {
    if (!(error instanceof RunError || error instanceof AdminError)) throw error;
    stderr(`holdfast loadtest: ${error.message}\n`);
    return LoadtestExit.errors;
  }
}

/** Devices have a series each; without any there is one that stands for none. */
function cryptographyIn(metrics: string | undefined): Cryptography {
  if (metrics === undefined) return 'unknown';
  return /^holdfast_hsm_connections\{device="(?!none")/m.test(metrics) ? 'devices' : 'software';
}

class Session {
  readonly #argv: readonly string[];
  readonly #options: Options;
  readonly #stdout: (text: string) => void;
  readonly #stderr: (text: string) => void;
  readonly #inline: boolean;
  readonly #admin: AdminClient;
  readonly #cards: CardSet;
  readonly #totals: { low: Float64Array; high: Float64Array; sample: ModelTotals['sample'] };
  /** Two seconds each: the three base-36 digits in the RRN come around after 25.9 h, longer than a duplicate window. */
  #run = Math.floor(Date.now() / 2000);
  #stopRun: () => void = () => undefined;
  #interrupted = false;
  #liveOpen = false;

  constructor(
    argv: readonly string[],
    options: Options,
    stdout: (text: string) => void,
    stderr: (text: string) => void,
    inline: boolean,
  ) {
    this.#argv = argv;
    this.#options = options;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#inline = inline;
    this.#admin = new AdminClient(options.admin, options.tokenFile);
    this.#cards = options.cards === 'demo' ? demoCards(options.accounts) : ownCards(options.seed, options.accounts);
    this.#totals = { low: new Float64Array(options.accounts), high: new Float64Array(options.accounts), sample: [] };
  }

  async run(): Promise<number> {
    let lastSignal = Number.NEGATIVE_INFINITY;
    const onSignal = () => {
      const now = performance.now();
      if (this.#interrupted && now - lastSignal > SAME_SIGNAL_MS) process.exit(LoadtestExit.interrupted);
      lastSignal = now;
      this.#interrupted = true;
      this.#stopRun();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      return await this.#session();
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  }

  async #session(): Promise<number> {
    const options = this.#options;
    const { echo, cards } = options;
    if (options.chip !== undefined) await this.#admin.chipProgram(options.chip.key);
    if (!echo && cards === 'own') await this.#createCards();
    const verifier = options.verify && !echo ? new Verifier(this.#admin, this.#cards, options.seed) : undefined;
    await verifier?.baseline();
    const pans = panTable(this.#cards);
    const before = echo ? undefined : await this.#admin.metrics();
    const { outcome, found } = await this.#measure(pans);
    const after = echo ? undefined : await this.#admin.metrics();
    const verify: VerifyResult = verifier ? await verifier.check(this.#totals) : notVerified;
    const engine = echo ? undefined : await this.#admin.version();
    // After the run, so that the probe disturbs nothing that is measured.
    const disk = echo ? null : await measureDisk(dirname(options.tokenFile));
    const result = buildResult({
      options,
      argv: this.#argv,
      outcome,
      verify,
      stages: stageTimes(before, after),
      serverCpuUs: serverCpuUs(before, after),
      env: environment(options.target, engine, disk),
      cryptography: cryptographyIn(before),
      findMax: found,
    });
    this.#report(result, outcome);
    return result.exit_status;
  }

  async #createCards(): Promise<void> {
    const { accounts } = this.#options;
    const program = this.#options.chip === undefined ? undefined : CHIP_PROGRAM;
    const created = await this.#admin.createCards(this.#cards, program, (done) => {
      if (accounts > 10_000 && done % 10_000 === 0) this.#live(`cards: ${done} of ${accounts}`);
    });
    if (program !== undefined && created < accounts)
      throw new RunError(
        '--chip: the engine knows cards of this seed, and the counters of their chips: name another --seed',
      );
    if (created > 0) this.#say(`created ${created} of ${accounts} accounts with a card each`);
  }

  /** One run, or the steps of --find-max; `outcome` is what the report shows. */
  async #measure(
    pans: Uint8Array,
  ): Promise<{ outcome: Outcome; found: { best_per_s: number | null; steps: readonly FindMaxStep[] } | undefined }> {
    const options = this.#options;
    if (!options.findMax) return { outcome: await this.#once(pans, options.stages), found: undefined };
    const { durationUs, rate } = options.stages[0]!;
    const result = await findMax(
      rate,
      options.thresholds,
      (stepRate) => this.#once(pans, [{ durationUs, rate: stepRate }]),
      (step) =>
        this.#say(
          `step ${showRate(step.rate)}/s ${step.passed ? 'passed' : `failed: ${step.broken.join('; ') || 'interrupted'}`}`,
        ),
    );
    return {
      outcome: result.best ?? result.last,
      found: { best_per_s: result.bestRate, steps: result.steps },
    };
  }

  async #once(pans: Uint8Array, stages: readonly Stage[]): Promise<Outcome> {
    const options = this.#options;
    const outcome = await runOnce({
      options,
      stages,
      pans,
      expiry: this.#cards.expiry,
      run: this.#run++,
      inline: this.#inline,
      onSecond: options.quiet ? undefined : (second) => this.#live(liveLine(second)),
      onStoppable: (stop) => {
        this.#stopRun = stop;
        if (this.#interrupted) stop();
      },
    });
    this.#closeLive();
    for (let card = 0; card < options.accounts; card++) {
      this.#totals.low[card]! += outcome.low[card]!;
      this.#totals.high[card]! += outcome.high[card]!;
    }
    this.#totals.sample = [...this.#totals.sample, ...outcome.sample];
    return outcome;
  }

  #report(result: LoadtestResult, outcome: Outcome): void {
    const options = this.#options;
    const text = textReport(result, options);
    if (options.json) this.#stdout(`${JSON.stringify(result, null, 2)}\n`);
    else this.#stdout(text);
    if (options.hgrm !== undefined) this.#write('--hgrm', options.hgrm, histogramHgrm(outcome.latency));
    if (options.report !== undefined) {
      this.#write(
        '--report',
        options.report,
        htmlReport(result, options.thresholds, text, outcome.latency, outcome.service),
      );
    }
  }

  #write(flag: string, path: string, text: string): void {
    try {
      writeFileSync(path, text);
    } catch (error) {
      throw new RunError(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #say(text: string): void {
    this.#closeLive();
    if (!this.#options.quiet) this.#stderr(`${text}\n`);
  }

  /** On a terminal the line is replaced, elsewhere each second is a line of its own. */
  #live(text: string): void {
    if (this.#options.quiet) return;
    if (process.stderr.isTTY) {
      this.#stderr(`\r\x1b[2K${text.slice(0, (process.stderr.columns ?? 160) - 1)}`);
      this.#liveOpen = true;
    } else this.#stderr(`${text}\n`);
  }

  #closeLive(): void {
    if (this.#liveOpen) this.#stderr('\n');
    this.#liveOpen = false;
  }
}
