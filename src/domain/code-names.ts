/** Names of the numbers of codes.ts as the API and the tables of programs write them. */

/** `cardLost` becomes `card_lost`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
