/**
 * One project per kind of test, one folder per project. Tests run from the sources; `dist` is never looked
 * into, or every test would run twice. Projects that start real processes run one file at a time.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));

const project = (name: string, alone: boolean, timeoutMs: number) => ({
  root,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    exclude: ['dist/**', 'node_modules/**'],
    fileParallelism: !alone,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
  },
});

export default defineConfig({
  root,
  test: {
    passWithNoTests: true,
    projects: [
      project('unit', false, 20_000),
      project('sim', false, 300_000),
      project('process', true, 120_000),
      project('doors', true, 120_000),
      project('nemesis', true, 300_000),
    ],
  },
});
