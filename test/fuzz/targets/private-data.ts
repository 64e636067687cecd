/**
 * What lies inside fields: DE48 as tags, DE54 as groups, DE90 and DE95 in parts. Held against every input: the walkers end, stay inside
 * their bytes whatever lies around, and find what a second reader finds; what they found and wrote again is the same.
 */

import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import { pack } from '#src/iso8583/message.js';
import {
  AmountWalker,
  ORIGINAL_DATA_LENGTH,
  OriginalPart,
  originalData,
  privateData,
  replacementAmounts,
  TagWalker,
  writeAmountGroup,
  writeTag,
} from '#src/iso8583/private-data.js';
import type { Random } from '../../crash/random.js';
import { digits } from '../iso-messages.js';
import { type FuzzTarget, latin1, must, type OpenTarget, type Verdict } from '../target.js';

const poisons = [0x30, 0x31, 0x43];

class PrivateTarget implements OpenTarget {
  readonly #tags = new TagWalker();
  readonly #amounts = new AmountWalker();
  readonly #place = new Uint8Array(1100);
  readonly #copy = new Uint8Array(1100);

  run(input: Uint8Array): Verdict {
    const text = Buffer.from(input).toString('latin1');
    const tags = poisons.map((poison) => this.#walkTags(input, poison));
    for (const one of tags) must(one === tags[0], () => `tags depend on what lies around: ${one}`);
    must(tags[0] === naiveTags(text), () => `${tags[0]}, by the second reader ${naiveTags(text)}`);
    const amounts = poisons.map((poison) => this.#walkAmounts(input, poison));
    for (const one of amounts) must(one === amounts[0], () => `amounts depend on what lies around: ${one}`);
    must(amounts[0] === naiveAmounts(text), () => `${amounts[0]}, by the second reader ${naiveAmounts(text)}`);
    const original = this.#original(text);
    return tags[0]!.endsWith('whole') || amounts[0]!.endsWith('whole') || original ? 'accepted' : 'refused';
  }

  #walkTags(input: Uint8Array, poison: number): string {
    this.#place.fill(poison, 0, input.length + 40);
    this.#place.set(input, 5);
    const walker = this.#tags;
    walker.reset(this.#place, 5, input.length);
    let out = '';
    let written = 0;
    while (walker.next()) {
      must(walker.at >= 5 && walker.at + walker.length <= 5 + input.length, () => 'a tag reaches outside');
      must(walker.byteAt(walker.length) === -1 && walker.byteAt(-1) === -1, () => 'a byte outside the tag');
      out += `${walker.tag}=${Buffer.from(this.#place.subarray(walker.at, walker.at + walker.length)).toString('latin1')}:${walker.digits()};`;
      written = writeTag(this.#copy, written, walker.tag, this.#place, walker.at, walker.length);
    }
    const same = Buffer.compare(this.#copy.subarray(0, written), input.subarray(0, written)) === 0;
    must(same, () => 'the tags written again are another text');
    return out + (walker.broken ? 'broken' : 'whole');
  }

  #walkAmounts(input: Uint8Array, poison: number): string {
    this.#place.fill(poison, 0, input.length + 40);
    this.#place.set(input, 5);
    const walker = this.#amounts;
    walker.reset(this.#place, 5, input.length);
    let out = '';
    let written = 0;
    while (walker.next()) {
      out += `${walker.accountType} ${walker.amountType} ${walker.currency} ${walker.amount};`;
      const { accountType, amountType, currency, amount } = walker;
      written = writeAmountGroup(this.#copy, written, accountType, amountType, currency, amount);
    }
    const again = Buffer.from(this.#copy.subarray(0, written)).toString('latin1');
    const read = Buffer.from(input.subarray(0, written)).toString('latin1');
    // Nothing is nothing: a debit of zero is written as a credit of zero.
    const plain = (text: string): string => text.replace(/^(.{7})D(0{12})/gm, '$1C$2').replace(/D(?=0{12})/g, 'C');
    must(plain(again) === plain(read), () => `groups written again: ${again} for ${read}`);
    return out + (walker.broken ? 'broken' : 'whole');
  }

  /** DE90 through the decoder, in BCD and in ASCII, and DE95: their parts are the numbers that stand there. */
  #original(text: string): boolean {
    const parts = text.slice(0, ORIGINAL_DATA_LENGTH);
    if (!/^\d{42}$/.test(parts)) return false;
    const numbers = Object.values(OriginalPart).map(({ at, length }) => Number(parts.slice(at, at + length)));
    const [mti, stan, transmission, acquirer, forwarder] = numbers as [number, number, number, number, number];
    must(originalData(mti, stan, transmission, acquirer, forwarder) === parts, () => 'DE90 written again differs');
    for (const name of ['iso87-bcd', 'iso87-ascii'] as const) {
      const decoder = new Decoder(dialect(name));
      const bytes = pack(name, { 0: '0400', 90: parts });
      must(decoder.decode(bytes, 0, bytes.length), () => decoder.errorText());
      Object.values(OriginalPart).forEach(({ at, length }, i) => {
        must(decoder.digitsAt(90, at, length) === numbers[i], () => `part ${i} of DE90 in ${name}`);
      });
    }
    const amounts = replacementAmounts(Number(parts.slice(0, 12)), Number(parts.slice(12, 24)));
    must(amounts === `${parts.slice(0, 24)}${'0'.repeat(18)}`, () => 'DE95 written differs');
    return true;
  }
}

function naiveTags(text: string): string {
  let out = '';
  let rest = text;
  while (rest !== '') {
    const head = /^(\d\d)(\d\d)/.exec(rest);
    if (head === null || rest.length < 4 + Number(head[2])) return `${out}broken`;
    const value = rest.slice(4, 4 + Number(head[2]));
    const number = /^\d{1,15}$/.test(value) ? Number(value) : -1;
    out += `${Number(head[1])}=${value}:${number};`;
    rest = rest.slice(4 + value.length);
  }
  return `${out}whole`;
}

function naiveAmounts(text: string): string {
  let out = '';
  for (let rest = text; rest !== ''; rest = rest.slice(20)) {
    const group = /^(\d\d)(\d\d)(\d{3})([CD])(\d{12})/.exec(rest);
    if (group === null) return `${out}broken`;
    const amount = Number(group[5]);
    out += `${Number(group[1])} ${Number(group[2])} ${Number(group[3])} ${group[4] === 'D' ? 0 - amount : amount};`;
  }
  return `${out}whole`;
}

function mutate(random: Random, input: Uint8Array): Uint8Array {
  const text = Buffer.from(input).toString('latin1');
  switch (random.int(0, 3)) {
    case 0:
      return latin1(
        text + privateData([[random.int(0, 99), digits(random, random.pick([0, 1, 3, 99, random.int(0, 20)]))]]),
      );
    case 1:
      return latin1(
        `${text}${digits(random, 7)}${random.pick(['C', 'D'])}${random.pick([digits(random, 12), '000000000000'])}`,
      );
    case 2:
      return latin1(digits(random, 42));
    default:
      return latin1(text.slice(random.int(0, text.length)));
  }
}

export const targets: readonly FuzzTarget[] = [
  {
    name: 'private-data',
    reads: 'the tags of DE48, the groups of DE54, the parts of DE90 and DE95; a second reader beside them',
    focus: ['iso8583/private-data'],
    inputsInCi: 8000,
    bytesMax: 999,
    work: { base: 2000, perByte: 60 },
    seeds: () => [
      latin1(
        privateData([
          [20, 'E'],
          [61, '1'],
          [63, '326514180507001'],
          [82, '12345678912 EXAMPLE STREET'],
        ]),
      ),
      latin1('0001986C0000000123450002986D000000000100'),
      latin1(originalData(100, 180_507, 1_122_140_300, 12_345)),
      new Uint8Array(0),
    ],
    words: () => ['2001N', '6300', '0099', 'C', 'D', '0040986D000000000000'].map(latin1),
    mutate,
    open: () => new PrivateTarget(),
  },
];
