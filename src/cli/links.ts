/**
 * The link file: listeners beside the two standard ones, each with its own port, framing, dialect, TLS, allow-list, sign-on
 * rule and limits. A link named `tcp` or `ws` takes the place of the standard listener of that name. Links are numbered in the
 * order of the file, from 3; the number is journaled with every message.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { type LinkMacProfile, macAlgorithms } from '../ingress/link-mac.js';
import { type DefaultLinkFlags, defaultLinks, type LinkProfile, linkDefaults, signOffRules } from '../ingress/links.js';
import {
  ADMISSION_RATE_MAX,
  IN_FLIGHT_MAX,
  LINK_CONNECTIONS_DEFAULT,
  LINK_CONNECTIONS_MAX,
  LINK_IDLE_MS,
  LINKS_MAX,
} from '../limits.js';
import { hint } from '../suggest.js';
import { locate, type Problem, readDocument, readList, uniqueNames } from './config-file.js';
import {
  canonicalKey,
  dialectSchema,
  framingSchema,
  headerBytesSchema,
  hostSchema,
  inFlightSchema,
  portSchema,
} from './settings.js';

/** Key -> schema, allowed values in words, default in words, meaning: the reference table is made from this. */
export const linkKeys = {
  name: [z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/), '1 to 32 of a-z 0-9 _ -', 'required', 'unique name'],
  transport: [z.enum(['tcp', 'ws']), 'tcp or ws', 'tcp', 'raw TCP or WebSocket'],
  host: [hostSchema, 'a host name or an IP address', '--host', 'address to listen on'],
  port: [portSchema, 'an integer from 0 to 65535', 'required', 'port; 0 = any free one'],
  framing: [framingSchema, `one of ${framingSchema.options.join(', ')}`, '--framing', 'length header (TCP only)'],
  'header-bytes': [headerBytesSchema, 'an integer from 0 to 64', '--header-bytes', 'fixed header, echoed (TCP only)'],
  dialect: [dialectSchema, `one of ${dialectSchema.options.join(', ')}`, '--dialect', 'dialect of ISO 8583'],
  'sign-on-required': [z.boolean(), 'true or false', 'false', '91 for financial traffic before an 0800 sign-on'],
  'sign-off': [
    z.enum(signOffRules),
    `one of ${signOffRules.join(', ')}`,
    'auto',
    'who is sent an 0800 sign-off at a stop: peers that signed on by an 0800, every peer, nobody',
  ],
  'in-flight-max': [
    inFlightSchema,
    `an integer from 1 to ${IN_FLIGHT_MAX}`,
    '--link-in-flight-max',
    'requests in flight before new ones get 91',
  ],
  'rate-max': [
    z.int().min(0).max(ADMISSION_RATE_MAX),
    `an integer from 0 to ${ADMISSION_RATE_MAX}`,
    '0: no limit of its own',
    'requests per second before new ones get 91',
  ],
  'connections-max': [
    z.int().min(1).max(LINK_CONNECTIONS_MAX),
    `an integer from 1 to ${LINK_CONNECTIONS_MAX}`,
    String(LINK_CONNECTIONS_DEFAULT),
    'connections at a time',
  ],
  'deadline-ms': [
    z.int().min(10).max(60_000),
    'an integer from 10 to 60000',
    '--deadline-ms',
    'time budget of a request, from its last byte read',
  ],
  'idle-ms': [
    z.int().min(1000).max(2_147_483_647),
    'an integer from 1000 to 2147483647',
    String(LINK_IDLE_MS),
    'a connection that sends nothing for this long is closed',
  ],
  allow: [
    z.array(z.string().refine(isAddressBlock)).max(1024),
    'a list of IP addresses and CIDR blocks',
    'everybody',
    'peers that may connect',
  ],
  tls: [
    z.strictObject({
      'cert-file': z.string().min(1),
      'key-file': z.string().min(1),
      'client-ca-file': z.string().min(1).optional(),
    }),
    'cert-file, key-file and optionally client-ca-file (PEM)',
    'plain',
    'TLS 1.2 or later; with client-ca-file peers must present a certificate of these authorities',
  ],
  mac: [
    z.strictObject({
      key: z.string().min(1).max(64),
      algorithm: z.enum(macAlgorithms),
      padding: z.union([z.literal(1), z.literal(2)]).optional(),
      length: z.int().min(4).max(8).optional(),
      'exchange-key': z.string().min(1).max(64).optional(),
    }),
    'key, algorithm (retail or cmac) and optionally padding (1 or 2, default 1), length (4 to 8 bytes, default 8) and exchange-key',
    'none',
    'messages carry a MAC in DE64 or DE128, both ways, under a key of --hsm-keys; the network may send the next one under `exchange-key`',
  ],
} as const satisfies Record<string, readonly [z.ZodType, string, string, string]>;

type LinkKey = keyof typeof linkKeys;

/** 1 and 2 are the standard listeners. */
const FIRST_FILE_LINK = 3;

/** The link comes from a link file. */
export function isFileLink(link: LinkProfile): boolean {
  return link.number >= FIRST_FILE_LINK;
}

/** What a link takes from the settings when it does not say it itself. */
export interface LinkDefaults extends DefaultLinkFlags {
  readonly inFlightMax: number;
  readonly deadlineMs: number;
}

/** `192.0.2.1`, `2001:db8::/32` and the like. */
export function isAddressBlock(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/');
  const version = isIP(address!);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** The two standard listeners. */
export function standardLinks(defaults: LinkDefaults): LinkProfile[] {
  const { inFlightMax, deadlineMs } = defaults;
  return defaultLinks(defaults).map((link) => ({ ...link, inFlightMax, deadlineMs }));
}

/** Reads a link file (a list, or a mapping with the one key `links`). Problems are collected, not thrown. */
export function readLinks(path: string, defaults: LinkDefaults, problems: Problem[]): LinkProfile[] {
  const document = readDocument(path, problems);
  const list = document && readList(document, 'links', LINKS_MAX, problems);
  if (document === undefined || list === undefined) return [];
  const links: LinkProfile[] = [];
  const names = uniqueNames(document, problems);
  for (const [index, { item, at }] of list.entries()) {
    const link = readLink(item, index, (path) => locate(document, [...at, ...path]), defaults, problems);
    if (names(item, at, 'name', 'link') && link !== undefined) links.push(link);
  }
  return links;
}

function readLink(
  item: unknown,
  index: number,
  where: (path: (string | number)[]) => string,
  defaults: LinkDefaults,
  problems: Problem[],
): LinkProfile | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    problems.push({
      what: 'link: not a mapping',
      where: where([]),
      allowed: `keys ${Object.keys(linkKeys).join(', ')}`,
    });
    return undefined;
  }
  const values: Record<string, unknown> = {};
  const before = problems.length;
  for (const [rawKey, value] of Object.entries(item)) {
    const key = canonicalKey(rawKey) as LinkKey;
    if (!Object.hasOwn(linkKeys, key)) {
      const what = `link: unknown key "${rawKey}"${hint(key, Object.keys(linkKeys))}`;
      problems.push({ what, where: where([rawKey]), allowed: '' });
      continue;
    }
    const [schema, allowed] = linkKeys[key];
    const result = schema.safeParse(key === 'tls' || key === 'mac' ? canonicalKeys(value) : value);
    if (result.success) values[key] = result.data;
    else problems.push({ what: `link ${key}: got ${JSON.stringify(value)}`, where: where([rawKey]), allowed });
  }
  for (const key of ['name', 'port'] as const) {
    if (!(key in values) && !Object.keys(item).some((raw) => canonicalKey(raw) === key)) {
      problems.push({ what: `link: ${key} is missing`, where: where([]), allowed: linkKeys[key][1] });
    }
  }
  if (problems.length > before) return undefined;
  return toLink(values, index, defaults);
}

function canonicalKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [canonicalKey(key), inner]));
}

/** `values` passed the schemas of `linkKeys`, so the casts only name what they checked. */
function toLink(values: Record<string, unknown>, index: number, defaults: LinkDefaults): LinkProfile {
  const value = <T>(key: LinkKey, standard: T): T => (values[key] as T | undefined) ?? standard;
  const name = values.name as string;
  return {
    ...linkDefaults,
    name,
    number: FIRST_FILE_LINK + index,
    transport: value<LinkProfile['transport']>('transport', 'tcp'),
    host: value('host', defaults.host),
    port: values.port as number,
    framing: value('framing', defaults.framing),
    headerBytes: value('header-bytes', defaults.headerBytes),
    dialect: value('dialect', defaults.dialect),
    signOnRequired: value('sign-on-required', false),
    signOff: value('sign-off', linkDefaults.signOff),
    inFlightMax: value('in-flight-max', defaults.inFlightMax),
    rateMax: value('rate-max', linkDefaults.rateMax),
    connectionsMax: value('connections-max', linkDefaults.connectionsMax),
    deadlineMs: value('deadline-ms', defaults.deadlineMs),
    idleMs: value('idle-ms', linkDefaults.idleMs),
    allow: value<readonly string[]>('allow', []),
    portSetting: `the port of link ${name} in the link file`,
    ...tlsOf(values.tls as TlsKeys | undefined),
    ...macOf(values.mac as MacKeys | undefined),
  };
}

interface TlsKeys {
  'cert-file': string;
  'key-file': string;
  'client-ca-file'?: string;
}

function tlsOf(tls: TlsKeys | undefined): Pick<LinkProfile, 'tls'> {
  if (tls === undefined) return {};
  const clientCaFile = tls['client-ca-file'];
  const files = { certFile: tls['cert-file'], keyFile: tls['key-file'] };
  return { tls: clientCaFile === undefined ? files : { ...files, clientCaFile } };
}

type MacKeys = Pick<LinkMacProfile, 'key' | 'algorithm'> & {
  padding?: 1 | 2;
  length?: number;
  'exchange-key'?: string;
};

function macOf(mac: MacKeys | undefined): Pick<LinkProfile, 'mac'> {
  if (mac === undefined) return {};
  const { key, algorithm, padding = 1, length = 8, 'exchange-key': exchangeKey } = mac;
  return { mac: { key, algorithm, padding, length, ...(exchangeKey === undefined ? {} : { exchangeKey }) } };
}
