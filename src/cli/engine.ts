/** The composition of the engine: not joined yet. */
import { HoldfastError } from '../errors.js';
import type { StartEngine } from './engine-types.js';

export const startEngine: StartEngine = async () => {
  throw new HoldfastError(
    'internal',
    'engine not composed',
    'build a version in which src/cli/engine.ts joins the rooms',
  );
};
