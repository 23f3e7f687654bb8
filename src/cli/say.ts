/**
 * What a command says on stdout: lines for people, or with --json one object a line.
 * Always true: a reader that went away ends nothing: the peers go on without it.
 */
export type Say = (event: string, text: string, facts?: Readonly<Record<string, unknown>>) => void;

export function sayer(json: boolean, out: NodeJS.WritableStream = process.stdout): Say {
  out.on('error', () => undefined);
  return (event, text, facts = {}) => {
    out.write(json ? `${JSON.stringify({ event, ...facts, text })}\n` : `${text}\n`);
  };
}

/** An error for people: one line, no stack. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
