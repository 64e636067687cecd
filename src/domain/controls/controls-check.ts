/**
 * Step 6 of the decision: card and account controls against one request, and what an approval or a decline counts
 * afterwards. Reads counters and changes nothing; one instance serves a shard, and no call allocates.
 *
 *   facts.readRequest(input, amount, cashBack);
 *   check.begin(facts, cardControls, cardOwner(chainRoot(...)), accountControls, accountOwner(...), nowMs);
 *   if (!check.passes()) decline with check.verdict                  // kind, response, limit, before, attempted
 *   ... rules (check.card and check.account hold what their windows, by name, held before), funds ...
 *   approved:   check.countApproval(event.changes, approvedAmount)  // or a part of it
 *   declined:   check.countDecline(event.changes)                    // at whatever step, card and account known
 *   apply:      velocity.apply(event.changes, event.windowMs, event.sequence)
 *
 * Without a check, `begin` and `countApproval` count what was decided elsewhere: stand-in advices, force posts. Advices and
 * clearing are never refused here. A reversal, an expiry and an undelivered approval use `giveBack` (velocity/give-back.ts)
 * with the original's record.
 *
 * The order is that of the domain rules: channel, country, category, merchant, amount per transaction, amount velocity,
 * count velocity (declines last), cash; within each the card before the account; windows as they were written.
 */
import { CONTROL_CASH_WINDOWS_MAX, CONTROL_WINDOWS_MAX } from '../../limits.js';
import type { CounterChanges } from '../velocity/counter-changes.js';
import type { VelocityTable } from '../velocity/velocity-table.js';
import { type CompiledControls, judgeMerchant } from './compile.js';
import type { ControlFacts } from './facts.js';
import { FilterVerdict } from './filters.js';
import { ControlLevel } from './spec.js';
import { ControlKind, type ControlResponses, ControlVerdict, IN_DENY_LIST, NOT_IN_ALLOW_LIST } from './verdict.js';

const WINDOWS_MAX = CONTROL_WINDOWS_MAX + CONTROL_CASH_WINDOWS_MAX;

/** The controls of one level for one request, with what their counters held before it. */
export class ControlSide {
  readonly level: ControlLevel;
  controls: CompiledControls | undefined;
  owner = 0;
  /** By place in `controls.windows`: 1 when the request counts in the window, its bucket, and what it held before. */
  readonly selected = new Uint8Array(WINDOWS_MAX);
  readonly buckets = new Float64Array(WINDOWS_MAX);
  readonly amounts = new Float64Array(WINDOWS_MAX);
  readonly counts = new Float64Array(WINDOWS_MAX);

  constructor(level: ControlLevel) {
    this.level = level;
  }

  /** @param now the time in an array, because a time handed on is an object on the heap. */
  read(facts: ControlFacts, table: VelocityTable, now: Float64Array): void {
    const { controls } = this;
    if (controls === undefined || controls.windows.length === 0) return;
    const { windows, selective } = controls;
    for (let i = 0; i < windows.length; i++) {
      this.selected[i] = selective[i] === 0 || windows[i]!.selects(facts) ? 1 : 0;
    }
    controls.buckets.put(now, this.buckets);
    table.read(this.owner, controls.keys, this.buckets, this.amounts, this.counts);
  }
}

type AmountKind = typeof ControlKind.amountVelocity | typeof ControlKind.cashAmountVelocity;
type CountKind =
  | typeof ControlKind.countVelocity
  | typeof ControlKind.declineVelocity
  | typeof ControlKind.cashCountVelocity;

function placesOf(controls: CompiledControls, kind: CountKind): Uint8Array {
  switch (kind) {
    case ControlKind.countVelocity:
      return controls.countLimits;
    case ControlKind.declineVelocity:
      return controls.declineLimits;
    case ControlKind.cashCountVelocity:
      return controls.cashCountLimits;
  }
}

export class ControlsCheck {
  readonly verdict = new ControlVerdict();
  readonly #table: VelocityTable;
  readonly #responses: ControlResponses;
  /** What the windows of the card and of the account held before the request, once `read` or `passes` has been called. */
  readonly card = new ControlSide(ControlLevel.card);
  readonly account = new ControlSide(ControlLevel.account);
  #facts: ControlFacts | undefined;
  readonly #now = new Float64Array(1);
  #isRead = false;

  constructor(table: VelocityTable, responses: ControlResponses) {
    this.#table = table;
    this.#responses = responses;
  }

  /**
   * Takes a request. Its facts and counters are read until the next `begin`.
   * @param cardOwner, accountOwner owners of the counters (velocity/counter-changes.ts).
   * @param nowMs time of velocity windows, ms since 1970 UTC (`windowMs` of the event); `VelocityTable.apply` is given the same
   *   one. It is shard time, but for a pause of the roll-over.
   */
  begin(
    facts: ControlFacts,
    card: CompiledControls | undefined,
    cardOwner: number,
    account: CompiledControls | undefined,
    accountOwner: number,
    nowMs: number,
  ): void {
    this.#facts = facts;
    this.card.controls = card;
    this.card.owner = cardOwner;
    this.account.controls = account;
    this.account.owner = accountOwner;
    this.#now[0] = nowMs;
    this.#isRead = false;
    this.verdict.kind = 0;
  }

  /** True when every control passes; otherwise `verdict` is the first that does not. */
  passes(): boolean {
    const facts = this.#facts!;
    if (this.#isListed(facts) || this.#isTooMuch(ControlKind.perTransaction, facts.total)) return false;
    this.read();
    return !(
      this.#isAmountReached(ControlKind.amountVelocity, facts.amount) ||
      this.#isCountReached(ControlKind.countVelocity, facts.uses) ||
      this.#isCountReached(ControlKind.declineVelocity, 1) ||
      this.#isTooMuch(ControlKind.cashPerTransaction, facts.cash) ||
      this.#isAmountReached(ControlKind.cashAmountVelocity, facts.cash) ||
      this.#isCountReached(ControlKind.cashCountVelocity, facts.uses)
    );
  }

  /**
   * Adds what the approval of the request counts.
   * @param amount what was approved, minor units of the account's currency: less than asked for in a partial approval.
   */
  countApproval(changes: CounterChanges, amount: number): void {
    const { cash, uses } = this.#facts!;
    this.read();
    this.#count(this.card, changes, false, amount, Math.min(cash, amount), uses);
    this.#count(this.account, changes, false, amount, Math.min(cash, amount), uses);
  }

  /**
   * Adds what the decline of the request counts. A decline by a window of declines counts nowhere: otherwise somebody who
   * goes on trying would keep the card locked for ever.
   */
  countDecline(changes: CounterChanges): void {
    if (this.verdict.kind === ControlKind.declineVelocity) return;
    this.read();
    this.#count(this.card, changes, true, 0, 0, 1);
    this.#count(this.account, changes, true, 0, 0, 1);
  }

  /** Reads the counters, once per request. `passes` does so only when nothing before the windows refuses. */
  read(): void {
    if (this.#isRead) return;
    this.#isRead = true;
    this.card.read(this.#facts!, this.#table, this.#now);
    this.account.read(this.#facts!, this.#table, this.#now);
  }

  #count(
    side: ControlSide,
    changes: CounterChanges,
    declines: boolean,
    amount: number,
    cash: number,
    uses: number,
  ): void {
    const windows = side.controls?.windows;
    if (windows === undefined) return;
    for (let i = 0; i < windows.length; i++) {
      const window = windows[i]!;
      if (side.selected[i] === 0 || window.declines !== declines) continue;
      if (window.cash && cash === 0 && !declines) continue;
      const counted = window.cash ? cash : amount;
      if (counted > 0 || uses > 0) changes.add(side.owner, window.key, side.buckets[i]!, counted, uses);
    }
  }

  #isListed(facts: ControlFacts): boolean {
    return (
      this.#isChannelListed(this.card, facts) ||
      this.#isChannelListed(this.account, facts) ||
      this.#isCountryListed(this.card, facts) ||
      this.#isCountryListed(this.account, facts) ||
      this.#isMccListed(this.card, facts) ||
      this.#isMccListed(this.account, facts) ||
      this.#isMerchantListed(this.card, facts) ||
      this.#isMerchantListed(this.account, facts)
    );
  }

  #isChannelListed(side: ControlSide, facts: ControlFacts): boolean {
    const filter = side.controls?.channels;
    return (
      filter !== undefined && this.#isHit(ControlKind.channel, side, filter.source, filter.value.judge(facts.channels))
    );
  }

  #isCountryListed(side: ControlSide, facts: ControlFacts): boolean {
    const filter = side.controls?.countries;
    return (
      filter !== undefined && this.#isHit(ControlKind.country, side, filter.source, filter.value.judge(facts.country))
    );
  }

  #isMccListed(side: ControlSide, facts: ControlFacts): boolean {
    const filter = side.controls?.mcc;
    return filter !== undefined && this.#isHit(ControlKind.mcc, side, filter.source, filter.value.judge(facts.mcc));
  }

  #isMerchantListed(side: ControlSide, facts: ControlFacts): boolean {
    const filter = side.controls?.merchants;
    return (
      filter !== undefined && this.#isHit(ControlKind.merchant, side, filter.source, judgeMerchant(filter.value, facts))
    );
  }

  #isHit(kind: ControlKind, side: ControlSide, source: ControlLevel, found: FilterVerdict): boolean {
    if (found === FilterVerdict.pass) return false;
    const index = found === FilterVerdict.denied ? IN_DENY_LIST : NOT_IN_ALLOW_LIST;
    return this.#refuse(kind, side.level, source, index, 0, 0, 0);
  }

  #isTooMuch(kind: typeof ControlKind.perTransaction | typeof ControlKind.cashPerTransaction, amount: number): boolean {
    return this.#isAbove(kind, this.card, amount) || this.#isAbove(kind, this.account, amount);
  }

  #isAbove(kind: ControlKind, side: ControlSide, amount: number): boolean {
    const limit =
      kind === ControlKind.perTransaction ? side.controls?.perTransaction : side.controls?.cashPerTransaction;
    if (limit === undefined || amount <= limit.value) return false;
    return this.#refuse(kind, side.level, limit.source, 0, limit.value, 0, amount);
  }

  #isAmountReached(kind: AmountKind, amount: number): boolean {
    // What adds nothing cannot exceed anything, even where a force post did before.
    return amount > 0 && (this.#isAmountOf(this.card, kind, amount) || this.#isAmountOf(this.account, kind, amount));
  }

  #isAmountOf(side: ControlSide, kind: AmountKind, amount: number): boolean {
    const { controls } = side;
    if (controls === undefined) return false;
    const places = kind === ControlKind.amountVelocity ? controls.amountLimits : controls.cashAmountLimits;
    for (let j = 0; j < places.length; j++) {
      const i = places[j]!;
      const before = side.amounts[i]!;
      const limit = controls.mostAmount[i]!;
      if (before + amount <= limit || side.selected[i] === 0) continue;
      const { source, index } = controls.windows[i]!;
      return this.#refuse(kind, side.level, source, index, limit, before, amount);
    }
    return false;
  }

  #isCountReached(kind: CountKind, uses: number): boolean {
    return uses > 0 && (this.#isCountOf(this.card, kind, uses) || this.#isCountOf(this.account, kind, uses));
  }

  #isCountOf(side: ControlSide, kind: CountKind, uses: number): boolean {
    const { controls } = side;
    if (controls === undefined) return false;
    const places = placesOf(controls, kind);
    for (let j = 0; j < places.length; j++) {
      const i = places[j]!;
      const before = side.counts[i]!;
      const limit = controls.mostCount[i]!;
      if (before + uses <= limit || side.selected[i] === 0) continue;
      const { source, index } = controls.windows[i]!;
      return this.#refuse(kind, side.level, source, index, limit, before, uses);
    }
    return false;
  }

  #refuse(
    kind: ControlKind,
    level: ControlLevel,
    source: ControlLevel,
    index: number,
    limit: number,
    before: number,
    attempted: number,
  ): true {
    const { verdict } = this;
    verdict.kind = kind;
    verdict.response = this.#responses[kind];
    verdict.level = level;
    verdict.source = source;
    verdict.index = index;
    verdict.limit = limit;
    verdict.before = before;
    verdict.attempted = attempted;
    return true;
  }
}
