/** The questions after a crash, for every kind of crash. Each answer is a finding; no findings: nothing is lost or doubled. */
import type { Book } from './book.js';
import type { Client } from './client.js';
import type { Random } from './random.js';

/** Repeats compared per call, newest first, and as many of all times. */
const REPEATS = 150;

/**
 * Settles what is open, then compares balances, repeats of acknowledged answers, the history of some, and the balances
 * again.
 */
export async function findings(book: Book, client: Client, random: Random, repeats = REPEATS): Promise<string[]> {
  await client.settle();
  const found = book.open().map(({ id }) => `operation ${id} is still open`);
  found.push(...(await client.differences()));
  const { acknowledged } = book;
  const asked = new Set(acknowledged.slice(-repeats));
  for (let i = 0; i < repeats && acknowledged.length > 0; i++) asked.add(random.pick(acknowledged));
  await client.repeat([...asked]);
  const purchases = [...asked].filter((one) => one.original === undefined);
  for (let i = 0; i < 4 && purchases.length > 0; i++) {
    const difference = await client.historyDifference(random.pick(purchases));
    if (difference !== undefined) found.push(difference);
  }
  // The repeats changed nothing.
  found.push(...(await client.differences()).map((one) => `after the repeats: ${one}`));
  return [...book.contradictions, ...found];
}
