/** What a program says about the controls of its cards and accounts: the one place that the API asks. */
import { defaultMccGroups, type MccGroups } from '../domain/controls/mcc-groups.js';
import type { ProgramRow } from './system-state.js';

export interface ProgramLimits {
  /** Category groups that controls may name. */
  readonly groups: MccGroups;
  /** Default controls that the shards decide with, as JSON. */
  readonly controls: Readonly<Record<string, unknown>>;
}

/**
 * Limits of a program as its shards have them: the built-in groups and no defaults.
 * @param _revision of the program; absent: the current one
 */
export function programLimits(_program: ProgramRow | undefined, _revision?: number): ProgramLimits {
  return { groups: defaultMccGroups, controls: {} };
}
