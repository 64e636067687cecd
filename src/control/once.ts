/**
 * A write with an Idempotency-Key, step by step:
 *
 *   under way?  -> claim: other body 422, kept answer -> that answer
 *               -> outcome in the system journal       -> that answer
 *               -> the handler; a shard that finds an outcome beside its effect answers with it
 *               -> a refusal, or an answer without an effect of its own, is kept before it is sent
 *
 * A process that dies between two steps has answered nothing, and whatever it had done is found by the repeat: the effect
 * with its outcome, or only the claim, and then the request is decided as if it were new.
 */

import type { Readable } from 'node:stream';
import { shardOfKey } from '../journal/placement.js';
import type { ControlContext } from './context.js';
import { type ClaimedKey, type Idempotency, mismatch } from './idempotency.js';
import type { ShardPort } from './ports.js';
import { ApiError, PROBLEM_TYPE, problemDocument } from './problem.js';
import type { Answer, Route } from './route.js';
import type { SystemRecord } from './system-log.js';
import { refused } from './views.js';

const JSON_TYPE = 'application/json; charset=utf-8';

interface Request {
  readonly route: Pick<Route, 'idempotency'>;
  readonly idempotency: Idempotency;
  /** Path and id of the request, for the problem that a refusal becomes. */
  readonly path: string;
  readonly requestId: string;
}

/** Runs the handler once for the key and answers every repeat with the first answer. */
export function once(
  context: ControlContext,
  request: Request,
  handle: (key: ClaimedKey) => Promise<Answer> | Answer,
): Promise<Answer> {
  const { idempotency, route } = request;
  return context.idempotency.exclusively(idempotency, async () => {
    const { key, answer } = await claimKey(context.shards, idempotency);
    if (answer !== undefined) return answer;
    const known = key.known ? context.system.outcome(idempotency.key) : undefined;
    if (known !== undefined) {
      // A program may still be on its way to a shard that did not answer the first time.
      await context.programs.settle();
      return { status: known.status, body: JSON.parse(known.answer), replayed: true };
    }
    try {
      const fresh = await handle(key);
      if (route.idempotency === 'answer') await keep(context.shards, key, fresh.status, JSON_TYPE, fresh.body);
      return fresh;
    } catch (error) {
      if (error instanceof ApiError && isDecision(error)) {
        const problem = problemDocument(error, request.path, request.requestId);
        await keep(context.shards, key, error.status, PROBLEM_TYPE, problem);
      }
      throw error;
    }
  });
}

/** What a keyed upload tells of itself while it runs. */
export interface KeyedUpload {
  /** Hash of the Idempotency-Key. */
  readonly keyHash: Uint8Array;
  /** Is shown every chunk of the body. */
  onChunk(chunk: Uint8Array): void;
}

/**
 * The same for a body that is a stream, whose hash is known only behind it: the key is claimed for this call, and the body of a repeat
 * is read and compared with that of the finished one. A call that was cut off is done again.
 * @throws ApiError `idempotency_mismatch`, `idempotency_in_progress`, `shard_unavailable`; what `run` throws
 */
export function uploadOnce(
  context: ControlContext,
  path: string,
  stream: Readable,
  header: string,
  run: (upload: KeyedUpload) => Promise<Answer>,
): Promise<Answer> {
  const hasher = context.idempotency.bodyHasher('POST', path);
  const call = context.idempotency.of(header, 'POST', path, new Uint8Array(0));
  return context.idempotency.exclusively(call, async () => {
    await claimKey(context.shards, call);
    const known = context.system.outcome(call.key);
    if (known !== undefined) {
      for await (const chunk of stream) hasher.update(chunk as Uint8Array);
      if (known.body !== Buffer.from(hasher.digest()).toString('hex')) throw mismatch();
      return { status: known.status, body: JSON.parse(known.answer), replayed: true };
    }
    const answer = await run({ keyHash: call.tag.keyHash, onChunk: (chunk) => hasher.update(chunk) });
    const idempotency = context.idempotency.ofHashes(header, hasher.digest());
    context.system.write(outcomeRecord(idempotency, answer.status, answer.body, context.nowMs()));
    return answer;
  });
}

/** The outcome that stands beside a system-level effect; nothing without a key. */
export function outcomeRecord(
  idempotency: Idempotency | undefined,
  status: number,
  body: unknown,
  nowMs: number,
): SystemRecord[] {
  if (idempotency === undefined) return [];
  const { key, body: bodyHash } = idempotency;
  return [{ type: 'outcome', key, body: bodyHash, status, answer: JSON.stringify(body), atMs: nowMs }];
}

/** Binds the key to the body. @throws ApiError `idempotency_mismatch`, `shard_unavailable`; ShardError. */
export async function claimKey(
  shards: ShardPort,
  idempotency: Idempotency,
): Promise<{ key: ClaimedKey; answer?: Answer }> {
  const { tag } = idempotency;
  const result = await shards.command(home(shards, tag.keyHash), { op: 'claim_key', idempotency: tag });
  if (!result.ok) throw result.code === 'idempotency_mismatch' ? mismatch() : refused(result);
  if (!('claim' in result)) throw new TypeError('the shard answered no claim');
  const { known, claimedMs, answer } = result.claim;
  const key = { ...idempotency, known, claimedMs };
  return answer === undefined ? { key } : { key, answer: keptAnswer(answer) };
}

/** What the request decided is final for its key; what only stood in its way (5xx) is not. */
function isDecision({ status }: ApiError): boolean {
  return status < 500;
}

async function keep(
  shards: ShardPort,
  { tag }: ClaimedKey,
  status: number,
  contentType: string,
  body: unknown,
): Promise<void> {
  const answer = Buffer.from(JSON.stringify({ status, contentType, body }));
  const result = await shards.command(home(shards, tag.keyHash), { op: 'keep_answer', idempotency: tag, answer });
  if (!result.ok) throw refused(result);
}

function keptAnswer(bytes: Uint8Array): Answer {
  const { status, contentType, body } = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    status: number;
    contentType: string;
    body: unknown;
  };
  return { status, contentType, body: JSON.stringify(body), replayed: true };
}

function home(shards: ShardPort, keyHash: Uint8Array): number {
  return shardOfKey(keyHash, shards.shards);
}
