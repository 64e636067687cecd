/** Shapes of the journal's folders, and of what is done with them. */
import { z } from 'zod';
import { RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MIN } from '../limits.js';
import { timestamp } from './schemas.js';

const PATH_LENGTH_MAX = 1024;
const count = z.int().min(0);

export const journalExport = z
  .strictObject({
    to: z.string().min(1).max(PATH_LENGTH_MAX).describe('Absolute path of a folder on the machine of the server.'),
    folder: z
      .string()
      .max(64)
      .optional()
      .describe('Name of one folder; without it all that grow no more and were not exported yet.'),
  })
  .meta({ id: 'JournalExport' });

export const journalDrop = z
  .strictObject({
    older_than_days: z
      .int()
      .min(RETENTION_DAYS_MIN)
      .max(36_500)
      .default(RETENTION_DAYS_DEFAULT)
      .describe('Folders with younger records stay. Days of the time in the records themselves.'),
    unexported: z.boolean().default(false).describe('Also what was never exported: it is lost for good.'),
  })
  .meta({ id: 'JournalDrop' });

const kept = z.object({ folder: z.string(), why: z.string() });

export const journalJob = z
  .object({
    object: z.literal('journal_job'),
    id: z.string(),
    kind: z.enum(['export', 'drop']),
    status: z.enum(['running', 'done', 'failed']),
    folders: z.array(z.string()).describe('What was exported, or dropped.'),
    kept: z.array(kept).describe('Of a drop: the folders that stay, and why.'),
    records: count.describe('Records read so far.'),
    failure: z.string().nullable(),
    started_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'JournalJob' });

const folder = z.object({
  name: z.string(),
  closed: z.boolean().describe('Nothing is appended to it any more: it can be exported.'),
  newest_at: timestamp.nullable().describe('Time of its newest frame.'),
  shards: z.array(z.object({ shard: count, first: count, last: count })),
  exported_to: z.string().nullable(),
});

export const journal = z
  .object({
    object: z.literal('journal'),
    folders: z.array(folder),
    anchor: z
      .object({
        number: count,
        sha256: z.string(),
        created_at: timestamp,
        folders: z.array(z.object({ name: z.string(), exported_to: z.string().nullable() })),
        first: z
          .array(z.object({ shard: count, sequence: count, after: timestamp.nullable() }))
          .describe('By shard the first sequence that is there, and the time of the last one that is not.'),
      })
      .nullable()
      .describe('Where the journal begins; null while it has everything.'),
    jobs: z.array(journalJob).describe('Newest first.'),
  })
  .meta({ id: 'Journal' });
