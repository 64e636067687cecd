/**
 * One shard's records against each other: authorizations, what cleared them, what ended them. Records come in their order,
 * from where authorizations that can still be open begin. What is kept is one small object for each authorization that
 * held something, and the breaks; who runs it takes one shard after the other.
 */
import { ClearingFlag, ClearingSort, IN_SUSPENSE, MatchRung } from '../domain/clearing/codes.js';
import { isOneOfSeveral } from '../domain/clearing/input.js';
import { ElementKind, EventKind } from '../domain/codes.js';
import type {
  ClearingPosted,
  EntryPosted,
  HoldExpired,
  MessageEvent,
  NotDelivered,
  PlainEvent,
} from '../domain/events.js';
import { Gl, postedChange } from '../domain/ledger/chart.js';
import { rootOf } from '../domain/originals.js';
import { RECON_AUTHORIZATIONS_MAX } from '../limits.js';
import { type BreakList, ReconTooLarge } from './break-list.js';
import { type Break, type BreakReason, type BreakType, breakOf, type Links } from './breaks.js';
import { dayOf, type SettlementSums, settlementName } from './settlements.js';
import type { SuspenseItems } from './standing.js';
import type { ResolvedSuspense, SuspenseReason } from './suspense.js';

/** An authorization that holds, or held, money. Minor units of the account's currency. */
interface Life {
  held: number;
  /** The most that it was authorized for, what was cleared above it included. */
  covered: number;
  cleared: number;
  /** What its end released and no presentment came for; 0 while it is open, and when one came after all. */
  agedOut: number;
  agedOutMs: number;
  expiry: number;
  /** DE49, and the currency of the account. */
  readonly currency: number;
  readonly billing: number;
}

/** What messages gave back of an authorization, and the last of them. */
interface TakenBack {
  readonly given: number;
  /** Of that what the cardholder had from a dispute already, so that it went to 5200. */
  readonly lossBack: number;
  readonly sequence: number;
  readonly timeMs: number;
  readonly currency: number;
}

const isChargeSort = (sort: ClearingSort): boolean => sort === ClearingSort.purchase || sort === ClearingSort.cash;

const add = (sums: Map<number, number>, key: number, amount: number): void =>
  void sums.set(key, (sums.get(key) ?? 0) + amount);

/** What the shards of a run share. */
export interface Shared {
  readonly sums: SettlementSums;
  /** To which breaks are added that are found; what aged out at `finish`. */
  readonly breaks: BreakList;
  readonly resolved: ResolvedSuspense;
  readonly suspense: SuspenseItems;
}

/** Currency of the account, in which a message holds and posts. */
const billingCurrencyOf = ({ input: { currency, billingCurrency } }: MessageEvent): number =>
  billingCurrency < 0 ? currency : billingCurrency;

export class ShardComparison {
  /** Records seen. */
  records = 0;
  /** Authorizations that held something. */
  authorizations = 0;
  readonly #shard: number;
  readonly #asOf: number;
  readonly #sums: SettlementSums;
  readonly #breaks: BreakList;
  readonly #resolved: ResolvedSuspense;
  readonly #suspense: SuspenseItems;
  readonly #authorizationsMax: number;
  readonly #lives = new Map<number, Life>();
  /** Currency of the first account that something was posted to by a message, and of those that have another one, by slot. */
  #usual = -1;
  readonly #others = new Map<number, number>();
  /** What clearing records charged, by sequence; and of those, what was given back since. */
  readonly #charged = new Map<number, number>();
  readonly #given = new Map<number, number>();
  /** What disputes left to the cardholder, by the sequence of the record or authorization, and what mark-ups and fees with that. */
  readonly #won = new Map<number, number>();
  readonly #feesBack = new Map<number, number>();
  /** What single messages charged, with fees, by the sequence of the authorization; and what messages have taken back of it. */
  readonly #messageCharges = new Map<number, number>();
  readonly #takenBack = new Map<number, TakenBack>();

  /** @param asOf day of the run @param authorizationsMax that are compared */
  constructor(shard: number, asOf: number, shared: Shared, authorizationsMax = RECON_AUTHORIZATIONS_MAX) {
    this.#shard = shard;
    this.#asOf = asOf;
    this.#sums = shared.sums;
    this.#breaks = shared.breaks;
    this.#resolved = shared.resolved;
    this.#suspense = shared.suspense;
    this.#authorizationsMax = authorizationsMax;
  }

  /** @throws ReconTooLarge */
  message(event: MessageEvent): void {
    this.records++;
    const root = rootOf(event);
    if (event.postings.count > 0) this.#posted(event, root);
    let life = this.#lives.get(root);
    if (event.holdDelta === 0) {
      if (life !== undefined && life.agedOut > 0) this.#settledLate(life, event);
      return;
    }
    if (life === undefined) {
      // Of a hold that was placed before the records began: nothing can be said of it.
      if (event.holdDelta < 0) return;
      this.#mayKeep(this.#lives);
      life = {
        ...{ held: 0, covered: 0, cleared: 0, agedOut: 0, agedOutMs: 0, expiry: 0 },
        currency: event.input.currency,
        billing: billingCurrencyOf(event),
      };
      this.#lives.set(root, life);
      this.authorizations++;
    }
    this.#move(root, life, event.holdDelta, event.authorizedAfter);
  }

  event(event: PlainEvent): void {
    this.records++;
    if (event.kind === EventKind.notDelivered) this.#notDelivered(event);
    else if (event.kind === EventKind.holdExpired) this.#expired(event);
    else if (event.kind === EventKind.entryPosted) {
      this.#sums.entry(event);
      this.#resolved.entry(this.#shard, event);
      this.#disputed(event);
    } else if (event.kind === EventKind.clearingPosted) {
      this.#sums.clearing(event);
      this.#suspense.clearing(this.#shard, event);
      this.#resolved.clearing(this.#shard, event);
      this.#cleared(event);
    } else if (event.kind === EventKind.payment) this.#sums.posted(event.postings, event.currency, event.timeMs);
  }

  /** Adds what aged out and was not cleared after all. @param open gets what is still held, by currency */
  finish(open: Map<number, { count: number; amount: bigint }>): void {
    for (const [root, back] of this.#takenBack) this.#reversed(root, back);
    for (const [root, life] of this.#lives) {
      if (life.agedOut > 0) this.#agedOut(root, life);
      if (life.held <= 0) continue;
      const sum = open.get(life.billing) ?? { count: 0, amount: 0n };
      open.set(life.billing, { count: sum.count + 1, amount: sum.amount + BigInt(life.held) });
    }
    this.#lives.clear();
  }

  #move(root: number, life: Life, holdDelta: number, authorizedAfter: number): void {
    life.held += holdDelta;
    // Given back without having been cleared: what comes for it now says so itself.
    if (life.held === 0 && life.cleared === 0) this.#lives.delete(root);
    else life.covered = authorizedAfter;
  }

  /** Its hold has ended, and now a message takes it back or posts it: so much of it did not age out. */
  #settledLate(life: Life, { element, approvedAmount, postings }: MessageEvent): void {
    if (element === ElementKind.reversal)
      life.agedOut = Math.min(life.agedOut, Math.max(0, approvedAmount - life.cleared));
    else if (postings.count > 0) life.agedOut = Math.max(0, life.agedOut - approvedAmount);
  }

  #mayKeep({ size }: ReadonlyMap<number, unknown>): void {
    if (size >= this.#authorizationsMax) throw new ReconTooLarge(this.#shard, this.#authorizationsMax);
  }

  /** Charges that are not known count as no less than what was won: of old ones it is a rare dispute that asks. */
  #forgetOldest(charges: Map<number, number>): void {
    if (charges.size < this.#authorizationsMax) return;
    for (const root of charges.keys()) {
      charges.delete(root);
      return;
    }
  }

  #posted(event: MessageEvent, root: number): void {
    const currency = billingCurrencyOf(event);
    if (this.#usual < 0) this.#usual = currency;
    if (currency !== this.#usual) this.#others.set(event.accountSlot, currency);
    const legs = event.postings.toList();
    this.#sums.posted(legs, currency, event.timeMs);
    const change = postedChange(legs);
    if (change > 0) {
      this.#forgetOldest(this.#messageCharges);
      add(this.#messageCharges, root, change);
    }
    const loss = event.postings.on(Gl.fraudLoss);
    if (root === event.sequence || (change >= 0 && loss === 0)) return;
    const before = this.#takenBack.get(root);
    const lossBack = (before?.lossBack ?? 0) - loss;
    const given = (before?.given ?? 0) - Math.min(0, change) - loss;
    this.#takenBack.set(root, { given, lossBack, sequence: event.sequence, timeMs: event.timeMs, currency });
  }

  #disputed({ ended, legs }: EntryPosted): void {
    if (ended === undefined) return;
    add(this.#won, ended.posted, ended.kept);
    for (const { glAccount, amount } of legs)
      if (glAccount === Gl.feeIncome || glAccount === Gl.fxMarkup) add(this.#feesBack, ended.posted, amount);
  }

  /**
   * A single message that was taken back, and that a dispute was won, or written off, for: what of it the network gave twice, and a
   * release before decision 0056 the cardholder as well.
   */
  #reversed(root: number, { given, lossBack, sequence, timeMs, currency }: TakenBack): void {
    const kept = (this.#won.get(root) ?? 0) + (this.#feesBack.get(root) ?? 0);
    // What was charged before the first record is not known: no less than what was won.
    const twice = kept === 0 ? 0 : Math.min(given, kept + given - (this.#messageCharges.get(root) ?? kept));
    const amount = Math.max(twice, lossBack);
    if (amount <= 0) return;
    const links = { authorization: this.#at(root), posted: this.#at(sequence) };
    const at = { amount, currency, day: dayOf(timeMs) };
    this.#breaks.add(breakOf('amount_mismatch', 'given_back_twice', at, this.#asOf, links));
  }

  /** A refund or reversal of a record that a dispute was won, or written off, for: what of it is beyond what was charged. */
  #givenBack(event: ClearingPosted): void {
    const { posted, relatedSequence, originalSequence, input, sort, legs } = event;
    if (posted > 0 && input.reversal === 0 && isChargeSort(sort)) this.#charged.set(event.sequence, posted);
    const about = [relatedSequence, originalSequence].find((at) => this.#charged.has(at) || this.#won.has(at));
    if (posted >= 0) return;
    // All of it, also where the dispute had ended before the first record.
    const lossBack = legs.reduce((sum, { glAccount, amount }) => (glAccount === Gl.fraudLoss ? sum - amount : sum), 0);
    const amount = Math.max(lossBack, about === undefined ? 0 : Math.min(0 - posted, this.#givenBeyond(about, posted)));
    if (amount > 0) this.#add('amount_mismatch', 'given_back_twice', event, amount);
  }

  /** What is given of a record beyond what it charged. @param posted that is given now, negative */
  #givenBeyond(about: number, posted: number): number {
    add(this.#given, about, 0 - posted);
    const won = this.#won.get(about) ?? 0;
    // What was charged before the first record is not known: no less than what was won.
    return won === 0 ? 0 : won + this.#given.get(about)! - (this.#charged.get(about) ?? won);
  }

  #notDelivered(event: NotDelivered): void {
    const { authorizationSequence: root, holdDelta, authorizedAfter, postings, accountSlot } = event;
    // It follows its original within a deadline; one whose original was not read has nothing to undo here.
    if (postings.length > 0) {
      if (this.#usual >= 0) this.#sums.posted(postings, this.#others.get(accountSlot) ?? this.#usual, event.timeMs);
      // What the network has told of it stays.
      const charged = (this.#messageCharges.get(root) ?? 0) + postedChange(postings);
      if (charged > 0) this.#messageCharges.set(root, charged);
      else this.#messageCharges.delete(root);
    }
    const life = this.#lives.get(root);
    if (life !== undefined) this.#move(root, life, holdDelta, authorizedAfter);
  }

  #expired({ originalSequence: root, holdDelta, timeMs, sequence }: HoldExpired): void {
    const life = this.#lives.get(root);
    if (life === undefined) return;
    life.held += holdDelta;
    life.agedOut = 0 - holdDelta;
    life.agedOutMs = timeMs;
    life.expiry = sequence;
  }

  #agedOut(root: number, { agedOut: amount, agedOutMs, expiry, billing: currency, cleared }: Life): void {
    const reason = cleared > 0 ? 'partly_cleared' : 'aged_out';
    const at = { amount, currency, day: dayOf(agedOutMs) };
    const links = { authorization: this.#at(root), posted: this.#at(expiry) };
    this.#breaks.add(breakOf('authorized_not_cleared', reason, at, this.#asOf, links));
  }

  #cleared(event: ClearingPosted): void {
    const { originalSequence: root, flags, posted, input, sort } = event;
    const life = root > 0 ? this.#lives.get(root) : undefined;
    const isCharge = isChargeSort(sort);
    const isPresented = isCharge && input.reversal === 0;
    const has = (flag: number): boolean => (flags & flag) !== 0;
    if (has(IN_SUSPENSE)) this.#suspended(event);
    else {
      if (isPresented && event.rung === MatchRung.none)
        this.#add('cleared_without_authorization', 'force_post', event, posted);
      if (has(ClearingFlag.originalMissing)) this.#add('reversal_without_original', 'original_unknown', event, posted);
      if (has(ClearingFlag.otherAmount)) this.#add('amount_mismatch', 'other_than_original', event, posted);
    }
    if (has(ClearingFlag.afterReversal)) this.#add('cleared_without_authorization', 'after_reversal', event, posted);
    if (has(ClearingFlag.afterExpiry)) this.#add('late_presentment', 'after_expiry', event, posted);
    if (has(ClearingFlag.otherCard)) this.#add('card_mismatch', 'other_card', event, posted);
    if (has(ClearingFlag.overCleared) && isPresented) {
      const over = life === undefined ? posted : Math.max(0, event.authorizedAfter - life.covered);
      this.#add('amount_mismatch', 'over_cleared', event, over);
    }
    this.#givenBack(event);
    if (life === undefined || !isCharge) return;
    if (isPresented && life.currency >= 0 && input.currency !== life.currency)
      this.#add('currency_mismatch', 'other_than_authorized', event, posted);
    life.held += event.holdDelta;
    life.cleared += posted;
    if (!isPresented) return;
    life.covered = Math.max(life.covered, event.authorizedAfter);
    // Of several clearings more may come; any other one is all there is.
    life.agedOut = isOneOfSeveral(input) ? Math.max(0, life.agedOut - posted) : 0;
  }

  #suspended(event: ClearingPosted): void {
    const { flags, legs } = event;
    // The first leg is that of the suspense account.
    const amount = legs[0]?.amount ?? 0;
    // What is resolved later, in this shard or in another one, is none.
    const add = (type: BreakType, reason: SuspenseReason): void =>
      this.#breaks.addUncertain(this.#breakOf(type, reason, event, amount));
    const has = (flag: number): boolean => (flags & flag) !== 0;
    if (has(ClearingFlag.unknownCard)) add('card_mismatch', 'unknown_card');
    else if (has(ClearingFlag.otherCurrency)) add('currency_mismatch', 'not_of_the_account');
    else if (has(ClearingFlag.outOfRange)) add('amount_mismatch', 'out_of_range');
    if (has(ClearingFlag.disputeMissing)) add('reversal_without_original', 'dispute_unknown');
    else if (has(ClearingFlag.originalMissing)) add('reversal_without_original', 'original_unknown');
    if (has(ClearingFlag.otherAmount)) add('amount_mismatch', 'other_than_original');
  }

  #add(type: BreakType, reason: BreakReason, event: ClearingPosted, amount: number): void {
    this.#breaks.add(this.#breakOf(type, reason, event, amount));
  }

  #breakOf(type: BreakType, reason: BreakReason, event: ClearingPosted, amount: number): Break {
    const { input, originalSequence: root, sequence, file, timeMs, legs } = event;
    // The first leg is on the cardholder's side, or in suspense.
    const currency = legs[0]?.currency ?? input.currency;
    const links: Links = {
      authorization: root > 0 ? this.#at(root) : undefined,
      clearing: { file, record: input.record },
      posted: this.#at(sequence),
      settlement: settlementName(input.sub, input.settlementCurrency >= 0 ? input.settlementCurrency : currency),
    };
    return breakOf(type, reason, { amount, currency, day: dayOf(timeMs) }, this.#asOf, links);
  }

  #at(sequence: number): { shard: number; sequence: number } {
    return { shard: this.#shard, sequence };
  }
}
