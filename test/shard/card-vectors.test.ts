/** Reference vectors of whole chip messages that lie beside the repository, through decisions. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { tlvOf } from '../support/chip-cards.js';
import { sharedPath } from '../support/shared.js';
import { CardBench } from './card-bench.js';

interface Vector {
  readonly id: string;
  readonly algorithm: string;
  readonly inputs: {
    readonly pan: string;
    readonly psn: string;
    readonly imkAc: string;
    readonly tags: Readonly<Record<string, string>>;
    readonly cvrAndCounters: string;
  };
  readonly expected: { readonly arqc: string };
}

const path = sharedPath('vectors', 'emv.json');
const { vectors } = (path === undefined ? { vectors: [] } : JSON.parse(readFileSync(path, 'utf8'))) as {
  vectors: Vector[];
};
const chips = vectors.filter(({ algorithm }) => algorithm.startsWith('Mastercard M/Chip'));

describe.skipIf(path === undefined)('reference vectors in decisions (skipped when ../shared is absent)', () => {
  it.each(chips.map((vector) => [vector.id, vector] as const))('%s', (_id, { algorithm, inputs, expected }) => {
    const { pan, psn, imkAc, tags, cvrAndCounters } = inputs;
    const keys = new SoftKeys();
    keys.add('imk', { usage: 'E0', algorithm: 'T', mode: 'X' }, Buffer.from(imkAc, 'hex'));
    const hsm = new SoftHsm(keys, { say: () => undefined });
    const bench = new CardBench({ cryptography: { chip: { scheme: 'mchip', key: 'imk' } } }, { hsm });
    // Key index, version, card verification results, dynamic number, counters.
    const version = /\(0x(\w\w)/.exec(algorithm)![1]!;
    const applicationData = `01${version}${cvrAndCounters.slice(0, 12)}0000${cvrAndCounters.slice(12)}`;
    const field = (arqc: string): string => tlvOf({ ...tags, '9F10': applicationData, '9F26': arqc, '5F34': psn });
    expect(bench.code({ 2: pan, 55: field('0123456789ABCDEF') })).toBe('88');
    const reply = bench.reply({ 2: pan, 55: field(expected.arqc) });
    expect(reply[39]).toBe('00');
    expect(reply[55]).toMatch(/^hex:910A[0-9A-F]{16}3030$/);
  });

  it('are there', () => expect(chips.length).toBeGreaterThan(2));
});
