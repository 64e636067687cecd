/** Shapes of backups. */
import { z } from 'zod';
import { timestamp } from './schemas.js';

export const backupName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'must be 1 to 64 letters, digits, - and _, the first a letter or a digit');

export const backupCreate = z
  .strictObject({ name: backupName.describe('Folder of the backup, below `backup-dir` of the server.') })
  .meta({ id: 'BackupCreate' });

export const backup = z
  .object({
    object: z.literal('backup'),
    id: z.string().describe('Its name.'),
    status: z.enum(['running', 'done', 'failed']),
    created_at: timestamp.describe('When it was begun; of a backup of an earlier process, the moment that it is of.'),
    as_of: timestamp.nullable().describe('The moment that the data is of.'),
    bytes: z.int().min(0),
    records: z.int().min(0).nullable().describe('Of all shards.'),
    head: z.string().nullable().describe('As `holdfast verify` prints it.'),
    key_file: z.string().nullable().describe('Id of the key file that the data needs. It is not in the backup.'),
    failure: z.string().nullable(),
  })
  .meta({ id: 'Backup' });
