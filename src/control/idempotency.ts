/**
 * Idempotency-Key: a write with a key happens once, however often it is sent, and a key belongs to one request: method,
 * path and body. Keys are shared by all tokens of an installation.
 *
 *   claim            the key's shard binds key to body, durably, before anything is done (shard/idempotency.ts)
 *   effect           its outcome is kept beside it: in the frame of the shard, or with the record of the system journal
 *   answer           what has no effect of its own (a refusal, a simulation) is kept as an answer in the key's shard
 *
 * A repeat meets its claim first, so another body is refused wherever its effect would be, also after a restart. Here are the
 * hashes and the keys under way (409); once.ts does the steps.
 */
import { createHmac } from 'node:crypto';
import type { IdempotencyTag } from '../domain/party-commands.js';
import { ApiError } from './problem.js';

/** 1 to 255 visible ASCII characters and blanks. */
const KEY_PATTERN = /^[\x20-\x7e]{1,255}$/;

export interface Idempotency {
  readonly tag: IdempotencyTag;
  /** Hexadecimal forms for the system journal. */
  readonly key: string;
  readonly body: string;
}

/** A key whose claim is durable. */
export interface ClaimedKey extends Idempotency {
  /** True when an earlier request claimed it: its effect may have happened. */
  readonly known: boolean;
  /** Time of the claim, ms since 1970 UTC: the same in every repeat. */
  readonly claimedMs: number;
}

export class IdempotencyKeys {
  readonly #secret: Uint8Array;
  readonly #underWay = new Set<string>();

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /**
   * Hashes of a request. The body's hash covers method and path: a key belongs to one request.
   * @throws ApiError `idempotency_key_invalid`.
   */
  of(header: string, method: string, path: string, body: Uint8Array): Idempotency {
    const hasher = this.bodyHasher(method, path);
    hasher.update(body);
    return this.ofHashes(header, hasher.digest());
  }

  ofHashes(header: string, bodyHash: Uint8Array): Idempotency {
    if (!KEY_PATTERN.test(header))
      throw new ApiError('idempotency_key_invalid', 'Idempotency-Key must be 1 to 255 printable ASCII characters.', {
        param: 'Idempotency-Key',
      });
    const keyHash = createHmac('sha256', this.#secret).update(`key\0${header}`).digest();
    return ofHashPair(keyHash, bodyHash);
  }

  /** Key of a confirmed proposal, which no header can name. */
  ofApproval(id: string): Idempotency {
    const keyHash = createHmac('sha256', this.#secret).update(`approval\0${id}`).digest();
    return ofHashPair(keyHash, keyHash);
  }

  /** A key that was kept by its hashes, hexadecimal. */
  ofKept(key: string, body: string): Idempotency {
    return ofHashPair(Buffer.from(key, 'hex'), Buffer.from(body, 'hex'));
  }

  /** HMAC of a body that arrives as a stream. */
  bodyHasher(method: string, path: string): { update(chunk: Uint8Array): void; digest(): Uint8Array } {
    const hmac = createHmac('sha256', this.#secret).update(`body\0${method} ${path}\0`);
    return {
      update: (chunk) => void hmac.update(chunk),
      digest: () => hmac.digest(),
    };
  }

  /** Runs the request unless one with the same key is under way. @throws ApiError `idempotency_in_progress`. */
  async exclusively<T>({ key }: Idempotency, run: () => Promise<T>): Promise<T> {
    if (this.#underWay.has(key))
      throw new ApiError('idempotency_in_progress', 'The first request with this key has not been answered yet.', {
        param: 'Idempotency-Key',
        retryAfterSeconds: 1,
      });
    this.#underWay.add(key);
    try {
      return await run();
    } finally {
      this.#underWay.delete(key);
    }
  }
}

function ofHashPair(keyHash: Uint8Array, bodyHash: Uint8Array): Idempotency {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return { tag: { keyHash, bodyHash }, key: hex(keyHash), body: hex(bodyHash) };
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
