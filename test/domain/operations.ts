/**
 * What random histories are made of: small operations that speak of earlier messages by counting back, so that a failing
 * history shrinks to a few lines which can be read.
 */
import fc from 'fast-check';
import type { ModelCard } from './reference/entry.js';
import type { ModelProgram, TablesJson } from './reference/program.js';
import { RULES, type SetRule } from './reference/rules.js';
import { cash, controls, programControls, restrictions, wait } from './velocity-arbitraries.js';
import type { ControlsJson, WindowJson } from './velocity-model.js';

/** Accounts and their cards with the ends of these, two of them near; `x` and `y` are cards that nobody knows. */
export const ACCOUNTS = [
  { id: 'reais', currency: 986, limit: 100_000, cards: { a: 3112, b: 2701 } },
  { id: 'yen', currency: 392, limit: 5_000, cards: { c: 2611 } },
  { id: 'dinars', currency: 414, limit: 3_000_000_000_000, cards: { d: 3112 } },
] as const;
export const CARDS = ['a', 'b', 'c', 'd', 'x', 'y'] as const;

export type Way =
  | 'hold'
  | 'network'
  | 'de90'
  | 'de90 padded'
  | 'de90 without acquirer'
  | 'rrn'
  | 'rrn and code'
  | 'rrn and lost'
  | 'own'
  | 'nothing';

/** By which number a message about an earlier one comes: that of the earlier one, another of the same card, or one of the card that replaces it. */
interface By {
  by?: 'same' | 'other' | 'replacement';
}

export type Op =
  | {
      op: 'request';
      card: number;
      mti: number;
      pc: number;
      amount: number;
      currency: number;
      flags: number;
      merchant: number;
    }
  /** A plain request that can be named in every way. */
  | { op: 'purchase'; card: number; mti: number; pc: number; amount: number; merchant: number }
  | ({
      op: 'again';
      back: number;
      marked: boolean;
      change: 'no' | 'amount' | 'bill' | 'zero' | 'de7' | 'terminal';
    } & By)
  | ({ op: 'reverse'; back: number; mti: number; way: Way; stays: number } & By)
  | ({ op: 'change'; back: number; fn: 'I' | 'R'; percent: number; way: Way; flags: number } & By)
  | ({ op: 'advise'; back: number; mti: number; why: string; percent: number; way: Way; flags: number } & By)
  /** One of several shipments of an earlier message; the newest shipment is taken back, once or again. */
  | { op: 'ship'; back: number; percent: number }
  | { op: 'unship'; back: number; stays: number }
  | { op: 'list'; card: number; file: string; listing: number }
  | { op: 'reverse early'; card: number; amount: number; way: Way; stays: number }
  | { op: 'late original'; back: number }
  /** A second attempt of an earlier message, with the same DE37; `reversed`: it comes later (as a late original), its reversal now. */
  | { op: 'retry'; back: number; reversed: boolean }
  /** The network tells of the newest increment, replacement or single message, with its own numbers. */
  | { op: 'tell'; back: number; percent: number; of: 'sent' | 'lost' | 'lost first' }
  | { op: 'undelivered'; back: number }
  | { op: 'pay'; account: number; amount: number; reference: number }
  | { op: 'limit'; account: number; limit: number }
  | { op: 'account'; account: number; status: 'open' | 'frozen' | 'closed' }
  | { op: 'card'; card: number; status: ModelCard['status'] }
  | { op: 'limits'; card: number; amount: number; count: number }
  | { op: 'controls'; level: 'card' | 'account'; whose: number; controls: ControlsJson | undefined }
  | ({ op: 'program' } & ModelProgram)
  | { op: 'token'; card: number; expiry: number }
  | { op: 'replace'; card: number }
  /** A fuel pump asks whether the card is good (100), or for more than most have, of which a part will do. */
  | { op: 'fuel'; card: number; amount: number }
  /** A refund that is posted at once. */
  | { op: 'refund'; card: number; amount: number }
  /** A request with a PIN; what is known of earlier ones that failed, as the control plane sets it. */
  | { op: 'with pin'; card: number; amount: number }
  | { op: 'tries'; card: number; failed: number }
  /** An acquirer asks for totals, all of which it says rightly, but for one field that is another in one of them. */
  | { op: 'ask'; wrong: number }
  | { op: 'restart' }
  /** The process dies in the next message, behind its commit or before it; the network, which got no answer, repeats it. */
  | { op: 'kill'; committed: boolean }
  /** What has changed goes towards the rows of the checkpoint; not written, it is lost with the process. */
  | { op: 'checkpoint'; written: boolean }
  | { op: 'wait'; minutes: number }
  | { op: 'pause'; ms: number }
  /** Windows stand still, as they do while the clocks differ, or go on. */
  | { op: 'clocks'; differ: boolean }
  | { op: 'sweep'; days: number };

/** Cards and then, from 6 on, whatever tokens and replacements there are. */
const anyNumber = fc.constantFrom(0, 0, 0, 1, 3, 6, 7, 8, 9);
const by = fc.constantFrom('same', 'same', 'same', 'other', 'replacement');
const back = fc.integer({ min: 0, max: 6 });
const way = fc.constantFrom<Way[]>(
  'hold',
  'network',
  'de90',
  'de90 padded',
  'de90 without acquirer',
  'rrn',
  'rrn and code',
  'rrn and lost',
  'own',
  'nothing',
);
const amount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 60_000 }) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1_000_000, max: 999_999_999_999 }) },
);
/** Share of the amount that stays authorized, in percent; 0 = a full reversal without DE95. */
const stays = fc.constantFrom(0, 0, 0, 1, 33, 50, 99, 100, 150);

/** The limits of `velocity-arbitraries.ts` a hundred times as large, as are the amounts here. */
function inCents({ per_transaction: most, cash, velocity, ...lists }: ControlsJson): ControlsJson {
  const larger = (windows: WindowJson[] | undefined, name = 'day'): { velocity?: WindowJson[] } =>
    windows === undefined
      ? {}
      : { velocity: windows.map((one, i) => ({ ...(i === 0 ? { name } : {}), ...one, ...times100(one, 'amount') })) };
  return {
    ...lists,
    ...(most === undefined ? {} : { per_transaction: most && most * 100 }),
    ...(cash === undefined ? {} : { cash: { ...times100(cash, 'per_transaction'), ...larger(cash.velocity, 'cash') } }),
    ...larger(velocity),
  };
}

const times100 = <K extends string>(limits: { [_ in K]?: number }, name: K): { [_ in K]?: number } =>
  limits[name] === undefined ? {} : ({ [name]: limits[name] * 100 } as { [_ in K]?: number });

/** Some tables set in some way; what a program does not set has its default. */
const tables: fc.Arbitrary<TablesJson> = fc
  .uniqueArray(
    fc.constantFrom<TablesJson[]>(
      {
        hold_life: [
          { name: 'card present', days: 1, entry_modes: ['05', '07'] },
          { name: 'fuel and shops', days: 3, mcc: ['5542', '5000-5999'], except_conditions: ['59'] },
          { name: 'estimated', days: 12, functions: ['E'] },
          { name: 'anything else', days: 1 },
        ],
      },
      { fuel: { amount: 5000, when_short: 'decline' } },
      { fuel: { amount: 90_000, minimum: 20_000 } },
      { fuel: { amount: 0 } },
      { responses: { all: { insufficient_funds: '61', card_paused: '57', velocity_count: '59' } } },
      { forbidden: ['01', '50'] },
      { forbidden: ['09', '38', '20'] },
      { partial_approval: false },
      { mcc_groups: { fuel: ['5812', 5999], lodging: ['5400-5500', '5542'] } },
      { pin: { tries: 1 } },
      { pin: { tries: 2 } },
      { fees: { cash: { flat: 0, basis_points: 0 } } },
      { fees: { cash: { flat: 500, basis_points: 33 } } },
    ),
    { maxLength: 3, selector: (one) => Object.keys(one)[0] },
  )
  .map((some) => Object.assign({}, ...some) as TablesJson);

const rules = fc
  .shuffledSubarray(
    RULES.map((_, rule) => rule),
    { maxLength: 4 },
  )
  .chain((places) =>
    fc.tuple(
      ...places.map((rule) =>
        fc.constantFrom<SetRule['state'][]>('active', 'shadow').map((state) => ({ rule, state })),
      ),
    ),
  );

const operations = {
  request: fc.record<Op & { op: 'request' }>({
    op: fc.constant('request'),
    card: fc.integer({ min: 0, max: CARDS.length - 1 }),
    mti: fc.constantFrom(100, 100, 200),
    pc: fc.constantFrom(
      0,
      0,
      0,
      10_000,
      170_000,
      300_000,
      310_000,
      380_000,
      200_000,
      90_000,
      260_000,
      280_000,
      100_000,
      110_000,
      500_000,
    ),
    amount,
    currency: fc.integer({ min: 0, max: 5 }),
    flags: fc.integer({ min: 0, max: 255 }),
    merchant: fc.integer({ min: 0, max: 11 }),
  }),
  purchase: fc.record<Op & { op: 'purchase' }>({
    op: fc.constant('purchase'),
    card: anyNumber,
    mti: fc.constantFrom(100, 100, 100, 200),
    pc: fc.constantFrom(0, 0, 10_000),
    amount: fc.integer({ min: 1, max: 20_000 }),
    merchant: fc.integer({ min: 0, max: 11 }),
  }),
  fuel: fc.record<Op & { op: 'fuel' }>({
    op: fc.constant('fuel'),
    card: fc.constantFrom(0, 0, 0, 0, 6),
    amount: fc.constantFrom(100, 100, 95_000),
  }),
  again: fc.record<Op & { op: 'again' }>({
    op: fc.constant('again'),
    by,
    back,
    marked: fc.boolean(),
    change: fc.constantFrom('no', 'no', 'amount', 'bill', 'zero', 'de7', 'terminal'),
  }),
  reverse: fc.record<Op & { op: 'reverse' }>({
    op: fc.constant('reverse'),
    by,
    back,
    mti: fc.constantFrom(400, 401, 420, 421),
    way,
    stays,
  }),
  change: fc.record<Op & { op: 'change' }>({
    op: fc.constant('change'),
    by,
    back,
    fn: fc.constantFrom('I', 'I', 'R'),
    percent: fc.constantFrom(1, 20, 50, 100, 130, 300),
    way,
    flags: fc.integer({ min: 0, max: 255 }),
  }),
  advise: fc.record<Op & { op: 'advise' }>({
    op: fc.constant('advise'),
    by,
    back,
    mti: fc.constantFrom(120, 121, 220),
    why: fc.constantFrom('S', 'C', 'C', 'D', ''),
    percent: fc.constantFrom(0, 1, 50, 100, 100, 120, 1000),
    way,
    flags: fc.integer({ min: 0, max: 255 }),
  }),
  ship: fc.record<Op & { op: 'ship' }>({ op: fc.constant('ship'), back, percent: fc.constantFrom(20, 50, 100) }),
  unship: fc.record<Op & { op: 'unship' }>({
    op: fc.constant('unship'),
    back: fc.constantFrom(0, 0, 1),
    stays: fc.constantFrom(0, 0, 30, 70),
  }),
  list: fc.record<Op & { op: 'list' }>({
    op: fc.constant('list'),
    card: fc.integer({ min: 0, max: 8 }),
    file: fc.constantFrom('1', '2', '3', '3', '5'),
    listing: fc.constantFrom(41, 43, 46, 54, 62, 5, 36, 4, 99, -1),
  }),
  'reverse early': fc.record<Op & { op: 'reverse early' }>({
    op: fc.constant('reverse early'),
    card: fc.integer({ min: 0, max: CARDS.length - 1 }),
    amount,
    way,
    stays,
  }),
  'late original': fc.record<Op & { op: 'late original' }>({ op: fc.constant('late original'), back }),
  retry: fc.record<Op & { op: 'retry' }>({ op: fc.constant('retry'), back, reversed: fc.boolean() }),
  tell: fc.record<Op & { op: 'tell' }>({
    op: fc.constant('tell'),
    back: fc.constantFrom(0, 0, 1),
    percent: fc.constantFrom(100, 100, 120),
    of: fc.constantFrom('sent', 'sent', 'lost', 'lost first', 'lost first'),
  }),
  undelivered: fc.record<Op & { op: 'undelivered' }>({ op: fc.constant('undelivered'), back }),
  pay: fc.record<Op & { op: 'pay' }>({
    op: fc.constant('pay'),
    account: fc.integer({ min: 0, max: 2 }),
    amount: fc.integer({ min: 0, max: 50_000 }),
    reference: fc.integer({ min: 0, max: 5 }),
  }),
  limit: fc.record<Op & { op: 'limit' }>({
    op: fc.constant('limit'),
    account: fc.integer({ min: 0, max: 2 }),
    limit: fc.integer({ min: 0, max: 200_000 }),
  }),
  account: fc.record<Op & { op: 'account' }>({
    op: fc.constant('account'),
    account: fc.integer({ min: 0, max: 2 }),
    status: fc.constantFrom('open', 'open', 'frozen', 'closed'),
  }),
  card: fc.record<Op & { op: 'card' }>({
    op: fc.constant('card'),
    card: fc.constantFrom(0, 1, 2, 3, 6, 7, 8),
    status: fc.constantFrom('active', 'active', 'active', 'inactive', 'paused', 'lost', 'stolen', 'closed', 'expired'),
  }),
  limits: fc.record<Op & { op: 'limits' }>({
    op: fc.constant('limits'),
    card: fc.integer({ min: 0, max: 3 }),
    amount: fc.constantFrom(0, 20_000, 60_000, 90_000),
    count: fc.constantFrom(0, 1, 1, 2),
  }),
  controls: fc.record<Op & { op: 'controls' }>({
    op: fc.constant('controls'),
    level: fc.constantFrom('card', 'account'),
    whose: fc.constantFrom(0, 0, 0, 1, 2),
    controls: fc.oneof(
      { weight: 5, arbitrary: controls.map(inCents) },
      { weight: 3, arbitrary: restrictions.map(inCents) },
      { weight: 3, arbitrary: cash.map((limits) => inCents({ cash: limits })) },
      { weight: 1, arbitrary: fc.constant<ControlsJson | undefined>(undefined) },
    ),
  }),
  program: fc.record<Op & { op: 'program' }>({
    op: fc.constant('program'),
    tables,
    controls: fc.oneof(
      { weight: 4, arbitrary: fc.constant<ControlsJson>({}) },
      { weight: 1, arbitrary: programControls.map(inCents) },
    ),
    rules,
  }),
  refund: fc.record<Op & { op: 'refund' }>({
    op: fc.constant('refund'),
    card: fc.constantFrom(0, 1, 3),
    amount: fc.integer({ min: 1, max: 20_000 }),
  }),
  'with pin': fc.record<Op & { op: 'with pin' }>({
    op: fc.constant('with pin'),
    card: fc.constantFrom(0, 0, 1, 6, 7),
    amount: fc.integer({ min: 0, max: 9000 }),
  }),
  tries: fc.record<Op & { op: 'tries' }>({
    op: fc.constant('tries'),
    card: fc.constantFrom(0, 0, 1, 6, 7),
    failed: fc.constantFrom(0, 1, 2, 3, 255),
  }),
  ask: fc.record<Op & { op: 'ask' }>({ op: fc.constant('ask'), wrong: fc.integer({ min: 0, max: 10 }) }),
  token: fc.record<Op & { op: 'token' }>({
    op: fc.constant('token'),
    card: fc.constantFrom(0, 0, 1, 3, 6),
    expiry: fc.constantFrom(2612, 3112),
  }),
  replace: fc.record<Op & { op: 'replace' }>({ op: fc.constant('replace'), card: fc.constantFrom(0, 0, 0, 1, 6, 7) }),
  restart: fc.constant<Op>({ op: 'restart' }),
  kill: fc.record<Op & { op: 'kill' }>({ op: fc.constant('kill'), committed: fc.boolean() }),
  checkpoint: fc.record<Op & { op: 'checkpoint' }>({
    op: fc.constant('checkpoint'),
    written: fc.constantFrom(true, true, false),
  }),
  wait: fc.record<Op & { op: 'wait' }>({
    op: fc.constant('wait'),
    minutes: fc.constantFrom(1, 5, 11, 60, 1441),
  }),
  pause: fc.record<Op & { op: 'pause' }>({ op: fc.constant('pause'), ms: wait }),
  clocks: fc.record<Op & { op: 'clocks' }>({ op: fc.constant('clocks'), differ: fc.boolean() }),
  sweep: fc.record<Op & { op: 'sweep' }>({
    op: fc.constant('sweep'),
    // To the ends of lives, between them, and beyond what can still be named.
    days: fc.constantFrom(0, 2, 5, 6, 7, 10, 29, 30, 92, 122),
  }),
} satisfies Record<Op['op'], fc.Arbitrary<Op>>;

/** How often the operations come, by name. */
export type Weights = Partial<Record<Op['op'], number>>;

/** What every history has; the rest is for histories about a subject. */
const usual: Required<Weights> = {
  request: 10,
  purchase: 4,
  fuel: 1,
  again: 4,
  reverse: 5,
  change: 4,
  advise: 5,
  ship: 0,
  unship: 0,
  list: 2,
  'reverse early': 2,
  'late original': 2,
  retry: 1,
  tell: 0,
  undelivered: 1,
  pay: 1,
  limit: 1,
  account: 1,
  card: 1,
  limits: 2,
  controls: 0,
  refund: 0,
  'with pin': 0,
  tries: 0,
  ask: 0,
  program: 0,
  token: 1,
  replace: 1,
  restart: 1,
  kill: 0,
  checkpoint: 0,
  wait: 2,
  pause: 0,
  clocks: 0,
  sweep: 2,
};

/** An operation of a history that is mostly about something: some come more often than usual, or (0) not at all. */
export function operationOf(focus: Weights = {}): fc.Arbitrary<Op> {
  const weights = Object.entries({ ...usual, ...focus }) as [Op['op'], number][];
  return fc.oneof(...weights.map(([name, weight]) => ({ weight, arbitrary: operations[name] as fc.Arbitrary<Op> })));
}

export const operation = operationOf();

/** Every subject at once. */
const EVERYTHING: Weights = {
  controls: 1,
  program: 1,
  pause: 1,
  clocks: 1,
  ship: 2,
  unship: 1,
  ask: 1,
  refund: 1,
  tries: 1,
  'with pin': 1,
};

export const anyOperation = operationOf(EVERYTHING);

/** And processes that die in the middle of it. */
export const mortalOperation = operationOf({ ...EVERYTHING, kill: 4, checkpoint: 4 });
