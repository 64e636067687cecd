/** What a fuzz target is: one decoder, inputs to begin with, ways to change them, and what must be true of every input. */
import type { Random } from '../crash/random.js';

/** What became of an input. Both must come up in every run: a target that goes one way only tries nothing. */
export type Verdict = 'accepted' | 'refused';

/** A target that is set up. */
export interface OpenTarget {
  /** @throws when an invariant does not hold: that is a finding */
  run(input: Uint8Array): Verdict | Promise<Verdict>;
  close?(): Promise<void>;
}

export interface FuzzTarget {
  /** Lower-case words with hyphens. */
  readonly name: string;
  /** What reads the bytes, and what is held against it, in one line. */
  readonly reads: string;
  /** Folders or files of src whose blocks tell an input that is worth keeping. */
  readonly focus: readonly string[];
  /** Inputs of one run in CI; all targets together share about 60 s. */
  readonly inputsInCi: number;
  /** Longest input that is made, in bytes. */
  readonly bytesMax: number;
  /** Counted blocks that an input may execute: so many, and so many more for each of its bytes. */
  readonly work: { readonly base: number; readonly perByte: number };
  /** Inputs to begin with, in a fixed order. */
  seeds(): Uint8Array[];
  /** Pieces that mean something to the decoder; the mutators put them in. */
  words?(): Uint8Array[];
  /** Changes an input in a way that knows its grammar; used for half of the inputs. */
  mutate?(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array;
  open(): OpenTarget | Promise<OpenTarget>;
}

/** Fails with a text that is built only then: most checks pass millions of times. */
export function must(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Error(what());
}

export const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');
export const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');
