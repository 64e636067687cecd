/** Situations for tests: a usual one, random ones, and the facts that the engine would fill from them. */
import fc from 'fast-check';
import { AccountStatus, AccountType, CardStatus } from '#src/domain/codes.js';
import { countryNumber } from '#src/domain/countries.js';
import { currencyNumber } from '#src/domain/currencies.js';
import { ABSENT, Carried, MessageInput, Text } from '#src/domain/message.js';
import { RuleFacts } from '#src/domain/rules/facts.js';
import type { Situation } from './reference.js';

export const WINDOWS = ['trailing 1h', 'day', 'week', 'declined 1h'] as const;

/** Wednesday 20 May 2026, 14:30:05 UTC. */
export const NOW_MS = Date.UTC(2026, 4, 20, 14, 30, 5);
const DAY_MS = 86_400_000;

/** A purchase of 120.00 BRL with chip and PIN at a grocery store in Brazil. */
export const usual: Situation = {
  nowMs: NOW_MS,
  mti: 100,
  processing: 0,
  amount: 120_00,
  currency: 'BRL',
  mcc: 5411,
  country: 'BR',
  entryMode: 51,
  condition: 0,
  partialAllowed: false,
  localTime: 113005,
  texts: {
    terminal: 'TERM0001',
    merchant: 'MERCHANT0000001',
    merchant_name: 'CORNER SHOP   SAO PAULO  BR',
    acquirer: '00000012345',
  },
  carried: ['chip', 'pin'],
  card: { status: 'active', bin: 999999, createdMs: NOW_MS - 400 * DAY_MS },
  account: {
    status: 'open',
    type: 'credit',
    currency: 'BRL',
    limit: 5000_00,
    posted: 1000_00,
    held: 250_00,
    createdMs: NOW_MS - 900 * DAY_MS,
  },
  windows: {},
};

const textNumbers = {
  terminal: Text.terminal,
  merchant: Text.acceptor,
  merchant_name: Text.acceptorName,
  acquirer: Text.acquirer,
  forwarder: Text.forwarder,
} as const;
const carriedBits = {
  track1: Carried.track1,
  track2: Carried.track2,
  pin: Carried.pin,
  chip: Carried.chip,
  cvv2: Carried.cvv2,
  address: Carried.addressCheck,
} as const;

/** An open account, created when the epoch began. */
export const usualAccount = {
  status: () => AccountStatus.open,
  type: () => AccountType.credit,
  putCreated: (_slot: number, into: Float64Array, at: number): void => {
    into[at] = 0;
  },
};

/** Fills the facts as the engine does: message, card, account, counters. */
export function fillFacts(facts: RuleFacts, s: Situation, windows: readonly string[] = WINDOWS): RuleFacts {
  const currency = currencyNumber(s.account.currency);
  const { card, account } = s;
  const event = {
    timeMs: s.nowMs,
    creditLimitBefore: account.limit,
    postedBefore: account.posted,
    heldBefore: account.held,
  };
  const created =
    ({ createdMs }: { readonly createdMs: number }) =>
    (_slot: number, into: Float64Array, at: number): void => {
      into[at] = createdMs;
    };
  facts.message(inputOf(s), currency, event);
  facts.card(
    {
      status: () => CardStatus[card.status as keyof typeof CardStatus],
      bin: () => card.bin,
      putCreated: created(card),
    },
    1,
  );
  facts.account(
    {
      status: () => AccountStatus[account.status as keyof typeof AccountStatus],
      type: () => AccountType[account.type as keyof typeof AccountType],
      putCreated: created(account),
    },
    2,
    event,
  );
  for (const [i, name] of windows.entries()) {
    const window = s.windows[name];
    if (window !== undefined)
      facts.windows(
        Int16Array.of(i),
        new Uint8Array(1),
        Float64Array.of(window.spent ?? Number.NaN, window.count ?? -1),
        0,
      );
  }
  return facts;
}

export function factsOf(s: Situation): RuleFacts {
  return fillFacts(new RuleFacts(), s);
}

function inputOf(s: Situation): MessageInput {
  const input = new MessageInput();
  input.mti = s.mti;
  if (s.processing !== undefined) input.processingCode = s.processing * 10_000;
  input.amount = s.amount ?? ABSENT;
  input.currency = s.currency === undefined ? ABSENT : currencyNumber(s.currency);
  input.billingAmount = s.billingAmount ?? ABSENT;
  input.billingCurrency = s.billingCurrency === undefined ? ABSENT : currencyNumber(s.billingCurrency);
  input.mcc = s.mcc ?? ABSENT;
  input.country = s.country === undefined ? ABSENT : countryNumber(s.country);
  input.entryMode = s.entryMode ?? ABSENT;
  input.condition = s.condition ?? ABSENT;
  input.functionCode = s.function === undefined ? 0 : s.function.toUpperCase().charCodeAt(0);
  input.threeDSecureLevel = s.threeDSecure ?? ABSENT;
  input.partialSupported = s.partialAllowed ? 1 : 0;
  input.localTime = s.localTime ?? ABSENT;
  for (const [name, value] of Object.entries(s.texts)) {
    if (value !== undefined) input.setText(textNumbers[name as keyof typeof textNumbers], value);
  }
  for (const name of s.carried) input.carried |= carriedBits[name];
  return input;
}

const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined, freq: 3 });

/** Few values, so that random rules meet them. */
export const texts = {
  terminal: ['TERM0001', 'TERM0002', 'T', 'TERM', ' TERM'],
  merchant: ['MERCHANT0000001', 'MERCHANT1', 'MERCHANT', 'SHOP "A"', 'SHOP \\ B', 'M'],
  merchant_name: [
    'CORNER SHOP   SAO PAULO  BR',
    'SHOP',
    'CORNER',
    'GIFT CARDS',
    `${'SHOP'.padEnd(38)}US`,
    `${'SHOP'.padEnd(38)}ZZ`,
  ],
  acquirer: ['12345', '1234', '5', '99999999999'],
  forwarder: ['12345', '67', '6'],
} as const;
export const mccs = [742, 5411, 5812, 6011, 7995, 9999, 0];
export const countries = ['BR', 'US', 'NG', 'AF'];
export const currencies = ['BRL', 'USD', 'JPY'];
export const amounts = [0, 1, 99, 100, 500_00, 500_01, 999_999_999_999];

/** A text as it lies in a message: padded, cut off, blank or with leading zeros, but never longer than its field. */
const laid = (name: keyof typeof texts, width: number): fc.Arbitrary<string | undefined> =>
  maybe(
    fc
      .tuple(fc.constantFrom<string>(...texts[name], '', '   '), fc.nat({ max: 3 }), fc.nat({ max: 4 }))
      .map(([text, zeros, blanks]) =>
        (name === 'acquirer' || name === 'forwarder' ? '0'.repeat(zeros) + text : text + ' '.repeat(blanks)).slice(
          0,
          width,
        ),
      ),
  );

const money = fc.oneof(
  fc.constantFrom(...amounts, 5000_00, 1_000_000_000_000_00),
  fc.integer({ min: -1000_00, max: 10_000_00 }),
);

const statuses = ['inactive', 'active', 'paused', 'lost', 'stolen', 'closed', 'expired'];

export const situation: fc.Arbitrary<Situation> = fc
  .record({
    nowMs: fc.integer({ min: 0, max: Date.UTC(2099, 0, 1) }),
    mti: fc.constantFrom(100, 101, 120, 200, 9999),
    processing: maybe(fc.constantFrom(0, 1, 9, 10, 11, 17, 20, 26, 28, 30, 31, 38, 55, 99)),
    amount: maybe(fc.constantFrom(...amounts)),
    currency: maybe(fc.constantFrom(...currencies)),
    billingAmount: maybe(fc.constantFrom(...amounts)),
    billingCurrency: maybe(fc.constantFrom(...currencies)),
    mcc: maybe(fc.constantFrom(...mccs)),
    country: maybe(fc.constantFrom(...countries)),
    entryMode: maybe(fc.constantFrom(0, 11, 21, 51, 71, 102, 800, 812, 902, 910, 950, 999)),
    condition: maybe(fc.constantFrom(0, 2, 59, 99)),
    function: maybe(fc.constantFrom('normal', 'estimated', 'final', 'increment', 'replacement')),
    threeDSecure: maybe(fc.constantFrom(0, 210, 211, 999)),
    partialAllowed: fc.boolean(),
    localTime: maybe(fc.constantFrom(0, 5959, 113005, 235959)),
    texts: fc.record({
      terminal: laid('terminal', 8),
      merchant: laid('merchant', 15),
      merchant_name: laid('merchant_name', 40),
      acquirer: laid('acquirer', 11),
      forwarder: laid('forwarder', 11),
    }),
    carried: fc.subarray(['track1', 'track2', 'pin', 'chip', 'cvv2', 'address'] as const),
    card: fc.record({
      status: fc.constantFrom(...statuses),
      bin: fc.constantFrom(999999, 99999900, 4),
      createdMs: fc.integer({ min: 0, max: Date.UTC(2099, 0, 1) }),
    }),
    account: fc.record({
      status: fc.constantFrom('open', 'frozen', 'closed'),
      type: fc.constantFrom('credit', 'prepaid', 'debit'),
      currency: fc.constantFrom(...currencies),
      limit: fc.constantFrom(0, 1, 300, 5000_00, 1_000_000_000_000_00),
      posted: money,
      held: money.map(Math.abs),
      createdMs: fc.integer({ min: 0, max: Date.UTC(2099, 0, 1) }),
    }),
    windows: fc
      .tuple(...WINDOWS.map(() => maybe(fc.record({ count: maybe(fc.nat({ max: 12 })), spent: maybe(money) }))))
      .map((list) =>
        Object.fromEntries(WINDOWS.flatMap((name, i) => (list[i] === undefined ? [] : [[name, list[i]]]))),
      ),
  })
  .map((record) => record as Situation);
