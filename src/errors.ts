/**
 * Every exit status and every error code of the engine, in one file. A new code goes here and into
 * docs/reference/errors.md; a test holds the two lists against each other.
 */

/** Exit statuses of every command (sysexits where one fits). */
export const ExitStatus = {
  ok: 0,
  /** Bad flag, bad configuration, unknown command. */
  usage: 64,
  /** An input file is malformed. */
  badInput: 65,
  /** A port is taken, or a server that is needed does not answer, or cannot do its work now. */
  unavailable: 69,
  /** A defect of the engine. */
  internal: 70,
  /** The data directory is unusable, locked by another process, or of a newer format. */
  dataDirectory: 73,
  /** The journal could not be written or flushed. */
  journal: 74,
  /** The books, the chain or the state contradict each other; of `recon --fail-on-breaks`: they do not balance. */
  invariant: 76,
  /** A fatal stop that did not finish in time was forced. */
  forced: 137,
} as const;

export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** Stable codes of expected failures, each with the exit status of a command that ends with it. */
export const errorCodes = {
  usage: ExitStatus.usage,
  config_invalid: ExitStatus.usage,
  shards_mismatch: ExitStatus.usage,
  bad_input_file: ExitStatus.badInput,
  /** The server has no such object. */
  not_found: ExitStatus.badInput,
  /** What was asked for was in a part of the journal that is dropped. */
  record_dropped: ExitStatus.badInput,
  port_in_use: ExitStatus.unavailable,
  server_unreachable: ExitStatus.unavailable,
  /** The peer did not answer a sign-on with 00. */
  sign_on_refused: ExitStatus.unavailable,
  /** The server has understood a command and does not do it. */
  api_refused: ExitStatus.badInput,
  /** The server does not know the token, or the token may not do it. */
  api_forbidden: ExitStatus.usage,
  /** The server has got a command and cannot do it now. */
  api_failed: ExitStatus.unavailable,
  /** A backup that is to be restored is none, or damaged. */
  backup_damaged: ExitStatus.badInput,
  /** A backup could not be made: nothing is left of it. */
  backup_failed: ExitStatus.dataDirectory,
  data_dir_unusable: ExitStatus.dataDirectory,
  data_dir_locked: ExitStatus.dataDirectory,
  data_dir_newer: ExitStatus.dataDirectory,
  key_file_unreadable: ExitStatus.dataDirectory,
  key_file_mismatch: ExitStatus.dataDirectory,
  /** The keys lie in their file as they are, and a key-encrypting key is named. */
  key_file_plain: ExitStatus.dataDirectory,
  /** The key-encrypting key is missing, malformed, named twice, or its file belongs to the wrong user. */
  kek_unusable: ExitStatus.dataDirectory,
  /** The key-encrypting key is not the one that wrapped the keys. */
  kek_mismatch: ExitStatus.dataDirectory,
  store_truncated: ExitStatus.dataDirectory,
  commit_failed: ExitStatus.journal,
  /** The pages of a data file do not fit together. */
  store_damaged: ExitStatus.invariant,
  chain_broken: ExitStatus.invariant,
  frame_corrupt: ExitStatus.invariant,
  record_unreadable: ExitStatus.invariant,
  digest_mismatch: ExitStatus.invariant,
  /** A checkpoint row fails its checksum: the state is rebuilt from the journal. */
  checkpoint_corrupt: ExitStatus.invariant,
  segment_corrupt: ExitStatus.invariant,
  /** Where the journal begins after its old part was dropped is damaged. */
  anchor_corrupt: ExitStatus.invariant,
  invariant_violated: ExitStatus.invariant,
  internal: ExitStatus.internal,
} as const satisfies Record<string, ExitStatus>;

export type ErrorCode = keyof typeof errorCodes;

/**
 * An expected failure with a stable code. The message says what went wrong and where; `next` says what to do about it.
 * Commands print `message` and `next` on one line and exit with `exitStatus`; a stack trace is shown only with --debug.
 */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly next: string;

  constructor(code: ErrorCode, message: string, next = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'HoldfastError';
    this.code = code;
    this.next = next;
  }

  get exitStatus(): ExitStatus {
    return errorCodes[this.code];
  }
}

/** Programmer's error: stops the shard (or the command) that meets it. Stays on in production. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new HoldfastError('invariant_violated', `assertion failed: ${what}`);
}
