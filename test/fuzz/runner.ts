/**
 * Runs a target: takes an input that is worth it, changes it, runs it, and keeps it when it reached what no input reached before.
 * The same target, seed and number of inputs is the same run.
 */
import { Random } from '../crash/random.js';
import { Coverage } from './coverage.js';
import { mutateBytes } from './mutators.js';
import type { FuzzTarget, OpenTarget, Verdict } from './target.js';

export interface RunOptions {
  readonly seed: number;
  /** Stops after as many inputs. */
  readonly inputs: number;
  /** Stops after this time, in ms; the seeds are run in any case. */
  readonly ms: number;
  /** False: inputs are made of the seeds alone, whatever they reach. To see what the guidance is worth. */
  readonly guided: boolean;
  /** Inputs beside the seeds to begin with. */
  readonly corpus: readonly Uint8Array[];
}

export interface Finding {
  readonly target: string;
  readonly seed: number;
  /** Number of the input in its run, from 0. */
  readonly number: number;
  readonly hex: string;
  readonly error: string;
}

export interface RunResult {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly seconds: number;
  readonly inputs_per_second: number;
  readonly blocks_reached: number;
  readonly blocks: number;
  readonly kept: number;
  /** Most work of an input: counted blocks, and the bytes of that input. */
  readonly most_work: { readonly blocks: number; readonly bytes: number };
  readonly finding: Finding | undefined;
}

/** Kept inputs; one more replaces any other. */
const KEPT_MAX = 4000;

export class Runner {
  readonly #target: FuzzTarget;
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly #words: Uint8Array[];
  /** Seeds, findings and the corpus; and with them all that reached something new. */
  readonly #first: Uint8Array[] = [];
  readonly #kept: Uint8Array[] = [];
  /** Inputs that were the first to execute some block: enough to reach them all. */
  readonly firsts: Uint8Array[] = [];
  #coverage!: Coverage;
  #inputs = 0;
  #verdicts = { accepted: 0, refused: 0 };
  #most = { blocks: 0, bytes: 0 };
  #finding: Finding | undefined;

  constructor(target: FuzzTarget, options: RunOptions) {
    this.#target = target;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#words = target.words?.() ?? [];
  }

  async run(): Promise<RunResult> {
    const open = await this.#target.open();
    // After the opening: now all sources that the target needs are loaded.
    this.#coverage = new Coverage(this.#target.focus);
    const start = performance.now();
    try {
      await this.#loop(open, start);
    } finally {
      await open.close?.();
    }
    const seconds = (performance.now() - start) / 1000;
    return {
      target: this.#target.name,
      seed: this.#options.seed,
      inputs: this.#inputs,
      ...this.#verdicts,
      seconds: Math.round(seconds * 10) / 10,
      inputs_per_second: Math.round(this.#inputs / seconds),
      blocks_reached: this.#coverage.reached,
      blocks: this.#coverage.total,
      kept: this.#kept.length,
      most_work: this.#most,
      finding: this.#finding,
    };
  }

  async #loop(open: OpenTarget, start: number): Promise<void> {
    const { inputs, ms, corpus } = this.#options;
    for (const bytes of [...this.#target.seeds(), ...corpus]) {
      const seed = Uint8Array.from(bytes);
      this.#first.push(seed);
      this.#kept.push(seed);
      await this.#one(open, seed, false);
      if (this.#finding !== undefined) return;
    }
    while (this.#inputs < inputs && this.#finding === undefined) {
      if ((this.#inputs & 63) === 0 && performance.now() - start > ms) return;
      const done = this.#one(open, this.#next(), this.#options.guided);
      if (done !== undefined) await done;
    }
  }

  #next(): Uint8Array {
    const random = this.#random;
    const { mutate, bytesMax } = this.#target;
    // What reached something new is most often broken; from the inputs of the beginning, which are not, other paths start.
    const from = random.chance(0.4) ? this.#first : this.#kept;
    const input = random.pick(from);
    const other = random.pick(this.#kept);
    if (mutate === undefined || random.chance(0.5)) return mutateBytes(random, input, other, this.#words, bytesMax);
    const changed = plain(mutate(random, input, other));
    if (random.chance(0.2)) return mutateBytes(random, changed, other, this.#words, bytesMax);
    return changed.length > bytesMax ? changed.subarray(0, bytesMax) : changed;
  }

  /** Waits only for targets that need it: a promise for each input would be most of the time. */
  #one(open: OpenTarget, input: Uint8Array, keep: boolean): Promise<void> | undefined {
    this.#coverage.reset();
    try {
      const verdict = open.run(input);
      if (!(verdict instanceof Promise)) {
        this.#judge(input, verdict, keep);
        return undefined;
      }
      return verdict.then(
        (waited) => this.#judge(input, waited, keep),
        (error: unknown) => this.#found(input, error),
      );
    } catch (error) {
      this.#found(input, error);
      return undefined;
    }
  }

  #judge(input: Uint8Array, verdict: Verdict, keep: boolean): void {
    const { base, perByte } = this.#target.work;
    const { work, news, newBlock } = this.#coverage.take();
    if (work > this.#most.blocks) this.#most = { blocks: work, bytes: input.length };
    if (work > base + perByte * input.length) {
      this.#found(input, new Error(`${work} blocks for ${input.length} bytes`));
      return;
    }
    this.#inputs++;
    this.#verdicts[verdict]++;
    if (newBlock) this.firsts.push(input.slice());
    if (!keep || !news) return;
    if (this.#kept.length < KEPT_MAX) this.#kept.push(input.slice());
    else this.#kept[this.#random.int(0, KEPT_MAX - 1)] = input.slice();
  }

  #found(input: Uint8Array, error: unknown): void {
    this.#finding ??= {
      target: this.#target.name,
      seed: this.#options.seed,
      number: this.#inputs,
      hex: Buffer.from(input).toString('hex'),
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

/** No Buffer: its `slice` is no copy, and a change would reach the input it was made from. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Drops parts of an input as long as it fails in the same words. */
export async function smallest(open: OpenTarget, input: Uint8Array): Promise<Uint8Array> {
  const wordsOf = async (bytes: Uint8Array): Promise<string | undefined> => {
    try {
      await open.run(bytes);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message.replace(/\d+/g, 'N').slice(0, 60) : String(error);
    }
  };
  const wanted = await wordsOf(input);
  let best = input;
  for (let size = input.length >> 1; size > 0 && wanted !== undefined; size >>= 1) {
    for (let at = 0; at + size <= best.length; ) {
      const less = Uint8Array.from([...best.subarray(0, at), ...best.subarray(at + size)]);
      if ((await wordsOf(less)) === wanted) best = less;
      else at += size;
    }
  }
  return best;
}
