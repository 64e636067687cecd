/** The command by which the control plane hands a shard the snapshot of a program; sent again it changes nothing. */
import { EventKind } from '../codes.js';
import type { ApplyProgram, CommandResult } from '../commands.js';
import type { Commit } from '../commit.js';
import type { PlainEvent } from '../events.js';
import type { ShardState } from '../shard-state.js';

/** Only a revision above the shard's own has an effect; `sequence` is 0 otherwise. */
export function applyProgram(state: ShardState, command: ApplyProgram, nowMs: number, commit: Commit): CommandResult {
  const { program, revision, text } = command;
  if (revision <= state.programs.revision(program)) return { ok: true, sequence: 0 };
  const event: PlainEvent = { kind: EventKind.programApplied, sequence: 0, timeMs: nowMs, program, revision, text };
  commit(event);
  return { ok: true, sequence: event.sequence };
}
