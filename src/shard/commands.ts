/**
 * Commands of the control plane inside a shard: idempotency, decision, records, result. A command's events and its
 * idempotency record stand in the frame of its turn, so effect and key are durable together.
 */
import { pack, unpack } from 'msgpackr';
import { EventKind } from '../domain/codes.js';
import type { Command, CommandResult, IdempotencyTag } from '../domain/commands.js';
import { decideCommand } from '../domain/decide-command.js';
import { keyHash64 } from '../domain/key-hash.js';
import type { RingConsumer } from '../ring/ring.js';
import type { LogicalShard } from './logical-shard.js';

/** Runs the command of the current ring entry and queues its result. */
export function handleCommand(shard: LogicalShard, client: number, entry: RingConsumer, nowMs: number): void {
  const payload = entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength);
  const command = unpack(payload) as Command;
  shard.queueResult(client, entry.token, pack(runCommand(shard, command, nowMs)));
}

function runCommand(shard: LogicalShard, command: Command, nowMs: number): CommandResult {
  const tag = command.op === 'import' ? undefined : command.idempotency;
  if (tag !== undefined) {
    const earlier = earlierOutcome(shard, tag);
    if (earlier !== undefined) return earlier;
  }
  if (command.op === 'payment') shard.plantedCommandFault(command.reference);
  const result = decideCommand(shard.state, command, nowMs, (event) => shard.record(event));
  if (tag !== undefined && result.ok) {
    shard.record({
      kind: EventKind.idempotency,
      sequence: 0,
      timeMs: nowMs,
      keyHash: tag.keyHash,
      bodyHash: tag.bodyHash,
      outcome: pack(result),
    });
  }
  return result;
}

/** The first answer under this key, or a refusal when the body was another one; undefined for a new key. */
function earlierOutcome(shard: LogicalShard, tag: IdempotencyTag): CommandResult | undefined {
  const hash = keyHash64(tag.keyHash);
  const sequence = shard.state.idempotency.find(hash.high, hash.low);
  if (sequence <= 0) return undefined;
  const kept = shard.history.readEvent(sequence);
  if (kept?.kind !== EventKind.idempotency || !Buffer.from(kept.keyHash).equals(tag.keyHash)) return undefined;
  if (!Buffer.from(kept.bodyHash).equals(tag.bodyHash)) return { ok: false, code: 'idempotency_mismatch' };
  return { ...(unpack(kept.outcome) as CommandResult), replayed: true } as CommandResult;
}
