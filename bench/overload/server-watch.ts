/** What the server's process takes and counts while something happens to it: memory, processor, open files, metrics, log. */
import { fstatSync, readdirSync } from 'node:fs';
import type { EngineProcess } from '../engine-process.js';

const SAMPLE_MS = 100;

export interface ServerFigures {
  /** Anonymous resident memory before, at most, and after, bytes. */
  rssBefore: number;
  rssPeak: number;
  rssAfter: number;
  filesPeak: number;
  cpuSeconds: number;
  logBytes: number;
  /** Growth of the counters, without zeros. */
  shed: Record<string, number>;
  errors: Record<string, number>;
}

export class ServerWatch {
  readonly #engine: EngineProcess;
  readonly #log: number;
  readonly #timer: NodeJS.Timeout;
  readonly #rssBefore: number;
  readonly #cpuBefore: number;
  readonly #logBefore: number;
  readonly #countsBefore: Counts;
  #rssPeak = 0;
  #filesPeak = 0;

  private constructor(engine: EngineProcess, log: number, counts: Counts) {
    this.#engine = engine;
    this.#log = log;
    this.#countsBefore = counts;
    this.#rssBefore = engine.residentBytes() ?? 0;
    this.#cpuBefore = engine.cpuSeconds() ?? 0;
    this.#logBefore = fstatSync(log).size;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** @param log open file that the server's stderr goes to */
  static async begin(engine: EngineProcess, log: number): Promise<ServerWatch> {
    return new ServerWatch(engine, log, await countsOf(engine));
  }

  #sample(): void {
    this.#rssPeak = Math.max(this.#rssPeak, this.#engine.residentBytes() ?? 0);
    this.#filesPeak = Math.max(this.#filesPeak, openFiles(this.#engine.pid));
  }

  async end(): Promise<ServerFigures> {
    clearInterval(this.#timer);
    this.#sample();
    const counts = await countsOf(this.#engine);
    return {
      rssBefore: this.#rssBefore,
      rssPeak: this.#rssPeak,
      rssAfter: this.#engine.residentBytes() ?? 0,
      filesPeak: this.#filesPeak,
      cpuSeconds: (this.#engine.cpuSeconds() ?? 0) - this.#cpuBefore,
      logBytes: fstatSync(this.#log).size - this.#logBefore,
      shed: growth(this.#countsBefore.shed, counts.shed),
      errors: growth(this.#countsBefore.errors, counts.errors),
    };
  }
}

interface Counts {
  readonly shed: ReadonlyMap<string, number>;
  readonly errors: ReadonlyMap<string, number>;
}

async function countsOf(engine: EngineProcess): Promise<Counts> {
  const page = await (await fetch(`http://${engine.admin}/metrics`)).text();
  const read = (metric: string, label: string): Map<string, number> => {
    const line = new RegExp(`^${metric}\\{${label}="(\\w+)"\\} (\\d+)$`, 'gm');
    return new Map([...page.matchAll(line)].map((match) => [match[1]!, Number(match[2])]));
  };
  return { shed: read('holdfast_shed_total', 'cause'), errors: read('holdfast_link_errors_total', 'kind') };
}

function growth(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Record<string, number> {
  const grown = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}

function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}
