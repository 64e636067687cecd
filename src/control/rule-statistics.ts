/**
 * How often a rule was asked, matched and declined. The shards count per revision of the program and place in its snapshot;
 * the stored revisions say which rule, in which version, stood at a place.
 */
import type { RevisionStats } from '../domain/rule-stats.js';
import { REVISION_STATS_PER_READ } from '../limits.js';
import type { ControlContext } from './context.js';
import type { RuleRecord } from './system-log.js';
import { refused } from './views.js';

export interface VersionStatistics {
  readonly version: number;
  asked: number;
  matched: number;
  declined: number;
}

/**
 * Of every version that was asked, newest first, over all shards.
 * @throws ApiError `shard_unavailable`; ShardError
 */
export async function ruleStatistics(context: ControlContext, rule: RuleRecord): Promise<VersionStatistics[]> {
  const { index } = context.system.program(rule.program)!;
  const shards = Array.from({ length: context.shards.shards }, (_, shard) => statisticsOf(context, shard, index));
  const versions = new Map<number, VersionStatistics>();
  for (const { revision, asked, matched, declined } of (await Promise.all(shards)).flat()) {
    const rules = context.system.rulesOf(rule.program, revision);
    const place = rules.findIndex(({ id }) => id === rule.id);
    if (place < 0) continue;
    const { version } = rules[place]!;
    const sum = versions.get(version) ?? { version, asked: 0, matched: 0, declined: 0 };
    sum.asked += asked;
    sum.matched += matched[place] ?? 0;
    sum.declined += declined[place] ?? 0;
    versions.set(version, sum);
  }
  return [...versions.values()].sort((a, b) => b.version - a.version);
}

async function statisticsOf(context: ControlContext, shard: number, program: number): Promise<RevisionStats[]> {
  const rows: RevisionStats[] = [];
  for (;;) {
    const after = rows.at(-1)?.revision ?? 0;
    const result = await context.shards.read(shard, { op: 'rule_stats', program, after });
    if (!result.ok) throw refused(result);
    if (!('ruleStats' in result)) throw new TypeError('the shard answered no statistics of rules');
    rows.push(...result.ruleStats);
    if (result.ruleStats.length < REVISION_STATS_PER_READ) return rows;
  }
}
