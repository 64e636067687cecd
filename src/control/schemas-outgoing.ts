/** Shapes of files that go out to a network. */
import { z } from 'zod';
import { encodingNames } from '../clearing/encoding.js';
import { leftOut, timestamp } from './schemas.js';

export const outgoingFileCreate = z
  .strictObject({
    encoding: z.enum(encodingNames).default('cp500'),
    blocked: z.boolean().default(true).describe('In 1014-byte blocks.'),
    processor: z
      .string()
      .regex(/^\d{11}$/, 'must be 11 digits')
      .default('00000000000')
      .describe('Whose file it is, as the network numbers its processors: part of the id of the file (PDS0105).'),
  })
  .meta({ id: 'OutgoingFileCreate' });

const count = z.int().min(0);

export const outgoingFile = z
  .object({
    object: z.literal('outgoing_file'),
    id: z.string(),
    number: z.int().min(1).describe('1, 2 ...'),
    file_id: z.string().describe('What the network will call it (PDS0105).'),
    mode: z.enum(['P', 'T']).describe('T when every program is a sandbox.'),
    encoding: z.enum(encodingNames),
    blocked: z.boolean(),
    chargebacks: count,
    reversals: count.describe('What takes chargebacks back.'),
    left_out: z
      .array(leftOut)
      .describe('Chargebacks that no file of this network can tell of; they are in no later one either.'),
    bytes: count,
    sha256: z.string(),
    downloads: count,
    downloaded_at: timestamp.nullable().describe('The first time.'),
    created_at: timestamp,
  })
  .meta({ id: 'OutgoingFile' });
