/**
 * Lines of a scenario about clearing records:
 *
 *   clear a purchase 30000 net=N1          | posted networkId              |  30000 |     0 |  70000
 *
 * Card (`?` = a card we do not know), kind as of messages, DE4, then `key=value`: cur, bill=<DE6>/<DE51>, settle=<DE5>/<DE50>,
 * net=<DE63>, code=<DE38 or @line>, rrn, terminal, merchant, arn, mcc, day=<DE12, YYYY-MM-DD>, part (marked partial), seq=<n>/<m>,
 * back (reversal mark), cash=<DE54 type 40>, fn=<DE24>, fee=<amount>/<currency>[/<sign>],..., sub=<network>/<day>/<cycle>, file, rec. By default the billing and
 * settlement amounts are the amount itself, the file is F1 and the record the number of the line.
 *
 * The answer is the outcome, the rung and the flags. `posts <line>` asks for the legs, as `<account> <+ or -><amount>`, with
 * `/<currency>` where it is not 986 and `@<sub-account>` where there is one.
 */
import { ClearingFlag, MatchRung } from '#src/domain/clearing/codes.js';
import type { ClearingAnswer, ClearingInput } from '#src/domain/clearing/input.js';
import type { ClearingPosted, EntryLeg } from '#src/domain/events.js';
import { subAccount } from '#src/domain/ledger/sub-account.js';

export function clearingInput(over: Partial<ClearingInput> = {}): ClearingInput {
  return {
    record: 1,
    mti: 1240,
    functionCode: 200,
    processingCode: 0,
    amount: 0,
    currency: 986,
    settlementAmount: -1,
    settlementCurrency: -1,
    billingAmount: -1,
    billingCurrency: -1,
    network: 1,
    sub: 0,
    businessDay: -1,
    fees: [],
    mcc: -1,
    country: -1,
    localDay: -1,
    localSeconds: -1,
    partial: 0,
    sequence: 0,
    count: 0,
    reversal: 0,
    originalDay: -1,
    cashBack: -1,
    arn: '',
    networkId: '',
    rrn: '',
    approvalCode: '',
    acquirer: '',
    terminal: '',
    acceptor: '',
    acceptorName: '',
    ...over,
  };
}

/** The record that a line describes. @param codeOf approval code of the message on a line */
export function inputOfLine(
  words: readonly string[],
  options: ReadonlyMap<string, string>,
  line: number,
  processingCodes: Readonly<Record<string, number>>,
  codeOf: (line: string) => string,
): ClearingInput {
  const text = (key: string): string => options.get(key) ?? '';
  const number = (key: string, otherwise: number): number => Number(options.get(key) ?? otherwise);
  const pair = (key: string, amount: number, currency: number): [number, number] => {
    const [a, c] = text(key).split('/');
    return a === '' || a === undefined ? [amount, currency] : [Number(a), Number(c ?? currency)];
  };
  const amount = Number(words.find((word) => /^\d+$/.test(word)));
  const currency = number('cur', 986);
  const [billingAmount, billingCurrency] = pair('bill', amount, currency);
  const [settlementAmount, settlementCurrency] = pair('settle', billingAmount, billingCurrency);
  const [sequence, count] = pair('seq', 0, 0);
  const kind = words.find((word) => processingCodes[word] !== undefined) ?? 'purchase';
  const code = text('code');
  const [network, day, cycle] = text('sub').split('/').map(Number);
  const fees = text('fee')
    .split(',')
    .filter(Boolean)
    .map((fee) => {
      const [feeAmount = '0', feeCurrency = String(settlementCurrency), sign = '0'] = fee.split('/');
      return { amount: Number(feeAmount), currency: Number(feeCurrency), sign: Number(sign) };
    });
  return clearingInput({
    record: number('rec', line),
    functionCode: number('fn', 200),
    processingCode: processingCodes[kind]!,
    ...{
      amount,
      currency,
      billingAmount,
      billingCurrency,
      settlementAmount,
      settlementCurrency,
      sequence,
      count,
      fees,
    },
    sub: options.has('sub') ? subAccount({ network: network!, day: day!, cycle: cycle! }) : 0,
    mcc: number('mcc', -1),
    localDay: options.has('day') ? Date.parse(`${text('day')}T00:00:00Z`) / 86_400_000 : -1,
    partial: words.includes('part') ? 1 : 0,
    reversal: words.includes('back') ? 1 : 0,
    cashBack: number('cash', -1),
    arn: text('arn'),
    networkId: text('net'),
    rrn: text('rrn'),
    approvalCode: code.startsWith('@') ? codeOf(code.slice(1)) : code,
    terminal: text('terminal'),
    acceptor: text('merchant'),
  });
}

/** `posted networkId overCleared`. */
export function answerText({ outcome, rung, flags, field }: ClearingAnswer): string {
  if (field !== undefined) return `${outcome} ${field}`;
  const rungs = Object.entries(MatchRung).filter(([, value]) => value === rung);
  const bits = Object.entries(ClearingFlag).filter(([, bit]) => (flags & bit) !== 0);
  return [outcome, ...rungs.map(([name]) => name), ...bits.map(([name]) => name)].join(' ');
}

export function legsText({ legs }: Pick<ClearingPosted, 'legs'>): string {
  if (legs.length === 0) return 'none';
  return legs.map(legText).join(', ');
}

function legText({ glAccount, amount, currency, sub }: EntryLeg): string {
  const where = `${currency === 986 ? '' : `/${currency}`}${sub === 0 ? '' : `@${sub}`}`;
  return `${glAccount} ${amount < 0 ? '' : '+'}${amount}${where}`;
}
