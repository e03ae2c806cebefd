import { NONE } from './label-values.ts';

/**
 * Families in the order in which a name is tried, longest first where one holds another. A name may have a vendor or a
 * region in front and a date behind, so a pattern may match anywhere in it.
 */
const FAMILIES: readonly (readonly [string, RegExp])[] = [
  ['embedding', /embed/],
  ['audio', /whisper|tts|transcribe|audio|realtime/],
  ['image', /dall-e|gpt-image|chatgpt-image|sora/],
  ['moderation', /moderation/],
  ['gpt-5-nano', /gpt-5[^/:]*nano/],
  ['gpt-5-mini', /gpt-5[^/:]*mini/],
  ['gpt-5', /gpt-5/],
  ['gpt-4.1-nano', /gpt-4\.1-nano/],
  ['gpt-4.1-mini', /gpt-4\.1-mini/],
  ['gpt-4.1', /gpt-4\.1/],
  ['gpt-4o-mini', /gpt-4o-mini/],
  ['gpt-4o', /gpt-4o|chatgpt-4o/],
  ['gpt-4', /gpt-4/],
  ['gpt-3.5', /gpt-3\.?5/],
  ['gpt-oss', /gpt-oss/],
  ['o-mini', /(?:^|[/:])o\d+-mini/],
  ['o', /(?:^|[/:])o\d+(?:-|$)/],
  ['claude-opus', /claude[^/:]*opus/],
  ['claude-sonnet', /claude[^/:]*sonnet/],
  ['claude-haiku', /claude[^/:]*haiku/],
  ['claude', /claude/],
  ['gemini', /gemini/],
  ['llama', /llama/],
  ['mistral', /mistral|mixtral|magistral|codestral|ministral/],
  ['deepseek', /deepseek/],
  ['qwen', /qwen|qwq/],
  ['grok', /grok/],
  ['command', /command-/],
];
const OTHER = 'other';

/** Every family that there can be. */
export const MODEL_FAMILIES: readonly string[] = [NONE, OTHER, ...FAMILIES.map(([family]) => family)];

const PLACE_OF_NONE = 0;
const PLACE_OF_OTHER = 1;

/** No model has a longer name. */
const LONGEST = 128;
/** Names remembered; behind a few of them stand nearly all requests. */
const REMEMBERED = 256;
const known = new Map<string, number>();

/**
 * The place of a model's family in `MODEL_FAMILIES`: a fixed and small list, whatever name a client invents.
 * @param model as the client named it; undefined: it named none
 */
export function modelFamily(model: string | undefined): number {
  if (model === undefined) return PLACE_OF_NONE;
  const before = known.get(model);
  if (before !== undefined) return before;
  if (model.length > LONGEST) return PLACE_OF_OTHER;
  const name = model.toLowerCase();
  const index = FAMILIES.findIndex(([, pattern]) => pattern.test(name));
  const place = index < 0 ? PLACE_OF_OTHER : index + 2;
  if (known.size >= REMEMBERED) known.clear();
  // A copy: the name may be a part of a long body, which would stay in memory with it.
  known.set(Buffer.from(model).toString(), place);
  return place;
}
