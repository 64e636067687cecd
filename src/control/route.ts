/**
 * One endpoint as data: what it takes, who may call it, what it answers, and the function behind it. The server, the
 * OpenAPI document, the reference page and the tests' access matrix are all read from the same list, so none of them can
 * forget an endpoint.
 */
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { ApprovalKind } from './approval-kinds.js';
import type { ClaimedKey } from './idempotency.js';
import type { ProblemCode } from './problem.js';
import type { TokenRow } from './system-state.js';
import type { Scope } from './tokens.js';

/**
 * Who may call: a scope, everybody ('open': documents without data), or everybody on the same machine and tokens with
 * `read` from elsewhere ('loopback': health and metrics).
 */
export type Access = Scope | 'open' | 'loopback';

/**
 * Where the outcome of a request with an Idempotency-Key is kept (once.ts). `shard`: beside the effect, the tag travels with
 * the command; `shard_required`: the same, and 400 without a key; `system`: in the system journal, beside the effect;
 * `answer`: the whole answer, in the key's shard; `own`: the handler does it (a streamed body); `none`: reads, and deletions,
 * which can be repeated anyway.
 */
export type IdempotencyMode = 'none' | 'shard' | 'shard_required' | 'system' | 'answer' | 'own';

export interface Answer {
  readonly status: number;
  /** Object to send as JSON, or text or bytes when the route names another content type; of either, a stream of the text. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Overrides application/json. */
  readonly contentType?: string;
  /** The answer repeats that of an earlier request with the same key. */
  readonly replayed?: boolean;
}

export interface RouteInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Set when the request came with an Idempotency-Key and the mode is not `none` or `own`. */
  readonly idempotency: ClaimedKey | undefined;
  /** Raw header, for mode `own`. */
  readonly idempotencyKey: string | undefined;
  /** The body of a streamed route. */
  readonly stream: Readable;
  /** Public id of the token that asks; undefined where none is needed. */
  readonly tokenId: string | undefined;
  /** The token itself; undefined as above, and when a confirmed proposal is carried out. */
  readonly token: TokenRow | undefined;
  /** Path of the request without its query. */
  readonly path: string;
  /** A header of the request, by its name in lower case. */
  header(name: string): string | undefined;
  /** Calls `gone` when the client's connection ends; the result takes that back. For handlers that wait. */
  onGone(gone: () => void): () => void;
}

export interface AnswerDoc {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly contentType?: string;
  /** Further content types that the request can ask for; their bodies are text. */
  readonly otherTypes?: readonly string[];
  /** Headers of this answer beside those that every answer has. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface RouteBase {
  /** operationId. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** OpenAPI style: /v1/accounts/{id}. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: Access;
  readonly idempotency: IdempotencyMode;
  /** What it hands out that is recorded in the audit log, although a GET may change nothing. */
  readonly reveals?: 'card_numbers' | 'audit_log';
  /** A second person must confirm it where the setting `approvals` says so (approvals.ts). Its idempotency is not `none` or `own`. */
  readonly approval?: ApprovalKind;
  /** The header X-Reason must say why. */
  readonly needsReason?: true;
  /** Content types of a streamed body; such a route gets no parsed body. */
  readonly streamTypes?: readonly string[];
  /** Headers of the request that the route reads, with what they are for. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** Problems that do not follow from the kind of the route (route-errors.ts). */
  readonly errors?: readonly ProblemCode[];
}

/** A route as its author writes it, with types from its schemas. */
export interface TypedRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> extends RouteBase {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  handle(input: RouteInput<z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer> | Answer;
}

/** A route as the server sees it. */
export interface Route extends RouteBase {
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  handle(input: RouteInput<unknown, unknown, unknown>): Promise<Answer> | Answer;
}

/** Calls that change or reveal something are in the audit log before they do. */
export function isRecorded({ access, method, reveals }: Pick<Route, 'access' | 'method' | 'reveals'>): boolean {
  return access !== 'open' && (method !== 'GET' || reveals !== undefined);
}

/** Gives up the types of one route so that routes fit into one list; the server validates before it calls `handle`. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  typed: TypedRoute<P, Q, B>,
): Route {
  return typed as unknown as Route;
}
