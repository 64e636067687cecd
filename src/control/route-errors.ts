/**
 * Which problems a route can answer: what follows from its kind (a token, a body, a key ...), and what the route itself names.
 * The OpenAPI document is made of it, and the tests hold every answer they get against it.
 */
import { type ProblemCode, problems } from './problem.js';
import { isRecorded, type Route } from './route.js';

/** Of a route that asks a shard. */
export const shardRead: readonly ProblemCode[] = ['shard_unavailable', 'stopping'];
/** Of a route that changes something in a shard. */
export const shardWrite: readonly ProblemCode[] = [
  ...shardRead,
  'disk_full',
  'outcome_unknown',
  'capacity_exceeded',
  'dropped',
];
/** Of a route that reads what the journal holds. */
export const journalRead: readonly ProblemCode[] = [...shardRead, 'index_behind', 'dropped'];

/** Of every route: what the server looks at before it knows the route, or has no say in. */
const everywhere: readonly ProblemCode[] = [
  'bad_request',
  'invalid_query',
  'request_timeout',
  'headers_too_large',
  'internal',
  'stopping',
];

/** Problems whose answers carry Retry-After. */
export const retried: ReadonlySet<ProblemCode> = new Set([
  'idempotency_in_progress',
  'too_many_wrong_tokens',
  'disk_full',
  'identity_provider_unavailable',
  'index_behind',
  'shard_unavailable',
  'too_many_listeners',
  'stopping',
  'outcome_unknown',
]);

/** Every code that the route can answer, in the order of the table of problems. */
export function errorsOf(route: Route): ProblemCode[] {
  const codes = new Set<ProblemCode>(everywhere);
  const add = (...more: readonly ProblemCode[]): void => {
    for (const code of more) codes.add(code);
  };
  if (route.access !== 'open')
    add('unauthorized', 'too_many_wrong_tokens', 'forbidden', 'identity_provider_unavailable');
  if (route.needsReason === true) add('reason_missing');
  if (isRecorded(route)) add('audit_unavailable');
  if (route.params !== undefined) add('not_found');
  if (route.streamTypes !== undefined) add('unsupported_media_type');
  else if (route.body !== undefined)
    add('invalid_json', 'payload_too_large', 'unsupported_media_type', 'validation_failed');
  if (route.idempotency !== 'none') {
    add('idempotency_key_invalid', 'idempotency_in_progress', 'idempotency_mismatch');
    // The key itself is kept by a shard.
    add(...shardRead, 'disk_full', 'outcome_unknown', 'dropped');
  }
  if (route.idempotency === 'shard_required') add('idempotency_key_missing');
  add(...(route.errors ?? []));
  return (Object.keys(problems) as ProblemCode[]).filter((code) => codes.has(code));
}
