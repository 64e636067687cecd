/**
 * How long the turn of a reply took, in the word `a` of its ring entry: from the begin of the turn to the release of its replies, and
 * the part of that which was spent in commits. One word per turn, so a message costs nothing more.
 *
 *   a = turn << 16 | commits, each in units of 16 us, at most 65 535 of them (1.05 s)
 */
const UNIT_US = 16;
const UNITS_MAX = 0xffff;

/**
 * A signed word: as an unsigned one that of a turn of half a second is no small integer of the engine (V8) any more, and all code that
 * touches the host's fields would be compiled anew in the middle of the trouble.
 * @param turnUs from the begin of the turn to the release @param commitUs of it in commits; both microseconds
 */
export function packTurnTimes(turnUs: number, commitUs: number): number {
  return (units(turnUs) << 16) | units(commitUs);
}

/** Microseconds, to 16 of them; what is longer than a second is told as a second. */
export function turnUs(word: number): number {
  return (word >>> 16) * UNIT_US;
}

/** As `turnUs`. */
export function commitUs(word: number): number {
  return (word & 0xffff) * UNIT_US;
}

function units(us: number): number {
  return Math.min(UNITS_MAX, Math.max(0, Math.round(us / UNIT_US)));
}
