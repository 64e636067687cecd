/** The backtests of this process: one runs at a time, the newest are kept with their results until the process ends. */
import { BACKTESTS_KEPT_MAX } from '../limits.js';
import { Backtest, type BacktestSpan } from './backtest.js';
import type { ControlContext } from './context.js';
import { assertKeptSince } from './history.js';
import { ApiError } from './problem.js';
import type { RuleRecord } from './system-log.js';

export class Backtests {
  readonly #warn: (error: unknown) => void;
  /** Oldest first. */
  #kept: Backtest[] = [];
  readonly #numbers = new Map<string, number>();
  #running: { readonly backtest: Backtest; readonly end: Promise<void> } | undefined;

  /** @param warn told why a backtest failed */
  constructor(warn: (error: unknown) => void) {
    this.#warn = warn;
  }

  /**
   * Starts one. @param rule with the text that is tested
   * @throws ApiError `backtest_running`, `dropped`: the period begins before the journal
   */
  start(context: ControlContext, rule: RuleRecord, span: BacktestSpan): Backtest {
    if (this.#running !== undefined)
      throw new ApiError('backtest_running', 'One backtest runs at a time: wait for it, or delete it.');
    assertKeptSince(context, span.sinceMs, span.account === undefined ? undefined : [span.account.shard]);
    const number = (this.#numbers.get(rule.id) ?? 0) + 1;
    this.#numbers.set(rule.id, number);
    const backtest = new Backtest(context, rule, number, span);
    this.#kept = [...this.#kept, backtest].slice(-BACKTESTS_KEPT_MAX);
    this.#running = { backtest, end: this.#run(context, backtest) };
    return backtest;
  }

  /** Of a rule, oldest first. */
  of(rule: string): readonly Backtest[] {
    return this.#kept.filter((backtest) => backtest.rule.id === rule);
  }

  /** Forgets one; resolves when it does not run any more. */
  async remove(backtest: Backtest): Promise<void> {
    this.#kept = this.#kept.filter((one) => one !== backtest);
    if (this.#running?.backtest === backtest) await this.stop();
  }

  /** Ends the one that runs; resolves when it reads nothing any more. */
  async stop(): Promise<void> {
    this.#running?.backtest.cancel();
    await this.#running?.end;
  }

  async #run(context: ControlContext, backtest: Backtest): Promise<void> {
    try {
      await backtest.run();
      backtest.status = 'done';
    } catch (error) {
      backtest.status = 'failed';
      this.#warn(error);
    }
    backtest.finishedMs = context.nowMs();
    this.#running = undefined;
  }
}
