import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventTypes } from '#src/control/events/event-types.js';
import { metricNames } from '#src/control/metric-table.js';
import { Metrics, type MetricsSources } from '#src/control/metrics.js';
import { problems } from '#src/control/problem.js';
import { errorsOf } from '#src/control/route-errors.js';
import { snakeCase } from '#src/control/views.js';
import { Reason, responseCode, responseText } from '#src/domain/codes.js';
import { ControlKind, controlReasons, defaultControlResponses } from '#src/domain/controls/verdict.js';
import { createShardInstruments, ShardCounter, ShardInstruments } from '#src/shard-instruments.js';
import { createThreadVitals, ThreadVitals } from '#src/thread-vitals.js';
import { makeHarness } from './harness.js';

const page = (name: string): string =>
  readFileSync(new URL(`../../docs/reference/${name}.md`, import.meta.url), 'utf8');
const firstCells = (text: string): string[] => [...text.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!);

interface Operation {
  readonly parameters: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  readonly responses: Record<string, { headers: object; content: Record<string, { schema: ProblemSchema }> }>;
  readonly security: object[];
}
interface ProblemSchema {
  readonly allOf: [object, { properties: { code: { enum: string[] } } }];
}
interface OpenApiDocument {
  readonly info: { description: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    headers: object;
    schemas: Record<string, { additionalProperties: unknown; properties: Record<string, { enum: string[] }> }>;
  };
}
const documentOf = (body: unknown): OpenApiDocument => body as OpenApiDocument;

describe('docs/reference', () => {
  const h = makeHarness();

  it('lists every call with its token', () => {
    const table = [...page('api').matchAll(/^\| `((?:GET|POST|PATCH|DELETE) [^`]+)` \| ([^|]+) \|/gm)];
    const documented = table.map((match) => `${match[1]} ${match[2]}`).sort();
    const token = (access: string): string =>
      access === 'open' ? 'none' : access === 'loopback' ? 'none on loopback, else `read`' : `\`${access}\``;
    expect(documented).toEqual(h.routes.map((one) => `${one.method} ${one.path} ${token(one.access)}`).sort());
  });

  it('lists every error with its status', () => {
    const table = [...page('api').matchAll(/^\| `([a-z_]+)` \| (\d+) \|/gm)].map((match) => `${match[1]} ${match[2]}`);
    expect(table.sort()).toEqual(
      Object.entries(problems)
        .map(([code, { status }]) => `${code} ${status}`)
        .sort(),
    );
  });

  it('lists every reason of a decline, those of controls with their DE39', () => {
    const section = page('api')
      .split('\n## ')
      .find((text) => text.startsWith('Decline reasons'))!;
    const rows = [...section.matchAll(/^\| (.+) \| `([a-z0-9_]+)` \| .+ \|$/gm)].map((row) => [row[2]!, row[1]!]);
    // Numbers that no decision uses.
    const unused = ['none', 'amountOutOfRange', 'setAside'];
    const reasons = Object.keys(Reason).filter((name) => !unused.includes(name));
    expect(rows.map(([reason]) => reason).sort()).toEqual(reasons.map(snakeCase).sort());
    const codes = new Map(rows.map(([reason, code]) => [reason!, code!]));
    for (const kind of Object.values(ControlKind))
      expect(codes.get(controlReasons[kind])).toBe(`\`${responseText(defaultControlResponses[kind])}\``);
  });

  it('lists every type of event, in order', () => {
    const [types] = page('events')
      .match(/^\| type \|.*\n\|[-|]+\|\n((?:\|.*\n)*)/m)!
      .slice(1);
    expect(firstCells(types!)).toEqual([...eventTypes]);
  });

  it('lists every metric', () => {
    expect(firstCells(page('metrics')).sort()).toEqual(Object.keys(metricNames).sort());
  });
});

describe('OpenAPI', () => {
  const h = makeHarness();

  it('describes every route, with schemas that resolve', async () => {
    const { body } = await h.call('GET', '/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const described = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(h.routes.map((one) => `${one.method} ${one.path}`).sort());
    const text = JSON.stringify(body);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      expect(documentOf(body).components.schemas).toHaveProperty(name!);
    expect(text).not.toContain('$defs');
    const ids = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap((one) =>
      Object.values(one).map((operation) => operation.operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    const { paths, components } = documentOf(body);
    expect(paths['/v1/payments']!.post!.parameters).toContainEqual(
      expect.objectContaining({ name: 'Idempotency-Key', required: true }),
    );
    expect(components.schemas.AccountCreate!.additionalProperties).toBe(false);
  });

  it('describes every parameter, error and header', async () => {
    const { body } = await h.call('GET', '/openapi.json');
    const document = documentOf(body);
    const { schemas, headers } = document.components;
    expect(schemas.Problem!.properties.code!.enum.sort()).toEqual(Object.keys(problems).sort());
    for (const [, name] of JSON.stringify(body).matchAll(/"#\/components\/headers\/([^"]+)"/g))
      expect(headers).toHaveProperty(name!);
    const described = new Set<string>();
    for (const route of h.routes) {
      const operation = document.paths[route.path]![route.method.toLowerCase()]!;
      const parameters: { name: string; in: string; required: boolean; schema: object }[] = operation.parameters ?? [];
      const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(inPath);
      for (const { name, schema } of parameters) {
        expect([route.id, name, Object.keys(schema)]).toEqual([route.id, name, expect.arrayContaining(['type'])]);
      }
      const takesKey = route.method === 'POST' || route.method === 'PATCH';
      expect(parameters.some(({ name }) => name === 'Idempotency-Key')).toBe(takesKey);
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(response.headers).toHaveProperty('X-Request-Id');
        const replayed = takesKey && Number(status) < 500;
        expect([route.id, status, 'Idempotent-Replayed' in response.headers]).toEqual([route.id, status, replayed]);
      }
      for (const code of errorsOf(route)) {
        const { status } = problems[code];
        const { schema } = operation.responses[status]!.content['application/problem+json']!;
        expect(schema.allOf[1].properties.code.enum).toContain(code);
        described.add(code);
      }
      const scopes = { open: [], loopback: [{}, { bearer: ['read'] }] }[route.access as string];
      expect(operation.security).toEqual(scopes ?? [{ bearer: [route.access] }]);
    }
    // What is answered where there is no operation.
    const others = ['route_not_found', 'method_not_allowed'];
    expect([...described, ...others].sort()).toEqual(Object.keys(problems).sort());
    for (const code of others) expect(document.info.description).toContain(code);
  });

  it('has every list with the same parameters', async () => {
    const { body } = await h.call('GET', '/openapi.json');
    for (const route of h.routes.filter(({ id }) => id.startsWith('list'))) {
      const { parameters } = documentOf(body).paths[route.path]!.get!;
      const [limit, after, before] = ['limit', 'starting_after', 'ending_before'].map((name) =>
        parameters.find((one: { name: string }) => one.name === name),
      );
      expect(limit!.schema).toEqual({ type: 'integer', minimum: 1, maximum: 100, default: 10 });
      expect([after!.schema.type, before!.schema.type]).toEqual(['string', 'string']);
    }
    const search = documentOf(body).paths['/v1/authorizations']!.get!.parameters;
    expect(search.map((one: { name: string }) => one.name)).toEqual(
      'limit starting_after ending_before card account rrn stan status since until'.split(' '),
    );
    expect(search.at(-1)!.schema).toEqual({ type: 'string', format: 'date-time' });
  });

  it('is true: real answers fit the documented schemas', async () => {
    const controls = { velocity: [{ window: 'day', amount: 100 }], channels: { deny: ['atm'] } };
    await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 1000, controls });
    const card = await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912', controls });
    const made = await h.call('POST', '/v1/simulate/authorization', { card: card.body.id, amount: 10 });
    const id = made.body.authorization.id;
    await h.call(
      'POST',
      '/v1/payments',
      { account: 'acc', amount: 1, currency: 'BRL', reference: 'r' },
      { 'idempotency-key': 'k' },
    );
    const urls: [string, string][] = [
      ['listAccounts', '/v1/accounts'],
      ['getAccount', '/v1/accounts/acc'],
      ['getAccountVelocity', '/v1/accounts/acc/velocity'],
      ['listCards', '/v1/cards'],
      ['getCard', `/v1/cards/${card.body.id}`],
      ['getCardVelocity', `/v1/cards/${card.body.id}/velocity`],
      ['listAuthorizations', '/v1/authorizations'],
      ['getAuthorization', `/v1/authorizations/${id}`],
      ['explainAuthorization', `/v1/authorizations/${id}/explain`],
      ['listEntries', '/v1/accounts/acc/entries'],
      ['trialBalance', '/v1/ledger/trial-balance'],
      ['listPrograms', '/v1/programs'],
      ['listTokens', '/v1/tokens'],
      ['readyz', '/readyz'],
      ['version', '/version'],
    ];
    for (const [operation, url] of urls) {
      const { body, status } = await h.call('GET', url);
      expect([operation, status]).toEqual([operation, 200]);
      const schema = h.routes.find((one) => one.id === operation)!.answers[200]!.schema!;
      expect(schema.safeParse(body).error, operation).toBeUndefined();
    }
    const simulated = h.routes.find((one) => one.id === 'simulateAuthorization')!.answers[201]!.schema!;
    expect(simulated.safeParse(made.body).error).toBeUndefined();
  });
});

describe('the pages', () => {
  it('come from this server alone', async () => {
    const h = makeHarness();
    for (const url of ['/', '/docs', '/docs/errors']) {
      const { status, text, headers } = await h.call('GET', url);
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(text).not.toMatch(/https?:\/\//);
      expect(text).not.toMatch(/<script>|style="/);
      expect(String(headers['content-security-policy'])).not.toContain("script-src 'unsafe");
      for (const [, link] of text.matchAll(/(?:src|href)="([^"#]+)"/g)) {
        const answer = await h.call('GET', link!);
        expect([link, answer.status]).toEqual([link, 200]);
      }
    }
    expect((await h.call('GET', '/docs/../package.json')).status).toBe(404);
  });
});

describe('metrics', () => {
  const vitals = new ThreadVitals(createThreadVitals());
  const sources = (threads: ShardInstruments[]): MetricsSources => ({
    threads,
    ingress: undefined,
    ingressSnapshot: async () => ({
      connections: { tcp: { signed_on: 2, signed_off: 1 } },
      shed: { ring_full: 3, shard_down: 2 },
      errors: { framing: 1 },
      disk: { freeBytes: 5000, reserveBytes: 300 },
    }),
    shards: 2,
    vitals: [['shard-1', vitals]],
    shardStats: async () => [
      {
        ...{ shard: 0, sequence: 12, durable: 10, accounts: 3, cards: 4, holdsOpen: 5 },
        ...{ recentKeys: 1, indexedThrough: 7, tombstones: 0, memoryBytes: 1 },
      },
      {
        ...{ shard: 1, sequence: 900, durable: 900, accounts: 0, cards: 0, holdsOpen: 0 },
        ...{ recentKeys: 0, indexedThrough: 899, tombstones: 0, memoryBytes: 1 },
      },
    ],
    queueBytes: () => 77,
    ledgerImbalance: async () => 0,
    indexes: () => ({ full: 1, rebuilding: 2, discarded: 4 }),
    clockDifference: () => 7,
    tasks: () => [
      { name: 'segments', runs: true, restarts: 1 },
      { name: 'checkpoint', runs: false, restarts: 3 },
    ],
    wrongTokens: () => ({ denied: 20, limited: 6 }),
    recon: () => ({ breaks: [], newestMs: 1_700_000_000_999, failed: 3 }),
    rotations: () => [
      { usage: 'pan', progress: 1, isStalled: false },
      { usage: 'fingerprint', progress: 0.25, isStalled: true },
    ],
    clearing: () => ({ records: { posted: 7, duplicate: 1 }, files: { posted: 2 }, stalled: 2, waitingSeconds: 41 }),
    tls: () => [{ listener: 'admin', expirySeconds: 1_900_000_000, taken: 0, refused: 0 }],
    events: () => ({
      ...{ listeners: 6, enabled: 2, disabled: 1, delivered: 40, failed: 3, dead: 1 },
      ...{ lag: 9, waiting: 5, deadLetters: 7 },
    }),
    build: { version: '1.2.3', node: 'v20' },
  });

  it('name every metric in every answer, even with nothing to say', async () => {
    const text = await new Metrics(sources([])).render();
    for (const [name, { type }] of Object.entries(metricNames)) {
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
      expect(text).toMatch(new RegExp(`^${name}(_bucket)?(\\{[^}]*\\})? \\d`, 'm'));
    }
    expect(text).toContain('holdfast_recon_breaks{type="none",age="none"} 0');
    expect(text).toContain('process_cpu_seconds_total');
  });

  it('add up what the threads counted', async () => {
    const [one, two] = [new ShardInstruments(createShardInstruments()), new ShardInstruments(createShardInstruments())];
    for (let i = 0; i < 3; i++) one.outcome(100, responseCode('00'), 0);
    two.outcome(100, responseCode('00'), 0);
    two.outcome(100, responseCode('51'), 19);
    two.outcome(200, responseCode('00'), 0);
    two.outcome(200, responseCode('10'), 0);
    // Not ours to decide: an advice (one of an unknown card), a reversal, a file update of an unknown card.
    two.outcome(120, responseCode('00'), Reason.unknownCard);
    two.outcome(220, responseCode('30'), Reason.missingField);
    two.outcome(400, responseCode('00'), 0);
    two.outcome(302, responseCode('25'), Reason.unknownCard);
    one.decide.record(40);
    one.decide.record(400);
    one.journal.record(1_000_000);
    one.batch.record(1);
    two.batch.record(100);
    const counters = ['shedDeadline', 'shedFull', 'shedIncomplete', 'shedDown', 'repeats', 'poisoned'] as const;
    for (const [n, counter] of counters.entries()) one.count(ShardCounter[counter], 11 + n);
    one.count(ShardCounter.rebuilds, 1);
    two.count(ShardCounter.rebuilds, 2);
    two.count(ShardCounter.outcomesLost, 18);
    const text = await new Metrics(sources([one, two])).render();
    for (const line of [
      'holdfast_authorizations_total{mti="0100",result="approved"} 4',
      'holdfast_clearing_records_total{outcome="posted"} 7',
      'holdfast_clearing_records_total{outcome="duplicate"} 1',
      'holdfast_clearing_files{state="posted"} 2',
      'holdfast_clearing_stalled_files 2',
      'holdfast_clearing_waiting_seconds 41',
      'holdfast_recon_newest_run_seconds 1700000000',
      'holdfast_recon_runs_failed_total 3',
      'holdfast_key_rotation_progress_ratio{usage="pan"} 1',
      'holdfast_key_rotation_progress_ratio{usage="fingerprint"} 0.25',
      'holdfast_key_rotation_stalled{usage="pan"} 0',
      'holdfast_key_rotation_stalled{usage="fingerprint"} 1',
      'holdfast_authorizations_total{mti="0100",result="declined"} 1',
      'holdfast_authorizations_total{mti="0120",result="accepted"} 1',
      'holdfast_authorizations_total{mti="0200",result="approved"} 1',
      'holdfast_authorizations_total{mti="0200",result="partial"} 1',
      'holdfast_authorizations_total{mti="0220",result="refused"} 1',
      'holdfast_authorizations_total{mti="0302",result="refused"} 1',
      'holdfast_authorizations_total{mti="0400",result="accepted"} 1',
      'holdfast_declines_total{reason="missing_field"} 1',
      'holdfast_declines_total{reason="unknown_card"} 1',
      'holdfast_declines_total{reason="insufficient_funds"} 1',
      'holdfast_responses_total{code="51"} 1',
      'holdfast_api_wrong_tokens_total{status="401"} 20',
      'holdfast_api_wrong_tokens_total{status="429"} 6',
      'holdfast_stage_duration_seconds_bucket{stage="decide",shard="shard-0",le="0.000048"} 1',
      'holdfast_stage_duration_seconds_bucket{stage="decide",shard="shard-0",le="0.000768"} 2',
      'holdfast_stage_duration_seconds_bucket{stage="decide",shard="shard-0",le="+Inf"} 2',
      'holdfast_stage_duration_seconds_sum{stage="decide",shard="shard-0"} 0.00044',
      'holdfast_journal_commit_duration_seconds_count{shard="shard-0"} 1',
      'holdfast_journal_batch_records_bucket{le="1"} 1',
      'holdfast_journal_batch_records_bucket{le="127"} 2',
      'holdfast_connections{transport="tcp",state="signed_on"} 2',
      'holdfast_shed_total{cause="ring_full"} 3',
      'holdfast_shed_total{cause="queue_deadline"} 11',
      'holdfast_shed_total{cause="index_full"} 12',
      'holdfast_shed_total{cause="index_rebuilding"} 13',
      'holdfast_shed_total{cause="shard_down"} 16',
      'holdfast_repeats_total 15',
      'holdfast_set_aside_total 16',
      'holdfast_shard_rebuilds_total 3',
      'holdfast_outcomes_uncounted_total 18',
      'holdfast_shards_refusing{cause="index_full"} 1',
      'holdfast_shards_refusing{cause="index_rebuilding"} 2',
      'holdfast_segment_discards_total 4',
      'holdfast_background_task_up{task="segments"} 1',
      'holdfast_background_task_up{task="checkpoint"} 0',
      'holdfast_background_task_restarts_total{task="checkpoint"} 3',
      'holdfast_disk_free_bytes 5000',
      'holdfast_disk_reserve_bytes 300',
      'holdfast_shard_queue_depth{shard="shard-1"} 77',
      'holdfast_holds_open 5',
      'holdfast_search_lag_records 3',
      'holdfast_event_listeners 6',
      'holdfast_webhooks{state="disabled"} 1',
      'holdfast_webhook_deliveries_total{result="delivered"} 40',
      'holdfast_webhook_deliveries_total{result="dead"} 1',
      'holdfast_webhook_lag_records 9',
      'holdfast_webhook_waiting 5',
      'holdfast_webhook_dead_letters 7',
      'holdfast_ledger_imbalance 0',
      'holdfast_build_info{version="1.2.3",node="v20"} 1',
    ])
      expect(text).toContain(`${line}\n`);
  });

  it('have the pauses, delays and work of each thread', async () => {
    vitals.gc.minor.record(90);
    vitals.gc.minor.record(1000);
    vitals.gc.major.record(7000);
    vitals.delay.record(300_000);
    vitals.busyUs = 2_500_000;
    const text = await new Metrics(sources([])).render();
    const pause = (kind: string, le: string): string =>
      `holdfast_gc_pause_seconds_bucket{thread="shard-1",kind="${kind}",le="${le}"}`;
    for (const line of [
      `${pause('minor', '0.000096')} 1`,
      `${pause('minor', '0.001536')} 2`,
      `${pause('minor', '+Inf')} 2`,
      `${pause('major', '0.006144')} 0`,
      `${pause('major', '0.024576')} 1`,
      `${pause('weak', '+Inf')} 0`,
      'holdfast_gc_pause_seconds_sum{thread="shard-1",kind="minor"} 0.00109',
      'holdfast_loop_delay_seconds_bucket{thread="shard-1",le="0.393216"} 1',
      'holdfast_thread_busy_seconds_total{thread="shard-1"} 2.5',
    ])
      expect(text).toContain(`${line}\n`);
  });

  it('never let +Inf fall below a bucket', async () => {
    const one = new ShardInstruments(createShardInstruments());
    for (let us = 1; us < 2_000_000; us *= 1.7) one.journal.record(us);
    const text = await new Metrics(sources([one])).render();
    const counts = [...text.matchAll(/^holdfast_journal_commit_duration_seconds_bucket\{.*\} (\d+)$/gm)].map((m) =>
      Number(m[1]),
    );
    expect(counts.length).toBe(17);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
  });
});
