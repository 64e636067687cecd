/**
 * Rules of programs, each written twice: in the rules' language for the engine, and as a plain condition for the model. What
 * a message does not say makes a condition false here as it does there (docs/reference/rules.md); no rule says `not`.
 */
import type { PlacedWindow, VelocityModel } from '../velocity-model.js';
import { DAY, HOUR, type ModelAccount, type ModelCard } from './entry.js';
import { channelOf, countryOf } from './limits.js';
import { type Message, typeOf } from './message.js';

/** What a rule may look at: all of it as it was before the message. */
export interface RuleFacts {
  m: Message;
  atMs: number;
  account: ModelAccount;
  card: ModelCard;
  held: number;
  available: number;
  /** What the window with this name holds; undefined for what there is none of, or what it does not keep. */
  count(window: string): number | undefined;
  spent(window: string): number | undefined;
}

interface Rule {
  text: string;
  code: string;
  matches(facts: RuleFacts): boolean;
}

/** What is asked for, in the account's currency. */
function amountOf({ m, account }: RuleFacts): number | undefined {
  if (m.amount === 0 || m.currency === account.currency) return m.amount;
  return m.billCurrency === account.currency ? m.bill : undefined;
}

export const RULES: readonly Rule[] = [
  {
    text: 'when amount > 100_00 then decline 59 reason "large"',
    code: '59',
    matches: (facts) => (amountOf(facts) ?? 0) > 10_000,
  },
  {
    text: 'when mcc in [5999, 3501..3999] then decline 57 reason "places"',
    code: '57',
    matches: ({ m: { mcc = 0 } }) => mcc === 5999 || (mcc >= 3501 && mcc <= 3999),
  },
  {
    text: 'when count("day") >= 2 and spent("day") > 50_00 then decline 65 reason "busy"',
    code: '65',
    matches: ({ count, spent }) => (count('day') ?? 0) >= 2 && (spent('day') ?? 0) > 5000,
  },
  {
    text: 'when spent("day") < 1_00 and amount in [77_00..130_00] then decline 61 reason "first"',
    code: '61',
    matches: (facts) => {
      const amount = amountOf(facts) ?? 0;
      return (facts.spent('day') ?? 100) < 100 && amount >= 7700 && amount <= 13_000;
    },
  },
  {
    text: 'when country != "BR" and channel == "ecommerce" then decline 62 reason "abroad"',
    code: '62',
    matches: ({ m }) => (countryOf(m) || 'BR') !== 'BR' && channelOf(m) === 'ecommerce',
  },
  {
    text: 'when account.held > 300_00 or account.available < 100_00 then decline 61 reason "used"',
    code: '61',
    matches: ({ held, available }) => held > 30_000 || available < 10_000,
  },
  {
    text: 'when atm and hour in [0..11, 22..23] then decline 61 reason "night"',
    code: '61',
    matches: ({ m, atMs }) => {
      const hour = Math.floor((atMs % DAY) / HOUR);
      return [1, 17].includes(typeOf(m)) && m.amount !== 0 && (hour <= 11 || hour >= 22);
    },
  },
  {
    text: 'when card.age_days < 20 and partial_allowed then decline 59 reason "new"',
    code: '59',
    matches: ({ card, atMs, m }) => atMs - card.createdMs < 20 * DAY && m.partial === true,
  },
  {
    text: 'when transaction_currency != account.currency then decline 57 reason "foreign"',
    code: '57',
    matches: ({ m, account }) => m.currency !== undefined && m.currency !== account.currency,
  },
  {
    text: 'when (merchant starts_with "SHOP" or absent(merchant)) and function == "increment" then decline 58 reason "shops"',
    code: '58',
    matches: ({ m }) => (m.merchant === undefined || m.merchant.startsWith('SHOP')) && m.fn === 'I',
  },
];

/** A rule of a program: one of `RULES`, by its place there, or -1. */
export interface SetRule {
  rule: number;
  state: 'active' | 'shadow';
}

/** How often the rules of a revision were asked, and each of them matched and declined. */
export interface RuleStatistics {
  revision: number;
  asked: number;
  matched: number[];
  declined: number[];
}

/**
 * Asks all of them and counts; the first active one that matches declines, with its place and code. A rule that is none of
 * `RULES` (-1) matches when it is told that it declined.
 */
export function askRules(
  set: readonly SetRule[],
  facts: RuleFacts,
  statistics: RuleStatistics,
  told?: { place: number; code: string },
): string | undefined {
  statistics.asked++;
  const matches = set.map(({ rule }, place) => RULES[rule]?.matches(facts) ?? place === told?.place);
  matches.forEach((does, i) => {
    if (does) statistics.matched[i]! += 1;
  });
  const deciding = set.findIndex(({ state }, i) => state === 'active' && matches[i]);
  if (deciding < 0) return undefined;
  statistics.declined[deciding]! += 1;
  return RULES[set[deciding]!.rule]?.code ?? told?.code;
}

/** The window of this name: the card's before the account's. */
export function windowNamed(windows: VelocityModel, card: number, name: string): PlacedWindow | undefined {
  const placed = windows.windowsOf(card).filter(({ window }) => window.name === name);
  return placed.find(({ level }) => level === 'card') ?? placed[0];
}
