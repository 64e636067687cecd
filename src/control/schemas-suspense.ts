/** Shapes of clearing records in suspense. */
import { z } from 'zod';
import { NETWORK_MAX } from '../domain/ledger/sub-account.js';
import { clearingTypes } from './clearing-object.js';
import { amount, freeText, timestamp } from './schemas.js';

export const suspenseStatuses = ['open', 'resolving', 'resolved', 'offset'] as const;
export const suspenseTargets = ['card', 'loss', 'network'] as const;
const NOTE_LENGTH_MAX = 200;

export const suspenseResolve = z
  .strictObject({
    to: z.enum(suspenseTargets),
    card: z
      .string()
      .max(64)
      .optional()
      .describe('The card whose account it is posted to: needed for card, and only for it.'),
    amount: amount
      .optional()
      .describe('Of card: in the currency of its account, where the record names no amount in that.'),
    settlement: z
      .strictObject({
        network: z.int().min(1).max(NETWORK_MAX),
        settlement_date: z.iso.date().refine((date) => date >= '1970-01-02' && date <= '2149-06-06', 'out of range'),
        cycle: z.int().min(0).max(15).default(0),
      })
      .optional()
      .describe('Of network: in which settlement it takes it back; that of the record when absent.'),
    note: freeText(NOTE_LENGTH_MAX).optional(),
  })
  .refine(({ to, card }) => (card !== undefined) === (to === 'card'), {
    message: 'needed for a card, and only for one',
    path: ['card'],
  })
  .refine(({ to, amount: of }) => of === undefined || to === 'card', { message: 'only for a card', path: ['amount'] })
  .refine(({ to, settlement }) => settlement === undefined || to === 'network', {
    message: 'only for the network',
    path: ['settlement'],
  })
  .meta({ id: 'SuspenseResolve' });

export const suspenseItem = z
  .object({
    object: z.literal('suspense_item'),
    id: z.string(),
    status: z
      .enum(suspenseStatuses)
      .describe(
        'resolving: it goes to a card and is not posted there yet; resolve it again. offset: taken back in suspense.',
      ),
    type: z.enum(clearingTypes),
    reasons: z.array(z.string()).describe('Flags of the record.'),
    file: z.string(),
    record: z.int(),
    arn: z.string().nullable(),
    amount: z.int().describe('On 1390; below zero where the record gives something.'),
    currency: z.string(),
    merchant: z.string().nullable(),
    resolution: z
      .object({ to: z.enum(suspenseTargets), card: z.string().nullable(), note: z.string().nullable() })
      .nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'SuspenseItem' });
