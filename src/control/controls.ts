/**
 * Controls of cards and accounts as the API takes them: checked as a whole, merged by PATCH, handed to the shard as JSON
 * text. The shard keeps the text as it is and never checks it again, so nothing that is not understood passes here.
 */

import type { CommandResult } from '../domain/commands.js';
import { isObject } from '../domain/controls/json-reader.js';
import { type ParsedControls, parseControls } from '../domain/controls/parse.js';
import type { ControlLevel } from '../domain/controls/spec.js';
import type { AccountView, UpdateCard } from '../domain/party-commands.js';
import { WindowClock } from '../domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '../intl-zone-calendar.js';
import { CONTROLS_TEXT_BYTES_MAX } from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import type { ControlContext } from './context.js';
import type { ClaimedKey } from './idempotency.js';
import { inTurn } from './in-turn.js';
import { ApiError, type ProblemError } from './problem.js';
import { type ProgramLimits, programLimits } from './program-limits.js';
import { hasNoLongRun, LONG_RUN } from './schemas.js';
import type { ProgramRow } from './system-state.js';
import { refused } from './views.js';

export type ControlsJson = Readonly<Record<string, unknown>>;

/** Zones of the IANA database, and the days of windows for those who explain. */
export const zoneClock = new WindowClock(new IntlZoneCalendar());

type OwnLevel = typeof ControlLevel.card | typeof ControlLevel.account;

/** Where controls stand. */
export interface ControlsPlace {
  readonly level: OwnLevel;
  readonly program: ProgramRow | undefined;
  /** JSON pointer to them in the request. */
  readonly pointer: string;
}

/** Reads controls of a level under the groups of a program. */
export function readControls(value: unknown, level: ControlLevel, { groups }: ProgramLimits): ParsedControls {
  return parseControls(value, { level, groups, knowsZone: (zone) => zoneClock.knows(zone) });
}

/** Of a command. */
export type CheckedControls = Required<Pick<UpdateCard, 'controls' | 'controlsRevision'>>;

/**
 * What the shard gets: the text that it keeps, '' for no controls of one's own (null, or an object without members).
 * @throws ApiError `validation_failed` with every problem and its JSON pointer
 */
export function checkControls(value: ControlsJson | null, { level, program, pointer }: ControlsPlace): CheckedControls {
  if (value === null || Object.keys(value).length === 0) return { controls: '', controlsRevision: 0 };
  const limits = programLimits(program);
  const problems = problemsOf(readControls(value, level, limits));
  const text = JSON.stringify(value);
  if (problems.length === 0 && Buffer.byteLength(text) > CONTROLS_TEXT_BYTES_MAX)
    problems.push({ pointer: '', detail: `must not be larger than ${CONTROLS_TEXT_BYTES_MAX} bytes as JSON` });
  if (problems.length === 0) return { controls: text, controlsRevision: limits.revision };
  throw invalid(problems.map((problem) => ({ ...problem, pointer: pointer + problem.pointer })));
}

function problemsOf(parsed: ParsedControls): ProblemError[] {
  if (!parsed.ok) return parsed.problems.map(({ pointer, detail }) => ({ pointer, detail }));
  const { velocity = [], cash } = parsed.controls;
  const problems: ProblemError[] = [];
  const checkName = (name: string | undefined, at: string): void => {
    if (name !== undefined && !hasNoLongRun(name)) problems.push({ pointer: `${at}/name`, detail: LONG_RUN });
  };
  for (const [i, { name }] of velocity.entries()) checkName(name, `/velocity/${i}`);
  for (const [i, { name }] of (cash?.velocity ?? []).entries()) checkName(name, `/cash/velocity/${i}`);
  return problems;
}

function invalid(problems: readonly ProblemError[]): ApiError {
  const errors = problems.map(({ pointer, detail }) => ({ pointer: maskDigits(pointer), detail }));
  return new ApiError('validation_failed', errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; '), {
    param: errors[0]!.pointer,
    errors,
  });
}

/** Controls as the shard keeps them; without any an object without members. */
export function controlsJson(text: string | undefined): ControlsJson {
  return text === undefined || text === '' ? {} : (JSON.parse(text) as ControlsJson);
}

/**
 * Controls after a JSON merge patch (RFC 7396): it goes down into objects, null takes a member away, anything else (a list
 * too) replaces what was there; null for all of them takes all away.
 */
export function mergedControls(before: ControlsJson, changes: ControlsJson | null): ControlsJson {
  return changes === null ? {} : merged(before, changes);
}

/** Both come from JSON of at most API_BODY_DEPTH_MAX levels. */
function merged(before: unknown, changes: ControlsJson): ControlsJson {
  const kept = Object.entries(isObject(before) ? before : {}).filter(([name]) => !Object.hasOwn(changes, name));
  const changed = Object.entries(changes).flatMap(([name, value]) => {
    if (value === null) return [];
    const old = isObject(before) && Object.hasOwn(before, name) ? before[name] : undefined;
    return [[name, isObject(value) ? merged(old, value) : value]];
  });
  return Object.fromEntries([...kept, ...changed]) as ControlsJson;
}

export interface ControlsPatch {
  readonly shard: number;
  /** Names the card or account in its shard. */
  readonly object: string;
  readonly level: OwnLevel;
  readonly changes: ControlsJson | null;
  readonly key: ClaimedKey | undefined;
  /** Controls and program as they are. */
  read(): Promise<Pick<AccountView, 'controls' | 'program'>>;
  write(controls: CheckedControls): Promise<CommandResult>;
}

/**
 * Merges a PATCH into the controls of one card or account; patches of the same one wait for each other, so none is lost. A
 * repeat of what was done is not merged again: it is answered as it was.
 * @throws ApiError `validation_failed`, and nothing has changed
 */
export function patchControls(context: ControlContext, patch: ControlsPatch): Promise<CommandResult> {
  const { shard, object, level, changes, key } = patch;
  return inTurn(context, `${shard}/${object}`, async () => {
    if (key?.known === true) {
      const done = await context.shards.read(shard, { op: 'outcome', idempotency: key.tag });
      if (!done.ok) throw refused(done);
      if (!('outcome' in done)) throw new TypeError('the shard answered no outcome');
      if (done.outcome !== null) return done.outcome;
    }
    const { controls, program } = await patch.read();
    const merged = mergedControls(controlsJson(controls), changes);
    const place: ControlsPlace = { level, program: context.system.programAt(program), pointer: '/controls' };
    return patch.write(checkControls(merged, place));
  });
}
