/**
 * The tables of programs for the OpenAPI document. Requests are judged by domain/program/parse.ts, which knows groups,
 * dialects and reasons; these shapes only describe, and tests hold them against what the engine shows.
 */
import { z } from 'zod';
import { AMOUNT_MAX, HOLD_LIFE_DAYS_MAX, HOLD_LIFE_ROWS_MAX } from '../limits.js';

const minorUnits = z.int().min(0).max(AMOUNT_MAX).describe("Minor units of the program's currency.");
const twoDigits = z.string().regex(/^\d{2}$/);
const mccList = z.array(z.union([z.string(), z.int()])).describe('Codes, ranges "3501-3999", names of groups.');

const holdLifeRow = z.strictObject({
  name: z.string(),
  days: z.int().min(1).max(HOLD_LIFE_DAYS_MAX),
  mcc: mccList.optional(),
  functions: z
    .array(z.enum(['N', 'E', 'F', 'I', 'R']))
    .optional()
    .describe('DE48 tag 20.'),
  entry_modes: z.array(twoDigits).optional().describe('First two digits of DE22.'),
  conditions: z.array(twoDigits).optional().describe('DE25.'),
  except_conditions: z.array(twoDigits).optional(),
});

const yearly = z.int().min(0).max(100_000);

const keyName = z.string().describe('Name of a key of the adapter.');
const onWrong = z.enum(['decline', 'record']);
const expiryOrder = z.enum(['YYMM', 'MMYY']);

const cryptography = z
  .strictObject({
    cvv: z
      .strictObject({ key: keyName, expiry: expiryOrder, offset: z.int().min(0).max(20), on_wrong: onWrong })
      .optional()
      .describe('Of DE35 and DE45; in the copy of a chip iCVV.'),
    cvv2: z.strictObject({ key: keyName, expiry: expiryOrder, on_wrong: onWrong }).optional(),
    pin: z
      .strictObject({
        format: z.int().describe('ISO 9564: 0, 1 or 3.'),
        zone_key: keyName,
        zone_keys: z.record(z.string(), keyName).describe('By the number of a link.'),
        pvv_keys: z.record(z.string(), keyName).describe('By key index (PVKI).'),
        ibm3624: z
          .strictObject({
            key: keyName,
            table: z.string().describe('Decimalisation table, 16 digits.'),
            validation: z.strictObject({ start: z.int(), length: z.int(), pad: z.string() }),
          })
          .optional(),
      })
      .optional(),
    chip: z
      .strictObject({
        scheme: z.enum(['visa', 'mchip']),
        key: keyName,
        on_wrong: onWrong,
        jump_max: z.int().describe('How far a counter may be ahead of the highest one that was seen.'),
        on_jump: onWrong,
        approved_status: z.string().describe('Card status update, 8 hexadecimal digits.'),
        declined_status: z.string(),
      })
      .optional(),
    three_d_secure: z.strictObject({ deny: z.array(z.string()) }).optional(),
  })
  .describe('What is checked of what a message carries; a rule that is not there checks nothing.');

export const programTables = z
  .strictObject({
    hold_life: z.array(holdLifeRow).max(HOLD_LIFE_ROWS_MAX).describe('The first row that fits; the last fits all.'),
    tolerance: z.record(z.string(), z.int().min(0).max(100)).describe('Percent by category group.'),
    clearing: z.strictObject({
      release_rest: z.boolean().describe('A clearing without a mark that others follow releases the rest of the hold.'),
      markup_basis_points: z.int().min(0).max(10_000).describe('On payments in another currency.'),
    }),
    fuel: z.strictObject({
      mcc: mccList,
      status_check: z.int().min(1).describe('Major units.'),
      amount: minorUnits,
      when_short: z.enum(['decline', 'hold_available']),
      minimum: minorUnits,
    }),
    mcc_groups: z.record(z.string(), mccList),
    responses: z.record(z.string(), z.record(z.string(), z.string())).describe('DE39 by dialect (or all) and reason.'),
    forbidden: z.array(twoDigits).describe('First two digits of DE3.'),
    partial_approval: z.boolean(),
    pin: z.strictObject({ tries: z.int().min(1) }),
    cryptography,
    fees: z.strictObject({
      cash: z.strictObject({
        flat: minorUnits,
        basis_points: z.int().min(0).max(10_000),
        minimum: minorUnits,
        maximum: minorUnits.optional(),
      }),
      late: minorUnits,
      returned_payment: minorUnits,
    }),
    interest: z
      .strictObject({ purchases: yearly, cash: yearly, fees: yearly, grace: z.boolean() })
      .describe('Basis points a year on what is owed of each kind, by days of 365.'),
    statement: z.strictObject({
      day: z.union([z.int().min(1).max(28), z.enum(['spread', 'none'])]).describe('Day of the month.'),
      due_days: z.int().min(0).max(60),
      minimum_basis_points: z.int().min(0).max(10_000),
      minimum_amount: minorUnits,
      monthly_fee: minorUnits,
    }),
  })
  .meta({ id: 'ProgramTables' });
