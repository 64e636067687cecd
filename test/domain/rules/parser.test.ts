import { describe, expect, test } from 'vitest';
import { parseRule, ruleFromJson } from '#src/domain/rules/rule.js';
import { renderRuleError, ruleErrorCodes } from '#src/domain/rules/rule-error.js';
import { RULE_COST_MAX, RULE_DEPTH_MAX, RULE_LIST_MAX, RULE_TEXT_LENGTH_MAX } from '#src/limits.js';

const schema = { windows: ['trailing 1h', 'day'], decimals: 2 };

/** Line, column and length of the place, the code and the message; "accepted" when there is no error. */
function refusal(text: string): string {
  const read = parseRule(text, schema);
  if (read.ok) return 'accepted';
  const { code, message, at } = read.error;
  return `${at.line}:${at.column}+${at.length} ${code}: ${message}`;
}

/** `~` stands for a complete outcome. */
const refused: readonly (readonly [string, string])[] = [
  ['', '1:1+0 unexpected: expected "when", found the end of the rule'],
  ['when', '1:5+0 unexpected: expected a field, a number, a text or "(", found the end of the rule'],
  ['when amount > 5', '1:16+0 unexpected: expected "and", "or" or "then", found the end of the rule'],
  ['when amount > 5 then', '1:21+0 unexpected: expected "decline" (a rule never approves), found the end of the rule'],
  ['wen amount > 5~', '1:1+3 unexpected: expected "when", found "wen" (did you mean when?)'],
  ['when amount > 5 then refuse', '1:22+6 unexpected: expected "decline" (a rule never approves), found "refuse"'],
  [
    'when amount > 5 then decline',
    '1:29+0 unexpected: expected a response code: two digits, or a text such as "N7", found the end of the rule',
  ],
  ['when amount > 5 then decline 59', '1:32+0 unexpected: expected "reason", found the end of the rule'],
  [
    'when amount > 5 then decline 59 reason x',
    '1:40+1 unexpected: expected the reason as a text, such as "suspected_fraud", found "x"',
  ],
  ['when amount > 5 then decline 59 reason "x" and', '1:44+3 unexpected: expected the end of the rule, found "and"'],
  [
    'when amount > 5 AND hour > 3~',
    '1:17+3 unexpected: expected "and", "or" or "then", found "AND" (did you mean and?)',
  ],
  ['when amount > 5 mcc == 5411~', '1:17+3 unexpected: expected "and", "or" or "then", found "mcc"'],
  ['when amout > 5~', '1:6+5 unknown_field: there is no field amout (did you mean amount?)'],
  ['when\n  card.age > 5~', '2:3+8 unknown_field: there is no field card.age (did you mean card.age_days?)'],
  [
    'when count("trailing 1m") > 3~',
    '1:12+13 unknown_window: there is no velocity window trailing 1m (did you mean trailing 1h?)',
  ],
  ['when count(day) > 3~', '1:12+3 unexpected: expected the name of a velocity window as a text, found "day"'],
  ['when count() > 3~', '1:12+1 unexpected: expected the name of a velocity window as a text, found ")"'],
  ['when chanel == "chip"~', '1:6+6 unknown_field: there is no field chanel (did you mean channel?)'],
  ['when channel == "ecomerce"~', '1:17+10 unknown_word: there is no channel ecomerce (did you mean ecommerce?)'],
  [
    'when country == "br"~',
    '1:17+4 unknown_word: there is no country br, expected two capital letters of ISO 3166 (did you mean BR?)',
  ],
  [
    'when country == "Brazil"~',
    '1:17+8 unknown_word: there is no country Brazil, expected two capital letters of ISO 3166',
  ],
  [
    'when account.currency == "BRT"~',
    '1:26+5 unknown_word: there is no currency BRT, expected three capital letters of ISO 4217 (did you mean BDT?)',
  ],
  [
    'when amount > 5 and hour < 3 or hour > 5~',
    '1:30+2 mixed_and_or: "and" and "or" are mixed: write ( ) around what belongs together',
  ],
  [
    'when amount > 5 or hour < 3 and hour > 5~',
    '1:29+3 mixed_and_or: "and" and "or" are mixed: write ( ) around what belongs together',
  ],
  [
    'when 1 < hour < 5~',
    '1:15+1 unexpected: comparisons do not chain: write one for each side and join them with "and"',
  ],
  ['when amount = 5~', '1:13+1 bad_character: "=" is not used here: write "==" to compare'],
  ['when amount <> 5~', '1:13+2 unexpected: write "!=" for "not equal"'],
  ['when amount > 5 && hour > 3~', '1:17+2 bad_character: "&&" is not used here: write "and"'],
  ['when amount > 5 || hour > 3~', '1:17+2 bad_character: "||" is not used here: write "or"'],
  ['when !partial_allowed~', '1:6+1 bad_character: "!" is not used here: write "not"'],
  ["when channel == 'chip'~", '1:17+1 bad_character: "\'" is not used here: write double quotes: "text"'],
  [
    'when channel == \u201cchip\u201d~',
    '1:17+1 bad_character: this quote is not used here: write straight double quotes: "text"',
  ],
  ['when mcc in {5411}~', '1:13+1 bad_character: "{" is not used here: a list is in square brackets: [1, 2]'],
  ['when amount > 5;~', '1:16+1 bad_character: ";" is not used here: a rule ends without one'],
  ['when amount > R$5~', '1:16+1 bad_character: "$" has no meaning in a rule'],
  ['when amount > 5\u00a0~', '1:16+1 bad_character: this character has no meaning in a rule'],
  ['when channel == "chip~', '1:48+1 unterminated_text: a text ends with " on the line it began on'],
  ['when channel == "a\ntm"~', '1:17+2 unterminated_text: a text ends with " on the line it began on'],
  ['when merchant == "a\\n"~', '1:20+1 bad_character: write a backslash as \\\\ and a quote as \\"'],
  ['when merchant == "caf\u00e9"~', '1:22+1 bad_character: a text holds printable ASCII characters only'],
  ['when amount > 12.50~', '1:15+5 bad_number: numbers are whole, and amounts are in minor units: write 12_50'],
  ['when count("day") > 1h~', '1:21+2 bad_number: a number must not run into a letter'],
  [
    'when amount > 1_000_00~',
    '1:15+8 bad_number: a number has at most one underscore: it separates the minor units of an amount, as in 500_00',
  ],
  [
    'when amount > 5_~',
    '1:15+2 bad_number: a number has at most one underscore: it separates the minor units of an amount, as in 500_00',
  ],
  ['when amount > 5_0~', '1:15+3 bad_number: the underscore separates 2, 3 or 4 digits of minor units, as in 500_00'],
  ['when amount > 9007199254740992~', '1:15+16 bad_number: a number is at most 9007199254740991'],
  [
    'when amount > 500_000~',
    "1:15+7 wrong_type: the account's currency has 2 decimals, not 3: amounts are in minor units",
  ],
  ['when mcc in 5411~', '1:13+4 unexpected: expected a list in [ ], found "5411"'],
  ['when mcc in []~', '1:14+1 unexpected: expected at least one item in the list, found "]"'],
  ['when mcc in [5411 5812]~', '1:19+4 unexpected: expected "," or "]", found "5812"'],
  ['when mcc in [5411~', '1:19+4 unexpected: expected "," or "]", found "then"'],
  ['when mcc in [amount]~', '1:14+6 unexpected: expected a number, found "amount"'],
  [
    'when mcc in [5411, "5812"]~',
    '1:20+6 wrong_type: mcc is a code: expected its digits, without underscore, found a text',
  ],
  ['when mcc in [5812..5411]~', '1:14+4 out_of_range: a range goes from the smaller to the larger number'],
  ['when mcc not 5411~', '1:14+4 unexpected: expected "in", "starts_with" or "contains" behind "not", found "5411"'],
  ['when merchant starts_with 5~', '1:27+1 unexpected: expected a list in [ ], found "5"'],
  ['when merchant starts_with [5]~', '1:28+1 wrong_type: "starts_with" looks for texts'],
  [
    'when mcc starts_with "54"~',
    '1:6+3 wrong_type: "starts_with" looks into texts such as merchant, and this is a code',
  ],
  [
    'when amount~',
    "1:6+6 wrong_type: amount is an amount in the account's currency, no condition: compare it with something",
  ],
  ['when pin~', '1:6+3 wrong_type: pin is data of which only the presence is known, no condition: write present(pin)'],
  ['when "x"~', '1:6+3 wrong_type: expected a condition, found a text: compare it with something'],
  ['when 5~', '1:6+1 wrong_type: expected a condition, found a value: compare it with something'],
  ['when amount + 1~', '1:6+10 wrong_type: expected a condition, found a value: compare it with something'],
  [
    'when amount > true~',
    '1:15+4 wrong_type: a condition cannot be compared or computed with: write the condition alone, or "not" before it',
  ],
  [
    'when partial_allowed == true~',
    '1:25+4 wrong_type: a condition cannot be compared or computed with: write the condition alone, or "not" before it',
  ],
  ['when (amount > 5) > 3~', '1:7+10 wrong_type: a condition cannot be compared or computed with: expected a value'],
  [
    'when not amount~',
    "1:10+6 wrong_type: amount is an amount in the account's currency, no condition: compare it with something",
  ],
  [
    'when pin == 1~',
    '1:6+3 wrong_type: pin is data of which only the presence is known: write present(pin) or absent(pin)',
  ],
  ['when amount > hour~', "1:15+4 wrong_type: an amount in the account's currency and a plain number do not mix"],
  [
    'when transaction_amount > amount~',
    "1:27+6 wrong_type: an amount in the merchant's currency and an amount in the account's currency do not mix",
  ],
  ['when amount + hour > 5~', "1:15+4 wrong_type: an amount in the account's currency and a plain number do not mix"],
  ['when hour > 5_00~', "1:13+4 wrong_type: a plain number and an amount in the account's currency do not mix"],
  ['when amount * amount > 5~', '1:15+6 wrong_type: an amount is multiplied by a plain number, not by an amount'],
  ['when amount * 2_00 > 5~', '1:15+4 wrong_type: an amount is multiplied by a plain number, not by an amount'],
  ['when amount / 0 > 5~', '1:15+1 wrong_type: the right side of "/" is a number above 0'],
  ['when amount / hour > 5~', '1:15+4 wrong_type: the right side of "/" is a number above 0'],
  ['when amount / 5_00 > 5~', '1:15+4 wrong_type: an amount is divided by a plain number, not by an amount'],
  ['when mcc + 1 == 5~', '1:6+3 wrong_type: a code cannot be computed with'],
  ['when mcc > 5411~', '1:6+3 wrong_type: a code is no quantity: compare it with ==, != or in'],
  ['when channel > "chip"~', '1:6+7 wrong_type: a word is no quantity: compare it with ==, != or in'],
  ['when mcc == 54_11~', '1:13+5 wrong_type: mcc is a code: expected its digits, without underscore, found a number'],
  ['when mcc == "5411"~', '1:13+6 wrong_type: mcc is a code: expected its digits, without underscore, found a text'],
  [
    'when mcc == amount~',
    "1:13+6 wrong_type: mcc is a code: expected its digits, without underscore, found an amount in the account's currency",
  ],
  ['when channel == 5~', '1:17+1 wrong_type: channel is a word: expected a text in quotes, found a number'],
  [
    'when amount == "5"~',
    "1:16+3 wrong_type: amount is an amount in the account's currency: expected a number, found a text",
  ],
  [
    'when amount + 1 == "5"~',
    "1:20+3 wrong_type: this is an amount in the account's currency: expected a number, found a text",
  ],
  [
    'when amount > "5"~',
    "1:15+3 wrong_type: amount is an amount in the account's currency: expected a number, found a text",
  ],
  ['when terminal == merchant~', '1:18+8 wrong_type: terminal is a text: expected a text in quotes, found a text'],
  ['when 5 > 3~', '1:6+5 wrong_type: this compares two constants: one side must be a field'],
  ['when "BR" == country~', '1:6+4 wrong_type: write the field first, then what it is compared with'],
  ['when 5411 == mcc~', '1:6+4 wrong_type: write the field first, then what it is compared with'],
  ['when 5 in [5]~', '1:6+1 wrong_type: expected a field in front of "in"'],
  ['when amount > 5_00 + 5_000~', '1:22+5 wrong_type: two amounts with different decimals are not of one currency'],
  ['when 9007199254740991 + 1 < amount~', '1:6+20 out_of_range: this constant is beyond what numbers can hold'],
  ['when mcc == 54111~', '1:13+5 out_of_range: mcc is 0000 to 9999, never 54111'],
  ['when hour >= 24~', '1:14+2 out_of_range: hour is 0 to 23, never 24'],
  ['when mcc in [5411, 10000]~', '1:20+5 out_of_range: mcc is 0000 to 9999, never 10000'],
  ['when amount > 1000000000017~', '1:15+13 out_of_range: amount is 0 to 999999999999, never 100000***0017'],
  ['when f9999990000000017 == 5~', '1:6+17 unknown_field: there is no field f999999******0017'],
  ['when amount < -1~', '1:15+2 out_of_range: amount is 0 to 999999999999, never -1'],
  [
    'when merchant == ""~',
    '1:18+2 out_of_range: merchant is never empty: write absent(...) for a field that was not sent',
  ],
  [
    'when merchant == "ABCDEFGHIJKLMNOP"~',
    '1:18+18 out_of_range: merchant has at most 15 characters, this text has 16',
  ],
  [
    'when merchant == "SHOP "~',
    '1:18+7 out_of_range: merchant is compared without the blanks at its end: leave them out',
  ],
  [
    'when acquirer == "00012345"~',
    '1:18+10 out_of_range: acquirer is compared by its digits, without leading zeros: write it so',
  ],
  [
    'when acquirer starts_with "X"~',
    '1:27+3 out_of_range: acquirer is compared by its digits, without leading zeros: write it so',
  ],
  ['when present(hour)~', '1:14+4 always_present: hour is always there: it has no need of a test'],
  ['when present(mcc~', '1:18+4 unexpected: expected ")", found "then"'],
  ['when present(5)~', '1:14+1 unexpected: expected a field, count("...") or spent("..."), found "5"'],
  ['when present(then)~', '1:14+4 unexpected: expected a field, count("...") or spent("..."), found "then"'],
  ['when present mcc~', '1:14+3 unexpected: expected "(", found "mcc"'],
  ['when (amount > 5~', '1:18+4 unexpected: expected ")", found "then"'],
  ['when amount > 5)~', '1:16+1 unexpected: expected "and", "or" or "then", found ")"'],
  ['when amount >~', '1:15+4 unexpected: expected a field, a number, a text or "(", found "then"'],
  ['when amount > (5~', '1:18+4 unexpected: expected ")", found "then"'],
  ['when and~', '1:6+3 unexpected: expected a field, a number, a text or "(", found "and"'],
  ['when amount > 5 then decline 00 reason "x"', '1:30+2 bad_response: 00 approves, and a rule can only decline'],
  [
    'when amount > 5 then decline 05 reason "x"',
    '1:30+2 bad_response: 05 says nothing: use the code of the reason, such as 59 (suspected fraud) or 57 (not permitted)',
  ],
  [
    'when amount > 5 then decline 91 reason "x"',
    '1:30+2 bad_response: 91 is the answer of the engine itself, which a peer acts upon',
  ],
  [
    'when amount > 5 then decline 5 reason "x"',
    '1:30+1 bad_response: a response code has two characters, digits or capital letters, such as 59',
  ],
  [
    'when amount > 5 then decline "n7" reason "x"',
    '1:30+4 bad_response: a response code has two characters, digits or capital letters, such as 59',
  ],
  [
    'when amount > 5 then decline 59 reason "Suspected fraud"',
    '1:40+17 bad_reason: a reason is a name of at most 40 small letters, digits and underscores, such as suspected_fraud',
  ],
  [
    'when amount > 5 then decline 59 reason ""',
    '1:40+2 bad_reason: a reason is a name of at most 40 small letters, digits and underscores, such as suspected_fraud',
  ],
  ['when amount > 5 then approve', '1:22+7 unexpected: expected "decline" (a rule never approves), found "approve"'],
];

describe('a text that is no rule is refused at its place, with what was expected', () => {
  test.each(refused)('%j', (text, expected) => {
    expect(refusal(text.replace(/~$/, ' then decline 59 reason "x"'))).toBe(expected);
  });

  test('the table meets every code that a text of this length can have', () => {
    const met = new Set(refused.map(([, expected]) => /^\S+ (\w+):/.exec(expected)![1]));
    const elsewhere = ['too_long', 'too_deep', 'list_too_long', 'too_costly', 'bad_json'];
    expect(ruleErrorCodes.filter((code) => !met.has(code))).toEqual(elsewhere);
  });

  test('is shown with its line and a mark', () => {
    const text = 'when amount > 5\n  and contry == "BR"\nthen decline 59 reason "x"';
    const read = parseRule(text);
    expect(read.ok ? '' : renderRuleError(text, read.error)).toBe(
      [
        '  and contry == "BR"',
        '      ^^^^^^',
        '2:7 unknown_field: there is no field contry (did you mean country?)',
      ].join('\n'),
    );
  });

  test('the place has an offset for editors', () => {
    const text = 'when\n\tamount > 5 and\n hour > 99 then decline 59 reason "x"';
    const read = parseRule(text);
    expect(!read.ok && read.error.at).toEqual({ line: 3, column: 9, offset: 29, length: 2 });
    expect(text.slice(29, 31)).toBe('99');
  });
});

const outcome = ' then decline 59 reason "x"';

describe('bounds', () => {
  test('of the text: the longest is read, one more is refused', () => {
    const padded = (length: number): string => `when hour > 3${outcome}`.padEnd(length, ' ');
    expect(refusal(padded(RULE_TEXT_LENGTH_MAX))).toBe('accepted');
    expect(refusal(padded(RULE_TEXT_LENGTH_MAX + 1))).toBe(
      `1:${RULE_TEXT_LENGTH_MAX + 1}+1 too_long: a rule has at most ${RULE_TEXT_LENGTH_MAX} characters`,
    );
  });

  test('of a list', () => {
    const list = (items: number): string => `when mcc in [${Array(items).fill('5411').join(',')}]${outcome}`;
    expect(refusal(list(RULE_LIST_MAX))).toBe('accepted');
    expect(refusal(list(RULE_LIST_MAX + 1))).toMatch(/^1:\d+\+4 list_too_long: a list has at most 500 items$/);
  });

  test.each([
    ['brackets', (levels: number) => `${'('.repeat(levels)}hour > 3${')'.repeat(levels)}`],
    ['negations', (levels: number) => `${'not '.repeat(levels)}partial_allowed`],
    ['signs', (levels: number) => `${'-'.repeat(levels)}hour > 3`],
    ['sums', (levels: number) => `hour > 3${' + hour'.repeat(levels)}`],
  ])('of nested %s', (_, nested) => {
    const refusals = [10, RULE_DEPTH_MAX + 1, 2000].map((levels) => refusal(`when ${nested(levels)}${outcome}`));
    expect(refusals[0]).toBe('accepted');
    for (const deep of refusals.slice(1)) {
      expect(deep).toMatch(/ too_deep: a rule nests at most 24 levels deep$/);
    }
  });

  test('of the cost', () => {
    const tests = (count: number): string => `when ${Array(count).fill('hour > 3').join(' and ')}${outcome}`;
    expect(refusal(tests(RULE_COST_MAX))).toBe('accepted');
    expect(refusal(tests(RULE_COST_MAX + 1))).toMatch(
      / too_costly: up to here the rule costs 257 units of at most 256: make it two rules$/,
    );
  });

  test.each([
    ['hour > 3', 1],
    ['hour + 1 > 3', 2],
    ['-hour * 2 > 3 + 4', 4],
    ['mcc in [1, 2, 3, 4000..5000]', 1],
    ['merchant == "A"', 6],
    ['merchant starts_with ["A", "B"]', 12],
    ['merchant_name contains ["A", "B"]', 64],
    ['merchant in ["A", "B", "C"]', 12],
    ['amount in [1, 5, 7..9]', 3],
    ['present(pin)', 1],
    ['true', 1],
    ['not (hour > 3 and (partial_allowed or hour < 2))', 3],
  ])('%s costs %i', (condition, cost) => {
    const read = parseRule(`when ${condition}${outcome}`);
    expect(read.ok && read.checked.cost).toBe(cost);
  });
});

describe('what a rule reads', () => {
  test('is listed once each, in the order of its mention', () => {
    const read = parseRule(
      `when spent("day") + amount > 5_00 and mcc in [5411] and amount < 9_00 and count("trailing 1h") > spent("day") % 2${outcome}`,
    );
    expect(read.ok).toBe(false);
    const again = parseRule(
      `when spent("day") + amount > 5_00 and mcc in [5411] and amount < spent("day") and count("trailing 1h") > 2${outcome}`,
    );
    expect(again.ok && [again.checked.fields, again.checked.windows]).toEqual([
      ['amount', 'mcc'],
      ['day', 'trailing 1h'],
    ]);
  });
});

describe('the schema', () => {
  test('without windows any name is taken, without decimals any number of them', () => {
    const text = `when count("whatever") > 1 and amount > 5_000${outcome}`;
    expect(parseRule(text).ok).toBe(true);
    expect(refusal(text)).toMatch(/ unknown_window: /);
  });

  test('an amount that is multiplied is one of the account as well', () => {
    expect(refusal(`when 5_00 * count("day") > spent("day")${outcome}`)).toBe('accepted');
    expect(refusal(`when 5_00 * count("day") > hour${outcome}`)).toMatch(/ do not mix$/);
    expect(refusal(`when 5_00 * count("day") > transaction_amount${outcome}`)).toMatch(/ do not mix$/);
    expect(refusal(`when 5_000 * count("day") > spent("day")${outcome}`)).toMatch(/ has 2 decimals, not 3/);
  });

  test('decimals of the account: yen have none, so no underscore fits', () => {
    const read = parseRule(`when amount > 5_00${outcome}`, { decimals: 0 });
    expect(!read.ok && read.error.message).toBe(
      "the account's currency has 0 decimals, not 2: amounts are in minor units",
    );
    expect(parseRule(`when transaction_amount > 5_00${outcome}`, { decimals: 0 }).ok).toBe(true);
  });

  test.each(['', 'x'.repeat(41), 'caf\u00e9'])('no window is called %j', (window) => {
    const tree = {
      when: { kind: 'compare', op: '>', left: { kind: 'count', window }, right: { kind: 'number', value: 1 } },
      outcome: { action: 'decline', response: '59', reason: 'x' },
    };
    const read = ruleFromJson(tree);
    expect(!read.ok && [read.error.code, read.error.at.pointer]).toEqual(['unknown_window', '/when/left/window']);
  });
});
