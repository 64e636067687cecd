/**
 * What one message asks devices, and what they have answered. A device answers after the turn has ended, so a message is decided by
 * asking and deciding again: each decision from its first step on, with the answers that are known by then. The one that asks nothing
 * new is the decision.
 *
 * A question is known by its bytes. When a card, its PIN or the program has changed meanwhile, the same message asks something else,
 * and the old answer is about nothing.
 */
import { pack, unpack } from 'msgpackr';
import { failed, type HsmFailure, type HsmRequest, type HsmVerdict } from '../vault/hsm/port.js';
import type { WireEntry } from './parking.js';

export interface Question {
  /** msgpack of the request. */
  readonly bytes: Uint8Array;
  verdict: HsmVerdict | undefined;
  isSent: boolean;
}

/** The verdict in an entry of a ring. */
export function readVerdict({
  bytes,
  payloadAt,
  payloadLength,
}: Pick<WireEntry, 'bytes' | 'payloadAt' | 'payloadLength'>): HsmVerdict {
  return unpack(bytes.slice(payloadAt, payloadAt + payloadLength)) as HsmVerdict;
}

const notYet = failed('device_busy', 'the device has not answered yet');
const tooLate = failed('timeout', 'no device answered before the message had to be');

export class Questions {
  readonly all: Question[] = [];
  #isClosed = false;
  #isOpen = false;
  #failure: HsmFailure | undefined;

  /** A decision begins. */
  begin(): void {
    this.#isOpen = false;
    this.#failure = undefined;
  }

  /** The answer, or one that is none. Then `isOpen`, and the decision counts for nothing. */
  ask(request: HsmRequest): HsmVerdict {
    const bytes = pack(request);
    const known = this.all.find((one) => bytes.equals(one.bytes));
    if (known !== undefined) bytes.fill(0);
    if (known?.verdict !== undefined) return this.#answered(known.verdict);
    if (this.#isClosed) {
      bytes.fill(0);
      return this.#answered(tooLate);
    }
    this.#isOpen = true;
    if (known === undefined) this.all.push({ bytes, verdict: undefined, isSent: false });
    return notYet;
  }

  #answered(verdict: HsmVerdict): HsmVerdict {
    if (verdict.outcome === 'failed') this.#failure = verdict.failure;
    return verdict;
  }

  /** Why the last question of this decision that was not answered with a verdict about the card was not. */
  get failure(): HsmFailure | undefined {
    return this.#failure;
  }

  /** True when something was asked in this decision that nobody has answered. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Nothing more is waited for: what has no answer now is a time-out. */
  close(): void {
    this.#isClosed = true;
  }

  /** Overwrites what was asked. */
  wipe(): void {
    for (const { bytes } of this.all) bytes.fill(0);
    this.all.length = 0;
  }
}
