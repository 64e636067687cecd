/**
 * What the command line hands to the engine and gets back from it. The composition of the engine (engine.ts) implements
 * `StartEngine`; `serve` knows nothing else about it.
 */

import type { ExitStatus } from '../errors.js';
import type { DialectName } from '../iso8583/dialects.js';
import type { FramingName } from '../iso8583/framing.js';
import type { Log, LogFormat, LogLevel } from '../log.js';

/** One listener for ISO 8583 traffic. */
export interface LinkConfig {
  /** Unique, for logs, metrics and the API. The two standard listeners are `tcp` and `ws`. */
  readonly name: string;
  readonly transport: 'tcp' | 'ws';
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** TCP only; a WebSocket message is one ISO message without a length. */
  readonly framing: FramingName;
  /** Bytes between length and message, counted in the length and echoed; 5 = TPDU with its addresses swapped. */
  readonly headerBytes: number;
  readonly dialect: DialectName;
  /** True when financial traffic before an 0800 sign-on is answered 91. */
  readonly signOnRequired: boolean;
  /** Requests in flight per connection before new ones are answered 91. */
  readonly inFlightMax: number;
  /** Connections at a time; further ones are closed at once. */
  readonly connectionsMax: number;
  /** Peers that may connect: IP addresses and CIDR blocks; empty = everybody who reaches the port. */
  readonly allow: readonly string[];
  /** TLS server side; absent = plain. */
  readonly tls?: LinkTls;
}

export interface LinkTls {
  /** PEM files. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Given: clients must present a certificate signed by one of these authorities. */
  readonly clientCaFile?: string;
}

/** The validated configuration of one `serve`. Paths are as given, relative to the working directory. */
export interface EngineConfig {
  readonly dataDir: string;
  readonly keyFile: string;
  /** Wanted shard threads, at least 1. The engine uses no more than there are shards. */
  readonly threads: number;
  readonly shards: number;
  /** False when `shards` is only the default: an existing data directory then decides. */
  readonly shardsGiven: boolean;
  readonly cardsMax: number;
  readonly host: string;
  readonly adminPort: number;
  /** Every listener: `tcp` and `ws` first (unless a link file redefines them), then those of the link file. */
  readonly links: readonly LinkConfig[];
  readonly wsAdapter: 'auto' | 'uws' | 'ws';
  readonly deadlineMs: number;
  readonly duplicateWindowMs: number;
  readonly diskReserveBytes: number;
  readonly stopLimitMs: number;
  readonly demo: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** A started engine: everything accepts traffic. */
export interface RunningEngine {
  /** `host:port` as bound; `tcp` and `ws` are the listeners of these names. */
  readonly addresses: { readonly tcp: string; readonly ws: string; readonly admin: string };
  readonly threads: number;
  readonly shards: number;
  /** Records read back from the journal at this start. */
  readonly recovered: number;
  /** Time from the call to readiness, ms. */
  readonly inMs: number;
  /** Resolves when the engine has ended for whatever reason, with the status the process should exit with. */
  readonly closed: Promise<ExitStatus>;
  /** Stops accepting, finishes what is in flight, writes the final checkpoint; `closed` resolves with 0. */
  stop(): Promise<void>;
}

export type StartEngine = (config: EngineConfig, log: Log) => Promise<RunningEngine>;
