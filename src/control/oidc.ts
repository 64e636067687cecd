/**
 * Bearer tokens of an identity provider (OpenID Connect): JWTs that `jose` verifies against the issuer's keys. The package is an optional
 * peer: whoever names no issuer does not need it, and it is no dependency of the program.
 *
 *   JWT -> signature by a key of the issuer, algorithm of the list -> issuer, audience, expiry, not before
 *       -> subject -> the one role that its claim names -> a row as of a token of our own
 */
import { createHash } from 'node:crypto';
import { HoldfastError } from '../errors.js';
import {
  OIDC_CLOCK_TOLERANCE_S,
  OIDC_KEYS_AGE_MS,
  OIDC_KEYS_COOLDOWN_MS,
  OIDC_TIMEOUT_MS,
  OIDC_TOKEN_LENGTH_MAX,
} from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import { ApiError } from './problem.js';
import { type Role, roles } from './roles.js';
import type { TokenRow } from './system-state.js';
import { OIDC_ID_PREFIX } from './tokens.js';

/** Signatures by a private key alone: neither none nor a secret that both sides know. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const JWT_PATTERN = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i;
export interface OidcSettings {
  /** As the tokens name it, and where its configuration lies. */
  readonly issuer: string;
  readonly audience: string;
  /** Claim that names the role: a text or a list of texts. */
  readonly roleClaim: string;
}

/** What is used of the package. */
interface Jose {
  createRemoteJWKSet(url: URL, options: object): unknown;
  jwtVerify(jwt: string, keys: unknown, options: object): Promise<{ payload: Record<string, unknown> }>;
}

export interface OidcLog {
  warn(fields: object, text: string): void;
}

export class Oidc {
  readonly #settings: OidcSettings;
  readonly #jose: Jose;
  readonly #log: OidcLog;
  #keys: unknown;
  /** One at a time, whoever asks. */
  #discovery: Promise<unknown> | undefined;

  private constructor(settings: OidcSettings, jose: Jose, log: OidcLog) {
    this.#settings = settings;
    this.#jose = jose;
    this.#log = log;
  }

  /**
   * @param name of the package: a variable, so that the compiler does not ask for what need not be installed
   * @throws HoldfastError `config_invalid` when it is not installed
   */
  static async load(settings: OidcSettings, log: OidcLog, name = 'jose'): Promise<Oidc> {
    try {
      return new Oidc(settings, (await import(name)) as Jose, log);
    } catch (error) {
      throw new HoldfastError('config_invalid', 'oidc-issuer needs the package jose', 'npm install jose@6', {
        cause: error,
      });
    }
  }

  /**
   * The row of who sent the JWT; undefined when it is none, is not valid now, or names no role.
   * @throws ApiError `identity_provider_unavailable` while the keys cannot be had: that says nothing of the JWT, and is nobody's guess
   */
  async authenticate(authorization: string | undefined, nowMs: number): Promise<TokenRow | undefined> {
    const jwt = authorization?.match(JWT_PATTERN)?.[1];
    if (jwt === undefined || jwt.length > OIDC_TOKEN_LENGTH_MAX) return undefined;
    const { issuer, audience, roleClaim } = this.#settings;
    try {
      this.#keys ??= await this.#discoverOnce();
      const { payload } = await this.#jose.jwtVerify(jwt, this.#keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: OIDC_CLOCK_TOLERANCE_S,
        currentDate: new Date(nowMs),
      });
      const role = roleOf(payload[roleClaim]);
      return role === undefined ? undefined : this.#row(payload, role);
    } catch (error) {
      // A JWT that is not right is no news; keys that cannot be had are: nobody gets in by them.
      const { code = '', message } = error as Error & { code?: string };
      if (/^ERR_(JWT|JWS|JOSE_(ALG|NOT_SUPPORTED)|JWKS_(NO_MATCHING|MULTIPLE))/.test(code)) return undefined;
      this.#log.warn({ issuer, error: message }, 'the keys of the identity provider cannot be had');
      throw new ApiError(
        'identity_provider_unavailable',
        'The keys of the identity provider cannot be had, so that its JWTs cannot be verified. Tokens of the engine itself are accepted.',
        { retryAfterSeconds: OIDC_TIMEOUT_MS / 1000 },
      );
    }
  }

  async #discoverOnce(): Promise<unknown> {
    this.#discovery ??= this.#discover().finally(() => {
      this.#discovery = undefined;
    });
    return await this.#discovery;
  }

  async #discover(): Promise<unknown> {
    const { issuer } = this.#settings;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(OIDC_TIMEOUT_MS), redirect: 'error' });
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    const { issuer: named, jwks_uri: keys } = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown };
    // Another issuer's configuration under this address would let its users in.
    if (named !== issuer || typeof keys !== 'string' || !isSafe(keys))
      throw new Error(`${url} does not describe this issuer`);
    return this.#jose.createRemoteJWKSet(new URL(keys), {
      timeoutDuration: OIDC_TIMEOUT_MS,
      cooldownDuration: OIDC_KEYS_COOLDOWN_MS,
      cacheMaxAge: OIDC_KEYS_AGE_MS,
    });
  }

  /** The name is the subject: what people call themselves may be anybody's, and two people are told apart by it. */
  #row({ sub, iat, exp }: Record<string, unknown>, role: Role): TokenRow {
    const subject = String(sub);
    const digest = createHash('sha256')
      .update(JSON.stringify([this.#settings.issuer, subject]))
      .digest('hex');
    return {
      id: `${OIDC_ID_PREFIX}${digest.slice(0, 16)}`,
      name: maskDigits(subject).slice(0, 64),
      scopes: [],
      role,
      hash: new Uint8Array(0),
      earlier: undefined,
      createdMs: Number(iat ?? 0) * 1000,
      untilMs: Number(exp) * 1000,
    };
  }
}

/** The role that a claim names, when it names exactly one of ours: a person of two duties has two tokens. */
function roleOf(claim: unknown): Role | undefined {
  const named = (Array.isArray(claim) ? claim : [claim]) as unknown[];
  const known = roles.filter((role) => named.includes(role));
  return known.length === 1 ? known[0] : undefined;
}

/** Keys come by TLS, or from this machine. */
export function isSafe(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname));
}
