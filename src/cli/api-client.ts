/**
 * The HTTP API of a running server, as the commands use it: one base URL, one token, problems as errors.
 */

import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { json as readJson, text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { type ErrorCode, HoldfastError } from '../errors.js';
import { systemError, type Terminal } from './terminal.js';

const DEFAULT_ADMIN = 'http://127.0.0.1:8580';
const DEFAULT_TOKEN_FILE = './data/admin.token';
/** An answer to a question; uploads have no such limit. */
const ANSWER_LIMIT_MS = 30_000;

export function addApiOptions(command: Command): Command {
  return command
    .option('--admin <url>', `HTTP API of the server, also HOLDFAST_ADMIN (${DEFAULT_ADMIN})`)
    .option(
      '--token-file <path>',
      `file with the bearer token; HOLDFAST_TOKEN holds one itself (${DEFAULT_TOKEN_FILE})`,
    );
}

/** Problem document of the API (RFC 9457), as far as it is shown. */
interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  request_id?: string;
  /** Of `nothing_to_send`. */
  left_out?: readonly LeftOut[];
}

/** A chargeback that no file can tell of. */
export interface LeftOut {
  readonly entry: string;
  readonly reason: string;
}

export type Json = Record<string, unknown>;

/** The API answered with a problem. */
export class ApiRefused extends HoldfastError {
  /** Its code; undefined when it has none. */
  readonly problem: string | undefined;
  /** What it names besides its reason. */
  readonly leftOut: readonly LeftOut[];

  constructor(code: ErrorCode, message: string, next: string, { code: problem, left_out: leftOut = [] }: Problem) {
    super(code, message, next);
    this.problem = problem;
    this.leftOut = leftOut;
  }
}

/** What the client trusts and presents; PEM. */
interface ClientTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

interface CallOptions {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class ApiClient {
  readonly #base: URL;
  readonly #token: string | undefined;
  readonly #tls: ClientTls;

  constructor(base: URL, token: string | undefined, tls: ClientTls = {}) {
    this.#base = base;
    this.#token = token;
    this.#tls = tls;
  }

  /** Host and port of the server. */
  get place(): string {
    return this.#base.host;
  }

  /** @throws HoldfastError `server_unreachable`; ApiRefused with a code of `refusalCode` */
  async get(path: string): Promise<Json> {
    return (await this.#answer(path)).json() as Promise<Json>;
  }

  /** The items of a list, page by page. @param path with a query @throws HoldfastError as `get` */
  async *items(path: string): AsyncGenerator<Json> {
    for (let page = await this.get(path); ; ) {
      const data = page.data as Json[];
      yield* data;
      if (page.has_more !== true) return;
      page = await this.get(`${path}&starting_after=${data.at(-1)?.id}`);
    }
  }

  async getBytes(path: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#answer(path)).arrayBuffer());
  }

  async getText(path: string): Promise<string> {
    return (await this.#answer(path)).text();
  }

  /** Sends a JSON object. @throws HoldfastError as `get` */
  async post(path: string, body: Json, extra: Pick<CallOptions, 'headers'> = {}): Promise<Json> {
    const headers = { 'content-type': 'application/json', ...extra.headers };
    const response = await this.#answer(path, { method: 'POST', body: JSON.stringify(body), headers });
    return response.json() as Promise<Json>;
  }

  /** @throws HoldfastError as `get` */
  async delete(path: string): Promise<void> {
    await this.#answer(path, { method: 'DELETE' });
  }

  async #answer(path: string, request: CallOptions = {}): Promise<Response> {
    let response: Response;
    try {
      response = await this.#call(path, request);
    } catch (error) {
      throw this.#unreachable((error as Error).cause ?? error);
    }
    if (!response.ok) throw this.#refused(response.status, await problemOf(() => response.json()));
    return response;
  }

  /** `fetch` cannot present a certificate or trust one that the system does not. */
  #call(path: string, { method = 'GET', body, headers }: CallOptions): Promise<Response> {
    const url = new URL(path, this.#base);
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const options = { method, headers: { ...this.#headers(), ...headers }, signal, agent: false, ...this.#tls };
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = open(url, options, (message) => {
        const status = message.statusCode ?? 0;
        const bytes = status === 204 ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>);
        resolve(new Response(bytes, { status }));
      });
      request.once('error', reject);
      request.end(body);
    });
  }

  /** Streams a body of unknown length; resolves with the JSON answer. */
  async upload(path: string, type: string, body: Readable): Promise<Json> {
    const url = new URL(path, this.#base);
    const headers = { ...this.#headers(), 'content-type': type };
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = open(url, { method: 'POST', headers, ...this.#tls });
    // A server may answer (and refuse) before it has read everything: the answer then counts, not the broken pipe.
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', (error) => reject(this.#unreachable(error)));
    });
    const sent = pipeline(body, request).catch((error: unknown) => {
      if (error instanceof HoldfastError) throw error;
    });
    const failedToRead = sent.then(() => answered);
    const response = await Promise.race([answered, failedToRead]);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw this.#refused(status, await problemOf(() => readJson(response)));
    const text = await readText(response);
    try {
      return JSON.parse(text) as Json;
    } catch (error) {
      throw this.#unreachable(new Error('the answer is not JSON', { cause: error }));
    }
  }

  #headers(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }

  #unreachable(error: unknown): HoldfastError {
    return systemError(
      'server_unreachable',
      `no answer from ${this.#base.origin}`,
      error,
      'start it with `holdfast serve`, or give --admin',
    );
  }

  #refused(status: number, problem: Problem): HoldfastError {
    const what = problem.detail ?? problem.title ?? 'no reason given';
    const trace = problem.request_id === undefined ? '' : `, request ${problem.request_id}`;
    const text = `the server refused: ${what} (${status}${problem.code === undefined ? '' : ` ${problem.code}`}${trace})`;
    return new ApiRefused(refusalCode(status), text, nextOf(status, problem.code), problem);
  }
}

/** What an answer of the API with this status (400 and above) is to a command: the one place that decides its exit status. */
export function refusalCode(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'api_forbidden';
  if (status === 404) return 'not_found';
  // The same request may be taken another time: too early, too often, or the fault of the server.
  if (status === 408 || status === 429 || status >= 500) return 'api_failed';
  return 'api_refused';
}

function nextOf(status: number, code: string | undefined): string {
  if (status === 404) return 'check the id';
  if (status === 401) return 'give --token-file <data-dir>/admin.token';
  if (code === 'forbidden') return 'give --token-file with a token that may';
  if (code === 'nothing_to_send') return 'nothing is wrong: run it again after the next chargeback';
  return refusalCode(status) === 'api_failed' ? 'try again later' : 'correct the request';
}

async function problemOf(read: () => Promise<unknown>): Promise<Problem> {
  try {
    return ((await read()) ?? {}) as Problem;
  } catch {
    // A proxy's error page: the status says enough.
    return {};
  }
}

/** The client that the options and the environment describe. @throws HoldfastError `usage` */
export function apiClient(options: Json, terminal: Terminal): ApiClient {
  const text = (options.admin as string | undefined) ?? terminal.environment.HOLDFAST_ADMIN ?? DEFAULT_ADMIN;
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full) || !/^https?:$/.test(new URL(full).protocol)) {
    throw new HoldfastError('usage', '--admin is no URL', 'give one such as http://127.0.0.1:8580');
  }
  return new ApiClient(new URL(full), token(options.tokenFile as string | undefined, terminal), clientTls(terminal));
}

/** Of the environment: `HOLDFAST_ADMIN_CA`, `_CERT` and `_KEY` name PEM files. @throws HoldfastError `usage` */
function clientTls({ environment }: Terminal): ClientTls {
  const read = (name: 'CA' | 'CERT' | 'KEY'): Buffer | undefined => {
    const file = environment[`HOLDFAST_ADMIN_${name}`];
    if (file === undefined || file === '') return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      throw systemError('usage', `HOLDFAST_ADMIN_${name} ${file}`, error, 'name a readable PEM file');
    }
  };
  const [ca, cert, key] = [read('CA'), read('CERT'), read('KEY')];
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function token(file: string | undefined, terminal: Terminal): string | undefined {
  if (file === undefined) {
    const given = terminal.environment.HOLDFAST_TOKEN;
    if (given !== undefined && given !== '') return given;
  }
  try {
    return readFileSync(file ?? DEFAULT_TOKEN_FILE, 'utf8').trim();
  } catch (error) {
    // The standard file is optional: some calls need no token, and the server says so when one does.
    if (file === undefined) return undefined;
    throw systemError('usage', `--token-file ${file}`, error, 'give the admin.token of the data directory');
  }
}
