/** Bodies and answer of the simulator. */
import { z } from 'zod';
import { dialectNames } from '../iso8583/dialects.js';
import * as schemas from './schemas.js';
import { authorization, clearing } from './schemas-authorizations.js';

const printable = (most: number) =>
  z.string().regex(new RegExp(`^[\\x20-\\x7e]{1,${most}}$`), `1 to ${most} printable characters`);
const digits = (least: number, most: number) =>
  z
    .string()
    .regex(new RegExp(`^\\d{${least},${most}}$`), least === most ? `${most} digits` : `${least} to ${most} digits`);

const AMOUNT_MAX = 999_999_999_999;
const card = z.string().max(64).describe('Id of a card, or of a network token: its number is sent.');
const authorizationId = z.string().max(64);
const stan = digits(6, 6).optional().describe('DE11. Made when absent.');
const networkId = printable(15).optional().describe('DE63.');
const approvalCode = z
  .string()
  .regex(/^[A-Za-z0-9]{6}$/, '6 letters and digits')
  .optional()
  .describe("DE38, the network's code. Made when absent.");

/** What a message about a new payment says of it. */
const transaction = {
  currency: schemas.currency.optional().describe('DE49. Default: the currency of the account.'),
  billing_amount: schemas.amount.optional().describe('DE6, in the currency of the account, when DE49 is another one.'),
  mcc: digits(4, 4).default('5999'),
  merchant: z
    .strictObject({ id: printable(15).optional(), name: printable(40).optional(), terminal: printable(8).optional() })
    .default({}),
  country: digits(3, 3).default('076').describe('DE19, ISO 3166 numeric.'),
  entry_mode: digits(3, 3).default('051').describe('DE22.'),
  acquirer: digits(1, 11).default('999999').describe('DE32.'),
  expiry: schemas.expiry.optional().describe('DE14. Default: that of the card or token.'),
  network_id: networkId,
  stan,
  rrn: z
    .string()
    .regex(/^[A-Za-z0-9]{12}$/, '12 letters and digits')
    .optional()
    .describe('DE37. Made when absent.'),
};
export type Transaction = z.output<z.ZodObject<typeof transaction>>;

/** A message about a new payment of a card, or about one that is known. */
const subject = {
  card: card.optional().describe('Card of a payment that we do not know yet.'),
  authorization: authorizationId
    .optional()
    .describe('The payment it belongs to: merchant, currency and references are taken from it, not from this body.'),
};

function namesOne({ card, authorization }: { card?: string | undefined; authorization?: string | undefined }): boolean {
  return (card === undefined) !== (authorization === undefined);
}
const oneSubject = { error: 'either card or authorization', path: ['card'] };

export const simulateAuthorization = z
  .strictObject({
    card,
    amount: z.int().min(0).max(AMOUNT_MAX).describe('DE4, minor units of `currency`; with cash back included.'),
    kind: z
      .enum(['purchase', 'cash', 'account_funding', 'quasi_cash', 'balance_inquiry', 'verification'])
      .default('purchase'),
    cash_back: schemas.amount.optional().describe('Cash part of a purchase (DE3 09, DE54 amount type 40).'),
    single_message: z.boolean().default(false).describe('Send 0200: an approval posts at once.'),
    estimated: z.boolean().default(false).describe('The amount is an estimate (DE48 tag 20 = E).'),
    partial_approval: z.boolean().default(false).describe('The terminal takes partial approvals (DE48 tag 61).'),
    ...transaction,
  })
  .refine((body) => body.cash_back === undefined || body.kind === 'purchase', {
    error: 'cash back belongs to a purchase',
    path: ['cash_back'],
  })
  .meta({ id: 'SimulateAuthorization' });

export const simulateIncrement = z
  .strictObject({
    authorization: authorizationId,
    amount: schemas.amount.describe(
      'What comes on top; with `replace` the new total. In the currency of the merchant.',
    ),
    billing_amount: schemas.amount
      .optional()
      .describe('The same in the currency of the account, when it is another. Default: at the rate of the original.'),
    replace: z.boolean().default(false).describe('Send a replacement (DE48 tag 20 = R) instead of an increment (I).'),
    network_id: networkId,
    stan,
  })
  .meta({ id: 'SimulateIncrement' });

export const adviceReasons = { stand_in_approved: 'S', stand_in_declined: 'D', completion: 'C' } as const;

export const simulateAdvice = z
  .strictObject({
    ...subject,
    amount: z.int().min(0).max(AMOUNT_MAX).describe('DE4, in the currency of the merchant.'),
    reason: z.enum(Object.keys(adviceReasons) as (keyof typeof adviceReasons)[]).describe('DE48 tag 84.'),
    financial: z.boolean().default(false).describe('Send 0220, which posts, instead of 0120.'),
    approval_code: approvalCode,
    ...transaction,
  })
  .refine(namesOne, oneSubject)
  .meta({ id: 'SimulateAdvice' });

const asFile = z
  .boolean()
  .default(false)
  .describe('By a record of a clearing file (as `simulate/clearing`) instead of a message.');

export const refundKinds = { refund: '20', credit: '26', payment_credit: '28' } as const;

export const simulateRefund = z
  .strictObject({
    ...subject,
    authorization: authorizationId
      .optional()
      .describe('An announced refund (type refund_authorization): it is posted, by 0220.'),
    amount: schemas.amount.describe('DE4, in the currency of the merchant.'),
    kind: z
      .enum(Object.keys(refundKinds) as (keyof typeof refundKinds)[])
      .default('refund')
      .describe('DE3.'),
    clearing: asFile,
    announce: z
      .boolean()
      .default(false)
      .describe('Only announce it (0100): nothing moves until it is posted. Otherwise a 0200 posts it at once.'),
    ...transaction,
  })
  .refine(namesOne, oneSubject)
  .meta({ id: 'SimulateRefund' });

const clearingFields = {
  settlement: z
    .strictObject({ amount: schemas.amount, currency: schemas.currency })
    .optional()
    .describe('DE5 and DE50. Default: as billed.'),
  interchange: z.int().min(0).max(AMOUNT_MAX).optional().describe('A fee (PDS0146) in the currency of the settlement.'),
  arn: digits(23, 23).optional().describe('DE31. Made when absent.'),
  partial: z.boolean().default(false).describe('One of several clearings, and not the last (DE25 1403).'),
  sequence: z
    .strictObject({ number: z.int().min(1).max(99), of: z.int().min(1).max(99) })
    .optional()
    .describe('Which of how many clearings.'),
};

export const clearingKinds = { purchase: 0, cash: 1, refund: 20 } as const;

export const simulateClearing = z
  .strictObject({
    ...subject,
    amount: schemas.amount.optional().describe('DE4, in the currency of the merchant. Not of a `reversal`.'),
    kind: z
      .enum(Object.keys(clearingKinds) as (keyof typeof clearingKinds)[])
      .default('purchase')
      .describe('Of a payment that we do not know.'),
    reversal: z
      .boolean()
      .default(false)
      .describe('Take back the newest clearing record of `authorization` (PDS0025); nothing else is looked at.'),
    approval_code: approvalCode,
    ...clearingFields,
    ...transaction,
  })
  .refine(namesOne, oneSubject)
  .refine((body) => (body.amount === undefined) === body.reversal, {
    error: 'either amount or reversal',
    path: ['amount'],
  })
  .refine((body) => !body.reversal || body.authorization !== undefined, {
    error: 'a reversal names the authorization',
    path: ['reversal'],
  })
  .meta({ id: 'SimulateClearing' });
export type ClearingBody = z.output<typeof simulateClearing> & { amount: number };

export const simulateForcePost = z
  .strictObject({
    card,
    amount: schemas.amount.describe('DE4, minor units of `currency`.'),
    kind: z.enum(['purchase', 'cash', 'account_funding', 'quasi_cash']).default('purchase'),
    clearing: asFile,
    approval_code: approvalCode,
    ...transaction,
  })
  .meta({ id: 'SimulateForcePost' });

export const simulateReversal = z
  .strictObject({
    authorization: authorizationId.describe('An authorization, or an element of it, such as an increment.'),
    remaining: z
      .int()
      .min(0)
      .max(AMOUNT_MAX)
      .optional()
      .describe('What stays authorized (DE95), in the currency of the merchant. Absent: everything is reversed.'),
    advice: z.boolean().default(false).describe('Send 0420 instead of 0400.'),
    stan,
  })
  .meta({ id: 'SimulateReversal' });

export const simulateNetworkMessage = z
  .strictObject({
    card: card
      .optional()
      .describe(
        'Its number becomes DE2, which `fields` then leave out. Not of 0800, 0500 and 0520, which the listener answers.',
      ),
    dialect: z.enum(dialectNames).default('iso87-bcd'),
    fields: z
      .record(z.string().regex(/^(0|[1-9]\d{0,2})$/, 'a field number'), z.string().max(999))
      .describe(
        'By field number; 0 is the MTI. Fixed text with its spaces, binary fields as `hex:` and digits. The message is sent as it is: nothing is added.',
      ),
  })
  .meta({ id: 'SimulateNetworkMessage', examples: [{ card: 'card_...', fields: { 0: '0302', 91: '1', 127: '41' } }] });

const isoMessage = z
  .object({
    dialect: z.string(),
    hex: z.string().describe('The bytes. The middle digits of card numbers, and all that is secret, are zeros.'),
    decoded: z.record(z.string(), z.unknown()).describe('Masked, field by field.'),
  })
  .meta({ id: 'IsoMessage' });

export const simulation = z
  .object({
    object: z.literal('simulation'),
    authorization: authorization
      .nullable()
      .describe(
        'As it is after the message. Null when nothing was recorded (an answer 91 or 96), and of a message that the listener answers (0800, 0500, 0520).',
      ),
    element: z.string().nullable().describe('Id of the element that the message or record became.'),
    outcome: z
      .enum(['posted', 'duplicate'])
      .optional()
      .describe('Of a clearing record. duplicate: it was posted before, by another record or by a message.'),
    clearing: clearing.nullable().optional().describe('The clearing record.'),
    iso: z
      .object({ request: isoMessage, reply: isoMessage })
      .nullable()
      .describe('Null of an expiry, of which the network knows nothing, and of a clearing record.'),
  })
  .meta({ id: 'Simulation' });
