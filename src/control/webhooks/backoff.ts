/** When a delivery that failed is tried again, and how long an endpoint that does not answer at all is left alone. */
import {
  WEBHOOK_ATTEMPTS_MAX,
  WEBHOOK_PAUSE_MS_MAX,
  WEBHOOK_RETRY_MS_MAX,
  WEBHOOK_RETRY_MS_MIN,
} from '../../limits.js';

/** Failures in a row, over all deliveries of an endpoint, from which on it is left alone for a while. */
const FAILURES_BEFORE_PAUSE = 5;

/** Part of a time by which it is shortened or lengthened at random: what failed together does not come back together. */
const JITTER = 0.2;

/** Each time is this much longer than the one before: from the least to the most in all attempts but the first. */
const GROWTH = (WEBHOOK_RETRY_MS_MAX / WEBHOOK_RETRY_MS_MIN) ** (1 / (WEBHOOK_ATTEMPTS_MAX - 2));

/** Time to the next attempt after `attempts` failed ones (from 1), ms. `random`: from 0 to 1. */
export function retryMs(attempts: number, random: number): number {
  const steps = Math.min(attempts, WEBHOOK_ATTEMPTS_MAX - 1) - 1;
  return Math.round(WEBHOOK_RETRY_MS_MIN * GROWTH ** steps * (1 - JITTER + 2 * JITTER * random));
}

/** Time for which nothing is sent after this many failures in a row, ms. */
export function pauseMs(failures: number): number {
  if (failures < FAILURES_BEFORE_PAUSE) return 0;
  return Math.min(WEBHOOK_PAUSE_MS_MAX, WEBHOOK_RETRY_MS_MIN * 2 ** (failures - FAILURES_BEFORE_PAUSE));
}
