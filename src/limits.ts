/**
 * Every bound of the engine with its arithmetic. Nothing that grows with traffic is without a bound here.
 */

/** Largest ISO 8583 message in bytes, framing excluded. Beyond it the connection is closed. */
export const MESSAGE_BYTES_MAX = 4096;

/** Bytes for the texts of one normalized message: 11 + 11 + 12 + 6 + 8 + 15 + 40 + 15 + 15 + 11 + 11 = 155 at most, with room
 * to grow. Each text has one place, however often the message repeats it. */
export const MESSAGE_TEXT_BYTES = 512;

/** Largest reply in bytes: the echoed fields of a maximal request plus 38, 39, 54 (120) and 44 fit well below it. */
export const REPLY_BYTES_MAX = 4096;

/** Time budget of a request in ms, from the last byte read. */
export const DEADLINE_MS = 1500;

/** Logical shards: a power of two, at most 256 because a shard number is one byte in the card directory. */
export const SHARDS_DEFAULT = 16;
export const SHARDS_MAX = 256;

/** Cards per shard: the card slot is 24 bits of a directory value, and the two highest values of a slot mean "none" and
 * "being written" there. */
export const CARDS_PER_SHARD_MAX = 2 ** 24 - 2;

/** Ring bytes per direction and (client, thread) pair: 4 MiB holds about 16 000 requests of 256 bytes, which is four
 * times what 16 connections x 1 024 in flight can have outstanding. A full ring is answered 91. */
export const RING_BYTES = 4 * 1024 * 1024;

/** Requests in flight per link before new ones are answered 91. */
export const LINK_IN_FLIGHT_MAX = 4096;

/** Share of the requests in flight of a link, of the table of all links, and of a ring that new requests leave to reversals, advices
 * and repeats: some 7 to 10 % of ordinary traffic are reversals and advices, so an eighth holds theirs when new ones fill the rest. */
export const ADMISSION_KEPT = 1 / 8;

/** Messages that a cap on the rate of admission lets in at once after a lull: those of 100 ms, at 15 000 per second 1 500, which a
 * shard thread decides in some 50 ms, far below the deadline. Never fewer than four, of which two are kept for what is urgent. */
export const RATE_BURST_MS = 100;
export const RATE_BURST_MESSAGES_MIN = 4;

/** Highest cap on the rate of admission, per second: above what one process reads. */
export const ADMISSION_RATE_MAX = 10_000_000;

/** Requests in flight over all links: the slot is 16 bits of a token, the generation the other 16. Per slot about 40 bytes. */
export const IN_FLIGHT_MAX = 65_536;

/** An entry whose shard never spoke (it was rebuilt) is given up after this time, in ms: 40 deadlines. */
export const IN_FLIGHT_RECLAIM_MS = 60_000;

/** A connection without a byte from its peer is closed after this time, in ms: networks echo every 1 to 5 minutes. */
export const LINK_IDLE_MS = 900_000;

/** A frame must be complete this long after its first byte, in ms; a slower sender is closed (slow-loris). */
export const FRAME_COMPLETE_MS = 10_000;

/** Log lines about closed connections and messages answered 30 per link and second: a flood of bad peers must not fill the disk with lines (at 200
 * bytes each 100 are 1.7 GB per day). */
export const LINK_LOG_LINES_PER_SECOND = 100;

/** While requests are shed one log line says how many, this often, in ms. */
export const SHED_LOG_MS = 10_000;

/** A TLS handshake must be finished in this time, in ms. */
export const TLS_HANDSHAKE_MS = 10_000;

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

/** How often the files of certificates are compared with those in use, ms: renewals come hours before an end, a look reads a few KiB. */
export const TLS_FILES_LOOK_MS = 60_000;

/** Unsent bytes of one connection above which nothing more is read from it: about 1 500 replies of 170 bytes. */
export const SOCKET_HIGH_WATER_BYTES = 256 * 1024;

/** Unsent bytes of one connection at which it is closed: 4 096 requests in flight answered with 256 bytes each. */
export const SOCKET_UNSENT_BYTES_MAX = 1024 * 1024;

/** A peer that takes none of its waiting replies for this time is closed, in ms. */
export const WRITE_STALL_MS = 10_000;

/** Largest WebSocket message the library may assemble. Above MESSAGE_BYTES_MAX so that 4 097 to 65 536 bytes are refused with
 * close code 1009 instead of a cut connection. */
export const WS_PAYLOAD_BYTES_MAX = 65_536;

/** Messages that one turn takes from the rings before it commits: bounds a frame and the time to the next commit. At 8 us
 * each a full turn is 8 ms. Measured with 2 048 in flight: 1 024 carries 10-20 % more than 2 048 (nothing leaves while a turn
 * runs, so clients idle) and than 256 (more commits than the disk likes). */
export const TURN_MESSAGES_MAX = 1024;

/** Duplicate window in ms: 24 h. */
export const DUPLICATE_WINDOW_MS = 24 * 3_600_000;

/** A repeat (xxx1) without a hit is tried again without DE7 within this time, in ms. */
export const REPEAT_WITHOUT_DE7_MS = 600_000;

/** Largest amount of one message or command in minor units: DE4 has 12 digits. */
export const AMOUNT_MAX = 999_999_999_999;

/** Largest credit limit in minor units, and the largest credit balance that a payment may leave. Together they keep an account
 * far below 2^53 (9e15): what is available is at most 1e14 + 1e15, and so is what can be held. A payment beyond it is refused,
 * because a checked addition that fails would stop the shard. */
export const CREDIT_LIMIT_MAX = 100_000_000_000_000;
export const CREDIT_BALANCE_MAX = 1_000_000_000_000_000;
/** Days that the daily accrual catches up with in one run. */
export const ACCRUAL_DAYS_BEHIND_MAX = 31;
/** Accounts of a slice of the daily accrual: at most 128 x 3 records of 100 bytes. What that takes from a shard's turn has not been measured. */
export const ACCRUAL_SLICE_ACCOUNTS = 128;
/** How long one request for an accrual works, ms; the rest is for the next one. Below what proxies wait, 30 s. */
export const ACCRUAL_REQUEST_MS = 15_000;
/** Largest difference of a network's settlement that may be posted as rounding, minor units: nobody calls more than that tiny. */
export const SETTLEMENT_ROUNDING_MAX = 1000;

/** Accounts per shard: as many as cards, 24 bits. */
export const ACCOUNTS_PER_SHARD_MAX = 2 ** 24 - 1;

/** What held can be named for 90 days after the end that its hold was last given, in ms, however long increments have kept it. */
export const MATCHABLE_AFTER_END_MS = 90 * 24 * 3_600_000;

/** An authorization can be named by a reversal for the longest hold life (31 days) and 90 days more, in ms, and while its
 * hold is open. Beyond it a DE7 without a year would begin to be ambiguous. */
export const MATCHABLE_MS = 31 * 24 * 3_600_000 + MATCHABLE_AFTER_END_MS;

/** Records of one clearing command: 256 x 500 bytes = 128 kB in the ring, 1 MB of records in a frame, and 10 ms of a shard's
 * turn. Whoever shares the shard with authorizations sends fewer at a time. */
export const CLEARING_COMMAND_RECORDS_MAX = 256;

/** Days by which the day of a transaction in a clearing record may lie before that of its authorization (time zones), and after
 * it (the longest hold life and a day): the date window of the match by approval code. */
export const CLEARING_DAYS_BEFORE_MAX = 2;
export const CLEARING_DAYS_AFTER_MAX = 32;

/** Cards of a chain of replacements that a clearing record is matched against: one a year for the time of MATCHABLE_MS, and
 * room for a wallet that is lost a few times. */
export const CHAIN_CARDS_MAX = 4;

/** Other cards of an account, the newest first, that are asked for the network id of a record that its own card does not have. */
export const CLEARING_ACCOUNT_CARDS_MAX = 32;

/** Cards of one wallet, replaced and replacing, that are asked whether a clearing record was posted before: one a year for as long
 * as anything is kept, and each of them lost a few times. */
export const CLEARING_FAMILY_CARDS_MAX = 64;

/** Newest records of a card that the last rung of the match looks at: 128 reads of 2 us, for a record that names nothing else. */
export const CLEARING_WALK_RECORDS_MAX = 128;

/** What a clearing record may bring an account to, owed or in credit, minor units: beyond it goes to suspense, because a checked
 * addition that fails would stop the shard. Far above CREDIT_LIMIT_MAX and CREDIT_BALANCE_MAX, far below 2^53. */
export const CLEARED_BALANCE_MAX = 4_000_000_000_000_000;

/** Largest fixed header between a frame's length and its message: a TPDU is 5 bytes, network headers reach 26. */
export const FRAME_HEADER_BYTES_MAX = 64;

/** Cards the shared directory can hold. 10 M cards reserve 1 GiB of address space (2^26 slots of 16 bytes), of which only
 * touched pages cost memory; 100 M reserve 8 GiB, measured to be granted by Node 20. */
export const CARDS_DEFAULT = 10_000_000;
export const CARDS_MAX = 100_000_000;

/** Free disk space in bytes below which new work is answered 91, at least: 60 s at 10 000 records per second of 400 bytes are
 * 240 MB. */
export const DISK_RESERVE_BYTES = 256 * 1024 * 1024;

/** The reserve follows what the journal grew in this time, in ms: at the same pace the disk lasts as long again. */
export const DISK_RATE_WINDOW_MS = 60_000;

/** Most that the pace of the journal may ask for: 8 GiB are a minute at 140 MB/s, 350 000 records per second. What grows
 * faster (a restore, a copy) is not traffic. */
export const DISK_RESERVE_RATE_BYTES_MAX = 8 * 2 ** 30;

/** Time a graceful stop may take, in ms: the largest deadline in flight (1.5 s), a final commit and checkpoint, with room. */
export const STOP_LIMIT_MS = 10_000;

/** Time that peers have to answer a sign-off at a stop, in ms, within the time of the stop: a round trip to another continent
 * is 0.3 s. */
export const SIGN_OFF_WAIT_MS = 1000;

/** Largest system trace audit number: DE11 has 6 digits. */
export const STAN_MAX = 999_999;

/** Listeners in a link file: each has its own port, and the link number is one byte of a ring entry. */
export const LINKS_MAX = 64;

/** Sockets that a listener accepts beside its connections: those in a TLS handshake or before their WebSocket upgrade (10 s at
 * most each), and those that are ending. 1 024 in 10 s are 100 new connections per second. */
export const LINK_SOCKETS_SPARE = 1024;

/** A listener that cannot count its sockets looks this often whether the process has files left, in ms: the backlog of 512 that may come
 * in meanwhile, and some, fit into what is left to the engine. It opens again when this many fewer are open. */
export const ACCEPT_GUARD_MS = 10;
export const ACCEPT_GUARD_FILES = 32;

/** Open files that connections leave to the engine: it has some 100 with one shard thread, 128 to webhooks and 64 from readers
 * of events at most, a few more per thread, per 8 GiB of journal and per API client. */
export const FILES_RESERVED_MIN = 384;
export const FILES_RESERVED_MAX = 1024;

/** Connections of one listener at a time. An idle one costs 5 KiB (measured with 10 000), one that has spoken 7, so this many
 * are 110 MiB; a peer that takes no replies costs up to SOCKET_UNSENT_BYTES_MAX until WRITE_STALL_MS. */
export const LINK_CONNECTIONS_DEFAULT = 16_384;
export const LINK_CONNECTIONS_MAX = 65_536;

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

/** Timed messages per shard whose stage times `explain` can show: under load one message in 16 is timed, so these cover the last
 * 32 768 messages of a shard; 28 bytes each are 57 kB per shard. */
export const STAGE_TIMES_KEPT = 2048;

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

/** Rules of all programs, drafts and retired ones included: a row and its newest text in the control thread, 4 096 x 16 KiB =
 * 64 MiB at the very worst, 2 MiB with texts of 500 characters. */
export const RULES_MAX = 4096;

/** Revisions of a program of which a shard keeps statistics of rules. All programs together have RULES_MAX rules, so at the very
 * worst 256 x (4 096 x 16 bytes + 1 000 x 200) are 68 MB per shard; a program of 10 rules has 92 kB. */
export const RULE_STATS_REVISIONS_MAX = 256;

/** Rows of statistics of rules in one read of a shard: 32 revisions x 128 rules x 2 numbers of 9 bytes are 74 KB. */
export const REVISION_STATS_PER_READ = 32;

/** Revisions of programs whose rules the control thread remembers by their places: 1 024 x 128 x 100 bytes are 13 MB at worst. */
export const PROGRAM_RULES_KEPT_MAX = 1024;

/** Backtests that are kept in memory, the newest of all rules, and the differing decisions that each lists: 8 x 5 000 x 200
 * bytes are 8 MB. */
export const BACKTESTS_KEPT_MAX = 8;
export const BACKTEST_DECISIONS_MAX = 5000;

/** Cards whose account and controls a backtest remembers: 20 000 x 500 bytes are 10 MB; one that was forgotten is read again. The
 * texts of their controls, which may have 32 KiB each, have a bound of their own in characters. */
export const BACKTEST_CARDS_KEPT_MAX = 20_000;
export const BACKTEST_CONTROLS_TEXT_MAX = 16 * 2 ** 20;

/** Different controls that a backtest keeps compiled per policy and level: 1 024 x 7 kB x 2 levels x 2 policies are 28 MB. */
export const BACKTEST_CONTROLS_COMPILED_MAX = 1024;

/** How many times longer a backtest rests than it worked: it takes a fifth of a core. And the longest rest, ms: work is measured by
 * the wall clock, as that of the segments' builder. Measured on two cores with a load of 15: 7 000 records/s, rests included. */
export const BACKTEST_REST_FACTOR = 4;
export const BACKTEST_REST_MS_MAX = 50;

/** Largest priority of a rule: room between the ones that an operator thinks of. */
export const RULE_PRIORITY_MAX = 1_000_000;

/** Longest CPU profile in seconds: 300 s at 200 us are 1.5 million samples, about 30 MB of JSON. */
export const PROFILE_SECONDS_MAX = 300;

/** Address space of one journal environment: the roll size plus the largest commit (256 shards x 12 MiB = 3 GiB), with room
 * to spare. Address space costs nothing until it is used. */
export const LANE_MAP_BYTES = 32 * 2 ** 30;

/** A lane begins a new environment when this much was written to the current one: 8 GiB is about 30 M records of 270
 * bytes, small enough to export or drop a part, large enough that a year of 100 records/s is 100 environments. */
export const LANE_ENVIRONMENT_BYTES = 8 * 2 ** 30;

/** Largest entry of an anchor's state, bytes: the snapshot of a program (PROGRAM_SNAPSHOT_BYTES_MAX) is the largest there is, a
 * quarter of it. */
export const ANCHOR_ENTRY_BYTES_MAX = 2 ** 20;

/** Between two looks of a shard thread at its own memory, ms: a look takes some microseconds. */
export const MEMORY_LOOK_MS = 5000;

/** Between two looks of a thread at what its garbage collector did, ms. At 50 000 authorizations/s a shard thread makes 25 MB of
 * garbage per second, that is two to four collections of 8 MB or more; each costs some 20 us to tell. */
export const GC_LOOK_MS = 1000;

/** Period of the timer whose lateness tells how long an event loop was kept, ms: 50 samples per second, some microseconds each. */
export const EVENT_LOOP_LOOK_MS = 20;

/** Rows of holds that one read looks through for the oldest: 2^16 x 1 ns are 0.1 ms of the shard's turn. */
export const HOLD_ROWS_PER_READ = 2 ** 16;

/** Exports and drops of the journal that are remembered: some 300 bytes each. */
export const JOURNAL_JOBS_KEPT_MAX = 64;

/** Days that the journal keeps at least: 31 of the longest hold life and 90 during which what held can still be named
 * (MATCHABLE_MS), and one for the duplicate window. */
export const RETENTION_DAYS_MIN = 122;

/** Days kept when nobody says how many: a year and a month, so that a statement of a year ago can still be explained. */
export const RETENTION_DAYS_DEFAULT = 400;

/** Address space of one shard's checkpoint: 16 M cards x 128 bytes = 2 GiB, accounts and holds as much again, times two for
 * copy-on-write. */
export const CHECKPOINT_MAP_BYTES = 16 * 2 ** 30;

/** Largest frame: below the 16 MiB up to which the store hands a value over in its own reusable buffer. A turn of 2 048
 * messages is below 1 MiB; only imports come near it and must be sealed in parts. */
export const FRAME_BYTES_MAX = 12 * 2 ** 20;

/** Frame size from which `ShardJournal.full` asks for a seal: leaves 4 MiB for what one more command appends. */
export const FRAME_SEAL_BYTES = 8 * 2 ** 20;

/** Threads and processes that read one environment at the same time: 256 threads plus tools. */
export const STORE_READERS_MAX = 512;

/** Frames a reader keeps decoded in place for point reads: 8 x 64 KiB typical, 8 x 12 MiB at worst. */
export const READER_FRAMES_KEPT = 8;

/** Address space of an environment that says nothing else (vault, system journal): 10 M rows x 200 bytes x 2, times four. */
export const STORE_MAP_BYTES = 16 * 2 ** 30;

/** The first generations of the recent index hold 2^17 - 1 entries each: 2.6 MB, and at 10 000 entries per second and shard
 * 13 s. Later ones double up to 8 times that, so 2 million entries are 7 generations. */
export const INDEX_GENERATION_BITS = 17;

/** Entries of the recent index per shard before new work is refused: 2 million are 200 s of 2 500 messages per second and
 * shard with 4 keys each, so the builder of segments may be down that long at full load; 60 MB per shard then. */
export const INDEX_RECENT_ENTRIES_MAX = 2 ** 21;

/** Newest records of a shard kept in memory for repeats and reversals: 8 MiB are 30 000 records of 270 bytes, 15 s at 2 000
 * messages per second and shard, hours at a usual load. 16 shards take 128 MB when filled. */
export const JOURNAL_TAIL_BYTES = 8 * 1024 * 1024;

/** Frames of them: at a few records per frame the number of frames is what ends first; 20 bytes each. */
export const JOURNAL_TAIL_FRAMES = 2 ** 14;

/** Keys that wait for their place in the recent index until the replies are out: 256 messages of a shard in one turn with 3
 * such keys each, and a third more. 16 kB per shard. */
export const INDEX_ENTRIES_WAITING_MAX = 1024;

/** Records past the segments whose keys a start takes into memory: with 4 keys each as many entries as the recent index may
 * hold, 0.5 s of reading. When more are missing (segments were lost) new work waits until they are built. */
export const INDEX_REPLAY_RECORDS_MAX = INDEX_RECENT_ENTRIES_MAX / 4;

/** Sequences that one look-up returns at most, newest first: a chain of this many equal keys takes about 1 ms to walk. */
export const INDEX_FIND_MAX = 16_384;

/** Records (not entries) past the last segment that start a build, and the time after which fewer do, in ms. With 4 keys
 * each a build of 16 384 records is 65 536 entries or 0.8 MB; a quiet shard costs one small commit per 10 s. */
export const SEGMENT_BUILD_RECORDS = 16_384;
export const SEGMENT_BUILD_MS = 10_000;

/** Entries sorted at once: 2^18 x 6 words (keys, sequence and the sorter's copy) are 6.3 MB, one buffer for all shards. */
export const SEGMENT_SORT_ENTRIES = 2 ** 18;

/** A segment is of class c when it has fewer than 2^15 x 8^c entries. As soon as this many neighbours at the new end are of
 * one class or below they become one, so a shard of 64 million entries has at most 5 x 7 segments and an entry is rewritten
 * about 5 times in its life. */
export const SEGMENT_FAN_IN = 8;
export const SEGMENT_CLASS_0_ENTRIES = 2 ** 15;

/** A merge that would exceed this many entries is not made: 2^26 entries are 0.8 GB, 4 days of 50 messages per second and
 * shard with 4 keys each; it also bounds what must expire before a segment can be dropped. */
export const SEGMENT_ENTRIES_MAX = 2 ** 26;

/** Filter bits per key: 12 give about 1 in 150 false answers, each of which costs one block read of some 10 us. */
export const SEGMENT_FILTER_BITS = 12;

/** Filter bytes in memory per shard: 32 MB are 22 million keys. A message has two (its own and its network id), and what becomes of
 * it about one more: 1.7 days of 50 messages per second, more than the duplicate window. Segments beyond it (the oldest) are
 * asked by reading a block. */
export const SEGMENT_FILTER_BYTES_MAX = 32 * 1024 * 1024;

/** A segment is dropped when its newest record is older than this, in ms: 30 days of the longest hold, 90 days during which
 * an expired one stays matchable, and 2 days of margin. */
export const SEGMENT_RETENTION_MS = 122 * 24 * 3_600_000;

/** Merged or expired segments stay readable for this time after they were replaced, in ms; a reader refreshes every turn. */
export const SEGMENT_GRACE_MS = 60_000;

/** Time between two looks of the segment task at the journal's heads, in ms: with 2 500 messages per second and shard a
 * build is due every 7 s. */
export const SEGMENT_POLL_MS = 500;

/** Address space of the segments: 122 days of 16 shards x 50 messages per second x 4 keys x 12 bytes are 0.4 TB. Address
 * space costs nothing until it is used. */
export const SEGMENT_MAP_BYTES = 512 * 2 ** 30;
/** Most that shard time may run ahead of the monotonic clock in one step, in ms. */
export const CLOCK_STEP_MS = 2000;

/** Wall and monotonic clock may differ by this much, in ms, before hold expiry and the roll-over of velocity windows pause: a step of NTP or a
 * leap second is below 1 s, and no hold life or window is so short that 5 s would matter. */
export const CLOCK_DIFFERENCE_MS = 5000;

/** A start that comes longer than this after the last record counts and logs what is due before the first hold expires, in
 * ms: nobody is off for a day without knowing it, and a clock that is wrong by a day shows there. */
export const START_GAP_MS = 24 * 3_600_000;

/** Holds that one shard expires in a turn: 128 records of 60 bytes are 8 KB, 16 shards fill an eighth of a megabyte. */
export const EXPIRIES_PER_TURN = 128;

/** Time that all shards of a thread together spend on expiries in a turn, in us: a message that arrives meanwhile waits so
 * much longer at most. At 4 us each 125 holds, so a million is 8 000 turns. */
export const EXPIRY_TURN_US = 500;

/** Rows that one look at what is due reads: 4 096 rows of 64 bytes and their accounts are 0.1 ms. */
export const DUE_ROWS_PER_READ = 4096;

/** Business days that a cutover may go ahead: a long week-end and some; a date beyond it is a mistake of the sender. */
export const CUTOVER_DAYS_MAX = 7;

/**
 * For so long after a link's date has moved, a cutover without DE15 is the same one, said on another connection, ms. Two cutovers are a
 * day apart: what is nearer than half of that belongs to the first.
 */
export const CUTOVER_SAME_MS = 12 * 3_600_000;

/** Cutovers and key exchanges that wait for the system journal at one time: a network sends one a day; each keeps its message, 1 kB. */
export const LATER_REPLIES_MAX = 64;

/** How long the key of a link's MACs that the network has replaced is still taken, ms: what was on its way under it arrives. */
export const LINK_KEY_OVERLAP_MS = 60_000;

/** Business days before and behind the UTC day of which totals are kept. A month and some days is as long as acquirers ask
 * back; nobody cuts over more than a long week-end ahead. Each link, acquirer and currency that is used has at most 43 rows of
 * some 150 bytes per shard: a thousand of them 6.5 MB. */
export const TOTALS_DAYS_KEPT = 35;
export const TOTALS_DAYS_AHEAD = 7;

/** Unknown cards journaled one by one, per shard and second; beyond it they are counted. 16 shards x 200 =
 * 3 200 records/s, a few per cent of a commit's capacity. */
export const UNKNOWN_CARDS_PER_SECOND = 200;

/** Advices of unknown cards journaled per shard and second; the others get 91, and the network sends them again. A network stands in
 * for a card nobody has now and then only: 16 shards x 20 = 320 records/s of 400 bytes are 11 GB a day at the very most. */
export const UNKNOWN_ADVICES_PER_SECOND = 20;

/** A shard that had to be rebuilt this often within the time stays down. */
export const REBUILDS_MAX = 3;
export const REBUILDS_WITHIN_MS = 60_000;

/** Records a rebuilding shard replays per turn: at 2 us each, 1 ms taken from the other shards of its thread. */
export const REBUILD_RECORDS_PER_TURN = 500;

/** Messages set aside after they stopped a shard; beyond it the shard stays down for an operator to look at. */
export const POISONS_MAX = 1024;

/** Time between the begins of two checkpoint rounds of a thread, in ms: with 50 k records/s at most 1.5 M records, three
 * seconds of replay, are added to the next start, plus what the round itself takes. A hot row is written once per round, so a
 * shorter one costs more for a faster restart. */
export const CHECKPOINT_ROUND_MS = 30_000;

/** Pace of the checkpoint, entries (blocks of 64 rows, 4 to 11 kB) per ms and thread, and at most per turn: 500 entries/s
 * are 3 MB/s of writing, a few per cent of a slow disk; a burst of 16 is 50 us. A round that touches every row of a million
 * accounts takes a minute. */
export const CHECKPOINT_ENTRIES_PER_MS = 0.5;
export const CHECKPOINT_ENTRIES_PER_TURN = 16;

/** Waiting bytes at which the checkpoint task is woken: 128 kB are some 25 entries. A flush holds up the journal's next one
 * for as long as the disk writes it, 1 to 2 ms for this much. */
export const CHECKPOINT_WRITE_BYTES = 128 * 1024;

/** Ring of the supervisor: stop and profiling commands. */
export const SUPERVISOR_RING_BYTES = 64 * 1024;

/** Ring of the checkpoint: 32 of the task's writes, so that the last round of a stop flows. */
export const CHECKPOINT_RING_BYTES = 32 * CHECKPOINT_WRITE_BYTES;

/** A background task that fails is started again this often within the time, after a pause, in ms: a passing cause (a value
 * that was damaged and is discarded, a moment without memory) is over by then, a lasting one is an operator's. */
export const TASK_RESTARTS_MAX = 3;
export const TASK_RESTARTS_WITHIN_MS = 600_000;
export const TASK_RESTART_DELAY_MS = 1000;

/** The end of a graceful stop that its work must leave free, in ms: closing the stores and the lock takes some 50 ms. (A
 * quarter of the limit, if that is less.) */
export const STOP_MARGIN_MS = 500;

/** A fatal stop: how long the other threads may take to leave after their commit before the process kills itself, in ms. */
export const FATAL_STOP_MS = 2000;

/** Free space is looked at this often, in ms. Between two looks at full speed (100 k records/s x 400 bytes, LMDB's copies
 * included) at most 80 MB are written, a third of the smallest reserve. */
export const DISK_POLL_MS = 1000;

/** Service comes back when this much more than the reserve is free (a tenth of the reserve, if that is less): four ballast
 * files, so that writing the ballast again does not end it at once. */
export const DISK_MARGIN_BYTES_MAX = 64 * 1024 * 1024;

/** Ballast file in the data directory: room for what is in flight when the disk is full to the last block. */
export const BALLAST_BYTES = 16 * 1024 * 1024;

/** Checkpoint entries per commit of the background task, 3 MB. It is woken for far fewer; only at a stop, when entries come as
 * fast as they can and nobody waits for the disk, are there as many. */
export const CHECKPOINT_COMMIT_ENTRIES = 512;

/** Rest of the segments' builder as a multiple of its work: one part work and four parts rest are a fifth of a core, at 3 us
 * per authorization enough for 65 k/s. A shard with more than eight builds waiting is worked off without rests. */
export const SEGMENT_REST_RATIO = 4;
/** Longest such rest, ms. Work is measured by the wall clock: on a machine that is busy with something else a slice takes ten
 * times as long, and four times that would leave the index behind for good. A slice takes some 5 ms. */
export const SEGMENT_REST_MS_MAX = 50;
export const SEGMENT_BACKLOG_BUILDS = 8;

/** Cards whose creation may be under way at once: two bulk commands of 256 rows for each of 16 shards, a chunk of 1 024 rows and
 * single requests, with room; on 256 shards 131 072 rows. */
export const CARDS_IN_FLIGHT_MAX = 2 ** 17;

/** Text of a decision rule in characters: 500 merchants of 15 characters in quotes are 9 500; a rule for people is below 500. */
export const RULE_TEXT_LENGTH_MAX = 16_384;

/** Levels of brackets, operators and negations in a rule: a hand-written one has 5; every recursion over rules is this deep. */
export const RULE_DEPTH_MAX = 24;

/** Items of one list of a rule: a look-up among 500 sorted texts compares 10 of them. Longer lists belong into a control. */
export const RULE_LIST_MAX = 500;

/** Cost of one rule, in units of one comparison of two numbers, 2 to 5 ns: 256 are about 1 us in the worst case, and room
 * for 40 comparisons of texts or 250 of numbers. */
export const RULE_COST_MAX = 256;

/** Rules evaluated for one message, shadow rules included, and their cost together: 128 rules of 32 units are 4 096 units or
 * some 15 us per message in the worst case, more than the rest of the engine spends on it. 25 usual rules (bench/rules.bench.ts) cost 119. */
export const RULES_PER_SET_MAX = 128;
export const RULE_SET_COST_MAX = 4096;

/** Velocity windows that the rules of one message can read: 64 windows x 2 counters x 8 bytes, one buffer per shard. */
export const RULE_WINDOWS_MAX = 64;

/** Name of a velocity window in a rule, and name of a reason, in characters: both stand in lists and traces. */
export const RULE_WINDOW_NAME_MAX = 40;
export const RULE_REASON_LENGTH_MAX = 40;

/** Velocity windows of one controls object, and cash windows: more than anybody was seen to need; a check reads them all. */
export const CONTROL_WINDOWS_MAX = 16;
export const CONTROL_CASH_WINDOWS_MAX = 8;

/** Merchant category codes, countries or merchants in one list of a controls object: every country there is (249) fits. */
export const CONTROL_LIST_MAX = 256;

/** Counters kept per card or account: the windows of its controls (one list may be the program's) and 8 of earlier ones that
 * are not past yet. */
export const VELOCITY_ROW_COUNTERS_MAX = CONTROL_WINDOWS_MAX + CONTROL_CASH_WINDOWS_MAX + 8;

/** Bytes of a row of counters: version 1, sequence 8, head 8, and per counter key 7, head 1, bucket number 5, mask 2 and 16
 * buckets of an amount (7) and a count (4). Rows of 10 windows in use have 200 to 600. */
export const VELOCITY_ROW_BYTES_MAX = 17 + VELOCITY_ROW_COUNTERS_MAX * (15 + 16 * 11);

/** Snapshot of a program in a shard, UTF-8: 128 rules of 500 characters are 64 KiB, hold life and other tables some KiB more;
 * a quarter of a command. */
export const PROGRAM_SNAPSHOT_BYTES_MAX = 256 * 1024;

/** Controls of one card or account as JSON, UTF-8: 24 windows of 200 characters and three full lists are some 12 KiB. */
export const CONTROLS_TEXT_BYTES_MAX = 32 * 1024;

/** Different controls of cards, and of accounts, that a thread keeps compiled per program. Measured: 3 kB with two windows, 7 kB with
 * ten, so 200 to 460 MB. Beyond that all are dropped and compiled again when they are asked for, at 0.15 to 0.3 ms each. */
export const CONTROLS_COMPILED_MAX = 65_536;

/** Bytes of log lines that wait for whoever reads stderr: some 4 000 lines of 250 bytes, which is minutes of an engine with
 * trouble (each link logs at most 100 lines per second). What comes then is dropped and counted. */
export const LOG_BUFFER_BYTES = 1024 * 1024;

/** Room for fatal lines behind a full buffer: a fatal stop has some five lines, with stacks of 4 KiB. */
export const LOG_FATAL_BYTES = 64 * 1024;

/** How long a fatal line, and the end of the process, wait for whoever reads stderr, ms: a reader that is alive takes the
 * whole buffer in less, and a fatal stop has 2 s. */
export const LOG_FLUSH_MS = 250;

/** How often lines that wait are tried again, ms: with 64 KiB in a pipe that is 2.5 MB/s. */
export const LOG_RETRY_MS = 25;

/** Warm-up of a shard thread before it is ready: messages decided on a scratch shard, and the time that it may take, ms. Cold,
 * the first 128 messages take 60 ms of CPU; after some 2 000 a hundred take 5 ms and it is hardly less later. */
export const WARM_UP_MESSAGES = 4096;
export const WARM_UP_MS = 300;

/** Rows of a hold-life table: the built-in one has 9; every row that does not fit costs a message some 5 ns. */
export const HOLD_LIFE_ROWS_MAX = 64;

/** Longest hold life in days: MATCHABLE_MS counts 31. */
export const HOLD_LIFE_DAYS_MAX = 31;

/** Category groups of a program beside the built-in ones: one list of a controls object could not name more anyway. */
export const PROGRAM_MCC_GROUPS_MAX = 256;

/** Time in ms between two tries to hand programs to shards that were out of service: a rebuild takes seconds. */
export const PROGRAM_RETRY_MS = 1000;

/** Accounts and cards whose unchanging parts the control thread remembers: 10 000 x 2 x some 400 bytes are 8 MB. One that is not
 * remembered costs a read of its shard. */
export const PARTIES_KEPT_MAX = 10_000;

/** Records behind the place of a reader of one account up to which they are passed, 5 ms at 5 us each; of more, the account's are
 * found by its back pointers. */
export const FEED_FOLLOW_RECORDS = 1024;

/** Clients that wait for events at a time, long polls and streams together. Each is a socket, a page of some 200 kB at most and
 * a place; the sockets are a sixth of FILES_RESERVED_MIN. */
export const EVENT_STREAMS_MAX = 64;

/** Time between two looks at the shards' durable sequences while somebody waits for events, ms: 256 words of memory. */
export const FEED_POLL_MS = 25;

/** Longest wait of a long poll, s. */
export const EVENT_WAIT_SECONDS_MAX = 30;

/** A stream says that it is alive after this time without an event, ms: proxies cut what is silent for 30 to 60 s. */
export const EVENT_HEARTBEAT_MS = 15_000;

/** A reader that takes nothing of what is waiting for it for this time is dropped, ms; its last id is where it goes on. */
export const EVENT_STALL_MS = 30_000;

/** A stream ends after this time, ms, and its client comes back with its last id: a token that was revoked reads no longer. */
export const EVENT_STREAM_MS_MAX = 15 * 60_000;

/** Events that a stream takes from the journal at once: with some 2 kB each 200 kB, and 4 ms of work. */
export const EVENT_PAGE = 100;

/** Rest of a stream behind a full page as a multiple of the time that the page took, and the longest one, ms: a reader that
 * catches up takes half a core at most, some 12 000 events per second. */
export const EVENT_REST_RATIO = 1;
export const EVENT_REST_MS_MAX = 50;

/** Webhooks of an installation, and deliveries of one of them under way at a time: 32 x 4 = 128 sockets at most, a third of
 * FILES_RESERVED_MIN. Four are 400 events per second to a receiver that answers in 10 ms; who wants more reads the feed. */
export const WEBHOOKS_MAX = 32;
export const WEBHOOK_IN_FLIGHT_MAX = 4;

/** Deliveries of all webhooks that begin per second, and at once after a pause: at some 170 us each (measured) a quarter of a core.
 * A receiver that wants more reads the feed, which costs 40 us per event. */
export const WEBHOOK_STARTS_PER_SECOND = 1500;
export const WEBHOOK_STARTS_AT_ONCE = 150;

/** Time for one attempt, ms: look-up, connection, TLS and answer together. */
export const WEBHOOK_TIMEOUT_MS = 10_000;

/** Bytes of an answer that are read, so that the connection can be used again; a longer one is cut. */
export const WEBHOOK_ANSWER_BYTES_MAX = 64 * 1024;

/** Attempts of one event, and the times between them, from the least to the most: 5 s, 13 s, 35 s, 1.5 min ... 9 h, 24 h, in all
 * about 39 hours. Behind the last failure it is a dead letter. */
export const WEBHOOK_ATTEMPTS_MAX = 12;
export const WEBHOOK_RETRY_MS_MIN = 5000;
export const WEBHOOK_RETRY_MS_MAX = 24 * 3_600_000;

/** Longest time for which a receiver that fails again and again is left alone, ms: it is found again within a minute. */
export const WEBHOOK_PAUSE_MS_MAX = 60_000;

/** An endpoint to which nothing could be delivered for this time is disabled, ms: five days, a long weekend and a day. */
export const WEBHOOK_DISABLE_MS = 5 * 24 * 3_600_000;

/** Events that are read ahead for one endpoint: 16 for each delivery under way, some 2 kB each: 128 kB. */
export const WEBHOOK_READ_AHEAD = 64;

/** Events of one endpoint that wait for another attempt, or behind one that does; then nothing more is read for it until they
 * are fewer. 4 096 x some 250 bytes x 32 endpoints are 32 MB. */
export const WEBHOOK_WAITING_MAX = 4096;

/** Dead letters kept of one endpoint; the oldest are forgotten (the journal has the events still). */
export const WEBHOOK_DEAD_LETTERS_MAX = 1000;

/** Time between two commits of what was delivered, ms: one flush per second beside the journal's. A kill repeats the deliveries
 * since the last one. */
export const WEBHOOK_FLUSH_MS = 1000;

/** Longest URL of a webhook in characters. */
export const WEBHOOK_URL_LENGTH_MAX = 2048;

/** Longest record of a clearing file in bytes: what the public tools allow; the longest seen are some 700. */
export const CLEARING_RECORD_BYTES_MAX = 6000;

/** Findings of a clearing file that are kept, some 300 bytes each; the rest is counted. */
export const CLEARING_FINDINGS_MAX = 1000;

/** Rows of a network's own totals (1644/685, 688) that are kept with a file, some 250 bytes each: a file has one for each kind of
 * transaction, currency and settlement, which are dozens. And sums of all rows, one for each file and settlement that they name. */
export const CLEARING_POSITIONS_MAX = 2000;

/** Records of an account that are looked at to tell what was paid of its statement: at an estimated 5 us each 50 ms of a shard, once a month. */
export const CYCLE_RECORDS_MAX = 10_000;
/** Records that a slice of the daily accrual looks at before it ends: at an estimated 5 us each 5 ms of a shard's turn. */
export const ACCRUAL_READS_MAX = 1000;

/** Records of one outgoing file: 10 000 x 500 bytes are 5 MB in memory while it is made. What is more is left to the next one. */
export const OUTGOING_RECORDS_MAX = 10_000;
/** Chargebacks that a refusal to make a file names: 100 of 60 bytes are 6 KB. Its text has the number of all. */
export const OUTGOING_LEFT_OUT_SHOWN_MAX = 100;
/** Chargebacks of one day in one shard, in one answer of 9 bytes each: 36 KB. More of them are refused, not left out. */
export const OUTGOING_DAY_MAX = 4096;

/** Records in suspense of one day in one shard, in one answer of 9 bytes each: 18 KB. */
export const SUSPENSE_DAY_MAX = 2048;

/** Records of one batch of a clearing file, for one shard: 128 x 40 us are 5 ms of a shard's turn. While authorizations come,
 * fewer go in one command, little more than what a turn then takes of it, and the thread rests as long as the command took. */
export const CLEARING_BATCH_RECORDS = 128;
export const CLEARING_BUSY_RECORDS = 24;

/** Time that clearing commands take of a thread's turn while anyone waits for its end, in us: some 15 records, then the command is
 * answered with what was done. Every message of the turn, and those that come meanwhile, wait so much longer. */
export const CLEARING_TURN_US = 500;

/** Commands of a clearing file under way per shard thread: one being decided, one waiting. One per shard at most, so that its
 * records keep their order when one has to be sent again. */
export const CLEARING_IN_FLIGHT_PER_THREAD = 2;

/** Batches that are made and not yet posted: 64 x 128 x 1 kB are 8 MB; enough that no shard waits for the reader. */
export const CLEARING_BATCHES_MAX = 64;

/** Longest rest after a command while authorizations come, ms, and pauses before a command is sent again that no shard took, ms. */
export const CLEARING_REST_MS_MAX = 50;
export const CLEARING_RETRY_MS = 200;
export const CLEARING_RETRY_MS_MAX = 5000;

/** Bytes between two reports of the validating pass. */
export const CLEARING_PROGRESS_BYTES = 2 ** 20;

/** Largest clearing file that is taken unless the configuration says otherwise: some six million records. */
export const CLEARING_FILE_BYTES_MAX = 4 * 2 ** 30;

/** Free space is looked at once in so many bytes of an upload. */
export const CLEARING_UPLOAD_CHECK_BYTES = 2 ** 20;

/** Duplicates and rejected records of a clearing file that are kept one by one, some 200 bytes each: 2 MB of a frame. */
export const CLEARING_UNPOSTED_MAX = 10_000;

/** Days that a reconciliation looks back: a break that is older was in a report on each of them. And days before those in which the
 * authorizations stand that were cleared or came to their end in them: the longest hold life and some. */
export const RECON_DAYS = 60;
export const RECON_LEAD_DAYS = 40;

/** How many times longer a reconciliation rests than it worked, and the longest rest, ms: it takes a fifth of a core, as a backtest
 * does. Records between two looks at the clock: 1024 x 4 us are 4 ms. */
export const RECON_REST_FACTOR = 4;
export const RECON_REST_MS_MAX = 50;
export const RECON_SLICE_RECORDS = 1024;

/** Breaks of records that a report lists one by one, some 500 bytes each: 25 MB; more are in its counts alone. */
export const RECON_BREAKS_MAX = 50_000;

/** Breaks, or settlements, that become text in one turn of the event loop of the control thread, some 10 us each: a millisecond. */
export const RECON_PIECE_ROWS = 128;

/** Authorizations of one shard that a run compares, some 130 bytes each: 500 MB. A run over more fails and says so. */
export const RECON_AUTHORIZATIONS_MAX = 4_000_000;

/** Runs whose reports are kept in memory, 25 MB each at most (RECON_BREAKS_MAX): the others can be repeated. */
export const RECON_REPORTS_KEPT_MAX = 4;

/** Pages of each tree of a data file that a start looks at, the newest first: 64 MB, some 0.1 s; `verify` looks at all. */
export const STRUCTURE_PAGES_AT_START = 16_384;

/** Bytes per second of a backup unless its caller says otherwise: a tenth of what a slow SSD writes, 8 GB in two minutes. */
export const BACKUP_BYTES_PER_SECOND = 64 * 2 ** 20;

/** Bytes that a backup copies at a time, and after which it flushes: a flush of 16 MB keeps the disk for some 30 ms. */
export const BACKUP_CHUNK_BYTES = 2 ** 20;
export const BACKUP_FLUSH_BYTES = 16 * 2 ** 20;

/** Tries to find a moment between two commits, some 0.1 ms each: a few are enough with eight lanes that commit 2 000 times a second. */
export const BACKUP_CUT_ATTEMPTS = 20_000;

/** Bytes that one request to card cryptography may carry: a message of MESSAGE_BYTES_MAX up to its MAC. */
export const HSM_DATA_BYTES_MAX = 4096;

/** Devices that may be named at the start. */
export const HSM_DEVICES_MAX = 16;

/** Bytes of the rings between a shard thread and who asks the devices: a question has some 300, and 16 shards may have 512 messages each
 * with three of them waiting, but a device answers far fewer in a second. A full ring is answered 91. */
export const DEVICE_RING_BYTES = 1024 * 1024;

/** Time for one command of an HSM, ms: a third of DEADLINE_MS, so that a second device can be asked when the first one is silent. */
export const HSM_TIMEOUT_MS = 500;

/** Commands under way at one HSM: at 2 500 a second and 20 ms each 50 are under way; more would wait in its own queue. */
export const HSM_IN_FLIGHT_PER_DEVICE = 64;

/** Largest answer of an HSM in bytes: a header, a MAC or a PIN block; key blocks have up to 1 024. */
export const HSM_RESPONSE_BYTES_MAX = 4096;

/** Messages that wait for devices, per shard: a device that is slow answers some hundred per second. At 2 KB each 16 shards have 16 MB. */
export const PARKED_PER_SHARD_MAX = 512;

/** And per card: a message, its repeats, and a little more. Whoever guesses on one card must not take the room of the others. */
export const PARKED_PER_CARD_MAX = 8;

/** How long a message waits for devices, ms: both attempts (2 x HSM_TIMEOUT_MS) with room, and less than DEADLINE_MS. */
export const PARK_MS = 1200;

/** What is left of a message's deadline for its decision, its commit and its answer when it has waited, ms. */
export const PARK_ANSWER_MS = 200;

/** Commands of one connection that were given up and may still be answered: all of HSM_IN_FLIGHT_PER_DEVICE, once. */
export const HSM_LATE_ANSWERS_MAX = 64;

/** Answers of an HSM that its breaker looks back at, and failures among them that open it when they are half of them. */
export const HSM_BREAKER_WINDOW = 20;
export const HSM_BREAKER_FAILURES = 5;

/** Time until an HSM that failed is asked for an echo, ms: four time-outs. */
export const HSM_BREAKER_OPEN_MS = 2000;

/** Time for a connection to an HSM, and between attempts, ms: doubled at each up to the longest. */
export const HSM_CONNECT_MS = 2000;
export const HSM_RECONNECT_MS = 100;
export const HSM_RECONNECT_MS_MAX = 5000;

/**
 * Rows of the vault that a rotation of the PAN key looks at in one step, and the pause between two: 128 rows are about 3 ms of the
 * control thread and one commit; at 1 280 a second 10 M cards take a little more than two hours.
 */
export const KEY_ROTATION_ROWS = 128;
export const KEY_ROTATION_PAUSE_MS = 100;
