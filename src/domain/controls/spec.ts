/**
 * A controls object as it is understood: what `parseControls` makes of the JSON, and what it means for a counter to be the
 * same. Plain immutable data.
 */

import { zoneKey } from '../velocity/window-clock.js';
import { fixedShape, trailingShape, WindowUnit as Unit, type WindowUnit, windowKey } from '../velocity/windows.js';
import type { MccEntry } from './mcc-groups.js';

/** Channels of the contract, each with its bit. */
export const Channel = { ecommerce: 1, contactless: 2, chip: 4, magstripe: 8, manual: 16, atm: 32 } as const;
export type ChannelName = keyof typeof Channel;

/** Where a controls object stands. */
export const ControlLevel = { program: 1, account: 2, card: 3 } as const;
export type ControlLevel = (typeof ControlLevel)[keyof typeof ControlLevel];

export interface ListSpec<T> {
  readonly allow?: readonly T[];
  readonly deny?: readonly T[];
}

/** What a window, or nothing but a window, selects by. */
export interface SelectorSpec {
  readonly mcc?: ListSpec<MccEntry>;
  /** ISO 3166 numeric. */
  readonly countries?: ListSpec<number>;
  /** DE42 without trailing spaces. */
  readonly merchants?: ListSpec<string>;
  readonly channels?: ListSpec<ChannelName>;
}

export interface WindowSpec extends SelectorSpec {
  /** What rules call it. Unique within a controls object. */
  readonly name?: string;
  readonly unit: WindowUnit;
  /** Length of a trailing window in seconds, 0 otherwise. */
  readonly seconds: number;
  /** Where instances begin (`fixedShape`), 0 where there is nothing to choose. */
  readonly start: number;
  /** Time zone of a calendar window, UTC otherwise. */
  readonly zone: string;
  /** Limits: minor units of the account's currency, and a number of approvals or declines. At least one is there. */
  readonly amount?: number;
  readonly count?: number;
  /** True: counts declines instead of approvals. */
  readonly declines: boolean;
  /** In a program's controls. True: counts per account over all its cards instead of per card. */
  readonly perAccount: boolean;
}

export interface CashSpec {
  /** Most cash of one transaction. */
  readonly perTransaction?: number;
  readonly velocity: readonly WindowSpec[];
}

export interface ControlsSpec {
  readonly mcc?: ListSpec<MccEntry>;
  readonly countries?: ListSpec<number>;
  readonly merchants?: ListSpec<string>;
  readonly channels?: ListSpec<ChannelName>;
  /** null: no limit, whatever the program's default says. */
  readonly perTransaction?: number | null;
  readonly cash?: CashSpec;
  readonly velocity?: readonly WindowSpec[];
}

export function shapeOfWindow(window: WindowSpec): number {
  return window.unit === Unit.trailing ? trailingShape(window.seconds) : fixedShape(window.unit, window.start);
}

/**
 * Key of the counter of a window. It takes in what is counted - length or unit, start day, zone, approvals or declines,
 * amounts or cash, and what it selects - and neither name nor limits: another limit is held against the same counter.
 */
export function counterKey(window: WindowSpec, cash: boolean): number {
  const parts = [
    window.declines ? 'declines' : cash ? 'cash' : 'approvals',
    zoneKey(window.zone),
    listText(window.mcc, mccText),
    listText(window.countries, String),
    listText(window.merchants, JSON.stringify),
    listText(window.channels, String),
  ];
  return windowKey(shapeOfWindow(window), parts.join('|'));
}

/** The text of a list, the same for every order of its entries. */
function listText<T>(list: ListSpec<T> | undefined, text: (entry: T) => string): string {
  const half = (sign: string, entries: readonly T[] | undefined): string =>
    entries === undefined || entries.length === 0 ? '' : sign + [...new Set(entries.map(text))].sort().join(',');
  return half('+', list?.allow) + half('-', list?.deny);
}

const mccText = (entry: MccEntry): string => (typeof entry === 'object' ? entry.join('-') : String(entry));
