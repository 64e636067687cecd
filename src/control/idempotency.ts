/**
 * Idempotency-Key: a write with a key happens once, however often it is sent.
 *
 * The durable part stands beside the effect: in the shard's frame (the tag of the command) or in the system journal. Here
 * are the hashes, the keys under way (409), and the recently used keys with their bodies, so that a key which meets
 * another body at *another* shard is refused too. Keys are shared by all tokens of an installation.
 */
import { createHmac } from 'node:crypto';
import type { IdempotencyTag } from '../domain/commands.js';
import { IDEMPOTENCY_RECENT_MAX } from '../limits.js';
import { ApiError } from './problem.js';

/** 1 to 255 visible ASCII characters and blanks. */
const KEY_PATTERN = /^[\x20-\x7e]{1,255}$/;

export interface Idempotency {
  readonly tag: IdempotencyTag;
  /** Hexadecimal forms for the system journal. */
  readonly key: string;
  readonly body: string;
}

export class IdempotencyKeys {
  readonly #secret: Uint8Array;
  readonly #underWay = new Set<string>();
  /** Key to body, oldest first. */
  readonly #recent = new Map<string, string>();

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** Hashes of a request. The body's hash covers method and path: a key belongs to one request. */
  of(header: string, method: string, path: string, body: Uint8Array): Idempotency {
    const bodyHash = createHmac('sha256', this.#secret).update(`body\0${method} ${path}\0`).update(body).digest();
    return this.ofHashes(header, bodyHash);
  }

  ofHashes(header: string, bodyHash: Uint8Array): Idempotency {
    if (!KEY_PATTERN.test(header))
      throw new ApiError('idempotency_key_invalid', 'Idempotency-Key must be 1 to 255 printable ASCII characters.', {
        param: 'Idempotency-Key',
      });
    const keyHash = createHmac('sha256', this.#secret).update(`key\0${header}`).digest();
    return {
      tag: { keyHash, bodyHash },
      key: keyHash.toString('hex'),
      body: Buffer.from(bodyHash).toString('hex'),
    };
  }

  /** HMAC of a body that arrives as a stream. */
  bodyHasher(method: string, path: string): { update(chunk: Uint8Array): void; digest(): Uint8Array } {
    const hmac = createHmac('sha256', this.#secret).update(`body\0${method} ${path}\0`);
    return {
      update: (chunk) => void hmac.update(chunk),
      digest: () => hmac.digest(),
    };
  }

  /** Refuses a key with another body, and one whose first request is still under way. */
  begin(key: string, body: string | undefined): void {
    if (this.#underWay.has(key))
      throw new ApiError('idempotency_in_progress', 'The first request with this key has not been answered yet.', {
        param: 'Idempotency-Key',
        retryAfterSeconds: 1,
      });
    if (body !== undefined) this.check(key, body);
    this.#underWay.add(key);
  }

  /** Refuses a key that is known to belong to another body. */
  check(key: string, body: string): void {
    const known = this.#recent.get(key);
    if (known !== undefined && known !== body) throw mismatch();
  }

  /** The request has been answered; `body` is remembered when it had an effect. */
  end(key: string, body: string | undefined): void {
    this.#underWay.delete(key);
    if (body === undefined) return;
    this.#recent.delete(key);
    this.#recent.set(key, body);
    if (this.#recent.size <= IDEMPOTENCY_RECENT_MAX) return;
    const oldest = this.#recent.keys().next();
    if (!oldest.done) this.#recent.delete(oldest.value);
  }
}

export function mismatch(): ApiError {
  return new ApiError('idempotency_mismatch', 'This key was used with another method, path or body. Take a new key.', {
    param: 'Idempotency-Key',
  });
}

/** Deterministic bytes from a key of the installation: the same request makes the same identifiers. */
export function derive(secret: Uint8Array, purpose: string, seed: Uint8Array, round = 0): Buffer {
  return createHmac('sha256', secret).update(`${purpose}\0${round}\0`).update(seed).digest();
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** 26 lower-case base 32 characters (130 bits read from 17 bytes). */
export function base32of(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < 26; i++) {
    const bit = i * 5;
    const pair = (bytes[bit >> 3]! << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    out += BASE32[(pair >> (11 - (bit & 7))) & 31]!;
  }
  return out;
}
