/**
 * The shapes of the API as zod schemas: what requests may say and what answers contain. OpenAPI is generated from them; a
 * schema with `meta({ id })` becomes a named component. Unknown properties of requests are refused.
 */
import { z } from 'zod';
import { ruleErrorCodes } from '../domain/rules/rule-error.js';
import { TOKEN_GRACE_SECONDS, TOKEN_GRACE_SECONDS_MAX, TOKEN_TTL_SECONDS_MAX } from '../limits.js';
import { maskPans } from '../pan-mask.js';
import { currencyOfCode } from './currencies.js';
import { jsonObject } from './json-body.js';
import { type ProblemCode, problems } from './problem.js';
import { roles } from './roles.js';
import { controls, controlsPatch, effectiveControls } from './schemas-controls.js';
import { programTables } from './schemas-programs.js';
import { scopes } from './tokens.js';

/** Largest amount of one movement: 12 digits, as DE4 has. */
const AMOUNT_MAX = 999_999_999_999;

export const amount = z.int().min(1).max(AMOUNT_MAX).describe('Minor units of the currency (cents of BRL, yen, fils).');
export const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'three capital letters')
  .refine((code) => currencyOfCode(code) !== undefined, 'no circulating ISO 4217 currency')
  .describe('ISO 4217 alphabetic code.')
  .meta({ examples: ['BRL'] });
/** Free text that is shown again must not become a place for card numbers. */
export function hasNoLongRun(text: string): boolean {
  return !/\d{13,}/.test(text) && maskPans(text) === text;
}
export const LONG_RUN = 'must not contain a run of 13 or more digits, which could be a card number';

/** Text of people, shown as it is. */
export function freeText(length: number) {
  return z.string().max(length).refine(hasNoLongRun, LONG_RUN);
}

/** Ids that a caller may choose; they stand in URLs, so they must not look like card numbers. */
export const chosenId = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, '1 to 64 characters of A-Z a-z 0-9 _ . -')
  .refine(hasNoLongRun, LONG_RUN);
/** A time in a query, as ms since 1970 UTC. */
export const instant = z.iso
  .datetime({ offset: true, error: 'an RFC 3339 date and time, such as 2026-01-31T12:00:00Z' })
  .transform((text) => Date.parse(text))
  .meta({ type: 'string', format: 'date-time', pattern: undefined });

export const timestamp = z.string().describe('RFC 3339, UTC.').meta({ format: 'date-time' });
const minor = z.int().describe('Minor units; may be negative.');

export const accountStatuses = ['open', 'frozen', 'closed'] as const;
export const accountTypes = ['credit', 'prepaid', 'debit'] as const;
/** Set and taken off by 0302. */
const networkListing = z
  .enum(['paused', 'expired'])
  .nullable()
  .describe('By which the network lists it (0302); only the network takes it off its list.');

export const cardStatuses = ['inactive', 'active', 'paused', 'lost', 'stolen', 'closed', 'expired'] as const;

const creditLimit = z.int().min(0).max(AMOUNT_MAX).describe('Minor units of the account currency.');

export const accountCreate = z
  .strictObject({
    id: chosenId.optional().describe('Your own id; one is made when absent.'),
    program: chosenId.optional().describe('Default: prog_sandbox.'),
    currency: currency.optional().describe('Default: the currency of the program.'),
    credit_limit: creditLimit.default(0),
    type: z.enum(accountTypes).optional().describe('Default: the product of the program.'),
    controls: controls.nullable().optional(),
  })
  .meta({ id: 'AccountCreate' });

export const accountUpdate = z
  .strictObject({
    credit_limit: creditLimit.optional(),
    status: z.enum(accountStatuses).optional(),
    controls: controlsPatch.optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'nothing to change')
  .meta({ id: 'AccountUpdate' });

const ownControls = controls.nullable().describe('As they were set, null without.');

export const account = z
  .object({
    object: z.literal('account'),
    id: z.string(),
    program: z.string(),
    currency: z.string(),
    credit_limit: z.int(),
    type: z.enum(accountTypes),
    status: z.enum(accountStatuses),
    balances: z.object({
      posted: minor.describe('What the cardholder owes; negative when in credit.'),
      held: z.int().describe('Sum of what remains on open holds.'),
      available: minor.describe('credit_limit - posted - held.'),
    }),
    controls: ownControls,
    effective_controls: effectiveControls.optional(),
    created_at: timestamp,
  })
  .meta({ id: 'Account' });

export const pan = z
  .string()
  .regex(/^\d{13,19}$/, '13 to 19 digits')
  .describe('Card number. Kept encrypted, never shown again.');
export const expiry = z
  .string()
  .regex(/^\d{2}(0[1-9]|1[0-2])$/, 'YYMM')
  .describe('YYMM.')
  .meta({ examples: ['2912'] });

const cardFields = {
  pan: pan.optional().describe('Without it a number is issued from the BIN of the program, and shown once.'),
  expiry,
  status: z.enum(['inactive', 'active', 'paused']).default('active'),
  sequence: z.int().min(0).max(999).default(0).describe('Card sequence number (DE23).'),
  service_code: z
    .string()
    .regex(/^\d{3}$/, 'three digits')
    .default('201'),
  controls: controls
    .nullable()
    .optional()
    .describe('Without them a replacement has those of the card that it replaces.'),
};

const keyIndex = z.int().min(0).max(9).default(1).describe('PVKI: which of the PVV keys of the program.');
/** What the issuer keeps instead of a PIN. */
const pinReference = z
  .union([
    z.strictObject({ pvv: z.string().regex(/^\d{4}$/, 'four digits'), key_index: keyIndex }),
    z.strictObject({ offset: z.string().regex(/^\d{4,12}$/, '4 to 12 digits') }),
  ])
  .describe('Reference value of the PIN: a PVV, or an offset of the IBM 3624 method. Kept sealed, never shown again.')
  .meta({ id: 'PinReference' });
export type PinReferenceBody = z.output<typeof pinReference>;

export const cardCreate = z
  .strictObject({
    account: chosenId,
    ...cardFields,
    pin: pinReference.optional(),
    replaces: z
      .string()
      .max(64)
      .optional()
      .describe(
        'Id of the card that this one replaces, of the same account. A card is replaced once; then its replacement is.',
      ),
  })
  .meta({ id: 'CardCreate' });

export const cardUpdate = z
  .strictObject({
    status: z.enum(cardStatuses).optional(),
    controls: controlsPatch.optional(),
    pin: pinReference.nullable().optional().describe('null takes it away. The count of failed PINs stays.'),
  })
  .refine((body) => Object.keys(body).length > 0, 'nothing to change')
  .meta({ id: 'CardUpdate' });

export const card = z
  .object({
    object: z.literal('card'),
    id: z.string(),
    account: z.string(),
    bin: z.string(),
    last4: z.string(),
    masked_pan: z.string(),
    expiry: z.string(),
    sequence: z.int(),
    service_code: z.string(),
    status: z
      .enum(cardStatuses)
      .describe('What decides: the one that was set, or of an active card the listing of the network.'),
    network_listing: networkListing,
    replaces: z.string().nullable(),
    controls: ownControls,
    effective_controls: effectiveControls.optional(),
    pin: z.object({
      set: z.boolean().describe('Whether there is a reference value that a PIN is compared with.'),
      tries_used: z.int().describe('Failed PINs since the last right one or unblocking.'),
      tries_left: z.int().describe('Of pin.tries of the program.'),
      blocked: z.boolean().describe('A message with a PIN is answered 75.'),
    }),
    created_at: timestamp,
    pan: z.string().optional().describe('Only in the first answer to a creation without `pan`.'),
    pan_available: z.boolean().optional().describe('Answers to a creation without `pan`: false when it is a repeat.'),
  })
  .meta({ id: 'Card' });

export const aliasCreate = z
  .strictObject({
    pan: cardFields.pan,
    expiry: expiry.optional().describe('YYMM. Default: that of the card.'),
    status: cardFields.status,
  })
  .meta({ id: 'AliasCreate' });

export const aliasUpdate = z.strictObject({ status: z.enum(cardStatuses) }).meta({ id: 'AliasUpdate' });

export const alias = z
  .object({
    object: z.literal('alias'),
    id: z.string(),
    card: z.string().describe('The card that the token stands for.'),
    account: z.string(),
    bin: z.string(),
    last4: z.string(),
    masked_pan: z.string(),
    expiry: z.string(),
    status: z.enum(cardStatuses).describe('Of the token alone; it is looked at before that of the card.'),
    network_listing: networkListing,
    created_at: timestamp,
    pan: z.string().optional().describe('Only in the first answer to a creation without `pan`.'),
    pan_available: z.boolean().optional().describe('Answers to a creation without `pan`: false when it is a repeat.'),
  })
  .meta({ id: 'Alias' });

/** One line of a bulk import. */
export const importRow = z
  .strictObject({
    account: z.strictObject({ ...accountCreate.shape }),
    card: z.strictObject(cardFields).optional(),
  })
  .meta({ id: 'ImportRow' });

export const importResult = z
  .object({
    object: z.literal('import'),
    rows: z.int(),
    accounts: z.int().describe('Accounts created.'),
    cards: z.int().describe('Cards created.'),
    rejected: z.int().describe('Rows of which at least one part was refused.'),
    rejects: z
      .array(z.object({ row: z.int(), line: z.int(), code: z.string(), detail: z.string() }))
      .describe('The first 1 000 refusals, by line (from 1). `row` is the same number.'),
    rejects_truncated: z.boolean(),
  })
  .meta({ id: 'ImportResult' });

const bin = z.string().regex(/^\d{6,8}$/, '6 to 8 digits');
const table = jsonObject.refine(
  (value) => maskPans(JSON.stringify(value)) === JSON.stringify(value),
  'must not contain a card number',
);
const programFields = {
  name: z.string().min(1).max(100).refine(hasNoLongRun, LONG_RUN),
  currency,
  product: z.enum(accountTypes),
  bins: z.array(bin).min(1).max(50),
  sandbox: z.boolean(),
  tables: table.describe('Those of ProgramTables that differ from the defaults: docs/reference/programs.md.'),
  controls: table.describe('Controls of each card or account that has none of its own: docs/reference/controls.md.'),
};

export const programCreate = z
  .strictObject({
    id: chosenId.optional(),
    ...programFields,
    name: programFields.name.optional(),
    product: programFields.product.default('credit'),
    sandbox: programFields.sandbox.default(false),
    tables: programFields.tables.default({}),
    controls: programFields.controls.default({}),
  })
  .meta({ id: 'ProgramCreate' });

export const programUpdate = z
  .strictObject({
    name: programFields.name,
    product: programFields.product,
    bins: programFields.bins,
    tables: programFields.tables
      .nullable()
      .describe('Tables that are named are replaced whole; null is the default again, for one table or for all.'),
    controls: programFields.controls
      .nullable()
      .describe('A JSON merge patch (RFC 7396): null takes a member away; null for `controls` takes all away.'),
  })
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'nothing to change')
  .meta({ id: 'ProgramUpdate' });

export const program = z
  .object({
    object: z.literal('program'),
    id: z.string(),
    revision: z.int().describe('From 1; rises with every change.'),
    ...programFields,
    effective_tables: programTables.describe(
      'What the shards decide with: the tables that were set, and the defaults of the others.',
    ),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Program' });

const ttl = z.int().min(1).max(TOKEN_TTL_SECONDS_MAX).describe('Seconds after which it expires; never when absent.');

export const tokenCreate = z
  .strictObject({
    name: z.string().min(1).max(100).refine(hasNoLongRun, LONG_RUN),
    role: z.enum(roles).optional().describe('What its holder does. Either this or `scopes`.'),
    scopes: z
      .array(z.enum(scopes))
      .min(1)
      .max(scopes.length)
      .refine((list) => new Set(list).size === list.length, 'every scope once')
      .optional(),
    ttl_seconds: ttl.optional(),
  })
  .refine(({ role, scopes: some }) => (role === undefined) !== (some === undefined), 'either role or scopes')
  .meta({ id: 'TokenCreate' });

export const tokenRotate = z
  .strictObject({
    grace_seconds: z
      .int()
      .min(0)
      .max(TOKEN_GRACE_SECONDS_MAX)
      .default(TOKEN_GRACE_SECONDS)
      .describe('How long the secret before is still taken.'),
    ttl_seconds: ttl.optional(),
  })
  .meta({ id: 'TokenRotate' });

export const token = z
  .object({
    object: z.literal('token'),
    id: z.string(),
    name: z.string(),
    role: z.enum(roles).nullable(),
    scopes: z.array(z.enum(scopes)).describe('Empty for a token with a role.'),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    earlier_secret_until: timestamp.nullable().describe('Until when the secret before the last rotation is taken.'),
    token: z.string().optional().describe('The secret, only in the first answer to its creation or rotation.'),
  })
  .meta({ id: 'Token' });

export const paymentCreate = z
  .strictObject({
    account: chosenId,
    amount,
    currency,
    reference: chosenId.describe('Unique per account.'),
  })
  .meta({ id: 'PaymentCreate' });

export const payment = z
  .object({
    object: z.literal('payment'),
    id: z.string(),
    account: z.string(),
    amount: z.int(),
    currency: z.string(),
    reference: z.string(),
    balance_after: z.int().nullable().describe('Posted balance after the payment.'),
  })
  .meta({ id: 'Payment' });

const LIMIT_DEFAULT = 10;
/** In a URL everything is text; the document says what it means. */
export const limit = z
  .string()
  .regex(/^\d{1,3}$/, 'a whole number from 1 to 100')
  .optional()
  .transform((text) => (text === undefined ? LIMIT_DEFAULT : Number(text)))
  .refine((value) => value >= 1 && value <= 100, 'a whole number from 1 to 100')
  .meta({ type: 'integer', minimum: 1, maximum: 100, default: LIMIT_DEFAULT, pattern: undefined });
export const cursors = {
  limit,
  starting_after: z.string().max(100).optional().describe('Go on behind this object (older).'),
  ending_before: z.string().max(100).optional().describe('Objects newer than this one.'),
};
export function listOf<S extends z.ZodType>(item: S, id: string) {
  return z
    .object({
      object: z.literal('list'),
      data: z.array(item),
      has_more: z.boolean(),
      next_cursor: z.string().nullable().optional().describe('Value for starting_after when the page ended early.'),
      dropped_before: timestamp
        .optional()
        .describe('The list ends here because the journal does: what was before this time was dropped.'),
    })
    .meta({ id });
}

/** A chargeback that no file of its network can tell of. */
export const leftOut = z.object({
  entry: z.string(),
  reason: z.enum(['no_reference', 'dropped', 'other_network', 'no_card', 'sandbox', 'not_writable']),
});

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]).describe('Stable: for programs.'),
    request_id: z.string(),
    param: z.string().optional().describe('JSON pointer into the body, or the name of a parameter or header.'),
    left_out: z
      .array(leftOut)
      .optional()
      .describe('Of nothing_to_send: the first 100 chargebacks that no file can tell of.'),
    errors: z
      .array(
        z.object({
          detail: z.string(),
          pointer: z.string(),
          code: z.enum(ruleErrorCodes).optional().describe('Of the text or the tree of a rule.'),
          line: z.int().optional().describe('In the text of a rule, from 1.'),
          column: z.int().optional().describe('From 1.'),
          offset: z.int().optional().describe('In UTF-16 units, from 0.'),
          length: z.int().optional(),
        }),
      )
      .optional(),
  })
  .meta({ id: 'Problem' });
