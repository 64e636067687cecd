/**
 * The HTTP API: every route of the OpenAPI document, with bodies, parameters and headers that fit, nearly fit, or do not. An input is a
 * JSON object that says which route is asked and with what. Held against every answer:
 * - it is documented: status, code, content type, headers, and nothing more in the body than the schema has (the harness looks);
 * - never 500, and an error is problem+json that repeats no number of the request as long as a card number, nor does the log;
 * - a refused request changes nothing: no record, no state of a shard, no card number kept.
 */
import { openApi } from '#src/control/openapi.js';
import { problems } from '#src/control/problem.js';
import type { ShardHead } from '#src/journal/types.js';
import { type Harness, makeHarness } from '../../control/harness.js';
import { mutateJson } from '../json-mutator.js';
import { type FuzzTarget, must, type OpenTarget, utf8, type Verdict } from '../target.js';
import { sampleOf } from './api-samples.js';
import { repeats } from './issuer-json.js';

/** What an input says; anything else than an object asks nothing. */
export interface Asked {
  route: number;
  params: Record<string, unknown>;
  query: Record<string, unknown>;
  headers: Record<string, unknown>;
  /** Sent as JSON; of `{raw: text}` the text itself. */
  body?: unknown;
}

/** A control plane of its own after so many inputs, so that what was made before does not grow for ever. */
const INPUTS_PER_HARNESS = 250;
/** Never asked: the first waits for events for ever, the others would call somebody. */
const unasked = (path: string, method: string): boolean =>
  path.startsWith('/v1/webhooks/{id}/replay') || method === 'x';
/** Answers that a request may get although it is right. */
const busy = new Set<number>([501, 503]);

type Problem = { readonly code?: keyof typeof problems; readonly status?: number; readonly request_id?: string };

class ApiTarget implements OpenTarget {
  #h!: Harness;
  #inputs = 0;
  #known: Readonly<Record<string, string>> = {};

  async run(input: Uint8Array): Promise<Verdict> {
    if (this.#inputs++ % INPUTS_PER_HARNESS === 0) await this.#renew();
    let asked: unknown;
    try {
      asked = JSON.parse(Buffer.from(input).toString('utf8'));
    } catch {
      return 'refused';
    }
    if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) return 'refused';
    return this.#ask(asked as Partial<Asked>);
  }

  async #renew(): Promise<void> {
    await this.close();
    const h = makeHarness({ shards: 2 });
    this.#h = h;
    await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 1_000_000 });
    const { body: card } = await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' });
    const { body: made } = await h.call('POST', '/v1/simulate/authorization', { card: card.id, amount: 1000 });
    this.#known = { '@account': 'acc', '@card': card.id, '@authorization': made.authorization.id };
  }

  async close(): Promise<void> {
    if (this.#h === undefined) return;
    const { app, engine, webhooks } = this.#h;
    await app.close();
    await webhooks.stop();
    engine.close();
  }

  async #ask({ route: number, params, query, headers, body }: Partial<Asked>): Promise<Verdict> {
    const { routes } = this.#h;
    const route = routes[Math.abs(Math.trunc(Number(number))) % routes.length] ?? routes[0]!;
    if (unasked(route.path, route.method)) return 'refused';
    const url = this.#url(route.path, params, query);
    const request = { method: route.method, url, ...this.#payload(body, headers, route.streamTypes?.[0]) } as const;
    const before = this.#state();
    const answer = await this.#call(request);
    const sent = JSON.stringify([url, request.payload ?? '', request.headers]);
    must(answer.status < 500 || busy.has(answer.status), () => `${route.id}: ${answer.status} ${answer.text}`);
    const logged = this.#h.logged();
    must(!repeats(logged.slice(-4000), sent), () => `the log repeats a number: ${logged.slice(-4000)}`);
    if (answer.status < 400) return 'accepted';
    const { code, status, request_id: id } = answer.body as unknown as Problem;
    const right =
      code !== undefined && problems[code].status === answer.status && status === answer.status && id !== undefined;
    must(right, () => `${route.id}: no problem document: ${answer.text}`);
    must(!repeats(answer.text, sent), () => `${route.id}: the error repeats a number: ${answer.text}`);
    // With a key the refusal itself is kept, so that a repeat gets it again.
    if (request.headers['idempotency-key'] === undefined)
      must(
        this.#state() === before,
        () => `${route.id}: refused with ${answer.status}, but something changed: ${answer.text}`,
      );
    return 'refused';
  }

  async #call({
    method,
    url,
    payload,
    headers,
  }: {
    method: string;
    url: string;
    payload?: string;
    headers: Record<string, string>;
  }) {
    return this.#h.call(method as 'GET', url, payload, headers);
  }

  #url(path: string, params: unknown, query: unknown): string {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = this.#text(member(params, name) ?? 'x');
      return encodeURIComponent(value.isWellFormed() ? value : 'x') || 'x';
    });
    const search = new URLSearchParams();
    if (typeof query === 'object' && query !== null)
      for (const [name, value] of Object.entries(query))
        if (name !== 'wait' && value !== undefined) search.append(name, this.#text(value));
    const text = search.toString();
    return text === '' ? filled : `${filled}?${text}`;
  }

  #payload(
    body: unknown,
    headers: unknown,
    streamType: string | undefined,
  ): { payload?: string; headers: Record<string, string> } {
    const out: Record<string, string> = {};
    if (typeof headers === 'object' && headers !== null) {
      for (const [name, value] of Object.entries(headers)) {
        const isHeader =
          /^[a-z-]{1,40}$/.test(name) &&
          !/^(accept|host|connection|expect|upgrade|transfer|content-length|te)/.test(name);
        if (isHeader)
          out[name] = this.#text(value)
            .replace(/[^\x20-\x7e]/g, '?')
            .slice(0, 200);
      }
    }
    if (body === undefined) return { headers: out };
    const raw = member(body, 'raw');
    out['content-type'] ??= raw === undefined ? 'application/json' : (streamType ?? 'application/json');
    return { payload: this.#named(raw === undefined ? JSON.stringify(body) : String(raw)), headers: out };
  }

  #text(value: unknown): string {
    return this.#named(typeof value === 'object' ? JSON.stringify(value) : String(value));
  }

  /** Ids of what the harness has stand in an input as names, because they differ from one run to the next. */
  #named(text: string): string {
    return text.replace(/@(account|card|authorization)\b/g, (name) => this.#known[name] ?? name);
  }

  /** Everything that a refused request must leave as it is. */
  #state(): string {
    const { engine, log, vault } = this.#h;
    const heads = Array.from({ length: engine.shards }, (_, shard) => {
      const { sequence, digest } = engine.head(shard) as ShardHead;
      return `${sequence}:${digest.high}:${digest.low}`;
    });
    return `${heads.join(' ')} ${log.records.length} ${vault.pans.size}`;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

let seeds: Uint8Array[] | undefined;
let words: string[] = [];

/** A request of each route as its schemas describe it, without a key and with one. */
function requests(): Uint8Array[] {
  if (seeds !== undefined) return seeds;
  const { routes } = makeHarness({ shards: 2 });
  const { schemas, samples } = sampleOf(openApi(routes, 'fuzz'), routes);
  words = [...new Set(schemas)];
  seeds = samples.flatMap((asked, i) => [
    utf8(JSON.stringify(asked)),
    utf8(JSON.stringify({ ...asked, headers: { 'idempotency-key': `key-${i}` } })),
  ]);
  return seeds;
}

export const targets: readonly FuzzTarget[] = [
  {
    name: 'api',
    reads: 'requests of the HTTP API, to real shards in memory',
    focus: ['control/'],
    inputsInCi: 700,
    bytesMax: 20_000,
    work: { base: 400_000, perByte: 400 },
    seeds: requests,
    mutate: (random, input, other) => mutateJson(random, input, other, words),
    open: () => new ApiTarget(),
  },
];
