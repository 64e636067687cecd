/**
 * The settings of `holdfast serve`: one table from which flags, environment names, the keys of the configuration file,
 * help, validation, `config schema` and docs/reference/configuration.md are all made. A setting that is not here does not
 * exist. If you add one: run `node scripts/docs.mjs` and give it to the engine through `EngineConfig` (config.ts).
 *
 * Keys are spelled as the flags are (`tcp-port`); a configuration file may also write `tcp_port` or `tcpPort`.
 */
import { z } from 'zod';
import { fileModes } from '../clearing/ipm/rules.js';
import { type ApprovalKind, approvalKinds } from '../control/approval-kinds.js';
import { isSafe } from '../control/oidc.js';
import { dialectNames } from '../iso8583/dialects.js';
import { framingNames } from '../iso8583/framing.js';
import {
  ADMISSION_RATE_MAX,
  CARDS_DEFAULT,
  CARDS_MAX,
  CLEARING_FILE_BYTES_MAX,
  DEADLINE_MS,
  DISK_RESERVE_BYTES,
  DUPLICATE_WINDOW_MS,
  FRAME_HEADER_BYTES_MAX,
  HSM_DEVICES_MAX,
  IN_FLIGHT_MAX,
  LANE_ENVIRONMENT_BYTES,
  LINK_IN_FLIGHT_MAX,
  SHARDS_DEFAULT,
  SHARDS_MAX,
  STOP_LIMIT_MS,
} from '../limits.js';
import { logFormats, logLevels } from '../log.js';
import { parseHsmAddresses } from './hsm-addresses.js';

/** How a text from a flag or the environment becomes a value, before the schema judges it. */
type Kind = 'text' | 'integer' | 'bytes' | 'boolean';

export interface Setting {
  readonly kind: Kind;
  readonly schema: z.ZodType;
  /** Placeholder of the flag's value; empty for switches. */
  readonly value: string;
  /** One line for help and reference. */
  readonly text: string;
  /** Allowed values in words, for error messages and the reference page. */
  readonly allowed: string;
  /** The fixed default, or the words that describe a computed one. */
  readonly standard: string | number | boolean;
  /** True when `standard` describes a computed default. */
  readonly computed: boolean;
}

function whole(min: number, max: number) {
  return z.int().min(min).max(max);
}

function integer(text: string, standard: number, min: number, max: number): Setting {
  const allowed = `an integer from ${min} to ${max}`;
  return { kind: 'integer', schema: whole(min, max), value: '<n>', text, allowed, standard, computed: false };
}

function choice(text: string, standard: string, values: readonly string[], computed = false): Setting {
  const allowed = `one of ${values.join(', ')}`;
  return { kind: 'text', schema: z.enum(values), value: '<name>', text, allowed, standard, computed };
}

function path(text: string, standard: string, computed = false): Setting {
  return { kind: 'text', schema: z.string().min(1), value: '<path>', text, allowed: 'a path', standard, computed };
}

const port = (text: string, standard: number): Setting => ({
  ...integer(text, standard, 0, 65_535),
  value: '<port>',
  allowed: 'an integer from 0 to 65535 (0: any free port)',
});

export const portSchema = whole(0, 65_535);
export const hostSchema = z.string().regex(/^[^\s/]+$/);
export const headerBytesSchema = whole(0, FRAME_HEADER_BYTES_MAX);
export const framingSchema = z.enum(framingNames);
export const dialectSchema = z.enum(dialectNames);
export const inFlightSchema = whole(1, IN_FLIGHT_MAX);

const bytesPattern = /^(\d+)\s*(|B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$/;
const byteUnits: Record<string, number> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
};

/** Bytes of a text such as `256MiB`, or undefined. */
export function parseBytes(text: string): number | undefined {
  const match = bytesPattern.exec(text.trim());
  return match === null ? undefined : Number(match[1]) * byteUnits[match[2]!]!;
}

/** Sizes may be written as `256MiB` everywhere, so the file's schema takes both forms. */
function bytes(text: string, standard: number, min: number, max: number): Setting {
  const schema = z
    .union([z.int(), z.string().regex(bytesPattern)])
    .transform((value) => (typeof value === 'number' ? value : parseBytes(value)!))
    .pipe(whole(min, max));
  const allowed = `bytes from ${min} to ${max}, or a size such as 256MiB`;
  return { kind: 'bytes', schema, value: '<bytes>', text, allowed, standard, computed: false };
}

/** Kinds of calls that a text such as `payments,keys` names, or undefined. */
export function approvalKindsOf(text: string): readonly ApprovalKind[] | undefined {
  if (text === 'none') return [];
  if (text === 'all') return approvalKinds;
  const names = text.split(',').map((name) => name.trim());
  const isKind = (name: string): name is ApprovalKind => (approvalKinds as readonly string[]).includes(name);
  return names.every(isKind) ? names : undefined;
}

export const settings = {
  'data-dir': path('data directory, created when it does not exist', './data'),
  'key-file': path('keys of the vault (0600), created at the first start', '<data-dir>.keys', true),
  'kek-file': path('key of the key file, or sealed by devices (keys seal); or HOLDFAST_KEK', 'none', true),
  hsm: {
    kind: 'text',
    schema: z.string().refine((text) => parseHsmAddresses(text) !== undefined),
    value: '<host:port,...>',
    text: 'devices (payShield host port) that check cards, with the keys of hsm-keys',
    allowed: `up to ${HSM_DEVICES_MAX} different host:port, separated by commas`,
    standard: 'none',
    computed: true,
  },
  'hsm-keys': path('keys of card cryptography (0600): of the devices, else in software for tests', 'none', true),
  'hsm-ca-file': path('authorities of certificates of the devices (PEM): TLS', 'none', true),
  'hsm-cert-file': path('certificate that is shown to the devices (PEM)', 'none', true),
  'hsm-key-file': path('private key of hsm-cert-file (PEM)', 'none', true),
  'allow-software-pin': {
    kind: 'boolean',
    schema: z.boolean(),
    value: '',
    text: 'decipher PINs in software, without hsm; never those of cardholders',
    allowed: 'true or false',
    standard: false,
    computed: false,
  },
  threads: { ...integer('shard threads; may change at every start', 0, 1, 256), standard: 'cores - 1', computed: true },
  shards: {
    ...integer('logical shards; fixed when the data directory is created', SHARDS_DEFAULT, 1, SHARDS_MAX),
    schema: whole(1, SHARDS_MAX).refine((n) => Number.isInteger(Math.log2(n))),
    allowed: `a power of two from 1 to ${SHARDS_MAX}`,
  },
  'cards-max': integer(
    'most cards the directory can hold (48 bytes of address space each)',
    CARDS_DEFAULT,
    1000,
    CARDS_MAX,
  ),
  host: {
    kind: 'text',
    schema: hostSchema,
    value: '<host>',
    text: 'address to listen on',
    allowed: 'a host name or an IP address',
    standard: '127.0.0.1',
    computed: false,
  },
  'tcp-port': port('ISO 8583 over TCP', 8583),
  'ws-port': port('ISO 8583 over WebSocket', 8582),
  'admin-port': port('HTTP API, console and metrics', 8580),
  'admin-tls-cert-file': path('certificate of the HTTP API (PEM), which then speaks TLS only', 'none', true),
  'admin-tls-key-file': path('its key (PEM, not encrypted)', 'none', true),
  'admin-tls-client-ca-file': path(
    'authorities of which clients of the HTTP API must present a certificate',
    'none',
    true,
  ),
  framing: choice('length header of the TCP listener', 'len2', framingNames),
  'header-bytes': integer('fixed header after the length, echoed (5: TPDU)', 0, 0, FRAME_HEADER_BYTES_MAX),
  dialect: choice('dialect of the listeners', 'iso87-bcd', dialectNames),
  links: path('file that describes further listeners', 'none', true),
  programs: path('file of programs, applied at the start', 'none', true),
  'oidc-issuer': {
    kind: 'text',
    schema: z.string().refine((text) => isSafe(text)),
    value: '<url>',
    text: 'identity provider whose JWTs the HTTP API takes; needs the package jose',
    allowed: 'an https URL (http on this machine)',
    standard: 'none',
    computed: true,
  },
  'oidc-audience': {
    kind: 'text',
    schema: z.string().min(1).max(256),
    value: '<text>',
    text: 'audience that these JWTs must name',
    allowed: '1 to 256 characters',
    standard: 'holdfast',
    computed: false,
  },
  'oidc-role-claim': {
    kind: 'text',
    schema: z.string().min(1).max(256),
    value: '<name>',
    text: 'claim of these JWTs that names one role',
    allowed: '1 to 256 characters',
    standard: 'roles',
    computed: false,
  },
  approvals: {
    kind: 'text',
    schema: z.string().refine((text) => approvalKindsOf(text) !== undefined),
    value: '<kinds>',
    text: 'calls of the HTTP API that a second person must confirm',
    allowed: `none, all, or some of ${approvalKinds.join(', ')} with commas between them`,
    standard: 'none',
    computed: false,
  },
  'approvals-from': integer('calls that name a smaller amount (minor units) need nobody else', 0, 0, 999_999_999_999),
  'ws-adapter': choice('WebSocket server; auto prefers uws and falls back to ws', 'auto', ['auto', 'uws', 'ws']),
  'deadline-ms': integer('time budget of a request; an approval is never sent later', DEADLINE_MS, 10, 60_000),
  'link-in-flight-max': integer(
    'requests in flight per listener before new ones get 91',
    LINK_IN_FLIGHT_MAX,
    1,
    IN_FLIGHT_MAX,
  ),
  'admission-rate-max': integer(
    'requests per second over all listeners before new ones get 91 (0: no limit)',
    0,
    0,
    ADMISSION_RATE_MAX,
  ),
  'duplicate-window-hours': integer(
    'how long a repeat finds its first answer',
    DUPLICATE_WINDOW_MS / 3_600_000,
    24,
    168,
  ),
  'disk-reserve-bytes': bytes(
    'least disk reserve: with less free, new work gets 91',
    DISK_RESERVE_BYTES,
    2 ** 24,
    2 ** 46,
  ),
  'journal-folder-bytes': bytes(
    'size at which a folder of the journal is closed and the next one begun',
    LANE_ENVIRONMENT_BYTES,
    2 ** 20,
    LANE_ENVIRONMENT_BYTES,
  ),
  'stop-limit-ms': integer('time a graceful stop may take before it is forced', STOP_LIMIT_MS, 100, 600_000),
  'webhooks-allow-private': {
    kind: 'boolean',
    schema: z.boolean(),
    value: '',
    text: 'let webhooks go to private addresses, and without TLS to this machine',
    allowed: 'true or false',
    standard: false,
    computed: false,
  },
  'clearing-file-bytes-max': bytes('largest clearing file that is taken', CLEARING_FILE_BYTES_MAX, 2 ** 10, 2 ** 40),
  'clearing-mode': choice('clearing files: P production, T test, auto by the programs', 'auto', ['auto', ...fileModes]),
  'backup-dir': path('folder for backups that are made over the API', 'none', true),
  demo: {
    kind: 'boolean',
    schema: z.boolean(),
    value: '',
    text: 'create 1 000 demo accounts and cards (BIN 9999 99), once',
    allowed: 'true or false',
    standard: false,
    computed: false,
  },
  'log-level': choice('least level that is logged', 'info', logLevels),
  'log-format': choice('form of the log on stderr', 'pretty on a terminal, else json', logFormats, true),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

export const settingNames = Object.keys(settings) as SettingName[];

export function settingOf(name: SettingName): Setting {
  return settings[name];
}

/** `tcp-port` -> `HOLDFAST_TCP_PORT`. */
export function environmentName(name: string): string {
  return `HOLDFAST_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** `tcp_port` and `tcpPort` -> `tcp-port`. */
export function canonicalKey(key: string): string {
  return key.replaceAll('_', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Shape of a configuration file. */
export const fileSchema = z
  .strictObject(
    Object.fromEntries(
      settingNames.map((name) => {
        const setting = settingOf(name);
        const meta = { description: `${setting.text}; ${setting.allowed}` };
        return [name, setting.schema.optional().meta(setting.computed ? meta : { ...meta, default: setting.standard })];
      }),
    ),
  )
  .meta({ title: 'Configuration of holdfast serve' });
