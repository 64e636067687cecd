/**
 * What an authorization amounts to by the words of its elements, told once more from the first to the last. A decision that speaks of an
 * earlier one (stand-in, an increment that is told, a roll-back) changes the word of that one; what came later stays as it was said:
 *
 *   the authorization itself     its amount: what the newest advice of stand-in says, else what we approved, unless that is rolled back
 *   increment                    on top: what the network tells of it, else what we approved, unless that is rolled back
 *   replacement, 0120, 0220      its amount from then on
 *   one of several 0220          on top, of a single message; of a hold it posts a part
 *   any of these three that came first, of an authorization that we did not know: as above, of nothing or of what stand-in tells
 *   reversal                     down to DE95, less what it names (of a part: down to DE95), or to nothing
 *   clearing                     what is charged, when it is the last or more than there was; taken back: less by it
 *   end of the hold              what is charged
 *
 * So it makes no difference whether the network tells what it decided before the reply is rolled back or behind it.
 */
import { AccountMoney, AcquirerMoney, type AuthorizationMoney } from './authorization-money.js';
import { ClearingSort } from './clearing/codes.js';
import { isOneOfSeveral } from './clearing/input.js';
import { ElementKind, EventKind } from './codes.js';
import type { DecisionContext } from './decision-context.js';
import type { ClearingPosted, MessageEvent } from './events.js';
import { foundAt, type History } from './history.js';
import { Gl } from './ledger/chart.js';
import { isFullReversal, reversedBefore } from './lookups.js';
import { classOf, type MessageInput } from './message.js';
import { approves, INCREMENT, isChange, isChangeOfUnknown, isRequest, isStandIn } from './originals.js';
import { type Rate, rateOf } from './replacement-amount.js';
import { Sort, sortOf } from './transaction.js';

/** What would be, if. */
export interface Supposed {
  /** An advice of stand-in that came now. */
  readonly inStandIn?: MessageInput;
  /** An advice that came now and tells of the change at a sequence. */
  readonly told?: { readonly of: number; readonly by: MessageInput };
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

/**
 * How much more cash a message tells than the authorization at `root` (0: of none) has, minor units of the account's currency from 0.
 * Overwrites what `AuthorizationFold.read` does.
 * @param cash what it tells @param supposed it came as this: what it changes beneath later words counts as it comes out
 */
export function moreCash(
  context: Pick<DecisionContext, 'state' | 'history' | 'keys'>,
  root: number,
  cash: number,
  supposed?: Supposed,
): number {
  if (cash === 0 || root === 0) return cash;
  const before = cashFold.read(context, root).cash;
  const after = supposed === undefined ? cash : cashFold.read(context, root, supposed).cash;
  return Math.max(0, after - before);
}

const FINANCIAL = 2;
const NO_RATE: Rate = { asked: 0, billed: 0 };
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
  /** True when a file has released what it did not charge. */
  isReleased = false;
  readonly #money: AuthorizationMoney;
  /** The same in the acquirer's money, step by step, where that is another: DE95 is compared with it. */
  #acquirers: AuthorizationFold | undefined;
  /** For `#acquirers`, made once. */
  #spare: AuthorizationFold | undefined;
  /** Of the authorization, or of the 0220 that posted all of it. */
  #rate: Rate = NO_RATE;
  #currency = 0;
  #account = 0;
  /** What each change added that nothing has taken back. */
  readonly #added = new Map<number, number>();
  /** What of the 0220s that posted parts nothing has taken back. */
  readonly #parts = new Map<number, number>();
  readonly #ratesOfParts = new Map<number, Rate>();
  /** What messages have posted of a hold, by their legs, and what clearing records have charged: minor units of the account's currency. */
  #posted = 0;
  #cleared = 0;
  /** What messages have posted of a hold, as they tell it. */
  #postedAsTold = 0;
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
    const { accountSlot, input } = history.read(root);
    const currency = state.accounts.currency(accountSlot);
    const isForeign = input.currency !== currency;
    keys.elementsKey(root);
    const elements = foundAt(history, keys);
    if (isForeign && this.#money instanceof AccountMoney) this.#spare ??= new AuthorizationFold(new AcquirerMoney());
    this.#acquirers = isForeign ? this.#spare : undefined;
    const acquirers = this.#acquirers;
    if (acquirers !== undefined) acquirers.#start(context, root, currency, elements, supposed);
    this.#start(context, root, currency, elements, supposed);
    for (const at of elements) {
      this.#step(history, root, at);
      if (acquirers !== undefined) acquirers.#step(history, root, at);
    }
    return this;
  }

  #start(
    { history }: Pick<DecisionContext, 'history'>,
    root: number,
    currency: number,
    elements: readonly number[],
    supposed: Supposed,
  ): void {
    const { input } = history.read(root);
    this.#account = currency;
    this.#currency = input.currency;
    this.#rate = rateOf(input, currency);
    this.#money.of(history.read(root), currency);
    this.#gather(history, root, elements, supposed);
    const authorization = history.read(root);
    this.isReversed = reversedBefore(authorization) > 0;
    this.#begin(authorization, root);
  }

  #step(history: History, root: number, at: number): void {
    if (history.isMessage(at)) {
      const event = history.read(at);
      if (event.originalSequence !== root) return;
      this.#post(event);
      this.#take(event, at);
    } else {
      const event = history.readEvent(at);
      if (event?.kind === EventKind.clearingPosted && event.originalSequence === root) this.#clear(event);
      if (event?.kind !== EventKind.holdExpired || event.originalSequence !== root) return;
      this.total = this.#charged;
      this.#added.clear();
    }
    this.cash = Math.min(this.cash, this.total);
    this.cashOfParts = Math.min(this.cashOfParts, this.cash);
  }

  /** What the change at a sequence added and nothing has taken back, minor units. */
  addedBy(sequence: number): number {
    return this.#added.get(sequence) ?? 0;
  }

  /** What of the part that the 0220 at a sequence posted nothing has taken back, minor units. */
  partOf(sequence: number): number {
    return this.#parts.get(sequence) ?? 0;
  }

  /** What stays by a reversal with DE95 that comes now, minor units. @param part sequence of the part that it is about */
  staying(reversal: MessageInput, part?: number): number {
    const told = this.#acquirers ?? this;
    return this.#money.staying(reversal, {
      rate: (part === undefined ? undefined : this.#ratesOfParts.get(part)) ?? this.#rate,
      currency: this.#currency,
      account: this.#account,
      authorized: part === undefined ? told.total : told.partOf(part),
    });
  }

  #gather(history: History, root: number, elements: readonly number[], supposed: Supposed): void {
    this.#added.clear();
    this.#parts.clear();
    this.#ratesOfParts.clear();
    this.#told.clear();
    this.#rolledBack.clear();
    this.#inStandIn = undefined;
    this.#posted = 0;
    this.#cleared = 0;
    this.#postedAsTold = 0;
    this.cashOfParts = 0;
    this.isReversed = false;
    this.isFinal = false;
    this.isReleased = false;
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
      if (isStandIn(input)) this.#inStandIn = this.#stated(word, input);
      else if (elementSequence > 0) this.#told.set(elementSequence, word);
    }
    if (supposed.rolledBack !== undefined) this.#rolledBack.add(supposed.rolledBack);
    const { inStandIn, told } = supposed;
    if (inStandIn !== undefined) this.#inStandIn = this.#stated(this.#wordTold(inStandIn), inStandIn);
    if (told !== undefined) this.#told.set(told.of, this.#wordTold(told.by));
  }

  #wordOf(event: MessageEvent): Word {
    return { amount: this.#money.approved(event), cash: this.#money.cash(event) };
  }

  #wordTold(advice: MessageInput): Word {
    return { amount: this.#money.told(advice), cash: this.#money.cashTold(advice) };
  }

  #stated(word: Word, advice: MessageInput): Stated {
    return { ...word, isFinancial: classOf(advice.mti) === FINANCIAL };
  }

  #become({ amount, cash }: Word): void {
    this.total = amount;
    this.cash = cash;
  }

  #addOnTop({ amount, cash }: Word): void {
    this.total += amount;
    this.cash += cash;
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
        this.#ratesOfParts.set(at, rateOf(input, this.#account));
        this.#postedAsTold += approved.amount;
        if (this.#isFinancial) this.#addOnTop(approved);
      } else if (!this.#isKnown(event)) {
        this.#lowerTo(approved.amount);
        if (!this.#isFinancial) this.#lowerPartsTo(approved.amount);
        this.#become(approved);
        this.#postedAsTold = approved.amount;
        if (input.currency === this.#currency) this.#rate = rateOf(input, this.#account);
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

  #add(at: number, word: Word, isOnTop: boolean): void {
    const added = isOnTop ? word.amount : word.amount - this.total;
    if (added < 0) this.#lowerTo(word.amount);
    if (isOnTop) this.#addOnTop(word);
    else this.#become(word);
    this.#added.set(at, Math.max(0, added));
  }

  /** Of what is above a total the newest changes had added most; of a single message the parts as well, which are on top of it. */
  #lowerTo(total: number): void {
    const above = this.total - total;
    if (above <= 0) return;
    this.total = total;
    takeNewest(this.#isFinancial ? [this.#added, this.#parts] : [this.#added], above);
  }

  /** What of a hold is posted becomes less: the newest parts go first. */
  #lowerPartsTo(posted: number): void {
    let parts = 0;
    for (const part of this.#parts.values()) parts += part;
    takeNewest([this.#parts], parts - posted);
  }

  /** What stays whatever is said of a hold. */
  get #charged(): number {
    const cleared = this.#money.converted(this.#cleared);
    return this.#isFinancial ? cleared : this.#money.posted(this.#posted, this.#postedAsTold) + cleared;
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
    if (posted >= 0) {
      // The rest was released with it.
      this.isReleased = authorizedAfter <= this.#accountPosted + this.#cleared && !isOneOfSeveral(input);
      this.total = this.isReleased ? charged : Math.max(this.total, charged);
      return;
    }
    this.isReleased = false;
    this.total = Math.max(0, this.total + charged - before);
  }

  #reverse(event: MessageEvent): void {
    const { input, elementSequence, postings } = event;
    this.isReversed ||= isFullReversal(event);
    if (elementSequence > 0) this.#reverseElement(input, elementSequence);
    else if (input.replacementAmount > 0) {
      const stays = this.staying(input);
      this.#lowerTo(stays);
      this.#postedAsTold = Math.min(this.#postedAsTold, stays);
      if (!this.#isFinancial && postings.count > 0) this.#lowerPartsTo(stays);
    } else {
      this.total = 0;
      this.#postedAsTold = 0;
      this.#added.clear();
      if (this.#isFinancial || postings.count > 0) this.#parts.clear();
    }
  }

  /** What one change added goes, or what one part posted, of which DE95 may let some stay. */
  #reverseElement(input: MessageInput, at: number): void {
    const part = this.#parts.get(at);
    if (part !== undefined && input.replacementAmount > 0) {
      const stays = Math.min(part, this.staying(input, at));
      this.#postedAsTold = Math.max(0, this.#postedAsTold - (part - stays));
      this.total = Math.max(0, this.total - (part - stays));
      this.#parts.set(at, stays);
      return;
    }
    this.total = Math.max(0, this.total - (part ?? this.addedBy(at)));
    this.#postedAsTold = Math.max(0, this.#postedAsTold - (part ?? 0));
    this.#parts.delete(at);
    this.#added.delete(at);
  }
}

/** Takes so much out of the amounts of elements, by their sequences, the newest first. */
function takeNewest(amounts: readonly Map<number, number>[], much: number): void {
  let left = much;
  const newest = amounts.flatMap((of) => [...of].map(([at, amount]) => ({ of, at, amount })));
  for (const { of, at, amount } of newest.sort((a, b) => b.at - a.at)) {
    const back = Math.min(amount, Math.max(0, left));
    of.set(at, amount - back);
    left -= back;
  }
}

const cashFold = new AuthorizationFold();
