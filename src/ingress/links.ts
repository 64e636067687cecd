/**
 * Link profiles: what one listener speaks and allows. A profile is data, checked before anything listens, so that a
 * contradiction is an error with the link's name and never a surprise on the first message.
 */
import { BlockList, isIP } from 'node:net';
import { HoldfastError } from '../errors.js';
import { type DialectName, isDialectName } from '../iso8583/dialects.js';
import { checkFraming, type FramingName } from '../iso8583/framing.js';
import {
  ADMISSION_RATE_MAX,
  DEADLINE_MS,
  FRAME_COMPLETE_MS,
  IN_FLIGHT_MAX,
  LINK_CONNECTIONS_DEFAULT,
  LINK_CONNECTIONS_MAX,
  LINK_IDLE_MS,
  LINK_IN_FLIGHT_MAX,
  MESSAGE_BYTES_MAX,
} from '../limits.js';
import type { TlsFiles } from '../server-tls.js';
import type { LinkMacProfile } from './link-mac.js';

export type Transport = 'tcp' | 'ws';

export const signOffRules = ['auto', 'always', 'never'] as const;
export type SignOffRule = (typeof signOffRules)[number];

export interface LinkProfile {
  /** Unique; shown in logs and errors. */
  readonly name: string;
  /** 0 to 65 535, unique; journaled with every message of the link. */
  readonly number: number;
  readonly transport: Transport;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** TCP only; a WebSocket message needs no framing. */
  readonly framing: FramingName;
  readonly headerBytes: number;
  /** Default dialect; a WebSocket client may ask for another with `?dialect=`. */
  readonly dialect: DialectName;
  /** True: financial traffic is answered 91 until the connection has signed on (0800, DE70 001). */
  readonly signOnRequired: boolean;
  /** Who is sent an 0800 sign-off at a stop: peers that signed on by an 0800, all that are signed on, or nobody. */
  readonly signOff: SignOffRule;
  /** Requests of this link that may wait for a shard at one time; beyond it 91. */
  readonly inFlightMax: number;
  /** Requests of this link per second; beyond it 91. 0: no cap of its own. */
  readonly rateMax: number;
  /** Time budget of a request from its last byte read, ms. */
  readonly deadlineMs: number;
  /** Addresses and CIDR blocks that may connect; empty = everybody. */
  readonly allow: readonly string[];
  readonly connectionsMax: number;
  /** A connection that sends nothing for this long is closed, ms. */
  readonly idleMs: number;
  /** A started frame must be complete within this time, ms. */
  readonly frameMs: number;
  /** TLS on the server's side; absent = plain. A WebSocket link with TLS always runs on the adapter ws. */
  readonly tls?: TlsFiles;
  /** Messages carry a MAC, both ways; absent = none is looked at. */
  readonly mac?: LinkMacProfile;
  /** What an operator changes when the port is taken. */
  readonly portSetting: string;
}

export interface DefaultLinkFlags {
  readonly host: string;
  readonly tcpPort: number;
  readonly wsPort: number;
  readonly framing: FramingName;
  readonly headerBytes: number;
  readonly dialect: DialectName;
}

/** Everything of a profile that has a default. */
export const linkDefaults = {
  framing: 'len2',
  headerBytes: 0,
  dialect: 'iso87-bcd',
  signOnRequired: false,
  signOff: 'auto',
  inFlightMax: LINK_IN_FLIGHT_MAX,
  rateMax: 0,
  deadlineMs: DEADLINE_MS,
  allow: [],
  connectionsMax: LINK_CONNECTIONS_DEFAULT,
  idleMs: LINK_IDLE_MS,
  frameMs: FRAME_COMPLETE_MS,
  portSetting: 'its port in the links file',
} as const satisfies Partial<LinkProfile>;

/** The set without a links file: one TCP listener (link 1) and one WebSocket listener (link 2). */
export function defaultLinks(flags: DefaultLinkFlags): LinkProfile[] {
  const { host, framing, headerBytes, dialect } = flags;
  const shared = { ...linkDefaults, host, framing, headerBytes, dialect };
  return [
    { ...shared, name: 'tcp', number: 1, transport: 'tcp', port: flags.tcpPort, portSetting: '--tcp-port' },
    { ...shared, name: 'ws', number: 2, transport: 'ws', port: flags.wsPort, portSetting: '--ws-port' },
  ];
}

/** @throws HoldfastError `config_invalid` naming the link and the setting. */
export function checkLinks(links: readonly LinkProfile[]): void {
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const link of links) {
    const invalid = (what: string, next: string): HoldfastError =>
      new HoldfastError('config_invalid', `link ${link.name}: ${what}`, next);
    if (names.has(link.name)) throw invalid('two links have this name', 'give each link a name of its own');
    names.add(link.name);
    if (numbers.has(link.number)) throw invalid(`two links have number ${link.number}`, 'give each its own number');
    numbers.add(link.number);
    if (!inRange(link.number, 0, 0xffff)) throw invalid(`number ${link.number}`, 'use 0 to 65535');
    if (!inRange(link.port, 0, 65_535)) throw invalid(`port ${link.port}`, 'use 0 to 65535');
    if (!isDialectName(link.dialect))
      throw invalid(`unknown dialect ${String(link.dialect)}`, 'name a built-in dialect');
    if (!inRange(link.inFlightMax, 1, IN_FLIGHT_MAX))
      throw invalid(`in-flight limit ${link.inFlightMax}`, `use 1 to ${IN_FLIGHT_MAX}`);
    if (!inRange(link.rateMax, 0, ADMISSION_RATE_MAX))
      throw invalid(`rate limit ${link.rateMax}`, `use 0 (no limit) to ${ADMISSION_RATE_MAX}`);
    if (!inRange(link.deadlineMs, 1, 60_000)) throw invalid(`deadline ${link.deadlineMs} ms`, 'use 1 to 60000');
    if (!inRange(link.connectionsMax, 1, LINK_CONNECTIONS_MAX))
      throw invalid(`maximum of ${link.connectionsMax} connections`, `use 1 to ${LINK_CONNECTIONS_MAX}`);
    // A longer timer of Node would fire at once.
    if (!inRange(link.idleMs, 1, 2 ** 31 - 1) || !inRange(link.frameMs, 1, 2 ** 31 - 1))
      throw invalid('idle or frame time', 'use a time above 0 ms');
    try {
      checkFraming({ framing: link.framing, headerBytes: link.headerBytes, maxBytes: MESSAGE_BYTES_MAX });
    } catch (error) {
      throw invalid((error as Error).message, 'change framing or header bytes');
    }
    allowList(link);
  }
}

/** Compiled allow-list: true when the address may connect. */
export function allowList(link: LinkProfile): (address: string) => boolean {
  if (link.allow.length === 0) return () => true;
  const list = new BlockList();
  for (const entry of link.allow) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix);
    if (family === 0 || !inRange(bits, 0, family === 4 ? 32 : 128)) {
      throw new HoldfastError(
        'config_invalid',
        `link ${link.name}: "${entry}" is no address and no CIDR block`,
        'write for example 10.1.0.0/16 or 192.0.2.7',
      );
    }
    list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const plain = plainAddress(address);
    const family = isIP(plain);
    return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/** An IPv4 address mapped into IPv6 (::ffff:192.0.2.7) as plain IPv4. */
export function plainAddress(address: string): string {
  const mapped = /^(?:::|(?:0{1,4}:){5})ffff:(.+)$/i.exec(address)?.[1];
  if (mapped === undefined) return address;
  if (isIP(mapped) === 4) return mapped;
  const words = mapped.split(':').map((word) => Number.parseInt(word, 16));
  if (words.length !== 2) return address;
  return [words[0]! >> 8, words[0]! & 255, words[1]! >> 8, words[1]! & 255].join('.');
}

function inRange(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}
