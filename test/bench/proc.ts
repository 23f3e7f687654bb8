/**
 * What Linux tells of a process, from /proc. Nothing of it needs the process's help.
 */
import { readdirSync, readFileSync } from 'node:fs';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The fields of /proc/PID/stat that come after the name, which may hold spaces; none if the process is gone. */
function stat(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** When it started, in ticks since the machine did: with the pid it names one process. Empty if it is gone. */
export function startOf(pid: number): string {
  const fields = stat(pid);
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

function subfolders(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Of this process and those that it started: 0 once it is gone. */
function cpuOf(pid: number): number {
  let sum = 0;
  for (const thread of subfolders(`/proc/${pid}/task`)) {
    const task = `/proc/${pid}/task/${thread}`;
    sum += Number(read(`${task}/schedstat`).split(' ')[0]) / 1e6;
    for (const child of read(`${task}/children`).split(' ').filter(Boolean)) sum += cpuOf(Number(child));
  }
  return sum;
}

/**
 * Milliseconds of processor time of a process, of all its threads, and of the children that live with it now. Not
 * from `stat`, which counts in hundredths of a second for each process: hundreds that work a little would have done
 * nothing.
 */
export function cpuMs(pid: number): number {
  if (startOf(pid) === '') throw new Error(`process ${pid} is gone`);
  return cpuOf(pid);
}

/** Bytes of memory that the process has to itself and that no file stands behind. */
export function anonymousBytes(pid: number): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} is gone`);
  return Number(kilobytes) * 1024;
}
