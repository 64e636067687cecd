/** Messages: their bytes and time, how long they are repeats or originals, business dates, and unknown cards. */

/** Largest ISO 8583 message in bytes, framing excluded. Beyond it the connection is closed. */
export const MESSAGE_BYTES_MAX = 4096;

/** Bytes for the texts of one normalized message: 11 + 11 + 12 + 6 + 8 + 15 + 40 + 15 + 15 + 11 + 11 = 155 at most, with room
 * to grow. Each text has one place, however often the message repeats it. */
export const MESSAGE_TEXT_BYTES = 512;

/** Largest reply in bytes: the echoed fields of a maximal request plus 38, 39, 54 (120) and 44 fit well below it. */
export const REPLY_BYTES_MAX = 4096;

/** Time budget of a request in ms, from the last byte read. */
export const DEADLINE_MS = 1500;

/** Duplicate window in ms: 24 h. */
export const DUPLICATE_WINDOW_MS = 24 * 3_600_000;

/** A repeat (xxx1) without a hit is tried again without DE7 within this time, in ms. */
export const REPEAT_WITHOUT_DE7_MS = 600_000;

/** What held can be named for 90 days after the end that its hold was last given, in ms, however long increments have kept it. */
export const MATCHABLE_AFTER_END_MS = 90 * 24 * 3_600_000;

/** An authorization can be named by a reversal for the longest hold life (31 days) and 90 days more, in ms, and while its
 * hold is open. Beyond it a DE7 without a year would begin to be ambiguous. */
export const MATCHABLE_MS = 31 * 24 * 3_600_000 + MATCHABLE_AFTER_END_MS;

/** Largest fixed header between a frame's length and its message: a TPDU is 5 bytes, network headers reach 26. */
export const FRAME_HEADER_BYTES_MAX = 64;

/** Largest system trace audit number: DE11 has 6 digits. */
export const STAN_MAX = 999_999;

/** Business days that a cutover may go ahead: a long week-end and some; a date beyond it is a mistake of the sender. */
export const CUTOVER_DAYS_MAX = 7;

/**
 * For so long after a link's date has moved, a cutover without DE15 is the same one, said on another connection, ms. Two cutovers are a
 * day apart: what is nearer than half of that belongs to the first.
 */
export const CUTOVER_SAME_MS = 12 * 3_600_000;

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
