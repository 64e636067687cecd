/** A control plane on fakes, with every log line kept for inspection. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { buildApp } from '#src/control/app.js';
import type { ApprovalPolicy } from '#src/control/approval-kinds.js';
import { Approvals } from '#src/control/approvals.js';
import { AuditLog, type AuditSink } from '#src/control/audit/audit-log.js';
import { Backtests } from '#src/control/backtests.js';
import { Backups } from '#src/control/backups.js';
import { ClearingFiles, type ClearingFilesOptions } from '#src/control/clearing/files.js';
import { SpoolFolder } from '#src/control/clearing/spool-folder.js';
import { batchesOf, checkOf } from '#src/control/clearing-task.js';
import type { ControlContext } from '#src/control/context.js';
import { EventFeed } from '#src/control/events/event-feed.js';
import { IdempotencyKeys } from '#src/control/idempotency.js';
import { openApi } from '#src/control/openapi.js';
import { OutgoingFiles } from '#src/control/outgoing/files.js';
import { Parties } from '#src/control/parties.js';
import type { CardKeysPort, ProfilePort, VaultPort } from '#src/control/ports.js';
import { ProgramFeed } from '#src/control/program-feed.js';
import { ReconRuns } from '#src/control/recon/runs.js';
import type { Role } from '#src/control/roles.js';
import type { Route } from '#src/control/route.js';
import { retried } from '#src/control/route-errors.js';
import { allRoutes } from '#src/control/routes/index.js';
import type { SystemLog, SystemRecord } from '#src/control/system-log.js';
import { SystemState } from '#src/control/system-state.js';
import { type Grant, type Scope, scopes, Tokens } from '#src/control/tokens.js';
import { AddressRule } from '#src/control/webhooks/address.js';
import { DeliveryStore } from '#src/control/webhooks/delivery-store.js';
import { type WebhookOptions, Webhooks } from '#src/control/webhooks/webhooks.js';
import { WrongTokens } from '#src/control/wrong-tokens.js';
import { DialectCodec } from '#src/ingress/local-reply.js';
import { type DialectName, dialect } from '#src/iso8583/dialects.js';
import { SystemJournal } from '#src/journal/system-journal.js';
import type { SlowRequest } from '#src/slow-request.js';
import { MemoryStore } from '#src/store/memory-store.js';
import type { Fingerprint } from '#src/vault/fingerprint.js';
import { LiveFingerprints } from '#src/vault/live-fingerprints.js';
import { PublicIds } from '#src/vault/public-ids.js';
import { SecretBox } from '#src/vault/secret-box.js';
import type { Answer } from '../support/answer.js';
import { pinReferences } from '../support/card-keys.js';
import { cleanUpAfterFile } from '../support/clean-up.js';
import { TestEngine } from './engine.js';

const spoolRoot = mkdtempSync(join(tmpdir(), 'holdfast-spool-'));
cleanUpAfterFile(() => rmSync(spoolRoot, { recursive: true, force: true }));
let spools = 0;

/** An empty folder. */
function spoolFolder(): string {
  const folder = join(spoolRoot, String(++spools));
  mkdirSync(folder, { recursive: true });
  return folder;
}

export const START_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

export class MemoryLog implements SystemLog {
  readonly records: SystemRecord[] = [];
  append(records: readonly SystemRecord[]): number {
    return this.records.push(...structuredClone(records));
  }
  replay(visit: (record: SystemRecord, sequence: number) => void): void {
    for (const [index, record] of this.records.entries()) visit(record, index + 1);
  }
  read(sequence: number): SystemRecord {
    return structuredClone(this.records[sequence - 1]!);
  }
}

export class MemoryVault implements VaultPort {
  readonly pans = new Map<string, string>();
  commits = 0;
  has({ f0, f1, f2 }: Fingerprint): boolean {
    return this.pans.has(`${f0}.${f1}.${f2}`);
  }
  put(batch: readonly { fingerprint: Fingerprint; pan: string }[]): void {
    this.commits++;
    for (const { fingerprint, pan } of batch)
      this.pans.set(`${fingerprint.f0}.${fingerprint.f1}.${fingerprint.f2}`, pan);
  }
  reveal({ f0, f1, f2 }: Fingerprint): string | undefined {
    return this.pans.get(`${f0}.${f1}.${f2}`);
  }
}

function key(name: string): Buffer {
  return createHash('sha256').update(`test key ${name}`).digest();
}

export interface Harness {
  app: FastifyInstance;
  engine: TestEngine;
  vault: MemoryVault;
  context: ControlContext;
  feed: EventFeed;
  webhooks: Webhooks;
  routes: Route[];
  log: MemoryLog;
  /** Everything the control plane logged. */
  logged(): string;
  token(...granted: Scope[]): string;
  roleToken(role: Role): string;
  /** A token of a person. */
  personToken(name: string, granted: Grant): string;
  /** A request with a token of all scopes. */
  call(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Answer; headers: Record<string, unknown>; text: string }>;
  notReady: { check: string; detail: string }[];
  warnings: { check: string; detail: string }[];
}

/** Body of an answer, to be read into. */
export type AnswerBody = Awaited<ReturnType<Harness['call']>>['body'];

export interface HarnessOptions {
  shards?: number;
  profiles?: ProfilePort;
  slowest?: readonly SlowRequest[];
  /** What survives a restart of the control plane. */
  log?: MemoryLog;
  engine?: TestEngine;
  vault?: MemoryVault;
  /** The control plane's clock; that of the engine, which moves with its commands, by default. */
  nowMs?: () => number;
  webhookStore?: MemoryStore;
  audit?: AuditSink;
  webhooks?: Partial<WebhookOptions>;
  clearing?: Partial<ClearingFilesOptions>;
  /** With what an earlier process left in it. */
  spoolFolder?: string;
  outgoingFolder?: string;
  backupFolder?: string;
  /** Keys of card cryptography; without it every name is one of a key that fits. */
  cardKeys?: CardKeysPort;
  oidc?: ControlContext['oidc'];
  approvals?: ApprovalPolicy;
  /** Is told of the steps of an approval. */
  atApproval?: (step: 'confirmed' | 'executed') => void;
  /** False: the listener does not answer. */
  listens?: boolean;
}

/** A listener that approves every network management message. */
function listen(name: DialectName, message: Uint8Array, answers: boolean): Uint8Array {
  if (!answers) throw new Error('no answer');
  const codec = new DialectCodec(dialect(name));
  assert(codec.request.decode(message, 0, message.length));
  return codec.bytes.slice(0, codec.network(0));
}

/** The next process: control plane and shards anew, over what is durable. */
export function restart(h: Harness, more: HarnessOptions = {}): Harness {
  return makeHarness({ log: h.log, vault: h.vault, engine: h.engine.restarted(), ...more });
}

/** What is read of an answer in the OpenAPI document; `content` by media type, a problem's with its codes. */
interface DocumentedAnswer {
  headers: Record<string, unknown>;
  content: Record<string, { schema: { allOf: [unknown, { properties: { code: { enum: string[] } } }] } }>;
}

type DocumentedPaths = Record<string, Record<string, { responses: Record<string, DocumentedAnswer> }>>;

let documentPaths: DocumentedPaths | undefined;

/** Holds every answer of every test against the OpenAPI document: status, code, content type, headers and contents. */
function documentedAnswers(routes: readonly Route[]) {
  documentPaths ??= openApi(routes, 'test').paths as DocumentedPaths;
  const paths = documentPaths;
  return (method: string, url: string, { statusCode, headers, body }: LightMyRequestResponse): void => {
    const path = url.split('?')[0]!;
    const known = routes.find(
      (one) => one.method === method && new RegExp(`^${one.path.replace(/\{\w+\}/g, '[^/]*')}$`).test(path),
    );
    if (known === undefined) return;
    const where = `${method} ${known.path} ${statusCode}`;
    const response = paths[known.path]?.[method.toLowerCase()]?.responses[statusCode];
    assert(response !== undefined, `${where} is not documented: ${body.slice(0, 200)}`);
    for (const name of [
      'Idempotent-Replayed',
      'Retry-After',
      'WWW-Authenticate',
      'Content-Disposition',
      'X-Request-Id',
    ])
      if (headers[name.toLowerCase()] !== undefined) assert(name in response.headers, `${where} ${name}`);
    const type = String(headers['content-type'] ?? '').split(';')[0]!;
    if (type !== '') assert(type in response.content, `${where} ${type}`);
    const { schema } = known.answers[statusCode] ?? {};
    if (schema !== undefined && type === 'application/json') {
      // What the schema does not know is not in what it gives back.
      const answer = JSON.parse(body);
      const read = schema.safeParse(answer);
      assert(read.success, `${where}: ${read.error?.message} in ${body.slice(0, 500)}`);
      assert.deepEqual(read.data, answer, `${where}: more than is documented`);
    }
    if (type !== 'application/problem+json') return;
    const { code } = JSON.parse(body);
    const documented = response.content[type]?.schema.allOf[1].properties.code.enum;
    assert(documented?.includes(code), `${where} ${code}`);
    assert.equal('retry-after' in headers, retried.has(code), `${where} ${code}: Retry-After`);
  };
}

export function makeHarness(options: HarnessOptions = {}): Harness {
  const engine = options.engine ?? new TestEngine(options.shards ?? 4, START_MS);
  const vault = options.vault ?? new MemoryVault();
  const log = options.log ?? new MemoryLog();
  const system = new SystemState(log);
  system.ensureSandboxProgram(START_MS);
  const tokens = new Tokens(system, key('token'));
  const notReady: { check: string; detail: string }[] = [];
  const warnings: { check: string; detail: string }[] = [];
  const fingerprinter = new LiveFingerprints([key('fingerprint')]);
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = pino({ level: 'trace' }, sink);
  const spool = new SpoolFolder(options.spoolFolder ?? spoolFolder(), {
    all: [{ id: '0123456789abcdef', bytes: key('pan') }],
  });
  const { keys } = spool;
  const clearing = new ClearingFiles({
    ...{ system, spool, shards: engine, bytesMax: 2 ** 20, mode: 'auto', log: logger },
    traffic: { threads: 1, threadOf: () => 0, handed: () => 0 },
    passes: {
      check: (port, path, read) => checkOf({ port, path, keys, options: read }),
      batches: (port, path, read, routing) =>
        batchesOf({ port, path, keys, options: read, shards: engine.shards, ...routing }, fingerprinter, engine),
      close: async () => undefined,
    },
    refuses: () => false,
    nowMs: options.nowMs ?? (() => engine.nowMs),
    onFatal: (error) => assert.fail(error),
    ...options.clearing,
  });
  const context: ControlContext = {
    shards: engine,
    listener: { exchange: async (name, message) => listen(name, message, options.listens ?? true) },
    journal: engine,
    parties: new Parties(engine),
    vault,
    fingerprinter,
    pins: pinReferences,
    directory: engine,
    ids: new PublicIds(key('id')),
    search: engine.search,
    keys: { token: key('token'), id: key('id') },
    cardKeys: options.cardKeys ?? { fault: () => undefined },
    system,
    programs: new ProgramFeed(engine, system, () => undefined),
    backtests: new Backtests(() => undefined),
    backups: new Backups({ dataDir: spoolRoot, folder: options.backupFolder, nowMs: () => engine.nowMs, log: logger }),
    clearing,
    outgoing: new OutgoingFiles(new SpoolFolder(options.outgoingFolder ?? spoolFolder(), { all: keys })),
    recon: new ReconRuns((error) => assert.fail(error as Error)),
    tokens,
    oidc: options.oidc,
    approvals: new Approvals({
      policy: options.approvals ?? { kinds: [], fromAmount: 0 },
      log: logger,
      onFatal: (error) => assert.fail(error),
      ...(options.atApproval === undefined ? {} : { reach: options.atApproval }),
    }),
    audit: new AuditLog(
      options.audit ?? SystemJournal.over(new MemoryStore()),
      () => engine.nowMs,
      () => undefined,
    ),
    wrongTokens: new WrongTokens(),
    idempotency: new IdempotencyKeys(key('token')),
    health: { notReady: () => notReady, warnings: () => warnings },
    clock: engine.clock,
    links: [{ name: 'tcp', number: 1, transport: 'tcp', dialect: 'iso87-bcd' }],
    profiles: options.profiles ?? {
      threads: ['control', 'shard-0'],
      profile: async (thread) => (thread === 'control' ? { profile: '{}' } : { unsupported: 'not while it runs' }),
    },
    slowestRequests: async () => options.slowest ?? [],
    metrics: { contentType: 'text/plain; version=0.0.4; charset=utf-8', render: async () => 'holdfast_up 1\n' },
    placement: (id) => engine.placement(id),
    nowMs: options.nowMs ?? (() => engine.nowMs),
    build: { version: '0.0.0-test', node: process.version },
  };
  const feed = new EventFeed(context);
  const box = new SecretBox({ bytes: key('token') });
  const rule = new AddressRule(true);
  const webhooks = new Webhooks({
    ...{ context, feed, box, rule },
    store: new DeliveryStore(options.webhookStore ?? new MemoryStore()),
    log: logger,
    onFatal: (error) => assert.fail(error),
    ...options.webhooks,
  });
  const routes = allRoutes(context, { feed, webhooks, box, rule });
  const app = buildApp({ context, routes, logger });
  const minted = (granted: Grant, name = 'test'): string => {
    const { token: secret, record } = tokens.mint(name, granted, START_MS);
    system.write([record]);
    return secret;
  };
  const token = (...granted: Scope[]): string => minted({ scopes: granted });
  const everything = token(...scopes);
  const documented = documentedAnswers(routes);
  return {
    ...{
      app,
      engine,
      vault,
      context,
      feed,
      webhooks,
      routes,
      log,
      token,
      roleToken: (role: Role) => minted({ role }),
      personToken: (name: string, granted: Grant) => minted(granted, name),
      notReady,
      warnings,
    },
    logged: () => lines.join(''),
    async call(method, url, body, headers = {}) {
      const request: InjectOptions = { method, url, headers: { authorization: `Bearer ${everything}`, ...headers } };
      if (typeof body === 'string') request.payload = body;
      else if (body !== undefined) request.payload = body as object;
      const answer = await app.inject(request);
      documented(method, url, answer);
      const json = String(answer.headers['content-type'] ?? '').includes('json');
      return {
        status: answer.statusCode,
        body: json ? JSON.parse(answer.body) : answer.body,
        headers: answer.headers,
        text: answer.body,
      };
    },
  };
}
