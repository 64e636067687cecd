/**
 * What the command line hands to the engine and gets back from it. The composition of the engine (engine.ts) implements
 * `StartEngine`; `serve` knows nothing else about it.
 */

import type { FileMode } from '../clearing/ipm/rules.js';
import type { ApprovalPolicy } from '../control/approval-kinds.js';
import type { OidcSettings } from '../control/oidc.js';
import type { ProgramDefinition } from '../control/system-log.js';
import type { ExitStatus } from '../errors.js';
import type { LinkProfile } from '../ingress/links.js';
import type { Log, LogFormat, LogLevel } from '../log.js';
import type { TlsFiles } from '../server-tls.js';
import type { HsmDevices } from './hsm-addresses.js';

/** The validated configuration of one `serve`. Paths are as given, relative to the working directory. */
export interface EngineConfig {
  readonly dataDir: string;
  readonly keyFile: string;
  /** File of the key-encrypting key; undefined: none, or it is in the environment. */
  readonly kekFile: string | undefined;
  /** Keys of card cryptography in software; undefined: none. */
  readonly hsmKeys: string | undefined;
  /** Devices in place of software. */
  readonly hsmDevices: HsmDevices | undefined;
  /** PINs are deciphered in this process. */
  readonly allowSoftwarePin: boolean;
  /** Wanted shard threads, at least 1. The engine uses no more than there are shards. */
  readonly threads: number;
  readonly shards: number;
  /** False when `shards` is only the default: an existing data directory then decides. */
  readonly shardsGiven: boolean;
  readonly cardsMax: number;
  readonly host: string;
  readonly adminPort: number;
  /** TLS of the HTTP API; undefined: plain. */
  readonly adminTls: TlsFiles | undefined;
  /** Every listener: `tcp` and `ws` first (unless a link file redefines them), then those of the link file. */
  readonly links: readonly LinkProfile[];
  /** Whose JWTs the HTTP API takes; undefined: nobody's. */
  readonly oidc: OidcSettings | undefined;
  /** Which calls of the API a second person must confirm. */
  readonly approvals: ApprovalPolicy;
  /** Programs of the file of programs. */
  readonly programs: readonly ProgramDefinition[];
  readonly wsAdapter: 'auto' | 'uws' | 'ws';
  readonly deadlineMs: number;
  /** Requests per second over all links before new ones are answered 91; 0: no limit. */
  readonly admissionRateMax: number;
  readonly duplicateWindowMs: number;
  readonly diskReserveBytes: number;
  /** Size at which a folder of the journal is closed, bytes. */
  readonly journalFolderBytes: number;
  readonly stopLimitMs: number;
  readonly webhooksAllowPrivate: boolean;
  /** Largest clearing file that is taken, bytes. */
  readonly clearingFileBytesMax: number;
  readonly clearingMode: FileMode | 'auto';
  /** Where backups go that are made over the API; undefined: nowhere. */
  readonly backupDir: string | undefined;
  readonly demo: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** A started engine: everything accepts traffic. */
export interface RunningEngine {
  /** `host:port` as bound: the first listener of each transport, the admin port, and every listener by its link's name. */
  readonly addresses: {
    readonly tcp: string;
    readonly ws: string;
    readonly admin: string;
    readonly links: Readonly<Record<string, string>>;
  };
  readonly threads: number;
  readonly shards: number;
  /** Records read back from the journal at this start. */
  readonly recovered: number;
  /** Time from the call to readiness, ms. */
  readonly inMs: number;
  /** Resolves when the engine has ended for whatever reason, with the status the process should exit with. */
  readonly closed: Promise<ExitStatus>;
  /** Reads the files of all certificates again. */
  reloadTls(): Promise<void>;
  /** Stops accepting, finishes what is in flight, writes the final checkpoint; `closed` resolves with 0. */
  stop(): Promise<void>;
}

export type StartEngine = (config: EngineConfig, log: Log) => Promise<RunningEngine>;
