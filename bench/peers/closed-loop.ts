/**
 * One measured run of a peer: each connection keeps its number of requests in flight and draws the next when one is answered. The
 * money is verified after it: every request was approved, for the limits are high; what each account holds is what the approvals add up
 * to; and some requests that are sent again get the answers that they got, and change nothing.
 */
import { assert } from '#src/errors.js';
import { LatencyHistogram } from '../../loadtest/histogram.js';
import {
  type Peer,
  type PeerAnswer,
  type PeerCase,
  type PeerLink,
  type PeerRequest,
  PeerResponse,
  pansOf,
  RequestSource,
} from './job.js';

export interface PeerRun {
  readonly perS: number;
  /** Microseconds; closed loop, so counted from the actual send. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU per authorization, us: of the server's processes, and of this process, which is the client. */
  readonly serverCpuUs: number | null;
  readonly clientCpuUs: number;
  /** Approvals, money and repeats are right. */
  readonly verified: boolean;
}

export interface LoopOptions {
  readonly cards: number;
  /** Minor units. */
  readonly creditLimit: number;
  readonly warmupMs: number;
  readonly measuredMs: number;
}

/** Requests of each connection that are sent again at the end. */
const REPEATED = 50;
/** A peer that answers nothing for so long has failed. */
const SILENCE_MS_MAX = 20_000;

interface Sent {
  readonly request: PeerRequest;
  readonly card: number;
  readonly sentMs: number;
}

/** Starts the peer in `folder`, runs the job, verifies, stops it. @throws Error when it fails or falls silent */
export async function runPeer(one: PeerCase, folder: string, options: LoopOptions): Promise<PeerRun> {
  const peer = await one.start(folder);
  try {
    return await measure(one, peer, options);
  } finally {
    await peer.stop();
  }
}

async function measure(one: PeerCase, peer: Peer, options: LoopOptions): Promise<PeerRun> {
  const pans = pansOf(options.cards);
  await peer.createCards(pans, options.creditLimit);
  const books = new Float64Array(options.cards);
  const window = new Window(options, peer);
  const loops: Loop[] = [];
  for (let stream = 0; stream < one.connections; stream++)
    loops.push(
      new Loop(
        one,
        await peer.connect(),
        new RequestSource(pans, stream, one.ownCards === true ? one.connections : 1),
        books,
        window,
      ),
    );
  try {
    await Promise.all(loops.map((loop) => loop.run()));
    const held = await peer.held();
    const repeated = await Promise.all(loops.map((loop) => loop.repeat()));
    const after = await peer.held();
    const verified =
      loops.every((loop) => loop.declined === 0) &&
      repeated.every((same) => same) &&
      held.every((amount, card) => amount === books[card] && amount === after[card]);
    return { ...window.figures(), verified };
  } finally {
    for (const loop of loops) loop.close();
  }
}

/**
 * The measured time, common to all connections: begins after the warm-up, with the first answer that comes then, and ends with the first
 * one behind it, but not before one was counted.
 */
class Window {
  readonly latency = new LatencyHistogram();
  readonly #peer: Peer;
  readonly #beginMs: number;
  readonly #endMs: number;
  answered = 0;
  #startedMs = 0;
  #lastMs = 0;
  #serverCpu: number | undefined;
  #clientCpu: NodeJS.CpuUsage | undefined;
  #result: Omit<PeerRun, 'verified'> | undefined;

  constructor({ warmupMs, measuredMs }: LoopOptions, peer: Peer) {
    this.#peer = peer;
    this.#beginMs = performance.now() + warmupMs;
    this.#endMs = this.#beginMs + measuredMs;
  }

  /** Counts answers that came at `nowMs`; false when no more requests are to be sent. */
  count(sent: readonly Sent[], nowMs: number): boolean {
    if (nowMs < this.#beginMs) return true;
    if (this.#clientCpu === undefined) {
      this.#startedMs = nowMs;
      this.#serverCpu = this.#peer.cpuSeconds();
      this.#clientCpu = process.cpuUsage();
      return true;
    }
    // Whoever takes longer than the measured time is measured until it has answered.
    if (nowMs >= this.#endMs && this.answered > 0) {
      this.#close();
      return false;
    }
    this.#lastMs = nowMs;
    this.answered += sent.length;
    for (const { sentMs } of sent) this.latency.record((nowMs - sentMs) * 1000);
    return true;
  }

  figures(): Omit<PeerRun, 'verified'> {
    assert(this.#result !== undefined, 'a run ends with an answer behind one that was counted');
    return this.#result;
  }

  #close(): void {
    if (this.#result !== undefined) return;
    const { user, system } = process.cpuUsage(this.#clientCpu);
    const serverCpu = this.#peer.cpuSeconds();
    const count = this.latency.count;
    this.#result = {
      perS: (this.answered * 1000) / (this.#lastMs - this.#startedMs),
      p50Us: this.latency.percentile(50, count),
      p99Us: this.latency.percentile(99, count),
      serverCpuUs:
        serverCpu === undefined || this.#serverCpu === undefined
          ? null
          : ((serverCpu - this.#serverCpu) * 1e6) / this.answered,
      clientCpuUs: (user + system) / this.answered,
    };
  }
}

/** One connection. */
class Loop {
  readonly #case: PeerCase;
  readonly #link: PeerLink;
  readonly #source: RequestSource;
  readonly #books: Float64Array;
  readonly #window: Window;
  readonly #inFlight: Sent[] = [];
  readonly #kept: { request: PeerRequest; answer: PeerAnswer }[] = [];
  declined = 0;

  constructor(one: PeerCase, link: PeerLink, source: RequestSource, books: Float64Array, window: Window) {
    this.#case = one;
    this.#link = link;
    this.#source = source;
    this.#books = books;
    this.#window = window;
  }

  /** Resolves when everything is answered that was sent until the end of the measured time. */
  run(): Promise<void> {
    return this.#until((resolve) => {
      let open = true;
      this.#link.onAnswers = (answers) => {
        const sent = this.#inFlight.splice(0, answers.length);
        for (const [i, answer] of answers.entries()) this.#book(sent[i]!, answer);
        open = this.#window.count(sent, performance.now()) && open;
        if (open) this.#send(answers.length);
        else if (this.#inFlight.length === 0) resolve();
      };
      this.#send(this.#case.inFlight);
    });
  }

  /** Sends what was kept once more; true when every answer is the one that it got. */
  repeat(): Promise<boolean> {
    const kept = this.#kept;
    return this.#until((resolve) => {
      const answers: PeerAnswer[] = [];
      this.#link.onAnswers = (some) => {
        answers.push(...some);
        if (answers.length < kept.length) return;
        const isSame = ({ answer }: (typeof kept)[number], i: number): boolean =>
          answer.response === answers[i]!.response && answer.approval === answers[i]!.approval;
        resolve(kept.every(isSame));
      };
      this.#link.submit(kept.map(({ request }) => request));
    });
  }

  close(): void {
    this.#link.close();
  }

  #until<T>(work: (resolve: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      let before = 0;
      // The same number of answers at two looks in a row: nothing came in between.
      const watch = setInterval(() => {
        if (this.#window.answered === before)
          reject(new Error(`${this.#case.name}: no answer for ${SILENCE_MS_MAX / 1000} s`));
        before = this.#window.answered;
      }, SILENCE_MS_MAX);
      const end = (settle: () => void): void => {
        clearInterval(watch);
        settle();
      };
      this.#link.onFailure = (error) => end(() => reject(error));
      work((value) => end(() => resolve(value)));
    });
  }

  #book({ request, card }: Sent, answer: PeerAnswer): void {
    if (answer.response === PeerResponse.approved) this.#books[card]! += request.amount;
    else this.declined++;
    if (this.#kept.length < REPEATED) this.#kept.push({ request, answer });
  }

  #send(count: number): void {
    const requests: PeerRequest[] = [];
    const sentMs = performance.now();
    for (let i = 0; i < count; i++) {
      const request = this.#source.next();
      requests.push(request);
      this.#inFlight.push({ request, card: this.#source.card, sentMs });
    }
    this.#link.submit(requests);
  }
}
