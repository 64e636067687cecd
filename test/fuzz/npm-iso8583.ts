/**
 * The npm package `iso_8583` beside ours, in the dialect that both speak: ASCII with binary bitmaps. Where the two differ is listed
 * here with the reason; the list must stay complete (whatever else differs is a finding) and true (a test tries every entry).
 */
import { createRequire } from 'node:module';
import type { Fields } from '#src/iso8583/message.js';

interface Peer {
  getBufferMessage(): Buffer | { readonly error: string };
  getIsoJSON(bytes: Buffer): Record<string, string> & { readonly error?: string };
}
const PeerMessage = createRequire(import.meta.url)('iso_8583') as new (fields?: Fields) => Peer;

/** Fields that the two lay out differently, and why. */
export const differences: ReadonlyMap<number, string> = new Map([
  [52, 'raw bytes there, 16 hex digits here'],
  [53, '48 raw bytes there, 16 digits here'],
  [55, 'text of up to 999 characters there, up to 255 bytes here'],
  [58, 'up to 11 digits with a prefix of two there, up to 999 characters with a prefix of three here'],
  [64, 'raw bytes there, 16 hex digits here'],
  [96, 'raw bytes there, 16 hex digits here'],
  [127, 'a message of its own with a prefix of six there, up to 999 characters here'],
  [128, 'raw bytes there, 16 hex digits here'],
]);

/**
 * What they write only from some of our values: fields that are digits there and any characters here (36, 40, 49, 51, 118 to 122), or have
 * another length (59, 123). They read them all, because they check content only when they write.
 */
const narrower: ReadonlyMap<number, RegExp> = new Map([
  [34, /^[0-9!$%^&*()_+|~=`{}[\]:";'<>?,./ -]*$/],
  ...[36, 40, 49, 51, 118, 119, 120, 121, 122].map((field) => [field, /^[0-9]*$/] as const),
  [59, /^.{1,255}$/],
  [123, /^[0-9a-z]{15,}$/i],
  ...[37, 38].map((field) => [field, /^[0-9a-z*# ]*$/i] as const),
]);
const alphanumeric = [39, 50, 54, 91, 92, 93, 94, 95];
const printable = /^[0-9a-z!$%^&*()_+|~=`{}[\]:";'<>?,./ -]*$/i;

/** True when their encoder takes such a value of a field that is laid out alike. It takes no empty values at all. */
export function theyWrite(field: number, value: string): boolean {
  if (value === '') return false;
  const pattern = narrower.get(field);
  if (pattern !== undefined && !pattern.test(value)) return false;
  if (alphanumeric.includes(field)) return /^[0-9a-z]*$/i.test(value);
  return printable.test(value);
}

/** Their message without its length header, or the words with which they refuse. */
export function theirBytes(fields: Fields): Uint8Array | string {
  const bytes = new PeerMessage(fields).getBufferMessage();
  return Buffer.isBuffer(bytes) ? bytes.subarray(2) : bytes.error;
}

/** What they read, or the words with which they refuse. */
export function theirFields(message: Uint8Array): Fields | string {
  const framed = Buffer.alloc(2 + message.length);
  framed.writeUInt16BE(message.length);
  framed.set(message, 2);
  const fields = new PeerMessage().getIsoJSON(framed);
  return fields.error ?? fields;
}
