/** The devices of card cryptography as the command line names them. */
import { HSM_DEVICES_MAX } from '../limits.js';

export interface HsmAddress {
  readonly host: string;
  readonly port: number;
}

/** Paths of PEM files. */
export interface HsmTls {
  readonly caFile: string;
  /** What we show to the device, when it asks. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface HsmDevices {
  readonly addresses: readonly HsmAddress[];
  readonly keyFile: string;
  readonly tls?: HsmTls;
}

/** Addresses of a text such as `10.0.0.1:1500,hsm-2:1500,[::1]:1500`, or undefined. */
export function parseHsmAddresses(text: string): readonly HsmAddress[] | undefined {
  const addresses: HsmAddress[] = [];
  for (const part of text.split(',')) {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s/:[\]]+)):(\d{1,5})$/.exec(part.trim());
    const port = Number(match?.[3]);
    if (match === null || port < 1 || port > 65_535) return undefined;
    addresses.push({ host: match[1] ?? match[2]!, port });
  }
  const names = new Set(addresses.map(({ host, port }) => `${host}:${port}`));
  return names.size < addresses.length || addresses.length > HSM_DEVICES_MAX ? undefined : addresses;
}
