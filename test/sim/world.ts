/**
 * A simulated world: one engine and its disk, the networks around it, the issuer's office, and what goes wrong. It follows a plan,
 * tells an observer everything that an outsider could see, and finds fault itself with what no observer sees: a process that ends
 * for no reason, a shard that stops by itself, a world that does not settle, books that do not come out of the journal again.
 */
import { crc32 } from 'node:zlib';
import type { Command, CommandResult } from '#src/domain/commands.js';
import { ExitStatus } from '#src/errors.js';
import type { LinkProfile } from '#src/ingress/links.js';
import type { Fields } from '#src/iso8583/message.js';
import { frameSequences } from '#src/journal/frame.js';
import { BackgroundTask, ShardState } from '#src/ring/control-block.js';
import { BackOffice } from './back-office.js';
import { BooksCheck } from './books-check.js';
import { SimDisk } from './disk.js';
import { SimEngine } from './engine.js';
import { SimStream } from './network.js';
import { AuditFailure, type Observer, type SimConnection, type SimTime } from './observation.js';
import { Office } from './office.js';
import { Peer } from './peer.js';
import type { Chore, Plan, Step } from './plan.js';
import { endBy, type ProcessEnd } from './process.js';
import { programText } from './programs.js';
import { Random } from './random.js';
import { Scheduler } from './scheduler.js';
import { Trace } from './trace.js';
import { Trouble } from './trouble.js';
import { type Purchase, Workload } from './workload.js';

export interface WorldOptions {
  readonly observer: Observer;
  readonly onLine?: (line: string) => void;
  /** Plants a bug: called for each process before it starts. */
  readonly sabotage?: (engine: SimEngine) => void;
}

export interface WorldStats {
  simulatedSeconds: number;
  /** Of these, skipped in one jump: days that passed. */
  skippedSeconds: number;
  messages: number;
  replies: number;
  commands: number;
  records: number;
  crashes: number;
  restarts: number;
  checks: number;
  faults: Record<string, number>;
}

const SECOND = 1_000_000;
const SETTLE_US = 900 * SECOND;
const MONOTONIC_BEGINS_US = 1_000_000_000;
/** Log lines that nobody asked for: each is a finding. */
const DEFECTS = [
  'connection closed by a defect of the ingress',
  'a roll-back failed twice',
  'a request that is refused cannot be answered',
] as const;

export class World {
  readonly scheduler = new Scheduler();
  readonly plan: Plan;
  readonly trace: Trace;
  readonly disk: SimDisk;
  readonly trouble: Trouble;
  readonly peers: readonly Peer[];
  readonly office: Office;
  readonly workload: Workload;
  readonly shards: number;
  threads: number;
  engine: SimEngine | undefined;
  /** Steps of the plan so far. */
  stepsTaken = 0;
  readonly stats: WorldStats = {
    ...{ simulatedSeconds: 0, skippedSeconds: 0, messages: 0, replies: 0, commands: 0, records: 0, crashes: 0 },
    ...{ restarts: 0, checks: 0, faults: {} },
  };
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #backOffice: BackOffice;
  readonly #books: BooksCheck;
  readonly #streams = new Set<SimStream>();
  readonly #network: { delayUs: number; split: number; reset: number };
  readonly #peerFaults: { drop: number; duplicate: number };
  #streamCount = 0;
  #starts = 0;
  #isHealing = false;
  #failure: unknown;

  constructor(plan: Plan, options: WorldOptions) {
    this.plan = plan;
    this.#options = options;
    this.trace = new Trace(options.onLine);
    this.shards = plan.shape.shards;
    this.threads = plan.shape.threads;
    this.#random = new Random(`world ${plan.seed}`);
    this.trouble = new Trouble(this.#troubleWorld(), plan.flushUs, plan.lookUs, this.#random.fork('trouble'));
    this.disk = new SimDisk(this.trouble);
    this.disk.onDurable = (path, key, value) => this.#durable(path, key, value);
    this.#network = { ...plan.network };
    this.#peerFaults = { ...plan.peer };
    const connections = { next: 0 };
    this.peers = plan.shape.links.map(
      (link, i) =>
        new Peer(this.#peerWorld(), link, this.#peerFaults, this.#random.fork(`peer ${i}`), connections, 1 + (i % 2)),
    );
    this.office = new Office(this.#officeWorld(), this.shards);
    this.workload = new Workload(this.#workloadWorld());
    this.#backOffice = new BackOffice(this.#backOfficeWorld(), this.office);
    this.#books = new BooksCheck(this);
  }

  get wallMs(): number {
    return this.scheduler.wallMs;
  }

  /** Follows the plan to its end. @throws what was found */
  async run(): Promise<void> {
    this.#start();
    for (let i = 0; i < this.plan.accounts; i++) this.office.open(this.#random.fork(`account ${i}`), 1 + (i % 3));
    this.office.applyProgram(programText(this.#random.fork('program'), 1), 1);
    for (const peer of this.peers) peer.start();
    await this.#settle();
    this.#goOn();
    for (const step of this.plan.steps) {
      await this.#runUntil(this.scheduler.nowUs + step.gapMs * 1000);
      this.stepsTaken++;
      await this.#take(step);
    }
    await this.#settle();
    await this.#check();
    await this.#books.end();
    this.#tell((observer) => observer.ended());
    this.#throwFailure();
    this.stats.simulatedSeconds = Math.floor(this.scheduler.nowUs / SECOND);
    this.stats.faults = Object.fromEntries([...this.trouble.injected].sort());
  }

  async #take(step: Step): Promise<void> {
    const random = this.#random.fork(`step ${step.id}`);
    if ('check' in step) {
      this.trace.add(this.scheduler.nowUs, `step ${step.id} check`);
      await this.#settle();
      await this.#check();
      this.#goOn();
      return;
    }
    const name = 'story' in step ? step.story : 'chore' in step ? step.chore : step.fault;
    this.trace.add(this.scheduler.nowUs, `step ${step.id} ${name}`);
    if ('story' in step) {
      if (this.office.cards.length > 0) this.workload.tell(step.story, random);
    } else if ('fault' in step) {
      const before = this.scheduler.nowUs;
      this.trouble.begin(step.fault, random);
      if (step.fault === 'days pass') this.stats.skippedSeconds += Math.floor((this.scheduler.nowUs - before) / SECOND);
    } else this.#chore(step, random);
    this.#throwFailure();
  }

  #chore(step: Step & { chore: Chore }, random: Random): void {
    const { office } = this;
    switch (step.chore) {
      case 'post':
        this.#backOffice.post(random);
        break;
      case 'clear':
        this.#backOffice.clear(random);
        break;
      case 'account':
        office.changeAccount(random, random.pick(office.accounts));
        break;
      case 'card':
        if (office.cards.length > 0) office.changeCard(random, random.pick(office.cards));
        break;
      case 'program':
        office.applyProgram(programText(random, office.revision + 1), office.revision + 1);
        break;
      case 'open':
        office.open(random, 1);
        break;
    }
  }

  /** What is wrong with the world by nature is wrong again. */
  #goOn(): void {
    this.#isHealing = false;
    Object.assign(this.#network, this.plan.network);
    Object.assign(this.#peerFaults, this.plan.peer);
  }

  // ---- time ----

  async #runUntil(untilUs: number, isDone: () => boolean = () => false): Promise<void> {
    while (!isDone()) {
      const more = this.scheduler.step(untilUs);
      this.#throwFailure();
      if ((this.engine?.promises ?? 0) > 0) await new Promise((resolve) => setImmediate(resolve));
      if (!more) return;
    }
  }

  /** Nothing is wrong any more, and everything that waits comes to its end. */
  async #settle(): Promise<void> {
    this.#isHealing = true;
    this.trouble.heal();
    Object.assign(this.#network, { reset: 0 });
    Object.assign(this.#peerFaults, { drop: 0, duplicate: 0 });
    const untilUs = this.scheduler.nowUs + SETTLE_US;
    while (!this.#isQuiet()) {
      if (this.scheduler.nowUs >= untilUs) {
        throw new AuditFailure('the world does not settle', {
          up: this.engine?.isUp ?? false,
          commands: this.office.pending,
          peers: this.peers.map(({ waiting, kept, isConnected }) => ({ waiting, kept, isConnected })),
          inFlight: this.engine?.ingress.stats().inFlight,
        });
      }
      // A shard that stopped too often, and a background task after a failed commit, stay down until somebody restarts the process.
      if (this.engine?.isUp && (this.#shardsDown() > 0 || this.#tasksDown())) this.engine.stop(1000);
      await this.#runUntil(this.scheduler.nowUs + SECOND / 4);
    }
  }

  /** Calls some time later, but not while the world is to be quiet. */
  #later(us: number, call: () => void): void {
    this.scheduler.after(us, () => {
      if (this.#isHealing) this.#later(10 * SECOND, call);
      else call();
    });
  }

  #shardsDown(): number {
    let down = 0;
    for (let shard = 0; shard < this.shards; shard++)
      if (this.engine?.control.shardState(shard) === ShardState.down) down++;
    return down;
  }

  #tasksDown(): boolean {
    const { control } = this.engine!;
    return !control.taskRuns(BackgroundTask.segments) || !control.taskRuns(BackgroundTask.checkpoint);
  }

  #isQuiet(): boolean {
    const { engine } = this;
    if (engine === undefined || !engine.isUp || engine.isStopping || engine.control.stop !== 0) return false;
    for (let shard = 0; shard < this.shards; shard++)
      if (engine.control.shardState(shard) !== ShardState.up) return false;
    const isSilent = this.peers.every(
      ({ waiting, kept, onTheWay, isConnected }) => waiting === 0 && kept === 0 && onTheWay === 0 && isConnected,
    );
    return isSilent && this.office.pending === 0 && engine.ingress.stats().inFlight === 0 && engine.isSettled;
  }

  /** Runs the world until the question is answered. */
  async ask(question: (then: () => void) => void): Promise<void> {
    let isDone = false;
    question(() => {
      isDone = true;
    });
    await this.#runUntil(this.scheduler.nowUs + 60 * SECOND, () => isDone);
    if (!isDone) throw new AuditFailure('a question is not answered in a quiet world');
  }

  async #check(): Promise<void> {
    this.stats.checks++;
    await this.ask((then) =>
      this.#books.read((accounts) => {
        then();
        this.trace.add(
          this.scheduler.nowUs,
          `state ${JSON.stringify(accounts.map(({ posted, held }) => [posted, held]))}`,
        );
        this.#tell((observer) => observer.state(accounts, this.#now()));
      }),
    );
    this.#throwFailure();
  }

  // ---- the process ----

  #start(): void {
    const number = ++this.#starts;
    this.disk.tellUntold();
    if (number > 1) this.stats.restarts++;
    let engine: SimEngine;
    try {
      engine = this.#process(number);
    } catch (error) {
      this.#ended(endBy(error));
      return;
    }
    this.engine = engine;
    this.#options.sabotage?.(engine);
    engine.start();
  }

  #process(number: number): SimEngine {
    const { plan, scheduler, trouble } = this;
    return new SimEngine({
      shape: { ...plan.shape, threads: this.threads },
      disk: this.disk,
      scheduler,
      random: this.#random.fork(`process ${number}`),
      clock: {
        monotonicUs: () => {
          scheduler.spend(trouble.lookUs);
          return MONOTONIC_BEGINS_US + scheduler.nowUs;
        },
        wallMs: () => trouble.wallMs(),
      },
      log: (level, text, fields) => this.#logged(level, text, fields),
      onEnd: (end) => this.#ended(end),
      onPoint: (one) => trouble.onPoint(one),
      onRecovered: () => {
        this.trace.add(scheduler.nowUs, `process ${number} has recovered`);
        if (number > 1) this.#tell((observer) => observer.restarted());
      },
      onUp: () => this.office.resume(),
    });
  }

  #ended({ status, why, error }: ProcessEnd): void {
    this.trace.add(this.scheduler.nowUs, `process ends with ${status}: ${why}`);
    this.stats.crashes++;
    this.engine = undefined;
    for (const stream of this.#streams) stream.vanish();
    this.#streams.clear();
    this.disk.crash();
    this.office.lost();
    this.#tell((observer) => observer.crashed());
    if (!this.#isExpected(status)) this.#fail(error ?? new AuditFailure(`the process ended with ${status}: ${why}`));
    const pause = this.#random.fork(`pause ${this.#starts}`).int(100, 5000) * 1000;
    this.scheduler.after(pause, () => {
      if (this.#failure === undefined) this.#start();
    });
  }

  #isExpected(status: number): boolean {
    const { trouble } = this;
    if (status === ExitStatus.forced || status === ExitStatus.ok) return true;
    if (status === ExitStatus.journal && trouble.flushFailed) {
      trouble.flushFailed = false;
      return true;
    }
    if (status === ExitStatus.invariant && trouble.rotten.length > 0) {
      trouble.count('rot was found');
      trouble.restoreJournal();
      return true;
    }
    return false;
  }

  #logged(level: string, text: string, fields: object): void {
    const line = JSON.stringify(fields, (key, value: unknown) =>
      key === 'stack' || key === 'err' ? undefined : value,
    );
    this.trace.add(this.scheduler.nowUs, `log ${level} ${text} ${line}`);
    this.#tell((observer) => observer.logged(`${level} ${text} ${line}`));
    if (text.startsWith('a shard stopped;')) {
      const { error } = fields as { error?: string };
      const isRot = this.trouble.rotten.length > 0 && String(error).startsWith('HoldfastError');
      if (!isRot && !String(error).includes('planted fault'))
        this.#fail(new AuditFailure('a shard stopped by itself', { ...fields }));
    }
    if (DEFECTS.some((defect) => text === defect)) this.#fail(new AuditFailure(text, { ...fields }));
    if (text.startsWith('the checkpoint is not used') && !this.trouble.damagedRows)
      this.#fail(new AuditFailure('a checkpoint is found wrong that nobody damaged', { ...fields }));
    if (text.startsWith('the fingerprint segments of a shard are damaged') && !this.trouble.damagedSegments)
      this.#fail(new AuditFailure('segments are found damaged that nobody damaged', { ...fields }));
  }

  // ---- the observer ----

  #now(): SimTime {
    return { us: this.scheduler.nowUs, wallMs: this.scheduler.wallMs };
  }

  /** What the observer throws is a finding, and none of the engine's business. */
  #tell(call: (observer: Observer) => void): void {
    if (this.#failure !== undefined) return;
    try {
      call(this.#options.observer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #durable(path: string, _key: Uint8Array, value: Uint8Array): void {
    if (!/^(journal|system)/.test(path) || value[2] !== 0x4a) return; // rows of the index begin with HFX1, frames with HFJ1
    const shard = (value[6]! << 8) | value[7]!;
    const { first, last } = frameSequences(value);
    this.stats.records += last - first + 1;
    this.trace.add(this.scheduler.nowUs, `durable ${shard}/${first}-${last} ${crc32(value)}`);
    this.#tell((observer) => observer.durable(shard, value));
  }

  // ---- what the parts see of the world ----

  #peerWorld() {
    const world = this;
    return {
      get nowUs(): number {
        return world.scheduler.nowUs;
      },
      get wallMs(): number {
        return world.scheduler.wallMs;
      },
      after: (us: number, call: () => void) => this.scheduler.after(us, call),
      connect: (link: LinkProfile, begin: (stream: SimStream) => void) => this.#connect(link, begin),
      count: (fault: string) => this.trouble.count(fault),
      sent: (connection: SimConnection, bytes: Uint8Array, fields: Fields | undefined) => {
        this.stats.messages++;
        const name = `${fields?.[0]} ${fields?.[11]} ${fields?.[4] ?? ''}`;
        this.trace.add(this.scheduler.nowUs, `sent on ${connection.id} ${name} ${crc32(bytes)}`);
        this.#tell((observer) => observer.sent({ connection, bytes, fields, at: this.#now() }));
      },
      answered: (connection: SimConnection, bytes: Uint8Array, fields: Fields | undefined) => {
        this.stats.replies++;
        const name = `${fields?.[0]} ${fields?.[11]} ${fields?.[39]}`;
        this.trace.add(this.scheduler.nowUs, `answered on ${connection.id} ${name} ${crc32(bytes)}`);
        this.#tell((observer) => observer.answered({ connection, bytes, fields, at: this.#now() }));
      },
    };
  }

  #connect(link: LinkProfile, begin: (stream: SimStream) => void): SimStream | undefined {
    if (this.engine === undefined || !this.engine.isUp || this.trouble.isPartitioned) return undefined;
    const id = ++this.#streamCount;
    const count = (fault: string): void => this.trouble.count(fault);
    const stream = new SimStream(id, this.scheduler, this.#random.fork(`stream ${id}`), this.#network, count);
    if (!this.engine.accept(stream, link.number)) return undefined;
    this.#streams.add(stream);
    begin(stream);
    return stream;
  }

  #officeWorld() {
    const world = this;
    return {
      get engine(): SimEngine | undefined {
        return world.engine;
      },
      after: (us: number, call: () => void) => void this.scheduler.after(us, call),
      later: (us: number, call: () => void) => this.#later(us, call),
      commanded: (shard: number, id: number, command: Command) => {
        this.stats.commands++;
        this.trace.add(this.scheduler.nowUs, `command ${id} to shard ${shard}: ${command.op}`);
        this.#tell((observer) => observer.commanded({ shard, id, command, at: this.#now() }));
      },
      resulted: (shard: number, id: number, result: CommandResult) => {
        this.trace.add(this.scheduler.nowUs, `result ${id}: ${result.ok ? result.sequence : result.code}`);
        this.#tell((observer) => observer.resulted({ shard, id, result, at: this.#now() }));
      },
    };
  }

  #workloadWorld() {
    const world = this;
    return {
      get wallMs(): number {
        return world.scheduler.wallMs;
      },
      get peers(): readonly Peer[] {
        return world.peers;
      },
      get cards() {
        return world.office.cards;
      },
      after: (us: number, call: () => void) => {
        // What would come later would keep the world from settling.
        if (!this.#isHealing) this.scheduler.after(us, call);
      },
      patienceUs: this.plan.patienceUs,
    };
  }

  #backOfficeWorld() {
    const world = this;
    return {
      get wallMs(): number {
        return world.scheduler.wallMs;
      },
      shards: this.shards,
      get purchases() {
        return world.workload.purchases;
      },
      later: (us: number, call: () => void) => world.#later(us, call),
      takeBack: (random: Random, purchase: Purchase) => world.workload.takeBack(random, purchase),
    };
  }

  #troubleWorld() {
    const world = this;
    return {
      scheduler: this.scheduler,
      get disk(): SimDisk {
        return world.disk;
      },
      get peers(): readonly Peer[] {
        return world.peers;
      },
      get engine(): SimEngine | undefined {
        return world.engine;
      },
      get threads(): number {
        return world.threads;
      },
      set threads(count: number) {
        world.threads = count;
      },
      shards: this.shards,
      after: (us: number, call: () => void) => void this.scheduler.after(us, call),
    };
  }
}
