/** Commands of the control surface and their answers: what was acknowledged is durable. */
import type { CommandObservation, ResultObservation } from '../observation.js';
import { fail } from './failure.js';
import type { ShardAudit } from './shard-audit.js';

/** Members of commands that say what they are about. */
interface Command {
  readonly op: string;
  readonly id?: unknown;
  readonly account?: unknown;
  readonly reference?: unknown;
  readonly sequence?: unknown;
}

interface Result {
  readonly ok: boolean;
  readonly sequence?: unknown;
  readonly cleared?: readonly { readonly outcome: string; readonly sequence: number }[];
}

export class CommandAudit {
  readonly #shardOf: (shard: number) => ShardAudit;
  readonly #waiting = new Map<number, Command>();

  constructor(shardOf: (shard: number) => ShardAudit) {
    this.#shardOf = shardOf;
  }

  commanded({ shard, id, command }: CommandObservation): void {
    const told = command as Command;
    this.#waiting.set(id, told);
    if (told.op === 'expire_hold' && typeof told.sequence === 'number')
      this.#shardOf(shard).endCommanded(told.sequence);
  }

  resulted({ shard, id, result }: ResultObservation): void {
    const command = this.#waiting.get(id);
    const told = result as Result;
    if (command === undefined || !told.ok) return;
    const audit = this.#shardOf(shard);
    const { sequence: durable } = audit.chain;
    const evidence = { shard, command: command.op, id, result, durable };
    const lost = (what: string): never => fail('command', what, evidence);
    if (typeof told.sequence === 'number' && told.sequence > durable)
      lost('what a command did is durable before its answer');
    for (const { outcome, sequence } of told.cleared ?? []) {
      if (outcome === 'posted' && sequence > durable) lost('a record is posted before its answer');
    }
    if (command.op === 'create_account' && !audit.byId.has(String(command.id)))
      lost('an account that was created is durable');
    if (
      command.op === 'payment' &&
      !audit.hasEntry(`payment ${String(command.account)} ${String(command.reference)}`)
    ) {
      lost('a payment that was taken is durable');
    }
  }
}
