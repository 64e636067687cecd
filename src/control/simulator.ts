/**
 * The simulator: sends a real ISO 8583 message for a card of a sandbox program the way the ingress would, so that the decision
 * is the same code on the same path. The card number comes from the vault and stays in `send`.
 *
 * With an Idempotency-Key the references of the message (STAN, RRN, time) follow from the key and the time of its claim. A
 * retry after a crash sends the very same message, and the shard answers it as the repeat that it is.
 */
import { randomBytes } from 'node:crypto';
import type { AccountView, CardView } from '../domain/party-commands.js';
import { type DialectName, dialectNames } from '../iso8583/dialects.js';
import { maskedBytes } from '../iso8583/mask.js';
import { type DescribedMessage, describe, type Fields, IsoError, pack } from '../iso8583/message.js';
import { privateData } from '../iso8583/private-data.js';
import { shardOfFingerprint } from '../journal/placement.js';
import { WIRE_HEADER_BYTES, WIRE_NO_CARD } from '../ring/wire-entry.js';
import { findNamed } from '../vault/live-fingerprints.js';
import { authorizationObject, recordAt } from './authorizations.js';
import type { ControlContext } from './context.js';
import { type ClaimedKey, derive } from './idempotency.js';
import { eventId } from './ids.js';
import { ApiError } from './problem.js';
import type { Answer } from './route.js';
import type { References, Tags } from './simulated-messages.js';

/** Number of the link that simulated messages have. */
const SIMULATOR_LINK = 0;

/** Dialect of the messages that are built here. */
export const SIMULATOR_DIALECT: DialectName = 'iso87-bcd';

export function assertSandbox(context: ControlContext, account: AccountView): void {
  if (context.system.programAt(account.program)?.program.sandbox !== true)
    throw new ApiError('not_sandbox', 'The program of this card is live.');
}

/** Made from the key and the time of its claim, so that a repeat has the same; else random. */
export function referencesOf(
  context: ControlContext,
  key: ClaimedKey | undefined,
  body: { stan?: string | undefined; rrn?: string | undefined; approval_code?: string | undefined },
): References {
  const bytes = derive(context.keys.id, 'simulate', key?.tag.keyHash ?? randomBytes(32));
  const timeMs = key?.claimedMs ?? context.nowMs();
  const six = (at: number): string => String(bytes.readUInt32BE(at) % 1_000_000).padStart(6, '0');
  return {
    stan: body.stan ?? six(0),
    rrn: body.rrn ?? String(bytes.readUIntBE(4, 6) % 1e12).padStart(12, '0'),
    transmission: new Date(timeMs).toISOString().replace(/\D/g, '').slice(4, 14),
    approvalCode: body.approval_code ?? six(10),
  };
}

/** A card that the message is about: one of ours, or a number that nobody has. */
export interface Addressee {
  readonly shard: number;
  /** Absent: the number is unknown. */
  readonly slot?: number;
  readonly fingerprint: readonly [number, number, number];
  /** The number itself. */
  readonly pan: string;
}

export function addresseeOf(context: ControlContext, { shard, card }: { shard: number; card: CardView }): Addressee {
  const [f0, f1, f2] = card.fingerprint;
  const pan = context.vault.reveal({ f0, f1, f2 });
  if (pan === undefined) throw new Error('the vault has no number for a card of the journal');
  return { shard, slot: card.slot, fingerprint: card.fingerprint, pan };
}

/** Where the ingress would send this number. */
export function addresseeOfNumber(context: ControlContext, pan: string): Addressee {
  const names = context.fingerprinter.namesOf(pan);
  const value = findNamed(context.directory, names);
  const { f0, f1, f2 } = names.fingerprint;
  const fingerprint = [f0, f1, f2] as const;
  if (value < 0) return { shard: shardOfFingerprint(f0, context.shards.shards), fingerprint, pan };
  return { shard: value >>> 24, slot: value & 0xffffff, fingerprint, pan };
}

/**
 * Sends the message and answers with what became of it.
 * @param fields without DE48, which `tags` become; DE2 is added when `fields` have neither it nor a track
 */
export async function simulate(
  context: ControlContext,
  to: Addressee,
  fields: Fields,
  tags: Tags = [],
  dialect = SIMULATOR_DIALECT,
): Promise<Answer> {
  const whole = { ...fields, ...(tags.length === 0 ? {} : { 48: privateData(tags) }) };
  const message = packed(
    dialect,
    fields[2] === undefined && fields[35] === undefined ? { ...whole, 2: to.pan } : whole,
  );
  const request = isoView(dialect, message, to.pan);
  let reply: { message: Uint8Array; sequence: number };
  try {
    const businessDay = context.system.cutover(SIMULATOR_LINK)?.day ?? 0;
    reply = await context.shards.wire(to.shard, headerOf(to, dialect, businessDay), message);
  } finally {
    message.fill(0);
  }
  const found = reply.sequence < 1 ? undefined : await recordAt(context, to.shard, reply.sequence);
  const body = {
    object: 'simulation',
    authorization: found === undefined ? null : authorizationObject(context, found.details),
    element: found === undefined ? null : eventId(context, 'elem', to.shard, reply.sequence),
    iso: { request, reply: isoView(dialect, reply.message, to.pan) },
  };
  return { status: 201, body };
}

/**
 * Sends a message that is about no card: the listener answers it, as one of its link 0 (ingress/loopback.ts).
 * @throws ApiError `not_simulatable`, `outcome_unknown` when the listener did not answer in time
 */
export async function simulateForListener(
  context: ControlContext,
  fields: Fields,
  dialect: DialectName,
): Promise<Answer> {
  const message = packed(dialect, fields);
  const request = isoView(dialect, message, '');
  let reply: Uint8Array;
  try {
    reply = await context.listener.exchange(dialect, message);
  } catch {
    throw new ApiError('outcome_unknown', 'The listener did not answer in time.', { retryAfterSeconds: 1 });
  }
  const iso = { request, reply: isoView(dialect, reply, '') };
  return { status: 201, body: { object: 'simulation', authorization: null, element: null, iso } };
}

/** Header of the wire entry (ring/wire-entry.ts); link 0 is the simulator, with the business date that its cutovers gave it. */
function headerOf({ shard, slot, fingerprint }: Addressee, dialect: DialectName, businessDay: number): Uint8Array {
  const header = new Uint8Array(WIRE_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, slot === undefined ? WIRE_NO_CARD : ((shard << 24) | slot) >>> 0, true);
  for (const [index, word] of fingerprint.entries()) view.setUint32(4 + index * 4, word, true);
  header[16] = dialectNames.indexOf(dialect);
  header[17] = 1;
  view.setUint32(20, businessDay, true);
  return header;
}

function packed(dialect: DialectName, fields: Fields): Uint8Array {
  try {
    return pack(dialect, fields);
  } catch (error) {
    // Its text names the field and the reason, never the value.
    if (error instanceof IsoError) throw new ApiError('not_simulatable', error.message);
    throw error;
  }
}

interface IsoView {
  dialect: string;
  hex: string;
  decoded: DescribedMessage;
}

function isoView(dialect: DialectName, message: Uint8Array, pan: string): IsoView {
  const masked = maskedBytes(dialect, message, pan);
  return { dialect, hex: Buffer.from(masked).toString('hex').toUpperCase(), decoded: describe(dialect, masked) };
}
