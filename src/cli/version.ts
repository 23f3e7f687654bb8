/** The version of this package, from its package.json, wherever it was built or installed to. */
import { existsSync, readFileSync } from 'node:fs';

function find(): string {
  for (let at = new URL('.', import.meta.url); ; at = new URL('..', at)) {
    const file = new URL('package.json', at);
    if (existsSync(file)) {
      const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
      if (name === 'quorate' && version !== undefined) return version;
    }
    if (at.pathname === new URL('..', at).pathname) return '0.0.0';
  }
}

export const VERSION = find();
