/** Shapes of reconciliation. */
import { z } from 'zod';
import { ageBuckets, breakTypes } from '../recon/breaks.js';
import { REPORT_VERSION } from '../recon/report.js';
import { freeText, timestamp } from './schemas.js';
import { breakStatuses } from './system-log.js';

const NOTE_LENGTH_MAX = 500;
const OWNER_LENGTH_MAX = 64;
const DATE = 'a date such as 2026-01-31';
/** As many days behind the first day of a settlement as a run looks back, and the last day of one. */
const FIRST_DATE = '1970-05-01';
const LAST_DATE = '2149-06-06';

export const reconStart = z
  .strictObject({
    date: z.iso
      .date(DATE)
      .refine((date) => date >= FIRST_DATE && date <= LAST_DATE, `from ${FIRST_DATE} to ${LAST_DATE}`)
      .optional()
      .describe('The run is as of this date: ages count from it, settlements before it must be paid.'),
    repeat: z
      .string()
      .max(64)
      .optional()
      .describe(
        'Id of an earlier run, to be done again on the inputs that it was made of. Its report is the same, byte for byte.',
      ),
  })
  .refine(({ date, repeat }) => (date === undefined) !== (repeat === undefined), 'either date or repeat')
  .meta({ id: 'ReconRunCreate' });

const count = z.int().min(0);
const sum = z.union([z.int(), z.string()]).describe('Minor units; as text where a number would round it.');
const ages = ageBuckets.map(([name]) => name);

const settlement = z.object({
  network: z.int().describe('1 IPM, 2 CTF; 0 where a record names no settlement.'),
  settlement_date: z.string().nullable(),
  cycle: z.int(),
  currency: z.string().nullable(),
});

const breakShape = {
  id: z.string().describe('The same in every run that finds the break.'),
  type: z.enum(breakTypes),
  reason: z.string(),
  amount: sum.describe('At risk, minor units.'),
  currency: z.string().nullable(),
  since: z.string().nullable(),
  age_days: count,
  age: z.enum(ages),
  authorization: z.string().nullable().describe('Shard and sequence of its first record.'),
  file: z.string().nullable().describe('Of the clearing record, or the file as a whole.'),
  record: z.int().nullable().describe('Number in the file.'),
  posted: z.string().nullable().describe('Shard and sequence of the record of the posting or the expiry.'),
  settlement: settlement.nullable(),
};

export const reconBreak = z
  .object({
    object: z.literal('recon_break'),
    ...breakShape,
    status: z.enum(breakStatuses),
    owner: z.string().nullable(),
    note: z.string().nullable(),
    updated_at: timestamp.nullable().describe('null while nobody has said anything of it.'),
  })
  .meta({ id: 'ReconBreak' });

export const reconBreakUpdate = z
  .strictObject({
    status: z.enum(breakStatuses),
    owner: freeText(OWNER_LENGTH_MAX).optional(),
    note: freeText(NOTE_LENGTH_MAX).optional(),
  })
  .refine(({ status, owner }) => status !== 'assigned' || (owner ?? '') !== '', {
    message: 'assigned to whom?',
    path: ['owner'],
  })
  .refine(({ status, note }) => status !== 'resolved' || (note ?? '') !== '', {
    message: 'a resolved break has a note that says how',
    path: ['note'],
  })
  .meta({ id: 'ReconBreakUpdate' });

const report = z.object({
  object: z.literal('recon_report'),
  version: z.literal(REPORT_VERSION).describe('The form of the report.'),
  date: z.string(),
  since: z.string().describe('Breaks of earlier days are left out.'),
  inputs: z.object({
    journal: z.array(z.object({ shard: count, from: count, to: count })),
    files: z.array(z.object({ id: z.string(), name: z.string(), state: z.enum(['posted', 'quarantined']) })),
    unfinished_files: z
      .array(z.string())
      .describe('Files that waited or were being posted: what was posted of them is not held against their sums.'),
    waiting_files: z
      .array(z.object({ name: z.string(), since: z.string() }))
      .describe('Of those, the ones that had come before the date: breaks.'),
    standing: z
      .array(
        settlement.extend({
          account: z.string().describe('2100 or 1390.'),
          owed: sum.describe('What we owe; below zero what is owed to us.'),
        }),
      )
      .describe(
        'What stood in the books behind the last records: settlements before `since`, what names none, and suspense; without what is at zero.',
      ),
  }),
  records: count,
  authorizations: count.describe('That held something.'),
  open: z
    .array(z.object({ currency: z.string().nullable(), count, amount: sum }))
    .describe('Authorizations whose hold has not ended: no breaks.'),
  books: z.object({
    balance: z.boolean().describe('Every currency balances, and nothing disagrees.'),
    currencies: z.array(z.object({ currency: z.string().nullable(), debits: sum, credits: sum, difference: sum })),
  }),
  settlements: z.array(
    settlement.extend({
      records: count,
      file: sum.describe('What we owe by the records of the files, without fees.'),
      not_posted: sum.describe('Of that, of records that were not posted; less what unfinished files have posted.'),
      posted: sum.describe('What we owe by the posted records.'),
      interchange: sum.describe('What they earn us.'),
      ledger: sum.describe('What we owe by their legs on 2100.'),
      other_entries: sum,
      network_net: sum.nullable().describe("By the network's own totals, without fees; null when it sent none."),
      network_total: sum.nullable().describe('With fees.'),
      due: sum.describe('Of what names no settlement: what stands on 2100 of earlier days than the date.'),
      paid: sum.nullable(),
      rounded: sum.describe('What payments took off the sub-account beside, as rounding.'),
    }),
  ),
  counts: z.array(z.object({ type: z.enum(breakTypes), age: z.enum(ages), count })).describe('Of all breaks.'),
  breaks_left_out: count.describe('Breaks of records behind the first 50 000: in `counts` alone.'),
  breaks: z.array(z.object(breakShape)),
});

export const reconRun = z
  .object({
    object: z.literal('recon_run'),
    id: z.string(),
    date: z.string(),
    status: z.enum(['running', 'done', 'failed']),
    failure: z.string().nullable().describe('Why it failed.'),
    progress: z.object({ records: count, read: count, percent: z.int().min(0).max(100) }),
    report_sha256: z.string().nullable().describe('Of the report as text.'),
    report: report.nullable().describe('null while it runs, and when it is no longer kept: repeat the run then.'),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'ReconRun' });
