/**
 * Server-sent events, from the parts of a text in which they come.
 * Always true: an event is told once all of it has come; what is no event with a JSON object is left out.
 * Source: the HTML standard, "9.2 Server-sent events".
 */
import { parsed } from './http.ts';

export class EventParser {
  private rest = '';
  private data: string[] = [];
  private id: string | undefined;
  private name: string | undefined;

  /** @returns the bodies of the events that are complete now. */
  push(text: string): Readonly<Record<string, unknown>>[] {
    // A part may end between the two characters of one line's end.
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop()!;
    const bodies: Readonly<Record<string, unknown>>[] = [];
    for (const line of lines) {
      if (line !== '') {
        this.take(line);
        continue;
      }
      const body = parsed(this.data.join('\n'));
      if (typeof body === 'object' && body !== null) {
        bodies.push({ ...(this.id === undefined ? {} : { id: this.id }), event: this.name, ...body });
      }
      this.data = [];
      this.name = undefined;
    }
    return bodies;
  }

  private take(line: string): void {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.name = value;
    else if (field === 'id') this.id = value;
  }
}
