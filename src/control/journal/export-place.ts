/** Where exports may go: anywhere but into the data directory, whatever links lead there. */
import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';

/** True when `path` is the folder `root` or lies below it. Neither needs to exist. @param path absolute */
export function isWithin(root: string, path: string): boolean {
  const inside = relative(realPlace(root), realPlace(path));
  return inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}

/** The path without links, as far as it exists; what cannot be followed stays as it is written. */
function realPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPlace(parent), basename(path));
  }
}
