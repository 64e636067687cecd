/**
 * `holdfast simulate <kind>`: sends a message for a card of a sandbox program through a running server, and shows what became
 * of the authorization. The kinds are those of `POST /v1/simulate/<kind>`, whose server checks everything.
 */
import type { Command } from 'commander';
import { HoldfastError } from '../errors.js';
import { dialectNames } from '../iso8583/dialects.js';
import { maskJson } from '../pan-mask.js';
import { type ApiClient, addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction, wholeNumber } from './command.js';
import { collectField, oneOf } from './iso-message.js';
import { headline } from './response-names.js';
import { paint, type Terminal } from './terminal.js';

/** An option and the member of the body that it becomes; `merchant.name` is a member of `merchant`. */
interface Option {
  readonly flags: string;
  readonly text: string;
  readonly member: string;
  readonly parse?: (text: string, before: never) => unknown;
}

interface Kind {
  readonly name: string;
  readonly text: string;
  readonly examples: readonly string[];
  readonly options: readonly Option[];
}

const minorUnits = wholeNumber(0, 999_999_999_999);
const amount = (text: string): Option => ({
  flags: '--amount <minor units>',
  text: `DE4: ${text}`,
  member: 'amount',
  parse: minorUnits,
});
const card: readonly Option[] = [
  { flags: '--card <id>', text: 'card of the payment, or a network token of it', member: 'card' },
  { flags: '--account <id>', text: 'instead of --card: the newest card of this account', member: 'account' },
];
const authorization = (text: string): Option => ({
  flags: '--authorization <id>',
  text,
  member: 'authorization',
});
const billing: Option = {
  flags: '--billing-amount <minor units>',
  text: 'DE6, in the currency of the account, when DE49 is another one',
  member: 'billing_amount',
  parse: minorUnits,
};
const stan: Option = { flags: '--stan <number>', text: 'DE11, six digits (made)', member: 'stan' };
const networkId: Option = { flags: '--network-id <text>', text: 'DE63', member: 'network_id' };
const code: Option = {
  flags: '--approval-code <code>',
  text: "DE38, the network's code, six letters and digits (made)",
  member: 'approval_code',
};
const kindOf = (text: string): Option => ({ flags: '--kind <name>', text, member: 'kind' });

const asFile: Option = {
  flags: '--clearing',
  text: 'by a record of a clearing file instead of a message',
  member: 'clearing',
};

/** Of every message about a new payment. */
const payment: readonly Option[] = [
  { flags: '--currency <code>', text: 'DE49, such as USD (that of the account)', member: 'currency' },
  billing,
  { flags: '--mcc <code>', text: 'DE18 (5999)', member: 'mcc' },
  { flags: '--merchant-id <text>', text: 'DE42', member: 'merchant.id' },
  { flags: '--merchant-name <text>', text: 'DE43', member: 'merchant.name' },
  { flags: '--terminal <id>', text: 'DE41', member: 'merchant.terminal' },
  { flags: '--country <numeric>', text: 'DE19, ISO 3166 numeric (076)', member: 'country' },
  { flags: '--entry-mode <code>', text: 'DE22 (051)', member: 'entry_mode' },
  { flags: '--acquirer <id>', text: 'DE32 (999999)', member: 'acquirer' },
  { flags: '--expiry <YYMM>', text: 'DE14 (that of the card)', member: 'expiry' },
  networkId,
  stan,
  { flags: '--rrn <text>', text: 'DE37, 12 letters and digits (made)', member: 'rrn' },
];

const kinds: readonly Kind[] = [
  {
    name: 'authorization',
    text: 'an authorization request (0100, or 0200 with --single-message)',
    examples: [
      'simulate authorization --account demo-0001 --amount 12000 --mcc 7011 --estimated',
      'simulate authorization --account demo-0001 --amount 5000 --single-message --cash-back 2000',
    ],
    options: [
      ...card,
      amount('what is asked for, cash back included'),
      kindOf('purchase, cash, account_funding, quasi_cash, balance_inquiry or verification (purchase)'),
      { flags: '--single-message', text: 'send 0200: an approval posts at once', member: 'single_message' },
      {
        ...{ flags: '--cash-back <minor units>', text: 'cash part of the purchase', member: 'cash_back' },
        parse: minorUnits,
      },
      { flags: '--estimated', text: 'the amount is an estimate (DE48 tag 20 = E)', member: 'estimated' },
      { flags: '--partial', text: 'the terminal takes partial approvals', member: 'partial_approval' },
      ...payment,
    ],
  },
  {
    name: 'increment',
    text: 'add to an authorization (0100 with DE48 tag 20 = I), or name its new total (R)',
    examples: [
      'simulate increment --authorization auth_4w7k... --amount 2500',
      'simulate increment --authorization auth_4w7k... --amount 9000 --replace',
    ],
    options: [
      authorization('the authorization'),
      amount('what comes on top, or with --replace the new total'),
      billing,
      { flags: '--replace', text: 'send a replacement', member: 'replace' },
      networkId,
      stan,
    ],
  },
  {
    name: 'advice',
    text: 'tell what the network decided for us, or the final amount (0120, or 0220 with --financial)',
    examples: [
      'simulate advice --authorization auth_4w7k... --amount 4750 --reason completion',
      'simulate advice --account demo-0001 --amount 900000 --reason stand_in_approved --json',
    ],
    options: [
      ...card,
      authorization('the payment that it is about, when we know it'),
      amount('what the network approved or declined, or the final amount'),
      { flags: '--reason <name>', text: 'stand_in_approved, stand_in_declined or completion', member: 'reason' },
      { flags: '--financial', text: 'send 0220, which posts', member: 'financial' },
      code,
      ...payment,
    ],
  },
  {
    name: 'refund',
    text: 'credit a card (0200), or announce that it will be (0100 with --announce)',
    examples: [
      'simulate refund --account demo-0001 --amount 3000',
      'simulate refund --authorization auth_4w7k... --amount 3000',
    ],
    options: [
      ...card,
      authorization('an announced refund: it is posted, by 0220'),
      amount('what is credited'),
      kindOf('refund, credit or payment_credit (refund)'),
      asFile,
      { flags: '--announce', text: 'only announce it: nothing moves until it is posted', member: 'announce' },
      ...payment,
    ],
  },
  {
    name: 'force-post',
    text: 'post a payment that nobody asked us about (0220)',
    examples: ['simulate force-post --account demo-0001 --amount 1250'],
    options: [
      ...card,
      amount('what is posted'),
      kindOf('purchase, cash, account_funding or quasi_cash (purchase)'),
      asFile,
      code,
      ...payment,
    ],
  },
  {
    name: 'clearing',
    text: 'clear a payment as a record of a clearing file would, or take its last clearing back',
    examples: [
      'simulate clearing --authorization auth_4w7k... --amount 4750',
      'simulate clearing --authorization auth_4w7k... --reversal',
      'simulate clearing --account demo-0001 --amount 1250 --network-id MCC000000000001',
    ],
    options: [
      ...card,
      authorization('the payment that it is about, when we know it'),
      amount('what is cleared'),
      kindOf('purchase, cash or refund (purchase)'),
      { flags: '--reversal', text: 'take the newest clearing of the authorization back', member: 'reversal' },
      { flags: '--partial', text: 'one of several clearings, and not the last', member: 'partial' },
      { flags: '--arn <digits>', text: 'DE31, 23 digits (made)', member: 'arn' },
      {
        ...{ flags: '--interchange <minor units>', text: 'a fee of the network (PDS0146)', member: 'interchange' },
        parse: minorUnits,
      },
      {
        ...{ flags: '--settlement-amount <minor units>', text: 'DE5 (as billed)', member: 'settlement.amount' },
        parse: minorUnits,
      },
      { flags: '--settlement-currency <code>', text: 'DE50, such as USD', member: 'settlement.currency' },
      code,
      ...payment,
    ],
  },
  {
    name: 'reversal',
    text: 'reverse an authorization, or one element of it, in full or down to an amount (0400, 0420)',
    examples: [
      'simulate reversal --authorization auth_4w7k...',
      'simulate reversal --authorization auth_4w7k... --remaining 1000 --advice',
    ],
    options: [
      authorization('an authorization, or an element such as an increment'),
      {
        ...{ flags: '--remaining <minor units>', text: 'what stays authorized (DE95)', member: 'remaining' },
        parse: minorUnits,
      },
      { flags: '--advice', text: 'send 0420 instead of 0400', member: 'advice' },
      stan,
    ],
  },
  {
    name: 'expire',
    text: 'end the hold of an authorization now; the network is not told',
    examples: ['simulate expire --authorization auth_4w7k...'],
    options: [authorization('the authorization')],
  },
  {
    name: 'network-message',
    text: 'any message, field by field; nothing is added but the number of the card, if one is named',
    examples: [
      'simulate network-message --account demo-0001 --field 0=0302 --field 7=1123120000 --field 11=1 --field 91=1',
      'simulate network-message --field 0=0800 --field 7=1123120000 --field 11=2 --field 70=301',
    ],
    options: [
      ...card,
      {
        ...{ flags: '--dialect <name>', text: `${dialectNames.join(', ')} (iso87-bcd)`, member: 'dialect' },
        parse: oneOf(dialectNames),
      },
      {
        flags: '--field <N=V>',
        text: 'a field, 0 is the MTI; `hex:` before binary values; repeatable',
        member: 'fields',
        parse: collectField,
      },
    ],
  },
];

export function addSimulate(program: Command, run: Run): void {
  const simulate = newCommand(
    program,
    'simulate',
    'send a message for a card of a sandbox program, on the path of the wire',
    [
      'simulate authorization --account demo-0001 --amount 1234',
      'simulate reversal --authorization auth_4w7k... --json',
    ],
  );
  for (const kind of kinds) addKind(simulate, kind, run);
}

function addKind(simulate: Command, kind: Kind, run: Run): void {
  const command = newCommand(simulate, kind.name, kind.text, kind.examples).option('--json', 'the answer of the API');
  for (const { flags, text, parse } of kind.options) {
    if (parse === undefined) command.option(flags, text);
    else command.option(flags, text, parse as (text: string, before: unknown) => unknown);
  }
  command.option('--idempotency-key <key>', 'a repeat with the same key sends nothing and answers the same');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const client = apiClient(options, run.terminal);
    const body = await bodyOf(client, kind, options);
    const path = `/v1/simulate/${kind.name.replaceAll('-', '_')}`;
    const key = options.idempotencyKey as string | undefined;
    const answer = await client.post(path, body, key === undefined ? {} : { headers: { 'idempotency-key': key } });
    if (options.json === true) run.terminal.out(JSON.stringify(maskJson(answer)));
    else tell(answer, run.terminal);
    return undefined;
  });
}

/** The body that the options describe. @throws HoldfastError `usage`, and those of the API */
async function bodyOf(client: ApiClient, kind: Kind, options: Json): Promise<Json> {
  const body: Json = {};
  for (const { flags, member } of kind.options) {
    const value = options[optionName(flags)];
    if (value === undefined) continue;
    const [outer, inner] = member.split('.') as [string, string | undefined];
    if (inner === undefined) body[outer] = value;
    else body[outer] = { ...(body[outer] as Json | undefined), [inner]: value };
  }
  const { account, ...rest } = body;
  if (account === undefined) return rest;
  if (rest.card !== undefined) throw new HoldfastError('usage', 'two cards', 'give --card or --account, not both');
  const cards = await client.get(`/v1/cards?limit=1&account=${encodeURIComponent(String(account))}`);
  const [newest] = cards.data as { id: string }[];
  if (newest === undefined)
    throw new HoldfastError('not_found', `account ${String(account)} has no card`, 'check the id');
  return { ...rest, card: newest.id };
}

/** `--billing-amount <minor units>` is `billingAmount`. */
function optionName(flags: string): string {
  return flags
    .split(' ')[0]!
    .slice(2)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

interface Answer {
  authorization: (Json & { id: string; status: string; totals: Json; elements: Json[] }) | null;
  element: string | null;
  outcome?: 'posted' | 'duplicate';
  clearing?: (Json & { id: string; type: string; amount: number; matched_by: string; flags: string[] }) | null;
  /** Null of an expiry and of a clearing record, which are no messages. */
  iso: { reply: { decoded: { mti: string; fields: { field: number; value: string }[] } } } | null;
}

const elementKeys = ['type', 'amount', 'hold_change', 'response_code', 'decline_reason'];

/** The reply in words, the authorization, and the element that the message became. */
function tell(answer: Json, terminal: Terminal): void {
  const { authorization: shown, element, iso, clearing, outcome } = answer as unknown as Answer;
  if (iso !== null) {
    const { mti, fields } = iso.reply.decoded;
    const reply = Object.fromEntries(fields.map(({ field, value }) => [field, value]));
    const good = ['00', '10', '85'].includes(reply[39] ?? '');
    terminal.out(paint(terminal, good ? 'green' : 'red', headline({ ...reply, 0: mti })));
  }
  if (outcome === 'duplicate')
    terminal.out(paint(terminal, 'red', `duplicate of ${String(element)}: nothing was posted`));
  else if (clearing !== null && clearing !== undefined) {
    const { id, type, amount, matched_by, flags } = clearing;
    const flagged = flags.length === 0 ? '' : ` flags=${flags.join(',')}`;
    terminal.out(paint(terminal, 'green', `${type} ${id} amount=${amount} matched_by=${matched_by}${flagged}`));
  }
  if (shown === null) return;
  terminal.out(`authorization ${shown.id} status=${shown.status} ${pairs(shown.totals, Object.keys(shown.totals))}`);
  const own = shown.elements.find(({ id }) => id === element);
  if (own !== undefined) terminal.out(`element ${String(element)} ${pairs(own, elementKeys)}`);
}

function pairs(object: Json, keys: readonly string[]): string {
  return keys
    .filter((key) => object[key] !== null && object[key] !== undefined)
    .map((key) => `${key}=${String(object[key])}`)
    .join(' ');
}
