/** Card cryptography on devices, messages that wait for it, and the rotation of keys. */

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
/** Cards whose fingerprints one command changes: those of one step of KEY_ROTATION_ROWS may be of one shard. Each is a record of some 120 bytes. */
export const FINGERPRINTS_COMMAND_MAX = 128;
/**
 * How long a row of the vault stays under the name of before when its card has a new one, ms: a request that has read the card and then
 * asks for its number does so within milliseconds.
 */
export const FORMER_ROW_KEPT_MS = 2000;
/** Before what failed in a rotation of the fingerprint key is tried again (a shard that is busy or out of service), ms. */
export const KEY_ROTATION_RETRY_MS = 1000;
