/**
 * What limits a card or an account now, for people: the controls that apply, compiled as decisions use them, and what their
 * windows hold. Changes nothing.
 */

import type { Policies } from '../program/policy.js';
import type { ControlMember, LimitsView, WindowView } from '../reads.js';
import type { ShardState } from '../shard-state.js';
import { accountOwner, cardOwner, chainRoot } from '../velocity/counter-changes.js';
import type { CompiledControls, CompiledWindow, Sourced } from './compile.js';
import type { ControlBook } from './control-book.js';
import { ControlLevel } from './spec.js';

export class LimitsReader {
  readonly #state: ShardState;
  readonly #book: ControlBook;
  readonly #policies: Pick<Policies, 'of'>;

  constructor(state: ShardState, book: ControlBook, policies: Pick<Policies, 'of'>) {
    this.#state = state;
    this.#book = book;
    this.#policies = policies;
  }

  /**
   * Limits of a card that exists: its own level and that of its account.
   * @param windowMs time of velocity windows, ms since 1970 UTC
   */
  ofCard(cardSlot: number, windowMs: number): LimitsView[] {
    const { cards, accounts, controls } = this.#state;
    const accountSlot = cards.account(cardSlot);
    const policy = this.#policies.of(accounts.program(accountSlot));
    const compiled = this.#book.of(ControlLevel.card, controls.text(cardOwner(cardSlot)), policy);
    const owner = cardOwner(chainRoot(cards, cardSlot));
    return [this.#view(ControlLevel.card, compiled, owner, windowMs), ...this.ofAccount(accountSlot, windowMs)];
  }

  /** Limits of an account that exists, over all its cards. */
  ofAccount(accountSlot: number, windowMs: number): LimitsView[] {
    const { accounts, controls } = this.#state;
    const policy = this.#policies.of(accounts.program(accountSlot));
    const owner = accountOwner(accountSlot);
    const compiled = this.#book.of(ControlLevel.account, controls.text(owner), policy);
    return [this.#view(ControlLevel.account, compiled, owner, windowMs)];
  }

  #view(level: ControlLevel, compiled: CompiledControls | undefined, owner: number, windowMs: number): LimitsView {
    if (compiled === undefined) return { level, sources: [], windows: [] };
    const { windows, keys } = compiled;
    const buckets = Float64Array.from(windows, ({ bucket }) => bucket.at(windowMs));
    const amounts = new Float64Array(windows.length);
    const counts = new Float64Array(windows.length);
    this.#state.velocity.read(owner, keys, buckets, amounts, counts);
    const views = windows.map((window, i) => windowView(window, buckets[i]!, amounts[i]!, counts[i]!));
    const asWritten = (a: WindowView, b: WindowView): number => Number(a.cash) - Number(b.cash) || a.index - b.index;
    return { level, sources: sourcesOf(compiled), windows: views.sort(asWritten) };
  }
}

function sourcesOf(compiled: CompiledControls): LimitsView['sources'] {
  const parts: [ControlMember, Sourced<unknown> | undefined][] = [
    ['channels', compiled.channels],
    ['countries', compiled.countries],
    ['mcc', compiled.mcc],
    ['merchants', compiled.merchants],
    ['per_transaction', compiled.perTransaction],
    ['cash_per_transaction', compiled.cashPerTransaction],
  ];
  return parts.flatMap(([member, part]) => (part === undefined ? [] : [{ member, source: part.source }]));
}

function windowView(window: CompiledWindow, bucket: number, amount: number, count: number): WindowView {
  const { spec, source, index, cash, declines, amountLimit, countLimit } = window;
  const bounds = window.bucket.bounds(bucket);
  return {
    ...{ source, index, cash, declines, amount, count },
    name: spec.name ?? null,
    unit: spec.unit,
    seconds: spec.seconds,
    zone: spec.zone,
    startMs: finite(bounds?.startMs),
    endMs: finite(bounds?.endMs),
    amountLimit: finite(amountLimit),
    countLimit: finite(countLimit),
  };
}

/** Infinity stands for no limit and no end. */
function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
