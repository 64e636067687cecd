/**
 * The HTTP server: turns the list of routes into a Fastify application. For every request, in this order: request id,
 * bearer token and scope (before a byte of the body is read), body, validation, audit log, Idempotency-Key, handler, answer. What is
 * not in the list of routes does not exist, and a path below /v1 is not even denied to somebody without a token.
 */
import { Readable } from 'node:stream';
import type { Server as TlsServer } from 'node:tls';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import type { Logger } from 'pino';
import { HoldfastError } from '../errors.js';
import { API_BODY_BYTES_MAX, API_BODY_DEPTH_MAX, API_CONNECTIONS_MAX } from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import type { ServerTls } from '../server-tls.js';
import type { ProposedCall } from './approvals.js';
import { type AuditCall, reasonOf } from './audit/audit-log.js';
import type { ControlContext } from './context.js';
import { answerClientError, toApiError, unsupportedType } from './failures.js';
import type { ClaimedKey } from './idempotency.js';
import { parseJson } from './json-body.js';
import { once } from './once.js';
import { ApiError, PROBLEM_TYPE, problemDocument } from './problem.js';
import { randomName } from './random-name.js';
import { forbids } from './roles.js';
import { type Answer, isRecorded, type Route, type RouteInput } from './route.js';
import type { TokenRow } from './system-state.js';
import { publicTokenId, rightsOf } from './tokens.js';
import { validate } from './validate.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Body as received, for the idempotency hash. */
    rawBody?: Buffer;
    tokenId?: string;
    token?: TokenRow;
    /** Where the call is in the audit log, and the id of what it made. */
    audited?: { readonly sequence: number; target: string };
  }
}

export interface AppOptions {
  context: ControlContext;
  routes: readonly Route[];
  logger: Logger;
  /** Called when a store failed or an invariant broke: the process must end, nothing may be answered on a guess. */
  onFatal?: (error: HoldfastError) => void;
  /** The server speaks TLS only. */
  tls?: ServerTls;
}

export function buildApp({ context, routes, logger, onFatal, tls }: AppOptions): FastifyInstance {
  const app = bareServer(logger, tls);
  addParsers(app, routes);
  addHooks(app, context);
  app.setErrorHandler((error, request, reply) => {
    // Only a write whose outcome is unknown ends the process; a row that cannot be read costs its own answer.
    if (error instanceof HoldfastError && error.code === 'commit_failed') onFatal?.(error);
    return sendProblem(toApiError(error, request), request, reply);
  });
  const methods = methodsByPath(routes);
  app.setNotFoundHandler(async (request, reply) => {
    if (request.url.startsWith('/v1')) await authorize(context, undefined, request);
    const allowed = methods.find((entry) => entry.pattern.test(pathOf(request)))?.methods;
    if (allowed === undefined)
      throw new ApiError('route_not_found', 'See /docs for the endpoints of this server.', { param: 'path' });
    reply.header('allow', allowed.join(', '));
    throw new ApiError('method_not_allowed', `This endpoint takes ${allowed.join(', ')}.`);
  });
  for (const route of routes) addRoute(app, context, route);
  return app;
}

/**
 * Routes are validated by their own schemas (validate.ts), none by Fastify. It would load its compilers all the same: some 300 files, a fifth
 * of what the control thread's start takes.
 */
function noCompiler(): never {
  throw new HoldfastError('internal', 'a route has a schema of Fastify', 'give it a body or a query schema of its own');
}
const noCompilers = { buildValidator: noCompiler, buildSerializer: noCompiler };

/** A server without routes, which answers what never becomes a request of a route with problems of ours as well. */
function bareServer(logger: Logger, tls: ServerTls | undefined): FastifyInstance {
  // A request without a Host is refused by a hook, with a problem.
  const http = { requireHostHeader: false };
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    frameworkErrors: (error, request, reply) => {
      // No hook ran: the URL could not be routed.
      setHeaders(request, reply);
      void sendProblem(toApiError(error, request), request, reply);
    },
    schemaController: { compilersFactory: noCompilers },
    bodyLimit: API_BODY_BYTES_MAX,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 200 },
    genReqId: newRequestId,
    forceCloseConnections: 'idle',
    requestTimeout: 0,
    return503OnClosing: false,
    http,
    ...(tls === undefined ? {} : { https: { ...http, ...tls.options } }),
    clientErrorHandler: (error, socket) => {
      const requestId = newRequestId();
      logger.debug({ code: (error as { code?: string }).code, reqId: requestId }, 'no request');
      answerClientError(error, socket, requestId);
    },
  }) as unknown as FastifyInstance;
  if (tls !== undefined) watchTls(app.server as unknown as TlsServer, tls, logger);
  app.server.maxConnections = API_CONNECTIONS_MAX;
  // An expectation that nobody knows may be ignored; Node would answer it without a problem.
  app.server.on('checkExpectation', (request, response) => void app.server.emit('request', request, response));
  return app;
}

/** New certificates reach the server; whoever fails the handshake is cut off, without an answer in plain text. */
function watchTls(server: TlsServer, tls: ServerTls, logger: Logger): void {
  tls.attach(server);
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    logger.debug({ code: error.code }, 'no TLS handshake');
    socket.destroy();
  });
}

/** What is done for every request, whatever its route. */
function addHooks(app: FastifyInstance, { audit }: ControlContext): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onRequest', async (request, reply) => {
    setHeaders(request, reply);
    if (closing) throw new ApiError('stopping', 'The engine is stopping; nothing was done.', { retryAfterSeconds: 5 });
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      throw new ApiError('bad_request', 'Send a Host header.', { param: 'Host' });
  });
  app.addHook('onSend', async ({ audited }, reply) => {
    if (audited !== undefined) audit.end(audited.sequence, reply.statusCode, audited.target);
  });
  app.addHook('onResponse', async (request, reply) => {
    // The route's pattern, never the URL: a query may hold what must not be logged.
    request.log.debug(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        token: request.tokenId,
      },
      'request',
    );
  });
}

function addRoute(app: FastifyInstance, context: ControlContext, route: Route): void {
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    onRequest: async (request) => {
      try {
        await authorize(context, route, request);
      } catch (error) {
        // A token that is known and may not: somebody must be able to see who tried.
        if (error instanceof ApiError && error.code === 'forbidden')
          await context.audit.denied(auditCall(route, request));
        throw error;
      }
    },
    preParsing: async (request, _reply, payload) => {
      assertPlain(request);
      assertType(route, request);
      return payload;
    },
    handler: async (request, reply) => {
      const answer = await execute(context, route, request);
      return sendAnswer(answer, reply);
    },
  });
}

/** Headers of every answer. */
function setHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  reply.header('cache-control', 'no-store');
  reply.header('x-content-type-options', 'nosniff');
  reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
}

function newRequestId(): string {
  return `req_${randomName()}`;
}

/** A compressed body is refused and not taken for what it is not. */
function assertPlain(request: FastifyRequest): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity')
    throw new ApiError('unsupported_media_type', 'Send the body without a Content-Encoding.', {
      param: 'Content-Encoding',
    });
}

/** Before the body is read by a parser, whose limits and rules may be those of another type. */
function assertType(route: Route, { headers }: FastifyRequest): void {
  const isEmpty = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
  if (route.method === 'GET' || (isEmpty && route.streamTypes === undefined)) return;
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const accepted = route.streamTypes ?? ['application/json'];
  if (!accepted.includes(type)) throw unsupportedType(accepted);
}

/** 401 without a valid token, 429 after too many wrong ones, 403 without the right. No route: any valid token will do. */
async function authorize(context: ControlContext, route: Route | undefined, request: FastifyRequest): Promise<void> {
  if (route?.access === 'open') return;
  if (route?.access === 'loopback' && isLoopback(request.socket.remoteAddress)) return;
  const { authorization } = request.headers;
  const nowMs = context.nowMs();
  const token =
    context.tokens.authenticate(authorization, nowMs) ?? (await context.oidc?.authenticate(authorization, nowMs));
  if (token === undefined) throw unauthorized(context, request);
  request.tokenId = publicTokenId(token.id);
  request.token = token;
  if (route === undefined) return;
  const why = forbids(route, token);
  if (why !== undefined) throw new ApiError('forbidden', why);
}

/** A token that is wrong counts against its address; one that is missing is nobody's guess and does not. */
function unauthorized(context: ControlContext, request: FastifyRequest): ApiError {
  if (request.headers.authorization !== undefined) {
    const retryAfterSeconds = context.wrongTokens.count(request.socket.remoteAddress ?? '', context.nowMs());
    if (retryAfterSeconds > 0)
      return new ApiError(
        'too_many_wrong_tokens',
        'Too many wrong tokens came from this address within a minute. A right token is accepted at any time.',
        { retryAfterSeconds },
      );
  }
  return new ApiError(
    'unauthorized',
    'Send Authorization: Bearer <token>, with one that is known and has not expired. The first is in <data-dir>/admin.token.',
  );
}

export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

type Input = Omit<RouteInput<unknown, unknown, unknown>, 'idempotency'>;

async function execute(context: ControlContext, route: Route, request: FastifyRequest): Promise<Answer> {
  const params = route.params === undefined ? {} : validate(route.params, request.params, 'path');
  const query = route.query === undefined ? noQuery(request) : validate(route.query, request.query, 'query');
  const streamed = route.streamTypes !== undefined;
  const body = route.body === undefined || streamed ? undefined : validate(route.body, request.body, 'body');
  const path = pathOf(request);
  const idempotencyKey = headerOf(request, 'idempotency-key');
  const input: Input = {
    params,
    query,
    body,
    idempotencyKey: route.idempotency === 'none' ? undefined : idempotencyKey,
    stream: request.body as RouteInput<unknown, unknown, unknown>['stream'],
    tokenId: request.tokenId,
    token: request.token,
    path,
    header: (name) => headerOf(request, name),
    onGone(gone) {
      request.raw.socket.once('close', gone);
      return () => void request.raw.socket.off('close', gone);
    },
  };
  if (route.needsReason === true && reasonOf(input.header) === '')
    throw new ApiError('reason_missing', 'Say in the header X-Reason why.', { param: 'X-Reason' });
  if (!isRecorded(route)) return answerOf(context, route, request, input);
  request.audited = { sequence: await context.audit.begin(auditCall(route, request)), target: '' };
  const answer = await answerOf(context, route, request, input);
  request.audited.target = idOf(answer.body);
  return answer;
}

/** The answer of the handler, or the first answer to the Idempotency-Key. */
async function answerOf(context: ControlContext, route: Route, request: FastifyRequest, input: Input): Promise<Answer> {
  const { idempotencyKey, path } = input;
  const isProposed = context.approvals.wants(route, input.body);
  const handle = (idempotency: ClaimedKey | undefined): Promise<Answer> | Answer =>
    isProposed
      ? context.approvals.propose(proposalOf(route, request, input), idempotency)
      : route.handle({ ...input, idempotency });
  if (route.idempotency === 'none' || route.idempotency === 'own') {
    return handle(undefined);
  }
  if (idempotencyKey === undefined) {
    if (route.idempotency === 'shard_required')
      throw new ApiError('idempotency_key_missing', 'Send an Idempotency-Key, and the same one when you try again.', {
        param: 'Idempotency-Key',
      });
    return handle(undefined);
  }
  const idempotency = context.idempotency.of(idempotencyKey, route.method, path, request.rawBody ?? Buffer.alloc(0));
  // The outcome of a proposal stands beside it in the system journal, wherever that of its call will be.
  const kept = isProposed ? ({ idempotency: 'system' } as const) : route;
  return once(context, { route: kept, idempotency, path, requestId: request.id }, handle);
}

function proposalOf(route: Route, request: FastifyRequest, { params, path }: Input): ProposedCall {
  const body = route.body === undefined ? '' : JSON.stringify(request.body);
  return { route, params, body, path, token: request.token, reason: reasonOf((name) => headerOf(request, name)) };
}

/** What the audit log says of a request. Nothing in it is a card number or a secret: what could be one is masked. */
function auditCall(route: Route, request: FastifyRequest): AuditCall {
  const { id = '' } = (request.params ?? {}) as { id?: string };
  const { token } = request;
  return {
    token: request.tokenId ?? '',
    name: token === undefined ? '' : maskDigits(token.name),
    role: token === undefined ? '' : rightsOf(token),
    operation: route.id,
    method: route.method,
    route: route.path,
    target: maskDigits(id),
    reason: reasonOf((name) => headerOf(request, name)),
    request: request.id,
    address: request.socket.remoteAddress ?? '',
    reveals: route.reveals ?? '',
  };
}

/** Id of the object that an answer shows. */
function idOf(body: unknown): string {
  if (typeof body !== 'object' || body === null || !('id' in body) || typeof body.id !== 'string') return '';
  return maskDigits(body.id);
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const header = request.headers[name];
  return Array.isArray(header) ? header.join(', ') : header;
}

function noQuery(request: FastifyRequest): Record<string, never> {
  const [first] = Object.keys(request.query as object);
  if (first !== undefined)
    throw new ApiError('invalid_query', 'This endpoint takes no query parameters.', { param: maskDigits(first) });
  return {};
}

function sendAnswer(answer: Answer, reply: FastifyReply): FastifyReply {
  reply.code(answer.status);
  if (answer.replayed === true) reply.header('idempotent-replayed', 'true');
  if (answer.headers !== undefined) reply.headers(answer.headers);
  if (answer.contentType !== undefined) return reply.type(answer.contentType).send(answer.body);
  if (answer.body === undefined) return reply.send();
  const body = answer.body instanceof Readable ? answer.body : JSON.stringify(answer.body);
  return reply.type('application/json; charset=utf-8').send(body);
}

function sendProblem(error: ApiError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.status === 401) reply.header('www-authenticate', 'Bearer realm="holdfast"');
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds));
  const document = problemDocument(error, pathOf(request), request.id);
  return reply.code(error.status).type(PROBLEM_TYPE).send(JSON.stringify(document));
}

function addParsers(app: FastifyInstance, routes: readonly Route[]): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    request.rawBody = body as Buffer;
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    try {
      done(null, parseJson(body as Buffer));
    } catch {
      // The parser's message quotes the input: say only that it failed.
      const detail = `The body must be one JSON value in UTF-8, nested at most ${API_BODY_DEPTH_MAX} deep.`;
      done(new ApiError('invalid_json', detail), undefined);
    }
  });
  const streamTypes = new Set(routes.flatMap((route) => route.streamTypes ?? []));
  for (const type of streamTypes) app.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
}

function methodsByPath(routes: readonly Route[]): { pattern: RegExp; methods: string[] }[] {
  const byPath = new Map<string, string[]>();
  for (const { path, method } of routes) byPath.set(path, [...(byPath.get(path) ?? []), method]);
  return [...byPath].map(([path, methods]) => ({
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
    methods,
  }));
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]!;
}
