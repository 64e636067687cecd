/** Shapes of authorizations, their explanation, ledger entries and the trial balance. */
import { z } from 'zod';
import { snakeCase } from '../domain/code-names.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { authorizationStatuses } from './authorization-totals.js';
import { clearingFlags, clearingRungs, clearingTypes } from './clearing-object.js';
import { listOf, timestamp } from './schemas.js';
import { limitsExplained } from './schemas-controls.js';

const text = z.string().nullable();
const minor = z.int();

const postings = z
  .array(
    z.object({
      account: z.string(),
      name: z.string(),
      debit: minor,
      credit: minor,
      currency: z.string().optional().describe('Of an entry that may cross currencies.'),
      settlement: z
        .object({ network: z.int(), settlement_date: z.string(), cycle: z.int() })
        .optional()
        .describe('The settlement of a network that the leg belongs to.'),
    }),
  )
  .describe('Legs of the ledger entry; debits and credits are equal in each currency.');

/** Where a clearing record stands, and how it was matched. */
const clearingPlace = {
  file: z.string(),
  record: z.int(),
  matched_by: z.enum(clearingRungs),
  flags: z.array(z.enum(clearingFlags)),
  arn: text.describe("The acquirer's reference (DE31)."),
  related: text.describe('Id of the clearing record that it takes back, refunds or presents again.'),
};

export const clearing = z
  .object({
    object: z.literal('clearing'),
    id: z.string(),
    type: z.enum(clearingTypes),
    account: text.describe('Null when the card is unknown.'),
    card: text,
    token: text,
    authorization: text.describe('Null when it was matched with none: a force post, a refund of its own.'),
    ...clearingPlace,
    amount: minor.describe('What the cardholder was charged; negative: given. Without fees.'),
    currency: text,
    authorized_after: minor.describe('Authorized total of the authorization afterwards, what was cleared included.'),
    hold_change: minor,
    merchant_amount: minor,
    merchant_currency: z.string(),
    settlement_amount: minor.nullable(),
    settlement_currency: text,
    merchant: z.object({ name: text, id: text, terminal: text, mcc: text, country: text }),
    network: z.object({
      mti: z.string(),
      function_code: text,
      processing_code: z.string(),
      rrn: text,
      transaction_id: text,
      approval_code: text,
      acquirer: text,
    }),
    postings,
    created_at: timestamp,
  })
  .meta({ id: 'Clearing' });

export const element = z
  .object({
    object: z.literal('authorization_element'),
    id: z.string(),
    type: z
      .string()
      .describe(
        'authorization, refund_authorization, increment, replacement, advice, completion, reversal, not_delivered, expiry, clearing, clearing_reversal, refund, refund_reversal, verification, balance_inquiry, file_update, refused.',
      ),
    mti: text.describe('Null of what came without a message: not_delivered, expiry.'),
    amount: minor
      .nullable()
      .describe(
        'What the message names, in the currency of the account. Of a reversal of a known original, a roll-back and an expiry: what it took back.',
      ),
    hold_change: minor.describe('Change of the held amount, minor units.'),
    postings,
    response_code: text,
    decline_reason: text.describe('Of a decision rule its own reason.'),
    approval_code: text,
    advice_reason: text.describe(
      'DE48 tag 84 of an advice: stand_in_approved (S), stand_in_declined (D), completion (C).',
    ),
    card_status: text.describe('Status by which a file update lists the card; active: it is taken off the list.'),
    undoes: text.describe('Id of the element that a reversal or a roll-back takes back, in full or in part.'),
    rrn: text,
    stan: text,
    clearing: z
      .object(clearingPlace)
      .nullable()
      .describe('Of a clearing record: where it stands in its file, and how it was matched.'),
    created_at: timestamp,
  })
  .meta({ id: 'AuthorizationElement' });

export const authorization = z
  .object({
    object: z.literal('authorization'),
    id: z.string(),
    account: text,
    card: text,
    token: text.describe('Id of the network token (alias) whose number was used; null for the number of the card.'),
    type: z
      .string()
      .describe(
        'authorization, refund_authorization, verification, balance_inquiry, file_update, refused, or an advice or reversal without an original.',
      ),
    status: z
      .enum(authorizationStatuses)
      .describe(
        'completed: accepted, and nothing to hold or post (verification, inquiry, file update, an advice that changed nothing, a reversal without an original).',
      ),
    approved: z.boolean().describe('By us; or by the network, when an advice says that it approved what we had not.'),
    amount: minor.nullable().describe('What was asked for, in the currency of the account.'),
    approved_amount: minor.describe('What the first decision approved.'),
    currency: text,
    merchant_amount: minor.nullable(),
    merchant_currency: text,
    response_code: z.string().describe('DE39.'),
    decline_reason: text.describe('Of a decision rule its own reason.'),
    approval_code: text,
    hold: z.object({ remaining: minor, expires_at: timestamp }).nullable(),
    totals: z
      .object({
        authorized: minor.describe('Approved first.'),
        incremented: minor.describe('Added by increments, replacements and advices.'),
        reversed: minor.describe(
          'Taken back by reversals and roll-backs, or by replacements and advices that named less.',
        ),
        expired: minor.describe('Released at the end of the hold.'),
        cleared: minor.describe('Posted as a charge, less what was posted back.'),
        refunded: minor.describe('Posted as a credit, less what was posted back.'),
        held: minor,
      })
      .describe(
        'authorized + incremented - reversed - expired = held + cleared + refunded, plus what a refund authorization still announces.',
      ),
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
    element: z.string().describe('The message that is explained: the first element, or the one that was asked for.'),
    account: text,
    response_code: z.string(),
    decline_reason: text.describe('Of a decision rule its own reason.'),
    bad_field: text.describe('First missing or malformed field, such as DE49.'),
    bad_field_missing: z.boolean().nullable(),
    program_revision: z
      .int()
      .nullable()
      .describe('Revision of the program that decided; null: the defaults, or the decision did not get that far.'),
    verdicts: z
      .array(z.object({ order: z.int(), step: z.string(), verdict: z.string() }))
      .describe('Every step of the decision, in its order.'),
    cryptography: z
      .object({
        ...{ stripe: z.string(), cvv2: z.string(), pin: z.string(), cryptogram: z.string(), counter: z.string() },
        three_d_secure: z.string(),
        pin_tries_after: z.int().nullable().describe('Failed PINs afterwards; null: as before.'),
        counter_read: z.int().nullable().describe('Counter of the chip (ATC) with a cryptogram that was right.'),
        highest_counter_before: z.int().nullable(),
        device_wait_us: z
          .int()
          .nullable()
          .describe('How long answers of devices (HSM) were waited for; null: no device was asked, software decided.'),
        device_failure: text.describe(
          'Why a device gave no verdict: device_down, device_busy, timeout, device_error, ...',
        ),
      })
      .nullable()
      .describe('How each check ended; null when the program checked nothing that the message carried.'),
    ...limitsExplained,
    matched_rules: z
      .array(
        z.object({
          id: z.string(),
          version: z.int(),
          state: z.enum(['active', 'shadow']).describe('When the message was decided.'),
          decided: z.boolean().describe('It declined: the first active one that matched.'),
          response_code: text,
          reason: text,
        }),
      )
      .describe('In the order of their evaluation.'),
    balances: z.object({ currency: text, before: balances, after: balances }).nullable(),
    hold: z
      .object({ before: minor, after: minor, expires_at: timestamp.nullable().describe('Null: its end stays.') })
      .nullable()
      .describe('What was held for this authorization around the message.'),
    postings,
    carried: z.array(z.string()).describe('Sensitive data that the message carried; never stored.'),
    journal: z.object({
      position: z.string().describe('Opaque; `holdfast replay --until` takes it.'),
      recorded_at: timestamp,
    }),
    linked: z
      .array(element)
      .describe(
        'The other records of the authorization, oldest first; of a message whose reversal came first that reversal.',
      ),
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

export const entryTypes = [
  'payment',
  'single_message',
  'single_message_reversal',
  'roll_back',
  ...clearingTypes,
  ...Object.keys(EntryKind).map(snakeCase),
];

export const entry = z
  .object({
    object: z.literal('entry'),
    id: z.string(),
    account: text.describe('Null of an entry with a network: settlement, network_fee.'),
    type: z
      .enum(entryTypes)
      .describe(
        'single_message: posted by 0200 or 0220; single_message_reversal: posted back by 0400 or 0420; roll_back: posted back because the reply to 0200 was not delivered; clearing, refund, their reversals and second_presentment: posted by a clearing file.',
      ),
    amount: minor.describe('Change of the posted balance: positive when the cardholder owes more.'),
    currency: z.string(),
    balance_after: minor
      .nullable()
      .describe('Posted balance after this entry; null where the entry is read by itself.'),
    reference: text.describe(
      "Of a payment, and of an entry that no message made; of a clearing record the acquirer's.",
    ),
    date: text.describe('Day that an entry which no message made counts for.'),
    note: text,
    related: text.describe('Id of the entry that this one takes back or goes on from.'),
    source: z
      .object({ authorization: text, element: z.string(), mti: text, rrn: text, stan: text })
      .nullable()
      .describe('The message or clearing record that posted; null for anything else.'),
    postings,
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
            sub_accounts: z
              .array(
                z.object({
                  network: z.int().describe('Number of the network.'),
                  settlement_date: z.string(),
                  cycle: z.int(),
                  debit: turnover,
                  credit: turnover,
                  balance: turnover,
                }),
              )
              .describe('What of it belongs to one settlement of a network.'),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'TrialBalance' });
