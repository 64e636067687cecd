/** Seals of PIN references as the shards of tests open them, and no adapter of card cryptography. */
import type { CardKeys } from '#src/shard/card-checks.js';
import { PinReferences } from '#src/vault/pin-references.js';

export const pinReferences = new PinReferences(new Uint8Array(32).fill(7));
export const noCardKeys: CardKeys = { hsm: undefined, pins: pinReferences };
