/**
 * Commands of the control plane inside a shard: idempotency, decision, records, result. A command's events and its
 * idempotency record stand in the frame of its turn, so effect and key are durable together.
 */
import { pack, unpack } from 'msgpackr';
import { answerOf } from '../domain/clearing/decide-clearing.js';
import type { ClearingAnswer } from '../domain/clearing/input.js';
import type { Clear, Command, CommandResult } from '../domain/commands.js';
import type { Commit } from '../domain/commit.js';
import { decideAccrual } from '../domain/decide-accrual.js';
import { decideCommand } from '../domain/decide-command.js';
import { applyProgram } from '../domain/program/apply-program.js';
import { HoldfastError } from '../errors.js';
import { CLEARING_COMMAND_RECORDS_MAX, CLEARING_TURN_US } from '../limits.js';
import { compareTotals } from './compare.js';
import { claimKey, earlierOutcome, keepAnswer, keepOutcome } from './idempotency.js';
import type { LogicalShard } from './logical-shard.js';
import type { WireEntry } from './parking.js';
import type { ThreadContext } from './thread-context.js';

/** True while someone waits for the end of the turn. */
type IsAwaited = () => boolean;

/** Runs the command of the current ring entry and queues its result. */
export function handleCommand(
  shard: LogicalShard,
  client: number,
  entry: WireEntry,
  context: ThreadContext,
  isAwaited: IsAwaited,
): void {
  const payload = entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength);
  const command = unpack(payload) as Command;
  const result = unlessDropped(shard, () => runCommand(shard, command, context, isAwaited));
  shard.queueResult(client, entry.token, pack(result));
}

/** What needs a record that was dropped is refused, as long as nothing was recorded for it. */
export function unlessDropped<R>(shard: LogicalShard, work: () => R): R | { ok: false; code: 'dropped' } {
  const before = shard.journal.sequence;
  try {
    return work();
  } catch (error) {
    const isDropped = error instanceof HoldfastError && error.code === 'record_dropped';
    if (!isDropped || shard.journal.sequence !== before) throw error;
    return { ok: false, code: 'dropped' };
  }
}

function runCommand(
  shard: LogicalShard,
  command: Command,
  context: ThreadContext,
  isAwaited: IsAwaited,
): CommandResult {
  const { nowMs } = context;
  if (command.op === 'claim_key') return claimKey(shard, command, nowMs);
  if (command.op === 'keep_answer') return keepAnswer(shard, command, nowMs);
  if (command.op === 'compare_totals') return compareTotals(shard, command, nowMs);
  if (command.op === 'clear') return clear(shard, command, context, isAwaited);
  if (command.op === 'expire_hold') return expireHold(shard, command.sequence);
  const record: Commit = (event) => shard.record(event);
  // What was paid of a statement is found by the index.
  if (command.op === 'accrue' && shard.index.refusing) return { ok: false, code: 'shard_unavailable' };
  if (command.op === 'accrue') return decideAccrual(shard.decisions, command, nowMs, record);
  if (command.op === 'apply_program') return applyProgram(shard.state, command, nowMs, record);
  const tag = command.op === 'import' || command.op === 'change_fingerprints' ? undefined : command.idempotency;
  if (tag !== undefined) {
    const earlier = earlierOutcome(shard, tag);
    if (earlier !== undefined) return earlier;
  }
  // An index that is not whole may hide a dispute or what was taken back.
  if (looksBack(command.op) && shard.index.refusing) return { ok: false, code: 'shard_unavailable' };
  if (command.op === 'payment') shard.plantedCommandFault(command.reference);
  const result = decideCommand(shard.decisions, command, nowMs, record);
  // A refusal has no effect that its record could stand beside: the control plane keeps it as an answer.
  if (tag !== undefined && result.ok) keepOutcome(shard, tag, result, nowMs);
  return result;
}

/** Of those the decision is by what the index finds. */
const looksBack = (op: Command['op']): boolean =>
  op === 'open_dispute' || op === 'dispute_step' || op === 'resolve_suspense';

/** The simulator's expiry: the same record as the sweep's, only before its time. */
function expireHold(shard: LogicalShard, authorization: number): CommandResult {
  const slot = shard.state.holds.find(authorization);
  if (slot < 0) return { ok: false, code: 'hold_not_open', detail: 'the authorization has no open hold' };
  return { ok: true, sequence: shard.expire(slot) };
}

/**
 * Posts records of a clearing file: at least one, and as many as the turn has time for. A look-up that fails half-way leaves what
 * was posted before it, which is found again.
 */
function clear(
  shard: LogicalShard,
  { file, records, asUnknown }: Clear,
  context: ThreadContext,
  isAwaited: IsAwaited,
): CommandResult {
  if (records.length > CLEARING_COMMAND_RECORDS_MAX) {
    const detail = `a clearing command has at most ${CLEARING_COMMAND_RECORDS_MAX} records, not ${records.length}`;
    return { ok: false, code: 'capacity_exceeded', detail };
  }
  // An index that is not whole may hide what was posted before.
  if (shard.index.refusing) return { ok: false, code: 'shard_unavailable' };
  const { monotonicUs } = context.ports;
  const startUs = monotonicUs() - context.clearingUs;
  const cleared: ClearingAnswer[] = [];
  for (const entry of records) {
    shard.plantedCommandFault(entry.input.rrn);
    const decided = shard.clearing(file, entry, asUnknown);
    cleared.push('outcome' in decided ? decided : answerOf('posted', decided));
    context.clearingUs = monotonicUs() - startUs;
    if (context.clearingUs >= CLEARING_TURN_US && isAwaited()) break;
  }
  return { ok: true, sequence: shard.journal.sequence, cleared };
}
