/** What limits a card or an account, as the API shows it: the controls that apply, and the state of their windows. */

import { ControlLevel } from '../domain/controls/spec.js';
import type { AccountView, CardView } from '../domain/party-commands.js';
import type { ControlMember, LimitsView, Read, WindowView } from '../domain/reads.js';
import { WindowUnit } from '../domain/velocity/windows.js';
import type { ControlContext } from './context.js';
import { type ControlsJson, controlsJson } from './controls.js';
import { currencyCode } from './currencies.js';
import { programLimits } from './program-limits.js';
import { codeName, refused, time } from './views.js';

export interface Limits {
  readonly shard: number;
  readonly levels: readonly LimitsView[];
  readonly card: CardView | undefined;
  readonly account: AccountView;
}

/** Asks the shard, which uses what it decides with. @throws ApiError `not_found`, `not_a_card` */
export async function readLimits(
  context: ControlContext,
  shard: number,
  read: Extract<Read, { op: 'card_limits' | 'account_limits' }>,
): Promise<Limits> {
  const result = await context.shards.read(shard, read);
  if (!result.ok) throw refused(result, { path: true });
  if (!('limits' in result)) throw new TypeError('the shard answered no limits');
  return { shard, levels: result.limits, card: result.ofCard, account: result.ofAccount };
}

/** Members whose control is not a list under their own name. */
const pointers: Readonly<Partial<Record<ControlMember, string>>> = { cash_per_transaction: '/cash/per_transaction' };

/** JSON pointer of a window in the controls where it was written. */
export function windowPointer({ cash, index }: { cash: boolean; index: number }): string {
  return `${cash ? '/cash' : ''}/velocity/${index}`;
}

/** Every control that applies, with the level that it comes from and its value as it was written there. */
export function effectiveControls(context: ControlContext, { levels, card, account }: Limits): object[] {
  const program = programLimits(context.system.programAt(account.program)).controls;
  return levels.flatMap(({ level, sources, windows }) => {
    const own = controlsJson(level === ControlLevel.card ? card?.controls : account.controls);
    const effective = (source: ControlLevel, control: string): object => ({
      level: codeName(ControlLevel, level),
      source: codeName(ControlLevel, source),
      control,
      value: valueAt(source === ControlLevel.program ? program : own, control),
    });
    return [
      ...sources.map(({ member, source }) => effective(source, pointers[member] ?? `/${member}`)),
      ...windows.map((window) => effective(window.source, windowPointer(window))),
    ];
  });
}

/** What stands at a pointer of plain names and places; null where there is nothing. */
function valueAt(json: ControlsJson, pointer: string): unknown {
  let value: unknown = json;
  for (const name of pointer.slice(1).split('/')) {
    value = typeof value === 'object' && value !== null ? (value as ControlsJson)[name] : undefined;
  }
  return value ?? null;
}

/** The windows with what they hold. */
export function velocityObject(context: ControlContext, { shard, levels, card, account }: Limits): object {
  return {
    object: 'velocity',
    card: card === undefined ? null : context.ids.encode('card', shard, card.slot),
    account: account.id,
    currency: currencyCode(account.currency),
    windows: levels.flatMap(({ level, windows }) => windows.map((window) => windowObject(level, window))),
  };
}

function windowObject(level: ControlLevel, window: WindowView): object {
  const { source, name, unit, seconds, zone, startMs, endMs, declines, cash } = window;
  return {
    level: codeName(ControlLevel, level),
    source: codeName(ControlLevel, source),
    control: windowPointer(window),
    name,
    window: codeName(WindowUnit, unit),
    counts: declines ? 'declines' : cash ? 'cash' : 'approvals',
    amount: used(window.amount, window.amountLimit),
    count: used(window.count, window.countLimit),
    zone: startMs === null ? null : zone,
    starts_at: startMs === null ? null : time(startMs),
    ends_at: endMs === null ? null : time(endMs),
    seconds: unit === WindowUnit.trailing ? seconds : null,
  };
}

function used(held: number, limit: number | null): object {
  return { used: held, limit, remaining: limit === null ? null : Math.max(0, limit - held) };
}
