/** Clearing files, what they are matched with, suspense, outgoing files, and reconciliation. */

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

/** Longest record of a clearing file in bytes: what the public tools allow; the longest seen are some 700. */
export const CLEARING_RECORD_BYTES_MAX = 6000;

/** Findings of a clearing file that are kept, some 300 bytes each; the rest is counted. */
export const CLEARING_FINDINGS_MAX = 1000;

/** Rows of a network's own totals (1644/685, 688) that are kept with a file, some 250 bytes each: a file has one for each kind of
 * transaction, currency and settlement, which are dozens. And sums of all rows, one for each file and settlement that they name. */
export const CLEARING_POSITIONS_MAX = 2000;

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
