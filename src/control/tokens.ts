/**
 * Bearer tokens: `hf_<id>_<secret>`. The journal keeps HMAC-SHA-256(token key, token) only; the id in clear finds the row,
 * the HMAC is compared in constant time, and an unknown id costs the same comparison. A slow hash, as for passwords, would protect
 * nothing: 256 random bits cannot be guessed, and it would be a way to keep the server busy.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from './roles.js';
import type { TokenRecord, TokenRotated } from './system-log.js';
import type { SystemState, TokenRow } from './system-state.js';

export const scopes = ['read', 'write', 'simulate', 'admin'] as const;
/** read: every GET of objects · write: accounts, cards, payments, imports · simulate: the simulator · admin: programs,
 * tokens, profiles, the clock. No scope includes another. */
export type Scope = (typeof scopes)[number];

/** Id of a token as objects and the log show it. */
export function publicTokenId(id: string): string {
  return `tok_${id}`;
}

/** Ids of people whom an identity provider vouches for begin with it; ids of tokens are hexadecimal. */
export const OIDC_ID_PREFIX = 'oidc_';

/** What a token may do: scopes, or what a role may (roles.ts). */
export type Grant = { readonly scopes: readonly Scope[] } | { readonly role: Role };

export function isValid({ untilMs }: TokenRow, nowMs: number): boolean {
  return untilMs === undefined || nowMs < untilMs;
}

export function isAdmin({ scopes: granted, role }: Pick<TokenRow, 'scopes' | 'role'>): boolean {
  return role === 'admin' || granted.includes('admin');
}

/** The rights of a token as one word or some, for people. */
export function rightsOf({ scopes: granted, role }: Pick<TokenRow, 'scopes' | 'role'>): string {
  return role ?? granted.join(',');
}

function until(nowMs: number, ttlSeconds: number | undefined): { untilMs?: number } {
  return ttlSeconds === undefined ? {} : { untilMs: nowMs + ttlSeconds * 1000 };
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

  /** The token's row, or undefined when the header carries no token that is valid now. */
  authenticate(authorization: string | undefined, nowMs: number): TokenRow | undefined {
    const token = authorization?.match(/^Bearer +(\S+)$/i)?.[1];
    if (token === undefined) return undefined;
    const id = token.match(TOKEN_PATTERN)?.[1];
    const row = id === undefined ? undefined : this.#state.token(id);
    const hash = this.#hash(token);
    // Both are compared whatever the first says: how long it takes tells nothing.
    const isNew = timingSafeEqual(hash, row?.hash ?? NOBODY);
    const isEarlier = timingSafeEqual(hash, row?.earlier?.hash ?? NOBODY) && nowMs < (row?.earlier?.untilMs ?? 0);
    return row !== undefined && (isNew || isEarlier) && isValid(row, nowMs) ? row : undefined;
  }

  /** A new token and the record that makes it valid; the token itself is kept nowhere. */
  mint(
    name: string,
    granted: Grant,
    nowMs: number,
    ttlSeconds?: number,
  ): { token: string; id: string; record: TokenRecord } {
    const id = randomBytes(6).toString('hex');
    const { token, hash } = this.#secret(id);
    const rights = 'role' in granted ? { scopes: [], role: granted.role } : { scopes: [...granted.scopes] };
    return {
      token,
      id,
      record: { type: 'token', id, name, ...rights, hash, ...until(nowMs, ttlSeconds), atMs: nowMs },
    };
  }

  /** A new secret for a token, and the record that makes it valid; the one before is taken for `graceSeconds` more. */
  rotate(
    { id }: TokenRow,
    nowMs: number,
    graceSeconds: number,
    ttlSeconds?: number,
  ): { token: string; record: TokenRotated } {
    const { token, hash } = this.#secret(id);
    const graceMs = nowMs + graceSeconds * 1000;
    return { token, record: { type: 'token_rotated', id, hash, graceMs, ...until(nowMs, ttlSeconds), atMs: nowMs } };
  }

  #secret(id: string): { token: string; hash: Uint8Array } {
    const token = `hf_${id}_${randomBytes(32).toString('base64url')}`;
    return { token, hash: this.#hash(token) };
  }

  /**
   * Makes an admin token when the journal knows none, and writes it to `<data-dir>/admin.token`, mode 0600. The file is
   * written first: a crash in between leaves a file whose token is unknown, and the next start writes a new one.
   */
  ensureAdminToken(dataDir: string, nowMs: number): void {
    if (this.#state.tokens.some((row) => isAdmin(row) && isValid(row, nowMs))) return;
    const { token, record } = this.mint('admin', { scopes }, nowMs);
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
