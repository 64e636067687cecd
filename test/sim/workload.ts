/**
 * What cardholders, merchants and the network do in a simulated world: each step is one story, told by messages. What a story
 * draws comes from a stream of its own, so that leaving one out does not change what the others draw.
 */
import { type Fields, pack } from '#src/iso8583/message.js';
import {
  type Amounts,
  ATM,
  cashBack,
  type Draft,
  digits,
  draw,
  HOTEL,
  type Merchant,
  merchants,
  naming,
  PUMP,
  replacementAmount,
  transmissionOf,
} from './messages.js';
import type { Peer } from './peer.js';
import type { Random } from './random.js';
import { POISON_RRN } from './shard-thread.js';

const DAY_MS = 86_400_000;

/** A card, or a network token, as the world knows it. */
export interface SimCard {
  readonly pan: string;
  /** YYMM. */
  readonly expiry: string;
  readonly account: SimAccount;
  /** Of the card, not the token. */
  slot: number;
  readonly isToken: boolean;
}

export interface SimAccount {
  readonly id: string;
  readonly shard: number;
  /** ISO 4217 numeric. */
  readonly currency: number;
  readonly creditLimit: number;
  slot: number;
}

/** An authorization that the network believes in. */
export interface Purchase {
  readonly peer: Peer;
  readonly card: SimCard;
  readonly fields: Fields;
  readonly merchant: Merchant;
  /** What the merchant counts on, minor units of the transaction's currency. */
  amount: number;
  readonly amounts: Amounts;
  /** DE38, '' without one. */
  code: string;
  /** Posted by its message: there will be no clearing. */
  readonly isPosted: boolean;
  isReversed: boolean;
  cleared: number;
}

export const stories = [
  'purchase',
  'cash',
  'cash back',
  'single message',
  'refund',
  'credit',
  'inquiry',
  'verification',
  'funding',
  'unknown code',
  'unknown card',
  'pre-authorization',
  'increment',
  'replacement',
  'completion',
  'financial advice',
  'fuel',
  'reversal',
  'early reversal',
  'repeat',
  'other amount',
  'stand-in',
  'file update',
  'totals',
  'network',
  'malformed',
  'poison',
] as const;
export type Story = (typeof stories)[number];

export interface WorkloadWorld {
  readonly wallMs: number;
  readonly peers: readonly Peer[];
  readonly cards: readonly SimCard[];
  after(us: number, call: () => void): void;
  /** How long the network waits for a reply, us. */
  readonly patienceUs: number;
}

/** Units of each currency that make a usual purchase. */
const usual: Readonly<Record<number, number>> = { 986: 5000, 840: 3000, 392: 4000, 414: 9000 };

export class Workload {
  readonly purchases: Purchase[] = [];
  readonly #world: WorkloadWorld;
  readonly #stories: Readonly<Record<Story, (random: Random) => void>> = {
    purchase: (random) => this.#request(random, '0100', '000000', {}),
    cash: (random) => this.#request(random, '0100', random.pick(['010000', '170000']), { at: ATM }),
    'cash back': (random) => this.#request(random, random.pick(['0100', '0200']), '090000', { back: true }),
    'single message': (random) =>
      this.#request(random, '0200', random.pick(['000000', '000000', '010000', '200000']), {}),
    refund: (random) => this.#request(random, random.pick(['0100', '0200']), '200000', {}),
    credit: (random) => this.#request(random, '0100', random.pick(['260000', '280000']), {}),
    inquiry: (random) => this.#request(random, '0100', random.pick(['300000', '310000']), { amount: 0, at: ATM }),
    verification: (random) => this.#request(random, '0100', random.pick(['380000', '000000']), { amount: 0 }),
    funding: (random) => this.#request(random, '0100', random.pick(['100000', '110000']), {}),
    'unknown code': (random) => this.#request(random, '0100', '550000', {}),
    'unknown card': (random) =>
      this.#request(random, random.pick(['0100', '0200', '0120']), '000000', { unknown: true }),
    'pre-authorization': (random) => this.#request(random, '0100', '000000', { at: HOTEL, tags: { 20: 'E' } }),
    fuel: (random) => this.#fuel(random),
    'stand-in': (random) => this.#standIn(random),
    increment: (random) => this.#change(random, 'I'),
    replacement: (random) => this.#change(random, 'R'),
    completion: (random) => this.#complete(random, '0120'),
    'financial advice': (random) => this.#complete(random, '0220'),
    reversal: (random) => this.#reverseSome(random),
    'early reversal': (random) => this.#reverseEarly(random),
    repeat: (random) => this.#again(random, false),
    'other amount': (random) => this.#again(random, true),
    'file update': (random) => this.#fileUpdate(random),
    totals: (random) => this.#totals(random),
    network: (random) => this.#network(random),
    malformed: (random) => this.#malformed(random),
    poison: (random) => this.#request(random, '0100', '000000', { rrn: POISON_RRN }),
  };
  #count = 0;

  constructor(world: WorkloadWorld) {
    this.#world = world;
  }

  tell(story: Story, random: Random): void {
    this.#stories[story](random);
  }

  // ---- requests ----

  #request(
    random: Random,
    mti: string,
    processingCode: string,
    more: {
      at?: Merchant;
      amount?: number;
      tags?: Record<string, string | undefined>;
      back?: boolean;
      unknown?: boolean;
      rrn?: string;
    },
  ): void {
    const { draft, peer, card } = this.#draft(random, mti, processingCode, more.at, more.amount);
    const partial = random.chance(0.3) ? { 61: '1' } : {};
    let fields = draw({
      ...draft,
      ...(more.unknown ? { pan: unknownPan(random) } : {}),
      ...(more.rrn === undefined ? {} : { rrn: more.rrn }),
      tags: { ...more.tags, ...partial },
    });
    if (more.back) fields = { ...fields, 54: cashBack(Math.floor(draft.amount / 3), draft.currency) };
    if (mti === '0120') {
      peer.keep({ ...fields, 38: digits(random.int(0, 999_999), 6), 39: '00' }, () => undefined);
      return;
    }
    this.#ask(random, peer, card, draft, fields);
  }

  #draft(
    random: Random,
    mti: string,
    processingCode: string,
    at = random.pick(merchants),
    amount?: number,
  ): { draft: Draft; peer: Peer; card: SimCard } {
    const peer = random.pick(this.#world.peers);
    const card = random.pick(this.#world.cards);
    const { wallMs } = this.#world;
    const own = card.account.currency;
    const value = amount ?? amountOf(random, own);
    const foreign = random.chance(0.12) && own !== 840;
    const amounts: Amounts = foreign
      ? { amount: value, currency: 840, billing: { amount: billed(value), currency: own } }
      : { amount: value, currency: own };
    const stan = peer.nextStan();
    this.#count++;
    const draft: Draft = {
      ...amounts,
      ...{ mti, processingCode, pan: card.pan, expiry: random.chance(0.02) ? '2001' : card.expiry, merchant: at, stan },
      timeMs: wallMs,
      rrn: `R${digits(peer.link.number, 2)}${digits(this.#count, 8)} `.slice(0, 12),
      networkId: `N${digits(peer.link.number, 2)}${digits(this.#count, 9)}`,
    };
    return { draft, peer, card };
  }

  /** Sends a request and goes through with what the network does about its reply, or without one. */
  #ask(random: Random, peer: Peer, card: SimCard, draft: Draft, fields: Fields): void {
    const purchase: Purchase = {
      ...{ peer, card, fields, merchant: draft.merchant, amount: draft.amount, amounts: draft, code: '' },
      ...{ isPosted: draft.mti === '0200', isReversed: false, cleared: 0 },
    };
    this.#exchange(random, purchase, fields, 0);
  }

  #exchange(random: Random, purchase: Purchase, fields: Fields, tries: number): void {
    const { peer } = purchase;
    peer.send(fields, this.#world.patienceUs, (reply) => {
      if (reply === undefined) this.#unanswered(random, purchase, fields, tries);
      else this.#approvedBy(purchase, fields, reply);
    });
  }

  #approvedBy(purchase: Purchase, fields: Fields, reply: Fields): void {
    if (reply[39] !== '00' && reply[39] !== '10') return;
    const amount = Number(reply[4] ?? fields[4] ?? 0);
    if (amount === 0) return;
    purchase.amount = reply[39] === '10' ? amount : Number(fields[4] ?? 0);
    purchase.code = reply[38] ?? '';
    this.purchases.push(purchase);
  }

  /** The network's patience is over. */
  #unanswered(random: Random, purchase: Purchase, fields: Fields, tries: number): void {
    const way = random.real();
    if (way < 0.3 && tries < 3) {
      const mti = fields[0] ?? '';
      this.#exchange(random, purchase, { ...fields, 0: `${mti.slice(0, 3)}1` }, tries + 1);
      return;
    }
    if (way < 0.5) {
      this.#adviseStandIn(random, purchase, fields);
      return;
    }
    if (way < 0.95) this.#reverse(random, purchase, fields, 0, '0420');
  }

  /** The network answered for us, and says so when it can. */
  #adviseStandIn(random: Random, purchase: Purchase, fields: Fields): void {
    const approved = random.chance(0.8);
    const code = digits(random.int(0, 999_999), 6);
    const advice: Fields = {
      ...fields,
      0: fields[0]?.startsWith('02') ? '0220' : '0120',
      7: transmissionOf(this.#world.wallMs),
      11: digits(purchase.peer.nextStan(), 6),
      39: approved ? '00' : '05',
      48: `${fields[48] ?? ''}8401${approved ? 'S' : 'D'}`,
      ...(approved ? { 38: code } : {}),
    };
    purchase.peer.keep(advice, () => {
      if (!approved) return;
      purchase.code = code;
      this.purchases.push({ ...purchase, fields: advice });
    });
  }

  #standIn(random: Random): void {
    const { draft, peer, card } = this.#draft(random, random.pick(['0100', '0200']), '000000');
    const fields = draw(draft);
    const purchase: Purchase = {
      ...{ peer, card, fields, merchant: draft.merchant, amount: draft.amount, amounts: draft, code: '' },
      ...{ isPosted: draft.mti === '0200', isReversed: false, cleared: 0 },
    };
    this.#adviseStandIn(random, purchase, fields);
  }

  // ---- what comes later ----

  some(random: Random): Purchase | undefined {
    const recent = this.purchases.slice(-60);
    return recent.length === 0 ? undefined : random.pick(recent);
  }

  #later(original: Purchase, amount: number, mti: string, processingCode: string): Draft {
    const { card, merchant, amounts, peer } = original;
    const billing =
      amounts.billing === undefined ? {} : { billing: { amount: billed(amount), currency: amounts.billing.currency } };
    this.#count++;
    return {
      ...{ mti, processingCode, amount, currency: amounts.currency, ...billing, pan: card.pan, expiry: card.expiry },
      ...{ merchant, stan: peer.nextStan(), timeMs: this.#world.wallMs },
      rrn: original.fields[37] ?? '',
      networkId: `M${digits(peer.link.number, 2)}${digits(this.#count, 9)}`,
    };
  }

  /** An increment by a part of the amount, or another amount in its place. */
  #change(random: Random, code: 'I' | 'R'): void {
    const original = this.some(random);
    if (original === undefined) return;
    const part = within12(Math.floor(original.amount * random.pick([0.1, 0.3, 1, code === 'R' ? 1.5 : 0.5])));
    const draft = this.#later(original, part, '0100', original.fields[3] ?? '000000');
    const name = naming(original.fields, original.code, random);
    const fields = { ...draw({ ...draft, tags: { 20: code, ...name.tags } }), ...withoutOwnNumber(name.fields) };
    original.peer.send(fields, this.#world.patienceUs, (reply) => {
      if (reply === undefined) {
        this.#reverse(random, { ...original, fields }, fields, 0, '0420');
        return;
      }
      if (reply[39] === '00') original.amount = code === 'I' ? original.amount + part : part;
    });
  }

  #complete(random: Random, mti: string): void {
    const original = this.some(random);
    // What was cleared already is told by no financial advice: the auditor does not know what of it would post.
    if (original === undefined || (mti === '0220' && original.cleared > 0)) return;
    const amount = within12(Math.floor(original.amount * random.pick([0.5, 0.9, 1, 1, 1.2])));
    const draft = this.#later(original, amount, mti, original.fields[3] ?? '000000');
    const name = naming(original.fields, original.code, random);
    const fields: Fields = {
      ...draw({ ...draft, tags: { 20: random.chance(0.5) ? 'F' : undefined, ...name.tags, 84: 'C' } }),
      ...withoutOwnNumber(name.fields),
      39: '00',
      ...(original.code === '' ? {} : { 38: original.code }),
    };
    original.peer.keep(fields, () => {
      original.amount = amount;
    });
  }

  /** A pump asks whether the card is good, and tells later what was pumped. */
  #fuel(random: Random): void {
    const { draft, peer, card } = this.#draft(random, '0100', '000000', PUMP, 100);
    const fields = draw(draft);
    peer.send(fields, this.#world.patienceUs, (reply) => {
      const original: Purchase = {
        ...{ peer, card, fields, merchant: PUMP, amount: 100, amounts: draft, code: reply?.[38] ?? '' },
        ...{ isPosted: false, isReversed: false, cleared: 0 },
      };
      if (reply === undefined) {
        this.#reverse(random, original, fields, 0, '0420');
        return;
      }
      if (reply[39] !== '00') return;
      this.purchases.push(original);
      this.#world.after(random.int(30, 300) * 1_000_000, () => {
        const amount = random.int(500, 15_000);
        const mti = original.cleared > 0 ? '0120' : random.pick(['0120', '0220']);
        const completion = this.#later(original, amount, mti, '000000');
        const name = naming(fields, original.code, random);
        const message = {
          ...draw({ ...completion, tags: { ...name.tags, 84: 'C' } }),
          ...withoutOwnNumber(name.fields),
          39: '00',
        };
        peer.keep(message, () => {
          original.amount = amount;
        });
      });
    });
  }

  #reverseSome(random: Random): void {
    const original = this.some(random);
    if (original !== undefined) this.takeBack(random, original);
  }

  /** The merchant takes a payment back, all of it or down to a part. */
  takeBack(random: Random, original: Purchase): void {
    const remains = random.chance(0.4) ? within12(Math.floor(original.amount * random.pick([0.2, 0.5, 0.99, 1.5]))) : 0;
    this.#reverse(random, original, original.fields, remains, random.pick(['0400', '0420']));
  }

  /** @param remains what stays authorized; 0 takes all of it back */
  #reverse(random: Random, original: Purchase, fields: Fields, remains: number, mti: string): void {
    const name = naming(fields, original.code, random);
    const { 38: _code, 39: _response, 48: _private, 54: _amounts, ...rest } = fields;
    const tags = Object.entries(name.tags).flatMap(([tag, value]) =>
      value === undefined ? [] : [tag + digits(value.length, 2) + value],
    );
    const message: Fields = {
      ...rest,
      0: mti,
      7: transmissionOf(this.#world.wallMs),
      11: digits(original.peer.nextStan(), 6),
      63: `V${digits(original.peer.link.number, 2)}${digits(++this.#count, 9)}`,
      ...(tags.length === 0 ? {} : { 48: tags.join('') }),
      ...name.fields,
      ...(remains > 0 ? { 95: replacementAmount(remains) } : {}),
    };
    original.peer.keep(message, () => {
      if (remains === 0) original.isReversed = true;
      else original.amount = Math.min(original.amount, remains);
    });
  }

  /** The reversal overtakes what it reverses. */
  #reverseEarly(random: Random): void {
    const { draft, peer, card } = this.#draft(random, random.pick(['0100', '0100', '0200']), '000000');
    const fields = draw(draft);
    const purchase: Purchase = {
      ...{ peer, card, fields, merchant: draft.merchant, amount: draft.amount, amounts: draft, code: '' },
      ...{ isPosted: draft.mti === '0200', isReversed: true, cleared: 0 },
    };
    this.#reverse(random, purchase, fields, random.chance(0.2) ? Math.floor(draft.amount / 2) : 0, '0420');
    this.#world.after(random.int(1, 4000) * 1000, () => {
      if (random.chance(0.2)) this.#adviseStandIn(random, purchase, fields);
      else peer.send(fields, this.#world.patienceUs, () => undefined);
    });
  }

  /** Something that was sent before comes again: as a repeat, the very same, or with another amount. */
  #again(random: Random, otherAmount: boolean): void {
    const original = this.some(random);
    if (original === undefined) return;
    const { fields, peer } = original;
    const mti = fields[0] ?? '';
    const again: Fields = {
      ...fields,
      0: random.chance(0.6) ? `${mti.slice(0, 3)}1` : mti,
      ...(otherAmount ? { 4: digits(Math.max(1, Number(fields[4] ?? 0) - 1), 12) } : {}),
      ...(random.chance(0.1) ? { 7: transmissionOf(this.#world.wallMs) } : {}),
    };
    peer.send(again, this.#world.patienceUs, () => undefined);
  }

  // ---- the rest ----

  #fileUpdate(random: Random): void {
    const peer = random.pick(this.#world.peers);
    const card = random.pick(this.#world.cards);
    const action = random.pick(['1', '2', '3', '3', '3']);
    const code = random.pick(['62', '62', '36', '54', '41']);
    const fields: Fields = {
      ...{ 0: '0302', 2: card.pan, 7: transmissionOf(this.#world.wallMs), 11: digits(peer.nextStan(), 6) },
      ...{ 32: '123000', 91: action },
      ...(action === '3' || random.chance(0.3) ? {} : { 127: code === '41' && !random.chance(0.2) ? '62' : code }),
    };
    peer.send(fields, this.#world.patienceUs, (reply) => {
      // What went on the list comes off it: a world of listed cards would be a quiet one.
      if (action === '3' || reply === undefined) return;
      this.#world.after(random.int(5, 120) * 1_000_000, () => {
        const { 127: _code, ...rest } = fields;
        const off = { ...rest, 7: transmissionOf(this.#world.wallMs), 11: digits(peer.nextStan(), 6), 91: '3' };
        peer.send(off, this.#world.patienceUs, () => undefined);
      });
    });
  }

  #totals(random: Random): void {
    const peer = random.pick(this.#world.peers);
    const fields: Fields = {
      ...{ 0: random.pick(['0500', '0520']), 7: transmissionOf(this.#world.wallMs), 11: digits(peer.nextStan(), 6) },
      ...(random.chance(0.5) ? { 15: transmissionOf(this.#world.wallMs).slice(0, 4) } : {}),
      ...{ 32: String(123_000 + random.int(0, 2)), 50: random.pick(['986', '840', '392']) },
      ...{ 76: digits(random.int(0, 3), 10), 88: digits(random.int(0, 9999), 16), 97: `D${digits(0, 16)}` },
    };
    peer.send(fields, this.#world.patienceUs, () => undefined);
  }

  #network(random: Random): void {
    const peer = random.pick(this.#world.peers);
    const code = random.pick(['301', '301', '301', '001', '201', '161', '999']);
    // Some networks name the date of their cutover.
    const isNamed = code === '201' && this.#world.wallMs % 2 === 0;
    peer.manage(code, isNamed ? { 15: transmissionOf(this.#world.wallMs + DAY_MS).slice(0, 4) } : {}, () => undefined);
  }

  /** A message with something wrong in it. */
  #malformed(random: Random): void {
    const { draft, peer } = this.#draft(random, random.pick(['0100', '0200', '0400', '0120']), '000000');
    const fields: Fields = { ...draw(draft) };
    const field = random.pick([2, 3, 4, 7, 11, 14, 22, 32, 37, 41, 49]);
    const way = random.int(0, 3);
    if (way === 0) delete fields[field];
    else if (way === 1) fields[49] = random.pick(['999', '000', '032']);
    else if (way === 2) fields[7] = '1345996199';
    const bytes = pack(peer.link.dialect, fields);
    if (way === 3) {
      const at = random.int(0, bytes.length - 1);
      bytes[at]! ^= 1 << random.int(0, 7);
    }
    peer.sendRaw(random.chance(0.05) ? bytes.subarray(0, random.int(1, bytes.length)) : bytes);
  }
}

/** Only a reversal may come under the STAN and DE7 of what it names: another request would be its repeat. */
function withoutOwnNumber(fields: Fields): Fields {
  const { 7: _transmission, 11: _stan, ...rest } = fields;
  return rest;
}

function amountOf(random: Random, currency: number): number {
  const base = usual[currency] ?? 5000;
  if (random.chance(0.03)) return 999_999_999_999;
  if (random.chance(0.08)) return base * random.int(20, 100);
  return random.int(1, base * 2);
}

/** A number of the test range that no card of the world has. */
function unknownPan(random: Random): string {
  return `99999977${digits(random.int(0, 9999), 4)}0000`.slice(0, 16);
}

/** What DE4 can say, from 1. */
function within12(amount: number): number {
  return Math.max(1, Math.min(999_999_999_999, amount));
}

/** DE6 of an amount in the other currency. */
function billed(amount: number): number {
  return within12(Math.ceil(amount * 1.7));
}
