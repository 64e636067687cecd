/** Threads: rings, turns, the sweep and the clock, restarts, stops, the log. */
import { CHECKPOINT_WRITE_BYTES } from './journal.js';

/** Ring bytes per direction and (client, thread) pair: 4 MiB holds about 16 000 requests of 256 bytes, which is four
 * times what 16 connections x 1 024 in flight can have outstanding. A full ring is answered 91. */
export const RING_BYTES = 4 * 1024 * 1024;

/** Messages that one turn takes from the rings before it commits: bounds a frame and the time to the next commit. At 8 us
 * each a full turn is 8 ms. Measured with 2 048 in flight: 1 024 carries 10-20 % more than 2 048 (nothing leaves while a turn
 * runs, so clients idle) and than 256 (more commits than the disk likes). */
export const TURN_MESSAGES_MAX = 1024;

/** Time a graceful stop may take, in ms: the largest deadline in flight (1.5 s), a final commit and checkpoint, with room. */
export const STOP_LIMIT_MS = 10_000;

/** Timed messages per shard whose stage times `explain` can show: under load one message in 16 is timed, so these cover the last
 * 32 768 messages of a shard; 28 bytes each are 57 kB per shard. */
export const STAGE_TIMES_KEPT = 2048;

/** Longest CPU profile in seconds: 300 s at 200 us are 1.5 million samples, about 30 MB of JSON. */
export const PROFILE_SECONDS_MAX = 300;

/** Between two looks of a shard thread at its own memory, ms: a look takes some microseconds. */
export const MEMORY_LOOK_MS = 5000;

/** Slowest requests that are kept of each TRACE_BUCKET_MS, and told of the last minute: 7 buckets of 32 rows of 56 bytes. */
export const TRACES_KEPT = 32;
export const TRACE_BUCKET_MS = 10_000;

/** Between two looks of a shard thread whether anything was collected, ms; a look takes 0.2 us on a quiet machine, 5 to 8 on a busy one. At 50 000 authorizations/s it makes 25 MB
 * of garbage per second, that is two to four collections of 8 MB or more: no two of them come within 5 ms. What was collected is taken in
 * at the latest after GC_TAKE_MS; each collection costs some 20 us to tell. */
export const GC_LOOK_MS = 5;
export const GC_TAKE_MS = 1000;

/** Period of the timer whose lateness tells how long an event loop was kept, ms: 50 samples per second, some microseconds each. */
export const EVENT_LOOP_LOOK_MS = 20;

/** Rows of holds that one read looks through for the oldest: 2^16 x 1 ns are 0.1 ms of the shard's turn. */
export const HOLD_ROWS_PER_READ = 2 ** 16;

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
 * much longer at most. At 2 us each 125 holds, so a million is 8 000 turns. */
export const EXPIRY_TURN_US = 250;

/** Rows that one look at what is due reads: 4 096 rows of 64 bytes and their accounts are 0.1 ms. */
export const DUE_ROWS_PER_READ = 4096;

/** A shard that had to be rebuilt this often within the time stays down. */
export const REBUILDS_MAX = 3;
export const REBUILDS_WITHIN_MS = 60_000;

/** Records a rebuilding shard replays per turn: at 2 us each, 1 ms taken from the other shards of its thread. */
export const REBUILD_RECORDS_PER_TURN = 500;

/** Messages set aside after they stopped a shard; beyond it the shard stays down for an operator to look at. */
export const POISONS_MAX = 1024;

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
