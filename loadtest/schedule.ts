/**
 * When each message is due. The schedule is made before and apart from the traffic: a slow server moves no send time, so
 * a latency counted from here shows every stall (no coordinated omission).
 */
import type { Mix } from './kinds.js';
import { Random } from './random.js';

/** A part of a run with a constant rate. */
export interface Stage {
  /** Microseconds. */
  readonly durationUs: number;
  /** Messages per second of the whole run, all workers together. */
  readonly rate: number;
  /** Weights of its own in place of the run's. */
  readonly mix?: Mix;
}

export type Arrival = 'constant' | 'poisson';

export interface SchedulePlan {
  /** Steps, one after another; the warm-up, if any, is the first one. */
  readonly stages: readonly Stage[];
  readonly arrival: Arrival;
  readonly seed: number;
  readonly worker: number;
  readonly workers: number;
}

/** Arrival times of one worker, microseconds after the start of the run, in rising order. */
export class Schedule {
  readonly #plan: SchedulePlan;
  readonly #random: Random;
  #stage = 0;
  #stageStart = 0;
  #inStage = 0;
  #clock = 0;

  constructor(plan: SchedulePlan) {
    this.#plan = plan;
    this.#random = new Random(plan.seed, 0x5c4ed + plan.worker);
  }

  /** Weights of the stage that the last send time belongs to, where it has its own. */
  get mix(): Mix | undefined {
    return this.#plan.stages[this.#stage]?.mix;
  }

  /** Mean time between two sends of this worker, us, in the stage that the last send time belongs to. */
  get intervalUs(): number {
    const { stages, workers } = this.#plan;
    return (1_000_000 * workers) / (stages[this.#stage]?.rate ?? 0);
  }

  /** The next send time, or Infinity when the run's schedule has ended. */
  next(): number {
    const { stages, workers, worker, arrival } = this.#plan;
    while (this.#stage < stages.length) {
      const stage = stages[this.#stage]!;
      const intervalUs = (1_000_000 * workers) / stage.rate;
      let at: number;
      if (arrival === 'constant') {
        // Workers share the interval evenly, so that together they make one evenly spaced stream.
        at = this.#stageStart + (this.#inStage + worker / workers) * intervalUs;
      } else {
        this.#clock = Math.max(this.#clock, this.#stageStart) - Math.log(1 - this.#random.unit()) * intervalUs;
        at = this.#clock;
      }
      if (at < this.#stageStart + stage.durationUs - 1e-6) {
        this.#inStage++;
        return at;
      }
      // The overshoot of the old rate says nothing about the next stage: draw anew from its start.
      this.#stageStart += stage.durationUs;
      this.#clock = this.#stageStart;
      this.#inStage = 0;
      this.#stage++;
    }
    return Number.POSITIVE_INFINITY;
  }
}

/** Length of all stages in microseconds. */
export function totalUs(stages: readonly Stage[]): number {
  return stages.reduce((sum, stage) => sum + stage.durationUs, 0);
}
