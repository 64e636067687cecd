/**
 * Errors of the API: RFC 9457 problem documents, extended with `code` (stable, for programs), `param` (JSON pointer or
 * name of the offending input), `errors` (all of them, with the place in the text of a rule) and `request_id`. Each code stands in this table once and in
 * docs/reference/api.md; a test holds the two lists against each other. A message never repeats the value it refuses:
 * the value may be a card number.
 */

import type { RuleErrorCode } from '../domain/rules/rule-error.js';
import { maskDigits } from '../pan-mask.js';

export const problems = {
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_query: { status: 400, title: 'A query parameter is not valid' },
  idempotency_key_missing: { status: 400, title: 'An Idempotency-Key is required' },
  idempotency_key_invalid: { status: 400, title: 'The Idempotency-Key is not valid' },
  reason_missing: { status: 400, title: 'A reason is required' },
  bad_request: { status: 400, title: 'The request cannot be understood' },
  unauthorized: { status: 401, title: 'A valid bearer token is required' },
  forbidden: { status: 403, title: 'The token may not make this call' },
  not_sandbox: { status: 403, title: 'Only cards of a sandbox program can be simulated' },
  not_found: { status: 404, title: 'There is no such object' },
  route_not_found: { status: 404, title: 'There is no such endpoint' },
  method_not_allowed: { status: 405, title: 'The endpoint does not have this method' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  account_exists: { status: 409, title: 'The account exists already' },
  card_exists: { status: 409, title: 'The card number is in use already' },
  program_exists: { status: 409, title: 'The program exists already' },
  reference_exists: { status: 409, title: 'The reference was used already' },
  already_reversed: { status: 409, title: 'The entry was taken back already' },
  nothing_owed: { status: 409, title: 'The account owes nothing' },
  account_charged_off: { status: 409, title: 'The account is charged off' },
  given_back: { status: 409, title: 'It was given back already' },
  suspense_amount: { status: 409, title: 'The record names another amount' },
  dispute_step_refused: { status: 409, title: 'The dispute does not allow this step now' },
  nothing_to_send: { status: 409, title: 'There is nothing that a network has not been told' },
  content_lost: { status: 409, title: 'The content of the file is lost' },
  approval_closed: { status: 409, title: 'The approval is not open any more' },
  already_resolved: { status: 409, title: 'The item is not in suspense any more' },
  rotation_running: { status: 409, title: 'Another rotation of keys goes on' },
  rotation_refused: { status: 409, title: 'The key cannot be replaced now' },
  backup_running: { status: 409, title: 'Another backup is being made' },
  backup_exists: { status: 409, title: 'The backup exists already' },
  journal_busy: { status: 409, title: 'Another export or drop of the journal is running' },
  recon_running: { status: 409, title: 'Another reconciliation is running' },
  backtest_running: { status: 409, title: 'Another backtest is running' },
  rule_retired: { status: 409, title: 'The rule is retired' },
  account_closed: { status: 409, title: 'The account is closed' },
  card_status_final: { status: 409, title: 'The status of the card is final' },
  card_replaced: { status: 409, title: 'The card has a replacement' },
  not_a_card: { status: 409, title: 'A network token is no card' },
  idempotency_in_progress: { status: 409, title: 'A request with this Idempotency-Key is under way' },
  last_admin_token: { status: 409, title: 'The last admin token cannot be revoked' },
  dropped: { status: 410, title: 'The records are not in the journal any more' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  validation_failed: { status: 422, title: 'The body is not valid' },
  idempotency_mismatch: { status: 422, title: 'The Idempotency-Key was used with another request' },
  account_not_found: { status: 422, title: 'The account does not exist' },
  card_not_found: { status: 422, title: 'The card does not exist' },
  program_not_found: { status: 422, title: 'The program does not exist' },
  authorization_not_found: { status: 422, title: 'The authorization does not exist' },
  currency_mismatch: { status: 422, title: 'The currency does not fit' },
  balance_too_low: { status: 422, title: 'The balance is too low' },
  amount_out_of_range: { status: 422, title: 'The amount is out of range' },
  day_out_of_range: { status: 422, title: 'The day cannot be accrued' },
  not_simulatable: { status: 422, title: 'The message cannot be built' },
  too_many_wrong_tokens: { status: 429, title: 'Too many wrong tokens came from this address' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'The engine failed' },
  not_supported: { status: 501, title: 'This installation cannot do that' },
  audit_unavailable: { status: 503, title: 'The audit log cannot be written' },
  capacity_exceeded: { status: 503, title: 'A table of the shard is full' },
  disk_full: { status: 503, title: 'The disk is nearly full' },
  identity_provider_unavailable: { status: 503, title: 'The identity provider cannot be asked' },
  index_behind: { status: 503, title: 'The search has not caught up' },
  shard_unavailable: { status: 503, title: 'The shard is not available' },
  too_many_listeners: { status: 503, title: 'Too many clients wait for events' },
  stopping: { status: 503, title: 'The engine is stopping' },
  outcome_unknown: { status: 504, title: 'The shard did not answer in time' },
} as const satisfies Record<string, { status: number; title: string }>;

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export type ProblemCode = keyof typeof problems;

export interface ProblemError {
  detail: string;
  /** RFC 6901 JSON pointer into the body, or the name of a query or path parameter. */
  pointer: string;
  /** What a rule is refused for (domain/rules/rule-error.ts) and where in its text: line and column from 1, offset from 0. */
  code?: RuleErrorCode;
  line?: number;
  column?: number;
  offset?: number;
  length?: number;
}

/** What a refusal names besides its reason: members of the problem of their own. */
export interface ProblemMembers {
  /** Of `nothing_to_send`: chargebacks that no file can tell of, and why. */
  readonly left_out?: readonly { readonly entry: string; readonly reason: string }[];
}

/** An expected failure of a request. */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly param: string | undefined;
  readonly errors: readonly ProblemError[];
  readonly retryAfterSeconds: number | undefined;
  readonly members: ProblemMembers;

  constructor(
    code: ProblemCode,
    detail: string,
    more: {
      param?: string;
      errors?: readonly ProblemError[];
      retryAfterSeconds?: number;
      members?: ProblemMembers;
    } = {},
  ) {
    super(detail);
    this.name = 'ApiError';
    this.code = code;
    this.param = more.param;
    this.errors = more.errors ?? [];
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.members = more.members ?? {};
  }

  get status(): number {
    return problems[this.code].status;
  }
}

export interface ProblemDocument extends ProblemMembers {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: ProblemCode;
  request_id: string;
  param?: string;
  errors?: readonly ProblemError[];
}

export function problemDocument(error: ApiError, path: string, requestId: string): ProblemDocument {
  const { status, title } = problems[error.code];
  return {
    type: `/docs/errors#${error.code}`,
    title,
    status,
    detail: error.message,
    instance: shownPath(path),
    code: error.code,
    request_id: requestId,
    ...(error.param === undefined ? {} : { param: error.param }),
    ...(error.errors.length === 0 ? {} : { errors: error.errors }),
    ...error.members,
  };
}

/** The path without anything that could be a card number, however it is encoded or grouped. */
function shownPath(path: string): string {
  const plain = path.replace(/%([2-7][0-9a-f])/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  const shown = maskDigits(plain);
  return shown === plain ? path : encodeURI(shown);
}

/** RFC 6901 pointer of a path of keys. */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
