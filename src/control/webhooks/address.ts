/**
 * Where a webhook may go. Its URL comes from a user of the API, so it must not become a way into the network around the engine:
 * every address that a name resolves to is judged, one bad one refuses all, and the connection is made to the very addresses
 * that were judged (the look-up is that of the connection itself, so the name cannot mean something else a moment later).
 *
 *   public                                   https
 *   private, loopback                        only with the setting webhooks-allow-private; http only to loopback
 *   link-local, metadata, multicast, ...     never
 */
import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

export type AddressKind = 'public' | 'private' | 'loopback' | 'forbidden';

/** IPv4 networks that are not public (IANA special-purpose registry); the first that fits counts. Two clouds have their metadata
 * service at an address that looks private (Alibaba) or public (Azure) by the registry. */
const networks4: readonly [network: string, bits: number, kind: AddressKind][] = [
  ['100.100.100.200', 32, 'forbidden'],
  ['168.63.129.16', 32, 'forbidden'],
  ['127.0.0.0', 8, 'loopback'],
  ['10.0.0.0', 8, 'private'],
  ['172.16.0.0', 12, 'private'],
  ['192.168.0.0', 16, 'private'],
  ['100.64.0.0', 10, 'private'],
  ['0.0.0.0', 8, 'forbidden'],
  ['169.254.0.0', 16, 'forbidden'],
  ['192.0.0.0', 24, 'forbidden'],
  ['192.0.2.0', 24, 'forbidden'],
  ['192.88.99.0', 24, 'forbidden'],
  ['198.18.0.0', 15, 'forbidden'],
  ['198.51.100.0', 24, 'forbidden'],
  ['203.0.113.0', 24, 'forbidden'],
  ['224.0.0.0', 3, 'forbidden'],
];

/**
 * IPv6: what is in none of these is forbidden; the first that fits counts. `embedded`: the last 32 bits are an IPv4 address,
 * which is judged in its place.
 */
const networks6: readonly [network: string, bits: number, kind: AddressKind | 'embedded'][] = [
  ['::1', 128, 'loopback'],
  ['::ffff:0:0', 96, 'embedded'],
  ['64:ff9b::', 96, 'embedded'],
  // Metadata services of AWS and of Google.
  ['fd00:ec2::', 32, 'forbidden'],
  ['fd20:ce::', 32, 'forbidden'],
  ['fc00::', 7, 'private'],
  ['2001::', 23, 'forbidden'],
  ['2001:db8::', 32, 'forbidden'],
  ['2002::', 16, 'forbidden'],
  ['3fff::', 20, 'forbidden'],
  ['2000::', 3, 'public'],
];

/** What kind of address the text of an IP address is; anything else is forbidden. */
export function addressKind(text: string): AddressKind {
  const family = isIP(text);
  if (family === 4) return kind4(bits4(text));
  // A zone (%eth0) names an interface of this machine.
  if (family !== 6 || text.includes('%')) return 'forbidden';
  const bits = bits6(text);
  const found = networks6.find(([network, length]) => begins(bits, bits6(network), length))?.[2] ?? 'forbidden';
  return found === 'embedded' ? kind4(bits.slice(96)) : found;
}

function kind4(bits: string): AddressKind {
  return networks4.find(([network, length]) => begins(bits, bits4(network), length))?.[2] ?? 'public';
}

function begins(bits: string, network: string, length: number): boolean {
  return bits.startsWith(network.slice(0, length));
}

function bits4(text: string): string {
  return text.split('.').map(binary(8, 10)).join('');
}

/** The URL parser writes every spelling of an address as hexadecimal groups. */
function bits6(text: string): string {
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  return [...front, ...zeros, ...back].map(binary(16, 16)).join('');
}

function binary(width: number, radix: number): (part: string) => string {
  return (part) => Number.parseInt(part, radix).toString(2).padStart(width, '0');
}

/** Why no webhook may go to an address. Its message is shown to the owner of the webhook. */
export class AddressRefused extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'AddressRefused';
  }
}

function whyNot(kind: AddressKind, protocol: string): string {
  if (kind === 'forbidden')
    return 'The address is reserved, of one link, or of a metadata service: it is never called.';
  if (protocol === 'http:') return `The address is ${kind}: without TLS (https) only this machine itself is called.`;
  return `The address is ${kind}: it is called only with the setting webhooks-allow-private.`;
}

export class AddressRule {
  readonly #allowPrivate: boolean;
  readonly #lookup: typeof systemLookup;

  /** @param lookup that of the system, but for tests */
  constructor(allowPrivate: boolean, lookup: typeof systemLookup = systemLookup) {
    this.#allowPrivate = allowPrivate;
    this.#lookup = lookup;
  }

  /** Judges what can be judged without asking anybody. @throws AddressRefused. */
  assertUrl(url: URL): void {
    if (url.protocol !== 'https:' && (url.protocol !== 'http:' || !this.#allowPrivate)) {
      const inside = this.#allowPrivate ? ' (http to this machine itself)' : '';
      throw new AddressRefused(
        `The scheme is ${url.protocol === 'http:' ? 'http' : 'another one'}: it must be https${inside}.`,
      );
    }
    if (url.username !== '' || url.password !== '')
      throw new AddressRefused('It carries a user or a password: leave them out, every delivery is signed.');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0) this.#assertAddress(host, url.protocol);
  }

  #assertAddress(address: string, protocol: string): void {
    const kind = addressKind(address);
    const inside = kind === 'loopback' || (kind === 'private' && protocol === 'https:');
    const allowed = kind === 'public' ? protocol === 'https:' : inside && this.#allowPrivate;
    if (allowed) return;
    throw new AddressRefused(whyNot(kind, protocol));
  }

  /** The look-up of a connection: hands over addresses only when every one of them may be called. */
  lookupFor(protocol: string): LookupFunction {
    return (hostname, options, done) => {
      this.#lookup(hostname, { ...options, all: true }, (error, addresses) => {
        try {
          if (error !== null) throw error;
          for (const { address } of addresses) this.#assertAddress(address, protocol);
          const first = addresses[0];
          if (first === undefined) throw new AddressRefused('The name has no address.');
          if (options.all === true) done(null, addresses);
          else done(null, first.address, first.family);
        } catch (refused) {
          done(refused as Error, '', 0);
        }
      });
    };
  }
}
