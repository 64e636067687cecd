/**
 * Shapes of controls, and of what they say about a card, an account or a decision. Requests are checked by `parseControls`
 * (domain/controls/parse.ts), which knows more than a shape can say and names every problem: the shape here is for readers.
 */
import { z } from 'zod';
import { Channel, type ChannelName } from '../domain/controls/spec.js';
import { TRAILING_SECONDS_MAX, TRAILING_SECONDS_MIN } from '../domain/velocity/windows.js';
import {
  AMOUNT_MAX,
  CONTROL_CASH_WINDOWS_MAX,
  CONTROL_LIST_MAX,
  CONTROL_WINDOWS_MAX,
  RULE_WINDOW_NAME_MAX,
} from '../limits.js';
import { jsonObject } from './json-body.js';

const mcc = z
  .union([z.int().min(0).max(9999), z.string().regex(/^(\d{4}(-\d{4})?|[a-z][a-z0-9_]{0,39})$/)])
  .describe('A category code, a range such as "3501-3999", or the name of a group.');
const country = z
  .string()
  .regex(/^([A-Z]{2}|\d{3})$/)
  .describe('ISO 3166.');
const merchant = z.string().min(1).describe('Merchant id (DE42), 1 to 15 characters.');
const channel = z.enum(Object.keys(Channel) as [ChannelName, ...ChannelName[]]);

const some = <S extends z.ZodType>(entry: S) => z.array(entry).max(CONTROL_LIST_MAX);
const list = <S extends z.ZodType>(entry: S) =>
  z.strictObject({ allow: some(entry).min(1), deny: some(entry) }).partial();
const selector = <S extends z.ZodType>(entry: S) => z.union([entry, some(entry).min(1), list(entry)]);

const window = z.strictObject({
  window: z.enum(['day', 'week', 'month', 'year', 'lifetime', 'trailing']),
  seconds: z.int().min(TRAILING_SECONDS_MIN).max(TRAILING_SECONDS_MAX).optional().describe('Of a trailing window.'),
  zone: z.string().optional().describe('Time zone of the IANA database. Default: UTC.'),
  starts_on: z
    .union([
      z.enum(['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']),
      z.int().min(1).max(31),
      z.string().regex(/^\d{2}-\d{2}$/),
    ])
    .optional()
    .describe('A weekday, a day of the month, or MM-DD.'),
  amount: z.int().min(0).optional().describe('Most that the window may hold, minor units.'),
  count: z.int().min(0).optional(),
  mcc: selector(mcc).optional(),
  countries: selector(country).optional(),
  merchants: selector(merchant).optional(),
  channels: selector(channel).optional(),
  counts: z.enum(['approvals', 'declines']).optional(),
  per: z.enum(['card', 'account']).optional().describe('In the controls of a program.'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9 _.-]*$/)
    .max(RULE_WINDOW_NAME_MAX)
    .optional()
    .describe('What rules call it.'),
});

const limit = z.int().min(1).max(AMOUNT_MAX);

const controlsShape = z
  .strictObject({
    mcc: list(mcc),
    countries: list(country),
    merchants: list(merchant),
    channels: z.strictObject({ deny: some(channel).optional() }),
    per_transaction: z
      .union([limit, z.literal('none')])
      .nullable()
      .describe("`none`, or null when the object is created: no limit, whatever the program's default says."),
    cash: z.strictObject({ per_transaction: limit, velocity: z.array(window).max(CONTROL_CASH_WINDOWS_MAX) }).partial(),
    velocity: z.array(window).max(CONTROL_WINDOWS_MAX),
  })
  .partial();

const { $schema: _dialect, ...controlsDocument } = z.toJSONSchema(controlsShape, { target: 'draft-2020-12' });

export const controls = jsonObject.meta({
  id: 'Controls',
  ...controlsDocument,
  description: 'docs/reference/controls.md says what each member means.',
});

/** In a PATCH. */
export const controlsPatch = jsonObject
  .nullable()
  .describe(
    'A JSON merge patch (RFC 7396) of `Controls`: objects are merged, null takes a member away, anything else replaces it; null for `controls` takes all away.',
  );

const level = z.enum(['card', 'account']).describe('Whose control applies.');
const source = z
  .enum(['program', 'account', 'card'])
  .describe('Where it is written: there, or in the program as a default.');
const control = z.string().describe('JSON pointer into the controls of `source`.');

export const effectiveControls = z
  .array(z.object({ level, source, control, value: z.unknown() }).meta({ id: 'EffectiveControl' }))
  .describe('Every control that a request must pass. Only with `expand=effective_controls`.');

/** Query of an object that can show them. */
export const expandQuery = z.strictObject({ expand: z.enum(['effective_controls']).optional() });

const used = z.object({
  used: z.int(),
  limit: z.int().nullable(),
  remaining: z.int().nullable().describe('What the limit leaves, at least 0; null without a limit.'),
});

export const velocity = z
  .object({
    object: z.literal('velocity'),
    card: z.string().nullable().describe('null for the windows of an account.'),
    account: z.string(),
    currency: z.string(),
    windows: z.array(
      z
        .object({
          level,
          source,
          control,
          name: z.string().nullable(),
          window: window.shape.window,
          counts: z.enum(['approvals', 'declines', 'cash']),
          amount: used.describe('Minor units.'),
          count: used,
          zone: z.string().nullable().describe('Of a calendar window.'),
          starts_at: z.string().nullable().meta({ format: 'date-time' }).describe('Of a calendar window.'),
          ends_at: z.string().nullable().meta({ format: 'date-time' }).describe('First moment of the next instance.'),
          seconds: z.int().nullable().describe('Length of a trailing window.'),
        })
        .meta({ id: 'VelocityWindow' }),
    ),
  })
  .meta({ id: 'Velocity' });

const reading = z.object({
  source: source.nullable(),
  control: control.nullable(),
  name: z.string().nullable(),
  amount: z.int().describe('Minor units.'),
  amount_limit: z.int().nullable(),
  count: z.int(),
  count_limit: z.int().nullable(),
});

/** Part of an explanation (explain-limits.ts). */
export const limitsExplained = {
  control: z
    .object({ level, source, control, limit: z.int(), before: z.int(), attempted: z.int() })
    .nullable()
    .describe('The control that refused. Of a limit: before + attempted > limit.'),
  counters: z
    .object({ card: z.array(reading), account: z.array(reading) })
    .nullable()
    .describe(
      'What the windows of the card and of its account held before the message; null when none were asked. `control` is null where the controls of that time are not in the journal any more.',
    ),
};
