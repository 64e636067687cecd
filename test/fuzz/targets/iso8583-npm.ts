/** Our codec and the npm package `iso_8583`: each reads what the other writes, and both write the same bytes. */
import { FIELD_MAX } from '#src/iso8583/fields.js';
import { type Fields, IsoError, pack, unpack } from '#src/iso8583/message.js';
import { MESSAGE_BYTES_MAX } from '#src/limits.js';
import { isoSeeds } from '../iso-messages.js';
import { differences, theirBytes, theirFields, theyWrite } from '../npm-iso8583.js';
import { type FuzzTarget, must, type OpenTarget, type Verdict } from '../target.js';
import { targets as isoTargets } from './iso8583.js';

const NAME = 'iso87-ascii-bin';
/** MTIs that they know; another is refused by them and by nobody else. */
const types = ['0100', '0110', '0120', '0200', '0210', '0400', '0420', '0430', '0800', '0810'];
const isAscii = (text: string): boolean => Array.from(text).every((char) => char < '\u0080');

const target: OpenTarget = {
  run(input: Uint8Array): Verdict {
    const ours = readable(input);
    if (ours === undefined) return 'refused';
    const fields: Fields = { 0: types[Number(ours[0]) % types.length]! };
    for (let field = 2; field <= FIELD_MAX; field++) {
      const value = ours[field];
      // They read bytes as UTF-8.
      if (value !== undefined && !differences.has(field) && isAscii(value)) fields[field] = value;
    }
    sameFields(theirFields(pack(NAME, fields)), fields, 'they read of ours');
    const written: Fields = {};
    for (const [field, value] of Object.entries(fields))
      if (field === '0' || theyWrite(Number(field), value)) written[field] = value;
    const theirs = theirBytes(written);
    must(typeof theirs !== 'string', () => `they refuse to write: ${String(theirs)}`);
    sameFields(unpack(NAME, theirs), written, 'we read of theirs');
    must(
      Buffer.from(withoutEmptyBitmap(theirs)).equals(pack(NAME, written)),
      () => `theirs ${Buffer.from(theirs).toString('hex')}, ours ${Buffer.from(pack(NAME, written)).toString('hex')}`,
    );
    return 'accepted';
  },
};

function readable(input: Uint8Array): Fields | undefined {
  try {
    return unpack(NAME, input);
  } catch (error) {
    if (error instanceof IsoError) return undefined;
    throw error;
  }
}

/** They always send a secondary bitmap, one of zeros if need be; we send the shortest form. */
function withoutEmptyBitmap(bytes: Uint8Array): Uint8Array {
  if (bytes.subarray(12, 20).some((byte) => byte !== 0)) return bytes;
  const shortest = Buffer.concat([bytes.subarray(0, 12), bytes.subarray(20)]);
  shortest[4]! &= 0x7f;
  return shortest;
}

function sameFields(got: Fields | string, wanted: Fields, what: string): void {
  must(typeof got !== 'string', () => `${what}: ${String(got)}`);
  const keys = new Set([...Object.keys(got), ...Object.keys(wanted)]);
  for (const key of keys)
    must(got[key] === wanted[key], () => `what ${what} differs in field ${key}: ${got[key]} for ${wanted[key]}`);
}

export const targets: readonly FuzzTarget[] = [
  {
    ...isoTargets.find(({ name }) => name === 'iso8583-ascii-bin')!,
    name: 'iso8583-npm',
    reads: 'messages of iso87-ascii-bin; the npm package iso_8583 beside our codec',
    inputsInCi: 1500,
    bytesMax: MESSAGE_BYTES_MAX,
    work: { base: 20_000, perByte: 200 },
    seeds: () => isoSeeds.map((fields) => pack(NAME, fields)),
    open: () => target,
  },
];
