/**
 * One connection of a generator: link, slots and templates together, and the bookkeeping of a request from its send to its
 * answer. Nothing is allocated per message.
 */
import { monotonicUs } from '#src/clock.js';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import { type ChipCards, COUNTER_MAX } from './chip.js';
import { type Block, Counter, type CounterSet, codeIndex, codeText, SHED } from './counters.js';
import type { GeneratorConfig } from './generator.js';
import { ADVICE, AUTH, INCREMENT, INQUIRY, REPEAT, REVERSAL } from './kinds.js';
import { Link } from './link.js';
import type { Model } from './model.js';
import type { Random } from './random.js';
import { Originals, SLOTS, SlotState, Slots } from './slots.js';
import {
  addsAmount,
  chipTemplatesOf,
  frameBytesMax,
  rrnPrefix,
  streamWire,
  type Template,
  templatesOf,
  type Variables,
  webSocketWire,
} from './templates.js';
import type { Workload } from './workload.js';

const code = (text: string) => codeIndex(text.charCodeAt(0), text.charCodeAt(1));
const CODE_APPROVED = code('00');
const CODE_PARTIAL = code('10');
const CODE_VERIFIED = code('85');
/** The server would not decide. */
const shedCodes = new Set([code('91'), code('96')]);
/** No answer a healthy engine gives to these messages. */
const unexpectedCodes = new Set([code('12'), code('14'), code('30'), code('68'), code('94')]);
/** Reply MTI by kind. */
const replyMtis = [110, 110, 410, 130, 110, 110];

/** What the connections of one generator share. */
export interface Shared {
  readonly config: GeneratorConfig;
  readonly block: Block;
  readonly model: Model;
  readonly sampleRandom: Random;
  readonly pans: Uint8Array;
  readonly chips: ChipCards | undefined;
  /** Monotonic time of the run's start, us. */
  startUs: number;
  /** DE7 of this second. */
  de7: number;
  /** End of the measured window, us after the start; Infinity while unknown. */
  windowEndUs: number;
  /** Arrival of the latest answer, us after the start. */
  lastAnswerUs: number;
  /** Set by whatever the loop did since it last looked: answers arrived. */
  active: boolean;
  /** First few things that went wrong, for people. */
  readonly problems: string[];
}

const PROBLEMS_MAX = 10;
/** DE55 of an answer has what the issuer tells the chip. */
const ISSUER_DATA = 55;

export class Connection {
  readonly link: Link;
  readonly slots = new Slots();
  readonly #originals = new Originals();
  readonly #shared: Shared;
  readonly #templates: readonly Template[];
  readonly #repeats: Template;
  readonly #chipTemplates: Readonly<Record<number, Template>>;
  readonly #number: number;
  /** Counters of the chips that send over this connection. */
  readonly #counters: Uint16Array;
  readonly #bytesMax: number;
  readonly #decoder: Decoder;
  readonly #prefix: string;
  readonly #prefixBytes: Uint8Array;
  readonly #variables: Variables = {
    card: 0,
    amount: 0,
    stan: 0,
    rrn: 0,
    de7: 0,
    originalStan: 0,
    originalDe7: 0,
    counter: 0,
  };
  readonly #sets: readonly [CounterSet, CounterSet];
  #arrivedUs = 0;

  constructor(shared: Shared, number: number, onBatch: (connection: Connection) => void) {
    const { config } = shared;
    this.#shared = shared;
    this.#sets = [shared.block.warm, shared.block.measured];
    this.#prefix = rrnPrefix(config.run, number);
    this.#prefixBytes = Buffer.from(this.#prefix, 'latin1');
    const wire =
      config.target.transport === 'ws'
        ? webSocketWire(config.dialect, config.expiry)
        : streamWire(config.dialect, config.expiry, config.framing, config.headerBytes);
    this.#templates = templatesOf(wire, config.run, number);
    this.#repeats = this.#templates[REPEAT]!;
    const { chips } = shared;
    this.#chipTemplates = chips === undefined ? {} : chipTemplatesOf(wire, config.run, number, chips);
    this.#number = number;
    this.#counters = new Uint16Array(chips === undefined ? 0 : Math.ceil(config.accounts / config.allConnections));
    this.#bytesMax = frameBytesMax([...this.#templates, ...Object.values(this.#chipTemplates)]);
    this.#decoder = new Decoder(dialect(config.dialect));
    this.link = new Link(config, {
      onChunk: () => {
        this.#arrivedUs = monotonicUs() - shared.startUs;
        shared.active = true;
      },
      onFrame: (buf, start, end) => this.#answer(buf, start, end),
      onBatch: () => onBatch(this),
      onLost: (reason) => this.#lost(reason),
      onReconnected: () => {
        shared.block.measured.numbers[Counter.reconnects]!++;
        shared.block.state[1]!++;
        onBatch(this);
      },
    });
  }

  /** True when one more message may be sent now. */
  get ready(): boolean {
    return this.slots.inFlight < this.#shared.config.inFlight && this.link.writable;
  }

  /**
   * Puts the workload's drawn message into the outbox. `scheduledUs` and `nowUs` count from the start of the run.
   * False when no slot is free: nothing was sent.
   */
  send(workload: Workload, set: 0 | 1, scheduledUs: number, nowUs: number): boolean {
    const slots = this.slots;
    const counters = this.#sets[set];
    let kind = workload.kind;
    let original = kind === REPEAT ? this.#originals.newest(slots) : -1;
    if (original >= 0) {
      this.#occupy(original, REPEAT, set, scheduledUs, nowUs);
      this.#put(slots.counter[original] === 0 ? this.#repeats : this.#chipTemplates[REPEAT]!, original, -1);
      return true;
    }
    // First the slot, then the original: it may be the oldest one that the slot is taken from.
    const slot = slots.claim();
    if (slot < 0) return false;
    if (kind === REVERSAL || kind === INCREMENT) original = this.#originals.take(slots);
    if (original < 0 && (kind === REVERSAL || kind === INCREMENT || kind === REPEAT)) {
      kind = AUTH;
      counters.numbers[Counter.substituted]!++;
    }
    slots.de7[slot] = this.#shared.de7;
    slots.counter[slot] = 0;
    if (kind === REVERSAL || kind === INCREMENT) {
      slots.spent[original] = 1;
      slots.card[slot] = slots.card[original]!;
      slots.rrn[slot] = slots.rrn[original]!;
      slots.amount[slot] = kind === REVERSAL ? slots.amount[original]! : workload.amount;
    } else {
      slots.card[slot] = workload.card;
      slots.rrn[slot] = slots.nextRrn();
      slots.amount[slot] = kind === INQUIRY ? 0 : workload.amount;
      if (kind === AUTH && workload.chip) this.#useChip(slot);
    }
    slots.spent[slot] = 0;
    slots.code[slot] = -1;
    this.#occupy(slot, kind, set, scheduledUs, nowUs);
    const template = slots.counter[slot] === 0 ? this.#templates[kind] : this.#chipTemplates[kind];
    this.#put(template!, slot, kind === REVERSAL ? original : -1);
    return true;
  }

  /** Takes the card of this connection that is next to the drawn one, with the next number of its chip, when it has one left. */
  #useChip(slot: number): void {
    const { accounts, allConnections } = this.#shared.config;
    const drawn = this.slots.card[slot]!;
    let card = drawn - (drawn % allConnections) + this.#number;
    if (card >= accounts) card -= allConnections;
    const place = Math.floor(card / allConnections);
    if (this.#counters[place] === COUNTER_MAX) return;
    this.slots.card[slot] = card;
    this.slots.counter[slot] = ++this.#counters[place]!;
  }

  #occupy(slot: number, kind: number, set: 0 | 1, scheduledUs: number, nowUs: number): void {
    const slots = this.slots;
    slots.state[slot] = SlotState.inFlight;
    slots.kind[slot] = kind;
    slots.set[slot] = set;
    slots.scheduledUs[slot] = scheduledUs;
    slots.sentUs[slot] = nowUs;
    slots.inFlight++;
    const counters = this.#sets[set];
    counters.sent[kind]!++;
    counters.lag.record(nowUs - scheduledUs);
  }

  #put(template: Template, slot: number, original: number): void {
    const slots = this.slots;
    const values = this.#variables;
    values.card = slots.card[slot]!;
    values.amount = slots.amount[slot]!;
    values.stan = slots.stan[slot]!;
    values.rrn = slots.rrn[slot]!;
    values.de7 = slots.de7[slot]!;
    values.counter = slots.counter[slot]!;
    if (original >= 0) {
      values.originalStan = slots.stan[original]!;
      values.originalDe7 = slots.de7[original]!;
    }
    const link = this.link;
    link.room(this.#bytesMax);
    link.at = template.write(link.out, link.at, values, this.#shared.pans);
  }

  #answer(buf: Uint8Array, start: number, end: number): void {
    const decoder = this.#decoder;
    const numbers = this.#shared.block.measured.numbers;
    if (!decoder.decode(buf, start, end)) {
      numbers[Counter.malformed]!++;
      this.#problem(`an answer is malformed: ${decoder.errorText()}`);
      return;
    }
    const echo = this.#shared.config.echo;
    if (decoder.mti === 800 && !echo) return; // the network's own echo test: this client has no session to keep
    const stan = decoder.digits(11);
    const slots = this.slots;
    const slot = Slots.of(stan);
    if (stan < 1 || slots.stan[slot] !== stan || slots.state[slot] === SlotState.free) {
      numbers[Counter.unmatched]!++;
      this.#problem(`an answer fits no request: MTI ${decoder.mti}, DE11 ${stan}`);
      return;
    }
    if (!this.#carriesRrn(slots.rrn[slot]!)) {
      numbers[Counter.unmatched]!++;
      this.#problem(`the answer to DE11 ${stan} carries another DE37 than its request`);
      return;
    }
    const state = slots.state[slot]!;
    const kind = slots.kind[slot]!;
    if (state === SlotState.answered) {
      numbers[Counter.duplicates]!++;
      this.#problem(`DE11 ${stan} was answered twice`);
      return;
    }
    if (!echo && decoder.mti !== replyMtis[kind]) {
      numbers[Counter.malformed]!++;
      this.#problem(`MTI ${decoder.mti} answers a request that wants ${replyMtis[kind]}`);
      return;
    }
    const answer = echo
      ? CODE_APPROVED
      : decoder.has(39)
        ? codeIndex(decoder.byteAt(39, 0), decoder.byteAt(39, 1))
        : -1;
    if (answer < 0) {
      numbers[Counter.malformed]!++;
      this.#problem(`the answer to DE11 ${stan} has no DE39`);
      return;
    }
    this.#settle(slot, state !== SlotState.inFlight, answer);
  }

  /** True when DE37 of the decoded answer is that of the request. */
  #carriesRrn(rrn: number): boolean {
    const decoder = this.#decoder;
    const prefix = this.#prefixBytes;
    if (decoder.digitsAt(37, prefix.length, 7) !== rrn) return false;
    for (let i = 0; i < prefix.length; i++) if (decoder.byteAt(37, i) !== prefix[i]) return false;
    return true;
  }

  /** Counts an answer and draws its consequences. */
  #settle(slot: number, late: boolean, answer: number): void {
    const slots = this.slots;
    const shared = this.#shared;
    const kind = slots.kind[slot]!;
    const counters = this.#sets[slots.set[slot] as 0 | 1];
    const numbers = counters.numbers;
    const arrived = this.#arrivedUs;
    slots.state[slot] = SlotState.answered;
    shared.lastAnswerUs = arrived;
    if (!late) slots.inFlight--;
    if (late) numbers[Counter.late]!++;
    else this.#time(slot, counters, answer, arrived);
    const approved = answer === CODE_APPROVED || answer === CODE_PARTIAL || answer === CODE_VERIFIED;
    if (!late && approved && slots.counter[slot] !== 0 && kind === AUTH) this.#chipAnswered(slot, numbers);
    if (!late) {
      if (approved) numbers[Counter.approved]!++;
      else if (!shedCodes.has(answer)) numbers[Counter.declined]!++;
    }
    if (
      unexpectedCodes.has(answer)
        ? kind !== ADVICE && kind !== INCREMENT
        : kind === REVERSAL && !approved && !shedCodes.has(answer)
    ) {
      numbers[Counter.unexpected]!++;
      this.#problem(`DE39 ${codeText(answer)} to an MTI ${replyMtis[kind]! - 10} (${this.#rrn(slot)})`);
    }
    if (kind === REPEAT) this.#repeated(slot, answer, numbers);
    else this.#money(slot, kind, late, approved, answer);
  }

  #chipAnswered(slot: number, numbers: Float64Array): void {
    if (this.#decoder.has(ISSUER_DATA)) numbers[Counter.chip]!++;
    else {
      numbers[Counter.chipUnanswered]!++;
      this.#problem(`a chip got no answer to its cryptogram: nobody verified it (${this.#rrn(slot)})`);
    }
  }

  #time(slot: number, counters: CounterSet, answer: number, arrived: number): void {
    const slots = this.slots;
    const shared = this.#shared;
    const kind = slots.kind[slot]!;
    counters.answered[kind]!++;
    counters.codes[answer]!++;
    const shed = shedCodes.has(answer);
    const responseUs = arrived - slots.scheduledUs[slot]!;
    counters.latency[shed ? SHED : kind]!.record(responseUs);
    if (shed) counters.numbers[Counter.shed]!++;
    else {
      if (slots.counter[slot] !== 0) counters.chip.record(responseUs);
      counters.service.record(arrived - slots.sentUs[slot]!);
      if (arrived >= shared.config.warmupUs && arrived <= shared.windowEndUs) {
        shared.block.measured.numbers[Counter.inWindow]!++;
      }
    }
  }

  /** A repeat must get the stored decision, whatever has happened since. */
  #repeated(slot: number, answer: number, numbers: Float64Array): void {
    this.slots.kind[slot] = AUTH;
    if (answer === this.slots.code[slot] || shedCodes.has(answer)) return;
    numbers[Counter.repeatMismatch]!++;
    this.#problem(
      `a repeat was answered ${codeText(answer)}, its original ${codeText(this.slots.code[slot]!)} (${this.#rrn(slot)})`,
    );
  }

  #money(slot: number, kind: number, late: boolean, approved: boolean, answer: number): void {
    const slots = this.slots;
    const { model, sampleRandom } = this.#shared;
    const card = slots.card[slot]!;
    const asked = slots.amount[slot]!;
    slots.code[slot] = answer;
    if (answer === CODE_PARTIAL) slots.amount[slot] = Math.max(0, this.#decoder.digits(4));
    const change = kind === REVERSAL ? -asked : addsAmount(kind) ? asked : 0;
    if (change !== 0) {
      if (late) {
        // `maybe` left [0, change] open; a partial approval settles the part that was approved.
        if (!approved) {
          if (kind !== REVERSAL) model.refute(card, change);
        } else if (answer !== CODE_PARTIAL) model.confirm(card, change);
        else {
          model.refute(card, change);
          model.add(card, slots.amount[slot]!);
        }
      } else if (approved) {
        if (kind === ADVICE) model.maybe(card, change);
        else model.add(card, kind === REVERSAL ? change : slots.amount[slot]!);
      } else if (kind === REVERSAL) model.maybe(card, change); // shed: it may have been done all the same
    }
    if (kind !== AUTH) return;
    if (answer === CODE_APPROVED) this.#originals.push(slot, slots.stan[slot]!);
    if (shedCodes.has(answer)) return;
    const place = model.place(sampleRandom);
    if (place >= 0) model.sample[place] = { rrn: this.#rrn(slot), card, amount: asked, code: codeText(answer) };
  }

  /** Gives up on requests sent before `sentBeforeUs`; returns how many. */
  expire(sentBeforeUs: number): number {
    const slots = this.slots;
    if (slots.inFlight === 0) return 0;
    let expired = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      if (slots.state[slot] !== SlotState.inFlight || slots.sentUs[slot]! > sentBeforeUs) continue;
      this.#giveUp(slot, SlotState.timedOut);
      this.#sets[slots.set[slot] as 0 | 1].numbers[Counter.timeouts]!++;
      expired++;
    }
    return expired;
  }

  /** A request without an answer: the server may or may not have done it. */
  #giveUp(slot: number, state: number): void {
    const slots = this.slots;
    const kind = slots.kind[slot]!;
    slots.state[slot] = state;
    slots.inFlight--;
    if (kind === REPEAT) return;
    const change = kind === REVERSAL ? -slots.amount[slot]! : addsAmount(kind) ? slots.amount[slot]! : 0;
    if (change !== 0) this.#shared.model.maybe(slots.card[slot]!, change);
  }

  #lost(reason: string): void {
    const slots = this.slots;
    const { block } = this.#shared;
    block.state[1]!--;
    block.measured.numbers[Counter.connectionErrors]!++;
    this.#problem(`connection lost: ${reason}`);
    for (let slot = 0; slot < SLOTS; slot++) {
      if (slots.state[slot] !== SlotState.inFlight) continue;
      this.#giveUp(slot, SlotState.lost);
      this.#sets[slots.set[slot] as 0 | 1].numbers[Counter.lost]!++;
    }
  }

  #rrn(slot: number): string {
    return this.#prefix + String(this.slots.rrn[slot]).padStart(7, '0');
  }

  #problem(text: string): void {
    if (this.#shared.problems.length < PROBLEMS_MAX) this.#shared.problems.push(text);
  }
}
