/**
 * The plan of a seed: what kind of world it is, and a list of steps drawn up front. A step is a name and a pause before it; all
 * else that it draws comes from a stream named by the seed and its number. So a shorter list of the same numbers is a plan, too,
 * and a failure is shrunk by leaving steps out.
 *
 * Swarm testing: each seed has only some of the stories and some of the faults, with rates of its own. A world in which everything
 * happens a little rarely gets deep into anything.
 */

import { defaultLinks, type LinkProfile } from '#src/ingress/links.js';
import type { EngineShape } from './engine.js';
import type { NetworkFaults } from './network.js';
import type { PeerFaults } from './peer.js';
import { Random } from './random.js';
import { type Story, stories } from './workload.js';

export const chores = ['post', 'clear', 'account', 'card', 'program', 'open'] as const;
export type Chore = (typeof chores)[number];

export const faults = [
  'kill',
  'kill in a commit',
  'kill in a turn',
  'kill in recovery',
  'failed flush',
  'slow flush',
  'slow machine',
  'stop',
  'partition',
  'clock step',
  'clock drift',
  'days pass',
  'disk full',
  'shard throws',
  'checkpoint fails',
  'segments fail',
  'rot in the journal',
  'rot in rows',
  'rot in segments',
  'threads change',
] as const;
export type Fault = (typeof faults)[number];

export type Step =
  | { readonly id: number; readonly gapMs: number; readonly story: Story }
  | { readonly id: number; readonly gapMs: number; readonly chore: Chore }
  | { readonly id: number; readonly gapMs: number; readonly fault: Fault }
  /** Everything settles, and the balances are told. */
  | { readonly id: number; readonly gapMs: number; readonly check: true };

export interface Plan {
  readonly seed: number;
  /** Simulated. */
  readonly seconds: number;
  readonly shape: EngineShape;
  readonly network: NetworkFaults;
  readonly peer: PeerFaults;
  /** Typical time of a flush, us. */
  readonly flushUs: number;
  /** What a look at the clock costs the engine, us. */
  readonly lookUs: number;
  readonly accounts: number;
  readonly patienceUs: number;
  readonly faults: readonly Fault[];
  readonly steps: readonly Step[];
}

export function nameOf(step: Step): string {
  if ('story' in step) return step.story;
  if ('chore' in step) return step.chore;
  return 'fault' in step ? `! ${step.fault}` : 'check';
}

/** Typical messages per simulated second and seed. */
const RATES = [0.15, 0.3, 0.6, 1.2] as const;
/** Steps that are checks: enough to find where something went wrong. */
const CHECKS_PER_STEP = 0.01;

export interface PlanOptions {
  readonly seconds: number;
  /** Numbers of the steps that stay; all without it. */
  readonly keep?: ReadonlySet<number>;
  /** Names of steps that are left out. */
  readonly without?: readonly string[];
  /** No faults at all: the smallest world. */
  readonly calm?: boolean;
}

export function planOf(seed: number, options: PlanOptions): Plan {
  const random = new Random(`plan ${seed}`);
  const calm = options.calm === true;
  const shape = shapeOf(random, calm);
  const some = <T>(list: readonly T[], share: number): T[] => list.filter(() => random.chance(share));
  const chosen = { stories: some(stories, 0.7), chores: some(chores, 0.7), faults: calm ? [] : some(faults, 0.35) };
  const faultsPerStep = calm ? 0 : random.pick([0.005, 0.02, 0.06]);
  const rate = random.pick(RATES);
  const steps: Step[] = [];
  let leftMs = options.seconds * 1000;
  for (let id = 1; leftMs > 0; id++) {
    // Bursts: most pauses are short, and a few are long.
    const typicalMs = random.chance(0.7) ? 60 : 3000 / rate;
    const gapMs = Math.floor(-Math.log(1 - random.real()) * typicalMs);
    leftMs -= gapMs;
    const what = random.real();
    if (what < CHECKS_PER_STEP) steps.push({ id, gapMs, check: true });
    else if (what < CHECKS_PER_STEP + faultsPerStep) {
      if (chosen.faults.length > 0) steps.push({ id, gapMs, fault: random.pick(chosen.faults) });
    } else if (what < 0.75 || chosen.chores.length === 0) {
      steps.push({ id, gapMs, story: random.chance(0.4) ? 'purchase' : random.pick([...chosen.stories, 'purchase']) });
    } else steps.push({ id, gapMs, chore: random.pick(chosen.chores) });
  }
  return {
    seed,
    seconds: options.seconds,
    shape,
    network: {
      delayUs: random.pick([200, 2000, 40_000]),
      split: calm ? 0 : random.pick([0, 0.05, 0.4]),
      reset: calm ? 0 : random.pick([0, 0, 0.003, 0.02]),
    },
    peer: {
      drop: calm ? 0 : random.pick([0, 0, 0.02, 0.1]),
      duplicate: calm ? 0 : random.pick([0, 0, 0.02, 0.1]),
    },
    flushUs: random.pick([300, 1000, 5000]),
    lookUs: random.pick([1, 1, 1, 20]),
    accounts: random.int(3, 10),
    patienceUs: random.pick([1_800_000, 4_000_000, 10_000_000]),
    faults: chosen.faults,
    steps: steps.filter(
      (step) => options.keep?.has(step.id) !== false && options.without?.includes(nameOf(step)) !== true,
    ),
  };
}

function shapeOf(random: Random, calm: boolean): EngineShape {
  const flags = { host: '', tcpPort: 0, wsPort: 0, framing: 'len2', headerBytes: 0, dialect: 'iso87-bcd' } as const;
  const tcp = defaultLinks(flags)[0]!;
  const link = (number: number, dialect: LinkProfile['dialect'], signOnRequired: boolean): LinkProfile => ({
    ...tcp,
    ...{ name: `link-${number}`, number, dialect, signOnRequired, deadlineMs: random.pick([1500, 1500, 300]) },
    inFlightMax: random.pick([64, 64, 4]),
  });
  const shards = random.pick([1, 2, 4]);
  return {
    shards,
    threads: Math.min(shards, random.pick([1, 2])),
    links: [link(1, 'iso87-bcd', false), link(2, random.pick(['iso87-ascii', 'iso87-ascii-bin']), random.chance(0.5))],
    inFlight: 128,
    laneDelayMs: calm ? 0 : random.pick([0, 0, 5, 40]),
    environmentBytes: random.pick([20_000, 200_000, 1_000_000]),
    segmentRecords: random.pick([10, 50, 1000]),
    segmentPollUs: random.pick([1_000_000, 4_000_000]),
    wakeUs: random.pick([30, 200]),
  };
}
