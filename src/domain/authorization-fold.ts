/**
 * What an authorization amounts to by the words of its elements, told once more from the first to the last. A decision that speaks of an
 * earlier one (stand-in, an increment that is told, a roll-back) changes the word of that one; what came later stays as it was said:
 *
 *   the authorization itself     its amount: what the newest advice of stand-in says, else what we approved, unless that is rolled back
 *   increment                    on top: what the network tells of it, else what we approved, unless that is rolled back
 *   replacement, 0120, 0220      its amount from then on
 *   one of several 0220          on top, of a single message; of a hold it posts a part
 *   any of these three that came first, of an authorization that we did not know: as above, of nothing or of what stand-in tells
 *   reversal                     down to DE95, less what it names, or to nothing
 *   clearing                     what is charged, when it is the last or more than there was; taken back: less by it
 *   end of the hold              what is charged
 *
 * So it makes no difference whether the network tells what it decided before the reply is rolled back or behind it.
 */
import { AccountMoney, type AuthorizationMoney } from './authorization-money.js';
import { ClearingSort } from './clearing/codes.js';
import { isOneOfSeveral } from './clearing/input.js';
import { ElementKind, EventKind } from './codes.js';
import type { DecisionContext } from './decision-context.js';
import type { ClearingPosted, MessageEvent } from './events.js';
import { Gl } from './ledger/chart.js';
import { isFullReversal, reversedBefore } from './lookups.js';
import { classOf } from './message.js';
import { approves, INCREMENT, isChange, isChangeOfUnknown, isRequest, isStandIn } from './originals.js';
import { Sort, sortOf } from './transaction.js';

/** What would be, if. */
export interface Supposed {
  /** An advice of stand-in tells this. */
  readonly inStandIn?: Stated;
  /** An advice tells this amount of the change at a sequence. */
  readonly told?: Told;
  /** The reply of the approval at this sequence was not delivered. */
  readonly rolledBack?: number;
}

/** Minor units of the money of the fold. */
export interface Word {
  readonly amount: number;
  /** What of it is cash. */
  readonly cash: number;
}

interface Stated extends Word {
  /** It was a single message. */
  readonly isFinancial: boolean;
}

interface Told extends Word {
  /** Sequence of the change. */
  readonly of: number;
}

/** What of the authorization at `root` (0: of none) is cash, minor units of the account's currency. Overwrites what `AuthorizationFold.read` does. */
export const cashBefore = (context: Pick<DecisionContext, 'state' | 'history' | 'keys'>, root: number): number =>
  root > 0 ? cashFold.read(context, root).cash : 0;

const FINANCIAL = 2;
const NOTHING: Word = { amount: 0, cash: 0 };

export class AuthorizationFold {
  /** What is authorized by all of it, minor units: what is charged for it already is part of that. */
  total = 0;
  /** What of the total is cash, which is the last to go. */
  cash = 0;
  /** What of the cash is of parts, each of which has a fee of its own. */
  cashOfParts = 0;
  /** True when all of it was reversed. */
  isReversed = false;
  /** True when a 0220 has told the amount of all of it. */
  isFinal = false;
  readonly #money: AuthorizationMoney;
  /** What each change added that nothing has taken back. */
  readonly #added = new Map<number, number>();
  /** What 0220s have posted as parts and nothing has taken back. */
  readonly #parts = new Map<number, number>();
  /** What messages have posted of a hold, by their legs, and what clearing records have charged: minor units of the account's currency. */
  #posted = 0;
  #cleared = 0;
  /** What advices tell of changes, by the sequence of the change. */
  readonly #told = new Map<number, Word>();
  readonly #rolledBack = new Set<number>();
  #inStandIn: Stated | undefined;
  #isFinancial = false;

  /** @param money that it is told in: the account's, unless said otherwise */
  constructor(money: AuthorizationMoney = new AccountMoney()) {
    this.#money = money;
  }

  /** Reads the authorization at `root` and its elements; overwrites what the history found and read before, and the keys. */
  read(context: Pick<DecisionContext, 'state' | 'history' | 'keys'>, root: number, supposed: Supposed = {}): this {
    const { state, history, keys } = context;
    const first = history.read(root);
    this.#money.of(first, state.accounts.currency(first.accountSlot));
    keys.elementsKey(root);
    const { count, sequences } = history.find(keys.high, keys.low);
    const elements = sequences.slice(0, count).filter((at, i) => i === 0 || sequences[i - 1] !== at);
    this.#gather(context, root, elements, supposed);
    const authorization = history.read(root);
    this.isReversed = reversedBefore(authorization) > 0;
    this.#begin(authorization, root);
    for (const at of elements) {
      if (history.isMessage(at)) {
        const event = history.read(at);
        if (event.originalSequence !== root) continue;
        this.#post(event);
        this.#take(event, at);
      } else {
        const event = history.readEvent(at);
        if (event?.kind === EventKind.clearingPosted && event.originalSequence === root) this.#clear(event);
        if (event?.kind !== EventKind.holdExpired || event.originalSequence !== root) continue;
        this.total = this.#charged;
        this.#added.clear();
      }
      this.cash = Math.min(this.cash, this.total);
      this.cashOfParts = Math.min(this.cashOfParts, this.cash);
    }
    return this;
  }

  /** What the change at a sequence added and nothing has taken back, minor units. */
  addedBy(sequence: number): number {
    return this.#added.get(sequence) ?? 0;
  }

  #gather(
    { history }: Pick<DecisionContext, 'history'>,
    root: number,
    elements: Float64Array,
    supposed: Supposed,
  ): void {
    this.#added.clear();
    this.#parts.clear();
    this.#told.clear();
    this.#rolledBack.clear();
    this.#inStandIn = undefined;
    this.#posted = 0;
    this.#cleared = 0;
    this.cashOfParts = 0;
    this.isReversed = false;
    this.isFinal = false;
    for (const at of elements) {
      if (!history.isMessage(at)) {
        const event = history.readEvent(at);
        if (event?.kind !== EventKind.notDelivered) continue;
        this.#rolledBack.add(event.originalSequence);
        continue;
      }
      const event = history.read(at);
      const { originalSequence, elementSequence, element, input } = event;
      if (originalSequence !== root || element !== ElementKind.completion) continue;
      const word = this.#wordOf(event);
      if (isStandIn(input)) this.#inStandIn = { ...word, isFinancial: classOf(input.mti) === FINANCIAL };
      else if (elementSequence > 0) this.#told.set(elementSequence, word);
    }
    if (supposed.rolledBack !== undefined) this.#rolledBack.add(supposed.rolledBack);
    if (supposed.inStandIn !== undefined) this.#inStandIn = supposed.inStandIn;
    if (supposed.told !== undefined) this.#told.set(supposed.told.of, supposed.told);
  }

  #wordOf(event: MessageEvent): Word {
    return { amount: this.#money.approved(event), cash: this.#money.cash(event) };
  }

  #become({ amount, cash }: Word): void {
    this.total = amount;
    this.cash = cash;
  }

  /** What was decided about the authorization itself. */
  #begin(authorization: MessageEvent, root: number): void {
    const inStandIn = this.#inStandIn;
    const { input } = authorization;
    this.#isFinancial = classOf(input.mti) === FINANCIAL;
    if (isChangeOfUnknown(authorization)) {
      // A 0220 of a hold tells its final amount.
      const told = this.#isFinancial || inStandIn?.isFinancial !== true ? inStandIn : undefined;
      this.#become(told ?? NOTHING);
      this.#isFinancial = told?.isFinancial ?? false;
      this.#post(authorization);
      if (isRequest(authorization.element)) this.#takeOwn(authorization, root);
      else if (approves(authorization)) this.#takeTold(authorization, root);
      this.total = Math.max(this.total, this.#charged);
      return;
    }
    const approved = approves(authorization) ? this.#wordOf(authorization) : NOTHING;
    if (!isRequest(authorization.element)) this.#become((isStandIn(input) ? inStandIn : undefined) ?? approved);
    else {
      const ours = this.#rolledBack.has(root) ? NOTHING : approved;
      // The same status check of a fuel pump, for which we hold more than the one unit.
      const isSameCheck = inStandIn?.amount === this.#money.asked && ours.amount > this.#money.asked;
      this.#become(inStandIn === undefined || isSameCheck ? ours : inStandIn);
    }
  }

  #take(event: MessageEvent, at: number): void {
    switch (event.element) {
      case ElementKind.increment:
      case ElementKind.replacement:
        this.#takeOwn(event, at);
        break;
      case ElementKind.completion:
        this.#takeTold(event, at);
        break;
      case ElementKind.reversal:
        this.#reverse(event);
        break;
      default:
        break;
    }
    // What was shipped of a hold, or cleared, stays.
    this.total = Math.max(this.total, this.#charged);
  }

  #takeOwn(event: MessageEvent, at: number): void {
    const isGone = !approves(event) || this.#rolledBack.has(at);
    const word = this.#told.get(at) ?? (isGone ? undefined : this.#wordOf(event));
    if (word !== undefined) this.#add(at, word, event.input.functionCode === INCREMENT);
  }

  #takeTold(event: MessageEvent, at: number): void {
    const { input } = event;
    const approved = this.#wordOf(event);
    if (classOf(input.mti) === FINANCIAL) {
      if (isChange(event) || isChangeOfUnknown(event)) {
        this.#parts.set(at, approved.amount);
        this.cashOfParts += approved.cash;
        if (this.#isFinancial) this.#become({ amount: this.total + approved.amount, cash: this.cash + approved.cash });
      } else if (!this.#isKnown(event)) {
        this.#lowerTo(approved.amount);
        this.#become(approved);
        this.cashOfParts = 0;
        this.isFinal = true;
      }
      return;
    }
    // What tells of the authorization, or of a change of it, is taken there; and a 0120 posts nothing.
    if (isStandIn(input) || event.elementSequence > 0 || this.#isFinancial) return;
    const isOnTop = input.functionCode === INCREMENT && sortOf(input) !== Sort.credit;
    this.#add(at, this.#told.get(at) ?? approved, isOnTop);
  }

  /** True for a 0220 of stand-in that told of what is decided here already: of a single message, or of a hold whose final amount stood posted. */
  #isKnown({ input, postings }: MessageEvent): boolean {
    if (!isStandIn(input)) return false;
    return this.#isFinancial || (this.isFinal && (!this.isReversed || this.#posted + postings.on(Gl.network) > 0));
  }

  #add(at: number, { amount, cash }: Word, isOnTop: boolean): void {
    const added = isOnTop ? amount : amount - this.total;
    const cashBefore = isOnTop ? this.cash : 0;
    if (added < 0) this.#lowerTo(amount);
    this.#become({ amount: isOnTop ? this.total + amount : amount, cash: cashBefore + cash });
    this.#added.set(at, Math.max(0, added));
  }

  /** Of what is above a total the newest changes had added most. */
  #lowerTo(total: number): void {
    let above = this.total - total;
    if (above <= 0) return;
    this.total = total;
    for (const [at, added] of [...this.#added].reverse()) {
      const back = Math.min(added, above);
      this.#added.set(at, added - back);
      above -= back;
    }
  }

  /** What stays whatever is said of a hold. */
  get #charged(): number {
    return this.#money.converted(this.#accountPosted + this.#cleared);
  }

  get #accountPosted(): number {
    return this.#isFinancial ? 0 : this.#posted;
  }

  #post({ postings }: MessageEvent): void {
    this.#posted -= postings.on(Gl.network);
  }

  #clear({ sort, posted, authorizedAfter, input }: ClearingPosted): void {
    if (sort === ClearingSort.credit) return;
    const before = this.#charged;
    this.#cleared = Math.max(0, this.#cleared + posted);
    const charged = this.#charged;
    if (posted < 0) this.total = Math.max(0, this.total + charged - before);
    // The rest was released with it.
    else if (authorizedAfter <= this.#accountPosted + this.#cleared && !isOneOfSeveral(input)) this.total = charged;
    else this.total = Math.max(this.total, charged);
  }

  #reverse(event: MessageEvent): void {
    const { input, elementSequence } = event;
    this.isReversed ||= isFullReversal(event);
    if (input.replacementAmount > 0) this.#lowerTo(this.#money.staying(event));
    else if (elementSequence > 0) {
      const part = this.#parts.get(elementSequence);
      this.total = Math.max(0, this.total - (part ?? this.addedBy(elementSequence)));
      this.#parts.delete(elementSequence);
      this.#added.delete(elementSequence);
    } else {
      this.total = 0;
      this.#added.clear();
      if (this.#isFinancial) this.#parts.clear();
    }
  }
}

const cashFold = new AuthorizationFold();
