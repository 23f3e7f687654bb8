/** A machine keeps the rules of the house; the second half shows that it can say no. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkSource, checkTopLevel, LINES_MAX } from './tidy.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function sources(): string[] {
  const found: string[] = [];
  for (const top of ['src', 'shell', 'workflows']) {
    try {
      for (const name of readdirSync(`${root}/${top}`, { recursive: true, encoding: 'utf8' })) {
        if (/\.[cm]?[jt]sx?$/.test(name)) found.push(`${top}/${name.replaceAll('\\', '/')}`);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return found;
}

describe('the house', () => {
  test('every source keeps to its room', () => {
    const found = sources();
    expect(found.length).toBeGreaterThan(0);
    expect(found.flatMap((path) => checkSource(path, readFileSync(`${root}/${path}`, 'utf8')))).toEqual([]);
  });

  test('the top level holds only the agreed names', () => {
    expect(checkTopLevel(readdirSync(root))).toEqual([]);
  });
});

describe('the checker can fail', () => {
  test.each([
    ['const now = Date.now();', /Date in a pure room: take the time from the input/],
    ['const now = new Date();', /Date in a pure room/],
    ['const { now } = performance;', /performance in a pure room/],
    ['const x = Math.random();', /Math\.random in a pure room: draw from the seeded generator/],
    ['const x = crypto.getRandomValues(a);', /crypto in a pure room: draw from the seeded generator/],
    ['setTimeout(f, 1);', /setTimeout in a pure room: return `wakeAt`/],
    ['setInterval(f, 1);', /setInterval in a pure room/],
    ['setImmediate(f);', /setImmediate in a pure room/],
    ['queueMicrotask(f);', /queueMicrotask in a pure room/],
    ['export async function f() {}', /await in a pure room: return it as an output/],
    ['process.exit(1);', /process in a pure room: return it as an output/],
    ['const { env } = process;', /process in a pure room/],
    ["console.log('x');", /console in a pure room: return it as an output/],
    ['globalThis.x = 1;', /globalThis in a pure room/],
    ['new WeakRef(x);', /WeakRef in a pure room/],
    ['a.localeCompare(b);', /localeCompare in a pure room: compare with < and >/],
    ["import { readFileSync } from 'node:fs';", /imports node:fs into a pure room: pass in/],
    ["import { v7 } from 'uuid';", /imports uuid into a pure room: pass in/],
    ["import 'node:fs';", /imports node:fs/],
    ["export * from 'zod';", /imports zod/],
    ["import { step } from '../peer/step.ts';", /imports upwards from src\/peer/],
    ["import { x } from '../../test/sim/x.ts';", /which is in no room/],
    ["import { x } from './ballot';", /write the file's own ending/],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
    ['const u = `a${Date.now()}b`;', /Date in a pure room/],
    ["const r = /['`]/; const now = Date.now();", /Date in a pure room/],
    ["const s = 'open", /never ends/],
  ])('src/vote refuses: %s', (line, why) => {
    expect(checkSource('src/vote/bad.ts', `// a first line\n${line}\n`)).toEqual([
      expect.stringMatching(new RegExp(`^src/vote/bad\\.ts:[23]: .*${why.source}`)),
    ]);
  });

  test.each([
    "import type { Ballot } from './ballot.ts';",
    "import { decide } from '../lock/decide.ts';",
    '// Date.now() and setTimeout() are not allowed here',
    '/* process.exit, console.log */',
    "const why = 'no Date.now() in here';",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
    'const why = `no Math.random() but ${x} in here, process.exit()`;',
    'const half = a / 2; const other = b / 2; // console',
    'const at = { performance: 1 }.performance;',
    'const { length } = message.process;',
  ])('src/vote accepts: %s', (line) => {
    expect(checkSource('src/vote/good.ts', `${line}\n`)).toEqual([]);
  });

  test.each([
    ['src/lock/x.ts', "import { x } from '../vote/x.ts';", /upwards from src\/vote/],
    ['src/peer/x.ts', "import { x } from '../store/x.ts';", /upwards from src\/store/],
    ['src/store/x.ts', "import { x } from '../mesh/x.ts';", /sideways from src\/mesh/],
    ['src/mesh/x.ts', "import { x } from '../api/x.ts';", /upwards from src\/api/],
    ['src/api/x.ts', "const x = await import('../cli/main.ts');", /upwards from src\/cli/],
    ['src/client/x.ts', "import { x } from '../cli/x.ts';", /sideways from src\/cli/],
    ['src/cli/x.ts', "import { x } from '../../shell/x.ts';", /upwards from shell/],
    ['src/lost.ts', 'export {};', /belongs to no room/],
  ])('%s refuses: %s', (path, line, why) => {
    expect(checkSource(path, line)).toEqual([expect.stringMatching(why)]);
  });

  test.each([
    ['src/store/x.ts', "import { readFileSync } from 'node:fs'; import type { S } from '../lock/state.ts';"],
    ['src/cli/x.ts', "import { Client } from '../client/client.ts'; setTimeout(f, Date.now());"],
    ['shell/x.ts', "import { Client } from '../src/client/client.ts';"],
  ])('%s accepts: %s', (path, line) => {
    expect(checkSource(path, line)).toEqual([]);
  });

  test('a file may not grow without end', () => {
    expect(checkSource('src/api/x.ts', '//\n'.repeat(LINES_MAX))).toEqual([]);
    expect(checkSource('src/api/x.ts', '//\n'.repeat(LINES_MAX + 1))).toEqual([
      expect.stringMatching(/401 lines, at most 400/),
    ]);
  });

  test('the top level refuses a stranger', () => {
    expect(checkTopLevel(['src', 'README.md', '.ci', 'vitest.config.ts'])).toEqual([
      expect.stringMatching(/^vitest\.config\.ts: /),
    ]);
  });
});
