/**
 * The system journal as the control plane sees it: what belongs to no account (programs, API tokens, outcomes of
 * system-level writes). The control plane is its single writer; a record counts when `append` has returned.
 */
import type { EncodingName } from '../clearing/encoding.js';
import type { ReadOptions } from '../clearing/reader.js';
import type { LinkKey } from '../link-requests.js';
import type { WaitingFile } from '../recon/files.js';
import type { CheckedFile } from './clearing/passes.js';
import type { LeftOut, Span } from './outgoing/chargebacks.js';
import type { NotedStanding } from './recon/standing-books.js';
import type { Role } from './roles.js';
import type { Scope } from './tokens.js';

export interface ProgramDefinition {
  id: string;
  name: string;
  /** ISO 4217 alphabetic: currency of its accounts. */
  currency: string;
  product: 'credit' | 'prepaid' | 'debit';
  /** Card number prefixes of 6 to 8 digits; new cards are issued from the first. */
  bins: string[];
  sandbox: boolean;
  /** Tables that were set; the others have their defaults. */
  tables: Record<string, unknown>;
  /** Default controls of its cards and accounts. */
  controls: Record<string, unknown>;
}

/** A revision of a program: the newest of an index counts, the earlier ones stay readable. */
export type ProgramRecord = {
  type: 'program';
  /** Number that accounts carry. */
  index: number;
  /** The revision, from 1. */
  version: number;
  atMs: number;
  createdMs: number;
  program: ProgramDefinition;
  /** What the shards get (domain/program/snapshot.ts). Absent in records of a release that kept tables only as data. */
  snapshot?: string;
};
/** A webhook as its owner wants it. How its deliveries stand is not here (webhooks/delivery-store.ts). */
export interface WebhookDefinition {
  readonly id: string;
  readonly url: string;
  /** Types of events, or `*` for all. */
  readonly events: readonly string[];
  /** Id of the only account that is wanted; empty for all. */
  readonly account: string;
  /** Its slot in its shard; -1 for all. */
  readonly accountSlot: number;
  readonly description: string;
  readonly enabled: boolean;
  /** Why it is not enabled. */
  readonly disabled: '' | 'request' | 'failing' | 'gone';
  /** Signing secrets, the newest first, sealed (vault/secret-box.ts); valid until then, ms since 1970 UTC, 0 for ever. */
  readonly secrets: readonly { readonly sealed: Uint8Array; readonly untilMs: number }[];
  /** Where in the feed its deliveries began: a sequence per shard. */
  readonly start: readonly number[];
}

export const ruleStates = ['draft', 'shadow', 'active', 'retired'] as const;
export type RuleState = (typeof ruleStates)[number];

/** A rule after a change of it: the newest record of an id counts. */
export type RuleRecord = {
  type: 'rule';
  id: string;
  /** Id of its program. */
  program: string;
  name: string | null;
  state: RuleState;
  /** Lower is asked first; rules of the same priority by age. */
  priority: number;
  /** From 1; rises with every new text. */
  version: number;
  /** In the rules' language, as it was given. */
  text: string;
  createdMs: number;
  /** When this version was written. */
  versionMs: number;
  atMs: number;
};

export const clearingFileStates = ['received', 'posting', 'posted', 'duplicate', 'quarantined'] as const;
export type ClearingFileState = (typeof clearingFileStates)[number];

/** What became of the records of a clearing file that post. */
export interface ClearingOutcome {
  posted: number;
  duplicates: number;
  rejected: number;
  /** Of the posted ones: without an authorization, and to suspense. */
  forcePosted: number;
  suspense: number;
  /** Of the posted ones: fees between the network and us. */
  networkFees: number;
  /** Of the posted ones, by the name of the rung. */
  matchedBy: Record<string, number>;
  /** Duplicates and rejected ones, one by one: the first CLEARING_UNPOSTED_MAX, in the order of their answers. Later releases only. */
  unposted?: UnpostedEntry[];
}

/** A record of a clearing file that was not posted, as reconciliation needs it. Minor units. */
export interface UnpostedEntry {
  record: number;
  /** `refused`: by its shard, for good. */
  why: 'duplicate' | 'invalid' | 'refused';
  /** Of an invalid one the value, of a refused one the shard's code; later releases only. */
  reason?: string;
  otherAmount: boolean;
  /** What the cardholder would have been billed, ISO 4217 numbers. */
  amount: number;
  currency: number;
  /** Sub-account of its settlement, and what it adds to what we owe there: below zero it takes from it. */
  sub: number;
  settled: number;
  settledCurrency: number;
}

/** A clearing file after a change of its state: the newest record of an id counts. */
export type ClearingFileRecord = {
  type: 'clearing_file';
  id: string;
  /** `received` and `posting` are unfinished: their content is in the spool. `posting` begins after the first pass accepted it. */
  state: ClearingFileState;
  /** Of the content, lower-case hex, and its length. */
  sha256: string;
  bytes: number;
  options: ReadOptions;
  /** What the network calls it (PDS0105); '' until the first pass is over, and in formats without. */
  fileId: string;
  /** Cards of each shard when it began to post; absent before that. Later releases only. */
  cards?: number[];
  /** From the first pass; null before it and of a duplicate. */
  checked: CheckedFile | null;
  /** Of a posted file. */
  outcome: ClearingOutcome | null;
  /** Of a duplicate: the posted file with the same content. Of a quarantined file: the posted one that has its id. '' else. */
  other: string;
  receivedMs: number;
  atMs: number;
};

/** A reconciliation that was done: with these inputs it can be repeated. */
export type ReconRunRecord = {
  type: 'recon_run';
  id: string;
  /** Days since 1970-01-01. */
  day: number;
  since: number;
  spans: { shard: number; from: number; to: number }[];
  /** Ids of clearing files. */
  files: string[];
  /** Names of files that waited or were being posted; of those, the ones that had come before the day, and when. */
  unfinished?: string[];
  waiting?: WaitingFile[];
  /** What stood in the books (recon/standing.ts). */
  standing?: NotedStanding[];
  /** Of the report's text, lower-case hex. */
  sha256: string;
  /** Form of the report (recon/report.ts); absent: 1. */
  reportVersion?: number;
  breaks: number;
  startedMs: number;
  atMs: number;
};

export const breakStatuses = ['open', 'assigned', 'resolved'] as const;
export type BreakStatus = (typeof breakStatuses)[number];

/** What people say of a break: the newest record of an id counts. */
export type ReconBreakRecord = {
  type: 'recon_break';
  id: string;
  status: BreakStatus;
  /** Of the break when it was said, as decimal text; absent in records of earlier releases. */
  amount?: string;
  /** Who looks after it; '' for nobody. */
  owner: string;
  note: string;
  atMs: number;
};

/** A file that goes out to a network, from the moment at which it can be had. */
export type OutgoingFileRecord = {
  type: 'outgoing_file';
  id: string;
  /** 1, 2 ...: its sequence in PDS0105 is this modulo 100 000. */
  number: number;
  options: { encoding: EncodingName; blocked: boolean; mode: 'P' | 'T'; fileId: string };
  /** The parts of the journals whose chargebacks are in it; the next file begins behind them. */
  spans: Span[];
  /** Nothing in them is older than this day; its own day. Days since 1970-01-01. */
  sinceDay: number;
  day: number;
  /** Of the content, lower-case hex, and its length. */
  sha256: string;
  bytes: number;
  chargebacks: number;
  /** What takes chargebacks back. */
  reversals: number;
  /** What is in the spans and not in the file. */
  leftOut: readonly LeftOut[];
  atMs: number;
};

/** The content of an outgoing file, which has card numbers in clear, was handed out. */
export type OutgoingFileSent = {
  type: 'outgoing_file_sent';
  id: string;
  /** Public id of the token that got it. */
  token: string;
  atMs: number;
};

/** A folder of the journal was copied, and the copy checked. */
export type JournalExported = {
  type: 'journal_exported';
  folder: string;
  /** Where to, on the machine of the server. */
  to: string;
  frames: number;
  records: number;
  /** SHA-256 of the last frame of every shard in it, hex, by shard number. */
  heads: Record<string, string>;
  atMs: number;
};

/** A part of the journal was dropped: it begins behind this anchor. */
export type JournalDropped = {
  type: 'journal_dropped';
  /** Number of the anchor, and the SHA-256 of its document, hex. */
  number: number;
  sha256: string;
  folders: readonly string[];
  /** By shard: last sequence that is gone. */
  cuts: readonly number[];
  atMs: number;
};

/**
 * Where the audit log ended when the engine started or stopped: `verify` finds by it what was cut off or written anew.
 * `sequence` is 0 when there was none yet.
 */
export type AuditHead = {
  type: 'audit_head';
  sequence: number;
  /** SHA-256 of its last frame, hex. */
  hash: string;
  atMs: number;
};

/** A call that waits for a second person. Later releases only, as are the two types behind it. */
export type ApprovalProposal = {
  type: 'approval_proposed';
  id: string;
  /** operationId, parameters of the path, JSON text of the body, path. */
  operation: string;
  params: Record<string, string>;
  body: string;
  path: string;
  /** Hashes of its Idempotency-Key and body, hex; '' without a key. */
  key: string;
  keyBody: string;
  /** Who: public id, name and rights of the token. */
  token: string;
  name: string;
  role: string;
  reason: string;
  /** It cannot be confirmed from then on, ms since 1970 UTC. */
  untilMs: number;
  atMs: number;
};

/** What the second person said. */
export type ApprovalDecision = {
  type: 'approval_decided';
  id: string;
  /** False: rejected. */
  confirmed: boolean;
  token: string;
  name: string;
  role: string;
  reason: string;
  atMs: number;
};

/** A confirmed call was made, or refused for good. */
export type ApprovalDone = {
  type: 'approval_done';
  id: string;
  status: number;
  /** JSON text. */
  answer: string;
  atMs: number;
};

export type SystemRecord =
  | ApprovalProposal
  | ApprovalDecision
  | ApprovalDone
  | AuditHead
  | JournalExported
  | JournalDropped
  | OutgoingFileRecord
  | OutgoingFileSent
  | ReconRunRecord
  | ReconBreakRecord
  | ProgramRecord
  | RuleRecord
  | ClearingFileRecord
  | TokenRecord
  | TokenRotated
  | { type: 'token_revoked'; id: string; atMs: number }
  | ClockAcceptance
  /** Also every later version. */
  | { type: 'webhook'; createdMs: number; atMs: number; webhook: WebhookDefinition }
  | { type: 'webhook_removed'; id: string; atMs: number }
  | Cutover
  | LinkKeySent
  | SystemOutcome;

export type TokenRecord = {
  type: 'token';
  id: string;
  name: string;
  /** Empty for a token with a role. */
  scopes: Scope[];
  /** Later releases only. */
  role?: Role;
  hash: Uint8Array;
  /** When it expires, ms since 1970 UTC; absent: never. Later releases only. */
  untilMs?: number;
  atMs: number;
};

/** A token has a new secret; the one before is taken until `graceMs`. Later releases only. */
export type TokenRotated = {
  type: 'token_rotated';
  id: string;
  hash: Uint8Array;
  graceMs: number;
  /** Absent: never. */
  untilMs?: number;
  atMs: number;
};

/** An operator took the wall clock for right. */
export type ClockAcceptance = {
  type: 'clock_accepted';
  /** Public id of the token that asked, and its name. */
  token: string;
  name: string;
  /** By how much the wall clock was ahead of the monotonic clock, s. */
  differenceSeconds: number;
  atMs: number;
};

/** A link goes on to a business date. */
export type Cutover = {
  type: 'cutover';
  /** Number of the link, and its name at that time. */
  link: number;
  name: string;
  /** Days since 1970-01-01. */
  day: number;
  /** DE7 and DE11 of the message that said so. */
  transmission: number;
  stan: number;
  atMs: number;
};

/** A network has sent the next key of a link's MACs. */
export type LinkKeySent = { type: 'link_key'; atMs: number } & { [K in keyof LinkKey]: LinkKey[K] };

/** First answer to a write with an Idempotency-Key; key and body are HMACs in hexadecimal. */
export type SystemOutcome = {
  type: 'outcome';
  key: string;
  body: string;
  status: number;
  /** JSON text. */
  answer: string;
  atMs: number;
};

export interface SystemLog {
  /**
   * Appends all or nothing, durable when it returns; gives the sequence of the last record.
   * @throws HoldfastError `commit_failed` (fatal).
   */
  append(records: readonly SystemRecord[]): number;
  /** Visits everything from the oldest on. */
  replay(visit: (record: SystemRecord, sequence: number) => void): void;
  /** The record at a sequence that `append` or `replay` gave. @throws HoldfastError `record_unreadable`. */
  read(sequence: number): SystemRecord;
}
