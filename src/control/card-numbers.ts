/**
 * Numbers of new cards and network tokens. A number goes into the vault, durably, before the command that creates the card:
 * a crash in between leaves an orphan row, never a card without its number.
 *
 * That one number has one card in the whole installation is decided here: every card is created through the control
 * thread, so a look into the directory of all shards plus the set of creations under way is complete.
 */
import { randomBytes } from 'node:crypto';
import type { CommandResult, Refusal } from '../domain/commands.js';
import type { CardView, CreateAlias, CreateCard, IdempotencyTag } from '../domain/party-commands.js';
import type { Fingerprint } from '../vault/fingerprint.js';
import { findNamed, type NumberNames } from '../vault/live-fingerprints.js';
import { isPan, luhnCheckDigit } from '../vault/pan.js';
import type { PinReference } from '../vault/pin-references.js';
import type { ControlContext } from './context.js';
import { type ClaimedKey, derive } from './idempotency.js';
import { ShardError } from './ports.js';
import { ApiError } from './problem.js';
import type { ProgramDefinition } from './system-log.js';
import { refused } from './views.js';

type WithoutNumber<T> = Omit<T, 'fingerprint' | 'formerly' | 'bin' | 'last4' | 'panLength'>;
export type CardDraft = WithoutNumber<CreateCard>;
export type AliasDraft = WithoutNumber<CreateAlias>;
type Draft = CardDraft | AliasDraft;
/** What is made under a number, which its PIN's seal is bound to. */
interface Drafted {
  readonly given: Draft;
  readonly pin: PinReference | undefined;
}

const ISSUED_LENGTH = 16;
/** A BIN with a million cards of its billion numbers collides once in a thousand; 16 in a row mean that it is full. */
const ISSUE_ATTEMPTS = 16;

/** A creation under way. One whose outcome is unknown stays, open to its own shard only. */
interface Creation {
  readonly f1: number;
  readonly f2: number;
  readonly shard: number;
  /** Of the fingerprint keys, when it began. */
  readonly generation: number;
  unknown: boolean;
}

/** By the 53 leading bits of the fingerprint: a number is a cheaper key than a text, and imports make millions of them. */
const underWay = new WeakMap<ControlContext, Map<number, Creation>>();

function creations(context: ControlContext): Map<number, Creation> {
  let map = underWay.get(context);
  if (map === undefined) {
    map = new Map();
    underWay.set(context, map);
  }
  return map;
}

function keyOf({ f0, f1 }: Fingerprint): number {
  return f0 * 2 ** 21 + (f1 >>> 11);
}

/** What a command that creates a card says of its number. */
export function commandNames({
  fingerprint: { f0, f1, f2 },
  formers,
}: NumberNames): Pick<CreateCard, 'fingerprint' | 'formerly'> {
  const formerly = formers.map((former) => [former.f0, former.f1, former.f2] as const);
  return { fingerprint: [f0, f1, f2], ...(formerly.length === 0 ? {} : { formerly }) };
}

/**
 * Claims a number for a creation in the shard; false when another creation, or a card, has it. One under a former fingerprint whose
 * outcome is unknown is in its shard before this one, which looks for both.
 * @throws ApiError `shard_unavailable` when two different numbers under way share 53 bits of their fingerprints: try again.
 */
export function claim(context: ControlContext, names: NumberNames, shard: number): boolean {
  const { fingerprint, formers } = names;
  const { f1, f2 } = fingerprint;
  const map = creations(context);
  const key = keyOf(fingerprint);
  const other = map.get(key);
  if (other !== undefined) {
    if (other.f1 !== f1 || other.f2 !== f2)
      throw new ApiError('shard_unavailable', 'Another card is being created at the moment.', { retryAfterSeconds: 1 });
    if (!other.unknown || other.shard !== shard) return false;
  }
  for (const former of formers) {
    const creation = map.get(keyOf(former));
    if (creation === undefined || creation.f1 !== former.f1 || creation.f2 !== former.f2) continue;
    if (!creation.unknown || creation.shard !== shard) return false;
  }
  if (findNamed(context.directory, names) >= 0) return false;
  if (context.directory.full)
    throw new ApiError('capacity_exceeded', 'The card directory is full: start the engine with a larger --cards-max.');
  map.set(key, { f1, f2, shard, generation: context.fingerprinter.generation, unknown: false });
  return true;
}

/** Ends a claim. After a time-out the outcome is unknown, and the number stays with its shard. */
export function release(context: ControlContext, fingerprint: Fingerprint, outcomeKnown: boolean): void {
  const map = creations(context);
  const key = keyOf(fingerprint);
  if (outcomeKnown) map.delete(key);
  else {
    const mine = map.get(key);
    if (mine !== undefined) mine.unknown = true;
  }
}

/**
 * True when no creation is under way whose fingerprint was made before the fingerprint keys were set last. One whose outcome is unknown
 * has one when its shard answers what came after it: then its card is in the directory, or there is none.
 */
export async function settleCreations(context: ControlContext): Promise<boolean> {
  const map = creations(context);
  let isSettled = true;
  for (const [key, creation] of map) {
    if (creation.generation === context.fingerprinter.generation) continue;
    const read = creation.unknown
      ? await context.shards.read(creation.shard, { op: 'account_slot', slot: 0 })
      : undefined;
    if (read === undefined || (!read.ok && read.code === 'shard_unavailable')) isSettled = false;
    else if (map.get(key) === creation) map.delete(key);
  }
  return isSettled;
}

/**
 * What a live program asks of a number that is brought along; a sandbox takes any 13 to 19 digits. Networks have ranges of
 * their own for tokens, so that of a token may be outside the BINs.
 */
export function panProblem(program: ProgramDefinition, pan: string, isToken = false): string | undefined {
  if (program.sandbox) return undefined;
  if (!isToken && !program.bins.some((bin) => pan.startsWith(bin)))
    return 'the number is outside the BINs of the program';
  if (!isPan(pan)) return 'the check digit is wrong';
  return undefined;
}

/** Card number `round` of a seed: the same seed gives the same numbers, so a repeated request makes no second one. */
export function panOfSeed(context: ControlContext, bin: string, seed: Uint8Array, round: number): string {
  const bytes = derive(context.keys.id, 'pan', seed, round);
  const free = ISSUED_LENGTH - 1 - bin.length;
  // 64 random bits for at most 9 digits: the bias of the remainder is below 2^-34.
  const number = bytes.readBigUInt64BE(0) % 10n ** BigInt(free);
  const digits = bin + String(number).padStart(free, '0');
  return digits + String(luhnCheckDigit(digits));
}

export function panFields(pan: string): { bin: number; last4: number; panLength: number } {
  return { bin: Number(pan.slice(0, 6)), last4: Number(pan.slice(-4)), panLength: pan.length };
}

interface Issued {
  result: CommandResult;
  /** Absent when an earlier request created the card. */
  pan?: string;
}

const membersToBlame: { readonly [code in Refusal]?: { param: string } } = {
  card_exists: { param: '/pan' },
  card_replaced: { param: '/replaces' },
};

export interface NumberedRequest {
  readonly shard: number;
  /** Index of the account's program. */
  readonly program: number;
  readonly draft: Draft;
  /** The number that the caller brought; without one it is issued. */
  readonly pan: string | undefined;
  /** Of a card that comes with its PIN. */
  readonly pin?: PinReference | undefined;
  readonly key: ClaimedKey | undefined;
  /** What is to blame when a refusal is about neither the number nor the replaced card. */
  readonly blame: Parameters<typeof refused>[1];
}

/**
 * Creates a card or a network token for a request of the API; a repeat gets what the first request made.
 * @returns the row, and what the answer says of its number
 * @throws ApiError
 */
export async function createNumbered(
  context: ControlContext,
  { shard, program: index, draft: given, pan, pin, key, blame }: NumberedRequest,
): Promise<{ card: CardView; number: { pan?: string; pan_available?: boolean }; replayed: boolean }> {
  const program = context.system.programAt(index)?.program;
  if (program === undefined) throw new TypeError(`account of unknown program ${index}`);
  const draft: Drafted = { given, pin };
  const issued =
    (key?.known === true ? await earlier(context, shard, key.tag) : undefined) ??
    (pan === undefined
      ? await issue(context, shard, program, draft, key?.tag.keyHash ?? randomBytes(32))
      : await register(context, shard, program, draft, pan));
  const { result } = issued;
  if (!result.ok) throw refused(result, membersToBlame[result.code] ?? blame);
  if (!('card' in result) || result.card === undefined) throw new TypeError('the shard answered no card');
  const number = pan === undefined ? shownOnce(issued) : {};
  return { card: result.card, number, replayed: result.replayed === true };
}

/** What an answer says of a number that was issued: the number in the first answer only. */
function shownOnce({ result, pan }: Issued): { pan?: string; pan_available: boolean } {
  const replayed = result.ok && 'replayed' in result && result.replayed === true;
  return replayed || pan === undefined ? { pan_available: false } : { pan, pan_available: true };
}

/**
 * What an earlier request with this key did; undefined when it created no card. Asked before a repeat is decided again: the
 * rules for card numbers may have changed since, and the first answer stays the answer.
 */
async function earlier(context: ControlContext, shard: number, tag: IdempotencyTag): Promise<Issued | undefined> {
  const read = await context.shards.read(shard, { op: 'outcome', idempotency: tag });
  if (!read.ok) throw refused(read);
  if (!('outcome' in read)) throw new TypeError('the shard answered no outcome');
  const result = read.outcome;
  if (result === null) return undefined;
  if (result.ok && 'card' in result && result.card !== undefined) {
    const [f0, f1, f2] = result.card.fingerprint;
    release(context, { f0, f1, f2 }, true);
  }
  return { result };
}

/** Registers a card or a token under a number that the caller brought. */
async function register(
  context: ControlContext,
  shard: number,
  program: ProgramDefinition,
  draft: Drafted,
  pan: string,
): Promise<Issued> {
  const problem = panProblem(program, pan, draft.given.op === 'create_alias');
  if (problem !== undefined)
    throw new ApiError('validation_failed', `/pan: ${problem}`, {
      param: '/pan',
      errors: [{ detail: problem, pointer: '/pan' }],
    });
  return { result: await create(context, shard, draft, pan), pan };
}

/** Issues a number from the program's first BIN. */
async function issue(
  context: ControlContext,
  shard: number,
  program: ProgramDefinition,
  draft: Drafted,
  seed: Uint8Array,
): Promise<Issued> {
  for (let round = 0; ; round++) {
    const pan = panOfSeed(context, program.bins[0]!, seed, round);
    const result = await create(context, shard, draft, pan);
    if (result.ok || result.code !== 'card_exists') return { result, pan };
    if (round === ISSUE_ATTEMPTS)
      throw new ApiError('capacity_exceeded', 'No free number was found: the BIN of the program is nearly full.');
  }
}

async function create(
  context: ControlContext,
  shard: number,
  { given, pin }: Drafted,
  pan: string,
): Promise<CommandResult> {
  const names = context.fingerprinter.namesOf(pan);
  const { fingerprint } = names;
  if (!claim(context, names, shard)) return { ok: false, code: 'card_exists' };
  let outcomeKnown = true;
  try {
    if (!context.vault.has(fingerprint)) context.vault.put([{ fingerprint, pan }]);
    return await context.shards.command(shard, {
      ...given,
      ...commandNames(names),
      ...panFields(pan),
      ...(pin === undefined ? {} : { pinReference: context.pins.seal(fingerprint, pin) }),
    });
  } catch (error) {
    outcomeKnown = !(error instanceof ShardError && error.kind === 'timeout');
    throw error;
  } finally {
    release(context, fingerprint, outcomeKnown);
  }
}
