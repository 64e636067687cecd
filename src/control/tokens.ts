/**
 * Bearer tokens: `hf_<id>_<secret>`. The journal keeps HMAC-SHA-256(token key, token) only; the id in clear finds the row,
 * the HMAC is compared in constant time, and an unknown id costs the same comparison.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemRecord } from './system-log.js';
import type { SystemState, TokenRow } from './system-state.js';

export const scopes = ['read', 'write', 'simulate', 'admin'] as const;
/** read: every GET of objects · write: accounts, cards, payments, imports · simulate: the simulator · admin: programs,
 * tokens, profiles, the clock. No scope includes another. */
export type Scope = (typeof scopes)[number];

/** Id of a token as objects and the log show it. */
export function publicTokenId(id: string): string {
  return `tok_${id}`;
}

const NOBODY = Buffer.alloc(32);
const TOKEN_PATTERN = /^hf_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

export class Tokens {
  readonly #state: SystemState;
  readonly #key: Uint8Array;

  constructor(state: SystemState, key: Uint8Array) {
    this.#state = state;
    this.#key = key;
  }

  /** The token's row, or undefined when the header carries no valid token. */
  authenticate(authorization: string | undefined): TokenRow | undefined {
    const token = authorization?.match(/^Bearer +(\S+)$/i)?.[1];
    if (token === undefined) return undefined;
    const id = token.match(TOKEN_PATTERN)?.[1];
    const row = id === undefined ? undefined : this.#state.token(id);
    const same = timingSafeEqual(this.#hash(token), row?.hash ?? NOBODY);
    return same && row !== undefined ? row : undefined;
  }

  /** A new token and the record that makes it valid; the token itself is kept nowhere. */
  mint(name: string, granted: readonly Scope[], nowMs: number): { token: string; id: string; record: SystemRecord } {
    const id = randomBytes(6).toString('hex');
    const token = `hf_${id}_${randomBytes(32).toString('base64url')}`;
    return {
      token,
      id,
      record: { type: 'token', id, name, scopes: [...granted], hash: this.#hash(token), atMs: nowMs },
    };
  }

  /**
   * Makes an admin token when the journal knows none, and writes it to `<data-dir>/admin.token`, mode 0600. The file is
   * written first: a crash in between leaves a file whose token is unknown, and the next start writes a new one.
   */
  ensureAdminToken(dataDir: string, nowMs: number): void {
    if (this.#state.tokens.some((row) => row.scopes.includes('admin'))) return;
    const { token, record } = this.mint('admin', scopes, nowMs);
    const path = join(dataDir, 'admin.token');
    const draft = `${path}.new`;
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, `${token}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
    const folder = openSync(dataDir, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
    this.#state.write([record]);
  }

  #hash(token: string): Buffer {
    return createHmac('sha256', this.#key).update('token\0').update(token).digest();
  }
}
