/**
 * The planted bugs. Each is put in from outside, into the objects of a process that has just recovered: src has no switch for any of
 * them. A shard's decision is spoilt between `decide` and `apply` (the reply's buffer is asked for just there), so that reply, record
 * and state agree about what is wrong, as they would if the decision itself were wrong.
 */
import { ElementKind, EventKind, Response } from '#src/domain/codes.js';
import type { MessageEvent, PlainEvent } from '#src/domain/events.js';
import { KeyKind } from '#src/domain/history.js';
import { Gl } from '#src/domain/ledger/chart.js';
import { Total } from '#src/domain/totals.js';
import type { CheckpointStore } from '#src/journal/checkpoint.js';
import type { JournalLane, SealedFrame } from '#src/journal/types.js';
import type { LogicalShard } from '#src/shard/logical-shard.js';
import type { Canary } from './canary.js';
import type { SimEngine } from './engine.js';

type Spoil = (event: MessageEvent, shard: LogicalShard) => void;

/** Spoils what was decided about messages, before it is answered, applied and recorded. */
function decided(spoil: Spoil): (engine: SimEngine) => void {
  return (engine) => {
    engine.planted.shard = (shard, { context }) => {
      const { held } = shard;
      const buffer = held.buffer.bind(held);
      held.buffer = (max) => {
        if (context.event.accountSlot >= 0) spoil(context.event, shard);
        return buffer(max);
      };
    };
  };
}

/** Keys of these kinds are not found again. */
function forgets(...kinds: readonly KeyKind[]): (engine: SimEngine) => void {
  return (engine) => {
    engine.planted.shard = ({ history }) => {
      const find = history.find.bind(history);
      history.find = (high, low, sinceMs) => {
        const found = find(high, low, sinceMs);
        return kinds.includes((high >>> 29) as KeyKind) ? { ...found, count: 0 } : found;
      };
    };
  };
}

/** Spoils plain events before they are applied and recorded. */
function recorded(spoil: (event: PlainEvent) => void): (engine: SimEngine) => void {
  return (engine) => {
    engine.planted.shard = (shard) => {
      const record = shard.record.bind(shard);
      shard.record = (event) => {
        spoil(event);
        record(event);
      };
    };
  };
}

/** Acknowledges what it has not written yet. */
class HastyLane implements JournalLane {
  readonly #inner: JournalLane;
  readonly #engine: SimEngine;
  readonly #said = new Map<number, number>();

  constructor(inner: JournalLane, engine: SimEngine) {
    this.#inner = inner;
    this.#engine = engine;
  }

  append(frames: readonly SealedFrame[]): void {
    const copies = frames.map((frame) => ({ ...frame, bytes: frame.bytes.slice() }));
    for (const { shard, lastSequence } of copies) this.#said.set(shard, lastSequence);
    this.#engine.life.after(20_000, () => this.#inner.append(copies));
  }

  durable(shard: number): number {
    return this.#said.get(shard) ?? this.#inner.durable(shard);
  }

  poll(): void {
    this.#inner.poll();
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }
}

const isReversal = ({ element }: MessageEvent): boolean => element === ElementKind.reversal;

/** Finds the six digits of an approval code in a reply and makes another one of them. */
function otherCode(bytes: Uint8Array, at: number, length: number, code: number): void {
  const digits = Buffer.from(String(code).padStart(6, '0'), 'latin1');
  const found = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).indexOf(digits);
  if (found >= 0) bytes[at + found + 5] = 0x30 + ((bytes[at + found + 5]! - 0x30 + 1) % 10);
}

/** The plan of a seed is drawn of its length, too. */
const few = { seed: 7000, seeds: 12, seconds: 120 };

export const canaries: readonly Canary[] = [
  {
    name: 'reply before durable',
    harm: 'an approval leaves before it is on the disk',
    ...few,
    plant: (engine) => {
      engine.planted.lane = (lane) => new HastyLane(lane, engine);
    },
  },
  {
    name: 'missing flush',
    harm: 'commits are not flushed: a power cut takes what was answered',
    ...few,
    plant: ({ options }) => {
      options.disk.loses = 'what it has not flushed';
    },
  },
  {
    name: 'lying disk',
    harm: 'the newest commits are gone after a crash, although the disk said that they were safe',
    ...few,
    plant: ({ options }) => {
      options.disk.loses = 'what it says is safe';
    },
  },
  {
    name: 'clearing posted twice',
    harm: 'a record that is sent again posts again',
    ...few,
    plant: forgets(KeyKind.clearing),
  },
  {
    name: 'repeat with an effect',
    harm: 'a repeat is decided anew and holds again',
    ...few,
    plant: forgets(KeyKind.stan, KeyKind.rrn),
  },
  {
    name: 'reversal releases too little',
    harm: 'a reversal leaves a unit of the hold',
    ...few,
    plant: decided((event) => {
      if (isReversal(event) && event.holdDelta < -1) event.holdDelta++;
    }),
  },
  {
    name: 'partial reversal upward',
    harm: 'DE95 above what is authorized raises the hold',
    ...few,
    plant: decided((event) => {
      if (!isReversal(event) || event.input.replacementAmount <= 0 || event.holdDelta !== 0 || event.tombstone) return;
      if (event.originalSequence === 0 || event.authorizedAfter === 0) return;
      event.holdDelta = 100;
      event.authorizedAfter += 100;
    }),
  },
  {
    name: 'increment counted twice',
    harm: 'an increment takes its amount twice',
    ...few,
    plant: decided((event) => {
      if (event.element !== ElementKind.increment || event.holdDelta <= 0) return;
      event.authorizedAfter += event.holdDelta;
      event.holdDelta *= 2;
    }),
  },
  {
    name: 'expiry releases twice',
    harm: 'a hold that ended is released once more',
    ...few,
    seed: 7021,
    plant: (engine) => {
      engine.planted.shard = (shard) => {
        const record = shard.record.bind(shard);
        shard.record = (event) => {
          record(event);
          if (event.kind === EventKind.holdExpired) record({ ...event });
        };
      };
    },
  },
  {
    name: 'tombstone ignored',
    harm: 'a late original holds money although its reversal came first',
    ...few,
    plant: decided((event) => {
      event.tombstone = 0;
    }),
  },
  {
    name: 'approval overdrawn',
    harm: 'what should be declined for lack of funds is approved',
    ...few,
    plant: decided((event) => {
      if (event.response !== Response.insufficientFunds || event.element !== ElementKind.authorization) return;
      event.response = Response.approved;
      event.reason = 0;
      event.approvalCode = 123_456;
      event.approvedAmount = event.input.amount;
      event.holdDelta = event.input.amount;
      event.authorizedAfter = event.input.amount;
      event.holdExpiresMs = event.timeMs + 7 * 86_400_000;
    }),
  },
  {
    name: 'limit given back twice',
    harm: 'a reversal gives back to a spending limit more than was counted',
    ...few,
    plant: decided((event) => {
      if (!isReversal(event)) return;
      for (let i = 0; i < event.changes.count; i++) event.changes.amount[i]! *= 2;
    }),
  },
  {
    name: 'limit not given back',
    harm: 'a reversal does not give back to a spending limit',
    ...few,
    plant: decided((event) => {
      if (isReversal(event)) event.changes.clear();
    }),
  },
  {
    name: 'total told wrong',
    harm: 'an acquirer is told of one debit more than there was',
    ...few,
    plant: (engine) => {
      engine.planted.shard = ({ state }) => {
        const read = state.totals.read.bind(state.totals);
        state.totals.read = (key, into) => {
          const found = read(key, into);
          if (found) into[Total.debit]!++;
          return found;
        };
      };
    },
  },
  {
    name: 'leg missing',
    harm: 'an entry has one leg less: debits and credits differ',
    ...few,
    plant: recorded((event) => {
      if ('legs' in event) event.legs.pop();
      else if ('postings' in event) event.postings.pop();
    }),
  },
  {
    name: 'given back twice',
    harm: 'a merchant takes back what a dispute has given already, and the cardholder gets it once more',
    ...few,
    ...{ seconds: 300 },
    plant: decided(({ postings }) => {
      const legs = postings.toList();
      if (!legs.some(({ glAccount }) => glAccount === Gl.fraudLoss)) return;
      const given = legs.map((leg) =>
        leg.glAccount === Gl.fraudLoss ? { ...leg, glAccount: Gl.creditBalances } : leg,
      );
      postings.setAll(given);
    }),
  },
  {
    name: 'posted under another amount',
    harm: 'the journal says another amount than the state',
    ...few,
    plant: (engine) => {
      engine.planted.shard = ({ journal }) => {
        const append = journal.appendMessage.bind(journal);
        journal.appendMessage = (event) => {
          if (event.holdDelta > 1) event.holdDelta--;
          return append(event);
        };
      };
    },
  },
  {
    name: 'checkpoint ahead of its journal',
    harm: 'rows say that they include what they do not',
    ...few,
    plant: (engine) => {
      engine.planted.rows = stampedAhead;
    },
  },
  {
    name: 'digest not compared',
    harm: 'and the recovery does not look',
    ...few,
    ...{ seed: 7005, seconds: 300 },
    plant: (engine) => {
      engine.planted.rows = stampedAhead;
      engine.planted.recovery = (recovery, head) => {
        Object.defineProperty(head, 'digest', {
          get: () => ({ high: recovery.shard.state.digest.high, low: recovery.shard.state.digest.low }),
        });
      };
    },
  },
  {
    name: 'answer says other than the record',
    harm: 'a cardholder is told another approval code than the one that was kept',
    ...few,
    plant: (engine) => {
      engine.planted.shard = (shard, { context }) => {
        const { held } = shard;
        const push = held.push.bind(held);
        held.push = (sequence, client, kind, flag, token, b, length) => {
          if (context.event.approvalCode >= 0)
            otherCode(held.buffer(), held.offset, length, context.event.approvalCode);
          push(sequence, client, kind, flag, token, b, length);
        };
      };
    },
  },
  {
    name: 'lost answer',
    harm: 'a command is done and never answered',
    ...few,
    plant: (engine) => {
      engine.planted.shard = (shard) => {
        const queue = shard.queueResult.bind(shard);
        let count = 0;
        shard.queueResult = (client, token, payload) => {
          if (++count % 40 === 0) shard.drop(client, token);
          else queue(client, token, payload);
        };
      };
    },
  },
  {
    name: 'card number in the log',
    harm: 'a card number stands in a log in clear',
    ...few,
    seed: 7024,
    plant: (engine) => {
      engine.planted.shard = (shard, { context }) => {
        const handle = shard.handleWire.bind(shard);
        shard.handleWire = (client, entry) => {
          handle(client, entry);
          const text = Buffer.from(entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength)).toString(
            'latin1',
          );
          context.ports.log('info', 'a message', { text });
        };
      };
    },
  },
];

/** The rows claim two records more than they include. */
function stampedAhead(store: CheckpointStore): void {
  const write = store.write.bind(store);
  store.write = (shard, rows, meta) => write(shard, rows, { ...meta, replayFrom: meta.replayFrom + 2 });
}
