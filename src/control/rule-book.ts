/**
 * The rules of all programs: a fold over the records of the system journal. What the shards evaluate is in the snapshots of
 * the programs; this is where those come from.
 */
import type { SnapshotRule } from '../domain/program/snapshot.js';
import type { RuleRecord, SystemRecord } from './system-log.js';

export class RuleBook {
  readonly #read: (sequence: number) => SystemRecord;
  /** By id, in the order of their creation. */
  readonly #rules = new Map<string, RuleRecord>();
  /** By id, where the newest record of each version stands in the journal: 1, 2 ... */
  readonly #versions = new Map<string, number[]>();

  /** @param read gives the record at a sequence of the system journal */
  constructor(read: (sequence: number) => SystemRecord) {
    this.#read = read;
  }

  apply(record: RuleRecord, sequence: number): void {
    this.#rules.set(record.id, record);
    const versions = this.#versions.get(record.id) ?? [];
    versions[record.version - 1] = sequence;
    this.#versions.set(record.id, versions);
  }

  get count(): number {
    return this.#rules.size;
  }

  /** Oldest first. */
  get all(): readonly RuleRecord[] {
    return [...this.#rules.values()];
  }

  rule(id: string): RuleRecord | undefined {
    return this.#rules.get(id);
  }

  /** A version of a rule as it was last, or the current one; undefined when there is no such version. */
  version(id: string, version: number): RuleRecord | undefined {
    const current = this.#rules.get(id);
    if (current?.version === version) return current;
    const sequence = this.#versions.get(id)?.[version - 1];
    if (sequence === undefined) return undefined;
    const record = this.#read(sequence);
    if (record.type !== 'rule' || record.id !== id || record.version !== version)
      throw new TypeError(`system record ${sequence} is not version ${version} of its rule`);
    return record;
  }

  /**
   * What the program evaluates, in its order.
   * @param changed a rule as it will be
   */
  evaluated(program: string, changed?: RuleRecord): SnapshotRule[] {
    return this.inOrder(program, changed).flatMap(({ id, version, state, text }) =>
      state === 'active' || state === 'shadow' ? [{ id, version, state, text }] : [],
    );
  }

  /** All rules of a program, drafts and retired ones too: by priority, the lower first, then by age. */
  inOrder(program: string, changed?: RuleRecord): RuleRecord[] {
    const rules = new Map(this.#rules);
    if (changed !== undefined) rules.set(changed.id, changed);
    return [...rules.values()].filter((rule) => rule.program === program).sort((a, b) => a.priority - b.priority);
  }
}
