/** The HTTP API: bodies, lists, imports, tokens, approvals, the audit log. */
import { RING_BYTES } from './threads.js';

/** How long a proposal waits for a second person, ms: a day, so that a weekday's proposal is decided with the facts of that day. */
export const APPROVAL_TTL_MS = 86_400_000;

/** Open proposals; each holds the body of its call, some hundred bytes. */
export const APPROVALS_OPEN_MAX = 1000;

/** Approvals that the API shows, closed ones among them: about 10 MB. */
export const APPROVALS_KEPT_MAX = 10_000;

/** A confirmed call that could not be made is tried again after this time, ms. */
export const APPROVAL_RETRY_MS = 5000;

/** Longest JWT of an identity provider: a header of the API has 16 KiB at most. */
export const OIDC_TOKEN_LENGTH_MAX = 8192;

/** Clocks of the identity provider and of this machine may differ by this much, s. */
export const OIDC_CLOCK_TOLERANCE_S = 60;

/** Time for one answer of the identity provider, ms. */
export const OIDC_TIMEOUT_MS = 5000;

/** Keys of the identity provider are read again after this time, ms, and for a key that is not among them no sooner than that. */
export const OIDC_KEYS_AGE_MS = 600_000;
export const OIDC_KEYS_COOLDOWN_MS = 30_000;

/** Largest configuration or link file in bytes: 64 links of 1 KiB each, with room for comments. */
export const CONFIG_FILE_BYTES_MAX = 1024 * 1024;

/** Connections to the API at a time, those of readers of events included; more are closed. They are open files, which
 * the listeners of the networks need: with 128 to webhooks and some 100 of its own less than 512. */
export const API_CONNECTIONS_MAX = 256;

/** JSON body of an API request in bytes: the largest legitimate one is a program with its tables, some 50 kB. */
export const API_BODY_BYTES_MAX = 1024 * 1024;

/** Objects and arrays of a JSON body within each other: a program's tables are some 6 deep, and a walk by recursion of 64 steps
 * needs a few kB of stack. */
export const API_BODY_DEPTH_MAX = 64;

/** Wrong bearer tokens of one address that are answered 401 within a window of WRONG_TOKEN_WINDOW_MS; the rest gets 429. A
 * person who pastes the wrong token does it three times; a client that tries again every 5 s makes 12. */
export const WRONG_TOKENS_PER_ADDRESS = 20;
export const WRONG_TOKEN_WINDOW_MS = 60_000;

/** Addresses whose wrong tokens are counted at a time: 4 096 x 200 bytes are below 1 MB. */
export const WRONG_TOKEN_ADDRESSES_MAX = 4096;

/** One line of a bulk import in bytes: an account and a card with every property are below 1 kB. */
export const BULK_LINE_BYTES_MAX = 8192;

/** Rows of a bulk import that are parsed before they go to the vault and the shards: 1 024 rows x 35 us keep the control
 * thread's event loop busy for about 36 ms at a time, and one vault flush serves 1 024 cards. */
export const BULK_CHUNK_ROWS = 1024;

/** Import commands in flight per shard: one being decided, one waiting, so that the shard never idles. 16 shards x 2 x
 * 256 rows x 300 bytes = 2.5 MB in the rings. */
export const BULK_IN_FLIGHT_PER_SHARD = 2;

/** Rows of one import command: 256 rows x 300 bytes = 77 kB, a fraction of the ring and about 2 ms of a shard's turn. */
export const BULK_COMMAND_ROWS = 256;

/** Rejected rows listed in an import's answer; the rest is only counted. 1 000 x 120 bytes = 120 kB. */
export const BULK_REJECTS_LISTED = 1000;

/** Payload of one command in a ring of RING_BYTES: a quarter, so that a wrap-around pad never makes it unsendable. */
export const COMMAND_BYTES_MAX = RING_BYTES / 4;

/** Commands and reads of the control plane waiting for an answer, all shards together: 8 192 x 1 kB = 8 MB. */
export const CONTROL_IN_FLIGHT_MAX = 8192;

/** Time in ms after which the control plane gives up waiting for a shard's answer. A commit takes milliseconds; a shard
 * that is being rebuilt answers at once. */
export const CONTROL_TIMEOUT_MS = 10_000;

/** Time in ms the control plane waits for room in a full ring before it answers 503. */
export const CONTROL_RING_WAIT_MS = 2000;

/** Time in ms a read waits for the journal's readers to catch up before it answers 503 `index_behind`. */
export const READ_CATCH_UP_MS = 1000;

/** Journal records that one list request looks at before it answers with a cursor to go on: at 5 us each 0.1 s. */
export const LIST_SCAN_MAX = 20_000;

/** Journal records read between two turns of the control thread's event loop: 256 x 5 us = 1.3 ms. */
export const LIST_SCAN_SLICE = 256;

/** Elements (increments, advices, reversals ...) read and shown of one authorization, the newest: one for every 22 minutes of
 * the longest hold life. Of more than these the totals would leave the oldest out. */
export const ELEMENTS_SHOWN_MAX = 2048;

/** Candidates of a search by RRN or STAN per shard; a STAN alone is not selective. */
export const SEARCH_CANDIDATES_MAX = 1000;

/** Entries of one answer of the audit log: about 400 bytes each, read in a few milliseconds. */
export const AUDIT_PAGE_MAX = 1000;

/** How long the outcome of a recorded call waits for a commit of its own when no other call brings one along. */
export const AUDIT_OUTCOME_DELAY_MS = 200;

/** Length of a reason in the audit log, characters: a sentence and the number of a ticket. */
export const AUDIT_REASON_LENGTH_MAX = 200;

/** Life of a token that expires: at most five years. */
export const TOKEN_TTL_SECONDS_MAX = 5 * 366 * 86_400;

/** How long the secret before a rotation is taken: an hour to tell every client, a month at most. */
export const TOKEN_GRACE_SECONDS = 3600;
export const TOKEN_GRACE_SECONDS_MAX = 31 * 86_400;

/** API tokens and programs: small numbers chosen by operators; both are kept in memory and listed in one answer. */
export const TOKENS_MAX = 1000;
export const PROGRAMS_MAX = 1000;

/** Accounts and cards whose unchanging parts the control thread remembers: 10 000 x 2 x some 400 bytes are 8 MB. One that is not
 * remembered costs a read of its shard. */
export const PARTIES_KEPT_MAX = 10_000;
