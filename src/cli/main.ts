#!/usr/bin/env node
/** The `quorate` command. Exit codes: 0 done, 1 failed, 2 usage or settings. */
import { run } from './program.ts';

const code = await run(process.argv.slice(2));
// A command that goes on by itself has not come to an end: it exits when it does.
if (code !== 0) process.exit(code);
