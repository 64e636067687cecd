/**
 * Judges one recorded request as if a rule had been active, against the state as it was: balances and windows are those of
 * the record, the other rules said what the record says they said. Only the rule itself is evaluated. What came after is not
 * judged anew: a decline that would not have been placed leaves the later balances as they were (no cascade).
 */
import { AccountStatus, CardStatus, responseText, Step } from '../domain/codes.js';
import type { CompiledControls } from '../domain/controls/compile.js';
import { ControlBook } from '../domain/controls/control-book.js';
import { ControlLevel } from '../domain/controls/spec.js';
import type { MessageEvent } from '../domain/events.js';
import { approves } from '../domain/originals.js';
import type { AccountView, CardView } from '../domain/party-commands.js';
import { defaultTables, Policy, PolicyBook } from '../domain/program/policy.js';
import type { CheckedRule } from '../domain/rules/check.js';
import { RuleFacts } from '../domain/rules/facts.js';
import { Slot } from '../domain/rules/fields.js';
import { RuleSet } from '../domain/rules/rule-set.js';
import { WindowClock } from '../domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '../intl-zone-calendar.js';
import { dialectNames } from '../iso8583/dialects.js';
import { BACKTEST_CONTROLS_COMPILED_MAX } from '../limits.js';
import type { ControlContext } from './context.js';
import { declineReason, hasMatched } from './matched-rules.js';
import { checkedRule } from './rule-check.js';
import type { RuleRecord } from './system-log.js';

/** What a card and its account are now. Creation, BIN, type and currency never change; controls may have. */
export interface CardFacts {
  readonly card: CardView;
  readonly account: AccountView;
}

export const differenceKinds = ['would_decline', 'would_no_longer_decline', 'would_decline_otherwise'] as const;
export type DifferenceKind = (typeof differenceKinds)[number];

/** An answer: DE39 and the decline reason; null where it is not known. */
export interface JudgedAnswer {
  readonly response_code: string | null;
  readonly reason: string | null;
}

export interface Difference {
  readonly kind: DifferenceKind;
  /** What was asked for, minor units of the account's currency; null when the message did not say it. */
  readonly amount: number | null;
  readonly before: JudgedAnswer;
  readonly after: JudgedAnswer;
}

export interface Judgement {
  /** The request came as far as the rules. */
  readonly evaluated: boolean;
  /** A window that the rule names was taken for absent because the controls of then are not known any more. */
  readonly windowUnknown: boolean;
  readonly difference: Difference | undefined;
}

const notEvaluated: Judgement = { evaluated: false, windowUnknown: false, difference: undefined };

export class BacktestJudge {
  readonly #context: ControlContext;
  readonly #rule: RuleRecord;
  readonly #checked: CheckedRule;
  readonly #set: RuleSet;
  /** Place of each rule of the program in the order of evaluation as it is now. */
  readonly #order: ReadonlyMap<string, number>;
  readonly #facts = new RuleFacts();
  readonly #clock = new WindowClock(new IntlZoneCalendar());
  readonly #policies = new PolicyBook(dialectNames);
  readonly #controls = new ControlBook(this.#clock, BACKTEST_CONTROLS_COMPILED_MAX);
  #policy = new Policy(0, defaultTables);

  /** @param rule the rule with the text that is tested */
  constructor(context: ControlContext, rule: RuleRecord) {
    this.#context = context;
    this.#rule = rule;
    this.#checked = checkedRule(rule.text);
    this.#set = new RuleSet([{ checked: this.#checked, state: 'active', counter: 0 }], this.#checked.windows);
    this.#order = new Map(context.system.rules.inOrder(rule.program).map(({ id }, place) => [id, place]));
  }

  /** @param message of a card of the rule's program */
  judge(message: MessageEvent, now: CardFacts): Judgement {
    if (!cameToRules(message)) return notEvaluated;
    this.#usePolicy(message.programRevision);
    const windowUnknown = this.#fill(message, now);
    const matches = this.#set.evaluate(this.#facts) === 0;
    return { evaluated: true, windowUnknown, difference: this.#compare(message, matches) };
  }

  #usePolicy(revision: number): void {
    if (this.#policy.revision === revision) return;
    const row = this.#context.system.programRevision(this.#rule.program, revision);
    if (row?.snapshot === undefined) throw new TypeError(`revision ${revision} of a program has no snapshot`);
    this.#policy = this.#policies.of(row.index, revision, row.snapshot);
  }

  /** True when a window that the rule names had to stay absent. */
  #fill(message: MessageEvent, { card, account }: CardFacts): boolean {
    const facts = this.#facts;
    facts.message(message.input, account.currency, message);
    // Only requests of active cards and open accounts come to the rules.
    const created =
      ({ createdMs }: { readonly createdMs: number }) =>
      (_slot: number, into: Float64Array, at: number): void => {
        into[at] = createdMs;
      };
    facts.card({ status: () => CardStatus.active, bin: () => card.bin, putCreated: created(card) }, 0);
    facts.account(
      { status: () => AccountStatus.open, type: () => account.type, putCreated: created(account) },
      0,
      message,
    );
    const { windows } = this.#checked;
    if (windows.length === 0 || message.cardReadings + message.accountReadings === 0) return false;
    // A card's window stands before an account's of the same name.
    const ofAccount = this.#controlsOf(ControlLevel.account, account, message);
    const ofCard = this.#controlsOf(ControlLevel.card, card, message);
    const first = this.#fillWindows(message, ofAccount, message.cardReadings, message.accountReadings);
    return !this.#fillWindows(message, ofCard, 0, message.cardReadings) || !first;
  }

  /** Controls as they were; 'unknown' when they have been set since. */
  #controlsOf(
    level: typeof ControlLevel.card | typeof ControlLevel.account,
    { controls = '', controlsSequence }: Pick<CardView, 'controls' | 'controlsSequence'>,
    { sequence }: MessageEvent,
  ): CompiledControls | 'unknown' | undefined {
    if (controlsSequence > sequence) return 'unknown';
    return this.#controls.of(level, controls, this.#policy);
  }

  /** False when readings are there and nobody knows of which windows. @param from of the first of them, in windows */
  #fillWindows(
    { readings }: MessageEvent,
    controls: CompiledControls | 'unknown' | undefined,
    from: number,
    count: number,
  ): boolean {
    if (controls === 'unknown' || (controls?.windows.length ?? 0) !== count) return count === 0;
    if (controls === undefined) return true;
    this.#facts.windows(controls.placesOf(this.#checked.windows), controls.declines, readings, from);
    return true;
  }

  #compare(message: MessageEvent, matches: boolean): Difference | undefined {
    const decider = this.#deciderOf(message, matches);
    const wasApproved = approves(message);
    const reason = declineReason(this.#context, message, this.#rule.program);
    const before = { response_code: responseText(message.response), reason };
    const asked = this.#facts.numbers[Slot.amount]!;
    const amount = Number.isNaN(asked) ? null : asked;
    if (decider === undefined) {
      if (message.decidingRule < 0) return undefined;
      return { kind: 'would_no_longer_decline', amount, before, after: { response_code: null, reason: null } };
    }
    const { response, reason: ruleReason } = decider.rule.outcome;
    const after = { response_code: response, reason: ruleReason };
    if (wasApproved) return { kind: 'would_decline', amount, before, after };
    if (after.response_code === before.response_code && after.reason === before.reason) return undefined;
    return { kind: 'would_decline_otherwise', amount, before, after };
  }

  /** The rule that would decline: the first of those that matched then, and of the one that is tested. */
  #deciderOf(message: MessageEvent, matches: boolean): CheckedRule | undefined {
    const { system } = this.#context;
    const asked = message.rulesAsked === 0 ? [] : system.rulesOf(this.#rule.program, message.programRevision);
    const other = asked.find(
      ({ id, state }, place) => id !== this.#rule.id && state === 'active' && hasMatched(message, place),
    );
    if (other === undefined) return matches ? this.#checked : undefined;
    if (matches && this.#order.get(this.#rule.id)! < this.#order.get(other.id)!) return this.#checked;
    return checkedRule(system.rules.version(other.id, other.version)!.text);
  }
}

function cameToRules({ verdicts, verdictCount }: MessageEvent): boolean {
  for (let i = 0; i < verdictCount; i++) if (verdicts[i * 2] === Step.rules) return true;
  return false;
}
