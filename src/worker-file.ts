/**
 * URL of a compiled thread entry. Threads need a real JavaScript file: from dist it is the neighbour itself, from a
 * source file (tests run the sources) it is the built file in dist.
 */
export function workerFile(importMetaUrl: string, relative: string): URL {
  const url = new URL(relative, importMetaUrl);
  return new URL(url.href.replace(/\/src\/(?=[^/]+\/[^/]+$)/, '/dist/'));
}
