import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { PEER_SETTINGS, refuseOpenDoor, UP_SETTINGS } from '../../../src/cli/options.ts';
import { readSettings, UsageError, variableOf } from '../../../src/cli/settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'quorate-settings-'));
afterAll(() => rmSync(dir, { recursive: true }));

let files = 0;
function yaml(text: string): string {
  const path = join(dir, `${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

const up = (flags: object = {}, env: Record<string, string> = {}, config?: string) =>
  readSettings(
    UP_SETTINGS,
    { flags: flags as Record<string, unknown>, env, config },
    new Set(['name', 'config']),
  );

function fault(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error('was accepted');
}

describe('where a value comes from', () => {
  test('defaults', () => {
    expect(up()).toEqual({
      peers: 3,
      port: 20194,
      host: '127.0.0.1',
      'data-dir': '.quorate',
      insecure: false,
      'allow-host': [],
      'request-timeout': 5_000,
      'log-level': 'info',
      json: false,
    });
  });

  test('flag over environment over file over default', () => {
    const config = yaml('peers: 5\nport: 1\nhost: localhost\n');
    const env = { QUORATE_PEERS: '7', QUORATE_PORT: '2' };
    expect(up({ peers: '9' }, env, config)).toMatchObject({
      peers: 9,
      port: 2,
      host: 'localhost',
      'data-dir': '.quorate',
    });
  });

  test('the variable of a flag', () => {
    expect(variableOf('data-dir')).toBe('QUORATE_DATA_DIR');
    expect(up({}, { QUORATE_DATA_DIR: '/x', QUORATE_JSON: 'true' })).toMatchObject({
      'data-dir': '/x',
      json: true,
    });
  });

  test('an empty variable is none', () => {
    expect(up({}, { QUORATE_PORT: '', QUORATE_CONFIG: '' }).port).toBe(20194);
  });

  test('the config file may come from the environment, and serve other commands', () => {
    const config = yaml('peers: 5\nname: p1\nconfig: x\n');
    expect(up({}, { QUORATE_CONFIG: config }).peers).toBe(5);
  });

  test('YAML gives numbers, booleans, lists and mappings', () => {
    const config = yaml('peers: 4\ninsecure: yes\nallow-host: [a, b.c]\nrequest-timeout: 2\n');
    expect(up({}, {}, config)).toMatchObject({
      peers: 4,
      insecure: true,
      'allow-host': ['a', 'b.c'],
      'request-timeout': 2_000,
    });
    const roster = yaml('name: p1\ndata-dir: d\nroster:\n  p1: 127.0.0.1:1\n  p2: 127.0.0.1:2\n');
    const values = readSettings(PEER_SETTINGS, { flags: {}, env: {}, config: roster });
    expect(values.roster).toEqual(
      new Map([
        ['p1', '127.0.0.1:1'],
        ['p2', '127.0.0.1:2'],
      ]),
    );
    expect(values.listen).toBeUndefined();
    expect(values.observer).toBe(false);
  });

  test('an empty file sets nothing', () => {
    expect(up({}, {}, yaml('# nothing\n')).peers).toBe(3);
  });
});

describe('what is wrong is named with its place', () => {
  test.each([
    [{ peers: 'x' }, {}, /^--peers: must be a whole number from 1 to 31$/],
    [{ peers: '0' }, {}, /^--peers: must be a whole number from 1 to 31$/],
    [{ peers: '32' }, {}, /^--peers/],
    [{ peers: '2.5' }, {}, /^--peers/],
    [{ port: '65536' }, {}, /^--port: must be a whole number from 1 to 65535$/],
    [{}, { QUORATE_PORT: 'zz' }, /^QUORATE_PORT: must be/],
    [{}, { QUORATE_JSON: 'maybe' }, /^QUORATE_JSON: must be true or false$/],
    [{ 'request-timeout': '5 s' }, {}, /^--request-timeout: "5 s" is no duration: write "250ms"/],
    [{ 'request-timeout': '0' }, {}, /^--request-timeout: must be longer than 0$/],
    [{ 'log-level': 'loud' }, {}, /^--log-level: must be one of debug, info/],
    [{ 'allow-host': 'a b' }, {}, /^--allow-host: must be host names/],
    [{ host: '' }, {}, /^--host: must not be empty$/],
  ])('%j %j', (flags, env, why) => {
    expect(fault(() => up(flags, env as Record<string, string>))).toMatch(why);
  });

  test('in the file, with its path', () => {
    const config = yaml('port: no\n');
    expect(fault(() => up({}, {}, config))).toBe(`port in ${config}: must be a whole number from 1 to 65535`);
  });

  test('a misspelt key is no silent default', () => {
    const config = yaml('prot: 1\n');
    expect(fault(() => up({}, {}, config))).toMatch(/^prot in .*: no such setting; known are peers, port/);
  });

  test('all of them at once', () => {
    expect(fault(() => up({ peers: 'x', port: 'y' })).split('\n')).toHaveLength(2);
  });

  test('what is missing', () => {
    const message = fault(() => readSettings(PEER_SETTINGS, { flags: {}, env: {} }));
    expect(message).toMatch(/--name NAME is missing \(or QUORATE_NAME\)/);
    expect(message).toMatch(/--roster NAME=HOST:PORT,... is missing \(or QUORATE_ROSTER\)/);
    expect(message).toMatch(/--data-dir DIR is missing/);
  });

  test.each([
    ['a: [', /Flow sequence/],
    ['- a\n', /must hold settings/],
    ['peers: 1\npeers: 2\n', /Map keys must be unique.* line 2/],
  ])('a file such as %j', (text, why) => {
    expect(fault(() => up({}, {}, yaml(text)))).toMatch(why);
  });

  test('a file that is not there', () => {
    expect(fault(() => up({}, {}, join(dir, 'none')))).toMatch(/^--config: cannot read .*none: ENOENT/);
  });
});

test('an address beyond this machine needs --insecure', () => {
  for (const host of ['127.0.0.1', 'localhost', '::1']) refuseOpenDoor('--host', host, false);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org']) {
    expect(fault(() => refuseOpenDoor('--host', host, false))).toMatch(
      /^--host .*no credentials.*--insecure/s,
    );
    refuseOpenDoor('--host', host, true);
  }
});
