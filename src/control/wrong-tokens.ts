/**
 * Wrong bearer tokens by the address they come from: the first few of a minute are answered 401, the rest 429. A request with
 * a right token never comes here, so nobody can lock an operator out, not even from behind the same proxy.
 *
 * What keeps a token safe are its 256 random bits; this keeps a misconfigured client or a guesser from going on unnoticed. It
 * is a structure of our own because @fastify/rate-limit counts requests before the token is known: it would refuse right
 * tokens as well, and it is one dependency more for one map. Memory is bounded: of too many addresses the one whose minute
 * began first is forgotten (an IPv6 host that changes its address gets 401 each time, which is as much as anybody learns).
 */
import { WRONG_TOKEN_ADDRESSES_MAX, WRONG_TOKEN_WINDOW_MS, WRONG_TOKENS_PER_ADDRESS } from '../limits.js';

/** Answers to wrong tokens since the start. */
export interface WrongTokenCounts {
  /** Answered 401. */
  readonly denied: number;
  /** Answered 429. */
  readonly limited: number;
}

interface Window {
  sinceMs: number;
  tokens: number;
}

export class WrongTokens {
  #denied = 0;
  #limited = 0;
  /** In the order in which their windows began. */
  readonly #windows = new Map<string, Window>();

  /**
   * Counts a wrong token. 0 while its address may go on (401); else the whole seconds, 1 to 60, until it may again (429).
   * `nowMs` is wall time; when it goes back, the window begins anew.
   */
  count(address: string, nowMs: number): number {
    const window = this.#windowOf(address, nowMs);
    if (window.tokens < WRONG_TOKENS_PER_ADDRESS) {
      window.tokens++;
      this.#denied++;
      return 0;
    }
    this.#limited++;
    return Math.max(1, Math.ceil((window.sinceMs + WRONG_TOKEN_WINDOW_MS - nowMs) / 1000));
  }

  get counts(): WrongTokenCounts {
    return { denied: this.#denied, limited: this.#limited };
  }

  #windowOf(address: string, nowMs: number): Window {
    const known = this.#windows.get(address);
    const ageMs = known === undefined ? -1 : nowMs - known.sinceMs;
    if (known !== undefined && ageMs >= 0 && ageMs < WRONG_TOKEN_WINDOW_MS) return known;
    // Taken out and put in again: the order of the map is the order of the windows.
    this.#windows.delete(address);
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined && this.#windows.size >= WRONG_TOKEN_ADDRESSES_MAX) this.#windows.delete(oldest);
    const window = { sinceMs: nowMs, tokens: 0 };
    this.#windows.set(address, window);
    return window;
  }
}
