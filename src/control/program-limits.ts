/** What a program says about the controls of its cards and accounts. */
import { defaultMccGroups, type MccGroups } from '../domain/controls/mcc-groups.js';
import { groupsOf } from './program-check.js';
import type { ProgramRow } from './system-state.js';

export interface ProgramLimits {
  /** Revision that a shard must have to know every group; 0 when all of them are built in. */
  readonly revision: number;
  /** Category groups that controls may name. */
  readonly groups: MccGroups;
  /** Default controls as JSON. */
  readonly controls: Readonly<Record<string, unknown>>;
}

const byDefault: ProgramLimits = { revision: 0, groups: defaultMccGroups, controls: {} };

/** A snapshot is read once: an import asks for every row. */
const known = new WeakMap<ProgramRow, ProgramLimits>();

/** Limits of a revision of a program as the shards have them. */
export function programLimits(row: ProgramRow | undefined): ProgramLimits {
  if (row?.snapshot === undefined) return byDefault;
  let limits = known.get(row);
  if (limits === undefined) {
    const groups = groupsOf(row.snapshot);
    const isBuiltIn = Object.keys(groups).every((name) => Object.hasOwn(defaultMccGroups, name));
    limits = { revision: isBuiltIn ? 0 : row.revision, groups, controls: row.program.controls };
    known.set(row, limits);
  }
  return limits;
}
