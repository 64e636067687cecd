/** An answer as one number, so that a peer has one value to give back: response x 10^6 + approval code. */
import type { PeerAnswer } from './job.js';

export const PACKED = 1_000_000;

export function answerOf(packed: number): PeerAnswer {
  return { response: Math.floor(packed / PACKED), approval: packed % PACKED };
}
