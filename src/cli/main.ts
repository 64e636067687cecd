#!/usr/bin/env node
/** The program `holdfast`. Everything it does is in program.ts and the files of the commands. */
import { execute } from './program.js';
import { processTerminal } from './terminal.js';

process.exitCode = await execute(process.argv.slice(2), processTerminal());
