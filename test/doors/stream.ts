/** One who reads GET /api/v1.0/events of a real peer. */
import { type EventBody, eventBody } from '../../src/api/answers-events.ts';

export class Stream {
  readonly events: EventBody[] = [];
  /** Whether the peer ended it, or its connection broke. */
  over = false;
  private readonly gone = new AbortController();

  constructor(url: string, scope: string) {
    void this.read(`${url}/api/v1.0/events?scope=${encodeURIComponent(scope)}`).catch(() => {
      this.over = true;
    });
  }

  private async read(url: string): Promise<void> {
    const { body, status } = await fetch(url, { signal: this.gone.signal });
    if (status !== 200 || body === null) throw new Error(`status ${status}`);
    let text = '';
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data !== undefined) this.events.push(eventBody.parse(JSON.parse(data)));
      }
    }
    this.over = true;
  }

  /** Each event with its token, as one text. */
  get told(): string[] {
    return this.events.map(({ event, fencing_token: token }) => `${event} ${token ?? '-'}`);
  }

  stop(): void {
    this.gone.abort();
  }
}
