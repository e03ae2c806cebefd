// A program of a user: it knows a base URL and a key, and trusts the certificate by NODE_EXTRA_CA_CERTS. Prints what it got.
import OpenAI from 'openai-7';

const client = new OpenAI({ apiKey: 'sk-test-key', baseURL: process.argv[2], maxRetries: 0 });
const question = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'Hello' }] };
const whole = await client.chat.completions.create(question);
let streamed = '';
for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
  streamed += chunk.choices[0]?.delta.content ?? '';
}
console.log(JSON.stringify({ whole: whole.choices[0]?.message.content, streamed }));
