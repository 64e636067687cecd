/** Revisions of the one program of a simulated world. */
import { makeSnapshot } from '#src/domain/program/snapshot.js';
import { dialectNames } from '#src/iso8583/dialects.js';
import type { Random } from './random.js';

const tables = [
  {},
  { clearing: { release_rest: false, markup_basis_points: 250 } },
  { fuel: { amount: 17_500, when_short: 'hold_available', minimum: 2000 } },
  { partial_approval: false, forbidden: ['11'] },
  { interest: { purchases: 1800, cash: 2400, grace: true }, statement: { day: 5 } },
  { fees: { cash: { flat: 100, basis_points: 200 } } },
  {
    hold_life: [
      { name: 'fuel', days: 1, mcc: ['fuel'] },
      { name: 'anything else', days: 2 },
    ],
  },
] as const;

const controls = [
  {},
  { velocity: [{ window: 'day', amount: 500_000 }] },
  {
    velocity: [
      { window: 'trailing', seconds: 60, count: 8 },
      { window: 'month', amount: 900_000, per: 'account' },
    ],
  },
  { mcc: { deny: ['gambling'] }, per_transaction: 400_000 },
] as const;

const rules = [
  [],
  [
    {
      id: 'rule_big',
      version: 1,
      state: 'active',
      text: 'when amount > 300000 and mcc in [5999] then decline 59 reason "large"',
    },
  ],
  [
    {
      id: 'rule_web',
      version: 1,
      state: 'shadow',
      text: 'when mcc in [5968] and count("trailing 1h") >= 3 then decline 59 reason "often"',
    },
  ],
] as const;

/** The snapshot that shards get. */
export function programText(random: Random, revision: number): string {
  const made = makeSnapshot(
    {
      ...{ id: 'prog_sim', currency: 'BRL', product: 'credit', sandbox: true },
      ...{ tables: random.pick(tables), controls: random.pick(controls), rules: random.pick(rules) },
    },
    revision,
    { dialects: dialectNames, knowsZone: () => true },
  );
  if (!made.ok) throw new Error(`a program of the simulator is wrong: ${JSON.stringify(made.problems)}`);
  return made.text;
}
