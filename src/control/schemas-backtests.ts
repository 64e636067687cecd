/** Shapes of backtests. */
import { z } from 'zod';
import { differenceKinds } from './backtest-judge.js';
import { chosenId, instant, timestamp } from './schemas.js';
import { json, text, twoForms } from './schemas-rules.js';

/** What a result rests on; it stands in every answer. */
export const BASIS =
  'Each request is judged by itself, with the balances, the windows and the verdicts of the other rules of its record; ' +
  'nothing follows from a decision that differs. Where the controls of a card or an account have been set since, ' +
  'their windows count as absent (windows_unknown).';

export const backtestCreate = z
  .strictObject({
    since: instant,
    until: instant.describe('Does not belong to the period itself; at most now.'),
    account: chosenId.optional().describe('Only requests of this account.'),
    text: text.optional().describe('Tested in place of the text of the rule, which stays as it is.'),
    json: json.optional(),
  })
  .refine((body) => body.since < body.until, { message: 'must be later than since', path: ['until'] })
  .refine((body) => body.text === undefined || body.json === undefined, twoForms)
  .meta({ id: 'BacktestCreate' });

const difference = z.object({
  count: z.int(),
  amounts: z
    .array(z.object({ currency: z.string(), amount: z.string() }))
    .describe('What was asked for, minor units as decimal text.'),
});

export const backtest = z
  .object({
    object: z.literal('backtest'),
    rule: z.string(),
    number: z.int().describe('From 1 for every rule.'),
    version: z.int().describe('Version of the rule when it began.'),
    text: z.string().describe('What was tested.'),
    status: z.enum(['running', 'done', 'failed']),
    since: timestamp,
    until: timestamp,
    account: z.string().nullable(),
    progress: z.object({
      records: z.int().describe('Records of the period.'),
      read: z.int(),
      percent: z.int().min(0).max(100),
    }),
    result: z.object({
      evaluated: z.int().describe('Requests that came as far as the rules.'),
      would_decline: difference.describe('Approved then.'),
      would_no_longer_decline: difference.describe(
        'Declined by this rule then; whether the funds would have sufficed is not known.',
      ),
      would_decline_otherwise: difference.describe('Declined then and now, by another code or for another reason.'),
      windows_unknown: z.int().describe('Requests of which a window that the rule names counted as absent.'),
      decisions_listed: z.int(),
      decisions_left_out: z.int().describe('Counted, but not in the list, which is bounded.'),
    }),
    basis: z.string(),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'Backtest' });

const answer = z.object({
  response_code: z.string().nullable().describe('null: passes the rules; the later steps were not recorded.'),
  reason: z.string().nullable(),
});

export const backtestDecision = z
  .object({
    object: z.literal('backtest_decision'),
    id: z.string().describe('Of the element.'),
    authorization: z.string(),
    account: z.string(),
    kind: z.enum(differenceKinds),
    amount: z.int().nullable().describe("What was asked for, minor units of the account's currency."),
    currency: z.string(),
    before: answer,
    after: answer,
    created_at: timestamp.describe('Of the decision.'),
  })
  .meta({ id: 'BacktestDecision' });
