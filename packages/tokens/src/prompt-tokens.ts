// What a call's input costs, by the kind of call. Shapes that aren't known add the strings in them; shapes that are wrong
// add nothing: the upstream refuses them.

import { anthropicMessage } from './anthropic-prompt.ts';
import type { CallKind } from './call-kind.ts';
import { fieldOf, isArray, isObject, type JsonObject, textField } from './json-value.ts';
import { audioTokens, fileTokens, imageTokens } from './media-tokens.ts';
import { eachObject, type PromptTally } from './prompt-tally.ts';

/** OpenAI cookbook, "How to count tokens with tiktoken", §6: what a message, its name, and the start of the reply cost. */
const PER_MESSAGE = 3;
const PER_NAME = 1;
const REPLY_PRIMING = 3;

/** Adds the input of a call. */
export function tallyPrompt(tally: PromptTally, kind: CallKind, call: JsonObject): void {
  switch (kind) {
    case 'chat':
      chat(tally, call);
      break;
    case 'completion':
      textOrTokens(tally, fieldOf(call, 'prompt'));
      tally.text(fieldOf(call, 'suffix'));
      break;
    case 'embedding':
      textOrTokens(tally, fieldOf(call, 'input'));
      break;
    case 'response':
      response(tally, call);
      break;
    case 'message':
      anthropicMessage(tally, call);
      break;
    case 'image':
      textOrParts(tally, fieldOf(call, 'prompt'));
      break;
    case 'speech':
      textOrParts(tally, fieldOf(call, 'input'));
      tally.text(fieldOf(call, 'instructions'));
      break;
    case 'moderation':
      textOrParts(tally, fieldOf(call, 'input'));
      break;
    case 'rerank':
      textOrParts(tally, fieldOf(call, 'query'));
      textOrParts(tally, fieldOf(call, 'documents'));
      break;
  }
}

/** A string, strings, tokens or arrays of tokens: the `prompt` of completions, the `input` of embeddings. */
function textOrTokens(tally: PromptTally, value: unknown): void {
  if (!isArray(value)) {
    tally.text(value);
    return;
  }
  for (const each of value) {
    if (typeof each === 'number') tally.add(1);
    else if (isArray(each)) tally.add(each.length);
    else tally.text(each);
  }
}

/** A string, strings, or objects: parts of a content, or documents of any shape. */
function textOrParts(tally: PromptTally, value: unknown): void {
  for (const each of isArray(value) ? value : [value]) {
    if (isObject(each)) content(tally, [each]);
    else tally.everyText(each);
  }
}

function chat(tally: PromptTally, call: JsonObject): void {
  eachObject(call, 'messages', (item) => {
    openMessage(tally, item);
    content(tally, fieldOf(item, 'content'));
    tally.text(fieldOf(item, 'refusal'));
    eachObject(item, 'tool_calls', (toolCall) =>
      functionCall(tally, fieldOf(toolCall, 'function') ?? fieldOf(toolCall, 'custom')),
    );
    functionCall(tally, fieldOf(item, 'function_call'));
  });
  tally.add(REPLY_PRIMING);
  tally.json(fieldOf(call, 'tools'));
  tally.json(fieldOf(call, 'functions'));
  tally.json(fieldOf(fieldOf(call, 'response_format'), 'json_schema'));
}

function response(tally: PromptTally, call: JsonObject): void {
  const instructions = fieldOf(call, 'instructions');
  if (typeof instructions === 'string') {
    tally.add(PER_MESSAGE + 1);
    tally.text(instructions);
  }
  const input = fieldOf(call, 'input');
  if (typeof input === 'string') {
    tally.add(PER_MESSAGE + 1);
    tally.text(input);
  }
  eachObject(call, 'input', (item) => inputItem(tally, item));
  tally.add(REPLY_PRIMING);
  tally.json(fieldOf(call, 'tools'));
  tally.json(fieldOf(fieldOf(fieldOf(call, 'text'), 'format'), 'schema'));
}

function inputItem(tally: PromptTally, item: JsonObject): void {
  const type = fieldOf(item, 'type');
  if (type === undefined || type === 'message') {
    openMessage(tally, item);
    content(tally, fieldOf(item, 'content'));
  } else if (type === 'function_call') {
    tally.add(PER_MESSAGE);
    functionCall(tally, item);
  } else if (type === 'function_call_output') {
    tally.add(PER_MESSAGE);
    content(tally, fieldOf(item, 'output'));
  } else if (type === 'reasoning') {
    // Its encrypted content is no text, and is dropped or billed as the upstream sees fit.
    content(tally, fieldOf(item, 'summary'));
  } else if (type !== 'item_reference') {
    tally.add(PER_MESSAGE);
    tally.everyText(item);
  }
}

function openMessage(tally: PromptTally, item: JsonObject): void {
  // Each role in use is one token.
  tally.add(PER_MESSAGE + 1);
  const name = textField(item, 'name');
  if (name === undefined) return;
  tally.add(PER_NAME);
  tally.text(name);
}

function functionCall(tally: PromptTally, call: unknown): void {
  if (!isObject(call)) return;
  tally.add(PER_MESSAGE);
  tally.text(fieldOf(call, 'name'));
  tally.text(fieldOf(call, 'arguments'));
  tally.text(fieldOf(call, 'input'));
}

/** The content of a message in OpenAI's shapes: a string, or parts. */
function content(tally: PromptTally, value: unknown): void {
  if (!isArray(value)) {
    tally.text(value);
    return;
  }
  for (const part of value) {
    if (!isObject(part)) continue;
    const add = PARTS.get(textField(part, 'type') ?? '');
    if (add === undefined) tally.everyText(part);
    else add(tally, part);
  }
}

const addText = (tally: PromptTally, part: JsonObject): void => tally.text(fieldOf(part, 'text'));

/** By the `type` of a content part; OpenAI's API reference, chat completions and responses. */
const PARTS: ReadonlyMap<string, (tally: PromptTally, part: JsonObject) => void> = new Map([
  ['text', addText],
  ['input_text', addText],
  ['output_text', addText],
  ['summary_text', addText],
  ['refusal', (tally, part) => tally.text(fieldOf(part, 'refusal'))],
  ['image_url', (tally, part) => tally.guess(imageTokens(fieldOf(fieldOf(part, 'image_url'), 'detail')))],
  ['input_image', (tally, part) => tally.guess(imageTokens(fieldOf(part, 'detail')))],
  ['input_audio', (tally, part) => tally.guess(audioTokens(fieldOf(part, 'input_audio')))],
  ['file', (tally, part) => tally.guess(fileTokens(textField(fieldOf(part, 'file'), 'file_data')))],
  ['input_file', (tally, part) => tally.guess(fileTokens(textField(part, 'file_data')))],
]);
