/** Shapes of clearing files. */
import { z } from 'zod';
import { encodingNames } from '../clearing/encoding.js';
import { clearingFormats } from '../clearing/reader.js';
import { clearingPhases } from './clearing/files.js';
import { timestamp } from './schemas.js';

export const clearingFileStatuses = ['processing', 'posted', 'duplicate', 'quarantined'] as const;

export const clearingFileUpload = z.strictObject({
  format: z.enum(['auto', ...clearingFormats]).default('auto'),
  encoding: z
    .enum(['auto', 'ebcdic', ...encodingNames])
    .default('auto')
    .describe('ebcdic is cp500, and so is what auto takes for EBCDIC: a file does not tell its code page.'),
  blocked: z.enum(['auto', 'true', 'false']).default('auto').describe('In 1014-byte blocks (IPM).'),
});

const count = z.int().min(0);
const sum = z.union([z.int(), z.string()]).describe('Minor units; as text where a number would round it.');

const totals = z.object({
  messages: z.record(z.string(), count).describe('By message type and function code, such as 1240/200.'),
  amount_sum: sum.describe('Of all transaction amounts, over all currencies: a checksum.'),
  sums: z.array(z.object({ currency: z.string().nullable(), transaction: sum, settlement: sum, billing: sum })),
  settlements: z
    .array(
      z.object({
        settlement_date: z.string().nullable(),
        settlement_cycle: z.int().nullable(),
        reconciliation_date: z.string().nullable(),
        reconciliation_cycle: z.int().nullable(),
        transfer_agent: z.string().nullable(),
        service_id: z.string().nullable(),
        currency: z.string().nullable(),
        records: count,
        debits: sum,
        credits: sum,
        earned: sum.optional().describe('What the fees of presentments earn us; absent in files of earlier releases.'),
      }),
    )
    .describe('What is settled together; debits are owed by us, without fees.'),
  positions: z
    .array(
      z.object({
        record: count,
        file_id: z.string(),
        messages: z.string(),
        processing_code: z.string(),
        reversal: z.boolean(),
        settlement_date: z.string().nullable(),
        settlement_cycle: z.int().nullable(),
        currency: z.string().nullable(),
        net_amount: z.int(),
        net_fee: z.int(),
        net_total: z.int(),
        count: z.int().nullable(),
      }),
    )
    .describe("The network's own totals (IPM 1644/685 and 688); positive: credit to us."),
  positions_left_out: count,
});

const finding = z.object({
  code: z.string(),
  rule: z.string(),
  severity: z.enum(['error', 'warning']),
  record: count.describe('0: about the file.'),
  offset: count.describe('Byte in the file.'),
  field: z.string(),
  text: z.string(),
});

export const clearingFile = z
  .object({
    object: z.literal('clearing_file'),
    id: z.string(),
    status: z.enum(clearingFileStatuses),
    format: z.string(),
    encoding: z.string(),
    blocked: z.boolean(),
    mode: z.string().nullable().describe('P or T, as its header says.'),
    file_id: z.string().nullable().describe("The network's (PDS0105)."),
    bytes: count,
    sha256: z.string(),
    records: count.describe(
      'Records that move money: presentments, chargebacks, fee collections. posted + duplicates + rejected + not_posted of a posted file.',
    ),
    posted: count,
    duplicates: count.describe('The same thing had been posted from another record.'),
    rejected: count.describe('A value cannot be what it says.'),
    force_posted: count.describe('Of the posted ones: without an authorization of ours.'),
    suspense: count.describe('Of the posted ones: no card of ours, or no amount in its currency.'),
    network_fees: count.describe('Of the posted ones: fees between the network and us.'),
    matched_by: z
      .record(z.string(), count)
      .describe('Of the posted ones without the fees, by what found their authorization.'),
    not_posted: z.record(z.string(), count).describe('Kinds that are counted and not posted.'),
    totals: totals.nullable().describe('null until the whole file has been read.'),
    errors: count,
    warnings: count,
    findings: z.array(finding).describe('The first 1 000.'),
    progress: z
      .object({
        phase: z.enum(clearingPhases),
        reason: z.string().nullable().describe('Why it does not go on.'),
        done: count,
        total: count.describe('Bytes while validating, records while posting.'),
        percent: z.int().min(0).max(100),
        per_second: count,
        eta_seconds: z.int().nullable(),
      })
      .nullable()
      .describe('null when the file is finished.'),
    duplicate_of: z.string().nullable().describe('The posted file with the same content, whose outcome this shows.'),
    conflicts_with: z.string().nullable().describe('The file that was posted under the same id with other content.'),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'ClearingFile' });

/** A row of the list: without what may be large. */
export const clearingFileRow = clearingFile.omit({ totals: true, findings: true }).meta({ id: 'ClearingFileRow' });
