/** Shapes of authorizations, their explanation, ledger entries and the trial balance. */
import { z } from 'zod';
import { authorizationStatuses } from './authorizations.js';
import { listOf, timestamp } from './schemas.js';
import { limitsExplained } from './schemas-controls.js';

const text = z.string().nullable();
const minor = z.int();

export const element = z
  .object({
    object: z.literal('authorization_element'),
    id: z.string(),
    type: z
      .string()
      .describe('authorization, verification, balance_inquiry, reversal, refused, not_delivered, expiry.'),
    mti: text,
    hold_change: minor.describe('Change of the held amount, minor units.'),
    response_code: text,
    rrn: text,
    stan: text,
    created_at: timestamp,
  })
  .meta({ id: 'AuthorizationElement' });

export const authorization = z
  .object({
    object: z.literal('authorization'),
    id: z.string(),
    account: text,
    card: text,
    type: z
      .string()
      .describe('authorization, verification, balance_inquiry, refused, or reversal: one without an original.'),
    status: z
      .enum(authorizationStatuses)
      .describe('completed: accepted without an amount to hold (verification, inquiry, reversal without an original).'),
    approved: z.boolean(),
    amount: minor.nullable().describe('What was asked for, in the currency of the account.'),
    approved_amount: minor,
    currency: text,
    merchant_amount: minor.nullable(),
    merchant_currency: text,
    response_code: z.string().describe('DE39.'),
    decline_reason: text,
    approval_code: text,
    hold: z.object({ remaining: minor, expires_at: timestamp }).nullable(),
    totals: z.object({
      authorized: minor,
      incremented: minor,
      reversed: minor,
      expired: minor,
      cleared: minor,
      refunded: minor,
      held: minor,
    }),
    merchant: z.object({ name: text, id: text, terminal: text, mcc: text, country: text }),
    network: z.object({
      mti: z.string(),
      processing_code: text,
      rrn: text,
      stan: text,
      transaction_id: text,
      acquirer: text,
      transmission: text.describe('DE7, MMDDhhmmss UTC.'),
      transmitted_at: timestamp.nullable().describe('DE7 in the year that puts it nearest to the decision.'),
      entry_mode: text,
    }),
    elements: z.array(element),
    created_at: timestamp,
  })
  .meta({ id: 'Authorization' });

export const authorizationList = listOf(authorization, 'AuthorizationList');

const balances = z.object({ credit_limit: minor, posted: minor, held: minor, available: minor });

export const explanationSchema = z
  .object({
    object: z.literal('explanation'),
    authorization: z.string(),
    account: text,
    response_code: z.string(),
    decline_reason: text,
    bad_field: text.describe('First missing or malformed field, such as DE49.'),
    bad_field_missing: z.boolean().nullable(),
    verdicts: z
      .array(z.object({ order: z.int(), step: z.string(), verdict: z.string() }))
      .describe('Every step of the decision, in its order.'),
    ...limitsExplained,
    balances: z.object({ currency: text, before: balances, after: balances }).nullable(),
    carried: z.array(z.string()).describe('Sensitive data that the message carried; never stored.'),
    journal: z.object({ position: z.string().describe('Opaque.'), recorded_at: timestamp }),
    linked: z.array(element),
    stage_times_us: z
      .object({
        queue: z.int().describe('Waiting for the shard.'),
        decode: z.int(),
        decide: z.int(),
        encode: z.int().describe('Writing the reply.'),
        journal: z.int().describe('The commit, which its whole batch shares.'),
      })
      .nullable(),
    stage_times_missing: z
      .enum(['not_sampled', 'not_kept'])
      .nullable()
      .describe('Why there are no stage times: no sample, or too old (also: before the last start of the shard).'),
  })
  .meta({ id: 'Explanation' });

export const entry = z
  .object({
    object: z.literal('entry'),
    id: z.string(),
    account: z.string(),
    type: z.string().describe('payment.'),
    amount: minor.describe('Change of the posted balance: positive when the cardholder owes more.'),
    currency: z.string(),
    balance_after: minor.describe('Posted balance after this entry.'),
    reference: text,
    postings: z.array(z.object({ account: z.string(), name: z.string(), debit: minor, credit: minor })),
    created_at: timestamp,
  })
  .meta({ id: 'Entry' });

export const entryList = listOf(entry, 'EntryList');

/** An integer of any size: zod's own ends at 2^53. */
const turnover = z
  .any()
  .meta({ type: 'integer', description: 'Minor units; may exceed 2^53, so read it as a big integer or as text.' });

export const trialBalance = z
  .object({
    object: z.literal('trial_balance'),
    balanced: z.boolean(),
    currencies: z.array(
      z.object({
        currency: z.string(),
        debits: turnover,
        credits: turnover,
        difference: minor.describe('Always 0.'),
        accounts: z.array(
          z.object({
            account: z.string(),
            name: z.string(),
            debit: turnover,
            credit: turnover,
            balance: turnover.describe('debit - credit.'),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'TrialBalance' });
