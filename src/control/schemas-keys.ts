/** Shapes of the keys of the vault. */
import { z } from 'zod';
import { rotatedUsages } from '../vault/keys.js';
import { timestamp } from './schemas.js';

export const keyRotationCreate = z
  .strictObject({
    usage: z.enum(rotatedUsages).optional().describe('Of the key that is replaced; `pan` when it is absent.'),
  })
  .meta({ id: 'KeyRotationCreate' });

export const keyRotation = z
  .object({
    object: z.literal('key_rotation'),
    usage: z.enum(rotatedUsages),
    key: z.string().describe('Id of the key that every card moves to.'),
    status: z.enum(['running', 'done', 'failed']).describe('`failed`: it stands still until the next start.'),
    progress: z.number().min(0).max(1).describe('Share of the rows that are under the key.'),
    rows: z.int().min(0).describe('Rows that were encrypted anew; cards that got another fingerprint.'),
    failure: z.string().nullable(),
    started_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'KeyRotation' });

const key = z.object({
  id: z.string(),
  usage: z.enum(['pan', 'fingerprint', 'id', 'index', 'token']),
  state: z.enum(['active', 'retired']),
  kcv: z.string().describe('Key check value.'),
  created_at: timestamp,
});

export const keys = z
  .object({
    object: z.literal('keys'),
    key_file: z.string().describe('Id of the key file.'),
    kek: z
      .string()
      .nullable()
      .describe('Check value of the key that wraps them; null when they lie there as they are.'),
    keys: z.array(key),
    rotation: keyRotation.nullable().describe('The newest one of the PAN key.'),
    fingerprint_rotation: keyRotation.nullable().describe('The newest one of the fingerprint key.'),
  })
  .meta({ id: 'Keys' });
