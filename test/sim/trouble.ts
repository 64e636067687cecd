/** The faults of a simulated world: what is wrong at the moment, and how each of them begins and ends. */
import { ShardState } from '#src/ring/control-block.js';
import type { CommitFate, DiskFaults, SimDisk } from './disk.js';
import type { SimEngine } from './engine.js';
import type { Peer } from './peer.js';
import type { Fault } from './plan.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

export interface TroubleWorld {
  readonly scheduler: Scheduler;
  readonly disk: SimDisk;
  readonly peers: readonly Peer[];
  engine: SimEngine | undefined;
  threads: number;
  readonly shards: number;
  after(us: number, call: () => void): void;
}

interface Armed {
  /** Commits, or places in turns, until it happens. */
  left: number;
  readonly path: RegExp;
  readonly fate: CommitFate;
}

const SECOND = 1_000_000;
const HOUR_MS = 3_600_000;

export class Trouble implements DiskFaults {
  /** What an operator has accepted, what drift has added, and the steps that nobody has set right yet: wall clock minus true time, ms. */
  #acceptedMs = 0;
  #driftedMs = 0;
  #stepMs = 0;
  /** What a look at the clock costs now, us. */
  lookUs: number;
  isPartitioned = false;
  /** A commit of the journal failed on purpose: the process may end with 74. */
  flushFailed = false;
  /** Journal frames are rotten: a start may end with 76. */
  rotten: (() => void)[] = [];
  /** A shard may stop, rows or segments may be found damaged. */
  plantedThrows = 0;
  damagedRows = false;
  damagedSegments = false;
  readonly injected = new Map<string, number>();
  readonly #world: TroubleWorld;
  readonly #flushUs: number;
  readonly #usualLookUs: number;
  readonly #random: Random;
  /** Takes back the throws that have not come yet. */
  readonly #throwing: (() => void)[] = [];
  #armed: Armed | undefined;
  #pointsLeft = 0;
  #slowFlushes = 0;
  #driftPerSecondMs = 0;
  #driftSinceUs = 0;

  constructor(world: TroubleWorld, flushUs: number, lookUs: number, random: Random) {
    this.#world = world;
    this.#flushUs = flushUs;
    this.#usualLookUs = lookUs;
    this.lookUs = lookUs;
    this.#random = random;
  }

  count(fault: string): void {
    this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
  }

  /** Wall clock of the engine's machine, ms. */
  wallMs(): number {
    const { scheduler } = this.#world;
    return Math.floor(scheduler.wallMs + this.#acceptedMs + this.#stepMs + this.#driftMs());
  }

  #driftMs(): number {
    const { nowUs } = this.#world.scheduler;
    return this.#driftedMs + (this.#driftPerSecondMs * (nowUs - this.#driftSinceUs)) / SECOND;
  }

  /** Everything that was wrong is right again, but for what is on the disk. */
  heal(): void {
    this.#armed = undefined;
    this.#pointsLeft = 0;
    this.#slowFlushes = 0;
    this.lookUs = this.#usualLookUs;
    this.isPartitioned = false;
    this.restoreJournal();
    const { engine } = this.#world;
    if (engine !== undefined) engine.control.refuse = false;
    // A throw that is still to come would come in the quiet world.
    for (const disarm of this.#throwing.splice(0)) disarm();
  }

  // ---- the disk ----

  fateOf(path: string): CommitFate {
    const slow = this.#slowFlushes > 0 && path.startsWith('journal');
    if (slow) this.#slowFlushes--;
    this.#world.scheduler.spend(slow ? this.#random.int(200_000, 4 * SECOND) : this.#random.latency(this.#flushUs));
    const armed = this.#armed;
    if (armed === undefined || !armed.path.test(path) || --armed.left > 0) return 'done';
    this.#armed = undefined;
    this.count(`disk: ${armed.fate}`);
    if (armed.fate.startsWith('failed') && /^(journal|system)/.test(path)) this.flushFailed = true;
    return armed.fate;
  }

  /** A place in a turn or a recovery at which a crash may come. */
  onPoint(engine: SimEngine): void {
    if (this.#pointsLeft === 0 || --this.#pointsLeft > 0) return;
    engine.life.die('at a place that was drawn');
  }

  // ---- what begins now ----

  begin(fault: Fault, random: Random): void {
    const { engine } = this.#world;
    // A process that is down has no more trouble to come.
    if (engine === undefined || !engine.isUp) return;
    this.count(fault);
    switch (fault) {
      case 'kill':
        engine.life.end({ status: 137, why: 'a kill', error: undefined });
        return;
      case 'kill in a commit':
        this.#armed = {
          left: random.int(1, 8),
          path: /./,
          fate: random.pick<CommitFate>(['crash before', 'crash after']),
        };
        return;
      case 'kill in a turn':
        this.#pointsLeft = random.int(1, 12);
        return;
      case 'kill in recovery':
        engine.life.end({ status: 137, why: 'a kill', error: undefined });
        if (random.chance(0.5)) this.#pointsLeft = random.int(1, 3);
        else this.#armed = { left: random.int(1, 2), path: /./, fate: 'crash before' };
        return;
      case 'failed flush':
        this.#armed = {
          left: random.int(1, 5),
          path: /^(journal|system)/,
          fate: random.pick<CommitFate>(['failed', 'failed although done']),
        };
        return;
      case 'checkpoint fails':
        this.#armed = { left: random.int(1, 3), path: /^state/, fate: 'failed' };
        return;
      case 'segments fail':
        this.#armed = { left: random.int(1, 3), path: /^segments/, fate: 'failed' };
        return;
      case 'slow flush':
        this.#slowFlushes = random.int(1, 4);
        return;
      case 'slow machine':
        this.lookUs = random.pick([200, 2000]);
        this.#world.after(random.int(1, 10) * SECOND, () => {
          this.lookUs = this.#usualLookUs;
        });
        return;
      case 'stop':
        engine.stop(random.pick([0, 100, 5000]));
        return;
      case 'partition':
        this.isPartitioned = true;
        for (const peer of this.#world.peers) peer.breakAll();
        this.#world.after(random.int(1, 30) * SECOND, () => {
          this.isPartitioned = false;
        });
        return;
      case 'disk full':
        engine.control.refuse = true;
        this.#world.after(random.int(1, 20) * SECOND, () => {
          engine.control.refuse = false;
        });
        return;
      case 'threads change':
        this.#world.threads = Math.min(this.#world.shards, this.#world.threads === 1 ? 2 : 1);
        engine.stop(1000);
        return;
      case 'shard throws':
        this.#throwSoon(engine, random);
        return;
      default:
        this.#beginElse(fault, random, engine);
    }
  }

  #beginElse(fault: Fault, random: Random, engine: SimEngine): void {
    switch (fault) {
      case 'clock step':
        this.#stepClock(random, engine);
        return;
      case 'clock drift':
        this.#driftedMs = this.#driftMs();
        this.#driftSinceUs = this.#world.scheduler.nowUs;
        this.#driftPerSecondMs = random.pick([-2, -0.1, 0, 0.1, 2]);
        return;
      case 'days pass':
        this.#world.scheduler.spend(random.pick([1, 6, 20, 49, 170, 400]) * HOUR_MS * 1000);
        return;
      case 'rot in the journal':
        this.#rot(/^journal/, random, (undo) => this.rotten.push(undo));
        // Nobody looks at an old frame before the next start.
        engine.life.end({ status: 137, why: 'a kill', error: undefined });
        return;
      case 'rot in rows':
        this.#rot(/^state/, random, () => {
          this.damagedRows = true;
        });
        return;
      case 'rot in segments':
        this.#rot(/^segments/, random, () => {
          this.damagedSegments = true;
        });
        return;
      default:
        throw new Error(`no such fault: ${fault}`);
    }
  }

  /** The wall clock is set to another time; later it is set right, or an operator says that it is. */
  #stepClock(random: Random, engine: SimEngine): void {
    const step = random.pick([-3000, 3000, -60_000, 60_000, -2 * HOUR_MS, 2 * HOUR_MS, 30 * HOUR_MS]);
    if (this.#stepMs !== 0) return;
    this.#stepMs = step;
    this.#world.after(random.int(2, 120) * SECOND, () => {
      if (this.#stepMs === 0) return;
      if (random.chance(0.3) && this.#world.engine === engine) {
        engine.control.acceptClock();
        this.#acceptedMs += step;
      }
      this.#stepMs = 0;
    });
  }

  /** The next record of a shard stops it: behind what was applied, before it is in the journal. */
  #throwSoon(engine: SimEngine, random: Random): void {
    const thread = random.pick(engine.threads);
    const shard = random.pick(thread.live);
    if (engine.control.shardState(shard.number) !== ShardState.up) return;
    const { journal } = shard;
    this.plantedThrows++;
    const append = journal.appendMessage.bind(journal);
    const disarm = (): void => {
      journal.appendMessage = append;
    };
    this.#throwing.push(disarm);
    journal.appendMessage = () => {
      disarm();
      throw new Error('planted fault');
    };
  }

  #rot(path: RegExp, random: Random, then: (undo: () => void) => void): void {
    const { disk } = this.#world;
    const paths = disk.paths.filter((one) => path.test(one) && disk.rowsOf(one) > 0);
    if (paths.length === 0) return;
    const chosen = random.pick(paths);
    const undo = disk.rot(chosen, random.int(0, disk.rowsOf(chosen) - 1), random.int(0, 1 << 20));
    if (undo !== undefined) then(undo);
  }

  /** The backup is put back. */
  restoreJournal(): void {
    for (const undo of this.rotten.splice(0).reverse()) undo();
  }
}
