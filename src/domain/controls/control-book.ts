/**
 * Compiled controls of a thread: one object per distinct controls and policy, shared by every card and account that has them.
 * Compiled when a decision first asks; a shard that only replays never does.
 */
import { assert } from '../../errors.js';
import { CONTROLS_COMPILED_MAX } from '../../limits.js';
import type { Policy } from '../program/policy.js';
import type { WindowClock } from '../velocity/window-clock.js';
import { accountControls, type CompiledControls, cardControls } from './compile.js';
import { parseControls } from './parse.js';
import { ControlLevel } from './spec.js';

type OwnLevel = typeof ControlLevel.card | typeof ControlLevel.account;

/** What a level was asked for last: most cards have the controls of the one before, usually their program's alone. */
interface Latest {
  text: string;
  policy: Policy | undefined;
  compiled: CompiledControls | undefined;
}

/** Compiled controls by their JSON. '' stands for a card or an account without any of its own. */
type ByText = Map<string, CompiledControls>;

export class ControlBook {
  readonly #clock: WindowClock;
  readonly #compiledMax: number;
  readonly #cards = new WeakMap<Policy, ByText>();
  readonly #accounts = new WeakMap<Policy, ByText>();
  readonly #latestCard: Latest = { text: '', policy: undefined, compiled: undefined };
  readonly #latestAccount: Latest = { text: '', policy: undefined, compiled: undefined };

  /** @param compiledMax controls that are kept compiled per policy and level */
  constructor(clock: WindowClock, compiledMax = CONTROLS_COMPILED_MAX) {
    this.#clock = clock;
    this.#compiledMax = compiledMax;
  }

  /**
   * Controls that apply to a card or an account.
   * @param text its own controls as JSON, '' without; checked by whoever set them
   * @returns undefined when neither it nor its program has any
   */
  of(level: OwnLevel, text: string, policy: Policy): CompiledControls | undefined {
    if (text === '' && policy.limits.controls === undefined) return undefined;
    const latest = level === ControlLevel.card ? this.#latestCard : this.#latestAccount;
    if (latest.policy !== policy || latest.text !== text) {
      latest.compiled = this.#find(level, text, policy);
      latest.policy = policy;
      latest.text = text;
    }
    return latest.compiled;
  }

  #find(level: OwnLevel, text: string, policy: Policy): CompiledControls {
    const books = level === ControlLevel.card ? this.#cards : this.#accounts;
    let byText = books.get(policy);
    if (byText === undefined) {
      byText = new Map();
      books.set(policy, byText);
    }
    let compiled = byText.get(text);
    if (compiled === undefined) {
      // What is thrown away is compiled again when it is asked for: the counters are elsewhere.
      if (byText.size >= this.#compiledMax) byText.clear();
      compiled = this.#compile(level, text, policy);
      byText.set(text, compiled);
    }
    return compiled;
  }

  #compile(level: OwnLevel, text: string, { limits }: Policy): CompiledControls {
    const { groups, controls } = limits;
    const own = text === '' ? undefined : this.#parse(level, text, limits.groups);
    const context = { groups, clock: this.#clock };
    return level === ControlLevel.card ? cardControls(own, controls, context) : accountControls(own, controls, context);
  }

  #parse(level: OwnLevel, text: string, groups: Policy['limits']['groups']) {
    // A zone was known when the controls were recorded; the clock has an answer when it is not now.
    const parsed = parseControls(JSON.parse(text), { level, groups, knowsZone: () => true });
    assert(parsed.ok, 'recorded controls were checked before they were recorded');
    return parsed.controls;
  }
}
