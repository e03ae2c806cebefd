// What the input of a call of Anthropic's messages API costs. Anthropic publishes no vocabulary: text is counted with
// OpenAI's, which comes near, and settlement corrects it.
import { fieldOf, isArray, isObject, type JsonObject, textField } from './json-value.ts';
import { ANTHROPIC_IMAGE, fileTokens } from './media-tokens.ts';
import { eachObject, type PromptTally } from './prompt-tally.ts';

/** As OpenAI's; Anthropic doesn't say. */
const PER_MESSAGE = 3;
/** "Tool use", pricing: the system prompt that tools bring, for the Claude 4 models with tool_choice auto. */
const TOOLS_PROMPT = 346;

/** Adds `system`, `messages` and `tools`. */
export function anthropicMessage(tally: PromptTally, call: JsonObject): void {
  addContent(tally, fieldOf(call, 'system'));
  eachObject(call, 'messages', (message) => {
    tally.add(PER_MESSAGE + 1);
    addContent(tally, fieldOf(message, 'content'));
  });
  tally.add(PER_MESSAGE);
  const tools = fieldOf(call, 'tools');
  if (!isArray(tools) || tools.length === 0) return;
  tally.add(TOOLS_PROMPT);
  tally.json(tools);
}

/** A string, or blocks. */
function addContent(tally: PromptTally, value: unknown): void {
  if (!isArray(value)) {
    tally.text(value);
    return;
  }
  for (const block of value) {
    if (!isObject(block)) continue;
    if (textField(block, 'type') === 'tool_result') addToolResult(tally, block);
    else addBlock(tally, block);
  }
}

/** Its content is a string or blocks, among which no further result may stand. */
function addToolResult(tally: PromptTally, result: JsonObject): void {
  tally.add(PER_MESSAGE);
  const inner = fieldOf(result, 'content');
  tally.text(inner);
  eachObject(result, 'content', (block) => addBlock(tally, block));
}

function addBlock(tally: PromptTally, block: JsonObject): void {
  const add = BLOCKS.get(textField(block, 'type') ?? '');
  if (add === undefined) tally.everyText(block);
  else add(tally, block);
}

function addToolUse(tally: PromptTally, block: JsonObject): void {
  tally.add(PER_MESSAGE);
  tally.text(fieldOf(block, 'name'));
  tally.json(fieldOf(block, 'input'));
}

function addDocument(tally: PromptTally, block: JsonObject): void {
  tally.text(fieldOf(block, 'title'));
  tally.text(fieldOf(block, 'context'));
  const source = fieldOf(block, 'source');
  const type = fieldOf(source, 'type');
  if (type === 'text') tally.text(fieldOf(source, 'data'));
  else if (type === 'content') tally.everyText(fieldOf(source, 'content'));
  else tally.guess(fileTokens(textField(source, 'data')));
}

/** By the `type` of a content block; Anthropic's API reference, messages. */
const BLOCKS: ReadonlyMap<string, (tally: PromptTally, block: JsonObject) => void> = new Map([
  ['text', (tally, block) => tally.text(fieldOf(block, 'text'))],
  ['image', (tally) => tally.guess(ANTHROPIC_IMAGE)],
  ['thinking', (tally, block) => tally.text(fieldOf(block, 'thinking'))],
  // Encrypted.
  ['redacted_thinking', () => undefined],
  ['tool_use', addToolUse],
  ['server_tool_use', addToolUse],
  ['document', addDocument],
]);
