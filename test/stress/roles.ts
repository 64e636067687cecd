/**
 * What the threads of the stress do. A thread runs one role until it has done its share or is told to stop, checks everything that it
 * sees, and tells the first thing that is wrong. Which files it imports is told by who starts it: the ring's own, or one with a defect.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type * as BoardModule from '#src/journal/segment-board.js';
import type * as ControlModule from '#src/ring/control-block.js';
import type * as DirectoryModule from '#src/ring/directory.js';
import type * as RingModule from '#src/ring/ring.js';
import type * as WakeModule from '#src/ring/wake.js';

export interface RoleData {
  readonly role: string;
  /** URLs of the modules under test. */
  readonly modules: Readonly<Record<'ring' | 'wake' | 'directory' | 'control' | 'board', string>>;
  /** [0] stop; [16 + 16 x role] progress of a role: the watchdog looks at it. */
  readonly words: SharedArrayBuffer;
  readonly index: number;
  readonly seed: number;
  readonly buffers: Readonly<Record<string, SharedArrayBuffer>>;
  readonly options: Readonly<Record<string, number>>;
}

const data = workerData as RoleData;
const words = new Int32Array(data.words);
const load = <M>(name: keyof RoleData['modules']): Promise<M> => import(data.modules[name]) as Promise<M>;
const { RingConsumer, RingProducer } = await load<typeof RingModule>('ring');
const { Sleeper, Waker } = await load<typeof WakeModule>('wake');

const stopped = (): boolean => Atomics.load(words, 0) !== 0;
const progress = (): void => {
  Atomics.add(words, 16 + 16 * data.index, 1);
};
const buffer = (name: string): SharedArrayBuffer => data.buffers[name]!;
const option = (name: string): number => data.options[name] ?? 0;

class Wrong extends Error {}
function must(condition: boolean, what: () => string): void {
  if (!condition) throw new Wrong(what());
}

/** Numbers that follow from a number: both sides of a ring know what the entry with this number is. */
function mixed(n: number): number {
  let x = Math.imul(n ^ (n >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** Mostly short payloads, now and then one as long as may be. */
function lengthOf(n: number, most: number): number {
  const x = mixed(n * 2 + 1);
  const kind = x & 15;
  return kind === 0 ? most : kind < 3 ? x % (most + 1) : (x >>> 8) % Math.min(most + 1, 64);
}

const kindOf = (n: number): number => 1 + (n % 7);
const last = (n: number): number => n >>> 0;

/** A small source of random numbers for what the other side need not know: batches, pauses, abandoned reservations. */
let state = data.seed >>> 0;
function random(below: number): number {
  state = (state + 0x9e3779b9) >>> 0;
  return mixed(state) % below;
}

/** Gives the processor away, or not: so the sides meet in every way. */
const pauseWord = new Int32Array(new SharedArrayBuffer(4));
function pause(): void {
  const kind = random(40);
  if (kind === 0) Atomics.wait(pauseWord, 0, 0, 1);
  else if (kind < 10) for (let i = random(300); i > 0; i--) Atomics.load(pauseWord, 0);
}

class Sender {
  readonly #ring: RingModule.RingProducer;
  readonly #most: number;
  #n = 0;

  constructor(ring: RingModule.RingProducer, most: number) {
    this.#ring = ring;
    this.#most = most;
  }

  /** Entries sent so far. */
  get sent(): number {
    return this.#n;
  }

  /** False when the ring is full. */
  send(): boolean {
    const n = last(this.#n + 1);
    const ring = this.#ring;
    const length = lengthOf(n, this.#most);
    if (random(16) === 0) ring.reserve(random(this.#most));
    const at = ring.reserve(random(8) === 0 ? this.#most : length);
    if (at < 0) return false;
    const { bytes } = ring;
    for (let i = 0; i < length; i++) bytes[at + i] = n + i * 7;
    ring.commit(kindOf(n), n & 1, n & 0xffff, n, mixed(n), n / 3, n * 5, length);
    this.#n = n;
    return true;
  }
}

class Receiver {
  readonly #ring: RingModule.RingConsumer;
  readonly #most: number;
  #n = 0;

  constructor(ring: RingModule.RingConsumer, most: number) {
    this.#ring = ring;
    this.#most = most;
  }

  get received(): number {
    return this.#n;
  }

  /** Takes what is there, at most so many; gives it back now and then, wiped or not. Returns how many it took. */
  take(most: number, wipe: boolean): number {
    const ring = this.#ring;
    let taken = 0;
    while (taken < most && ring.next()) {
      this.#check();
      ring.consume();
      taken++;
      if (random(4) === 0) this.#release(wipe);
    }
    this.#release(wipe);
    return taken;
  }

  #release(wipe: boolean): void {
    if (wipe) this.#ring.wipeConsumed();
    this.#ring.release();
  }

  #check(): void {
    const ring = this.#ring;
    const n = last(this.#n + 1);
    must(ring.token === n, () => `entry ${n} came as ${ring.token}`);
    const length = lengthOf(n, this.#most);
    const right =
      ring.kind === kindOf(n) &&
      ring.flag === (n & 1) &&
      ring.shard === (n & 0xffff) &&
      ring.a === mixed(n) &&
      ring.timeUs === n / 3 &&
      ring.b === n * 5 &&
      ring.payloadLength === length;
    must(right, () => `the header of entry ${n} is another`);
    const { bytes, payloadAt } = ring;
    if (random(3) === 0) pause();
    for (let i = 0; i < length; i++)
      must(bytes[payloadAt + i] === ((n + i * 7) & 0xff), () => `byte ${i} of entry ${n} is ${bytes[payloadAt + i]}`);
    this.#n = n;
  }
}

const LONG_MS = 3_600_000;

/** Fills a ring as fast as it can, and signals once per batch. */
function flood(): void {
  const sender = new Sender(new RingProducer(buffer('ring')), option('most'));
  const waker = new Waker(buffer('wake'));
  while (!stopped()) {
    for (let batch = 1 + random(20); batch > 0 && sender.send(); batch--) progress();
    waker.signal();
    pause();
  }
  waker.signal();
}

/** Empties it, sleeping for as long as it takes: a wake-up that is lost is a thread that makes no progress. */
function drain(): void {
  const ring = new RingConsumer(buffer('ring'));
  const receiver = new Receiver(ring, option('most'));
  const sleeper = new Sleeper(buffer('wake'));
  while (!stopped()) {
    if (receiver.take(1 + random(200), option('wipe') === 1) > 0) progress();
    else sleeper.block(LONG_MS, () => ring.pendingBytes > 0 || stopped());
    pause();
  }
}

/** Asks and waits for as many answers: then both threads sleep between two rounds. */
function ask(): void {
  const replies = new RingConsumer(buffer('replies'));
  const sender = new Sender(new RingProducer(buffer('requests')), option('most'));
  const receiver = new Receiver(replies, option('most'));
  const sleeper = new Sleeper(buffer('clientWake'));
  const waker = new Waker(buffer('threadWake'));
  while (!stopped()) {
    for (let batch = 1 + random(6); batch > 0; batch--) sender.send();
    waker.signal();
    while (receiver.received < sender.sent && !stopped()) {
      if (receiver.take(100, false) === 0) sleeper.block(LONG_MS, () => replies.pendingBytes > 0 || stopped());
    }
    progress();
    if (random(64) === 0) pause();
  }
  waker.signal();
}

/** Answers several clients that wait for one another's thread: one wake-up serves all rings. */
function answer(): void {
  const clients = Array.from({ length: option('clients') }, (_, i) => {
    const requests = new RingConsumer(buffer(`requests${i}`));
    return {
      requests,
      receiver: new Receiver(requests, option('most')),
      sender: new Sender(new RingProducer(buffer(`replies${i}`)), option('most')),
      waker: new Waker(buffer(`clientWake${i}`)),
    };
  });
  const sleeper = new Sleeper(buffer('threadWake'));
  const hasWork = (): boolean => stopped() || clients.some(({ requests }) => requests.pendingBytes > 0);
  while (!stopped()) {
    let handled = 0;
    for (const { receiver, sender, waker } of clients) {
      const taken = receiver.take(50, true);
      handled += taken;
      for (let i = 0; i < taken; i++) while (!sender.send() && !stopped()) waker.signal();
      if (taken > 0) waker.signal();
    }
    if (handled > 0) progress();
    else sleeper.block(LONG_MS, hasWork);
  }
}

/** Keys of the directory: the words behind the first are never zero, so that a half-written key is one that nobody inserted. */
const keyOf = (who: number, i: number): [number, number, number] => [mixed(i * 4 + who), i + 1, who + 1];

async function insert(): Promise<void> {
  const { CardDirectory } = await load<typeof DirectoryModule>('directory');
  const directory = new CardDirectory(buffer('directory'));
  const inserted = new Int32Array(buffer('inserted'));
  const who = option('who');
  for (let i = 0; i < option('cards') && !stopped(); i++) {
    directory.insert(...keyOf(who, i), who, i);
    // Publishes the insertion, as the answer that a card was made does.
    Atomics.store(inserted, 16 * who, i + 1);
    progress();
  }
}

async function find(): Promise<void> {
  const { CardDirectory, UNKNOWN_CARD } = await load<typeof DirectoryModule>('directory');
  const directory = new CardDirectory(buffer('directory'));
  const inserted = new Int32Array(buffer('inserted'));
  const writers = option('writers');
  while (!stopped()) {
    const who = random(writers);
    const known = Atomics.load(inserted, 16 * who);
    if (known > 0) {
      const i = random(2) === 0 ? known - 1 : random(known);
      const wanted = ((who << 24) | i) >>> 0;
      must(directory.find(...keyOf(who, i)) === wanted, () => `card ${i} of ${who} is missing, or another`);
    }
    // The next one may be there or not, but never anything else; a key that is half of one is not there.
    const [f0, f1, f2] = keyOf(who, known);
    const found = directory.find(f0, f1, f2);
    must(
      found === UNKNOWN_CARD || found === ((who << 24) | known) >>> 0,
      () => `card ${known} of ${who} came as ${found}`,
    );
    for (const [a, b] of [
      [0, 0],
      [f1, 0],
      [0, f2],
    ] as const)
      must(directory.find(f0, a, b) === UNKNOWN_CARD, () => `half of the key of card ${known} of ${who} was found`);
    progress();
  }
}

/** Writes a record, then the watermark: who sees the watermark finds the record. */
async function commit(): Promise<void> {
  const { SegmentBoard } = await load<typeof BoardModule>('board');
  const board = new SegmentBoard(buffer('board'));
  const journal = new Int32Array(buffer('journal'));
  for (let sequence = 1; sequence < journal.length && !stopped(); sequence++) {
    journal[sequence] = mixed(sequence) | 1;
    if (random(3) === 0) board.setDurable(option('shard'), sequence);
    progress();
  }
}

async function follow(): Promise<void> {
  const { SegmentBoard } = await load<typeof BoardModule>('board');
  const board = new SegmentBoard(buffer('board'));
  const journal = new Int32Array(buffer('journal'));
  let seen = 0;
  while (!stopped()) {
    const durable = board.durableLow(option('shard'));
    must(durable >= seen, () => `the watermark went back from ${seen} to ${durable}`);
    for (let sequence = Math.max(seen, 1); sequence <= durable; sequence++)
      must(
        journal[sequence] === (mixed(sequence) | 1),
        () => `record ${sequence} is not there, the watermark is ${durable}`,
      );
    seen = durable;
    progress();
  }
}

/** Two that ask for a stop with a status of their own: all see the same one, and what was said before it. */
async function fail(): Promise<void> {
  const { ControlBlock } = await load<typeof ControlModule>('control');
  const { SegmentBoard } = await load<typeof BoardModule>('board');
  const rounds = option('rounds');
  const statuses = new Int32Array(buffer('statuses'));
  for (let round = 0; round < rounds && !stopped(); round++) {
    const control = new ControlBlock(buffer(`control${round % option('blocks')}`));
    const board = new SegmentBoard(buffer(`board${round % option('blocks')}`));
    const status = 70 + option('who');
    if (round < option('blocks')) {
      control.requestStop(status);
      if (option('who') === 0) board.requestFinish(5000);
    }
    const seen = control.stop;
    must(seen === 70 || seen === 71, () => `status ${seen}`);
    const first = Atomics.compareExchange(statuses, round % option('blocks'), 0, seen);
    must(first === 0 || first === seen, () => `status ${seen} after ${first}`);
    must(!board.stopping || board.finishMs === 5000, () => 'the stop was seen before its time');
    progress();
  }
}

const roles: Readonly<Record<string, () => void | Promise<void>>> = {
  flood,
  drain,
  ask,
  answer,
  insert,
  find,
  commit,
  follow,
  fail,
};

try {
  await roles[data.role]!();
  parentPort!.postMessage({ done: true });
} catch (error) {
  parentPort!.postMessage({ wrong: error instanceof Wrong ? error.message : (error as Error).stack });
}
