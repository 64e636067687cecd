/**
 * `holdfast loadtest`: the load generator is a tool beside the engine (dist/tools/loadtest), loaded only when it is asked
 * for. Its flags and exit statuses are its own.
 */
import type { Command } from 'commander';
import { HoldfastError } from '../errors.js';
import { type Run, setAction } from './command.js';

interface LoadTool {
  runLoadtest(argv: string[]): Promise<number>;
}

export function addLoadtest(program: Command, run: Run): void {
  const command = program
    .command('loadtest')
    .description('generate load against a running server and measure it (flags: loadtest --help)')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments();
  setAction(command, run, async (_options, args) => {
    const { runLoadtest } = await loadTool(new URL('../tools/loadtest/main.js', import.meta.url));
    return runLoadtest(args);
  });
}

async function loadTool(url: URL): Promise<LoadTool> {
  try {
    return (await import(url.href)) as LoadTool;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new HoldfastError('internal', 'the load test is not built', 'run `npm run build`', { cause: error });
  }
}
