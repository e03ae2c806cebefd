import type { Usage } from '@nexus/domain';
import type { Meter } from './meter.ts';

/**
 * Meters the answer to a call for images: what it reports of its output are image tokens, unless it says itself of which kinds they are
 * (OpenAI's API reference, `image_generation.completed`: "the number of image tokens in the output image").
 */
export class ImageMeter implements Meter {
  readonly #inside: Meter;

  constructor(inside: Meter) {
    this.#inside = inside;
  }

  get finished(): boolean {
    return this.#inside.finished;
  }

  get dataEvents(): number {
    return this.#inside.dataEvents;
  }

  write(chunk: Uint8Array): Uint8Array | undefined {
    return this.#inside.write(chunk);
  }

  end(): Uint8Array | undefined {
    return this.#inside.end();
  }

  outputTokensSoFar(): number {
    return this.#inside.outputTokensSoFar();
  }

  usage(): Usage {
    const usage = this.#inside.usage();
    const { outputTokens, outputParts } = usage;
    if (outputTokens === 0 || outputParts !== undefined) return usage;
    return { ...usage, outputParts: { audioTokens: 0, imageTokens: outputTokens, webSearches: 0 } };
  }

  settled(): Promise<void> | undefined {
    return this.#inside.settled();
  }
}
