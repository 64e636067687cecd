/** JSON bodies: UTF-8, and not nested deeper than the code that walks them by recursion can bear. */
import { z } from 'zod';
import { isObject } from '../domain/controls/json-reader.js';
import { API_BODY_DEPTH_MAX } from '../limits.js';

const strict = new TextDecoder('utf-8', { fatal: true });

/**
 * An object whose members others check, with each as it was sent. A record of zod drops a member `__proto__` without a word, and a
 * request that is not taken as it was meant must be refused.
 */
export const jsonObject = z
  .unknown()
  .refine(isObject, 'must be an object')
  .meta({ type: 'object' }) as unknown as z.ZodType<Readonly<Record<string, unknown>>>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Opening characters; the closing one is two further on. */
const BRACKET = 0x5b;
const BRACE = 0x7b;

/** @throws SyntaxError, TypeError or RangeError when the bytes are no JSON, no UTF-8, or nested too deep. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = strict.decode(bytes);
  if (isTooDeep(text)) throw new RangeError(`nested deeper than ${API_BODY_DEPTH_MAX}`);
  return JSON.parse(text);
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (inText) {
      if (character === BACKSLASH) i++;
      else if (character === QUOTE) inText = false;
    } else if (character === QUOTE) inText = true;
    else if (character === BRACE || character === BRACKET) {
      if (++depth > API_BODY_DEPTH_MAX) return true;
    } else if (character === BRACE + 2 || character === BRACKET + 2) depth--;
  }
  return false;
}
