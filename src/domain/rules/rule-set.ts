/**
 * The rules of one message in their order, active and shadow, as one program. Every rule is evaluated on every message, also
 * behind one that declines: what a shadow rule would have done, and how often each rule matches, must not depend on its
 * neighbours.
 */
import { assert } from '../../errors.js';
import { RULE_SET_COST_MAX, RULE_WINDOWS_MAX, RULES_PER_SET_MAX } from '../../limits.js';
import type { CheckedRule } from './check.js';
import { compileProgram } from './compile.js';
import type { RuleFacts } from './facts.js';
import { type Program, run } from './program.js';

export interface SetRule {
  readonly checked: CheckedRule;
  /** Active rules decline; shadow rules are only recorded. Drafts and retired rules are in no set. */
  readonly state: 'active' | 'shadow';
  /** Place of its counters in the arrays given to `count`; 0 unless there are several. */
  readonly counter: number;
}

/** Why these rules cannot form a set, or undefined. Ask before activating one more. */
export function ruleSetProblem(rules: readonly SetRule[], windows: readonly string[]): string | undefined {
  if (rules.length > RULES_PER_SET_MAX) return `${rules.length} rules, at most ${RULES_PER_SET_MAX} can be evaluated`;
  if (windows.length > RULE_WINDOWS_MAX) return `${windows.length} velocity windows, at most ${RULE_WINDOWS_MAX}`;
  const cost = rules.reduce((sum, { checked }) => sum + checked.cost, 0);
  if (cost > RULE_SET_COST_MAX) return `the rules cost ${cost} units together, at most ${RULE_SET_COST_MAX}`;
  return undefined;
}

export class RuleSet {
  /** Bit i % 32 of word i / 32: rule i matched the message that was evaluated last. */
  readonly matched: Uint32Array;
  readonly #rules: readonly SetRule[];
  readonly #counters: Uint32Array;
  readonly #program: Program;

  /**
   * @param rules in the order of their evaluation; the first active one that matches decides.
   * @param windows names of the velocity windows in the order in which `RuleFacts.counter` is given them.
   * @throws HoldfastError `invariant_violated` where `ruleSetProblem` names a problem
   */
  constructor(rules: readonly SetRule[], windows: readonly string[] = []) {
    const problem = ruleSetProblem(rules, windows);
    assert(problem === undefined, `rule set: ${problem}`);
    this.#rules = [...rules];
    this.#counters = Uint32Array.from(rules, ({ counter }) => counter);
    this.matched = new Uint32Array((rules.length + 31) >>> 5);
    this.#program = compileProgram(
      rules.map(({ checked, state }) => ({ when: checked.rule.when, active: state === 'active' })),
      windows,
    );
  }

  get size(): number {
    return this.#rules.length;
  }

  /** Rule i of the set. */
  rule(i: number): SetRule {
    return this.#rules[i]!;
  }

  /**
   * Evaluates every rule; allocates nothing. `matched` holds which of them matched until the next call.
   *
   * @returns the first active rule that matched: its outcome is the decline. -1 when none did.
   */
  evaluate(facts: RuleFacts): number {
    const { matched } = this;
    for (let i = 0; i < matched.length; i++) matched[i] = 0;
    return run(this.#program, facts, matched);
  }

  hasMatched(i: number): boolean {
    return ((this.matched[i >>> 5]! >>> (i & 31)) & 1) === 1;
  }

  /** Adds the last evaluation to the statistics of each rule, at its `counter`. */
  count(evaluated: Float64Array, matched: Float64Array): void {
    const counters = this.#counters;
    for (let i = 0; i < counters.length; i++) evaluated[counters[i]!]! += 1;
    for (let word = 0; word < this.matched.length; word++) {
      // Lowest bit first; most messages match nothing.
      for (let bits = this.matched[word]!; bits !== 0; bits &= bits - 1) {
        matched[counters[32 * word + 31 - Math.clz32(bits & -bits)]!]! += 1;
      }
    }
  }
}
