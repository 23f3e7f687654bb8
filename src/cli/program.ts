/**
 * The commands of `quorate`, their flags and their help, made from the settings.
 * Always true: usage that is wrong ends with 2 and says what would be right; --help and --version end with 0.
 */
import { Command, CommanderError, Option } from 'commander';
import { PEER_SETTINGS, UP_SETTINGS } from './options.ts';
import { reason } from './say.ts';
import { readSettings, type Settings, UsageError, type Values, variableOf } from './settings.ts';
import { VERSION } from './version.ts';

const ALL = new Set(['config', ...Object.keys(PEER_SETTINGS), ...Object.keys(UP_SETTINGS)]);

/** @param args what follows `quorate`. @returns the exit code, once there is one. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const program = new Command('quorate')
    .description('A lock service without a leader: equal peers grant leases by majority vote.')
    .version(VERSION)
    .showHelpAfterError('(--help shows all commands)');
  // Loaded when they run: --help should not wait for a server to load.
  add(program, env, 'up', UP_SETTINGS, 'runs a mesh of peers on this machine', async (options) => {
    await (await import('./up.ts')).runUp(options);
  });
  add(program, env, 'peer', PEER_SETTINGS, 'runs one peer in the foreground', async (options) => {
    await (await import('./peer.ts')).runPeer(options);
  });
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

function add<S extends Settings>(
  program: Command,
  env: NodeJS.ProcessEnv,
  name: string,
  settings: S,
  summary: string,
  action: (options: Values<S>) => Promise<void>,
): void {
  const command = program
    .command(name)
    .description(summary)
    .version(VERSION)
    .option('--config <FILE>', `settings in YAML, one "flag: value" a line (${variableOf('config')})`)
    .showHelpAfterError('(--help shows all flags)')
    .addHelpText(
      'after',
      '\nEach flag may also be set by the variable in parentheses, or in the config file.',
    );
  for (const [flag, { value, help, fallback }] of Object.entries(settings)) {
    const shown =
      fallback === undefined || value === undefined || Array.isArray(fallback) ? '' : `; default ${fallback}`;
    const about = `${help} (${variableOf(flag)}${shown})`;
    command.addOption(new Option(value === undefined ? `--${flag}` : `--${flag} <${value}>`, about));
  }
  command.allowExcessArguments(false);
  command.action(async () => {
    const given = command.opts<Record<string, unknown>>();
    const flags = Object.fromEntries(Object.keys(settings).map((flag) => [flag, given[camel(flag)]]));
    await action(readSettings(settings, { flags, env, config: given.config as string | undefined }, ALL));
  });
}

function camel(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Says what went wrong on stderr, unless commander did. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    if (['commander.helpDisplayed', 'commander.version'].includes(error.code)) return 0;
    return 2;
  }
  for (const line of reason(error).split('\n')) process.stderr.write(`quorate: ${line}\n`);
  return error instanceof UsageError ? 2 : 1;
}
