// What images, sounds and files cost as input. Nexus doesn't decode them: these are fair guesses that settlement corrects.
import { fieldOf, textField } from './json-value.ts';

/** OpenAI, "Images and vision", gpt-4o: an image of low detail. */
const IMAGE_LOW = 85;
/** The same page's example: 1024 × 1024 of high detail is 85 + 4 tiles of 170. */
const IMAGE_HIGH = 765;
/** Anthropic, "Vision": width · height / 750, scaled down to at most some 1,600. */
export const ANTHROPIC_IMAGE = 1600;

/** OpenAI, Realtime API, "Managing costs": a token for 100 ms of what the user says. */
const AUDIO_TOKENS_PER_SECOND = 10;
/** 16 kHz, 16 bit, one channel. */
const WAV_BYTES_PER_SECOND = 32_000;
/** 64 kbit/s, usual for speech. */
const COMPRESSED_BYTES_PER_SECOND = 8_000;

/** Anthropic, "PDF support": 1,500 to 3,000 tokens a page. */
const TOKENS_PER_PAGE = 1500;
const BYTES_PER_PAGE = 50_000;

/** An OpenAI image by its `detail`; absent is `auto`, which most models read as high. */
export function imageTokens(detail: unknown): number {
  return detail === 'low' ? IMAGE_LOW : IMAGE_HIGH;
}

/** `input_audio: { data, format }`, data in base64. */
export function audioTokens(audio: unknown): number {
  const perSecond = fieldOf(audio, 'format') === 'wav' ? WAV_BYTES_PER_SECOND : COMPRESSED_BYTES_PER_SECOND;
  const seconds = bytesOfBase64(textField(audio, 'data')) / perSecond;
  return Math.ceil(seconds * AUDIO_TOKENS_PER_SECOND);
}

/** A file given as base64 or a data URL, counted in pages; one page if it is only named by id or URL. */
export function fileTokens(data: string | undefined): number {
  return TOKENS_PER_PAGE * Math.max(1, Math.ceil(bytesOfBase64(data) / BYTES_PER_PAGE));
}

function bytesOfBase64(data: string | undefined): number {
  return data === undefined ? 0 : data.length * 0.75;
}
