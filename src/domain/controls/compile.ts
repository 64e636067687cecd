/**
 * Makes the controls that apply to a card or to an account from its own and its program's.
 *
 * A program's controls are defaults: a member (`mcc`, `countries`, `merchants`, `channels`, `per_transaction`, `cash`,
 * `velocity`) that the card has itself takes the place of the program's, whole; an empty one lifts it. An account's
 * controls are no default for its cards but stand beside them: a request must pass the card's and the account's, so no
 * setting of a card reaches over what the account allows. Of the program's defaults an account takes the windows that the
 * program sets per account; the others are each card's.
 *
 * A replacement card begins with the controls of the card that it replaces, unless it is given its own: whoever creates it
 * hands the old card's on.
 *
 * The result is immutable and meant to be shared by every card of a thread with the same controls: make one per distinct
 * object, not one per card. (A window remembers its current bucket, so it stays in one thread.)
 */
import { assert } from '../../errors.js';
import { CurrentBucket, CurrentBuckets, type WindowClock } from '../velocity/window-clock.js';
import type { ControlFacts } from './facts.js';
import { ChannelFilter, CodeFilter, FilterVerdict, MerchantFilter, MerchantSet, RangeSet } from './filters.js';
import { type MccEntry, type MccGroups, mccRanges } from './mcc-groups.js';
import {
  type CashSpec,
  Channel,
  type ChannelName,
  ControlLevel,
  type ControlsSpec,
  counterKey,
  type ListSpec,
  type SelectorSpec,
  shapeOfWindow,
  type WindowSpec,
} from './spec.js';

/** A part of controls with the level that it comes from: the card's or account's own, or the program's default. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: ControlLevel;
}

class Selector {
  readonly #mcc: CodeFilter | undefined;
  readonly #countries: CodeFilter | undefined;
  readonly #merchants: MerchantFilter | undefined;
  readonly #channels: ChannelFilter | undefined;

  constructor(spec: SelectorSpec, groups: MccGroups) {
    this.#mcc = spec.mcc && mccFilter(spec.mcc, groups);
    this.#countries = spec.countries && countryFilter(spec.countries);
    this.#merchants = spec.merchants && merchantFilter(spec.merchants);
    this.#channels = spec.channels && channelFilter(spec.channels);
  }

  get isSelective(): boolean {
    return [this.#mcc, this.#countries, this.#merchants, this.#channels].some((filter) => filter !== undefined);
  }

  selects(facts: ControlFacts): boolean {
    return (
      (this.#mcc === undefined || this.#mcc.judge(facts.mcc) === FilterVerdict.pass) &&
      (this.#countries === undefined || this.#countries.judge(facts.country) === FilterVerdict.pass) &&
      (this.#channels === undefined || this.#channels.judge(facts.channels) === FilterVerdict.pass) &&
      (this.#merchants === undefined || judgeMerchant(this.#merchants, facts) === FilterVerdict.pass)
    );
  }
}

export class CompiledWindow {
  readonly spec: WindowSpec;
  /** Of its counter. */
  readonly key: number;
  /** Which bucket counts now. */
  readonly bucket: CurrentBucket;
  /** Counts the cash in a transaction instead of its amount. */
  readonly cash: boolean;
  readonly declines: boolean;
  /** Infinity where there is no such limit. */
  readonly amountLimit: number;
  readonly countLimit: number;
  /** Place in the list that it comes from. */
  readonly index: number;
  readonly source: ControlLevel;
  /** What rules call it. */
  readonly name: string | undefined;
  readonly #selector: Selector;

  constructor(
    spec: WindowSpec,
    cash: boolean,
    index: number,
    source: ControlLevel,
    groups: MccGroups,
    clock: WindowClock,
  ) {
    this.spec = spec;
    this.key = counterKey(spec, cash);
    this.bucket = new CurrentBucket(clock, clock.zone(spec.zone), shapeOfWindow(spec));
    this.cash = cash;
    this.declines = spec.declines;
    this.amountLimit = spec.amount ?? Number.POSITIVE_INFINITY;
    this.countLimit = spec.count ?? Number.POSITIVE_INFINITY;
    this.index = index;
    this.source = source;
    this.name = spec.name;
    this.#selector = new Selector(spec, groups);
  }

  /** False when every request counts in the window. */
  get isSelective(): boolean {
    return this.cash || this.#selector.isSelective;
  }

  /** True when a request with these facts counts in the window. */
  selects(facts: ControlFacts): boolean {
    return (!this.cash || facts.cash > 0) && this.#selector.selects(facts);
  }
}

export class CompiledControls {
  readonly channels: Sourced<ChannelFilter> | undefined;
  readonly countries: Sourced<CodeFilter> | undefined;
  readonly mcc: Sourced<CodeFilter> | undefined;
  readonly merchants: Sourced<MerchantFilter> | undefined;
  readonly perTransaction: Sourced<number> | undefined;
  readonly cashPerTransaction: Sourced<number> | undefined;
  /** By rising key, as the counters in a row. */
  readonly windows: readonly CompiledWindow[];
  readonly keys: Float64Array;
  /** Their buckets. */
  readonly buckets: CurrentBuckets;
  /** By place: 1 for a window that counts declines. */
  readonly declines: Uint8Array;
  /** By place: 0 for a window that every request counts in. */
  readonly selective: Uint8Array;
  /** By place: amount limits and count limits, infinity where there is none. */
  readonly mostAmount: Float64Array;
  readonly mostCount: Float64Array;
  /** Places in `windows`, in the order in which they were written, of those that have a limit of a kind. */
  readonly amountLimits: Uint8Array;
  readonly countLimits: Uint8Array;
  readonly declineLimits: Uint8Array;
  readonly cashAmountLimits: Uint8Array;
  readonly cashCountLimits: Uint8Array;

  #names: readonly string[] = [];
  #places = new Int16Array(0);

  constructor(level: ControlLevel, parts: EffectiveParts, groups: MccGroups, clock: WindowClock) {
    assert(level !== ControlLevel.program, 'controls apply to a card or an account');
    this.channels = sourced(parts.channels, channelFilter);
    this.countries = sourced(parts.countries, countryFilter);
    this.mcc = sourced(parts.mcc, (list) => mccFilter(list, groups));
    this.merchants = sourced(parts.merchants, merchantFilter);
    this.perTransaction = parts.perTransaction;
    this.cashPerTransaction = parts.cashPerTransaction;
    const written = [
      ...parts.velocity.map(({ spec, index, source }) => new CompiledWindow(spec, false, index, source, groups, clock)),
      ...parts.cash.map(({ spec, index, source }) => new CompiledWindow(spec, true, index, source, groups, clock)),
    ];
    this.windows = [...written].sort((a, b) => a.key - b.key);
    this.keys = Float64Array.from(this.windows, (window) => window.key);
    this.buckets = new CurrentBuckets(this.windows.map((window) => window.bucket));
    this.declines = Uint8Array.from(this.windows, (window) => (window.declines ? 1 : 0));
    this.selective = Uint8Array.from(this.windows, (window) => (window.isSelective ? 1 : 0));
    this.mostAmount = Float64Array.from(this.windows, (window) => window.amountLimit);
    this.mostCount = Float64Array.from(this.windows, (window) => window.countLimit);
    const places = (wanted: (window: CompiledWindow) => boolean): Uint8Array =>
      Uint8Array.from(written.filter(wanted), (window) => this.windows.indexOf(window));
    this.amountLimits = places(({ cash, amountLimit }) => !cash && Number.isFinite(amountLimit));
    this.countLimits = places(({ cash, declines, countLimit }) => !cash && !declines && Number.isFinite(countLimit));
    this.declineLimits = places(({ declines }) => declines);
    this.cashAmountLimits = places(({ cash, amountLimit }) => cash && Number.isFinite(amountLimit));
    this.cashCountLimits = places(({ cash, countLimit }) => cash && Number.isFinite(countLimit));
  }

  /** For each window the place of its name among `names`, -1 without. The same list every time: it is looked up once. */
  placesOf(names: readonly string[]): Int16Array {
    if (this.#names !== names) this.#lookUp(names);
    return this.#places;
  }

  /** By itself, because a function that hands a name on to another makes an object of it in each call. */
  #lookUp(names: readonly string[]): void {
    this.#names = names;
    this.#places = Int16Array.from(this.windows, ({ name }) => (name === undefined ? -1 : names.indexOf(name)));
  }
}

export interface CompileContext {
  readonly groups: MccGroups;
  readonly clock: WindowClock;
}

/** Controls of a card with these controls of its own, in a program with these. */
export function cardControls(
  own: ControlsSpec | undefined,
  program: ControlsSpec | undefined,
  { groups, clock }: CompileContext,
): CompiledControls {
  const { card } = ControlLevel;
  const pick = <T>(mine: T | null | undefined, byDefault: T | null | undefined): Sourced<T> | undefined =>
    sourceOf(mine, card) ?? sourceOf(byDefault, ControlLevel.program);
  // null is a value here: the card lifts the program's limit.
  const lifted = own?.perTransaction === null;
  const parts: EffectiveParts = {
    channels: pick(own?.channels, program?.channels),
    countries: pick(own?.countries, program?.countries),
    mcc: pick(own?.mcc, program?.mcc),
    merchants: pick(own?.merchants, program?.merchants),
    perTransaction: lifted ? undefined : pick(own?.perTransaction, program?.perTransaction),
    cashPerTransaction: perTransactionOf(pick(own?.cash, program?.cash)),
    velocity: windowsOf(own?.velocity, program?.velocity, card),
    cash: windowsOf(own?.cash?.velocity, program?.cash?.velocity, card),
  };
  return new CompiledControls(card, parts, groups, clock);
}

/** Controls of an account with these controls of its own, in a program with these. */
export function accountControls(
  own: ControlsSpec | undefined,
  program: ControlsSpec | undefined,
  { groups, clock }: CompileContext,
): CompiledControls {
  const { account } = ControlLevel;
  const parts: EffectiveParts = {
    channels: sourceOf(own?.channels, account),
    countries: sourceOf(own?.countries, account),
    mcc: sourceOf(own?.mcc, account),
    merchants: sourceOf(own?.merchants, account),
    perTransaction: sourceOf(own?.perTransaction, account),
    cashPerTransaction: perTransactionOf(sourceOf(own?.cash, account)),
    velocity: windowsOf(own?.velocity, program?.velocity, account),
    cash: windowsOf(own?.cash?.velocity, program?.cash?.velocity, account),
  };
  return new CompiledControls(account, parts, groups, clock);
}

interface PlacedWindow {
  readonly spec: WindowSpec;
  readonly index: number;
  readonly source: ControlLevel;
}

interface EffectiveParts {
  readonly channels: Sourced<ListSpec<ChannelName>> | undefined;
  readonly countries: Sourced<ListSpec<number>> | undefined;
  readonly mcc: Sourced<ListSpec<MccEntry>> | undefined;
  readonly merchants: Sourced<ListSpec<string>> | undefined;
  readonly perTransaction: Sourced<number> | undefined;
  readonly cashPerTransaction: Sourced<number> | undefined;
  readonly velocity: readonly PlacedWindow[];
  readonly cash: readonly PlacedWindow[];
}

function sourceOf<T>(value: T | null | undefined, source: ControlLevel): Sourced<T> | undefined {
  return value === undefined || value === null ? undefined : { value, source };
}

function sourced<T, C>(part: Sourced<T> | undefined, compile: (value: T) => C): Sourced<C> | undefined {
  return part && { value: compile(part.value), source: part.source };
}

function perTransactionOf(cash: Sourced<CashSpec> | undefined): Sourced<number> | undefined {
  return cash && sourceOf(cash.value.perTransaction, cash.source);
}

/** The level's own windows, or those that the program gives it. */
function windowsOf(
  own: readonly WindowSpec[] | undefined,
  program: readonly WindowSpec[] | undefined,
  level: ControlLevel,
): PlacedWindow[] {
  if (own !== undefined) return own.map((spec, index) => ({ spec, index, source: level }));
  const perAccount = level === ControlLevel.account;
  return (program ?? [])
    .map((spec, index) => ({ spec, index, source: ControlLevel.program }))
    .filter(({ spec }) => spec.perAccount === perAccount);
}

function halves<T, S>({ allow, deny }: ListSpec<T>, set: (entries: readonly T[]) => S): [S | undefined, S | undefined] {
  return [allow && set(allow), deny && set(deny)];
}

function mccFilter(list: ListSpec<MccEntry>, groups: MccGroups): CodeFilter {
  return new CodeFilter(...halves(list, (entries) => new RangeSet(mccRanges(entries, groups))));
}

function countryFilter(list: ListSpec<number>): CodeFilter {
  return new CodeFilter(...halves(list, (entries) => new RangeSet(entries.map((country) => [country, country]))));
}

function merchantFilter(list: ListSpec<string>): MerchantFilter {
  return new MerchantFilter(...halves(list, (entries) => new MerchantSet(entries)));
}

function channelFilter(list: ListSpec<ChannelName>): ChannelFilter {
  const mask = (names: readonly ChannelName[] | undefined): number =>
    (names ?? []).reduce((bits, name) => bits | Channel[name], 0);
  return new ChannelFilter(mask(list.allow), mask(list.deny));
}

export function judgeMerchant(filter: MerchantFilter, facts: ControlFacts): FilterVerdict {
  return filter.judge(facts.merchantHash(), facts.merchant, facts.merchantAt, facts.merchantLength);
}
