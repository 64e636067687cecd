/** Shapes of events. */
import { z } from 'zod';
import { WEBHOOK_DEAD_LETTERS_MAX, WEBHOOK_URL_LENGTH_MAX } from '../limits.js';
import { eventTypes } from './events/event-types.js';
import { chosenId, freeText, timestamp } from './schemas.js';

export const event = z
  .object({
    object: z.literal('event'),
    id: z.string().describe('Of the record: the same whenever and however the event is read.'),
    type: z.enum(eventTypes),
    account: z.string().nullable().describe('Null: the message found no account.'),
    card: z.string().nullable(),
    sequence: z.int().describe('Rises with every event of an account; not without gaps.'),
    created_at: timestamp,
    data: z
      .record(z.string(), z.unknown())
      .describe(
        'What the record says: an authorization, an element of one, a payment, an account, a card or controls.',
      ),
  })
  .meta({ id: 'Event' });

export const eventList = z
  .object({
    object: z.literal('list'),
    data: z.array(event),
    has_more: z.boolean(),
    next_cursor: z.string().describe('Value for the next `after`, also when nothing was found.'),
  })
  .meta({ id: 'EventList' });

const wanted = z
  .array(z.enum(['*', ...eventTypes]))
  .min(1)
  .max(eventTypes.length)
  .refine((list) => new Set(list).size === list.length, 'every type once')
  .describe('Types of events, or `*` for all.');

const webhookFields = {
  url: z.string().min(1).max(WEBHOOK_URL_LENGTH_MAX).describe('https, to a public address.'),
  events: wanted,
  enabled: z.boolean(),
  description: freeText(200),
};

const place = z
  .string()
  .min(1)
  .max(4000)
  .describe('A cursor of the feed, `now`, or `beginning`: what comes behind it is delivered.');

export const webhookCreate = z
  .strictObject({
    url: webhookFields.url,
    events: webhookFields.events.default(['*']),
    account: chosenId.optional().describe('Only events of this account.'),
    enabled: webhookFields.enabled.default(true),
    description: webhookFields.description.optional(),
    after: place.default('now'),
  })
  .meta({ id: 'WebhookCreate' });

export const webhookUpdate = z
  .strictObject(webhookFields)
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'nothing to change')
  .meta({ id: 'WebhookUpdate' });

export const secretRotation = z
  .strictObject({
    overlap_hours: z.int().min(0).max(168).default(24).describe('How long the present secret stays valid.'),
  })
  .meta({ id: 'SecretRotation' });

const text = z.string().nullable();

export const webhook = z
  .object({
    object: z.literal('webhook'),
    id: z.string(),
    url: z.string(),
    events: z.array(z.string()),
    account: text,
    description: z.string(),
    enabled: z.boolean(),
    disabled_reason: z
      .enum(['request', 'failing', 'gone'])
      .nullable()
      .describe('failing: nothing was delivered for days; gone: the receiver answered 410.'),
    old_secret_valid_until: timestamp.nullable().describe('Until then deliveries have a signature of each secret.'),
    deliveries: z.object({
      lag_records: z.int().describe('Durable records that were not looked at for it yet.'),
      waiting: z.int().describe('Events that wait for another attempt, or behind one of their account.'),
      dead_letters: z.int(),
      failing_since: timestamp.nullable(),
      paused_until: timestamp.nullable().describe('It failed again and again and is left alone until then.'),
      last_status: z.int().nullable(),
      last_error: text,
    }),
    created_at: timestamp,
    updated_at: timestamp,
    secret: z.string().optional().describe('`whsec_...`: only in the first answer to its creation or rotation.'),
  })
  .meta({ id: 'Webhook' });

export const deadLetter = z
  .object({
    object: z.literal('dead_letter'),
    id: z.string().describe('Id of the event.'),
    attempts: z.int(),
    last_status: z.int().nullable(),
    last_error: text,
    given_up_at: timestamp,
    event: event.nullable(),
  })
  .meta({ id: 'DeadLetter' });

export const replay = z
  .strictObject({
    after: place.optional(),
    dead_letters: z
      .union([z.literal('all'), z.array(z.string().max(64)).min(1).max(WEBHOOK_DEAD_LETTERS_MAX)])
      .optional()
      .describe('`all`, or the ids of some.'),
  })
  .refine((body) => (body.after === undefined) !== (body.dead_letters === undefined), 'either after or dead_letters')
  .meta({ id: 'WebhookReplay' });

export const replayed = z
  .object({
    object: z.literal('replay'),
    webhook: z.string(),
    dead_letters: z.int().nullable().describe('How many were taken up; null for a place.'),
  })
  .meta({ id: 'Replay' });
