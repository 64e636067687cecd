/**
 * Totals of an acquirer inside the shards (0500, 0520): each shard answers its part as a read, behind everything that came
 * before; one shard, chosen by link and acquirer, compares the sum with what the acquirer says and journals both. The same
 * question again within the duplicate window gets the recorded answer.
 */
import { EventKind, Response, responseCode } from '../domain/codes.js';
import type { CommandResult, CompareTotals } from '../domain/commands.js';
import { fieldsOfTotals, isInBalance } from '../domain/compare-totals.js';
import type { TotalsCompared } from '../domain/events.js';
import type { AcquirerTotals } from '../domain/reads.js';
import { isKept } from '../domain/totals.js';
import { TOTAL_VALUES } from '../domain/totals-table.js';
import type { LogicalShard } from './logical-shard.js';

/** DE39 of totals that differ. */
const OUT_OF_BALANCE = responseCode('95');

const values = new Float64Array(TOTAL_VALUES);

/** This shard's part of the totals; undefined when there are none of that date any more, or not yet. */
export function totalsOf(shard: LogicalShard, key: AcquirerTotals, nowMs: number): number[] | undefined {
  if (!isKept(key.day, nowMs)) return undefined;
  shard.state.totals.read(key, values);
  return [...values];
}

/** Compares and journals, or finds the comparison again. */
export function compareTotals(shard: LogicalShard, command: CompareTotals, nowMs: number): CommandResult {
  // An index that is not whole may hide the first time.
  if (shard.index.refusing) return { ok: false, code: 'shard_unavailable' };
  const earlier = find(shard, command, nowMs);
  const compared = earlier ?? record(shard, command, nowMs);
  const { sequence, day, ours, equal, mti } = compared;
  shard.countOutcome(mti, equal === 1 ? Response.approved : OUT_OF_BALANCE);
  return { ok: true, sequence, compared: { equal: equal === 1, day, ours } };
}

function record(shard: LogicalShard, command: CompareTotals, nowMs: number): TotalsCompared {
  const { op: _, dated: __, sums, theirs, ...rest } = command;
  const ours = fieldsOfTotals(sums);
  const equal = isInBalance(theirs, ours) ? 1 : 0;
  const event: TotalsCompared = {
    ...{ kind: EventKind.totalsCompared, sequence: 0, timeMs: nowMs },
    ...{ ...rest, equal, theirs, ours },
  };
  shard.record(event);
  return event;
}

/** The same question: 0501 is 0500 again, and without DE15 the date of the first time counts. */
function find(shard: LogicalShard, command: CompareTotals, nowMs: number): TotalsCompared | undefined {
  const { history, state } = shard;
  const sinceMs = nowMs - state.duplicateWindowMs;
  const { high, low } = shard.comparisonKey(command);
  const found = history.find(high, low, sinceMs);
  const sequences = [...found.sequences.subarray(0, found.count)];
  for (const sequence of sequences.reverse()) {
    const event = history.readEvent(sequence);
    if (event?.kind === EventKind.totalsCompared && event.timeMs >= sinceMs && isSame(event, command)) return event;
  }
  return undefined;
}

function isSame(event: TotalsCompared, command: CompareTotals): boolean {
  return (
    event.mti - (event.mti % 2) === command.mti - (command.mti % 2) &&
    event.link === command.link &&
    event.acquirer === command.acquirer &&
    event.transmission === command.transmission &&
    event.stan === command.stan &&
    event.currency === command.currency &&
    (!command.dated || event.day === command.day) &&
    event.theirs.length === command.theirs.length &&
    isInBalance(event.theirs, command.theirs)
  );
}
