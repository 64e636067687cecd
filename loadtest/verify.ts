/**
 * --verify: does the server hold what it acknowledged? Three checks after the run, none of which trusts the engine's own
 * counters: the change of every checked account's hold lies within the client's model (equal to it when every request was
 * answered) and nothing was posted; every sampled answer is found again by its RRN with the same response code; the
 * trial balance has no difference. A failure voids the result.
 */
import type { AccountBalances, AdminClient } from './admin.js';
import { AdminClient as Admin } from './admin.js';
import type { CardSet } from './cards.js';
import type { SampledAnswer } from './model.js';
import { Random } from './random.js';

/** Accounts whose balances are read before and after; a smaller run is checked whole. */
const ACCOUNTS_CHECKED_MAX = 1000;
/** Answers asked for again. */
const ANSWERS_CHECKED_MAX = 500;
const FAILURES_SHOWN_MAX = 10;

export interface VerifyResult {
  /** null when --verify was not asked for. */
  readonly ok: boolean | null;
  /** Accounts and answers that were read back: fewer than chosen when the server stopped answering. */
  readonly accounts_checked: number;
  readonly accounts_wrong: number;
  /** Accounts whose hold the client knows only within bounds, because a request of theirs got no answer. */
  readonly accounts_bounded: number;
  readonly answers_checked: number;
  readonly answers_wrong: number;
  readonly trial_balance_difference: number | null;
  /** The first few differences. */
  readonly failures: readonly string[];
}

export const notVerified: VerifyResult = {
  ok: null,
  accounts_checked: 0,
  accounts_wrong: 0,
  accounts_bounded: 0,
  answers_checked: 0,
  answers_wrong: 0,
  trial_balance_difference: null,
  failures: [],
};

/** Sum of the workers' models, by card. */
export interface ModelTotals {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly sample: readonly SampledAnswer[];
}

export class Verifier {
  readonly #admin: AdminClient;
  readonly #cards: CardSet;
  readonly #checked: readonly number[];
  readonly #before = new Map<number, AccountBalances>();

  constructor(admin: AdminClient, cards: CardSet, seed: number) {
    this.#admin = admin;
    this.#cards = cards;
    this.#checked = choose(cards.count, new Random(seed, 0xc4ec));
  }

  /** Reads the balances before the first message. */
  async baseline(): Promise<void> {
    await Admin.each(this.#checked, async (card) => {
      this.#before.set(card, await this.#admin.balances(this.#cards.account(card)));
    });
  }

  /** Compares server and client. An unreachable server is a failed verification, not an exception. */
  async check(totals: ModelTotals): Promise<VerifyResult> {
    const failures: string[] = [];
    const note = (text: string) => {
      if (failures.length < FAILURES_SHOWN_MAX) failures.push(text);
    };
    let accountsChecked = 0;
    let accountsWrong = 0;
    let bounded = 0;
    let answersChecked = 0;
    let answersWrong = 0;
    let difference: number | null = null;
    let complete = true;
    const answers = totals.sample.slice(0, ANSWERS_CHECKED_MAX);
    try {
      await Admin.each(this.#checked, async (card) => {
        const low = totals.low[card]!;
        const high = totals.high[card]!;
        const problem = await this.#account(card, low, high);
        accountsChecked++;
        if (low !== high) bounded++;
        if (problem === undefined) return;
        accountsWrong++;
        note(problem);
      });
      await Admin.each(answers, async (answer) => {
        const codes = await this.#admin.responseCodes(answer.rrn);
        answersChecked++;
        if (codes.includes(answer.code)) return;
        answersWrong++;
        note(
          `RRN ${answer.rrn}: answered ${answer.code}, the server has ${codes.join(', ') || 'no such authorization'}`,
        );
      });
      const differences = await this.#admin.trialBalanceDifferences();
      difference = differences.reduce((sum, one) => sum + Math.abs(one), 0);
      if (difference !== 0) note(`the trial balance differs by ${difference} minor units`);
    } catch (error) {
      complete = false;
      note(error instanceof Error ? error.message : String(error));
    }
    return {
      ok: complete && accountsWrong === 0 && answersWrong === 0 && difference === 0,
      accounts_checked: accountsChecked,
      accounts_wrong: accountsWrong,
      accounts_bounded: bounded,
      answers_checked: answersChecked,
      answers_wrong: answersWrong,
      trial_balance_difference: difference,
      failures,
    };
  }

  async #account(card: number, low: number, high: number): Promise<string | undefined> {
    const id = this.#cards.account(card);
    const before = this.#before.get(card)!;
    const now = await this.#admin.balances(id);
    const change = now.held - before.held;
    if (change < low || change > high) {
      const expected = low === high ? String(low) : `${low} to ${high}`;
      return `account ${id}: its hold changed by ${change}, the acknowledged answers add up to ${expected}`;
    }
    if (now.posted !== before.posted) {
      return `account ${id}: posted changed by ${now.posted - before.posted}, but authorizations post nothing`;
    }
    return undefined;
  }
}

/** All cards, or a seeded choice of ACCOUNTS_CHECKED_MAX of them. */
function choose(count: number, random: Random): number[] {
  if (count <= ACCOUNTS_CHECKED_MAX) return Array.from({ length: count }, (_, card) => card);
  const chosen = new Set<number>();
  while (chosen.size < ACCOUNTS_CHECKED_MAX) chosen.add(random.below(count));
  return [...chosen];
}
