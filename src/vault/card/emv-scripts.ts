/**
 * The PIN change command of an issuer script (EMV Book 3, PIN CHANGE/UNBLOCK, class 84, instruction 24): the new PIN enciphered
 * for the card, with a MAC.
 */
import type { TdesKey } from './block-key.js';
import { packDigits, wipe, xorInto } from './bytes.js';
import { scriptMac } from './emv-cryptogram.js';
import { pad } from './mac.js';
import { encodePinBlock } from './pin-block.js';

/** Length byte of the command: 8 bytes of MAC behind the block. */
const MAC_BYTES = 8;
const noFill = (): void => undefined;

/**
 * Visa's block: the length and the PIN, XORed with four bytes of the card's master key for cryptograms, and with the PIN of
 * now when the card must know it.
 */
function visaBlock(masterAc: Uint8Array, pin: Uint8Array, currentPin: Uint8Array | undefined): Buffer {
  const block = Buffer.alloc(8, 0xff);
  block[0] = pin.length;
  packDigits(pin, 0, pin.length, block, 2);
  xorInto(block, masterAc.subarray(4, 8), 4);
  if (currentPin !== undefined) {
    const current = Buffer.alloc(8);
    packDigits(currentPin, 0, currentPin.length, current, 0);
    xorInto(block, current);
    wipe(current);
  }
  return block;
}

/** Keys and values that a PIN change command is made of. */
export interface PinChange {
  readonly style: 'visa' | 'mchip';
  /** The card's master key for cryptograms: Visa's block needs it. */
  readonly masterAc: Uint8Array;
  /** Session keys of the script. */
  readonly integrity: TdesKey;
  readonly confidentiality: TdesKey;
  readonly atc: Uint8Array;
  readonly arqc: Uint8Array;
  readonly pin: Uint8Array;
  /** Only Visa's block knows it. */
  readonly currentPin?: Uint8Array | undefined;
}

/** The whole command: header, enciphered PIN block, MAC. */
export function pinChangeCommand(change: PinChange): Buffer {
  const { style, pin, currentPin, confidentiality } = change;
  const block =
    style === 'visa' ? visaBlock(change.masterAc, pin, currentPin) : encodePinBlock(2, pin, new Uint8Array(0), noFill);
  // Visa sets the length ahead and pads to two blocks; a block of M/Chip is whole.
  const clear = style === 'visa' ? pad(Buffer.concat([Buffer.of(block.length), block]), 2, 8) : Buffer.from(block);
  const data = confidentiality.encrypt(clear);
  const header = Buffer.of(0x84, 0x24, 0x00, currentPin === undefined ? 0x02 : 0x01, data.length + MAC_BYTES);
  const mac = scriptMac(change.integrity, header, change.atc, change.arqc, data);
  wipe(block, clear);
  return Buffer.concat([header, data, mac]);
}
