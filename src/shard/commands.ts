/**
 * Commands of the control plane inside a shard: idempotency, decision, records, result. A command's events and its
 * idempotency record stand in the frame of its turn, so effect and key are durable together.
 */
import { pack, unpack } from 'msgpackr';
import type { Command, CommandResult } from '../domain/commands.js';
import type { Commit } from '../domain/commit.js';
import { decideAccrual } from '../domain/decide-accrual.js';
import { decideCommand } from '../domain/decide-command.js';
import { applyProgram } from '../domain/program/apply-program.js';
import type { RingConsumer } from '../ring/ring.js';
import { compareTotals } from './compare.js';
import { claimKey, earlierOutcome, keepAnswer, keepOutcome } from './idempotency.js';
import type { LogicalShard } from './logical-shard.js';

/** Runs the command of the current ring entry and queues its result. */
export function handleCommand(shard: LogicalShard, client: number, entry: RingConsumer, nowMs: number): void {
  const payload = entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength);
  const command = unpack(payload) as Command;
  shard.queueResult(client, entry.token, pack(runCommand(shard, command, nowMs)));
}

function runCommand(shard: LogicalShard, command: Command, nowMs: number): CommandResult {
  if (command.op === 'claim_key') return claimKey(shard, command, nowMs);
  if (command.op === 'keep_answer') return keepAnswer(shard, command, nowMs);
  if (command.op === 'compare_totals') return compareTotals(shard, command, nowMs);
  if (command.op === 'expire_hold') return expireHold(shard, command.sequence);
  const record: Commit = (event) => shard.record(event);
  if (command.op === 'accrue') return decideAccrual(shard.decisions, command, nowMs, record);
  if (command.op === 'apply_program') return applyProgram(shard.state, command, nowMs, record);
  const tag = command.op === 'import' ? undefined : command.idempotency;
  if (tag !== undefined) {
    const earlier = earlierOutcome(shard, tag);
    if (earlier !== undefined) return earlier;
  }
  if (command.op === 'payment') shard.plantedCommandFault(command.reference);
  const result = decideCommand(shard.decisions, command, nowMs, record);
  // A refusal has no effect that its record could stand beside: the control plane keeps it as an answer.
  if (tag !== undefined && result.ok) keepOutcome(shard, tag, result, nowMs);
  return result;
}

/** The simulator's expiry: the same record as the sweep's, only before its time. */
function expireHold(shard: LogicalShard, authorization: number): CommandResult {
  const slot = shard.state.holds.find(authorization);
  if (slot < 0) return { ok: false, code: 'hold_not_open', detail: 'the authorization has no open hold' };
  return { ok: true, sequence: shard.expire(slot) };
}
