/**
 * What controls had to say about one message, from the journal alone: the one that refused, and what every window held.
 * The record has the readings in the order of the compiled windows and not their names. Those come from the controls of
 * that time, which stand in an earlier record of the same card or account.
 */
import { EventKind } from '../domain/codes.js';
import { accountControls, type CompiledWindow, cardControls } from '../domain/controls/compile.js';
import { ControlLevel } from '../domain/controls/spec.js';
import { type ControlKind, controlPointer } from '../domain/controls/verdict.js';
import type { MessageEvent } from '../domain/events.js';
import { LIST_SCAN_MAX } from '../limits.js';
import type { ControlContext } from './context.js';
import { controlsJson, readControls, zoneClock } from './controls.js';
import { type JournalRecord, previousOf, Slices, walkChain } from './history.js';
import { windowPointer } from './limits-object.js';
import { type ProgramLimits, programLimits } from './program-limits.js';
import { codeName } from './views.js';

type MessageRecord = JournalRecord & { message: MessageEvent };
type Level = 'card' | 'account';

/** `control` and `counters` of an explanation; null where controls were not asked. */
export async function explainLimits(
  context: ControlContext,
  record: MessageRecord,
): Promise<{ control: object | null; counters: object | null }> {
  const { message } = record;
  return { control: controlOf(message), counters: await countersOf(context, record) };
}

/** The control that refused. */
function controlOf({ finding, findingCount }: MessageEvent): object | null {
  if (findingCount === 0) return null;
  const [kind, level, source, index, limit, before, attempted] = finding as unknown as number[];
  return {
    level: codeName(ControlLevel, level!),
    source: codeName(ControlLevel, source!),
    control: controlPointer({ kind: kind as ControlKind, index: index! }),
    ...{ limit, before, attempted },
  };
}

async function countersOf(context: ControlContext, record: MessageRecord): Promise<object | null> {
  const { cardReadings, accountReadings, readings } = record.message;
  if (cardReadings + accountReadings === 0) return null;
  const program = await programOf(context, record);
  const counters = async (level: Level, from: number, count: number): Promise<object[]> => {
    if (count === 0) return [];
    const windows = await windowsOf(context, record, level, program);
    const named = windows?.length === count ? windows : undefined;
    const all = Array.from({ length: count }, (_, i) => ({
      window: named?.[i],
      amount: readings[2 * (from + i)]!,
      count: readings[2 * (from + i) + 1]!,
    }));
    if (named !== undefined) all.sort((a, b) => asWritten(a.window!, b.window!));
    return all.map(({ window, amount, count: uses }) => readingObject(window, amount, uses));
  };
  return {
    card: await counters('card', 0, cardReadings),
    account: await counters('account', cardReadings, accountReadings),
  };
}

function asWritten(a: CompiledWindow, b: CompiledWindow): number {
  return Number(a.cash) - Number(b.cash) || a.index - b.index;
}

function readingObject(window: CompiledWindow | undefined, amount: number, count: number): object {
  return {
    source: window === undefined ? null : codeName(ControlLevel, window.source),
    control: window === undefined ? null : windowPointer(window),
    name: window?.name ?? null,
    amount,
    amount_limit: window?.spec.amount ?? null,
    count,
    count_limit: window?.spec.count ?? null,
  };
}

/** What the program said when the message was decided. */
async function programOf(context: ControlContext, { shard, message }: MessageRecord): Promise<ProgramLimits> {
  const account = await context.parties.accountAt(shard, message.accountSlot);
  const row = context.system.programAt(account.program);
  if (row === undefined || message.programRevision === 0) return programLimits(undefined);
  return programLimits(context.system.programRevision(row.program.id, message.programRevision));
}

/** Windows of a level as they were, in the order of the readings; undefined when the journal does not tell any more. */
async function windowsOf(
  context: ControlContext,
  record: MessageRecord,
  level: Level,
  program: ProgramLimits,
): Promise<readonly CompiledWindow[] | undefined> {
  const text = await controlsAt(context, record, level);
  if (text === undefined) return undefined;
  const own = readControls(controlsJson(text), ControlLevel[level], program);
  const defaults = readControls(program.controls, ControlLevel.program, program);
  if (!own.ok || !defaults.ok) return undefined;
  const compile = level === 'card' ? cardControls : accountControls;
  return compile(own.controls, defaults.controls, { groups: program.groups, clock: zoneClock }).windows;
}

/** The level's own controls when the message was decided: the newest that were set before it, '' when none were. */
async function controlsAt(context: ControlContext, record: MessageRecord, level: Level): Promise<string | undefined> {
  const cardSlot = level === 'card' ? record.message.cardSlot : -1;
  const slices = new Slices();
  for (const { event } of walkChain(context, record.shard, previousOf(record, level), level)) {
    if (event?.kind === EventKind.controlsSet && event.cardSlot === cardSlot) return event.text;
    if (event?.kind === (level === 'card' ? EventKind.cardCreated : EventKind.accountCreated)) {
      if (level === 'account' || (event as { cardSlot: number }).cardSlot === cardSlot) return '';
    }
    await slices.step();
    if (slices.total >= LIST_SCAN_MAX) return undefined;
  }
  return undefined;
}
