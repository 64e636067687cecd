/** Shapes of rules and of their versions. */
import { z } from 'zod';
import { RULE_PRIORITY_MAX } from '../limits.js';
import { maskPans } from '../pan-mask.js';
import { jsonObject } from './json-body.js';
import { chosenId, hasNoLongRun, LONG_RUN, timestamp } from './schemas.js';
import { ruleStates } from './system-log.js';

const NO_PAN = 'must not contain a card number';
const PRIORITY_DEFAULT = 100;

export const ruleState = z.enum(ruleStates);

export const text = z
  .string()
  .refine((value) => maskPans(value) === value, NO_PAN)
  .describe("In the rules' language: docs/reference/rules.md.");
export const json = jsonObject
  .refine((value) => maskPans(JSON.stringify(value)) === JSON.stringify(value), NO_PAN)
  .describe('The same as a tree.');
const name = z.string().min(1).max(100).refine(hasNoLongRun, LONG_RUN).nullable();
const priority = z
  .int()
  .min(0)
  .max(RULE_PRIORITY_MAX)
  .describe('The lower is asked first; rules of the same priority by age.');
export const twoForms = { message: 'text and json say the same: give one of them', path: ['json'] };

export const ruleCreate = z
  .strictObject({
    program: chosenId,
    name: name.default(null),
    text: text.optional(),
    json: json.optional(),
    state: z.enum(['draft', 'shadow', 'active']).default('draft'),
    priority: priority.default(PRIORITY_DEFAULT),
  })
  .refine((body) => body.text === undefined || body.json === undefined, twoForms)
  .refine((body) => body.text !== undefined || body.json !== undefined, {
    message: 'give the rule as text or as json',
    path: ['text'],
  })
  .meta({ id: 'RuleCreate' });

export const ruleUpdate = z
  .strictObject({ name, text, json, state: ruleState, priority })
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'nothing to change')
  .refine((body) => body.text === undefined || body.json === undefined, twoForms)
  .meta({ id: 'RuleUpdate' });

const versionFields = {
  version: z.int().describe('From 1; rises with every new text.'),
  text: z.string(),
  json: z.record(z.string(), z.unknown()),
  response_code: z.string(),
  reason: z.string().describe('The decline reason of what it declines.'),
  cost: z.int().describe('Units of the worst case; docs/reference/rules.md has the bounds.'),
  fields: z.array(z.string()),
  windows: z.array(z.string()),
};

export const ruleVersion = z
  .object({ object: z.literal('rule_version'), rule: z.string(), ...versionFields, created_at: timestamp })
  .meta({ id: 'RuleVersion' });

export const ruleStatistics = z
  .object({
    version: z.int(),
    asked: z.int().describe('Requests that it was asked about, as a shadow or an active rule.'),
    matched: z.int(),
    declined: z.int().describe('Requests that it declined: it was active, and the first that matched.'),
  })
  .meta({ id: 'RuleStatistics' });

export const rule = z
  .object({
    object: z.literal('rule'),
    id: z.string(),
    program: z.string(),
    name,
    state: ruleState,
    priority: z.int(),
    ...versionFields,
    statistics: z
      .array(ruleStatistics)
      .optional()
      .describe('In the answer to GET of one rule: versions that were asked, the newest first.'),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Rule' });
