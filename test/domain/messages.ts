/** The messages of histories: what an operation says, built from what was sent before. */
import { Carried, MessageInput, Text } from '#src/domain/message.js';
import type { Op, Way } from './operations.js';
import type { Message } from './reference/message.js';

const MERCHANTS = [
  { mcc: 5411, mode: 51, merchant: 'SHOP', country: 'BR' },
  { mcc: 5542, mode: 901, country: 'US' },
  { mcc: 7011, mode: 812, merchant: 'SHOP1' },
  { mcc: 3600, place: 'BR' },
  { mcc: 3400, condition: 59, merchant: 'MERCHANT0000001', country: 'BR' },
  { mcc: 5999, mode: 812, condition: 59, merchant: 'SHOP', place: 'US' },
  { mcc: 5968, mode: 100, country: 'BR', place: 'US' },
  { mcc: 5968, mode: 100, condition: 59 },
  { mcc: 5812, mode: 71, fn: 'E', merchant: 'SHOP1', country: 'BR' },
  { mcc: 5964, mode: 10, condition: 8 },
  { mode: 10, country: 'BR' },
  { condition: 6 },
] as const;

/** Times and dates that cannot be, and the last ones that can. */
const TIMES: readonly Partial<Message>[] = [
  { time: 235_959, date: 229 },
  { time: 240_000 },
  { time: 6000 },
  { time: 120_060 },
  { date: 0 },
  { date: 431 },
  { date: 230 },
  { date: 1301 },
  { date: 500 },
  { de7: 1_301_000_000 },
  { de7: 229_240_000 },
  { expiry: 2913 },
  { expiry: 2900 },
];

/** One message of a few dozen has one of them: which, its numbers say. */
function timesOf({ stan, amount = 0 }: Message): Partial<Message> {
  const number = stan * 31 + amount;
  return number % 29 === 0 ? TIMES[Math.floor(number / 29) % TIMES.length]! : {};
}

/** Approval codes that networks give: of an6. */
const CODES = ['100001', '100002', '100003', 'A1B2C3', 'zz 9', '12', 'QQQQQQ'];

/** ISO 3166. */
const COUNTRIES: Record<string, number> = { BR: 76, US: 840 };

/** Builds the messages of one history; each has a STAN of its own, but for some that are meant to collide. */
export class MessageMaker {
  #stan = 0;

  listing({ file, listing }: Op & { op: 'list' }, nowMs: number): Message {
    this.#stan++;
    const message: Message = { mti: 302, stan: this.#stan + 100, de7: transmissionOf(nowMs), file };
    if (listing >= 0) message.listing = listing;
    return message;
  }

  request(
    { mti, pc, amount: de4, currency, flags, merchant }: Omit<Op & { op: 'request' }, 'op' | 'card'>,
    accountCurrency: number | undefined,
    expiry: number | undefined,
    nowMs: number,
  ): Message {
    const own = accountCurrency ?? 986;
    const bit = (n: number): boolean => (flags & (1 << n)) !== 0;
    // A small pool of STANs now and then: what collides must still be told apart.
    this.#stan++;
    const message: Message = {
      mti,
      pc,
      amount: de4,
      currency: own,
      stan: bit(7) ? this.#stan % 4 : this.#stan + 100,
      de7: transmissionOf(nowMs),
      ...MERCHANTS[merchant]!,
    };
    if (bit(0)) message.rrn = bit(7) ? `R${this.#stan % 3}` : `R${this.#stan}`;
    if (bit(1)) message.terminal = 'T1';
    if (bit(2)) message.acquirer = bit(6) ? '00123' : '123';
    if (bit(3)) message.net = `N${this.#stan}`;
    if (bit(3) && bit(2)) message.hold = `H${this.#stan}`;
    if (pc === 90_000 && bit(1)) message.back = bit(7) && bit(6) ? de4 + 1 : Math.floor(de4 / 3);
    if (bit(4)) message.partial = true;
    if (bit(5)) message.expiry = bit(6) && bit(7) ? 2712 : (expiry ?? 2611);
    if (bit(6) && bit(2)) message.forwarder = '9';
    if (!bit(7)) Object.assign(message, timesOf(message));
    if (currency >= 3) {
      message.currency = 840;
      if (currency >= 4) message.bill = Math.floor(de4 * [0.37, 4.9][currency - 4]!);
      if (message.bill !== undefined) message.bill = Math.min(message.bill, 999_999_999_999);
      message.billCurrency = own;
    }
    return message;
  }

  reversal(
    original: Message,
    code: string,
    op: Pick<Op & { op: 'reverse' }, 'mti' | 'way' | 'stays'>,
    nowMs: number,
  ): Message {
    const { mti, way, stays: percent } = op;
    this.#stan++;
    const message: Message = { mti, stan: this.#stan + 100, de7: transmissionOf(nowMs) };
    if (original.amount !== undefined) message.amount = original.amount;
    if (original.currency !== undefined) message.currency = original.currency;
    if (percent > 0) {
      message.de95 = Math.min(999_999_999_999, Math.floor(((original.amount ?? 0) * percent) / 100));
      Object.assign(message, currencyOfItsOwn(original, this.#stan));
    }
    return naming({ ...message, ...timesOf(message) }, original, code, way);
  }

  /** The same payment once more: a message of its own, whose DE37 is that of the first. */
  again(first: Message, nowMs: number): Message {
    this.#stan++;
    return { ...first, stan: this.#stan + 100, de7: transmissionOf(nowMs) };
  }

  /** The advice of an attempt that was lost on its way: under the DE37 of another, or the first under its own. */
  toldOfLost(other: Message, percent: number, isFirst: boolean, nowMs: number): Message {
    const { fn: _change, ...first } = other;
    const lost = this.again({ ...first, mti: other.mti - (other.mti % 100) }, nowMs);
    return this.told(isFirst ? { ...lost, rrn: `L${lost.stan}` } : lost, percent);
  }

  /** The advice of a request, with its own numbers. */
  told(request: Message, percent: number): Message {
    const part = (value: number): number => Math.min(999_999_999_999, Math.floor((value * percent) / 100));
    const { pin: _pin, amount, bill, back, ...rest } = request;
    return {
      ...rest,
      // Now and then another part of it was cash.
      ...(back === undefined
        ? {}
        : { back: Math.min(part(amount ?? 0), request.stan % 2 === 0 ? back : part(Math.floor(back / 2))) }),
      mti: request.mti + 20,
      ...(request.fn === 'I' || request.fn === 'R' ? {} : { why: 'S' }),
      ...(amount === undefined ? {} : { amount: part(amount) }),
      ...(bill === undefined ? {} : { bill: part(bill) }),
    };
  }

  /** An increment, a replacement or an advice about an earlier message. */
  continuation(original: Message, code: string, op: Op & { op: 'change' | 'advise' }, nowMs: number): Message {
    this.#stan++;
    const { pc, currency, billCurrency, mcc, bill, mode, merchant, country, place } = original;
    const part = (value: number): number => Math.min(999_999_999_999, Math.floor((value * op.percent) / 100));
    const mti = op.op === 'change' ? 100 : op.mti;
    const message: Message = {
      mti,
      stan: this.#stan + 100,
      de7: transmissionOf(nowMs),
      ...defined({ pc, currency, billCurrency, mcc, mode, merchant, country, place }),
    };
    if (original.amount !== undefined) message.amount = part(original.amount);
    if (bill !== undefined) message.bill = part(bill);
    if (original.back !== undefined && this.#stan % 2 === 0) message.back = part(original.back);
    if (op.op === 'change') message.fn = op.fn;
    else if ((op.flags & 24) === 24) message.fn = 'I';
    if (op.op === 'advise' && op.why !== '') message.why = op.why;
    if (op.op === 'advise' && (op.flags & 1) === 1) message.de38 = CODES[op.flags % CODES.length]!;
    if ((op.flags & 2) === 2) message.net = `N${this.#stan}`;
    if ((op.flags & 4) === 4) message.partial = true;
    const named = naming(message, original, code, op.way);
    if (op.op !== 'advise' || (op.flags & 5) !== 5) return named;
    // With the very numbers of the request that the network has decided.
    const { acquirer, rrn, terminal, stan, de7 } = original;
    return { ...named, stan, de7, ...defined({ acquirer, rrn, terminal }) };
  }
}

/** Now and then a reversal speaks in the account's currency, or in a third one, with a rate or without. */
function currencyOfItsOwn({ billCurrency, currency }: Message, stan: number): Partial<Message> {
  switch (stan % 9) {
    case 1:
      return defined({ currency: billCurrency ?? currency });
    case 2:
      return defined({ currency: 978, bill: (stan * 37) % 5000, billCurrency: billCurrency ?? currency });
    case 3:
      return { currency: 978 };
    default:
      return {};
  }
}

/** Names the original in one of the ways. */
function naming(message: Message, original: Message, code: string, by: Way): Message {
  const { acquirer, forwarder, rrn, terminal, net, stan, de7, hold } = original;
  const de90 = { mti: original.mti, stan, de7 };
  switch (by) {
    case 'hold':
      if (hold !== undefined) message.hold = hold;
      break;
    case 'network':
      if (net !== undefined) message.orig = net;
      break;
    case 'de90':
      message.de90 = { ...de90, ...defined({ acquirer, forwarder }) };
      break;
    case 'de90 padded':
      message.de90 = { ...de90, ...defined({ acquirer: acquirer?.padStart(11, '0'), forwarder }) };
      break;
    case 'de90 without acquirer':
      message.de90 = de90;
      break;
    case 'rrn':
    case 'rrn and code':
      Object.assign(message, defined({ rrn, terminal }));
      if (by === 'rrn and code' && code !== '') message.de38 = code;
      break;
    case 'rrn and lost':
      // DE90 names a message of the same purchase that did not arrive; now and then another class, or with the code.
      Object.assign(message, defined({ rrn, terminal }));
      message.de90 = {
        mti: stan % 5 === 0 ? 220 : original.mti,
        stan: stan + 50_000,
        de7: stan % 3 === 0 ? de7 : de7 + 1,
      };
      if (stan % 4 === 0 && code !== '') message.de38 = code;
      break;
    case 'own':
      Object.assign(message, { stan, de7 }, defined({ acquirer, rrn, terminal }));
      break;
    case 'nothing':
      break;
  }
  return message;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The fields that have a value. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

export function transmissionOf(timeMs: number): number {
  return Number(new Date(timeMs).toISOString().replace(/\D/g, '').slice(4, 14));
}

export function toInput(message: Message): MessageInput {
  const input = new MessageInput();
  const { de90 } = message;
  input.mti = message.mti;
  input.processingCode = message.pc ?? -1;
  input.amount = message.amount ?? -1;
  input.currency = message.currency ?? -1;
  input.billingAmount = message.bill ?? -1;
  input.billingCurrency = message.billCurrency ?? -1;
  input.stan = message.stan;
  input.transmission = message.de7;
  input.localTime = message.time ?? -1;
  input.localDate = message.date ?? -1;
  input.expiry = message.expiry ?? -1;
  input.mcc = message.mcc ?? -1;
  input.entryMode = message.mode ?? -1;
  input.condition = message.condition ?? -1;
  input.functionCode = message.fn?.charCodeAt(0) ?? 0;
  input.partialSupported = message.partial ? 1 : 0;
  input.cashBack = message.back ?? -1;
  input.adviceReason = message.why?.charCodeAt(0) ?? 0;
  if (message.country !== undefined) input.country = COUNTRIES[message.country]!;
  if (message.pin) input.carried |= Carried.pin;
  input.fileAction = message.file?.charCodeAt(0) ?? 0;
  input.fileCode = message.listing ?? -1;
  input.replacementAmount = message.de95 ?? -1;
  input.originalMti = de90?.mti ?? -1;
  input.originalStan = de90?.stan ?? -1;
  input.originalTransmission = de90?.de7 ?? -1;
  const texts: [Text, string | undefined][] = [
    [Text.acquirer, message.acquirer],
    [Text.forwarder, message.forwarder],
    [Text.acceptor, message.merchant?.padEnd(15)],
    [Text.acceptorName, message.place && `SOMEWHERE${message.place.padStart(31)}`],
    [Text.rrn, message.rrn?.padEnd(12)],
    [Text.terminal, message.terminal?.padEnd(8)],
    [Text.approval, message.de38],
    [Text.networkId, message.net],
    [Text.originalNetworkId, message.orig],
    [Text.holdReference, message.hold],
    [Text.originalAcquirer, de90?.acquirer],
    [Text.originalForwarder, de90?.forwarder],
  ];
  for (const [which, text] of texts) if (text !== undefined) input.setText(which, text);
  return input;
}
