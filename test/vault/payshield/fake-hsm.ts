/**
 * A payShield of our own for tests: it takes host commands over TCP, asks the software adapter, and answers, unless it is told to
 * misbehave. Its keys are key blocks under a local master key that only it has.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { AesKey } from '#src/vault/card/block-key.js';
import type { CryptogramVersion } from '#src/vault/card/emv-profiles.js';
import { wrapKeyBlock } from '#src/vault/card/key-block.js';
import type { PinBlockFormat } from '#src/vault/card/pin-block.js';
import type { HsmFailure, HsmRequest, HsmVerdict, PinMethod } from '#src/vault/hsm/port.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { type DeviceKey, DeviceKeys } from '#src/vault/payshield/device-keys.js';
import { bytes, digits, hex, keyring } from '../hsm/support.js';

/** What happens to the answer of the n-th command (from 0): bytes instead of the answer, nothing, or a wait in ms. */
export interface Behaviour {
  /** Milliseconds until the answer to the n-th command is sent. */
  delayMs?: (n: number) => number;
  /** The answer is never sent. */
  silent?: (n: number) => boolean;
  /** The connection is reset instead of an answer. */
  reset?: (n: number) => boolean;
  /** What is sent instead of the whole answer, length and header included. */
  instead?: (n: number, answer: Buffer) => Buffer | undefined;
  /** An error code instead of the one of the answer. */
  error?: (n: number, command: string) => string | undefined;
}

const masterKey = new AesKey(Buffer.from('local master key of a fake HSM!!', 'latin1'));
const masterName = 'lmk';

/** Keys as the adapter holds them: the keyring, but for those that no command of a device uses. */
export function deviceKeys(): DeviceKeys {
  const keys = new DeviceKeys();
  for (const key of deviceKeyEntries()) {
    const verdict = keys.add(key);
    if (verdict.outcome !== 'ok') throw new Error(JSON.stringify(verdict));
  }
  return keys;
}

/** The same as entries of a file of keys. */
export function deviceKeyEntries(): DeviceKey[] {
  return keyring.map(([id, purpose, material]) => {
    const { usage, algorithm, mode } = purpose;
    const attributes = { usage, algorithm, mode, version: '00', exportability: 'S' };
    const block = wrapKeyBlock(masterKey, attributes, bytes(material));
    const info = { id, usage, algorithm, mode, exportability: 'N', bits: material.length * 4, kcv: '000000' };
    return { ...info, wrapped: `S${block}` };
  });
}

/** Reads the fields of a command one after the other. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  raw(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new Error('fields end early');
    this.#at += count;
    return Buffer.from(this.#bytes.subarray(this.#at - count, this.#at));
  }
  text(count: number): string {
    return this.raw(count).toString('latin1');
  }
  hex(count: number): Buffer {
    return bytes(this.text(count));
  }
  number(count: number, base = 10): number {
    return Number.parseInt(this.text(count), base);
  }
  until(delimiter: string): string {
    const end = this.#bytes.indexOf(delimiter, this.#at);
    const found = this.text(end - this.#at);
    this.#at++;
    return found;
  }
  expect(text: string): void {
    if (this.text(text.length) !== text) throw new Error(`${text} expected`);
  }
  /** A key block: S, version, length of the block. */
  key(): string {
    this.expect('S');
    const head = this.text(5);
    return `S${head}${this.text(Number(head.slice(1)) - 5)}`;
  }
  end(): void {
    if (this.#at !== this.#bytes.length) throw new Error('bytes left over');
  }
}

const formats: Readonly<Record<string, PinBlockFormat>> = { '01': 0, '05': 1, '47': 3 };
const codes: Readonly<Record<HsmFailure, string>> = {
  pin_unreadable: '20',
  key_not_usable: 'A6',
  bad_request: '15',
  not_allowed: '69',
  unsupported: '68',
  device_down: '41',
  device_busy: '41',
  timeout: '41',
  device_error: '41',
};

export class FakeHsm {
  readonly behaviour: Behaviour = {};
  readonly #soft: SoftHsm;
  readonly #keys = new SoftKeys();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #headerChars: number;
  /** Commands that have come. */
  commands = 0;
  connections = 0;
  /** Most commands that were under way at once. */
  busiest = 0;
  #underWay = 0;

  constructor(headerChars = 4, tls?: TlsOptions) {
    this.#headerChars = headerChars;
    this.#soft = new SoftHsm(this.#keys, { allowSoftwarePin: true, say: () => undefined });
    this.#keys.add(masterName, { usage: 'K1', algorithm: 'A', mode: 'B' }, masterKey.bytes);
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept);
    // A client that does not trust the certificate ends the handshake.
    this.#server.on('tlsClientError', () => undefined);
  }

  /** Listens; its port. */
  listen(port = 0): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => resolve((this.#server.address() as { port: number }).port));
    });
  }

  /** Resets every connection. */
  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const frame = rest.subarray(2, 2 + rest.readUInt16BE(0));
        rest = rest.subarray(2 + frame.length);
        this.#command(socket, frame);
      }
    });
  }

  #command(socket: Socket, frame: Buffer): void {
    const n = this.commands++;
    const { silent, reset, instead, delayMs } = this.behaviour;
    if (silent?.(n)) return;
    if (reset?.(n)) {
      socket.resetAndDestroy();
      return;
    }
    const answer = this.#answer(n, frame);
    const bytesOut = instead?.(n, answer) ?? answer;
    this.#underWay++;
    this.busiest = Math.max(this.busiest, this.#underWay);
    const send = (): void => {
      this.#underWay--;
      if (!socket.destroyed) socket.write(bytesOut);
    };
    const wait = delayMs?.(n) ?? 0;
    if (wait === 0) send();
    else setTimeout(send, wait);
  }

  #answer(n: number, frame: Buffer): Buffer {
    const header = frame.toString('latin1', 0, this.#headerChars);
    const code = frame.toString('latin1', this.#headerChars, this.#headerChars + 2);
    const fields = new Fields(frame.subarray(this.#headerChars + 2));
    let error: string | undefined = this.behaviour.error?.(n, code);
    let value: Buffer = Buffer.alloc(0);
    if (error === undefined) {
      try {
        [error, value] = this.#run(code, fields);
        fields.end();
      } catch {
        error = '15';
      }
    }
    if (error !== '00') value = Buffer.alloc(0);
    const responseCode = code[0]! + String.fromCharCode(code.charCodeAt(1) + 1);
    const body = Buffer.concat([Buffer.from(header + responseCode + error, 'latin1'), value]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(body.length);
    return Buffer.concat([length, body]);
  }

  #run(code: string, f: Fields): [string, Buffer] {
    if (code === 'B2') return ['00', f.raw(f.number(4, 16))];
    const request = this.#read(code, f);
    const verdict = this.#soft.answer(request);
    return [codeOf(verdict), valueOfAnswer(request, verdict)];
  }

  #key(f: Fields): string {
    const wrapped = f.key();
    if (this.#keys.info(wrapped) === undefined) this.#keys.open(masterName, wrapped.slice(1), wrapped);
    return wrapped;
  }

  /** The command as a request of the port. The account number of a PIN block has no check digit: one is put behind it. */
  #read(code: string, f: Fields): HsmRequest {
    const account = (): Buffer => digits(`${f.text(12)}0`);
    const block = (key: string): { key: string; block: Buffer; format: PinBlockFormat } => ({
      key,
      block: f.hex(16),
      format: formats[f.text(2)]!,
    });
    switch (code) {
      case 'CY': {
        const key = this.#key(f);
        const cvv = digits(f.text(3));
        return { op: 'verify_cvv', key, cvv, pan: digits(f.until(';')), expiry: f.text(4), serviceCode: f.text(3) };
      }
      case 'CW':
        return {
          op: 'generate_cvv',
          key: this.#key(f),
          pan: digits(f.until(';')),
          expiry: f.text(4),
          serviceCode: f.text(3),
        };
      case 'EC': {
        const [zone, key] = [this.#key(f), this.#key(f)];
        const pin = block(zone);
        const pan = account();
        return {
          op: 'verify_pin',
          pin,
          pan,
          method: { method: 'pvv', key, keyIndex: f.number(1) },
          reference: digits(f.text(4)),
        };
      }
      case 'EA':
        return this.#readOffset(f, block);
      case 'FW':
      case 'CU': {
        f.expect('FFF');
        const [zone, key] = [this.#key(f), this.#key(f)];
        const pin = block(zone);
        const pan = account();
        const method: PinMethod = { method: 'pvv', key, keyIndex: f.number(1) };
        if (code === 'FW') return { op: 'set_pin', pin, pan, method };
        return { op: 'change_pin', pin, pan, method, reference: digits(f.text(4)), newBlock: f.hex(16) };
      }
      case 'CC': {
        const [zone, toKey] = [this.#key(f), this.#key(f)];
        f.expect('12');
        const pin = block(zone);
        const toFormat = formats[f.text(2)]!;
        return { op: 'translate_pin', pin, toKey, toFormat, pan: account() };
      }
      case 'KQ':
      case 'KW':
        return this.#readCryptogram(code, f);
      case 'M6':
      case 'M8': {
        f.expect('00');
        const length = f.text(1) === '0' ? 4 : 8;
        f.expect('3');
        const padding = f.number(1) as 1 | 2;
        f.expect('FFF');
        const key = this.#key(f);
        const data = f.raw(f.number(4, 16));
        const mac = { key, algorithm: 'retail', padding, length, data } as const;
        return code === 'M6' ? { op: 'generate_mac', ...mac } : { op: 'verify_mac', ...mac, mac: f.hex(length * 2) };
      }
      case 'M0':
      case 'M2': {
        f.expect('0100FFF');
        const key = this.#key(f);
        const iv = f.hex(32);
        return { op: code === 'M0' ? 'encipher_kek' : 'decipher_kek', key, iv, data: f.raw(f.number(4, 16)) };
      }
      default:
        return { op: 'describe_key', key: 'a command that is not known' };
    }
  }

  #readOffset(f: Fields, block: (key: string) => { key: string; block: Buffer; format: PinBlockFormat }): HsmRequest {
    const [zone, key] = [this.#key(f), this.#key(f)];
    f.expect('12');
    const pin = block(zone);
    const length = f.number(2);
    const account = f.text(12);
    const table = digits(f.text(16));
    // The cards of the tests have their whole number as validation data.
    const pan = digits(f.text(12).replace('N', account.slice(7)));
    const reference = digits(f.text(12).slice(0, length));
    const method: PinMethod = { method: 'ibm3624', key, table, validation: { start: 0, length: 16, pad: 'F' } };
    return { op: 'verify_pin', pin, pan, method, reference };
  }

  #readCryptogram(code: string, f: Fields): HsmRequest {
    const mode = f.text(1);
    const scheme = f.text(1);
    const key = this.#key(f);
    const hashed = code === 'KW' && scheme === '3';
    const count = hashed ? f.number(2) : 16;
    const card = hex(f.raw(Math.ceil(count / 2))).slice(count % 2);
    if (hashed) f.expect(';');
    const atc = f.raw(2);
    const un = code === 'KQ' ? f.raw(4) : bytes('00000000');
    const data = f.raw(f.number(2, 16));
    f.expect(';');
    const arqc = f.raw(8);
    // Data comes padded: of the profiles with these keys the one that pads with zeros adds nothing to whole blocks.
    const version: CryptogramVersion =
      code === 'KQ' ? (scheme === '0' ? 'visa_cvn10' : 'mchip_cvn16') : hashed ? 'visa_cvn18' : 'mchip_cvn20';
    const base = {
      op: 'verify_arqc',
      key,
      version,
      pan: digits(card.slice(0, -2)),
      psn: digits(card.slice(-2)),
      atc,
      un,
      arqc,
    } as const;
    const request = { ...base, data: version === 'visa_cvn10' ? data : unpadded(data) };
    if (mode === '1') return { ...request, responseCode: f.raw(2) };
    if (mode !== '3') return request;
    const cardStatus = f.raw(4);
    const proprietary = f.raw(f.number(1));
    // The method of the answer is the command's, not the version's: 18 stands for it, with the same keys for short numbers.
    return { ...request, version: 'visa_cvn18', cardStatus, proprietary };
  }
}

/** Without 0x80 and zeros. */
const unpadded = (data: Buffer): Buffer => data.subarray(0, data.lastIndexOf(0x80));

function codeOf(verdict: HsmVerdict): string {
  if (verdict.outcome === 'ok') return '00';
  return verdict.outcome === 'mismatch' ? '01' : codes[verdict.failure];
}

function valueOfAnswer(request: HsmRequest, verdict: HsmVerdict): Buffer {
  if (verdict.outcome !== 'ok' || verdict.value === undefined) return Buffer.alloc(0);
  const value = Buffer.from(verdict.value);
  if (request.op === 'generate_mac') return Buffer.from(hex(value));
  if (request.op === 'encipher_kek' || request.op === 'decipher_kek')
    return Buffer.concat([Buffer.from(`${hex(request.iv)}0020`), value]);
  if (request.op !== 'translate_pin') return value;
  const format = Object.keys(formats).find((code) => formats[code] === request.toFormat)!;
  return Buffer.from(`04${hex(value)}${format}`);
}
