/** Programs as their authors wrote them for the API itself: the environment alone leads them to Nexus. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PythonEnvironment, runPython, whyNoPython } from './python-environment.ts';
import { type RunningGateway, startGateway } from './running-gateway.ts';

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway([]);
});
afterAll(() => gateway?.close());

const PROGRAMS: readonly {
  readonly environment: PythonEnvironment;
  readonly variable: string;
  readonly text: string;
}[] = [
  {
    environment: 'openai-0.28.1',
    variable: 'OPENAI_API_BASE',
    text: `
import openai

completion = openai.ChatCompletion.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Hello"}],
)
print(completion.choices[0].message.content)
`,
  },
  {
    environment: 'openai-latest',
    variable: 'OPENAI_BASE_URL',
    text: `
import asyncio
from openai import AsyncOpenAI

async def main():
    async with AsyncOpenAI() as client:
        stream = await client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
        )
        async for chunk in stream:
            # As published examples have it: a chunk without choices would break this program.
            print(chunk.choices[0].delta.content or "", end="")
    print()

asyncio.run(main())
`,
  },
];

for (const { environment, variable, text } of PROGRAMS) {
  it(`${environment} for Python: works with nothing but ${variable} set`, async ({ skip }) => {
    const missing = whyNoPython(environment);
    if (missing !== undefined) skip(missing);
    const env = { [variable]: `${gateway.url}/v1`, OPENAI_API_KEY: 'sk-own-5e1d' };
    const { outcome, requests } = await gateway.received(() => runPython(environment, text, { env }));
    expect(outcome.stderr).toBe('');
    expect(outcome.code).toBe(0);
    expect(outcome.stdout.trim().split(' ').length).toBeGreaterThan(3);
    expect(requests).toHaveLength(1);
  });
}
