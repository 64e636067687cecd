/**
 * Every bound of the engine with its arithmetic. Nothing that grows with traffic is without a bound here.
 */

/** Largest ISO 8583 message in bytes, framing excluded (contract section 3). Beyond it the connection is closed. */
export const MESSAGE_BYTES_MAX = 4096;

/** Largest reply in bytes: the echoed fields of a maximal request plus 38, 39, 54 (120) and 44 fit well below it. */
export const REPLY_BYTES_MAX = 4096;

/** Time budget of a request in ms, from the last byte read (domain section 2). */
export const DEADLINE_MS = 1500;

/** Logical shards: a power of two, at most 256 because a shard number is one byte in the card directory. */
export const SHARDS_DEFAULT = 16;
export const SHARDS_MAX = 256;

/** Cards per shard: the card slot is 24 bits of a directory value. */
export const CARDS_PER_SHARD_MAX = 2 ** 24 - 1;

/** Ring bytes per direction and (client, thread) pair: 4 MiB holds about 16 000 requests of 256 bytes, which is four
 * times what 16 connections x 1 024 in flight can have outstanding. A full ring is answered 91. */
export const RING_BYTES = 4 * 1024 * 1024;

/** Requests in flight per link before new ones are answered 91. */
export const LINK_IN_FLIGHT_MAX = 4096;

/** Messages that one turn takes from the rings before it commits: bounds a frame and the time to the next commit. At 4 us
 * each a full turn is 8 ms. */
export const TURN_MESSAGES_MAX = 2048;

/** Duplicate window in ms: 24 h (domain section 5). */
export const DUPLICATE_WINDOW_MS = 24 * 3_600_000;

/** A repeat (xxx1) without a hit is tried again without DE7 within this time, in ms (domain section 5). */
export const REPEAT_WITHOUT_DE7_MS = 600_000;

/** Tombstones of early reversals per shard: 1 in 1 000 of 24 h x 50 messages per second and shard is 4 320. */
export const TOMBSTONES_MAX = 65_536;

/** Largest fixed header between a frame's length and its message: a TPDU is 5 bytes, network headers reach 26. */
export const FRAME_HEADER_BYTES_MAX = 64;

/** Cards the shared directory can hold. 10 M cards reserve 1 GiB of address space (2^26 slots of 16 bytes), of which only
 * touched pages cost memory; 100 M reserve 8 GiB, measured to be granted by Node 20. */
export const CARDS_DEFAULT = 10_000_000;
export const CARDS_MAX = 100_000_000;

/** Free disk space in bytes below which new work is answered 91: 60 s at 10 000 records per second of 400 bytes is 240 MB. */
export const DISK_RESERVE_BYTES = 256 * 1024 * 1024;

/** Time a graceful stop may take, in ms: the largest deadline in flight (1.5 s), a final commit and checkpoint, with room. */
export const STOP_LIMIT_MS = 10_000;

/** Listeners in a link file: each has its own port, and the link number is one byte of a ring entry. */
export const LINKS_MAX = 64;

/** Connections of one listener at a time; each may cost a 64 KiB receive buffer. */
export const LINK_CONNECTIONS_DEFAULT = 1024;
export const LINK_CONNECTIONS_MAX = 65_536;

/** Largest configuration or link file in bytes: 64 links of 1 KiB each, with room for comments. */
export const CONFIG_FILE_BYTES_MAX = 1024 * 1024;
