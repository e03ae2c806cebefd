/** One block of an event stream, as it came. */
export interface SseEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  /** The data lines, joined; undefined in a block of comments alone. */
  readonly data: string | undefined;
  /** Comment lines without their colon. */
  readonly comments: readonly string[];
  /** When the chunk came that completed the block, by `performance.now()`. */
  readonly arrivedMs: number;
}

type Bytes = AsyncIterable<Uint8Array>;

function parseBlock(block: string, arrivedMs: number): SseEvent {
  let event = 'message';
  const data: string[] = [];
  const comments: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') data.push(value);
    else if (name === 'event') event = value;
    else if (name === '') comments.push(value);
  }
  return { event, data: data.length > 0 ? data.join('\n') : undefined, comments, arrivedMs };
}

/**
 * The events of an answer (of fetch, undici, node:http, or any bytes), each as soon as it is whole (HTML standard §9.2.6).
 * A block that the end cuts off is not given; a broken connection throws.
 */
export async function* readSse(answer: Bytes | { readonly body: Bytes | null }): AsyncGenerator<SseEvent> {
  const bytes = 'body' in answer ? answer.body : answer;
  if (bytes === null) return;
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of bytes) {
    const arrivedMs = performance.now();
    text += decoder.decode(chunk, { stream: true });
    // A CR at the end may be half of a CRLF: it waits for the next chunk.
    const held = text.endsWith('\r') ? '\r' : '';
    const blocks = text
      .slice(0, text.length - held.length)
      .replace(/\r\n?/g, '\n')
      .split('\n\n');
    text = (blocks.pop() ?? '') + held;
    for (const block of blocks) {
      const lines = block.replace(/^\n+/, '');
      if (lines !== '') yield parseBlock(lines, arrivedMs);
    }
  }
}
