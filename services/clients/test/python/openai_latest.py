"""openai-python of today."""

import openai
from driver import serve, text_headers

MODEL = "gpt-4o-mini"


def client(call):
    settings = {}
    if call.get("maxRetries") is not None:
        settings["max_retries"] = call["maxRetries"]
    return openai.OpenAI(
        base_url=call["url"] + "/v1",
        api_key=call["key"],
        default_headers=call.get("headers") or {},
        **settings,
    )


def chat(call, **more):
    if call.get("maxTokens") is not None:
        more["max_tokens"] = call["maxTokens"]
    messages = [{"role": "user", "content": call["prompt"]}]
    return client(call).chat.completions.create(model=MODEL, messages=messages, **more)


def ask(call, outcome):
    answer = chat(call)
    outcome.fields["requestId"] = answer._request_id
    outcome.tokens(answer.usage and answer.usage.model_dump())
    outcome.add(answer.model_dump(mode="json"), answer.choices[0].message.content)


def stream(call, outcome):
    asked = {"stream_options": {"include_usage": True}} if call.get("includeUsage") else {}
    for chunk in chat(call, stream=True, **asked):
        outcome.tokens(chunk.usage and chunk.usage.model_dump())
        outcome.add(chunk.model_dump(mode="json"), chunk.choices[0].delta.content if chunk.choices else None)


def respond(call, **more):
    if call.get("maxTokens") is not None:
        more["max_output_tokens"] = call["maxTokens"]
    return client(call).responses.create(model=MODEL, input=call["prompt"], **more)


def ask_responses(call, outcome):
    answer = respond(call)
    outcome.fields["requestId"] = answer._request_id
    outcome.tokens(answer.usage and answer.usage.model_dump())
    outcome.add(answer.model_dump(mode="json"), answer.output_text)


def stream_responses(call, outcome):
    for event in respond(call, stream=True):
        if event.type == "response.completed":
            outcome.tokens(event.response.usage and event.response.usage.model_dump())
        piece = event.delta if event.type == "response.output_text.delta" else None
        outcome.add(event.model_dump(mode="json"), piece)


def embed(call, outcome):
    asked = {} if call["format"] == "default" else {"encoding_format": call["format"]}
    answer = client(call).embeddings.create(
        model="text-embedding-3-small", input=call["prompt"], **asked
    )
    outcome.add(answer.model_dump(mode="json"))


def upload(call, outcome):
    with open(call["path"], "rb") as file:
        outcome.add(client(call).files.create(file=file, purpose="fine-tune").model_dump(mode="json"))


def transcribe(call, outcome):
    with open(call["path"], "rb") as file:
        answer = client(call).audio.transcriptions.create(file=file, model="whisper-1")
    outcome.add(answer.model_dump(mode="json"))


def explain(error):
    failure = {
        "isRateLimit": isinstance(error, openai.RateLimitError),
        "name": type(error).__name__,
        "message": str(error),
    }
    if isinstance(error, openai.APIError):
        failure["code"] = error.code
        failure["type"] = error.type
    if isinstance(error, openai.APIStatusError):
        failure["status"] = error.status_code
        failure["requestId"] = error.request_id
        failure["headers"] = text_headers(error.response.headers)
    return failure


serve(
    {
        "ask": ask,
        "stream": stream,
        "ask_responses": ask_responses,
        "stream_responses": stream_responses,
        "embed": embed,
        "upload": upload,
        "transcribe": transcribe,
    },
    explain,
)
