/**
 * Failures of requests as problems of the API: expected ones, those of the HTTP library, those of the shards, and bytes that are
 * no request at all. Anything else is a defect: it is logged, and told as 500 without its text.
 */
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { HoldfastError } from '../errors.js';
import { API_BODY_BYTES_MAX } from '../limits.js';
import { ShardError } from './ports.js';
import { ApiError, PROBLEM_TYPE, problemDocument } from './problem.js';

/** @param accepted what the route takes */
export function unsupportedType(accepted: readonly string[]): ApiError {
  return new ApiError('unsupported_media_type', `Send Content-Type: ${accepted.join(' or ')}.`);
}

/** Expected failures pass; Fastify's own become problems of ours; anything else is logged. */
export function toApiError(error: unknown, request: FastifyRequest): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ShardError) return ofShardError(error);
  if (error instanceof HoldfastError && error.code === 'record_dropped') return new ApiError('dropped', error.message);
  const { code } = error as { code?: string };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiError('payload_too_large', `The body may have ${API_BODY_BYTES_MAX} bytes.`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return unsupportedType(['application/json']);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new ApiError('bad_request', 'Content-Length differs from the length of the body.');
    case 'FST_ERR_BAD_URL':
      return new ApiError('bad_request', 'The URL is not well-formed.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new ApiError('not_found', 'There is no object with such a long id.');
    case 'ECONNRESET':
      // The peer left before its body was whole: nobody reads this answer, and nothing is wrong here.
      return new ApiError('bad_request', 'The connection ended before the body did.');
    default:
  }
  request.log.error({ err: error, route: request.routeOptions.url }, 'request failed');
  return new ApiError(
    'internal',
    'The failure is in the log under this request id. Whether the write happened is not known.',
  );
}

function ofShardError(error: ShardError): ApiError {
  switch (error.kind) {
    case 'timeout':
      return new ApiError(
        'outcome_unknown',
        'The write was handed over and not answered in time. Send it again with the same Idempotency-Key to learn its outcome.',
        { retryAfterSeconds: 1 },
      );
    case 'stopped':
      return new ApiError('stopping', 'The engine is stopping; nothing was done.', { retryAfterSeconds: 5 });
    case 'refused':
      return new ApiError('disk_full', 'The disk is nearly full: no new work is taken; nothing was done.', {
        retryAfterSeconds: 5,
      });
    case 'dropped':
      return new ApiError('not_simulatable', 'The engine does not answer such a message.');
    default:
      return new ApiError('shard_unavailable', 'The shard takes no new work at the moment; nothing was done.', {
        retryAfterSeconds: 1,
      });
  }
}

/** What the HTTP parser refused: there is no request, so the answer goes straight to the socket, and the connection ends. */
export function answerClientError(error: { code?: string }, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = clientProblem(error.code);
  const body = JSON.stringify(problemDocument(problem, '/', requestId));
  socket.write(
    [
      `HTTP/1.1 ${problem.status} ${statusText[problem.status] ?? 'Bad Request'}`,
      `Content-Type: ${PROBLEM_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      `X-Request-Id: ${requestId}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  // A handler may be reading the body of a request on this socket: it learns now that there is no more.
  socket.destroySoon();
}

const statusText: Readonly<Record<number, string>> = {
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function clientProblem(code: string | undefined): ApiError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError('headers_too_large', 'Request line and headers may have 16 384 bytes together.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiError('request_timeout', 'The headers did not arrive in time.');
    default:
      return new ApiError('bad_request', 'These bytes are no HTTP request.');
  }
}
