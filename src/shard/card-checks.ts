/**
 * Step 5 of a decision at the wire: takes what the message at hand carries to the adapter of card cryptography and tells the
 * domain how it ended. One per shard. The adapter answers inline; devices answer later, and then the message is decided again with
 * what they said (questions.ts, parking.ts).
 *
 *   begin(decoder)      the message, where it lies, and what was asked about it before
 *   stripe, cvv2, pin, cryptogram, counter, answer      asked by the decision (domain/cryptography.ts)
 *   end()               everything that was copied is overwritten
 *
 * Nothing that is checked leaves this file but as an outcome. A log line names keys and fields, never a value.
 */
import { CheckOutcome } from '../domain/codes.js';
import type { CardCryptography } from '../domain/cryptography.js';
import type { Fingerprint, MessageEvent } from '../domain/events.js';
import { isApproval } from '../domain/lookups.js';
import { PIN_REFERENCE_BYTES } from '../domain/pin-table.js';
import type { ChipRule, Cvv2Rule, ExpiryOrder, PinRule, StripeRule } from '../domain/program/cryptography-table.js';
import type { ShardState } from '../domain/shard-state.js';
import { ChipData } from '../iso8583/chip-data.js';
import type { Decoder } from '../iso8583/decoder.js';
import { PrivateTag, TagWalker } from '../iso8583/private-data.js';
import { outsideHeap } from '../vault/card/bytes.js';
import { cryptogramInput, profileOf, versionOf } from '../vault/card/emv-profiles.js';
import { declineCode } from '../vault/hsm/decline.js';
import type {
  AnswerArqc,
  HsmRequest,
  HsmVerdict,
  InlineHsm,
  PinMethod,
  VerifyArqc,
  VerifyCvv,
  VerifyPin,
} from '../vault/hsm/port.js';
import { wipeRequest } from '../vault/hsm/port.js';
import type { PinReference, PinReferences } from '../vault/pin-references.js';
import type { DeviceLink } from './device-link.js';
import { Questions } from './questions.js';
import type { ShardLog } from './thread-context.js';

/** What a shard needs to check cards. */
export interface CardKeys {
  /** Undefined when the engine was started without keys. */
  readonly hsm: InlineHsm | undefined;
  readonly pins: PinReferences;
  /** Devices; then there is no `hsm`. */
  readonly devices?: DeviceLink;
}

/** Faults of keys and rules that are told; each once. */
const FAULTS_TOLD_MAX = 100;
const DE52_BYTES = 8;
const CVV_DIGITS = 3;
const SERVICE_DIGITS = 3;
const EXPIRY_DIGITS = 4;
const PAN_DIGITS_MAX = 19;
/** DE45. */
const TRACK_BYTES_MAX = 76;
/** Four requests with a number, two CVVs, a PIN block, and values of DE55, which has 255 bytes at most. */
const COPIES_BYTES = 512;
const CVV2_SERVICE = '000';
const CHIP_SERVICE = '999';
const EQUALS = 0x3d;
const CARET = 0x5e;
const ZERO = 0x30;

/** First digits of DE22. */
const EntryMode = { chip: 5, contactlessChip: 7, contactlessStripe: 91 } as const;
/** Two high bits of tag 9F27: the card asks the issuer. */
const ASKS_ISSUER = 0x80;
const KIND_MASK = 0xc0;

/** By the answer to the network (vault/hsm/decline.ts). What is not here is a fault of ours. */
const outcomes: Readonly<Record<string, CheckOutcome>> = {
  '55': CheckOutcome.wrong,
  '82': CheckOutcome.wrong,
  '88': CheckOutcome.wrong,
  '81': CheckOutcome.unreadable,
  '91': CheckOutcome.unavailable,
};

export class CardChecks implements CardCryptography {
  readonly #keys: CardKeys;
  readonly #state: ShardState;
  readonly #log: ShardLog;
  readonly #told = new Set<string>();
  readonly #chip = new ChipData();
  readonly #tags = new TagWalker();
  readonly #track = outsideHeap(TRACK_BYTES_MAX);
  /** Copies from the message, one behind the other, until `end`. */
  readonly #copies = outsideHeap(COPIES_BYTES);
  #copied = 0;
  readonly #sealed = new Uint8Array(PIN_REFERENCE_BYTES);
  #decoder: Decoder | undefined;
  #questions: Questions | undefined;
  /** The request about the cryptogram that was right, for its answer. */
  #arqc: VerifyArqc | undefined;

  constructor(keys: CardKeys, state: ShardState, log: ShardLog) {
    this.#keys = keys;
    this.#state = state;
    this.#log = log;
  }

  /** Takes the message that is decided next. `questions`: of an earlier decision of it. */
  begin(decoder: Decoder, questions?: Questions): void {
    this.#decoder = decoder;
    this.#questions = questions;
  }

  /** What the message asks devices; undefined for one that asks nothing. */
  get questions(): Questions | undefined {
    return this.#questions;
  }

  /** Forgets it. */
  end(): void {
    this.#decoder = undefined;
    if (this.#arqc !== undefined) wipeRequest(this.#arqc);
    this.#arqc = undefined;
    this.#copies.fill(0, 0, this.#copied);
    this.#copied = 0;
  }

  stripe(rule: StripeRule, { input }: MessageEvent): CheckOutcome {
    const mode = Math.floor(input.entryMode / 10);
    // Its value is made anew for each payment: another check, for which there is no rule.
    if (mode === EntryMode.contactlessStripe) return CheckOutcome.notChecked;
    const decoder = this.#message;
    const at = decoder.has(35) ? this.#readTrack2(decoder) : this.#readTrack1(decoder);
    const valueAt = at + EXPIRY_DIGITS + SERVICE_DIGITS + rule.offset;
    const track = this.#track;
    let outcome: CheckOutcome = CheckOutcome.wrong;
    // A track without the value, or with other characters in its place, is none of a card of ours.
    if (at >= 0 && areDigits(track, at, EXPIRY_DIGITS + SERVICE_DIGITS) && areDigits(track, valueAt, CVV_DIGITS)) {
      const isChip = mode === EntryMode.chip || mode === EntryMode.contactlessChip;
      outcome = this.#verifyCvv(
        rule,
        textOf(track, at, EXPIRY_DIGITS),
        isChip ? CHIP_SERVICE : textOf(track, at + EXPIRY_DIGITS, SERVICE_DIGITS),
        this.#copyOf(track.subarray(valueAt, valueAt + CVV_DIGITS)),
      );
    }
    track.fill(0);
    return outcome;
  }

  cvv2(rule: Cvv2Rule, { input, cardSlot, tokenSlot }: MessageEvent): CheckOutcome {
    const tags = this.#tags;
    const decoder = this.#message;
    tags.reset(decoder.bytes, decoder.start(48), decoder.length(48));
    let at = 0;
    let length = 0;
    while (tags.next()) {
      if (tags.tag !== PrivateTag.cvv2) continue;
      at = tags.at;
      length = tags.length;
    }
    if (length !== CVV_DIGITS || !areDigits(tags.bytes, at, length)) return CheckOutcome.wrong;
    const { cards } = this.#state;
    const expiry = input.expiry >= 0 ? input.expiry : cards.expiry(tokenSlot >= 0 ? tokenSlot : cardSlot);
    const value = this.#copyOf(tags.bytes.subarray(at, at + length));
    return this.#verifyCvv(rule, String(expiry).padStart(EXPIRY_DIGITS, '0'), CVV2_SERVICE, value);
  }

  pin(rule: PinRule, { input, cardSlot, tokenSlot }: MessageEvent): CheckOutcome {
    // A token has no PIN of its own, and one of the card cannot be compared under the token's number.
    if (tokenSlot >= 0 || !this.#state.pins.has(cardSlot)) return CheckOutcome.notSet;
    const reference = this.#openReference(cardSlot);
    if (reference === undefined) return CheckOutcome.faulty;
    const method = this.#methodOf(rule, reference);
    if (method === undefined) {
      reference.digits.fill(0);
      return CheckOutcome.faulty;
    }
    const block = this.#room(DE52_BYTES);
    this.#message.copyText(52, block, 0);
    const request: VerifyPin = {
      op: 'verify_pin',
      pan: this.#readPan(),
      pin: { key: rule.zoneKeys[input.link] ?? rule.zoneKey, format: rule.format, block },
      method,
      reference: reference.digits,
    };
    const outcome = this.#outcome(request, this.#ask(request));
    wipeRequest(request);
    return outcome;
  }

  cryptogram(rule: ChipRule, out: MessageEvent): CheckOutcome {
    const request = this.#arqcRequest(rule, out);
    if (request === undefined) return CheckOutcome.wrong;
    const outcome = this.#outcome(request, this.#ask(request));
    if (outcome === CheckOutcome.passed) this.#arqc = request;
    else wipeRequest(request);
    return outcome;
  }

  counter(): number {
    const { atc } = this.#arqc!;
    return (atc[0]! << 8) | atc[1]!;
  }

  answer(rule: ChipRule, out: MessageEvent): void {
    const request = this.#arqc!;
    const isMethod1 = profileOf(request.version).arpc === 1;
    const status = isApproval(out.response) ? rule.approvedStatus : rule.declinedStatus;
    const data = isMethod1 ? Uint8Array.of(out.response >> 8, out.response & 0xff) : Buffer.from(status, 'hex');
    const answered = isMethod1 ? { responseCode: data } : { cardStatus: data };
    const { key, pan, psn, version, atc, un, arqc } = request;
    // A device without a command for the answer alone verifies once more and answers.
    const asked: AnswerArqc | VerifyArqc =
      this.#keys.devices?.supports('answer_arqc') === false
        ? { ...request, ...answered }
        : { op: 'answer_arqc', key, pan, psn, version, atc, un, arqc, ...answered };
    const verdict = this.#ask(asked);
    // Without an answer the chip decides by itself; the decision stands.
    if (this.#outcome(asked, verdict) !== CheckOutcome.passed || verdict.outcome !== 'ok') return;
    const value = verdict.value!;
    out.issuerData.set(value);
    out.issuerData.set(data, value.length);
    out.issuerDataLength = value.length + data.length;
  }

  get #message(): Decoder {
    return this.#decoder!;
  }

  #ask(request: HsmRequest): HsmVerdict {
    const { hsm, devices } = this.#keys;
    if (devices !== undefined) {
      this.#questions ??= new Questions();
      return devices.supports(request.op)
        ? this.#questions.ask(request)
        : { outcome: 'failed', failure: 'unsupported', detail: `${request.op}: no device has it` };
    }
    return hsm === undefined
      ? { outcome: 'failed', failure: 'key_not_usable', detail: 'the engine was started without keys (--hsm-keys)' }
      : hsm.answer(request);
  }

  #outcome({ op }: HsmRequest, verdict: HsmVerdict): CheckOutcome {
    const code = declineCode(op, verdict);
    if (code === undefined) return CheckOutcome.passed;
    const outcome = outcomes[code] ?? CheckOutcome.faulty;
    if (outcome === CheckOutcome.faulty && verdict.outcome === 'failed') this.#tell(op, verdict.detail);
    return outcome;
  }

  /** A fault of ours answers every such message 96: whoever runs the engine must hear of it, but not as often. */
  #tell(op: string, detail: string): void {
    if (this.#told.has(detail) || this.#told.size >= FAULTS_TOLD_MAX) return;
    this.#told.add(detail);
    this.#log('error', 'card cryptography cannot check what a program asks for: such messages are answered 96', {
      op,
      detail,
    });
  }

  #verifyCvv(
    { key, expiry: order }: { key: string; expiry: ExpiryOrder },
    expiry: string,
    serviceCode: string,
    value: Uint8Array,
  ): CheckOutcome {
    const ordered = order === 'YYMM' ? expiry : expiry.slice(2) + expiry.slice(0, 2);
    const request: VerifyCvv = {
      op: 'verify_cvv',
      key,
      pan: this.#readPan(),
      expiry: ordered,
      serviceCode,
      cvv: value,
    };
    const outcome = this.#outcome(request, this.#ask(request));
    wipeRequest(request);
    return outcome;
  }

  /** One that does not open stays as it is: it opens under no fingerprint, and its PIN is answered as before. */
  resealedPin(cardSlot: number, [f0, f1, f2]: Fingerprint): Uint8Array {
    const reference = this.#openReference(cardSlot);
    if (reference === undefined) return this.#sealed.slice();
    const sealed = this.#keys.pins.seal({ f0, f1, f2 }, reference);
    reference.digits.fill(0);
    return sealed;
  }

  #openReference(cardSlot: number): PinReference | undefined {
    const { cards, pins } = this.#state;
    pins.copy(cardSlot, this.#sealed);
    const [f0, f1, f2] = [0, 1, 2].map((word) => cards.fingerprint(cardSlot, word)) as [number, number, number];
    try {
      return this.#keys.pins.open({ f0, f1, f2 }, this.#sealed);
    } catch {
      this.#tell('verify_pin', `the sealed PIN reference of card slot ${cardSlot} does not open`);
      return undefined;
    }
  }

  #methodOf({ pvvKeys, ibm3624 }: PinRule, { method, keyIndex }: PinReference): PinMethod | undefined {
    if (method === 'pvv') {
      const key = pvvKeys[keyIndex];
      if (key !== undefined) return { method, key, keyIndex };
      this.#tell('verify_pin', `the program has no PVV key of index ${keyIndex}`);
      return undefined;
    }
    if (ibm3624 !== undefined) {
      const { key, table, validation } = ibm3624;
      return { method: 'ibm3624', key, table: Uint8Array.from(Buffer.from(table, 'latin1')), validation };
    }
    this.#tell('verify_pin', 'the program has no rule for offsets (ibm3624)');
    return undefined;
  }

  /** What the card signed, as it signed it; undefined when something is missing, or is no question to the issuer. */
  #arqcRequest(rule: ChipRule, { input, cardSlot, tokenSlot }: MessageEvent): VerifyArqc | undefined {
    const decoder = this.#message;
    const chip = this.#chip;
    // What is malformed was answered 30.
    if (!chip.read(decoder.bytes, decoder.start(55), decoder.length(55))) return undefined;
    const [arqc, atc, un, applicationData] = (['9F26', '9F36', '9F37', '9F10'] as const).map((tag) => chip.value(tag));
    if (arqc === undefined || atc === undefined || un === undefined || applicationData === undefined) return undefined;
    const kind = chip.value('9F27');
    if (kind !== undefined && (kind[0]! & KIND_MASK) !== ASKS_ISSUER) return undefined;
    const version = versionOf(rule.scheme, applicationData);
    if (version === undefined) return undefined;
    const values = Object.fromEntries(profileOf(version).tags.map((tag) => [tag, chip.value(tag)] as const));
    const data = cryptogramInput(version, values, applicationData);
    if (data === undefined) return undefined;
    const { cards } = this.#state;
    const ofCard =
      input.cardSequence >= 0 ? input.cardSequence : cards.cardSequence(tokenSlot >= 0 ? tokenSlot : cardSlot);
    const packed = chip.value('5F34')?.[0];
    if (packed !== undefined && !isPackedDigits(packed)) return undefined;
    const sequence = packed === undefined ? ofCard % 100 : (packed >> 4) * 10 + (packed & 15);
    const psn = Uint8Array.of(ZERO + Math.floor(sequence / 10), ZERO + (sequence % 10));
    return {
      op: 'verify_arqc',
      key: rule.key,
      pan: this.#readPan(),
      psn,
      version,
      // The message lies in a ring that is emptied, and `answer` comes later.
      atc: this.#copyOf(atc),
      un: this.#copyOf(un),
      data,
      arqc: this.#copyOf(arqc),
    };
  }

  /** The number that the message shows: DE2, else what stands before the separator of DE35. A copy of its own. */
  #readPan(): Uint8Array {
    const decoder = this.#message;
    const field = decoder.size(2) > 0 ? 2 : 35;
    const size = Math.min(PAN_DIGITS_MAX, decoder.size(field));
    const pan = this.#room(PAN_DIGITS_MAX);
    let count = 0;
    for (; count < size; count++) {
      const char = decoder.byteAt(field, count);
      if (char < ZERO || char > ZERO + 9) break;
      pan[count] = char;
    }
    return pan.subarray(0, count);
  }

  #copyOf(bytes: Uint8Array): Uint8Array {
    const copy = this.#room(bytes.length);
    copy.set(bytes);
    return copy;
  }

  #room(length: number): Uint8Array {
    const from = this.#copied;
    this.#copied += length;
    if (this.#copied > COPIES_BYTES) throw new RangeError('the copies of a message have no room');
    return this.#copies.subarray(from, this.#copied);
  }

  /** Copies DE35; where its expiry begins, -1 without a separator. */
  #readTrack2(decoder: Decoder): number {
    const size = decoder.copyText(35, this.#track, 0);
    const separator = this.#track.subarray(0, size).indexOf(EQUALS);
    return separator < 0 ? -1 : separator + 1;
  }

  /** Copies DE45: number ^ name ^ expiry ... */
  #readTrack1(decoder: Decoder): number {
    const size = decoder.copyText(45, this.#track, 0);
    const track = this.#track.subarray(0, size);
    const first = track.indexOf(CARET);
    const second = first < 0 ? -1 : track.indexOf(CARET, first + 1);
    return second < 0 ? -1 : second + 1;
  }
}

const isPackedDigits = (byte: number): boolean => byte >> 4 <= 9 && (byte & 15) <= 9;

/** True for `count` ASCII digits at `at`; those behind the end are none. */
function areDigits(bytes: Uint8Array, at: number, count: number): boolean {
  for (let i = at; i < at + count; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < ZERO || byte > ZERO + 9) return false;
  }
  return true;
}

function textOf(bytes: Uint8Array, at: number, count: number): string {
  let text = '';
  for (let i = at; i < at + count; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
