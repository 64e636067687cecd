/**
 * Key of the approval codes (domain/approval-code.ts), derived from the index key, which never rotates: HMAC-SHA-256 with a
 * label, so that neither says anything about the other.
 */
import { createHmac } from 'node:crypto';
import type { VaultKey } from './keys.js';

/** 128 bits as four unsigned 32-bit words. */
export function approvalKeyOf(indexKey: VaultKey): readonly [number, number, number, number] {
  const bytes = createHmac('sha256', indexKey.bytes).update('holdfast approval codes v1').digest();
  return [bytes.readUInt32BE(0), bytes.readUInt32BE(4), bytes.readUInt32BE(8), bytes.readUInt32BE(12)];
}
