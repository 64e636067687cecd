/**
 * The link file: listeners beside the two standard ones, each with its own port, framing, dialect, TLS, allow-list,
 * sign-on rule and limits. A link named `tcp` or `ws` takes the place of the standard listener of that name.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { LINK_CONNECTIONS_DEFAULT, LINK_CONNECTIONS_MAX, LINK_IN_FLIGHT_MAX, LINKS_MAX } from '../limits.js';
import { locate, type Problem, readDocument } from './config-file.js';
import type { LinkConfig } from './engine-types.js';
import {
  canonicalKey,
  dialectSchema,
  framingSchema,
  headerBytesSchema,
  hostSchema,
  inFlightSchema,
  portSchema,
} from './settings.js';
import { hint } from './suggest.js';

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
  'in-flight-max': [
    inFlightSchema,
    `an integer from 1 to ${LINK_IN_FLIGHT_MAX}`,
    '--link-in-flight-max',
    'requests in flight per connection before 91',
  ],
  'connections-max': [
    z.int().min(1).max(LINK_CONNECTIONS_MAX),
    `an integer from 1 to ${LINK_CONNECTIONS_MAX}`,
    String(LINK_CONNECTIONS_DEFAULT),
    'connections at a time',
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
    'TLS; with client-ca-file peers must present a certificate',
  ],
} as const satisfies Record<string, readonly [z.ZodType, string, string, string]>;

type LinkKey = keyof typeof linkKeys;

export interface LinkDefaults {
  host: string;
  tcpPort: number;
  wsPort: number;
  framing: LinkConfig['framing'];
  headerBytes: number;
  dialect: LinkConfig['dialect'];
  inFlightMax: number;
}

/** `192.0.2.1`, `2001:db8::/32` and the like. */
export function isAddressBlock(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/');
  const version = isIP(address!);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** The two standard listeners. */
export function standardLinks(defaults: LinkDefaults): LinkConfig[] {
  const common = {
    host: defaults.host,
    framing: defaults.framing,
    headerBytes: defaults.headerBytes,
    dialect: defaults.dialect,
    signOnRequired: false,
    inFlightMax: defaults.inFlightMax,
    connectionsMax: LINK_CONNECTIONS_DEFAULT,
    allow: [],
  };
  return [
    { name: 'tcp', transport: 'tcp', port: defaults.tcpPort, ...common },
    { name: 'ws', transport: 'ws', port: defaults.wsPort, ...common },
  ];
}

/** Reads a link file (a list, or a mapping with the one key `links`). Problems are collected, not thrown. */
export function readLinks(path: string, defaults: LinkDefaults, problems: Problem[]): LinkConfig[] {
  const document = readDocument(path, problems);
  if (document === undefined) return [];
  const wrapped = typeof document.value === 'object' && document.value !== null && 'links' in document.value;
  const base: (string | number)[] = wrapped ? ['links'] : [];
  if (wrapped) {
    for (const key of Object.keys(document.value as object)) {
      if (key !== 'links') {
        problems.push({
          what: `unknown key "${key}"${hint(key, ['links'])}`,
          where: locate(document, [key]),
          allowed: '',
        });
      }
    }
  }
  const list: unknown = wrapped ? (document.value as { links: unknown }).links : document.value;
  if (!Array.isArray(list) || list.length > LINKS_MAX) {
    problems.push({
      what: 'links: not a list',
      where: locate(document, base),
      allowed: `a list of at most ${LINKS_MAX} links`,
    });
    return [];
  }
  const links: LinkConfig[] = [];
  for (const [index, item] of list.entries()) {
    const at = [...base, index];
    const link = readLink(item, (path) => locate(document, [...at, ...path]), defaults, problems);
    if (link === undefined) continue;
    if (links.some((other) => other.name === link.name)) {
      problems.push({
        what: `link "${link.name}": name used twice`,
        where: locate(document, [...at, 'name']),
        allowed: 'unique names',
      });
    }
    links.push(link);
  }
  return links;
}

function readLink(
  item: unknown,
  where: (path: (string | number)[]) => string,
  defaults: LinkDefaults,
  problems: Problem[],
): LinkConfig | undefined {
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
    if (!(key in linkKeys)) {
      const what = `link: unknown key "${rawKey}"${hint(key, Object.keys(linkKeys))}`;
      problems.push({ what, where: where([rawKey]), allowed: '' });
      continue;
    }
    const [schema, allowed] = linkKeys[key];
    const normal = key === 'tls' && typeof value === 'object' && value !== null ? canonicalKeys(value) : value;
    const result = schema.safeParse(normal);
    if (result.success) values[key] = result.data;
    else problems.push({ what: `link ${key}: got ${JSON.stringify(value)}`, where: where([rawKey]), allowed });
  }
  for (const key of ['name', 'port'] as const) {
    if (!(key in values) && !Object.keys(item).some((raw) => canonicalKey(raw) === key)) {
      problems.push({ what: `link: ${key} is missing`, where: where([]), allowed: linkKeys[key][1] });
    }
  }
  if (problems.length > before) return undefined;
  return toLink(values, defaults);
}

function canonicalKeys(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [canonicalKey(key), inner]));
}

/** `values` passed the schemas of `linkKeys`, so the casts only name what they checked. */
function toLink(values: Record<string, unknown>, defaults: LinkDefaults): LinkConfig {
  const tls = values.tls as { 'cert-file': string; 'key-file': string; 'client-ca-file'?: string } | undefined;
  return {
    name: values.name as string,
    transport: (values.transport as 'tcp' | 'ws' | undefined) ?? 'tcp',
    host: (values.host as string | undefined) ?? defaults.host,
    port: values.port as number,
    framing: (values.framing as LinkConfig['framing'] | undefined) ?? defaults.framing,
    headerBytes: (values['header-bytes'] as number | undefined) ?? defaults.headerBytes,
    dialect: (values.dialect as LinkConfig['dialect'] | undefined) ?? defaults.dialect,
    signOnRequired: (values['sign-on-required'] as boolean | undefined) ?? false,
    inFlightMax: (values['in-flight-max'] as number | undefined) ?? defaults.inFlightMax,
    connectionsMax: (values['connections-max'] as number | undefined) ?? LINK_CONNECTIONS_DEFAULT,
    allow: (values.allow as string[] | undefined) ?? [],
    ...(tls === undefined
      ? {}
      : {
          tls: {
            certFile: tls['cert-file'],
            keyFile: tls['key-file'],
            ...(tls['client-ca-file'] === undefined ? {} : { clientCaFile: tls['client-ca-file'] }),
          },
        }),
  };
}
