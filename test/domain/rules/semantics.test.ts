/**
 * What conditions mean, as tables: a condition, what differs from the usual purchase (situations.ts), and the truth. Every
 * row runs on the compiled form, with and without `not`, and on the reference.
 */
import { describe, expect, test } from 'vitest';
import type { Condition } from '#src/domain/rules/ast.js';
import type { CheckedRule } from '#src/domain/rules/check.js';
import { fields } from '#src/domain/rules/fields.js';
import { parseRule } from '#src/domain/rules/rule.js';
import { RuleSet } from '#src/domain/rules/rule-set.js';
import { matches, type Situation } from './reference.js';
import { factsOf, NOW_MS, usual, WINDOWS } from './situations.js';

const DAY_MS = 86_400_000;
type Truth = 'yes' | 'no' | 'unknown';
type Row = readonly [condition: string, differs: Partial<Situation>, truth: Truth];

function checked(condition: string): CheckedRule {
  const read = parseRule(`when ${condition} then decline 59 reason "x"`, { windows: WINDOWS });
  if (!read.ok) throw new Error(`${condition}: ${read.error.message}`);
  return read.checked;
}

const truthOf = (holds: boolean, negationHolds: boolean): Truth => (holds ? 'yes' : negationHolds ? 'no' : 'unknown');

function truths(condition: string, situation: Situation): Truth[] {
  const rules = [checked(condition), checked(`not (${condition})`)];
  const set = new RuleSet(
    rules.map((rule) => ({ checked: rule, state: 'active', counter: 0 })),
    WINDOWS,
  );
  set.evaluate(factsOf(situation));
  const when = rules[0]!.rule.when;
  const not: Condition = { kind: 'not', operand: when };
  return [truthOf(set.hasMatched(0), set.hasMatched(1)), truthOf(matches(when, situation), matches(not, situation))];
}

function table(rows: readonly Row[]): void {
  test.each(rows)('%s with %j: %s', (condition, differs, truth) => {
    expect(truths(condition, { ...usual, ...differs })).toEqual([truth, truth]);
  });
}

describe('absent fields', () => {
  const absent = { country: undefined } as unknown as Partial<Situation>;
  table([
    ['country == "BR"', {}, 'yes'],
    ['country == "BR"', absent, 'unknown'],
    ['country != "BR"', absent, 'unknown'],
    ['not (country == "BR")', absent, 'unknown'],
    ['country in ["BR", "US"]', absent, 'unknown'],
    ['country not in ["BR", "US"]', absent, 'unknown'],
    ['absent(country)', absent, 'yes'],
    ['present(country)', absent, 'no'],
    ['absent(country)', {}, 'no'],
    ['country == "BR" or amount > 100_00', absent, 'yes'],
    ['country == "BR" or amount > 200_00', absent, 'unknown'],
    ['country == "BR" and amount > 100_00', absent, 'unknown'],
    ['country == "BR" and amount > 200_00', absent, 'no'],
    ['not (country == "BR" and amount > 200_00)', absent, 'yes'],
    ['country == "BR" or absent(country)', absent, 'yes'],
    ['merchant == "X"', { texts: {} }, 'unknown'],
    ['merchant != "X"', { texts: { merchant: '    ' } }, 'unknown'],
    ['merchant not in ["X"]', { texts: {} }, 'unknown'],
    ['merchant not starts_with "X"', { texts: {} }, 'unknown'],
    ['merchant not contains ["X", "Y"]', { texts: {} }, 'unknown'],
    ['three_d_secure in [200..299]', {}, 'unknown'],
    ['local_hour not in [0..5]', { localTime: undefined } as never, 'unknown'],
    ['card.bin not in [1..5]', {}, 'yes'],
  ]);
});

describe('numbers', () => {
  table([
    ['amount == 120_00', {}, 'yes'],
    ['amount == 12000', {}, 'yes'],
    ['amount != 120_00', {}, 'no'],
    ['amount < 120_00', {}, 'no'],
    ['amount <= 120_00', {}, 'yes'],
    ['amount > 119_99', {}, 'yes'],
    ['amount >= 120_01', {}, 'no'],
    ['120_00 <= amount', {}, 'yes'],
    ['120_00 < amount', {}, 'no'],
    ['amount > account.available', {}, 'no'],
    ['account.available > amount', {}, 'yes'],
    ['account.available >= 3750_00', {}, 'yes'],
    ['account.available <= account.limit', {}, 'yes'],
    ['account.available != account.limit', {}, 'yes'],
    ['amount in [100_00..150_00]', {}, 'yes'],
    ['amount in [1..2, 120_00, 5..7]', {}, 'yes'],
    ['amount in [1..119_99, 120_01..999_999_00]'.replace('999_999_00', '999999_00'), {}, 'no'],
    ['amount % 100_00 == 20_00', {}, 'yes'],
    ['amount * 100 > account.limit * 2', {}, 'yes'],
    ['amount + amount == 240_00', {}, 'yes'],
    ['amount == 115_00 + 500', {}, 'yes'],
    ['amount == 500 + 115_00', {}, 'yes'],
    ['amount == 100_00 + 20_00', {}, 'yes'],
    ['amount - 200_00 == -80_00', {}, 'yes'],
    ['-amount == -120_00', {}, 'yes'],
    ['(amount - 120_01) / 2 == -1', {}, 'yes'],
    ['(amount - 120_01) % 10 == 9', {}, 'yes'],
    ['(amount - 120_10) / 5 == -2', {}, 'yes'],
    ['100_00 - amount == -20_00', {}, 'yes'],
    ['2 * amount - 3 * (amount - 1_00) == -117_00', {}, 'yes'],
    ['(100_00 - amount) * (3 - 1) == -40_00', {}, 'yes'],
  ]);
});

describe('a result beyond the safe range is absent', () => {
  const rich = { account: { ...usual.account, limit: 100_000_000_000_000 } };
  table([
    ['account.limit * 90 > 1', rich, 'yes'],
    ['account.limit * 91 > 1', rich, 'unknown'],
    ['account.limit * 91 <= 1', rich, 'unknown'],
    ['account.limit * 91 != 1', rich, 'unknown'],
    ['account.limit * -91 < 1', rich, 'unknown'],
    ['account.limit * 91 in [1..5]', rich, 'unknown'],
    ['account.limit * 91 - account.limit * 91 == 0', rich, 'unknown'],
    ['account.limit * 90 + account.limit > 1', rich, 'unknown'],
    ['account.limit * 91 / 1000 > 1', rich, 'unknown'],
    ['account.limit * 91 % 1000 > 1', rich, 'unknown'],
  ]);
});

describe('counters hold what was approved before this message', () => {
  const windows = { day: { count: 3, spent: 900_00 } };
  table([
    ['count("day") >= 3', { windows }, 'yes'],
    ['spent("day") + amount > 1000_00', { windows }, 'yes'],
    ['spent("day") > 1000_00', { windows }, 'no'],
    ['count("week") >= 0', { windows }, 'unknown'],
    ['absent(count("week"))', { windows }, 'yes'],
    ['present(spent("day"))', { windows }, 'yes'],
    ['present(spent("day"))', { windows: { day: { count: 3 } } }, 'no'],
    ['present(count("day"))', { windows: { day: { spent: 3 } } }, 'no'],
    ['count("day") == 0 and spent("day") == 0', { windows: { day: { count: 0, spent: 0 } } }, 'yes'],
  ]);

  test('those of the message before are forgotten', () => {
    const set = new RuleSet([{ checked: checked('count("week") >= 0'), state: 'active', counter: 0 }], WINDOWS);
    const facts = factsOf({ ...usual, windows: { week: { count: 1, spent: 1 } } });
    expect(set.evaluate(facts)).toBe(0);
    facts.message(facts.input, 986, { timeMs: NOW_MS });
    expect(set.evaluate(facts)).toBe(-1);
    // In whatever order they were filled.
    facts.windows(Int16Array.of(2, -1, 0), new Uint8Array(3), new Float64Array(6).fill(1), 0);
    expect(set.evaluate(facts)).toBe(0);
    facts.message(facts.input, 986, { timeMs: NOW_MS });
    expect(set.evaluate(facts)).toBe(-1);
  });

  test('a window that the set does not know is absent', () => {
    const rules = ['count("day") >= 0', 'absent(spent("day"))'].map((condition) => {
      return { checked: checked(condition), state: 'active' as const, counter: 0 };
    });
    const set = new RuleSet(rules, ['week']);
    expect(set.evaluate(factsOf({ ...usual, windows: { day: { count: 1, spent: 1 } } }))).toBe(1);
    expect(set.hasMatched(0)).toBe(false);
  });
});

describe('texts', () => {
  const at = (texts: Situation['texts']): Partial<Situation> => ({ texts });
  table([
    ['terminal == "TERM0001"', {}, 'yes'],
    ['terminal == "TERM"', at({ terminal: 'TERM    ' }), 'yes'],
    ['terminal == "TERM"', at({ terminal: ' TERM' }), 'no'],
    ['terminal == "term0001"', {}, 'no'],
    ['terminal starts_with "TERM"', {}, 'yes'],
    ['terminal starts_with ["X", "TERM00"]', {}, 'yes'],
    ['terminal starts_with "TERM0001"', {}, 'yes'],
    ['terminal starts_with "ERM"', {}, 'no'],
    ['terminal starts_with "TERM0001"', at({ terminal: 'TERM' }), 'no'],
    ['merchant_name contains "SAO PAULO"', {}, 'yes'],
    ['merchant_name contains ["RIO", "BR"]', {}, 'yes'],
    ['merchant_name contains "BR "', at({ merchant_name: 'SHOP BR   ' }), 'no'],
    ['merchant_name contains "RIO"', {}, 'no'],
    ['merchant in ["A", "MERCHANT0000001", "B"]', {}, 'yes'],
    ['merchant in ["A", "MERCHANT0000002", "MERCHANT"]', {}, 'no'],
    ['merchant == "A\\"B\\\\C"', at({ merchant: 'A"B\\C' }), 'yes'],
    ['acquirer == "12345"', {}, 'yes'],
    ['acquirer in ["12", "12345", "99"]', {}, 'yes'],
    ['acquirer starts_with "123"', {}, 'yes'],
    ['acquirer contains "45"', {}, 'yes'],
    ['acquirer == "12345"', at({ acquirer: '12345 ' }), 'yes'],
    ['present(acquirer)', at({ acquirer: '00000000000' }), 'yes'],
    ['acquirer == "1"', at({ acquirer: '00000000000' }), 'no'],
    ['forwarder != "77"', at({ forwarder: '00000000077' }), 'no'],
    ['merchant == "00012"', at({ merchant: '00012' }), 'yes'],
    ['merchant == "12"', at({ merchant: '00012' }), 'no'],
  ]);

  test('many are found by halving', () => {
    const shops = Array.from({ length: 300 }, (_, i) => `SHOP${i * 7}`);
    const set = new RuleSet([
      { checked: checked(`merchant in [${shops.map((shop) => `"${shop}"`).join(', ')}]`), state: 'active', counter: 0 },
    ]);
    const found = (merchant: string): boolean => set.evaluate(factsOf({ ...usual, texts: { merchant } })) === 0;
    expect(shops.filter((shop) => !found(shop))).toEqual([]);
    expect(['SHOP1', 'SHOP2099', 'SHOP', 'SHOPS', 'ZHOP7', 'AHOP7'].filter(found)).toEqual([]);
  });
});

describe('each field says what the message, the card or the account says', () => {
  const rows: readonly Row[] = [
    ['amount == 55_00', { currency: 'USD', amount: 10_00, billingAmount: 55_00, billingCurrency: 'BRL' }, 'yes'],
    ['absent(amount)', { currency: 'USD', amount: 10_00, billingAmount: 55_00, billingCurrency: 'USD' }, 'yes'],
    ['amount == 0', { currency: 'USD', amount: 0 }, 'yes'],
    ['transaction_amount == 10_00', { currency: 'USD', amount: 10_00 }, 'yes'],
    ['transaction_currency == "USD"', { currency: 'USD' }, 'yes'],
    ['transaction_currency != account.currency', { currency: 'USD' }, 'yes'],
    ['transaction_currency == account.currency', {}, 'yes'],
    ['account.currency in ["USD", "BRL"]', {}, 'yes'],
    ['mti == 0100', {}, 'yes'],
    ['mti in [0100..0101]', { mti: 101 }, 'yes'],
    ['type == "purchase"', {}, 'yes'],
    ['type == "cash"', { processing: 1 }, 'yes'],
    ['type == "cash_back"', { processing: 9 }, 'yes'],
    ['type == "account_funding"', { processing: 10 }, 'yes'],
    ['type == "quasi_cash"', { processing: 11 }, 'yes'],
    ['type == "cash_disbursement"', { processing: 17 }, 'yes'],
    ['type == "refund"', { processing: 20 }, 'yes'],
    ['type == "credit"', { processing: 28 }, 'yes'],
    ['type == "inquiry"', { processing: 31, amount: 0 }, 'yes'],
    ['type == "verification"', { processing: 38 }, 'yes'],
    ['type == "verification"', { processing: 0, amount: 0 }, 'yes'],
    ['absent(type)', { processing: 55 }, 'yes'],
    ['mcc == 0742', { mcc: 742 }, 'yes'],
    ['mcc in [3000..3299, 5411]', {}, 'yes'],
    ['country not in ["BR"]', { country: 'US' }, 'yes'],
    ['country == "BR"', { country: 'BR', texts: { merchant_name: `${'SHOP'.padEnd(38)}US` } }, 'yes'],
    ['channel == "manual"', { entryMode: 11 }, 'yes'],
    ['channel == "magstripe"', { entryMode: 21 }, 'yes'],
    ['channel == "magstripe"', { entryMode: 902 }, 'yes'],
    ['channel == "chip"', {}, 'yes'],
    ['channel == "contactless"', { entryMode: 71 }, 'yes'],
    ['channel == "ecommerce"', { entryMode: 812 }, 'yes'],
    ['channel == "ecommerce"', { entryMode: 102 }, 'yes'],
    ['channel == "magstripe"', { entryMode: 800 }, 'yes'],
    ['channel == "contactless"', { entryMode: 910 }, 'yes'],
    ['channel == "chip"', { entryMode: 950 }, 'yes'],
    ['absent(channel)', { entryMode: 991 }, 'yes'],
    ['atm and channel == "chip"', { processing: 1 }, 'yes'],
    ['atm', { processing: 17 }, 'yes'],
    ['atm', {}, 'no'],
    ['atm', { processing: 1, amount: 0 }, 'no'],
    ['entry_mode == 05', {}, 'yes'],
    ['condition in [00, 59]', { condition: 59 }, 'yes'],
    ['function == "estimated"', { function: 'estimated' }, 'yes'],
    ['function == "normal"', { function: 'normal' }, 'yes'],
    ['function == "final"', { function: 'final' }, 'yes'],
    ['function == "increment"', { function: 'increment' }, 'yes'],
    ['function == "replacement"', { function: 'replacement' }, 'yes'],
    ['absent(function)', {}, 'yes'],
    ['three_d_secure == 211', { threeDSecure: 211 }, 'yes'],
    ['partial_allowed', { partialAllowed: true }, 'yes'],
    ['partial_allowed', {}, 'no'],
    ['hour == 14', {}, 'yes'],
    ['hour in [22..23, 0..5]', { nowMs: NOW_MS + 9 * 3_600_000 }, 'yes'],
    ['hour == 0', { nowMs: Date.UTC(2026, 4, 20) }, 'yes'],
    ['hour == 23', { nowMs: Date.UTC(2026, 4, 20) - 1 }, 'yes'],
    ['weekday == "wednesday"', {}, 'yes'],
    ['weekday in ["saturday", "sunday"]', { nowMs: Date.UTC(2026, 4, 24, 23, 59) }, 'yes'],
    ['weekday == "monday"', { nowMs: Date.UTC(2026, 4, 25) }, 'yes'],
    ['local_hour == 11', {}, 'yes'],
    ['terminal == "TERM0001"', {}, 'yes'],
    ['merchant == "MERCHANT0000001"', {}, 'yes'],
    ['merchant_name starts_with "CORNER"', {}, 'yes'],
    ['acquirer == "12345"', {}, 'yes'],
    ['forwarder == "77"', { texts: { forwarder: '77' } }, 'yes'],
    ['present(track1)', { carried: ['track1'] }, 'yes'],
    ['present(track2)', { carried: ['track2'] }, 'yes'],
    ['present(pin)', {}, 'yes'],
    ['absent(pin)', { carried: ['chip', 'cvv2'] }, 'yes'],
    ['present(chip)', {}, 'yes'],
    ['present(cvv2)', { carried: ['cvv2'] }, 'yes'],
    ['present(address)', { carried: ['address'] }, 'yes'],
    ['card.age_days == 400', {}, 'yes'],
    ['card.age_days == 0', { card: { ...usual.card, createdMs: NOW_MS - DAY_MS + 1 } }, 'yes'],
    ['card.age_days == 0', { card: { ...usual.card, createdMs: NOW_MS + 5 * DAY_MS } }, 'yes'],
    ['card.status == "active"', {}, 'yes'],
    ['card.bin == 999999', {}, 'yes'],
    ['account.available == 3750_00', {}, 'yes'],
    ['account.posted == 1000_00', {}, 'yes'],
    ['account.held == 250_00', {}, 'yes'],
    ['account.limit == 5000_00', {}, 'yes'],
    ['account.utilization == 25', {}, 'yes'],
    ['account.utilization == 29', { account: { ...usual.account, limit: 100, posted: 29, held: 0 } }, 'yes'],
    ['account.utilization == 133', { account: { ...usual.account, limit: 3, posted: 4, held: 0 } }, 'yes'],
    ['account.utilization == 0', { account: { ...usual.account, posted: -500_00 } }, 'yes'],
    ['absent(account.utilization)', { account: { ...usual.account, limit: 0 } }, 'yes'],
    ['absent(account.utilization)', { account: { ...usual.account, limit: 1, posted: 1e14 } }, 'yes'],
    ['account.status == "open"', {}, 'yes'],
    ['account.status == "frozen"', { account: { ...usual.account, status: 'frozen' } }, 'yes'],
    ['account.type == "prepaid"', { account: { ...usual.account, type: 'prepaid' } }, 'yes'],
    ['account.age_days == 900', {}, 'yes'],
  ];
  table(rows);

  test('the country is at the end of DE43 when DE19 is missing, and the name is complete', () => {
    const { country: _, ...nowhere } = usual;
    const named = (merchant_name: string): Situation => ({ ...nowhere, texts: { merchant_name } });
    expect(truths('country == "US"', named(`${'SHOP'.padEnd(38)}US`))).toEqual(['yes', 'yes']);
    expect(truths('present(country)', named(`${'SHOP'.padEnd(38)}ZZ`))).toEqual(['no', 'no']);
    expect(truths('present(country)', named(`${'SHOP'.padEnd(37)}US`))).toEqual(['no', 'no']);
    expect(truths('present(country)', named('US'))).toEqual(['no', 'no']);
  });

  test('no field is without a row', () => {
    const read = new Set(rows.flatMap(([condition]) => checked(condition).fields));
    expect([...fields.keys()].filter((name) => !read.has(name))).toEqual([]);
  });
});
