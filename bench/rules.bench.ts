/**
 * Decision rules: filling the facts of a message, and evaluating one rule and 25 (20 active, 5 shadow) as an issuer might
 * have them. The messages differ, so that the branch predictor does not see the same outcomes every time; about one message
 * in two matches something. A sample is a batch of 1 000 messages on one thread.
 */
import { Bench } from 'tinybench';
import { AccountStatus, AccountType, CardStatus } from '#src/domain/codes.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { RuleFacts } from '#src/domain/rules/facts.js';
import { parseRule } from '#src/domain/rules/rule.js';
import { RuleSet, type SetRule } from '#src/domain/rules/rule-set.js';
import type { BenchRow } from './row.js';

const BATCH = 1000;
const MESSAGES = 64;
const NOW_MS = Date.UTC(2026, 4, 20, 14);
const WINDOWS = ['1h', '24h', '7d', 'day', 'week', 'month', 'cash day', 'declined 1h', 'abroad 24h', 'online 24h'];

const TYPICAL = 'amount > 500_00 and mcc in [5411, 5812] and country != "BR" and count("1h") >= 3';

/** The one rule that counts uses alone: cards of a benchmark are used more often than any person's. */
export const TOO_OFTEN = 'count("1h") >= 10';

/** How many of the 25 rules are active; the others are shadow rules. */
export const ACTIVE_RULES = 20;

/** 25 conditions as issuers write them. */
export const conditions = [
  TYPICAL,
  'channel == "ecommerce" and country in ["RU", "NG", "VN"] and amount > 100_00',
  'mcc in [7995, 7800..7802]',
  'spent("day") + amount > 5000_00',
  TOO_OFTEN,
  'amount * 100 > account.limit * 80 and card.age_days < 7',
  'merchant in ["MERCHANT0000009", "BADSHOP00000001", "BADSHOP00000002"]',
  'terminal starts_with "FRAUD"',
  'atm and hour in [0..5] and amount > 300_00',
  'channel == "magstripe" and present(chip)',
  'absent(cvv2) and channel == "ecommerce" and three_d_secure not in [210, 211]',
  'account.utilization >= 95 and amount > 50_00 and not partial_allowed',
  'count("declined 1h") >= 5',
  'spent("abroad 24h") > 1000_00 and country != "BR"',
  'amount % 100_00 == 0 and count("online 24h") > 2 and channel == "ecommerce"',
  'transaction_currency != account.currency and card.age_days < 30 and amount > 200_00',
  'acquirer in ["45678", "56789"]',
  '(mcc == 6011 or atm) and spent("cash day") + amount > 1500_00',
  'weekday in ["saturday", "sunday"] and mcc in [4812, 4814] and amount > 150_00',
  'type == "quasi_cash" and account.type == "prepaid"',
  'merchant_name contains "GIFT CARD" and amount > 100_00',
  'card.age_days < 2 and amount > 100_00 and count("24h") >= 2',
  'local_hour in [1..4] and channel == "contactless"',
  'account.available - amount < 10_00 and count("7d") > 40',
  'amount in [1..99] and count("1h") >= 4',
];

function setOf(list: readonly string[]): RuleSet {
  const rules = list.map((condition, counter): SetRule => {
    const read = parseRule(`when ${condition} then decline 59 reason "suspected_fraud"`, { windows: WINDOWS });
    if (!read.ok) throw new Error(`${condition}: ${read.error.message}`);
    return { checked: read.checked, state: counter < ACTIVE_RULES ? 'active' : 'shadow', counter };
  });
  return new RuleSet(rules, WINDOWS);
}

/** Message number `i` of many that look alike and are not. */
function message(i: number): MessageInput {
  const input = new MessageInput();
  const one = <T>(list: readonly T[], salt: number): T => list[(Math.imul(i + salt, 0x9e3779b1) >>> 16) % list.length]!;
  input.mti = 100;
  input.processingCode = one([0, 0, 0, 10_000, 90_000], 1);
  input.amount = one([500, 4_999, 12_000, 30_000, 65_000], 2) + i;
  input.currency = 986;
  input.mcc = one([5411, 5812, 5999, 7995, 6011, 4111], 3);
  input.country = one([76, 76, 76, 840, 643], 4);
  input.entryMode = one([51, 71, 812, 902, 11], 5);
  input.localTime = one([20_000, 113_000, 235_959], 6);
  input.partialSupported = i & 1;
  input.carried = one([12, 8, 28, 1], 7);
  input.setText(Text.acquirer, '00000012345');
  input.setText(Text.terminal, `TERM${String(i).padStart(4, '0')}`);
  input.setText(Text.acceptor, `MERCHANT${String(i % 20).padStart(7, '0')}`);
  input.setText(Text.acceptorName, 'A SHOP                 SAO PAULO      BR');
  return input;
}

/** Takes every result, so that the compiler cannot drop the work. */
const sink = new Float64Array(1);

function operations(): Record<string, (i: number) => void> {
  const messages = Array.from({ length: MESSAGES }, (_, i) => message(i));
  const times = Float64Array.of(NOW_MS - 400 * 86_400_000, NOW_MS - 3 * 86_400_000);
  const putCreated = (slot: number, into: Float64Array, at: number): void => {
    into[at] = times[slot]!;
  };
  const cards = { status: () => CardStatus.active, bin: () => 999_999, putCreated };
  const money = Float64Array.of(500_000, 1_000_000, 100_000, 900_000, 25_000, 60_000);
  const accounts = {
    status: () => AccountStatus.open,
    type: (slot: number): number => (slot === 0 ? AccountType.credit : AccountType.prepaid),
    putCreated,
  };
  const events = [0, 1].map((i) => ({
    ...{ timeMs: NOW_MS, creditLimitBefore: money[i]!, postedBefore: money[2 + i]!, heldBefore: money[4 + i]! },
  }));
  const places = Int16Array.from(WINDOWS, (_, i) => i);
  const declines = new Uint8Array(WINDOWS.length);
  const readings = Float64Array.from({ length: 2 * (WINDOWS.length + 8) }, (_, i) =>
    (i & 1) === 1 ? (i >> 1) & 7 : i * 20_000,
  );
  const facts = new RuleFacts();
  const fill = (i: number): void => {
    const n = (Math.imul(i, 0x9e3779b1) >>> 20) % MESSAGES;
    const event = events[(n >> 1) & 1]!;
    facts.message(messages[n]!, 986, event);
    facts.card(cards, n & 1);
    facts.account(accounts, (n >> 1) & 1, event);
    facts.windows(places, declines, readings, n & 7);
  };
  const one = setOf([TYPICAL]);
  const all = setOf(conditions);
  const evaluated = new Float64Array(conditions.length);
  const matched = new Float64Array(conditions.length);
  return {
    'fill the facts: message, card, account, 10 windows': (i) => {
      fill(i);
      sink[0]! += facts.numbers[0]!;
    },
    'the same and 1 rule': (i) => {
      fill(i);
      sink[0]! += one.evaluate(facts);
    },
    'the same and 25 rules': (i) => {
      fill(i);
      sink[0]! += all.evaluate(facts);
    },
    'the same and 25 rules, with statistics': (i) => {
      fill(i);
      sink[0]! += all.evaluate(facts);
      all.count(evaluated, matched);
    },
  };
}

/** Bytes left to the collector per operation: the median over blocks in which no collection got in between. */
function bytesPerOp(operation: (i: number) => void): number {
  const perBlock: number[] = [];
  for (let block = 0; block < 10; block++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 10_000; i++) operation(i);
    const grown = process.memoryUsage().heapUsed - before;
    if (grown >= 0) perBlock.push(grown / 10_000);
  }
  perBlock.sort((a, b) => a - b);
  return perBlock[perBlock.length >> 1] ?? Number.NaN;
}

/** Runs the rules' benchmarks, about two seconds. The median batch counts. */
export async function benchRules(): Promise<BenchRow[]> {
  const table = operations();
  const bench = new Bench({ time: 250, warmupTime: 100 });
  for (const [name, operation] of Object.entries(table)) {
    bench.add(name, () => {
      for (let i = 0; i < BATCH; i++) operation(i);
    });
  }
  await bench.run();
  return bench.tasks.map(({ name, result }): BenchRow => {
    if (result.state !== 'completed') throw new Error(`${name} did not complete: ${result.state}`);
    const nsPerOp = (result.latency.p50 * 1e6) / BATCH;
    const bytes = bytesPerOp(table[name]!);
    return {
      room: 'rules',
      name,
      opsPerSec: Math.round(1e9 / nsPerOp),
      nsPerOp: Math.round(nsPerOp * 10) / 10,
      ...(Number.isNaN(bytes) ? {} : { bytesPerOp: Math.round(bytes * 100) / 100 }),
    };
  });
}
