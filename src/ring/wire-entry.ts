/**
 * Payload of a `RequestKind.wire` entry: what the ingress found out about a message (words little-endian), then the message.
 *
 *   0  u32 directory value (shard << 24 | card slot), 0xFFFFFFFF when the card is unknown or the message has no PAN
 *   4  u32 x 3 keyed fingerprint of the PAN; zeros without a PAN
 *   16 u8 index of the dialect · u8 1 when the message carries a PAN · u16 link
 *   20 u32 business day of the link, days since 1970; 0 before its first cutover
 *   24 the ISO 8583 message, framing and header removed
 *
 * Entry header: token = the ingress's own correlation, timeUs = when the last byte was read, b = deadline (both in us of
 * `monotonicUs`). Reply entry (`ReplyKind.wire`): the same token and shard, flag 1 when the reply is an approval whose
 * hold can be rolled back, b = the journal sequence of the decision, payload = the reply message without framing.
 * A `RequestKind.notDelivered` entry carries b = that sequence and no payload.
 */
export const WIRE_HEADER_BYTES = 24;
export const WIRE_NO_CARD = 0xffffffff;

/** Business day of the link in the wire entry whose payload is at `at`: days since 1970, 0 before its first cutover. */
export function businessDayOfWireEntry(bytes: Uint8Array, at: number): number {
  return (bytes[at + 20]! | (bytes[at + 21]! << 8) | (bytes[at + 22]! << 16) | (bytes[at + 23]! << 24)) >>> 0;
}

/** Directory value of the wire entry whose payload is at `at`: shard << 24 | card slot, or WIRE_NO_CARD. */
export function cardOfWireEntry(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
