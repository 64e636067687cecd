/**
 * Records of clearing files, decided again: is it posted for the first time, what does it belong to, what does it release and post
 * (section 8 of the domain rules, docs/internals/clearing.md)?
 */
import { type Entry, type Hold, netOf } from '../../domain/reference/entry.js';
import type { Message } from '../../domain/reference/message.js';
import { type Books, Gl } from './books.js';
import { Flag, lastOf, matchOf, rootOf, Sort, sortOf, typeOf } from './clearing-match.js';
import { type EntryAudit, sumsOf } from './entries.js';
import { fail, same } from './failure.js';
import type { ClearingInput, ClearingPosted } from './records.js';
import type { AuditedAccount, AuditedCard, ShardAudit } from './shard-audit.js';
import { lettersOf } from './words.js';

type Evidence = () => Readonly<Record<string, unknown>>;

export class ClearingAudit {
  readonly #shard: ShardAudit;
  readonly #books: Books;
  readonly #entries: EntryAudit;
  /** Posted records by card chain and acquirer's reference, in their order. */
  readonly #byReference = new Map<string, ClearingPosted[]>();
  /** What went back of a record, by its sequence. */
  readonly #back = new Map<number, number>();

  constructor(shard: ShardAudit, books: Books, entries: EntryAudit) {
    this.#shard = shard;
    this.#books = books;
    this.#entries = entries;
  }

  posted(r: ClearingPosted): void {
    const shard = this.#shard;
    const account = r.account >= 0 ? shard.account(r.account, r.sequence) : undefined;
    const card = r.card >= 0 ? shard.card(r.card, r.sequence) : undefined;
    const evidence: Evidence = () => ({
      ...{
        ...r,
        shard: shard.shard,
        account: account?.id,
        card: card?.name,
        owes: account && { ...account.model.owes },
      },
    });
    const related = this.#once(r, card, evidence);
    if (r.input.record < 1) fail('clearing', 'a record has a number in its file', evidence());
    same('clearing', 'what sort it is', r.sort, sortOf(r.input), evidence);
    if (account === undefined || card === undefined) this.#unknown(r, evidence);
    else this.#ofCard(r, account, card, related, evidence);
  }

  /** A record is posted once, by its file and number and by the acquirer's reference. @returns others with the reference */
  #once(r: ClearingPosted, card: AuditedCard | undefined, evidence: Evidence): readonly ClearingPosted[] {
    const { input } = r;
    const { keys } = this.#books;
    const place = `record ${r.file} ${input.record}`;
    if (keys.has(place)) fail('entry key', 'a record of a file is posted once', evidence());
    keys.add(place);
    if (input.arn === '') return [];
    const whose = card ? `${this.#shard.shard} ${rootOf(card).slot}` : `unknown ${r.fingerprint.join()}`;
    const reference = `${whose} ${input.arn}`;
    const same = [input.mti, input.functionCode, typeOf(input), input.sequence, input.reversal].join(' ');
    const key = `reference ${reference} ${same}`;
    if (keys.has(key)) fail('entry key', 'what an acquirer refers to is posted once', { key, ...evidence() });
    keys.add(key);
    const others = this.#byReference.get(reference) ?? [];
    this.#byReference.set(reference, [...others, r]);
    return others;
  }

  /** Of a number that nobody has: to suspense, and nothing of a cardholder. */
  #unknown(r: ClearingPosted, evidence: Evidence): void {
    if ((r.flags & Flag.unknownCard) === 0) fail('clearing', 'what fits no card is flagged', evidence());
    this.#suspense(r, evidence);
    this.#entries.apply(undefined, r.legs, evidence);
    this.#shard.model.past.add({ atMs: r.atMs });
  }

  #suspense(r: ClearingPosted, evidence: Evidence): void {
    const sums = sumsOf(r.legs);
    same('clearing', 'what is in suspense charges nobody', [r.posted, r.holdDelta], [0, 0], evidence);
    const owed = directionOf(r.input) * settledOf(r.input).amount;
    if (owed !== 0 && !sums.has(Gl.suspense))
      fail('clearing', 'what is owed to the network is in suspense', evidence());
    this.#network(r, evidence);
  }

  #ofCard(
    r: ClearingPosted,
    account: AuditedAccount,
    card: AuditedCard,
    others: readonly ClearingPosted[],
    evidence: Evidence,
  ): void {
    const shard = this.#shard;
    const { model } = shard;
    const { currency } = account.model;
    if (r.token >= 0)
      same(
        'clearing',
        'a token stands for the card of the record',
        shard.card(r.token, r.sequence).of?.name,
        card.name,
        evidence,
      );
    if ((r.flags & Flag.unknownCard) !== 0) fail('clearing', 'a card that there is is not unknown', evidence());
    const { revision, model: program } = shard.enter(account);
    // 0: nothing of the program had a say, as when a record takes an earlier one back.
    if (r.revision !== 0) same('clearing', 'revision of the program', r.revision, revision, evidence);
    const charged = amountIn(r.input, currency);
    same(
      'clearing',
      'an amount in the currency of the account',
      (r.flags & Flag.otherCurrency) !== 0,
      charged === undefined,
      evidence,
    );
    if (charged === undefined || (r.flags & (Flag.outOfRange | Flag.disputeMissing)) !== 0) {
      this.#suspense(r, evidence);
      this.#entries.apply(account, r.legs, evidence);
      model.past.add({ atMs: r.atMs });
      return;
    }
    const match = matchOf(r, card, shard, charged, others);
    same(
      'clearing',
      'what it belongs to, and by what',
      [r.original, r.related, r.rung],
      [match.original?.sequence ?? 0, match.related?.sequence ?? 0, match.rung],
      evidence,
    );
    const root = match.original;
    const hold = root && model.balances.holds.get(root.sequence);
    if (root && r.input.reversal === 0) this.#notPosted(root, hold, charged, evidence);
    const flags = this.#flags(r, root, match.isOtherCard, match.related !== undefined);
    same('clearing', 'flags', r.flags & Flag.checked, flags, evidence);
    const isDisputed = r.sort === Sort.secondPresentment;
    same(
      'clearing',
      'what the cardholder is charged',
      r.posted,
      isDisputed ? 0 : directionOf(r.input) * charged,
      evidence,
    );
    this.#release(r, root, hold, charged, program.tables.clearing?.release_rest ?? true, evidence);
    this.#network(r, evidence);
    this.#cardholder(r, account, charged, match, evidence);
    this.#entries.apply(account, r.legs, evidence);
    this.#books.hold(currency, r.holdDelta);
    const entry = model.past.add({ atMs: r.atMs, card: card.name, ...this.#presents(r, root, charged) });
    if (isDisputed) return;
    // A refund may be about a presentment, and is none of it.
    const related = r.input.reversal === 1 ? match.related : undefined;
    this.#count(r, root ?? this.#rootOf(related, entry), card, charged);
  }

  /** What the record says of its authorization, whose hold is settled. */
  #presents(r: ClearingPosted, root: Entry | undefined, charged: number): Partial<Entry> {
    if (root === undefined || r.sort === Sort.credit || r.sort === Sort.secondPresentment) return {};
    const hold = this.#shard.model.balances.holds.get(root.sequence);
    const { input } = r;
    const isPart = input.partial === 1 || (input.count > 0 && input.sequence < input.count);
    const isLast = !isPart && !(hold && hold.remaining > 0);
    return { original: root, presents: { amount: input.reversal === 1 ? -charged : charged, isLast } };
  }

  /** A force post is a use of its own; what takes it back gives back to it. */
  #rootOf(related: ClearingPosted | undefined, entry: Entry): Entry {
    return related && related.original === 0 ? this.#shard.model.past.log[related.sequence - 1]! : entry;
  }

  /** Windows count what stays of the authorization: what was presented, and what is still held. */
  #count(r: ClearingPosted, root: Entry, card: AuditedCard, charged: number): void {
    const { balances, limits } = this.#shard.model;
    const before = balances.presented.get(root.sequence) ?? 0;
    balances.presented.set(root.sequence, Math.max(0, before + (r.input.reversal === 1 ? -charged : charged)));
    if (r.sort === Sort.credit) return;
    const { input } = r;
    const message: Message = { mti: input.mti, stan: 0, de7: 0, pc: input.processingCode };
    if (input.mcc >= 0) message.mcc = input.mcc;
    if (input.country >= 0) message.country = lettersOf(input.country);
    if (input.acceptor !== '') message.merchant = input.acceptor;
    const cash = cashOf(r, charged, root.message);
    // A payment that nobody asked for is taken back as a whole, its use with it.
    const isUndone = r.input.reversal === 1 && root.message === undefined;
    const total = balances.total(root);
    limits.recount(root, total, card.name, message, cash, r.atMs - r.windowLagMs, isUndone || total === 0);
  }

  #flags(r: ClearingPosted, root: Entry | undefined, isOtherCard: boolean, isRelated: boolean): number {
    const { past } = this.#shard.model;
    const flags = isOtherCard ? Flag.otherCard : 0;
    if (r.input.reversal === 1) return flags | (isRelated ? 0 : Flag.originalMissing);
    if (root === undefined) return flags;
    const hold = this.#shard.model.balances.holds.get(root.sequence);
    // What an advice or an increment made something of again is neither.
    if (hold !== undefined && (hold.refund || hold.remaining > 0)) return flags;
    if (past.isUndone(root)) return flags | Flag.afterReversal;
    // A hold that was placed again and is used up has not come to its end.
    return hold === undefined && past.isExpired(root) ? flags | Flag.afterExpiry : flags;
  }

  /** What messages have posted is not posted again: of what is still held beside it, or announced, another amount is. */
  #notPosted(root: Entry, hold: Hold | undefined, amount: number, evidence: Evidence): void {
    const charged = this.#shard.model.balances.chargedFor(root);
    const all = Math.abs(netOf(charged));
    const held = hold === undefined ? 0 : hold.refund ? hold.authorized : hold.remaining;
    const isOfHeld = held > 0 && (amount === held || (amount !== all && amount !== all + held));
    if (all !== 0 && !isOfHeld) {
      fail('clearing', 'a presentment of what a single message posted is a duplicate', {
        charged,
        ...evidence(),
      });
    }
  }

  /** What is released of the hold, and what stays authorized. */
  #release(
    r: ClearingPosted,
    root: Entry | undefined,
    hold: Hold | undefined,
    charged: number,
    releasesRest: boolean,
    evidence: Evidence,
  ): void {
    const { balances } = this.#shard.model;
    if (root === undefined || hold === undefined || r.input.reversal === 1 || r.sort === Sort.secondPresentment) {
      same('clearing', 'change of held', r.holdDelta, 0, evidence);
      if (root === undefined || hold === undefined || r.sort === Sort.secondPresentment || hold.refund) return;
      // What was cleared falls by what is taken back; what was released does not come again.
      const { remaining } = hold;
      hold.cleared = Math.max(0, hold.authorized - remaining - charged);
      same('clearing', 'authorized afterwards', r.authorizedAfter, hold.cleared + remaining, evidence);
      balances.set(root.sequence, hold.cleared + remaining);
      return;
    }
    const { input } = r;
    const isPart = input.partial === 1 || (input.count > 0 && input.sequence < input.count);
    const all = releasesRest || lastOf(input);
    const released = isPart || !all ? Math.min(charged, hold.remaining) : hold.remaining;
    same('clearing', 'change of held', r.holdDelta, 0 - released + 0, evidence);
    if (hold.refund) {
      if (!isPart) balances.close(root.sequence);
      return;
    }
    const cleared = hold.authorized - hold.remaining + charged;
    const remaining = hold.remaining - released;
    same('clearing', 'authorized afterwards', r.authorizedAfter, cleared + remaining, evidence);
    hold.cleared = cleared;
    balances.set(root.sequence, cleared + remaining);
  }

  /** What is owed to the network: the settlement, and the interchange. */
  #network(r: ClearingPosted, evidence: Evidence): void {
    const { currency, amount } = settledOf(r.input);
    let expected = 0 - directionOf(r.input) * amount;
    const earned = (isCashType(r.input) || isCreditType(r.input)) === (r.input.reversal === 1);
    for (let i = 0; i < r.input.fees.length; i += 3) {
      const [fee = 0, , sign = 0] = r.input.fees.slice(i, i + 3);
      const isOurs = sign === 0 ? earned : sign < 0;
      expected += isOurs ? fee : 0 - fee;
    }
    let sum = 0;
    for (const leg of r.legs) {
      if (leg.gl !== Gl.network) continue;
      same('clearing', 'the network is owed in the currency of the settlement', leg.currency, currency, evidence);
      same('clearing', 'the network is owed for the settlement', leg.sub, r.input.sub, evidence);
      sum += leg.amount;
    }
    same('clearing', 'what the network is owed', sum, expected + 0, evidence);
  }

  /** What of an amount that is taken back the cardholder has from disputes: beyond what was charged, less those and what went back. */
  #givenAlready(r: ClearingPosted, charged: number, related: ClearingPosted | undefined): number {
    const { sequence, posted } = related ?? { sequence: 0, posted: 0 };
    const before = this.#back.get(sequence) ?? 0;
    if (r.posted < 0) this.#back.set(sequence, before - r.posted);
    const kept = this.#shard.model.balances.kept.get(sequence)?.amount ?? 0;
    if (r.input.reversal === 0 || r.sort === Sort.credit || kept === 0) return 0;
    return Math.max(0, charged - Math.max(0, posted - kept - before));
  }

  /** The parts of the account that move. */
  #cardholder(
    r: ClearingPosted,
    account: AuditedAccount,
    charged: number,
    { original: root, related }: ReturnType<typeof matchOf>,
    evidence: Evidence,
  ): void {
    const sums = sumsOf(r.legs.filter(({ currency }) => currency === account.model.currency));
    const of = (gl: number): number => sums.get(gl) ?? 0;
    const posted = of(Gl.purchases) + of(Gl.cash) + of(Gl.fees) + of(Gl.credit);
    const { tables } = this.#shard.programOf(account).model;
    if (r.sort === Sort.secondPresentment) {
      same('clearing', 'what is disputed', posted, 0, evidence);
      return;
    }
    const markup = of(Gl.fxIncome);
    const loss = of(Gl.disputeLoss);
    same(
      'clearing',
      'what a dispute has given already',
      0 - loss + 0,
      this.#givenAlready(r, charged, related),
      evidence,
    );
    same('clearing', 'what is posted to the cardholder', posted, r.posted - markup - of(Gl.feeIncome) - loss, evidence);
    const { purchases } = account.model.owes;
    if (r.sort === Sort.credit && r.input.reversal === 0) {
      const owed = Math.min(charged, Math.max(0, purchases));
      same(
        'clearing',
        "a credit goes against purchases, the rest is the cardholder's",
        [of(Gl.purchases), of(Gl.credit)],
        [0 - owed + 0, owed - charged + 0],
        evidence,
      );
      return;
    }
    if (r.input.reversal === 1 && r.sort !== Sort.credit) {
      if (related === undefined && markup !== 0) fail('clearing', 'a mark-up goes back with its payment', evidence());
      return;
    }
    if (r.input.reversal === 1) return;
    const isForeign = r.input.currency !== account.model.currency;
    const points = isForeign ? (tables.clearing?.markup_basis_points ?? 0) : 0;
    same('clearing', 'mark-up', 0 - markup + 0, Math.floor((charged * points + 5000) / 10_000), evidence);
    const cash = cashOf(r, charged, root?.message);
    same('clearing', 'cash is owed as cash', of(Gl.cash), r.sort === Sort.cash ? charged - markup : cash, evidence);
  }
}

/** 1 when the cardholder is charged, -1 when something is given. */
export const directionOf = (input: ClearingInput): number =>
  (isCreditType(input) ? -1 : 1) * (input.reversal === 1 ? -1 : 1);

const isCashType = (input: ClearingInput): boolean => sortOf({ ...input, functionCode: 200 }) === Sort.cash;

/** DE3 20 to 29: money for the cardholder, however often it is presented. */
const isCreditType = (input: ClearingInput): boolean => typeOf(input) >= 20 && typeOf(input) <= 29;

/** What is settled: DE5, else DE6, else DE4. */
function settledOf(i: ClearingInput): { amount: number; currency: number } {
  if (i.settlementAmount >= 0 && i.settlementCurrency >= 0)
    return { amount: i.settlementAmount, currency: i.settlementCurrency };
  if (i.billingAmount >= 0 && i.billingCurrency >= 0) return { amount: i.billingAmount, currency: i.billingCurrency };
  return { amount: i.amount, currency: i.currency };
}

/** What of a charge is cash: what the record says, or for DE3 09 the authorization, at the rate of the charge. */
function cashOf({ sort, input: i }: ClearingPosted, charged: number, authorized: Message | undefined): number {
  if (sort === Sort.cash) return charged;
  if (sort !== Sort.purchase) return 0;
  const isAsAuthorized = i.cashBack < 0 && typeOf(i) === 9 && authorized?.currency === i.currency;
  const back = isAsAuthorized ? (authorized.back ?? 0) : i.cashBack;
  if (back <= 0 || i.amount <= 0) return 0;
  const part = (BigInt(Math.min(back, i.amount)) * BigInt(charged) * 2n + BigInt(i.amount)) / (2n * BigInt(i.amount));
  return Math.min(charged, Number(part));
}

/** The amount in the currency of the account: DE6, or that of DE4 and DE5 which is in it. */
function amountIn(i: ClearingInput, currency: number): number | undefined {
  if (i.billingAmount >= 0 && i.billingCurrency === currency) return i.billingAmount;
  if (i.amount >= 0 && i.currency === currency) return i.amount;
  return i.settlementAmount >= 0 && i.settlementCurrency === currency ? i.settlementAmount : undefined;
}
