/** The lists of a controls object: categories, countries, merchants, channels; allow and deny. */
import { CONTROL_LIST_MAX } from '../../limits.js';
import { countryLetters, countryNumber } from '../countries.js';
import { isObject, type JsonReader } from './json-reader.js';
import { MCC_GROUP_NAME, type MccEntry, type MccGroups } from './mcc-groups.js';
import { Channel, type ChannelName, type ListSpec, type SelectorSpec } from './spec.js';

const MCC_MAX = 9999;

/** Reads the entries of one kind of list; undefined for an entry that is a problem. */
type EntryReader<T> = (reader: JsonReader, value: unknown, pointer: string) => T | undefined;

export interface ListReaders {
  readonly mcc: EntryReader<MccEntry>;
  readonly countries: EntryReader<number>;
  readonly merchants: EntryReader<string>;
  readonly channels: EntryReader<ChannelName>;
}

export function listReaders(groups: MccGroups): ListReaders {
  return {
    mcc: (reader, value, pointer) => readMcc(reader, value, pointer, groups),
    countries: readCountry,
    merchants: readMerchant,
    channels: readChannel,
  };
}

/** `{allow?, deny?}`; `halves` says which of the two the place knows. */
export function readList<T>(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  read: EntryReader<T>,
  halves: readonly ('allow' | 'deny')[] = ['allow', 'deny'],
): ListSpec<T> {
  const members = reader.members(value, pointer, halves);
  const list: { allow?: T[]; deny?: T[] } = {};
  for (const half of halves) {
    if (members?.[half] === undefined) continue;
    list[half] = readEntries(reader, members[half], `${pointer}/${half}`, read, half === 'allow');
  }
  return list;
}

/** What a window selects by: an `{allow?, deny?}`, a list of what it takes, or a single entry. */
export function readSelector<T>(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  read: EntryReader<T>,
): ListSpec<T> {
  if (isObject(value)) return readList(reader, value, pointer, read);
  if (Array.isArray(value)) return { allow: readEntries(reader, value, pointer, read, true) };
  const entry = read(reader, value, pointer);
  return entry === undefined ? {} : { allow: [entry] };
}

export function readSelectors(
  reader: JsonReader,
  members: Readonly<Record<string, unknown>>,
  pointer: string,
  readers: ListReaders,
): SelectorSpec {
  const at = (name: keyof ListReaders): string => `${pointer}/${name}`;
  const { mcc, countries, merchants, channels } = members;
  return {
    ...(mcc === undefined ? {} : { mcc: readSelector(reader, mcc, at('mcc'), readers.mcc) }),
    ...(countries === undefined
      ? {}
      : { countries: readSelector(reader, countries, at('countries'), readers.countries) }),
    ...(merchants === undefined
      ? {}
      : { merchants: readSelector(reader, merchants, at('merchants'), readers.merchants) }),
    ...(channels === undefined ? {} : { channels: readSelector(reader, channels, at('channels'), readers.channels) }),
  };
}

function readEntries<T>(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  read: EntryReader<T>,
  isAllow: boolean,
): T[] {
  const entries = reader.entries(value, pointer, CONTROL_LIST_MAX) ?? [];
  if (isAllow && Array.isArray(value) && value.length === 0) {
    reader.fail(pointer, 'an empty list would match nothing at all; leave it out');
  }
  const found: T[] = [];
  for (const [i, value] of entries.entries()) {
    const entry = read(reader, value, `${pointer}/${i}`);
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

/** A category code, a range, or the name of a group. */
export function readMcc(reader: JsonReader, value: unknown, pointer: string, groups: MccGroups): MccEntry | undefined {
  if (typeof value === 'number') return reader.integer(value, pointer, 0, MCC_MAX);
  if (typeof value === 'string') {
    if (/^\d{4}$/.test(value)) return Number(value);
    const range = /^(\d{4})-(\d{4})$/.exec(value);
    if (range !== null) {
      const from = Number(range[1]);
      const to = Number(range[2]);
      return from <= to ? [from, to] : reader.fail(pointer, 'the range ends before it begins');
    }
    if (MCC_GROUP_NAME.test(value)) {
      return Object.hasOwn(groups, value) ? value : reader.fail(pointer, 'there is no category group of this name');
    }
  }
  return reader.fail(pointer, 'must be a category ("5411"), a range ("3501-3999") or the name of a group ("fuel")');
}

function readCountry(reader: JsonReader, value: unknown, pointer: string): number | undefined {
  const country = typeof value === 'string' ? countryOf(value) : -1;
  return country >= 0
    ? country
    : reader.fail(pointer, 'must be a country of ISO 3166: two capital letters or 3 digits');
}

/** Numeric code of a country written as two capital letters or three digits; -1 when there is no such country. */
function countryOf(text: string): number {
  if (!/^\d{3}$/.test(text)) return countryNumber(text);
  return countryLetters(Number(text)) === undefined ? -1 : Number(text);
}

function readMerchant(reader: JsonReader, value: unknown, pointer: string): string | undefined {
  const merchant = typeof value === 'string' ? value.trimEnd() : '';
  return /^[\x20-\x7e]{1,15}$/.test(merchant)
    ? merchant
    : reader.fail(pointer, 'must be a merchant id (DE42): 1 to 15 printable ASCII characters');
}

function readChannel(reader: JsonReader, value: unknown, pointer: string): ChannelName | undefined {
  return reader.oneOf(value, pointer, Object.keys(Channel) as ChannelName[]);
}
