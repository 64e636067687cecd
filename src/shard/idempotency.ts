/**
 * Idempotency keys of the API inside the shards. A key has up to three records, all of the kind `idempotency`:
 *
 *   claim    in the key's shard (placement.ts), before anything is done under the key: key and body belong together
 *   outcome  in the shard of the effect, in the same frame as the effect
 *   answer   in the key's shard, for a request without an effect of its own: a refusal, a simulation
 *
 * So one shard knows of every key whether it was used and with which body, a miss there is proven (the set of keys is a
 * part of the shard's state), and a crash between claim and effect or between effect and answer leaves a key that the same
 * request can take up again and no other.
 */
import { pack, unpack } from 'msgpackr';
import { EventKind } from '../domain/codes.js';
import type { ClaimKey, CommandResult, KeepAnswer } from '../domain/commands.js';
import type { IdempotencyKept } from '../domain/events.js';
import { keyHash64 } from '../domain/key-hash.js';
import type { IdempotencyTag } from '../domain/party-commands.js';
import type { LogicalShard } from './logical-shard.js';

/** Taken into the first byte of the key's hash, so that the records of one key stand apart. Part of the format. */
const Purpose = { outcome: 0, claim: 1, answer: 2 } as const;
type Purpose = (typeof Purpose)[keyof typeof Purpose];

const NOTHING = new Uint8Array(0);
const MISMATCH: CommandResult = { ok: false, code: 'idempotency_mismatch' };

/** Binds the key to the body, or tells what is known of it. */
export function claimKey(shard: LogicalShard, { idempotency }: ClaimKey, nowMs: number): CommandResult {
  const claim = find(shard, idempotency, Purpose.claim);
  if (claim === undefined) {
    const event = keep(shard, idempotency, Purpose.claim, NOTHING, nowMs);
    return { ok: true, sequence: event.sequence, claim: { known: false, claimedMs: event.timeMs } };
  }
  if (!sameBytes(claim.bodyHash, idempotency.bodyHash)) return MISMATCH;
  const answer = find(shard, idempotency, Purpose.answer);
  const known = { known: true, claimedMs: claim.timeMs };
  const { sequence } = claim;
  return { ok: true, sequence, claim: answer === undefined ? known : { ...known, answer: answer.outcome } };
}

/** Keeps the answer under the key; the first one stays. */
export function keepAnswer(shard: LogicalShard, { idempotency, answer }: KeepAnswer, nowMs: number): CommandResult {
  const kept = find(shard, idempotency, Purpose.answer) ?? keep(shard, idempotency, Purpose.answer, answer, nowMs);
  return { ok: true, sequence: kept.sequence };
}

/** Keeps the result of a command in the frame of its events. */
export function keepOutcome(shard: LogicalShard, tag: IdempotencyTag, result: CommandResult, nowMs: number): void {
  keep(shard, tag, Purpose.outcome, pack(result), nowMs);
}

/** The first result under this key, or a refusal when the body was another one; undefined when nothing was done. */
export function earlierOutcome(shard: LogicalShard, tag: IdempotencyTag): CommandResult | undefined {
  const kept = find(shard, tag, Purpose.outcome);
  if (kept === undefined) return undefined;
  if (!sameBytes(kept.bodyHash, tag.bodyHash)) return MISMATCH;
  return { ...(unpack(kept.outcome) as CommandResult), replayed: true } as CommandResult;
}

function find(shard: LogicalShard, tag: IdempotencyTag, purpose: Purpose): IdempotencyKept | undefined {
  const keyHash = under(tag, purpose);
  const { high, low } = keyHash64(keyHash);
  const sequence = shard.state.idempotency.find(high, low);
  if (sequence <= 0) return undefined;
  const kept = shard.history.readEvent(sequence);
  return kept?.kind === EventKind.idempotency && sameBytes(kept.keyHash, keyHash) ? kept : undefined;
}

function keep(
  shard: LogicalShard,
  tag: IdempotencyTag,
  purpose: Purpose,
  outcome: Uint8Array,
  nowMs: number,
): IdempotencyKept {
  const event: IdempotencyKept = {
    kind: EventKind.idempotency,
    sequence: 0,
    timeMs: nowMs,
    keyHash: under(tag, purpose),
    bodyHash: tag.bodyHash,
    outcome,
  };
  shard.record(event);
  return event;
}

function under({ keyHash }: IdempotencyTag, purpose: Purpose): Uint8Array {
  const hash = Uint8Array.from(keyHash);
  hash[0]! ^= purpose;
  return hash;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
