/** Where the mesh writes its lines; pino's logger is one. */
export interface Log {
  debug(data: object, text: string): void;
  info(data: object, text: string): void;
  warn(data: object, text: string): void;
}

export const SILENT: Log = { debug() {}, info() {}, warn() {} };
