/** The engine's admin API as the load test needs it: accounts and cards before the run, balances and answers after it. */
import { readFileSync } from 'node:fs';
import { DEMO_BIN } from '#src/cli/demo-program.js';
import type { CardSet } from './cards.js';

/** The admin API did not do what the run needs; the message says what to do. Ends with status 2. */
export class AdminError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AdminError';
  }
}

/** Program of cards with chips. */
export const CHIP_PROGRAM = 'loadtest-chip';
/** Rows per bulk request: the answer names at most 1 000 rejected rows, so none is overlooked. */
const BULK_ROWS = 1000;
/** Limit of the accounts the load test creates: 100 million in major units, so that a run does not end in declines. */
export const CREDIT_LIMIT = 10_000_000_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Requests at once. */
const PARALLEL = 8;
const RETRIES = 5;

type Method = 'GET' | 'POST' | 'PATCH';

export interface AccountBalances {
  readonly posted: number;
  readonly held: number;
}

interface ImportAnswer {
  accounts: number;
  cards: number;
  rejected: number;
  rejects?: { line?: number; code?: string; detail?: string }[];
  complete?: boolean;
  error?: string;
}

export class AdminClient {
  readonly #base: string;
  readonly #tokenFile: string;
  #token: string | undefined;

  constructor(base: string, tokenFile: string) {
    this.#base = base;
    this.#tokenFile = tokenFile;
  }

  /** The program of cards with chips: makes it, or gives it the key. */
  async chipProgram(key: string): Promise<void> {
    const tables = { cryptography: { chip: { scheme: 'visa', key, jump_max: 65_535 } } };
    const path = `/v1/programs/${CHIP_PROGRAM}`;
    const head = { id: CHIP_PROGRAM, currency: 'BRL', product: 'credit', bins: [DEMO_BIN], sandbox: true };
    if ((await this.#get(path, true)) === undefined) await this.#request('POST', '/v1/programs', { ...head, tables });
    else await this.#request('PATCH', path, { tables });
  }

  /**
   * Creates the run's accounts and cards; those that exist already are fine. Returns how many were new.
   * @param program of the accounts; undefined: the engine's own for a currency
   */
  async createCards(cards: CardSet, program: string | undefined, onProgress: (done: number) => void): Promise<number> {
    const lastChunk = Math.floor((cards.count - 1) / BULK_ROWS) * BULK_ROWS;
    // Chunks are sent in order: when the last account is there, all the earlier chunks have been.
    const known = await this.#get(`/v1/accounts/${cards.account(cards.count - 1)}`, true);
    let created = 0;
    for (let from = known === undefined ? 0 : lastChunk; from < cards.count; from += BULK_ROWS) {
      created += await this.#bulk(cards, program, from, Math.min(cards.count, from + BULK_ROWS));
      onProgress(Math.min(cards.count, from + BULK_ROWS));
    }
    return created;
  }

  async #bulk(cards: CardSet, program: string | undefined, from: number, to: number): Promise<number> {
    let body = '';
    for (let card = from; card < to; card++) {
      const of = program === undefined ? { currency: 'BRL', type: 'credit' } : { program };
      const account = { id: cards.account(card), ...of, credit_limit: CREDIT_LIMIT };
      body += `${JSON.stringify({ account, card: { pan: cards.pan(card), expiry: cards.expiry, status: 'active' } })}\n`;
    }
    const answer = (await this.#request('POST', '/v1/bulk/accounts', body)) as ImportAnswer;
    const bad = (answer.rejects ?? []).find((one) => one.code !== 'account_exists' && one.code !== 'card_exists');
    if (bad) {
      const row = bad.line === undefined ? '' : ` (row ${bad.line})`;
      throw new AdminError(`the server refused to create a card: ${bad.code ?? ''} ${bad.detail ?? ''}${row}`);
    }
    if (answer.complete === false)
      throw new AdminError(`the server stopped the import: ${answer.error ?? 'no reason given'}`);
    return answer.accounts;
  }

  /** Posted and held balance of an account. */
  async balances(account: string): Promise<AccountBalances> {
    const body = (await this.#get(`/v1/accounts/${account}`)) as { balances?: Partial<AccountBalances> };
    const { posted, held } = body.balances ?? {};
    if (!Number.isSafeInteger(posted) || !Number.isSafeInteger(held)) {
      throw new AdminError(`account ${account}: the answer has no whole balances.posted and balances.held`);
    }
    return { posted: posted!, held: held! };
  }

  /** Response codes of the authorizations with an RRN (normally one). */
  async responseCodes(rrn: string): Promise<string[]> {
    const body = (await this.#get(`/v1/authorizations?rrn=${encodeURIComponent(rrn)}`)) as {
      data?: { response_code?: string }[];
    };
    return (body.data ?? []).map((one) => String(one.response_code));
  }

  /** Every `difference` of the trial balance. */
  async trialBalanceDifferences(): Promise<number[]> {
    const found: number[] = [];
    const walk = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(walk);
      else if (typeof value === 'object' && value !== null) {
        for (const [key, inner] of Object.entries(value)) {
          if (key === 'difference') found.push(Number(inner));
          else walk(inner);
        }
      }
    };
    walk(await this.#get('/v1/ledger/trial-balance'));
    return found;
  }

  /** Prometheus text, or undefined when there is none to be had. */
  async metrics(): Promise<string | undefined> {
    try {
      const response = await fetch(`${this.#base}/metrics`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      return response.ok ? await response.text() : undefined;
    } catch {
      return undefined; // the stage table is left out and says so
    }
  }

  /** What the server says about itself, or undefined. */
  async version(): Promise<Record<string, unknown> | undefined> {
    try {
      const response = await fetch(`${this.#base}/version`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      return response.ok ? ((await response.json()) as Record<string, unknown>) : undefined;
    } catch {
      return undefined; // the environment line says "engine unknown"
    }
  }

  /** Runs `work` for every item, a few at a time, in any order. */
  static async each<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const lane = async () => {
      for (let at = next++; at < items.length; at = next++) await work(items[at]!, at);
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, lane));
  }

  async #get(path: string, orMissing = false): Promise<unknown> {
    return this.#request('GET', path, undefined, orMissing);
  }

  /** One request; answers 429 and 503 are tried again after what Retry-After says. */
  async #request(method: Method, path: string, body?: string | object, orMissing = false): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      const response = await this.#send(method, path, body);
      if (response.ok) return response.json();
      const text = await response.text();
      if (orMissing && response.status === 404) return undefined;
      if ((response.status === 503 || response.status === 429) && attempt < RETRIES) {
        const seconds = Number(response.headers.get('retry-after') ?? '1');
        await new Promise((resolve) => setTimeout(resolve, Math.min(5, Number.isFinite(seconds) ? seconds : 1) * 1000));
        continue;
      }
      const hint = response.status === 401 || response.status === 403 ? '; is --token-file that of this server?' : '';
      throw new AdminError(`${method} ${path} was answered ${response.status}: ${text.slice(0, 300)}${hint}`);
    }
  }

  async #send(method: Method, path: string, content?: string | object): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#readToken()}` };
    const body = typeof content === 'object' ? JSON.stringify(content) : content;
    if (body !== undefined)
      headers['content-type'] = typeof content === 'object' ? 'application/json' : 'application/x-ndjson';
    try {
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      return await fetch(`${this.#base}${path}`, { method, headers, signal, ...(body === undefined ? {} : { body }) });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      throw new AdminError(`admin API ${this.#base} does not answer (${cause}); start the engine or give --admin`);
    }
  }

  #readToken(): string {
    if (this.#token !== undefined) return this.#token;
    try {
      this.#token = readFileSync(this.#tokenFile, 'utf8').trim();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new AdminError(`the admin token cannot be read (${reason}); give --token-file <data-dir>/admin.token`);
    }
    return this.#token;
  }
}
