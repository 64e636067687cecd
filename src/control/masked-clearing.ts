/**
 * Card numbers in the texts of a clearing record are masked before it goes to a shard, by the rule for messages: its own number
 * in every text, any number in the name of the merchant (docs/decisions/0014-card-numbers-in-texts.md). So what a file names and
 * what the message named are masked alike, and still meet.
 */
import type { ClearingInput } from '../domain/clearing/input.js';
import { TextMask } from '../pan-mask.js';

const TEXT_BYTES_MAX = 255;
const mask = new TextMask(TEXT_BYTES_MAX);

const keys = ['arn', 'networkId', 'rrn', 'approvalCode', 'acquirer', 'terminal', 'acceptor'] as const;

/** @param pan number of the record's card, digits in clear */
export function maskedClearing(pan: string, input: ClearingInput): ClearingInput {
  mask.clear();
  for (let i = 0; i < pan.length; i++) mask.addDigit(pan.charCodeAt(i));
  const masked = { ...input, acceptorName: maskedText(input.acceptorName, true) };
  for (const key of keys) masked[key] = maskedText(input[key], false);
  mask.clear();
  return masked;
}

function maskedText(text: string, free: boolean): string {
  const bytes = Buffer.from(text.slice(0, TEXT_BYTES_MAX), 'latin1');
  mask.mask(bytes, 0, bytes.length, free);
  return bytes.toString('latin1');
}
