/**
 * The naive reference for controls and velocity: it keeps every event for ever, reads the JSON of the controls as a person
 * would, and adds up anew for each question. Dates come from Intl as texts, instances by walking back day by day. Nothing
 * of src is used, so that a shared mistake is unlikely.
 */

import { hasMcc, type MccGroups } from './reference/mcc.js';

export interface WindowJson {
  /** What rules call it. */
  name?: string;
  window: 'day' | 'week' | 'month' | 'year' | 'lifetime' | 'trailing';
  seconds?: number;
  zone?: string;
  starts_on?: string | number;
  amount?: number;
  count?: number;
  counts?: 'approvals' | 'declines';
  per?: 'card' | 'account';
  mcc?: string[];
  countries?: string[];
  merchants?: string[];
  channels?: string[];
}

export interface ControlsJson {
  mcc?: { allow?: string[]; deny?: string[] };
  countries?: { allow?: string[]; deny?: string[] };
  merchants?: { allow?: string[]; deny?: string[] };
  channels?: { deny?: string[] };
  per_transaction?: number | null;
  cash?: { per_transaction?: number; velocity?: WindowJson[] };
  velocity?: WindowJson[];
}

export interface ModelRequest {
  /** Four digits, two letters, DE42; empty when absent. */
  mcc: string;
  country: string;
  merchant: string;
  /** Names of channels. */
  channels: string[];
  amount: number;
  cash: number;
  /** Of an increment: what was authorized before it. */
  authorizedBefore?: number;
}

/** What refused: `<level> <source> <pointer>`, its DE39 and the figures. */
export interface ModelRefusal {
  control: string;
  response: string;
  /** A window of declines: what it declines counts in none. */
  byDeclines: boolean;
  limit: number;
  before: number;
  attempted: number;
}

/** Three days. */
const SLACK_MS = 3 * 86_400_000;

interface Counted {
  timeMs: number;
  amount: number;
  cash: number;
  uses: number;
}

/** A window that applies, with where it was written. */
export interface PlacedWindow {
  window: WindowJson;
  level: 'card' | 'account';
  source: 'card' | 'account' | 'program';
  index: number;
  cash: boolean;
}

const hasText = (list: readonly string[], text: string): boolean => text !== '' && list.includes(text);

export class VelocityModel {
  program: ControlsJson = {};
  readonly cardControls = new Map<number, ControlsJson>();
  readonly accountControls = new Map<number, ControlsJson>();
  /** Card -> account, and card -> the card it replaces. */
  readonly accountOf = new Map<number, number>();
  readonly replaced = new Map<number, number>();
  /** What category groups mean, beside the built-in ones. */
  groups: MccGroups = {};
  readonly #events: Counted[] = [];
  /** Events of a counter that may still count, oldest first. */
  readonly #counted = new Map<string, Counted[]>();
  readonly #definitions = new WeakMap<WindowJson, string>();

  windowsOf(card: number): PlacedWindow[] {
    const account = this.accountOf.get(card)!;
    const place = (
      level: 'card' | 'account',
      own: ControlsJson | undefined,
      list: (controls: ControlsJson) => WindowJson[] | undefined,
      hasOwn: boolean,
      cash: boolean,
    ): PlacedWindow[] => {
      const source = hasOwn ? level : 'program';
      return (list(hasOwn ? own! : this.program) ?? [])
        .map((window, index) => ({ window, level, source, index, cash }) as const)
        .filter(({ window }) => hasOwn || (window.per ?? 'card') === level);
    };
    const both = (
      list: (controls: ControlsJson) => WindowJson[] | undefined,
      isSet: (controls: ControlsJson) => boolean,
      cash: boolean,
    ): PlacedWindow[] =>
      (['card', 'account'] as const).flatMap((level) => {
        const own = level === 'card' ? this.cardControls.get(card) : this.accountControls.get(account);
        return place(level, own, list, own !== undefined && isSet(own), cash);
      });
    return [
      ...both(
        (controls) => controls.velocity,
        (controls) => controls.velocity !== undefined,
        false,
      ),
      ...both(
        (controls) => controls.cash?.velocity,
        (controls) => controls.cash !== undefined,
        true,
      ),
    ];
  }

  /** Undefined when every control passes. */
  check(card: number, request: ModelRequest, nowMs: number): ModelRefusal | undefined {
    return this.#listed(card, request) ?? this.#limited(card, request, nowMs);
  }

  /** Counts an approval of (a part of) the request; gives the element that a reversal reduces. */
  approve(card: number, request: ModelRequest, amount: number, nowMs: number): number {
    const cash = Math.min(request.cash, amount);
    const uses = request.amount > 0 && request.authorizedBefore === undefined ? 1 : 0;
    return this.#record(card, request, nowMs, false, amount, cash, uses);
  }

  decline(card: number, request: ModelRequest, nowMs: number): void {
    this.#record(card, request, nowMs, true, 0, 0, 1);
  }

  /** Leaves `amount` of an element authorized. */
  reduce(element: number, amount: number, undone: boolean): void {
    const event = this.#events[element]!;
    event.amount = Math.min(event.amount, amount);
    event.cash = Math.min(event.cash, amount);
    if (undone) event.uses = 0;
  }

  /** What a window holds for a card at a time. */
  value(card: number, placed: PlacedWindow, nowMs: number): { amount: number; count: number } {
    const counter = this.#counter(card, placed);
    let amount = 0;
    let count = 0;
    const events = this.#counted.get(counter) ?? [];
    // What is past stays past, but for a clock that is set back a little by a restart.
    const isPast = ({ timeMs }: Counted): boolean =>
      timeMs < nowMs - SLACK_MS && [nowMs, nowMs - SLACK_MS].every((at) => !isSameInstance(placed.window, timeMs, at));
    while (events.length > 0 && isPast(events[0]!)) events.shift();
    for (const event of events) {
      if (!isSameInstance(placed.window, event.timeMs, nowMs)) continue;
      amount += placed.cash ? event.cash : event.amount;
      count += event.uses;
    }
    return { amount, count };
  }

  #record(
    card: number,
    request: ModelRequest,
    timeMs: number,
    declined: boolean,
    amount: number,
    cash: number,
    uses: number,
  ): number {
    const counters = this.windowsOf(card)
      .filter(({ window }) => ((window.counts ?? 'approvals') === 'declines') === declined)
      .filter((placed) => selects(placed, request, this.groups))
      .map((placed) => this.#counter(card, placed));
    const event = { timeMs, amount, cash, uses };
    for (const counter of counters) {
      const events = this.#counted.get(counter);
      if (events) events.push(event);
      else this.#counted.set(counter, [event]);
    }
    return this.#events.push(event) - 1;
  }

  /** A counter is whose it is and what is counted, whatever the limits. */
  #counter(card: number, { window, level, cash }: PlacedWindow): string {
    let root = card;
    while (this.replaced.has(root)) root = this.replaced.get(root)!;
    const owner = level === 'card' ? `card ${root}` : `account ${this.accountOf.get(card)}`;
    return `${owner} ${cash} ${this.#definition(window)}`;
  }

  #definition(window: WindowJson): string {
    let text = this.#definitions.get(window);
    if (text === undefined) {
      const { name: _name, amount: _amount, count: _count, per: _per, ...definition } = window;
      text = JSON.stringify(Object.entries(definition).sort());
      this.#definitions.set(window, text);
    }
    return text;
  }

  #listed(card: number, request: ModelRequest): ModelRefusal | undefined {
    for (const member of ['channels', 'countries', 'mcc', 'merchants'] as const) {
      for (const { level, source, controls } of this.#sides(card, member)) {
        const list: { allow?: string[]; deny?: string[] } = controls[member]!;
        const has = (entries: string[]): boolean => {
          if (member === 'mcc') return hasMcc(entries, request.mcc, this.groups);
          if (member === 'channels') return request.channels.some((channel) => entries.includes(channel));
          return hasText(entries, member === 'countries' ? request.country : request.merchant);
        };
        const denied = list.deny !== undefined && has(list.deny);
        if (!denied && (list.allow === undefined || has(list.allow))) continue;
        const control = `${level} ${source} /${member}/${denied ? 'deny' : 'allow'}`;
        const response = { channels: '57', countries: '62', mcc: '57', merchants: '58' }[member];
        return { control, response, byDeclines: false, limit: 0, before: 0, attempted: 0 };
      }
    }
    return undefined;
  }

  /** Whose lists apply: the card's own or else the program's, and the account's own. */
  #sides(card: number, member: keyof ControlsJson): { level: string; source: string; controls: ControlsJson }[] {
    const own = this.cardControls.get(card);
    const account = this.accountControls.get(this.accountOf.get(card)!);
    const sides = [];
    if (own !== undefined && own[member] !== undefined) sides.push({ level: 'card', source: 'card', controls: own });
    else if (this.program[member] !== undefined) {
      sides.push({ level: 'card', source: 'program', controls: this.program });
    }
    if (account !== undefined && account[member] !== undefined) {
      sides.push({ level: 'account', source: 'account', controls: account });
    }
    return sides;
  }

  #limited(card: number, request: ModelRequest, nowMs: number): ModelRefusal | undefined {
    const total = (request.authorizedBefore ?? 0) + request.amount;
    for (const { level, source, controls } of this.#sides(card, 'per_transaction')) {
      const limit = controls.per_transaction;
      if (limit === null || limit === undefined || total <= limit) continue;
      const control = `${level} ${source} /per_transaction`;
      return { control, response: '61', byDeclines: false, limit, before: 0, attempted: total };
    }
    const windows = this.windowsOf(card).filter((placed) => selects(placed, request, this.groups));
    const uses = request.amount > 0 && request.authorizedBefore === undefined ? 1 : 0;
    const declines = ({ window }: PlacedWindow): boolean => window.counts === 'declines';
    return (
      this.#reached(card, windows, (placed) => !placed.cash && !declines(placed), 'amount', request.amount, nowMs) ??
      this.#reached(card, windows, (placed) => !placed.cash && !declines(placed), 'count', uses, nowMs) ??
      this.#reached(card, windows, declines, 'count', 1, nowMs) ??
      this.#cashLimited(card, request) ??
      this.#reached(card, windows, (placed) => placed.cash, 'amount', request.cash, nowMs) ??
      this.#reached(card, windows, (placed) => placed.cash, 'count', uses, nowMs)
    );
  }

  #cashLimited(card: number, request: ModelRequest): ModelRefusal | undefined {
    for (const { level, source, controls } of this.#sides(card, 'cash')) {
      const limit = controls.cash!.per_transaction;
      if (limit === undefined || request.cash <= limit) continue;
      const control = `${level} ${source} /cash/per_transaction`;
      return { control, response: '61', byDeclines: false, limit, before: 0, attempted: request.cash };
    }
    return undefined;
  }

  #reached(
    card: number,
    windows: PlacedWindow[],
    wanted: (placed: PlacedWindow) => boolean,
    what: 'amount' | 'count',
    attempted: number,
    nowMs: number,
  ): ModelRefusal | undefined {
    if (attempted === 0) return undefined;
    for (const placed of windows) {
      const limit = placed.window[what];
      if (!wanted(placed) || limit === undefined) continue;
      const before = this.value(card, placed, nowMs)[what];
      if (before + attempted <= limit) continue;
      const control = `${placed.level} ${placed.source} ${placed.cash ? '/cash' : ''}/velocity/${placed.index}`;
      const byDeclines = placed.window.counts === 'declines';
      return { control, response: what === 'amount' ? '61' : '65', byDeclines, limit, before, attempted };
    }
    return undefined;
  }
}

function selects({ window, cash }: PlacedWindow, request: ModelRequest, groups: MccGroups): boolean {
  if (cash && request.cash === 0) return false;
  if (window.mcc !== undefined && !hasMcc(window.mcc, request.mcc, groups)) return false;
  if (window.countries !== undefined && !hasText(window.countries, request.country)) return false;
  if (window.merchants !== undefined && !hasText(window.merchants, request.merchant)) return false;
  return window.channels === undefined || request.channels.some((channel) => window.channels!.includes(channel));
}

/** Whether what happened at `thenMs` counts in the instance of a window that `nowMs` is in. */
export function isSameInstance(window: WindowJson, thenMs: number, nowMs: number): boolean {
  switch (window.window) {
    case 'lifetime':
      return true;
    case 'trailing': {
      // Buckets of a fifteenth; it counts while the end of its bucket is later than the begin of the window.
      const length = window.seconds! * 1000;
      const bucket = Math.floor((thenMs * 15) / length);
      return (bucket + 1) * length > (nowMs - length) * 15;
    }
    default:
      return startOfInstance(window, thenMs) === startOfInstance(window, nowMs);
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Local date as YYYY-MM-DD. */
export function localDate(zone: string, timeMs: number): string {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' });
    formats.set(zone, format);
  }
  return format.format(timeMs);
}

const DAY = 86_400_000;
const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** The answers of `startOfInstance`: the same questions come again and again, and walking back a year takes its time. */
const starts = new Map<string, string>();
const STARTS_MAX = 100_000;

/** First day of the instance that a time belongs to. */
function startOfInstance(window: WindowJson, timeMs: number): string {
  const question = `${window.window} ${window.starts_on} ${window.zone} ${timeMs}`;
  const known = starts.get(question);
  if (known !== undefined) return known;
  let day = Date.parse(`${localDate(window.zone ?? 'UTC', timeMs)}T00:00:00Z`);
  while (!isStart(window, new Date(day))) day -= DAY;
  const start = new Date(day).toISOString().slice(0, 10);
  if (starts.size > STARTS_MAX) starts.clear();
  starts.set(question, start);
  return start;
}

function isStart(window: WindowJson, date: Date): boolean {
  const lastOfMonth = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  switch (window.window) {
    case 'week':
      return weekdays[date.getUTCDay()] === (window.starts_on ?? 'monday');
    case 'month':
      return date.getUTCDate() === Math.min(Number(window.starts_on ?? 1), lastOfMonth);
    case 'year': {
      const [month, day] = String(window.starts_on ?? '01-01')
        .split('-')
        .map(Number);
      return date.getUTCMonth() + 1 === month && date.getUTCDate() === Math.min(day!, lastOfMonth);
    }
    default:
      return true;
  }
}
