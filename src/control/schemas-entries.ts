/** Shapes of ledger entries that are posted on command, of settlements and of disputes. */
import { z } from 'zod';
import { disputeStatuses, disputeSteps, isSettledStep } from '../domain/ledger/dispute-steps.js';
import { NETWORK_MAX } from '../domain/ledger/sub-account.js';
import { SETTLEMENT_ROUNDING_MAX } from '../limits.js';
import { amount, chosenId, currency, freeText, listOf, timestamp } from './schemas.js';
import { entry } from './schemas-authorizations.js';

const NOTE_LENGTH_MAX = 200;
const reference = chosenId.describe('Unique per account and kind of entry.');
const note = freeText(NOTE_LENGTH_MAX).optional().describe('Shown with the entry.');
const ofAccount = { amount, currency, reference };
const signed = (what: string) =>
  z
    .int()
    .min(-999_999_999_999)
    .max(999_999_999_999)
    .refine((value) => value !== 0, 'must not be zero')
    .describe(`Minor units. ${what}`);

const settlement = {
  network: z.int().min(1).max(NETWORK_MAX).describe('Number of the network.'),
  settlement_date: z.iso.date().refine((date) => date >= '1970-01-02' && date <= '2149-06-06', 'out of range'),
  cycle: z.int().min(0).max(15).default(0),
};
const anySettlement = {
  ...settlement,
  network: settlement.network
    .optional()
    .describe('Number of the network. Without it and the date: what names no settlement, such as single messages.'),
  settlement_date: settlement.settlement_date.optional(),
};
interface NamedSettlement {
  readonly network?: number | undefined;
  readonly settlement_date?: string | undefined;
  readonly cycle: number;
}
const isNamedWhole = ({ network, settlement_date: date, cycle }: NamedSettlement): boolean =>
  network === undefined ? date === undefined && cycle === 0 : date !== undefined;
const namedWhole = {
  error: 'network and settlement_date go together, and a cycle with them',
  path: ['settlement_date'],
};
/** Of the account of a network: unique over the whole book. */
const bookReference = chosenId.describe('Unique per kind of entry.');

export const feeCreate = z.strictObject({ ...ofAccount, note }).meta({ id: 'FeeCreate' });
export const creditRefundCreate = z.strictObject(ofAccount).meta({ id: 'CreditBalanceRefundCreate' });
export const recoveryCreate = z.strictObject(ofAccount).meta({ id: 'RecoveryCreate' });
export const chargeOffCreate = z.strictObject({ reference, note }).meta({ id: 'ChargeOffCreate' });
export const waiver = z.strictObject({ note }).meta({ id: 'FeeWaiver' });
export const paymentReturn = z
  .strictObject({
    fee: z
      .int()
      .min(0)
      .max(999_999_999_999)
      .optional()
      .describe('Fee for the returned payment, 0 for none; that of the program (fees.returned_payment) when absent.'),
    note,
  })
  .meta({ id: 'PaymentReturn' });

export const paymentReturned = z
  .object({ object: z.literal('payment_return'), payment: z.string(), entry, fee: entry.nullable() })
  .meta({ id: 'ReturnedPayment' });

export const settlementCreate = z
  .strictObject({
    ...anySettlement,
    currency,
    amount: signed('Above zero we paid the network, below zero it paid us.'),
    rounding_limit: z
      .int()
      .min(0)
      .max(SETTLEMENT_ROUNDING_MAX)
      .default(0)
      .describe('A difference to what was owed up to this is posted to 5900; a larger one stays on the sub-account.'),
    reference: bookReference,
  })
  .refine(isNamedWhole, namedWhole)
  .meta({ id: 'SettlementCreate' });

export const settled = z
  .object({
    object: z.literal('settlement'),
    entry,
    remaining: z.int().describe('What is still owed to the network on the sub-account; 0: settled, else a break.'),
  })
  .meta({ id: 'Settlement' });

export const networkFeeCreate = z
  .strictObject({
    ...anySettlement,
    currency,
    amount: signed('Above zero the network takes it, below zero it gives it.'),
    reference: bookReference,
    note,
  })
  .refine(isNamedWhole, namedWhole)
  .meta({ id: 'NetworkFeeCreate' });

export const disputeCreate = z
  .strictObject({
    authorization: z.string().max(64).optional().describe('Id of the authorization that is disputed.'),
    entry: z.string().max(64).optional().describe('Or of the ledger entry that posted it.'),
    ...ofAccount,
    reason: freeText(NOTE_LENGTH_MAX).min(1),
  })
  .refine(({ authorization, entry: posted }) => (authorization === undefined) !== (posted === undefined), {
    message: 'name either an authorization or an entry',
    path: ['authorization'],
  })
  .meta({ id: 'DisputeCreate' });

export const disputeStep = z
  .strictObject({
    step: z.enum(Object.keys(disputeSteps) as [keyof typeof disputeSteps]),
    settlement: z
      .strictObject({ ...settlement, currency, amount, interchange: z.int().min(0).max(999_999_999_999).default(0) })
      .optional()
      .describe(
        'What the network settles: needed for chargeback, chargeback_reversal and second_presentment, and only for them.',
      ),
    amount: amount
      .optional()
      .describe(
        "Of a chargeback and a second_presentment: how much of the dispute, in the account's currency. All of it when absent.",
      ),
    reason_code: z
      .string()
      .regex(/^\d{4}$/, 'must be four digits')
      .optional()
      .describe('Why, as the network numbers it (DE25): needed for chargeback, and only for it.'),
    note,
  })
  .refine(({ step, settlement: of }) => (of !== undefined) === isSettledStep(step), {
    message: 'needed for what the network settles, and only for that',
    path: ['settlement'],
  })
  .refine(({ step, amount: part }) => part === undefined || step === 'chargeback' || step === 'second_presentment', {
    message: 'only for a chargeback and a second presentment',
    path: ['amount'],
  })
  .refine(({ step, reason_code: reason }) => (reason !== undefined) === (step === 'chargeback'), {
    message: 'needed for a chargeback, and only for it',
    path: ['reason_code'],
  })
  .meta({ id: 'DisputeStep' });

export const dispute = z
  .object({
    object: z.literal('dispute'),
    id: z.string(),
    account: z.string(),
    card: z.string().nullable(),
    authorization: z
      .string()
      .nullable()
      .describe('What is disputed, when that is an authorization that the journal still has.'),
    entry: z.string().nullable().describe('What is disputed, when that is an entry that the journal still has.'),
    status: z
      .enum(disputeStatuses)
      .describe('open: with the provisional credit. charged_back, presented_again: with the network or the merchant.'),
    amount: z.int(),
    currency: z.string(),
    reason: z.string().nullable(),
    reference: z.string(),
    entries: z.array(entry).describe('The provisional credit and the steps behind it, oldest first.'),
    created_at: timestamp,
  })
  .meta({ id: 'Dispute' });

export const disputeList = listOf(dispute, 'DisputeList');

export const accrualRun = z
  .strictObject({ date: settlement.settlement_date.describe('The day, by UTC; not after today.') })
  .meta({ id: 'AccrualRun' });

export const accrual = z
  .object({
    object: z.literal('accrual'),
    date: z.string(),
    done: z.boolean().describe('False: the time of a request is over before all accounts were done. Ask again.'),
    accounts: z.int().describe('Accounts looked at, once for each day that was caught up with.'),
    entries: z.int(),
    statements: z.int(),
  })
  .meta({ id: 'Accrual' });

const change = (what: string) => z.int().describe(`${what} Change of the posted balance.`);

export const statement = z
  .object({
    object: z.literal('statement'),
    id: z.string(),
    account: z.string(),
    currency: z.string(),
    date: z.string(),
    balance: z.int().describe('Posted balance; below zero the account is in credit.'),
    minimum_due: z.int(),
    due_date: z.string(),
    previous_balance: z.int(),
    payments: change('Payments, and payments that were returned.'),
    transactions: change('What messages posted and posted back.'),
    fees: change(
      'Fees and waivers on command and of the statement; a fee of a cash withdrawal is part of its transaction.',
    ),
    interest: change('Interest that was billed.'),
    adjustments: change('Disputes, refunds of the credit balance, charge-offs.'),
    created_at: timestamp,
  })
  .meta({ id: 'Statement' });

export const statementList = listOf(statement, 'StatementList');
