/** What an ingress is made from, and where it listens. */
import type { ClientRings, ClientWakes } from '../ring/client.js';
import type { CutoverKeeper } from './cutovers.js';
import type { LinkKeyKeeper } from './key-exchanges.js';
import type { IngressLog, Link, Listener } from './link.js';
import type { MacPort } from './link-mac.js';
import type { LinkProfile } from './links.js';
import type { ShardOfFingerprint } from './router.js';
import type { Runtime } from './runtime.js';
import type { WsAdapterName, WsAdapterSetting } from './ws.js';

export interface IngressOptions {
  readonly links: readonly LinkProfile[];
  readonly rings: ClientRings;
  /** The card directory (ring/directory.ts). */
  readonly directory: SharedArrayBuffer;
  /** The control block (ring/control-block.ts). */
  readonly control: SharedArrayBuffer;
  /** 32 secret bytes: `Keys.fingerprintKey.bytes`. `Ingress.useFingerprintKeys` sets others. */
  readonly fingerprintKey: Uint8Array;
  readonly log: IngressLog;
  readonly shardOfFingerprint: ShardOfFingerprint;
  /** Keeps the links' business dates. */
  readonly keepCutover: CutoverKeeper;
  /** Keeps the keys that networks send for the MACs of their links. */
  readonly keepLinkKey: LinkKeyKeeper;
  /** Makes and verifies MACs; needed by links that have them. */
  readonly macs?: MacPort;
  /** `auto` (default) takes uWebSockets.js when its binary loads here, else ws. */
  readonly wsAdapter?: WsAdapterSetting;
  /** Most requests per second of all links together; 0, the default: no cap. */
  readonly rateMax?: number;
  /** Most sockets of all links together; none by default. */
  readonly socketsMax?: number;
  /** Of a simulator: its clocks and turns of the event loop, how it wakes and sleeps, and its transport in place of TCP. */
  readonly runtime?: Runtime;
  readonly wakes?: ClientWakes;
  readonly tcpListener?: (link: Link) => Listener;
  /** For tests: times in ms and sizes that production takes from limits.ts. */
  readonly tuning?: {
    readonly writeStallMs?: number;
    readonly reclaimMs?: number;
    readonly inFlight?: number;
    readonly signOffWaitMs?: number;
  };
}

export interface IngressAddresses {
  /** `host:port` of the first link of each transport, and of every link by name. */
  readonly tcp?: string;
  readonly ws?: string;
  readonly links: Readonly<Record<string, string>>;
  /** The WebSocket adapter in use; undefined without a WebSocket link. */
  readonly wsAdapter?: WsAdapterName;
}
