import { describe, expect, scenario } from './runner.js';

describe('purchases, cash, inquiries, verifications', () => {
  scenario(
    'a purchase places a hold and leaves the posted balance alone',
    `
    account A limit=100000
    card a
    0100 a purchase 30000          | 00 | 0 | 30000 | 70000
    0100 a cash     20000          | 00 | 0 | 50000 | 50000
    0100 a disbursement 50000      | 00 | 0 | 100000 | 0
    0100 a purchase 1              | 51 | 0 | 100000 | 0
  `,
  );
});
void expect;
