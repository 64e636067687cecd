/** Listeners and connections: admission, what is in flight, sockets, TLS, and how long anything may take. */

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

/** Time that peers have to answer a sign-off at a stop, in ms, within the time of the stop: a round trip to another continent
 * is 0.3 s. */
export const SIGN_OFF_WAIT_MS = 1000;

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

/** Cutovers and key exchanges that wait for the system journal at one time: a network sends one a day; each keeps its message, 1 kB. */
export const LATER_REPLIES_MAX = 64;

/** How long the key of a link's MACs that the network has replaced is still taken, ms: what was on its way under it arrives. */
export const LINK_KEY_OVERLAP_MS = 60_000;
