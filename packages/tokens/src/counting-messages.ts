import type { CallReading } from './call-fields.ts';
import type { CallKind } from './call-kind.ts';
import type { EncodingName } from './encoding.ts';
import type { VocabularyMemory } from './vocabulary.ts';

/** What the counting thread is asked: the reading of a body, or the tokens of a text. */
export type CountingTask =
  | {
      readonly task: 'read';
      readonly kind: CallKind;
      readonly body: Uint8Array;
      readonly maxCountedChars: number;
    }
  | {
      readonly task: 'count';
      readonly text: string;
      readonly encoding: EncodingName;
      readonly maxCountedChars: number;
    };

export interface CountingRequest {
  readonly id: number;
  readonly task: CountingTask;
}

/** `invalid` is the message of the GatewayError `invalid_body`; `failed` is any other failure. */
export type CountingReply =
  | { readonly vocabularies: readonly VocabularyMemory[] }
  | { readonly id: number; readonly reading: CallReading }
  | { readonly id: number; readonly tokens: number }
  | { readonly id: number; readonly invalid: string }
  | { readonly id: number; readonly failed: true };
