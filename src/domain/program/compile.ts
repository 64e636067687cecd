/** Makes of a snapshot what a decision asks. The result belongs to one thread: a set of rules has a scratch of its own. */
import { assert } from '../../errors.js';
import { mccRanges } from '../controls/mcc-groups.js';
import { HoldLife } from '../hold-life.js';
import { parseRule } from '../rules/rule.js';
import { RuleSet, type SetRule } from '../rules/rule-set.js';
import type { PolicyLimits, PolicyTables } from './policy.js';
import { compileResponses } from './responses.js';
import type { Snapshot, SnapshotRule } from './snapshot.js';
import type { ProgramTables } from './tables.js';

export function compileTables(tables: ProgramTables, dialects: readonly string[]): PolicyTables {
  const { holdLife, tolerance, clearing, fuel, mccGroups, responses, forbidden, partialApproval, pinTries, cashFee } =
    tables;
  const { interest, statement, lateFee, returnedPaymentFee, cryptography } = tables;
  return {
    holdLife: new HoldLife(holdLife, mccGroups),
    tolerance: Object.entries(tolerance).map(([group, percent]) => ({ mcc: mccRanges([group], mccGroups), percent })),
    clearing,
    fuel: { ...fuel, mcc: codesOf(mccRanges(fuel.mcc, mccGroups)) },
    responses: compileResponses(responses, dialects),
    forbidden,
    partialApproval,
    pinTries,
    cryptography,
    cashFee,
    lateFee,
    returnedPaymentFee,
    interest,
    statement,
  };
}

function codesOf(ranges: readonly (readonly [number, number])[]): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
}

export function compileLimits({ tables, controls, rules }: Snapshot): PolicyLimits {
  return {
    controls: Object.keys(controls).length === 0 ? undefined : controls,
    groups: tables.mccGroups,
    ...compileRules(rules),
  };
}

function compileRules(rules: readonly SnapshotRule[]): Pick<PolicyLimits, 'rules' | 'windows'> {
  if (rules.length === 0) return { rules: undefined, windows: [] };
  const set = rules.map(({ id, state, text }, counter): SetRule => {
    const parsed = parseRule(text);
    assert(parsed.ok, `rule ${id} of a snapshot was checked before it was recorded`);
    return { checked: parsed.checked, state, counter };
  });
  const windows = [...new Set(set.flatMap(({ checked }) => checked.windows))];
  return { rules: new RuleSet(set, windows), windows };
}
