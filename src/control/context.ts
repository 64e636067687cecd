/** Everything a route may use, gathered once by the composition (control-thread.ts, or a test). */

import type { SlowRequest } from '../slow-request.js';
import type { LiveFingerprints } from '../vault/live-fingerprints.js';
import type { PinReferences } from '../vault/pin-references.js';
import type { PublicIds } from '../vault/public-ids.js';
import type { Approvals } from './approvals.js';
import type { AuditLog } from './audit/audit-log.js';
import type { Backtests } from './backtests.js';
import type { Backups } from './backups.js';
import type { ClearingFiles } from './clearing/files.js';
import type { IdempotencyKeys } from './idempotency.js';
import type { Oidc } from './oidc.js';
import type { OutgoingFiles } from './outgoing/files.js';
import type { Parties } from './parties.js';
import type {
  CardKeysPort,
  ClockPort,
  ControlKeys,
  DirectoryPort,
  HealthPort,
  JournalPort,
  ListenerPort,
  ProfilePort,
  SearchKeysPort,
  ShardPort,
  VaultPort,
} from './ports.js';
import type { ProgramFeed } from './program-feed.js';
import type { ReconRuns } from './recon/runs.js';
import type { SystemState } from './system-state.js';
import type { Tokens } from './tokens.js';
import type { WrongTokens } from './wrong-tokens.js';

/** A listener, as the configuration has it. */
export interface LinkInfo {
  readonly name: string;
  readonly number: number;
  readonly transport: string;
  readonly dialect: string;
}

export interface ControlContext {
  readonly shards: ShardPort;
  readonly listener: ListenerPort;
  readonly journal: JournalPort;
  readonly parties: Parties;
  readonly vault: VaultPort;
  readonly fingerprinter: LiveFingerprints;
  /** Seals reference values of PINs. */
  readonly pins: PinReferences;
  readonly directory: DirectoryPort;
  readonly ids: PublicIds;
  readonly search: SearchKeysPort;
  readonly keys: ControlKeys;
  readonly cardKeys: CardKeysPort;
  readonly system: SystemState;
  readonly programs: ProgramFeed;
  readonly backtests: Backtests;
  readonly backups: Backups;
  readonly clearing: ClearingFiles;
  readonly recon: ReconRuns;
  readonly outgoing: OutgoingFiles;
  readonly tokens: Tokens;
  /** Bearer tokens of an identity provider; undefined: none is trusted. */
  readonly oidc: Pick<Oidc, 'authenticate'> | undefined;
  readonly approvals: Approvals;
  readonly audit: AuditLog;
  readonly wrongTokens: WrongTokens;
  readonly idempotency: IdempotencyKeys;
  readonly health: HealthPort;
  readonly clock: ClockPort;
  readonly profiles: ProfilePort;
  readonly links: readonly LinkInfo[];
  /** The slowest requests of the last minute, slowest first. Rejects when the main thread does not answer in time. */
  slowestRequests(): Promise<readonly SlowRequest[]>;
  /** Prometheus text of the moment. */
  readonly metrics: { contentType: string; render(): Promise<string> };
  /** Shard of an account id (journal/placement.ts). */
  placement(accountId: string): number;
  /** Wall clock, ms since 1970 UTC. */
  nowMs(): number;
  readonly build: { version: string; node: string };
}
