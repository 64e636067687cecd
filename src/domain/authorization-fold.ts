/**
 * What an authorization amounts to by the words of its elements, told once more from the first to the last. A decision that speaks of an
 * earlier one (stand-in, an increment that is told, a roll-back) changes the word of that one; what came later stays as it was said:
 *
 *   the authorization itself     its amount: what the newest advice of stand-in says, else what we approved, unless that is rolled back
 *   increment                    on top: what the network tells of it, else what we approved, unless that is rolled back
 *   replacement, 0120, 0220      its amount from then on
 *   one of several 0220          on top, of a single message; of a hold it posts a part
 *   reversal                     down to DE95, less what it names, or to nothing
 *   end of the hold              nothing
 *
 * So it makes no difference whether the network tells what it decided before the reply is rolled back or behind it.
 */
import { ElementKind, EventKind } from './codes.js';
import type { DecisionContext } from './decision-context.js';
import type { MessageEvent } from './events.js';
import { classOf } from './message.js';
import { approves, INCREMENT, isChange, isRequest, isStandIn } from './originals.js';
import { OriginalRate } from './replacement-amount.js';
import { billedAmount } from './transaction.js';

/** What would be, if. */
export interface Supposed {
  /** An advice of stand-in tells this amount, minor units of the account's currency. */
  readonly inStandIn?: number;
  /** An advice tells this amount of the change at a sequence. */
  readonly told?: Told;
  /** The reply of the approval at this sequence was not delivered. */
  readonly rolledBack?: number;
}

interface Told {
  /** Sequence of the change. */
  readonly of: number;
  /** Minor units of the account's currency. */
  readonly amount: number;
}

const FINANCIAL = 2;
/** Behind every sequence. */
const NOW = Number.MAX_SAFE_INTEGER;

export class AuthorizationFold {
  /** What is authorized by all of it, minor units of the account's currency; what was cleared is not asked. */
  total = 0;
  /** True when it was approved, by us (and the reply was delivered) or by the network. */
  isDecided = false;
  readonly #rate = new OriginalRate();
  /** What each change added that nothing has taken back. */
  readonly #added = new Map<number, number>();
  /** What 0220s have posted as parts and nothing has taken back. */
  readonly #parts = new Map<number, number>();
  /** What advices tell of changes, by the sequence of the change. */
  readonly #told = new Map<number, number>();
  readonly #rolledBack = new Set<number>();
  /** Where in the journal the authorization itself was rolled back; 0: it was not. */
  #rolledBackAt = 0;
  #inStandIn = -1;
  #isFinancial = false;

  /** Reads the authorization at `root` and its elements; overwrites what the history found and read before, and the keys. */
  read(context: Pick<DecisionContext, 'state' | 'history' | 'keys'>, root: number, supposed: Supposed = {}): this {
    const { state, history, keys } = context;
    keys.elementsKey(root);
    const { count, sequences } = history.find(keys.high, keys.low);
    const elements = sequences.slice(0, count).filter((at, i) => i === 0 || sequences[i - 1] !== at);
    this.#gather(context, root, elements, supposed);
    const authorization = history.read(root);
    const currency = state.accounts.currency(authorization.accountSlot);
    this.#rate.take(authorization, currency);
    this.#isFinancial = classOf(authorization.input.mti) === FINANCIAL;
    this.total = this.#begin(authorization, billedAmount(authorization.input, currency));
    for (const at of elements) {
      if (history.isMessage(at)) {
        const event = history.read(at);
        if (event.originalSequence === root) this.#take(event, at);
      } else {
        const event = history.readEvent(at);
        if (event?.kind !== EventKind.holdExpired || event.originalSequence !== root) continue;
        this.total = 0;
        this.#added.clear();
      }
    }
    return this;
  }

  /** What the change at a sequence added and nothing has taken back, minor units of the account's currency. */
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
    this.#rolledBackAt = 0;
    this.#inStandIn = -1;
    for (const at of elements) {
      if (!history.isMessage(at)) {
        const event = history.readEvent(at);
        if (event?.kind !== EventKind.notDelivered) continue;
        this.#rolledBack.add(event.originalSequence);
        if (event.originalSequence === root) this.#rolledBackAt = at;
        continue;
      }
      const event = history.read(at);
      const { originalSequence, elementSequence, element, input, approvedAmount } = event;
      if (originalSequence !== root || element !== ElementKind.completion || !approves(event)) continue;
      if (isStandIn(input)) this.#inStandIn = approvedAmount;
      else if (elementSequence > 0) this.#told.set(elementSequence, approvedAmount);
    }
    if (supposed.rolledBack !== undefined) this.#rolledBack.add(supposed.rolledBack);
    if (supposed.rolledBack === root) this.#rolledBackAt = NOW;
    if (supposed.inStandIn !== undefined) this.#inStandIn = supposed.inStandIn;
    if (supposed.told !== undefined) this.#told.set(supposed.told.of, supposed.told.amount);
  }

  /** What was decided about the authorization itself. */
  #begin(authorization: MessageEvent, asked: number): number {
    const approved = approves(authorization) ? authorization.approvedAmount : 0;
    const inStandIn = this.#inStandIn;
    if (!isRequest(authorization.element)) {
      this.isDecided = approved > 0;
      return isStandIn(authorization.input) && inStandIn >= 0 ? inStandIn : approved;
    }
    const stands = this.#rolledBackAt === 0 && approved > 0;
    this.isDecided = stands || inStandIn >= 0;
    if (inStandIn < 0) return stands ? approved : 0;
    // The same status check of a fuel pump, for which we hold more than the one unit.
    return stands && inStandIn === asked && approved > asked ? approved : inStandIn;
  }

  #take(event: MessageEvent, at: number): void {
    switch (event.element) {
      case ElementKind.increment:
      case ElementKind.replacement:
        this.#takeOwn(event, at);
        break;
      case ElementKind.completion:
        if (approves(event)) this.#takeTold(event, at);
        break;
      case ElementKind.reversal:
        this.#reverse(event);
        break;
      default:
        break;
    }
  }

  #takeOwn(event: MessageEvent, at: number): void {
    if (!approves(event)) return;
    const told = this.#told.get(at);
    const isGone = this.#rolledBack.has(at) || at < this.#rolledBackAt;
    if (told === undefined && isGone) return;
    const amount = told ?? event.approvedAmount;
    this.#add(at, event.element === ElementKind.increment ? amount : amount - this.total);
  }

  #takeTold(event: MessageEvent, at: number): void {
    const { input, approvedAmount } = event;
    this.isDecided = true;
    if (classOf(input.mti) === FINANCIAL) {
      if (isChange(event)) {
        if (this.#isFinancial) this.total += approvedAmount;
        this.#parts.set(at, approvedAmount);
      } else if (!isStandIn(input) || (!this.#isFinancial && event.postings.count > 0)) this.total = approvedAmount;
      return;
    }
    // What tells of the authorization, or of a change of it, is taken there.
    if (isStandIn(input) || event.elementSequence > 0) return;
    const amount = this.#told.get(at) ?? approvedAmount;
    this.#add(at, input.functionCode === INCREMENT ? amount : amount - this.total);
  }

  #add(at: number, amount: number): void {
    this.total += amount;
    this.#added.set(at, Math.max(0, amount));
  }

  #reverse(event: MessageEvent): void {
    const { input, elementSequence, approvedAmount, holdDelta, postings } = event;
    if (input.replacementAmount > 0) {
      const moved = holdDelta !== 0 || postings.count > 0;
      this.total = Math.min(this.total, moved ? approvedAmount : this.#rate.staying(input));
    } else if (elementSequence > 0) {
      this.total = Math.max(0, this.total - (this.#parts.get(elementSequence) ?? this.addedBy(elementSequence)));
      this.#parts.delete(elementSequence);
      this.#added.delete(elementSequence);
    } else {
      this.total = 0;
      this.#added.clear();
      // What was shipped of a hold stays.
      if (this.#isFinancial) this.#parts.clear();
    }
  }
}
