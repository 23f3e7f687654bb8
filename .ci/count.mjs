/**
 * Adds up vitest's JSON report: the durations per project, then `N passed, N failed[, N skipped]` as the last line.
 * A file that could not be loaded has no tests of its own and counts as one failure; so does a missing report,
 * and so does a run in which nothing passed.
 */
import { readFileSync } from 'node:fs';

const path = process.argv[2] ?? '';

function read() {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    console.log('no report was written: the tests did not run to their end');
    return { testResults: [], success: false };
  }
}

const report = read();
const counts = { passed: 0, failed: 0, skipped: 0 };
const seconds = new Map();

for (const file of report.testResults) {
  const project = /[\\/]test[\\/]([^\\/]+)[\\/]/.exec(file.name)?.[1] ?? 'other';
  seconds.set(project, (seconds.get(project) ?? 0) + (file.endTime - file.startTime) / 1000);
  for (const test of file.assertionResults) {
    if (test.status === 'passed' || test.status === 'failed') counts[test.status] += 1;
    else counts.skipped += 1;
  }
  const blamed = file.assertionResults.some((test) => test.status === 'failed');
  if (file.status === 'failed' && !blamed) counts.failed += 1;
}
if (counts.failed === 0 && (!report.success || counts.passed === 0)) counts.failed += 1;

for (const [project, sum] of seconds) console.log(`${project}: ${sum.toFixed(1)} s`);
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
