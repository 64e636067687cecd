/**
 * Steps 6 and 7 of a decision: controls with their velocity, and rules; and what the outcome counts. One per shard, reused
 * for every message. Without controls and rules it costs two look-ups.
 *
 *   begin(policy, out, amount, cash, authorizedBefore)
 *   passesControls(out) && passesRules(out)          or declined, with the finding in the event
 *   countApproval(out) | countDecline(out)           what the event counts
 */
import { Reason, Response, responseCode, Step, Verdict } from './codes.js';
import type { CompiledControls } from './controls/compile.js';
import type { ControlBook } from './controls/control-book.js';
import { type ControlSide, ControlsCheck } from './controls/controls-check.js';
import { ControlFacts } from './controls/facts.js';
import { ControlLevel } from './controls/spec.js';
import { ControlKind, defaultControlResponses } from './controls/verdict.js';
import { FINDING_NUMBERS, type MessageEvent } from './events.js';
import { decline } from './outcome.js';
import type { Policy } from './program/policy.js';
import { RuleFacts } from './rules/facts.js';
import type { RuleSet } from './rules/rule-set.js';
import type { ShardState } from './shard-state.js';
import { transactionType } from './transaction.js';
import { accountOwner, cardOwner, chainRoot } from './velocity/counter-changes.js';

const reasonOf: Readonly<Record<ControlKind, Reason>> = {
  [ControlKind.channel]: Reason.channelDenied,
  [ControlKind.country]: Reason.countryDenied,
  [ControlKind.mcc]: Reason.mccDenied,
  [ControlKind.merchant]: Reason.merchantDenied,
  [ControlKind.perTransaction]: Reason.transactionLimit,
  [ControlKind.amountVelocity]: Reason.velocityAmount,
  [ControlKind.countVelocity]: Reason.velocityCount,
  [ControlKind.declineVelocity]: Reason.velocityDeclines,
  [ControlKind.cashPerTransaction]: Reason.cashTransactionLimit,
  [ControlKind.cashAmountVelocity]: Reason.cashVelocityAmount,
  [ControlKind.cashCountVelocity]: Reason.cashVelocityCount,
};

export class RequestChecks {
  readonly #state: ShardState;
  readonly #book: ControlBook;
  readonly #facts = new ControlFacts();
  readonly #check: ControlsCheck;
  readonly #ruleFacts = new RuleFacts();
  #policy: Policy | undefined;
  #isControlled = false;

  constructor(state: ShardState, book: ControlBook) {
    this.#state = state;
    this.#book = book;
    this.#check = new ControlsCheck(state.velocity, defaultControlResponses);
  }

  /**
   * Takes a request of a known card.
   * @param amount what it asks for, minor units of the account's currency: of an increment what comes on top, 0 for what
   *   moves no money @param cash the cash in it
   * @param authorizedBefore what the authorization that it adds to has already; -1 for one of its own
   */
  begin(policy: Policy, out: MessageEvent, amount: number, cash: number, authorizedBefore: number): void {
    const { controls } = this.#state;
    const { cardSlot, accountSlot } = out;
    this.#policy = policy;
    const ofCard = controls.count === 0 ? '' : controls.text(cardOwner(cardSlot));
    const ofAccount = controls.count === 0 ? '' : controls.text(accountOwner(accountSlot));
    const card = this.#book.of(ControlLevel.card, ofCard, policy);
    const account = this.#book.of(ControlLevel.account, ofAccount, policy);
    this.#isControlled = card !== undefined || account !== undefined;
    if (!this.#isControlled) return;
    const facts = this.#facts;
    facts.readRequest(out.input, amount, cash);
    if (authorizedBefore >= 0) facts.asIncrement(authorizedBefore);
    const owner = cardOwner(chainRoot(this.#state.cards, cardSlot));
    this.#check.begin(facts, card, owner, account, accountOwner(accountSlot), out.windowMs);
  }

  /** What program, card and account allow; declines `out` otherwise. */
  passesControls(out: MessageEvent): boolean {
    if (this.#policy!.forbids(transactionType(out.input))) {
      out.verdict(Step.controls, Verdict.fail);
      decline(out, Response.notPermitted, Reason.transactionTypeForbidden);
      return false;
    }
    if (!this.#isControlled) {
      out.verdict(Step.controls, Verdict.notApplicable);
      return true;
    }
    const passes = this.#check.passes();
    this.#keepReadings(out);
    if (passes) {
      out.verdict(Step.controls, Verdict.pass);
      return true;
    }
    const { kind, level, source, index, limit, before, attempted, response } = this.#check.verdict;
    const { finding } = out;
    finding[0] = kind;
    finding[1] = level;
    finding[2] = source;
    finding[3] = index;
    finding[4] = limit;
    finding[5] = before;
    finding[6] = attempted;
    out.findingCount = FINDING_NUMBERS;
    out.verdict(Step.controls, Verdict.fail);
    decline(out, response, kind === 0 ? Reason.none : reasonOf[kind]);
    return false;
  }

  /** The rules of the program, active and shadow; an active one may decline `out`. */
  passesRules(out: MessageEvent): boolean {
    const { rules, windows } = this.#policy!.limits;
    if (rules === undefined) {
      out.verdict(Step.rules, Verdict.notApplicable);
      return true;
    }
    this.#fillRuleFacts(out, windows);
    const deciding = rules.evaluate(this.#ruleFacts);
    keepMatches(out, rules);
    if (deciding < 0) {
      out.verdict(Step.rules, Verdict.pass);
      return true;
    }
    out.decidingRule = deciding;
    out.verdict(Step.rules, Verdict.fail);
    decline(out, responseCode(rules.rule(deciding).checked.rule.outcome.response), Reason.rule);
    return false;
  }

  /** @param amount what was approved, minor units of the account's currency */
  countApproval(out: MessageEvent, amount: number): void {
    if (!this.#isControlled) return;
    // No cash back is paid with a partial approval.
    if (out.response === Response.partial) this.#facts.cash = 0;
    this.#check.countApproval(out.changes, amount);
    out.changes.sort();
  }

  countDecline(out: MessageEvent): void {
    if (!this.#isControlled) return;
    this.#check.countDecline(out.changes);
    out.changes.sort();
  }

  /** What the windows held, for the explanation and for a backtest. */
  #keepReadings(out: MessageEvent): void {
    const { card, account } = this.#check;
    this.#check.read();
    out.cardReadings = card.controls?.windows.length ?? 0;
    out.accountReadings = account.controls?.windows.length ?? 0;
    keepSide(out.readings, 0, card, out.cardReadings);
    keepSide(out.readings, out.cardReadings, account, out.accountReadings);
  }

  #fillRuleFacts(out: MessageEvent, names: readonly string[]): void {
    const { accounts, cards } = this.#state;
    const { cardSlot, accountSlot } = out;
    const facts = this.#ruleFacts;
    facts.message(out.input, accounts.currency(accountSlot), out);
    facts.card(cards, cardSlot);
    facts.account(accounts, accountSlot, out);
    if (names.length === 0 || !this.#isControlled) return;
    const { card, account } = this.#check;
    // A card's window stands before an account's of the same name.
    fillWindows(facts, names, account.controls, out.readings, out.cardReadings);
    fillWindows(facts, names, card.controls, out.readings, 0);
  }
}

function fillWindows(
  facts: RuleFacts,
  names: readonly string[],
  controls: CompiledControls | undefined,
  readings: Float64Array,
  from: number,
): void {
  if (controls !== undefined) facts.windows(controls.placesOf(names), controls.declines, readings, from);
}

function keepSide(readings: Float64Array, first: number, { amounts, counts }: ControlSide, windows: number): void {
  for (let i = 0; i < windows; i++) {
    readings[(first + i) * 2] = amounts[i]!;
    readings[(first + i) * 2 + 1] = counts[i]!;
  }
}

function keepMatches(out: MessageEvent, rules: RuleSet): void {
  const { size, matched } = rules;
  out.rulesAsked = size;
  for (let i = 0; i * 8 < size; i++) out.ruleBits[i] = matched[i >>> 2]! >>> ((i & 3) * 8);
}
