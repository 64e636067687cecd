import { randomBytes } from 'node:crypto';
import { maskDigits } from '../pan-mask.js';

/** 20 random hexadecimal digits for an id, none of which an audit log or a log would mask as a card number. */
export function randomName(): string {
  for (;;) {
    const name = randomBytes(10).toString('hex');
    if (maskDigits(name) === name) return name;
  }
}
