/**
 * One endpoint's side of HTTP: connections of its own, so that an endpoint that hangs holds up nobody else's, and one attempt at
 * a time limit for everything: name, connection, TLS, answer. What counts is the status; a redirect is a failure and
 * is not followed; a body is not read beyond WEBHOOK_ANSWER_BYTES_MAX.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { WEBHOOK_ANSWER_BYTES_MAX, WEBHOOK_IN_FLIGHT_MAX } from '../../limits.js';
import { maskPans } from '../../pan-mask.js';
import { AddressRefused, type AddressRule } from './address.js';

export interface Attempt {
  /** Status of the answer; 0 without one. */
  readonly status: number;
  /** Why there was no answer; empty when there was one. */
  readonly error: string;
}

export function isDelivered({ status }: Attempt): boolean {
  return status >= 200 && status < 300;
}

const ERROR_LENGTH_MAX = 200;

export class Sender {
  readonly #url: URL;
  readonly #rule: AddressRule;
  readonly #agent: HttpAgent;
  readonly #timeoutMs: number;
  readonly #requests = new Set<ClientRequest>();
  #closed = false;

  /** @param ca authorities that are trusted; those of Node but for tests */
  constructor(url: string, rule: AddressRule, timeoutMs: number, ca?: string[]) {
    this.#url = new URL(url);
    this.#rule = rule;
    const options = { keepAlive: true, maxSockets: WEBHOOK_IN_FLIGHT_MAX, maxFreeSockets: WEBHOOK_IN_FLIGHT_MAX };
    // Said here, so that no variable of the environment (NODE_TLS_REJECT_UNAUTHORIZED) takes the check away.
    const secure = { ...options, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(secure) : new HttpAgent(options);
    this.#timeoutMs = timeoutMs;
  }

  /** Never rejects. */
  async post(headers: Readonly<Record<string, string>>, body: string): Promise<Attempt> {
    try {
      this.#rule.assertUrl(this.#url);
    } catch (error) {
      return { status: 0, error: errorText(error as Error) };
    }
    // A connection that was kept may have been closed by the other side meanwhile; each that was is found once.
    for (let stale = 0; ; stale++) {
      if (this.#closed) return { status: 0, error: 'the delivery was given up' };
      const attempt = await this.#attempt(headers, body);
      if (!attempt.stale || stale === WEBHOOK_IN_FLIGHT_MAX) return attempt;
    }
  }

  #attempt(headers: Readonly<Record<string, string>>, body: string): Promise<Attempt & { stale: boolean }> {
    return new Promise((resolve) => {
      const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(this.#url, {
        method: 'POST',
        agent: this.#agent,
        lookup: this.#rule.lookupFor(this.#url.protocol),
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      });
      this.#requests.add(request);
      let status = 0;
      let error = 'the connection was closed without an answer';
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        request.destroy(new Error(`no answer within ${this.#timeoutMs} ms`));
      }, this.#timeoutMs);
      request.on('response', (response) => {
        status = response.statusCode ?? 0;
        swallow(response);
      });
      request.on('error', (cause) => {
        error = errorText(cause);
      });
      request.on('close', () => {
        clearTimeout(timer);
        this.#requests.delete(request);
        const stale = status === 0 && request.reusedSocket && !late && !this.#closed;
        resolve({ status, error: status > 0 ? '' : error, stale });
      });
      request.end(body);
    });
  }

  /** Ends every connection. */
  close(): void {
    this.#closed = true;
    for (const request of this.#requests) request.destroy();
    this.#agent.destroy();
  }
}

function swallow(response: IncomingMessage): void {
  let left = WEBHOOK_ANSWER_BYTES_MAX;
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) response.destroy();
  });
}

function errorText(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  const text = error instanceof AddressRefused || code === undefined ? error.message : `${code}: ${error.message}`;
  return maskPans(text).slice(0, ERROR_LENGTH_MAX);
}
