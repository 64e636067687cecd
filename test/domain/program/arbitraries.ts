/** Tables of programs at random: as somebody sets them (JSON), any part of them left out. */
import fc from 'fast-check';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { mappableReasons } from '#src/domain/program/responses.js';

export const dialects = ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'];

const code = fc.integer({ min: 0, max: 9999 });
const fourDigits = (value: number): string => String(value).padStart(4, '0');
const codes = fc.oneof(
  code,
  code.map(fourDigits),
  fc.tuple(code, code).map(([a, b]) => `${fourDigits(Math.min(a, b))}-${fourDigits(Math.max(a, b))}`),
);
const mcc = fc.array(fc.oneof(codes, fc.constantFrom(...Object.keys(defaultMccGroups))), {
  minLength: 1,
  maxLength: 5,
});
const twoDigits = fc.integer({ min: 0, max: 99 }).map((value) => String(value).padStart(2, '0'));
const someDigits = fc.array(twoDigits, { minLength: 1, maxLength: 4 });
const amount = fc.integer({ min: 0, max: 1_000_000 });

const row = fc
  .record(
    {
      name: fc.constantFrom('a', 'b'),
      days: fc.integer({ min: 1, max: 31 }),
      mcc,
      functions: fc.subarray(['N', 'E', 'F', 'I', 'R'], { minLength: 1 }),
      entry_modes: someDigits,
      conditions: someDigits,
      except_conditions: someDigits,
    },
    { requiredKeys: ['name', 'days'] },
  )
  .filter((one) => Object.keys(one).length > 2);

const answers = fc.dictionary(
  fc.constantFrom(...mappableReasons.keys()),
  fc.constantFrom('04', '14', '57', '62', 'N7', '1A'),
  { maxKeys: 4 },
);

/** The object of the API. */
export const tablesJson = fc.record(
  {
    hold_life: fc.array(row, { maxLength: 5 }).map((rows) => [...rows, { name: 'anything else', days: 7 }]),
    tolerance: fc.dictionary(fc.constantFrom(...Object.keys(defaultMccGroups)), fc.integer({ min: 0, max: 100 })),
    fuel: fc
      .record(
        {
          mcc,
          status_check: fc.integer({ min: 1, max: 1000 }),
          amount,
          when_short: fc.constantFrom('decline', 'hold_available'),
          minimum: amount,
        },
        { requiredKeys: [] },
      )
      .map((fuel) => ({ ...fuel, amount: (fuel.amount ?? 0) + 2_000_000 })),
    clearing: fc.record(
      { release_rest: fc.boolean(), markup_basis_points: fc.integer({ min: 0, max: 10_000 }) },
      { requiredKeys: [] },
    ),
    mcc_groups: fc.dictionary(fc.constantFrom('fuel', 'lodging', 'toys', 'pets'), fc.array(codes, { maxLength: 4 })),
    responses: fc.dictionary(fc.constantFrom('all', ...dialects), answers),
    forbidden: fc.array(twoDigits, { maxLength: 5 }),
    partial_approval: fc.boolean(),
    pin: fc.record({ tries: fc.integer({ min: 1, max: 15 }) }, { requiredKeys: [] }),
    interest: fc.record(
      {
        ...{ purchases: fc.integer({ min: 0, max: 100_000 }), cash: fc.integer({ min: 0, max: 100_000 }) },
        grace: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
    statement: fc.record(
      {
        day: fc.oneof(fc.integer({ min: 1, max: 28 }), fc.constantFrom('spread', 'none')),
        due_days: fc.integer({ min: 0, max: 60 }),
        monthly_fee: amount,
      },
      { requiredKeys: [] },
    ),
    fees: fc.record(
      {
        late: amount,
        returned_payment: amount,
        cash: fc
          .record(
            { flat: amount, basis_points: fc.integer({ min: 0, max: 10_000 }), maximum: amount },
            { requiredKeys: [] },
          )
          .map((fee) => (fee.maximum === undefined ? fee : { ...fee, maximum: fee.maximum + 1_000_000 })),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
