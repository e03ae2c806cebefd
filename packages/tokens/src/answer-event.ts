import type { AnswerRecord } from './answer-record.ts';
import { isObject, type JsonObject } from './usage-report.ts';

/**
 * Takes the texts of an answer; those with one key are adjacent. `field` is the JSON field that a text stood
 * in.
 */
export interface TextSink {
  addText(key: number, text: string, field: string): void;
}

/** Kinds of text in one choice; each is counted as a text of its own. */
const CONTENT = 0;
const REASONING = 1;
const REFUSAL = 2;
const FUNCTION_CALL = 3;
const FIRST_TOOL = 4;
/** A key of a text is `choice · WIDTH + kind`. */
export const WIDTH = 64;

/** A small index; anything else falls in with the first. */
function indexOr0(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1_000_000 ? value : 0;
}

function addString(from: JsonObject, field: string, key: number, into: TextSink): boolean {
  const text = from[field];
  if (typeof text !== 'string') return false;
  if (text !== '') into.addText(key, text, field);
  return true;
}

function readToolCalls(calls: unknown, base: number, into: TextSink): void {
  if (!Array.isArray(calls)) return;
  for (const call of calls) {
    if (!isObject(call)) continue;
    const key = base + FIRST_TOOL + (indexOr0(call.index) % (WIDTH - FIRST_TOOL));
    const named = isObject(call.function) ? call.function : call.custom;
    if (!isObject(named)) continue;
    addString(named, 'name', key, into);
    if (!addString(named, 'arguments', key, into)) addString(named, 'input', key, into);
  }
}

/** Content as a list of parts, which some upstreams send (Mistral). */
function readParts(parts: readonly unknown[], key: number, into: TextSink): void {
  for (const part of parts) if (isObject(part)) addString(part, 'text', key, into);
}

/** A message of a choice, or the part of it that a stream's chunk brings. */
function readMessage(message: JsonObject, choice: number, into: TextSink): void {
  const base = choice * WIDTH;
  if (Array.isArray(message.content)) readParts(message.content, base + CONTENT, into);
  else addString(message, 'content', base + CONTENT, into);
  // Some upstreams send the same reasoning under both names.
  if (!addString(message, 'reasoning_content', base + REASONING, into)) {
    addString(message, 'reasoning', base + REASONING, into);
  }
  addString(message, 'refusal', base + REFUSAL, into);
  if (message.tool_calls !== undefined) readToolCalls(message.tool_calls, base, into);
  if (isObject(message.function_call)) {
    addString(message.function_call, 'name', base + FUNCTION_CALL, into);
    addString(message.function_call, 'arguments', base + FUNCTION_CALL, into);
  }
  if (isObject(message.audio)) addString(message.audio, 'transcript', base + CONTENT, into);
}

export function readChoices(choices: readonly unknown[], into: TextSink): void {
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    const index = indexOr0(choice.index);
    if (isObject(choice.delta)) readMessage(choice.delta, index, into);
    else if (isObject(choice.message)) readMessage(choice.message, index, into);
    else addString(choice, 'text', index * WIDTH, into);
  }
}

/** A key for the text of item or block number `index`. */
function itemKey(index: unknown): number {
  return indexOr0(index) * WIDTH;
}

/** Anthropic's content block: at its start in a stream, or whole in a message. */
export function readBlock(block: JsonObject, key: number, into: TextSink): void {
  addString(block, 'text', key, into);
  addString(block, 'thinking', key, into);
  addString(block, 'name', key, into);
}

/** An event of the Responses or the Messages API: both say what they are in `type`. */
function readTyped(type: string, event: JsonObject, into: AnswerRecord): void {
  switch (type) {
    case 'message_start':
      if (isObject(event.message)) into.reportStart(event.message.usage);
      return;
    case 'content_block_start':
      if (isObject(event.content_block)) readBlock(event.content_block, itemKey(event.index), into);
      return;
    case 'content_block_delta': {
      if (!isObject(event.delta)) return;
      const key = itemKey(event.index);
      addString(event.delta, 'text', key, into);
      addString(event.delta, 'thinking', key, into);
      addString(event.delta, 'partial_json', key, into);
      return;
    }
    case 'message_delta':
      into.reportDelta(event.usage);
      return;
    case 'message_stop':
      into.finished = true;
      return;
    case 'response.completed':
    case 'response.incomplete':
    case 'response.failed':
      if (isObject(event.response)) into.report(event.response.usage);
      into.finished = true;
      return;
    case 'image_generation.completed':
    case 'image_edit.completed':
    case 'speech.audio.done':
      into.report(event.usage);
      into.finished = true;
      return;
    default:
      // Text, refusals, reasoning, arguments; audio is base64 and no text.
      if (type.startsWith('response.') && type.endsWith('.delta') && !type.endsWith('audio.delta')) {
        addString(event, 'delta', itemKey(event.output_index), into);
      }
      into.report(event.usage);
  }
}

/** Reads one event of a stream, told by its shape, not by the path that it was asked for on. */
export function readEvent(event: JsonObject, into: AnswerRecord): void {
  if (Array.isArray(event.choices)) {
    readChoices(event.choices, into);
    if (event.usage !== null && event.usage !== undefined) into.report(event.usage);
  } else if (typeof event.type === 'string') {
    readTyped(event.type, event, into);
  } else {
    into.report(event.usage);
  }
}
