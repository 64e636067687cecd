/**
 * Faults that tests plant in a running engine. All are off unless the process was started with them in its environment;
 * a release build carries the checks because a crash test must run the real program. One integer compare each.
 */
import { writeSync } from 'node:fs';

/** Points in a turn at which a test may kill the process. */
export const KillPoint = { none: 0, beforeAppend: 1, betweenAppendAndRelease: 2, afterRelease: 3 } as const;
export type KillPoint = (typeof KillPoint)[keyof typeof KillPoint];

/** The environment variables that plant faults. */
export const faultVariables: readonly string[] = [
  'HOLDFAST_FAULT_KILL',
  'HOLDFAST_FAULT_THROW_RRN',
  'HOLDFAST_FAULT_LANE_DELAY_MS',
  'HOLDFAST_FAULT_NO_SYNC',
  'HOLDFAST_FAULT_WALL',
  'HOLDFAST_FAULT_TASK',
  'HOLDFAST_FAULT_DROP',
  'HOLDFAST_FAULT_APPROVAL',
];

export interface FaultOptions {
  /** `HOLDFAST_FAULT_KILL=<point>:<n>`: SIGKILL the process at the n-th commit of a thread, at that point. */
  killPoint: KillPoint;
  killAtCommit: number;
  /** `HOLDFAST_FAULT_THROW_RRN=<rrn>`: the shard throws while it decides a message with this DE37, or a payment with this reference. */
  throwRrn: string;
  /** `HOLDFAST_FAULT_LANE_DELAY_MS=<n>`: acknowledgements of the journal lane arrive n ms late. */
  laneDelayMs: number;
  /** `HOLDFAST_FAULT_NO_SYNC=1`: a lane that begins does not wait for the disk. Answers can be lost: crash tests must notice. */
  laneNoSync: boolean;
  /**
   * `HOLDFAST_FAULT_WALL=<ms>`, `<ms>:<after>` or `<ms>:<after>:<every>:<step>`: the wall clock of the shard threads and of the control
   * plane is wrong by so many ms, from the start of the thread or from `after` ms later on, and by `step` more with every `every` ms
   * behind that.
   */
  wallOffsetMs: number;
  wallAfterMs: number;
  /** 0: the wall clock jumps once. */
  wallEveryMs: number;
  wallStepMs: number;
}

export const noFaults: FaultOptions = {
  killPoint: KillPoint.none,
  killAtCommit: 0,
  throwRrn: '',
  laneDelayMs: 0,
  laneNoSync: false,
  wallOffsetMs: 0,
  wallAfterMs: 0,
  wallEveryMs: 0,
  wallStepMs: 0,
};

/** Reads the planted faults of a test from the environment. */
export function faultsFromEnvironment(environment: Record<string, string | undefined>): FaultOptions {
  const [point, count] = (environment.HOLDFAST_FAULT_KILL ?? '').split(':');
  const [offset, after, every, step] = (environment.HOLDFAST_FAULT_WALL ?? '').split(':');
  return {
    killPoint:
      point === 'before-append'
        ? KillPoint.beforeAppend
        : point === 'append-release'
          ? KillPoint.betweenAppendAndRelease
          : point === 'after-release'
            ? KillPoint.afterRelease
            : KillPoint.none,
    killAtCommit: Number(count ?? 0),
    throwRrn: environment.HOLDFAST_FAULT_THROW_RRN ?? '',
    laneDelayMs: Number(environment.HOLDFAST_FAULT_LANE_DELAY_MS ?? 0),
    laneNoSync: environment.HOLDFAST_FAULT_NO_SYNC === '1',
    wallOffsetMs: Number(offset ?? 0),
    wallAfterMs: Number(after ?? 0),
    wallEveryMs: Number(every ?? 0),
    wallStepMs: Number(step ?? 0),
  };
}

/** Names of the fault variables that are set, for a line in the log that nobody overlooks. */
export function plantedFaults(environment: Record<string, string | undefined>): string[] {
  return faultVariables.filter((name) => (environment[name] ?? '') !== '');
}

/** A background task that fails at its first starts: `HOLDFAST_FAULT_TASK=<segments or checkpoint>:<n>`. */
export interface TaskFault {
  readonly task: string;
  /** How many starts fail. */
  readonly starts: number;
}

/** Reads the planted fault of the background tasks from the environment. */
export function taskFaultFromEnvironment(environment: Record<string, string | undefined>): TaskFault {
  const [task, starts] = (environment.HOLDFAST_FAULT_TASK ?? '').split(':');
  return { task: task ?? '', starts: Number(starts ?? 0) };
}

/** Step of a drop of the journal at which the process is killed: `HOLDFAST_FAULT_DROP=<step>` (control/journal/retention.ts). */
export function dropFaultFromEnvironment(environment: Record<string, string | undefined>): string {
  return environment.HOLDFAST_FAULT_DROP ?? '';
}

/** Step of an approval at which the process is killed: `HOLDFAST_FAULT_APPROVAL=<step>` (control/approvals.ts). */
export function approvalFaultFromEnvironment(environment: Record<string, string | undefined>): string {
  return environment.HOLDFAST_FAULT_APPROVAL ?? '';
}

export class Faults {
  readonly #options: FaultOptions;
  #commits = 0;

  constructor(options: FaultOptions) {
    this.#options = options;
  }

  get throwRrn(): string {
    return this.#options.throwRrn;
  }

  /** The wall clock of a thread that begins now, ms since 1970 UTC, with the planted error. */
  wallClock(wallMs: () => number, monotonicUs: () => number): () => number {
    const { wallOffsetMs, wallAfterMs, wallEveryMs, wallStepMs } = this.#options;
    if (wallOffsetMs === 0) return wallMs;
    const wrongUs = monotonicUs() + wallAfterMs * 1000;
    return () => {
      const sinceUs = monotonicUs() - wrongUs;
      if (sinceUs < 0) return wallMs();
      const steps = wallEveryMs === 0 ? 0 : Math.floor(sinceUs / (wallEveryMs * 1000));
      return wallMs() + wallOffsetMs + steps * wallStepMs;
    };
  }

  /** Counts a commit that is about to begin. */
  beginCommit(): void {
    this.#commits++;
  }

  /** Kills the process when a test asked for it here. The trace line goes to stderr first, synchronously. */
  reach(point: KillPoint): void {
    if (this.#options.killPoint !== point || this.#commits !== this.#options.killAtCommit) return;
    writeSync(2, `fault: kill point ${point} at commit ${this.#commits}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
}
