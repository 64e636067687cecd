/** What the deciders of commands share: how an event becomes a record, and how a command is refused. */
import type { CommandResult, Refusal } from './commands.js';
import type { DecisionContext } from './decision-context.js';
import type { PlainEvent } from './events.js';

/** Sets `event.sequence`, appends the event to the journal and applies it before it returns. */
export type Commit = (event: PlainEvent) => void;

/** What a command may look at. */
export type CommandContext = Pick<DecisionContext, 'state' | 'history' | 'keys' | 'policies' | 'cryptography'>;

export function refuse(code: Refusal, detail?: string): CommandResult {
  return detail === undefined ? { ok: false, code } : { ok: false, code, detail };
}
