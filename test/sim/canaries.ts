/** The planted bugs. */
import type { Canary } from './canary.js';

export const canaries: readonly Canary[] = [];
