/** What an input reached: reads the counters of loader.mjs, and keeps which blocks were executed how often. */

interface Blocks {
  readonly counts: Uint32Array;
  readonly used: number;
  readonly files: readonly { readonly file: string; readonly from: number; readonly count: number }[];
}

/** Undefined without the loader: then nothing is counted. */
const blocks = (globalThis as { __holdfastBlocks?: Blocks }).__holdfastBlocks;

/** Counts 1, 2, 3, 4 to 7, 8 to 15 ... are different events: a loop that runs once more is news, one that runs 900 times is not. */
function eventOf(count: number): number {
  if (count < 4) return 1 << (count - 1);
  return 1 << Math.min(7, 32 - Math.clz32(count));
}

export class Coverage {
  readonly #ranges: { readonly from: number; readonly to: number }[] = [];
  readonly #seen: Uint8Array;
  /** Blocks of the focus that some input executed. */
  reached = 0;
  /** Blocks of the focus. */
  readonly total: number;

  constructor(focus: readonly string[]) {
    if (blocks === undefined) throw new Error('nothing is counted: run with --import ./test/fuzz/loader.mjs');
    for (const { file, from, count } of blocks.files)
      if (focus.some((prefix) => file.startsWith(prefix))) this.#ranges.push({ from, to: from + count });
    this.total = this.#ranges.reduce((sum, { from, to }) => sum + to - from, 0);
    if (this.total === 0) throw new Error(`no block is counted in ${focus.join(', ')}`);
    this.#seen = new Uint8Array(blocks.used);
  }

  /** Forgets what was executed since the last input. */
  reset(): void {
    for (const { from, to } of this.#ranges) blocks!.counts.fill(0, from, to);
  }

  /** Blocks that were executed since `reset`, each as often as it was; `news` when one never was before, or not as often. */
  take(): { readonly work: number; readonly news: boolean; readonly newBlock: boolean } {
    const { counts } = blocks!;
    const seen = this.#seen;
    let work = 0;
    let news = false;
    let newBlock = false;
    for (const { from, to } of this.#ranges) {
      for (let i = from; i < to; i++) {
        const count = counts[i]!;
        if (count === 0) continue;
        counts[i] = 0;
        work += count;
        const event = eventOf(count);
        if ((seen[i]! & event) !== 0) continue;
        if (seen[i] === 0) {
          newBlock = true;
          this.reached++;
        }
        seen[i]! |= event;
        news = true;
      }
    }
    return { work, news, newBlock };
  }
}
