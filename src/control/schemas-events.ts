/** Shapes of events. */
import { z } from 'zod';
import { eventTypes } from './events/event-types.js';
import { timestamp } from './schemas.js';

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
