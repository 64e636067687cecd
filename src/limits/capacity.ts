/** How much one installation holds: shards, accounts, cards. */

/** Logical shards: a power of two, at most 256 because a shard number is one byte in the card directory. */
export const SHARDS_DEFAULT = 16;
export const SHARDS_MAX = 256;

/** Cards per shard: the card slot is 24 bits of a directory value, and the two highest values of a slot mean "none" and
 * "being written" there. */
export const CARDS_PER_SHARD_MAX = 2 ** 24 - 2;

/** Accounts per shard: as many as cards, 24 bits. */
export const ACCOUNTS_PER_SHARD_MAX = 2 ** 24 - 1;

/** Cards the shared directory can hold. 10 M cards reserve 1.5 GiB of address space (3 x 2^25 slots of 16 bytes), of which only
 * touched pages cost memory; 100 M reserve 12 GiB, measured to be granted by Node 20. */
export const CARDS_DEFAULT = 10_000_000;
export const CARDS_MAX = 100_000_000;

/** Cards whose creation may be under way at once: two bulk commands of 256 rows for each of 16 shards, a chunk of 1 024 rows and
 * single requests, with room; on 256 shards 131 072 rows. */
export const CARDS_IN_FLIGHT_MAX = 2 ** 17;
