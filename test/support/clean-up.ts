/**
 * What helpers leave behind is removed after each test, or after each file. Files of one process share their helpers, and a hook that a
 * helper registers while it is loaded would be one of the first file alone; so helpers say here what is to be done, and `each-file.ts`,
 * which runs once for each file, has the hooks.
 */
type Work = () => unknown;

const afterTests: Work[] = [];
const afterFiles: Work[] = [];

/** Done after every test of every file that shares this process with the caller. */
export function cleanUpAfterTest(work: Work): void {
  afterTests.push(work);
}

/** Done after every such file. */
export function cleanUpAfterFile(work: Work): void {
  afterFiles.push(work);
}

export async function cleanUpTest(): Promise<void> {
  for (const work of afterTests) await work();
}

export async function cleanUpFile(): Promise<void> {
  for (const work of afterFiles) await work();
}
