/** The feed of events and its webhooks. */

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
