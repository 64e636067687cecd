/**
 * Histories of authorizations under controls: the engine's parts and the naive model side by side. Every event goes
 * through its packed record before it is applied, as it would through the journal.
 */
import { expect } from 'vitest';
import { responseText } from '#src/domain/codes.js';
import { accountControls, type CompiledControls, cardControls } from '#src/domain/controls/compile.js';
import { ControlsCheck } from '#src/domain/controls/controls-check.js';
import { ControlFacts } from '#src/domain/controls/facts.js';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { parseControls } from '#src/domain/controls/parse.js';
import { ControlLevel, type ControlsSpec } from '#src/domain/controls/spec.js';
import { ControlKind, controlPointer, controlReasons, defaultControlResponses } from '#src/domain/controls/verdict.js';
import { StateDigest } from '#src/domain/digest.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { accountOwner, CounterChanges, cardOwner, chainRoot } from '#src/domain/velocity/counter-changes.js';
import { giveBack } from '#src/domain/velocity/give-back.js';
import { VelocityTable } from '#src/domain/velocity/velocity-table.js';
import { WindowClock } from '#src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { type ControlsJson, type ModelRefusal, type ModelRequest, VelocityModel } from './velocity-model.js';

export const VELOCITY = 9;
const calendar = new IntlZoneCalendar();
const levelNames = ['', 'program', 'account', 'card'] as const;

/** What an event left: packed changes. */
export interface Recorded {
  sequence: number;
  timeMs: number;
  bytes: Uint8Array;
}

export type Request = {
  card: number;
  kind: 'purchase' | 'cash' | 'cash back' | 'verification';
  amount: number;
  mcc: number;
  merchant: number;
  country: number;
  mode: number;
};

export type Op =
  | ({ op: 'request'; outcome: 'approved' | 'partly' | 'declined' } & Request)
  | ({ op: 'forced' } & Request)
  | { op: 'increment'; back: number; amount: number }
  | { op: 'release'; back: number; percent: number }
  | { op: 'wait'; ms: number }
  | { op: 'replace'; card: number }
  | { op: 'controls'; level: 'program' | 'account' | 'card'; whose: number; controls: ControlsJson };

interface Element {
  record: number;
  modelElement: number;
  amount: number;
}

interface Authorization {
  card: number;
  request: ModelRequest;
  input: MessageInput;
  elements: Element[];
}

const MCCS = ['5411', '5541', '7011', '3700', ''] as const;
const MERCHANTS = ['SHOP', 'SHOP1', '', 'MERCHANT0000001'] as const;
const COUNTRIES = ['BR', 'US', ''] as const;
const MODES: readonly (readonly [de22: number, channel: string])[] = [
  [51, 'chip'],
  [71, 'contactless'],
  [810, 'ecommerce'],
  [901, 'magstripe'],
  [10, 'manual'],
  [-1, ''],
];
const COUNTRY_NUMBERS: Record<string, number> = { BR: 76, US: 840, '': -1 };
const KINDS = { purchase: 0, cash: 10_000, 'cash back': 90_000, verification: 0 } as const;

export function messageOf(request: Request): { input: MessageInput; model: ModelRequest } {
  const amount = request.kind === 'verification' ? 0 : request.amount;
  const mcc = MCCS[request.mcc % MCCS.length]!;
  const merchant = MERCHANTS[request.merchant % MERCHANTS.length]!;
  const country = COUNTRIES[request.country % COUNTRIES.length]!;
  const [entryMode, channel] = MODES[request.mode % MODES.length]!;
  const isCash = request.kind === 'cash';
  const input = new MessageInput();
  input.mti = 100;
  input.processingCode = KINDS[request.kind];
  input.amount = amount;
  input.mcc = mcc === '' ? -1 : Number(mcc);
  input.country = COUNTRY_NUMBERS[country]!;
  input.entryMode = entryMode;
  if (merchant !== '') input.setText(Text.acceptor, merchant.padEnd(15));
  const cash = isCash ? amount : request.kind === 'cash back' ? Math.floor(amount / 3) : 0;
  const channels = [...(channel === '' ? [] : [channel]), ...(isCash ? ['atm'] : [])];
  return { input, model: { mcc, country, merchant, channels, amount, cash } };
}

export class Player {
  nowMs: number;
  readonly model = new VelocityModel();
  readonly digest = new StateDigest();
  readonly table = new VelocityTable(this.digest, VELOCITY);
  readonly clock = new WindowClock(calendar);
  readonly check = new ControlsCheck(this.table, defaultControlResponses);
  readonly records: Recorded[] = [];
  readonly authorizations: Authorization[] = [];
  /** What happened, for a look at what histories reach. */
  readonly seen: string[] = [];
  readonly #replaces = new Int32Array(64).fill(-1);
  readonly #facts = new ControlFacts();
  readonly #cardSpecs = new Map<number, ControlsSpec>();
  readonly #accountSpecs = new Map<number, ControlsSpec>();
  readonly #compiled = new Map<string, CompiledControls>();
  #program: ControlsSpec | undefined;
  #cards = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
    for (const account of [0, 0, 1]) this.model.accountOf.set(this.#cards++, account);
  }

  play(ops: readonly Op[], after: () => void = () => undefined): void {
    for (const op of ops) {
      this.step(op);
      this.compareCounters();
      after();
    }
  }

  step(op: Op): void {
    switch (op.op) {
      case 'request':
        this.#request(op);
        return;
      case 'forced':
        this.#forced(op);
        return;
      case 'increment':
        this.#increment(this.authorizations.at(-1 - op.back), op.amount);
        return;
      case 'release':
        this.release(this.authorizations.at(-1 - op.back), op.percent);
        return;
      case 'wait':
        this.nowMs += op.ms;
        return;
      case 'replace':
        this.#replace(op.card % this.#cards);
        return;
      case 'controls':
        this.setControls(op.level, op.whose, op.controls);
        return;
    }
  }

  setControls(level: 'program' | 'account' | 'card', whose: number, json: ControlsJson): void {
    const parsed = parseControls(json, {
      level: ControlLevel[level],
      groups: defaultMccGroups,
      knowsZone: (zone) => this.clock.knows(zone),
    });
    expect(parsed).toMatchObject({ ok: true });
    if (!parsed.ok) return;
    this.#compiled.clear();
    if (level === 'program') {
      this.#program = parsed.controls;
      this.model.program = json;
    } else if (level === 'card') {
      this.#cardSpecs.set(whose % this.#cards, parsed.controls);
      this.model.cardControls.set(whose % this.#cards, json);
    } else {
      this.#accountSpecs.set(whose % 2, parsed.controls);
      this.model.accountControls.set(whose % 2, json);
    }
  }

  /** Decides a request without applying anything; the engine and the model agree on what refuses it. */
  refusal(card: number, input: MessageInput, request: ModelRequest): ModelRefusal | undefined {
    this.#begin(card, input, request);
    const { check } = this;
    const { verdict } = check;
    const passes = check.passes();
    const found = passes
      ? undefined
      : {
          control: `${levelNames[verdict.level]} ${levelNames[verdict.source]} ${controlPointer(verdict)}`,
          response: responseText(verdict.response),
          byDeclines: verdict.kind === ControlKind.declineVelocity,
          limit: verdict.limit,
          before: verdict.before,
          attempted: verdict.attempted,
        };
    expect(found).toEqual(this.model.check(card, request, this.nowMs));
    if (!passes && verdict.kind !== 0) {
      const sides = `${levelNames[verdict.level]} ${levelNames[verdict.source]}`;
      const where = controlPointer(verdict).replace(/\d+$/, 'n');
      this.seen.push(`${responseText(verdict.response)} ${controlReasons[verdict.kind]} ${where} ${sides}`);
    }
    return found;
  }

  /** Every window that applies to any card holds what the model adds up. */
  compareCounters(): void {
    for (let card = 0; card < this.#cards; card++) {
      for (const level of ['card', 'account'] as const) this.#compareSide(card, level);
    }
  }

  /** Leaves so many percent of an authorization, newest element first. */
  release(authorization: Authorization | undefined, percent: number): void {
    if (authorization === undefined) return;
    const total = authorization.elements.reduce((sum, { amount }) => sum + amount, 0);
    const after = Math.floor((total * percent) / 100);
    const undone = after === 0;
    const changes = new CounterChanges();
    const original = new CounterChanges();
    let left = total - after;
    for (const element of [...authorization.elements].reverse()) {
      const part = Math.min(left, element.amount);
      const { bytes, sequence } = this.records[element.record]!;
      original.unpack(bytes, 0, bytes.length);
      giveBack(this.table, original, sequence, element.amount, element.amount - part, undone, changes);
      element.amount -= part;
      this.model.reduce(element.modelElement, element.amount, undone);
      left -= part;
    }
    changes.sort();
    if (total > after) this.seen.push(changes.count > 0 ? 'given back' : 'given back to nowhere');
    if (undone) this.authorizations.splice(this.authorizations.indexOf(authorization), 1);
    this.#apply(changes);
  }

  #request(op: Op & { op: 'request' }): void {
    const card = op.card % this.#cards;
    const { input, model } = messageOf(op);
    const refused = this.refusal(card, input, model);
    const changes = new CounterChanges();
    if (refused !== undefined || op.outcome === 'declined') {
      // `check` still holds the request: what it counts as a decline.
      this.check.countDecline(changes);
      const byDeclines = refused !== undefined && this.check.verdict.kind === ControlKind.declineVelocity;
      if (!byDeclines) this.model.decline(card, model, this.nowMs);
      this.#apply(changes);
      return;
    }
    const amount = op.outcome === 'partly' && model.cash === 0 ? Math.ceil(model.amount / 2) : model.amount;
    this.#approve(card, input, model, amount);
  }

  #forced(op: Request): void {
    const card = op.card % this.#cards;
    const { input, model } = messageOf(op);
    this.#begin(card, input, model);
    this.#approve(card, input, model, model.amount);
  }

  #approve(card: number, input: MessageInput, request: ModelRequest, amount: number): void {
    const changes = new CounterChanges();
    this.check.countApproval(changes, amount);
    const modelElement = this.model.approve(card, request, amount, this.nowMs);
    const record = this.#apply(changes);
    this.authorizations.push({ card, request, input, elements: [{ record, modelElement, amount }] });
  }

  #increment(authorization: Authorization | undefined, amount: number): void {
    if (authorization === undefined || authorization.request.amount === 0) return;
    const { card, input, elements } = authorization;
    const authorizedBefore = elements.reduce((sum, element) => sum + element.amount, 0);
    const isCash = authorization.request.channels.includes('atm');
    const request = { ...authorization.request, amount, cash: isCash ? amount : 0, authorizedBefore };
    if (this.refusal(card, input, request) !== undefined) {
      this.seen.push('an increment refused');
      return;
    }
    const changes = new CounterChanges();
    this.check.countApproval(changes, amount);
    const modelElement = this.model.approve(card, request, amount, this.nowMs);
    elements.push({ record: this.#apply(changes), modelElement, amount });
  }

  #replace(old: number): void {
    if (this.#cards === this.#replaces.length) return;
    const card = this.#cards++;
    this.#replaces[card] = old;
    this.model.replaced.set(card, old);
    // A replacement begins with the controls of the old card.
    const spec = this.#cardSpecs.get(old);
    if (spec !== undefined) {
      this.#cardSpecs.set(card, spec);
      this.model.cardControls.set(card, this.model.cardControls.get(old)!);
    }
    this.model.accountOf.set(card, this.model.accountOf.get(old)!);
  }

  #begin(card: number, input: MessageInput, request: ModelRequest): void {
    const facts = this.#facts;
    const isCash = request.channels.includes('atm');
    facts.readRequest(input, request.amount, isCash ? 0 : request.cash);
    if (request.authorizedBefore !== undefined) facts.asIncrement(request.authorizedBefore);
    const { check } = this;
    const own = this.#side(card, 'card');
    const shared = this.#side(card, 'account');
    check.begin(facts, own.controls, own.owner, shared.controls, shared.owner, this.nowMs);
  }

  #side(card: number, level: 'card' | 'account'): { controls: CompiledControls; owner: number } {
    const account = this.model.accountOf.get(card)!;
    const whose = level === 'card' ? card : account;
    let controls = this.#compiled.get(`${level} ${whose}`);
    if (controls === undefined) {
      const context = { groups: defaultMccGroups, clock: this.clock };
      controls =
        level === 'card'
          ? cardControls(this.#cardSpecs.get(card), this.#program, context)
          : accountControls(this.#accountSpecs.get(account), this.#program, context);
      this.#compiled.set(`${level} ${whose}`, controls);
    }
    return {
      controls,
      owner:
        level === 'card'
          ? cardOwner(chainRoot({ replaces: (slot) => this.#replaces[slot]! }, card))
          : accountOwner(account),
    };
  }

  #compareSide(card: number, level: 'card' | 'account'): void {
    const { controls, owner } = this.#side(card, level);
    const count = controls.windows.length;
    const buckets = Float64Array.from(controls.windows, ({ bucket }) => bucket.at(this.nowMs));
    const amounts = new Float64Array(count);
    const counts = new Float64Array(count);
    this.table.read(owner, controls.keys, buckets, amounts, counts);
    const placed = this.model.windowsOf(card).filter((one) => one.level === level);
    expect(placed.length).toBe(count);
    for (const one of placed) {
      const at = controls.windows.findIndex(({ index, source, cash }) => {
        return index === one.index && levelNames[source] === one.source && cash === one.cash;
      });
      expect({ amount: amounts[at], count: counts[at] }, JSON.stringify(one.window)).toEqual(
        this.model.value(card, one, this.nowMs),
      );
    }
  }

  /** Packs, reads back and applies an event; gives its place among the records. */
  #apply(changes: CounterChanges): number {
    const bytes = new Uint8Array(changes.packedMax);
    const end = changes.pack(bytes, 0);
    const sequence = this.records.length + 1;
    const record = { sequence, timeMs: this.nowMs, bytes: bytes.slice(0, end) };
    applyRecorded(this.table, record);
    return this.records.push(record) - 1;
  }
}

const unpacked = new CounterChanges();

export function applyRecorded(table: VelocityTable, { sequence, timeMs, bytes }: Recorded): void {
  unpacked.unpack(bytes, 0, bytes.length);
  table.apply(unpacked, timeMs, sequence);
}
