/** Random controls, operations and histories for `velocity-histories.ts`. */
import fc from 'fast-check';
import type { Op, Request } from './velocity-histories.js';
import type { ControlsJson, WindowJson } from './velocity-model.js';

const fixedWindows: WindowJson[] = [
  { window: 'day' },
  { window: 'day', zone: 'America/New_York' },
  { window: 'day', zone: 'Pacific/Apia', mcc: ['5411', 'fuel'] },
  { window: 'day', zone: 'Asia/Kolkata', channels: ['atm'] },
  { window: 'week', zone: 'America/Sao_Paulo' },
  { window: 'week', starts_on: 'sunday' },
  { window: 'month' },
  { window: 'month', starts_on: 31 },
  { window: 'month', starts_on: 30, zone: 'Australia/Lord_Howe', countries: ['BR'] },
  { window: 'year', zone: 'America/Sao_Paulo' },
  { window: 'year', starts_on: '02-29' },
  { window: 'lifetime' },
  { window: 'lifetime', merchants: ['SHOP'] },
];
const trailingWindows: WindowJson[] = [
  ...[10, 11, 60, 900, 3600, 86_400, 7 * 86_400, 31 * 86_400].map(
    (seconds): WindowJson => ({
      window: 'trailing',
      seconds,
    }),
  ),
  { window: 'trailing', seconds: 600, mcc: ['lodging', '3000-3999'] },
  { window: 'trailing', seconds: 86_400, channels: ['ecommerce', 'manual'] },
];

const limits = fc.oneof(
  fc.record({ amount: fc.integer({ min: 0, max: 600 }) }),
  fc.record({ count: fc.integer({ min: 0, max: 6 }) }),
  fc.record({ amount: fc.integer({ min: 50, max: 2000 }), count: fc.integer({ min: 1, max: 12 }) }),
);
const approvals = fc
  .tuple(fc.constantFrom(...fixedWindows, ...trailingWindows), limits)
  .map(([window, limit]): WindowJson => ({ ...window, ...limit }));
const declines = fc
  .tuple(fc.constantFrom(...fixedWindows.slice(0, 4), ...trailingWindows), fc.integer({ min: 0, max: 4 }))
  .map(([window, count]): WindowJson => ({ ...window, count, counts: 'declines' }));
const withoutLimits = ({ amount: _amount, count: _count, ...rest }: WindowJson): string => JSON.stringify(rest);
const list = fc.uniqueArray(fc.oneof({ weight: 4, arbitrary: approvals }, { weight: 1, arbitrary: declines }), {
  maxLength: 8,
  selector: withoutLimits,
});
const cashList = fc.uniqueArray(approvals, { maxLength: 2, selector: withoutLimits });
export const cash = fc.record(
  { per_transaction: fc.integer({ min: 20, max: 300 }), velocity: cashList },
  { requiredKeys: [] },
);
type Lists = { allow?: string[]; deny?: string[] };
export const restrictions: fc.Arbitrary<ControlsJson> = fc.record(
  {
    mcc: fc.constantFrom<Lists[]>({}, { deny: ['3501-3999'] }, { allow: ['5411', 'fuel', '7011'] }, { deny: ['fuel'] }),
    countries: fc.constantFrom<Lists[]>({}, { deny: ['US'] }, { allow: ['BR'] }),
    merchants: fc.constantFrom<Lists[]>({}, { deny: ['SHOP'] }, { allow: ['SHOP', 'SHOP1', 'MERCHANT0000001'] }),
    channels: fc.constantFrom<{ deny: string[] }[]>({ deny: [] }, { deny: ['ecommerce'] }, { deny: ['atm', 'manual'] }),
    per_transaction: fc.constantFrom(null, 50, 150, 1000),
  },
  { requiredKeys: [] },
);
export const controls: fc.Arbitrary<ControlsJson> = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: restrictions }),
    fc.record({ velocity: list, cash }, { requiredKeys: [] }),
  )
  .map(([lists, windows]) => ({ ...lists, ...windows }));
const perAccount = (window: WindowJson, i: number): WindowJson => ({
  ...window,
  per: i % 3 === 1 ? 'account' : 'card',
});
export const programControls = controls.map((json): ControlsJson => {
  if (json.velocity === undefined) return json;
  return { ...json, velocity: json.velocity.map(perAccount) };
});

const request = {
  card: fc.integer({ min: 0, max: 7 }),
  kind: fc.constantFrom<Request['kind']>('purchase', 'purchase', 'cash', 'cash back', 'verification'),
  amount: fc.integer({ min: 1, max: 200 }),
  mcc: fc.nat({ max: 4 }),
  merchant: fc.nat({ max: 3 }),
  country: fc.nat({ max: 2 }),
  mode: fc.nat({ max: 5 }),
};
const back = fc.nat({ max: 5 });
/** Around the edges of buckets and windows, and far jumps. */
export const wait = fc.oneof(
  fc.integer({ min: 0, max: 20_000 }),
  fc.integer({ min: 0, max: 2 * 3_600_000 }),
  fc.integer({ min: 0, max: 40 * 3_600_000 }),
  fc.integer({ min: 0, max: 45 * 86_400_000 }),
  fc.constantFrom(1, 666, 667, 10_000, 10_667, 60_000, 900_000, 3_600_000, 86_400_000, 366 * 86_400_000),
);

const operation: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record<Op & { op: 'request' }>({
      op: fc.constant('request'),
      outcome: fc.constantFrom('approved', 'approved', 'approved', 'partly', 'declined'),
      ...request,
    }),
  },
  { weight: 1, arbitrary: fc.record<Op & { op: 'forced' }>({ op: fc.constant('forced'), ...request }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('increment'), back, amount: request.amount }) },
  {
    weight: 5,
    arbitrary: fc.record({ op: fc.constant('release'), back, percent: fc.constantFrom(0, 0, 0, 1, 50, 99) }),
  },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('wait'), ms: wait }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('replace'), card: request.card }) },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.record<Op & { op: 'controls' }>({
        op: fc.constant('controls'),
        level: fc.constantFrom('account', 'card'),
        whose: request.card,
        controls,
      }),
      fc.record<Op & { op: 'controls' }>({
        op: fc.constant('controls'),
        level: fc.constant('program'),
        whose: fc.constant(0),
        controls: programControls,
      }),
    ),
  },
);

/** A little before moments at which calendars do something. */
export const start = fc
  .tuple(
    fc.constantFrom(
      Date.UTC(2011, 11, 29, 20),
      Date.UTC(2018, 1, 17, 12),
      Date.UTC(2018, 10, 3, 12),
      Date.UTC(2024, 1, 28, 22),
      Date.UTC(2025, 11, 30, 12),
      Date.UTC(2026, 2, 7, 22),
      Date.UTC(2026, 9, 3, 6),
      Date.UTC(2026, 10, 1, 1),
    ),
    fc.integer({ min: 0, max: 40 * 3_600_000 }),
  )
  .map(([base, offset]) => base + offset);

/** A history: controls first, so that there is something to count. */
export const history: fc.Arbitrary<Op[]> = fc
  .tuple(programControls, controls, controls, fc.array(operation, { maxLength: 60, size: 'max' }))
  .map(([program, card, account, ops]) => [
    { op: 'controls', level: 'program', whose: 0, controls: program },
    { op: 'controls', level: 'card', whose: 0, controls: card },
    { op: 'controls', level: 'account', whose: 0, controls: account },
    ...ops,
  ]);
