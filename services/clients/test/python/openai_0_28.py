"""openai-python 0.28.1, the last one before 1.0."""

import openai
from driver import serve, text_headers

MODEL = "gpt-4o-mini"


def settings(call):
    return {
        "api_base": call["url"] + "/v1",
        "api_key": call["key"],
        "headers": call.get("headers") or {},
    }


def chat(call, **more):
    if call.get("maxTokens") is not None:
        more["max_tokens"] = call["maxTokens"]
    messages = [{"role": "user", "content": call["prompt"]}]
    return openai.ChatCompletion.create(model=MODEL, messages=messages, **more, **settings(call))


def ask(call, outcome):
    answer = chat(call)
    outcome.tokens(answer.get("usage"))
    outcome.add(answer.to_dict_recursive(), answer.choices[0].message.content)


def stream(call, outcome):
    asked = {"stream_options": {"include_usage": True}} if call.get("includeUsage") else {}
    for chunk in chat(call, stream=True, **asked):
        outcome.tokens(chunk.get("usage"))
        piece = chunk.choices[0].delta.get("content") if chunk.choices else None
        outcome.add(chunk.to_dict_recursive(), piece)


def embed(call, outcome):
    asked = {} if call["format"] == "default" else {"encoding_format": call["format"]}
    answer = openai.Embedding.create(
        model="text-embedding-3-small", input=call["prompt"], **asked, **settings(call)
    )
    outcome.add(answer.to_dict_recursive())


def upload(call, outcome):
    with open(call["path"], "rb") as file:
        answer = openai.File.create(
            file, "fine-tune", api_key=call["key"], api_base=call["url"] + "/v1"
        )
    outcome.add(answer.to_dict_recursive())


def transcribe(call, outcome):
    with open(call["path"], "rb") as file:
        answer = openai.Audio.transcribe(
            "whisper-1", file, api_key=call["key"], api_base=call["url"] + "/v1"
        )
    outcome.add(answer.to_dict_recursive())


def explain(error):
    failure = {
        "isRateLimit": isinstance(error, openai.error.RateLimitError),
        "name": type(error).__name__,
        "message": str(error),
    }
    if isinstance(error, openai.error.OpenAIError):
        # str(error) has the request's id before it.
        failure["message"] = error.user_message
        failure["status"] = error.http_status
        failure["requestId"] = error.request_id
        failure["headers"] = text_headers(error.headers)
        told = (error.json_body or {}).get("error") or {} if isinstance(error.json_body, dict) else {}
        failure["code"] = told.get("code")
        failure["type"] = told.get("type")
    return failure


serve({"ask": ask, "stream": stream, "embed": embed, "upload": upload, "transcribe": transcribe}, explain)
