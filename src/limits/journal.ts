/** The journal and what lies beside it: lanes, frames, the index and its segments, checkpoints, backups, the disk. */

/** Free disk space in bytes below which new work is answered 91, at least: 60 s at 10 000 records per second of 400 bytes are
 * 240 MB. */
export const DISK_RESERVE_BYTES = 256 * 1024 * 1024;

/** The reserve follows what the journal grew in this time, in ms: at the same pace the disk lasts as long again. */
export const DISK_RATE_WINDOW_MS = 60_000;

/** Most that the pace of the journal may ask for: 8 GiB are a minute at 140 MB/s, 350 000 records per second. What grows
 * faster (a restore, a copy) is not traffic. */
export const DISK_RESERVE_RATE_BYTES_MAX = 8 * 2 ** 30;

/** Address space of one journal environment: the roll size plus the largest commit (256 shards x 12 MiB = 3 GiB), with room
 * to spare. Address space costs nothing until it is used. */
export const LANE_MAP_BYTES = 32 * 2 ** 30;

/** A lane begins a new environment when this much was written to the current one: 8 GiB is about 30 M records of 270
 * bytes, small enough to export or drop a part, large enough that a year of 100 records/s is 100 environments. */
export const LANE_ENVIRONMENT_BYTES = 8 * 2 ** 30;

/** Largest entry of an anchor's state, bytes: the snapshot of a program (PROGRAM_SNAPSHOT_BYTES_MAX) is the largest there is, a
 * quarter of it. */
export const ANCHOR_ENTRY_BYTES_MAX = 2 ** 20;

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

/** Pages of each tree of a data file that a start looks at, the newest first: 64 MB, some 0.1 s; `verify` looks at all. */
export const STRUCTURE_PAGES_AT_START = 16_384;

/** Bytes per second of a backup unless its caller says otherwise: a tenth of what a slow SSD writes, 8 GB in two minutes. */
export const BACKUP_BYTES_PER_SECOND = 64 * 2 ** 20;

/** Bytes that a backup copies at a time, and after which it flushes: a flush of 16 MB keeps the disk for some 30 ms. */
export const BACKUP_CHUNK_BYTES = 2 ** 20;
export const BACKUP_FLUSH_BYTES = 16 * 2 ** 20;

/** Tries to find a moment between two commits, some 0.1 ms each: a few are enough with eight lanes that commit 2 000 times a second. */
export const BACKUP_CUT_ATTEMPTS = 20_000;
