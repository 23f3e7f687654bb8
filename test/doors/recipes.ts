/**
 * The examples of deploy/docs/recipes.md, run as their readers run them: real processes that import the built package
 * by its name, against a real mesh. TypeScript checks and compiles all of them first.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MAIN, type Up, until } from './up.ts';

const PAGE = fileURLToPath(new URL('../../deploy/docs/recipes.md', import.meta.url));
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
/** The package as it is installed: beside its node_modules, with `exports` and the build that is tried. */
const PACKAGE = resolve(dirname(MAIN), '../../..');
const FIRST_PORT = 20_194;

export interface Recipe {
  /** Of its heading, as a link names it. */
  readonly name: string;
  readonly code: string;
  /** What stands around the code. */
  readonly text: string;
}

export function readRecipes(): Recipe[] {
  const sections = readFileSync(PAGE, 'utf8').split(/^## /m).slice(1);
  return sections.map((section) => {
    const blocks = [...section.matchAll(/^```ts\n(.*?)^```$/gms)];
    if (blocks.length !== 1) throw new Error(`a recipe has one example: ${section.slice(0, 40)}`);
    return { name: slug(section.split('\n', 1)[0]!), code: blocks[0]![1]!, text: section };
  });
}

export function linksWithinPage(): string[] {
  return [...readFileSync(PAGE, 'utf8').matchAll(/\]\(#([^)]*)\)/g)].map(([, link]) => link!);
}

/** As GitHub makes them. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

/** All recipes, compiled, in a folder that has the package. */
export class Kitchen {
  private readonly root = mkdtempSync(join(tmpdir(), 'quorate-recipes-'));

  /** @throws with what TypeScript says about them. */
  constructor(up: Up, recipes: readonly Recipe[]) {
    mkdirSync(join(this.root, 'node_modules'));
    symlinkSync(PACKAGE, join(this.root, 'node_modules/quorate'));
    symlinkSync(join(MODULES, '@types'), join(this.root, 'node_modules/@types'));
    writeFileSync(join(this.root, 'package.json'), '{ "type": "module" }');
    const rewritten = (_: string, port: string) => `127.0.0.1:${up.port + Number(port) - FIRST_PORT}`;
    for (const { name, code } of recipes) {
      writeFileSync(join(this.root, `${name}.ts`), code.replaceAll(/127\.0\.0\.1:(2019\d)/g, rewritten));
    }
    this.compile();
  }

  private compile(): void {
    const compilerOptions = {
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      types: ['node'],
      module: 'nodenext',
      strict: true,
      noUnusedLocals: true,
      noUnusedParameters: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      outDir: 'out',
    };
    writeFileSync(join(this.root, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
    try {
      execFileSync(process.execPath, [join(typescript, 'bin/tsc'), '-p', this.root], { encoding: 'utf8' });
    } catch (error) {
      this.stop();
      throw new Error(`the recipes do not compile:\n${(error as { stdout?: string }).stdout}`);
    }
  }

  /** A folder of its own for the instances of one recipe. */
  cook(name: string): Dish {
    return new Dish(join(this.root, 'out', `${name}.js`), mkdtempSync(join(this.root, 'work-')));
  }

  stop(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

export interface Instance {
  readonly pid: number;
  /** Undefined while it runs; null if a signal ended it. */
  code: number | null | undefined;
  err: string;
}

/**
 * The instances of one recipe.
 * Always true: they print into one file that is opened for appending, so its lines stand in the order in which they
 * were printed, whoever printed them. `stop` ends every process that `run` began.
 */
export class Dish {
  /** Where the instances run. */
  readonly dir: string;
  private readonly program: string;
  private readonly journal: string;
  private readonly children: ChildProcess[] = [];
  private readonly instances: Instance[] = [];

  constructor(program: string, dir: string) {
    this.program = program;
    this.dir = dir;
    this.journal = `${dir}.journal`;
  }

  run(...args: readonly string[]): Instance {
    const out = openSync(this.journal, 'a');
    const options = { cwd: this.dir, stdio: ['ignore', out, 'pipe'] as ['ignore', number, 'pipe'] };
    const child = spawn(process.execPath, [this.program, ...args], options);
    closeSync(out);
    this.children.push(child);
    const instance: Instance = { pid: child.pid!, code: undefined, err: '' };
    this.instances.push(instance);
    child.stderr!.on('data', (chunk) => {
      instance.err += chunk;
    });
    child.on('close', (code) => {
      instance.code = code;
    });
    return instance;
  }

  /** What was printed. */
  get lines(): string[] {
    return readFileSync(this.journal, 'utf8').split('\n').filter(Boolean);
  }

  /** What the pattern's group matched, line by line. */
  found(pattern: RegExp): string[] {
    return this.lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  }

  async printed(pattern: RegExp, times = 1): Promise<void> {
    const count = () => this.lines.filter((line) => pattern.test(line)).length;
    await until(`${pattern} was printed ${times} times`, () => count() >= times).catch((error) => {
      const errors = this.instances.map(({ err }) => err).join('');
      throw new Error(`${(error as Error).message}\n${this.lines.join('\n')}\n${errors}`);
    });
  }

  /** @returns its exit code. */
  async ended(instance: Instance): Promise<number | null> {
    await until(`process ${instance.pid} ended`, () => instance.code !== undefined);
    return instance.code!;
  }

  /** All that were started end by themselves, without a word on stderr. @returns what was printed. */
  async served(): Promise<string[]> {
    for (const instance of this.instances) await this.ended(instance);
    const bad = this.instances.filter(({ code, err }) => code !== 0 || err !== '');
    if (bad.length > 0) throw new Error(bad.map(({ code, err }) => `exit ${code}: ${err}`).join('\n'));
    return this.lines;
  }

  async stop(): Promise<void> {
    for (const child of this.children) if (child.exitCode === null) child.kill('SIGKILL');
    for (const instance of this.instances) await this.ended(instance);
  }
}
