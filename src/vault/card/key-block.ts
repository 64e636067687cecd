/**
 * Key blocks of ANSI X9.143 (TR-31): a key with what it is for, wrapped under a key block protection key (KBPK).
 *
 *   version 1 · length 4 · usage 2 · algorithm 1 · mode of use 1 · key version 2 · exportability 1 · optional blocks 2 ·
 *   reserved 2 · optional blocks ... · key, enciphered (hexadecimal) · MAC (hexadecimal)
 *
 * Versions B (TDES) and D (AES) derive a key for the encipherment and one for the MAC from the KBPK by CMAC, and the MAC of header
 * and clear key is the initial value of the encipherment. Versions A and C use variants of the KBPK and a MAC of 4 bytes over the
 * ciphertext; they are read for migrations, and never written.
 *
 * A block is one text: hexadecimal digits are upper case, no second writing of a block is accepted.
 */
import { randomFillSync } from 'node:crypto';
import { AesKey, type BlockKey, TdesKey } from './block-key.js';
import { sameBytes, wipe } from './bytes.js';
import { cbcMac, cmac } from './mac.js';

export type KeyBlockVersion = 'A' | 'B' | 'C' | 'D';

/** What the header of a block says of its key; each text as the standard writes it. */
export interface KeyAttributes {
  /** Two characters: C0 card verification, V2 PVV, P0 PIN encryption, ... */
  readonly usage: string;
  /** T TDES, A AES, D single DES, H HMAC, ... */
  readonly algorithm: string;
  /** E, D, B, G, V, C, X, N, ... */
  readonly mode: string;
  /** Key version number, two characters; 00 = none. */
  readonly version: string;
  /** E exportable under a trusted key, N never, S by other means. */
  readonly exportability: string;
}

export interface OpenedKeyBlock extends KeyAttributes {
  readonly blockVersion: KeyBlockVersion;
  /** Optional blocks in their order: two characters and what follows. */
  readonly options: readonly (readonly [id: string, data: string])[];
  /** The key. Whoever opened the block overwrites it. */
  readonly key: Buffer;
}

/** Why a block was not opened. `authentication` is all that is said of a wrong KBPK, a changed header or a changed key. */
export type KeyBlockFault = 'malformed' | 'authentication' | 'weak_protection';

const HEADER_CHARS = 16;
/** A key of 4096 bits with every optional block fits four times. */
const BLOCK_CHARS_MAX = 4096;

interface Shape {
  readonly blockBytes: 8 | 16;
  readonly macBytes: number;
  readonly family: 'tdes' | 'aes';
  readonly derived: boolean;
}
const shapes: Readonly<Record<KeyBlockVersion, Shape>> = {
  A: { blockBytes: 8, macBytes: 4, family: 'tdes', derived: false },
  B: { blockBytes: 8, macBytes: 8, family: 'tdes', derived: true },
  C: { blockBytes: 8, macBytes: 4, family: 'tdes', derived: false },
  D: { blockBytes: 16, macBytes: 16, family: 'aes', derived: true },
};

const newKey = (family: Shape['family'], bytes: Uint8Array): BlockKey =>
  family === 'aes' ? new AesKey(bytes) : new TdesKey(bytes);

/** The key for encipherment or MAC: by CMAC over a counter and what it is for, or by a variant. */
function protectionKey(kbpk: BlockKey, shape: Shape, use: 'encipher' | 'mac'): BlockKey {
  const bytes = Buffer.alloc(kbpk.bits / 8);
  if (!shape.derived) {
    for (let i = 0; i < bytes.length; i++) bytes[i] = kbpk.bytes[i]! ^ (use === 'encipher' ? 0x45 : 0x4d);
  } else {
    const algorithm = shape.family === 'aes' ? kbpk.bits / 64 : kbpk.bits / 64 - 2;
    const data = Buffer.of(0, 0, use === 'mac' ? 1 : 0, 0, 0, algorithm, kbpk.bits >> 8, kbpk.bits & 255);
    for (let at = 0; at < bytes.length; at += shape.blockBytes) {
      data[0]!++;
      const part = cmac(kbpk, data);
      bytes.set(part.subarray(0, Math.min(part.length, bytes.length - at)), at);
      wipe(part);
    }
  }
  const key = newKey(shape.family, bytes);
  wipe(bytes);
  return key;
}

/** Key of the protection: a KBPK must not be weaker than what it wraps (X9.143, 5.3.2.1): AES never under TDES. */
function isStrongEnough(kbpk: BlockKey, algorithm: string, keyBits: number): boolean {
  if (algorithm !== 'A') return true;
  return kbpk.blockBytes === 16 && kbpk.bits >= keyBits;
}

/**
 * Opens a key block.
 * @param versions those that are accepted: B and D, unless a migration says otherwise
 */
export function openKeyBlock(
  kbpk: BlockKey,
  text: string,
  versions: readonly KeyBlockVersion[] = ['B', 'D'],
): OpenedKeyBlock | KeyBlockFault {
  const version = text[0] as KeyBlockVersion;
  if (!versions.includes(version) || text.length > BLOCK_CHARS_MAX) return 'malformed';
  const shape = shapes[version];
  if (shape.family !== (kbpk.blockBytes === 16 ? 'aes' : 'tdes') || kbpk.bits < 128) return 'malformed';
  const header = readHeader(text, shape);
  if (header === undefined) return 'malformed';
  const headerBytes = Buffer.from(text.slice(0, header.chars), 'latin1');
  const ciphertext = Buffer.from(text.slice(header.chars, text.length - shape.macBytes * 2), 'hex');
  const mac = Buffer.from(text.slice(text.length - shape.macBytes * 2), 'hex');
  const clear = shape.derived
    ? openDerived(kbpk, shape, headerBytes, ciphertext, mac)
    : openVariant(kbpk, shape, headerBytes, ciphertext, mac);
  if (clear === undefined) return 'authentication';
  const keyBits = clear.readUInt16BE(0);
  const end = 2 + keyBits / 8;
  const sound = keyBits > 0 && keyBits % 8 === 0 && end <= clear.length;
  const strong = isStrongEnough(kbpk, header.attributes.algorithm, keyBits);
  const key = Buffer.alloc(sound && strong ? keyBits / 8 : 0);
  if (key.length > 0) key.set(clear.subarray(2, end));
  wipe(clear);
  if (!sound) return 'malformed';
  return strong ? { ...header.attributes, blockVersion: version, options: header.options, key } : 'weak_protection';
}

function openDerived(
  kbpk: BlockKey,
  shape: Shape,
  header: Buffer,
  ciphertext: Buffer,
  mac: Buffer,
): Buffer | undefined {
  const encipherment = protectionKey(kbpk, shape, 'encipher');
  const authentication = protectionKey(kbpk, shape, 'mac');
  const clear = encipherment.decryptCbc(mac, ciphertext);
  const input = Buffer.concat([header, clear]);
  const genuine = sameBytes(cmac(authentication, input), mac);
  encipherment.destroy();
  authentication.destroy();
  wipe(input);
  if (genuine) return clear;
  wipe(clear);
  return undefined;
}

function openVariant(
  kbpk: BlockKey,
  shape: Shape,
  header: Buffer,
  ciphertext: Buffer,
  mac: Buffer,
): Buffer | undefined {
  const encipherment = protectionKey(kbpk, shape, 'encipher');
  const authentication = protectionKey(kbpk, shape, 'mac');
  const expected = cbcMac(authentication, Buffer.concat([header, ciphertext]), 1).subarray(0, shape.macBytes);
  const clear = sameBytes(expected, mac) ? encipherment.decryptCbc(header.subarray(0, 8), ciphertext) : undefined;
  encipherment.destroy();
  authentication.destroy();
  return clear;
}

interface Header {
  readonly attributes: KeyAttributes;
  readonly options: readonly (readonly [string, string])[];
  readonly chars: number;
}

/** Reads header and optional blocks, and checks that whole blocks of hexadecimal digits follow. */
function readHeader(text: string, shape: Shape): Header | undefined {
  if (!/^[ -~]*$/.test(text) || !/^[A-D][0-9]{4}[0-9A-Z]{4}[0-9A-Za-z]{2}[A-Z][0-9]{2}[0-9]{2}/.test(text))
    return undefined;
  if (Number(text.slice(1, 5)) !== text.length) return undefined;
  const options: (readonly [string, string])[] = [];
  let at = HEADER_CHARS;
  for (let left = Number(text.slice(12, 14)); left > 0; left--) {
    const option = readOption(text, at);
    if (option === undefined) return undefined;
    options.push([option.id, option.data]);
    at = option.end;
  }
  const macAt = text.length - shape.macBytes * 2;
  const sound = at % shape.blockBytes === 0 && macAt > at && (macAt - at) % (shape.blockBytes * 2) === 0;
  if (!sound || !/^[0-9A-F]+$/.test(text.slice(at))) return undefined;
  return {
    attributes: {
      usage: text.slice(5, 7),
      algorithm: text.slice(7, 8),
      mode: text.slice(8, 9),
      version: text.slice(9, 11),
      exportability: text.slice(11, 12),
    },
    options,
    chars: at,
  };
}

/** An optional block: id, length in two hexadecimal digits (00: the length of the length follows), data. */
function readOption(text: string, at: number): { id: string; data: string; end: number } | undefined {
  const id = text.slice(at, at + 2);
  const short = text.slice(at + 2, at + 4);
  if (!/^[0-9A-F]{2}$/.test(short)) return undefined;
  let length = Number.parseInt(short, 16);
  let dataAt = at + 4;
  if (length === 0) {
    const digits = text.slice(at + 4, at + 6);
    if (!/^0[1-8]$/.test(digits)) return undefined;
    const long = text.slice(at + 6, at + 6 + Number(digits) * 2);
    if (!/^([0-9A-F]{2})+$/.test(long)) return undefined;
    length = Number.parseInt(long, 16);
    dataAt = at + 6 + long.length;
  }
  const end = at + length;
  return end < dataAt || end > text.length ? undefined : { id, data: text.slice(dataAt, end), end };
}

/**
 * Wraps a key in a block of version D.
 * @param kbpk AES, at least as long as an AES key that it wraps
 */
export function wrapKeyBlock(kbpk: AesKey, attributes: KeyAttributes, key: Uint8Array): string | 'weak_protection' {
  if (!isStrongEnough(kbpk, attributes.algorithm, key.length * 8)) return 'weak_protection';
  const shape = shapes.D;
  const clear = Buffer.alloc(Math.ceil((2 + key.length) / 16) * 16);
  randomFillSync(clear);
  clear.writeUInt16BE(key.length * 8);
  clear.set(key, 2);
  const { usage, algorithm, mode, version, exportability } = attributes;
  const chars = HEADER_CHARS + clear.length * 2 + shape.macBytes * 2;
  const header = `D${String(chars).padStart(4, '0')}${usage}${algorithm}${mode}${version}${exportability}0000`;
  const encipherment = protectionKey(kbpk, shape, 'encipher');
  const authentication = protectionKey(kbpk, shape, 'mac');
  const input = Buffer.concat([Buffer.from(header, 'latin1'), clear]);
  const mac = cmac(authentication, input);
  const ciphertext = encipherment.encryptCbc(mac, clear);
  encipherment.destroy();
  authentication.destroy();
  wipe(clear, input);
  return header + ciphertext.toString('hex').toUpperCase() + mac.toString('hex').toUpperCase();
}
