// Runs in the counting thread: parses and counts what would hold the event loop. It first hands out the vocabularies it
// has loaded, so that no other thread needs to load them.
import { parentPort, workerData } from 'node:worker_threads';
import { GatewayError } from '@nexus/domain';
import { adoptVocabulary, countTokens, vocabularyMemory } from './count.ts';
import type { CountingReply, CountingRequest, CountingTask } from './counting-messages.ts';
import { estimateTokens } from './prompt-tally.ts';
import { readCall } from './read-call.ts';
import type { VocabularyMemory } from './vocabulary.ts';

const given: { readonly vocabularies: readonly VocabularyMemory[] } = workerData;
for (const memory of given.vocabularies) adoptVocabulary(memory);
reply({ vocabularies: [vocabularyMemory('o200k_base'), vocabularyMemory('cl100k_base')] });

parentPort?.on('message', ({ id, task }: CountingRequest) => reply(answer(id, task)));

function reply(message: CountingReply): void {
  parentPort?.postMessage(message);
}

function answer(id: number, task: CountingTask): CountingReply {
  try {
    if (task.task === 'count') {
      const count = task.text.length <= task.maxCountedChars ? countTokens : estimateTokens;
      return { id, tokens: count(task.text, task.encoding) };
    }
    const { buffer, byteOffset, byteLength } = task.body;
    return {
      id,
      reading: readCall(task.kind, Buffer.from(buffer, byteOffset, byteLength), task.maxCountedChars),
    };
  } catch (error) {
    return error instanceof GatewayError ? { id, invalid: error.message } : { id, failed: true };
  }
}
