/** Message authentication of the software adapter. */
import { AesKey, type BlockKey, type TdesKey } from '../card/block-key.js';
import { sameBytes, wipe } from '../card/bytes.js';
import { aesDukptKey } from '../card/dukpt-aes.js';
import { tdesDukptKey } from '../card/dukpt-tdes.js';
import { cbcMac, cmac, retailMac } from '../card/mac.js';
import { done, failed, type GenerateMac, type HsmVerdict, mismatch, type VerifyMac, withValue } from './port.js';
import { type Found, isKey, type SoftKeys } from './soft-keys.js';

/** The whole MAC; its first bytes are what is sent. */
function macOf(key: BlockKey, { algorithm, data, padding }: GenerateMac | VerifyMac): Buffer {
  switch (algorithm) {
    case 'retail':
      return retailMac(key as TdesKey, data, padding);
    case 'cbc':
      return cbcMac(key, data, padding);
    case 'cmac':
      return cmac(key, data);
  }
}

function macKey(keys: SoftKeys, request: GenerateMac | VerifyMac): Found {
  const { key: handle, ksn, direction, algorithm } = request;
  if (ksn === undefined || direction === undefined) {
    const verb = request.op === 'generate_mac' ? 'generate' : 'verify';
    return keys.find(handle, `${verb}_${algorithm}_mac`);
  }
  const bdk = keys.find(handle, 'derive_dukpt');
  if (!isKey(bdk)) return bdk;
  if (bdk instanceof AesKey !== (algorithm === 'cmac'))
    return failed('key_not_usable', `the cipher of key ${handle} is none of this algorithm`);
  return bdk instanceof AesKey
    ? aesDukptKey(bdk, ksn, `mac_${direction}`)
    : tdesDukptKey(bdk as TdesKey, ksn, `mac_${direction}`);
}

/** Makes or verifies a MAC, under a key of its own or one of a terminal's transaction. */
export function answerMac(keys: SoftKeys, request: GenerateMac | VerifyMac): HsmVerdict {
  const key = macKey(keys, request);
  if (!isKey(key)) return key;
  const verdict = shapeFault(key, request) ?? withKey(key, request);
  if (request.ksn !== undefined) key.destroy();
  return verdict;
}

function withKey(key: BlockKey, request: GenerateMac | VerifyMac): HsmVerdict {
  const mac = macOf(key, request);
  if (request.op === 'generate_mac') return withValue(mac.subarray(0, request.length));
  const same = sameBytes(mac.subarray(0, request.length), request.mac);
  wipe(mac);
  return same ? done : mismatch;
}

function shapeFault(key: BlockKey, request: GenerateMac | VerifyMac): HsmVerdict | undefined {
  if (request.length > key.blockBytes) return failed('bad_request', `${request.op}: length is more than a block`);
  return undefined;
}
